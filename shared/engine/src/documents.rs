//! The engine's own answers as JSON documents: what of [`kedge_core::documents`] is not made from a
//! report alone. Nothing is decided or encoded here.

use kedge_core::documents::{self, CommandName, HistoryPush, HolderStatus, PushOutcome};
use kedge_core::model::StackName;
use kedge_core::stored::run::RunRecord;

use crate::history::{History, PushEntry};
use crate::lease::{LeaseHolder, Pulse};
use crate::push::{self, PushReport};
use crate::state_command::StateCommand;

/// What a push or rollback did, and the run that followed.
#[must_use]
pub fn push(report: &PushReport, run: Option<&RunRecord>) -> documents::Push {
    let PushReport {
        stored,
        outcome,
        resources,
        notices,
    } = report;
    let outcome = match outcome {
        push::PushOutcome::Stored => PushOutcome::Stored,
        push::PushOutcome::Unchanged => PushOutcome::Unchanged,
        push::PushOutcome::CommitNoted => PushOutcome::CommitNoted,
        push::PushOutcome::Healed => PushOutcome::Completed,
    };
    documents::push(stored, outcome, *resources, notices, run)
}

/// What happened to a stack.
#[must_use]
pub fn history(stack: &StackName, history: &History) -> documents::History {
    let History {
        pushes,
        runs,
        unread,
        more,
    } = history;
    let push = |push: &PushEntry| {
        let (follows, rollback_of) = (push.follows.as_deref(), push.rollback_of.as_deref());
        HistoryPush::new(&push.revision, follows, rollback_of, &push.pushed)
    };
    let pushes = pushes.iter().map(push).collect();
    documents::history(stack, pushes, runs, unread, *more)
}

impl From<&LeaseHolder> for documents::LeaseHolder {
    fn from(holder: &LeaseHolder) -> Self {
        let status = match holder.pulse() {
            Pulse::Working => HolderStatus::Working,
            Pulse::Late => HolderStatus::Late,
            Pulse::Stopped => HolderStatus::Stopped,
            Pulse::Unknown => HolderStatus::Unknown,
        };
        let LeaseHolder {
            actor,
            run,
            since,
            renewed_at,
            ..
        } = holder;
        Self::new(actor, run, *since, *renewed_at, status)
    }
}

impl From<&StateCommand> for CommandName {
    fn from(command: &StateCommand) -> Self {
        match command {
            StateCommand::Adopt { .. } => Self::Adopt,
            StateCommand::Forget { .. } => Self::Forget,
            StateCommand::Refresh | StateCommand::ConfirmAbsence { .. } => Self::Refresh,
            StateCommand::Retire { .. } => Self::Retire,
        }
    }
}
