//! A stack from its definitions to a world in which nothing is left to do, in virtual time.
//!
//! Every scenario ends with a second run that changes nothing.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a scenario that can't go on has failed"
)]

mod absences;
mod accepts;
mod adopt;
mod adoption;
mod automation;
mod beside;
mod budgets;
mod composites;
mod conditions;
mod consent;
mod counts;
mod crashes;
mod damaged;
mod failed_reads;
mod formats;
mod front_door;
mod groups;
mod guards;
mod history;
mod holds;
mod invalid_definitions;
mod kept_reports;
mod lease_ends;
mod leases;
mod limits;
mod lost_answers;
mod not_delivering;
mod open_changes;
mod ownership;
mod policies;
mod push;
mod random;
mod retire;
mod round_trips;
mod store_limits;
mod traces;
mod unread_holds;
mod uploads;
mod variables;
mod verbs;
mod watch;
mod windows;
mod zones;

use kedge_sandbox::{Deed, Effect};
use kedge_tests::stack::Stack;
use serde_json::{Value, json};

/// A person sets config keys of one of the stack's Kafka topics.
fn set_config(stack: &Stack, topic: &str, config: Value) {
    deed(
        stack,
        json!({"do": "set_topic_config", "topic": topic, "config": config}),
    );
}

/// A person does what this JSON says.
fn deed(stack: &Stack, deed: Value) {
    match serde_json::from_value::<Deed>(deed) {
        Ok(deed) => stack.act(&deed),
        Err(error) => panic!("{error}"),
    }
}

/// A refusal with this status, in the provider's own words.
fn status(code: u16) -> Effect {
    Effect::Status {
        code,
        retry_after_s: None,
        try_again_s: None,
        message: None,
        error_code: None,
    }
}
