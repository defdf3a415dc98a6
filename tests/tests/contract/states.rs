//! What Pub/Sub's schema says of states that only the server writes: each is drift, or is nothing for a
//! reason. A state that a newer schema brings fails here until somebody decides.

use std::collections::BTreeMap;

use kedge_core::compare::Verdict;
use kedge_tests::stack::{Stack, describe, difference};
use serde_json::{Value, json};

use super::raw_spec;

/// What is no state of health, and why it is nothing.
const NOTHING: [(&str, &str); 3] = [
    (
        "Subscription.analyticsHubSubscriptionInfo",
        "where the subscription came from",
    ),
    (
        "Subscription.topicMessageRetentionDuration",
        "the topic's own field says it",
    ),
    (
        "Subscription.detached",
        "a subscription of its own scenario",
    ),
];

/// Every field below a message that the server alone writes, or that is a state: its path and, of a
/// state, the words it may have.
fn states(schemas: &Value, name: &str, path: &str, found: &mut BTreeMap<String, Vec<String>>) {
    let properties = schemas[name]["properties"].as_object();
    for (key, property) in properties.into_iter().flatten() {
        let path = format!("{path}.{key}");
        let is_state = key == "state" || key == "detached";
        if is_state || property["readOnly"] == json!(true) {
            let words = property["enum"].as_array().into_iter().flatten();
            let words = words.filter_map(Value::as_str).map(str::to_owned).collect();
            found.insert(path.clone(), words);
        }
        let inner = [&property["$ref"], &property["items"]["$ref"]];
        for name in inner.into_iter().filter_map(Value::as_str) {
            states(schemas, name, &path, found);
        }
    }
}

/// A person does what this JSON says.
fn deed(stack: &Stack, deed: Value) {
    stack.act(&serde_json::from_value(deed).expect("a deed"));
}

/// A topic with each source, and a subscription with each export.
fn stack() -> Stack {
    let mut stack = Stack::new();
    stack.mail("");
    stack.unattended();
    stack.wait_minutes(10);
    let sources = [
        "awsKinesis",
        "awsMsk",
        "azureEventHubs",
        "cloudStorage",
        "confluentCloud",
    ];
    let sources: BTreeMap<&str, Value> = sources.map(|name| (name, json!({}))).into();
    deed(
        &stack,
        json!({"do": "patch_pubsub_topic", "topic": "dev-mail",
            "fields": {"ingestionDataSourceSettings": sources}}),
    );
    stack
}

/// Has the sandbox say that state at that path of the schema.
fn say(stack: &Stack, path: &str, state: &Value) {
    let parts: Vec<&str> = path.split('.').collect();
    match parts.as_slice() {
        ["Topic", .., of, "state"] => deed(
            stack,
            json!({"do": "set_pubsub_topic_state", "topic": "dev-mail", "state": state, "of": of}),
        ),
        ["Topic", "state"] => deed(
            stack,
            json!({"do": "set_pubsub_topic_state", "topic": "dev-mail", "state": state}),
        ),
        ["Subscription", "state"] => deed(
            stack,
            json!({"do": "set_subscription_state", "subscription": "dev-mail-sub", "state": state}),
        ),
        ["Subscription", of, "state"] => {
            let fields = match state {
                Value::Null => json!({*of: null}),
                state => json!({*of: {"state": state}}),
            };
            deed(
                stack,
                json!({"do": "patch_subscription", "subscription": "dev-mail-sub", "fields": fields}),
            );
        }
        _ => panic!("nobody decided what {path} is"),
    }
}

#[test]
fn every_state_that_only_the_server_writes_is_drift() {
    let Some(spec) = raw_spec("pubsub-v1.discovery.json") else {
        return;
    };
    let mut found = BTreeMap::new();
    for name in ["Topic", "Subscription"] {
        states(&spec["schemas"], name, name, &mut found);
    }
    for (path, _) in NOTHING {
        assert!(found.remove(path).is_some(), "{path} is no longer there");
    }
    assert!(found.len() >= 10, "{found:?}");
    let stack = stack();
    for (path, words) in &found {
        assert!(words.len() > 2, "{path} is no state: decide what it is");
        let short = if path.starts_with("Topic") {
            "pubsub-topic/dev-mail"
        } else {
            "dev-mail-sub"
        };
        for word in words {
            say(&stack, path, &json!(word));
            let report = stack.check();
            let one = difference(&report, short);
            let is_ill = !matches!(word.as_str(), "ACTIVE" | "STATE_UNSPECIFIED");
            assert_eq!(
                !one.unhealthy.is_empty(),
                is_ill,
                "{path} {word}\n{}",
                describe(&report)
            );
            assert_eq!(
                one.unhealthy.concat().contains(word),
                is_ill,
                "{path} {word}"
            );
            assert!(!is_ill || one.verdict == Verdict::Drifted, "{path} {word}");
        }
        say(&stack, path, &Value::Null);
    }
    stack.assert_settled();
}
