//! Stored definitions that can't be used: the verdict is invalid, drift is told, and nothing is changed.

use kedge_core::plan::LeftReason;
use kedge_core::report::StackVerdict;
use kedge_engine::RunError;
use kedge_engine::{PushError, PushOutcome};
use kedge_tests::authority::Authorisation;
use kedge_tests::pushed::{commit, notices};
use kedge_tests::stack::{Stack, person, verdict};
use serde_json::json;

use super::push::{DEFINITIONS, FORTNIGHT, INDEX, standing};
use super::set_config;

/// A stack whose second set was pushed and deployed, and drifted since; and the text of that set.
fn drifted() -> (Stack, String) {
    let mut stack = standing();
    stack.many_topics(3, FORTNIGHT);
    stack.push(&commit(6));
    stack.up_stored(&Authorisation::Unattended).unwrap();
    stack.wait_minutes(10);
    set_config(&stack, "dev-t000", json!({"retention_ms": 1000}));
    let text = stack.ports.store.text(DEFINITIONS);
    (stack, text)
}

/// The verdict is invalid, drift is told, nothing is changed whoever asks, and a push mends it.
fn assert_invalid(stack: &Stack, reason: &str, revision: &str) {
    let (world, state) = (stack.ports.sandbox.world(), stack.state_text());
    let report = stack.check_stored().unwrap();
    assert_eq!(report.verdict(), StackVerdict::Invalid);
    assert_eq!(report.declared.revision, revision);
    let invalid = report.invalid.as_ref().unwrap();
    assert!(invalid.reason.contains(reason), "{}", invalid.reason);
    let drift = verdict(&report, "dev-t000");
    assert!(drift >= kedge_core::compare::Verdict::Drifted, "{drift:?}");
    // Automation does nothing by them either, and no page says that it will.
    assert!(!report.decided.approves_any() && !report.automation.approves_any());
    let mut left = report.automation.left();
    assert!(left.all(|left| *left.reason == LeftReason::InvalidDefinitions));
    assert!(report.automation.leaves_any());
    for by in [Authorisation::Unattended, person(&[])] {
        let refused = stack.up_stored(&by).map(|_| ());
        let is_refused = matches!(
            refused,
            Err(RunError::NoBundle { .. } | RunError::Definitions(_))
        );
        assert!(is_refused, "{refused:?}");
    }
    assert_eq!(stack.ports.sandbox.world(), world);
    assert_eq!(stack.state_text(), state);
}

fn mended(stack: &Stack, outcome: PushOutcome) {
    let report = stack.push(&commit(6));
    assert_eq!(report.outcome, outcome);
    assert!(
        notices(&report).contains(&"stored-invalid"),
        "{:?}",
        report.notices
    );
    stack.up_stored(&Authorisation::Unattended).unwrap();
    stack.assert_pushed(&commit(6));
    assert_eq!(stack.check_stored().unwrap().verdict(), StackVerdict::Clean);
}

#[test]
fn a_deleted_set_is_no_beginning() {
    let (stack, _) = drifted();
    stack.ports.store.remove(DEFINITIONS);
    assert_invalid(&stack, "was deleted", &stack.set().revision());
    // The registry may be gone with it.
    let fork = stack.fork();
    fork.ports.store.remove(INDEX);
    assert_invalid(&fork, "was deleted", &fork.set().revision());
    mended(&fork, PushOutcome::Healed);
    // And a set that lost half its files is still refused.
    let mut lost = stack.fork();
    lost.files.remove("area/more/kafka-topics.yaml");
    assert_eq!(lost.refused(&commit(7)), ["removes-too-much"]);
    mended(&stack, PushOutcome::Healed);
}

#[test]
fn a_cut_set_is_invalid() {
    let (stack, text) = drifted();
    for damaged in ["", "{", text.get(..text.len() / 2).unwrap()] {
        stack.put_object(DEFINITIONS, damaged);
        assert_invalid(&stack, "can't be used", &stack.set().revision());
    }
    mended(&stack, PushOutcome::Healed);
}

#[test]
fn a_set_without_the_stacks_own_file_or_that_does_not_parse_is_invalid() {
    let (stack, text) = drifted();
    let first = standing().set().revision();
    for (path, file) in [
        ("stacks/dev.yaml", None),
        ("kedge.yaml", Some("project: [")),
    ] {
        let mut bad = stack.fork();
        match file {
            Some(file) => bad.file(path, file),
            None => drop(bad.files.remove(path)),
        }
        // As a program that knew other rules would have stored it.
        let mut json: serde_json::Value = serde_json::from_str(&text).unwrap();
        json["files"] = json!(bad.files);
        json["revision"] = json!(bad.set().revision());
        bad.put_object(DEFINITIONS, &json.to_string());
        assert_invalid(&bad, "can't be used", &first);
        bad.files = stack.files.clone();
        assert_eq!(bad.refused(&commit(5)), ["not-descended"]);
        let report = bad.push(&commit(6));
        assert_eq!(report.outcome, PushOutcome::Stored);
        bad.up_stored(&Authorisation::Unattended).unwrap();
        bad.assert_pushed(&commit(6));
    }
}

#[test]
fn a_set_that_a_newer_program_stored_is_not_replaced() {
    let (stack, text) = drifted();
    let newer = text.replacen("\"format\": 1", "\"format\": 2", 1);
    assert_ne!(newer, text);
    stack.put_object(DEFINITIONS, &newer);
    assert_invalid(&stack, "newer kedge", &stack.set().revision());
    let refused = stack.try_push(&commit(7)).unwrap();
    assert!(
        matches!(refused, Err(PushError::Newer { .. })),
        "{refused:?}"
    );
    let refused = stack.rollback(&stack.set().revision()).unwrap();
    assert!(
        matches!(refused, Err(PushError::Newer { .. })),
        "{refused:?}"
    );
    assert_eq!(stack.ports.store.text(DEFINITIONS), newer);
    stack.put_object(DEFINITIONS, &text);
    stack.up_stored(&Authorisation::Unattended).unwrap();
    stack.assert_pushed(&commit(6));
}
