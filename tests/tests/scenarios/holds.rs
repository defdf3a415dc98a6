//! What a person holds is left by everybody until it is released or ends.

use std::error::Error as _;

use std::collections::BTreeSet;

use kedge_core::compare::Verdict;
use kedge_core::model::ResourceKey;
use kedge_core::render;
use kedge_core::report::{Report, StackVerdict};
use kedge_engine::{HoldError, HoldRequest, ReleaseRequest, StateCommand};
use kedge_tests::authority::Authorisation;
use kedge_tests::stack::{Stack, describe, person, results, topic, verdict};
use serde_json::json;

use super::leases::{busy, drive, heal, reaches, run, short, starts};
use super::zones::shown_by;
use super::{deed, set_config};

const HOLD: &str = "stacks/dev/hold.json";

fn drifted() -> Stack {
    let stack = Stack::small();
    stack.unattended();
    stack.wait_minutes(10);
    set_config(&stack, "dev-a", json!({"retention_ms": 1000}));
    deed(&stack, json!({"do": "delete_topic", "topic": "dev-b-dlq"}));
    stack
}

/// Of each hold that is told, whether it stands.
fn told(report: &Report) -> Vec<bool> {
    let holds = report.holds.iter();
    holds.map(|hold| hold.stands(report.read_at)).collect()
}

#[test]
fn a_held_resource_is_left_and_the_rest_goes_on() {
    let stack = drifted();
    stack.hold(Some(topic("a")), 120);
    let (report, changed) = stack.unattended();
    assert_eq!(results(&changed), ["create dev-b-dlq done"]);
    assert_eq!((report.held(), told(&report)), (1, vec![true]));
    assert_eq!(verdict(&report, "dev-a"), Verdict::Drifted, "still checked");
    stack.wait_minutes(10);
    // A person's `up` too.
    stack.assert_idle();
    let refused = stack.up(&kedge_tests::stack::person(&["dev-a"])).unwrap();
    let refused = refused.unwrap_err();
    let said = refused
        .source()
        .map(ToString::to_string)
        .unwrap_or_default();
    assert!(said.contains("held by ana@laptop"), "{said}");
    // It ends, and says so once.
    stack.wait_minutes(110);
    assert_eq!(told(&stack.check()), [false]);
    assert!(told(&stack.check()).is_empty());
    let (_, changed) = stack.unattended();
    assert_eq!(results(&changed), ["update dev-a done"]);
    stack.assert_settled();
}

#[test]
fn a_held_stack_is_left_until_it_is_released() {
    let mut stack = drifted();
    stack.hold(None, 120);
    stack.topics(&[("a", ""), ("b", "partitions: 2"), ("b-dlq", ""), ("c", "")]);
    stack.policy("correct: disruptive, deploy: disruptive, correct_after: 0");
    let (report, changed) = stack.person(&[]);
    assert_eq!(changed.results, [], "{}", describe(&report));
    stack.assert_idle();
    let released = stack.release(None);
    assert_eq!(released.len(), 1);
    stack.unattended();
    stack.person(&["policy"]);
    stack.assert_settled();
    assert_eq!(stack.release(None), []);
}

/// A hold of another person, for so many seconds.
fn bens_hold(stack: &Stack, key: Option<ResourceKey>, seconds: i64) {
    let hold = HoldRequest {
        keys: key.into_iter().collect(),
        reason: "typo".to_owned(),
        length_ms: seconds * 1_000,
        replace: false,
    };
    stack.run(stack.bens_hold(&hold)).unwrap();
}

