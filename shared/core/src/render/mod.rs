//! A report as text for people, and as JSON, JUnit XML and GitHub annotations for machines.
//!
//! Nothing is decided here: every sentence says what [`crate::report`] holds. `view` finds, for one
//! resource, what the plan and the authority say of it; `consent` finds who may do what and by which
//! command; `text` has one file per command's page, put together from `blocks`; `json` is the only
//! file that knows the JSON form (`docs/json.md`), `junit` and `github` are what CI systems read, with
//! one line for each resource from `said`.
//!
//! What comes from outside (live values, providers' reasons, names) is stripped of control
//! characters, so that nobody moves the cursor of whoever reads it, and of the hidden parts of URLs.

mod consent;
mod github;
mod json;
mod junit;
mod said;
mod text;
mod view;

#[cfg(test)]
mod tests;

pub use consent::quoted;
pub use github::{error_github, github_annotations, problems_github};
pub use json::{
    UnderWay, accept_json, changed_json, check_json, holds_json, preview_json, problems_json,
    state_command_json,
};
pub use junit::{junit_xml, problems_junit};
pub use text::{
    accept_text, audit_text, changed_text, check_text, holds_text, preview_text, problems_text,
    state_command_text, stored_text, value_text,
};

/// A text from outside (an actor, a branch, a file's name) as one line that is fit to be shown.
#[must_use]
pub fn plain_text(text: &str) -> String {
    view::outside(text)
}

/// What surrounds a report on the screen.
#[derive(Debug, Clone, Copy)]
pub struct RenderOptions<'a> {
    /// Where the stack's name comes from: `--stack`, `KEDGE_STACK`, `select`, `branch`.
    pub stack_origin: &'a str,
    /// What the definitions were read from: `definitions (local files)`. Of stored ones it names the
    /// revision too: [`stored_text`].
    pub definitions: &'a str,
    /// Flags that a command must repeat to mean the same folder and store: ` --store file://…`.
    pub flags: &'a str,
    /// Whether ANSI colours are written. What they say, the words say too.
    pub colour: bool,
    /// How much was asked of the providers, for the last line.
    pub traffic: Option<Traffic>,
    /// Whether times are shown and lists are never cut.
    pub verbose: bool,
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
