//! Who waits for whom, and what is promised to whom. That nothing but bytes is shared is shown against
//! worlds, in the behaviour tests.

use std::task::{Context, Waker};

use futures_util::FutureExt as _;
use futures_util::future::{LocalBoxFuture, join_all};
use kedge_core::model::Timestamp;

use super::*;
use crate::budget::LAST_REQUEST_BEFORE_DEADLINE_MS;
use crate::reads::{Batches, count};

const NOW: i64 = 1_000_000;

/// A clock whose sleeps end when somebody says so.
#[derive(Default)]
struct Asleep {
    is_over: Cell<bool>,
    longest_ms: Cell<u64>,
}

impl Clock for Asleep {
    fn now(&self) -> Timestamp {
        Timestamp(NOW)
    }

    fn monotonic_ms(&self) -> i64 {
        NOW
    }

    async fn sleep_ms(&self, ms: u64) {
        self.longest_ms.set(self.longest_ms.get().max(ms));
        let poll = |_: &mut Context<'_>| match self.is_over.get() {
            true => Poll::Ready(()),
            false => Poll::Pending,
        };
        poll_fn(poll).await;
    }
}

fn budget(requests: u64, ms_to_begin: i64) -> Budget {
    let ends_ms = NOW + LAST_REQUEST_BEFORE_DEADLINE_MS + ms_to_begin;
    Budget::ending_at(ends_ms).requests(requests)
}

fn service() -> Scope {
    Scope::KafkaService {
        project: "p".to_owned(),
        service: "s".to_owned(),
    }
}

/// So many topics of one stack in a service where a request takes a hundred, and so many requests of
/// its own.
fn wants(stack: usize, topics: usize, own: u64) -> Wants {
    let key = |number| ResourceKey::kafka_topic("p", "s", &format!("s{stack}-{number}"));
    let wanted = Wanted {
        keys: (0..topics).map(key).collect(),
        ..Wanted::default()
    };
    let batches = Batches {
        names: count(topics),
        size: 100,
    };
    let lists = 1;
    let reads = Reads {
        lists,
        batches,
        own,
    };
    [(service(), Want { wanted, reads })].into()
}

