//! Why a lease could not be taken or kept, and who holds it.

use std::fmt;

use kedge_core::hint::Hint;
use kedge_core::model::{StackName, Timestamp, ago, printable};
use kedge_core::stored::lease as stored;
use kedge_core::stored::{EncodeError, StoredError};
use thiserror::Error;

use super::LeaseTimes;
use crate::ports::{StoreError, StoredObject};

/// A lease could not be taken or kept.
#[derive(Debug, Error)]
pub enum LeaseError {
    /// Another run has it.
    #[error("{0}")]
    Held(Box<LeaseHolder>),
    /// Another run took it over, or a person did.
    #[error("the lease of stack `{stack}` was taken over by {by}; this run started nothing more")]
    Lost {
        /// Of which stack.
        stack: StackName,
        /// By whom.
        by: String,
    },
    /// Nothing may be changed by this invocation.
    #[error("this is read-only: the lease of stack `{stack}` can't be taken from here")]
    ReadOnly {
        /// Of which stack.
        stack: StackName,
    },
    /// The store failed.
    #[error("the lease of stack `{stack}` could not be read or written")]
    Store {
        /// Of which stack.
        stack: StackName,
        /// Why.
        #[source]
        source: StoreError,
    },
    /// What is stored can't be read.
    #[error("the lease of stack `{stack}` can't be read")]
    Decode {
        /// Of which stack.
        stack: StackName,
        /// Why.
        #[source]
        source: StoredError,
    },
    /// It could not be read back, and is not written.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

impl LeaseError {
    /// Whether the same may go well later though nobody did anything about it.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(self, Self::Held(_) | Self::Lost { .. } | Self::Store { .. })
    }

    /// What a person can do about it. A run that works is waited for.
    #[must_use]
    pub fn hint(&self) -> Option<Hint> {
        match self {
            Self::Held(holder) if matches!(holder.pulse(), Pulse::Late | Pulse::Stopped) => {
                Some(Hint::Unlock)
            }
            Self::Held(_) | Self::Lost { .. } => Some(Hint::RunAgain),
            Self::Decode { source, .. } if !source.is_newer() => Some(Hint::Unlock),
            _ => None,
        }
    }
}

/// Who holds a lease, since when, and for how long. Times are the store's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseHolder {
    /// Of which stack.
    pub stack: StackName,
    /// Who, and where: `ana@laptop`.
    pub actor: String,
    /// For which run.
    pub run: String,
    /// Since when.
    pub since: Timestamp,
    /// When it was renewed last.
    pub renewed_at: Timestamp,
    /// When it ends unless it is renewed.
    pub ends: Timestamp,
    /// When another run may take it over.
    pub free_at: Timestamp,
    /// How long after a renewal it may begin changes, in milliseconds.
    pub begins_for_ms: i64,
    /// When this was found out; none where the store does not say.
    pub read_at: Option<Timestamp>,
    pub(super) nonce: String,
}

impl LeaseHolder {
    pub(super) fn of(lease: &stored::Lease, object: &StoredObject, times: LeaseTimes) -> Self {
        let ends = object.written_at.plus_ms(lease.lease_ms);
        Self {
            stack: lease.stack.clone(),
            actor: lease.actor.clone(),
            run: lease.run.clone(),
            since: lease.since.unwrap_or(object.written_at),
            renewed_at: object.written_at,
            ends,
            free_at: ends.plus_ms(times.grace_ms),
            begins_for_ms: times.fresh_ms.max(lease.lease_ms / 2),
            read_at: object.read_at,
            nonce: lease.nonce.clone(),
        }
    }

    /// Whether nobody renewed it in time: its holder crashed, sleeps, or can't reach the store.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.pulse() == Pulse::Stopped
    }

    /// Whether its holder works still, as far as its last renewal tells.
    #[must_use]
    pub fn pulse(&self) -> Pulse {
        match self.read_at {
            None => Pulse::Unknown,
            Some(now) if now >= self.ends => Pulse::Stopped,
            Some(now) if now.ms_since(self.renewed_at) >= self.begins_for_ms => Pulse::Late,
            Some(_) => Pulse::Working,
        }
    }
}

