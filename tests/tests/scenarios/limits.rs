//! How many, how often and how long: what a run keeps to, seen from outside.

use std::future::{Future, pending};
use std::pin::pin;

use futures_util::future::{Either, select};
use kedge_core::change::Verb;
use kedge_core::compare::Verdict;
use kedge_core::model::ResourceKey;
use kedge_core::report::{Report, StackVerdict};
use kedge_core::state;
use kedge_core::stored::grant::Grant;
use kedge_engine::StateCommand;
use kedge_engine::StateStoreError;
use kedge_engine::{RunError, StopError};
use kedge_tests::authority::Authorisation;
use kedge_tests::ports::{CrashPoint, Sent};
use kedge_tests::stack::{
    GCP_PROJECT, GMAIL, LEASE_OVER_MS, PUBLISHER, Stack, describe, person, verdict,
};
use serde_json::json;

use super::leases::{LEASE, busy, count, drive, heal, is_held, lease, reaches, run, short, starts};
use super::set_config;

const STATE: &str = "stacks/dev/state.json";

/// Another run writes state.
fn move_state(stack: &Stack) {
    let mut state = state::decode(stack.state_text().as_bytes(), &stack.name).unwrap();
    state.step += 1;
    let bytes = state::encode(&state).unwrap();
    stack.ports.store.set(STATE, bytes);
}

/// How often the topics were read, which is the last that a look does.
fn looks(stack: &Stack) -> usize {
    let sent = stack.ports.sent.borrow();
    let reads = |one: &&Sent| !one.write && one.method == "POST" && one.path.ends_with("/topic");
    sent.iter().filter(reads).count()
}

/// Moves state once in each of so many looks, after their reads of it.
async fn move_in_each_look(stack: &Stack, moves: usize, then: impl Fn()) {
    for look in 1..=moves {
        while looks(stack) < look {
            stack.ports.executor.sleep(1).await;
        }
        move_state(stack);
        then();
    }
}

/// A topic that somebody changed, and slow answers.
fn drifted() -> Stack {
    let mut stack = Stack::new();
    stack.topics(&[("a", "retention_ms: 3600000")]);
    stack.unattended();
    stack.wait_minutes(90);
    let _ = stack.check();
    set_config(&stack, "dev-a", json!({"retention_ms": 1000}));
    stack.ports.latency_ms.set(50);
    stack.ports.clear_sent();
    stack
}

/// Does this work while others do theirs, and ends with it.
async fn beside<T>(work: impl Future<Output = T>, others: impl Future<Output = ()>) -> T {
    let others = async {
        others.await;
        pending().await
    };
    match select(pin!(work), pin!(others)).await {
        Either::Left((done, _)) | Either::Right((done, _)) => done,
    }
}

// --- second looks (semantics 3.4, 8.4)

/// A check in each of whose looks, but for so many, state moves; with what comes of a first move.
fn checked(stack: &Stack, moves: usize, then: impl Fn()) -> Result<Report, RunError> {
    let looking = async {
        let checked = stack.checking(&|_| {}).await;
        checked.map(|checked| checked.report)
    };
    drive(
        stack,
        beside(looking, move_in_each_look(stack, moves, then)),
    )
}

#[test]
fn a_check_looks_again_where_state_moved_under_it() {
    let stack = drifted();
    // Who wrote state mended it too: what the first look saw counts no longer.
    let mended = || set_config(&stack, "dev-a", json!({"retention_ms": 3_600_000}));
    let report = checked(&stack, 1, mended).unwrap();
    assert_eq!(
        report.verdict(),
        StackVerdict::Clean,
        "{}",
        describe(&report)
    );
    assert_eq!(looks(&stack), 2);
}

#[test]
fn a_check_looks_three_times_at_most() {
    for (moves, expected) in [(0, 1), (1, 2), (2, 3), (9, 3)] {
        let stack = drifted();
        let checked = checked(&stack, moves, || {});
        assert_eq!(looks(&stack), expected, "{moves}");
        if moves < 3 {
            let report = checked.unwrap();
            assert_eq!(report.verdict(), StackVerdict::Drifted, "{moves}");
        }
    }
}

#[test]
fn a_clean_check_looks_once_whatever_moves() {
    let stack = drifted();
    set_config(&stack, "dev-a", json!({"retention_ms": 3_600_000}));
    let report = checked(&stack, 1, || {}).unwrap();
    assert_eq!((report.verdict(), looks(&stack)), (StackVerdict::Clean, 1));
}

