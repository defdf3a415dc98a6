//! What one invocation may use: connections, requests and time. A shell makes one and hands it in.
//!
//! Every request passes here, once for each attempt: those to providers by [`Context::begin`], those to
//! the store by `budget/gated.rs`. What does not fit is found out before it is begun: a check promises each
//! scope the requests it needs ([`Budget::share_out`]), and a run each change ([`Budget::promise`]). A part
//! is held back for what must be written at the end ([`Reserve`]). How many are under way: `gate.rs`.
//!
//! [`Context::begin`]: crate::session::Context

mod gated;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use kedge_core::model::{Scope, StackName, Timestamp};
use kedge_core::ran_out::RanOut;
use thiserror::Error;

use crate::gate::{Gate, Permit, Reserved, Urgency};
use crate::keys::Keys;
use crate::ports::Clock;

pub(crate) use self::gated::Gated;

/// The longest that an adapter waits for a provider's answer.
const ANSWER_MS: i64 = 15_000;
/// A round trip to the store, on a slow day.
const STORE_ROUND_TRIP_MS: i64 = 500;
/// State is written at most this often: R2 takes one write a second per key.
pub(crate) const STATE_WRITE_EVERY_MS: i64 = 1_000;

/// What has to be asked and written at the end of a run, in requests.
mod closing {
    /// A renewal of the lease before the last write of state, and the holds with it.
    pub(super) const RENEWAL: u64 = 2;
    /// State, a last time.
    pub(super) const STATE: u64 = 1;
    /// The record of the run.
    pub(super) const RECORD: u64 = 1;
    /// Whether definitions or grants came meanwhile: an object, a list, and one of what it names.
    pub(super) const MOVED: u64 = 3;
    /// The lease, given back.
    pub(super) const RELEASE: u64 = 1;
    /// What checks remember.
    pub(super) const WATCH: u64 = 1;
    /// The registry, read and written, where a stack is retired.
    pub(super) const REGISTRY: u64 = 2;
    /// What people are told, and once more if that fails.
    pub(super) const ALERT: u64 = 2;
    /// All of it.
    pub(super) const ALL: u64 =
        RENEWAL + STATE + RECORD + MOVED + RELEASE + WATCH + REGISTRY + ALERT;
    /// Second looks at what was written, where an answer is lost: state, record, lease.
    pub(super) const LOST_ANSWERS: u64 = 3;
}

/// How long the end of a run may take: state waits for its turn, then one request after the other.
#[expect(clippy::cast_possible_wrap, reason = "a small constant")]
const CLOSING_MS: i64 = STATE_WRITE_EVERY_MS + STORE_ROUND_TRIP_MS * (closing::ALL as i64);

/// How long before its deadline a run sends its last request to a provider. The answer may be late,
/// and what it says must be recorded, and the lease given back.
pub const LAST_REQUEST_BEFORE_DEADLINE_MS: i64 = ANSWER_MS + CLOSING_MS;

/// What is held back of the requests, for what comes after those that are counted now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reserve {
    /// A check reads.
    Check,
    /// A run reads that may take the lease and change something.
    Up,
    /// A run under the lease makes its changes.
    Changes,
}

impl Reserve {
    pub(crate) const fn requests(self) -> u64 {
        /// State again, the holds, and who has the lease.
        const AFTER_READING: u64 = 3;
        /// The lease taken (2), state again, holds, a grant used, the record of a run that broke off, a
        /// first state, its copy, and what begins.
        const OPENING: u64 = 9;
        const CHANGES: u64 = closing::ALL + closing::LOST_ANSWERS;
        match self {
            Self::Check => AFTER_READING + closing::WATCH + closing::ALERT,
            Self::Up => AFTER_READING + OPENING + CHANGES,
            Self::Changes => CHANGES,
        }
    }
}

/// A run can't work with so few connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "a run needs at least {} connections, one for its lease and one for everything else; it was given \
     {given}",
    Gate::PERMITS_MIN
)]
pub struct TooFewConnections {
    /// How many were given.
    pub given: usize,
}

/// What one invocation may use. Clones are handles to the same one.
#[derive(Debug, Clone)]
pub struct Budget {
    inner: Rc<Inner>,
    /// What is held back for the operation that this handle is for.
    share: Rc<Share>,
}

/// What one operation holds back, as long as it lasts. Those of operations side by side add up.
#[derive(Debug)]
struct Share {
    inner: Rc<Inner>,
    requests: Cell<u64>,
}

impl Share {
    fn none(inner: &Rc<Inner>) -> Rc<Self> {
        Rc::new(Self {
            inner: Rc::clone(inner),
            requests: Cell::default(),
        })
    }

