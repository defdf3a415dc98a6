//! What was there before Kedge knew it.

use kedge_core::compare::Verdict;
use kedge_core::report::StackVerdict;
use kedge_tests::stack::{Stack, describe, left_reasons, verdict};
use serde_json::json;

use super::deed;

fn hand_made(stack: &Stack, topic: &str, partitions: u32) {
    deed(
        stack,
        json!({"do": "create_topic", "topic": topic, "partitions": partitions, "replication": 2}),
    );
}

#[test]
fn a_stack_of_nothing_is_clean_without_state() {
    let mut stack = Stack::new();
    stack.topics(&[]);
    let report = stack.check();
    assert_eq!(
        report.verdict(),
        StackVerdict::Clean,
        "{}",
        describe(&report)
    );
    let (report, changed) = stack.person(&[]);
    assert_eq!(report.exit_code_after(&changed), 0);
    assert_eq!(stack.state_text(), "");
    stack.assert_settled();
}

#[test]
fn an_equal_live_topic_of_an_adopted_stack_is_recorded_without_a_write() {
    let mut stack = Stack::new();
    stack.topics(&[("a", "")]);
    stack.unattended();
    hand_made(&stack, "dev-b", 1);
    hand_made(&stack, "dev-c", 5);
    stack.topics(&[("a", ""), ("b", ""), ("c", "")]);
    stack.ports.clear_sent();
    let (report, changed) = stack.unattended();
    assert_eq!((changed.recorded, changed.results), (1, vec![]));
    assert_eq!(stack.ports.writes(), 0);
    assert!(stack.state_text().contains("dev-b"));
    // One that differs waits for a person, whatever the policy.
    assert_eq!(verdict(&report, "dev-c"), Verdict::NotAdopted);
    assert!(!stack.state_text().contains("dev-c"));
    stack.assert_idle();
    // Five partitions can't be one; the definition follows.
    stack.topics(&[("a", ""), ("b", ""), ("c", "partitions: 6")]);
    assert_eq!(left_reasons(&stack.check(), "dev-c"), ["needs-person"]);
    stack.assert_idle_unattended();
    assert_eq!(stack.person(&[]).1.done(), 1);
    stack.assert_settled();
}

#[test]
fn a_stack_of_which_something_is_live_waits_for_a_person() {
    let mut stack = Stack::new();
    hand_made(&stack, "dev-a", 1);
    stack.topics(&[("a", ""), ("b", "")]);
    assert_eq!(stack.check().verdict(), StackVerdict::NotAdopted);
    let (report, changed) = stack.unattended();
    assert_eq!(changed.results, []);
    assert_eq!(left_reasons(&report, "dev-b"), ["not-adopted"]);
    assert_eq!(stack.state_text(), "");
    stack.assert_idle_unattended();
    assert_eq!(stack.person(&[]).1.done(), 1);
    stack.assert_settled();
}

#[test]
fn unmanaged_things_are_told_and_left() {
    let stack = Stack::small();
    stack.unattended();
    hand_made(&stack, "dev-foreign", 1);
    hand_made(&stack, "other-foreign", 1);
    let report = stack.check();
    assert_eq!(report.verdict(), StackVerdict::Clean);
    let names: Vec<&str> = report
        .comparison
        .unmanaged
        .iter()
        .map(|key| key.name())
        .collect();
    assert_eq!(names, ["dev-foreign"]);
    stack.assert_settled();
}

#[test]
fn another_stacks_mark_blocks() {
    let stack = Stack::small();
    deed(
        &stack,
        json!({"do": "add_record", "record": {
            "type": "A", "name": "n1.clustera.io", "content": "192.0.2.9", "comment": "kedge:prod"
        }}),
    );
    let (report, _) = stack.person(&[]);
    let difference = &kedge_tests::stack::difference(&report, "n1.clustera.io");
    assert!(
        difference
            .blocked
            .as_ref()
            .is_some_and(|why| why.contains("`prod`"))
    );
    stack.assert_idle();
    assert_eq!(verdict(&stack.check(), "dev-a"), Verdict::InSync);
}

#[test]
fn a_field_no_longer_declared_is_dropped_and_left_as_it_is() {
    let mut stack = Stack::new();
    stack.topics(&[("a", "retention_ms: 3600000")]);
    stack.unattended();
    stack.topics(&[("a", "")]);
    stack.ports.clear_sent();
    let (_, changed) = stack.unattended();
    assert_eq!((changed.recorded, stack.ports.writes()), (1, 0));
    assert!(!stack.state_text().contains("retention_ms"));
    let world = stack.ports.sandbox.world().to_string();
    assert!(world.contains("\"retention_ms\":3600000"));
    stack.assert_settled();
    // A new field is an edit.
    stack.topics(&[("a", "retention_ms: 7200000")]);
    assert_eq!(verdict(&stack.check(), "dev-a"), Verdict::Pending);
    stack.unattended();
    stack.assert_settled();
}

#[test]
fn what_is_gone_and_withdrawn_is_forgotten() {
    let mut stack = Stack::small();
    stack.unattended();
    deed(&stack, json!({"do": "delete_topic", "topic": "dev-b"}));
    stack.wait_minutes(10);
    stack.topics(&[("a", "retention_ms: 3600000"), ("b-dlq", "")]);
    stack.ports.clear_sent();
    let (_, changed) = stack.unattended();
    assert_eq!((changed.forgotten, stack.ports.writes()), (1, 0));
    stack.assert_settled();
}