/// Whether the holder of a lease works still. One that works renews it every quarter of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pulse {
    /// It was renewed in time.
    Working,
    /// A renewal is overdue: its holder may be gone, and may begin nothing before it renews.
    Late,
    /// It was not renewed in time, and ended.
    Stopped,
    /// The store does not say the time.
    Unknown,
}

impl fmt::Display for LeaseHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            stack,
            actor,
            run,
            since,
            ends,
            ..
        } = self;
        let now = self.read_at.unwrap_or(*since);
        let renewed = ago(now.ms_since(self.renewed_at));
        let (is, tail) = match self.pulse() {
            Pulse::Unknown => (
                "is",
                format!(
                    "its lease ends at {} unless it is renewed",
                    ends.time_of_day()
                ),
            ),
            Pulse::Working => (
                "is",
                format!("its lease was renewed {renewed}, so it is still working"),
            ),
            Pulse::Late => (
                "is",
                format!("its lease was last renewed {renewed}, so it may have stopped"),
            ),
            Pulse::Stopped => (
                "was",
                format!(
                    "its lease was last renewed {renewed}, so it stopped; another run may take over \
                     from {}",
                    self.free_at.until_text(now)
                ),
            ),
        };
        let since = match self.read_at {
            Some(now) => since.with_distance(now),
            None => since.time_of_day(),
        };
        write!(
            f,
            "stack `{stack}` {is} being changed by {} (run {}) since {since}; {tail}",
            printable(actor),
            printable(run)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_clear_sentence() {
        let since = Timestamp::parse("2026-11-22T03:12:07.123Z").unwrap();
        let held = LeaseHolder {
            stack: StackName::new("prod").unwrap(),
            actor: "ana@laptop".to_owned(),
            run: "1-2".to_owned(),
            since,
            renewed_at: since,
            ends: since.plus_ms(60_000),
            free_at: since.plus_ms(90_000),
            begins_for_ms: 30_000,
            read_at: Some(since.plus_ms(59_999)),
            nonce: String::new(),
        };
        assert_eq!(
            LeaseError::Held(Box::new(LeaseHolder {
                read_at: Some(since.plus_ms(12_000)),
                renewed_at: since.plus_ms(8_000),
                ..held.clone()
            }))
            .to_string(),
            "stack `prod` is being changed by ana@laptop (run 1-2) since 03:12:07 UTC, 12 s ago; its \
             lease was renewed 4 s ago, so it is still working"
        );
        let at = |ms: i64| LeaseHolder {
            read_at: Some(since.plus_ms(ms)),
            ..held.clone()
        };
        for (ms, pulse) in [
            (0, Pulse::Working),
            (29_999, Pulse::Working),
            (30_000, Pulse::Late),
            (59_999, Pulse::Late),
            (60_000, Pulse::Stopped),
        ] {
            assert_eq!(at(ms).pulse(), pulse, "{ms}");
            assert_eq!(at(ms).has_ended(), pulse == Pulse::Stopped);
        }
        assert_eq!(
            at(41_000).to_string(),
            "stack `prod` is being changed by ana@laptop (run 1-2) since 03:12:07 UTC, 41 s ago; its \
             lease was last renewed 41 s ago, so it may have stopped"
        );
        assert_eq!(
            at(60_000).to_string(),
            "stack `prod` was being changed by ana@laptop (run 1-2) since 03:12:07 UTC, 1 min ago; \
             its lease was last renewed 1 min ago, so it stopped; another run may take over from \
             03:13:37 UTC (in 30 s)"
        );
        let unknown = LeaseHolder {
            read_at: None,
            ..held
        };
        assert_eq!(unknown.pulse(), Pulse::Unknown);
        assert_eq!(
            unknown.to_string(),
            "stack `prod` is being changed by ana@laptop (run 1-2) since 03:12:07 UTC; its lease \
             ends at 03:13:07 UTC unless it is renewed"
        );
    }
}
