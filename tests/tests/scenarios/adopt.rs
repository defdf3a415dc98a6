//! What somebody else deployed is adopted, and what is recorded is forgotten, with no write to a
//! provider.

use bytes::Bytes;
use kedge_core::compare::{Cause, Verdict};
use kedge_core::record::{Adoption, Answer, Forgotten};
use kedge_core::render::{RenderOptions, check_text};
use kedge_core::report::{Report, StackVerdict};
use kedge_engine::RunError;
use kedge_engine::StateCommand;
use kedge_engine::StateStoreError;
use kedge_engine::ports::{Condition, Store as _};
use kedge_tests::ports::CrashPoint;
use kedge_tests::stack::{
    GMAIL, PUBLISHER, Stack, describe, difference, left_reasons, results, verdict, world_has_item,
};
use serde_json::json;

use super::{deed, set_config};

const AROUND: RenderOptions<'static> = RenderOptions {
    stack_origin: "--stack",
    definitions: "definitions",
    hints: &kedge_tests::stack::hint,
    screen: kedge_tests::stack::SCREEN,
    traffic: None,
    times: false,
    plan_shown: false,
    next_follows: false,
};

/// The loosest policy there is.
const LOOSE: &str =
    "correct: disruptive, deploy: disruptive, correct_after: 0, on_missing: recreate";

/// A world that somebody deployed without Kedge, and then changed: a topic with other settings, one
/// that is gone, a name that lacks an address.
fn somebodys() -> Stack {
    let mut stack = Stack::new();
    stack.policy(LOOSE);
    let stack = stack.with_small();
    stack.person(&[]);
    for key in stack.ports.store.keys() {
        stack.ports.store.remove(&key);
    }
    stack.wait_minutes(10);
    set_config(&stack, "dev-a", json!({"retention_ms": 1000}));
    deed(&stack, json!({"do": "delete_topic", "topic": "dev-b"}));
    deed(
        &stack,
        json!({"do": "remove_record", "name": "n1.clustera.io", "content": "192.0.2.2"}),
    );
    stack.ports.clear_sent();
    stack
}

fn all() -> StateCommand {
    StateCommand::Adopt { names: Vec::new() }
}

