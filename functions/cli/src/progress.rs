//! Progress on standard error: a bar on a terminal, a line now and then otherwise.

use std::cell::{Cell, RefCell};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use kedge_core::model::Scope;
use kedge_core::render;
use kedge_engine::Progress;
use kedge_engine::Wait;

use crate::screen;

/// Shows what a run is doing, on standard error.
pub(crate) struct Watcher {
    bar: Option<ProgressBar>,
    under_way: RefCell<Vec<String>>,
    changes: Cell<u64>,
    done: Cell<u64>,
    quiet: bool,
}

impl Watcher {
    /// A watcher; a quiet one shows nothing but on a terminal.
    pub(crate) fn new(quiet: bool) -> Self {
        let bar = screen::can_animate().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
                bar.set_style(style);
            }
            bar
        });
        Self {
            bar,
            under_way: RefCell::default(),
            changes: Cell::new(0),
            done: Cell::new(0),
            quiet,
        }
    }

    /// Takes note of one step.
    pub(crate) fn see(&self, progress: Progress<'_>) {
        match progress {
            Progress::Reading(scope) => {
                self.under_way.borrow_mut().push(scope_text(scope));
                self.show("reading");
            }
            Progress::HasRead(scope) => {
                self.under_way
                    .borrow_mut()
                    .retain(|other| *other != scope_text(scope));
                self.show("reading");
            }
            Progress::Waiting(wait) => self.wait(wait),
            Progress::Applying(changes) => {
                let changes = u64::try_from(changes).unwrap_or(u64::MAX);
                self.changes.set(changes);
                if let Some(bar) = &self.bar {
                    bar.set_position(0);
                    bar.set_length(changes);
                    bar.set_message(applying(0, changes));
                }
            }
            Progress::NotRemembered(error) => {
                warn("this check could not be recorded", error);
            }
            Progress::NotRecorded(error) => {
                warn("the record of this run could not be written", error);
            }
            Progress::NotReleased(error) => {
                warn("the lease could not be released; it ends by itself", error);
            }
            Progress::ChangeResult(_) => match &self.bar {
                Some(bar) => {
                    bar.inc(1);
                    bar.set_message(applying(bar.position(), bar.length().unwrap_or_default()));
                }
                None => self.count(),
            },
        }
    }

    /// Counts a change. Its result stands on the page at the end, so that a log has a line only for each
    /// tenth of many.
    fn count(&self) {
        const MANY: u64 = 20;
        let (done, all) = (self.done.get() + 1, self.changes.get());
        self.done.set(done);
        if !self.quiet && all >= MANY && done * 10 / all != (done - 1) * 10 / all {
            let _ = screen::err(&format!("{}\n", applying(done, all)));
        }
    }

    /// Shows what a pause is for; without a bar only a long one.
    fn wait(&self, wait: Wait) {
        const LONG_MS: u64 = 2_000;
        let text = waiting(wait);
        if let Some(bar) = &self.bar {
            bar.set_message(text);
            bar.tick();
        } else if !self.quiet && wait.ms >= LONG_MS {
            let _ = screen::err(&format!("{text}\n"));
        }
    }

    fn show(&self, what: &str) {
        if let Some(bar) = &self.bar {
            let under_way = self.under_way.borrow();
            bar.set_message(match under_way.as_slice() {
                [] => "comparing".to_owned(),
                some => format!("{what} {}", some.join(", ")),
            });
            bar.tick();
        }
    }

    /// Takes the bar off the screen.
    pub(crate) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn warn(what: &str, error: &dyn std::error::Error) {
    let mut why = vec![error.to_string()];
    why.extend(kedge_engine::error_causes(error));
    let why = render::plain_text(&why.join(": "));
    let _ = screen::err_lines(&format!("warning: {what} ({why})"));
}

/// `aiven answered 429, too many requests: retrying in 12 s`.
fn waiting(wait: Wait) -> String {
    let Wait {
        provider,
        status,
        ms,
    } = wait;
    let why = match status {
        Some(429) => "answered 429, too many requests".to_owned(),
        Some(status) => format!("answered {status}"),
        None => "did not answer".to_owned(),
    };
    format!(
        "{} {why}: retrying in {} s",
        provider.as_str(),
        ms.div_ceil(1000)
    )
}

/// `applying: 3 of 12 changes done`.
fn applying(done: u64, all: u64) -> String {
    format!("applying: {done} of {all} changes done")
}

/// A scope as people know it: a DNS zone by the beginning of its id, since its name was not read.
fn scope_text(scope: &Scope) -> String {
    match scope {
        Scope::DnsZone { zone_id } => {
            let short: String = zone_id.chars().take(8).collect();
            format!("DNS zone {short}…")
        }
        other => other.to_string(),
    }
}
