//! How a check, a group of checks and an apply ended.

use std::collections::BTreeMap;

use kedge_core::model::StackName;
use kedge_core::ran_out::RanOut;
use kedge_core::report::{Changed, Report};

use crate::job::{RunError, StopError, Stopped};
use crate::lease::{LeaseError, LeaseHolder};
use crate::state_store::Kept;

/// A check, and what became of it.
#[derive(Debug)]
pub struct Checked {
    /// What was found.
    pub report: Report,
    /// Whether it was kept.
    pub kept: Kept,
    /// Whether an apply by the policy alone would do something now.
    pub has_work: bool,
}

/// The checks of several stacks, each with its own end: one that fails says nothing of the others.
#[derive(Debug)]
pub struct GroupCheck {
    /// By stack.
    pub checks: BTreeMap<StackName, Result<Checked, RunError>>,
}

/// A run that went to its end.
#[derive(Debug)]
pub struct Ran {
    /// What was found before.
    pub report: Report,
    /// What was done.
    pub changed: Changed,
    /// Whether what it saw was kept.
    pub kept: Kept,
}

/// How an apply ended.
#[derive(Debug)]
#[must_use]
pub enum Applied {
    /// It went to its end. A provider's refusal is in what was changed.
    Done(Box<Ran>),
    /// It ended in good order, but its deadline kept it from beginning some changes, which are in
    /// `changed`. The next run begins them.
    OutOfTime(Box<Ran>),
    /// The same, because no requests were left.
    OutOfRequests(Box<Ran>),
    /// Another run has the stack. Nothing was changed.
    Busy {
        /// Who has it, and when it is free at the latest if it is not renewed.
        holder: Box<LeaseHolder>,
        /// What was found.
        stopped: Box<Stopped>,
    },
    /// It could not be carried out, or stopped. [`RunError::Stopped`] has what was seen and done.
    Failed(RunError),
}

impl Applied {
    pub(crate) fn of(result: Result<Ran, RunError>) -> Self {
        match result {
            Ok(ran) => match ran.changed.ran_out {
                None => Self::Done(Box::new(ran)),
                Some(RanOut::Time) => Self::OutOfTime(Box::new(ran)),
                Some(RanOut::Requests { .. }) => Self::OutOfRequests(Box::new(ran)),
            },
            Err(RunError::Stopped {
                stopped,
                source: StopError::Lease(LeaseError::Held(holder)),
            }) if !stopped.has_begun() => Self::Busy { holder, stopped },
            Err(error) => Self::Failed(error),
        }
    }

    /// The run, or an error for each outcome but an end in good order.
    ///
    /// # Errors
    /// When the stack is busy, or the run failed.
    pub fn into_result(self) -> Result<Ran, RunError> {
        match self {
            Self::Done(ran) | Self::OutOfTime(ran) | Self::OutOfRequests(ran) => Ok(*ran),
            Self::Busy { holder, stopped } => Err(RunError::Stopped {
                stopped,
                source: StopError::Lease(LeaseError::Held(holder)),
            }),
            Self::Failed(error) => Err(error),
        }
    }
}
