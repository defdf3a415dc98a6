//! How a lease ends before its run does, and what is kept of each run: unlocking, holds, records.

use kedge_core::report::{ChangeResult, Outcome};
use kedge_engine::LeaseError;
use kedge_engine::{RunError, StopError};
use kedge_sandbox::{Fault, Matches, Provider};
use kedge_tests::ports::{CrashPoint, WriteFault};
use kedge_tests::stack::{LEASE_OVER_MS, Stack, person};
use serde_json::json;

use super::leases::{
    LEASE, busy, count, drive, heal, is_held, lease, reaches, records, run, run_when_free, short,
    starts,
};
use super::set_config;

#[test]
fn unlocked_in_the_middle() {
    let (mut stopped, mut followed) = (0, 0);
    for call in 12..22 {
        let (stack, allow) = busy(1);
        let by = person(&allow);
        // Slow answers, so that the run lasts.
        stack.ports.latency_ms.set(5_000);
        let (holder, other) = (stack.beside(), stack.beside());
        // The other one is quick: it would be at work while the first may still begin changes.
        other.ports.latency_ms.set(1);
        let (first, second) = drive(&stack, async {
            let second = async {
                reaches(&holder, call).await;
                let held = other.lease_holder().await.unwrap();
                let from = held.unwrap();
                assert_eq!(from.actor, "ana@laptop");
                other.unlock(&from).await.unwrap();
                assert!(lease(&stack).released);
                run_when_free(&other, &by).await
            };
            futures_util::future::join(run(&holder, &by), second).await
        });
        assert!(second.is_ok(), "{call}: {second:?}");
        if let Err(error) = &first {
            stopped += 1;
            let is_lost = matches!(
                error,
                RunError::Stopped {
                    source: StopError::Lease(LeaseError::Lost { .. }),
                    ..
                }
            );
            assert!(is_lost, "{call}: {error:?}");
        }
        let (early, late) = (starts(&holder), starts(&other));
        if let (Some(last), Some(begin)) = (early.last(), late.first()) {
            followed += 1;
            assert!(last < begin, "{call}: starts overlap");
        }
        stack.ports.latency_ms.set(1);
        heal(&stack);
    }
    assert!(stopped > 5 && followed > 2, "{stopped} {followed}");
}

#[test]
fn nothing_is_unlocked_where_nothing_is_held() {
    let stack = Stack::small();
    let held = || drive(&stack, stack.lease_holder()).unwrap();
    assert_eq!(held(), None);
    stack.unattended();
    assert_eq!(held(), None);
    stack.assert_settled();
}

#[test]
fn unlocking_may_lose_its_answers() {
    for (is_damaged, made, after) in (0..12).map(|n| (n % 2 == 0, n / 2 % 2 == 0, n / 4)) {
        for lost in 1..=2 {
            let name = format!("{is_damaged} {made} {after} {lost}");
            let (stack, allow) = busy(1);
            stack.crash_at(Some(CrashPoint::After(20)));
            assert!(stack.up(&person(&allow)).is_err());
            stack.crash_at(None);
            let before = lease(&stack);
            assert!(!before.released && before.epoch == 2, "{name}");
            stack
                .ports
                .store
                .write_faults
                .borrow_mut()
                .push(WriteFault {
                    key_end: "/lease.json".to_owned(),
                    after,
                    times: lost,
                    made,
                });
            let ports = &stack.ports;
            if is_damaged {
                ports.store.set(LEASE, "{");
                drive(&stack, stack.replace_lease()).unwrap();
            } else {
                let held = drive(&stack, stack.lease_holder()).unwrap();
                drive(&stack, stack.unlock(&held.unwrap())).unwrap();
            }
            // It was taken once, however often it was tried.
            let now = lease(&stack);
            assert!(now.released && now.actor == "ben@desk", "{name}");
            assert_eq!(now.epoch, 3, "{name}");
            assert!(is_damaged || now.renewed > before.renewed, "{name}");
            stack.ports.store.write_faults.borrow_mut().clear();
            heal(&stack);
        }
    }
}

