//! Pages for people: one file per command, made of `frame` (head and foot), `blocks` and `next`.
//!
//! A page says the cause, then names, then what to do next.

mod accept;
mod audit;
mod blocks;
mod changed;
mod check;
mod definitions;
mod frame;
mod next;
mod page;
mod preview;
mod rows;
mod sentences;
mod state_command;
mod values;

pub use accept::accept_text;
pub use audit::audit_text;
pub use changed::changed_text;
pub use check::check_text;
pub use definitions::{definitions_text, stored_text};
pub use preview::preview_text;
pub use state_command::{holds_text, released_text, state_command_text};
pub use values::{recorded_text, value_text};

use super::{Hints, Screen};
use crate::definitions::Problems;
use crate::hint::Hint;
use page::{Page, Tone};

/// What is wrong with definitions, as text.
#[must_use]
pub fn problems_text(problems: &Problems, screen: Screen, hints: Hints<'_>) -> String {
    let mut page = Page::new(screen);
    for line in problems.to_string().lines() {
        match line.strip_prefix("error:") {
            Some(rest) => page.spans(&[(Tone::Bad, "error:"), (Tone::Plain, rest)]),
            // A line of a file, and the mark under it.
            None if line.contains(" | ") => page.whole(line),
            None => page.line(line),
        }
    }
    page.command(
        &[(Tone::Plain, "next: correct the definitions, then ")],
        &hints(&Hint::Check),
    );
    page.finish()
}

/// An error as text: what happened, why, and what to do next. The error and each cause are one
/// sentence, so that no text from outside can begin a line.
#[must_use]
pub fn error_text(error: &str, because: &[String], next: Option<&str>, screen: Screen) -> String {
    let mut page = Page::new(screen);
    page.spans(&[(Tone::Bad, "error:"), (Tone::Plain, &format!(" {error}"))]);
    for cause in because {
        page.hanging(&[(Tone::Plain, "  because "), (Tone::Plain, cause)], 4);
    }
    if let Some(next) = next {
        page.command(&[(Tone::Plain, "next: ")], next);
    }
    page.finish()
}

/// What is said of a command, and the command, which can be pasted whole however it is broken.
#[must_use]
pub fn command_text(before: &str, command: &str, screen: Screen) -> String {
    let mut page = Page::new(screen);
    page.command(&[(Tone::Plain, before)], command);
    page.finish()
}

/// Lines of text, each broken where it is too wide for the screen.
#[must_use]
pub fn lines_text(text: &str, screen: Screen) -> String {
    let mut page = Page::new(screen);
    for line in text.lines() {
        match line.strip_prefix("next: ") {
            Some(command) if command.starts_with("kedge ") => {
                page.command(&[(Tone::Plain, "next: ")], command);
            }
            _ => page.line(line),
        }
    }
    page.finish()
}

/// A question, broken like other lines; the answer is typed behind it.
#[must_use]
pub fn question_text(question: &str, screen: Screen) -> String {
    let text = lines_text(question, screen);
    format!("{} ", text.trim_end())
}
