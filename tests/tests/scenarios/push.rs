//! Definitions that are stored: what is refused, and what heals.

use kedge_core::push::PushConsent;
use kedge_core::report::StackVerdict;
use kedge_engine::RunError;
use kedge_engine::StateCommand;
use kedge_engine::{PushError, PushOutcome};
use kedge_tests::authority::Authorisation;
use kedge_tests::ports::CrashPoint;
use kedge_tests::pushed::{Pushing, commit, notices};
use kedge_tests::stack::{Stack, person, stack_name, verdict};

pub(super) const DEFINITIONS: &str = "stacks/dev/definitions.json";
pub(super) const INDEX: &str = "stacks/index.json";

/// How long the topics of the first file keep their messages at first.
const WEEK: &str = "retention_ms: 604800000";
/// And after an edit, which is safe and no third of the topics.
pub(super) const FORTNIGHT: &str = "retention_ms: 1209600000";

/// Twelve topics in two files, and a node.
pub(super) fn declared() -> Stack {
    let mut stack = Stack::new();
    stack.many_topics(3, WEEK);
    let lines = (0..9).map(|n| format!("  - {{name: \"{{stack}}-u{n}\"}}\n"));
    let text = format!("topics:\n{}", lines.collect::<String>());
    stack.file("area/more/kafka-topics.yaml", text);
    stack.nodes(&["name: n1, ips: [192.0.2.1], domain: n1.clustera.io"]);
    stack
}

/// The same, pushed as commit 5 and deployed.
pub(super) fn standing() -> Stack {
    let stack = declared();
    assert_eq!(stack.push(&commit(5)).outcome, PushOutcome::Stored);
    stack.up_stored(&Authorisation::Unattended).unwrap();
    stack.wait_minutes(10);
    stack
}

fn withdrawing(pushing: Pushing) -> Pushing {
    let consent = PushConsent {
        removals: true,
        ..pushing.consent
    };
    Pushing { consent, ..pushing }
}

fn after_rollback(pushing: Pushing, revision: &str) -> Pushing {
    let consent = PushConsent {
        after_rollback: Some(revision.to_owned()),
        ..pushing.consent
    };
    Pushing { consent, ..pushing }
}

#[test]
fn a_first_push_is_three_objects_and_then_deploys() {
    let stack = declared();
    let report = stack.push(&commit(1));
    assert_eq!(notices(&report), [""; 0]);
    assert_eq!(
        (report.outcome, report.resources),
        (PushOutcome::Stored, 13)
    );
    let revision = report.stored.revision();
    assert_eq!(revision, stack.set().revision());
    let keys = stack.ports.store.keys();
    let copy = format!("stacks/dev/revisions/{revision}.json");
    assert_eq!(keys, [DEFINITIONS, &copy, INDEX]);
    let text = |key: &str| stack.ports.store.text(key);
    assert_eq!(text(DEFINITIONS), text(&copy));
    assert!(text(INDEX).contains("n1.clustera.io/A"));
    let check = stack.check_stored().unwrap();
    assert_eq!(check.verdict(), StackVerdict::NotAdopted);
    assert_eq!(check.declared.revision, revision);
    stack.up_stored(&Authorisation::Unattended).unwrap();
    stack.assert_pushed(&commit(1));
    let clean = stack.check_stored().unwrap();
    assert_eq!(clean.verdict(), StackVerdict::Clean);
}

#[test]
fn a_clean_check_is_three_reads() {
    let stack = standing();
    let _ = stack.check_stored().unwrap();
    let (reads, writes) = (
        stack.ports.store.reads.get(),
        stack.ports.store.writes.get(),
    );
    assert_eq!(stack.check_stored().unwrap().verdict(), StackVerdict::Clean);
    assert_eq!(stack.ports.store.reads.get() - reads, 3);
    assert_eq!(stack.ports.store.writes.get(), writes);
}