#[test]
fn a_lease_that_another_took_since_is_not_unlocked() {
    let (stack, allow) = busy(1);
    stack.crash_at(Some(CrashPoint::After(20)));
    assert!(stack.up(&person(&allow)).is_err());
    stack.crash_at(None);
    let held = drive(&stack, stack.lease_holder()).unwrap().unwrap();
    // The next run takes it over, and crashes too.
    stack.wait_ms(LEASE_OVER_MS);
    stack.crash_at(Some(CrashPoint::After(20)));
    assert!(stack.up(&person(&[])).is_err());
    stack.crash_at(None);
    let standing = lease(&stack);
    assert_eq!((standing.epoch, standing.released), (3, false));
    let refused = drive(&stack, stack.unlock(&held));
    assert!(matches!(refused, Err(LeaseError::Held(_))), "{refused:?}");
    // Nor is one that can be read replaced.
    let refused = drive(&stack, stack.replace_lease());
    assert!(matches!(refused, Err(LeaseError::Held(_))), "{refused:?}");
    assert_eq!(lease(&stack), standing);
    heal(&stack);
    // One that is free is left as it is, and so is none at all.
    let free = lease(&stack);
    drive(&stack, stack.unlock(&held)).unwrap();
    drive(&stack, stack.replace_lease()).unwrap();
    assert_eq!(lease(&stack), free);
    stack.ports.store.remove(LEASE);
    drive(&stack, stack.unlock(&held)).unwrap();
    drive(&stack, stack.replace_lease()).unwrap();
    assert_eq!(lease_text(&stack), "");
}

#[test]
fn who_renews_is_not_waited_for_where_the_store_says_no_time() {
    let (stack, allow) = busy(1);
    stack.ports.store.says_time.set(false);
    stack.ports.latency_ms.set(5_000);
    let (holder, other) = (stack.beside(), stack.beside());
    other.ports.latency_ms.set(1);
    let by = person(&allow);
    let (first, (second, waited)) = drive(&stack, async {
        let second = async {
            reaches(&holder, 12).await;
            let began = stack.ports.true_now().0;
            let upped = run(&other, &by).await;
            (upped, stack.ports.true_now().0 - began)
        };
        futures_util::future::join(run(&holder, &by), second).await
    });
    assert!(is_held(&second), "{}", short(&second));
    // Until it is renewed, and somebody looks.
    assert!((1_000..30_000).contains(&waited), "{waited}");
    assert_eq!(count(&first), 5, "{}", short(&first));
    stack.ports.store.says_time.set(true);
    stack.ports.latency_ms.set(1);
    heal(&stack);
}

/// `hold.json` as `kedge hold` writes it.
pub(super) fn hold(stack: &Stack) {
    use kedge_core::model::Timestamp;
    use kedge_core::stored::hold::{Hold, Holds};
    let mut holds = Holds::default();
    let now = stack.ports.true_now();
    let hold = Hold {
        key: None,
        reason: "broker upgrade".to_owned(),
        who: "ben@desk".to_owned(),
        until: Timestamp(now.0 + 3_600_000),
        set_at: now,
    };
    holds.set(hold).unwrap();
    stack
        .ports
        .store
        .set("stacks/dev/hold.json", holds.encode().unwrap());
}

#[test]
fn a_hold_in_the_middle_stops_what_has_not_begun() {
    let (stack, allow) = busy(1);
    let by = person(&allow);
    stack.ports.latency_ms.set(4_000);
    let runner = stack.beside();
    let upped = drive(&stack, async {
        let holding = async {
            reaches(&runner, 24).await;
            hold(&stack);
        };
        futures_util::future::join(run(&runner, &by), holding)
            .await
            .0
    });
    let told = short(&upped);
    let Ok((report, changed)) = upped else {
        panic!("{told}");
    };
    let unbegun: Vec<_> = changed
        .results
        .iter()
        .filter_map(|carried| carried.outcome.reason())
        .collect();
    assert!(!unbegun.is_empty() && changed.done() > 0, "{told}");
    assert!(
        unbegun
            .iter()
            .all(|reason| reason.contains("held by ben@desk")),
        "{unbegun:?}"
    );
    // Nothing failed: something is left (semantics 9.5).
    assert!(!changed.has_failed() && !changed.is_complete(), "{told}");
    assert_eq!(report.exit_code_after(&changed), 2);
    let record = records(&stack).pop().unwrap();
    assert!(record.outcomes.iter().any(|one| one.outcome == "held"));
    assert!(kedge_engine::is_whole(&record));
    // Held from the beginning: nothing of it is in the plan.
    stack.ports.latency_ms.set(1);
    let state = stack.state_text();
    let (_, changed) = stack.person(&[]);
    assert_eq!((changed.results, stack.state_text()), (Vec::new(), state));
    stack.ports.store.remove("stacks/dev/hold.json");
    heal(&stack);
}

