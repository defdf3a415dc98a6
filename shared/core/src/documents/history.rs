//! `kedge.history/1`: what was pushed, and what runs did.

use serde::Serialize;

use super::parts::{Text, Time};
use super::upload::UploadedObject;
use super::words::{CommandName, FoundOutcome, Outcome, Risk, StackVerdict, Verb, Word};
use crate::model::{StackName, Timestamp};
use crate::stored::bundle::Pushed;
use crate::stored::run::{FoundOut, Interrupted, RunField, RunOutcome, RunRecord};

format_name!(History: HistoryFormat => "kedge.history/1");

/// What happened to a stack: `kedge history`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct History {
    /// The name and number of this format.
    pub format: HistoryFormat,
    /// The stack.
    pub stack: Text,
    /// What was pushed, newest first.
    pub pushes: Vec<HistoryPush>,
    /// What runs did, newest first.
    pub runs: Vec<HistoryRun>,
    /// Records that can't be read: their keys in the store, or the id of a run that a newer Kedge wrote.
    pub unread: Vec<Text>,
    /// Whether there is more than `--most`.
    pub more: bool,
}

/// A push.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct HistoryPush {
    /// The revision that it stored.
    pub revision: Text,
    /// The revision that was stored before.
    pub follows: Option<Text>,
    /// The revision whose content a rollback brought back.
    pub rollback_of: Option<Text>,
    /// When it was pushed.
    pub pushed_at: Time,
    /// Who pushed it.
    pub actor: Text,
    /// From which git branch. Of a rollback or an upload, that of the newest commit before.
    pub branch: Option<Text>,
    /// From which git commit. Of a rollback or an upload, the newest one before.
    pub commit: Option<Text>,
    /// Whether the files had uncommitted edits.
    pub edited: bool,
    /// The object that it came from; `null` if nobody put it at `upload/`.
    pub upload: Option<UploadedObject>,
}

impl HistoryPush {
    /// A push that made a revision.
    #[must_use]
    pub fn new(
        revision: &str,
        follows: Option<&str>,
        rollback_of: Option<&str>,
        pushed: &Pushed,
    ) -> Self {
        let Pushed {
            actor,
            at,
            commit,
            branch,
            upload,
        } = pushed;
        Self {
            revision: Text::new(revision),
            follows: follows.map(Text::new),
            rollback_of: rollback_of.map(Text::new),
            pushed_at: (*at).into(),
            actor: Text::new(actor),
            branch: branch.as_deref().map(Text::new),
            commit: commit.as_ref().map(|commit| Text::new(&commit.id)),
            edited: commit.as_ref().is_some_and(|commit| commit.edited),
            upload: upload.as_ref().map(Into::into),
        }
    }
}

/// A run that changed something, or began to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct HistoryRun {
    /// Its id.
    pub id: Text,
    /// When it began.
    pub began_at: Time,
    /// When it ended.
    pub ended_at: Time,
    /// Who ran it.
    pub actor: Text,
    /// The command.
    pub command: CommandName,
    /// What started it: `cli`, or `unattended`.
    pub trigger: Text,
    /// The revision of the definitions.
    pub revision: Option<Text>,
    /// How the stack stood before it.
    pub verdict: StackVerdict,
    /// The digest of its plan.
    pub digest: Option<Text>,
    /// The changes, and how they ended.
    pub changes: Vec<HistoryChange>,
    /// How many resources were recorded only in state.
    pub recorded: u64,
    /// How many records were dropped only from state.
    pub forgotten: u64,
    /// Why it stopped before its end, if it did.
    pub stopped: Option<Text>,
    /// An earlier run of which it found out how its changes had ended, if there was one.
    pub interrupted: Option<InterruptedRun>,
}

