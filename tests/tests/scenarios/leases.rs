//! One stack, several runners: only the holder of the lease begins changes, whatever stalls, sleeps,
//! crashes or loses an answer.

use std::collections::BTreeMap;
use std::future::Future;

use kedge_core::report::{Changed, StackVerdict};
use kedge_core::stored::lease::Lease;
use kedge_core::stored::run::RunRecord;
use kedge_engine::lease::{Holder, LeaseError, LeaseTimes, holder_of, unlock};
use kedge_engine::reconcile::{Authorisation, RunError, StopError, up};
use kedge_tests::pause::{Paused, paused};
use kedge_tests::ports::{WriteFault, endpoints};
use kedge_tests::stack::{LEASE_OVER_MS, Stack, Upped, person};
use serde_json::json;

use super::{deed, set_config};

const LEASE: &str = "stacks/dev/lease.json";

/// A stack on which changes of each provider are to be done, one of them destructive.
fn busy(seed: u64) -> (Stack, Vec<&'static str>) {
    let mut stack = Stack::seeded(seed);
    stack.policy("correct: safe, deploy: disruptive, correct_after: 0, prune: true");
    let mut stack = stack.with_small();
    stack.unattended();
    stack.wait_minutes(90);
    stack.topics(&[("a", "retention_ms: 7200000"), ("b", "partitions: 4")]);
    stack.mail("ack_deadline_seconds: 60");
    stack.nodes(&["name: n1, ips: [192.0.2.1, 192.0.2.3], domain: n1.clustera.io"]);
    (stack, vec!["dev-b-dlq"])
}

/// One `up` of this runner, to be driven beside others.
async fn run(stack: &Stack, by: &Authorisation) -> Upped {
    let (set, none, endpoints) = (stack.set(), BTreeMap::new(), endpoints());
    let job = stack.job(&set, &none, &endpoints);
    up(&stack.ports, &stack.ports, job, by).await
}

/// The same, again and again until nobody else holds the lease.
async fn run_when_free(stack: &Stack, by: &Authorisation) -> Upped {
    let mut by = by.clone();
    loop {
        match run(stack, &by).await {
            Err(RunError::Lease(LeaseError::Held(_))) => stack.ports.executor.sleep(5_000).await,
            // What the other one did is no longer in the plan.
            Err(RunError::Allow(_)) => by = person(&[]),
            other => return other,
        }
    }
}

/// Waits until a runner made so many calls, for a time in which it should have.
async fn reaches(stack: &Stack, calls: u64) {
    for _ in 0..10_000 {
        if stack.ports.calls.get() >= calls {
            return;
        }
        stack.ports.executor.sleep(10).await;
    }
}

fn drive<T>(stack: &Stack, runs: impl Future<Output = T>) -> T {
    stack.ports.executor.run(runs).unwrap()
}

/// When a runner began to send its writes to providers.
fn starts(stack: &Stack) -> Vec<i64> {
    let sent = stack.ports.sent.borrow();
    let mut starts: Vec<i64> = sent
        .iter()
        .filter(|sent| sent.write)
        .map(|sent| sent.at_ms)
        .collect();
    starts.sort_unstable();
    starts
}

/// What came of a run, in short.
fn short(upped: &Upped) -> String {
    match upped {
        Ok((_, changed)) => format!("{:?}", kedge_tests::stack::carried(changed)),
        Err(RunError::Stopped { stopped, source }) => {
            format!(
                "{source}: {:?}",
                kedge_tests::stack::carried(&stopped.changed)
            )
        }
        Err(error) => format!("{error:?}"),
    }
}

fn is_held(upped: &Upped) -> bool {
    matches!(upped, Err(RunError::Lease(LeaseError::Held(_))))
}

fn lease(stack: &Stack) -> Lease {
    let text = stack.ports.store.text(LEASE);
    Lease::decode(text.as_bytes(), &stack.name).unwrap()
}

/// The records of all runs, oldest first.
fn records(stack: &Stack) -> Vec<RunRecord> {
    let store = &stack.ports.store;
    let keys = store.keys().into_iter();
    keys.filter(|key| key.contains("/runs/"))
        .map(|key| RunRecord::decode(store.text(&key).as_bytes()).unwrap())
        .collect()
}

