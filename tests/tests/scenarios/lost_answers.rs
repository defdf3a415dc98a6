//! A write whose answer is lost, applied or not: nothing is done twice, nothing stays undone.

use kedge_core::compare::Verdict;
use kedge_core::report::StackVerdict;
use kedge_sandbox::{Effect, Fault, Matches, Provider};
use kedge_tests::ports::NotSent;
use kedge_tests::stack::{GMAIL, LEAVER, Stack, results, verdict, world_has_item};
use serde_json::json;

use super::{deed, set_config, status};

/// The answers of so many writes from the n-th on come like this.
fn spoil(stack: &Stack, provider: Provider, nth: u64, effect: Effect, times: Option<u32>) {
    stack.ports.sandbox.add_fault(Fault {
        matches: Matches {
            provider: Some(provider),
            write: Some(true),
            nth: times.is_none().then_some(nth),
            ..Matches::default()
        },
        effect,
        times,
    });
}

fn effects() -> [Effect; 6] {
    [
        Effect::LoseAnswer { applied: true },
        Effect::LoseAnswer { applied: false },
        Effect::CutBody,
        Effect::Latency { ms: 20_000 },
        status(500),
        status(503),
    ]
}

const PROVIDERS: [Provider; 3] = [Provider::Aiven, Provider::Pubsub, Provider::Cloudflare];

/// A stack on which creates, updates, a replacement and deletes of each provider are to be done.
fn busy() -> (Stack, Vec<&'static str>) {
    let mut stack = Stack::new();
    stack.policy("correct: safe, deploy: disruptive, correct_after: 0, prune: true");
    let mut stack = stack.with_small();
    stack.nodes(&[
        "name: n1, ips: [192.0.2.1, 192.0.2.2], domain: n1.clustera.io",
        "name: n2, ips: [192.0.2.8], domain: n2.clustera.io",
    ]);
    stack.unattended();
    stack.wait_minutes(90);
    stack.topics(&[
        ("a", "retention_ms: 7200000"),
        ("b", "partitions: 4"),
        ("c", ""),
    ]);
    stack.mail("filter: 'attributes.x = \"1\"'");
    stack.nodes(&[
        "name: n1, ips: [192.0.2.2, 192.0.2.3], domain: n1.clustera.io",
        "name: n3, ips: [192.0.2.9], domain: n3.clustera.io",
    ]);
    deed(
        &stack,
        json!({"do": "remove_iam_binding", "topic": "dev-mail", "role": kedge_tests::stack::PUBLISHER}),
    );
    (stack, vec!["dev-b-dlq", "dev-mail-sub", "n2.clustera.io"])
}

/// A stack on which a member and an address are to be taken away, and nothing else is to be done.
fn leaving() -> (Stack, Vec<&'static str>) {
    let mut stack = Stack::small();
    stack.mail_for(&[GMAIL, LEAVER], "");
    stack.unattended();
    stack.wait_minutes(90);
    stack.mail("");
    stack.nodes(&["name: n1, ips: [192.0.2.1], domain: n1.clustera.io"]);
    (stack, vec!["dev-mail/roles/pubsub.publisher"])
}

#[test]
fn what_is_to_be_taken_away_stays_withdrawn_until_it_is_gone() {
    for provider in [Provider::Pubsub, Provider::Cloudflare] {
        for effect in effects() {
            let (stack, allow) = leaving();
            spoil(&stack, provider, 1, effect.clone(), Some(1000));
            stack.person(&allow);
            stack.ports.sandbox.clear_faults();
            let name = format!("{provider:?} {effect:?}");
            let report = stack.check();
            let left: Vec<&str> = [
                (LEAVER, "dev-mail/roles/pubsub.publisher"),
                ("192.0.2.2", "n1.clustera.io"),
            ]
            .into_iter()
            .filter(|(item, _)| world_has_item(&stack, item))
            .map(|(_, key)| key)
            .collect();
            for key in &left {
                assert_eq!(verdict(&report, key), Verdict::Pending, "{name} {key}");
            }
            let allow: Vec<&str> = allow.into_iter().filter(|key| left.contains(key)).collect();
            stack.person(&allow);
            assert!(
                !world_has_item(&stack, LEAVER) && !world_has_item(&stack, "192.0.2.2"),
                "{name}"
            );
            stack.assert_settled();
        }
    }
}

#[test]
fn each_write_survives_one_lost_answer() {
    for provider in PROVIDERS {
        for effect in effects() {
            for nth in 1..=4 {
                let (stack, allow) = busy();
                spoil(&stack, provider, nth, effect.clone(), None);
                let (_, changed) = stack.person(&allow);
                let name = format!("{provider:?} {effect:?} {nth}");
                assert!(changed.is_complete(), "{name}: {:?}", changed.results);
                stack.ports.sandbox.clear_faults();
                stack.assert_settled();
            }
        }
    }
}

