//! Aiven's JSON. No other file knows it.
//!
//! Readers take what they need and nothing else: a detail answer carries the offsets of every
//! consumer group, a service carries passwords. Names and states must be texts; numbers may be
//! texts too; what the spec calls required may be null (mcp-aiven: manifests/kafka.yaml).

use std::collections::BTreeMap;

use serde::de::{DeserializeOwned, Deserializer};
use serde::{Deserialize, Serialize};

use super::super::object;
use super::super::words::{of_other_body, words};
use super::scalar::{Count, Scalar};

/// A body that is not what it should be. Never repeats a part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum WireError {
    /// It ends too early.
    #[error("was cut off")]
    Cut,
    /// It is something else, a web page for example.
    #[error("is not JSON")]
    NotJson,
    /// Fields are missing or have other types.
    #[error("does not have the form that Aiven documents")]
    OtherTypes,
}

/// Reads a whole body.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, WireError> {
    object::read(body).map_err(|error| match error.classify() {
        serde_json::error::Category::Eof => WireError::Cut,
        serde_json::error::Category::Data => WireError::OtherTypes,
        _ => WireError::NotJson,
    })
}

/// The answer to a list or a bulk read.
#[derive(Debug, Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
pub(super) struct Topics<T> {
    #[serde(deserialize_with = "object::list")]
    pub(super) topics: Vec<T>,
    #[serde(default, deserialize_with = "object::list_option")]
    pub(super) errors: Option<Vec<ErrorItem>>,
}

/// The answer to the read of one topic.
#[derive(Debug, Deserialize)]
pub(super) struct OneTopic {
    #[serde(deserialize_with = "object::one")]
    pub(super) topic: TopicDetail,
}

/// A topic of the list.
#[derive(Debug, Deserialize)]
pub(super) struct TopicSummary {
    pub(super) topic_name: String,
    #[serde(default)]
    pub(super) state: Option<String>,
    #[serde(default)]
    pub(super) partitions: Count,
    #[serde(default)]
    pub(super) replication: Scalar,
    #[serde(default)]
    pub(super) tags: Option<Vec<Tag>>,
    #[serde(default)]
    pub(super) topic_description: Option<String>,
    #[serde(default)]
    pub(super) owner_user_group_id: Option<String>,
    #[serde(default)]
    pub(super) cleanup_policy: Scalar,
    #[serde(default)]
    pub(super) min_insync_replicas: Scalar,
    #[serde(default)]
    pub(super) retention_bytes: Scalar,
    #[serde(default)]
    pub(super) remote_storage_enable: Scalar,
    #[serde(default)]
    pub(super) diskless_enable: Scalar,
}

/// A topic of a bulk or single read. Its top-level `retention_hours` and the like are deprecated
/// and less exact than `config`.
#[derive(Debug, Deserialize)]
pub(super) struct TopicDetail {
    pub(super) topic_name: String,
    #[serde(default)]
    pub(super) state: Option<String>,
    #[serde(default)]
    pub(super) partitions: Count,
    #[serde(default)]
    pub(super) replication: Scalar,
    /// Not optional: an update sends the whole set, so not to know it would be to delete it.
    #[serde(deserialize_with = "null_or")]
    pub(super) tags: Option<Vec<Tag>>,
    #[serde(default)]
    pub(super) topic_description: Option<String>,
    #[serde(default)]
    pub(super) owner_user_group_id: Option<String>,
    pub(super) config: BTreeMap<String, ConfigEntry>,
}

/// A field that may be null, but must be there: serde takes a missing `Option` for null.
fn null_or<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::deserialize(deserializer)
}

/// One config key: its value, wherever it comes from (semantics 5.3).
#[derive(Debug, Deserialize)]
pub(super) struct ConfigEntry {
    #[serde(default)]
    pub(super) value: Scalar,
}

/// One tag, read and written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tag {
    pub(super) key: String,
    pub(super) value: String,
}

/// The answer to the read of a service, without all that is secret in it.
#[derive(Debug, Deserialize)]
pub(super) struct OneService {
    #[serde(deserialize_with = "object::one")]
    pub(super) service: Service,
}

/// A service.
#[derive(Debug, Deserialize)]
pub(super) struct Service {
    pub(super) state: String,
}

/// The body of a bulk read.
#[derive(Debug, Serialize)]
pub(super) struct BulkRead<'a> {
    pub(super) topic_names: &'a [String],
}

/// The body of a create or an update. What is left out stays as it is (docs:
/// switch-topic-to-diskless).
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct TopicWrite {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) topic_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) partitions: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) replication: Option<i64>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) config: BTreeMap<String, ConfigValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tags: Option<Vec<Tag>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) topic_description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) owner_user_group_id: Option<String>,
}

/// A config value to be written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(super) enum ConfigValue {
    Int(i64),
    Bool(bool),
    Text(String),
    Fraction(serde_json::Number),
}

/// What an error body tells that is fit to be shown: bodies may carry credentials
/// (aiven-go-client: client.go), so only messages and the code are taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct AivenProblem {
    pub(super) code: String,
    /// Aiven's own words; empty if it says nothing.
    pub(super) message: String,
    /// What a body says that is not in Aiven's form, as gateways send. Shown, and never judged by.
    pub(super) beside: String,
}

