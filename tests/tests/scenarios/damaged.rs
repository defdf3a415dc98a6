//! Stored objects that can't be read: what is said of them, what goes on, and how they are mended.

use kedge_core::hint::Hint;
use kedge_core::push::PushConsent;
use kedge_core::report::StackVerdict;
use kedge_core::stored::index::Index;
use kedge_engine::LeaseError;
use kedge_engine::StateCommand;
use kedge_engine::{PushError, PushOutcome};
use kedge_engine::{RunError, StopError};
use kedge_tests::authority::Authorisation;
use kedge_tests::pushed::{Pushing, commit, notices};
use kedge_tests::stack::{Stack, person, stack_name};

use super::leases::{LEASE, busy, drive, heal, lease, reaches, run, run_when_free, starts};
use super::push::{DEFINITIONS, FORTNIGHT, INDEX, standing};

const CUT: &str = "{\"format\": 1, \"sta";

/// The same world by another stack's name and node.
fn another(stack: &Stack, name: &str, node: &str) -> Stack {
    let mut other = stack.clone();
    other.name = stack_name(name);
    other.files.remove("stacks/dev.yaml");
    other.nodes(&[&format!("name: n9, ips: [192.0.2.9], domain: {node}")]);
    other
}

/// A stack that stands, and another beside it that was only pushed.
fn two() -> Stack {
    let stack = standing();
    another(&stack, "prod", "n2.clustera.io").push(&commit(5));
    stack
}

/// Puts a text in the place of the registry, or takes it away.
fn damage(stack: &Stack, text: Option<&str>) {
    match text {
        Some(text) => stack.put_object(INDEX, text),
        None => stack.ports.store.remove(INDEX),
    }
}

#[test]
fn a_lost_or_damaged_registry_is_made_anew_and_its_checks_hold() {
    let stack = two();
    let whole = stack.ports.store.text(INDEX);
    for text in [None, Some(""), Some(CUT), whole.get(..whole.len() / 2)] {
        let stack = stack.fork();
        damage(&stack, text);
        let overlapping = another(&stack, "dev-1", "n3.clustera.io");
        assert_eq!(overlapping.refused(&commit(5)), ["names-overlap"]);
        let taken = another(&stack, "test", "n1.clustera.io");
        assert_eq!(taken.refused(&commit(5)), ["taken"]);
        let report = stack.push(&commit(5));
        assert_eq!(report.outcome, PushOutcome::Healed);
        assert_eq!(notices(&report), ["index-rebuilt"], "{text:?}");
        let said = report.notices[0].to_string();
        assert!(
            said.ends_with("rebuilt from what is stored of 1 other stack"),
            "{said}"
        );
        assert_eq!(stack.ports.store.text(INDEX), whole);
        stack.assert_pushed(&commit(5));
    }
}

#[test]
fn the_names_of_a_retired_stack_stay_free_in_a_registry_made_anew() {
    let stack = two();
    assert!(
        stack
            .command(&StateCommand::Retire {
                expected_digest: None
            })
            .1
            .is_complete()
    );
    let whole = stack.ports.store.text(INDEX);
    damage(&stack, None);
    let other = another(&stack, "test", "n1.clustera.io");
    assert_eq!(notices(&other.push(&commit(5))), ["index-rebuilt"]);
    other.assert_stored(&commit(5));
    let index = |text: &str| Index::decode(text.as_bytes()).unwrap();
    let mut made = index(&stack.ports.store.text(INDEX));
    made.stacks.remove(&other.name);
    assert_eq!(made, index(&whole));
}

#[test]
fn what_is_missing_in_a_registry_made_anew_is_said() {
    let stack = two();
    damage(&stack, Some(CUT));
    let keys = stack.ports.store.keys();
    for key in keys.iter().filter(|key| key.starts_with("stacks/prod/")) {
        stack.put_object(key, "{");
    }
    let report = stack.push(&commit(5));
    let said = report.notices[0].to_string();
    assert!(said.contains("part of prod could not be read"), "{said}");
    let overlapping = another(&stack, "prod-1", "n3.clustera.io");
    assert_eq!(overlapping.refused(&commit(5)), ["names-overlap"]);
    stack.assert_stored(&commit(5));
}

