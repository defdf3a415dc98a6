//! How many requests may be under way at once, to the providers and the store together.
//!
//! A Worker has six connections and queues any more without saying so. A renewal of the lease would then
//! wait behind many reads, so the queue is here. Permits are given first come, first served, but
//! requests about the lease go first. While a lease is held, one permit is kept for them
//! ([`Gate::reserve_one`]): otherwise a renewal could wait for an answer as long as the lease is good
//! for.
//!
//! A permit is held for exactly one request, and its holder waits for nothing else, so there is no
//! deadlock. Whoever begins requests side by side must go on polling them while it waits for another
//! one: a future that is not polled keeps its permit (`execute/mod.rs`).

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// Which queue a request waits in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// It keeps or gives back the lease.
    Lease,
    /// Any other.
    Ordinary,
}

/// Lets so many requests through at once.
#[derive(Debug)]
pub(crate) struct Gate {
    permits: usize,
    inner: RefCell<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    ordinary_under_way: usize,
    lease_under_way: usize,
    /// Permits that only requests about the lease get.
    reserved: usize,
    most_under_way: usize,
    lease_queue: VecDeque<Rc<Waiter>>,
    ordinary_queue: VecDeque<Rc<Waiter>>,
}

/// A request that waits.
#[derive(Debug, Default)]
struct Waiter {
    is_admitted: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Gate {
    /// The fewest permits that make sense: one that is kept for the lease, and one for all else.
    pub(crate) const PERMITS_MIN: usize = 2;

    /// A gate with so many permits, at least [`Gate::PERMITS_MIN`].
    pub(crate) fn new(permits: usize) -> Self {
        Self {
            permits: permits.max(Self::PERMITS_MIN),
            inner: RefCell::default(),
        }
    }

    /// How many may be under way at once.
    pub(crate) fn permits(&self) -> usize {
        self.permits
    }

    /// The most that were under way at once so far.
    pub(crate) fn most_under_way(&self) -> usize {
        self.inner.borrow().most_under_way
    }

    /// Waits for a permit. Dropping the future leaves the queue.
    pub(crate) fn enter(&self, urgency: Urgency) -> Enter<'_> {
        Enter {
            gate: self,
            urgency,
            waiter: None,
        }
    }

    /// Keeps one permit for requests about the lease until this is dropped.
    pub(crate) fn reserve_one(&self) -> Reserved<'_> {
        self.inner.borrow_mut().reserved += 1;
        Reserved(self)
    }

    /// Hands free permits to those who wait, in order.
    fn admit_waiting(&self) {
        loop {
            let admitted = self.inner.borrow_mut().next_admitted(self.permits);
            let Some(waiter) = admitted else { return };
            waiter.is_admitted.set(true);
            // Not under the borrow: a waker may do anything.
            let waker = waiter.waker.take();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

impl Inner {
    fn has_room(&self, urgency: Urgency, permits: usize) -> bool {
        let under_way = self.ordinary_under_way + self.lease_under_way;
        let for_ordinary = permits.saturating_sub(self.reserved).max(1);
        under_way < permits && (urgency == Urgency::Lease || self.ordinary_under_way < for_ordinary)
    }

    fn queue(&mut self, urgency: Urgency) -> &mut VecDeque<Rc<Waiter>> {
        match urgency {
            Urgency::Lease => &mut self.lease_queue,
            Urgency::Ordinary => &mut self.ordinary_queue,
        }
    }

    fn under_way(&mut self, urgency: Urgency) -> &mut usize {
        match urgency {
            Urgency::Lease => &mut self.lease_under_way,
            Urgency::Ordinary => &mut self.ordinary_under_way,
        }
    }

    fn begin(&mut self, urgency: Urgency) {
        *self.under_way(urgency) += 1;
        let under_way = self.ordinary_under_way + self.lease_under_way;
        self.most_under_way = self.most_under_way.max(under_way);
    }

    fn next_admitted(&mut self, permits: usize) -> Option<Rc<Waiter>> {
        for urgency in [Urgency::Lease, Urgency::Ordinary] {
            if self.has_room(urgency, permits)
                && let Some(waiter) = self.queue(urgency).pop_front()
            {
                self.begin(urgency);
                return Some(waiter);
            }
        }
        None
    }
}

/// Waits for a permit.
#[derive(Debug)]
pub(crate) struct Enter<'a> {
    gate: &'a Gate,
    urgency: Urgency,
    /// Its place in the queue, once it has one.
    waiter: Option<Rc<Waiter>>,
}

impl<'a> Future for Enter<'a> {
    type Output = Permit<'a>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Permit<'a>> {
        let (gate, urgency) = (self.gate, self.urgency);
        if let Some(waiter) = &self.waiter {
            if waiter.is_admitted.get() {
                self.waiter = None;
                return Poll::Ready(Permit { gate, urgency });
            }
            waiter.waker.replace(Some(context.waker().clone()));
            return Poll::Pending;
        }
        let mut inner = gate.inner.borrow_mut();
        let is_first = inner.queue(urgency).is_empty();
        if is_first && inner.has_room(urgency, gate.permits) {
            inner.begin(urgency);
            return Poll::Ready(Permit { gate, urgency });
        }
        let waiter = Rc::new(Waiter::default());
        waiter.waker.replace(Some(context.waker().clone()));
        inner.queue(urgency).push_back(Rc::clone(&waiter));
        drop(inner);
        self.waiter = Some(waiter);
        Poll::Pending
    }
}

impl Drop for Enter<'_> {
    fn drop(&mut self) {
        let (gate, urgency) = (self.gate, self.urgency);
        let Some(waiter) = self.waiter.take() else {
            return;
        };
        if waiter.is_admitted.get() {
            drop(Permit { gate, urgency });
            return;
        }
        let mut inner = gate.inner.borrow_mut();
        inner.queue(urgency).retain(|one| !Rc::ptr_eq(one, &waiter));
    }
}

/// Leave to send one request; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Permit<'a> {
    gate: &'a Gate,
    urgency: Urgency,
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        *self.gate.inner.borrow_mut().under_way(self.urgency) -= 1;
        self.gate.admit_waiting();
    }
}

/// One permit is kept for requests about the lease.
#[derive(Debug)]
pub(crate) struct Reserved<'a>(&'a Gate);

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        self.0.inner.borrow_mut().reserved -= 1;
        self.0.admit_waiting();
    }
}

#[cfg(test)]
mod tests;