/// Whatever is left is done by one further `up`, and then nothing changes.
fn heal(stack: &Stack) {
    stack.wait_ms(LEASE_OVER_MS);
    stack.wait_minutes(10);
    let plan = stack.check().plan;
    let allow: Vec<String> = plan
        .changes
        .iter()
        .map(|planned| planned.change.key.to_string())
        .collect();
    let allow: Vec<&str> = allow.iter().map(String::as_str).collect();
    let (_, changed) = stack.person(&allow);
    assert!(changed.is_complete(), "{:?}", changed.carried);
    stack.assert_settled();
    // A run that found nothing to do took no lease, and left that of a run that crashed.
    assert!(changed.serial.is_none() || lease(stack).released);
}

fn count(upped: &Upped) -> usize {
    let done = |changed: &Changed| changed.done();
    match upped {
        Ok((_, changed)) => done(changed),
        Err(RunError::Stopped { stopped, .. }) => done(&stopped.changed),
        Err(_) => 0,
    }
}

#[test]
fn of_two_runs_at_once_one_applies() {
    for seed in 0..60 {
        let (stack, allow) = busy(seed);
        let (here, there) = (stack.beside(), stack.beside());
        stack.ports.jitter_ms.set(seed % 5);
        let by = person(&allow);
        let both = async {
            let late = async {
                stack.ports.executor.sleep(seed % 7).await;
                run(&there, &by).await
            };
            futures_util::future::join(run(&here, &by), late).await
        };
        let (a, b) = drive(&stack, both);
        let done = [count(&a), count(&b)];
        assert!(
            done.contains(&0) && done.iter().sum::<usize>() == 5,
            "seed {seed}: {a:?} {b:?}"
        );
        let held = [&a, &b].into_iter().find(|upped| is_held(upped));
        match held {
            Some(Err(error)) => {
                let text = error.to_string();
                assert!(text.contains("being changed by ana@laptop (run "), "{text}");
            }
            // Or it came when the other was done, and found nothing to do.
            _ => assert!(
                [&a, &b].into_iter().any(|upped| matches!(
                    upped,
                    Err(RunError::Allow(_)) | Ok((_, Changed { run: _, .. }))
                )),
                "seed {seed}"
            ),
        }
        assert!(
            starts(&here).is_empty() || starts(&there).is_empty(),
            "seed {seed}"
        );
        stack.wait_minutes(10);
        stack.assert_settled();
    }
}

#[test]
fn two_first_runs_at_once() {
    for seed in 0..20 {
        let stack = Stack::seeded(seed).with_small();
        let (here, there) = (stack.beside(), stack.beside());
        stack.ports.jitter_ms.set(seed % 4);
        let (tick, person) = (Authorisation::Unattended, person(&[]));
        let both = futures_util::future::join(run(&here, &tick), run(&there, &person));
        let (a, b) = drive(&stack, both);
        assert!(is_held(&a) != is_held(&b), "seed {seed}: {a:?} {b:?}");
        assert!(starts(&here).is_empty() || starts(&there).is_empty());
        stack.unattended();
        stack.assert_settled();
    }
}

/// A run that is stopped at each of its calls for longer than its lease, while another takes over.
fn stall_everywhere(asleep: bool) {
    let (calm, allow) = busy(1);
    let calm = calm.beside();
    assert!(drive(&calm, run(&calm, &person(&allow))).is_ok());
    let calls = calm.ports.calls.get();
    assert!(calls > 20, "{calls} calls");
    for call in 1..=calls {
        let (stack, allow) = busy(1);
        let (stalled, other) = (stack.beside(), stack.beside());
        let by = person(&allow);
        let (first, second) = drive(&stack, async {
            let pause = Paused {
                call,
                ms: 300_000,
                asleep,
            };
            let first = paused(&stalled.ports, pause, run(&stalled, &by));
            let second = async {
                reaches(&stalled, call).await;
                // Until it takes over, or finds nothing left to do.
                let upped = run_when_free(&other, &by).await;
                (upped, stack.state_text(), stack.ports.true_now().0)
            };
            futures_util::future::join(first, second).await
        });
        let (second, state, ended) = second;
        let name = format!("call {call}: {}", short(&first));
        assert!(second.is_ok(), "{name} {}", short(&second));
        let (early, late) = (starts(&stalled), starts(&other));
        if let (Some(last), Some(begin)) = (early.last(), late.first()) {
            assert!(last < begin, "{name}: starts overlap");
        }
        let has_taken_over = lease(&stack).epoch > 2;
        if has_taken_over {
            assert!(early.iter().all(|at| *at < ended), "{name}");
            assert_eq!(stack.state_text(), state, "{name}: state was written after");
        }
        heal(&stack);
    }
}

#[test]
fn who_stalls_longer_than_the_lease_begins_nothing_after() {
    stall_everywhere(false);
}

#[test]
fn who_slept_longer_than_the_lease_begins_nothing_after() {
    stall_everywhere(true);
}

