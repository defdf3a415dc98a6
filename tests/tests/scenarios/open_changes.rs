//! Changes of which nobody heard how they ended, while the definitions go on: nothing of ours becomes
//! somebody else's (semantics 8.1, 8.2), and what the provider does not show yet is no drift (3.6).

use kedge_core::diff::{Cause, Verdict};
use kedge_core::report::StackVerdict;
use kedge_sandbox::{Effect, Fault, Matches, Provider};
use kedge_tests::stack::{GMAIL, LEAVER, Stack, difference, verdict};
use serde_json::json;

use super::{deed, set_config, status};

const LAG: Effect = Effect::ListingLag { ms: 120_000 };

/// The first write of a provider is made and its answer lost; whoever asks again finds it down.
fn lose_answers(stack: &Stack, provider: Provider) {
    let lost = Effect::LoseAnswer { applied: true };
    for (effect, times) in [(lost, Some(1)), (status(503), None)] {
        stack.ports.sandbox.add_fault(Fault {
            matches: Matches {
                provider: Some(provider),
                write: Some(true),
                ..Matches::default()
            },
            effect,
            times,
        });
    }
}

/// A run of a person of which every answer of this provider to a change is lost.
fn up_unheard(stack: &Stack, provider: Provider, allow: &[&str]) {
    lose_answers(stack, provider);
    let (_, changed) = stack.person(allow);
    assert!(changed.has_failed(), "{:?}", changed.carried);
    stack.ports.sandbox.clear_faults();
}

fn with_base() -> Stack {
    let mut stack = Stack::new();
    stack.policy("correct: safe, deploy: disruptive, correct_after: 0");
    stack.topics(&[("base", "")]);
    stack.person(&[]);
    stack.wait_minutes(90);
    stack
}

#[test]
fn what_we_made_and_no_longer_declare_is_an_orphan() {
    let mut stack = with_base();
    stack.topics(&[("base", ""), ("ghost", "partitions: 3")]);
    up_unheard(&stack, Provider::Aiven, &[]);
    stack.topics(&[("base", "")]);
    // Automation finds out as well as a person.
    let (_, changed) = stack.unattended();
    assert_eq!(changed.recorded, 1);
    let report = stack.check();
    assert_eq!(verdict(&report, "dev-ghost"), Verdict::Orphan);
    assert_eq!(report.comparison.unmanaged, []);
    stack.assert_idle();
}

#[test]
fn an_update_that_was_made_is_recorded_though_its_resource_is_no_longer_declared() {
    let mut stack = Stack::small();
    stack.mail_for(&[GMAIL], "");
    stack.person(&[]);
    stack.wait_minutes(90);
    stack.mail_for(&[GMAIL, LEAVER], "");
    stack.nodes(&["name: n1, ips: [192.0.2.1, 192.0.2.2, 192.0.2.3], domain: n1.clustera.io"]);
    lose_answers(&stack, Provider::Pubsub);
    lose_answers(&stack, Provider::Cloudflare);
    stack.person(&[]);
    stack.ports.sandbox.clear_faults();
    stack.files.remove("area/pubsub.yaml");
    stack.nodes(&[]);
    stack.unattended();
    // Item by item: what we added is ours, so that pruning takes it away too.
    let state = stack.state_text();
    assert!(
        state.contains(LEAVER) && state.contains("192.0.2.3"),
        "{state}"
    );
    assert!(!state.contains("\"applying\""), "{state}");
    stack.assert_idle();
}

#[test]
fn an_intent_stays_while_its_scope_is_unread() {
    let mut stack = with_base();
    stack.topics(&[("base", ""), ("ghost", "")]);
    up_unheard(&stack, Provider::Aiven, &[]);
    stack.topics(&[("base", "")]);
    stack.mail("");
    stack.trouble(Provider::Aiven, "", status(403));
    let report = stack.check();
    assert_eq!(verdict(&report, "dev-ghost"), Verdict::Unknown);
    assert_eq!(report.verdict(), StackVerdict::Incomplete);
    // Another change is made meanwhile.
    let (_, changed) = stack.person(&[]);
    assert!(changed.done() > 0);
    assert!(stack.state_text().contains("dev-ghost"));
    stack.assert_idle();
    stack.ports.sandbox.clear_faults();
    stack.unattended();
    assert_eq!(verdict(&stack.check(), "dev-ghost"), Verdict::Orphan);
}