fn poll<T>(work: &mut LocalBoxFuture<'_, T>) -> Option<T> {
    let mut context = Context::from_waker(Waker::noop());
    match work.as_mut().poll(&mut context) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// The shares of stacks that come at once, each with so many topics and requests of its own.
fn shared(budget: &Budget, stacks: &[(usize, u64)]) -> Vec<Share> {
    let (group, clock) = (Group::of(stacks.len()), Asleep::default());
    let seats: Vec<_> = (0..stacks.len()).map(|number| group.seat(number)).collect();
    let shares = seats.iter().zip(stacks).map(|(seat, (topics, own))| {
        let wants = wants(seat.number, *topics, *own);
        seat.share(&clock, budget, wants)
    });
    let mut all = join_all(shares).boxed_local();
    // The first time all but the last one wait.
    let shares = poll(&mut all).or_else(|| poll(&mut all)).unwrap();
    let one = |mut shares: Shares| shares.remove(&service()).unwrap();
    shares.into_iter().map(one).collect()
}

fn left(share: &Share) -> (u64, u64) {
    let promised = share.promised.as_ref().unwrap();
    let common = promised.common.as_ref().map_or(0, |common| common.left());
    (promised.own.left(), common)
}

#[test]
fn the_union_is_promised_once_and_told_to_all() {
    let budget = budget(100, 1_000);
    let shares = shared(&budget, &[(40, 0), (40, 2), (40, 0)]);
    // A list and two batches for all of them; what one reads on its own is its own.
    let promised: Vec<_> = shares.iter().map(left).collect();
    assert_eq!(promised, [(0, 3), (2, 3), (0, 3)]);
    assert_eq!(
        budget.check(96, NOW).unwrap_err(),
        RanOut::Requests {
            needs: 96,
            left: 95
        }
    );
    for share in &shares {
        assert_eq!(
            (share.wanted.keys.len(), share.wanted.of_group.len()),
            (40, 120)
        );
    }
    drop(shares);
    assert!(budget.check(100, NOW).is_ok());
}

#[test]
fn who_does_not_fit_learns_what_it_lacks_and_is_not_read_along() {
    // A list and a batch; the second stack adds a batch and its own, the third nothing.
    let stacks = [(60, 0), (60, 5), (40, 0)];
    for (limit, reads) in [
        (1, [false, false, false]),
        (2, [true, false, true]),
        (7, [true, false, true]),
        (8, [true, true, true]),
    ] {
        let budget = budget(limit, 1_000);
        let shares = shared(&budget, &stacks);
        let is_read: Vec<bool> = shares.iter().map(|share| share.promised.is_ok()).collect();
        assert_eq!(is_read, reads, "{limit}");
        let union = stacks.iter().zip(reads).filter(|(_, reads)| *reads);
        let union: usize = union.map(|((topics, _), _)| topics).sum();
        for share in &shares {
            match share.promised {
                Ok(_) => assert_eq!(share.wanted.of_group.len(), union, "{limit}"),
                Err(ran_out) => {
                    assert!(share.wanted.of_group.is_empty(), "{limit}");
                    let RanOut::Requests { needs, left } = ran_out else {
                        panic!("{ran_out:?}");
                    };
                    assert!(needs > left && left <= limit, "{limit}: {ran_out:?}");
                }
            }
        }
        if let (2 | 7, Err(ran_out)) = (limit, &shares[1].promised) {
            // So much is left beside the list and the batch of the first one, and six are needed.
            let left = limit - 2;
            assert_eq!(*ran_out, RanOut::Requests { needs: 6, left });
        }
    }
}

#[test]
fn who_is_gone_is_not_waited_for() {
    let (group, clock, budget) = (Group::of(3), Asleep::default(), budget(100, 1_000));
    let seats = [0, 1, 2].map(|number| group.seat(number));
    let [first, second, third] = seats;
    let mut waiting = first.share(&clock, &budget, wants(0, 40, 0)).boxed_local();
    assert!(poll(&mut waiting).is_none());
    // Its state can't be read.
    drop(second);
    assert!(poll(&mut waiting).is_none());
    let mut last = third.share(&clock, &budget, wants(2, 40, 0)).boxed_local();
    let last = poll(&mut last).unwrap();
    let shares = poll(&mut waiting).unwrap();
    for shares in [&last, &shares] {
        assert_eq!(shares[&service()].wanted.of_group.len(), 80);
    }
    assert!(first.shared_reads().is_some() && third.shared_reads().is_some());
}

#[test]
fn who_is_late_or_reads_again_reads_alone() {
    let (group, clock, budget) = (Group::of(2), Asleep::default(), budget(100, 1_000));
    let (first, late) = (group.seat(0), group.seat(1));
    let mut waiting = first.share(&clock, &budget, wants(0, 40, 0)).boxed_local();
    assert!(poll(&mut waiting).is_none());
    clock.is_over.set(true);
    let shares = poll(&mut waiting).unwrap();
    assert_eq!(shares[&service()].wanted.of_group.len(), 40);
    assert!(first.shared_reads().is_some());
    drop(waiting);
    for (seat, stack) in [(&late, 1), (&first, 0)] {
        let wants = wants(stack, 40, 1);
        let mut share = seat.share(&clock, &budget, wants).boxed_local();
        let shares = poll(&mut share).unwrap();
        let share = &shares[&service()];
        // Its list, its batch, and its own, whatever the others read.
        assert_eq!(left(share), (3, 0));
        assert!(share.wanted.of_group.is_empty());
        drop(shares);
    }
    assert!(late.shared_reads().is_none() && first.shared_reads().is_none());
}

#[test]
fn nobody_waits_longer_than_a_moment_nor_than_half_of_its_time() {
    for (ms_to_begin, expected) in [(600_000, 10_000), (8_000, 4_000), (0, 0), (-5, 0)] {
        let (group, clock, budget) = (Group::of(2), Asleep::default(), budget(9, ms_to_begin));
        let first = group.seat(0);
        let mut waiting = first.share(&clock, &budget, wants(0, 1, 0)).boxed_local();
        assert!(poll(&mut waiting).is_none());
        assert_eq!(clock.longest_ms.get(), expected);
    }
}
