//! A stack that is retired is deleted whole, whatever crashes between, and begins anew only by a
//! person.

use kedge_core::hint::Hint;
use kedge_core::report::StackVerdict;
use kedge_engine::{PushError, PushOutcome, RunError, StateCommand};
use kedge_sandbox::{Fault, Matches, Provider};
use kedge_tests::authority::Authorisation;
use kedge_tests::ports::CrashPoint;
use kedge_tests::pushed::commit;
use kedge_tests::stack::{NODE, Stack, describe, left_reasons, person, results_in_order, topic};
use serde_json::json;

use super::deed;
use super::push::DEFINITIONS;

const RETIRE: StateCommand = StateCommand::Retire {
    expected_digest: None,
};

fn standing() -> Stack {
    let mut stack = Stack::new();
    stack.policy("correct: disruptive, deploy: disruptive, correct_after: 0, on_missing: recreate");
    let stack = stack.with_small();
    stack.unattended();
    stack.wait_minutes(10);
    let _ = stack.check();
    assert!(remains(&stack).len() > 4, "{:?}", remains(&stack));
    // Somebody else's.
    deed(
        &stack,
        json!({"do": "create_topic", "topic": "dev-foreign", "partitions": 1, "replication": 2}),
    );
    stack
}

/// What is left of the stack's own in the world.
fn remains(stack: &Stack) -> Vec<&'static str> {
    let world = stack.ports.sandbox.world();
    let mut world = world;
    if let Some(object) = world.as_object_mut() {
        // What happened once is told there for ever.
        object.remove("history");
    }
    let text = world.to_string();
    [
        "\"dev-a\"",
        "\"dev-b\"",
        "\"dev-b-dlq\"",
        "\"dev-mail\"",
        "dev-mail-sub",
        "192.0.2.1\"",
    ]
    .into_iter()
    .filter(|name| text.contains(*name))
    .collect()
}

#[test]
fn what_is_recorded_is_deleted_and_the_rest_stays() {
    let stack = standing();
    let (report, changed) = stack.command(&RETIRE);
    assert!(changed.is_complete(), "{}", describe(&report));
    let order = results_in_order(&changed);
    assert_eq!(order.len(), 7);
    let at = |line: &str| order.iter().position(|other| other.contains(line));
    assert!(at("dev-mail-sub") < at("dev-mail done"), "{order:?}");
    assert_eq!(remains(&stack), Vec::<&str>::new());
    assert!(
        stack
            .ports
            .sandbox
            .world()
            .to_string()
            .contains("dev-foreign")
    );
    assert!(stack.state_text().contains("\"retired_ms\""));
    assert!(stack.state_text().contains("\"resources\": {}"));
    stack.assert_done(&RETIRE);
    // The definitions are still there, and nobody deploys them again by himself.
    let report = stack.check();
    assert_eq!(left_reasons(&report, "dev-a"), ["retired"]);
    stack.assert_idle_unattended();
    stack.person(&[]);
    assert!(!stack.state_text().contains("retired_ms"));
    stack.assert_settled();
}

#[test]
fn a_tick_records_nothing_in_a_retired_stack() {
    let mut stack = standing();
    stack.command(&RETIRE);
    deed(
        &stack,
        json!({"do": "create_topic", "topic": "dev-b-dlq", "partitions": 1, "replication": 2}),
    );
    // Neither what is live as declared nor a stricter policy is written.
    stack.policy("correct: none, deploy: none");
    let state = stack.state_text();
    let (report, changed) = stack.unattended();
    assert_eq!(
        (changed.recorded, changed.serial),
        (0, None),
        "{}",
        describe(&report)
    );
    assert_eq!(stack.state_text(), state);
    stack.assert_idle_unattended();
    // So a second retirement has nothing to delete.
    assert_eq!(stack.command(&RETIRE).1.results, []);
    assert_eq!(remains(&stack), ["\"dev-b-dlq\""]);
    stack.person(&[]);
    stack.assert_settled();
}