/// A change of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct HistoryChange {
    /// The resource's key.
    pub key: Text,
    /// What was to be done.
    pub verb: Verb,
    /// How bad it can be.
    pub risk: Risk,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it was not made, if so.
    pub reason: Option<Text>,
    /// What was changed.
    pub fields: Vec<FieldChange>,
}

/// A field that was changed. Values are texts, as people read them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FieldChange {
    /// Its name.
    pub field: Text,
    /// What was live before; `null` for an item that was added.
    pub from: Option<Text>,
    /// The new value; `null` for what was removed.
    pub to: Option<Text>,
}

/// A run that stopped in the middle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct InterruptedRun {
    /// Its id.
    pub run: Text,
    /// Its changes, and how they turned out.
    pub changes: Vec<FoundChange>,
}

/// A change of a run that stopped in the middle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FoundChange {
    /// The resource's key.
    pub key: Text,
    /// What was to be done.
    pub verb: Verb,
    /// How it turned out.
    pub outcome: FoundOutcome,
    /// The run that began it, if that was an earlier run than the one that stopped.
    pub begun_by: Option<Text>,
}

impl HistoryRun {
    /// The run of a record; none if the record has a word that this program does not know.
    pub(super) fn of(record: &RunRecord) -> Option<Self> {
        let changes: Option<Vec<HistoryChange>> = record.outcomes.iter().map(change).collect();
        let interrupted = match &record.interrupted {
            None => None,
            Some(one) => Some(interrupted(one)?),
        };
        Some(Self {
            id: Text::new(&record.id),
            began_at: Timestamp(record.at_ms).into(),
            ended_at: Timestamp(record.ended_ms).into(),
            actor: Text::new(&record.actor),
            command: CommandName::parse(&record.verb)?,
            trigger: Text::new(&record.trigger),
            revision: record.revision.as_deref().map(Text::new),
            verdict: StackVerdict::parse(&record.verdict)?,
            digest: record.plan.as_deref().map(Text::new),
            changes: changes?,
            recorded: record.recorded,
            forgotten: record.forgotten,
            stopped: record.stopped.as_deref().map(Text::new),
            interrupted,
        })
    }
}

fn change(outcome: &RunOutcome) -> Option<HistoryChange> {
    let field = |field: &RunField| FieldChange {
        field: Text::new(&field.field),
        from: field.from.as_deref().map(Text::new),
        to: field.to.as_deref().map(Text::new),
    };
    Some(HistoryChange {
        key: Text::new(&outcome.key),
        verb: Verb::parse(&outcome.verb)?,
        risk: Risk::parse(&outcome.risk)?,
        outcome: Outcome::parse(&outcome.outcome)?,
        reason: outcome.reason.as_deref().map(Text::new),
        fields: outcome.fields.iter().map(field).collect(),
    })
}

fn interrupted(run: &Interrupted) -> Option<InterruptedRun> {
    let one = |change: &FoundOut| {
        Some(FoundChange {
            key: Text::new(&change.key),
            verb: Verb::parse(&change.verb)?,
            outcome: FoundOutcome::parse(&change.outcome)?,
            begun_by: change.begun_by.as_deref().map(Text::new),
        })
    };
    let changes: Option<Vec<FoundChange>> = run.changes.iter().map(one).collect();
    Some(InterruptedRun {
        run: Text::new(&run.run),
        changes: changes?,
    })
}

/// What happened to a stack, newest first. `unread` are keys of records that can't be read.
#[must_use]
pub fn history(
    stack: &StackName,
    pushes: Vec<HistoryPush>,
    records: &[RunRecord],
    unread: &[String],
    more: bool,
) -> History {
    let mut unread = Text::all(unread);
    let mut runs = Vec::new();
    for record in records {
        match HistoryRun::of(record) {
            Some(run) => runs.push(run),
            None => unread.push(Text::new(&record.id)),
        }
    }
    History {
        format: HistoryFormat::V1,
        stack: Text::of(stack),
        pushes,
        runs,
        unread,
        more,
    }
}