#[test]
fn what_does_not_parse_is_not_stored() {
    let mut stack = standing();
    stack.topics(&[("a", "partitions: 0")]);
    let before = stack.ports.store.writes.get();
    let refused = stack.try_push(&commit(6)).unwrap();
    assert!(
        matches!(refused, Err(PushError::Definitions(_))),
        "{refused:?}"
    );
    assert_eq!(stack.ports.store.writes.get(), before);
    stack.many_topics(3, WEEK);
    stack.assert_pushed(&commit(5));
}

#[test]
fn an_old_commit_pushed_late_is_refused() {
    let mut stack = standing();
    stack.many_topics(3, "partitions: 2, retention_ms: 604800000");
    assert_eq!(stack.refused(&commit(4)), ["not-descended"]);
    let forced = Pushing {
        consent: PushConsent {
            force: true,
            ..PushConsent::default()
        },
        ..commit(4)
    };
    assert_eq!(notices(&stack.push(&forced)), ["ancestry-not-checked"]);
    let without = stack.push(&commit(0));
    assert_eq!(without.outcome, PushOutcome::Unchanged);
    stack.up_stored(&Authorisation::Unattended).unwrap();
    stack.assert_pushed(&commit(4));
}

#[test]
fn what_lies_between_two_commits_of_the_same_content_is_old() {
    let mut stack = standing();
    let noted = stack.push(&commit(9));
    assert_eq!(noted.outcome, PushOutcome::CommitNoted);
    assert_eq!(stack.push(&commit(7)).outcome, PushOutcome::Unchanged);
    stack.many_topics(3, "partitions: 2, retention_ms: 604800000");
    assert_eq!(stack.refused(&commit(7)), ["not-descended"]);
    stack.many_topics(3, WEEK);
    stack.assert_pushed(&commit(9));
}

#[test]
fn a_rollback_holds_against_the_next_push() {
    let mut stack = standing();
    let first = stack.set().revision();
    stack.many_topics(3, "partitions: 2, retention_ms: 604800000");
    let second = stack.push(&commit(6)).stored.revision();
    stack.up_stored(&Authorisation::Unattended).unwrap();
    let state = stack.state_text();

    let back = stack.rollback(first.get(..8).unwrap()).unwrap().unwrap();
    let revision = back.stored.revision();
    assert!(revision != first && revision != second);
    assert_eq!(back.stored.rollback_of.as_deref(), Some(first.as_str()));
    assert_eq!(back.stored.follows.as_deref(), Some(second.as_str()));
    assert_eq!(stack.state_text(), state, "state is never rolled back");
    // Corrections and deploys go on: fewer partitions can't be had, and that is said.
    let report = stack.check_stored().unwrap();
    assert_eq!(report.declared.revision, revision);
    assert!(!report.plan.findings.is_empty());

    stack.many_topics(3, "partitions: 2, retention_ms: 1209600000");
    assert_eq!(stack.refused(&commit(7)), ["rolled-back"]);
    assert_eq!(
        stack.refused(&after_rollback(commit(7), &first)),
        ["rolled-back"]
    );
    // What was pushed before the rollback is still old after it.
    let old = after_rollback(commit(5), &revision);
    assert_eq!(stack.refused(&old), ["not-descended"]);
    let on = after_rollback(commit(7), &revision);
    let pushed = stack.push(&on);
    assert_eq!(pushed.stored.rollback_of, None);
    stack.up_stored(&Authorisation::Unattended).unwrap();
    stack.assert_pushed(&commit(7));
}

