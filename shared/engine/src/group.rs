//! A group: stacks that are checked side by side and read what they share of a provider together.
//!
//! Each stack has a [`Seat`]. It waits there, once its state is read, until the others have said what they
//! want; then requests are promised in the order in which the shell named the stacks, and each learns
//! what the others read of its scopes. A stack that fails before gives its seat up, and one that is late, or
//! reads again, reads alone: nothing that is older than its state. Answers are shared in `shared_reads.rs`.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use futures_util::future::select;
use kedge_core::live::Wanted;
use kedge_core::model::{ResourceKey, Scope};
use kedge_core::ran_out::RanOut;

use crate::budget::{Budget, Purse};
use crate::ports::Clock;
use crate::reads::Reads;
use crate::shared_reads::SharedReads;
use crate::wakers::Wakers;

/// How long a stack waits for the others: so long that a slow store is waited for, and one that hangs is
/// not.
const WAIT_MAX_MS: i64 = 10_000;

/// What a stack wants of one scope, and what reading it alone takes.
#[derive(Debug)]
pub(crate) struct Want {
    pub(crate) wanted: Wanted,
    pub(crate) reads: Reads,
}

pub(crate) type Wants = BTreeMap<Scope, Want>;

/// What a stack reads of one scope, and by what promise, or why it does not.
#[derive(Debug)]
pub(crate) struct Share {
    pub(crate) wanted: Wanted,
    pub(crate) promised: Result<Promised, RanOut>,
}

pub(crate) type Shares = BTreeMap<Scope, Share>;

/// Requests that were promised to the reading of a scope.
#[derive(Debug)]
pub(crate) struct Promised {
    /// For what this stack reads on its own.
    pub(crate) own: Purse,
    /// For what the stacks of a group read together, whichever of them sends it.
    pub(crate) common: Option<Rc<Purse>>,
}

/// The shares of a stack that reads alone.
pub(crate) fn alone(budget: &Budget, wants: Wants, now_ms: i64) -> Shares {
    let needs = wants
        .iter()
        .map(|(scope, want)| (scope.clone(), want.reads.requests()));
    let promised = budget.share_out(&needs.collect(), now_ms);
    let shares = wants.into_iter().zip(promised.into_values());
    shares
        .map(|((scope, Want { wanted, .. }), promised)| {
            let promised = promised.map(|own| Promised { own, common: None });
            (scope, Share { wanted, promised })
        })
        .collect()
}

/// Stacks that read together.
#[derive(Debug, Default)]
pub(crate) struct Group {
    /// How many are still waited for.
    awaited: Cell<usize>,
    /// Whether shares were given out: who comes now reads alone.
    is_settled: Cell<bool>,
    /// What those want that are here, by the number of the seat.
    wants: RefCell<BTreeMap<usize, Wants>>,
    shares: RefCell<BTreeMap<usize, Shares>>,
    waiting: Wakers,
    reads: SharedReads,
}

/// The place of one stack in a group.
#[derive(Debug)]
pub(crate) struct Seat<'a> {
    group: &'a Group,
    number: usize,
    /// Whether it is not waited for any more.
    has_arrived: Cell<bool>,
    shares_answers: Cell<bool>,
}

impl Group {
    /// A group of so many stacks.
    pub(crate) fn of(stacks: usize) -> Self {
        Self {
            awaited: Cell::new(stacks),
            ..Self::default()
        }
    }

