//! What the store takes: one write a second of a key, and no object that could not be read back.

use kedge_core::model::{CheckEvery, ResourceKey, Timestamp};
use kedge_core::state::{self, AutomaticChange, State};
use kedge_core::stored::index::{self, Entry, Index};
use kedge_engine::PushError;
use kedge_engine::RunError;
use kedge_tests::authority::Authorisation;
use kedge_tests::pushed::commit;
use kedge_tests::stack::{Stack, person, stack_name};

use super::leases::{busy, heal};
use super::push::{DEFINITIONS, INDEX, standing};

const STATE: &str = "stacks/dev/state.json";
/// R2 takes one write a second of a key.
const APART_MS: i64 = 1_000;

/// When state was written.
fn written(stack: &Stack) -> Vec<i64> {
    let written = stack.ports.store.written.borrow();
    let of_state = written.iter().filter(|(key, _)| key == STATE);
    of_state.map(|(_, at)| *at).collect()
}

#[test]
fn state_is_written_at_most_once_a_second_from_the_first_to_the_last() {
    for latency_ms in [1, 20, 100, 499, 500, 900, 2_000] {
        let mut stack = Stack::new();
        stack.policy("correct: safe, deploy: disruptive, correct_after: 0, prune: true");
        let mut stack = stack.with_small();
        stack.ports.latency_ms.set(latency_ms);
        stack.unattended();
        stack.wait_minutes(90);
        stack.topics(&[("a", "retention_ms: 7200000"), ("b", "partitions: 4")]);
        stack.mail("ack_deadline_seconds: 60");
        stack.nodes(&[]);
        stack.person(&["dev-b-dlq", "n1.clustera.io"]);
        let written = written(&stack);
        assert!(written.len() > 4, "{written:?}");
        for pair in written.windows(2) {
            assert!(pair[1] - pair[0] >= APART_MS, "{latency_ms}: {written:?}");
        }
        let refused = stack.ports.store.refused.borrow().clone();
        assert!(!refused.iter().any(|key| key == STATE), "{refused:?}");
        stack.ports.latency_ms.set(1);
        heal(&stack);
    }
}

#[test]
fn a_write_that_comes_too_soon_is_waited_out() {
    let (mut stack, allow) = busy(1);
    let (_, changed) = stack.person(&allow);
    assert!(changed.is_complete(), "{:?}", changed.results);
    // A run right after it takes the lease within a second of its release.
    stack.topics(&[("a", "retention_ms: 3600000"), ("b", "partitions: 4")]);
    let (_, changed) = stack.person(&[]);
    assert!(changed.is_complete(), "{:?}", changed.results);
    let refused = stack.ports.store.refused.borrow().clone();
    assert!(!refused.is_empty());
    heal(&stack);
}

/// A state that has so many bytes left before it is too large.
fn filled(stack: &Stack, left: usize) -> State {
    let text = stack.state_text();
    let mut state = state::decode(text.as_bytes(), &stack.name).unwrap();
    let fill = |fingerprint: String| AutomaticChange {
        at: Timestamp(stack.ports.executor.now_ms()),
        key: ResourceKey::kafka_topic("p", "s", "dev-x"),
        fingerprint,
        first_create: true,
    };
    state.automatic.push(fill(String::new()));
    let rest = state::encode(&state).unwrap().len();
    let bytes = state::BYTES_MAX - rest - left;
    state.automatic.pop();
    state.automatic.push(fill("x".repeat(bytes)));
    state
}

#[test]
fn a_run_whose_state_would_be_too_large_stops_before_its_first_change() {
    let (mut stopped, mut made) = (0, 0);
    for left in [0, 500, 24_000] {
        let (stack, allow) = busy(1);
        let small = stack.state_text();
        let state = filled(&stack, left);
        let text = String::from_utf8(state::encode(&state).unwrap()).unwrap();
        stack.ports.store.set(STATE, text.clone());
        stack.ports.clear_sent();
        match stack.up(&person(&allow)).unwrap() {
            Err(error) => {
                stopped += 1;
                let RunError::Stopped { stopped, source } = &error else {
                    panic!("{error:?}");
                };
                let told = super::formats::chain(source);
                assert!(
                    told.contains("more than the 16 MiB that kedge reads"),
                    "{told}"
                );
                assert_eq!(stopped.changed.results, []);
                assert_eq!(stack.ports.writes(), 0, "{left}");
                assert!(stack.state_text() == text, "{left}: state was written");
            }
            Ok((_, changed)) => {
                made += 1;
                assert!(changed.is_complete(), "{left}");
                let text = stack.state_text();
                assert!(state::decode(text.as_bytes(), &stack.name).is_ok());
            }
        }
        if made == 0 {
            stack.ports.store.set(STATE, small);
            heal(&stack);
        }
    }
    assert!(stopped > 1 && made > 0, "{stopped} {made}");
}

#[test]
fn a_push_whose_registry_would_be_too_large_stores_nothing() {
    let mut stack = standing();
    let text = stack.ports.store.text(INDEX);
    let mut index = Index::decode(text.as_bytes()).unwrap();
    let key = |number: usize| {
        ResourceKey::dns_record_set("z", &format!("{number}.{}", "x".repeat(180)), "A")
    };
    let mut record_sets = std::collections::BTreeSet::new();
    let entry = |record_sets| Entry {
        revision: "e3b0c44298fc".to_owned(),
        record_sets,
        retired: false,
        check_every: CheckEvery::default(),
        reads: std::collections::BTreeMap::new(),
    };
    let each = 230;
    let mut number = 0;
    while (number + 1) * each < index::BYTES_MAX {
        record_sets.insert(key(number));
        number += 1;
    }
    index
        .stacks
        .insert(stack_name("other"), entry(record_sets.clone()));
    while let Ok(bytes) = index.encode()
        && bytes.len() + each < index::BYTES_MAX
    {
        for _ in 0..=(index::BYTES_MAX - bytes.len()) / (2 * each) {
            number += 1;
            record_sets.insert(key(number));
        }
        index
            .stacks
            .insert(stack_name("other"), entry(record_sets.clone()));
    }
    let full = index.encode().unwrap();
    stack.ports.store.set(INDEX, full.clone());
    let nodes: Vec<String> = (0..40)
        .map(|n| format!("name: n{n}, ips: [192.0.2.1], domain: n{n}.clustera.io"))
        .collect();
    let nodes: Vec<&str> = nodes.iter().map(String::as_str).collect();
    stack.nodes(&nodes);
    let before = stack.ports.store.text(DEFINITIONS);
    let writes = stack.ports.store.writes.get();
    let refused = stack.try_push(&commit(6)).unwrap().unwrap_err();
    assert!(matches!(refused, PushError::Encode(_)), "{refused:?}");
    let told = refused.to_string();
    assert!(told.contains("8 MiB that kedge reads"), "{told}");
    assert_eq!(stack.ports.store.writes.get(), writes);
    assert_eq!(stack.ports.store.text(DEFINITIONS), before);
    stack.ports.store.set(INDEX, text);
    stack.push(&commit(6));
    stack.up_stored(&Authorisation::Unattended).unwrap();
    stack.assert_pushed(&commit(6));
}
