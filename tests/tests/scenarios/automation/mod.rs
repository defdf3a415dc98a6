//! Automation end to end in virtual time: a tick sends work, a queue brings it, runs do it. What happens
//! follows from what is true, whatever the queue does with the messages.

mod cut_off;
mod during;
mod expiry;
mod http;
mod instances;
mod messages;
mod pace;
mod requests;
mod seeds;

use kedge_core::report::StackVerdict;
use kedge_engine::DueScope;
use kedge_service::work::Work;
use kedge_tests::platform::Platform;
use kedge_tests::pushed::commit;
use kedge_tests::stack::{Stack, describe, stack_name};
use serde_json::json;

use super::set_config;

/// Stacks of one world with three topics each, adopted long ago: those whose names begin with `fix` are
/// corrected by automation, the others are not.
fn deployed(names: &[&str]) -> Vec<Stack> {
    let topics = [("a", "retention_ms: 3600000"), ("b", ""), ("c", "")];
    deployed_with(names, &topics)
}

/// The same with these topics.
fn deployed_with(names: &[&str], topics: &[(&str, &str)]) -> Vec<Stack> {
    let first = Stack::new();
    let of = |name: &&str| {
        let mut stack = Stack {
            name: stack_name(name),
            files: std::collections::BTreeMap::new(),
            by_stored: true,
            ..first.clone()
        };
        let correct = match name.starts_with("fix") {
            true => "safe",
            false => "none",
        };
        stack.policy(&format!(
            "correct: {correct}, deploy: safe, correct_after: 0"
        ));
        stack.config("");
        stack.topics(topics);
        stack.push(&commit(1));
        let _ = stack.person(&[]);
        stack
    };
    let stacks: Vec<Stack> = names.iter().map(of).collect();
    first.wait_minutes(60);
    stacks
}

/// A platform over their world, which ticked and worked once since.
fn running(stacks: &[Stack]) -> Platform {
    let platform = Platform::over(&stacks[0]);
    platform.tick(DueScope::All).unwrap().unwrap();
    platform.work(4);
    stacks[0].wait_minutes(20);
    platform.ports.clear_sent();
    platform.queue.sent.borrow_mut().clear();
    platform
}

fn verdicts(stacks: &[Stack]) -> Vec<StackVerdict> {
    stacks.iter().map(|stack| stack.check().verdict()).collect()
}

/// Again, and nothing changes.
fn assert_settled(stacks: &[Stack], platform: &Platform) {
    stacks[0].wait_minutes(20);
    let (world, writes) = (platform.ports.sandbox.world(), platform.ports.writes());
    for _ in 0..2 {
        platform.tick(DueScope::All).unwrap().unwrap();
        platform.work(4);
        stacks[0].wait_minutes(20);
    }
    assert_eq!(platform.ports.sandbox.world(), world);
    assert_eq!(platform.ports.writes(), writes);
}

#[test]
fn a_tick_over_five_stacks_corrects_what_the_policy_says() {
    let stacks = deployed(&["fix1", "fix2", "see1", "see2", "see3"]);
    let platform = running(&stacks);
    assert_eq!(verdicts(&stacks), [StackVerdict::Clean; 5]);
    for name in ["fix1-a", "see1-a"] {
        set_config(&stacks[0], name, json!({"retention_ms": 1_800_000}));
    }
    let ticked = platform.tick(DueScope::Due).unwrap().unwrap();
    assert_eq!((ticked.stacks, ticked.checks, ticked.groups), (5, 5, 1));
    platform.work(4);
    let sent = platform.queue.sent.borrow().clone();
    let applies: Vec<String> = sent
        .iter()
        .filter_map(|work| match work {
            Work::Apply { stack, .. } => Some(stack.to_string()),
            _ => None,
        })
        .collect();
    assert_eq!(applies, ["fix1"], "{sent:?}");
    assert_eq!(platform.ports.writes(), 1);
    stacks[0].wait_minutes(20);
    let found = verdicts(&stacks);
    assert_eq!(
        found[0],
        StackVerdict::Clean,
        "{}",
        describe(&stacks[0].check())
    );
    assert_eq!(found[2], StackVerdict::Drifted, "reported, and left");
    assert_settled(&stacks, &platform);
}

#[test]
fn the_same_tick_twice_sends_nothing_more() {
    let stacks = deployed(&["fix1", "see1"]);
    let platform = running(&stacks);
    platform.tick(DueScope::Due).unwrap().unwrap();
    assert_eq!(platform.queue.sent.borrow().len(), 1);
    platform.tick(DueScope::Due).unwrap().unwrap();
    assert_eq!(platform.queue.sent.borrow().len(), 1);
    platform.work(1);
    assert_settled(&stacks, &platform);
}

#[test]
fn a_new_revision_is_deployed_without_a_person() {
    let mut stacks = deployed(&["fix1", "see1"]);
    let platform = running(&stacks);
    stacks[1].topics(&[
        ("a", "retention_ms: 3600000"),
        ("b", ""),
        ("c", ""),
        ("d", ""),
    ]);
    let revision = stacks[1].push(&commit(2)).stored.revision();
    let ticked = platform.tick(DueScope::Due).unwrap().unwrap();
    assert_eq!(ticked.applies, 1);
    platform.work(1);
    let world = platform.ports.sandbox.world().to_string();
    assert!(world.contains("see1-d"));
    let history = stacks[1].check_stored().unwrap();
    assert_eq!(history.declared.revision, revision);
    assert_settled(&stacks, &platform);
}

#[test]
fn a_stack_that_can_not_be_worked_on_blocks_no_other() {
    let stacks = deployed(&["bad", "fix1"]);
    let platform = running(&stacks);
    stacks[0].put_object("stacks/bad/state.json", "{");
    set_config(&stacks[0], "fix1-a", json!({"retention_ms": 1_800_000}));
    platform.tick(DueScope::All).unwrap().unwrap();
    platform.work(1);
    stacks[0].wait_minutes(20);
    assert_eq!(stacks[1].check().verdict(), StackVerdict::Clean);
    assert_settled(&stacks, &platform);
}
