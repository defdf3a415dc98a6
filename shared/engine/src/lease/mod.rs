//! The lease: who may change a stack now.
//!
//! # Protocol (semantics 8.4 to 8.6)
//!
//! One object, `lease.json`. Every write of it is conditional on the version before, so that of two
//! writers one loses. Its times are the store's alone: it lasts [`LeaseTimes::lease_ms`] from the
//! moment the store says it was written.
//!
//! 1. **Take.** Read it. If there is none, it is released, or it ended more than a grace ago, write
//!    it with the next epoch. Else say who holds it. Where a store does not say the time with a
//!    read, a lease has ended when we watched one version of it for lease and grace by our own
//!    monotonic clock.
//! 2. **Read state again.** What was planned before the lease was held counts only if state did not
//!    move. The first write of state bears the epoch and what is about to begin.
//! 3. **Renew** beside the work, and right before each destructive change. Each renewal also reads
//!    the holds, and counts only once they are read: what is begun later than half a lease after a
//!    hold was set is begun by a run that knows of it. Where they can't be read it keeps the lease and
//!    no more: changes wait for the next one.
//! 4. **Each attempt** to send a change first asks the [`Permit`]: the last renewal that was
//!    acknowledged *began* less than [`LeaseTimes::fresh_ms`] ago, by wall and by monotonic clock.
//! 5. **Release** by writing `released`, under the same epoch. Epochs never fall.
//!
//! A write whose answer is lost is looked for: the nonce tells our own, the count of renewals tells
//! which. It counts from when it began, which is no later than when the store wrote it.
//!
//! # Guarantees
//!
//! **No two starts of a change overlap.** Let *b* be when the holder's last acknowledged renewal
//! began, and *w* when the store wrote it; *b ≤ w*. The holder starts attempts before *b* + 30 s
//! only. The lease object changes hands in three ways:
//!
//! - *takeover*: not before *w* + 60 s + 30 s, since any renewal that was written later is another
//!   version and the takeover's condition fails;
//! - *release*: the holder starts nothing after it;
//! - *unlock* by a person: takes it at any time, but gives it free only after *w* + 30 s. Where
//!   the lease can't be read, *w* is not known, and it is given free 30 s after the taking, which is
//!   later.
//!
//! So the next holder exists only after the last start of the one before. A renewal that was under
//! way meanwhile either was written first, and then the takeover lost and looked again, or its
//! condition fails: it can't lengthen what another holds.
//!
//! **State has one writer.** Each write of state is conditional on the one before, and made only
//! under a lease that is fresh or was just renewed. A holder that slept through its lease may still
//! have one such write under way. If it lands before the next holder's first, that one fails
//! and nothing was begun; if after, it fails itself. Either way no record is overwritten unread.
//!
//! # Assumptions
//!
//! A conditional write is atomic. The store's clocks agree with each other, and at least one of the
//! runner's two clocks counts the time that passes, to within some seconds a minute. The wall clock
//! may be wrong or be set: only spans are taken from it. All who share a store use the same
//! [`LeaseTimes`].
//!
//! # Caveats
//!
//! A request that was started in time may land late: it is under way for up to 15 s, or longer in
//! some queue of the provider, and no fence reaches there. At most [`Session::CONCURRENCY`] are, and
//! the next check finds what they did. After a crash a stack can't be changed for up to 90 s,
//! unless somebody unlocks it.
//!
//! [`Session::CONCURRENCY`]: crate::session::Session::CONCURRENCY

mod error;
mod known_holds;
mod open_run;
mod permit;
mod read;
mod renew;
mod take;
mod times;
mod unlock;
mod write;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use futures_util::lock::Mutex;
use kedge_core::model::{ResourceKey, StackName, Timestamp};
use kedge_core::stored::lease as stored;

pub use self::error::{LeaseError, LeaseHolder, Pulse};
pub(crate) use self::known_holds::HoldStop;
pub(crate) use self::open_run::open_run;
pub(crate) use self::permit::Permit;
pub(crate) use self::read::{FreeLease, free_lease};
pub(crate) use self::take::WantedLease;
pub use self::times::LeaseTimes;
pub(crate) use self::unlock::{lease_holder_of, replace, unlock};