#[test]
fn a_crash_anywhere_leaves_nothing_that_a_second_run_does_not_end() {
    let calm = standing();
    calm.crash_at(None);
    calm.command(&RETIRE);
    let calls = calm.ports.calls.get();
    for point in (1..=calls).flat_map(|call| [CrashPoint::Before(call), CrashPoint::After(call)]) {
        let stack = standing();
        stack.crash_at(Some(point));
        assert!(stack.ask(&RETIRE).is_err(), "{point:?}: no crash");
        stack.crash_at(None);
        stack.wait_minutes(3);
        // A tick puts nothing of it back.
        let before = remains(&stack);
        stack.unattended();
        assert_eq!(remains(&stack), before, "{point:?}");
        let (report, changed) = stack.command(&RETIRE);
        assert!(changed.is_complete(), "{point:?}: {}", describe(&report));
        assert_eq!(remains(&stack), Vec::<&str>::new(), "{point:?}");
        assert!(
            stack.state_text().contains("\"resources\": {}"),
            "{point:?}"
        );
        stack.assert_done(&RETIRE);
        stack.assert_idle_unattended();
    }
}

#[test]
fn a_protected_stack_and_a_held_one_are_not_retired() {
    let mut stack = standing();
    let all = remains(&stack);
    stack.hold(Some(topic("a")), 60);
    stack.hold(None, 30);
    let (report, changed) = stack.command(&RETIRE);
    assert_eq!(changed.results, []);
    assert_eq!(remains(&stack), all);
    // Nothing can be done, so nothing is asked and nothing is marked.
    assert!(report.command.unwrap().recording.is_empty());
    assert!(!stack.state_text().contains("retired_ms"));
    stack.release(None);
    let (report, changed) = stack.command(&RETIRE);
    assert_eq!((changed.done(), report.held()), (6, 1));
    assert_eq!(remains(&stack), ["\"dev-a\""]);
    stack.assert_idle_unattended();
    stack.release(Some(topic("a")));
    stack.command(&RETIRE);
    assert_eq!(remains(&stack), Vec::<&str>::new());
    stack.person(&[]);
    stack.wait_minutes(10);
    stack.policy("protected: true");
    for _ in 0..2 {
        let refused = stack.ask(&RETIRE).unwrap();
        let is_said = matches!(refused, Err(RunError::RetireProtected { .. }));
        assert!(is_said);
        stack.unattended();
    }
    assert_eq!(remains(&stack), all);
    stack.assert_settled();
}

#[test]
fn what_could_not_be_read_is_left_and_deleted_later() {
    let stack = standing();
    stack.trouble(Provider::Pubsub, "subscriptions", super::status(403));
    let (report, changed) = stack.command(&RETIRE);
    assert!(changed.is_complete(), "{}", describe(&report));
    assert_eq!(report.verdict(), StackVerdict::Incomplete);
    assert!(remains(&stack).contains(&"dev-mail-sub"));
    stack.ports.sandbox.clear_faults();
    stack.command(&RETIRE);
    assert_eq!(remains(&stack), Vec::<&str>::new());
    stack.assert_done(&RETIRE);
}

#[test]
fn a_stack_of_which_nothing_could_be_read_is_not_marked() {
    let stack = standing();
    let all = remains(&stack);
    for provider in [Provider::Aiven, Provider::Pubsub, Provider::Cloudflare] {
        stack.trouble(provider, "", super::status(503));
    }
    let (report, changed) = stack.command(&RETIRE);
    assert_eq!(report.verdict(), StackVerdict::Incomplete);
    assert_eq!((changed.results.len(), changed.serial), (0, None));
    assert!(!stack.state_text().contains("retired_ms"));
    stack.ports.sandbox.clear_faults();
    assert_eq!(remains(&stack), all);
    stack.assert_settled();
    stack.command(&RETIRE);
    assert_eq!(remains(&stack), Vec::<&str>::new());
    stack.assert_done(&RETIRE);
}

#[test]
fn nothing_recorded_is_nothing_to_retire() {
    let stack = Stack::small();
    let refused = stack.ask(&RETIRE).unwrap();
    assert!(matches!(refused, Err(RunError::NothingRecorded { .. })));
    let (Ok(_), Ok(_)) = (stack.up(&Authorisation::Unattended), stack.up(&person(&[]))) else {
        panic!("no crash point is set");
    };
    stack.assert_settled();
}

