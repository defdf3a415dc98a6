//! No more requests are under way than there are connections, and renewals of the lease do not queue.

use futures_util::future::{join, join_all};
use kedge_core::report::StackVerdict;
use kedge_engine::{By, Engine};
use kedge_tests::crowd::Crowd;
use kedge_tests::stack::{describe, stack_name};

use super::super::leases::LEASE;
use super::{AMPLE, Limits, checked, drive, invocation, large, upped};

#[test]
fn no_more_is_under_way_than_there_are_connections() {
    for connections in 2..=6 {
        let stack = large(340, 12);
        stack.ports.latency_ms.set(400);
        stack.ports.jitter_ms.set(300);
        let limits = Limits {
            connections,
            ..AMPLE
        };
        let given = invocation(&stack, limits);
        let crowd = Crowd::over(&stack.ports);
        let run = upped(&crowd, &stack, &given, &By::Policy);
        let (_, changed) = drive(&stack, run).unwrap();
        assert_eq!(changed.done(), 364, "{connections}");
        assert_eq!(crowd.requests.under_way.most.get(), connections);
        assert_eq!(given.budget.most_under_way(), connections);
        // None goes another way.
        assert_eq!(crowd.requests.made.get(), given.budget.spent());

        stack.wait_minutes(10);
        let crowd = Crowd::over(&stack.ports);
        let given = invocation(&stack, limits);
        let report = drive(&stack, checked(&crowd, &stack, &given)).unwrap();
        assert_eq!(
            report.verdict(),
            StackVerdict::Clean,
            "{}",
            describe(&report)
        );
        assert_eq!(crowd.requests.under_way.most.get(), connections);
        assert_eq!(crowd.requests.made.get(), given.budget.spent());
        stack.ports.latency_ms.set(1);
        stack.ports.jitter_ms.set(0);
        stack.assert_settled();
    }
}

#[test]
fn a_renewal_is_sent_in_time_though_a_bulk_of_requests_queues() {
    for connections in 2..=6 {
        let stack = large(12, 0);
        stack.ports.latency_ms.set(4_000);
        let given = invocation(
            &stack,
            Limits {
                connections,
                ..AMPLE
            },
        );
        let crowd = Crowd::over(&stack.ports);
        // Others of the same invocation keep the queue full, from when the lease is taken.
        let bulk = async {
            while stack.ports.store.text(LEASE).is_empty() {
                stack.ports.executor.sleep(100).await;
            }
            let bundle = stack.set();
            let settings = stack.engine(&bundle, &stack.variables, &given).settings;
            let engine = Engine::new(&crowd, &crowd.store, settings);
            let other = stack_name("other");
            let reads = (0..60).map(|_| engine.is_known(&other));
            join_all(reads).await;
        };
        let run = upped(&crowd, &stack, &given, &By::Policy);
        let (upped, ()) = drive(&stack, join(run, bulk));
        let (_, changed) = upped.unwrap();
        assert_eq!(changed.done(), 12, "{connections}: {changed:?}");
        assert_eq!(crowd.requests.under_way.most.get(), connections);
        let written = stack.ports.store.written.borrow();
        let renewals = written.iter().filter(|(key, _)| key == LEASE);
        let at: Vec<i64> = renewals.map(|(_, at)| *at).collect();
        assert!(at.len() > 3, "{connections}: {at:?}");
        // A quarter of a lease, the next look whether it is due, and its own two answers.
        let late = at
            .windows(2)
            .find(|pair| pair[1] - pair[0] > 15_000 + 3_000 + 8_000);
        assert_eq!(late, None, "{connections}: {at:?}");
        drop(written);
        stack.ports.latency_ms.set(1);
        stack.wait_minutes(10);
        stack.assert_settled();
    }
}
