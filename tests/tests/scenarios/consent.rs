//! What a person agreed to is what is done, and nothing that can't be taken back without being named.

use std::collections::BTreeSet;

use kedge_core::documents::{ReasonCode, Word as _};
use kedge_core::plan::PlanSummary;
use kedge_core::report::StackVerdict;
use kedge_engine::{Consent, RunError, StopError, TypedName};
use kedge_tests::authority::Authorisation;
use kedge_tests::stack::{Stack, left_reasons, person, results};
use serde_json::json;

use super::{deed, set_config};

fn agreed(digest: &str, seen: Option<PlanSummary>) -> Authorisation {
    let consent = Consent::to_plan(digest);
    Authorisation::Person(match seen {
        Some(seen) => consent.expecting(seen),
        None => consent,
    })
}

fn standing() -> Stack {
    let stack = Stack::small();
    stack.unattended();
    stack.wait_minutes(90);
    stack
}

#[test]
fn a_stale_digest_is_refused_and_names_what_moved() {
    let stack = standing();
    set_config(&stack, "dev-a", json!({"retention_ms": 1000}));
    let seen = stack.check().plan;
    deed(
        &stack,
        json!({"do": "set_replication", "topic": "dev-b", "replication": 3}),
    );
    let writes = stack.ports.writes();
    let moved = match stack.up(&agreed(&seen.digest, Some(seen.summary.clone()))) {
        Ok(Err(RunError::Stopped {
            source: StopError::PlanMoved { agreed, moved, .. },
            ..
        })) => {
            assert_eq!(agreed, seen.digest);
            moved
        }
        other => panic!("{other:?}"),
    };
    // b's replication is not declared here; a's own retention is.
    assert_eq!(
        moved,
        ["kafka-topic/clustera-creators/kafka-clustera/dev-b"]
    );
    assert_eq!(stack.ports.writes(), writes);
    let now = stack.check().plan;
    assert_ne!(now.digest, seen.digest);
    let upped = stack.up(&agreed(&now.digest, None));
    assert!(matches!(upped, Ok(Ok((_, changed))) if changed.done() == 2));
    stack.assert_settled();
}

#[test]
fn what_is_not_covered_does_not_move_the_digest() {
    let stack = standing();
    set_config(&stack, "dev-a", json!({"retention_ms": 1000}));
    let digest = stack.check().plan.digest;
    deed(
        &stack,
        json!({"do": "create_topic", "topic": "dev-foreign"}),
    );
    set_config(&stack, "dev-b", json!({"retention_ms": 1000}));
    stack.wait_minutes(200);
    assert_eq!(stack.check().plan.digest, digest);
    let upped = stack.up(&agreed(&digest, None));
    assert!(matches!(upped, Ok(Ok((_, changed))) if changed.done() == 1));
    stack.assert_settled();
}

#[test]
fn an_override_is_part_of_the_digest() {
    let mut stack = Stack::new();
    stack.many_topics(501, "");
    let digest = stack.check().plan.digest;
    let guards = BTreeSet::from([kedge_core::plan::GuardName::Creates]);
    let overriding = Authorisation::Person(Consent::to_plan(digest).overriding(guards));
    assert!(matches!(
        stack.up(&overriding),
        Ok(Err(RunError::Stopped {
            source: StopError::PlanMoved { .. },
            ..
        }))
    ));
    assert_eq!(stack.ports.writes(), 0);
}

#[test]
fn destructive_changes_are_named_one_by_one() {
    let mut stack = standing();
    stack.topics(&[
        ("a", "retention_ms: 1000"),
        ("b", "partitions: 2, cleanup_policy: compact"),
        ("b-dlq", ""),
    ]);
    let (report, changed) = stack.person(&[]);
    assert_eq!(changed.results, []);
    assert_eq!(left_reasons(&report, "dev-a"), ["needs-approval"]);
    assert_eq!(left_reasons(&report, "dev-b"), ["needs-approval"]);
    let (report, changed) = stack.person(&["dev-a"]);
    assert_eq!(results(&changed), ["update dev-a done"]);
    // What automation would do is not what a person may.
    let mut by_automation = report.automation.left();
    assert!(by_automation.any(|left| {
        left.key.name() == "dev-a" && ReasonCode::from(left.reason).as_str() == "needs-approval"
    }));
    let unknown = stack.up(&person(&["dev-a"]));
    assert!(
        matches!(
            unknown,
            Ok(Err(RunError::Stopped {
                source: StopError::Allow(_),
                ..
            }))
        ),
        "{unknown:?}"
    );
    let typed = typed(&stack, stack.check().plan.digest);
    assert!(matches!(stack.up(&typed), Ok(Ok((_, changed))) if changed.done() == 1));
    stack.assert_settled();
}