#[test]
fn nobodys_hold_ends_anothers() {
    for key in [None, Some(topic("a"))] {
        let stack = drifted();
        stack.hold(key.clone(), 3 * 24 * 60);
        bens_hold(&stack, key.clone(), 60);
        assert_eq!(told(&stack.check()), [true, true]);
        stack.wait_minutes(1);
        // His ended, and that is told; hers stands.
        let report = stack.check();
        assert_eq!(told(&report), [false, true], "{key:?}");
        let page = shown_by(render::check_text, &report);
        assert!(page.contains("another hold of it still stands"), "{page}");
        assert!(!page.contains("changes are made again"), "{page}");
        assert_eq!(told(&stack.check()), [true]);
        let (_, changed) = stack.person(&[]);
        let is_of_a = |name: &String| name.contains("dev-a");
        assert!(!results(&changed).iter().any(is_of_a), "{key:?}");
        // A longer one of his stands longer, and hers is not forgotten.
        bens_hold(&stack, key.clone(), 5 * 24 * 3600);
        assert_eq!(told(&stack.check()), [true, true]);
        let released = stack.release(key.clone());
        let whose: Vec<&str> = released.iter().map(|hold| hold.who.as_str()).collect();
        assert!(whose.contains(&"ana@laptop"), "{whose:?}");
        assert!(whose.contains(&"ben@desk"), "{whose:?}");
        stack.unattended();
        stack.wait_minutes(10);
        stack.assert_settled();
    }
}

#[test]
fn ones_own_hold_is_not_cut_short_by_the_next() {
    let stack = drifted();
    stack.hold(None, 120);
    let text = stack.ports.store.text(HOLD);
    let shorter = HoldRequest {
        keys: BTreeSet::new(),
        reason: "typo".to_owned(),
        length_ms: 60_000,
        replace: false,
    };
    let refused = stack.try_hold(&shorter).unwrap_err();
    assert!(matches!(refused, HoldError::EndsEarlier(_)), "{refused:?}");
    assert!(refused.to_string().contains("release it first"));
    assert_eq!(stack.ports.store.text(HOLD), text);
    let holds = stack.hold(None, 240);
    assert_eq!(holds.list().len(), 1);
}

#[test]
fn a_hold_on_a_clean_stack_ends_aloud_too() {
    let stack = Stack::small();
    stack.unattended();
    stack.wait_minutes(10);
    stack.hold(Some(topic("a")), 30);
    assert_eq!(told(&stack.check()), [true]);
    stack.wait_minutes(30);
    let report = stack.check();
    assert_eq!(
        (report.verdict(), told(&report)),
        (StackVerdict::Clean, vec![false])
    );
    stack.assert_settled();
    // No check reads holds any longer while nothing is wrong.
    let reads = stack.ports.store.reads.get();
    assert!(told(&stack.check()).is_empty());
    assert_eq!(stack.ports.store.reads.get() - reads, 2);
}

#[test]
fn what_depends_on_a_held_resource_is_left_with_it() {
    let stack = Stack::small();
    stack.unattended();
    stack.wait_minutes(10);
    deed(
        &stack,
        json!({"do": "delete_pubsub_topic", "topic": "dev-mail"}),
    );
    stack.wait_minutes(10);
    let mail =
        kedge_core::model::ResourceKey::pubsub_topic(kedge_tests::stack::GCP_PROJECT, "dev-mail");
    stack.hold(Some(mail.clone()), 60);
    let (report, changed) = stack.person(&[]);
    assert_eq!(changed.results, [], "{}", describe(&report));
    assert_eq!(report.held(), 3);
    stack.assert_idle();
    stack.release(Some(mail));
    stack.person(&["dev-mail-sub"]);
    stack.assert_settled();
}

#[test]
fn holds_that_cannot_be_read_hold_everything() {
    let stack = drifted();
    let world = stack.ports.sandbox.world();
    let newer = "{\"format\": 2, \"holds\": []}";
    for damaged in ["{", newer] {
        stack.put_object(HOLD, damaged);
        // What differs is told.
        let report = stack.check();
        assert_eq!(verdict(&report, "dev-a"), Verdict::Drifted);
        assert_eq!(report.held(), 2, "{}", describe(&report));
        let unread = report.holds_unread.unwrap();
        assert!(unread.why.contains("hold.json"), "{}", unread.why);
        assert_eq!(unread.is_newer, damaged == newer);
        stack.assert_idle();
        let refused = stack.try_release(&ReleaseRequest::Stack);
        assert_eq!(
            matches!(refused, Err(HoldError::Newer { .. })),
            damaged == newer
        );
        assert!(refused.is_err());
    }
    assert_eq!(stack.ports.sandbox.world(), world);
    let refused = stack.try_release(&ReleaseRequest::Unreadable);
    assert!(
        matches!(refused, Err(HoldError::Newer { .. })),
        "{refused:?}"
    );
    assert_eq!(stack.ports.store.text(HOLD), newer);
    stack.put_object(HOLD, "{");
    assert_eq!(stack.try_release(&ReleaseRequest::Unreadable).unwrap(), []);
    stack.unattended();
    stack.assert_settled();
}

