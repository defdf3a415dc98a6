//! Holds: read before something is changed, set and released by a person (semantics 6.8).
//!
//! They are written without the lease, so that a person never waits for a run to stop it; whoever
//! holds the lease reads them again at every renewal.

use bytes::Bytes;
use kedge_core::model::{ResourceKey, StackName, Timestamp};
use kedge_core::stored::hold::{Hold, Holds};
use thiserror::Error;

use crate::memory::{Keys, MemoryError, read_holds, read_holds_to_change, read_watch, write_watch};
use crate::ports::{PutOutcome, Store};

/// How often a write is begun again because somebody else wrote between.
const TRIES_MAX: usize = 5;

/// Holds could not be changed.
#[derive(Debug, Error)]
pub enum HoldError {
    /// They could not be read or written.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// Others write them all the time.
    #[error("the holds of stack `{stack}` change all the time; nothing was written, try again")]
    Contended {
        /// Whose.
        stack: StackName,
    },
}

/// The holds of a stack, those that ended too.
///
/// # Errors
/// When they can't be read.
pub async fn holds<S: Store>(store: &S, stack: &StackName) -> Result<Holds, MemoryError> {
    read_holds(store, stack).await
}

/// Sets a hold, which replaces an older one of the same thing. Gives back all holds.
///
/// # Errors
/// When they can't be read or written.
pub async fn hold<S: Store>(store: &S, stack: &StackName, hold: &Hold) -> Result<Holds, HoldError> {
    let (holds, ()) = change(store, stack, hold.set_at, |holds| {
        holds.set(hold.clone());
        Some(())
    })
    .await?;
    Ok(holds)
}

/// Takes holds away: these, or without a name the stack's own. Gives back which there were, and what
/// is held still.
///
/// # Errors
/// When they can't be read or written.
pub async fn release<S: Store>(
    store: &S,
    stack: &StackName,
    keys: &[Option<ResourceKey>],
    now: Timestamp,
) -> Result<(Holds, Vec<Hold>), HoldError> {
    change(store, stack, now, |holds| {
        let released = keys.iter().filter_map(|key| holds.release(key.as_ref()));
        let released: Vec<Hold> = released.collect();
        (!released.is_empty()).then_some(released)
    })
    .await
}

/// Changes the stored list, on the condition that nobody else did meanwhile. None: nothing to write.
async fn change<S: Store, T: Default>(
    store: &S,
    stack: &StackName,
    now: Timestamp,
    make: impl Fn(&mut Holds) -> Option<T>,
) -> Result<(Holds, T), HoldError> {
    for _ in 0..TRIES_MAX {
        let read = read_holds_to_change(store, stack).await?;
        let mut holds = read.holds;
        let Some(made) = make(&mut holds) else {
            return Ok((holds, T::default()));
        };
        holds.trim(now);
        let bytes = Bytes::from(holds.encode().map_err(MemoryError::from)?);
        let key = Keys::of(stack).hold;
        let put = store.put(&key, bytes, read.condition).await;
        if let PutOutcome::Written(_) = put.map_err(MemoryError::from)? {
            tell_checks(store, stack, &holds, now).await;
            return Ok((holds, made));
        }
    }
    let stack = stack.clone();
    Err(HoldError::Contended { stack })
}

/// Lets checks know that there is a hold: one that finds nothing wrong does not look for any, and
/// would not say when it ends. Only a memory, so that failing to keep it fails nothing; a check that
/// finds something wrong looks anyway.
async fn tell_checks<S: Store>(store: &S, stack: &StackName, holds: &Holds, now: Timestamp) {
    if let Ok(before) = read_watch(store, stack).await {
        let watch = before.watch.clone().knowing_of(holds, now);
        let _ = write_watch(store, stack, before, &watch).await;
    }
}