#[test]
fn a_runner_whose_clock_is_wrong_takes_no_lease_early() {
    for ahead_ms in [-3_600_000, 3_600_000] {
        let (stack, allow) = busy(1);
        let other = stack.beside();
        other.ports.wall_ahead_ms.set(ahead_ms);
        let holder = stack.beside();
        let by = person(&allow);
        let (first, second) = drive(&stack, async {
            let pause = Paused {
                call: 14,
                ms: 200_000,
                asleep: false,
            };
            let first = paused(&holder.ports, pause, run(&holder, &by));
            let second = async {
                reaches(&holder, 14).await;
                let taken = lease(&stack);
                assert!(!taken.released);
                let began = stack.ports.true_now().0;
                let mut tries = 0;
                loop {
                    let upped = run(&other, &by).await;
                    if !is_held(&upped) {
                        return (upped, stack.ports.true_now().0 - began, tries);
                    }
                    tries += 1;
                    stack.ports.executor.sleep(1_000).await;
                }
            };
            futures_util::future::join(first, second).await
        });
        let (second, waited, tries) = second;
        assert!(second.is_ok(), "{second:?}");
        assert!(
            waited >= LEASE_OVER_MS - 1_000 && tries > 60,
            "{waited} {tries}"
        );
        assert!(matches!(first, Err(RunError::Stopped { .. })), "{first:?}");
        heal(&stack);
    }
}

#[test]
fn a_runner_whose_clock_is_set_meanwhile_goes_on() {
    for jump_ms in [-3_600_000, 3_600_000] {
        for call in 10..24 {
            let (stack, allow) = busy(1);
            let runner = stack.beside();
            let by = person(&allow);
            let upped = drive(&stack, async {
                let jump = async {
                    reaches(&runner, call).await;
                    runner.ports.wall_ahead_ms.set(jump_ms);
                };
                futures_util::future::join(run(&runner, &by), jump).await.0
            });
            // A change under way when the clock jumps ahead is not sent again; the rest waits for a
            // renewal and goes on.
            assert!(upped.is_ok(), "{jump_ms} {call}: {upped:?}");
            assert!(count(&upped) >= 4, "{jump_ms} {call}: {upped:?}");
            heal(&stack);
        }
    }
}

#[test]
fn every_write_of_the_lease_may_lose_its_answer() {
    for made in [true, false] {
        for after in 0..6 {
            for times in 1..=2 {
                let (stack, allow) = busy(1);
                // Slow enough for renewals beside the work.
                stack.ports.latency_ms.set(2_000);
                let fault = WriteFault {
                    key_end: "/lease.json".to_owned(),
                    after,
                    times,
                    made,
                };
                stack.ports.store.write_faults.borrow_mut().push(fault);
                let (_, changed) = stack.person(&allow);
                let name = format!("{made} {after} {times}");
                assert!(changed.is_complete(), "{name}: {:?}", changed.carried);
                assert!(lease(&stack).released, "{name}");
                stack.ports.store.write_faults.borrow_mut().clear();
                stack.ports.latency_ms.set(1);
                heal(&stack);
            }
        }
    }
}

#[test]
fn state_and_consent_may_lose_an_answer_too() {
    for key_end in ["/state.json", ".json"] {
        for after in 0..8 {
            let (stack, allow) = busy(1);
            let key_end = key_end.to_owned();
            let fault = WriteFault {
                key_end,
                after,
                times: 1,
                made: true,
            };
            stack.ports.store.write_faults.borrow_mut().push(fault);
            let upped = drive(&stack, run(&stack, &person(&allow)));
            assert!(upped.is_ok(), "after {after}: {}", short(&upped));
            stack.ports.store.write_faults.borrow_mut().clear();
            heal(&stack);
        }
    }
}

#[test]
fn a_store_that_takes_no_renewal_ends_the_run_and_not_the_stack() {
    let (stack, allow) = busy(1);
    stack.ports.latency_ms.set(4_000);
    let fault = WriteFault {
        key_end: "/lease.json".to_owned(),
        after: 1,
        times: 1_000,
        made: false,
    };
    stack.ports.store.write_faults.borrow_mut().push(fault);
    let upped = drive(&stack, run(&stack, &person(&allow)));
    let unbegun = match &upped {
        Ok((_, changed)) => changed.carried.len() - changed.done(),
        Err(RunError::Stopped { stopped, .. }) => {
            stopped.changed.carried.len() - stopped.changed.done()
        }
        Err(error) => panic!("{error:?}"),
    };
    assert!(unbegun > 0, "{upped:?}");
    stack.ports.store.write_faults.borrow_mut().clear();
    stack.ports.latency_ms.set(1);
    heal(&stack);
}