#[test]
fn a_run_whose_every_answer_is_lost_is_healed_by_the_next() {
    for provider in PROVIDERS {
        for effect in effects() {
            let (stack, allow) = busy();
            spoil(&stack, provider, 1, effect.clone(), Some(1000));
            // Some find out by reading what became of it, and say that it is done.
            stack.person(&allow);
            let name = format!("{provider:?} {effect:?}");
            stack.ports.sandbox.clear_faults();
            let plan = stack.check().plan;
            let is_planned = |key: &&str| {
                plan.changes
                    .iter()
                    .any(|planned| planned.change.key.answers_to(key))
            };
            let allow: Vec<&str> = allow.into_iter().filter(is_planned).collect();
            let (_, changed) = stack.person(&allow);
            assert!(changed.is_complete(), "{name}: {:?}", changed.results);
            stack.assert_settled();
        }
    }
}

#[test]
fn a_create_that_was_made_and_not_heard_of_is_ours() {
    for provider in PROVIDERS {
        let stack = Stack::small();
        spoil(
            &stack,
            provider,
            1,
            Effect::LoseAnswer { applied: true },
            Some(1000),
        );
        stack.unattended();
        stack.ports.sandbox.clear_faults();
        // State names it as begun, so what is live is recorded and not taken for somebody else's.
        stack.unattended();
        stack.assert_settled();
    }
}

#[test]
fn a_create_that_exists_and_is_not_ours_is_blocked() {
    let mut stack = Stack::new();
    stack.topics(&[("a", "")]);
    stack.unattended();
    stack.topics(&[("a", ""), ("b", "")]);
    // Somebody makes it between our list, which lags, and our create.
    deed(
        &stack,
        json!({"do": "create_topic", "topic": "dev-b", "partitions": 7, "replication": 2}),
    );
    stack.trouble(Provider::Aiven, "", Effect::ListingLag { ms: 60_000 });
    let (_, changed) = stack.unattended();
    let outcomes: Vec<&str> = changed
        .results
        .iter()
        .map(|one| one.outcome.as_str())
        .collect();
    assert_eq!(outcomes, ["blocked"]);
    assert!(!stack.state_text().contains("dev-b"));
    stack.ports.sandbox.clear_faults();
    assert_eq!(stack.check().verdict(), StackVerdict::NotAdopted);
    stack.assert_idle_unattended();
}

#[test]
fn a_create_that_was_surely_not_sent_makes_nothing_ours() {
    for times in [1, 2] {
        let mut stack = Stack::new();
        stack.topics(&[("a", "")]);
        stack.unattended();
        stack.topics(&[("a", ""), ("b", "")]);
        deed(
            &stack,
            json!({"do": "create_topic", "topic": "dev-b", "partitions": 7, "replication": 2}),
        );
        stack.trouble(Provider::Aiven, "", Effect::ListingLag { ms: 60_000 });
        let writes = stack.ports.writes();
        let not_sent = NotSent {
            write: Some(true),
            path: "/topic".to_owned(),
            after: 0,
            times,
        };
        stack.ports.not_sent.borrow_mut().push(not_sent);
        let (_, changed) = stack.unattended();
        assert_eq!(results(&changed), ["create dev-b blocked"], "{times}");
        assert_eq!(stack.ports.writes(), writes + 1, "{times}");
        assert!(!stack.state_text().contains("dev-b"));
        stack.ports.sandbox.clear_faults();
        assert_eq!(stack.check().verdict(), StackVerdict::NotAdopted);
        stack.assert_idle_unattended();
    }
}

#[test]
fn a_list_that_lags_after_our_write_is_settling() {
    let stack = Stack::small();
    stack.unattended();
    stack.wait_minutes(90);
    set_config(&stack, "dev-a", json!({"retention_ms": 1000}));
    stack.unattended();
    stack.wait_minutes(1);
    for effect in [
        Effect::ListingLag { ms: 120_000 },
        Effect::BulkLag { ms: 120_000 },
    ] {
        stack.trouble(Provider::Aiven, "", effect);
        stack.assert_idle();
        assert_eq!(stack.check().verdict(), StackVerdict::Clean);
        stack.ports.sandbox.clear_faults();
    }
    stack.assert_settled();
}

#[test]
fn a_topic_made_a_moment_ago_and_not_listed_yet_is_settling() {
    let stack = Stack::small();
    stack.unattended();
    stack.wait_minutes(1);
    stack.trouble(Provider::Aiven, "", Effect::ListingLag { ms: 120_000 });
    stack.assert_idle();
    stack.ports.sandbox.clear_faults();
    stack.assert_settled();
}

#[test]
fn a_crashed_create_that_the_list_does_not_show_yet_is_not_blocked() {
    let stack = Stack::small();
    stack.ports.sandbox.add_fault(Fault {
        matches: Matches {
            provider: Some(Provider::Aiven),
            write: Some(true),
            ..Matches::default()
        },
        effect: Effect::LoseAnswer { applied: true },
        times: None,
    });
    stack.unattended();
    stack.ports.sandbox.clear_faults();
    stack.trouble(Provider::Aiven, "", Effect::ListingLag { ms: 60_000 });
    let (_, changed) = stack.unattended();
    assert!(!changed.results.is_empty(), "the list shows it already");
    assert!(changed.is_complete(), "{:?}", changed.results);
    stack.ports.sandbox.clear_faults();
    stack.wait_minutes(3);
    stack.unattended();
    stack.assert_settled();
}