/// Has the stored definitions say that they were pushed at this time.
fn set_pushed_at(stack: &Stack, at: kedge_core::model::Timestamp) {
    const DEFINITIONS: &str = "stacks/dev/definitions.json";
    let text = stack.ports.store.text(DEFINITIONS);
    let mut stored: serde_json::Value = serde_json::from_str(&text).unwrap();
    stored["pushed"]["at_ms"] = json!(at.0);
    stack.ports.store.set(DEFINITIONS, stored.to_string());
}

#[test]
fn a_later_push_begins_a_retired_stack_anew_and_an_earlier_one_does_not() {
    let mut stack = Stack::new();
    stack.policy("correct: disruptive, deploy: disruptive, correct_after: 0, on_missing: recreate");
    stack.topics(&[("a", ""), ("b", "")]);
    stack.nodes(&[NODE]);
    stack.unattended();
    stack.wait_minutes(10);
    stack.push(&commit(1));
    stack.command(&RETIRE);
    stack.wait_minutes(10);
    stack.by_stored = true;
    let text = stack.state_text();
    let state = kedge_core::state::decode(text.as_bytes(), &stack.name).unwrap();
    let retired = state.retired.unwrap();
    // Nor does one of the same moment.
    for earlier_ms in [60 * 60_000, 0] {
        set_pushed_at(&stack, retired.plus_ms(-earlier_ms));
        assert_eq!(left_reasons(&stack.check(), "dev-a"), ["retired"]);
        stack.assert_idle_unattended();
    }
    set_pushed_at(&stack, retired.plus_ms(1));
    let (_, changed) = stack.unattended();
    assert_eq!(changed.done(), 3);
    assert!(!stack.state_text().contains("retired_ms"));
    stack.assert_settled();
}

#[test]
fn a_retired_stack_leaves_the_registry_and_the_same_content_pushed_again_begins_it_anew() {
    // What is pushed is stored as it is written, so there is no secret in it here.
    let mut stack = Stack::new();
    stack.topics(&[("a", ""), ("b", "")]);
    stack.nodes(&[NODE]);
    stack.unattended();
    stack.wait_minutes(10);
    let first = stack.push(&commit(1));
    let entry = |stack: &Stack| {
        let text = stack.ports.store.text("stacks/index.json");
        let index: serde_json::Value = serde_json::from_str(&text).unwrap();
        index["stacks"]["dev"].clone()
    };
    assert_eq!(
        entry(&stack)["record_sets"].as_array().map(Vec::len),
        Some(1)
    );
    stack.hold(Some(topic("a")), 60);
    stack.command(&RETIRE);
    assert_eq!(entry(&stack)["retired"], json!(null), "something is left");
    stack.release(Some(topic("a")));
    stack.command(&RETIRE);
    let retired = entry(&stack);
    assert_eq!(
        (&retired["retired"], &retired["record_sets"]),
        (&json!(true), &json!([]))
    );
    stack.assert_done(&RETIRE);
    stack.wait_minutes(10);
    let again = stack.push(&commit(1));
    assert_ne!(again.stored.revision(), first.stored.revision());
    assert_eq!(entry(&stack)["retired"], json!(null));
    stack.by_stored = true;
    assert_eq!(stack.unattended().1.done(), 3);
    stack.assert_settled();
}

#[test]
fn a_person_begins_a_stack_anew_of_which_nothing_could_be_deleted() {
    let stack = standing();
    let all = remains(&stack);
    stack.ports.sandbox.add_fault(Fault {
        matches: Matches {
            write: Some(true),
            ..Matches::default()
        },
        effect: super::status(403),
        times: None,
    });
    let (_, changed) = stack.command(&RETIRE);
    assert_eq!((changed.done(), changed.began_anew), (0, false));
    assert!(stack.state_text().contains("retired_ms"));
    stack.ports.sandbox.clear_faults();
    assert_eq!(remains(&stack), all);
    stack.assert_idle_unattended();
    assert!(stack.state_text().contains("retired_ms"));
    let (report, changed) = stack.up(&person(&[])).unwrap().unwrap();
    assert_eq!(changed.results, [], "{}", describe(&report));
    assert!(changed.began_anew);
    assert!(!stack.state_text().contains("retired_ms"));
    stack.assert_settled();
}

