//! A report as text for people, and as JUnit XML and GitHub annotations for machines. JSON is in
//! [`crate::documents`].
//!
//! Nothing is decided here, and no command is spelled: what to do next is a [`Hint`], which the caller
//! says in its own words. What comes from outside is stripped of control characters and of the hidden
//! parts of URLs. `text` has one file per page, made of `blocks`.

pub(crate) mod consent;
mod github;
mod junit;
mod summary;
mod text;
mod view;

#[cfg(test)]
mod tests;

pub use github::{error_github, github_annotations, problems_github};
pub use junit::{junit_xml, problems_junit};
pub use text::{
    accept_text, audit_text, changed_text, check_text, command_text, definitions_text, error_text,
    holds_text, lines_text, preview_text, problems_text, question_text, recorded_text,
    released_text, state_command_text, stored_text, value_text,
};

use crate::hint::Hint;

/// A text from outside (an actor, a branch, a file's name) as one line that is fit to be shown.
#[must_use]
pub fn plain_text(text: &str) -> String {
    view::outside(text)
}

/// The screen that a page is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Screen {
    /// Whether ANSI colours are written. What they say, the words say too.
    pub colour: bool,
    /// No line is wider than this many columns, unless one word is.
    pub width: usize,
    /// Whether lists of names are shown whole.
    pub full: bool,
}

impl Screen {
    /// The width where no terminal has another.
    pub const WIDTH: usize = 80;
    /// The width below which lines are not broken any further.
    pub const WIDTH_MIN: usize = 40;
    /// The most names of a list that is not shown whole.
    pub const NAMES_MAX: usize = 10;

    /// How many names of a list are shown.
    #[must_use]
    pub fn most(self) -> usize {
        match self.full {
            true => usize::MAX,
            false => Self::NAMES_MAX,
        }
    }
}

/// How a hint is said: a command, or the flags that it stands for.
pub type Hints<'a> = &'a dyn Fn(&Hint) -> String;

/// How a page is made, and what is said around the report.
#[derive(Clone, Copy)]
pub struct RenderOptions<'a> {
    /// Where the stack's name comes from: `--stack`, `KEDGE_STACK`, `select`, `branch`.
    pub stack_origin: &'a str,
    /// What the definitions were read from: `definitions (local files)`. Of stored ones it names the
    /// revision too: [`stored_text`].
    pub definitions: &'a str,
    /// How a hint is said.
    pub hints: Hints<'a>,
    /// The screen.
    pub screen: Screen,
    /// How much was asked of the providers, for the last line.
    pub traffic: Option<Traffic>,
    /// Whether it is shown when each drift came about.
    pub times: bool,
    /// Whether the plan was shown right before: then what it said is not repeated after it.
    pub plan_shown: bool,
    /// Whether a question or an error follows that says what to do next: then the page does not.
    pub next_follows: bool,
}

/// How much was asked of the providers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traffic {
    /// Requests that read.
    pub reads: u64,
    /// Requests that write.
    pub writes: u64,
    /// How long it took, in milliseconds, where it is to be told.
    pub wall_ms: Option<u64>,
}