#[test]
fn a_run_looks_again_under_its_lease_three_times_at_most() {
    for (moves, expected) in [(0, 1), (1, 2), (2, 3), (9, 4)] {
        let stack = drifted();
        let by = person(&[]);
        let moving = move_in_each_look(&stack, moves, || {});
        let upped = drive(&stack, beside(run(&stack, &by), moving));
        assert_eq!(looks(&stack), expected, "{moves}: {}", short(&upped));
        stack.ports.latency_ms.set(1);
        if moves < 3 {
            assert_eq!(count(&upped), 1, "{moves}: {}", short(&upped));
            stack.wait_minutes(10);
            stack.assert_settled();
            continue;
        }
        let is_moved = matches!(
            upped,
            Err(RunError::Stopped {
                source: StopError::Memory(StateStoreError::Moved { .. }),
                ..
            })
        );
        assert!(is_moved, "{}", short(&upped));
        assert_eq!(starts(&stack), [0; 0]);
        assert!(lease(&stack).released);
        heal(&stack);
    }
}

// --- requests under way at once (semantics 8.4)

/// The most requests under way at once while a stack is made, and then while it is checked.
fn most(declare: impl Fn(&mut Stack)) -> (usize, usize) {
    let mut stack = Stack::new();
    let policy = "correct: safe, deploy: disruptive, correct_after: 0";
    stack.project(policy, "{creates_max: 1000}", "[]");
    stack.topics(&[]);
    declare(&mut stack);
    stack.ports.latency_ms.set(20);
    stack.unattended();
    let most = &stack.ports.under_way.most;
    let making = most.replace(0);
    stack.wait_minutes(10);
    assert_eq!(stack.check().verdict(), StackVerdict::Clean);
    let checking = most.get();
    stack.ports.latency_ms.set(1);
    stack.assert_settled();
    (making, checking)
}

#[test]
fn six_requests_of_a_provider_are_under_way_at_once_and_no_more() {
    // Nine bulk reads of a hundred topics.
    assert_eq!(most(|stack| stack.many_topics(900, "")), (6, 6));
    let in_pubsub = |stack: &mut Stack| {
        let topic = |number: usize| format!("  - {{name: \"{{stack}}-p{number}\"}}\n");
        let bound = |number: usize| {
            format!(
                "  - {{topic: \"{{stack}}-p{number}\", role: {PUBLISHER}, members: [\"{GMAIL}\"]}}\n"
            )
        };
        let all = |line: &dyn Fn(usize) -> String| (0..20).map(line).collect::<String>();
        let text = format!("topics:\n{}bindings:\n{}", all(&topic), all(&bound));
        stack.file("area/pubsub.yaml", text);
    };
    assert_eq!(most(in_pubsub), (6, 6));
    let in_dns = |stack: &mut Stack| {
        let node = |number: usize| {
            format!("name: n{number}, ips: [192.0.2.1], domain: n{number}.clustera.io")
        };
        let nodes: Vec<String> = (0..20).map(node).collect();
        stack.nodes(&nodes.iter().map(String::as_str).collect::<Vec<_>>());
    };
    let (making, checking) = most(in_dns);
    assert!(making <= 6 && checking == 1, "{making} {checking}");
}

// --- how often state and the lease are written (semantics 8.3, 8.4)

/// When an object was written.
fn written(stack: &Stack, key: &str) -> Vec<i64> {
    let all = stack.ports.store.written.borrow();
    let of_key = all.iter().filter(|(written, _)| written == key);
    of_key.map(|(_, at)| *at).collect()
}

#[test]
fn during_a_run_state_is_written_once_a_second() {
    let mut stack = Stack::new();
    stack.many_topics(120, "");
    stack.ports.latency_ms.set(250);
    stack.unattended();
    let mut at = written(&stack, STATE);
    // The last one waits for nothing but the second that the store may want.
    let last = at.pop().unwrap();
    // An empty state, what begins, and then on as long as changes are made.
    let made = at.split_off(1);
    let gaps: Vec<i64> = made.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.len() >= 4, "{made:?} {last}");
    // A change ends every 250 ms, so it is no later than that and the writing itself.
    let is_due = |gap: &i64| (1_000..=1_750).contains(gap);
    assert!(gaps.iter().all(is_due), "{gaps:?}");
    stack.ports.latency_ms.set(1);
    stack.wait_minutes(10);
    stack.assert_settled();
}

