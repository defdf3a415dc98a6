//! Who is late, and who looks again.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use kedge_adapters::{BeforeStore, HookedStore, StoreOperation};
use kedge_core::ran_out::RanOut;
use kedge_engine::Budget;
use kedge_engine::ports::{Clock as _, StoreError};
use kedge_tests::ports::SimPorts;
use kedge_tests::stack::{Invocation, Stack};
use serde_json::json;

use super::{NAMES, asked_of_aiven, assert_clean, given, group_over, of_forty, report, set_config};

/// What happens before a store answers the n-th read (from 1) of a key: it may take some milliseconds.
type BeforeRead<'a> = &'a dyn Fn(&str, usize) -> u64;

/// Does something before each read.
struct BeforeReads<'a> {
    ports: SimPorts,
    before: BeforeRead<'a>,
    reads: RefCell<BTreeMap<String, usize>>,
}

impl BeforeStore for BeforeReads<'_> {
    type Kept<'k>
        = ()
    where
        Self: 'k;

    async fn before(&self, operation: StoreOperation<'_>) -> Result<(), StoreError> {
        let StoreOperation::Get(key) = operation else {
            return Ok(());
        };
        let count = {
            let mut reads = self.reads.borrow_mut();
            let count = reads.entry(key.to_owned()).or_default();
            *count += 1;
            *count
        };
        let ms = (self.before)(key, count);
        if ms > 0 {
            self.ports.sleep_ms(ms).await;
        }
        Ok(())
    }
}

fn hooked<'a>(stack: &Stack, before: BeforeRead<'a>) -> HookedStore<SimPorts, BeforeReads<'a>> {
    let ports = stack.ports.clone();
    HookedStore {
        inner: ports.clone(),
        hook: BeforeReads {
            ports,
            before,
            reads: RefCell::default(),
        },
    }
}

const STATE_OF_S1: &str = "stacks/s1/state.json";

#[test]
fn a_slow_stack_is_waited_for_and_one_that_hangs_is_not() {
    let stacks = of_forty();
    for (slow_ms, lists, batches) in [(9_000, 1, 2), (60_000, 2, 2)] {
        let before = |key: &str, _| match key == STATE_OF_S1 {
            true => slow_ms,
            false => 0,
        };
        let store = hooked(&stacks[0], &before);
        let checked = group_over(&stacks, &store, &given(&stacks[0], None));
        assert_clean(&checked, &NAMES, "");
        let (others, bulks) = asked_of_aiven(&stacks[0]);
        assert_eq!((others, bulks.len()), (lists, batches), "{slow_ms}");
    }
    // One that hangs for longer than the group has time takes none of it from the others.
    let before = |key: &str, _| match key == STATE_OF_S1 {
        true => 50_000,
        false => 0,
    };
    let store = hooked(&stacks[0], &before);
    let given = Invocation {
        budget: Budget::lasting(&stacks[0].ports, 40_000),
        ..stacks[0].invocation()
    };
    let checked = group_over(&stacks, &store, &given);
    assert_clean(&checked, &["s0", "s2"], "");
    let late = report(&checked, "s1");
    assert_eq!(late.ran_out, Some(RanOut::Time));
}

#[test]
fn a_stack_that_looks_again_takes_no_answer_that_is_older_than_its_state() {
    let stacks = of_forty();
    let stack = &stacks[1];
    set_config(stack, "s1-t007", json!({"retention_ms": 1000}));
    let is_moved = Cell::new(false);
    // Before the check makes sure of it, a run corrects the drift and writes state.
    let before = |key: &str, count: usize| {
        if key == STATE_OF_S1 && count == 2 {
            set_config(stack, "s1-t007", json!({"retention_ms": 3_600_000}));
            stack
                .ports
                .store
                .set(STATE_OF_S1, stack.state_text() + "\n");
            is_moved.set(true);
        }
        0
    };
    let store = hooked(&stacks[0], &before);
    let checked = group_over(&stacks, &store, &given(&stacks[0], None));
    assert!(is_moved.get());
    assert_clean(&checked, &NAMES, "");
    // It reads its own once more, and nothing of the others.
    let (lists, bulks) = asked_of_aiven(stack);
    let sizes: Vec<usize> = bulks.iter().map(Vec::len).collect();
    assert_eq!((lists, sizes.len(), sizes.iter().sum()), (2, 3, 160));
}
