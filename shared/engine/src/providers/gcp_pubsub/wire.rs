//! Pub/Sub's JSON, as v1 discovery (revision 20261027) describes it. No other file knows it.
//!
//! Message fields that a PATCH replaces whole keep what we don't know of them in `rest`, so that
//! writing them back loses nothing. Fields of the resources themselves that we don't know stay out
//! of the mask and are left alone by the server.

use std::collections::BTreeMap;

use kedge_core::model::SecretText;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

/// A topic.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Topic {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) labels: Option<BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) message_retention_duration: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) kms_key_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) message_storage_policy: Option<MessageStoragePolicy>,
    /// Only read, for how it does.
    #[serde(skip_serializing)]
    pub(super) state: Option<String>,
    /// Only read, for how it does.
    #[serde(skip_serializing)]
    pub(super) ingestion_data_source_settings: Option<Value>,
    /// Only read, for how it does.
    #[serde(skip_serializing)]
    pub(super) schema_settings: Option<Value>,
}

/// Where a topic's messages may be stored.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct MessageStoragePolicy {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) allowed_persistence_regions: Option<Vec<String>>,
    #[serde(flatten)]
    pub(super) rest: Map<String, Value>,
}

/// A subscription.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Subscription {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) topic: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) push_config: Option<PushConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) bigquery_config: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cloud_storage_config: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) bigtable_config: Option<Value>,
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "whole_number"
    )]
    pub(super) ack_deadline_seconds: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) retain_acked_messages: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) message_retention_duration: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) labels: Option<BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) enable_message_ordering: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) expiration_policy: Option<ExpirationPolicy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) filter: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) dead_letter_policy: Option<DeadLetterPolicy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) retry_policy: Option<RetryPolicy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) enable_exactly_once_delivery: Option<bool>,
    /// Only read: the server writes it.
    #[serde(skip_serializing)]
    pub(super) state: Option<String>,
    /// Only read: `subscriptions.detach` sets it, for good.
    #[serde(skip_serializing)]
    pub(super) detached: Option<bool>,
}

/// Where messages are pushed. Without an endpoint: they are pulled.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct PushConfig {
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "reveal",
        deserialize_with = "secret"
    )]
    pub(super) push_endpoint: Option<SecretText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) oidc_token: Option<OidcToken>,
    #[serde(flatten)]
    pub(super) rest: Map<String, Value>,
}

/// Whose token a push carries.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct OidcToken {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service_account_email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) audience: Option<String>,
    #[serde(flatten)]
    pub(super) rest: Map<String, Value>,
}

/// When an idle subscription is deleted. Without `ttl`: never.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct ExpirationPolicy {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ttl: Option<String>,
}

/// Where undeliverable messages go.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct DeadLetterPolicy {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) dead_letter_topic: Option<String>,
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "whole_number"
    )]
    pub(super) max_delivery_attempts: Option<i64>,
    #[serde(flatten)]
    pub(super) rest: Map<String, Value>,
}

/// How long a redelivery waits.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct RetryPolicy {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) minimum_backoff: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) maximum_backoff: Option<String>,
    #[serde(flatten)]
    pub(super) rest: Map<String, Value>,
}

/// An IAM policy.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct IamPolicy {
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "whole_number"
    )]
    pub(super) version: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) etag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) bindings: Option<Vec<Binding>>,
    #[serde(flatten)]
    pub(super) rest: Map<String, Value>,
}

/// Who holds one role, perhaps under a condition.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Binding {
    pub(super) role: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) members: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) condition: Option<Value>,
    #[serde(flatten)]
    pub(super) rest: Map<String, Value>,
}

/// The body of topics.patch. The mask belongs in the body (v1 discovery, `UpdateTopicRequest`).
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TopicPatch {
    pub(super) topic: Topic,
    pub(super) update_mask: String,
}

/// The body of subscriptions.patch.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SubscriptionPatch {
    pub(super) subscription: Subscription,
    pub(super) update_mask: String,
}

