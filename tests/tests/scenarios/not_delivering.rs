//! A topic or subscription that is there, as declared, and does not do its work.

use kedge_core::accept::accept;
use kedge_core::change::Verb;
use kedge_core::compare::Verdict;
use kedge_core::plan::FindingKind;
use kedge_core::report::StackVerdict;
use kedge_tests::stack::{Stack, describe, difference, left_reasons, results};
use serde_json::{Value, json};

use super::deed;

const SUB: &str = "dev-mail-sub";

/// A stack that corrects all it may, at once, whose subscription is pulled.
fn standing(subscription: &str) -> Stack {
    let mut stack = Stack::new();
    stack.policy("correct: disruptive, deploy: disruptive, correct_after: 0, on_missing: recreate");
    stack.mail(subscription);
    stack.unattended();
    stack.wait_minutes(90);
    stack.assert_settled();
    stack
}

fn state(stack: &Stack, state: Value, of: Value) {
    deed(
        stack,
        json!({"do": "set_subscription_state", "subscription": SUB, "state": state, "of": of}),
    );
}

#[test]
fn a_detached_subscription_is_drift_that_only_consent_ends() {
    let stack = standing("ack_deadline_seconds: 20");
    deed(
        &stack,
        json!({"do": "detach_subscription", "subscription": SUB}),
    );
    let report = stack.check();
    assert_eq!(
        report.verdict(),
        StackVerdict::Drifted,
        "{}",
        describe(&report)
    );
    assert_eq!(report.verdict().exit_code(true), 2);
    let planned = &report.plan.changes[0];
    assert_eq!(planned.change.verb, Verb::Replace);
    let impact = &planned.steps[0].impact;
    assert!(
        impact.starts_with("it is detached from its topic, so it delivers nothing"),
        "{impact}"
    );
    // What else differs is not changed in place meanwhile, run after run.
    deed(
        &stack,
        json!({"do": "patch_subscription", "subscription": SUB, "fields": {"ackDeadlineSeconds": 60}}),
    );
    for _ in 0..3 {
        let (report, changed) = stack.unattended();
        assert_eq!(changed.results, [], "{}", describe(&report));
        assert_eq!(report.exit_code_after(&changed), 2);
        assert_eq!(
            left_reasons(&report, SUB),
            ["needs-approval", "needs-approval"]
        );
        stack.wait_minutes(30);
    }
    stack.assert_idle();
    let (_, changed) = stack.person(&[SUB]);
    assert_eq!(results(&changed), ["replace dev-mail-sub done"]);
    stack.assert_settled();
    assert!(!stack.ports.sandbox.world().to_string().contains("detached"));
}

#[test]
fn what_does_not_deliver_is_drift_that_nobody_corrects() {
    let stack = standing("ack_deadline_seconds: 20");
    let topic_state =
        |state: Value| json!({"do": "set_pubsub_topic_state", "topic": "dev-mail", "state": state});
    state(&stack, json!("RESOURCE_ERROR"), Value::Null);
    deed(&stack, topic_state(json!("INGESTION_RESOURCE_ERROR")));
    let report = stack.check();
    assert_eq!(
        report.verdict(),
        StackVerdict::Drifted,
        "{}",
        describe(&report)
    );
    assert_eq!(report.plan.changes, []);
    let said = report.plan.findings.iter().map(|finding| {
        assert_eq!(finding.kind, FindingKind::Unhealthy);
        finding.message.as_str()
    });
    let said = said.collect::<Vec<_>>().join("\n");
    assert!(
        said.contains("RESOURCE_ERROR") && said.contains("INGESTION_RESOURCE_ERROR"),
        "{said}"
    );
    let key = &report.plan.findings[0].key;
    let accepted = accept(&report, key, None).unwrap();
    assert_eq!((accepted.edits.len(), accepted.cannot.len()), (0, 1));
    let (report, changed) = stack.unattended();
    assert_eq!(report.exit_code_after(&changed), 2);
    stack.assert_idle();
    // What can be corrected is, beside it.
    deed(
        &stack,
        json!({"do": "patch_subscription", "subscription": SUB, "fields": {"ackDeadlineSeconds": 60}}),
    );
    let (report, changed) = stack.unattended();
    assert_eq!(
        results(&changed),
        ["update dev-mail-sub done"],
        "{}",
        describe(&report)
    );
    assert_eq!(report.exit_code_after(&changed), 2);
    stack.wait_minutes(10);
    assert_eq!(stack.check().verdict(), StackVerdict::Drifted);
    state(&stack, Value::Null, Value::Null);
    deed(&stack, topic_state(Value::Null));
    stack.assert_settled();
}

#[test]
fn drift_of_this_sort_has_its_window_and_a_stack_without_state_is_not_adopted() {
    let stack = standing("");
    state(&stack, json!("RESOURCE_ERROR"), Value::Null);
    let before = stack.check();
    let window = before.windows.values().next().cloned().unwrap();
    stack.wait_minutes(30);
    let later = stack.check();
    assert_eq!(later.windows.values().next(), Some(&window));

    let mut other = Stack::new();
    other.mail("");
    deed(
        &other,
        json!({"do": "create_pubsub_topic", "topic": "dev-mail"}),
    );
    deed(
        &other,
        json!({"do": "create_subscription", "subscription": SUB, "topic": "dev-mail"}),
    );
    state(&other, json!("RESOURCE_ERROR"), Value::Null);
    let report = other.check();
    assert_eq!(report.verdict(), StackVerdict::NotAdopted);
    let (report, _) = other.person(&[]);
    assert!(!difference(&report, SUB).unhealthy.is_empty());
    other.wait_minutes(10);
    let report = other.check();
    assert_eq!(difference(&report, SUB).verdict, Verdict::Drifted);
    assert_eq!(report.verdict(), StackVerdict::Drifted);
}
