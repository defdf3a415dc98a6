//! A state that is lost, damaged, newer or moved: nothing is changed, and it is said.

use bytes::Bytes;
use kedge_core::documents::{self, Surroundings};
use kedge_core::render;
use kedge_core::report::StackVerdict;
use kedge_engine::StateStoreError;
use kedge_engine::ports::{Condition, Store as _};
use kedge_engine::{RunError, StopError, Stopped};
use kedge_tests::authority::Authorisation;
use kedge_tests::stack::{Stack, person, topic};
use serde_json::json;

use super::leases::{busy, drive, reaches, run};
use super::set_config;
use super::zones::shown_by;

const STATE: &str = "stacks/dev/state.json";

fn standing() -> Stack {
    let stack = Stack::small();
    stack.unattended();
    stack.wait_minutes(10);
    set_config(&stack, "dev-a", json!({"retention_ms": 1000}));
    stack
}

fn store(stack: &Stack, text: &str) {
    let bytes = Bytes::from(text.to_owned());
    let put = stack.ports.put(STATE, bytes, Condition::None);
    assert!(matches!(stack.ports.executor.run(put), Ok(Ok(_))));
}

/// Every run fails with this error, and neither the world nor the store is changed.
fn assert_refused(stack: &Stack, is_expected: impl Fn(&StateStoreError) -> bool) {
    let world = stack.ports.sandbox.world();
    let (state, writes) = (stack.state_text(), stack.ports.store.writes.get());
    let checked = stack.try_check().map(|_| ()).unwrap_err();
    let upped =
        [Authorisation::Unattended, person(&[])].map(|by| stack.up(&by).unwrap().unwrap_err());
    for error in upped.into_iter().chain([checked]) {
        assert!(
            matches!(&error, RunError::Memory(error) if is_expected(error)),
            "{error:?}"
        );
    }
    assert_eq!(stack.ports.sandbox.world(), world);
    assert_eq!(
        (stack.state_text(), stack.ports.store.writes.get()),
        (state, writes)
    );
}

#[test]
fn a_state_missing_beside_its_history_is_an_error() {
    let stack = standing();
    let text = stack.state_text();
    stack.ports.store.remove(STATE);
    assert_refused(&stack, |error| {
        matches!(error, StateStoreError::StateLost { .. })
    });
    store(&stack, &text);
    stack.unattended();
    stack.assert_settled();
}

#[test]
fn runs_and_watches_alone_are_no_history() {
    let stack = Stack::small();
    assert_eq!(stack.check().verdict(), StackVerdict::NotAdopted);
    assert_eq!(stack.ports.store.keys(), ["stacks/dev/watch.json"]);
    stack.unattended();
    stack.assert_settled();
}

#[test]
fn a_state_of_a_newer_program_is_refused_and_not_rewritten() {
    let stack = standing();
    let text = stack.state_text();
    store(&stack, &text.replace("\"format\": 1", "\"format\": 2"));
    assert_refused(&stack, |error| {
        let text = std::error::Error::source(error).map(ToString::to_string);
        text.is_some_and(|text| text.contains("newer kedge"))
    });
    store(&stack, &text);
    stack.unattended();
    stack.assert_settled();
}

#[test]
fn a_damaged_state_is_refused_and_not_rewritten() {
    let stack = standing();
    let text = stack.state_text();
    for damaged in [
        "",
        "{",
        &text[..text.len() / 2],
        &text.replace("\"dev\"", "\"prod\""),
    ] {
        store(&stack, damaged);
        assert_refused(&stack, |error| {
            matches!(error, StateStoreError::Decode { .. })
        });
    }
    store(&stack, &text);
    stack.unattended();
    stack.assert_settled();
}

#[test]
fn each_run_keeps_the_state_it_began_from() {
    let stack = standing();
    stack.unattended();
    let copies: Vec<String> = stack
        .ports
        .store
        .keys()
        .into_iter()
        .filter(|key| key.starts_with("stacks/dev/state/"))
        .collect();
    assert_eq!(
        copies,
        [
            "stacks/dev/state/0000000000.json",
            "stacks/dev/state/0000000001.json"
        ]
    );
    stack.assert_settled();
}

#[test]
fn a_memory_of_checks_that_a_newer_program_wrote_is_left_alone() {
    const WATCH: &str = "stacks/dev/watch.json";
    let stack = standing();
    let _ = stack.check();
    let text = stack.ports.store.text(WATCH);
    let newer = text.replacen("\"format\": 1", "\"format\": 99", 1);
    assert_ne!(newer, text);
    stack.ports.store.set(WATCH, newer.clone());
    let report = stack.check();
    assert_eq!(report.verdict(), StackVerdict::Drifted);
    assert_eq!(stack.ports.store.text(WATCH), newer);
    stack.ports.store.set(WATCH, text);
    stack.unattended();
    stack.assert_settled();
}

