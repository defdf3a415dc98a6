//! Why a topic or subscription does not work, by the states that Pub/Sub shows. Pure.
//!
//! Every field of v1 discovery that only the server writes, or that it marks, and what it is here:
//!
//! | field | what it is |
//! |---|---|
//! | `Topic.state` | drift, unless `ACTIVE` |
//! | `Topic.ingestionDataSourceSettings.*.state` | drift, unless `ACTIVE`: nothing is taken in from that source |
//! | `Topic.schemaSettings.schema` | drift where it is `_deleted-schema_` |
//! | `Topic.satisfiesPzs` | nothing: a property of the region |
//! | `Subscription.state` | drift, unless `ACTIVE` |
//! | `Subscription.{bigquery,cloudStorage,bigtable}Config.state` | drift, unless `ACTIVE`: nothing is written there |
//! | `Subscription.detached` | drift of `topic`, ended by a replacement |
//! | `Subscription.topic` | the same where it is `_deleted-topic_` |
//! | `Subscription.topicMessageRetentionDuration` | nothing: the topic's field says it |
//! | `Subscription.analyticsHubSubscriptionInfo` | nothing: where the subscription came from |
//!
//! No field of ours covers the states, so nothing that Kedge writes ends them: they are reported, and
//! never corrected. A state that is not known yet is reported too. A missing one, or
//! `STATE_UNSPECIFIED`, which Google never sends, is not.

use serde_json::Value;

use super::wire;
use crate::providers::words::words;

/// What a topic's schema reads as after it was deleted (v1 discovery, `SchemaSettings.schema`).
const DELETED_SCHEMA: &str = "_deleted-schema_";

/// Why a topic does not do its work.
pub(super) fn of_topic(topic: &wire::Topic) -> Vec<String> {
    let mut bad = Vec::new();
    bad.extend(state(topic.state.as_deref(), "its state"));
    let sources = topic.ingestion_data_source_settings.as_ref();
    for (source, settings) in sources.and_then(Value::as_object).into_iter().flatten() {
        bad.extend(state_in(
            settings,
            &format!("the state of its source {}", words(source)),
        ));
    }
    let mut unhealthy: Vec<String> = sentence(&bad, "nothing comes in from its source").collect();
    let schema = topic.schema_settings.as_ref();
    let schema = schema.and_then(|settings| settings.get("schema")?.as_str());
    if schema == Some(DELETED_SCHEMA) {
        unhealthy.push(format!(
            "Pub/Sub says that its schema is {DELETED_SCHEMA}: the schema of its messages was deleted; \
             repair it at Google"
        ));
    }
    unhealthy
}

/// Why a subscription does not do its work, but for being cut off from its topic.
pub(super) fn of_subscription(sub: &wire::Subscription) -> Vec<String> {
    let mut bad = Vec::new();
    bad.extend(state(sub.state.as_deref(), "its state"));
    let exports = [
        ("BigQuery", &sub.bigquery_config),
        ("Cloud Storage", &sub.cloud_storage_config),
        ("Bigtable", &sub.bigtable_config),
    ];
    for (name, config) in exports {
        let config = config.as_ref();
        bad.extend(
            config
                .and_then(|config| state_in(config, &format!("the state of its export to {name}"))),
        );
    }
    sentence(&bad, "it does not deliver").collect()
}

fn state_in(settings: &Value, what: &str) -> Option<String> {
    state(settings.get("state").and_then(Value::as_str), what)
}

/// A state that is not a good one, in the provider's words.
fn state(state: Option<&str>, what: &str) -> Option<String> {
    match state? {
        "" | "ACTIVE" | "STATE_UNSPECIFIED" => None,
        bad => Some(format!("{what} is {}", words(bad))),
    }
}

fn sentence(bad: &[String], so: &str) -> impl Iterator<Item = String> {
    let said = (!bad.is_empty()).then(|| bad.join(" and "));
    let so = so.to_owned();
    said.into_iter()
        .map(move |said| format!("Pub/Sub says that {said}: {so}; repair it at Google"))
}

#[cfg(test)]
#[path = "health_tests.rs"]
mod tests;