#[test]
fn an_intent_stays_until_the_provider_must_show_it() {
    let mut stack = with_base();
    stack.policy("correct: safe, deploy: none, correct_after: 0");
    stack.topics(&[("base", ""), ("late", "")]);
    up_unheard(&stack, Provider::Aiven, &[]);
    stack.trouble(Provider::Aiven, "", LAG);
    // What can't be resolved yet is no reason to take the lease.
    stack.assert_idle_unattended();
    assert_eq!(verdict(&stack.check(), "dev-late"), Verdict::Pending);
    // The person's next run is not blocked by our own topic.
    let (_, changed) = stack.person(&[]);
    assert!(changed.is_complete(), "{:?}", changed.carried);
    stack.ports.sandbox.clear_faults();
    stack.assert_settled();
}

#[test]
fn what_was_never_made_is_forgotten_once_the_provider_must_show_it() {
    let mut stack = with_base();
    stack.topics(&[("base", ""), ("never", "")]);
    stack.ports.sandbox.add_fault(Fault {
        matches: Matches {
            provider: Some(Provider::Aiven),
            write: Some(true),
            ..Matches::default()
        },
        effect: Effect::LoseAnswer { applied: false },
        times: None,
    });
    stack.person(&[]);
    stack.ports.sandbox.clear_faults();
    stack.topics(&[("base", "")]);
    let report = stack.check();
    assert_eq!(verdict(&report, "dev-never"), Verdict::Settling);
    assert_eq!(report.verdict(), StackVerdict::Clean);
    stack.assert_idle();
    stack.wait_minutes(10);
    stack.unattended();
    assert!(!stack.state_text().contains("dev-never"));
    // What somebody makes of that name now is theirs.
    deed(
        &stack,
        json!({"do": "create_topic", "topic": "dev-never", "partitions": 1, "replication": 2}),
    );
    assert_eq!(stack.check().comparison.unmanaged.len(), 1);
    stack.assert_settled();
}

#[test]
fn an_edit_after_a_create_that_nobody_heard_of_is_an_edit() {
    for lags in [false, true] {
        let mut stack = with_base();
        stack.topics(&[("base", ""), ("new", "retention_ms: 3600000")]);
        up_unheard(&stack, Provider::Aiven, &[]);
        stack.topics(&[("base", ""), ("new", "retention_ms: 7200000")]);
        if lags {
            // It is made once more, and exists.
            stack.trouble(Provider::Aiven, "", LAG);
            let (_, changed) = stack.person(&[]);
            assert!(changed.is_complete(), "{:?}", changed.carried);
            stack.ports.sandbox.clear_faults();
        }
        let report = stack.check();
        assert_eq!(verdict(&report, "dev-new"), Verdict::Pending, "{lags}");
        let (_, changed) = stack.person(&[]);
        assert!(changed.is_complete() && changed.done() == 1, "{lags}");
        stack.wait_minutes(90);
        stack.assert_settled();
    }
}

#[test]
fn two_edits_of_which_nobody_heard_are_both_ours() {
    let mut stack = with_base();
    for ms in [3_600_000, 7_200_000, 10_800_000] {
        stack.topics(&[("base", &format!("retention_ms: {ms}"))]);
        let effect = Effect::BulkLag { ms: 60_000 };
        stack.trouble(Provider::Aiven, "", effect);
        up_unheard(&stack, Provider::Aiven, &["dev-base"]);
    }
    // The provider shows an earlier one of them than the last.
    set_config(&stack, "dev-base", json!({"retention_ms": 7_200_000}));
    let report = stack.check();
    assert_eq!(verdict(&report, "dev-base"), Verdict::Pending);
    stack.person(&["dev-base"]);
    stack.wait_minutes(90);
    stack.assert_settled();
}

