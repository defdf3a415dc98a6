//! Whoever listens to `tracing`: lines on standard error, for people or as JSON (docs/logs.md).
//!
//! `main` calls [`install`] once, and holds what it gives until the end. Only what Kedge says itself is
//! written, at any level: what libraries say may hold headers and addresses.

#[cfg(feature = "otlp")]
mod otlp;

use std::io;

use thiserror::Error;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{EnvFilter, FilterExt as _, LevelFilter, Targets};
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::Registry;
use tracing_subscriber::util::SubscriberInitExt as _;

use kedge_adapters::Settings;

/// What may be written, by level and target.
const RUST_LOG: &str = "RUST_LOG";
/// How.
const KEDGE_LOG_FORMAT: &str = "KEDGE_LOG_FORMAT";
/// What the targets of all crates of Kedge begin with.
const OURS: &str = "kedge";

/// Logs can't be kept as the settings say.
#[derive(Debug, Error)]
pub enum LogsError {
    /// The filter can't be read.
    #[error(
        "RUST_LOG can't be used: {0}; it is a level (info, debug, trace) or a list such as \
         info,kedge=debug"
    )]
    Filter(String),
    /// The format is none.
    #[error("KEDGE_LOG_FORMAT must be human or json")]
    Format,
    /// Something in this process listens already.
    #[error("logs are kept already in this process")]
    Installed,
    /// Spans can't be sent to a collector.
    #[cfg(feature = "otlp")]
    #[error("OTEL_EXPORTER_OTLP_ENDPOINT can't be used: {0}")]
    Otlp(String),
}

/// Lines for whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    /// People.
    Human,
    /// Programs: an object in each line.
    Json,
}

impl Format {
    fn of(settings: &Settings) -> Result<Self, LogsError> {
        match settings.get(KEDGE_LOG_FORMAT) {
            None | Some("human") => Ok(Self::Human),
            Some("json") => Ok(Self::Json),
            Some(_) => Err(LogsError::Format),
        }
    }
}

/// Logs as long as this is held. To be dropped outside of a runtime: what was not sent yet is sent then.
#[derive(Debug)]
#[must_use = "what was not sent yet is lost when the process ends"]
pub struct Logs {
    #[cfg(feature = "otlp")]
    _spans: Option<otlp::Spans>,
}

/// One that listens.
pub type BoxedLayer = Box<dyn Layer<Registry> + Send + Sync>;

/// Listens from now on, for the whole process, by `RUST_LOG` or else this filter, in the format of
/// `KEDGE_LOG_FORMAT`. Where there is neither, nothing is written. With the feature `otlp`, spans go to the
/// collector that `OTEL_EXPORTER_OTLP_ENDPOINT` names, if it does, whatever `RUST_LOG` says.
///
/// # Errors
/// When a setting can't be used, or something listens already.
pub fn install(settings: &Settings, default_filter: Option<&str>) -> Result<Logs, LogsError> {
    install_beside(settings, default_filter, Vec::new())
}

/// The same beside others that listen, whatever `RUST_LOG` says.
///
/// # Errors
/// As [`install`].
pub fn install_beside(
    settings: &Settings,
    default_filter: Option<&str>,
    mut layers: Vec<BoxedLayer>,
) -> Result<Logs, LogsError> {
    let format = Format::of(settings)?;
    let filter = settings.get(RUST_LOG).or(default_filter);
    if let Some(filter) = filter {
        layers.push(lines(format, filter, io::stderr)?);
    }
    #[cfg(feature = "otlp")]
    let spans = otlp::Spans::of(settings)?;
    #[cfg(feature = "otlp")]
    if let Some(spans) = &spans {
        layers.push(spans.layer());
    }
    if !layers.is_empty() {
        let subscriber = tracing_subscriber::registry().with(layers);
        subscriber.try_init().map_err(|_| LogsError::Installed)?;
    }
    Ok(Logs {
        #[cfg(feature = "otlp")]
        _spans: spans,
    })
}

/// What Kedge says itself, up to this level.
fn ours(most: LevelFilter) -> Targets {
    Targets::new().with_target(OURS, most)
}