/// The body of topics.setIamPolicy.
#[derive(Debug, Serialize)]
pub(super) struct SetPolicy<'a> {
    pub(super) policy: &'a IamPolicy,
}

/// A number, or a text that holds one.
fn whole_number<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Number {
        Number(i64),
        Text(String),
    }
    match Option::<Number>::deserialize(from)? {
        None => Ok(None),
        Some(Number::Number(number)) => Ok(Some(number)),
        Some(Number::Text(text)) => text
            .parse()
            .map(Some)
            .map_err(|_| serde::de::Error::custom("not a whole number")),
    }
}

fn secret<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SecretText>, D::Error> {
    Ok(Option::<String>::deserialize(from)?.map(SecretText::new))
}

fn reveal<S: Serializer>(secret: &Option<SecretText>, to: S) -> Result<S::Ok, S::Error> {
    secret.as_ref().map(SecretText::reveal).serialize(to)
}

/// Whether a body is whole JSON of an object, as every answer of Google is.
pub(super) fn is_object(body: &[u8]) -> bool {
    serde_json::from_slice::<BTreeMap<String, IgnoredAny>>(body).is_ok()
}

/// Why an answer can't be understood. Never repeats the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strange {
    /// Not JSON, for instance an HTML page.
    NotJson,
    /// JSON that ends too early.
    Cut,
    /// JSON of other types than documented.
    OtherTypes,
    /// Neither what was asked for nor the documented empty answer.
    NotTheAnswer,
    /// A policy that can't be written back safely.
    NoEtag,
}

impl Strange {
    /// What is wrong, for people.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::NotJson => "the answer is not JSON",
            Self::Cut => "the answer was cut off",
            Self::OtherTypes => "the answer does not have the form that Google documents",
            Self::NotTheAnswer => "the answer does not have what was requested",
            Self::NoEtag => "the policy has no etag",
        }
    }
}

impl From<serde_json::Error> for Strange {
    fn from(error: serde_json::Error) -> Self {
        match error.classify() {
            serde_json::error::Category::Eof => Self::Cut,
            serde_json::error::Category::Data => Self::OtherTypes,
            serde_json::error::Category::Syntax | serde_json::error::Category::Io => Self::NotJson,
        }
    }
}

/// One page of a list, its elements not yet looked at, so that a strange one spoils only itself.
#[derive(Debug, PartialEq)]
pub(super) struct Page {
    pub(super) items: Vec<Value>,
    pub(super) next: Option<String>,
}

/// Reads one page. An empty list comes as `{}`; an answer with other things and no list is no
/// answer to our question.
pub(super) fn page(body: &[u8], list: &str) -> Result<Page, Strange> {
    let mut object: Map<String, Value> = serde_json::from_slice(body)?;
    let items = object.remove(list);
    let token = object.remove("nextPageToken");
    if items.is_none() && token.is_none() && !object.is_empty() {
        return Err(Strange::NotTheAnswer);
    }
    let items = match items {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(items)) => items,
        Some(_) => return Err(Strange::OtherTypes),
    };
    let next = match token {
        None | Some(Value::Null) => None,
        Some(Value::String(token)) => Some(token).filter(|token| !token.is_empty()),
        Some(_) => return Err(Strange::OtherTypes),
    };
    Ok(Page { items, next })
}

/// Reads one element of a list.
pub(super) fn item<T: DeserializeOwned>(item: &Value) -> Result<T, Strange> {
    T::deserialize(item).map_err(Strange::from)
}

/// The full name of an element of a list, even if the rest of it is strange.
pub(super) fn item_name(item: &Value) -> Option<&str> {
    item.get("name")?.as_str()
}

/// Reads one resource, which always has its name.
pub(super) fn resource<T: DeserializeOwned>(body: &[u8]) -> Result<T, Strange> {
    let value: Value = serde_json::from_slice(body)?;
    if item_name(&value).is_none() {
        return Err(Strange::NotTheAnswer);
    }
    item(&value)
}

