//! A run that has only so much time: it begins nothing that it could not record before its deadline.

use kedge_core::live::FailureCode;
use kedge_core::ran_out::RanOut;
use kedge_core::report::{ChangeResult, Outcome, StackVerdict};
use kedge_engine::{Applied, By, LAST_REQUEST_BEFORE_DEADLINE_MS};
use kedge_sandbox::{Effect, Provider};
use kedge_tests::crowd::Crowd;
use kedge_tests::stack::results;

use super::{
    AMPLE, Limits, applied, assert_recorded, checked, drive, failure_of, in_three_scopes,
    invocation, large,
};

#[test]
fn a_run_begins_nothing_that_it_could_not_record_before_its_deadline() {
    let mut counts = Vec::new();
    for (provider_ms, store_ms, ms) in [
        (1_000, 500, 28_000),
        (1_000, 500, 38_000),
        (14_000, 100, 60_000),
        (1_000, 400, 32_000),
        (2_000, 500, 3_600_000),
    ] {
        let stack = large(80, 0);
        stack.ports.latency_ms.set(store_ms);
        let ms_more = provider_ms - store_ms;
        stack.trouble(Provider::Aiven, "", Effect::Latency { ms: ms_more });
        let given = invocation(&stack, Limits { ms, ..AMPLE });
        let deadline = given.budget.deadline().0;
        let crowd = Crowd::over(&stack.ports);
        let ended = drive(&stack, applied(&crowd, &stack, &given, &By::Policy));
        let is_late = matches!(ended, Applied::OutOfTime(_));
        let changed = ended.into_result().unwrap().changed;
        assert_eq!(is_late, changed.done() < 80);
        let what = format!("{provider_ms} {store_ms} {ms}: {:?}", results(&changed));
        assert!(stack.ports.executor.now_ms() <= deadline, "{what}");
        let last = crowd.writes_at.borrow().iter().max().copied();
        assert!(last.unwrap_or_default() < deadline - LAST_REQUEST_BEFORE_DEADLINE_MS);
        let is_late = |one: &&ChangeResult| {
            let reason = RanOut::Time.to_string();
            one.outcome == Outcome::NotBegun { reason }
        };
        let late = changed.results.iter().filter(is_late).count();
        assert_eq!(changed.done() + late, 80, "{what}");
        assert_eq!(
            changed.ran_out,
            (late > 0).then_some(RanOut::Time),
            "{what}"
        );
        assert_recorded(&stack, &changed, 0);
        counts.push(changed.done());
        stack.ports.sandbox.clear_faults();
        stack.ports.latency_ms.set(1);
        stack.wait_minutes(10);
        stack.unattended();
        stack.wait_minutes(10);
        let _ = stack.check();
        stack.assert_settled();
    }
    // None, some, and all.
    let some = |count: &usize| (1..80).contains(count);
    assert!(
        counts.iter().filter(|count| some(count)).count() >= 3,
        "{counts:?}"
    );
    assert_eq!(
        (counts.iter().min(), counts.last()),
        (Some(&0), Some(&80)),
        "{counts:?}"
    );
}

#[test]
fn a_check_too_close_to_its_deadline_asks_nobody() {
    let stack = in_three_scopes();
    let crowd = Crowd::over(&stack.ports);
    let ms = LAST_REQUEST_BEFORE_DEADLINE_MS;
    let given = invocation(&stack, Limits { ms, ..AMPLE });
    stack.ports.clear_sent();
    let report = drive(&stack, checked(&crowd, &stack, &given)).unwrap();
    assert_eq!(report.verdict(), StackVerdict::Incomplete);
    assert_eq!(report.ran_out, Some(RanOut::Time));
    for key in report.comparison.differences.keys() {
        let (code, _) = failure_of(&report, key).unwrap();
        assert_eq!(code, FailureCode::OutOfTime, "{key}");
    }
    assert!(stack.ports.sent.borrow().is_empty());
}