#[test]
fn a_deletion_of_which_nobody_heard_is_no_missing_resource_once_it_is_declared_again() {
    let mut stack = Stack::new();
    stack.policy("correct: safe, deploy: safe, correct_after: 0, prune: true");
    let topics = [("base", ""), ("gone", "")];
    stack.topics(&topics);
    stack.person(&[]);
    stack.wait_minutes(90);
    stack.topics(&[("base", "")]);
    up_unheard(&stack, Provider::Aiven, &["dev-gone"]);
    stack.topics(&topics);
    let report = stack.check();
    assert_eq!(difference(&report, "dev-gone").whole, Some(Cause::New));
    stack.unattended();
    stack.assert_settled();
}

#[test]
fn a_correction_that_turned_out_to_be_made_counts_for_the_flap_breaker() {
    let mut stack = Stack::new();
    stack.topics(&[("a", "retention_ms: 3600000")]);
    stack.person(&[]);
    let mut made = 0;
    for round in 0..4 {
        stack.wait_minutes(30);
        set_config(&stack, "dev-a", json!({"retention_ms": 1000}));
        lose_answers(&stack, Provider::Aiven);
        stack.unattended();
        stack.ports.sandbox.clear_faults();
        let (_, changed) = stack.unattended();
        assert_eq!(changed.carried, [], "{round}");
        made += usize::from(stack.check().verdict() == StackVerdict::Clean);
    }
    assert_eq!(made, 2, "the third time is left");
}

#[test]
fn a_second_edit_while_the_first_is_not_shown_is_no_drift() {
    let mut stack = Stack::new();
    stack.policy("correct: none, deploy: safe, correct_after: 0");
    let edit = |stack: &mut Stack, ms: i64| {
        stack.topics(&[("a", &format!("segment_ms: {ms}"))]);
    };
    edit(&mut stack, 86_400_000);
    stack.person(&[]);
    stack.wait_minutes(90);
    edit(&mut stack, 2 * 86_400_000);
    stack.person(&[]);
    stack.trouble(Provider::Aiven, "", Effect::BulkLag { ms: 120_000 });
    edit(&mut stack, 3 * 86_400_000);
    assert_eq!(verdict(&stack.check(), "dev-a"), Verdict::Pending);
    // `correct: none` does not keep an edit back.
    let (_, changed) = stack.unattended();
    assert_eq!(changed.done(), 1);
    assert_eq!(stack.check().verdict(), StackVerdict::Clean);
    stack.assert_idle();
    stack.ports.sandbox.clear_faults();
    stack.assert_settled();
}

#[test]
fn a_field_that_was_not_set_before_our_write_settles() {
    let mut stack = Stack::new();
    stack.topics(&[("a", "")]);
    stack.person(&[]);
    stack.wait_minutes(90);
    stack.topics(&[(
        "a",
        "tags: {team: core}, description: one, segment_ms: 86400000",
    )]);
    stack.person(&[]);
    for effect in [LAG, Effect::BulkLag { ms: 120_000 }] {
        stack.trouble(Provider::Aiven, "", effect);
    }
    assert_eq!(stack.check().verdict(), StackVerdict::Clean);
    stack.assert_idle();
    stack.ports.sandbox.clear_faults();
    stack.assert_settled();
}

#[test]
fn items_that_are_not_shown_yet_settle_one_by_one() {
    let mut stack = Stack::new();
    stack.mail_for(&[GMAIL], "");
    stack.nodes(&["name: n1, ips: [192.0.2.1, 192.0.2.2], domain: n1.clustera.io"]);
    stack.person(&[]);
    stack.wait_minutes(90);
    stack.nodes(&["name: n1, ips: [192.0.2.1, 192.0.2.2, 192.0.2.3], domain: n1.clustera.io"]);
    stack.person(&[]);
    // The provider still shows the set of before, less what a person takes away.
    deed(
        &stack,
        json!({"do": "remove_record", "name": "n1.clustera.io"}),
    );
    let record = json!({"type": "A", "name": "n1.clustera.io", "content": "192.0.2.1", "ttl": 300});
    deed(&stack, json!({"do": "add_record", "record": record}));
    let report = stack.check();
    let field = &difference(&report, "n1.clustera.io").fields[0];
    let items: Vec<&str> = field.items.iter().map(|one| one.item.as_str()).collect();
    assert_eq!(items, ["192.0.2.2"]);
}
