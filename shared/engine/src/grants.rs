//! Consent to what can't be taken back, as an object that is used once (semantics 6.3).
//!
//! Giving and using are two writes: whoever consents elsewhere (HTTP, Slack) does the first alone.
//! The second is conditional and comes before the first change, so that two runs can't use one
//! consent, and a run that crashed after it needs a new one.

use std::collections::BTreeSet;

use bytes::Bytes;
use kedge_core::change::Verb;
use kedge_core::compare::Cause;
use kedge_core::model::{ResourceKey, StackName, Timestamp};
use kedge_core::report::Report;
use kedge_core::risk::Risk;
use kedge_core::stored::EncodeError;
use kedge_core::stored::grant::{Grant, NotGranted};
use thiserror::Error;

use crate::ports::{Condition, PutOutcome, Store, StoreError};
use crate::state_store::{Keys, put_own};

/// A consent could not be used.
#[derive(Debug, Error)]
pub enum GrantError {
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// It does not cover what would be done.
    #[error(transparent)]
    NotGranted(#[from] NotGranted),
    /// Another run was first.
    #[error("another run used the consent {id}")]
    Raced {
        /// Which.
        id: String,
    },
    /// It could not be read back, and is not written.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

/// The changes of a report that need a grant. The second half of a replacement has that of the first.
fn needing(report: &Report) -> BTreeSet<(ResourceKey, Verb)> {
    let destructive = report
        .decided
        .approved
        .iter()
        .filter(|approved| approved.risk == Risk::Destructive)
        .filter(|approved| approved.cause != Cause::Interrupted);
    destructive
        .map(|approved| (approved.change.key.clone(), approved.change.verb))
        .collect()
}

/// Keeps a person's consent to what is about to be done, and uses it. Does nothing if nothing needs
/// consent. `now` is the store's time.
pub(crate) async fn give_and_use<S: Store>(
    store: &S,
    report: &Report,
    person: &str,
    run: &str,
    now: Timestamp,
) -> Result<(), GrantError> {
    let (changes, policy) = (needing(report), report.decided.policy_granted);
    if changes.is_empty() && !policy {
        return Ok(());
    }
    let stack = &report.declared.stack;
    let grant = Grant {
        id: run.to_owned(),
        stack: stack.clone(),
        person: person.to_owned(),
        digest: report.plan.digest.clone(),
        changes: changes.clone(),
        policy,
        expires_at: now.plus_ms(Grant::LASTS_MS),
        used_by: None,
    };
    grant.covers(&report.plan.digest, &changes, policy, now)?;
    let given = write(store, stack, &grant, Condition::Absent).await?;
    let used = Grant {
        used_by: Some(run.to_owned()),
        ..grant
    };
    write(store, stack, &used, given).await?;
    Ok(())
}

/// Writes a grant; gives the condition of the next write.
async fn write<S: Store>(
    store: &S,
    stack: &StackName,
    grant: &Grant,
    condition: Condition,
) -> Result<Condition, GrantError> {
    let key = Keys::of(stack).grant(&grant.id);
    let bytes = Bytes::from(grant.encode()?);
    match put_own(store, &key, bytes, condition).await? {
        PutOutcome::Written(version) => Ok(Condition::Is(version.etag)),
        PutOutcome::Conflict => Err(GrantError::Raced {
            id: grant.id.clone(),
        }),
    }
}

/// Whether somebody consented to something since this run began, and no run used it yet. Ids begin
/// with the time they were given at, as those of runs do.
pub(crate) async fn given_since<S: Store>(
    store: &S,
    stack: &StackName,
    run: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let keys = Keys::of(stack);
    let own = keys.grant(run);
    for key in store.list(&keys.grants).await? {
        if key <= own {
            continue;
        }
        let Some(object) = store.get(&key).await? else {
            continue;
        };
        // One that can't be read is no consent; the run that would use it says so.
        let grant = Grant::decode(&object.bytes, stack);
        if grant.is_ok_and(|grant| grant.used_by.is_none() && now < grant.expires_at) {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests;