#[test]
fn the_same_content_ends_a_rollback_when_it_says_so() {
    let mut stack = standing();
    let first = stack.set().revision();
    stack.many_topics(3, FORTNIGHT);
    stack.push(&commit(6));
    let back = stack.rollback(&first).unwrap().unwrap().stored.revision();
    stack.many_topics(3, WEEK);
    assert_eq!(stack.push(&commit(0)).outcome, PushOutcome::Unchanged);
    let ended = stack.push(&after_rollback(commit(7), &back));
    assert_eq!(ended.outcome, PushOutcome::Stored);
    assert_eq!(ended.stored.rollback_of, None);
    let again = stack.rollback(&first).unwrap().unwrap();
    assert_eq!(again.outcome, PushOutcome::Unchanged);
    for unknown in ["zzzzzzzz", "0123456789ab", "../../../x", "zz"] {
        let refused = stack.rollback(unknown).unwrap();
        assert!(
            matches!(refused, Err(PushError::NoRevision { .. })),
            "{unknown}"
        );
    }
    for short in ["", &first[..3]] {
        let refused = stack.rollback(short).unwrap().unwrap_err();
        assert!(
            matches!(refused, PushError::ShortRevision { .. }),
            "{short}"
        );
        assert!(refused.to_string().contains("at least 4"), "{refused}");
    }
    for beginning in [&first[..4], &first[..6].to_uppercase()] {
        let again = stack.rollback(beginning).unwrap().unwrap();
        assert_eq!(again.outcome, PushOutcome::Unchanged, "{beginning}");
    }
    stack.up_stored(&Authorisation::Unattended).unwrap();
    stack.assert_pushed(&commit(7));
}

#[test]
fn a_name_that_begins_another_is_refused() {
    let stack = standing();
    let mut other = stack.clone();
    other.name = stack_name("dev-1");
    other.files.remove("stacks/dev.yaml");
    other.config("");
    assert_eq!(other.refused(&commit(6)), ["names-overlap"]);
    other.files.remove("stacks/dev-1.yaml");
    other.name = stack_name("dev1");
    other.config("");
    other.push(&commit(6));
    other.assert_stored(&commit(6));
    stack.assert_pushed(&commit(5));
}

#[test]
fn a_record_set_of_another_stack_is_refused() {
    let mut stack = standing();
    let mut other = stack.clone();
    other.name = stack_name("prod");
    other.files.remove("stacks/dev.yaml");
    other.nodes(&["name: n1, ips: [192.0.2.9], domain: n1.clustera.io"]);
    assert_eq!(other.refused(&commit(6)), ["taken"]);
    // Withdrawn and still recorded: it is not free yet.
    stack.nodes(&[]);
    stack.push(&withdrawing(commit(6)));
    assert_eq!(other.refused(&commit(6)), ["taken"]);
    let _ = stack.up_stored(&person(&[])).unwrap();
    stack.assert_pushed(&commit(6));
}

#[test]
fn a_retired_stack_leaves_its_names_and_a_push_takes_them_again() {
    let retire = StateCommand::Retire {
        expected_digest: None,
    };
    let begin = || {
        let stack = standing();
        stack.crash_at(None);
        stack
    };
    let calm = begin();
    assert!(calm.command(&retire).1.is_complete());
    let calls = calm.ports.calls.get();
    assert!(calm.ports.store.text(INDEX).contains("\"retired\": true"));
    // Also where a run broke off right before the registry.
    for point in [calls - 2, calls - 1, calls].map(CrashPoint::Before) {
        let stack = begin();
        stack.crash_at(Some(point));
        assert!(stack.ask(&retire).is_err(), "{point:?}");
        stack.crash_at(None);
        let _ = stack.command(&retire);
        assert_eq!(stack.ports.store.text(INDEX), calm.ports.store.text(INDEX));
    }
    let writes = calm.ports.store.writes.get();
    let _ = calm.command(&retire);
    assert_eq!(calm.ports.store.writes.get(), writes);
    let mut other = calm.fork();
    other.name = stack_name("prod");
    other.files.remove("stacks/dev.yaml");
    other.nodes(&["name: n1, ips: [192.0.2.9], domain: n1.clustera.io"]);
    other.push(&commit(6));
    other.assert_stored(&commit(6));
    // The same content begins the stack anew: it is stored as of now, once, whatever crashes.
    for point in (6..10).map(CrashPoint::After) {
        let stack = calm.fork();
        stack.crash_at(Some(point));
        let crashed = stack.try_push(&commit(5)).is_err();
        stack.crash_at(None);
        stack.push(&commit(5));
        let keys = stack.ports.store.keys();
        let revisions = keys
            .iter()
            .filter(|key| key.starts_with("stacks/dev/revisions/"));
        assert_eq!(revisions.count(), 2, "{point:?} {crashed}");
    }
    assert_eq!(calm.push(&commit(5)).outcome, PushOutcome::Stored);
    assert!(!calm.ports.store.text(INDEX).contains("retired"));
    calm.up_stored(&person(&[])).unwrap();
    calm.assert_pushed(&commit(5));
}

