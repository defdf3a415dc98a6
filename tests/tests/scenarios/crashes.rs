//! A crash before and after every port call of a run: the next `up` heals it.

use kedge_core::compare::Verdict;
use kedge_core::report::StackVerdict;
use kedge_tests::ports::CrashPoint;
use kedge_tests::stack::{GMAIL, LEASE_OVER_MS, LEAVER, Stack, describe, person};
use serde_json::{Value, json};

use super::{deed, set_config};

/// Crashes the run at each of its calls in worlds made alike, heals it, and compares what comes of
/// it with the world of a run that never crashed.
fn crash_everywhere(allow: &[&str], world: impl Fn() -> Stack) {
    let calm = world();
    calm.crash_at(None);
    calm.person(allow);
    let calls = calm.ports.calls.get();
    assert!(calls > 5, "{calls} calls");
    calm.assert_settled();
    let expected = names(&calm.ports.sandbox.world());
    for point in (1..=calls).flat_map(|call| [CrashPoint::Before(call), CrashPoint::After(call)]) {
        let stack = world();
        stack.crash_at(Some(point));
        let crashed = stack.up(&person(allow));
        assert!(crashed.is_err(), "{point:?}: no crash");
        stack.crash_at(None);
        // Its lease ends by itself: a minute, and half a one of grace.
        stack.wait_ms(LEASE_OVER_MS);
        heal(&stack, allow, point);
        stack.assert_settled();
        assert_eq!(names(&stack.ports.sandbox.world()), expected, "{point:?}");
    }
}

/// The `up` after the crash, by the same person. A key that is done already is no longer in the plan.
fn heal(stack: &Stack, allow: &[&str], point: CrashPoint) {
    let plan = stack.check().plan;
    let allow: Vec<&str> = allow
        .iter()
        .copied()
        .filter(|key| {
            plan.changes
                .iter()
                .any(|planned| planned.change.key.answers_to(key))
        })
        .collect();
    let (report, changed) = stack.person(&allow);
    assert!(changed.is_complete(), "{point:?}: {:?}", changed.results);
    let blocked = report
        .comparison
        .differences
        .values()
        .any(|difference| difference.blocked.is_some());
    assert!(!blocked, "{point:?}: {}", describe(&report));
    assert!(report.verdict() < StackVerdict::Incomplete, "{point:?}");
}

/// The world without what two runs never share: ids, times and etags.
fn names(world: &Value) -> Value {
    let is_own = |key: &str| key.ends_with("_ms") || key == "etag" || key == "history";
    match world {
        Value::Object(object) => object
            .iter()
            .filter(|(key, _)| !is_own(key))
            .map(|(key, value)| match (key.as_str(), value) {
                ("records", Value::Object(records)) => (key.clone(), texts(records.values())),
                _ => (key.clone(), names(value)),
            })
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Value::Array(items) => items.iter().map(names).collect(),
        other => other.clone(),
    }
}

fn texts<'a>(records: impl Iterator<Item = &'a Value>) -> Value {
    let mut texts: Vec<String> = records.map(|record| names(record).to_string()).collect();
    texts.sort_unstable();
    texts.into()
}

fn standing() -> Stack {
    let stack = Stack::small();
    stack.unattended();
    stack.wait_minutes(10);
    stack
}

#[test]
fn while_creating() {
    crash_everywhere(&[], Stack::small);
}

#[test]
fn while_updating() {
    crash_everywhere(&[], || {
        let mut stack = standing();
        set_config(&stack, "dev-a", json!({"retention_ms": 1000}));
        stack.topics(&[
            ("a", "retention_ms: 3600000"),
            ("b", "partitions: 4"),
            ("b-dlq", ""),
        ]);
        deed(
            &stack,
            json!({"do": "set_push_endpoint", "subscription": "dev-mail-sub", "endpoint": null}),
        );
        stack.nodes(&["name: n1, ips: [192.0.2.1, 192.0.2.3], domain: n1.clustera.io"]);
        stack
    });
}

#[test]
fn while_withdrawing_a_member_and_an_address() {
    crash_everywhere(&["dev-mail/roles/pubsub.publisher"], || {
        let mut stack = Stack::small();
        stack.mail_for(&[GMAIL, LEAVER], "");
        stack.unattended();
        stack.wait_minutes(10);
        stack.mail("");
        stack.nodes(&["name: n1, ips: [192.0.2.1], domain: n1.clustera.io"]);
        stack
    });
}

#[test]
fn while_exchanging_a_member_and_labelling_a_topic() {
    crash_everywhere(&["dev-mail/roles/pubsub.publisher"], || {
        let mut stack = Stack::small();
        stack.mail_for(&[GMAIL, LEAVER], "");
        stack.unattended();
        stack.wait_minutes(10);
        stack.mail_for(&[GMAIL, "user:ana@example.com"], "");
        let text =
            stack.files["area/pubsub.yaml"].replace("-mail\"}]", "-mail\", labels: {team: x}}]");
        stack.file("area/pubsub.yaml", text);
        stack
    });
}

#[test]
fn while_deleting() {
    let keys = [
        "dev-b-dlq",
        "dev-mail-sub",
        "dev-mail/roles/pubsub.publisher",
        "pubsub-topic/dev-mail",
        "n1.clustera.io",
    ];
    crash_everywhere(&keys, || {
        let mut stack = Stack::new();
        stack.policy("correct: safe, deploy: disruptive, correct_after: 0, prune: true");
        let mut stack = stack.with_small();
        stack.unattended();
        stack.wait_minutes(10);
        stack.topics(&[("a", "retention_ms: 3600000"), ("b", "partitions: 2")]);
        stack.files.remove("area/pubsub.yaml");
        stack.nodes(&[]);
        stack
    });
}

