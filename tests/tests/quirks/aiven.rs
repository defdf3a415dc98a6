//! Aiven's Kafka topics.

use kedge_core::diff::Verdict;
use kedge_core::live::FailureCode;
use kedge_core::report::StackVerdict;
use kedge_sandbox::{Effect, Provider};
use kedge_tests::stack::{Stack, carried, difference, shown, verdict};
use serde_json::json;

use super::{assert_clean, deed, fault, says, stand};

const UNLIMITED: &str = "flush_ms: 9223372036854775807, retention_ms: 7d";

fn stack() -> Stack {
    let mut stack = Stack::new();
    stack.topics(&[("a", UNLIMITED)]);
    stand(&stack);
    stack
}

#[test]
fn a_value_equal_to_the_default_is_no_difference() {
    let stack = stack();
    // Both declared values are what a topic has by default, and are shown as such (tf#2955).
    stack.trouble(Provider::Aiven, "", Effect::EqualReadsAsDefault);
    stack.assert_settled();
}

#[test]
fn unlimited_survives_a_float() {
    let stack = stack();
    stack.trouble(Provider::Aiven, "", Effect::UnlimitedAsFloat);
    stack.assert_settled();
    assert!(stack.state_text().contains("9223372036854775807"));
}

#[test]
fn a_broker_default_that_moves_is_no_difference_of_what_is_set() {
    let stack = stack();
    for (key, value) in [("retention_ms", 3_600_000), ("segment_bytes", 20_971_520)] {
        deed(
            &stack,
            json!({"do": "set_broker_default", "key": key, "value": value}),
        );
    }
    stack.assert_settled();
}

#[test]
fn topics_lost_while_the_service_was_off_are_not_made_anew() {
    let mut stack = Stack::new();
    stack.policy("correct: safe, deploy: disruptive, correct_after: 0, on_missing: recreate");
    stack.many_topics(12, "");
    stand(&stack);
    deed(
        &stack,
        json!({"do": "set_service_state", "state": "POWEROFF", "lose_topics": true}),
    );
    deed(
        &stack,
        json!({"do": "set_service_state", "state": "RUNNING"}),
    );
    let report = stack.check();
    assert_eq!(report.verdict(), StackVerdict::Incomplete);
    let failure = difference(&report, "dev-t000").failure.clone();
    assert_eq!(failure.map(|one| one.code), Some(FailureCode::MassAbsence));
    stack.assert_idle();
}

#[test]
fn the_services_own_user_may_come_late() {
    let mut stack = Stack::new();
    stack.topics(&[("a", "")]);
    let late = says(
        404,
        "User avnadmin (or root) with component main not found",
        None,
    );
    fault(&stack, Provider::Aiven, "/topic", late.clone(), 2);
    let (_, changed) = stack.unattended();
    assert_eq!(carried(&changed), ["create dev-a done"]);
    stack.wait_minutes(10);
    stack.trouble(Provider::Aiven, "", late);
    let report = stack.check();
    let code = difference(&report, "dev-a")
        .failure
        .as_ref()
        .map(|one| one.code);
    assert_eq!(code, Some(FailureCode::ProviderError), "not ScopeNotFound");
}

#[test]
fn a_topic_that_is_long_in_the_making_is_settling() {
    let mut stack = Stack::new();
    stack.topics(&[("a", "")]);
    let slow = Effect::SlowCreate {
        ms: 180_000,
        unreadable: true,
    };
    stack.trouble(Provider::Aiven, "", slow);
    stack.unattended();
    stack.wait_minutes(1);
    let report = stack.check();
    assert_eq!(
        verdict(&report, "dev-a"),
        Verdict::Settling,
        "{}",
        shown(&report)
    );
    stack.assert_idle();
    stack.wait_minutes(10);
    stack.assert_settled();
}

#[test]
fn a_name_being_deleted_is_waited_for() {
    let mut stack = Stack::new();
    stack.topics(&[("a", "")]);
    stack.trouble(Provider::Aiven, "", Effect::SlowDelete { ms: 120_000 });
    let path = "/v1/project/clustera-creators/service/kafka-clustera/topic";
    let make = json!({"topic_name": "dev-a", "partitions": 1, "replication": 2}).to_string();
    ask(&stack, "POST", path, &make);
    ask(&stack, "DELETE", &format!("{path}/dev-a"), "");
    // Listed as DELETING: neither there nor gone; and its name is taken.
    let report = stack.check();
    assert_eq!(
        verdict(&report, "dev-a"),
        Verdict::Unknown,
        "{}",
        shown(&report)
    );
    stack.assert_idle_unattended();
    stack.wait_minutes(3);
    stack.unattended();
    stack.wait_minutes(10);
    stack.assert_settled();
}

#[test]
fn what_somebody_deletes_right_after_our_update_does_not_settle() {
    let mut stack = Stack::new();
    stack.topics(&[("a", "retention_ms: 3600000")]);
    stack.unattended();
    stack.wait_minutes(10);
    stack.topics(&[("a", "retention_ms: 7200000")]);
    stack.unattended();
    stack.wait_minutes(1);
    stack.trouble(Provider::Aiven, "", Effect::SlowDelete { ms: 120_000 });
    let path = "/v1/project/clustera-creators/service/kafka-clustera/topic/dev-a";
    ask(&stack, "DELETE", path, "");
    let report = stack.check();
    assert_eq!(
        verdict(&report, "dev-a"),
        Verdict::Unknown,
        "{}",
        shown(&report)
    );
    stack.assert_idle_unattended();
    stack.wait_minutes(2);
    let report = stack.check();
    assert_eq!(
        verdict(&report, "dev-a"),
        Verdict::Drifted,
        "{}",
        shown(&report)
    );
    stack.person(&[]);
    stack.wait_minutes(10);
    stack.assert_settled();
}

/// Asks the sandbox past the engine, as another program would.
fn ask(stack: &Stack, method: &str, path: &str, body: &str) {
    let request = http::Request::builder()
        .method(method)
        .uri(path)
        .header("authorization", "aivenv1 other")
        .body(body.to_owned().into());
    let request = request.unwrap_or_else(|error| panic!("{error}"));
    let now_ms = stack.ports.executor.now_ms();
    let reply = stack.ports.sandbox.handle(request, now_ms);
    let kedge_sandbox::Outcome::Response(response) = reply.outcome else {
        panic!("no answer");
    };
    assert_eq!(response.status(), 200, "{method} {path}");
}

#[test]
fn internals_are_nobodys_business() {
    let stack = stack();
    for topic in [
        "__consumer_offsets",
        "_schemas",
        "dev-connect.internal",
        "dev-x.replica",
    ] {
        deed(&stack, json!({"do": "create_topic", "topic": topic}));
    }
    let report = stack.check();
    assert_eq!(report.comparison.unmanaged, []);
    stack.assert_settled();
}

#[test]
fn a_service_whose_brokers_still_start_refuses_for_now() {
    let mut stack = Stack::new();
    stack.topics(&[("a", "replication: 3")]);
    deed(&stack, json!({"do": "set_running_nodes", "running": 2}));
    let (_, changed) = stack.unattended();
    assert_eq!(carried(&changed), ["create dev-a blocked"]);
    deed(&stack, json!({"do": "set_running_nodes", "running": 3}));
    stack.unattended();
    stack.wait_minutes(10);
    assert_clean(&stack);
    stack.assert_settled();
}