    /// The place of one of them; `number` is its place in the order of promises.
    pub(crate) fn seat(&self, number: usize) -> Seat<'_> {
        Seat {
            group: self,
            number,
            has_arrived: Cell::default(),
            shares_answers: Cell::default(),
        }
    }

    /// Whether nobody is waited for any more.
    fn is_complete(&self) -> bool {
        self.is_settled.get() || self.awaited.get() == 0
    }

    fn one_less(&self) {
        self.awaited.set(self.awaited.get().saturating_sub(1));
        if self.is_complete() {
            self.waiting.wake();
        }
    }

    /// Waits until all are here or gone; not longer than a moment, nor than half of the time that is left.
    async fn wait(&self, clock: &impl Clock, budget: &Budget) {
        if self.is_complete() {
            return;
        }
        let half_ms = budget.ms_to_begin(clock.monotonic_ms()) / 2;
        let ms = u64::try_from(half_ms.min(WAIT_MAX_MS)).unwrap_or_default();
        let complete = pin!(poll_fn(|cx| {
            if self.is_complete() {
                return Poll::Ready(());
            }
            self.waiting.add(cx);
            Poll::Pending
        }));
        select(complete, pin!(clock.sleep_ms(ms))).await;
    }

    /// Gives out the shares of those that are here, once.
    fn settle(&self, budget: &Budget, now_ms: i64) {
        if self.is_settled.replace(true) {
            return;
        }
        self.waiting.wake();
        let mut commons = BTreeMap::new();
        let wants = self.wants.take().into_iter();
        let mut shares: BTreeMap<usize, Shares> = wants
            .map(|(number, wants)| (number, share_of(&mut commons, budget, wants, now_ms)))
            .collect();
        let read: BTreeMap<Scope, Arc<BTreeSet<ResourceKey>>> = commons
            .into_iter()
            .map(|(scope, common)| (scope, Arc::new(common.keys)))
            .collect();
        let all = shares.values_mut().flatten();
        for (scope, share) in all.filter(|(_, share)| share.promised.is_ok()) {
            share.wanted.of_group = read.get(scope).cloned().unwrap_or_default();
        }
        self.shares.replace(shares);
    }
}

/// What the stacks that were promised something so far read of a scope.
struct Common {
    reads: Reads,
    purse: Rc<Purse>,
    keys: BTreeSet<ResourceKey>,
}

/// Promises to one stack what it adds to the reads of those before it.
fn share_of(
    commons: &mut BTreeMap<Scope, Common>,
    budget: &Budget,
    wants: Wants,
    now_ms: i64,
) -> Shares {
    let before = |scope| commons.get(scope).map_or(Reads::default(), |one| one.reads);
    let adds = |scope, reads: Reads| {
        let before = before(scope);
        let all = before.and(reads).requests();
        all.saturating_sub(before.requests())
    };
    let needs = wants
        .iter()
        .map(|(scope, want)| (scope.clone(), adds(scope, want.reads)));
    let promised = budget.share_out(&needs.collect(), now_ms);
    let shares = wants.into_iter().zip(promised.into_values());
    shares
        .map(|((scope, Want { wanted, reads }), promised)| {
            let promised = promised.map(|own| {
                let common = commons.entry(scope.clone()).or_insert_with(|| Common {
                    reads: Reads::default(),
                    purse: Rc::new(own.split(0)),
                    keys: BTreeSet::new(),
                });
                let all = common.reads.and(reads);
                let added = all.common().saturating_sub(common.reads.common());
                common.purse.add(&own.split(added));
                common.reads = all;
                common.keys.extend(wanted.keys.iter().cloned());
                let common = Some(Rc::clone(&common.purse));
                Promised { own, common }
            });
            (scope, Share { wanted, promised })
        })
        .collect()
}

impl Seat<'_> {
    /// Says what the stack wants, waits for the others, and gives what it reads.
    pub(crate) async fn share(&self, clock: &impl Clock, budget: &Budget, wants: Wants) -> Shares {
        let is_again = self.has_arrived.replace(true);
        if is_again || self.group.is_settled.get() {
            self.shares_answers.set(false);
            return alone(budget, wants, clock.monotonic_ms());
        }
        self.shares_answers.set(true);
        self.group.wants.borrow_mut().insert(self.number, wants);
        self.group.one_less();
        self.group.wait(clock, budget).await;
        self.group.settle(budget, clock.monotonic_ms());
        let shares = self.group.shares.borrow_mut().remove(&self.number);
        shares.unwrap_or_default()
    }

    /// The answers that it shares with the others; none while it reads alone.
    pub(crate) fn shared_reads(&self) -> Option<&SharedReads> {
        self.shares_answers.get().then_some(&self.group.reads)
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        if !self.has_arrived.get() {
            self.group.one_less();
        }
    }
}

#[cfg(test)]
mod tests;
