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
mod standing;
mod unlock;

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::pin::pin;
use std::rc::Rc;

use bytes::Bytes;
use futures_util::future::{Either, pending, select};
use futures_util::lock::Mutex;
use kedge_core::model::{ResourceKey, StackName, Timestamp};
use kedge_core::stored::lease as stored;

pub use self::error::{LeaseError, LeaseHolder, Pulse};
pub(crate) use self::known_holds::HoldStop;
pub(crate) use self::open_run::open_run;
pub(crate) use self::permit::Permit;
pub(crate) use self::unlock::{lease_holder_of, replace, unlock};

use self::known_holds::{HOLDS_UNREAD, KnownHolds};
use self::permit::Moment;
pub(crate) use self::standing::{FreeLease, free_lease};
use self::standing::{LeaseState, read_lease, standing};
use crate::error_chain::error_chain;
use crate::keys::Keys;
use crate::ports::{Clock, Condition, ETag, PutOutcome, Random, Store, StoreError, Version};

/// How often a write of the lease is tried again after its answer was lost or it was outrun.
const TRIES: usize = 3;

/// How long a lease lasts and how it is kept. All who share a store use the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseTimes {
    /// How long it lasts after each write, in milliseconds.
    pub lease_ms: i64,
    /// How often it is renewed.
    pub renew_ms: i64,
    /// How long after its end it may be taken over.
    pub grace_ms: i64,
    /// How long after the beginning of the last acknowledged renewal a change may be begun.
    pub fresh_ms: i64,
    /// A renewal that began less than this ago is "right before": R2 takes one write a second per
    /// key.
    pub moment_ms: i64,
}

impl Default for LeaseTimes {
    fn default() -> Self {
        Self::of_seconds(60)
    }
}

impl LeaseTimes {
    /// All times for a lease that lasts so many seconds (at least one): renewed after a quarter,
    /// good for beginning a change for half, taken over half a lease after its end.
    #[must_use]
    pub fn of_seconds(seconds: u32) -> Self {
        let lease_ms = i64::from(seconds.max(1)) * 1000;
        Self {
            lease_ms,
            renew_ms: lease_ms / 4,
            grace_ms: lease_ms / 2,
            fresh_ms: lease_ms / 2,
            moment_ms: lease_ms / 60,
        }
    }

    /// How often it is looked whether a renewal is due.
    pub(crate) fn slice_ms(&self) -> u64 {
        u64::try_from(self.renew_ms / 5).unwrap_or_default().max(1)
    }
}

/// For whom a lease is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Who, and where: `ana@laptop`, a CI actor.
    pub actor: String,
    /// The run.
    pub run: String,
}

impl Holder {
    /// `ana@laptop (run 1795348800000-0badcafe)`.
    fn says(actor: &str, run: &str) -> String {
        format!("{actor} (run {run})")
    }
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
    /// Whether the store said them when it was last asked.
    holds_said: Cell<bool>,
    /// After this nothing is begun, and so nothing is waited for (semantics 8.10).
    until_ms: i64,
}