#[test]
fn a_run_after_an_older_state_was_put_back_keeps_its_copy_under_a_number_of_its_own() {
    let stack = standing();
    let copy = |serial: u32| format!("stacks/dev/state/{serial:010}.json");
    let first = stack.ports.store.text(&copy(0));
    stack.unattended();
    stack.wait_minutes(10);
    set_config(&stack, "dev-a", json!({"retention_ms": 1000}));
    stack.unattended();
    let third = stack.ports.store.text(&copy(2));
    // Back to the first state, as docs/store.md says. It records nothing, so a person must look.
    store(&stack, &first);
    stack.wait_minutes(10);
    stack.person(&[]);
    let kept = stack.ports.store.text(&copy(1));
    stack.wait_minutes(10);
    set_config(&stack, "dev-a", json!({"retention_ms": 2000}));
    stack.unattended();
    assert_eq!(stack.ports.store.text(&copy(1)), kept);
    assert_eq!(stack.ports.store.text(&copy(2)), third);
    assert!(stack.ports.store.text(&copy(3)).contains("\"serial\": 3"));
    assert!(stack.state_text().contains("\"serial\": 4"));
    stack.wait_minutes(10);
    stack.assert_settled();
}

#[test]
fn a_state_deleted_while_a_run_works_is_said_with_what_to_do() {
    let mut deleted = 0;
    for calls in 14..34 {
        let (stack, allow) = busy(1);
        stack.ports.latency_ms.set(1_500);
        let runner = stack.beside();
        let by = person(&allow);
        let upped = drive(&stack, async {
            let deleting = async {
                reaches(&runner, calls).await;
                stack.ports.store.remove(STATE);
            };
            let runs = futures_util::future::join(run(&runner, &by), deleting);
            runs.await.0
        });
        let is_begun = |stopped: &Stopped| stopped.changed.serial.is_some();
        if let Err(RunError::Stopped { source, stopped }) = upped
            && is_begun(&stopped)
        {
            deleted += 1;
            let is_gone = matches!(source, StopError::Memory(StateStoreError::StateGone { .. }));
            assert!(is_gone, "{source:?}");
            let told = stopped.changed.stopped.clone().unwrap();
            assert!(
                told.contains("stacks/dev/state/") && !told.contains("run again"),
                "{told}"
            );
            assert!(!stopped.changed.is_complete());
        }
        // Running again says the same, until the newest copy is put back.
        let refused = stack.up(&person(&[])).unwrap().unwrap_err();
        let is_lost = matches!(
            &refused,
            RunError::Memory(StateStoreError::StateLost { .. })
        );
        assert!(is_lost, "{refused:?}");
        let keys = stack.ports.store.keys().into_iter();
        let newest = keys
            .filter(|key| key.starts_with("stacks/dev/state/"))
            .max();
        let copy = stack.ports.store.text(&newest.unwrap());
        store(&stack, &copy);
        stack.ports.latency_ms.set(1);
        super::leases::heal(&stack);
    }
    assert!(deleted > 3, "{deleted}");
}

#[test]
fn a_check_says_that_it_forgot_what_earlier_ones_remembered() {
    const WATCH: &str = "stacks/dev/watch.json";
    for (text, is_newer) in [("{bad", false), ("{\"format\": 99}", true)] {
        let stack = Stack::small();
        stack.unattended();
        stack.wait_minutes(10);
        stack.hold(Some(topic("a")), 60);
        let _ = stack.check();
        stack.ports.store.set(WATCH, text);
        let report = stack.check();
        let why = report.watch_unread.clone().unwrap();
        assert_eq!(why.contains("newer kedge"), is_newer, "{why}");
        let page = shown_by(render::check_text, &report).replace('\n', " ");
        assert!(page.contains("every drift counts as new"), "{page}");
        let document = documents::check(&report, &Surroundings::default());
        assert!(document.watch_unread.is_some());
        let github = render::github_annotations(&report, "");
        assert!(github.contains("every drift counts as new"), "{github}");
        // The hold that they knew of is found again.
        assert_eq!(report.holds.len(), 1);
        // A damaged one is written anew, and a newer one stays.
        assert_eq!(stack.ports.store.text(WATCH) == text, is_newer);
        assert_eq!(stack.check().watch_unread.is_some(), is_newer);
    }
}
