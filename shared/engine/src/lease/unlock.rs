//! Taking a lease away: a person says that its holder is gone, or must stop.

use kedge_core::model::{StackName, Timestamp};
use kedge_core::state;
use kedge_core::stored::lease as stored;
use kedge_core::stored::run::RunRecord;

use super::read::read_lease;
use super::write::not_written;
use super::{Holder, Lease, LeaseError, LeaseHolder, LeaseTimes, TRIES, nonce};
use crate::keys::Keys;
use crate::ports::{Clock, Condition, ETag, PutOutcome, Random, Store, StoreError, StoredObject};

/// S3 says times in whole seconds, cut off.
const CUT_MS: i64 = 1_000;

/// Who holds the lease of a stack; none if nobody does. One that ended and was not released is
/// held still: by somebody who is probably gone.
///
/// # Errors
/// When the store can't say.
pub(crate) async fn lease_holder_of<S: Store>(
    store: &S,
    stack: &StackName,
    times: LeaseTimes,
) -> Result<Option<LeaseHolder>, LeaseError> {
    let found = read_lease(store, stack).await?;
    Ok(found
        .filter(|(lease, _)| !lease.released)
        .map(|(lease, object)| LeaseHolder::of(&lease, &object, times)))
}

/// Takes the lease from this holder and gives it free. Its renewals fail from then on, and it
/// begins nothing more. That may take half a lease: so long the holder may begin changes after its
/// last renewal, and nobody else may meanwhile.
///
/// # Errors
/// When another run holds it now, or the store can't say.
pub(crate) async fn unlock<P: Clock + Random, S: Store>(
    ports: &P,
    store: &S,
    from: &LeaseHolder,
    by: &Holder,
    times: LeaseTimes,
) -> Result<(), LeaseError> {
    let stack = &from.stack;
    let taking = Taking::new(ports, store, stack, by, times);
    let mut problem = None;
    for _ in 0..=TRIES {
        let Some((found, object)) = read_lease(store, stack).await? else {
            return Ok(());
        };
        if found.released {
            return Ok(());
        }
        if found.nonce != from.nonce && found.nonce != taking.nonce {
            let held = LeaseHolder::of(&found, &object, times);
            return Err(LeaseError::Held(Box::new(held)));
        }
        // Ours already: an attempt was written and its answer lost. Its epoch stays.
        let step = u64::from(found.nonce != taking.nonce);
        let epoch = found.epoch.saturating_add(step);
        // What its holder may still begin ends this long after its last renewal.
        let fresh_ms = times.fresh_ms.max(found.lease_ms / 2);
        let until = object.written_at.plus_ms(fresh_ms + CUT_MS);
        let lease = taking.lease(epoch, found.renewed.saturating_add(1));
        match taking.give_free(lease, object.etag, |_| until).await? {
            Took::All => return Ok(()),
            Took::Nothing(source) => problem = source.or(problem),
        }
    }
    Err(taking.failed(problem))
}

/// Writes a lease over one that can't be read, and gives it free.
///
/// Whoever held that one is not known, nor its epoch. It can't renew any longer, and begins nothing
/// half a lease after a last renewal that was earlier than this write; so long nobody else may. The
/// new epoch is above those that state, its copies and the records of runs tell. Runs that left no
/// trace there may have had greater ones; state does not go back even then: a run that finds a state
/// of its own epoch or a greater one changes nothing, and the next begins above that.
///
/// # Errors
/// When it can be read and another run holds it, a newer program wrote it, or the store can't say.
pub(crate) async fn replace<P: Clock + Random, S: Store>(
    ports: &P,
    store: &S,
    stack: &StackName,
    by: &Holder,
    times: LeaseTimes,
) -> Result<(), LeaseError> {
    let taking = Taking::new(ports, store, stack, by, times);
    let mut problem = None;
    for _ in 0..=TRIES {
        let object = taking.of_store(store.get(&taking.key).await)?;
        let Some(object) = object else {
            return Ok(());
        };
        let (epoch, renewed) = match stored::Lease::decode(&object.bytes, stack) {
            Ok(lease) if lease.released => return Ok(()),
            // An attempt was written and its answer lost.
            Ok(lease) if lease.nonce == taking.nonce => {
                (lease.epoch, lease.renewed.saturating_add(1))
            }
            Ok(lease) => {
                let held = LeaseHolder::of(&lease, &object, times);
                return Err(LeaseError::Held(Box::new(held)));
            }
            Err(source) if source.is_newer() => {
                let stack = stack.clone();
                return Err(LeaseError::Decode { stack, source });
            }
            Err(_) => {
                let known = taking.of_store(known_epoch(store, stack).await)?;
                (known.saturating_add(1), 0)
            }
        };
        let lease = taking.lease(epoch, renewed);
        let until = |written_at: Timestamp| written_at.plus_ms(times.fresh_ms + CUT_MS);
        match taking.give_free(lease, object.etag, until).await? {
            Took::All => return Ok(()),
            Took::Nothing(source) => problem = source.or(problem),
        }
    }
    Err(taking.failed(problem))
}

