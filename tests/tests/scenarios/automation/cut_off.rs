//! A run that is cut off at any port call is finished by the message that comes again.

use kedge_core::report::StackVerdict;
use kedge_engine::DueScope;
use kedge_service::queue::Queue as _;
use kedge_service::work::Work;
use kedge_tests::platform::Platform;
use kedge_tests::ports::CrashPoint;
use kedge_tests::stack::{Stack, describe};
use serde_json::json;

use super::{assert_settled, deployed, running};
use crate::scenarios::set_config;

/// The stack alone in a world of its own, drifted, with the message that corrects it on its way.
fn drifted(stack: &Stack) -> (Stack, Platform) {
    let fork = stack.fork();
    let platform = Platform::over(&fork);
    set_config(&fork, "fix1-a", json!({"retention_ms": 1_800_000}));
    let work = Work::Apply {
        stack: fork.name.clone(),
        because: "a test".to_owned(),
    };
    fork.run(platform.queue.send(&work)).unwrap();
    fork.crash_at(None);
    (fork, platform)
}

#[test]
fn at_any_port_call() {
    let stacks = deployed(&["fix1"]);
    let _ = running(&stacks);
    let calls = {
        let (_, platform) = drifted(&stacks[0]);
        platform.work(1);
        platform.ports.calls.get()
    };
    assert!(calls > 10, "{calls}");
    for call in 1..=calls {
        for point in [CrashPoint::Before(call), CrashPoint::After(call)] {
            let (fork, platform) = drifted(&stacks[0]);
            fork.crash_at(Some(point));
            platform.work(1);
            fork.crash_at(None);
            assert_eq!(platform.queue.set_aside.borrow().len(), 0, "{point:?}");
            fork.wait_minutes(20);
            let report = fork.check();
            assert_eq!(
                report.verdict(),
                StackVerdict::Clean,
                "{point:?} {}",
                describe(&report)
            );
            assert_settled(&[fork], &platform);
        }
    }
}

#[test]
fn a_tick_that_is_cut_off_sends_the_same_again() {
    let stacks = deployed(&["fix1", "see1"]);
    let _ = running(&stacks);
    let calls = {
        let fork = stacks[0].fork();
        let platform = Platform::over(&fork);
        fork.crash_at(None);
        platform.tick(DueScope::Due).unwrap().unwrap();
        platform.ports.calls.get()
    };
    for call in 1..=calls {
        for point in [CrashPoint::Before(call), CrashPoint::After(call)] {
            let fork = stacks[0].fork();
            let platform = Platform::over(&fork);
            set_config(&fork, "fix1-a", json!({"retention_ms": 1_800_000}));
            fork.crash_at(Some(point));
            assert!(platform.tick(DueScope::Due).is_err(), "{point:?}");
            fork.crash_at(None);
            platform.tick(DueScope::Due).unwrap().unwrap();
            platform.work(1);
            fork.wait_minutes(20);
            assert_eq!(fork.check().verdict(), StackVerdict::Clean, "{point:?}");
        }
    }
}
