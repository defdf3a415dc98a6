//! The input of one run on one stack, and the errors that it can end with.

use kedge_core::definitions::Problems;
use kedge_core::hint::Hint;
use kedge_core::model::{ResourceKey, StackName};
use kedge_core::report::{Changed, Report};
use kedge_core::stored::grant::NotGranted;
use thiserror::Error;

use crate::grants::GrantError;
use crate::group::Seat;
use crate::lease::LeaseError;
use crate::ports::StoreError;
use crate::registry::RegistryError;
use crate::settings::Settings;
use crate::state_store::StateStoreError;
use crate::traces::Tally;

/// What a run does with what it finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// It only reports.
    Check,
    /// It may change something, or shows what would be changed next.
    Change,
}

/// One run on one stack.
#[derive(Clone, Copy)]
pub(crate) struct Job<'a> {
    /// The stack.
    pub(crate) stack: &'a StackName,
    /// What the shell handed in.
    pub(crate) settings: &'a Settings<'a>,
    /// What it is for.
    pub(crate) purpose: Purpose,
    /// Whether DNS names that nobody declared are reported too.
    pub(crate) every_dns_name: bool,
    /// Its place among the stacks that are checked together, if they are.
    pub(crate) seat: Option<&'a Seat<'a>>,
    /// Where the requests of the run are counted; none where it asks no provider.
    pub(crate) tally: Option<&'a Tally>,
}

/// A run could not be carried out.
#[derive(Debug, Error)]
pub enum RunError {
    /// The definitions can't be used.
    #[error("the definitions can't be used")]
    Definitions(Problems),
    /// Nothing may be changed by this invocation.
    #[error("this is read-only: nothing may be changed from here")]
    ReadOnly,
    /// The definitions are local files, and others use the store too: the stored ones count.
    #[error("local files can't be deployed here: only pushed definitions count")]
    NotStored,
    /// The name that was given to confirm is not the stack's.
    #[error("`{given}` is not the name of the stack, `{stack}`; nothing was changed")]
    NotConfirmed {
        /// The stack.
        stack: StackName,
        /// What was given; empty if nothing was.
        given: String,
    },
    /// The consent that was given earlier can't be read or used.
    #[error("the approval can't be used")]
    Grant(#[from] GrantError),
    /// The stored definitions can't be used, and no revision of them either.
    #[error("the stored definitions can't be used, so nothing is changed: {reason}")]
    NoBundle {
        /// Why not.
        reason: String,
        /// The push that would replace them; none of what a newer program stored.
        push_first: Option<Hint>,
    },
    /// The store failed.
    #[error("the stored definitions could not be read")]
    Store(#[from] StoreError),
    /// State could not be read or written.
    #[error("state could not be read")]
    Memory(#[from] StateStoreError),
    /// The lease could not be read.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// The run observed, and went no further or stopped while it made changes.
    #[error("{}", stopped_text(stopped, source))]
    Stopped {
        /// What was seen, and what was done before.
        stopped: Box<Stopped>,
        /// Why it stopped.
        #[source]
        source: StopError,
    },
    /// Nothing is recorded of the stack.
    #[error("nothing is recorded of stack `{stack}` yet; adopting it records what is live")]
    NothingRecorded {
        /// The stack.
        stack: StackName,
    },
    /// Other resources are gone than the person saw.
    #[error(
        "the missing resources are not those you saw (digest {expected}, now {now}, {count} \
         resources); nothing was confirmed"
    )]
    AbsenceMoved {
        /// The digest of what they saw.
        expected: String,
        /// The digest now.
        now: String,
        /// How many there are now.
        count: usize,
    },
    /// A protected stack is not retired.
    #[error(
        "stack `{stack}` is protected and can't be retired; remove `protected` from its policy first, \
         which a person must approve"
    )]
    RetireProtected {
        /// The stack.
        stack: StackName,
    },
    /// The registry could not say in the end that a stack is retired.
    #[error("stack `{stack}` can't be retired now, and nothing was deleted")]
    Retire {
        /// The stack.
        stack: StackName,
        /// Why.
        #[source]
        source: RegistryError,
    },
    /// A name matches no resource, or more than one.
    #[error("{0}")]
    Name(String),
}

impl RunError {
    /// Whether the same run may go well later though nobody did anything about it: the store or the lease
    /// failed. All else waits for a person, or for other definitions.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Store(_) => true,
            Self::Lease(error) => error.may_pass(),
            Self::Memory(error) => error.may_pass(),
            Self::Grant(error) => error.may_pass(),
            Self::Stopped { source, .. } => source.may_pass(),
            Self::Retire { source, .. } => source.may_pass(),
            Self::Definitions(_)
            | Self::ReadOnly
            | Self::NotStored
            | Self::NotConfirmed { .. }
            | Self::NoBundle { .. }
            | Self::NothingRecorded { .. }
            | Self::AbsenceMoved { .. }
            | Self::RetireProtected { .. }
            | Self::Name(_) => false,
        }
    }

    /// Whether the consent was used already, by this run.
    #[must_use]
    pub fn says_used_by(&self, run: &str) -> bool {
        let used = |error: &GrantError| matches!(error, GrantError::NotGranted(NotGranted::Used { by }) if by == run);
        match self {
            Self::Grant(error) => used(error),
            Self::Stopped {
                source: StopError::Grant(error),
                ..
            } => used(error),
            _ => false,
        }
    }

    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<Hint> {
        match self {
            Self::NotStored => Some(Hint::Push {
                after_rollback: None,
            }),
            Self::NoBundle { push_first, .. } => push_first.clone(),
            Self::NothingRecorded { .. } => Some(Hint::Adopt),
            Self::AbsenceMoved { .. } => Some(Hint::ConfirmAbsence { digest: None }),
            Self::Lease(error) => error.hint(),
            Self::Memory(error) => error.hint(),
            Self::Stopped { source, .. } => source.hint(),
            _ => None,
        }
    }
}