use self::known_holds::{HOLDS_UNREAD, KnownHolds};
use self::permit::Moment;
use self::write::Written;
use crate::ports::{Clock, Random, Store};

/// How often a write of the lease is tried again after its answer was lost or another write came first.
const TRIES: usize = 3;

/// For whom a lease is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Who, and where: `ana@laptop`, a CI actor.
    pub actor: String,
    /// The run.
    pub run: String,
}

impl Holder {
    /// The lease as this holder writes it first, below any epoch.
    fn lease(&self, stack: &StackName, times: LeaseTimes, nonce: String) -> stored::Lease {
        stored::Lease {
            stack: stack.clone(),
            epoch: 0,
            actor: self.actor.clone(),
            run: self.run.clone(),
            nonce,
            lease_ms: times.lease_ms,
            since: None,
            renewed: 0,
            released: false,
        }
    }
}

/// What tells our own writes of a lease from those of others.
fn nonce(ports: &impl Random) -> String {
    format!("{:016x}", ports.next_u64())
}

/// A lease that is held. Dropped without [`Lease::release`], as in a crash, it ends by itself.
#[derive(Debug)]
pub(crate) struct Lease<'a, P, S> {
    ports: &'a P,
    store: &'a S,
    stack: StackName,
    key: String,
    times: LeaseTimes,
    permit: Rc<Permit>,
    /// What a renewal writes. Locked while one is under way: one at a time.
    written: Mutex<Written>,
    epoch: u64,
    /// The store's time when the last write was acknowledged, and our monotonic time then.
    store_time: Cell<(Timestamp, i64)>,
    /// When the last write of it that was acknowledged began.
    renewed: Cell<Moment>,
    /// The holds as they were last read.
    holds: RefCell<KnownHolds>,
    /// Whether they could be read when it was last tried.
    holds_are_read: Cell<bool>,
    /// Nothing is begun after this time, and so nothing is waited for (semantics 8.10).
    until_ms: i64,
}

impl<P: Clock + Random, S: Store> Lease<'_, P, S> {
    /// The number of this holder.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// What each attempt to change something asks.
    pub(crate) fn permit(&self) -> &Rc<Permit> {
        &self.permit
    }

    /// The times it is kept by.
    pub(crate) fn times(&self) -> LeaseTimes {
        self.times
    }

    /// The store's time now, by what it said last and the time that passed since.
    pub(crate) fn store_now(&self) -> Timestamp {
        let (at, then) = self.store_time.get();
        at.plus_ms(self.ports.monotonic_ms().saturating_sub(then))
    }

    /// Reads the holds before anything is begun, again and again until the store answers. Gives up when
    /// the lease must have run out.
    pub(crate) async fn first_holds(&self) {
        while !self.read_holds().await && !self.permit.has_run_out(self.ports) {
            if self.is_out_of_time() {
                return;
            }
            self.ports.sleep_ms(self.times.slice_ms()).await;
        }
    }

    fn is_out_of_time(&self) -> bool {
        self.ports.monotonic_ms() >= self.until_ms
    }

    /// Waits until a change may be begun, while there is time to begin one.
    ///
    /// # Errors
    /// With why not.
    pub(crate) async fn may_begin(&self) -> Result<(), String> {
        let waited = self.permit.wait(self.ports, self.until_ms).await;
        waited.map_err(|reason| self.why_not_renewed(reason))
    }

    /// Reads the holds (semantics 6.8). False: they could not be read, and what was known before stays.
    async fn read_holds(&self) -> bool {
        let read = KnownHolds::read(self.store, &self.stack).await;
        let is_read = read.is_some();
        self.holds_are_read.set(is_read);
        if let Some(known) = read {
            self.holds.replace(known);
        }
        is_read
    }

    /// Why no renewal counts any longer: for this reason, or since the holds can't be read.
    fn why_not_renewed(&self, reason: String) -> String {
        match self.holds_are_read.get() || self.permit.has_ended() {
            true => reason,
            false => HOLDS_UNREAD.to_owned(),
        }
    }

    /// Why nothing may be begun about a resource, if it is held. What can't be read holds everything.
    pub(crate) fn held_back(&self, key: &ResourceKey) -> Option<HoldStop> {
        self.holds.borrow().hold_back(key, self.store_now())
    }
}
