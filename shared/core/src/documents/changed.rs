//! `kedge.changed/1`: what a run did.

use serde::Serialize;

use super::parts::{
    self, FieldEdit, Finding, Hold, RefusingGuard, ResourceName, Stats, Surroundings, Text,
    Traffic, WaitingStep, count,
};
use super::report::{Report, check};
use super::words::{Cause, Kind, Outcome, Provider, Risk, Verb};
use crate::report;

format_name!(Changed: ChangedFormat => "kedge.changed/1");

/// What a run did: `kedge up`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Changed {
    /// The name and number of this format.
    pub format: ChangedFormat,
    /// The stack.
    pub stack: Text,
    /// The revision of the definitions.
    pub revision: Text,
    /// Where the definitions were read from.
    pub definitions: Option<Text>,
    /// The digest of the plan.
    pub digest: Text,
    /// The id of the run.
    pub run: Text,
    /// Whether the run reached its end and made every approved change.
    pub complete: bool,
    /// Why the run stopped before its end, if it did; a hold counts too.
    pub stopped: Option<Text>,
    /// What changed during the run, so that it should be run again: sentences.
    pub run_again: Vec<Text>,
    /// The approved changes, and how they ended.
    pub changes: Vec<ChangeResult>,
    /// What was not done, on purpose.
    pub waiting: Vec<WaitingStep>,
    /// What Kedge can't or won't change.
    pub findings: Vec<Finding>,
    /// Guards that refuse the whole plan.
    pub guards: Vec<RefusingGuard>,
    /// Holds in force, and those that ended since the last check.
    pub holds: Vec<Hold>,
    /// Why holds could not be read, if so. Everything is held then.
    pub holds_unread: Option<Text>,
    /// Why what earlier checks remembered can't be used, if so. Every drift counts as new then.
    pub watch_unread: Option<Text>,
    /// Whether the policy of the definitions, which allows automation more, is in force now.
    pub policy_granted: bool,
    /// What the run saw, if it stopped before its end.
    pub report: Option<Box<Report>>,
    /// How many resources were recorded only in state.
    pub recorded: u64,
    /// How many records were dropped only from state.
    pub forgotten: u64,
    /// How much was asked of the providers.
    pub traffic: Option<Traffic>,
    /// The same in detail; `null` without `--stats`.
    pub stats: Option<Stats>,
}

/// A change that was approved, and how it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ChangeResult {
    /// The resource's key.
    pub key: Text,
    /// What sort of resource it is.
    pub kind: Kind,
    /// Who has it.
    pub provider: Provider,
    /// The resource's name.
    pub name: Text,
    /// What was to be done.
    pub verb: Verb,
    /// The edits of an update.
    pub edits: Vec<FieldEdit>,
    /// Why: the worst of its causes.
    pub cause: Cause,
    /// How bad it can be.
    pub risk: Risk,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it was not made, if so.
    pub reason: Option<Text>,
    /// What to do about it, of `blocked`.
    pub fix: Option<Text>,
}

impl From<&report::ChangeResult> for ChangeResult {
    fn from(result: &report::ChangeResult) -> Self {
        let report::ChangeResult { approved, outcome } = result;
        let fix = match outcome {
            report::Outcome::Blocked { fix, .. } => fix.as_deref().map(Text::new),
            _ => None,
        };
        let ResourceName {
            key,
            kind,
            provider,
            name,
        } = (&approved.change.key).into();
        let edits = approved.change.edits.iter();
        Self {
            key,
            kind,
            provider,
            name,
            verb: (&approved.change.verb).into(),
            edits: edits.map(|edit| FieldEdit::new(Some(edit))).collect(),
            cause: (&approved.cause).into(),
            risk: (&approved.risk).into(),
            outcome: outcome.into(),
            reason: outcome.reason().map(Text::new),
            fix,
        }
    }
}

/// Why a run stopped before its end: what went wrong, or a hold.
pub(super) fn stopped(changed: &report::Changed) -> Option<Text> {
    let why = changed.stopped.as_deref().or_else(|| changed.held_by());
    why.map(Text::new)
}

/// What a run did.
#[must_use]
pub fn changed(
    report: &report::Report,
    changed: &report::Changed,
    around: &Surroundings<'_>,
) -> Changed {
    let seen = || Box::new(check(report, around));
    Changed {
        format: ChangedFormat::V1,
        stack: Text::of(&report.declared.stack),
        revision: Text::new(&report.declared.revision),
        definitions: around.definitions(),
        digest: Text::new(&report.plan.digest),
        run: Text::new(&changed.run),
        complete: changed.is_complete(),
        stopped: stopped(changed),
        run_again: changed.run_again.iter().map(|why| Text::new(why)).collect(),
        changes: changed.results.iter().map(Into::into).collect(),
        waiting: parts::waiting(report),
        findings: parts::findings(report),
        guards: parts::guards(report),
        holds: parts::holds(report),
        holds_unread: parts::holds_unread(report),
        watch_unread: report.watch_unread.as_deref().map(Text::new),
        policy_granted: report.decided.policy_granted,
        report: changed.stopped.is_some().then(seen),
        recorded: count(changed.recorded),
        forgotten: count(changed.forgotten),
        traffic: around.traffic(),
        stats: around.stats.clone(),
    }
}
