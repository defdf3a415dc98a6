//! Members that have a role under a condition: a narrowing by a person, that nothing here undoes.

use kedge_core::compare::Verdict;
use kedge_core::plan::{Finding, FindingKind};
use kedge_core::report::{Report, StackVerdict};
use kedge_tests::stack::{GMAIL, PUBLISHER, Stack, describe, difference, results, verdict};
use serde_json::{Value, json};

use super::deed;

const BINDING: &str = "dev-mail/roles/pubsub.publisher";
const OTHER: &str = "serviceAccount:pub@acme.iam.gserviceaccount.com";
const STRANGER: &str = "user:ana@example.com";

fn standing(members: &[&str]) -> Stack {
    let mut stack = Stack::new();
    stack.policy("correct: disruptive, deploy: disruptive, correct_after: 0, prune: true");
    stack.mail_for(members, "");
    stack.unattended();
    stack.wait_minutes(90);
    stack.assert_settled();
    stack
}

/// The role under a condition, no longer without it.
fn narrow(stack: &Stack, member: &str) {
    let condition = json!({"title": "until may",
        "expression": "request.time < timestamp(\"2027-05-01T00:00:00Z\")"});
    deed(
        stack,
        json!({"do": "set_iam_condition", "topic": "dev-mail", "role": PUBLISHER, "member": member,
            "condition": condition}),
    );
}

fn member(stack: &Stack, what: &str, member: &str) {
    deed(
        stack,
        json!({"do": what, "topic": "dev-mail", "role": PUBLISHER, "member": member}),
    );
}

/// The one finding, which is of a condition.
fn said(report: &Report) -> &str {
    let findings: Vec<&Finding> = report.plan.findings.iter().collect();
    let [one] = findings.as_slice() else {
        panic!("{}", describe(report));
    };
    assert_eq!(one.kind, FindingKind::Condition);
    &one.message
}

/// The members of each binding of the role, those under a condition last.
fn policy(stack: &Stack) -> Vec<Value> {
    let world = stack.ports.sandbox.world();
    let topics = world["pubsub"]["topics"].as_object().unwrap();
    let bindings = topics.values().next().unwrap()["policy"]["bindings"]
        .as_array()
        .unwrap();
    let mut bindings = bindings.clone();
    bindings.sort_by_key(|binding| binding["condition"].is_object());
    bindings
        .iter()
        .map(|binding| binding["members"].clone())
        .collect()
}

#[test]
fn a_member_under_a_condition_is_left_to_a_person() {
    let stack = standing(&[GMAIL, OTHER]);
    narrow(&stack, OTHER);
    let report = stack.check();
    assert_eq!(
        report.verdict(),
        StackVerdict::Drifted,
        "{}",
        describe(&report)
    );
    let narrowed = "has the role only under the condition 'until may': a person narrowed it";
    assert!(said(&report).contains(narrowed), "{}", said(&report));
    assert!(said(&report).starts_with(OTHER));
    let (report, changed) = stack.unattended();
    assert_eq!(report.exit_code_after(&changed), 2);
    // Not by a person's `up` either, named or not.
    stack.assert_idle();
    assert_eq!(stack.person(&[]).1.results, []);
    // The one beside it is restored, and the condition stays.
    member(&stack, "remove_iam_member", GMAIL);
    let (_, changed) = stack.unattended();
    assert_eq!(results(&changed), [format!("update {BINDING} done")]);
    assert_eq!(policy(&stack), [json!([GMAIL]), json!([OTHER])]);
    stack.wait_minutes(10);
    said(&stack.check());
    // Who gives it without a condition too has decided otherwise.
    member(&stack, "add_iam_member", OTHER);
    let report = stack.check();
    assert_eq!(verdict(&report, BINDING), Verdict::InSync);
    assert_eq!(difference(&report, BINDING).conditions.len(), 1);
    stack.assert_settled();
}