#[test]
fn what_can_not_be_taken_back_is_done_right_after_a_renewal() {
    for (latency_ms, expected) in [(1, 0..=2), (700, 12..=40)] {
        let mut stack = Stack::new();
        stack.many_topics(12, "");
        stack.unattended();
        stack.wait_minutes(10);
        stack.ports.latency_ms.set(latency_ms);
        let runner = stack.beside();
        let retire = Authorisation::Command(StateCommand::Retire {
            expected_digest: None,
        });
        let before = written(&stack, LEASE).len();
        let upped = drive(&stack, run(&runner, &retire));
        assert_eq!(count(&upped), 12, "{}", short(&upped));
        let renewals = written(&stack, LEASE).split_off(before);
        // One for taking it and one for giving it back.
        let times = renewals.len() - 2;
        assert!(expected.contains(&times), "{latency_ms}: {times}");
        for start in starts(&runner) {
            let began = renewals.iter().filter(|at| **at <= start).max().unwrap();
            // A second, and the answers of the renewal and of the holds.
            let latency = i64::try_from(latency_ms).unwrap();
            assert!(start - began < 1_000 + 2 * latency, "{start} after {began}");
        }
        stack.ports.latency_ms.set(1);
        stack.wait_minutes(10);
        let _ = stack.check();
        stack.assert_done(&StateCommand::Retire {
            expected_digest: None,
        });
    }
}

// --- when a lease may be taken over (semantics 8.4)

#[test]
fn a_lease_is_taken_over_when_its_grace_is_over_and_not_before() {
    let (stack, allow) = busy(1);
    // It crashes right after it took the lease.
    let runner = stack.beside();
    let before = written(&stack, LEASE).len();
    let mut call = 1;
    while written(&stack, LEASE).len() == before {
        runner.crash_at(Some(CrashPoint::After(call)));
        assert!(runner.up(&person(&allow)).is_err());
        call += 1;
    }
    runner.crash_at(None);
    let taken = *written(&stack, LEASE).last().unwrap();
    let over = taken + LEASE_OVER_MS;
    // A run takes the lease when its look is over: it begins a little earlier each time.
    stack.wait_ms(over - 60 - stack.ports.true_now().0);
    let mut first = None;
    for late_ms in 0..60 {
        let later = stack.fork();
        later.wait_ms(late_ms);
        let upped = later.up(&person(&allow)).unwrap();
        match first {
            None if is_held(&upped) => assert_eq!(count(&upped), 0),
            _ => {
                assert_eq!(count(&upped), 5, "{late_ms}: {}", short(&upped));
                first.get_or_insert(written(&later, LEASE)[0]);
            }
        }
    }
    let first = first.unwrap();
    assert!((over..over + 3).contains(&first), "{over} {first}");
    heal(&stack);
}

#[test]
fn a_lease_that_is_unlocked_is_free_half_a_lease_after_its_last_renewal() {
    for is_damaged in [false, true] {
        let (stack, allow) = busy(1);
        stack.crash_at(Some(CrashPoint::After(20)));
        assert!(stack.up(&person(&allow)).is_err());
        stack.crash_at(None);
        let renewed = *written(&stack, LEASE).last().unwrap();
        stack.wait_ms(5_000);
        let ports = &stack.ports;
        let taken = if is_damaged {
            let before = written(&stack, LEASE).len();
            ports.store.set(LEASE, "{");
            drive(&stack, stack.replace_lease()).unwrap();
            // When it was renewed last is not known: the taking counts.
            written(&stack, LEASE)[before]
        } else {
            let held = drive(&stack, stack.lease_holder()).unwrap();
            drive(&stack, stack.unlock(&held.unwrap())).unwrap();
            renewed
        };
        assert!(lease(&stack).released);
        let free = *written(&stack, LEASE).last().unwrap();
        // A second more, since S3 cuts its times, and where the lease was renewed just then, what the
        // store asks between two writes.
        let after_ms = free - taken;
        assert!(
            (31_000..31_600).contains(&after_ms),
            "{is_damaged}: {after_ms}"
        );
        heal(&stack);
    }
}

#[test]
fn a_lease_is_renewed_every_quarter_of_it() {
    let mut stack = Stack::new();
    stack.many_topics(60, "");
    stack.ports.latency_ms.set(4_000);
    stack.unattended();
    let renewals = written(&stack, LEASE);
    let gaps: Vec<i64> = renewals.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let (_, between) = gaps.split_last().unwrap();
    assert!(between.len() >= 2, "{renewals:?}");
    // Looked for every fifth of that, and then under way for as long as an answer takes.
    let is_due = |gap: &i64| (15_000..=15_000 + 3_000 + 4_000).contains(gap);
    assert!(between.iter().all(is_due), "{gaps:?}");
    stack.ports.latency_ms.set(1);
    stack.wait_minutes(10);
    stack.assert_settled();
}

// --- what could not be read (semantics 6.8, 8.1)

