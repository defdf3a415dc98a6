//! `kedge.error/1`: a command that failed.

use serde::Serialize;

use super::parts::Text;
use super::report::Report;
use super::words::RefusalCode;
use crate::push::Refusal;
use crate::render::Hints;

format_name!(Error: ErrorFormat => "kedge.error/1");

/// Why a command failed: any command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Error {
    /// The name and number of this format.
    pub format: ErrorFormat,
    /// What failed, as a sentence.
    pub error: Text,
    /// Its causes, the nearest first.
    pub because: Vec<Text>,
    /// Of a push that was refused: each reason.
    pub refusals: Vec<RefusalReason>,
    /// What to do next: a command, or a sentence.
    pub next: Option<Text>,
    /// The exit code.
    pub exit_code: u8,
    /// What the run saw before it failed, if it read anything: for example because another run has the
    /// lease.
    pub report: Option<Box<Report>>,
}

/// Why a push was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RefusalReason {
    /// The reason as a word.
    pub code: RefusalCode,
    /// The reason as a sentence.
    pub text: Text,
    /// What to do about it.
    pub fix: Text,
}

/// What is known of a command that failed.
#[derive(Clone, Copy)]
pub struct Failed<'a> {
    /// What failed.
    pub error: &'a str,
    /// Its causes, the nearest first.
    pub because: &'a [String],
    /// Why a push was refused.
    pub refusals: &'a [Refusal],
    /// What to do next.
    pub next: Option<&'a str>,
    /// The exit code.
    pub exit_code: u8,
}

/// Why a push was refused. `hints` says how that is mended.
pub(super) fn refusals(refusals: &[Refusal], hints: Hints<'_>) -> Vec<RefusalReason> {
    let one = |refusal: &Refusal| RefusalReason {
        code: refusal.into(),
        text: Text::of(refusal),
        fix: Text::new(&match refusal.hint() {
            None => refusal.fix(),
            Some(hint) => format!("{}: {}", refusal.fix(), hints(&hint)),
        }),
    };
    refusals.iter().map(one).collect()
}

/// A command that failed, with what the run saw before. `hints` says how a refusal is mended.
#[must_use]
pub fn error(failed: Failed<'_>, report: Option<Report>, hints: Hints<'_>) -> Error {
    Error {
        format: ErrorFormat::V1,
        error: Text::new(failed.error),
        because: Text::all(failed.because),
        refusals: refusals(failed.refusals, hints),
        next: failed.next.map(Text::new),
        exit_code: failed.exit_code,
        report: report.map(Box::new),
    }
}
