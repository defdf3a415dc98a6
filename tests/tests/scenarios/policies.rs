//! What a tick may do: by policy, after its announcement, so often a day and no oftener.

use kedge_core::compare::Verdict;
use kedge_core::report::StackVerdict;
use kedge_tests::stack::{
    NODE, Stack, describe, difference, left_reasons, results, verdict, world_has_item,
};
use serde_json::json;

use super::{deed, set_config};

/// A stack with a safe, a disruptive and a destructive drift.
fn drifted(policy: &str) -> Stack {
    let mut stack = Stack::new();
    stack.policy(policy);
    stack.topics(&[
        ("safe", "retention_ms: 3600000"),
        ("disruptive", "max_message_bytes: 2000000"),
        ("destructive", "retention_ms: 3600000"),
    ]);
    stack.nodes(&[NODE]);
    stack.person(&[]);
    stack.wait_minutes(10);
    set_config(&stack, "dev-safe", json!({"retention_ms": 1000}));
    set_config(
        &stack,
        "dev-disruptive",
        json!({"max_message_bytes": 3_000_000}),
    );
    set_config(
        &stack,
        "dev-destructive",
        json!({"retention_ms": 7_200_000}),
    );
    stack
}

#[test]
fn correct_reaches_as_far_as_it_says() {
    let all = ["update dev-disruptive done", "update dev-safe done"];
    for (correct, made) in [
        ("none", &[][..]),
        ("safe", &all[1..]),
        ("disruptive", &all[..]),
    ] {
        let policy = format!("correct: {correct}, deploy: disruptive, correct_after: 0");
        let stack = drifted(&policy);
        let (report, changed) = stack.unattended();
        assert_eq!(results(&changed), made, "{correct}");
        assert_eq!(left_reasons(&report, "dev-destructive"), ["needs-approval"]);
        stack.assert_idle_unattended();
        assert_eq!(stack.check().verdict(), StackVerdict::Drifted);
        stack.person(&["dev-destructive"]);
        stack.assert_settled();
    }
}

#[test]
fn deploy_reaches_as_far_as_it_says() {
    let all = [
        "create dev-new done",
        "update dev-disruptive done",
        "update dev-safe done",
    ];
    for (deploy, made) in [
        ("none", vec![]),
        ("safe", vec![all[0], all[2]]),
        ("disruptive", all.to_vec()),
    ] {
        let mut stack = Stack::new();
        stack.policy(&format!(
            "correct: disruptive, deploy: {deploy}, correct_after: 0"
        ));
        stack.topics(&[
            ("safe", "retention_ms: 3600000"),
            ("disruptive", "max_message_bytes: 2000000"),
            ("destructive", "retention_ms: 3600000"),
        ]);
        stack.person(&[]);
        stack.topics(&[
            ("safe", "retention_ms: 7200000"),
            ("disruptive", "max_message_bytes: 1000000"),
            ("destructive", "retention_ms: 1000"),
            ("new", ""),
        ]);
        let (report, changed) = stack.unattended();
        assert_eq!(results(&changed), made, "{deploy}");
        assert_eq!(left_reasons(&report, "dev-destructive"), ["needs-approval"]);
        stack.assert_idle_unattended();
        stack.person(&["dev-destructive"]);
        stack.assert_settled();
    }
}

#[test]
fn what_cannot_be_undone_is_done_for_an_edit_and_never_to_correct_drift() {
    for fields in [
        ["partitions: 3", "partitions: 5"],
        ["diskless_enable: false", "diskless_enable: true"],
        [
            "remote_storage_enable: false",
            "remote_storage_enable: true",
        ],
    ] {
        let [before, after] = fields;
        let mut stack = Stack::new();
        deed(&stack, json!({"do": "set_tiered_storage", "enabled": true}));
        stack.policy("correct: disruptive, deploy: disruptive, correct_after: 0");
        stack.topics(&[("a", before)]);
        stack.unattended();
        stack.wait_minutes(10);
        // An edit: automation makes it, and a policy that does not reach so far waits.
        stack.topics(&[("a", after)]);
        stack.policy("correct: disruptive, deploy: safe, correct_after: 0");
        stack.unattended();
        assert_eq!(left_reasons(&stack.check(), "dev-a"), ["policy"]);
        stack.assert_idle_unattended();
        stack.policy("correct: disruptive, deploy: disruptive, correct_after: 0");
        stack.person(&["policy"]);
        stack.wait_minutes(10);
        stack.assert_settled();
        // Somebody makes it anew, smaller or without it.
        deed(&stack, json!({"do": "delete_topic", "topic": "dev-a"}));
        deed(
            &stack,
            json!({"do": "create_topic", "topic": "dev-a", "partitions": 1, "replication": 2}),
        );
        let report = stack.check();
        assert_eq!(
            report.verdict(),
            StackVerdict::Drifted,
            "{}",
            describe(&report)
        );
        assert_eq!(left_reasons(&report, "dev-a"), ["one-way"], "{after}");
        stack.assert_idle_unattended();
        stack.person(&[]);
        stack.wait_minutes(10);
        stack.assert_settled();
    }
}

