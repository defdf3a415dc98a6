//! Stacks that are checked together read what they share of a provider once, and one stack's trouble is its
//! own: its failures, its proofs, its salt, its place in the budget (semantics 3.5, 8.9).

mod budget;
mod late;

use std::collections::BTreeSet;

use kedge_core::report::{Report, StackVerdict};
use kedge_engine::ports::{Clock as _, ProviderName, Store};
use kedge_engine::{Budget, CheckRequest, Engine, GroupCheck};
use kedge_sandbox::{Effect, Fault, Matches, Provider};
use kedge_tests::crowd::Crowd;
use kedge_tests::ports::Sent;
use kedge_tests::pushed::commit;
use kedge_tests::stack::{Invocation, Stack, describe, stack_name};
use serde_json::{Value, json};

use super::{deed, set_config, status};

const HOUR_MS: i64 = 3_600_000;
const NAMES: [&str; 3] = ["s0", "s1", "s2"];

/// Stacks of one service and project, deployed by the same area files long ago.
fn deployed(define: impl Fn(&mut Stack)) -> Vec<Stack> {
    let mut first = Stack::new();
    let policy = "correct: safe, deploy: disruptive, correct_after: 0";
    first.project(policy, "{creates_max: 1000}", "[]");
    define(&mut first);
    for name in NAMES {
        first.name = stack_name(name);
        first.config("");
    }
    let of = |name: &&str| Stack {
        name: stack_name(name),
        ..first.clone()
    };
    let stacks: Vec<Stack> = NAMES.iter().map(of).collect();
    for stack in &stacks {
        let _ = stack.unattended();
    }
    first.wait_minutes(60);
    for stack in &stacks {
        let report = stack.check();
        assert_eq!(
            report.verdict(),
            StackVerdict::Clean,
            "{}",
            describe(&report)
        );
    }
    first.wait_minutes(15);
    first.ports.clear_sent();
    stacks
}

/// The same by definitions that were pushed.
fn pushed(mut stacks: Vec<Stack>) -> Vec<Stack> {
    for stack in &mut stacks {
        stack.push(&commit(1));
        stack.by_stored = true;
    }
    stacks[0].wait_minutes(15);
    let _ = group(&stacks);
    stacks[0].wait_minutes(15);
    stacks[0].ports.clear_sent();
    stacks
}

/// The same stacks in a world of their own, with this trouble.
fn forked(stacks: &[Stack], trouble: &dyn Fn(&Stack)) -> Vec<Stack> {
    let fork = stacks[0].fork();
    trouble(&fork);
    let of = |stack: &Stack| Stack {
        name: stack.name.clone(),
        ..fork.clone()
    };
    stacks.iter().map(of).collect()
}

/// Asserts that `s1` is told the same in the group as alone. Gives the group.
fn as_alone(stacks: &[Stack], trouble: &dyn Fn(&Stack), what: &str) -> (Vec<Stack>, GroupCheck) {
    let alone = forked(stacks, trouble)[1].check();
    let stacks = forked(stacks, trouble);
    let group = group(&stacks);
    let grouped = report(&group, "s1");
    let is_same = describe(grouped) == describe(&alone);
    assert!(is_same, "{what}: {} {}", grouped.verdict(), alone.verdict());
    (stacks, group)
}

/// Forty topics each: two batches for all of them, if they are filled.
fn of_forty() -> Vec<Stack> {
    deployed(|stack| stack.many_topics(40, "retention_ms: 3600000"))
}

fn given(stack: &Stack, requests: Option<u64>) -> Invocation {
    let budget = Budget::lasting(&stack.ports, HOUR_MS);
    Invocation {
        budget: match requests {
            Some(limit) => budget.requests(limit),
            None => budget,
        },
        ..stack.invocation()
    }
}

/// A check of all of them over this store.
fn group_over<S: Store>(stacks: &[Stack], store: &S, given: &Invocation) -> GroupCheck {
    let first = &stacks[0];
    let bundle = first.set();
    let settings = first.engine(&bundle, &first.variables, given).settings;
    let ports = Crowd::over(&first.ports);
    let engine = Engine::new(&ports, store, settings);
    let names: Vec<_> = stacks.iter().map(|stack| stack.name.clone()).collect();
    let group = first.run(engine.check_group(&names, &CheckRequest::default()));
    let all = format!("{group:?}");
    assert!(!all.contains("s3cret"), "a secret is in it");
    group
}

fn group(stacks: &[Stack]) -> GroupCheck {
    let ports = &stacks[0].ports;
    group_over(stacks, ports, &given(&stacks[0], None))
}

fn report<'a>(group: &'a GroupCheck, name: &str) -> &'a Report {
    match &group.checks[&stack_name(name)] {
        Ok(checked) => &checked.report,
        Err(error) => panic!("{name}: {error:?}"),
    }
}

fn assert_clean(group: &GroupCheck, names: &[&str], what: &str) {
    for name in names {
        let report = report(group, name);
        let verdict = report.verdict();
        assert_eq!(
            verdict,
            StackVerdict::Clean,
            "{what}: {name}: {}",
            describe(report)
        );
    }
}

