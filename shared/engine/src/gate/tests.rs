//! The gate on its own, polled by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

use super::*;

/// Counts how often it is woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// One that waits at the gate.
struct Waiting<'a> {
    enter: Pin<Box<Enter<'a>>>,
    woken: Arc<Woken>,
}

fn waiting(gate: &Gate, urgency: Urgency) -> Waiting<'_> {
    Waiting {
        enter: Box::pin(gate.enter(urgency)),
        woken: Arc::default(),
    }
}

impl<'a> Waiting<'a> {
    fn poll(&mut self) -> Option<Permit<'a>> {
        let waker = Waker::from(Arc::clone(&self.woken));
        match self.enter.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(permit) => Some(permit),
            Poll::Pending => None,
        }
    }

    fn times_woken(&self) -> usize {
        self.woken.0.load(Ordering::Relaxed)
    }
}

/// As many as get in at once.
fn fill<'a>(gate: &'a Gate, urgency: Urgency) -> Vec<Permit<'a>> {
    let permits = (0..20).map_while(|_| waiting(gate, urgency).poll());
    permits.collect()
}

#[test]
fn no_more_than_its_permits_get_in() {
    for permits in 2..=6 {
        let gate = Gate::new(permits);
        let inside = fill(&gate, Urgency::Ordinary);
        assert_eq!((inside.len(), gate.most_under_way()), (permits, permits));
        drop(inside);
        assert_eq!(fill(&gate, Urgency::Lease).len(), permits);
        // One is kept for the lease, and is there at once.
        let reserved = gate.reserve_one();
        let ordinary = fill(&gate, Urgency::Ordinary);
        let lease = fill(&gate, Urgency::Lease);
        assert_eq!((ordinary.len(), lease.len()), (permits - 1, 1));
        // Its permit, when it is back, is again for the lease alone.
        drop(lease);
        assert_eq!(fill(&gate, Urgency::Ordinary).len(), 0);
        drop(reserved);
        assert_eq!(fill(&gate, Urgency::Ordinary).len(), 1);
        assert_eq!(gate.most_under_way(), permits);
        drop(ordinary);
    }
    // Fewer make no sense.
    assert_eq!(Gate::new(0).permits(), 2);
}

#[test]
fn first_come_first_served_but_for_the_lease() {
    let gate = Gate::new(2);
    let mut inside = fill(&gate, Urgency::Ordinary);
    let order = [Urgency::Ordinary, Urgency::Ordinary, Urgency::Lease];
    let mut queue = order.map(|urgency| waiting(&gate, urgency));
    assert!(queue.iter_mut().all(|one| one.poll().is_none()));
    let mut went_in = Vec::new();
    while let Some(permit) = inside.pop() {
        drop(permit);
        let woken = queue.iter().position(|one| one.times_woken() > 0);
        let Some(woken) = woken else { break };
        // Nobody comes in beside it: the permit is taken already.
        assert!(waiting(&gate, Urgency::Lease).poll().is_none());
        queue[woken].woken = Arc::default();
        went_in.push(woken);
        inside.push(queue[woken].poll().unwrap());
    }
    assert_eq!(went_in, [2, 0, 1]);
}

#[test]
fn who_leaves_the_queue_keeps_nothing() {
    let gate = Gate::new(2);
    let mut inside = fill(&gate, Urgency::Ordinary);
    let mut gone = waiting(&gate, Urgency::Ordinary);
    let mut admitted = waiting(&gate, Urgency::Ordinary);
    let mut last = waiting(&gate, Urgency::Ordinary);
    for one in [&mut gone, &mut admitted, &mut last] {
        assert!(one.poll().is_none());
    }
    drop(gone);
    inside.pop();
    assert_eq!((admitted.times_woken(), last.times_woken()), (1, 0));
    // It goes before it was polled again: the next one gets its permit.
    drop(admitted);
    assert_eq!(last.times_woken(), 1);
    let permit = last.poll();
    assert!(permit.is_some());
    drop((inside, permit));
    assert_eq!(fill(&gate, Urgency::Ordinary).len(), 2);
    let inner = gate.inner.borrow();
    assert!(inner.ordinary_queue.is_empty() && inner.lease_queue.is_empty());
}