    fn set(&self, requests: u64) {
        let held_back = &self.inner.held_back;
        let others = held_back.get().saturating_sub(self.requests.get());
        held_back.set(others.saturating_add(requests));
        self.requests.set(requests);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[derive(Debug)]
struct Inner {
    gate: Gate,
    deadline: Timestamp,
    /// The same by the monotonic clock, which counts: the other may be set while the run works.
    ends_ms: i64,
    limit: Option<u64>,
    spent: Cell<u64>,
    /// Of what is left, what was promised to reads and changes under way.
    promised: Cell<u64>,
    held_back: Cell<u64>,
}

impl Budget {
    /// The connections of a runner whose platform sets no limit.
    pub const CONNECTIONS: usize = 32;

    /// A budget without a limit of requests, for an invocation that must have ended so many milliseconds
    /// from now.
    #[must_use]
    pub fn lasting(clock: &impl Clock, ms: i64) -> Self {
        let ends_ms = clock.monotonic_ms().saturating_add(ms);
        Self::of(clock.now().plus_ms(ms), ends_ms, None, Self::CONNECTIONS)
    }

    /// For tests without a clock: one that ends when both clocks say this.
    #[cfg(test)]
    pub(crate) fn ending_at(ms: i64) -> Self {
        Self::of(Timestamp(ms), ms, None, Self::CONNECTIONS)
    }

    fn of(deadline: Timestamp, ends_ms: i64, limit: Option<u64>, connections: usize) -> Self {
        let inner = Rc::new(Inner {
            gate: Gate::new(connections),
            deadline,
            ends_ms,
            limit,
            spent: Cell::default(),
            promised: Cell::default(),
            held_back: Cell::default(),
        });
        let share = Share::none(&inner);
        Self { inner, share }
    }

    /// The same for one operation, which holds back so much for each of so many stacks until it ended.
    pub(crate) fn for_operation(&self, reserve: Reserve, stacks: usize) -> Self {
        let inner = Rc::clone(&self.inner);
        let share = Share::none(&inner);
        let stacks = u64::try_from(stacks).unwrap_or(u64::MAX);
        share.set(reserve.requests().saturating_mul(stacks));
        Self { inner, share }
    }

    /// The same with so many requests, to providers and store together, as a Worker counts them.
    #[must_use]
    pub fn requests(self, limit: u64) -> Self {
        let Inner {
            deadline, ends_ms, ..
        } = *self.inner;
        Self::of(deadline, ends_ms, Some(limit), self.permits())
    }

    /// The same with at most so many requests under way at once, to providers and store together.
    ///
    /// # Errors
    /// When these are too few to renew a lease beside the work.
    pub fn connections(self, connections: usize) -> Result<Self, TooFewConnections> {
        match connections < Gate::PERMITS_MIN {
            true => Err(TooFewConnections { given: connections }),
            false => {
                let Inner {
                    deadline,
                    ends_ms,
                    limit,
                    ..
                } = *self.inner;
                Ok(Self::of(deadline, ends_ms, limit, connections))
            }
        }
    }

    /// When the run must have ended, by the wall clock as it was when this was made.
    #[must_use]
    pub fn deadline(&self) -> Timestamp {
        self.inner.deadline
    }

    /// How many requests were made.
    #[must_use]
    pub fn spent(&self) -> u64 {
        self.inner.spent.get()
    }

    /// How many may still be made; none if there is no limit.
    #[must_use]
    pub fn left(&self) -> Option<u64> {
        let limit = self.inner.limit?;
        Some(limit.saturating_sub(self.spent()))
    }

    /// The most requests that were under way at once.
    #[must_use]
    pub fn most_under_way(&self) -> usize {
        self.inner.gate.most_under_way()
    }

    /// How many may be under way at once.
    pub(crate) fn permits(&self) -> usize {
        self.inner.gate.permits()
    }

    /// The store behind the gate, for what is about one stack. Not to be put before a store that has a
    /// gate already: it would take two permits for one request.
    pub(crate) fn gated<'a, S>(&'a self, store: &'a S, stack: Option<&StackName>) -> Gated<'a, S> {
        Gated {
            budget: self,
            store,
            own: stack.map(|stack| (Keys::of(stack), Keys::all_of(stack))),
        }
    }

    /// Until when requests to providers are begun, by the monotonic clock.
    pub(crate) fn last_request_ms(&self) -> i64 {
        self.inner
            .ends_ms
            .saturating_sub(LAST_REQUEST_BEFORE_DEADLINE_MS)
    }

    /// How long requests to providers may still be begun, in milliseconds.
    pub(crate) fn ms_to_begin(&self, now_ms: i64) -> i64 {
        self.last_request_ms().saturating_sub(now_ms)
    }

    /// Whether it is too late to begin a request to a provider.
    pub(crate) fn is_out_of_time(&self, now_ms: i64) -> bool {
        self.ms_to_begin(now_ms) <= 0
    }

    /// From now on this operation holds back so much.
    pub(crate) fn hold_back(&self, reserve: Reserve) {
        self.share.set(reserve.requests());
    }

    /// Keeps a connection for the lease until this is dropped.
    pub(crate) fn reserve_connection(&self) -> Reserved<'_> {
        self.inner.gate.reserve_one()
    }

    /// What may be spent on something new.
    fn free(&self) -> u64 {
        let kept = self
            .inner
            .promised
            .get()
            .saturating_add(self.inner.held_back.get());
        self.left()
            .map_or(u64::MAX, |left| left.saturating_sub(kept))
    }

    /// Whether so many requests are free.
    pub(crate) fn can_spare(&self, requests: u64) -> bool {
        self.free() >= requests
    }

    /// Whether something that takes so many requests to providers fits in now.
    pub(crate) fn check(&self, needs: u64, now_ms: i64) -> Result<(), RanOut> {
        let left = self.free();
        match (self.is_out_of_time(now_ms), needs > left) {
            (true, _) => Err(RanOut::Time),
            (false, true) => Err(RanOut::Requests { needs, left }),
            (false, false) => Ok(()),
        }
    }

    /// Promises so many requests to what is begun now.
    pub(crate) fn promise(&self, needs: u64, now_ms: i64) -> Result<Purse, RanOut> {
        self.check(needs, now_ms)?;
        let promised = &self.inner.promised;
        promised.set(promised.get().saturating_add(needs));
        Ok(Purse {
            budget: self.clone(),
            left: Cell::new(needs),
        })
    }

    /// Promises to each scope what it needs, the smallest first. Those that do not fit learn what all of
    /// them need together, and what there is for them.
    pub(crate) fn share_out(
        &self,
        needs: &BTreeMap<Scope, u64>,
        now_ms: i64,
    ) -> BTreeMap<Scope, Result<Purse, RanOut>> {
        let mut smallest_first: Vec<(u64, &Scope)> =
            needs.iter().map(|(scope, needs)| (*needs, scope)).collect();
        smallest_first.sort();
        let all = RanOut::Requests {
            needs: needs.values().sum(),
            left: self.free(),
        };
        let promise = |(needs, scope): (u64, &Scope)| {
            let promised = self.promise(needs, now_ms);
            let promised = promised.map_err(|ran_out| match ran_out {
                RanOut::Requests { .. } => all,
                RanOut::Time => RanOut::Time,
            });
            (scope.clone(), promised)
        };
        smallest_first.into_iter().map(promise).collect()
    }

    /// Waits until a request to a provider may be sent. The permit is for one attempt, and is counted
    /// by [`Leave::sent`].
    pub(crate) async fn enter(&self) -> Leave<'_> {
        Leave {
            budget: self,
            _permit: self.inner.gate.enter(Urgency::Ordinary).await,
        }
    }

