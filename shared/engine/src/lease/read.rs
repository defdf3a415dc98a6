//! Whose the lease is, by what is stored and by the store's time.

use kedge_core::model::{StackName, Timestamp};
use kedge_core::stored::lease as stored;

use super::{LeaseError, LeaseHolder, LeaseTimes, Moment};
use crate::keys::Keys;
use crate::ports::{Clock, Condition, ETag, Store, StoredObject, Version};

/// Whose the lease is before it is taken.
#[derive(Debug)]
pub(super) enum LeaseState {
    /// This taker's: an earlier attempt was written, and its answer lost.
    Ours(Version),
    /// Nobody's.
    Free(FreeLease),
}

/// A lease that nobody has: the highest epoch there was, and the condition of taking it.
#[derive(Debug)]
pub(crate) struct FreeLease {
    pub(super) epoch: u64,
    pub(super) condition: Condition,
}

/// Looks whose the lease is; waits only where the store does not say the time, and not beyond `until_ms`.
pub(super) async fn lease_state<P: Clock, S: Store>(
    ports: &P,
    store: &S,
    stack: &StackName,
    times: LeaseTimes,
    nonce: &str,
    until_ms: i64,
) -> Result<LeaseState, LeaseError> {
    let mut watched: Option<(ETag, Moment)> = None;
    loop {
        let Some((lease, object)) = read_lease(store, stack).await? else {
            let condition = Condition::Absent;
            return Ok(LeaseState::Free(FreeLease {
                epoch: 0,
                condition,
            }));
        };
        if lease.nonce == nonce {
            let (etag, written_at) = (object.etag, object.written_at);
            return Ok(LeaseState::Ours(Version { etag, written_at }));
        }
        let over_ms = lease.lease_ms.saturating_add(times.grace_ms);
        let is_free = lease.released
            || match (object.read_at, &watched) {
                (Some(now), _) => now.ms_since(object.written_at) >= over_ms,
                (None, Some((etag, since))) => {
                    *etag == object.etag && since.monotonic_age_ms(ports) >= over_ms
                }
                (None, None) => false,
            };
        if is_free {
            return Ok(LeaseState::Free(FreeLease {
                epoch: lease.epoch,
                condition: Condition::Is(object.etag),
            }));
        }
        let is_renewed = watched
            .as_ref()
            .is_some_and(|(etag, _)| *etag != object.etag);
        if object.read_at.is_some() || is_renewed || ports.monotonic_ms() >= until_ms {
            let held = LeaseHolder::of(&lease, &object, times);
            return Err(LeaseError::Held(Box::new(held)));
        }
        watched.get_or_insert_with(|| (object.etag, Moment::now(ports)));
        ports.sleep_ms(times.slice_ms()).await;
    }
}

/// The lease as a run may take it, if it is free by what is stored now. What can't be read is looked at
/// again by whoever takes it.
pub(crate) async fn free_lease<S: Store>(
    store: &S,
    stack: &StackName,
    times: LeaseTimes,
) -> Option<FreeLease> {
    let Some((lease, object)) = read_lease(store, stack).await.ok()? else {
        let condition = Condition::Absent;
        return Some(FreeLease {
            epoch: 0,
            condition,
        });
    };
    let over_ms = lease.lease_ms.saturating_add(times.grace_ms);
    let is_over = |now: Timestamp| now.ms_since(object.written_at) >= over_ms;
    let is_free = lease.released || object.read_at.is_some_and(is_over);
    is_free.then_some(FreeLease {
        epoch: lease.epoch,
        condition: Condition::Is(object.etag),
    })
}

/// Reads the lease of a stack.
pub(super) async fn read_lease<S: Store>(
    store: &S,
    stack: &StackName,
) -> Result<Option<(stored::Lease, StoredObject)>, LeaseError> {
    let object = store.get(&Keys::of(stack).lease).await;
    let object = object.map_err(|source| LeaseError::Store {
        stack: stack.clone(),
        source,
    })?;
    let Some(object) = object else {
        return Ok(None);
    };
    let lease =
        stored::Lease::decode(&object.bytes, stack).map_err(|source| LeaseError::Decode {
            stack: stack.clone(),
            source,
        })?;
    Ok(Some((lease, object)))
}
