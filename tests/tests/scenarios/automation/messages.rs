//! Messages that can't be read, that are lost, that come again: each is done once, and none blocks others.

use kedge_core::report::StackVerdict;
use kedge_engine::DueScope;
use kedge_engine::ports::Store as _;
use kedge_service::queue::Queue as _;
use kedge_service::work::Work;
use kedge_tests::platform::Platform;
use kedge_tests::ports::CrashPoint;
use kedge_tests::pushed::commit;
use kedge_tests::stack::{LEASE_OVER_MS, Stack};
use serde_json::json;

use super::{assert_settled, deployed, running, verdicts};
use crate::scenarios::{set_config, uploads};

pub(super) fn apply(stack: &Stack) -> Work {
    Work::Apply {
        stack: stack.name.clone(),
        because: "a test".to_owned(),
    }
}

pub(super) fn send(platform: &Platform, work: &Work) {
    let send = platform.queue.send(work);
    platform.ports.executor.run(send).unwrap().unwrap();
}

/// A person changes the first topic of a stack.
pub(super) fn drift(stack: &Stack) {
    let topic = format!("{}-a", stack.name);
    set_config(stack, &topic, json!({"retention_ms": 1_800_000}));
}

/// When a stack was written to first, in milliseconds from then.
fn written_after_ms(stack: &Stack, since_ms: i64) -> Option<i64> {
    let sent = stack.ports.sent.borrow();
    let of_it = format!("/{}-", stack.name);
    let write = sent
        .iter()
        .find(|sent| sent.write && sent.path.contains(&of_it))?;
    Some(write.at_ms - since_ms)
}

#[test]
fn a_message_that_can_not_be_read_is_set_aside_and_blocks_no_other_lane() {
    let newer = apply(&deployed(&["fix1"])[0]);
    let newer = newer.encode().replace("\"format\":1", "\"format\":2");
    let no_stack = r#"{"format":1,"work":{"apply":{"stack":"../fix1","because":"x"}}}"#;
    for (text, said) in [
        ("what is this", "the message can't be read"),
        (newer.as_str(), "it has format 2, and this kedge reads 1"),
        (no_stack, "`../fix1`"),
    ] {
        for keeps_lines in [false, true] {
            let stacks = deployed(&["fix1", "fix2"]);
            let platform = running(&stacks);
            if keeps_lines {
                platform.queue.keep_lines();
            }
            let began_ms = platform.ports.executor.now_ms();
            platform.queue.put_text(text, "stack-fix1");
            for stack in &stacks {
                drift(stack);
                send(&platform, &apply(stack));
            }
            platform.work(2);
            let set_aside = platform.queue.set_aside.borrow().clone();
            assert_eq!(set_aside.len(), 1, "{set_aside:#?}");
            assert_eq!(
                (set_aside[0].text.as_str(), set_aside[0].failures.len()),
                (text, 5)
            );
            for failure in &set_aside[0].failures {
                assert!(failure.contains(said), "{failure}");
            }
            // It is tried for two minutes. Only what is in line behind it waits so long.
            let after = [0, 1].map(|at| written_after_ms(&stacks[at], began_ms).unwrap());
            assert_eq!(
                after.map(|ms| ms >= 120_000),
                [keeps_lines, false],
                "{after:?}"
            );
            assert_eq!(verdicts(&stacks), [StackVerdict::Clean; 2]);
            assert_settled(&stacks, &platform);
        }
    }
}

#[test]
fn a_check_of_what_the_policy_corrects_sends_one_apply() {
    let stacks = deployed(&["fix1", "fix2", "see1"]);
    let platform = running(&stacks);
    drift(&stacks[0]);
    drift(&stacks[2]);
    let now = platform.ports.true_now();
    let check = Work::Check {
        stacks: stacks.iter().map(|stack| stack.name.clone()).collect(),
        tick: now,
        not_before: now,
    };
    send(&platform, &check);
    platform.work(1);
    let expected = Work::Apply {
        stack: stacks[0].name.clone(),
        because: format!("check {}", now.0),
    };
    assert_eq!(
        *platform.queue.sent.borrow(),
        [check.clone(), expected.clone()]
    );
    assert_eq!(platform.ports.writes(), 1);
    // The same message again, now that nothing is left to do.
    stacks[0].wait_minutes(20);
    send(&platform, &check);
    platform.work(1);
    assert_eq!(platform.queue.sent.borrow().len(), 3);
    // Two of them at once: what they send is equal, so that a queue may drop one, and one does it.
    drift(&stacks[0]);
    send(&platform, &check);
    send(&platform, &check);
    platform.work(1);
    let sent = platform.queue.sent.borrow().clone();
    let applies: Vec<&Work> = sent[5..].iter().collect();
    assert!((1..=2).contains(&applies.len()), "{applies:?}");
    assert!(applies.iter().all(|work| work.id() == expected.id()));
    assert_eq!(platform.ports.writes(), 2);
    assert_settled(&stacks, &platform);
}