#[derive(Debug, Default, Deserialize)]
struct ErrorBody {
    #[serde(default)]
    message: Scalar,
    #[serde(default)]
    errors: Option<Vec<ErrorItem>>,
}

/// One item of `errors`.
#[derive(Debug, Deserialize)]
pub(super) struct ErrorItem {
    #[serde(default)]
    message: Scalar,
    #[serde(default)]
    error_code: Scalar,
}

impl AivenProblem {
    /// Reads an error body; empty if it is none.
    pub(super) fn read(body: &[u8]) -> Self {
        let Ok(twin) = read::<ErrorBody>(body) else {
            return Self {
                beside: of_other_body(body),
                ..Self::default()
            };
        };
        Self::of(&twin.message, twin.errors.as_deref().unwrap_or_default())
    }

    /// Of a list of errors the code of the first and the words of all; empty if there is none.
    pub(super) fn of_items(items: &[ErrorItem]) -> Self {
        Self::of(&Scalar::Null, items)
    }

    fn of(message: &Scalar, items: &[ErrorItem]) -> Self {
        let own = items.iter().map(|item| &item.message);
        let mut said: Vec<String> = Vec::new();
        for message in std::iter::once(message).chain(own) {
            let words = words(message.as_text().unwrap_or_default());
            if !words.is_empty() && !said.contains(&words) {
                said.push(words);
            }
        }
        let code = items.first().and_then(|item| item.error_code.as_text());
        Self {
            code: words(code.unwrap_or_default()),
            message: words(&said.join("; ")),
            beside: String::new(),
        }
    }

    /// Whether Aiven says nothing in its own form.
    pub(super) fn is_silent(&self) -> bool {
        self.code.is_empty() && self.message.is_empty()
    }

    /// Whether the message says so, in whatever case.
    pub(super) fn mentions(&self, words: &str) -> bool {
        self.message.to_ascii_lowercase().contains(words)
    }
}

/// What a successful write answers: an object, with no errors in it.
#[derive(Debug, Deserialize)]
pub(super) struct Acknowledged {
    #[serde(default)]
    pub(super) errors: Option<Vec<ErrorItem>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_body_is_named_and_not_repeated() {
        let cases = [
            (r#"{"topics":[{"topic_name":"a""#, WireError::Cut),
            ("", WireError::Cut),
            ("<html>s3cret</html>", WireError::NotJson),
            (r#"{"topics":[{"topic_name":5}]}"#, WireError::OtherTypes),
            (r#"{"topics":null}"#, WireError::OtherTypes),
            (r#"{"message":"s3cret"}"#, WireError::OtherTypes),
            ("[]", WireError::OtherTypes),
        ];
        for (body, expected) in cases {
            let error = read::<Topics<TopicSummary>>(body.as_bytes()).unwrap_err();
            assert_eq!(error, expected, "{body}");
            assert!(!error.to_string().contains("s3cret"));
        }
    }

    #[test]
    fn details_must_show_tags_and_config() {
        let read = |rest: &str| {
            let body = format!(r#"{{"topic":{{"topic_name":"a","partitions":[{{}}]{rest}}}}}"#);
            read::<OneTopic>(body.as_bytes()).map(|_| ())
        };
        assert_eq!(read(r#","tags":null,"config":{}"#), Ok(()));
        assert_eq!(read(r#","tags":[]"#), Err(WireError::OtherTypes));
        assert_eq!(
            read(r#","tags":[],"config":null"#),
            Err(WireError::OtherTypes)
        );
    }

    #[test]
    fn error_bodies() {
        let body = br#"{"errors":[{"error_code":"kafka_topic_already_exists","message":"Topic 'orders' already exists.","status":409}],"message":"Topic 'orders' already exists."}"#;
        let problem = AivenProblem::read(body);
        assert_eq!(problem.code, "kafka_topic_already_exists");
        assert_eq!(problem.message, "Topic 'orders' already exists");
        assert!(problem.mentions("already exists"));
        for odd in [
            &b"<html>"[..],
            br#"{"errors":null}"#,
            br#"{"message":5,"errors":[{"message":7}]}"#,
            br#"{"errors":"no"}"#,
        ] {
            assert_eq!(AivenProblem::read(odd), AivenProblem::default());
        }
        let several = br#"{"message":"Bad request.","errors":[{"message":"bad \u001b[31mkey","error_code":"c"},{"message":"Bad request"},{"message":"see https://u:pa55@h/?t=s3cret"}]}"#;
        let problem = AivenProblem::read(several);
        assert_eq!(
            problem.message,
            "Bad request; bad [31mkey; see https://[hidden]@h/?[hidden]"
        );
        assert!(!problem.is_silent());
        let gateway = AivenProblem::read(b"upstream is down\n");
        assert_eq!(gateway.beside, "upstream is down");
        assert!(gateway.is_silent());
        let long = format!(r#"{{"message":"a\nb{}"}}"#, "x".repeat(900));
        let message = AivenProblem::read(long.as_bytes()).message;
        assert!(message.chars().count() < 310, "{message}");
        assert!(message.starts_with("a bx"));
    }
}