#[test]
fn half_of_the_files_lost_is_refused() {
    let mut stack = standing();
    let whole = stack.files.clone();
    stack.files.remove("area/more/kafka-topics.yaml");
    assert_eq!(stack.refused(&commit(6)), ["removes-too-much"]);
    let agreed = stack.push(&withdrawing(commit(6)));
    assert_eq!(notices(&agreed), ["removed"]);
    // Nothing is deleted by it: they are orphans now.
    let report = stack.up_stored(&person(&[])).unwrap().0;
    assert!(report.plan.changes.is_empty());
    assert_eq!(
        verdict(&report, "dev-u0"),
        kedge_core::compare::Verdict::Orphan
    );
    stack.assert_pushed(&commit(6));
    // Moved to another file they were never away.
    stack.files = whole;
    stack.push(&commit(7));
    let text = stack.files.remove("area/more/kafka-topics.yaml").unwrap();
    stack.file("area/other/kafka-topics.yaml", text);
    assert_eq!(notices(&stack.push(&commit(8))), [""; 0]);
    stack.up_stored(&Authorisation::Unattended).unwrap();
    stack.assert_pushed(&commit(8));
}

#[test]
fn a_first_push_of_a_standing_stack_is_judged_by_what_is_recorded() {
    let mut stack = declared();
    stack.unattended();
    stack.wait_minutes(10);
    stack.many_topics(1, WEEK);
    assert_eq!(stack.refused(&commit(1)), ["removes-too-much"]);
    stack.many_topics(3, WEEK);
    stack.push(&commit(1));
    stack.assert_pushed(&commit(1));
}

#[test]
fn a_set_that_loosens_its_own_guards_waits_for_a_person() {
    let mut stack = standing();
    stack.project(
        "correct: safe, deploy: disruptive, correct_after: 0, prune: true",
        "{changes_max: 1000}",
        "[]",
    );
    assert_eq!(notices(&stack.push(&commit(6))), ["policy-waits"]);
    let report = stack.check_stored().unwrap();
    assert_eq!(report.verdict(), StackVerdict::Pending);
    let (report, _) = stack.up_stored(&Authorisation::Unattended).unwrap();
    assert_eq!(report.plan.policy_change.loosened.len(), 2);
    assert!(!report.plan.policy.prune);
    stack.up_stored(&person(&["policy"])).unwrap();
    stack.assert_pushed(&commit(6));
    assert_eq!(stack.check_stored().unwrap().verdict(), StackVerdict::Clean);
}

#[test]
fn nothing_pushed_is_not_nothing_declared() {
    let stack = declared();
    let refused = stack.check_stored().unwrap_err();
    assert!(
        matches!(&refused, RunError::NoBundle { reason, push_first: Some(_) } if reason.contains("nothing was pushed"))
    );
    stack.push(&commit(1));
    stack.up_stored(&Authorisation::Unattended).unwrap();
    stack.assert_pushed(&commit(1));
}

#[test]
fn a_push_that_crashes_is_healed_by_the_next() {
    let begin = || {
        let mut stack = standing();
        stack.many_topics(3, FORTNIGHT);
        stack.crash_at(None);
        stack
    };
    let calm = begin();
    calm.push(&commit(6));
    let calls = calm.ports.calls.get();
    let expected = calm.ports.store.text(INDEX);
    for point in (1..=calls).flat_map(|call| [CrashPoint::Before(call), CrashPoint::After(call)]) {
        let stack = begin();
        stack.crash_at(Some(point));
        assert!(stack.try_push(&commit(6)).is_err(), "{point:?}");
        stack.crash_at(None);
        // Whatever was left, it is one whole set.
        assert!(stack.check_stored().unwrap().invalid.is_none(), "{point:?}");
        stack.push(&commit(6));
        assert_eq!(stack.ports.store.text(INDEX), expected, "{point:?}");
        let revisions = |stack: &Stack| {
            let keys = stack.ports.store.keys();
            keys.iter()
                .filter(|key| key.contains("/revisions/"))
                .count()
        };
        assert_eq!(revisions(&stack), 2, "{point:?}");
        stack.up_stored(&Authorisation::Unattended).unwrap();
        stack.assert_pushed(&commit(6));
    }
}

