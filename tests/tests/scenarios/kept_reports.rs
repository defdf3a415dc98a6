//! What a run saw is kept and comes with its error, whatever stopped it; what could not be verified is
//! not kept at all.

use std::error::Error as _;
use std::future::Future;

use futures_util::future::{Either, select};
use kedge_core::live::FailureCode;
use kedge_core::model::StackName;
use kedge_core::report::{Report, StackVerdict};
use kedge_core::stored::lease::Lease;
use kedge_engine::LeaseError;
use kedge_engine::StateCommand;
use kedge_engine::StateStoreError;
use kedge_engine::{RunError, StopError, Stopped};
use kedge_tests::ports::WriteFault;
use kedge_tests::pushed::commit;
use kedge_tests::stack::{NODE, Stack, Upped, describe, person, verdict};
use serde_json::{Value, json};

use super::leases::{LEASE, drive, run};
use super::set_config;

const STATE: &str = "stacks/dev/state.json";

/// A stack in which `dev-a` drifted so that only a named consent puts it back, and `dev-b` was edited.
fn drifted() -> Stack {
    let mut stack = Stack::small();
    stack.topics(&[
        ("a", "cleanup_policy: delete"),
        ("b", "partitions: 2"),
        ("b-dlq", ""),
    ]);
    stack.unattended();
    stack.wait_minutes(90);
    assert_eq!(stack.check().verdict(), StackVerdict::Clean);
    set_config(&stack, "dev-a", json!({"cleanup_policy": "compact"}));
    stack.topics(&[
        ("a", "cleanup_policy: delete"),
        ("b", "partitions: 4"),
        ("b-dlq", ""),
    ]);
    stack.ports.clear_sent();
    stack
}

fn fault(stack: &Stack, key_end: &str, after: u64) {
    stack
        .ports
        .store
        .write_faults
        .borrow_mut()
        .push(WriteFault {
            key_end: key_end.to_owned(),
            after,
            times: 1_000,
            made: false,
        });
}

/// The drifts that checks remember, by the end of their keys.
fn remembered(stack: &Stack) -> Vec<String> {
    let watch = stack.ports.store.text("stacks/dev/watch.json");
    let watch: Value = serde_json::from_str(&watch).unwrap();
    let seen = watch["first_seen"].as_object().unwrap();
    let name = |key: &String| key.rsplit('/').next().unwrap_or_default().to_owned();
    seen.keys().map(name).collect()
}

#[track_caller]
fn stopped(upped: Upped) -> (Box<Stopped>, StopError, String) {
    match upped {
        Err(error) => {
            let text = error.to_string();
            // Each cause is printed once.
            let cause = error.source().map(ToString::to_string).unwrap();
            assert!(!text.contains(&cause), "{text}");
            match error {
                RunError::Stopped { stopped, source } => (stopped, source, text),
                other => panic!("{other:?}"),
            }
        }
        Ok(done) => panic!("{done:?}"),
    }
}

/// The drift was seen, and it is remembered.
#[track_caller]
fn is_kept(stack: &Stack, stopped: &Stopped) {
    assert!(stopped.changed.stopped.is_some());
    assert!(!stopped.changed.is_complete());
    let report = &stopped.report;
    assert_eq!(
        report.verdict(),
        StackVerdict::Drifted,
        "{}",
        describe(report)
    );
    assert_eq!(remembered(stack), ["dev-a"]);
}

/// `lease.json` of somebody who is at work.
fn bens_lease(stack: &Stack) -> String {
    let lease = Lease {
        stack: StackName::new("dev").unwrap(),
        epoch: 77,
        actor: "ben@desk".to_owned(),
        run: "1-2".to_owned(),
        nonce: "b".to_owned(),
        lease_ms: 60_000,
        since: Some(stack.ports.true_now().plus_ms(-12_000)),
        renewed: 0,
        released: false,
    };
    String::from_utf8(lease.encode().unwrap()).unwrap()
}

#[test]
fn where_another_run_has_the_stack() {
    for by in [
        person(&[]),
        person(&["dev-a"]),
        kedge_tests::authority::Authorisation::Unattended,
    ] {
        let stack = drifted();
        let lease = bens_lease(&stack);
        stack.put_object(LEASE, &lease);
        stack.wait_ms(4_000);
        let (stopped, source, text) = stopped(stack.up(&by).unwrap());
        assert_eq!(text, "nothing was changed");
        assert!(matches!(source, StopError::Lease(LeaseError::Held(_))));
        let says = source.to_string();
        for part in [
            "is being changed by ben@desk (run 1-2) since",
            "16 s ago",
            "renewed 4 s ago, so it is still working",
        ] {
            assert!(says.contains(part), "{says}");
        }
        assert_eq!(stopped.changed.stopped, Some(says));
        assert!(!stopped.has_begun());
        is_kept(&stack, &stopped);
    }
}

#[test]
fn where_the_plan_is_not_the_one_that_was_agreed_to() {
    let stack = drifted();
    let (seen, source, text) = stopped(stack.up(&person(&["dev-c"])).unwrap());
    assert_eq!(text, "nothing was changed");
    assert!(matches!(source, StopError::Allow(_)), "{source:?}");
    is_kept(&stack, &seen);
}

