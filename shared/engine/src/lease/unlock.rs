//! Taking a lease away: a person says that its holder is gone, or must stop.

use kedge_core::model::StackName;
use kedge_core::stored::lease as stored;

use super::{HeldBy, Holder, Lease, LeaseError, LeaseTimes, TRIES, outrun, read_lease};
use crate::memory::Keys;
use crate::ports::{Clock, Condition, PutOutcome, Random, Store};

/// S3 says times in whole seconds, cut off.
const CUT_MS: i64 = 1_000;

/// Who holds the lease of a stack; none if nobody does. One that ended and was not released is
/// held still: by somebody who is probably gone.
///
/// # Errors
/// When the store can't say.
pub async fn holder_of<S: Store>(
    store: &S,
    stack: &StackName,
    times: LeaseTimes,
) -> Result<Option<HeldBy>, LeaseError> {
    let found = read_lease(store, stack).await?;
    Ok(found
        .filter(|(lease, _)| !lease.released)
        .map(|(lease, object)| HeldBy::of(&lease, &object, times)))
}

/// Takes the lease from this holder and gives it free. Its renewals fail from then on, and it
/// begins nothing more. That may take half a lease: so long the holder may begin changes after its
/// last renewal, and nobody else may meanwhile.
///
/// # Errors
/// When another run holds it now, or the store can't say.
pub async fn unlock<P: Clock + Random, S: Store>(
    ports: &P,
    store: &S,
    from: &HeldBy,
    by: &Holder,
    times: LeaseTimes,
) -> Result<(), LeaseError> {
    let stack = &from.stack;
    let key = Keys::of(stack).lease;
    let nonce = format!("{:016x}", ports.next_u64());
    let mut problem = None;
    for _ in 0..=TRIES {
        let Some((standing, object)) = read_lease(store, stack).await? else {
            return Ok(());
        };
        if standing.released {
            return Ok(());
        }
        if standing.nonce != from.nonce && standing.nonce != nonce {
            let held = HeldBy::of(&standing, &object, times);
            return Err(LeaseError::Held(Box::new(held)));
        }
        // Ours already: an attempt was written and its answer lost. Its epoch stays.
        let epoch = standing.epoch + u64::from(standing.nonce != nonce);
        let lease = stored::Lease {
            epoch,
            actor: by.actor.clone(),
            run: by.run.clone(),
            nonce: nonce.clone(),
            lease_ms: times.lease_ms,
            since: None,
            renewed: standing.renewed + 1,
            released: false,
            stack: stack.clone(),
        };
        let began = super::Moment::now(ports);
        let condition = Condition::Is(object.etag);
        match store.put(&key, lease.encode()?.into(), condition).await {
            Ok(PutOutcome::Written(version)) => {
                // What its holder may still begin ends this long after its last renewal.
                let fresh_ms = times.fresh_ms.max(standing.lease_ms / 2);
                let until = object.written_at.plus_ms(fresh_ms + CUT_MS);
                let lease = Lease::held(ports, store, times, lease, &version, began);
                let wait_ms = until.ms_since(version.written_at);
                if let Ok(wait_ms @ 1..) = u64::try_from(wait_ms) {
                    lease.keep(ports.sleep_ms(wait_ms)).await;
                }
                return lease.release().await;
            }
            // It was renewed, released or taken over meanwhile: the next look tells.
            Ok(PutOutcome::Conflict) => {}
            Err(source) => problem = Some(source),
        }
    }
    Err(LeaseError::Store {
        stack: stack.clone(),
        source: problem.unwrap_or_else(|| outrun(&key)),
    })
}
