//! Why a lease could not be had, or kept.

use std::fmt;

use kedge_core::model::{StackName, Timestamp};
use kedge_core::stored::lease as stored;
use kedge_core::stored::{EncodeError, StoredError};
use thiserror::Error;

use super::LeaseTimes;
use crate::ports::{StoreError, StoredObject};

/// A lease could not be had, or kept.
#[derive(Debug, Error)]
pub enum LeaseError {
    /// Another run has it.
    #[error("{0}; see `kedge unlock`")]
    Held(Box<HeldBy>),
    /// Another run took it over, or a person did.
    #[error("the lease of stack `{stack}` was taken over by {by}; nothing more was begun")]
    Lost {
        /// Of which stack.
        stack: StackName,
        /// By whom.
        by: String,
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
    #[error(
        "the lease of stack `{stack}` can't be read{}",
        if source.is_newer() { "" } else { "; see `kedge unlock`" }
    )]
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

/// Who holds a lease, since when, and for how long. Times are the store's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldBy {
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

impl HeldBy {
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
        self.read_at.is_some_and(|now| now >= self.ends)
    }
}

impl fmt::Display for HeldBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            stack,
            actor,
            run,
            since,
            ends,
            free_at,
            ..
        } = self;
        let (is, tail) = match self.has_ended() {
            false => (
                "is",
                format!("its lease ends at {} unless renewed", short(*ends, *since)),
            ),
            true => (
                "was",
                format!(
                    "its lease ended at {} and may be taken over from {}",
                    short(*ends, *since),
                    short(*free_at, *since)
                ),
            ),
        };
        // A time long past needs its day.
        let days = self.ends.ms_since(*since) > 12 * 60 * 60 * 1000;
        let since = match days {
            true => since.to_string(),
            false => since.time_of_day(),
        };
        write!(
            f,
            "stack `{stack}` {is} being changed by {actor} (run {run}) since {since}; {tail}"
        )
    }
}

/// The time alone where its day is that of another time beside it, or the next.
fn short(time: Timestamp, beside: Timestamp) -> String {
    match time.ms_since(beside) > 12 * 60 * 60 * 1000 {
        true => time.to_string(),
        false => time.time_of_day(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_clear_sentence() {
        let since = Timestamp::parse("2026-11-22T03:12:07.123Z").unwrap();
        let held = HeldBy {
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
            LeaseError::Held(Box::new(held.clone())).to_string(),
            "stack `prod` is being changed by ana@laptop (run 1-2) since 03:12:07 UTC; its lease \
             ends at 03:13:07 UTC unless renewed; see `kedge unlock`"
        );
        let dead = HeldBy {
            read_at: Some(since.plus_ms(60_000)),
            ..held.clone()
        };
        assert_eq!(
            dead.to_string(),
            "stack `prod` was being changed by ana@laptop (run 1-2) since 03:12:07 UTC; its lease \
             ended at 03:13:07 UTC and may be taken over from 03:13:37 UTC"
        );
        let long = HeldBy {
            ends: since.plus_ms(13 * 60 * 60 * 1000),
            ..held
        };
        let text = long.to_string();
        assert!(text.contains("since 2026-11-22T03:12:07.123Z"), "{text}");
        assert!(text.contains("ends at 2026-11-22T16:12:07.123Z"), "{text}");
    }
}
