//! Changes that belong together, and one that was left half done.

use kedge_core::compare::Cause;
use kedge_core::report::{Outcome, StackVerdict};
use kedge_sandbox::{Effect, Fault, Matches, Provider};
use kedge_tests::ports::CrashPoint;
use kedge_tests::stack::{
    GMAIL, LEASE_OVER_MS, Stack, describe, difference, left_reasons, person, results,
    results_in_order,
};
use serde_json::json;

use super::{deed, set_config, status};

fn standing() -> Stack {
    let stack = Stack::small();
    stack.unattended();
    stack.wait_minutes(90);
    stack
}

#[test]
fn a_deleted_gmail_topic_is_one_change_with_its_binding_and_its_subscription() {
    let mut stack = Stack::new();
    // Even where topics may be recreated, the subscription's backlog is a person's to give up.
    stack.policy("correct: disruptive, deploy: disruptive, correct_after: 0, on_missing: recreate");
    let stack = stack.with_small();
    stack.unattended();
    stack.wait_minutes(90);
    deed(
        &stack,
        json!({"do": "delete_pubsub_topic", "topic": "dev-mail"}),
    );
    let report = stack.check();
    assert_eq!(report.verdict(), StackVerdict::Drifted);
    let composites: Vec<_> = report
        .plan
        .changes
        .iter()
        .map(|planned| planned.composite.as_ref().map(|key| key.name()))
        .collect();
    assert_eq!(composites, [Some("dev-mail"); 3], "{}", describe(&report));
    let (report, changed) = stack.unattended();
    assert_eq!(changed.results, [], "{}", describe(&report));
    assert_eq!(left_reasons(&report, "dev-mail-sub"), ["needs-approval"]);
    assert_eq!(
        left_reasons(&report, "pubsub-topic/dev-mail"),
        ["depends-on"]
    );
    stack.assert_idle();
    let (_, changed) = stack.person(&["dev-mail-sub"]);
    assert_eq!(
        results_in_order(&changed),
        [
            "create dev-mail done",
            "create dev-mail/roles/pubsub.publisher done",
            "replace dev-mail-sub done",
        ]
    );
    stack.assert_settled();
    let world = stack.ports.sandbox.world().to_string();
    assert!(!world.contains("_deleted-topic_"));
}

/// A run that crashed between the two halves of a replacement.
fn half_replaced() -> Stack {
    let mut stack = standing();
    stack.mail("filter: 'attributes.x = \"1\"'");
    cut_off(&stack)
}

/// The stack after a run that crashed when the subscription was deleted and not made again.
pub(super) fn cut_off(stack: &Stack) -> Stack {
    let is_half =
        |stack: &Stack| stack.ports.sandbox.world()["pubsub"]["subscriptions"] == json!({});
    let mut crashed = (1..).map(|call| {
        let run = stack.fork();
        run.crash_at(Some(CrashPoint::Before(call)));
        assert!(
            run.up(&person(&["dev-mail-sub"])).is_err(),
            "it was never half done"
        );
        run
    });
    let stack = crashed.find(is_half).unwrap();
    stack.crash_at(None);
    // The lease of the run that crashed ends by itself.
    stack.wait_ms(LEASE_OVER_MS);
    stack
}

#[test]
fn an_interrupted_replacement_is_finished_by_a_tick() {
    let stack = half_replaced();
    let report = stack.check();
    assert_eq!(
        difference(&report, "dev-mail-sub").whole,
        Some(Cause::Interrupted)
    );
    // The consent was given; `on_missing: alert` is about what others delete.
    let (_, changed) = stack.unattended();
    assert_eq!(results(&changed), ["create dev-mail-sub done"]);
    stack.assert_settled();
}

#[test]
fn an_interrupted_replacement_keeps_its_consent_until_it_is_done() {
    let stack = half_replaced();
    // It fails, its scope is unread, another change of the run is made: it stays interrupted.
    for effect in [status(500), status(403)] {
        stack.ports.sandbox.add_fault(Fault {
            matches: Matches {
                provider: Some(Provider::Pubsub),
                write: Some(true),
                ..Matches::default()
            },
            effect,
            times: None,
        });
        set_config(&stack, "dev-a", json!({"retention_ms": 1000}));
        let (_, changed) = stack.unattended();
        assert_eq!(changed.done(), 1, "{:?}", changed.results);
        stack.ports.sandbox.clear_faults();
        let whole = difference(&stack.check(), "dev-mail-sub").whole;
        assert_eq!(whole, Some(Cause::Interrupted));
        stack.wait_minutes(20);
    }
    stack.trouble(Provider::Pubsub, ":getIamPolicy", status(403));
    let (report, changed) = stack.unattended();
    assert_eq!(changed.results, []);
    assert_eq!(left_reasons(&report, "dev-mail-sub"), ["scope-unread"]);
    stack.assert_idle_unattended();
    stack.ports.sandbox.clear_faults();
    stack.unattended();
    stack.assert_settled();
}

