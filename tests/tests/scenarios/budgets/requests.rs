//! A run that may make only so many requests: what does not fit is said, and not begun.

use std::collections::BTreeSet;

use kedge_core::live::FailureCode;
use kedge_core::model::Scope;
use kedge_core::ran_out::RanOut;
use kedge_core::report::{Changed, Outcome, StackVerdict};
use kedge_engine::{By, Consent};
use kedge_tests::crowd::Crowd;
use kedge_tests::stack::{Stack, describe, results};

use super::super::leases::short;
use super::super::{deed, set_config};
use super::{
    AMPLE, Limits, assert_recorded, checked, drive, failure_of, in_three_scopes, invocation, upped,
};

#[test]
fn a_check_reads_the_scopes_that_fit_and_says_what_all_need() {
    let stack = in_three_scopes();
    let crowd = Crowd::over(&stack.ports);
    let given = invocation(&stack, AMPLE);
    let report = drive(&stack, checked(&crowd, &stack, &given)).unwrap();
    assert_eq!(report.ran_out, None);
    let enough = given.budget.spent();
    // State and watch; a list and two bulk reads; two lists and four policies; a page.
    assert_eq!(enough, 2 + 3 + 6 + 1);
    let mut unread_of = Vec::new();
    for limit in 0..enough + 10 {
        let crowd = Crowd::over(&stack.ports);
        let limits = Limits {
            requests: Some(limit),
            ..AMPLE
        };
        stack.ports.clear_sent();
        let given = invocation(&stack, limits);
        let report = drive(&stack, checked(&crowd, &stack, &given));
        assert!(crowd.requests.made.get() <= limit, "{limit}");
        let report = match report {
            Ok(report) => report,
            Err(error) => {
                // Not even state can be read, and read again, and the holds.
                assert!(limit < 4, "{limit}: {error:?}");
                continue;
            }
        };
        let sent = stack.ports.sent.borrow();
        let mut unread: Vec<Scope> = Vec::new();
        for (key, difference) in &report.comparison.differences {
            let Some(failure) = &difference.failure else {
                continue;
            };
            assert_eq!(failure.code, FailureCode::OutOfRequests, "{limit} {key}");
            let said = format!("out of requests: needs 10 requests, {} ", free(limit));
            assert!(failure.reason.starts_with(&said), "{limit} {failure:?}");
            unread.push(key.scope().clone());
        }
        unread.dedup();
        let verdict = match unread.len() {
            0 => StackVerdict::Clean,
            _ => StackVerdict::Incomplete,
        };
        assert_eq!(report.verdict(), verdict, "{limit}: {}", describe(&report));
        let ran_out = RanOut::Requests {
            needs: 10,
            left: free(limit),
        };
        assert_eq!(report.ran_out, (!unread.is_empty()).then_some(ran_out));
        // Nothing is asked of what is not read.
        let kafka = sent.iter().any(|sent| sent.path.contains("/service/"));
        let is_unread = unread
            .iter()
            .any(|one| matches!(one, Scope::KafkaService { .. }));
        assert!(!(kafka && is_unread), "{limit}");
        unread_of.push(unread.len());
    }
    // Fewer and fewer, down to none.
    assert!(unread_of.is_sorted_by(|a, b| a >= b), "{unread_of:?}");
    assert_eq!((unread_of.first(), unread_of.last()), (Some(&3), Some(&0)));
    let failure = failure_of(
        &report,
        report.comparison.differences.keys().next().unwrap(),
    );
    assert_eq!(failure, None);
}

/// What is left for reads of providers: without state, watch, and what is held back.
fn free(limit: u64) -> u64 {
    limit.saturating_sub(2).saturating_sub(6)
}