#[test]
fn holds_that_can_not_be_read_in_the_middle_let_nothing_more_begin() {
    let (stack, allow) = busy(1);
    let by = person(&allow);
    stack.ports.latency_ms.set(4_000);
    let runner = stack.beside();
    let mut damaged_ms = 0;
    let upped = drive(&stack, async {
        let damaging = async {
            reaches(&runner, 24).await;
            stack.ports.store.set("stacks/dev/hold.json", "{");
            damaged_ms = stack.ports.true_now().0;
        };
        futures_util::future::join(run(&runner, &by), damaging)
            .await
            .0
    });
    let told = short(&upped);
    assert!((1..5).contains(&count(&upped)), "{told}");
    // Half a lease after they could last be read, and until the answer to that.
    let late = starts(&runner)
        .into_iter()
        .filter(|at| *at > damaged_ms + 34_000);
    assert_eq!(late.count(), 0, "{told}");
    stack.ports.latency_ms.set(1);
    stack.ports.store.remove("stacks/dev/hold.json");
    heal(&stack);
}

#[test]
fn what_a_run_began_is_looked_for_where_nothing_else_is_declared() {
    let mut stack = Stack::new();
    stack.topics(&[("a", "")]);
    stack.unattended();
    stack.wait_minutes(10);
    stack.file("area/pubsub.yaml", "topics: [{name: \"{stack}-p\"}]\n");
    // It crashes when the topic is made and not yet recorded.
    let crashed = (1..).find_map(|call| {
        let trial = stack.fork();
        trial.crash_at(Some(CrashPoint::After(call)));
        assert!(trial.up(&Authorisation::Unattended).is_err(), "{call}");
        trial.crash_at(None);
        let world = trial.ports.sandbox.world().to_string();
        world.contains("dev-p").then_some(trial)
    });
    let mut stack = crashed.unwrap();
    stack.files.remove("area/pubsub.yaml");
    stack.wait_ms(LEASE_OVER_MS);
    // Nothing else is declared or recorded in the project, and still it is read.
    let report = stack.check();
    assert_eq!(
        verdict(&report, "dev-p"),
        Verdict::Orphan,
        "{}",
        describe(&report)
    );
    let key = ResourceKey::pubsub_topic(GCP_PROJECT, "dev-p");
    assert!(report.comparison.resolved.contains_key(&key));
}

// --- consent (semantics 6.3, 8.6)

#[test]
fn a_consent_lasts_an_hour_by_the_stores_clock() {
    let (stack, allow) = busy(1);
    // The runner's clock is a day behind.
    stack.ports.wall_ahead_ms.set(-86_400_000);
    stack.ports.latency_ms.set(100);
    let began = stack.ports.true_now().0;
    let (_, changed) = stack.person(&allow);
    assert!(changed.is_complete());
    let key = format!("stacks/dev/grants/{}.json", changed.run);
    let text = stack.ports.store.text(&key);
    let grant = Grant::decode(text.as_bytes(), &stack.name).unwrap();
    let given = written(&stack, &key)[0];
    let lasts_ms = grant.expires_at.0 - given;
    assert!(
        began < given && (-1_000..=0).contains(&(lasts_ms - Grant::LASTS_MS)),
        "{lasts_ms}"
    );
    assert_eq!(grant.used_by, Some(changed.run));
    let verbs: Vec<Verb> = grant.changes.iter().map(|(_, verb)| *verb).collect();
    assert_eq!(verbs, [Verb::Delete]);
    stack.ports.wall_ahead_ms.set(0);
    stack.ports.latency_ms.set(1);
    heal(&stack);
}

#[test]
fn a_consent_that_came_in_meanwhile_is_told() {
    for (age_ms, in_history) in [(0, true), (Grant::LASTS_MS, false)] {
        let (stack, allow) = busy(1);
        stack.ports.latency_ms.set(500);
        let runner = stack.beside();
        let by = person(&allow);
        let upped = drive(&stack, async {
            let giving = async {
                reaches(&runner, 20).await;
                let now = stack.ports.true_now();
                let grant = Grant {
                    id: format!("{}-0badcafe", now.0),
                    stack: stack.name.clone(),
                    person: "ben@desk".to_owned(),
                    digest: "00c0ffee00c0ffee".to_owned(),
                    changes: Default::default(),
                    policy: true,
                    expires_at: now.plus_ms(Grant::LASTS_MS),
                    used_by: None,
                };
                let key = format!("stacks/dev/grants/{}.json", grant.id);
                let (bytes, written_at) = (grant.encode().unwrap(), now.plus_ms(-age_ms));
                stack.ports.store.set_at(&key, bytes, written_at);
            };
            futures_util::future::join(run(&runner, &by), giving)
                .await
                .0
        });
        let told = short(&upped);
        let (_, changed) = upped.unwrap();
        assert_eq!(changed.done(), 5, "{told}");
        let told = &["an approval was given meanwhile"][..usize::from(in_history)];
        assert_eq!(changed.run_again, told);
        stack.ports.latency_ms.set(1);
        heal(&stack);
    }
}
