//! Grants: a person's consent as an object in the store, used once (semantics 6.3).
//!
//! Somebody who consents elsewhere (HTTP, Slack) writes a grant, and a run uses it later. Somebody at
//! hand gives and uses it in one write. Using is a conditional write before the first change: two runs
//! can't use one consent, and a run that crashed after it needs a new one.

use std::collections::BTreeSet;
use std::pin::pin;

use bytes::Bytes;
use futures_util::future::try_join_all;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use kedge_core::change::Verb;
use kedge_core::compare::Cause;
use kedge_core::model::{ResourceKey, StackName, Timestamp, id_prefixes};
use kedge_core::report::Report;
use kedge_core::risk::Risk;
use kedge_core::stored::grant::{Grant, NotGranted};
use kedge_core::stored::{EncodeError, StoredError};
use thiserror::Error;

use crate::consent::UsableGrant;
use crate::keys::Keys;
use crate::ports::{Condition, PutOutcome, Store, StoreError, StoredObject};
use crate::state_store::put_own;

/// How far the clock of who gives a consent may be from the store's, in milliseconds: S3 refuses requests
/// that are signed with a time further away.
const CLOCKS_DIFFER_MS: i64 = 15 * 60 * 1000;
/// How many consents are read at most to find out whether one was given meanwhile.
const READ_MAX: usize = 20;
/// How many of them at once.
const READ_AT_ONCE: usize = 4;

