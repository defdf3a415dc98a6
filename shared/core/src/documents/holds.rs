//! `kedge.holds/1`: the holds of a stack.

use serde::Serialize;

use super::parts::{Hold, Text, Time};
use crate::model::{StackName, Timestamp};
use crate::stored::hold;

format_name!(Holds: HoldsFormat => "kedge.holds/1");

/// The holds in force: `kedge hold` and `kedge release`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Holds {
    /// The name and number of this format.
    pub format: HoldsFormat,
    /// The stack.
    pub stack: Text,
    /// The holds in force. Several people may hold the same thing.
    pub holds: Vec<Hold>,
    /// The holds that `kedge release` just released, whoever set them.
    pub released: Vec<Hold>,
    /// The run that was working when the hold was set, if there was one.
    pub current_run: Option<CurrentRun>,
}

/// A run that was working when a hold was set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CurrentRun {
    /// Who runs it.
    pub actor: Text,
    /// Its id.
    pub run: Text,
    /// Since when it has the lease.
    pub since: Time,
    /// Whether it ended meanwhile.
    pub ended: bool,
    /// For how many seconds it may still begin changes without knowing of the hold; 0 if `hold` waited
    /// for that.
    pub may_begin_changes_for_s: u64,
}

impl CurrentRun {
    /// A run that has the lease and may not know of the hold yet.
    #[must_use]
    pub fn new(actor: &str, run: &str, since: Timestamp, may_begin_changes_for_s: u64) -> Self {
        Self {
            actor: Text::new(actor),
            run: Text::new(run),
            since: since.into(),
            ended: false,
            may_begin_changes_for_s,
        }
    }

    /// The same run, once it knows of the hold or ended.
    #[must_use]
    pub fn waited_for(self, ended: bool) -> Self {
        Self {
            ended,
            may_begin_changes_for_s: 0,
            ..self
        }
    }
}

/// The holds in force, and those that were just released.
#[must_use]
pub fn holds(
    stack: &StackName,
    holds: &hold::Holds,
    released: &[hold::Hold],
    current_run: Option<CurrentRun>,
    now: Timestamp,
) -> Holds {
    let active = holds.list().iter().filter(|hold| hold.stands(now));
    Holds {
        format: HoldsFormat::V1,
        stack: Text::of(stack),
        holds: active.map(|hold| Hold::new(hold, now)).collect(),
        released: released.iter().map(|hold| Hold::new(hold, now)).collect(),
        current_run,
    }
}
