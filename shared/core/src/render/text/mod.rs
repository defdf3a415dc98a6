//! Pages for people: one per command.

mod accept;
mod audit;
mod blocks;
mod changed;
mod check;
mod definitions;
mod frame;
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
pub use definitions::stored_text;
pub use preview::preview_text;
pub use state_command::{holds_text, state_command_text};
pub use values::value_text;

use crate::definitions::Problems;
use page::{Page, Tone};

/// What is wrong with a set, as text.
#[must_use]
pub fn problems_text(problems: &Problems, colour: bool) -> String {
    let mut page = Page::new(colour);
    for line in problems.to_string().lines() {
        match line.strip_prefix("error:") {
            Some(rest) => page.spans(&[(Tone::Bad, "error:"), (Tone::Plain, rest)]),
            None => page.line(line),
        }
    }
    page.finish()
}
