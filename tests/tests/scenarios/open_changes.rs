//! Changes of which nobody heard how they ended, while the definitions go on: nothing of ours becomes
//! somebody else's (semantics 8.1, 8.2), and what the provider does not show yet is no drift (3.6).

use kedge_core::compare::{Cause, Stage, Verdict};
use kedge_core::report::StackVerdict;
use kedge_sandbox::{Effect, Fault, Matches, Provider};
use kedge_tests::stack::{GMAIL, LEAVER, NODE, PUBLISHER, Stack, difference, verdict};
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

/// No write of a provider is made or answered, until faults are cleared.
fn lose_writes(stack: &Stack, provider: Provider) {
    stack.ports.sandbox.add_fault(Fault {
        matches: Matches {
            provider: Some(provider),
            write: Some(true),
            ..Matches::default()
        },
        effect: Effect::LoseAnswer { applied: false },
        times: None,
    });
}

/// A run of a person of which every answer of this provider to a change is lost.
fn up_unheard(stack: &Stack, provider: Provider, allow: &[&str]) {
    lose_answers(stack, provider);
    let (_, changed) = stack.person(allow);
    assert!(changed.has_failed(), "{:?}", changed.results);
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
    assert!(changed.is_complete(), "{:?}", changed.results);
    stack.ports.sandbox.clear_faults();
    stack.assert_settled();
}

#[test]
fn what_was_never_made_is_forgotten_once_the_provider_must_show_it() {
    let mut stack = with_base();
    stack.topics(&[("base", ""), ("never", "")]);
    lose_writes(&stack, Provider::Aiven);
    stack.person(&[]);
    stack.ports.sandbox.clear_faults();
    stack.topics(&[("base", "")]);
    let report = stack.check();
    assert_eq!(verdict(&report, "dev-never"), Verdict::CatchingUp);
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
            assert!(changed.is_complete(), "{:?}", changed.results);
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
        assert_eq!(changed.results, [], "{round}");
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
    leave_address(&stack, "192.0.2.1");
    let report = stack.check();
    let field = &difference(&report, "n1.clustera.io").fields[0];
    let items: Vec<&str> = field.items.iter().map(|one| one.item.as_str()).collect();
    assert_eq!(items, ["192.0.2.2"]);
}

/// A node of two addresses of which somebody took one away, which automation leaves, and to which an edit
/// adds another.
fn with_one_taken_away() -> Stack {
    let mut stack = Stack::new();
    stack.policy("correct: safe, deploy: disruptive, correct_after: 0");
    stack.topics(&[]);
    stack.nodes(&["name: n1, ips: [192.0.2.2, 192.0.2.3], domain: n1.clustera.io"]);
    stack.person(&[]);
    stack.wait_minutes(90);
    leave_address(&stack, "192.0.2.3");
    let _ = stack.check();
    stack.nodes(&["name: n1, ips: [192.0.2.2, 192.0.2.3, 192.0.2.4], domain: n1.clustera.io"]);
    stack
}

/// Somebody leaves the node with this address alone.
fn leave_address(stack: &Stack, address: &str) {
    deed(
        stack,
        json!({"do": "remove_record", "name": "n1.clustera.io"}),
    );
    let record = json!({"type": "A", "name": "n1.clustera.io", "content": address, "ttl": 300});
    deed(stack, json!({"do": "add_record", "record": record}));
}

/// The items of a set that differ.
fn items(stack: &Stack, key: &str) -> Vec<String> {
    let report = stack.check();
    let fields = &difference(&report, key).fields;
    let items = fields.iter().flat_map(|field| &field.items);
    items.map(|one| one.item.clone()).collect()
}

#[test]
fn what_a_write_to_a_set_did_not_touch_stays_drift() {
    let stack = with_one_taken_away();
    let mut member = Stack::new();
    member.topics(&[]);
    member.mail_for(&[GMAIL], "");
    member.person(&[]);
    member.wait_minutes(90);
    let text =
        member.files["area/pubsub.yaml"].replace("members:", "authoritative: true, members:");
    member.file("area/pubsub.yaml", text.clone());
    deed(
        &member,
        json!({"do": "add_iam_member", "topic": "dev-mail", "role": PUBLISHER, "member": LEAVER}),
    );
    let _ = member.check();
    member.file(
        "area/pubsub.yaml",
        text.replace("members: [", "members: [\"user:two@example.com\", "),
    );
    for (stack, key, item) in [
        (stack, "n1.clustera.io", "192.0.2.2"),
        (member, "dev-mail/roles/pubsub.publisher", LEAVER),
    ] {
        // What was edited is added; what somebody took away or put there is left.
        let (_, changed) = stack.unattended();
        assert_eq!(changed.done(), 1, "{key}");
        for _ in 0..3 {
            assert!(items(&stack, key).contains(&item.to_owned()), "{key}");
            assert_eq!(stack.check().verdict(), StackVerdict::Drifted, "{key}");
            stack.wait_ms(40_000);
        }
        let report = stack.check();
        let notes = &difference(&report, key).notes;
        assert!(
            notes.iter().all(|note| !note.contains("without effect")),
            "{notes:?}"
        );
    }
}

