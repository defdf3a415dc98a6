//! The time in which a drift came about: found at its first sight, and not moved by later checks.

use kedge_core::model::Timestamp;
use kedge_core::report::Report;
use kedge_core::state::Window;
use kedge_tests::stack::{Stack, topic};
use serde_json::json;

use super::set_config;

fn standing() -> Stack {
    let mut stack = Stack::new();
    stack.policy("correct: none, deploy: none, correct_after: 0");
    stack.topics(&[("a", "retention_ms: 3600000, max_message_bytes: 2000")]);
    stack.person(&[]);
    stack.wait_minutes(20);
    let _ = stack.check();
    stack
}

fn now(stack: &Stack) -> Timestamp {
    stack.ports.true_now()
}

/// A window as a page shows it, at one time for all.
fn text(window: &Window) -> String {
    window.describe(Timestamp(i64::MAX))
}

fn window(report: &Report) -> Window {
    report.windows.get(&topic("a")).unwrap().clone()
}

#[test]
fn a_drift_keeps_the_window_of_its_first_sight() {
    let stack = standing();
    let calm = now(&stack);
    stack.wait_minutes(5);
    set_config(&stack, "dev-a", json!({"retention_ms": 1000}));
    stack.wait_minutes(5);
    let first = window(&stack.check());
    assert!(first.after.unwrap() <= calm && first.before > calm.plus_ms(300_000));
    for _ in 0..4 {
        stack.wait_minutes(20);
        assert_eq!(window(&stack.check()), first);
    }
    stack.person(&[]);
    let corrected = now(&stack);
    stack.wait_minutes(20);
    assert!(stack.check().windows.is_empty());
    stack.wait_minutes(5);
    set_config(&stack, "dev-a", json!({"retention_ms": 1000}));
    stack.wait_minutes(5);
    let second = window(&stack.check());
    assert!(second.after.unwrap() > corrected, "{second:?}");
    assert!(second.before > second.after.unwrap());
    stack.person(&[]);
    stack.wait_minutes(20);
    stack.assert_settled();
}

#[test]
fn what_moves_besides_begins_a_new_window_and_what_is_put_back_or_edited_does_not() {
    let mut stack = standing();
    set_config(&stack, "dev-a", json!({"retention_ms": 1000}));
    let first = window(&stack.check());
    stack.wait_minutes(20);
    // Whose word changes is not what drifted.
    stack.topics(&[("a", "retention_ms: 7200000, max_message_bytes: 2000")]);
    assert_eq!(text(&window(&stack.check())), text(&first));
    stack.topics(&[("a", "retention_ms: 3600000, max_message_bytes: 2000")]);
    set_config(&stack, "dev-a", json!({"max_message_bytes": 5000}));
    let second = window(&stack.check());
    assert!(second.before > first.before, "{second:?}");
    assert!(second.after.unwrap() >= first.before, "{second:?}");
    stack.wait_minutes(20);
    set_config(&stack, "dev-a", json!({"retention_ms": 3_600_000}));
    assert_eq!(text(&window(&stack.check())), text(&second));
    stack.person(&[]);
    stack.wait_minutes(20);
    stack.assert_settled();
}

#[test]
fn a_memory_without_windows_says_less_and_nothing_wrong() {
    const WATCH: &str = "stacks/dev/watch.json";
    let stack = standing();
    set_config(&stack, "dev-a", json!({"retention_ms": 1000}));
    let first = window(&stack.check());
    stack.wait_minutes(20);
    // As a program before this one writes it.
    let text = stack.ports.store.text(WATCH);
    let mut watch: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert!(watch.as_object_mut().unwrap().remove("windows").is_some());
    stack.ports.store.set(WATCH, watch.to_string());
    for _ in 0..2 {
        let later = window(&stack.check());
        assert_eq!((later.after, later.before), (None, first.before));
        let shown = later.describe(later.before);
        assert!(shown.starts_with("changed before "), "{shown}");
    }
    stack.person(&[]);
    stack.wait_minutes(20);
    stack.assert_settled();
}