#[test]
fn a_store_that_says_no_time_is_watched() {
    let (stack, allow) = busy(1);
    let by = person(&allow);
    stack.ports.store.says_time.set(false);
    let (holder, other) = (stack.beside(), stack.beside());
    let (first, (second, waited)) = drive(&stack, async {
        let pause = Paused {
            call: 14,
            ms: 200_000,
            asleep: false,
        };
        let first = paused(&holder.ports, pause, run(&holder, &by));
        let second = async {
            reaches(&holder, 14).await;
            let began = stack.ports.true_now().0;
            let upped = run(&other, &by).await;
            (upped, stack.ports.true_now().0 - began)
        };
        futures_util::future::join(first, second).await
    });
    assert!(matches!(first, Err(RunError::Stopped { .. })), "{first:?}");
    assert!(
        second.is_ok() && waited >= LEASE_OVER_MS,
        "{waited} {second:?}"
    );
    heal(&stack);
}

#[test]
fn unlocked_in_the_middle() {
    for call in [12, 14, 17, 20] {
        let (stack, allow) = busy(1);
        let by = person(&allow);
        // Slow answers, so that the run lasts.
        stack.ports.latency_ms.set(5_000);
        let (holder, other) = (stack.beside(), stack.beside());
        let (first, second) = drive(&stack, async {
            let second = async {
                reaches(&holder, call).await;
                let times = LeaseTimes::default();
                let held = holder_of(&other.ports, &other.name, times).await.unwrap();
                let from = held.unwrap();
                assert_eq!(from.actor, "ana@laptop");
                let ben = Holder {
                    actor: "ben@desk".to_owned(),
                    run: "unlock".to_owned(),
                };
                unlock(&other.ports, &other.ports, &from, &ben, times)
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
                    source: StopError::Lease(LeaseError::Lost { .. }),
                    ..
                } | RunError::Lease(LeaseError::Lost { .. })
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

#[test]
fn nothing_is_unlocked_where_nothing_is_held() {
    let stack = Stack::small();
    let times = LeaseTimes::default();
    let held = || drive(&stack, holder_of(&stack.ports, &stack.name, times)).unwrap();
    assert_eq!(held(), None);
    stack.unattended();
    assert_eq!(held(), None);
    stack.assert_settled();
}

/// `hold.json` as `kedge hold` writes it.
fn hold(stack: &Stack) {
    use kedge_core::model::Timestamp;
    use kedge_core::stored::hold::{Hold, Holds};
    let mut holds = Holds::default();
    let now = stack.ports.true_now();
    holds.set(Hold {
        key: None,
        reason: "broker upgrade".to_owned(),
        who: "ben@desk".to_owned(),
        until: Timestamp(now.0 + 3_600_000),
        set_at: now,
    });
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
    let Ok((_, changed)) = upped else {
        panic!("{told}");
    };
    let unbegun: Vec<_> = changed
        .carried
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
    let record = records(&stack).pop().unwrap();
    assert!(record.outcomes.iter().any(|one| one.outcome == "not-begun"));
    // Held from the beginning: nothing of it is in the plan.
    stack.ports.latency_ms.set(1);
    let state = stack.state_text();
    let (_, changed) = stack.person(&[]);
    assert_eq!((changed.carried, stack.state_text()), (Vec::new(), state));
    stack.ports.store.remove("stacks/dev/hold.json");
    heal(&stack);
}

#[test]
fn a_hold_between_the_plan_and_the_lease_counts() {
    let (stack, allow) = busy(1);
    let by = person(&allow);
    let runner = stack.beside();
    stack.ports.latency_ms.set(20);
    let epoch = lease(&stack).epoch;
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
    assert!(
        matches!(upped, Err(RunError::Held { .. })),
        "{}",
        short(&upped)
    );
    assert!(starts(&runner).is_empty() && lease(&stack).released);
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
    stack.trouble(kedge_sandbox::Provider::Aiven, "", super::status(500));
    stack.ports.sandbox.clear_faults();
    set_config(&stack, "dev-a", json!({"retention_ms": 9_000_000}));
    deed(&stack, json!({"do": "delete_topic", "topic": "dev-b"}));
    assert_eq!(stack.check().verdict(), StackVerdict::Drifted);
    heal(&stack);
    assert_eq!(records(&stack).len(), 3);
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
        stack.crash_at(Some(kedge_tests::ports::CrashPoint::After(call)));
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
