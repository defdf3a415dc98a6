//! Taking a lease: point 1 of the protocol in `mod.rs`. Whose it is until then, `read.rs` says.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use bytes::Bytes;
use futures_util::lock::Mutex;
use kedge_core::model::StackName;
use kedge_core::stored::lease as stored;

use super::permit::Moment;
use super::read::{FreeLease, LeaseState, lease_state};
use super::write::{Written, not_written};
use super::{Holder, Lease, LeaseError, LeaseTimes, Permit, TRIES, nonce};
use crate::keys::Keys;
use crate::ports::{Clock, PutOutcome, Random, Store, Version};

/// A lease that is to be taken.
pub(crate) struct WantedLease<'b> {
    /// Of which stack.
    pub(crate) stack: &'b StackName,
    /// By whom.
    pub(crate) holder: &'b Holder,
    /// How it is kept.
    pub(crate) times: LeaseTimes,
    /// The epoch that state bears: the new one is above it, even if `lease.json` was lost.
    pub(crate) epoch_floor: u64,
    /// The lease as it was read before and was free.
    pub(crate) known: Option<FreeLease>,
    /// Until when it is waited for.
    pub(crate) until_ms: i64,
}

impl<'a, P: Clock + Random, S: Store> Lease<'a, P, S> {
    /// Takes the lease of a stack.
    ///
    /// # Errors
    /// When another run holds it, or the store can't say.
    pub(crate) async fn take(
        ports: &'a P,
        store: &'a S,
        wanted: WantedLease<'_>,
    ) -> Result<Self, LeaseError> {
        let WantedLease {
            stack,
            holder,
            times,
            epoch_floor,
            mut known,
            until_ms,
        } = wanted;
        let mut lease = holder.lease(stack, times, nonce(ports));
        // The first attempt of ours: whichever was written, it began no earlier.
        let mut first = None;
        let mut problem = None;
        for _ in 0..=TRIES {
            let state = match known.take() {
                // Taking it is conditional on what was read: an older look is as good as a new one.
                Some(free) => LeaseState::Free(free),
                None => lease_state(ports, store, stack, times, &lease.nonce, until_ms).await?,
            };
            let (version, began) = match state {
                LeaseState::Ours(version) => (version, first.unwrap_or_else(|| Moment::now(ports))),
                LeaseState::Free(FreeLease { epoch, condition }) => {
                    lease.epoch = epoch.max(epoch_floor).saturating_add(1);
                    let began = Moment::now(ports);
                    first.get_or_insert(began);
                    let bytes = Bytes::from(lease.encode()?);
                    match store.put(&Keys::of(stack).lease, bytes, condition).await {
                        Ok(PutOutcome::Written(version)) => (version, began),
                        // Another was first, or it was ourselves: the next look tells.
                        Ok(PutOutcome::Conflict) => continue,
                        Err(source) => {
                            problem = Some(source);
                            continue;
                        }
                    }
                }
            };
            let held = Self::held(ports, store, times, lease, &version, began);
            return Ok(Self { until_ms, ..held });
        }
        Err(not_written(stack, problem))
    }

    /// A lease that this version of the object in the store is, written by an attempt that began then.
    pub(super) fn held(
        ports: &'a P,
        store: &'a S,
        times: LeaseTimes,
        lease: stored::Lease,
        version: &Version,
        began: Moment,
    ) -> Self {
        let (epoch, stack) = (lease.epoch, lease.stack.clone());
        let (written_at, etag) = (version.written_at, version.etag.clone());
        let lease = stored::Lease {
            since: Some(written_at),
            ..lease
        };
        Self {
            ports,
            store,
            key: Keys::of(&stack).lease,
            stack,
            times,
            permit: Rc::new(Permit::new(times, began)),
            written: Mutex::new(Written { lease, etag }),
            epoch,
            store_time: Cell::new((written_at, ports.monotonic_ms())),
            renewed: Cell::new(began),
            holds: RefCell::default(),
            holds_are_read: Cell::new(true),
            until_ms: i64::MAX,
        }
    }
}