/// Reads a policy. Even a topic without one has an etag (`{"etag":"ACAB"}`:
/// googleapis/google-cloud-python#1654); without it a write would overwrite blindly.
pub(super) fn policy(body: &[u8]) -> Result<IamPolicy, Strange> {
    let policy: IamPolicy = serde_json::from_slice(body)?;
    // A binding that names no role could be any, and one whose condition is none could be without; no
    // binding may be taken for lacking.
    let is_strange = |one: &Binding| {
        let has_other_condition = |condition: &Value| !condition.is_object();
        one.role.is_empty() || one.condition.as_ref().is_some_and(has_other_condition)
    };
    if policy.bindings.iter().flatten().any(is_strange) {
        return Err(Strange::OtherTypes);
    }
    match policy.etag.as_deref() {
        None | Some("") => Err(Strange::NoEtag),
        Some(_) => Ok(policy),
    }
}

/// What Google says of a failure (AIP-193), with what matters of its details.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ApiError {
    /// The name of the google.rpc code: `NOT_FOUND`.
    pub(super) status: String,
    /// The message, with what the details add to it. As it came: [`words`] makes it fit to be shown.
    ///
    /// [`words`]: crate::providers::words::words
    pub(super) message: String,
    /// `ErrorInfo.reason`: `ACCESS_TOKEN_EXPIRED`.
    pub(super) reason: Option<String>,
    /// `PreconditionFailure.violations[].type`.
    pub(super) violations: Vec<String>,
    /// `RetryInfo.retryDelay`: `30s`.
    pub(super) retry_delay: Option<String>,
}

impl ApiError {
    /// Reads an error body; none if it is not Google's (an HTML page, a proxy's text).
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        let value: Value = serde_json::from_slice(body).ok()?;
        let error = value.get("error")?.as_object()?;
        let text = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default();
        let mut parsed = Self {
            status: text("status").to_owned(),
            message: text("message").to_owned(),
            ..Self::default()
        };
        let details = error.get("details").and_then(Value::as_array);
        for detail in details.into_iter().flatten() {
            let text = |name: &str| detail.get(name).and_then(Value::as_str).map(str::to_owned);
            let violations = ["violations", "fieldViolations"].map(|name| detail.get(name));
            let violations = violations.into_iter().flatten().filter_map(Value::as_array);
            for violation in violations.flatten() {
                let text = |name: &str| violation.get(name).and_then(Value::as_str);
                parsed.violations.extend(text("type").map(str::to_owned));
                let news = text("description").filter(|more| !parsed.message.contains(more));
                if let Some(more) = news {
                    parsed.message.push_str("; ");
                    parsed.message.push_str(more);
                }
            }
            parsed.reason = parsed.reason.or_else(|| text("reason"));
            parsed.retry_delay = parsed.retry_delay.or_else(|| text("retryDelay"));
        }
        Some(parsed)
    }
}

/// A length of time in JSON (`600s`, `600.500s`) in nanoseconds; none if it is not one. One that is
/// longer than can be counted is [`i64::MAX`]: JSON's longest has 10,000 years.
pub(super) fn parse_duration(text: &str) -> Option<i64> {
    let number = text.strip_suffix('s')?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > 9 {
        return None;
    }
    let nanos: i64 = format!("{fraction:0<9}").parse().ok()?;
    let seconds: i64 = whole.parse().ok()?;
    Some(seconds.saturating_mul(1_000_000_000).saturating_add(nanos))
}

/// Nanoseconds as JSON writes a length of time: 0, 3, 6 or 9 digits of a second.
pub(super) fn format_duration(nanos: i64) -> String {
    let (seconds, rest) = (
        nanos.div_euclid(1_000_000_000),
        nanos.rem_euclid(1_000_000_000),
    );
    if rest == 0 {
        format!("{seconds}s")
    } else if rest % 1_000_000 == 0 {
        format!("{seconds}.{:03}s", rest / 1_000_000)
    } else if rest % 1_000 == 0 {
        format!("{seconds}.{:06}s", rest / 1_000)
    } else {
        format!("{seconds}.{rest:09}s")
    }
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
