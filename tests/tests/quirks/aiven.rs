//! Aiven's Kafka topics.

use kedge_core::compare::Verdict;
use kedge_core::live::FailureCode;
use kedge_core::report::StackVerdict;
use kedge_core::risk::Risk;
use kedge_sandbox::{Effect, Provider};
use kedge_tests::stack::{Stack, describe, difference, results, verdict};
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

/// A stack with one topic of these fields on a service with tiered storage, and what a person sets.
fn changed_by_a_person(fields: &str, config: serde_json::Value) -> Stack {
    let mut stack = Stack::new();
    deed(&stack, json!({"do": "set_tiered_storage", "enabled": true}));
    stack.topics(&[("a", fields)]);
    stand(&stack);
    deed(
        &stack,
        json!({"do": "set_topic_config", "topic": "dev-a", "config": config}),
    );
    stack
}

#[test]
fn another_spelling_of_a_value_is_no_difference() {
    const MAX: i64 = i64::MAX;
    for (fields, config) in [
        ("retention_ms: -1", json!({"retention_ms": MAX})),
        (
            "retention_ms: 9223372036854775807",
            json!({"retention_ms": -1}),
        ),
        ("retention_bytes: -1", json!({"retention_bytes": MAX})),
        (
            "retention_bytes: 9223372036854775807",
            json!({"retention_bytes": -1}),
        ),
        (
            "cleanup_policy: \"compact,delete\"",
            json!({"cleanup_policy": "delete,compact"}),
        ),
        (
            "cleanup_policy: \"delete,compact\"",
            json!({"cleanup_policy": "Compact, Delete"}),
        ),
        (
            "min_cleanable_dirty_ratio: 0.50",
            json!({"min_cleanable_dirty_ratio": 0.5}),
        ),
        (
            "min_cleanable_dirty_ratio: 1.0",
            json!({"min_cleanable_dirty_ratio": 1}),
        ),
    ] {
        let stack = changed_by_a_person(fields, config);
        assert_clean(&stack);
        stack.assert_settled();
    }
}

#[test]
fn a_local_retention_that_is_the_whole_one_is_no_difference() {
    const MAX: i64 = i64::MAX;
    const TIERED: &str = "remote_storage_enable: true";
    for (fields, config) in [
        (
            "local_retention_ms: -2, retention_ms: 7d",
            json!({"local_retention_ms": 604_800_000}),
        ),
        (
            "local_retention_ms: 7d, retention_ms: 7d",
            json!({"local_retention_ms": -2}),
        ),
        (
            "local_retention_ms: -2, retention_ms: -1",
            json!({"local_retention_ms": -1}),
        ),
        (
            "local_retention_ms: -1, retention_ms: -1",
            json!({"local_retention_ms": MAX}),
        ),
        (
            "local_retention_ms: -2",
            json!({"local_retention_ms": 604_800_000}),
        ),
        (
            "local_retention_bytes: -2, retention_bytes: 1GiB",
            json!({"local_retention_bytes": 1_073_741_824}),
        ),
        (
            "local_retention_bytes: 1GiB, retention_bytes: 1GiB",
            json!({"local_retention_bytes": -2}),
        ),
        (
            "local_retention_bytes: -2, retention_bytes: -1",
            json!({"local_retention_bytes": MAX, "retention_bytes": MAX}),
        ),
    ] {
        let stack = changed_by_a_person(&format!("{TIERED}, {fields}"), config);
        assert_clean(&stack);
        stack.assert_settled();
    }
}

#[test]
fn what_keeps_more_is_drift_and_putting_it_back_deletes() {
    for (fields, config, risk) in [
        (
            "retention_ms: 7d",
            json!({"retention_ms": -1}),
            Risk::Destructive,
        ),
        (
            "retention_ms: 7d",
            json!({"retention_ms": i64::MAX}),
            Risk::Destructive,
        ),
        (
            "retention_ms: -1",
            json!({"retention_ms": 604_800_000}),
            Risk::Safe,
        ),
        (
            "retention_bytes: 1GiB",
            json!({"retention_bytes": i64::MAX}),
            Risk::Destructive,
        ),
        (
            "remote_storage_enable: true, retention_ms: 7d, local_retention_ms: 1d",
            json!({"local_retention_ms": -2}),
            Risk::Destructive,
        ),
        (
            "remote_storage_enable: true, retention_ms: 7d, local_retention_ms: -2",
            json!({"local_retention_ms": 86_400_000}),
            Risk::Safe,
        ),
    ] {
        let stack = changed_by_a_person(fields, config.clone());
        let report = stack.check();
        assert_eq!(
            report.verdict(),
            StackVerdict::Drifted,
            "{}",
            describe(&report)
        );
        let risks: Vec<Risk> = report
            .plan
            .changes
            .iter()
            .map(|planned| planned.risk())
            .collect();
        assert_eq!(risks, [risk], "{fields} {config}");
        stack.person(&["dev-a"]);
        stack.wait_minutes(10);
        stack.assert_settled();
    }
}