#[test]
fn a_binding_of_which_all_is_under_a_condition_is_not_missing() {
    let stack = standing(&[OTHER]);
    narrow(&stack, OTHER);
    let report = stack.check();
    assert_eq!(difference(&report, BINDING).whole, None);
    assert_eq!(report.plan.changes, []);
    said(&report);
    stack.assert_idle();
    // One that only a stranger has under a condition is.
    deed(
        &stack,
        json!({"do": "delete_pubsub_topic", "topic": "dev-mail"}),
    );
    deed(
        &stack,
        json!({"do": "create_pubsub_topic", "topic": "dev-mail"}),
    );
    narrow(&stack, STRANGER);
    let report = stack.check();
    assert!(
        difference(&report, BINDING).is_missing(),
        "{}",
        describe(&report)
    );
    stack.unattended();
    assert_eq!(policy(&stack), [json!([OTHER]), json!([STRANGER])]);
}

#[test]
fn a_binding_that_is_new_undoes_no_condition() {
    let stack = standing(&[GMAIL]);
    narrow(&stack, OTHER);
    assert_eq!(stack.check().verdict(), StackVerdict::Clean);
    let mut stack = stack;
    stack.mail_for(&[GMAIL, OTHER], "");
    let report = stack.check();
    assert_eq!(report.verdict(), StackVerdict::Pending);
    assert!(said(&report).starts_with(OTHER));
    stack.assert_idle();
}

#[test]
fn what_is_withdrawn_and_under_a_condition_is_said_and_left() {
    let mut stack = standing(&[GMAIL, OTHER]);
    narrow(&stack, OTHER);
    stack.mail_for(&[GMAIL], "");
    let report = stack.check();
    assert_eq!(report.verdict(), StackVerdict::Pending);
    assert!(
        said(&report).contains("is no longer declared"),
        "{}",
        said(&report)
    );
    stack.assert_idle();
    // The whole binding: what it gives without a condition goes, the rest is said and stays.
    stack.file("area/pubsub.yaml", "topics: [{name: \"{stack}-mail\"}]\n");
    let report = stack.check();
    let lost = &report
        .plan
        .changes
        .iter()
        .find(|one| one.change.key.answers_to(BINDING));
    let impact = &lost.unwrap().steps[0].impact;
    assert!(
        impact.ends_with("keeps it under the condition 'until may'"),
        "{impact}"
    );
    stack.person(&[BINDING, "dev-mail-sub"]);
    assert_eq!(policy(&stack), [json!([OTHER])]);
}

#[test]
fn an_orphan_all_of_which_is_under_a_condition_is_not_forgotten_in_silence() {
    let mut stack = standing(&[OTHER]);
    narrow(&stack, OTHER);
    stack.file("area/pubsub.yaml", "topics: [{name: \"{stack}-mail\"}]\n");
    let report = stack.check();
    let binding = difference(&report, BINDING);
    assert_eq!(binding.verdict, Verdict::Orphan);
    let why = binding.blocked.as_deref().unwrap();
    assert!(why.contains("'until may'"), "{why}");
    stack.person(&["dev-mail-sub"]);
    assert_eq!(policy(&stack), [json!([OTHER])]);
    // A person removes it; nothing is left to say.
    deed(
        &stack,
        json!({"do": "delete_pubsub_topic", "topic": "dev-mail"}),
    );
    deed(
        &stack,
        json!({"do": "create_pubsub_topic", "topic": "dev-mail"}),
    );
    stack.unattended();
    stack.assert_settled();
}

#[test]
fn on_an_authoritative_binding_others_under_a_condition_are_drift() {
    let mut stack = standing(&[GMAIL]);
    let text = stack.files["area/pubsub.yaml"].replace("members:", "authoritative: true, members:");
    stack.file("area/pubsub.yaml", text);
    stack.unattended();
    stack.assert_settled();
    narrow(&stack, STRANGER);
    let report = stack.check();
    assert_eq!(report.verdict(), StackVerdict::Drifted);
    assert!(said(&report).contains("is not declared and has the role under the condition"));
    stack.assert_idle();
    assert_eq!(stack.person(&[]).1.results, []);
    // One who has it without a condition as well loses that, with consent.
    member(&stack, "add_iam_member", STRANGER);
    let (_, changed) = stack.person(&[BINDING]);
    assert_eq!(changed.results.len(), 1);
    assert_eq!(policy(&stack), [json!([GMAIL]), json!([STRANGER])]);
}