    fn spend(&self) {
        self.inner.spent.set(self.spent().saturating_add(1));
    }

    /// Counts a request of the store. What belongs to the run may use what is held back.
    fn draw_for_store(&self, is_own: bool) -> Result<(), RanOut> {
        let Some(left) = self.left() else {
            self.spend();
            return Ok(());
        };
        let left = match is_own {
            true => left.saturating_sub(self.inner.promised.get()),
            false => self.free(),
        };
        if left == 0 {
            return Err(RanOut::Requests { needs: 1, left });
        }
        self.spend();
        Ok(())
    }
}

/// Requests that were promised. What is not used of them is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Purse {
    budget: Budget,
    left: Cell<u64>,
}

impl Purse {
    /// How many are left.
    pub(crate) fn left(&self) -> u64 {
        self.left.get()
    }

    /// So many of them in a purse of their own, or all that are left.
    pub(crate) fn split(&self, requests: u64) -> Self {
        let requests = requests.min(self.left());
        self.left.set(self.left() - requests);
        Self {
            budget: self.budget.clone(),
            left: Cell::new(requests),
        }
    }

    /// Adds what another one has left.
    pub(crate) fn add(&self, other: &Self) {
        let added = other.left.take();
        self.left.set(self.left().saturating_add(added));
    }

    /// Takes one, if there is one.
    fn take(&self) -> bool {
        let left = self.left.get();
        if left > 0 {
            self.give_back(1);
            self.left.set(left - 1);
        }
        left > 0
    }

    fn give_back(&self, requests: u64) {
        let promised = &self.budget.inner.promised;
        promised.set(promised.get().saturating_sub(requests));
    }
}

impl Drop for Purse {
    fn drop(&mut self) {
        self.give_back(self.left.get());
    }
}

/// Leave to send one request to a provider.
#[derive(Debug)]
pub(crate) struct Leave<'a> {
    budget: &'a Budget,
    _permit: Permit<'a>,
}

impl Leave<'_> {
    /// Counts the request that is sent now: by what was promised, else by what is free.
    ///
    /// # Errors
    /// When it may not be sent any more.
    pub(crate) fn sent(&self, purse: Option<&Purse>, now_ms: i64) -> Result<(), RanOut> {
        if self.budget.is_out_of_time(now_ms) {
            return Err(RanOut::Time);
        }
        if !purse.is_some_and(Purse::take) {
            self.budget.check(1, now_ms)?;
        }
        self.budget.spend();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
