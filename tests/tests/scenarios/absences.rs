//! Much gone at once is not believed until a person says so, and what they said covers nothing else.

use kedge_core::compare::Verdict;
use kedge_core::report::StackVerdict;
use kedge_engine::RunError;
use kedge_engine::StateCommand;
use kedge_tests::stack::{Stack, describe, results, verdict};
use serde_json::json;

use super::deed;

/// A hundred topics of which a quarter is gone.
fn robbed(policy: &str) -> Stack {
    let mut stack = Stack::new();
    stack.policy(policy);
    stack.many_topics(100, "");
    stack.unattended();
    stack.wait_minutes(10);
    let _ = stack.check();
    deed(
        &stack,
        json!({"do": "remove_topics", "prefix": "dev-t", "one_in": 4}),
    );
    stack
}

const RECREATE: &str = "correct: safe, deploy: safe, correct_after: 0, on_missing: recreate";
const ALERT: &str = "correct: safe, deploy: safe, correct_after: 0, on_missing: alert";

fn counts(stack: &Stack) -> (usize, usize) {
    let report = stack.check();
    let missing = report.comparison.differences.values();
    let missing = missing.filter(|one| one.is_missing()).count();
    (report.count(&[Verdict::Unknown]), missing)
}

#[test]
fn a_mass_absence_is_unknown_until_a_person_confirms_it() {
    let stack = robbed(RECREATE);
    assert_eq!(counts(&stack), (25, 0));
    assert_eq!(stack.check().verdict(), StackVerdict::Incomplete);
    stack.assert_idle();
    // A confirmation is of what was seen.
    let seen = Some("0123456789abcdef".to_owned());
    let refused = stack
        .ask(&StateCommand::ConfirmAbsence {
            expected_digest: seen,
        })
        .unwrap();
    assert!(matches!(
        refused,
        Err(RunError::AbsenceMoved { count: 25, .. })
    ));
    assert_eq!(counts(&stack), (25, 0));
    stack.ports.clear_sent();
    let (report, changed) = stack.confirm_absence();
    assert_eq!((changed.results, stack.ports.writes()), (vec![], 0));
    // It answers with the world as it is once they are believed to be gone.
    assert_eq!(
        report.verdict(),
        StackVerdict::Drifted,
        "{}",
        describe(&report)
    );
    assert_eq!(
        (report.count(&[Verdict::Unknown]), report.windows.len()),
        (0, 25)
    );
    assert_eq!(counts(&stack), (0, 25));
    let report = stack.check();
    assert_eq!(report.verdict(), StackVerdict::Drifted);
    let (report, changed) = stack.unattended();
    assert_eq!(results(&changed).len(), 25, "{}", describe(&report));
    stack.assert_settled();
    assert!(stack.mass_absence().keys.is_empty());
}

#[test]
fn a_confirmation_does_not_cover_a_later_absence_of_others() {
    let stack = robbed(ALERT);
    let seen = stack.mass_absence().digest;
    // More is gone between the look and the word.
    deed(&stack, json!({"do": "delete_topic", "topic": "dev-t001"}));
    let request = StateCommand::ConfirmAbsence {
        expected_digest: Some(seen),
    };
    let refused = stack.ask(&request).unwrap();
    assert!(matches!(
        refused,
        Err(RunError::AbsenceMoved { count: 26, .. })
    ));
    stack.confirm_absence();
    assert_eq!(counts(&stack), (0, 26));
    deed(
        &stack,
        json!({"do": "remove_topics", "prefix": "dev-t", "one_in": 3}),
    );
    assert_eq!(counts(&stack), (25, 26));
    stack.assert_idle_unattended();
    stack.confirm_absence();
    assert_eq!(counts(&stack), (0, 51));
    stack.overriding(&[kedge_core::plan::GuardName::Share]);
    stack.assert_settled();
}

#[test]
fn a_confirmation_ends_where_the_absence_does() {
    let stack = robbed(ALERT);
    stack.confirm_absence();
    let gone: Vec<String> = {
        let report = stack.check();
        let missing = report.comparison.differences.values();
        let missing = missing.filter(|one| one.is_missing());
        missing.map(|one| one.key.name().to_owned()).collect()
    };
    assert_eq!(gone.len(), 25);
    // They come back, a check sees them, and they are gone once more.
    for topic in &gone {
        deed(
            &stack,
            json!({"do": "create_topic", "topic": topic, "partitions": 1, "replication": 2}),
        );
    }
    stack.wait_minutes(10);
    assert_eq!(counts(&stack), (0, 0));
    for topic in &gone {
        deed(&stack, json!({"do": "delete_topic", "topic": topic}));
    }
    assert_eq!(counts(&stack), (25, 0));
    stack.assert_idle();
    stack.confirm_absence();
    stack.overriding(&[]);
    stack.assert_settled();
}

#[test]
fn a_confirmation_counts_for_a_day() {
    let stack = robbed(ALERT);
    stack.confirm_absence();
    stack.wait_minutes(24 * 60 - 1);
    assert_eq!(counts(&stack), (0, 25));
    stack.assert_idle_unattended();
    stack.wait_minutes(2);
    assert_eq!(counts(&stack), (25, 0));
    stack.assert_idle();
    stack.confirm_absence();
    stack.person(&[]);
    assert_eq!(verdict(&stack.check(), "dev-t000"), Verdict::InSync);
    stack.assert_settled();
}
