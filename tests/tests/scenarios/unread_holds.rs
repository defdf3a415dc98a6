//! Holds that the store does not say for a while: changes wait for the next renewal that reads them,
//! and nothing is begun that a hold might forbid.

use kedge_core::report::Outcome;
use kedge_engine::RunError;
use kedge_tests::stack::{Stack, person, results};

use super::leases::{busy, count, drive, heal, lease, reaches, records, run, short, starts};

const HOLD: &str = "hold.json";
/// Half a lease: so long a change may be begun after the renewal that counts.
const FRESH_MS: i64 = 30_000;

/// A stack with changes to make, of which each answer takes so long that the lease is renewed often.
fn slow() -> (Stack, Vec<&'static str>) {
    let (stack, allow) = busy(1);
    stack.ports.latency_ms.set(4_000);
    (stack, allow)
}

#[test]
fn one_failed_read_of_the_holds_delays_changes_and_ends_nothing() {
    let mut delayed = 0;
    let usual = {
        let (stack, allow) = slow();
        let began = stack.ports.executor.now_ms();
        let (_, changed) = stack.person(&allow);
        assert!(changed.is_complete());
        stack.ports.executor.now_ms() - began
    };
    for after in 0..20 {
        for times in [1, 3] {
            let (stack, allow) = slow();
            let began = stack.ports.executor.now_ms();
            stack.ports.store.fail_reads(HOLD, after, times);
            let upped = stack.up(&person(&allow)).unwrap();
            let told = format!("{after} {times}: {}", short(&upped));
            match upped {
                // The look before the lease.
                Err(RunError::Memory(_)) => assert_eq!(after, 0, "{told}"),
                other => {
                    let (_, changed) = other.unwrap_or_else(|_| panic!("{told}"));
                    assert!(changed.is_complete(), "{told}");
                    let took = stack.ports.executor.now_ms() - began;
                    delayed += usize::from(took > usual);
                }
            }
            stack.ports.store.read_faults.borrow_mut().clear();
            stack.ports.latency_ms.set(1);
            heal(&stack);
        }
    }
    assert!(delayed > 3, "{delayed}");
}

#[test]
fn while_the_holds_can_not_be_read_nothing_is_begun_and_in_the_end_it_is_said() {
    let mut stopped = 0;
    for after in 1..12 {
        let (stack, allow) = slow();
        let runner = stack.beside();
        let began = stack.ports.executor.now_ms();
        stack.ports.store.fail_reads(HOLD, after, u64::MAX);
        let (bundle, by) = (stack.set(), person(&allow));
        let _ = bundle;
        let upped = drive(&stack, run(&runner, &by));
        let told = format!("{after}: {}", short(&upped));
        let Ok((_, changed)) = &upped else {
            panic!("{told}");
        };
        let reasons: Vec<_> = changed
            .results
            .iter()
            .filter(|carried| carried.outcome != Outcome::Done)
            .collect();
        for carried in &reasons {
            let Outcome::NotBegun { reason } = &carried.outcome else {
                panic!("{told}");
            };
            let is_said = reason.contains("could not be read") || reason.contains("last renewed");
            assert!(is_said || reason.contains("was not made"), "{reason}");
        }
        stopped += usize::from(!reasons.is_empty());
        if after == 1 {
            assert!(starts(&runner).is_empty(), "{told}");
            assert_eq!(count(&upped), 0);
            assert!(stack.ports.executor.now_ms() - began >= 60_000, "{told}");
        }
        // The lease was kept all the while, and given back.
        assert!(lease(&stack).released, "{told}");
        stack.ports.store.read_faults.borrow_mut().clear();
        stack.ports.latency_ms.set(1);
        heal(&stack);
    }
    assert!(stopped > 2, "{stopped}");
}

#[test]
fn a_hold_set_while_the_holds_can_not_be_read_is_kept() {
    let mut held = 0;
    for after in 2..12 {
        for times in [1, 2, 4] {
            let (stack, allow) = slow();
            let runner = stack.beside();
            let reads = stack.ports.store.reads.get();
            stack.ports.store.fail_reads(HOLD, after, times);
            let (upped, set_at) = drive(&stack, async {
                let holding = async {
                    // In the middle of the reads that fail.
                    let is_failing = || {
                        let faults = stack.ports.store.read_faults.borrow();
                        faults.iter().any(|fault| fault.times < times)
                    };
                    for _ in 0..10_000 {
                        if is_failing() {
                            break;
                        }
                        stack.ports.executor.sleep(100).await;
                    }
                    super::lease_ends::hold(&stack);
                    stack.ports.executor.now_ms()
                };
                let by = person(&allow);
                let runs = async {
                    let upped = run(&runner, &by).await;
                    (upped, stack.ports.executor.now_ms())
                };
                let ((upped, ended_at), set_at) = futures_util::future::join(runs, holding).await;
                (upped, set_at.min(ended_at))
            });
            assert!(stack.ports.store.reads.get() > reads);
            let told = format!("{after} {times}: {}", short(&upped));
            let late = starts(&runner)
                .into_iter()
                .filter(|at| *at >= set_at + FRESH_MS);
            assert_eq!(late.count(), 0, "{told}");
            let (_, changed) = upped.unwrap_or_else(|_| panic!("{told}"));
            let is_held = |line: &String| line.ends_with(" held");
            held += usize::from(results(&changed).iter().any(is_held));
            stack.ports.store.read_faults.borrow_mut().clear();
            stack.ports.store.remove("stacks/dev/hold.json");
            stack.ports.latency_ms.set(1);
            heal(&stack);
        }
    }
    assert!(held > 3, "{held}");
}

#[test]
fn a_hold_damaged_in_the_middle_holds_everything_and_says_why() {
    let (stack, allow) = slow();
    let runner = stack.beside();
    let by = person(&allow);
    let upped = drive(&stack, async {
        let damaging = async {
            reaches(&runner, 24).await;
            stack
                .ports
                .store
                .set("stacks/dev/hold.json", "{\"format\": 9, \"x\": 1}");
        };
        futures_util::future::join(run(&runner, &by), damaging)
            .await
            .0
    });
    let told = short(&upped);
    let (_, changed) = upped.unwrap_or_else(|_| panic!("{told}"));
    let outcomes = changed.results.iter().map(|carried| &carried.outcome);
    let left: Vec<_> = outcomes.filter_map(Outcome::reason).collect();
    assert!(!left.is_empty(), "{told}");
    let says = |reason: &&str| reason.contains("newer kedge") || reason.contains("was not made");
    assert!(left.iter().all(says), "{left:?}");
    assert!(records(&stack).pop().is_some());
    stack.ports.store.remove("stacks/dev/hold.json");
    stack.ports.latency_ms.set(1);
    heal(&stack);
}
