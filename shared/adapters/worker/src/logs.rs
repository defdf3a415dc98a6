//! Whoever listens to `tracing`: JSON lines on the console, which Workers Logs keeps (docs/logs.md).
//!
//! Only what Kedge says itself is written, at any level: what libraries say may hold headers and addresses.

use std::io;

use kedge_adapters::Settings;
use kedge_engine::ports::Clock as _;
use tracing::{Level, Metadata};
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use worker::{console_error, console_log, console_warn};

use crate::JsClock;

/// What may be written, by level and target.
const RUST_LOG: &str = "RUST_LOG";
/// What the targets of all crates of Kedge begin with.
const OURS: &str = "kedge";

/// Listens from now on, for as long as the process lives, by `RUST_LOG` or else from level info on. Again changes
/// nothing: variables change with a deployment, which is a new process. What can't be read counts as absent, and
/// is told.
pub fn install(settings: &Settings) {
    let given = settings.get(RUST_LOG);
    let targets = given.map(str::parse::<Targets>);
    let is_unreadable = matches!(targets, Some(Err(_)));
    let default = Targets::new().with_default(LevelFilter::INFO);
    let targets = targets.and_then(Result::ok).unwrap_or(default);
    let ours = Targets::new().with_target(OURS, LevelFilter::TRACE);
    let lines = fmt::layer()
        .json()
        .flatten_event(true)
        // The list of spans has the innermost one too.
        .with_current_span(false)
        .with_timer(RuntimeTime)
        .with_writer(Console)
        .with_filter(targets)
        .with_filter(ours);
    let is_first = tracing_subscriber::registry()
        .with(lines)
        .try_init()
        .is_ok();
    if is_first && is_unreadable {
        tracing::warn!(
            target: OURS,
            "RUST_LOG can't be read; it is a level (info, debug, trace) or a list such as info,kedge=debug"
        );
    }
}

/// The time by the runtime's clock: the system's is not there.
struct RuntimeTime;

impl FormatTime for RuntimeTime {
    fn format_time(&self, w: &mut Writer<'_>) -> std::fmt::Result {
        write!(w, "{}", JsClock.now())
    }
}

/// A line of the console for each line.
struct Console;

/// One at this level.
struct Line(Level);

impl<'a> MakeWriter<'a> for Console {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line(Level::INFO)
    }

    fn make_writer_for(&'a self, meta: &Metadata<'_>) -> Line {
        Line(*meta.level())
    }
}

impl io::Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        let text = text.trim_end();
        match self.0 {
            Level::ERROR => console_error!("{text}"),
            Level::WARN => console_warn!("{text}"),
            _ => console_log!("{text}"),
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