#[test]
fn a_field_both_drifted_and_edited_follows_the_stricter_policy() {
    let mut stack = Stack::new();
    stack.policy("correct: safe, deploy: disruptive, correct_after: 0");
    stack.topics(&[("a", "max_message_bytes: 2000000")]);
    stack.person(&[]);
    stack.wait_minutes(10);
    set_config(&stack, "dev-a", json!({"max_message_bytes": 3_000_000}));
    stack.topics(&[("a", "max_message_bytes: 1000000")]);
    let report = stack.check();
    assert_eq!(verdict(&report, "dev-a"), Verdict::DriftedAndPending);
    assert_eq!(left_reasons(&report, "dev-a"), ["policy"]);
    stack.assert_idle_unattended();
    stack.person(&[]);
    stack.assert_settled();
}

#[test]
fn a_set_both_drifted_and_edited_follows_the_stricter_policy_with_all_its_items() {
    let node = |ips: &str| format!("name: n1, ips: [{ips}], domain: n1.clustera.io");
    for policy in [
        "correct: none, deploy: disruptive",
        "correct: disruptive, deploy: none",
    ] {
        let mut stack = Stack::new();
        stack.policy(&format!("{policy}, correct_after: 0"));
        stack.topics(&[("a", "")]);
        stack.nodes(&[&node("192.0.2.1, 192.0.2.2, 192.0.2.3")]);
        stack.person(&[]);
        stack.wait_minutes(10);
        deed(
            &stack,
            json!({"do": "remove_record", "name": "n1.clustera.io", "content": "192.0.2.1"}),
        );
        stack.nodes(&[&node("192.0.2.1, 192.0.2.2")]);
        let report = stack.check();
        assert_eq!(
            verdict(&report, "n1.clustera.io"),
            Verdict::DriftedAndPending
        );
        assert_eq!(
            left_reasons(&report, "n1.clustera.io"),
            ["policy"; 2],
            "{policy}"
        );
        stack.assert_idle_unattended();
        stack.person(&[]);
        stack.assert_settled();
    }
}

#[test]
fn a_protected_stack_is_corrected_safely_and_deployed_by_nobody() {
    let mut stack =
        drifted("correct: disruptive, deploy: disruptive, correct_after: 0, protected: true");
    let (_, changed) = stack.unattended();
    assert_eq!(results(&changed), ["update dev-safe done"]);
    stack.topics(&[
        ("safe", "retention_ms: 7200000"),
        ("disruptive", "max_message_bytes: 2000000"),
        ("destructive", "retention_ms: 3600000"),
    ]);
    let report = stack.check();
    assert_eq!(
        left_reasons(&report, "dev-safe"),
        ["policy"],
        "{}",
        describe(&report)
    );
    stack.assert_idle_unattended();
}

#[test]
fn a_policy_that_waits_to_become_looser_is_something_left() {
    let mut stack = Stack::small();
    stack.person(&[]);
    stack.policy("correct: disruptive, deploy: disruptive, correct_after: 0");
    for (report, changed) in [stack.unattended(), stack.person(&[])] {
        assert_eq!(report.verdict(), StackVerdict::Pending);
        assert_eq!(report.exit_code_after(&changed), 2);
    }
    let (report, changed) = stack.person(&["policy"]);
    assert_eq!(report.exit_code_after(&changed), 0);
    stack.assert_settled();
}

#[test]
fn a_drift_is_announced_before_it_is_corrected() {
    let stack = drifted("correct: safe, deploy: none, correct_after: 20m");
    let report = stack.check();
    assert_eq!(left_reasons(&report, "dev-safe"), ["announced"]);
    stack.wait_minutes(19);
    let (report, changed) = stack.unattended();
    assert_eq!(
        (left_reasons(&report, "dev-safe"), changed.results),
        (vec!["announced"], vec![])
    );
    // Another drift of the same resource is announced anew.
    set_config(&stack, "dev-safe", json!({"retention_ms": 2000}));
    stack.wait_minutes(1);
    assert_eq!(stack.unattended().1.results, []);
    stack.wait_minutes(20);
    let (_, changed) = stack.unattended();
    assert_eq!(results(&changed), ["update dev-safe done"]);
    stack.assert_idle_unattended();
}

