//! Progress: a bar on a terminal, plain lines otherwise.

use std::cell::RefCell;
use std::io::{self, IsTerminal as _};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use kedge_engine::Progress;
use kedge_engine::Wait;

use crate::{error, screen};

/// Shows what a run is doing, on standard error.
pub(crate) struct Watcher {
    bar: Option<ProgressBar>,
    under_way: RefCell<Vec<String>>,
    quiet: bool,
}

impl Watcher {
    /// A watcher that shows nothing but on a terminal, or, where changes are made, lines.
    pub(crate) fn new(quiet: bool) -> Self {
        let bar = io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
                bar.set_style(style);
            }
            bar
        });
        Self {
            bar,
            under_way: RefCell::default(),
            quiet,
        }
    }

    /// Takes note of one step.
    pub(crate) fn see(&self, progress: Progress<'_>) {
        match progress {
            Progress::Reading(scope) => {
                self.under_way.borrow_mut().push(scope.to_string());
                self.show("reading");
            }
            Progress::HasRead(scope) => {
                self.under_way
                    .borrow_mut()
                    .retain(|other| *other != scope.to_string());
                self.show("reading");
            }
            Progress::Waiting(wait) => self.wait(wait),
            Progress::Applying(changes) => {
                if let Some(bar) = &self.bar {
                    bar.set_position(0);
                    bar.set_length(u64::try_from(changes).unwrap_or(u64::MAX));
                    bar.set_message(applying(bar));
                }
            }
            Progress::NotRemembered(error) => {
                warn("since when a drift is known could not be kept", error);
            }
            Progress::NotRecorded(error) => {
                warn("the record of this run could not be kept", error);
            }
            Progress::NotReleased(error) => {
                warn(
                    "the lease could not be given back; it ends by itself",
                    error,
                );
            }
            Progress::ChangeResult(carried) => {
                if let Some(bar) = &self.bar {
                    bar.inc(1);
                    bar.set_message(applying(bar));
                } else if !self.quiet {
                    let change = &carried.approved.change;
                    let (verb, key) = (change.verb.as_str(), &change.key);
                    let outcome = carried.outcome.as_str();
                    let (label, name) = (key.kind().label(), key.name());
                    let _ = screen::err(&format!("{outcome}: {verb} {label} {name}\n"));
                }
            }
        }
    }

    /// Says what a pause is for; where there is no bar, of a long one alone.
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
    why.extend(error::causes(error));
    let _ = screen::err(&format!("warning: {what} ({})\n", why.join(": ")));
}

/// `aiven answered 429, too many requests: asked again in 12 s`.
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
        "{} {why}: asked again in {} s",
        provider.as_str(),
        ms.div_ceil(1000)
    )
}

/// `applying: 3 of 12 changes done`.
fn applying(bar: &ProgressBar) -> String {
    let all = bar.length().unwrap_or_default();
    format!("applying: {} of {all} changes done", bar.position())
}
