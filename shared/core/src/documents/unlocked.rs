//! `kedge.unlocked/1`: a lease that was released.

use serde::Serialize;

use super::parts::{Text, Time};
use super::words::HolderStatus;
use crate::model::{StackName, Timestamp};

format_name!(Unlocked: UnlockedFormat => "kedge.unlocked/1");

/// A stack whose lease was released: `kedge unlock`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Unlocked {
    /// The name and number of this format.
    pub format: UnlockedFormat,
    /// The stack.
    pub stack: Text,
    /// Who had the lease that was taken and released, if somebody had it.
    pub from: Option<LeaseHolder>,
    /// Why the lease could not be read, if a new one was written over it.
    pub damaged: Option<Text>,
}

/// Who had a lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LeaseHolder {
    /// Who ran it.
    pub actor: Text,
    /// The id of the run.
    pub run: Text,
    /// Since when it had the lease.
    pub since: Time,
    /// When it last renewed it.
    pub renewed_at: Time,
    /// Whether it was still working.
    pub status: HolderStatus,
}

impl LeaseHolder {
    /// Who had a lease.
    #[must_use]
    pub fn new(
        actor: &str,
        run: &str,
        since: Timestamp,
        renewed_at: Timestamp,
        status: HolderStatus,
    ) -> Self {
        Self {
            actor: Text::new(actor),
            run: Text::new(run),
            since: since.into(),
            renewed_at: renewed_at.into(),
            status,
        }
    }
}

/// A stack that is unlocked now.
#[must_use]
pub fn unlocked(stack: &StackName, from: Option<LeaseHolder>, damaged: Option<&str>) -> Unlocked {
    Unlocked {
        format: UnlockedFormat::V1,
        stack: Text::of(stack),
        from,
        damaged: damaged.map(Text::new),
    }
}
