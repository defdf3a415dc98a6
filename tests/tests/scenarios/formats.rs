//! Objects that a newer program wrote: each is said to be newer, nothing is written over it, and what
//! can go on goes on. Numbers that are none of ours: damage, and never a panic.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::error::Error;

use kedge_core::report::{Outcome, StackVerdict};
use kedge_core::stored::{COUNT_MAX, TIME_MS_MAX};
use kedge_engine::Query;
use kedge_engine::ports::Clock as _;
use kedge_engine::{Progress, ReleaseRequest, RunError, StopError};
use kedge_tests::pushed::commit;
use kedge_tests::stack::{LEASE_OVER_MS, Stack, person};
use serde_json::{Value, json};

use super::leases::{busy, drive};
use super::push::{DEFINITIONS, INDEX, standing};
use super::set_config;

const STATE: &str = "stacks/dev/state.json";
const WATCH: &str = "stacks/dev/watch.json";
const LEASE: &str = "stacks/dev/lease.json";
const HOLD: &str = "stacks/dev/hold.json";

/// The text of an object as a newer program would write it, and as one would that added a key and
/// forgot to raise the number.
fn newer(text: &str) -> [String; 2] {
    let mut value: Value = serde_json::from_str(text).unwrap();
    value["of_the_future"] = json!({"kept": true});
    let forgot = value.to_string();
    value["format"] = json!(2);
    [value.to_string(), forgot]
}

/// An error with its causes.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text.push_str(&format!(": {next}"));
        cause = next.source();
    }
    text
}

/// Says that it is newer, and not that it is damaged.
fn assert_newer(text: &str) {
    assert!(
        text.contains("newer kedge") && !text.contains("damaged"),
        "{text}"
    );
}

/// A pushed stack that drifted.
fn drifted() -> Stack {
    let stack = standing();
    stack.wait_minutes(10);
    set_config(&stack, "dev-t000", json!({"retention_ms": 1000}));
    let _ = stack.check();
    stack
}

/// A check, and what it told on its way.
fn told_by_check(stack: &Stack) -> (StackVerdict, Vec<String>) {
    let told = RefCell::new(Vec::new());
    let progress = |progress: Progress<'_>| {
        if let Progress::NotRemembered(error) = progress {
            told.borrow_mut().push(chain(error));
        }
    };
    let checked = drive(stack, stack.checking(&progress)).unwrap();
    (checked.report.verdict(), told.into_inner())
}

#[test]
fn a_newer_state_stops_everybody() {
    let stack = drifted();
    for text in newer(&stack.state_text()) {
        let stack = stack.fork();
        stack.ports.store.set(STATE, text.clone());
        let world = stack.ports.sandbox.world();
        let errors = [
            stack.try_check().map(|_| ()).unwrap_err(),
            stack.up(&person(&[])).unwrap().map(|_| ()).unwrap_err(),
        ];
        for error in errors {
            let told = chain(&error);
            assert_newer(&told);
            // No older state takes the place of a newer program's.
            assert!(!told.contains("earlier states are in"), "{told}");
        }
        assert_eq!(stack.state_text(), text);
        assert_eq!(stack.ports.sandbox.world(), world);
    }
}

#[test]
fn a_newer_memory_of_checks_is_said_and_kept() {
    let stack = drifted();
    for text in newer(&stack.ports.store.text(WATCH)) {
        let stack = stack.fork();
        stack.ports.store.set(WATCH, text.clone());
        let (verdict, told) = told_by_check(&stack);
        assert_eq!(verdict, StackVerdict::Drifted);
        assert_eq!(told.len(), 1, "{told:?}");
        assert_newer(&told[0]);
        let (_, changed) = stack.person(&[]);
        assert!(changed.is_complete());
        stack.hold(None, 1);
        assert_eq!(stack.ports.store.text(WATCH), text);
    }
    // One that is only damaged is forgotten, and made anew without a word.
    for text in ["", "{", "{\"format\": 1}", "{\"format\": 0}"] {
        let stack = stack.fork();
        stack.ports.store.set(WATCH, text);
        assert_eq!(told_by_check(&stack), (StackVerdict::Drifted, Vec::new()));
        assert!(stack.ports.store.text(WATCH).contains("last_good_read_ms"));
    }
}

#[test]
fn newer_holds_hold_everything() {
    let stack = drifted();
    stack.hold(None, 1);
    stack.wait_minutes(5);
    for text in newer(&stack.ports.store.text(HOLD)) {
        let stack = stack.fork();
        stack.ports.store.set(HOLD, text.clone());
        let report = stack.check();
        let unread = report.holds_unread.expect("unread holds");
        assert_newer(&unread.describe());
        let (_, changed) = stack.person(&[]);
        assert_eq!(changed.done(), 0);
        for request in [ReleaseRequest::Stack, ReleaseRequest::Unreadable] {
            let refused = stack.try_release(&request).unwrap_err();
            assert_newer(&chain(&refused));
        }
        assert_eq!(stack.ports.store.text(HOLD), text);
    }
}

#[test]
fn a_newer_lease_is_nobodys_to_take() {
    let stack = drifted();
    for text in newer(&stack.ports.store.text(LEASE)) {
        let stack = stack.fork();
        stack.ports.store.set(LEASE, text.clone());
        let world = stack.ports.sandbox.world();
        let error = stack.up(&person(&[])).unwrap().map(|_| ()).unwrap_err();
        assert_newer(&chain(&error));
        // `unlock` would refuse.
        assert!(!chain(&error).contains("unlock"), "{}", chain(&error));
        let refused = drive(&stack, stack.replace_lease()).unwrap_err();
        assert_newer(&chain(&refused));
        assert_eq!(stack.ports.store.text(LEASE), text);
        assert_eq!(stack.ports.sandbox.world(), world);
    }
}