/// The highest epoch that state, its newest copy and the newest record of a run tell of; 0 where none
/// can be read.
async fn known_epoch<S: Store>(store: &S, stack: &StackName) -> Result<u64, StoreError> {
    let keys = Keys::of(stack);
    let of_state = |bytes: &[u8]| state::decode(bytes, stack).ok().map(|state| state.epoch);
    let current = store.get(&keys.state).await?;
    let current = current.and_then(|object| of_state(&object.bytes));
    let copy = newest(store, &keys.history).await?;
    let copy = copy.and_then(|object| of_state(&object.bytes));
    let run = newest(store, &keys.runs).await?;
    let run = run.and_then(|object| RunRecord::decode(&object.bytes).ok());
    let found = [current, copy, run.map(|run| run.epoch)];
    Ok(found.into_iter().flatten().max().unwrap_or_default())
}

/// The object with the last of the keys that begin like this.
async fn newest<S: Store>(store: &S, prefix: &str) -> Result<Option<StoredObject>, StoreError> {
    match store.list(prefix).await?.pop() {
        Some(key) => store.get(&key).await,
        None => Ok(None),
    }
}

/// A person takes a lease to give it free.
struct Taking<'a, P, S> {
    ports: &'a P,
    store: &'a S,
    stack: &'a StackName,
    by: &'a Holder,
    times: LeaseTimes,
    key: String,
    nonce: String,
}

/// What became of an attempt.
enum Took {
    /// It was taken and given free.
    All,
    /// It moved meanwhile, or nobody can say: the next look tells.
    Nothing(Option<StoreError>),
}

impl<'a, P: Clock + Random, S: Store> Taking<'a, P, S> {
    fn new(
        ports: &'a P,
        store: &'a S,
        stack: &'a StackName,
        by: &'a Holder,
        times: LeaseTimes,
    ) -> Self {
        Self {
            ports,
            store,
            stack,
            by,
            times,
            key: Keys::of(stack).lease,
            nonce: nonce(ports),
        }
    }

    fn lease(&self, epoch: u64, renewed: u64) -> stored::Lease {
        stored::Lease {
            epoch,
            renewed,
            ..self.by.lease(self.stack, self.times, self.nonce.clone())
        }
    }

    /// Writes the lease over this version, keeps it until the store's time that `until` makes of the
    /// time of that write, and releases it.
    async fn give_free(
        &self,
        lease: stored::Lease,
        over: ETag,
        until: impl Fn(Timestamp) -> Timestamp,
    ) -> Result<Took, LeaseError> {
        let began = super::Moment::now(self.ports);
        let bytes = lease.encode()?.into();
        let version = match self.store.put(&self.key, bytes, Condition::Is(over)).await {
            Ok(PutOutcome::Written(version)) => version,
            // It was renewed, released or taken over meanwhile.
            Ok(PutOutcome::Conflict) => return Ok(Took::Nothing(None)),
            Err(source) => return Ok(Took::Nothing(Some(source))),
        };
        let lease = Lease::held(self.ports, self.store, self.times, lease, &version, began);
        let wait_ms = until(version.written_at).ms_since(version.written_at);
        if let Ok(wait_ms @ 1..) = u64::try_from(wait_ms) {
            lease.keep(self.ports.sleep_ms(wait_ms)).await;
        }
        lease.release().await?;
        Ok(Took::All)
    }

    fn of_store<T>(&self, result: Result<T, StoreError>) -> Result<T, LeaseError> {
        result.map_err(|source| self.failed(Some(source)))
    }

    fn failed(&self, problem: Option<StoreError>) -> LeaseError {
        not_written(self.stack, problem)
    }
}