/// The lease as we last wrote it.
#[derive(Debug)]
struct Written {
    lease: stored::Lease,
    etag: ETag,
}

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
        let mut lease = stored::Lease {
            stack: stack.clone(),
            epoch: 0,
            actor: holder.actor.clone(),
            run: holder.run.clone(),
            nonce: format!("{:016x}", ports.next_u64()),
            lease_ms: times.lease_ms,
            since: None,
            renewed: 0,
            released: false,
        };
        // The first attempt of ours: whichever was written, it began no earlier.
        let mut first = None;
        let mut problem = None;
        for _ in 0..=TRIES {
            let standing = match known.take() {
                // Taking it is conditional on what was read: an older look is as good as a new one.
                Some(free) => LeaseState::Free(free),
                None => standing(ports, store, stack, times, &lease.nonce, until_ms).await?,
            };
            let (version, began) = match standing {
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
        Err(LeaseError::Store {
            stack: stack.clone(),
            source: problem.unwrap_or_else(|| outrun(&Keys::of(stack).lease)),
        })
    }

    fn held(
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
            holds_said: Cell::new(true),
            until_ms: i64::MAX,
        }
    }

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

    /// Does this work and renews the lease beside it.
    pub(crate) async fn keep<T>(&self, work: impl Future<Output = T>) -> T {
        match select(pin!(work), pin!(self.renew_on())).await {
            Either::Left((done, _)) => done,
            Either::Right((never, _)) => match never {},
        }
    }

    async fn renew_on(&self) -> Infallible {
        loop {
            self.ports.sleep_ms(self.times.slice_ms()).await;
            if self.permit.has_ended() {
                return pending().await;
            }
            if self.permit.age_ms(self.ports) >= self.times.renew_ms {
                // One that fails, or can't read the holds, is tried again in a moment; the permit
                // grows stale by itself.
                let _ = self.renew().await;
            }
        }
    }

    /// Renews it, if the last renewal began longer ago than this, whether that counts or not.
    pub(crate) async fn renewed_within(&self, ms: i64) -> Result<(), LeaseError> {
        match self.renewed.get().age_ms(self.ports) < ms && !self.permit.has_ended() {
            true => Ok(()),
            false => self.renew().await.map(|_| ()),
        }
    }

    /// Renews it, if the last renewal that counts began longer ago than this, until one does: a change
    /// that can't be taken back may be begun then. Gives up when the lease must have run out.
    ///
    /// # Errors
    /// With why not.
    pub(crate) async fn counts_within(&self, ms: i64) -> Result<(), String> {
        loop {
            if self.permit.age_ms(self.ports) < ms && !self.permit.has_ended() {
                return Ok(());
            }
            match self.renew().await {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(error) => return Err(error_chain(&error)),
            }
            if self.permit.has_run_out(self.ports) || self.is_out_of_time() {
                return Err(HOLDS_UNREAD.to_owned());
            }
            self.ports.sleep_ms(self.times.slice_ms()).await;
        }
    }

    /// Renews it, and says whether that counts: the holds were read after it.
    async fn renew(&self) -> Result<bool, LeaseError> {
        let mut written = self.written.lock().await;
        let mut problem = None;
        for _ in 0..TRIES {
            written.lease.renewed = written.lease.renewed.saturating_add(1);
            let began = Moment::now(self.ports);
            match self.write(&mut written).await? {
                Wrote::Ours => {
                    self.renewed.set(began);
                    let counts = self.read_holds().await;
                    if counts {
                        self.permit.renewed(began);
                    }
                    return Ok(counts);
                }
                // An earlier write of ours landed late; its version is known now.
                Wrote::Earlier => {}
                Wrote::Unknown(source) => problem = Some(source),
            }
        }
        Err(self.failed(problem))
    }

    /// Writes the lease as it is in `written`, and finds out what became of it.
    async fn write(&self, written: &mut Written) -> Result<Wrote, LeaseError> {
        let bytes = Bytes::from(written.lease.encode()?);
        let condition = Condition::Is(written.etag.clone());
        let problem = match self.store.put(&self.key, bytes, condition).await {
            Ok(PutOutcome::Written(version)) => {
                written.etag = version.etag;
                let now = self.ports.monotonic_ms();
                self.store_time.set((version.written_at, now));
                return Ok(Wrote::Ours);
            }
            Ok(PutOutcome::Conflict) => None,
            Err(source) => Some(source),
        };
        let stack = &self.stack;
        let object = match self.store.get(&self.key).await {
            Ok(object) => object,
            Err(source) => return Ok(Wrote::Unknown(source)),
        };
        let Some(object) = object else {
            return Err(self.lost("an unknown run: lease.json is gone".to_owned()));
        };
        let found = match stored::Lease::decode(&object.bytes, stack) {
            Ok(found) => found,
            Err(source) => {
                self.permit.end("the lease can't be read");
                let stack = stack.clone();
                return Err(LeaseError::Decode { stack, source });
            }
        };
        if found.nonce != written.lease.nonce {
            let by = Holder::says(&found.actor, &found.run);
            return Err(self.lost(by));
        }
        written.etag = object.etag;
        self.store_time
            .set((object.written_at, self.ports.monotonic_ms()));
        Ok(match (found == written.lease, problem) {
            (true, _) => Wrote::Ours,
            (false, None) => Wrote::Earlier,
            (false, Some(source)) => Wrote::Unknown(source),
        })
    }

    fn lost(&self, by: String) -> LeaseError {
        let stack = self.stack.clone();
        let error = LeaseError::Lost { stack, by };
        self.permit.end(&error.to_string());
        error
    }

    fn failed(&self, problem: Option<StoreError>) -> LeaseError {
        LeaseError::Store {
            stack: self.stack.clone(),
            source: problem.unwrap_or_else(|| outrun(&self.key)),
        }
    }

    /// Reads what is held before anything is begun, again and again until the store says it. Gives up
    /// when the lease must have run out.
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

    /// Reads what is held (semantics 6.8). False: the store could not say, and what was known before
    /// stays.
    async fn read_holds(&self) -> bool {
        let read = KnownHolds::read(self.store, &self.stack).await;
        let is_read = read.is_some();
        self.holds_said.set(is_read);
        if let Some(known) = read {
            self.holds.replace(known);
        }
        is_read
    }

    /// Why no renewal counts any longer, where it is not for want of the lease.
    fn why_not_renewed(&self, reason: String) -> String {
        match self.holds_said.get() || self.permit.has_ended() {
            true => reason,
            false => HOLDS_UNREAD.to_owned(),
        }
    }

    /// Why nothing may be begun about a resource, if it is held. What can't be read holds everything.
    pub(crate) fn held_back(&self, key: &ResourceKey) -> Option<HoldStop> {
        self.holds.borrow().hold_back(key, self.store_now())
    }

    /// Gives it back, if it is still ours.
    ///
    /// # Errors
    /// When the store can't say; the lease ends by itself then.
    pub(crate) async fn release(self) -> Result<(), LeaseError> {
        let mut written = self.written.lock().await;
        self.permit.end("the lease was released");
        written.lease.released = true;
        let mut problem = None;
        for _ in 0..TRIES {
            // A write that was not made and lands late must not undo this one.
            written.lease.renewed = written.lease.renewed.saturating_add(1);
            match self.write(&mut written).await {
                // Whoever took it over has nothing to be given.
                Ok(Wrote::Ours) | Err(LeaseError::Lost { .. }) => return Ok(()),
                Ok(Wrote::Earlier) => {}
                Ok(Wrote::Unknown(source)) => problem = Some(source),
                Err(error) => return Err(error),
            }
        }
        Err(self.failed(problem))
    }
}

/// What became of a write of the lease.
#[derive(Debug)]
enum Wrote {
    /// It stands.
    Ours,
    /// An earlier one of ours stands.
    Earlier,
    /// Nobody can say, or it was not made.
    Unknown(StoreError),
}

/// Others wrote it each time.
fn outrun(key: &str) -> StoreError {
    StoreError::Write {
        key: key.to_owned(),
        reason: "somebody else wrote it each time".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_parts_of_a_lease() {
        for (seconds, lease, renew, half, moment, slice) in [
            (60, 60_000, 15_000, 30_000, 1_000, 3_000),
            (4, 4_000, 1_000, 2_000, 66, 200),
            // The shortest there is.
            (1, 1_000, 250, 500, 16, 50),
            (0, 1_000, 250, 500, 16, 50),
        ] {
            let times = LeaseTimes::of_seconds(seconds);
            assert_eq!(times.lease_ms, lease);
            assert_eq!(times.renew_ms, renew);
            assert_eq!((times.grace_ms, times.fresh_ms), (half, half));
            assert_eq!(times.moment_ms, moment);
            assert_eq!(times.slice_ms(), slice);
        }
        assert_eq!(LeaseTimes::default(), LeaseTimes::of_seconds(60));
    }
}