impl StopError {
    /// As [`RunError::may_pass`].
    fn may_pass(&self) -> bool {
        match self {
            Self::Memory(error) => error.may_pass(),
            Self::Lease(error) => error.may_pass(),
            Self::Grant(error) => error.may_pass(),
            Self::Registry(error) => error.may_pass(),
            Self::Look(error) => error.may_pass(),
            Self::PlanMoved { .. }
            | Self::NeedsDigest { .. }
            | Self::OverrideNeedsName { .. }
            | Self::Allow(_) => false,
        }
    }

    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<Hint> {
        match self {
            Self::Memory(error) => error.hint(),
            Self::Lease(error) => error.hint(),
            Self::Look(error) => error.hint(),
            Self::PlanMoved { .. } | Self::NeedsDigest { .. } | Self::Allow(_) => {
                Some(Hint::Preview)
            }
            _ => None,
        }
    }
}

/// What changed, in at most so many names: the plan itself shows all.
fn moved_text(moved: &[String]) -> String {
    const NAMES_MAX: usize = 10;
    let name = |part: &String| {
        // A part is a resource, or the policy.
        ResourceKey::parse(part).map_or_else(|_| part.clone(), |key| key.labelled())
    };
    let shown: Vec<String> = moved.iter().take(NAMES_MAX).map(name).collect();
    match (shown.as_slice(), moved.len().saturating_sub(NAMES_MAX)) {
        ([], _) => String::new(),
        (shown, 0) => format!("; changed: {}", shown.join(", ")),
        (shown, more) => format!("; changed: {}, and {more} more", shown.join(", ")),
    }
}

fn stopped_text(stopped: &Stopped, source: &StopError) -> String {
    match source {
        StopError::Registry(_) => {
            "the stack is retired, but the registry of stacks could not be updated: run the command \
             again"
                .to_owned()
        }
        _ if stopped.has_begun() => {
            let done = stopped.changed.done();
            format!("the run stopped after {done} of its changes")
        }
        _ => "nothing was changed".to_owned(),
    }
}

/// What a run had seen and done when it stopped.
#[derive(Debug)]
pub struct Stopped {
    /// What was seen.
    pub report: Report,
    /// What was done, and what was not begun.
    pub changed: Changed,
}

impl Stopped {
    /// Whether it had come to make changes.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        !self.changed.results.is_empty()
    }
}

/// Why a run went no further after it had observed.
#[derive(Debug, Error)]
pub enum StopError {
    /// State could not be read or written.
    #[error(transparent)]
    Memory(#[from] StateStoreError),
    /// Another run has the stack, or the lease could not be had or was lost.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// The consent to what can't be taken back does not hold.
    #[error("the approval can't be used")]
    Grant(#[from] GrantError),
    /// The stack is retired, and the registry does not say so yet.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// State changed, and observing again failed.
    #[error(transparent)]
    Look(Box<RunError>),
    /// The plan is not the one that was agreed to.
    #[error(
        "the plan is out of date: you agreed to {agreed}, and it is {now} now{}",
        moved_text(moved)
    )]
    PlanMoved {
        /// The digest that was agreed to.
        agreed: String,
        /// The digest of the plan now.
        now: String,
        /// What changed, where it is known.
        moved: Vec<String>,
    },
    /// A protected stack takes consent to a plan that was seen, not to any plan.
    #[error("stack `{stack}` is protected: give the digest of the plan you saw (it is {now} now)")]
    NeedsDigest {
        /// The stack.
        stack: StackName,
        /// The digest of the plan now.
        now: String,
    },
    /// A guard of a protected stack gives way only to its name, typed.
    #[error(
        "stack `{stack}` is protected: a guard is overridden only in a terminal, by typing the \
         stack's name"
    )]
    OverrideNeedsName {
        /// The stack.
        stack: StackName,
    },
    /// A key was named that is not in the plan, or that fits several.
    #[error("{0}")]
    Allow(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_ends_at_ten_names() {
        let moved = |number: usize| -> Vec<String> {
            (0..number)
                .map(|n| format!("kafka-topic/p/s/t{n:02}"))
                .collect()
        };
        assert_eq!(moved_text(&moved(0)), "");
        assert_eq!(moved_text(&moved(1)), "; changed: topic t00");
        assert_eq!(moved_text(&["policy".to_owned()]), "; changed: policy");
        assert!(moved_text(&moved(10)).ends_with("t08, topic t09"));
        let text = moved_text(&moved(31));
        assert!(text.ends_with("topic t09, and 21 more"), "{text}");
    }
}