#[test]
fn an_edit_is_not_announced() {
    let mut stack = Stack::new();
    stack.policy("correct: safe, deploy: disruptive, correct_after: 20m");
    stack.topics(&[("a", "")]);
    stack.unattended();
    stack.topics(&[("a", "partitions: 2"), ("b", "")]);
    let (_, changed) = stack.unattended();
    assert_eq!(
        results(&changed),
        ["create dev-b done", "update dev-a done"]
    );
    stack.assert_settled();
}

#[test]
fn the_third_time_in_a_day_somebody_disagrees() {
    let stack = drifted("correct: safe, deploy: none, correct_after: 0");
    for round in 1..=3 {
        set_config(&stack, "dev-safe", json!({"retention_ms": 1000 + round}));
        let (report, changed) = stack.unattended();
        let expected: &[&str] = if round < 3 {
            &["update dev-safe done"]
        } else {
            &[]
        };
        assert_eq!(results(&changed), expected, "{round} {}", describe(&report));
        stack.wait_minutes(120);
    }
    assert_eq!(left_reasons(&stack.check(), "dev-safe"), ["flapping"]);
    stack.assert_idle_unattended();
    // A day later it counts anew; a person may at any time.
    stack.wait_minutes(24 * 60);
    let (_, changed) = stack.unattended();
    assert_eq!(results(&changed), ["update dev-safe done"]);
    stack.assert_idle_unattended();
}

#[test]
fn automation_stops_at_its_daily_limit() {
    let mut stack = Stack::new();
    let policy = "correct: safe, deploy: none, correct_after: 0";
    stack.project(policy, "{daily_automatic_max: 3}", "[]");
    stack.many_topics(9, "retention_ms: 3600000");
    stack.person(&[]);
    stack.wait_minutes(10);
    let shorten = |from: usize, to: usize| {
        for number in from..to {
            set_config(
                &stack,
                &format!("dev-t{number:03}"),
                json!({"retention_ms": 1000}),
            );
        }
    };
    shorten(0, 2);
    assert_eq!(stack.unattended().1.done(), 2);
    shorten(2, 4);
    // Two more would be four in a day.
    let (report, changed) = stack.unattended();
    assert_eq!(changed.results, []);
    assert_eq!(left_reasons(&report, "dev-t002"), ["guard"]);
    stack.assert_idle_unattended();
    stack.wait_minutes(24 * 60);
    assert_eq!(stack.unattended().1.done(), 2);
    stack.assert_settled();
}

#[test]
fn what_is_gone_is_recreated_by_name_or_by_rule() {
    for (rule, made) in [
        (
            "",
            &["create dev-a-dlq done", "create n1.clustera.io/A done"][..],
        ),
        (", on_missing: alert", &["create n1.clustera.io/A done"]),
        (
            ", on_missing: recreate",
            &[
                "create dev-a done",
                "create dev-a-dlq done",
                "create n1.clustera.io/A done",
            ],
        ),
    ] {
        let mut stack = Stack::new();
        stack.policy(&format!(
            "correct: safe, deploy: none, correct_after: 0{rule}"
        ));
        stack.topics(&[("a", ""), ("a-dlq", ""), ("own", "on_missing: alert")]);
        stack.nodes(&[NODE]);
        stack.person(&[]);
        stack.wait_minutes(90);
        for topic in ["dev-a", "dev-a-dlq", "dev-own"] {
            deed(&stack, json!({"do": "delete_topic", "topic": topic}));
        }
        deed(
            &stack,
            json!({"do": "remove_record", "name": "n1.clustera.io"}),
        );
        let (report, changed) = stack.unattended();
        assert_eq!(results(&changed), made, "{rule}");
        assert_eq!(left_reasons(&report, "dev-own"), ["on-missing-alert"]);
        stack.assert_idle_unattended();
        stack.person(&[]);
        stack.assert_settled();
    }
}

#[test]
fn correct_none_wins_over_on_missing() {
    let mut stack = Stack::new();
    stack.policy("correct: none, deploy: none, correct_after: 0, on_missing: recreate");
    stack.topics(&[("a-dlq", "")]);
    stack.person(&[]);
    stack.wait_minutes(90);
    deed(&stack, json!({"do": "delete_topic", "topic": "dev-a-dlq"}));
    assert_eq!(left_reasons(&stack.check(), "dev-a-dlq"), ["policy"]);
    stack.assert_idle_unattended();
}

