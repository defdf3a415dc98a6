//! The arithmetic of a budget.

use super::*;

const NOW: i64 = 1_000_000;

fn budget(requests: u64) -> Budget {
    let ends_ms = NOW + LAST_REQUEST_BEFORE_DEADLINE_MS + 1_000;
    Budget::ending_at(ends_ms).requests(requests)
}

fn needs(needs: u64, left: u64) -> RanOut {
    RanOut::Requests { needs, left }
}

/// Sends so many requests, as far as they may be sent.
fn send(budget: &Budget, purse: Option<&Purse>, times: usize) -> usize {
    let leave = Leave {
        budget,
        _permit: now(budget.inner.gate.enter(Urgency::Ordinary)),
    };
    let sent = (0..times).map_while(|_| leave.sent(purse, NOW).ok());
    sent.count()
}

/// Nothing here ever waits.
fn now<T>(work: impl Future<Output = T>) -> T {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(work).poll(&mut context) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => panic!("it waits"),
    }
}

#[test]
fn what_is_promised_is_kept_for_whom_it_was_promised() {
    let budget = budget(10);
    let purse = budget.promise(4, NOW).unwrap();
    assert_eq!(budget.promise(7, NOW).unwrap_err(), needs(7, 6));
    // Others get what is free, and not one more.
    assert_eq!(send(&budget, None, 20), 6);
    // It gets its own, and beyond that nothing: nothing is free.
    assert_eq!(send(&budget, Some(&purse), 20), 4);
    assert_eq!((budget.spent(), budget.left()), (10, Some(0)));
}

#[test]
fn what_was_not_used_of_a_promise_is_free_again() {
    let budget = budget(10);
    let purse = budget.promise(4, NOW).unwrap();
    assert_eq!(send(&budget, Some(&purse), 1), 1);
    drop(purse);
    assert_eq!(budget.promise(10, NOW).unwrap_err(), needs(10, 9));
    // Beyond its own, a purse takes of what is free.
    let purse = budget.promise(4, NOW).unwrap();
    assert_eq!(send(&budget, Some(&purse), 20), 9);
    drop(purse);
    assert_eq!(budget.left(), Some(0));
}

#[test]
fn a_reserve_is_for_the_store_of_the_stack_alone() {
    let reserve = Reserve::Changes.requests();
    let budget = budget(reserve + 2);
    budget.hold_back(Reserve::Changes);
    assert_eq!(send(&budget, None, 20), 2);
    // Another stack's state, the registry and old revisions are reads like others.
    assert_eq!(budget.draw_for_store(false), Err(needs(1, 0)));
    for _ in 0..reserve {
        assert_eq!(budget.draw_for_store(true), Ok(()));
    }
    assert_eq!(budget.draw_for_store(true), Err(needs(1, 0)));
}

#[test]
fn operations_side_by_side_hold_back_each_its_own() {
    let (check, up) = (Reserve::Check.requests(), Reserve::Up.requests());
    let changes = Reserve::Changes.requests();
    let budget = budget(1_000);
    let free = |expected| {
        assert_eq!(
            budget.check(1_000_000, NOW),
            Err(needs(1_000_000, expected))
        )
    };
    let one = budget.for_operation(Reserve::Up, 1);
    free(1_000 - up);
    let two = budget.for_operation(Reserve::Check, 3);
    free(1_000 - up - 3 * check);
    // A clone is of the same operation.
    one.clone().hold_back(Reserve::Changes);
    free(1_000 - changes - 3 * check);
    drop(one);
    free(1_000 - 3 * check);
    drop(two);
    free(1_000);
}

#[test]
fn a_store_never_takes_what_was_promised() {
    let budget = budget(5);
    let purse = budget.promise(3, NOW).unwrap();
    assert_eq!(budget.draw_for_store(true), Ok(()));
    assert_eq!(budget.draw_for_store(true), Ok(()));
    assert_eq!(budget.draw_for_store(true), Err(needs(1, 0)));
    assert_eq!(send(&budget, Some(&purse), 20), 3);
}

fn zone(id: &str) -> Scope {
    Scope::DnsZone {
        zone_id: id.to_owned(),
    }
}

#[test]
fn the_smallest_reads_come_first_and_the_others_learn_what_all_need() {
    let wanted = [("a", 40), ("b", 3), ("c", 20)];
    let wanted = wanted.map(|(id, needs)| (zone(id), needs));
    for (limit, read) in [
        (63, vec!["a", "b", "c"]),
        (62, vec!["b", "c"]),
        (23, vec!["b", "c"]),
        (22, vec!["b"]),
        (2, vec![]),
    ] {
        let budget = budget(limit);
        let shared = budget.share_out(&wanted.clone().into(), NOW);
        for (scope, promised) in shared {
            match promised {
                Ok(_) => assert!(read.iter().any(|id| zone(id) == scope), "{limit}"),
                Err(ran_out) => {
                    assert!(read.iter().all(|id| zone(id) != scope), "{limit}");
                    assert_eq!(ran_out, needs(63, limit), "{limit}");
                }
            }
        }
    }
}

#[test]
fn what_moves_from_purse_to_purse_stays_promised() {
    let budget = budget(10);
    let one = budget.promise(6, NOW).unwrap();
    let two = one.split(4);
    assert_eq!((one.left(), two.left(), one.split(9).left()), (2, 4, 2));
    let three = budget.promise(3, NOW).unwrap();
    three.add(&two);
    assert_eq!((two.left(), three.left()), (0, 7));
    // The two that `one` had left are free again.
    assert_eq!(budget.promise(4, NOW).unwrap_err(), needs(4, 3));
    drop(two);
    assert_eq!(budget.promise(4, NOW).unwrap_err(), needs(4, 3));
    drop(three);
    assert!(budget.promise(10, NOW).is_ok());
}

#[test]
fn nothing_is_begun_so_late_that_its_end_could_not_be_recorded() {
    let budget = budget(10);
    let purse = budget.promise(2, NOW).unwrap();
    let late = NOW + 1_000;
    let just = late - 1;
    assert!(budget.promise(1, just).is_ok());
    assert_eq!(budget.promise(1, late).unwrap_err(), RanOut::Time);
    let leave = now(budget.enter());
    assert_eq!(leave.sent(Some(&purse), just), Ok(()));
    assert_eq!(leave.sent(Some(&purse), late), Err(RanOut::Time));
    assert_eq!(budget.spent(), 1);
    // An answer of 15 s, a second for state, and half a second for each of thirteen requests.
    assert_eq!(LAST_REQUEST_BEFORE_DEADLINE_MS, 15_000 + 1_000 + 13 * 500);
}

#[test]
fn too_few_connections_are_refused() {
    let budget = || Budget::ending_at(NOW);
    assert_eq!(
        budget().connections(1).unwrap_err().to_string(),
        "a run needs at least 2 connections, one for its lease and one for everything else; it was \
         given 1"
    );
    for connections in 2..=6 {
        let budget = budget().connections(connections).unwrap().requests(3);
        assert_eq!((budget.permits(), budget.left()), (connections, Some(3)));
    }
}