/// A name of a topic that no other one holds.
fn quoted(topic: &str) -> String {
    format!("\"{topic}\"")
}

fn fault(path: &str, body: &str, effect: Effect, times: Option<u32>) -> Fault {
    let part = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Fault {
        matches: Matches {
            path: part(path),
            body: part(body),
            ..Matches::default()
        },
        effect,
        times,
    }
}

/// What was asked of Aiven since the last time: how many lists, and the names of each bulk read.
fn asked_of_aiven(stack: &Stack) -> (usize, Vec<Vec<String>>) {
    let sent = stack.ports.sent.take();
    let of_aiven = sent
        .iter()
        .filter(|one| one.provider == ProviderName::Aiven);
    let (bulks, others): (Vec<&Sent>, Vec<&Sent>) =
        of_aiven.partition(|one| one.path.starts_with("/v2/"));
    let names = |one: &&Sent| -> Vec<String> {
        let mut body: Value = serde_json::from_slice(&one.body).unwrap();
        serde_json::from_value(body["topic_names"].take()).unwrap()
    };
    (others.len(), bulks.iter().map(names).collect())
}

// --- what is read once

#[test]
fn topics_of_all_stacks_are_read_in_the_fewest_batches_and_each_batch_once() {
    let stacks = of_forty();
    let checked = group(&stacks);
    assert_clean(&checked, &NAMES, "");
    let (lists, mut bulks) = asked_of_aiven(&stacks[0]);
    bulks.sort_by_key(Vec::len);
    let sizes: Vec<usize> = bulks.iter().map(Vec::len).collect();
    assert_eq!((lists, sizes), (1, vec![20, 100]));
    let names: BTreeSet<String> = bulks.concat().into_iter().collect();
    assert_eq!(names.len(), 120);
    // Drift of one of them is nobody else's.
    set_config(&stacks[0], "s1-t007", json!({"retention_ms": 1000}));
    let checked = group(&stacks);
    assert_clean(&checked, &["s0", "s2"], "");
    assert_eq!(report(&checked, "s1").verdict(), StackVerdict::Drifted);
    let mine = |report: &Report| report.comparison.differences.len();
    assert!(NAMES.iter().all(|name| mine(report(&checked, name)) == 40));
}

#[test]
fn no_request_of_a_group_is_sent_twice() {
    let stacks = deployed(|stack| {
        stack.topics(&[("a", "retention_ms: 3600000"), ("b", "")]);
        stack.mail("");
    });
    assert_clean(&group(&stacks), &NAMES, "");
    let sent = stacks[0].ports.sent.take();
    let mut requests: Vec<_> = sent
        .iter()
        .map(|sent| (&sent.method, &sent.path, &sent.body))
        .collect();
    let count = requests.len();
    requests.sort();
    requests.dedup();
    assert_eq!(requests.len(), count, "{requests:?}");
    // Lists of topics, topics and subscriptions, one batch of topics; a policy for each stack.
    assert_eq!(count, 3 + 1 + 3, "{requests:?}");
}

#[test]
fn a_request_of_a_group_that_fails_is_repeated_once_for_all() {
    let stacks = of_forty();
    // A list, and two batches; as often as each fails, it is sent once more.
    for (path, failures) in [("/v1/", 1), ("/v1/", 4), ("/v2/", 1), ("/v2/", 4)] {
        let fault = fault(path, "", status(503), Some(failures));
        stacks[0].ports.sandbox.add_fault(fault);
        stacks[0].ports.clear_sent();
        assert_clean(&group(&stacks), &NAMES, path);
        let (lists, bulks) = asked_of_aiven(&stacks[0]);
        let expected = usize::try_from(failures).unwrap() + 1 + 2;
        assert_eq!(lists + bulks.len(), expected, "{path} {failures}");
    }
    // What fails for good is not tried more often than by a stack alone.
    let gone = |stack: &Stack| stack.trouble(Provider::Aiven, "/v1/", status(503));
    let stacks = forked(&stacks, &gone);
    let checked = group(&stacks);
    assert_eq!(asked_of_aiven(&stacks[0]), (5, Vec::new()));
    for name in NAMES {
        let verdict = report(&checked, name).verdict();
        assert_eq!(verdict, StackVerdict::Incomplete);
    }
}

// --- what is not shared

#[test]
fn a_topic_that_is_missing_is_proven_for_its_stack_alone() {
    let gone = |stack: &Stack| {
        deed(stack, json!({"do": "delete_topic", "topic": "s1-t007"}));
        stack.wait_minutes(15);
    };
    let (stacks, checked) = as_alone(&of_forty(), &gone, "");
    assert_clean(&checked, &["s0", "s2"], "");
    assert_eq!(report(&checked, "s1").verdict(), StackVerdict::Drifted);
    // The list, the service and the missing topic, each once.
    let (others, bulks) = asked_of_aiven(&stacks[0]);
    assert_eq!((others, bulks.len(), bulks.concat().len()), (3, 2, 119));
}

