//! `kedge.state-command/1`: what a command about state comes to, and what it did.

use serde::Serialize;

use super::changed::{ChangeResult, stopped};
use super::parts::{
    self, Finding, Hold, ResourceName, Stats, Surroundings, Text, Traffic, WaitingStep, count,
};
use super::words::{CommandName, Kind, Provider, StackVerdict, StateResult};
use crate::model::ResourceKey;
use crate::record::{Answer, CommandOutcome};
use crate::report;

format_name!(StateCommand: StateCommandFormat => "kedge.state-command/1");

/// What a command about state comes to, and what it did: `kedge adopt`, `forget`, `refresh` and
/// `retire`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StateCommand {
    /// The name and number of this format.
    pub format: StateCommandFormat,
    /// The stack.
    pub stack: Text,
    /// The revision of the definitions.
    pub revision: Text,
    /// Where the definitions were read from.
    pub definitions: Option<Text>,
    /// The command.
    pub command: CommandName,
    /// Whether it only showed what it would do.
    pub dry_run: bool,
    /// Whether the run reached its end and made every approved change.
    pub complete: bool,
    /// Why the run stopped before its end, if it did; a hold counts too.
    pub stopped: Option<Text>,
    /// The id of the run; `null` of a dry run.
    pub run: Option<Text>,
    /// The digest of the plan.
    pub digest: Text,
    /// How the stack stood when it was read. Once an absence is confirmed, how it stands with that.
    pub verdict: StackVerdict,
    /// The digest for `refresh --confirm-absence`, if too much is gone at once to believe it.
    pub absence: Option<Text>,
    /// What becomes of each resource that the command is about.
    pub resources: Vec<StateResource>,
    /// How many resources are recorded.
    pub recorded: u64,
    /// How many records are dropped.
    pub forgotten: u64,
    /// Of `retire`: the approved changes, and how they ended.
    pub changes: Vec<ChangeResult>,
    /// What was not done, on purpose.
    pub waiting: Vec<WaitingStep>,
    /// What Kedge can't or won't change.
    pub findings: Vec<Finding>,
    /// Holds in force, and those that ended since the last check.
    pub holds: Vec<Hold>,
    /// Why holds could not be read, if so. Everything is held then.
    pub holds_unread: Option<Text>,
    /// How much was asked of the providers.
    pub traffic: Option<Traffic>,
    /// The same in detail; `null` without `--stats`.
    pub stats: Option<Stats>,
}

/// What becomes of a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StateResource {
    /// Its full and unique key.
    pub key: Text,
    /// What sort of thing it is.
    pub kind: Kind,
    /// Who has it.
    pub provider: Provider,
    /// Its name.
    pub name: Text,
    /// What becomes of it.
    pub result: StateResult,
    /// Why, or what that means, if there is more to say.
    pub reason: Option<Text>,
}

impl StateResource {
    fn new(resource: &ResourceKey, result: StateResult, reason: Option<&str>) -> Self {
        let ResourceName {
            key,
            kind,
            provider,
            name,
        } = resource.into();
        Self {
            key,
            kind,
            provider,
            name,
            result,
            reason: reason.map(Text::new),
        }
    }
}

/// What a command comes to, and what it did if it was not only a dry run.
#[must_use]
pub fn state_command(
    report: &report::Report,
    command: CommandName,
    changed: Option<&report::Changed>,
    around: &Surroundings<'_>,
) -> StateCommand {
    let outcome = report.command.as_ref();
    let planned = outcome.map_or((0, 0), |one| {
        (one.recording.recorded(), one.recording.forgotten())
    });
    let (recorded, forgotten) = changed.map_or(planned, |one| (one.recorded, one.forgotten));
    let results = changed.map(|changed| changed.results.iter().map(Into::into).collect());
    StateCommand {
        format: StateCommandFormat::V1,
        stack: Text::of(&report.declared.stack),
        revision: Text::new(&report.declared.revision),
        definitions: around.definitions(),
        command,
        dry_run: changed.is_none(),
        complete: changed.is_some_and(report::Changed::is_complete),
        stopped: changed.and_then(stopped),
        run: changed.map(|changed| Text::new(&changed.run)),
        digest: Text::new(&report.plan.digest),
        verdict: (&report.verdict()).into(),
        absence: outcome.and_then(absence),
        resources: outcome.map(resources).unwrap_or_default(),
        recorded: count(recorded),
        forgotten: count(forgotten),
        changes: results.unwrap_or_default(),
        waiting: parts::waiting(report),
        findings: parts::findings(report),
        holds: parts::holds(report),
        holds_unread: parts::holds_unread(report),
        traffic: around.traffic(),
        stats: around.stats.clone(),
    }
}

fn absence(command: &CommandOutcome) -> Option<Text> {
    match &command.answer {
        Answer::Absent(absence) if !absence.keys.is_empty() => Some(Text::new(&absence.digest)),
        _ => None,
    }
}

fn resources(command: &CommandOutcome) -> Vec<StateResource> {
    let plain = |keys: &[ResourceKey], result: StateResult| -> Vec<StateResource> {
        let keys = keys.iter();
        keys.map(|key| StateResource::new(key, result, None))
            .collect()
    };
    match &command.answer {
        Answer::Refreshed | Answer::Retired { .. } => Vec::new(),
        Answer::Adopted(adoption) => {
            let mut all = plain(&adoption.equal, StateResult::Adopted);
            all.extend(plain(&adoption.pending, StateResult::Pending));
            let left = adoption.left.iter();
            all.extend(
                left.map(|left| {
                    StateResource::new(&left.key, StateResult::Skipped, Some(&left.why))
                }),
            );
            all
        }
        Answer::Forgotten(meanings) => {
            let one = |(key, meaning): (&_, &crate::record::Forgotten)| {
                StateResource::new(key, (*meaning).into(), Some(meaning.describe()))
            };
            meanings.iter().map(one).collect()
        }
        Answer::Absent(absence) => {
            let result = match command.recording.absent.is_empty() {
                true => StateResult::Absent,
                false => StateResult::Missing,
            };
            let keys = absence.keys.iter();
            keys.map(|key| StateResource::new(key, result, None))
                .collect()
        }
    }
}
