//! One stack, several runners: only the holder of the lease begins changes, whatever stalls, sleeps,
//! crashes or loses an answer.

use std::error::Error as _;
use std::future::Future;

use kedge_core::report::Changed;
use kedge_core::stored::lease::Lease;
use kedge_core::stored::run::RunRecord;
use kedge_engine::LeaseError;
use kedge_engine::{RunError, StopError};
use kedge_sandbox::SplitMix64;
use kedge_tests::authority::Authorisation;
use kedge_tests::pause::{Paused, paused};
use kedge_tests::ports::WriteFault;
use kedge_tests::stack::{LEASE_OVER_MS, Stack, Upped, person};

pub(super) const LEASE: &str = "stacks/dev/lease.json";

/// A stack on which changes of each provider are to be done, one of them destructive.
pub(super) fn busy(seed: u64) -> (Stack, Vec<&'static str>) {
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
pub(super) async fn run(stack: &Stack, by: &Authorisation) -> Upped {
    stack.applying(by, &|_| {}).await
}

/// The same, again and again until nobody else holds the lease.
pub(super) async fn run_when_free(stack: &Stack, by: &Authorisation) -> Upped {
    let mut by = by.clone();
    loop {
        match run(stack, &by).await {
            // What the other one did is no longer in the plan.
            Err(RunError::Stopped {
                source: StopError::Allow(_),
                ..
            }) => by = person(&[]),
            other if is_held(&other) => stack.ports.executor.sleep(5_000).await,
            other => return other,
        }
    }
}

/// Waits until a runner made so many calls, for a time in which it should have.
pub(super) async fn reaches(stack: &Stack, calls: u64) {
    for _ in 0..10_000 {
        if stack.ports.calls.get() >= calls {
            return;
        }
        stack.ports.executor.sleep(10).await;
    }
}

pub(super) fn drive<T>(stack: &Stack, runs: impl Future<Output = T>) -> T {
    stack.ports.executor.run(runs).unwrap()
}

/// When a runner began to send its writes to providers.
pub(super) fn starts(stack: &Stack) -> Vec<i64> {
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
pub(super) fn short(upped: &Upped) -> String {
    match upped {
        Ok((_, changed)) => format!("{:?}", kedge_tests::stack::results(changed)),
        Err(RunError::Stopped { stopped, source }) => {
            format!(
                "{source}: {:?}",
                kedge_tests::stack::results(&stopped.changed)
            )
        }
        Err(error) => format!("{error:?}"),
    }
}

pub(super) fn is_held(upped: &Upped) -> bool {
    matches!(
        upped,
        Err(RunError::Stopped {
            source: StopError::Lease(LeaseError::Held(_)),
            ..
        })
    )
}

pub(super) fn lease(stack: &Stack) -> Lease {
    let text = stack.ports.store.text(LEASE);
    Lease::decode(text.as_bytes(), &stack.name).unwrap()
}

/// The records of all runs, oldest first.
pub(super) fn records(stack: &Stack) -> Vec<RunRecord> {
    let store = &stack.ports.store;
    let keys = store.keys().into_iter();
    keys.filter(|key| key.contains("/runs/"))
        .map(|key| RunRecord::decode(store.text(&key).as_bytes()).unwrap())
        .collect()
}

/// Whatever is left is done by one further `up`, and then nothing changes.
pub(super) fn heal(stack: &Stack) {
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
    assert!(changed.is_complete(), "{:?}", changed.results);
    stack.assert_settled();
    // A run that found nothing to do took no lease, and left that of a run that crashed.
    assert!(changed.serial.is_none() || lease(stack).released);
}

pub(super) fn count(upped: &Upped) -> usize {
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
                let text = error.source().map(ToString::to_string).unwrap_or_default();
                assert!(text.contains("being changed by ana@laptop (run "), "{text}");
            }
            // Or it came when the other was done, and found nothing to do: what its person named is no
            // longer in the plan, or no longer differs under the lease.
            _ => {
                let found_nothing = |upped: &&Upped| match upped {
                    Err(RunError::Stopped {
                        source: StopError::Allow(_),
                        ..
                    }) => true,
                    Ok((_, changed)) => changed.results.is_empty() && changed.serial.is_none(),
                    Err(_) => false,
                };
                let idle = [&a, &b].into_iter().filter(found_nothing);
                assert_eq!(idle.count(), 1, "seed {seed}: {} {}", short(&a), short(&b));
            }
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
    let (mut followed, mut taken_over) = (0, 0);
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
            followed += 1;
            assert!(last < begin, "{name}: starts overlap");
        }
        let has_taken_over = lease(&stack).epoch > 2;
        if has_taken_over {
            taken_over += 1;
            assert!(early.iter().all(|at| *at < ended), "{name}");
            assert_eq!(stack.state_text(), state, "{name}: state was written after");
        }
        heal(&stack);
    }
    assert!(followed > 3 && taken_over > 5, "{followed} {taken_over}");
}

#[test]
fn who_stalls_longer_than_the_lease_begins_nothing_after() {
    stall_everywhere(false);
}

#[test]
fn who_slept_longer_than_the_lease_begins_nothing_after() {
    stall_everywhere(true);
}

/// Three runners with clocks of their own, each of which stands still somewhere for some time.
fn starts_never_overlap(seed: u64) {
    let mut random = SplitMix64::new(seed);
    let (stack, allow) = busy(seed);
    stack.ports.jitter_ms.set(random.below(50));
    let by = person(&allow);
    let mut runners = Vec::new();
    for _ in 0..3 {
        let runner = stack.beside();
        runner.ports.latency_ms.set(1 + random.below(3_000));
        let off = i64::try_from(random.below(7_200_000)).unwrap() - 3_600_000;
        runner.ports.wall_ahead_ms.set(off);
        let pause = Paused {
            call: 1 + random.below(40),
            ms: random.below(200_000),
            asleep: random.below(2) == 0,
        };
        runners.push((runner, pause, random.below(60_000)));
    }
    let runs: Vec<_> = runners
        .iter()
        .map(|(runner, pause, delay_ms)| async {
            stack.ports.executor.sleep(*delay_ms).await;
            paused(&runner.ports, *pause, run_when_free(runner, &by)).await
        })
        .collect();
    let ended = drive(&stack, futures_util::future::join_all(runs));
    let mut spans: Vec<_> = runners
        .iter()
        .filter_map(|(runner, ..)| {
            let starts = starts(runner);
            Some((*starts.first()?, *starts.last()?))
        })
        .collect();
    spans.sort_unstable();
    let overlap = spans.windows(2).any(|pair| pair[0].1 >= pair[1].0);
    let told: Vec<String> = ended.iter().map(short).collect();
    assert!(!overlap, "seed {seed}: {spans:?} {told:?}");
    stack.ports.jitter_ms.set(0);
    heal(&stack);
}

#[test]
fn whatever_stands_still_no_two_starts_overlap() {
    (0..60).for_each(starts_never_overlap);
}

/// The same for many more orders; `make soak`.
#[test]
#[ignore = "takes minutes"]
fn in_many_orders_no_two_starts_overlap() {
    (1_000..4_000).for_each(starts_never_overlap);
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
                assert!(changed.is_complete(), "{name}: {:?}", changed.results);
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
        Ok((_, changed)) => changed.results.len() - changed.done(),
        Err(RunError::Stopped { stopped, .. }) => {
            stopped.changed.results.len() - stopped.changed.done()
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
