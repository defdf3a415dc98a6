//! A stack's life as one text: its pages, its documents, and all that is stored. It must be the same wherever it is
//! made: `tests/golden.txt` has it, a test compares it natively, and one in the Worker's runtime.

#![expect(clippy::panic, reason = "a scenario that can't go on has failed")]

use kedge_core::documents::{self, Surroundings};
use kedge_core::render::{self, RenderOptions};
use kedge_core::report::Report;
use kedge_engine::ports::Store as _;
use kedge_sandbox::Deed;

use crate::stack::{SCREEN, Stack, hint};

const AROUND: RenderOptions<'static> = RenderOptions {
    stack_origin: "select",
    definitions: "definitions (local files)",
    hints: &hint,
    screen: SCREEN,
    traffic: None,
    times: true,
    plan_shown: false,
    next_follows: false,
};

/// What people do by hand: a value, a topic that goes, an address beside ours, and one that nobody declares.
const DEEDS: [&str; 5] = [
    r#"{"do":"set_topic_config","topic":"dev-a","config":{"retention_ms":1000}}"#,
    r#"{"do":"delete_topic","topic":"dev-b"}"#,
    r#"{"do":"set_push_endpoint","subscription":"dev-mail-sub","endpoint":"https://elsewhere.example/mail?token=their-s3cret"}"#,
    r#"{"do":"add_address","name":"n1.clustera.io","address":"198.51.100.7"}"#,
    r#"{"do":"create_topic","topic":"dev-scratch","partitions":1}"#,
];

/// The text.
///
/// # Panics
/// When a run fails.
#[must_use]
pub fn golden() -> String {
    let mut text = String::new();
    let mut tell = |title: &str, report: &Report| {
        text.push_str(&format!("== {title}\n"));
        text.push_str(&render::check_text(report, &AROUND));
        text.push_str(&render::preview_text(report, &AROUND));
        let document = documents::preview(report, &Surroundings::default(), None);
        match documents::json_text(&document) {
            Ok(json) => text.push_str(&json),
            Err(error) => panic!("{error}"),
        }
    };
    let mut stack = Stack::small();
    tell("a new stack", &stack.check());
    tell("automation deploys it", &stack.unattended().0);
    stack.wait_minutes(10);
    tell("ten minutes later", &stack.check());
    for deed in DEEDS {
        match serde_json::from_str::<Deed>(deed) {
            Ok(deed) => stack.act(&deed),
            Err(error) => panic!("{deed}: {error}"),
        }
    }
    tell("people change things", &stack.check());
    tell("automation corrects what it may", &stack.unattended().0);
    stack.wait_minutes(10);
    stack.topics(&[("a", "retention_ms: 7200000"), ("b", "partitions: 4")]);
    tell("the definitions are edited", &stack.check());
    tell("a person approves the rest", &stack.person(&[]).0);
    text.push_str("== what is stored\n");
    let keys = stack.run(stack.ports.list(""));
    for key in keys.unwrap_or_else(|error| panic!("{error}")) {
        let object = stack.run(stack.ports.get(&key));
        let object = object.unwrap_or_else(|error| panic!("{error}"));
        let bytes = object.map(|object| object.bytes).unwrap_or_default();
        text.push_str(&format!("-- {key}\n{}\n", String::from_utf8_lossy(&bytes)));
    }
    text
}