#[test]
fn an_up_begins_only_what_fits_and_records_what_it_did() {
    let mut done = Vec::new();
    for limit in 0..75 {
        let stack = Stack::small();
        let crowd = Crowd::over(&stack.ports);
        let limits = Limits {
            requests: Some(limit),
            ..AMPLE
        };
        let given = invocation(&stack, limits);
        let run = upped(&crowd, &stack, &given, &By::Policy);
        let ended = drive(&stack, run);
        assert!(crowd.requests.made.get() <= limit, "{limit}");
        let begun = stack.ports.writes();
        match &ended {
            Ok((_, changed)) => {
                done.push(changed.done());
                assert_eq!(changed.stopped, None, "{limit}");
                assert!(begun >= changed.done(), "{limit}");
                assert_recorded(&stack, changed, limit);
            }
            // It could not look: it reached for nothing.
            Err(error) => {
                assert_eq!(begun, 0, "{limit}: {error:?}");
                assert!(limit < 10, "{limit}: {}", short(&ended));
            }
        }
        // What is left is done by a run that has more.
        stack.wait_minutes(10);
        stack.unattended();
        stack.wait_minutes(10);
        let _ = stack.check();
        stack.assert_settled();
    }
    assert_eq!((done.first(), done.last()), (Some(&0), Some(&7)));
    // Some in between comes about: not all or nothing.
    let kinds: BTreeSet<usize> = done.into_iter().collect();
    assert!(kinds.len() > 2, "{kinds:?}");
}

#[test]
fn what_needs_more_than_is_left_says_so() {
    let stack = Stack::small();
    stack.unattended();
    stack.wait_minutes(90);
    let _ = stack.check();
    set_config(&stack, "dev-a", serde_json::json!({"retention_ms": 1000}));
    // State, watch, holds and lease; a list and a bulk read; two lists and a policy; a page.
    let looks = 4 + 2 + 3 + 1;
    let held_back = 3 + 9 + 16;
    for limit in [looks + held_back, looks + held_back + 2] {
        let stack = stack.fork();
        let crowd = Crowd::over(&stack.ports);
        let requests = Some(limit);
        let given = invocation(&stack, Limits { requests, ..AMPLE });
        let run = upped(&crowd, &stack, &given, &By::Policy);
        let (report, changed) = drive(&stack, run).unwrap();
        let outcomes: Vec<_> = changed.results.iter().map(|one| &one.outcome).collect();
        let (needs, left) = (1, 0);
        match changed.ran_out {
            Some(ran_out) => {
                assert_eq!(ran_out, RanOut::Requests { needs, left });
                let reason = "out of requests: needs 1 request, 0 are left".to_owned();
                assert_eq!(outcomes, [&Outcome::NotBegun { reason }]);
                assert_eq!(stack.ports.writes(), 0);
                assert_eq!(report.exit_code_after(&changed), 1);
            }
            None => assert_eq!(outcomes, [&Outcome::Done], "{limit}"),
        }
        assert_eq!(changed.ran_out.is_some(), limit == looks + held_back);
    }
}

#[test]
fn a_composite_is_begun_only_if_all_of_it_fits() {
    let mut stack = Stack::new();
    stack.policy("correct: disruptive, deploy: disruptive, correct_after: 0, on_missing: recreate");
    let stack = stack.with_small();
    stack.unattended();
    stack.wait_minutes(90);
    let deletion = serde_json::json!({"do": "delete_pubsub_topic", "topic": "dev-mail"});
    deed(&stack, deletion);
    let mut made = Vec::new();
    for limit in 38..61 {
        let stack = stack.fork();
        let crowd = Crowd::over(&stack.ports);
        let requests = Some(limit);
        let given = invocation(&stack, Limits { requests, ..AMPLE });
        let by = By::Person(Consent::to_any_plan().allowing(["dev-mail-sub"]));
        let (_, changed) = drive(&stack, upped(&crowd, &stack, &given, &by)).unwrap();
        assert!(crowd.requests.made.get() <= limit, "{limit}");
        made.push(changed.done());
        let grants = stack.ports.store.keys();
        let is_grant = |key: &&String| key.contains("/grants/");
        let given = grants.iter().filter(is_grant).count();
        // A topic, a policy that is read and written, and a subscription that is deleted and made.
        let needs_five = |changed: &Changed| match changed.ran_out {
            Some(RanOut::Requests { needs, left }) => needs == 5 && left < 5,
            _ => false,
        };
        match changed.done() {
            // Nobody's consent is used up for nothing.
            0 => assert!(given == 0 && needs_five(&changed), "{limit}: {changed:?}"),
            3 => assert_eq!((given, changed.ran_out), (1, None), "{limit}"),
            done => panic!("{limit}: {done} {:?}", results(&changed)),
        }
    }
    assert!(
        made.is_sorted() && made.contains(&0) && made.contains(&3),
        "{made:?}"
    );
}
