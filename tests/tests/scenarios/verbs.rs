//! Each verb of each provider, from its cause to a second run that changes nothing.

use kedge_core::compare::{Cause, Verdict};
use kedge_core::report::StackVerdict;
use kedge_tests::stack::{
    GMAIL, PUBLISHER, Stack, describe, difference, left_reasons, results, results_in_order, verdict,
};
use serde_json::json;

use super::{deed, set_config};

#[test]
fn a_new_stack_is_created_once() {
    let stack = Stack::small();
    assert_eq!(stack.check().verdict(), StackVerdict::NotAdopted);
    let (_, changed) = stack.unattended();
    let expected = [
        "create dev-a done",
        "create dev-b done",
        "create dev-b-dlq done",
        "create dev-mail done",
        "create dev-mail-sub done",
        "create dev-mail/roles/pubsub.publisher done",
        "create n1.clustera.io/A done",
    ];
    assert_eq!(results(&changed), expected);
    let order = results_in_order(&changed);
    let at = |line: &str| order.iter().position(|other| other.contains(line));
    assert!(at("dev-mail done") < at("dev-mail/roles"));
    assert!(at("dev-mail/roles") < at("dev-mail-sub"));
    stack.assert_settled();
}

/// A small stack that stands.
fn standing() -> Stack {
    let stack = Stack::small();
    stack.unattended();
    stack.wait_minutes(10);
    stack
}

#[test]
fn an_edit_updates_in_place() {
    let mut stack = standing();
    stack.topics(&[
        ("a", "retention_ms: 7200000"),
        ("b", "partitions: 4"),
        ("b-dlq", "description: what b refused"),
    ]);
    stack.mail(
        "push_endpoint: \"https://hooks.example/other?token=new-s3cret\", ack_deadline_seconds: 30",
    );
    stack.nodes(&["name: n1, ips: [192.0.2.2, 192.0.2.3], domain: n1.clustera.io, proxied: true"]);
    let report = stack.check();
    assert_eq!(
        report.verdict(),
        StackVerdict::Pending,
        "{}",
        describe(&report)
    );
    let (_, changed) = stack.unattended();
    let expected = [
        "update dev-a done",
        "update dev-b done",
        "update dev-b-dlq done",
        "update dev-mail-sub done",
        "update n1.clustera.io/A done",
    ];
    assert_eq!(results(&changed), expected);
    stack.assert_settled();
}

#[test]
fn drift_is_put_back() {
    let stack = standing();
    set_config(&stack, "dev-a", json!({"retention_ms": 1000}));
    deed(&stack, json!({"do": "delete_topic", "topic": "dev-b-dlq"}));
    deed(
        &stack,
        json!({"do": "remove_iam_member", "topic": "dev-mail", "role": PUBLISHER, "member": GMAIL}),
    );
    deed(
        &stack,
        json!({"do": "remove_record", "name": "n1.clustera.io", "content": "192.0.2.1"}),
    );
    let report = stack.check();
    assert_eq!(report.verdict(), StackVerdict::Drifted);
    assert_eq!(difference(&report, "dev-b-dlq").whole, Some(Cause::Missing));
    let (_, changed) = stack.unattended();
    let expected = [
        "create dev-b-dlq done",
        "create dev-mail/roles/pubsub.publisher done",
        "update dev-a done",
    ];
    assert_eq!(results(&changed), expected);
    // Its node may be down, and the name has another address.
    assert_eq!(left_reasons(&report, "n1.clustera.io"), ["policy"]);
    let (_, changed) = stack.person(&[]);
    assert_eq!(results(&changed), ["update n1.clustera.io/A done"]);
    stack.assert_settled();
}

