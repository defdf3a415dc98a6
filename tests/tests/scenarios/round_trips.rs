//! How deep a check and an `up` are in round trips: what each waits for one after the other.

use std::collections::BTreeMap;

use kedge_engine::CheckRequest;

use kedge_tests::pushed::commit;
use kedge_tests::stack::{NODE, Stack};

/// How long each answer takes: long enough that nothing else counts beside it.
const ANSWER_MS: u64 = 40;

/// A pushed stack of each provider with something destructive to do, if it is asked to.
fn standing() -> Stack {
    let mut stack = Stack::new();
    stack.policy("correct: safe, deploy: disruptive, correct_after: 0, prune: true");
    stack.topics(&[("a", "retention_ms: 3600000"), ("b", "partitions: 2")]);
    stack.mail("");
    stack.nodes(&[NODE]);
    stack.person(&[]);
    stack.push(&commit(1));
    stack.wait_minutes(60);
    stack.by_stored = true;
    let _ = stack.check();
    stack.wait_minutes(1);
    stack.ports.latency_ms.set(ANSWER_MS);
    stack.ports.clear_sent();
    stack
}

#[test]
fn a_clean_check_of_stored_definitions_is_three_round_trips_deep() {
    let stack = standing();
    let reads = stack.ports.store.reads.get();
    let _ = stack.check();
    let chain = stack.ports.round_trips();
    assert_eq!(chain.len(), 3, "{chain:#?}");
    // Definitions, state and what checks remember; nothing is written.
    assert_eq!(stack.ports.store.reads.get() - reads, 3);
    // So is that of a group: what its stacks share is requested once.
    let stack = standing();
    let (none, invocation) = (BTreeMap::new(), stack.invocation());
    let engine = stack.engine_stored(&none, &invocation);
    let names = [stack.name.clone()];
    let group = stack.run(engine.check_group(&names, &CheckRequest::default()));
    assert!(group.checks.values().all(Result::is_ok), "{group:?}");
    assert_eq!(stack.ports.round_trips().len(), 3);
}

#[test]
fn an_up_with_consent_is_at_most_twelve_round_trips_deep() {
    let mut stack = standing();
    stack.topics(&[("a", "retention_ms: 3600000")]);
    stack.ports.latency_ms.set(1);
    let mut removing = commit(2);
    removing.consent.removals = true;
    stack.push(&removing);
    stack.ports.latency_ms.set(ANSWER_MS);
    stack.ports.clear_sent();
    let (_, changed) = stack.person(&["dev-b"]);
    assert_eq!(changed.done(), 1);
    let chain = stack.ports.round_trips();
    assert!(chain.len() <= 12, "{}: {chain:#?}", chain.len());
    stack.wait_minutes(60);
    stack.assert_settled();
}