#[test]
fn a_topic_made_a_moment_ago_that_is_listed_and_not_read_yet_is_settling() {
    let late = |stack: &Stack| {
        for effect in [
            Effect::BulkLag { ms: 240_000 },
            Effect::SingleLag { ms: 240_000 },
        ] {
            stack.trouble(Provider::Aiven, "", effect);
        }
    };
    let mut stack = Stack::new();
    // More than are read one by one.
    stack.many_topics(60, "");
    late(&stack);
    stack.unattended();
    stack.wait_minutes(1);
    let report = stack.check();
    assert_eq!(
        report.verdict(),
        StackVerdict::Clean,
        "{}",
        describe(&report)
    );
    for name in ["dev-t000", "dev-t059"] {
        assert_eq!(verdict(&report, name), Verdict::CatchingUp);
    }
    // The rest of the scope is not held up by it.
    let more: Vec<String> = (0..61).map(|number| format!("t{number:03}")).collect();
    let more: Vec<(&str, &str)> = more.iter().map(|name| (name.as_str(), "")).collect();
    stack.topics(&more);
    let (_, changed) = stack.unattended();
    assert_eq!(results(&changed), ["create dev-t060 done"]);
    stack.wait_minutes(10);
    stack.assert_settled();
    // What another stack, or a person, made a moment ago says nothing of ours.
    let path = "/v1/project/clustera-creators/service/kafka-clustera/topic";
    stack.topics(&[("other", "")]);
    let body = json!({"topic_name": "dev-other", "partitions": 1, "replication": 2}).to_string();
    ask(&stack, "POST", path, &body);
    let report = stack.check();
    assert_eq!(verdict(&report, "dev-other"), Verdict::Unknown);
    let failure = difference(&report, "dev-other").failure.as_ref();
    assert_eq!(failure.map(|one| one.code), Some(FailureCode::ListedOnly));
    let reason = failure.map_or("", |one| one.reason.as_str());
    assert!(
        reason.contains("404: Topic 'dev-other' does not exist"),
        "{reason}"
    );
}

#[test]
fn one_topic_in_the_making_does_not_hide_the_others() {
    let mut stack = Stack::new();
    stack.many_topics(60, "");
    stand(&stack);
    stack.trouble(
        Provider::Aiven,
        "",
        Effect::SlowCreate {
            ms: 180_000,
            unreadable: true,
        },
    );
    // Made by nobody that we know, and listed as made already.
    let body = json!({"topic_name": "dev-t060", "partitions": 1, "replication": 2}).to_string();
    let path = "/v1/project/clustera-creators/service/kafka-clustera/topic";
    ask(&stack, "POST", path, &body);
    stack.many_topics(61, "");
    let report = stack.check();
    for number in 0..60 {
        let name = format!("dev-t{number:03}");
        assert_eq!(verdict(&report, &name), Verdict::InSync, "{name}");
    }
    assert_eq!(verdict(&report, "dev-t060"), Verdict::Unknown);
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
    assert_eq!(results(&changed), ["create dev-a done"]);
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
        Verdict::CatchingUp,
        "{}",
        describe(&report)
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
        describe(&report)
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
        describe(&report)
    );
    stack.assert_idle_unattended();
    stack.wait_minutes(2);
    let report = stack.check();
    assert_eq!(
        verdict(&report, "dev-a"),
        Verdict::Drifted,
        "{}",
        describe(&report)
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
    assert_eq!(results(&changed), ["create dev-a blocked"]);
    deed(&stack, json!({"do": "set_running_nodes", "running": 3}));
    stack.unattended();
    stack.wait_minutes(10);
    assert_clean(&stack);
    stack.assert_settled();
}