#[test]
fn while_replacing() {
    crash_everywhere(&["dev-mail-sub"], || {
        let mut stack = standing();
        stack.mail("filter: 'attributes.x = \"1\"'");
        stack
    });
}

#[test]
fn while_recreating_what_is_gone() {
    crash_everywhere(&["dev-mail-sub"], || {
        let stack = standing();
        deed(&stack, json!({"do": "delete_topic", "topic": "dev-a"}));
        deed(
            &stack,
            json!({"do": "delete_pubsub_topic", "topic": "dev-mail"}),
        );
        deed(
            &stack,
            json!({"do": "remove_record", "name": "n1.clustera.io"}),
        );
        stack
    });
}

/// Crashes a person's run at each of its calls, goes on with other definitions, and sees to it that
/// nothing of what the run did is called drift or somebody else's.
fn crash_and_go_on(allow: &[&str], world: impl Fn() -> Stack, go_on: impl Fn(&mut Stack)) {
    let calm = world();
    calm.crash_at(None);
    calm.person(allow);
    let calls = calm.ports.calls.get();
    for point in (1..=calls).map(CrashPoint::After) {
        let mut stack = world();
        stack.crash_at(Some(point));
        assert!(stack.up(&person(allow)).is_err(), "{point:?}: no crash");
        stack.crash_at(None);
        stack.wait_ms(LEASE_OVER_MS);
        go_on(&mut stack);
        // By automation, by a person, and again once nothing settles any longer.
        for round in ["automation", "person", "later"] {
            match round {
                "automation" => drop(stack.unattended()),
                _ => drop(stack.person(&[])),
            }
            let report = stack.check();
            let is_wrong = |verdict| {
                matches!(
                    verdict,
                    Verdict::Drifted | Verdict::DriftedAndPending | Verdict::NotAdopted
                )
            };
            let differences = report.comparison.differences.values();
            let wrong: Vec<_> = differences.filter(|one| is_wrong(one.verdict)).collect();
            assert!(
                wrong.is_empty(),
                "{point:?}, {round}: {}",
                describe(&report)
            );
            assert_eq!(report.comparison.unmanaged, [], "{point:?}, {round}");
            stack.wait_minutes(30);
        }
        assert!(!stack.state_text().contains("\"applying\""), "{point:?}");
        stack.assert_idle();
    }
}

#[test]
fn what_was_being_made_is_no_longer_declared() {
    crash_and_go_on(&[], Stack::small, |stack| {
        stack.topics(&[("b", "partitions: 2")]);
        stack.files.remove("area/pubsub.yaml");
        stack.nodes(&[]);
    });
}

#[test]
fn what_was_being_made_is_declared_otherwise() {
    crash_and_go_on(&[], Stack::small, |stack| {
        stack.topics(&[
            ("a", "retention_ms: 7200000, description: other"),
            ("b", "partitions: 4"),
            ("b-dlq", "tags: {team: x}"),
        ]);
        stack.mail_for(&[GMAIL, "user:ana@example.com"], "ack_deadline_seconds: 30");
        stack.nodes(&["name: n1, ips: [192.0.2.1, 192.0.2.3], domain: n1.clustera.io, ttl: 600"]);
    });
}

#[test]
fn what_was_being_changed_is_declared_otherwise_or_no_longer() {
    let world = || {
        let mut stack = standing();
        stack.topics(&[
            ("a", "retention_ms: 7200000, description: new"),
            ("b", "partitions: 4"),
            ("b-dlq", ""),
        ]);
        stack.mail_for(&[GMAIL, "user:ana@example.com"], "ack_deadline_seconds: 20");
        stack.nodes(&["name: n1, ips: [192.0.2.1, 192.0.2.3], domain: n1.clustera.io"]);
        stack
    };
    crash_and_go_on(&[], world, |stack| {
        stack.topics(&[
            ("a", "retention_ms: 10800000, tags: {team: x}"),
            ("b", "partitions: 4"),
        ]);
        stack.mail_for(&[GMAIL, LEAVER], "ack_deadline_seconds: 30");
        stack.nodes(&["name: n1, ips: [192.0.2.1, 192.0.2.2, 192.0.2.4], domain: n1.clustera.io"]);
    });
    crash_and_go_on(&[], world, |stack| {
        stack.topics(&[]);
        stack.files.remove("area/pubsub.yaml");
        stack.nodes(&[]);
    });
}

#[test]
fn what_was_being_deleted_is_declared_again() {
    let keys = [
        "dev-b-dlq",
        "dev-mail-sub",
        "dev-mail/roles/pubsub.publisher",
        "pubsub-topic/dev-mail",
        "n1.clustera.io",
    ];
    let world = || {
        let mut stack = Stack::new();
        stack.policy("correct: safe, deploy: disruptive, correct_after: 0, prune: true");
        let mut stack = stack.with_small();
        stack.unattended();
        stack.wait_minutes(10);
        stack.topics(&[("a", "retention_ms: 3600000"), ("b", "partitions: 2")]);
        stack.files.remove("area/pubsub.yaml");
        stack.nodes(&[]);
        stack
    };
    crash_and_go_on(&keys, world, |stack| {
        let again = stack.clone().with_small();
        stack.files = again.files;
    });
}