/// The stack, drifted, and a lease that another run left there just now.
fn busy() -> (Vec<Stack>, Platform) {
    let stacks = deployed(&["fix1", "fix2"]);
    let platform = running(&stacks);
    drift(&stacks[0]);
    let key = "stacks/fix1/lease.json";
    let ports = stacks[0].ports.clone();
    // A person's run that crashes right after it took the lease.
    let calls = {
        let fork = stacks[0].fork();
        fork.crash_at(None);
        let before = fork.ports.store.written.borrow().len();
        let _ = fork.person(&[]);
        let written = fork.ports.store.written.borrow().clone();
        assert_eq!(written[before].0, key);
        fork.ports.calls.get()
    };
    for call in 1..calls {
        let fork = stacks[0].fork();
        fork.crash_at(Some(CrashPoint::After(call)));
        let _ = fork.up(&kedge_tests::stack::person(&[]));
        if fork
            .ports
            .store
            .written
            .borrow()
            .iter()
            .any(|one| one.0 == key)
        {
            stacks[0].crash_at(Some(CrashPoint::After(call)));
            break;
        }
    }
    assert!(stacks[0].up(&kedge_tests::stack::person(&[])).is_err());
    stacks[0].crash_at(None);
    assert_eq!(ports.writes(), 0);
    (stacks, platform)
}

#[test]
fn a_busy_stack_comes_again_when_its_lease_is_over_and_that_is_no_failure() {
    for keeps_lines in [false, true] {
        let (stacks, platform) = busy();
        if keeps_lines {
            platform.queue.keep_lines();
        }
        let store = platform.ports.store.clone();
        let key = "stacks/fix1/lease.json";
        let executor = platform.ports.executor.clone();
        let work = apply(&stacks[0]);
        send(&platform, &work);
        // Whoever has the lease renews it, each time a minute later.
        let mut free_ms = store.object(key).written_at.0 + LEASE_OVER_MS;
        for round in 0..12 {
            platform.work_until(executor.now_ms() + 1_000, 1, async || {});
            let later = platform.queue.later.borrow().clone();
            assert_eq!(later.len(), round + 1);
            let (again, in_ms) = &later[round];
            let in_ms = i64::try_from(*in_ms).unwrap();
            let due_ms = executor.now_ms() + in_ms;
            assert_eq!(again, &work);
            // It was looked at some milliseconds before it was said.
            assert!(
                (free_ms..free_ms + 20).contains(&due_ms),
                "{} ms",
                due_ms - free_ms
            );
            // Not before.
            platform.work_until(free_ms - 1, 1, async || {});
            assert_eq!(platform.queue.later.borrow().len(), round + 1);
            if round < 11 {
                let renewed = kedge_core::model::Timestamp(free_ms - 30_000);
                store.set_at(key, store.object(key).bytes, renewed);
                free_ms = renewed.0 + LEASE_OVER_MS;
                executor.advance_ms(due_ms - executor.now_ms());
            }
        }
        assert_eq!(platform.ports.writes(), 0);
        platform.work(1);
        assert_eq!(platform.queue.set_aside.borrow().len(), 0);
        assert_eq!(platform.queue.later.borrow().len(), 12);
        assert_eq!(platform.ports.writes(), 1);
        let after = written_after_ms(&stacks[0], free_ms).unwrap();
        assert!((0..1_000).contains(&after), "{after} ms after it was free");
        stacks[0].wait_minutes(20);
        assert_eq!(verdicts(&stacks), [StackVerdict::Clean; 2]);
        assert_settled(&stacks, &platform);
    }
}

#[test]
fn an_upload_whose_event_is_lost_is_deployed_by_the_next_tick() {
    let mut stacks = deployed(&["fix1", "see1"]);
    let platform = running(&stacks);
    stacks[1].topics(&[
        ("a", "retention_ms: 3600000"),
        ("b", ""),
        ("c", ""),
        ("d", ""),
    ]);
    let key = "upload/see1/definitions.zip";
    uploads::put(&stacks[1], key, uploads::archive(&stacks[1]));
    // It may not be there whole yet.
    let ticked = platform.tick(DueScope::Due).unwrap().unwrap();
    assert_eq!(ticked.uploads, 0);
    platform.work(1);
    stacks[1].wait_ms(2_000);
    let ticked = platform.tick(DueScope::Due).unwrap().unwrap();
    assert_eq!((ticked.uploads, ticked.applies), (1, 0));
    // What it stores is known to this tick's work, and needs no other tick.
    platform.work(1);
    let revision = stacks[1].set().revision();
    let sent = platform.queue.sent.borrow().clone();
    let sent: Vec<&Work> = sent
        .iter()
        .filter(|work| !matches!(work, Work::Check { .. }))
        .collect();
    let [
        Work::Upload { key: uploaded, .. },
        Work::Apply { because, .. },
    ] = sent.as_slice()
    else {
        panic!("{sent:?}");
    };
    assert_eq!((uploaded.as_str(), because), (key, &revision));
    let world = platform.ports.sandbox.world().to_string();
    assert!(world.contains("see1-d"));
    assert_eq!(platform.ports.writes(), 1);
    let ticked = platform.tick(DueScope::Due).unwrap().unwrap();
    assert_eq!(ticked.uploads, 0);
    assert_settled(&stacks, &platform);
}