#[test]
fn the_same_content_begins_a_half_retired_stack_anew() {
    for number in [1, 2] {
        let mut stack = Stack::new();
        stack.policy(
            "correct: disruptive, deploy: disruptive, correct_after: 0, on_missing: recreate",
        );
        stack.topics(&[("a", ""), ("b", "")]);
        stack.unattended();
        stack.wait_minutes(10);
        stack.push(&commit(1));
        stack.hold(Some(topic("a")), 60);
        stack.wait_minutes(1);
        stack.command(&RETIRE);
        assert_eq!(remains(&stack), ["\"dev-a\""]);
        stack.release(Some(topic("a")));
        stack.wait_minutes(10);
        stack.by_stored = true;
        stack.assert_idle_unattended();
        let again = stack.push(&commit(number));
        assert_eq!(again.outcome, PushOutcome::Stored);
        stack.assert_stored(&commit(number));
        stack.by_stored = true;
        assert_eq!(stack.unattended().1.done(), 1);
        assert!(!stack.state_text().contains("retired_ms"));
        stack.assert_settled();
    }
}

#[test]
fn a_rollback_does_not_begin_a_retired_stack_anew() {
    // Half of it is left, or nothing.
    for is_held in [true, false] {
        let mut stack = Stack::new();
        stack.policy(
            "correct: disruptive, deploy: disruptive, correct_after: 0, on_missing: recreate",
        );
        stack.topics(&[("a", "")]);
        stack.unattended();
        let first = stack.push(&commit(1)).stored.revision();
        stack.topics(&[("a", ""), ("b", "")]);
        let second = stack.push(&commit(2)).stored.revision();
        stack.unattended();
        stack.wait_minutes(10);
        if is_held {
            stack.hold(Some(topic("a")), 60);
        }
        stack.command(&RETIRE);
        stack.release(Some(topic("a")));
        stack.wait_minutes(10);
        stack.by_stored = true;
        let (left, stored) = (remains(&stack), stack.ports.store.text(DEFINITIONS));
        for revision in [&first, &second] {
            let refused = stack.rollback(revision).unwrap().unwrap_err();
            assert!(matches!(refused, PushError::Retired { .. }), "{refused:?}");
            assert!(matches!(refused.hint(), Some(Hint::Push { .. })));
        }
        assert_eq!(stack.ports.store.text(DEFINITIONS), stored);
        stack.assert_idle_unattended();
        assert_eq!(remains(&stack), left);
        // Once it was begun anew, it can be rolled back.
        stack.push(&commit(2));
        stack.by_stored = true;
        stack.unattended();
        stack.rollback(&first).unwrap().unwrap();
    }
}

#[test]
fn nothing_is_deleted_where_a_newer_program_wrote_the_registry() {
    let stack = standing();
    let all = remains(&stack);
    stack
        .ports
        .store
        .set("stacks/index.json", "{\"format\": 99, \"stacks\": {}}");
    let (world, writes) = (stack.ports.sandbox.world(), stack.ports.store.writes.get());
    let refused = stack.ask(&RETIRE).unwrap().unwrap_err();
    assert!(matches!(refused, RunError::Retire { .. }), "{refused:?}");
    let told = super::formats::chain(&refused);
    assert!(told.contains("newer kedge"), "{told}");
    assert_eq!(stack.ports.sandbox.world(), world);
    assert_eq!(stack.ports.store.writes.get(), writes);
    // What is shown before the name is typed is refused too.
    let (none, invocation) = (std::collections::BTreeMap::new(), stack.invocation());
    let bundle = stack.set();
    let engine = stack.engine(&bundle, &none, &invocation);
    let shown = stack.run(engine.dry_run(&stack.name, &RETIRE));
    assert!(matches!(shown, Err(RunError::Retire { .. })), "{shown:?}");
    // A damaged one is made anew.
    stack.ports.store.set("stacks/index.json", "{");
    stack.command(&RETIRE);
    assert!(remains(&stack).len() < all.len());
}