#[test]
fn newer_definitions_are_invalid_and_a_newer_registry_refuses_pushes() {
    let stack = drifted();
    for text in newer(&stack.ports.store.text(DEFINITIONS)) {
        let stack = stack.fork();
        stack.ports.store.set(DEFINITIONS, text.clone());
        let report = stack.check_stored().unwrap();
        assert_eq!(report.verdict(), StackVerdict::Invalid);
        let reason = report.invalid.unwrap().reason;
        assert!(reason.contains("newer kedge"), "{reason}");
        let refused = stack.try_push(&commit(6)).unwrap().unwrap_err();
        assert_newer(&chain(&refused));
        assert_eq!(stack.ports.store.text(DEFINITIONS), text);
    }
    for text in newer(&stack.ports.store.text(INDEX)) {
        let stack = stack.fork();
        stack.ports.store.set(INDEX, text.clone());
        let refused = stack.try_push(&commit(6)).unwrap().unwrap_err();
        assert_newer(&chain(&refused));
        assert_eq!(stack.ports.store.text(INDEX), text);
    }
}

/// Where the numbers of a value are, by JSON pointer.
fn numbers(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            for (key, part) in object {
                let key = key.replace('~', "~0").replace('/', "~1");
                numbers(part, &format!("{at}/{key}"), found);
            }
        }
        Value::Array(list) => {
            for (number, part) in list.iter().enumerate() {
                numbers(part, &format!("{at}/{number}"), found);
            }
        }
        Value::Number(_) => found.push(at.to_owned()),
        _ => {}
    }
}

/// A key of each kind of object, the last where there are several.
fn one_of_each(stack: &Stack) -> Vec<String> {
    let mut last = BTreeMap::new();
    for key in stack.ports.store.keys() {
        // Copies, revisions, records and grants are in folders of a stack's own.
        let folder = key
            .rsplit_once('/')
            .filter(|_| key.matches('/').count() > 2);
        let kind = folder.map_or(key.as_str(), |(folder, _)| folder);
        last.insert(kind.to_owned(), key);
    }
    last.into_values().collect()
}

/// Everything that reads the store, whatever comes of it: no overflow, no panic, and what was written
/// can be read.
fn use_everything(stack: &Stack) {
    let _ = stack.try_check();
    let _ = stack.check_stored();
    let _ = stack.up(&person(&["dev-b-dlq"]));
    if let Ok(Some(holder)) = drive(stack, stack.lease_holder()) {
        let _ = (holder.to_string(), holder.has_ended());
        let _ = drive(stack, stack.unlock(&holder));
    }
    let _ = drive(stack, stack.replace_lease());
    let _ = stack.try_release(&ReleaseRequest::Stack);
    let query = Query {
        most: 10,
        since: Some(stack.ports.now()),
        ..Query::default()
    };
    let _ = drive(stack, stack.history(&query));
    let _ = stack.try_push(&commit(9));
    stack.wait_ms(LEASE_OVER_MS);
    let _ = stack.up(&kedge_tests::authority::Authorisation::Unattended);
}

#[test]
fn no_number_in_the_store_makes_anything_overflow() {
    let (stack, _) = busy(1);
    stack.push(&commit(5));
    stack.hold(Some(kedge_tests::stack::topic("x")), 60);
    let _ = stack.check();
    // A crash leaves changes begun, and a lease that is held.
    stack.crash_at(Some(kedge_tests::ports::CrashPoint::After(26)));
    let crashed = stack.up(&person(&["dev-b-dlq"]));
    assert!(crashed.is_err(), "it crashed");
    stack.crash_at(None);
    stack.wait_ms(LEASE_OVER_MS);
    let extremes = [
        json!(u64::MAX),
        json!(i64::MAX),
        json!(-1),
        json!(COUNT_MAX),
        json!(TIME_MS_MAX),
    ];
    let mut tried = 0;
    for key in one_of_each(&stack) {
        let whole: Value = serde_json::from_str(&stack.ports.store.text(&key)).unwrap();
        let mut found = Vec::new();
        numbers(&whole, "", &mut found);
        for pointer in found {
            for number in &extremes {
                let stack = stack.fork();
                let mut odd = whole.clone();
                *odd.pointer_mut(&pointer).unwrap() = number.clone();
                stack.ports.store.set(&key, odd.to_string());
                use_everything(&stack);
                tried += 1;
            }
        }
    }
    assert!(tried > 150, "{tried}");
}

#[test]
fn a_counter_at_its_end_stops_a_run_before_it_writes() {
    let stack = drifted();
    let lease = stack.ports.store.text(LEASE);
    let mut full: Value = serde_json::from_str(&lease).unwrap();
    full["epoch"] = json!(COUNT_MAX);
    stack.ports.store.set(LEASE, full.to_string());
    let world = stack.ports.sandbox.world();
    let error = stack.up(&person(&[])).unwrap().map(|_| ()).unwrap_err();
    let RunError::Stopped { source, .. } = &error else {
        panic!("{error:?}");
    };
    assert!(matches!(source, StopError::Lease(_)), "{source:?}");
    assert!(chain(&error).contains("too large for a count"), "{error:?}");
    assert_eq!(stack.ports.sandbox.world(), world);
    assert_eq!(stack.ports.store.text(LEASE), full.to_string());
    stack.ports.store.set(LEASE, lease);
    let (_, changed) = stack.person(&[]);
    let is_done = |carried: &kedge_core::report::ChangeResult| carried.outcome == Outcome::Done;
    assert!(changed.results.iter().all(is_done) && changed.done() == 1);
    stack.wait_minutes(10);
    stack.assert_settled();
}