#[test]
fn two_ticks_at_once_do_everything_once() {
    let stacks = deployed(&["fix1", "fix2", "see1"]);
    let platform = running(&stacks);
    stacks.iter().for_each(drift);
    for _ in 0..2 {
        platform.tick(DueScope::All).unwrap().unwrap();
    }
    let ids: Vec<String> = platform.queue.sent.borrow().iter().map(Work::id).collect();
    assert_eq!(ids.len(), 2);
    assert_eq!(ids[0], ids[1], "it is the same work");
    platform.work(4);
    assert_eq!(platform.ports.writes(), 2);
    stacks[0].wait_minutes(20);
    let expected = [
        StackVerdict::Clean,
        StackVerdict::Clean,
        StackVerdict::Drifted,
    ];
    assert_eq!(verdicts(&stacks), expected);
    assert_settled(&stacks, &platform);
}

/// What a newer kedge noted about checks stops checks, and nothing else.
#[test]
fn uploads_and_run_requests_go_on_where_checks_can_not() {
    let mut stacks = deployed(&["see1"]);
    let platform = running(&stacks);
    stacks[0].topics(&[("a", "retention_ms: 3600000"), ("b", ""), ("c", "")]);
    let key = "upload/see1/definitions.zip";
    uploads::put(&stacks[0], key, uploads::archive(&stacks[0]));
    stacks[0].wait_ms(2_000);
    let newer = json!({"format": 99}).to_string();
    let now = platform.ports.true_now();
    let store = &platform.ports.store;
    store.set_at("schedule.json", newer.clone(), now);
    let error = platform.tick(DueScope::Due).unwrap().unwrap_err();
    assert_eq!(error.to_string(), "what is due could not be read");
    let sent = platform.queue.sent.borrow().clone();
    let [Work::Upload { key: sent, .. }] = sent.as_slice() else {
        panic!("{sent:?}");
    };
    assert_eq!(sent, key);
    assert_eq!(store.object("schedule.json").bytes, newer);
}

/// Read-only mode checks everything. What changes something is left for whoever may write, and fails nowhere.
#[test]
fn what_may_only_read_checks_and_leaves_the_rest_to_others() {
    let mut stacks = deployed(&["fix1", "see1"]);
    let mut platform = running(&stacks);
    platform.read_only = true;
    drift(&stacks[0]);
    stacks[1].topics(&[
        ("a", "retention_ms: 3600000"),
        ("b", ""),
        ("c", ""),
        ("d", ""),
    ]);
    stacks[1].push(&commit(2));
    let key = "upload/see1/definitions.zip";
    uploads::put(&stacks[1], key, uploads::archive(&stacks[1]));
    stacks[0].wait_minutes(1);
    let ticked = platform.tick(DueScope::Due).unwrap().unwrap();
    let sent = (ticked.checks, ticked.applies, ticked.uploads);
    assert_eq!(
        sent,
        (2, 0, 0),
        "the stack with new definitions is checked too"
    );
    // Whatever was sent before.
    let upload = Work::Upload {
        stack: stacks[1].name.clone(),
        key: key.to_owned(),
        etag: "x".to_owned(),
    };
    let request = Work::Request {
        stack: stacks[1].name.clone(),
        id: "1795348800000-0badcafe".to_owned(),
    };
    for work in [apply(&stacks[0]), upload, request] {
        send(&platform, &work);
    }
    platform.work(2);
    assert_eq!(platform.ports.writes(), 0);
    assert_eq!(*platform.queue.set_aside.borrow(), []);
    let listed = stacks[1].ports.list("upload/");
    assert_eq!(stacks[1].run(listed).unwrap(), [key], "it has no result");

    // Nothing of it is lost.
    platform.read_only = false;
    platform.queue.sent.borrow_mut().clear();
    let ticked = platform.tick(DueScope::Due).unwrap().unwrap();
    assert_eq!((ticked.applies, ticked.uploads), (1, 1));
    platform.work(2);
    let world = platform.ports.sandbox.world().to_string();
    assert!(world.contains("see1-d"));
    platform.tick(DueScope::All).unwrap().unwrap();
    platform.work(2);
    stacks[0].wait_minutes(20);
    assert_eq!(verdicts(&stacks), [StackVerdict::Clean; 2]);
    assert_settled(&stacks, &platform);
}
