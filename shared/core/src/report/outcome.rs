//! What a run did: its changes and how each ended.

use crate::model::ResourceKey;
use crate::plan::Approved;
use crate::ran_out::RanOut;
use crate::stored::run::Interrupted;

/// How a change ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was made.
    Done,
    /// It can't be made until somebody does something.
    Blocked {
        /// Why.
        reason: String,
        /// What to do about it.
        fix: Option<String>,
    },
    /// It was not made; a later run may try again.
    Failed {
        /// Why.
        reason: String,
    },
    /// Nobody knows; the next run finds out.
    Unknown {
        /// Why.
        reason: String,
    },
    /// It was not begun.
    NotBegun {
        /// Why.
        reason: String,
    },
    /// It was not begun since a person holds it, or what it belongs with: nothing failed.
    Held {
        /// Who, until when, and why.
        reason: String,
    },
}

impl Outcome {
    /// The word in JSON and messages.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Blocked { .. } => "blocked",
            Self::Failed { .. } => "failed",
            Self::Unknown { .. } => "unknown",
            Self::NotBegun { .. } => "not-begun",
            Self::Held { .. } => "held",
        }
    }

    /// Why, for all but what is done.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Done => None,
            Self::Blocked { reason, .. }
            | Self::Failed { reason }
            | Self::Unknown { reason }
            | Self::NotBegun { reason }
            | Self::Held { reason } => Some(reason),
        }
    }
}

/// One change of a run and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeResult {
    /// The change.
    pub approved: Approved,
    /// How it ended.
    pub outcome: Outcome,
}

impl ChangeResult {
    /// Of which resource.
    #[must_use]
    pub fn key(&self) -> &ResourceKey {
        &self.approved.change.key
    }
}

/// What an apply did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changed {
    /// The run.
    pub run: String,
    /// The changes, in the order in which they ended.
    pub results: Vec<ChangeResult>,
    /// Resources recorded without a provider write.
    pub recorded: usize,
    /// Records dropped without a provider write.
    pub forgotten: usize,
    /// Whether it began a retired stack anew (semantics 7.5).
    pub began_anew: bool,
    /// The serial of the state it wrote; none if it wrote none.
    pub serial: Option<u64>,
    /// The run before it that never said how its changes ended, if there was one.
    pub interrupted: Option<Interrupted>,
    /// Why it stopped before its end, if it did.
    pub stopped: Option<String>,
    /// What changed meanwhile, so that it is worth running again: reads on after "run again: ".
    pub run_again: Vec<&'static str>,
    /// The limit that kept a change from being begun, if one did: what the first such change lacked.
    pub ran_out: Option<RanOut>,
}

impl Changed {
    /// How many changes were made.
    #[must_use]
    pub fn done(&self) -> usize {
        self.results
            .iter()
            .filter(|carried| carried.outcome == Outcome::Done)
            .count()
    }

    /// Whether the run went to its end and every change that was approved was made.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.stopped.is_none() && self.done() == self.results.len()
    }

    /// Whether a change was not made for another reason than a hold.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        let is_fine = |carried: &ChangeResult| {
            matches!(carried.outcome, Outcome::Done | Outcome::Held { .. })
        };
        !self.results.iter().all(is_fine)
    }

    /// Who holds what the run was to change, until when, and why, where a hold stopped it.
    #[must_use]
    pub fn held_by(&self) -> Option<&str> {
        self.results
            .iter()
            .find_map(|carried| match &carried.outcome {
                Outcome::Held { reason } => Some(reason.as_str()),
                _ => None,
            })
    }
}
