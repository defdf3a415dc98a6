//! A plan too big to be meant is refused whole; a new stack is not.

use kedge_core::plan::GuardName;
use kedge_tests::stack::{Stack, left_reasons};
use serde_json::json;

use super::deed;

#[test]
fn a_new_stack_of_300_topics_deploys_under_default_guards() {
    let mut stack = Stack::new();
    stack.many_topics(300, "");
    let (report, changed) = stack.unattended();
    assert_eq!(report.plan.tripped, []);
    assert_eq!(changed.done(), 300);
    stack.assert_settled();
}

/// One more than a guard allows is refused, for a tick and a person, until the guard is overridden.
fn assert_refused(stack: &Stack, guard: GuardName, changes: usize) {
    for (report, changed) in [stack.unattended(), stack.person(&[])] {
        let guards: Vec<_> = report.plan.tripped.iter().map(|trip| trip.guard).collect();
        assert_eq!((guards, changed.results), (vec![guard], vec![]));
        assert_eq!(report.decided.left().count(), changes);
    }
    stack.assert_idle();
    let (_, changed) = stack.overriding(&[guard]);
    assert_eq!(changed.done(), changes);
    stack.assert_settled();
}

#[test]
fn of_501_first_time_creates_none_is_made() {
    let mut stack = Stack::new();
    stack.many_topics(501, "");
    assert_refused(&stack, GuardName::Creates, 501);
    let mut stack = Stack::new();
    stack.many_topics(500, "");
    assert_eq!(stack.unattended().1.done(), 500);
}

#[test]
fn of_101_changes_none_is_made() {
    let mut stack = Stack::new();
    stack.many_topics(350, "description: first");
    stack.unattended();
    let text = |changed: usize| {
        let line = |number: usize| {
            let says = if number < changed { "second" } else { "first" };
            format!("  - {{name: \"{{stack}}-t{number:03}\", description: {says}}}\n")
        };
        format!("topics:\n{}", (0..350).map(line).collect::<String>())
    };
    stack.file("area/kafka-topics.yaml", text(101));
    assert_refused(&stack, GuardName::Changes, 101);
}

#[test]
fn of_31_percent_of_a_kind_none_is_changed() {
    let mut stack = Stack::new();
    stack.many_topics(100, "");
    stack.unattended();
    stack.wait_minutes(90);
    for number in 0..30 {
        deed(
            &stack,
            json!({"do": "set_replication", "topic": format!("dev-t{number:03}"), "replication": 3}),
        );
    }
    assert_eq!(stack.check().plan.tripped, []);
    deed(
        &stack,
        json!({"do": "set_replication", "topic": "dev-t099", "replication": 3}),
    );
    assert_eq!(left_reasons(&stack.check(), "dev-t099"), ["guard"]);
    assert_refused(&stack, GuardName::Share, 31);
}

#[test]
fn nine_recorded_resources_have_no_share() {
    let mut stack = Stack::new();
    stack.many_topics(9, "partitions: 1");
    stack.unattended();
    stack.many_topics(9, "partitions: 2");
    assert_eq!(stack.unattended().1.done(), 9);
    stack.assert_settled();
}