/// As if the cache of bulk reads did not know a topic.
fn old_cache() -> Effect {
    Effect::BulkLag { ms: 100 * HOUR_MS }
}

/// How a topic of one stack can make a batch fail that holds topics of others.
fn spoiling() -> Vec<(&'static str, Effect)> {
    vec![
        ("the cache of bulk reads does not know it", old_cache()),
        ("its broker does not answer", status(500)),
        ("it is not made yet", status(501)),
        ("it takes too long", Effect::Latency { ms: 20_000 }),
        (
            "the connection breaks",
            Effect::LoseAnswer { applied: false },
        ),
        (
            "the answer is too large",
            Effect::HugeBody { bytes: 100_000_000 },
        ),
        ("it can't be understood", Effect::WrongTypes),
        ("a page comes instead", Effect::HtmlBody { code: 200 }),
    ]
}

#[test]
fn a_topic_that_spoils_a_batch_hides_nothing_of_the_other_stacks() {
    let stacks = of_forty();
    let mut verdicts = Vec::new();
    for (what, effect) in spoiling() {
        let spoilt = |stack: &Stack| {
            let spoilt = fault("/v2/", &quoted("s1-t007"), effect.clone(), None);
            stack.ports.sandbox.add_fault(spoilt);
        };
        let (_, checked) = as_alone(&stacks, &spoilt, what);
        assert_clean(&checked, &["s0", "s2"], what);
        verdicts.push(report(&checked, "s1").verdict());
    }
    // What only the bulk read does not know is read by name.
    let (clean, others): (Vec<_>, Vec<_>) = verdicts
        .into_iter()
        .partition(|verdict| *verdict == StackVerdict::Clean);
    assert_eq!(
        (clean.len(), others),
        (2, vec![StackVerdict::Incomplete; 6])
    );
}

#[test]
fn what_one_stack_may_read_to_prove_its_absences_is_not_taken_from_the_others() {
    // More names than twenty reads can find: each batch with one of them is refused.
    let spoilt = |stack: &Stack| {
        for number in 0..40 {
            let stale = quoted(&format!("s1-t{number:03}"));
            let fault = fault("/v2/", &stale, old_cache(), None);
            stack.ports.sandbox.add_fault(fault);
        }
    };
    let (_, checked) = as_alone(&of_forty(), &spoilt, "");
    assert_clean(&checked, &["s0", "s2"], "");
    let verdict = report(&checked, "s1").verdict();
    assert_eq!(verdict, StackVerdict::Incomplete);
}

#[test]
fn a_stack_that_cannot_be_read_from_the_store_is_not_waited_for_nor_read_along() {
    let stacks = pushed(of_forty());
    for damage in ["definitions.json", "state.json", "watch.json"] {
        let stack = &stacks[0];
        stack.ports.clear_sent();
        let began = stack.ports.now();
        let key = format!("stacks/s1/{damage}");
        stack.ports.store.fail_reads(&key, 0, 9);
        let checked = group(&stacks);
        stack.ports.store.read_faults.borrow_mut().clear();
        assert_clean(&checked, &["s0", "s2"], damage);
        assert!(checked.checks[&stack_name("s1")].is_err(), "{damage}");
        let (lists, bulks) = asked_of_aiven(stack);
        assert_eq!(
            (lists, bulks.len(), bulks.concat().len()),
            (1, 1, 80),
            "{damage}"
        );
        let ms = stack.ports.now().ms_since(began);
        assert!(ms < 1_000, "{damage}: {ms}");
    }
    // Stored definitions that can't be used: the last revision that can is checked by.
    let stack = &stacks[0];
    stack.ports.store.set("stacks/s1/definitions.json", "{");
    let checked = group(&stacks);
    assert_clean(&checked, &["s0", "s2"], "damaged");
    assert!(report(&checked, "s1").declared.stack == stack_name("s1"));
}

#[test]
fn each_stack_hashes_with_its_own_salt_what_all_of_them_read() {
    let stacks = deployed(|stack| {
        stack.mail("push_endpoint: \"https://hooks.example/mail?token=push-s3cret\"");
    });
    let salt = |stack: &Stack| {
        let state: Value = serde_json::from_str(&stack.state_text()).unwrap();
        let salt = state["salt"].as_str().unwrap();
        salt.to_owned()
    };
    let salts: BTreeSet<String> = stacks.iter().map(salt).collect();
    assert_eq!(salts.len(), 3, "{salts:?}");
    assert_clean(&group(&stacks), &NAMES, "");
    // The same secret in all of them, and another in one: each is compared by its own hash.
    let other = json!({
        "do": "set_push_endpoint",
        "subscription": "s2-mail-sub",
        "endpoint": "https://hooks.example/mail?token=other-s3cret",
    });
    deed(&stacks[0], other);
    let checked = group(&stacks);
    assert_clean(&checked, &["s0", "s1"], "");
    assert_eq!(report(&checked, "s2").verdict(), StackVerdict::Drifted);
}