#[test]
fn an_item_that_was_added_counts_though_another_is_lacking() {
    let stack = with_one_taken_away();
    lose_answers(&stack, Provider::Cloudflare);
    stack.person(&[]);
    stack.ports.sandbox.clear_faults();
    let (_, changed) = stack.unattended();
    assert!(changed.results.is_empty() || changed.is_complete());
    assert!(!stack.state_text().contains("\"applying\""));
    stack.wait_minutes(10);
    stack.assert_settled();
}

#[test]
fn a_deletion_is_not_believed_where_all_else_is_gone_too() {
    let nodes: Vec<String> = (1..=12)
        .map(|n| format!("name: n{n}, ips: [192.0.2.{n}], domain: n{n}.clustera.io"))
        .collect();
    let nodes: Vec<&str> = nodes.iter().map(String::as_str).collect();
    let mut stack = Stack::new();
    stack.policy("correct: safe, deploy: disruptive, correct_after: 0, prune: true");
    stack.topics(&[]);
    stack.nodes(&nodes);
    stack.person(&[]);
    stack.wait_minutes(90);
    stack.nodes(&nodes[..11]);
    lose_writes(&stack, Provider::Cloudflare);
    stack.person(&["n12.clustera.io"]);
    stack.ports.sandbox.clear_faults();
    let full = stack.fork();
    for n in 1..=12 {
        deed(
            &stack,
            json!({"do": "remove_record", "name": format!("n{n}.clustera.io")}),
        );
    }
    let (report, changed) = stack.unattended();
    assert_eq!(report.verdict(), StackVerdict::Incomplete);
    assert_eq!((changed.forgotten, changed.serial), (0, None));
    assert!(stack.state_text().contains("n12.clustera.io"));
    // Where the list is whole, it is what it was.
    assert_eq!(verdict(&full.check(), "n12.clustera.io"), Verdict::Orphan);
}

#[test]
fn a_deletion_that_lands_late_is_ours_though_the_resource_was_changed_since() {
    let mut stack = Stack::new();
    stack.policy("correct: safe, deploy: disruptive, correct_after: 0, prune: true");
    stack.topics(&[("base", ""), ("c", "")]);
    stack.person(&[]);
    stack.wait_minutes(90);
    stack.topics(&[("base", "")]);
    lose_writes(&stack, Provider::Aiven);
    stack.person(&["dev-c"]);
    stack.ports.sandbox.clear_faults();
    stack.topics(&[("base", ""), ("c", "retention_ms: 1209600000")]);
    stack.unattended();
    deed(&stack, json!({"do": "delete_topic", "topic": "dev-c"}));
    let report = stack.check();
    assert_eq!(difference(&report, "dev-c").whole, Some(Cause::New));
    stack.unattended();
    stack.assert_settled();
}

#[test]
fn a_run_that_changes_nothing_sees_that_a_write_took() {
    let mut stack = Stack::new();
    stack.topics(&[]);
    stack.nodes(&["name: n1, ips: [192.0.2.1], domain: n1.clustera.io"]);
    stack.person(&[]);
    stack.wait_minutes(90);
    stack.nodes(&["name: n1, ips: [192.0.2.1, 192.0.2.3], domain: n1.clustera.io"]);
    stack.person(&[]);
    let (_, changed) = stack.unattended();
    assert_eq!(changed.results, []);
    leave_address(&stack, "192.0.2.1");
    assert_eq!(verdict(&stack.check(), "n1.clustera.io"), Verdict::Drifted);
}

#[test]
fn a_lease_that_can_not_be_read_is_said_and_the_check_goes_on() {
    let mut stack = with_base();
    stack.topics(&[("base", ""), ("ghost", "")]);
    up_unheard(&stack, Provider::Aiven, &[]);
    stack.ports.store.fail_reads("lease.json", 0, 1);
    let report = stack.check();
    let stage = report.open_run.map(|run| run.stage);
    assert!(matches!(stage, Some(Stage::Unread { .. })), "{stage:?}");
}

#[test]
fn what_one_run_left_open_is_not_called_another_ones() {
    let mut stack = with_base();
    stack.topics(&[("base", ""), ("ghost", "")]);
    up_unheard(&stack, Provider::Aiven, &[]);
    let first = stack.check().open_run.map(|run| run.run);
    stack.trouble(Provider::Aiven, "", LAG);
    stack.nodes(&[NODE]);
    stack.topics(&[("base", "")]);
    stack.wait_ms(1_000);
    let (_, changed) = stack.person(&[]);
    assert!(changed.done() == 1 && first != Some(changed.run.clone()));
    assert_eq!(stack.check().open_run, None);
    // Whoever finds out how it ended says who began it, and not only who left it open.
    stack.ports.sandbox.clear_faults();
    stack.mail("");
    let (_, third) = stack.person(&[]);
    let interrupted = third.interrupted.unwrap();
    assert_eq!(interrupted.run, changed.run);
    let began: Vec<_> = interrupted
        .changes
        .iter()
        .map(|one| &one.begun_by)
        .collect();
    assert_eq!(began, [&first]);
}