#[test]
fn a_hold_between_the_plan_and_the_lease_counts() {
    let (stack, allow) = busy(1);
    let by = person(&allow);
    stack.ports.latency_ms.set(20);
    let runner = stack.beside();
    let epoch = lease(&stack).epoch;
    let mut before = stack.ports.store.keys();
    before.push("stacks/dev/hold.json".to_owned());
    before.sort_unstable();
    let upped = drive(&stack, async {
        let holding = async {
            while lease(&stack).epoch == epoch {
                stack.ports.executor.sleep(1).await;
            }
            hold(&stack);
        };
        futures_util::future::join(run(&runner, &by), holding)
            .await
            .0
    });
    let told = short(&upped);
    let Ok((report, changed)) = upped else {
        panic!("{told}");
    };
    let is_held = |carried: &ChangeResult| matches!(carried.outcome, Outcome::Held { .. });
    assert_eq!(
        changed.results.iter().filter(|one| is_held(one)).count(),
        5,
        "{told}"
    );
    assert_eq!(report.exit_code_after(&changed), 2, "{told}");
    assert!(starts(&runner).is_empty() && lease(&stack).released);
    // No trace is left of it, nor is consent used up.
    assert_eq!(stack.ports.store.keys(), before);
    stack.ports.store.remove("stacks/dev/hold.json");
    heal(&stack);
}

#[test]
fn every_run_is_recorded_however_it_ends() {
    let (stack, allow) = busy(1);
    stack.person(&allow);
    stack.wait_minutes(10);
    let found = records(&stack);
    assert_eq!(found.len(), 2);
    let record = &found[1];
    assert_eq!(record.actor, "ana@laptop");
    assert_eq!(
        (record.verb.as_str(), record.stopped.as_deref()),
        ("up", None)
    );
    assert_eq!(record.outcomes.len(), 5);
    assert!(record.requests.writes >= 5 && record.requests.reads > 0);
    assert_eq!((record.serial, record.epoch), (Some(2), 2));
    // The consent to the destructive one is kept and used.
    let grant = format!("stacks/dev/grants/{}.json", record.id);
    assert!(
        stack
            .ports
            .store
            .text(&grant)
            .contains(&format!("\"used_by\": \"{}\"", record.id))
    );
    // A run in which a change fails is a record too.
    set_config(&stack, "dev-a", json!({"retention_ms": 1000}));
    stack.ports.sandbox.add_fault(Fault {
        matches: Matches {
            provider: Some(Provider::Aiven),
            write: Some(true),
            ..Matches::default()
        },
        effect: super::status(403),
        times: None,
    });
    let (_, changed) = stack.person(&[]);
    assert!(!changed.is_complete());
    let refused = records(&stack).pop().unwrap();
    assert_eq!(refused.outcomes.len(), 1);
    assert_eq!(refused.outcomes[0].outcome, "blocked");
    stack.ports.sandbox.clear_faults();
    heal(&stack);
    assert_eq!(records(&stack).len(), 4);
}

#[test]
fn a_crashed_run_is_named_by_the_one_that_settles_it() {
    let (stack, allow) = busy(1);
    let calm = stack.fork();
    calm.person(&allow);
    let calls = calm.ports.calls.get();
    let mut named = 0;
    for call in 1..=calls {
        let (stack, allow) = busy(1);
        stack.crash_at(Some(CrashPoint::After(call)));
        assert!(stack.up(&person(&allow)).is_err());
        stack.crash_at(None);
        let is_begun = stack.state_text().contains("\"applying\"");
        let after = stack.up(&person(&[])).unwrap();
        let is_kept = !lease_text(&stack).is_empty() && !lease(&stack).released;
        assert!(
            is_held(&after) || !is_kept || count(&after) == 0,
            "call {call}: {}",
            short(&after)
        );
        heal(&stack);
        let last = records(&stack).pop().unwrap();
        named += usize::from(is_begun && last.interrupted.is_some());
    }
    assert!(named > 5, "{named}");
}

fn lease_text(stack: &Stack) -> String {
    stack.ports.store.text(LEASE)
}