#[test]
fn a_hold_is_known_still_while_holds_cannot_be_read() {
    let stack = drifted();
    stack.hold(Some(topic("a")), 30);
    assert_eq!(told(&stack.check()), [true]);
    let text = stack.ports.store.text(HOLD);
    stack.put_object(HOLD, "{");
    assert!(stack.check().holds_unread.is_some());
    stack.put_object(HOLD, &text);
    stack.wait_minutes(30);
    assert_eq!(told(&stack.check()), [false]);
    stack.unattended();
    stack.wait_minutes(10);
    stack.assert_settled();
}

/// Holds the whole stack from another machine once a runner made so many calls, waits for the run, and
/// says when that was over.
async fn hold_beside(runner: &Stack, calls: u64) -> i64 {
    let desk = runner.beside();
    desk.ports.latency_ms.set(1);
    reaches(runner, calls).await;
    let now = desk.ports.true_now();
    let hold = HoldRequest {
        keys: BTreeSet::new(),
        reason: "stop".to_owned(),
        length_ms: 3_600_000,
        replace: false,
    };
    desk.bens_hold(&hold).await.unwrap();
    if let Some(holder) = desk.unaware_of_holds().await.unwrap() {
        assert_eq!(holder.actor, "ana@laptop");
        desk.await_hold(&holder).await.unwrap();
        assert!(desk.ports.true_now().ms_since(now) <= 31_000);
    }
    desk.ports.executor.now_ms()
}

#[test]
fn once_a_hold_was_waited_for_nothing_more_is_begun() {
    let mut stopped = 0;
    for calls in 1..40 {
        let (stack, allow) = busy(calls);
        stack.ports.latency_ms.set(4_000);
        let runner = stack.beside();
        let by = person(&allow);
        let (upped, known_ms) = drive(&stack, async {
            futures_util::future::join(run(&runner, &by), hold_beside(&runner, calls)).await
        });
        let begun = starts(&runner);
        assert!(
            begun.iter().all(|at_ms| *at_ms <= known_ms),
            "{calls}: {begun:?} after {known_ms}"
        );
        stopped += usize::from(short(&upped).contains(" held"));
        stack.ports.latency_ms.set(1);
        stack.release(None);
        heal(&stack);
    }
    assert!(stopped > 5, "{stopped}");
}

#[test]
fn a_hold_stops_a_row_of_deletions() {
    let mut stack = Stack::new();
    stack.many_topics(12, "");
    stack.unattended();
    stack.wait_minutes(10);
    stack.ports.latency_ms.set(3_000);
    let runner = stack.beside();
    let retire = Authorisation::Command(StateCommand::Retire {
        expected_digest: None,
    });
    // Each deletion renews the lease for itself, so that it is never renewed beside.
    let upped = drive(&stack, async {
        let holding = async {
            while starts(&runner).len() < 2 {
                stack.ports.executor.sleep(10).await;
            }
            hold_beside(&runner, 0).await
        };
        let runs = futures_util::future::join(run(&runner, &retire), holding);
        runs.await.0
    });
    let told = short(&upped);
    let (_, changed) = upped.unwrap();
    let done = changed.done();
    assert!((2..12).contains(&done) && !changed.has_failed(), "{told}");
    assert_eq!(starts(&runner).len(), done, "{told}");
    stack.ports.latency_ms.set(1);
    stack.release(None);
    stack.wait_minutes(10);
    stack.command(&StateCommand::Retire {
        expected_digest: None,
    });
    stack.assert_done(&StateCommand::Retire {
        expected_digest: None,
    });
}
