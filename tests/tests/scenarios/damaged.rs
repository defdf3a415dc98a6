//! Stored objects that can't be read: what is said of them, what goes on, and how they are mended.

use kedge_engine::lease::{Holder, LeaseError, LeaseTimes, replace};
use kedge_engine::reconcile::{RunError, StopError};
use kedge_tests::stack::person;

use super::leases::{LEASE, busy, drive, heal, lease, reaches, run, run_when_free, starts};

const CUT: &str = "{\"format\": 1, \"sta";

fn ben() -> Holder {
    Holder {
        actor: "ben@desk".to_owned(),
        run: "unlock".to_owned(),
    }
}

#[test]
fn a_damaged_lease_is_replaced_above_all_epochs_that_are_known() {
    let (stack, allow) = busy(1);
    let (times, ben) = (LeaseTimes::default(), ben());
    let mend = || {
        drive(
            &stack,
            replace(&stack.ports, &stack.ports, &stack.name, &ben, times),
        )
    };
    let newer = stack
        .ports
        .store
        .text(LEASE)
        .replace("\"format\": 1", "\"format\": 2");
    for text in [CUT, &newer] {
        stack.put_object(LEASE, text);
        let refused = stack.up(&person(&allow)).unwrap();
        let is_said = matches!(&refused, Err(RunError::Lease(LeaseError::Decode { .. })));
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
                let times = LeaseTimes::default();
                replace(&other.ports, &other.ports, &other.name, &ben(), times)
                    .await
                    .unwrap();
                assert!(lease(&stack).released);
                run_when_free(&other, &by).await
            };
            futures_util::future::join(run(&holder, &by), second).await
        });
        assert!(second.is_ok(), "{call}: {second:?}");
        if let Err(error) = &first {
            let is_lost = matches!(
                error,
                RunError::Stopped {
                    source: StopError::Lease(LeaseError::Lost { .. } | LeaseError::Decode { .. }),
                    ..
                } | RunError::Lease(LeaseError::Lost { .. } | LeaseError::Decode { .. })
            );
            assert!(is_lost, "{call}: {error:?}");
        }
        let (early, late) = (starts(&holder), starts(&other));
        if let (Some(last), Some(begin)) = (early.last(), late.first()) {
            assert!(last < begin, "{call}: starts overlap");
        }
        stack.ports.latency_ms.set(1);
        heal(&stack);
    }
}
