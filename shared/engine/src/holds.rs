//! Holds: read before something is changed, set and released by a person (semantics 6.8).
//!
//! They are written without the lease, so that a person never waits for a run. A run that is under way
//! reads them again at every renewal, so it may start changes without knowing of a new hold for at most
//! half a lease: [`under_way`] tells whether there is one, and [`wait_for`] waits until it knows.

use std::collections::BTreeSet;

use bytes::Bytes;
use kedge_core::hint::Hint;
use kedge_core::model::{ResourceKey, StackName, Timestamp};
use kedge_core::stored::StoredError;
use kedge_core::stored::hold::{EndsEarlier, Hold, Holds};
use thiserror::Error;

use crate::keys::Keys;
use crate::lease::{LeaseError, LeaseHolder, LeaseTimes, lease_holder_of};
use crate::ports::{Clock, PutOutcome, Store};
use crate::state_store::{StateStoreError, read_holds_to_change, read_watch, write_watch};

/// The longest hold: 30 days. For longer, change the definitions or write an ignore rule.
const LENGTH_MAX_MS: i64 = 30 * 24 * 60 * 60 * 1000;
/// The shortest: a second.
const LENGTH_MIN_MS: i64 = 1000;
/// How often a write is tried again because somebody else wrote meanwhile.
const TRIES_MAX: usize = 5;

/// Holds could not be changed.
#[derive(Debug, Error)]
pub enum HoldError {
    /// They could not be read or written.
    #[error(transparent)]
    Memory(#[from] StateStoreError),
    /// They are stored and can't be read: everything is held.
    #[error(
        "the holds of stack `{stack}` can't be read, so everything is held; a new hold can replace \
         them, and what was held before is lost"
    )]
    Damaged {
        /// Whose.
        stack: StackName,
        /// Why.
        #[source]
        source: StoredError,
    },
    /// A newer program wrote them, and nothing is written over them (semantics 8.7).
    #[error("the holds of stack `{stack}` can't be read, so everything is held")]
    Newer {
        /// Whose.
        stack: StackName,
        /// Which version.
        #[source]
        source: StoredError,
    },
    /// Nothing may be changed by this invocation.
    #[error("this is read-only: nothing may be changed from here")]
    ReadOnly,
    /// It would last no time, or longer than a hold may.
    #[error("a hold lasts at least a second and at most 30d")]
    Length,
    /// It says no reason.
    #[error("a hold needs a reason")]
    NoReason,
    /// The same person holds it already, and longer.
    #[error("{0}")]
    EndsEarlier(EndsEarlier),
    /// Others write them all the time.
    #[error("the holds of stack `{stack}` keep changing; nothing was written")]
    Contended {
        /// Whose.
        stack: StackName,
    },
}

/// The holds of a stack, those that ended too.
///
/// # Errors
/// When they can't be read.
pub(crate) async fn holds<S: Store>(store: &S, stack: &StackName) -> Result<Holds, HoldError> {
    let read = read_holds_to_change(store, stack).await;
    let read = read.map_err(StateStoreError::from)?;
    read.holds.map_err(|source| HoldError::of(stack, source))
}

impl HoldError {
    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<Hint> {
        match self {
            Self::Damaged { .. } => Some(Hint::ReplaceHolds),
            Self::Contended { .. } => Some(Hint::RunAgain),
            Self::Memory(error) => error.hint(),
            _ => None,
        }
    }

    fn of(stack: &StackName, source: StoredError) -> Self {
        let stack = stack.clone();
        match source.is_newer() {
            true => Self::Newer { stack, source },
            false => Self::Damaged { stack, source },
        }
    }
}

/// What is to be held.
#[derive(Debug, Clone)]
pub struct HoldRequest {
    /// Which resources; none for the whole stack.
    pub keys: BTreeSet<ResourceKey>,
    /// Why, for whoever finds it.
    pub reason: String,
    /// For how long, in milliseconds.
    pub length_ms: i64,
    /// Whether it is written over holds that can't be read, unless a newer program wrote them.
    pub replace: bool,
}

/// What is to be released.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReleaseRequest {
    /// The holds of the whole stack, whoever set them.
    Stack,
    /// The holds of these resources, whoever set them.
    Keys(BTreeSet<ResourceKey>),
    /// All holds.
    All,
    /// Holds that can't be read, unless a newer program wrote them. Those that can be read stay.
    Unreadable,
}

/// The holds that are left, and those that were released.
pub type Released = (Holds, Vec<Hold>);