#[test]
fn where_the_consent_can_not_be_kept() {
    let stack = drifted();
    // The copy of state is written, whichever comes first, and the lease; the grant is not.
    fault(&stack, "/0000000001.json", 1_000);
    fault(&stack, ".json", 1);
    stack.ports.store.write_faults.borrow_mut()[1].times = 1;
    let (seen, source, text) = stopped(stack.up(&person(&["dev-a"])).unwrap());
    assert_eq!(text, "nothing was changed");
    assert!(matches!(source, StopError::Grant(_)), "{source:?}");
    assert_eq!(stack.ports.writes(), 0);
    is_kept(&stack, &seen);
}

#[test]
fn where_state_can_not_be_written_any_more() {
    for after in 0..2 {
        let stack = drifted();
        fault(&stack, "/state.json", after);
        let (seen, source, text) = stopped(stack.up(&person(&[])).unwrap());
        assert!(matches!(source, StopError::Memory(_)), "{source:?}");
        assert!(text.starts_with("the run stopped after "), "{text}");
        is_kept(&stack, &seen);
    }
}

#[test]
fn where_the_registry_can_not_be_written() {
    let mut stack = Stack::new();
    stack.topics(&[("a", "")]);
    stack.nodes(&[NODE]);
    stack.unattended();
    stack.wait_minutes(10);
    stack.push(&commit(1));
    fault(&stack, "stacks/index.json", 0);
    let retire = StateCommand::Retire {
        expected_digest: None,
    };
    for is_first in [true, false] {
        let (seen, source, text) = stopped(stack.ask(&retire).unwrap());
        assert!(matches!(source, StopError::Registry(_)), "{source:?}");
        assert!(text.contains("run the command again"), "{text}");
        assert_eq!(seen.changed.done() > 0, is_first);
        assert!(seen.report.command.is_some());
    }
    stack.ports.store.write_faults.borrow_mut().clear();
    stack.command(&retire);
    stack.assert_done(&retire);
}

/// Drives a run beside somebody who writes state again and again.
fn beside_a_writer<T>(stack: &Stack, run: impl Future<Output = T>) -> T {
    drive(stack, async {
        let writing = async {
            for number in 0.. {
                stack.ports.executor.sleep(1).await;
                let text = stack.ports.store.text(STATE);
                let mut state: Value = serde_json::from_str(&text).unwrap();
                // Equal bytes are the same version.
                state["nonce"] = json!(format!("{number:016x}"));
                stack.ports.store.set(STATE, state.to_string());
            }
        };
        match select(std::pin::pin!(run), std::pin::pin!(writing)).await {
            Either::Left((done, _)) => done,
            Either::Right(((), _)) => panic!("the writer never ends"),
        }
    })
}

/// Nothing is said of any resource but that the stack is being changed.
#[track_caller]
fn is_discarded(report: &Report, who: &str) {
    let at = describe(report);
    let why = report.unverified.as_ref().unwrap_or_else(|| panic!("{at}"));
    assert!(
        why.contains(who) && why.contains("so nothing could be checked"),
        "{why}"
    );
    assert_eq!(report.verdict(), StackVerdict::Incomplete, "{at}");
    assert_eq!(report.verdict().exit_code(true), 3);
    assert_eq!(report.plan.changes, []);
    for difference in report.comparison.differences.values() {
        let code = difference.failure.as_ref().map(|failure| failure.code);
        assert_eq!(code, Some(FailureCode::BeingChanged), "{at}");
    }
}

#[test]
fn a_third_look_under_which_state_moved_is_discarded() {
    for is_held in [false, true] {
        let stack = drifted();
        if is_held {
            let lease = bens_lease(&stack);
            stack.put_object(LEASE, &lease);
        }
        let watch = stack.ports.store.text("stacks/dev/watch.json");
        let report = beside_a_writer(&stack, stack.checking(&|_| {}))
            .unwrap()
            .report;
        is_discarded(
            &report,
            match is_held {
                true => "stack `dev` is being changed by ben@desk (run 1-2) since",
                false => "the stack is being changed",
            },
        );
        assert_eq!(stack.ports.store.text("stacks/dev/watch.json"), watch);
        assert_eq!(
            verdict(&stack.check(), "dev-a"),
            kedge_core::compare::Verdict::Drifted
        );
    }
}

#[test]
fn a_run_under_which_state_moved_each_time_keeps_nothing() {
    let stack = drifted();
    let watch = stack.ports.store.text("stacks/dev/watch.json");
    let by = person(&[]);
    let (seen, source, text) = stopped(beside_a_writer(&stack, run(&stack, &by)));
    assert_eq!(text, "nothing was changed");
    assert!(matches!(
        source,
        StopError::Memory(StateStoreError::Moved { .. })
    ));
    is_discarded(&seen.report, "the stack is being changed");
    // It held the lease itself.
    assert_eq!(stack.ports.store.text("stacks/dev/watch.json"), watch);
    assert_eq!(stack.ports.writes(), 0);
}

#[test]
fn a_run_with_nothing_to_do_verifies_what_it_remembers() {
    let mut stack = drifted();
    stack.policy("correct: none, deploy: none");
    stack.unattended();
    let by = kedge_tests::authority::Authorisation::Unattended;
    set_config(&stack, "dev-b", json!({"retention_ms": 5000}));
    stack.topics(&[
        ("a", "cleanup_policy: delete"),
        ("b", "partitions: 2, retention_ms: 6000"),
        ("b-dlq", ""),
    ]);
    let watch = stack.ports.store.text("stacks/dev/watch.json");
    let (report, changed) = beside_a_writer(&stack, run(&stack, &by)).unwrap();
    is_discarded(&report, "the stack is being changed");
    assert_eq!(report.exit_code_after(&changed), 3);
    assert_eq!(stack.ports.store.text("stacks/dev/watch.json"), watch);
}
