//! How many requests a check makes and how deep they stand, in virtual time.

use std::collections::BTreeMap;
use std::path::Path;

use kedge_core::report::StackVerdict;
use kedge_engine::ports::ProviderName;
use kedge_tests::stack::{NODE, Stack};

/// Every file of the repository's own definitions.
fn shipped() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../definitions");
    let mut files = BTreeMap::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = std::fs::read_to_string(&path).unwrap();
                let name = path.strip_prefix(&root).unwrap();
                files.insert(name.to_str().unwrap().replace('\\', "/"), text);
            }
        }
    }
    files
}

const ANSWER_MS: u64 = 50;

/// Requests of one check to each provider, and how many answers deep it is.
fn measure(stack: &Stack) -> (Vec<usize>, i64) {
    // The first check after a run remembers that its writes took; what counts is the usual one.
    let _ = stack.check();
    stack.ports.latency_ms.set(ANSWER_MS);
    stack.ports.clear_sent();
    let (reads, writes) = (
        stack.ports.store.reads.get(),
        stack.ports.store.writes.get(),
    );
    let began = stack.ports.executor.now_ms();
    let report = stack.check();
    let took = stack.ports.executor.now_ms() - began;
    assert_eq!(report.verdict(), StackVerdict::Clean);
    assert_eq!(stack.ports.writes(), 0);
    assert_eq!(stack.ports.store.writes.get(), writes);
    // State and the memory of checks.
    assert_eq!(stack.ports.store.reads.get() - reads, 2);
    stack.ports.latency_ms.set(1);
    let depth = took / i64::try_from(ANSWER_MS).unwrap();
    assert_eq!(took % i64::try_from(ANSWER_MS).unwrap(), 0, "{took}");
    (
        ProviderName::ALL
            .map(|provider| stack.ports.counts(provider).0)
            .to_vec(),
        depth,
    )
}

/// How many objects one `up` writes, and how many whole seconds it may count.
fn written_by_up(stack: &Stack, allow: &[&str]) -> (usize, usize) {
    let before = stack.ports.store.writes.get();
    let began = stack.ports.executor.now_ms();
    let (_, changed) = stack.person(allow);
    assert!(changed.is_complete() && changed.done() > 0);
    let took = stack.ports.executor.now_ms() - began;
    let seconds = usize::try_from(took).unwrap().div_ceil(1000);
    (stack.ports.store.writes.get() - before, seconds)
}

#[test]
fn an_up_writes_little() {
    // Answers of a millisecond to two seconds: a run of less than a second to one of minutes.
    for answer_ms in [1, 20, 100, 500, 2_000] {
        let mut stack = Stack::new();
        stack.policy("correct: safe, deploy: disruptive, correct_after: 0, prune: true");
        let mut stack = stack.with_small();
        stack.ports.latency_ms.set(answer_ms);
        // Lease, an empty state, its copy, what begins, what was done, record, release, memory.
        let (first, seconds) = written_by_up(&stack, &[]);
        assert!(
            first <= 6 + 2 * seconds,
            "{answer_ms}: {first} in {seconds} s"
        );
        assert!(answer_ms > 1 || first == 8, "{first}");
        stack.wait_minutes(90);
        stack.topics(&[("a", "retention_ms: 7200000"), ("b", "partitions: 2")]);
        stack.nodes(&[]);
        let (again, seconds) = written_by_up(&stack, &["dev-b-dlq", "n1.clustera.io"]);
        // And two for the consent.
        assert!(
            again <= 8 + 2 * seconds,
            "{answer_ms}: {again} in {seconds} s"
        );
        stack.ports.latency_ms.set(1);
        stack.wait_minutes(10);
        stack.assert_settled();
    }
}

#[test]
fn a_check_of_every_shipped_stack_is_three_answers_deep() {
    for name in ["development", "testing", "staging", "prod", "steve1"] {
        let stack = Stack::of(name, shipped());
        assert_eq!(stack.check().verdict(), StackVerdict::NotAdopted);
        stack.person(&[]);
        stack.assert_settled();
        // State and memory, lists, then what needs the lists.
        assert_eq!(measure(&stack), (vec![2, 3, 1], 3), "{name}");
    }
}

#[test]
fn topics_are_read_by_the_hundred() {
    for (topics, bulk) in [(1, 1), (100, 1), (101, 2), (600, 6)] {
        let mut stack = Stack::new();
        stack.project("correct: none", "{creates_max: 1000}", "[]");
        stack.many_topics(topics, "");
        stack.mail("");
        stack.nodes(&[NODE]);
        stack.person(&[]);
        assert_eq!(measure(&stack), (vec![1 + bulk, 3, 1], 3), "{topics}");
        stack.assert_settled();
    }
}

#[test]
fn what_is_not_declared_is_not_read() {
    let mut stack = Stack::new();
    stack.topics(&[]);
    stack.nodes(&[NODE]);
    stack.person(&[]);
    assert_eq!(measure(&stack), (vec![0, 0, 1], 2));
    stack.assert_settled();
}