/// A grant could not be used or written.
#[derive(Debug, Error)]
pub enum GrantError {
    /// The store failed.
    #[error("the store could not be read or written")]
    Store(#[from] StoreError),
    /// It does not cover what would be done.
    #[error(transparent)]
    NotGranted(#[from] NotGranted),
    /// There is no such consent.
    #[error("there is no approval {id}")]
    Unknown {
        /// Which.
        id: String,
    },
    /// It can't be read.
    #[error(transparent)]
    Decode(#[from] StoredError),
    /// Another run was first.
    #[error("another run used the approval {id}")]
    Raced {
        /// Which.
        id: String,
    },
    /// It could not be read back, and is not written.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

impl GrantError {
    /// Whether the same may go well later though nobody did anything about it.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(self, Self::Store(_))
    }
}

/// The changes of a report that need a grant. The second half of a replacement has that of the first.
fn needing(report: &Report) -> BTreeSet<(ResourceKey, Verb)> {
    let destructive = report
        .decided
        .approved()
        .filter(|approved| approved.risk == Risk::Destructive)
        .filter(|approved| approved.cause != Cause::Interrupted);
    destructive
        .map(|approved| (approved.change.key.clone(), approved.change.verb))
        .collect()
}

/// What somebody agrees to before a run. Safe and disruptive changes of the plan need no names;
/// destructive ones do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreement {
    /// The digest of the plan that they saw.
    pub digest: String,
    /// The destructive changes that they named.
    pub destructive: BTreeSet<(ResourceKey, Verb)>,
    /// Whether they named the key `policy`.
    pub policy: bool,
}

/// Writes a grant for a later run. Returns its id. The end that it says is by this machine's clock, and
/// only tells people; what counts is when the store wrote it ([`decode`]).
pub(crate) async fn give<S: Store>(
    store: &S,
    stack: &StackName,
    id: String,
    person: &str,
    agreement: Agreement,
    now: Timestamp,
) -> Result<String, GrantError> {
    let grant = Grant {
        id,
        stack: stack.clone(),
        person: person.to_owned(),
        digest: agreement.digest,
        changes: agreement.destructive,
        policy: agreement.policy,
        expires_at: now.plus_ms(Grant::LASTS_MS),
        used_by: None,
    };
    write(store, stack, &grant, Condition::Absent).await?;
    Ok(grant.id)
}

/// Reads a grant that a run is to use.
pub(crate) async fn read<S: Store>(
    store: &S,
    stack: &StackName,
    id: &str,
) -> Result<UsableGrant, GrantError> {
    let unknown = || GrantError::Unknown { id: id.to_owned() };
    // An id is part of a key; nothing but what ids are made of leads anywhere.
    if id.is_empty() || !id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        return Err(unknown());
    }
    let object = store.get(&Keys::of(stack).grant(id)).await?;
    let object = object.ok_or_else(unknown)?;
    let grant = decode(&object, stack)?;
    if let Some(by) = grant.used_by {
        return Err(NotGranted::Used { by }.into());
    }
    Ok(UsableGrant {
        grant,
        etag: object.etag,
    })
}

/// A grant as it was written, with its end by the store's clock: that of whoever gave it may be wrong.
fn decode(object: &StoredObject, stack: &StackName) -> Result<Grant, StoredError> {
    let grant = Grant::decode(&object.bytes, stack)?;
    Ok(Grant {
        expires_at: object.written_at.plus_ms(Grant::LASTS_MS),
        ..grant
    })
}

/// Uses a consent for what is about to be done. Somebody at hand gives it in the same write, and
/// only if a change needs it. `now` is the store's time.
pub(crate) async fn use_consent<S: Store>(
    store: &S,
    report: &Report,
    given: Option<&UsableGrant>,
    person: &str,
    run: &str,
    now: Timestamp,
) -> Result<(), GrantError> {
    let (changes, policy) = (needing(report), report.decided.policy_granted);
    let (stack, digest) = (&report.declared.stack, &report.plan.digest);
    if given.is_none() && changes.is_empty() && !policy {
        return Ok(());
    }
    let (grant, condition) = match given {
        Some(given) => (given.grant.clone(), Condition::Is(given.etag.clone())),
        None => {
            let grant = Grant {
                id: run.to_owned(),
                stack: stack.clone(),
                person: person.to_owned(),
                digest: digest.clone(),
                changes: changes.clone(),
                policy,
                expires_at: now.plus_ms(Grant::LASTS_MS),
                used_by: None,
            };
            (grant, Condition::Absent)
        }
    };
    grant.covers(digest, &changes, policy, now)?;
    let used = Grant {
        used_by: Some(run.to_owned()),
        ..grant
    };
    write(store, stack, &used, condition).await
}

/// Writes a grant.
async fn write<S: Store>(
    store: &S,
    stack: &StackName,
    grant: &Grant,
    condition: Condition,
) -> Result<(), GrantError> {
    let key = Keys::of(stack).grant(&grant.id);
    let bytes = Bytes::from(grant.encode()?);
    match put_own(store, &key, bytes, condition).await? {
        PutOutcome::Written(_) => Ok(()),
        PutOutcome::Conflict => Err(GrantError::Raced {
            id: grant.id.clone(),
        }),
    }
}

/// Whether a grant was given since this run began, and no run used it yet. Ids begin with the time, as those
/// of runs do; so the keys of the last hour are listed, and the newest of them read. One that is missed (its
/// giver's clock is wrong, or many were given after it) is used by its id all the same.
pub(crate) async fn given_since<S: Store>(
    store: &S,
    stack: &StackName,
    run: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let keys = Keys::of(stack);
    let (since, until) = (
        now.plus_ms(-Grant::LASTS_MS - CLOCKS_DIFFER_MS),
        now.plus_ms(CLOCKS_DIFFER_MS),
    );
    let lists = id_prefixes(since, until).map(|ids| {
        let prefix = format!("{}{ids}", keys.grants);
        async move { store.list(&prefix).await }
    });
    let own = keys.grant(run);
    let mut later: Vec<String> = try_join_all(lists).await?.concat();
    later.retain(|key| *key > own);
    let newest = later.iter().rev().take(READ_MAX);
    let reads: Vec<_> = newest.map(|key| stands(store, stack, key, now)).collect();
    let mut reads = pin!(stream::iter(reads).buffered(READ_AT_ONCE));
    while let Some(stands) = reads.try_next().await? {
        if stands {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a grant may still be used. One that can't be read is no consent; the run that would use it says so.
async fn stands<S: Store>(
    store: &S,
    stack: &StackName,
    key: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let object = store.get(key).await?;
    let grant = object.and_then(|object| decode(&object, stack).ok());
    Ok(grant.is_some_and(|grant| grant.used_by.is_none() && now < grant.expires_at))
}

#[cfg(test)]
mod tests;