fn some(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn adoption(report: &Report) -> &Adoption {
    match report.command.as_ref().map(|asked| &asked.answer) {
        Some(Answer::Adopted(adoption)) => adoption,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_drifts_after_it_was_adopted_unequal_was_never_edited() {
    let stack = somebodys();
    stack.command(&all());
    stack.wait_minutes(10);
    set_config(&stack, "dev-a", json!({"retention_ms": 2000}));
    // Of a set too: what was lacking waits, what is taken away since is drift.
    deed(
        &stack,
        json!({"do": "add_address", "name": "n1.clustera.io", "address": "192.0.2.66"}),
    );
    let report = stack.check();
    for name in ["dev-a", "n1.clustera.io"] {
        let found = difference(&report, name);
        assert_eq!(found.verdict, Verdict::DriftedAndPending, "{name}");
        assert_eq!(found.fields[0].cause, Cause::NotAdoptedAndDrifted, "{name}");
        assert!(found.is_since_adoption(), "{name}");
    }
    let text = check_text(&report, &AROUND);
    assert!(!text.contains("edited"), "{text}");
    let says = "drifted; it differed from its definition when it was adopted";
    assert_eq!(text.matches(says).count(), 2, "{text}");
    assert_eq!(left_reasons(&report, "dev-a"), ["needs-person"]);
    stack.assert_idle_unattended();
    stack.person(&[]);
    assert_eq!(verdict(&stack.check(), "dev-a"), Verdict::InSync);
    deed(
        &stack,
        json!({"do": "remove_record", "name": "n1.clustera.io", "content": "192.0.2.66"}),
    );
    stack.wait_minutes(10);
    stack.assert_settled();
}

#[test]
fn an_environment_of_somebody_else_is_adopted_without_a_write_and_waits_for_a_person() {
    let stack = somebodys();
    let world = stack.ports.sandbox.world();
    assert_eq!(stack.check().verdict(), StackVerdict::NotAdopted);
    stack.assert_idle_unattended();
    let (report, changed) = stack.command(&all());
    let found = adoption(&report);
    let counts = (found.equal.len(), found.pending.len(), found.left.len());
    assert_eq!(counts, (4, 2, 1), "{found:?}");
    assert_eq!((changed.results, changed.recorded), (vec![], 6));
    assert_eq!(stack.ports.writes(), 0);
    assert_eq!(stack.ports.sandbox.world(), world);
    // Pending, never drift, and nothing that the loosest policy does.
    let report = stack.check();
    assert_eq!(
        report.verdict(),
        StackVerdict::Pending,
        "{}",
        describe(&report)
    );
    for name in ["dev-a", "dev-b", "n1.clustera.io"] {
        assert_eq!(verdict(&report, name), Verdict::Pending, "{name}");
        assert_eq!(left_reasons(&report, name), ["needs-person"], "{name}");
    }
    stack.assert_idle_unattended();
    stack.wait_minutes(12 * 60);
    stack.assert_idle_unattended();
    assert_eq!(stack.ports.writes(), 0);
    stack.assert_done(&all());
    // What was in sync is ours from now on.
    deed(&stack, json!({"do": "delete_topic", "topic": "dev-b-dlq"}));
    let (_, changed) = stack.unattended();
    assert_eq!(results(&changed), ["create dev-b-dlq done"]);
    let (_, changed) = stack.person(&[]);
    let expected = [
        "create dev-b done",
        "update dev-a done",
        "update n1.clustera.io/A done",
    ];
    assert_eq!(results(&changed), expected);
    stack.assert_settled();
}

#[test]
fn a_crash_while_adopting_changes_nothing() {
    let calm = somebodys();
    calm.crash_at(None);
    calm.command(&all());
    let calls = calm.ports.calls.get();
    for point in (1..=calls).flat_map(|call| [CrashPoint::Before(call), CrashPoint::After(call)]) {
        let stack = somebodys();
        let world = stack.ports.sandbox.world();
        stack.crash_at(Some(point));
        assert!(stack.ask(&all()).is_err(), "{point:?}: no crash");
        stack.crash_at(None);
        stack.wait_minutes(3);
        // What is live as declared may be recorded; nothing is made or changed.
        stack.unattended();
        stack.assert_idle_unattended();
        stack.command(&all());
        assert_eq!(stack.ports.sandbox.world(), world, "{point:?}");
        stack.assert_idle_unattended();
        stack.person(&[]);
        stack.assert_settled();
    }
}

#[test]
fn some_of_a_stack_are_adopted_and_the_rest_waits_too() {
    let stack = somebodys();
    let names = some(&["dev-a", "dev-mail-sub"]);
    let (_, changed) = stack.command(&StateCommand::Adopt { names });
    assert_eq!((changed.recorded, stack.ports.writes()), (2, 0));
    let report = stack.check();
    assert_eq!(left_reasons(&report, "dev-b"), ["needs-person"]);
    assert_eq!(left_reasons(&report, "n1.clustera.io"), ["needs-person"]);
    // What is live as declared is recorded by the next run, which changes nothing for it.
    let (_, changed) = stack.unattended();
    assert_eq!((changed.recorded, changed.results), (3, vec![]));
    stack.assert_idle_unattended();
    let names = some(&["n1.clustera.io"]);
    stack.command(&StateCommand::Adopt { names });
    assert_eq!(stack.ports.writes(), 0);
    stack.assert_idle_unattended();
    let names = some(&["dev-c"]);
    let error = stack.dry_run(&StateCommand::Adopt { names }).unwrap_err();
    assert!(matches!(error, RunError::Name(_)), "{error:?}");
    stack.person(&[]);
    stack.assert_settled();
}

#[test]
fn an_edit_takes_a_field_out_of_the_waiting() {
    let mut stack = somebodys();
    stack.command(&all());
    // The definition follows what is live: there is nothing left to do but to record it.
    stack.topics(&[
        ("a", "retention_ms: 1000"),
        ("b", "partitions: 3"),
        ("b-dlq", ""),
    ]);
    let (_, changed) = stack.unattended();
    assert_eq!(results(&changed), ["create dev-b done"], "edited since");
    assert_eq!(verdict(&stack.check(), "dev-a"), Verdict::InSync);
    assert_eq!(
        left_reasons(&stack.check(), "n1.clustera.io"),
        ["needs-person"]
    );
    // An edit to yet another value is a deploy like any other.
    stack.topics(&[
        ("a", "retention_ms: 2000"),
        ("b", "partitions: 3"),
        ("b-dlq", ""),
    ]);
    let (_, changed) = stack.unattended();
    assert_eq!(results(&changed), ["update dev-a done"]);
    stack.person(&[]);
    stack.assert_settled();
}

#[test]
fn an_address_that_was_there_before_us_never_becomes_ours_to_remove() {
    let mut stack = somebodys();
    deed(
        &stack,
        json!({"do": "add_address", "name": "n1.clustera.io", "address": "192.0.2.77"}),
    );
    stack.command(&all());
    stack.person(&[]);
    let foreign = |stack: &Stack| {
        let world = stack.ports.sandbox.world().to_string();
        world.contains("192.0.2.77")
    };
    assert!(foreign(&stack));
    stack.wait_minutes(10);
    let state: serde_json::Value = serde_json::from_str(&stack.state_text()).unwrap();
    let key = format!(
        "dns-record-set/{}/n1.clustera.io/A",
        kedge_tests::stack::ZONE
    );
    let recorded = &state["resources"][key]["fields"]["addresses"]["set"];
    assert_eq!(*recorded, json!(["192.0.2.1", "192.0.2.2"]));
    for _ in 0..3 {
        let (_, changed) = stack.person(&[]);
        assert_eq!(changed.results, []);
    }
    assert!(foreign(&stack));
    // Declared, it is.
    stack.nodes(&["name: n1, ips: [192.0.2.1, 192.0.2.2, 192.0.2.77], domain: n1.clustera.io"]);
    stack.unattended();
    stack.assert_settled();
}

/// An address and a member that others put there.
const OTHERS: [&str; 2] = ["192.0.2.77", "user:boss@example.com"];

/// What somebody deployed, with an address more than is declared, and a role that somebody else alone
/// holds; adopted so.
fn with_others(policy: &str) -> Stack {
    let mut stack = somebodys();
    stack.policy(policy);
    let [address, member] = OTHERS;
    deed(
        &stack,
        json!({"do": "add_address", "name": "n1.clustera.io", "address": address}),
    );
    let binding = json!({"topic": "dev-mail", "role": PUBLISHER, "members": [member]});
    let mut set = json!({"do": "set_iam_binding"});
    let (Some(set_map), Some(binding)) = (set.as_object_mut(), binding.as_object()) else {
        panic!("objects");
    };
    set_map.extend(binding.clone());
    deed(&stack, set);
    stack.command(&all());
    stack
}

#[test]
fn what_others_put_there_outlives_withdrawal_and_retirement() {
    let mut stack = with_others(&format!("{LOOSE}, prune: true"));
    stack.files.remove("area/pubsub.yaml");
    stack.nodes(&[]);
    let report = stack.check();
    assert_eq!(verdict(&report, "n1.clustera.io"), Verdict::Orphan);
    let impact_of = |report: &Report, key: &str| {
        let mut changes = report.plan.changes.iter();
        let planned = changes.find(|planned| planned.change.key.answers_to(key));
        planned.map(|planned| planned.steps[0].impact.clone())
    };
    let impact = impact_of(&report, "n1.clustera.io");
    assert_eq!(
        impact.as_deref(),
        Some(
            "the name no longer resolves to 192.0.2.1; it still resolves to 192.0.2.77, which kedge does not manage"
        )
    );
    // Nothing of ours is in the role, so there is nothing to take away.
    assert_eq!(impact_of(&report, "dev-mail/roles/pubsub.publisher"), None);
    let (_, changed) = stack.person(&["n1.clustera.io", "dev-mail-sub"]);
    assert!(changed.is_complete(), "{:?}", changed.results);
    assert!(OTHERS.iter().all(|item| world_has_item(&stack, item)));
    assert!(!world_has_item(&stack, "192.0.2.1"));
    let retired = with_others(LOOSE);
    retired.command(&StateCommand::Retire {
        expected_digest: None,
    });
    assert!(world_has_item(&retired, "192.0.2.77") && !world_has_item(&retired, "192.0.2.1"));
    retired.assert_done(&StateCommand::Retire {
        expected_digest: None,
    });
}

#[test]
fn an_edit_after_adoption_takes_nothing_of_others() {
    let mut stack = with_others(LOOSE);
    stack.nodes(&["name: n1, ips: [192.0.2.1, 192.0.2.3], domain: n1.clustera.io"]);
    stack.mail_for(&[GMAIL, "user:ana@example.com"], "");
    for _ in 0..3 {
        stack.unattended();
        stack.wait_minutes(10);
        assert!(OTHERS.iter().all(|item| world_has_item(&stack, item)));
    }
    assert!(world_has_item(&stack, "192.0.2.3") && world_has_item(&stack, "user:ana@example.com"));
    // Neither does withdrawing an address that is ours.
    stack.nodes(&["name: n1, ips: [192.0.2.1], domain: n1.clustera.io"]);
    stack.unattended();
    assert!(!world_has_item(&stack, "192.0.2.3") && world_has_item(&stack, "192.0.2.77"));
    let state: serde_json::Value = serde_json::from_str(&stack.state_text()).unwrap();
    assert!(!state.to_string().contains("boss"), "{state:#}");
    stack.assert_idle_unattended();
}

#[test]
fn drift_in_a_waiting_set_is_drift_and_waits() {
    let stack = with_others(LOOSE);
    assert_eq!(verdict(&stack.check(), "n1.clustera.io"), Verdict::Pending);
    deed(
        &stack,
        json!({"do": "add_address", "name": "n1.clustera.io", "address": "192.0.2.78"}),
    );
    deed(
        &stack,
        json!({"do": "remove_record", "name": "n1.clustera.io", "content": "192.0.2.1"}),
    );
    let report = stack.check();
    assert_eq!(
        verdict(&report, "n1.clustera.io"),
        Verdict::DriftedAndPending
    );
    assert_eq!(report.verdict().exit_code(true), 2);
    assert_eq!(left_reasons(&report, "n1.clustera.io"), ["needs-person"; 2]);
    stack.assert_idle_unattended();
    stack.wait_minutes(120);
    stack.assert_idle_unattended();
    let (_, changed) = stack.person(&[]);
    assert!(results(&changed).contains(&"update n1.clustera.io/A done".to_owned()));
    stack.assert_idle();
    assert!(world_has_item(&stack, "192.0.2.77") && world_has_item(&stack, "192.0.2.78"));
}

#[test]
fn a_stack_that_is_not_there_is_not_adopted() {
    let stack = Stack::small();
    let (report, changed) = stack.command(&all());
    assert_eq!(adoption(&report).equal, []);
    assert_eq!((changed.recorded, stack.state_text().as_str()), (0, ""));
    // A deploy may create it, as before.
    stack.unattended();
    stack.assert_settled();
}

#[test]
fn what_is_forgotten_is_left_as_it_is() {
    let mut stack = Stack::small();
    stack.unattended();
    stack.wait_minutes(10);
    stack.topics(&[("a", "retention_ms: 3600000"), ("b-dlq", "")]);
    assert_eq!(verdict(&stack.check(), "dev-b"), Verdict::Orphan);
    let world = stack.ports.sandbox.world();
    stack.ports.clear_sent();
    let names = some(&["dev-b"]);
    let (report, changed) = stack.command(&StateCommand::Forget { names });
    let means = match report.command.map(|asked| asked.answer) {
        Some(Answer::Forgotten(means)) => means,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        means.into_values().collect::<Vec<_>>(),
        [Forgotten::Unmanaged]
    );
    assert_eq!((changed.forgotten, stack.ports.writes()), (1, 0));
    let report = stack.check();
    let unmanaged: Vec<&str> = report
        .comparison
        .unmanaged
        .iter()
        .map(|key| key.name())
        .collect();
    assert_eq!(unmanaged, ["dev-b"]);
    assert_eq!(stack.ports.sandbox.world(), world);
    let again = StateCommand::Forget {
        names: some(&["dev-b"]),
    };
    assert!(matches!(stack.dry_run(&again), Err(RunError::Name(_))));
    stack.assert_settled();
}

#[test]
fn what_is_forgotten_and_declared_still_is_recorded_again_or_not_adopted() {
    let stack = Stack::small();
    stack.unattended();
    stack.wait_minutes(10);
    set_config(&stack, "dev-a", json!({"retention_ms": 1000}));
    stack.ports.clear_sent();
    let names = some(&["dev-a", "dev-b"]);
    stack.command(&StateCommand::Forget { names });
    let report = stack.check();
    assert_eq!(verdict(&report, "dev-a"), Verdict::NotAdopted);
    assert_eq!(left_reasons(&report, "dev-a"), ["needs-person"]);
    assert!(difference(&report, "dev-b").fields.is_empty());
    let (_, changed) = stack.unattended();
    assert_eq!((changed.recorded, stack.ports.writes()), (1, 0));
    stack.assert_idle_unattended();
    stack.person(&[]);
    stack.assert_settled();
}

#[test]
fn refresh_records_what_agrees_and_never_drift() {
    let mut stack = Stack::small();
    stack.unattended();
    stack.wait_minutes(10);
    set_config(&stack, "dev-a", json!({"retention_ms": 1000}));
    set_config(&stack, "dev-b", json!({"max_message_bytes": 5_000_000}));
    deed(&stack, json!({"do": "delete_topic", "topic": "dev-b-dlq"}));
    stack.topics(&[
        ("a", "retention_ms: 3600000"),
        ("b", "partitions: 2, max_message_bytes: 5000000"),
    ]);
    stack.ports.clear_sent();
    let (_, changed) = stack.command(&StateCommand::Refresh);
    assert_eq!((changed.recorded, changed.forgotten), (1, 1));
    assert_eq!((changed.results, stack.ports.writes()), (vec![], 0));
    let report = stack.check();
    assert_eq!(verdict(&report, "dev-a"), Verdict::Drifted);
    assert_eq!(verdict(&report, "dev-b"), Verdict::InSync);
    stack.assert_done(&StateCommand::Refresh);
    assert_eq!(verdict(&stack.check(), "dev-a"), Verdict::Drifted);
    stack.unattended();
    stack.assert_settled();
}

#[test]
fn a_lost_state_is_said_by_each_verb_and_nothing_is_changed() {
    let stack = Stack::small();
    stack.unattended();
    let state = stack.state_text();
    stack.ports.store.remove("stacks/dev/state.json");
    let world = stack.ports.sandbox.world();
    let stored = stack.ports.store.writes.get();
    let requests = [
        all(),
        StateCommand::Forget {
            names: some(&["dev-a"]),
        },
        StateCommand::Refresh,
        StateCommand::ConfirmAbsence {
            expected_digest: None,
        },
        StateCommand::Retire {
            expected_digest: None,
        },
    ];
    for request in requests {
        let done = stack.ask(&request).unwrap();
        let is_lost = matches!(
            &done,
            Err(RunError::Memory(StateStoreError::StateLost { stack, .. })) if stack.as_str() == "dev"
        );
        assert!(is_lost, "{request:?}: {done:?}");
    }
    assert_eq!(stack.ports.sandbox.world(), world);
    assert_eq!(stack.ports.store.writes.get(), stored);
    let bytes = Bytes::from(state);
    let put = stack
        .ports
        .put("stacks/dev/state.json", bytes, Condition::None);
    assert!(matches!(stack.ports.executor.run(put), Ok(Ok(_))));
    stack.assert_settled();
}