#[test]
fn an_ignored_difference_is_shown_and_left_until_its_end() {
    let mut stack = Stack::new();
    let rule = "{resource: \"{stack}-safe\", field: retention_ms, reason: replay, owner: ana, until: 2026-11-23}";
    let policy = "correct: safe, deploy: none, correct_after: 0";
    stack.project(policy, "{}", &format!("[{rule}]"));
    stack.topics(&[("safe", "retention_ms: 3600000")]);
    stack.person(&[]);
    stack.wait_minutes(90);
    set_config(&stack, "dev-safe", json!({"retention_ms": 1000}));
    let report = stack.check();
    assert_eq!(verdict(&report, "dev-safe"), Verdict::Ignored);
    assert_eq!(report.verdict(), StackVerdict::Clean);
    stack.assert_idle();
    stack.wait_minutes(24 * 60);
    // What was overlooked counts as new when the rule ends: one run tells it, the next corrects it.
    let (report, changed) = stack.unattended();
    assert_eq!(verdict(&report, "dev-safe"), Verdict::Drifted);
    assert_eq!(left_reasons(&report, "dev-safe"), ["rule-ended"]);
    assert_eq!(changed.results, []);
    let (_, changed) = stack.unattended();
    assert_eq!(changed.done(), 1);
    stack.assert_settled();
}

#[test]
fn an_edit_that_an_ignore_rule_hid_is_told_before_it_is_deployed() {
    let mut stack = Stack::new();
    let rule = "{resource: \"{stack}-safe\", reason: replay, owner: ana, until: 2026-11-23}";
    stack.topics(&[
        ("safe", "segment_ms: 3600000"),
        ("other", "segment_ms: 3600000"),
    ]);
    stack.person(&[]);
    stack.wait_minutes(90);
    let policy = "correct: safe, deploy: safe, correct_after: 0";
    stack.project(policy, "{}", &format!("[{rule}]"));
    stack.topics(&[
        ("safe", "segment_ms: 7200000"),
        ("other", "segment_ms: 3600000"),
    ]);
    assert_eq!(verdict(&stack.check(), "dev-safe"), Verdict::Ignored);
    stack.wait_minutes(24 * 60);
    stack.topics(&[
        ("safe", "segment_ms: 7200000"),
        ("other", "segment_ms: 7200000"),
    ]);
    let (report, changed) = stack.unattended();
    assert_eq!(left_reasons(&report, "dev-safe"), ["rule-ended"]);
    // No rule was about the other one.
    assert_eq!(results(&changed), ["update dev-other done"]);
    let (_, changed) = stack.unattended();
    assert_eq!(results(&changed), ["update dev-safe done"]);
    stack.assert_settled();
}

fn nodes(nodes: &[&str]) -> Stack {
    let mut stack = Stack::new();
    stack.topics(&[]);
    stack.nodes(nodes);
    stack
}

fn remove(stack: &Stack, name: &str, content: &str) {
    deed(
        stack,
        json!({"do": "remove_record", "name": name, "content": content}),
    );
}

#[test]
fn an_address_that_somebody_took_away_is_put_back_by_the_disruptive_policy_alone() {
    for (policy, done) in [("safe", false), ("disruptive", true)] {
        for (node, lost, kept) in [
            (NODE, "192.0.2.1", "192.0.2.2"),
            // The name still leads somewhere, by its other family.
            (
                "name: n1, ips: [192.0.2.1, \"2001:db8::1\"], domain: n1.clustera.io",
                "192.0.2.1",
                "2001:db8::1",
            ),
            (
                "name: n1, ips: [192.0.2.1, \"2001:db8::1\"], domain: n1.clustera.io",
                "2001:db8::1",
                "192.0.2.1",
            ),
        ] {
            let mut stack = nodes(&[node]);
            stack.policy(&format!(
                "correct: {policy}, deploy: disruptive, correct_after: 0"
            ));
            stack.person(&[]);
            stack.wait_minutes(10);
            let _ = stack.check();
            remove(&stack, "n1.clustera.io", lost);
            stack.unattended();
            assert!(world_has_item(&stack, kept));
            assert_eq!(world_has_item(&stack, lost), done, "{policy}");
            if !done {
                stack.assert_idle_unattended();
                stack.person(&[]);
            }
            stack.assert_settled();
        }
    }
}

#[test]
fn a_name_that_leads_nowhere_is_put_back_by_the_safe_policy() {
    let stack = nodes(&[NODE]);
    stack.person(&[]);
    stack.wait_minutes(10);
    let _ = stack.check();
    remove(&stack, "n1.clustera.io", "192.0.2.1");
    remove(&stack, "n1.clustera.io", "192.0.2.2");
    let report = stack.check();
    assert!(difference(&report, "n1.clustera.io").is_missing());
    assert_eq!(left_reasons(&report, "n1.clustera.io"), [""; 0]);
    let (_, changed) = stack.unattended();
    assert_eq!(results(&changed), ["create n1.clustera.io/A done"]);
    stack.assert_settled();
}