#[test]
fn names_that_the_environment_declared_are_not_free_in_a_registry_made_anew() {
    let stack = standing();
    let mut prod = another(&stack, "prod", "n2.clustera.io");
    prod.config("");
    let nodes = "[{name: n9, ips: [192.0.2.9], domain: n2.clustera.io}]";
    prod.variables = [("nodes".to_owned(), nodes.to_owned())].into();
    prod.push(&commit(5));
    let mut stack = stack;
    stack.nodes(&[
        "name: n1, ips: [192.0.2.1], domain: n1.clustera.io",
        "name: n2, ips: [192.0.2.2], domain: n2.clustera.io",
    ]);
    assert_eq!(stack.refused(&commit(6)), ["taken"]);
    damage(&stack, None);
    assert_eq!(stack.refused(&commit(6)), ["owner-unknown"]);
    let report = stack.check();
    let blocked = report.comparison.differences.values();
    let blocked: Vec<_> = blocked.filter(|one| one.blocked.is_some()).collect();
    assert_eq!(blocked.len(), 1, "{report:?}");
    // The stack whose names nobody knows says them.
    prod.push(&commit(5));
    assert_eq!(stack.refused(&commit(6)), ["taken"]);
    prod.assert_stored(&commit(5));
}

#[test]
fn a_registry_of_a_newer_program_is_not_made_anew() {
    let stack = two();
    let whole = stack.ports.store.text(INDEX);
    let newer = whole.replacen("\"format\": 1", "\"format\": 2", 1);
    stack.put_object(INDEX, &newer);
    let refused = stack.try_push(&commit(6)).unwrap();
    assert!(
        matches!(refused, Err(PushError::Registry(_))),
        "{refused:?}"
    );
    assert_eq!(stack.ports.store.text(INDEX), newer);
    stack.put_object(INDEX, &whole);
    stack.assert_pushed(&commit(5));
}

#[test]
fn a_damaged_revision_is_said_to_be_damaged() {
    let stack = standing();
    let revision = stack.set().revision();
    let key = format!("stacks/dev/revisions/{revision}.json");
    let text = stack.ports.store.text(DEFINITIONS);
    stack.put_object(&key, CUT);
    let refused = stack.rollback(&revision).unwrap();
    assert!(
        matches!(refused, Err(PushError::DamagedRevision { .. })),
        "{refused:?}"
    );
    let none = stack.rollback("0123456").unwrap();
    assert!(
        matches!(none, Err(PushError::NoRevision { .. })),
        "{none:?}"
    );
    stack.put_object(&key, &text);
    stack.assert_pushed(&commit(5));
}

#[test]
fn a_damaged_lease_is_replaced_above_all_epochs_that_are_known() {
    let (stack, allow) = busy(1);
    let mend = || drive(&stack, stack.replace_lease());
    let newer = stack
        .ports
        .store
        .text(LEASE)
        .replace("\"format\": 1", "\"format\": 2");
    for text in [CUT, &newer] {
        stack.put_object(LEASE, text);
        let refused = stack.up(&person(&allow)).unwrap();
        let is_said = matches!(
            &refused,
            Err(RunError::Stopped {
                source: StopError::Lease(LeaseError::Decode { .. }),
                ..
            })
        );
        assert!(is_said, "{refused:?}");
        assert!(stack.check().invalid.is_none());
    }
    assert!(matches!(mend(), Err(LeaseError::Decode { .. })));
    assert_eq!(stack.ports.store.text(LEASE), newer);
    stack.put_object(LEASE, CUT);
    let state: serde_json::Value = serde_json::from_str(&stack.state_text()).unwrap();
    mend().unwrap();
    let mended = lease(&stack);
    assert!(mended.released);
    assert!(mended.epoch > state["epoch"].as_u64().unwrap());
    // Where state was put back from an older copy, the records of runs tell.
    let first = stack.ports.store.text("stacks/dev/state/0000000000.json");
    stack
        .ports
        .store
        .set("stacks/dev/state.json", first.clone());
    stack.put_object(LEASE, CUT);
    mend().unwrap();
    assert!(lease(&stack).epoch > state["epoch"].as_u64().unwrap());
    stack
        .ports
        .store
        .set("stacks/dev/state.json", state.to_string());
    // One that can be read and is free is left.
    let text = stack.ports.store.text(LEASE);
    mend().unwrap();
    assert_eq!(stack.ports.store.text(LEASE), text);
    heal(&stack);
}