#[test]
fn orphans_are_deleted_with_prune_and_a_grant() {
    let mut stack = standing();
    stack.topics(&[("a", "retention_ms: 3600000"), ("b", "partitions: 2")]);
    stack.files.remove("area/pubsub.yaml");
    stack.nodes(&[]);
    let report = stack.check();
    assert_eq!(
        report.verdict(),
        StackVerdict::Clean,
        "{}",
        describe(&report)
    );
    assert_eq!(verdict(&report, "dev-b-dlq"), Verdict::Orphan);
    stack.assert_idle();

    stack.policy("correct: safe, deploy: disruptive, correct_after: 0, prune: true");
    // Pruning is looser than the policy in force.
    stack.assert_idle();
    let (report, changed) = stack.person(&["policy"]);
    assert_eq!(results(&changed), [""; 0]);
    // What it says of orphans is true after it.
    let mut orphans = report.plan.findings.iter().map(|finding| &finding.message);
    assert!(orphans.len() > 3 && orphans.all(|said| said.contains("the next plan deletes it")));
    assert_eq!(report.exit_code_after(&changed), 2);
    let report = stack.check();
    assert_eq!(
        report.verdict(),
        StackVerdict::Pending,
        "{}",
        describe(&report)
    );
    assert_eq!(left_reasons(&report, "dev-b-dlq"), ["needs-approval"]);
    stack.assert_idle();

    let (_, changed) = stack.person(&["dev-b-dlq", "dev-mail-sub", "n1.clustera.io"]);
    let expected = [
        "delete dev-b-dlq done",
        "delete dev-mail-sub done",
        "delete n1.clustera.io/A done",
    ];
    assert_eq!(results(&changed), expected);
    let (_, changed) = stack.person(&["dev-mail/roles/pubsub.publisher", "pubsub-topic/dev-mail"]);
    let expected = [
        "delete dev-mail/roles/pubsub.publisher done",
        "delete dev-mail done",
    ];
    assert_eq!(results_in_order(&changed), expected);
    stack.assert_settled();
}

#[test]
fn a_subscription_is_replaced_where_it_can_not_be_changed() {
    let mut stack = standing();
    stack.mail("push_endpoint: \"https://hooks.example/mail?token=push-s3cret\", filter: 'attributes.x = \"1\"'");
    stack.assert_idle();
    let report = stack.check();
    assert_eq!(verdict(&report, "dev-mail-sub"), Verdict::Pending);
    assert_eq!(left_reasons(&report, "dev-mail-sub"), ["needs-approval"]);
    let (_, changed) = stack.person(&["dev-mail-sub"]);
    assert_eq!(results(&changed), ["replace dev-mail-sub done"]);
    stack.assert_settled();
}

#[test]
fn sets_gain_and_lose_items() {
    let mut stack = standing();
    // Nobody declared the address or the member: the node is not exclusive, bindings are additive.
    deed(
        &stack,
        json!({"do": "add_address", "name": "n1.clustera.io", "address": "192.0.2.66"}),
    );
    deed(
        &stack,
        json!({"do": "add_iam_member", "topic": "dev-mail", "role": PUBLISHER, "member": "user:ana@example.com"}),
    );
    let report = stack.check();
    assert_eq!(verdict(&report, "n1.clustera.io"), Verdict::Drifted);
    let binding = difference(&report, "pubsub-binding/dev-mail/roles/pubsub.publisher");
    assert_eq!(binding.verdict, Verdict::InSync);
    assert_eq!(binding.foreign, ["user:ana@example.com"]);
    assert_eq!(stack.person(&[]).1.results, []);
    stack.assert_idle();

    stack
        .nodes(&["name: n1, ips: [192.0.2.1, 192.0.2.2], domain: n1.clustera.io, exclusive: true"]);
    stack.assert_idle();
    assert_eq!(
        left_reasons(&stack.check(), "n1.clustera.io"),
        ["needs-approval"]
    );
    let (_, changed) = stack.person(&["n1.clustera.io"]);
    assert_eq!(results(&changed), ["update n1.clustera.io/A done"]);
    stack.assert_settled();
    let world = stack.ports.sandbox.world().to_string();
    assert!(world.contains("user:ana@example.com") && !world.contains("192.0.2.66"));
}