#[test]
fn the_consent_to_a_replacement_ends_with_what_it_was_for_and_after_an_hour() {
    for what in ["edited", "late"] {
        let mut stack = half_replaced();
        match what {
            "late" => stack.wait_minutes(60),
            _ => stack.mail("filter: 'attributes.x = \"2\"'"),
        }
        let (report, changed) = stack.unattended();
        assert_eq!(changed.results, [], "{what}");
        let whole = difference(&report, "dev-mail-sub").whole;
        assert_eq!(whole, Some(Cause::Missing), "{what}");
        assert_eq!(
            left_reasons(&report, "dev-mail-sub"),
            ["on-missing-alert"],
            "{what}"
        );
        stack.assert_idle_unattended();
        // Once the provider must show it, it is known that nothing was made anew.
        stack.wait_minutes(5);
        stack.unattended();
        assert!(!stack.state_text().contains("\"replace\""), "{what}");
        stack.person(&[]);
        stack.assert_settled();
    }
}

#[test]
fn what_was_made_and_replaced_within_a_minute_is_interrupted_too() {
    for code in [400, 500] {
        let mut stack = Stack::small();
        stack.unattended();
        stack.mail("filter: 'attributes.x = \"1\"'");
        stack.ports.sandbox.add_fault(Fault {
            matches: Matches {
                provider: Some(Provider::Pubsub),
                method: Some("PUT".to_owned()),
                ..Matches::default()
            },
            effect: status(code),
            times: None,
        });
        stack.person(&["dev-mail-sub"]);
        stack.ports.sandbox.clear_faults();
        let report = stack.check();
        let whole = difference(&report, "dev-mail-sub").whole;
        assert_eq!(whole, Some(Cause::Interrupted), "{code}");
        let (_, changed) = stack.unattended();
        assert_eq!(results(&changed), ["create dev-mail-sub done"], "{code}");
        stack.assert_settled();
    }
}

#[test]
fn a_replacement_that_was_surely_refused_leaves_no_consent() {
    for code in [403, 400] {
        let mut stack = standing();
        stack.mail("filter: 'attributes.x = \"1\"'");
        stack.ports.sandbox.add_fault(Fault {
            matches: Matches {
                provider: Some(Provider::Pubsub),
                method: Some("DELETE".to_owned()),
                ..Matches::default()
            },
            effect: status(code),
            times: None,
        });
        let (_, changed) = stack.person(&["dev-mail-sub"]);
        assert_eq!(results(&changed), ["replace dev-mail-sub blocked"]);
        stack.ports.sandbox.clear_faults();
        assert!(!stack.state_text().contains("\"applying\""), "{code}");
        // What somebody deletes now is theirs, whoever was to replace it before.
        deed(
            &stack,
            json!({"do": "delete_subscription", "subscription": "dev-mail-sub"}),
        );
        let (report, changed) = stack.unattended();
        assert_eq!(changed.results, [], "{code}");
        assert_eq!(left_reasons(&report, "dev-mail-sub"), ["on-missing-alert"]);
        stack.assert_idle_unattended();
        stack.person(&[]);
        stack.assert_settled();
    }
}

#[test]
fn an_organisation_policy_blocks_its_binding_and_nothing_else() {
    let stack = Stack::small();
    let org = Effect::OrgPolicy {
        allowed: vec!["example.com".to_owned()],
    };
    stack.trouble(Provider::Pubsub, "", org);
    let (_, changed) = stack.unattended();
    let blocked: Vec<_> = changed
        .results
        .iter()
        .filter_map(|carried| match &carried.outcome {
            Outcome::Blocked { fix, .. } => Some((carried.approved.change.key.name(), fix.clone())),
            _ => None,
        })
        .collect();
    let [(name, Some(fix))] = blocked.as_slice() else {
        panic!("{:?}", changed.results);
    };
    assert_eq!(*name, "dev-mail/roles/pubsub.publisher");
    assert!(fix.contains("iam.allowedPolicyMemberDomains"), "{fix}");
    assert_eq!(changed.done(), 6, "{:?}", results(&changed));
    // Fixed by whoever owns the organisation, it goes through.
    stack.ports.sandbox.clear_faults();
    stack.unattended();
    stack.assert_settled();
    assert!(stack.ports.sandbox.world().to_string().contains(GMAIL));
}

#[test]
fn what_needs_something_that_was_not_made_waits() {
    let stack = Stack::small();
    let refused = |path: &str| {
        stack.ports.sandbox.add_fault(Fault {
            matches: Matches {
                provider: Some(Provider::Pubsub),
                method: Some("PUT".to_owned()),
                path: Some(path.to_owned()),
                ..Matches::default()
            },
            effect: status(403),
            times: None,
        });
    };
    refused("/topics/");
    let (_, changed) = stack.unattended();
    let pubsub: Vec<String> = results_in_order(&changed)
        .into_iter()
        .filter(|line| line.contains("mail"))
        .collect();
    assert!(
        pubsub[0].starts_with("create dev-mail blocked"),
        "{pubsub:?}"
    );
    assert!(
        pubsub[1].ends_with("not-begun") && pubsub[2].ends_with("not-begun"),
        "{pubsub:?}"
    );
    assert_eq!(changed.done(), 4);
    stack.ports.sandbox.clear_faults();
    stack.unattended();
    stack.assert_settled();
}