fn lines<W>(format: Format, filter: &str, writer: W) -> Result<BoxedLayer, LogsError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = EnvFilter::builder().parse(filter);
    let filter = filter.map_err(|error| LogsError::Filter(error.to_string()))?;
    let filter = filter.and(ours(LevelFilter::TRACE));
    let lines = fmt::layer().with_writer(writer);
    Ok(match format {
        Format::Human => lines.with_filter(filter).boxed(),
        Format::Json => {
            // The list of spans has the innermost one too.
            let lines = lines.json().flatten_event(true).with_current_span(false);
            lines.with_filter(filter).boxed()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};
    use tracing::subscriber::with_default;
    use tracing::{Level, debug, error_span, event, info, warn};

    /// A writer of which the text can be read.
    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        let pairs = pairs.iter();
        let pairs = pairs.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Settings::of(pairs)
    }

    /// What is written of a run, and of a library beside it.
    fn written(format: Format, filter: &str) -> String {
        let page = Page::default();
        let writer = page.clone();
        let layer = lines(format, filter, move || writer.clone()).unwrap();
        let subscriber = tracing_subscriber::registry().with(vec![layer]);
        with_default(subscriber, || {
            let run = error_span!(target: "kedge", "run", run.id = %"17-ab", stack.name = %"dev");
            run.in_scope(|| debug!(target: "kedge", status = 200, "answered"));
            event!(target: "kedge", Level::INFO, run.id = %"17-ab", reads = 5, "run ended");
            warn!(target: "hyper::client", "authorization: s3cret");
            info!(target: "kedge_service::tick", "ticked");
        });
        let text = page.0.lock().unwrap().clone();
        String::from_utf8(text).unwrap()
    }

    /// The lines without their times.
    fn lines_of(text: &str) -> Vec<&str> {
        text.lines()
            .map(|line| line.split_once("Z ").unwrap().1.trim())
            .collect()
    }

    #[test]
    fn people_read_the_run_in_each_line_and_nothing_of_libraries() {
        assert_eq!(
            lines_of(&written(Format::Human, "trace")),
            [
                "DEBUG run{run.id=17-ab stack.name=dev}: kedge: answered status=200",
                "INFO kedge: run ended run.id=17-ab reads=5",
                "INFO kedge_service::tick: ticked",
            ]
        );
        assert_eq!(
            lines_of(&written(Format::Human, "info")),
            [
                "INFO kedge: run ended run.id=17-ab reads=5",
                "INFO kedge_service::tick: ticked"
            ]
        );
        assert_eq!(lines_of(&written(Format::Human, "off")), [""; 0]);
    }

    #[test]
    fn a_program_reads_an_object_in_each_line() {
        let text = written(Format::Json, "debug,kedge_service=off");
        let lines: Vec<_> = text
            .lines()
            .map(|line| line.split_once("Z\",").unwrap().1)
            .collect();
        let expected = [
            "\"level\":\"DEBUG\",\"message\":\"answered\",\"status\":200,\"target\":\"kedge\",\
             \"spans\":[{\"run.id\":\"17-ab\",\"stack.name\":\"dev\",\"name\":\"run\"}]}",
            "\"level\":\"INFO\",\"message\":\"run ended\",\"run.id\":\"17-ab\",\"reads\":5,\
             \"target\":\"kedge\"}",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn what_can_not_be_used_is_an_error_that_says_what_to_write() {
        let refused = |pairs: &[(&str, &str)]| install(&settings(pairs), None).unwrap_err();
        let filter = refused(&[("RUST_LOG", "kedge=loud")]).to_string();
        assert!(filter.starts_with("RUST_LOG can't be used: "), "{filter}");
        assert!(filter.ends_with("such as info,kedge=debug"), "{filter}");
        let format = refused(&[("KEDGE_LOG_FORMAT", "xml")]).to_string();
        assert_eq!(format, "KEDGE_LOG_FORMAT must be human or json");
    }

    #[test]
    fn without_a_filter_nobody_listens() {
        assert!(install(&settings(&[]), None).is_ok());
        assert!(!tracing::enabled!(target: "kedge", Level::ERROR));
    }
}
