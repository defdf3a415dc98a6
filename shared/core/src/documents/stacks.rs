//! `kedge.stacks/1` and `kedge.stack-status/1`: how stacks stood when they were looked at last.

use serde::Serialize;

use super::parts::{Hold, Text, Time};
use super::unlocked::LeaseHolder;
use super::words::StackVerdict;
use crate::model::{StackName, Timestamp};
use crate::report;
use crate::stored::hold;
use crate::stored::index::Entry;

format_name!(Stacks: StacksFormat => "kedge.stacks/1");
format_name!(StackStatus: StackStatusFormat => "kedge.stack-status/1");

/// The stacks that a token is for, in order: `GET /v1/stacks`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Stacks {
    /// The name and number of this format.
    pub format: StacksFormat,
    /// The stacks, by name.
    pub stacks: Vec<StackStanding>,
    /// What `after` is to be for the next page: the last name of this one. `null` on the last page.
    pub next: Option<Text>,
}

/// One stack, as it stood when it was looked at last: `GET /v1/stacks/{stack}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StackStatus {
    /// The name and number of this format.
    pub format: StackStatusFormat,
    /// The stack.
    pub stack: StackStanding,
    /// The holds in force.
    pub holds: Vec<Hold>,
    /// The run that has the lease, if one has it.
    pub lease: Option<LeaseHolder>,
}

/// How a stack stood when it was looked at last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StackStanding {
    /// Its name.
    pub name: Text,
    /// How it stood; `null` if it was never looked at.
    pub verdict: Option<StackVerdict>,
    /// When it was looked at last.
    pub checked_at: Option<Time>,
    /// When everything could be read last.
    pub last_good_read_at: Option<Time>,
    /// The revision of the definitions that was pushed last.
    pub revision: Text,
    /// Whether it was retired.
    pub retired: bool,
    /// How often automation checks it, in seconds.
    pub check_every_s: i64,
}

impl StackStanding {
    /// A stack, by what the registry says of it and what its checks remember.
    #[must_use]
    pub fn new(
        stack: &StackName,
        entry: &Entry,
        last_check: Option<(Timestamp, report::StackVerdict)>,
        last_good_read_at: Option<Timestamp>,
    ) -> Self {
        Self {
            name: Text::of(stack),
            verdict: last_check.map(|(_, verdict)| (&verdict).into()),
            checked_at: last_check.map(|(at, _)| at.into()),
            last_good_read_at: last_good_read_at.map(Into::into),
            revision: Text::new(&entry.revision),
            retired: entry.retired,
            check_every_s: entry.check_every.ms() / 1000,
        }
    }
}

/// A page of stacks, and whether there are more.
#[must_use]
pub fn stacks(stacks: Vec<StackStanding>, more: bool) -> Stacks {
    let last = stacks.last().filter(|_| more);
    Stacks {
        format: StacksFormat::V1,
        next: last.map(|last| last.name.clone()),
        stacks,
    }
}

/// One stack, with the holds that stand at this time.
#[must_use]
pub fn stack_status(
    stack: StackStanding,
    holds: &hold::Holds,
    lease: Option<LeaseHolder>,
    now: Timestamp,
) -> StackStatus {
    let active = holds.list().iter().filter(|hold| hold.stands(now));
    StackStatus {
        format: StackStatusFormat::V1,
        stack,
        holds: active.map(|hold| Hold::new(hold, now)).collect(),
        lease,
    }
}