/// What a person says who types the stack's name below this plan.
fn typed(stack: &Stack, digest: String) -> Authorisation {
    let typed = TypedName::in_a_test(&stack.name, digest);
    Authorisation::Person(Consent::to_any_plan().with_name(typed))
}

#[test]
fn a_name_that_was_typed_is_for_its_stack_and_its_plan() {
    let mut stack = standing();
    stack.topics(&[("a", "retention_ms: 1000"), ("b", ""), ("b-dlq", "")]);
    let digest = stack.check().plan.digest;
    let prod = kedge_core::model::StackName::new("prod").unwrap();
    let of_prod = Consent::to_plan(&digest).with_name(TypedName::in_a_test(&prod, &digest));
    let world = stack.ports.sandbox.world();
    let refused = stack.up(&Authorisation::Person(of_prod)).unwrap();
    assert!(
        matches!(refused, Err(RunError::NotConfirmed { .. })),
        "{refused:?}"
    );
    // One that was typed below another plan covers none but that.
    let stale = stack.up(&typed(&stack, "00c0ffee00c0ffee".to_owned()));
    assert!(
        matches!(
            stale,
            Ok(Err(RunError::Stopped {
                source: StopError::PlanMoved { .. },
                ..
            }))
        ),
        "{stale:?}"
    );
    assert_eq!(stack.ports.sandbox.world(), world);
    assert!(
        matches!(stack.up(&typed(&stack, digest)), Ok(Ok((_, changed))) if changed.done() == 1)
    );
}

#[test]
fn a_protected_stack_wants_its_name_typed() {
    let mut stack = standing();
    stack.policy("correct: safe, deploy: disruptive, correct_after: 0, protected: true");
    stack.unattended();
    stack.topics(&[
        ("a", "retention_ms: 1000"),
        ("b", "partitions: 3"),
        ("b-dlq", ""),
    ]);
    let plan = stack.check().plan;
    let any = stack.up(&person(&["dev-a"]));
    assert!(
        matches!(
            any,
            Ok(Err(RunError::Stopped {
                source: StopError::NeedsDigest { .. },
                ..
            }))
        ),
        "{any:?}"
    );
    let (report, changed) = stack.person(&["dev-a"]);
    assert_eq!(results(&changed), ["update dev-b done"]);
    assert_eq!(left_reasons(&report, "dev-a"), ["needs-stack-name"]);
    let stale = stack.up(&typed(&stack, plan.digest));
    assert!(
        matches!(
            stale,
            Ok(Err(RunError::Stopped {
                source: StopError::PlanMoved { .. },
                ..
            }))
        ),
        "{stale:?}"
    );
    let now = stack.check().plan.digest;
    assert!(matches!(stack.up(&typed(&stack, now)), Ok(Ok((_, changed))) if changed.done() == 1));
    stack.assert_settled();
}

#[test]
fn a_looser_policy_waits_for_its_key() {
    let mut stack = standing();
    stack.policy("correct: disruptive, deploy: disruptive, correct_after: 0, prune: true");
    assert_eq!(stack.check().verdict(), StackVerdict::Pending);
    stack.assert_idle();
    let (report, _) = stack.person(&["policy"]);
    assert_eq!(report.plan.policy_change.loosened.len(), 2);
    stack.assert_settled();
    // A stricter one counts at once, and for a tick too.
    stack.policy("correct: none, deploy: none, correct_after: 1h");
    stack.unattended();
    stack.assert_settled();
    set_config(&stack, "dev-a", json!({"retention_ms": 1000}));
    assert_eq!(left_reasons(&stack.check(), "dev-a"), ["policy"]);
}