#[test]
fn a_rollback_that_crashes_is_healed_by_the_next() {
    let begin = || {
        let mut stack = standing();
        let first = stack.set().revision();
        stack.many_topics(3, FORTNIGHT);
        stack.push(&commit(6));
        stack.crash_at(None);
        (stack, first)
    };
    let (calm, first) = begin();
    let back = calm.rollback(&first).unwrap().unwrap();
    let calls = calm.ports.calls.get();
    for point in (1..=calls).flat_map(|call| [CrashPoint::Before(call), CrashPoint::After(call)]) {
        let (mut stack, first) = begin();
        stack.crash_at(Some(point));
        assert!(stack.rollback(&first).is_err(), "{point:?}");
        stack.crash_at(None);
        let again = stack.rollback(&first).unwrap().unwrap();
        assert_eq!(again.stored.revision(), back.stored.revision(), "{point:?}");
        assert_eq!(stack.refused(&commit(7)), ["rolled-back"], "{point:?}");
        stack.many_topics(3, WEEK);
        stack.up_stored(&Authorisation::Unattended).unwrap();
        stack.assert_pushed(&commit(0));
    }
}

#[test]
fn a_run_says_that_definitions_were_pushed_meanwhile() {
    let mut stack = Stack::new();
    stack.topics(&[("a", "")]);
    stack.push(&commit(1));
    let mut other = stack.clone();
    other.topics(&[("a", ""), ("b", "")]);
    let changed = stack.up_beside_a_push(&other);
    assert_eq!(changed.done(), 1);
    assert_eq!(changed.run_again, ["new definitions were pushed meanwhile"]);
    let (_, changed) = other.up_stored(&Authorisation::Unattended).unwrap();
    assert_eq!((changed.done(), changed.run_again.len()), (1, 0));
    other.assert_pushed(&commit(2));
}

#[test]
fn of_two_pushes_at_once_one_counts() {
    for seed in 0..8 {
        let mut stack = Stack::seeded(seed);
        stack.topics(&[("a", "")]);
        stack.push(&commit(1));
        let mut other = stack.clone();
        stack.topics(&[("a", ""), ("b", "")]);
        other.topics(&[("a", ""), ("c", "")]);
        stack.ports.latency_ms.set(1 + seed % 3);
        let results = stack.push_beside(&other);
        let moved = results
            .iter()
            .filter(|result| matches!(result, Err(PushError::Moved { .. })));
        assert_eq!(moved.count(), 1, "seed {seed}: {results:?}");
        let winner = if results[0].is_ok() { &stack } else { &other };
        winner.up_stored(&Authorisation::Unattended).unwrap();
        winner.assert_pushed(&commit(2));
    }
}

#[test]
fn two_stacks_pushed_at_once_are_both_in_the_registry() {
    for seed in 0..8 {
        let mut stack = Stack::seeded(seed);
        stack.topics(&[("a", "")]);
        let mut other = stack.clone();
        other.name = stack_name("prod");
        other.files.remove("stacks/dev.yaml");
        other.config("");
        let results = stack.push_beside(&other);
        assert!(results.iter().all(Result::is_ok), "{results:?}");
        let index = stack.ports.store.text(INDEX);
        assert!(
            index.contains("\"dev\"") && index.contains("\"prod\""),
            "{index}"
        );
        stack.up_stored(&Authorisation::Unattended).unwrap();
        stack.assert_pushed(&commit(2));
    }
}