/// Sets holds beside those that others have of the same things (semantics 6.8). Gives back all holds.
pub(crate) async fn hold<S: Store>(
    store: &S,
    stack: &StackName,
    request: &HoldRequest,
    who: &str,
    now: Timestamp,
) -> Result<Holds, HoldError> {
    if !(LENGTH_MIN_MS..=LENGTH_MAX_MS).contains(&request.length_ms) {
        return Err(HoldError::Length);
    }
    if request.reason.trim().is_empty() {
        return Err(HoldError::NoReason);
    }
    let keys: Vec<Option<ResourceKey>> = match request.keys.is_empty() {
        true => vec![None],
        false => request.keys.iter().cloned().map(Some).collect(),
    };
    let hold = |key: &Option<ResourceKey>| Hold {
        key: key.clone(),
        reason: request.reason.clone(),
        who: who.to_owned(),
        until: now.plus_ms(request.length_ms),
        set_at: now,
    };
    let (holds, ()) = change(store, stack, now, request.replace, |holds| {
        let mut set = keys.iter().map(|key| holds.set(hold(key)));
        set.try_for_each(|set| set.map_err(HoldError::EndsEarlier))?;
        Ok(Some(()))
    })
    .await?;
    Ok(holds)
}

/// Releases holds, whoever set them. Returns those that are left, and those that were released.
///
/// # Errors
/// When they can't be read or written.
pub(crate) async fn release<S: Store>(
    store: &S,
    stack: &StackName,
    request: &ReleaseRequest,
    now: Timestamp,
) -> Result<Released, HoldError> {
    let replace = *request == ReleaseRequest::Unreadable;
    change(store, stack, now, replace, |holds| {
        let released = match request {
            ReleaseRequest::Stack => holds.release(None),
            ReleaseRequest::Keys(keys) => {
                let released = keys.iter().flat_map(|key| holds.release(Some(key)));
                released.collect()
            }
            ReleaseRequest::All => holds.release_all(),
            ReleaseRequest::Unreadable => Vec::new(),
        };
        Ok((!released.is_empty()).then_some(released))
    })
    .await
}

/// The run that may begin changes without knowing of a hold that was set before this call; none if
/// there is no such run. One that did not renew its lease in time reads the holds before it goes on.
///
/// # Errors
/// When the lease can't be read.
pub(crate) async fn under_way<S: Store>(
    store: &S,
    stack: &StackName,
    times: LeaseTimes,
) -> Result<Option<LeaseHolder>, LeaseError> {
    let holder = lease_holder_of(store, stack, times).await?;
    Ok(holder.filter(|holder| !holder.has_ended()))
}

/// Waits until such a run knows of the hold: it ended, or every renewal that counts began after the
/// hold was set (see [`crate::lease`]). Says whether it ended.
///
/// # Errors
/// When the lease can't be read.
pub(crate) async fn wait_for<C: Clock, S: Store>(
    clock: &C,
    store: &S,
    holder: &LeaseHolder,
    times: LeaseTimes,
) -> Result<bool, LeaseError> {
    let begun_ms = clock.monotonic_ms();
    loop {
        let now = lease_holder_of(store, &holder.stack, times).await?;
        // Who has it next took it after the hold was set, and reads the holds first.
        if now.is_none_or(|now| now.run != holder.run) {
            return Ok(true);
        }
        let left_ms = holder.begins_for_ms - clock.monotonic_ms().saturating_sub(begun_ms);
        let Ok(left_ms @ 1..) = u64::try_from(left_ms) else {
            return Ok(false);
        };
        clock.sleep_ms(left_ms.min(times.slice_ms())).await;
    }
}

/// Changes the stored list by a conditional write. `None` from `make`: nothing to write, unless the
/// list is to be replaced.
async fn change<S: Store, T: Default>(
    store: &S,
    stack: &StackName,
    now: Timestamp,
    replace: bool,
    make: impl Fn(&mut Holds) -> Result<Option<T>, HoldError>,
) -> Result<(Holds, T), HoldError> {
    for _ in 0..TRIES_MAX {
        let read = read_holds_to_change(store, stack).await;
        let read = read.map_err(StateStoreError::from)?;
        let (mut holds, is_replaced) = match read.holds {
            Ok(holds) => (holds, false),
            Err(source) if replace && !source.is_newer() => (Holds::default(), true),
            Err(source) => return Err(HoldError::of(stack, source)),
        };
        let made = make(&mut holds)?;
        if made.is_none() && !is_replaced {
            return Ok((holds, T::default()));
        }
        holds.trim(now);
        let bytes = Bytes::from(holds.encode().map_err(StateStoreError::from)?);
        let key = Keys::of(stack).hold;
        let put = store.put(&key, bytes, read.condition).await;
        if let PutOutcome::Written(_) = put.map_err(StateStoreError::from)? {
            tell_checks(store, stack, &holds, now).await;
            return Ok((holds, made.unwrap_or_default()));
        }
    }
    let stack = stack.clone();
    Err(HoldError::Contended { stack })
}

/// Notes the hold in `watch.json`. A check that finds nothing wrong does not look for holds, and so
/// would not say when this one ends. Failing to note it fails nothing; a check that finds something
/// wrong looks anyway.
async fn tell_checks<S: Store>(store: &S, stack: &StackName, holds: &Holds, now: Timestamp) {
    // The next check says that it can't be read, and looks for holds.
    let read = read_watch(store, stack).await.ok();
    if let Some(before) = read.filter(|before| before.fault.is_none()) {
        let watch = before.watch.clone().knowing_of(holds, now);
        let _ = write_watch(store, stack, before, &watch).await;
    }
}