#[test]
fn a_lease_that_is_damaged_and_replaced_in_the_middle_lets_no_starts_overlap() {
    let (mut stopped, mut followed) = (0, 0);
    for call in 12..22 {
        let (stack, allow) = busy(1);
        let by = person(&allow);
        stack.ports.latency_ms.set(5_000);
        let (holder, other) = (stack.beside(), stack.beside());
        other.ports.latency_ms.set(1);
        let (first, second) = drive(&stack, async {
            let second = async {
                reaches(&holder, call).await;
                // Its time says nothing: whoever damaged it may have kept it.
                stack.ports.store.set(LEASE, CUT);
                other.replace_lease().await.unwrap();
                assert!(lease(&stack).released);
                run_when_free(&other, &by).await
            };
            futures_util::future::join(run(&holder, &by), second).await
        });
        assert!(second.is_ok(), "{call}: {second:?}");
        if let Err(error) = &first {
            stopped += 1;
            let is_lost = matches!(
                error,
                RunError::Stopped {
                    source: StopError::Lease(LeaseError::Lost { .. } | LeaseError::Decode { .. }),
                    ..
                }
            );
            assert!(is_lost, "{call}: {error:?}");
        }
        let (early, late) = (starts(&holder), starts(&other));
        if let (Some(last), Some(begin)) = (early.last(), late.first()) {
            followed += 1;
            assert!(last < begin, "{call}: starts overlap");
        }
        stack.ports.latency_ms.set(1);
        heal(&stack);
    }
    assert!(stopped > 5 && followed > 2, "{stopped} {followed}");
}

#[test]
fn the_push_that_mends_a_damaged_set_is_named() {
    let mut stack = standing();
    let first = stack.set().revision();
    stack.many_topics(3, FORTNIGHT);
    stack.push(&commit(6));
    let text = stack.ports.store.text(DEFINITIONS);
    let first_of = |stack: &Stack| stack.check_stored().unwrap().push_first;
    assert_eq!(first_of(&stack), None);
    stack.put_object(DEFINITIONS, CUT);
    let push = |after_rollback| Hint::Push { after_rollback };
    assert_eq!(first_of(&stack), Some(push(None)));
    stack.put_object(
        DEFINITIONS,
        &text.replacen("\"format\": 1", "\"format\": 2", 1),
    );
    assert_eq!(first_of(&stack), None);
    stack.put_object(DEFINITIONS, &text);
    // Under a rollback it says so.
    let made = stack.rollback(&first).unwrap().unwrap().stored.revision();
    stack.put_object(DEFINITIONS, CUT);
    assert_eq!(first_of(&stack), Some(push(Some(made.clone()))));
    assert_eq!(stack.refused(&commit(6)), ["rolled-back"]);
    let consent = PushConsent {
        after_rollback: Some(made),
        ..PushConsent::default()
    };
    stack.push(&Pushing { consent, commit: 6 });
    stack.up_stored(&Authorisation::Unattended).unwrap();
    stack.assert_pushed(&commit(6));
}

/// Where a revision stands among the stored ones, by name.
fn place_of(stack: &Stack, revision: &str) -> Option<usize> {
    let keys = stack.ports.store.keys();
    let mut revisions = keys.iter().filter(|key| key.contains("/revisions/"));
    revisions.position(|key| key.ends_with(&format!("/{revision}.json")))
}

#[test]
fn of_many_revisions_that_are_left_the_newest_counts() {
    let mut stack = Stack::new();
    let (mut number, mut newest) = (0, String::new());
    // Until the newest of them comes late among the names.
    while place_of(&stack, &newest).is_none_or(|place| place < 50) {
        number += 1;
        stack.topics(&[(&format!("t{number}"), "")]);
        let consent = PushConsent {
            removals: true,
            ..PushConsent::default()
        };
        let pushing = Pushing {
            consent,
            ..commit(number)
        };
        newest = stack.push(&pushing).stored.revision();
        stack.wait_minutes(1);
    }
    stack.ports.store.remove(DEFINITIONS);
    stack.ports.store.remove(INDEX);
    let report = stack.check_stored().unwrap();
    assert_eq!(report.verdict(), StackVerdict::Invalid);
    assert_eq!(report.declared.revision, newest);
    assert!(
        stack
            .refused(&commit(number - 1))
            .contains(&"not-descended")
    );
    assert_eq!(stack.push(&commit(number)).outcome, PushOutcome::Healed);
    stack.assert_stored(&commit(number));
}
