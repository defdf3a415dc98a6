//! Pub/Sub's JSON in the core's own words, with the server's defaults filled in, so that declaring
//! a default never looks like drift. Pure.

use std::collections::{BTreeMap, BTreeSet};

use kedge_core::live::{Detail, Live};
use kedge_core::model::{FieldName, Fields, Salt, SealedUrl, Value};

use super::{health, wire};
use crate::providers::words::words;

/// What a subscription's topic reads as after the topic was deleted (v1 discovery,
/// `Subscription.topic`).
const DELETED_TOPIC: &str = "_deleted-topic_";
/// What stands in the place of the topic of a subscription that is detached from it. No topic has such
/// a name, so it differs from every definition, as the one above does.
const DETACHED: &str = "_detached_";
/// Labels that Pulumi and Terraform put on what they make (pulumi/pulumi-gcp#3933,
/// pulumi/registry#5403): nobody's difference.
const ATTRIBUTION_LABELS: [&str; 2] = ["goog-pulumi-provisioned", "goog-terraform-provisioned"];
/// Defaults of the server (v1 discovery, `Subscription`).
const ACK_DEADLINE_S: i64 = 10;
const EXPIRATION_S: i64 = 2_678_400;
const RETENTION_S: i64 = 604_800;
const DELIVERY_ATTEMPTS: i64 = 5;
const MINIMUM_BACKOFF_S: i64 = 10;
const MAXIMUM_BACKOFF_S: i64 = 600;

/// Why a resource could not be understood, without repeating it.
pub(super) type Odd = &'static str;

/// The short id at the end of a full name.
pub(super) fn short_id<'a>(name: &'a str, collection: &str) -> Option<&'a str> {
    let mut parts = name.split('/');
    let (projects, _, found, id) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let fits = projects == "projects" && found == collection && !id.is_empty();
    (fits && parts.next().is_none()).then_some(id)
}

/// A topic's full name for the wire, from a short id or a full name.
pub(super) fn full_topic(project: &str, topic: &str) -> String {
    if topic.starts_with("projects/") {
        return topic.to_owned();
    }
    format!("projects/{project}/topics/{topic}")
}

/// A topic's name as definitions say it: short within the project.
fn topic_value(project: &str, name: &str) -> Result<Value, Odd> {
    if name != DELETED_TOPIC && short_id(name, "topics").is_none() {
        return Err("it has a topic name that is not valid");
    }
    let prefix = format!("projects/{project}/topics/");
    Ok(Value::text(name.strip_prefix(&prefix).unwrap_or(name)))
}

/// A topic.
pub(super) fn topic(topic: &wire::Topic) -> Result<Live, Odd> {
    let mut fields = Fields::new();
    labels(&mut fields, topic.labels.as_ref());
    // Zero is written out by no server, but means the same as nothing: off.
    if let Some(nanos) = duration(topic.message_retention_duration.as_deref())?
        && nanos != 0
    {
        put(&mut fields, "message_retention", Value::Duration(nanos));
    }
    text(&mut fields, "kms_key_name", topic.kms_key_name.as_deref());
    let storage = topic.message_storage_policy.as_ref();
    if let Some(regions) = storage.and_then(|storage| storage.allowed_persistence_regions.as_ref())
        && !regions.is_empty()
    {
        put(
            &mut fields,
            "allowed_persistence_regions",
            Value::set(regions.iter().cloned()),
        );
    }
    Ok(Live {
        fields,
        unhealthy: health::of_topic(topic),
        ..Live::default()
    })
}

/// A subscription.
pub(super) fn subscription(
    project: &str,
    salt: &Salt,
    sub: &wire::Subscription,
) -> Result<Live, Odd> {
    let mut fields = Fields::new();
    let topic = sub.topic.as_deref().ok_or("it has no topic")?;
    put(&mut fields, "topic", topic_value(project, topic)?);
    delivery(&mut fields, salt, sub)?;
    let flags = [
        ("retain_acked_messages", sub.retain_acked_messages),
        ("enable_message_ordering", sub.enable_message_ordering),
        (
            "enable_exactly_once_delivery",
            sub.enable_exactly_once_delivery,
        ),
    ];
    for (name, flag) in flags {
        put(&mut fields, name, Value::Bool(flag.unwrap_or(false)));
    }
    let deadline = or_default(sub.ack_deadline_seconds, ACK_DEADLINE_S);
    put(&mut fields, "ack_deadline_seconds", Value::Int(deadline));
    lifetimes(&mut fields, sub)?;
    labels(&mut fields, sub.labels.as_ref());
    put(
        &mut fields,
        "filter",
        Value::text(sub.filter.clone().unwrap_or_default()),
    );
    if let Some(policy) = &sub.dead_letter_policy {
        if let Some(topic) = policy.dead_letter_topic.as_deref() {
            put(
                &mut fields,
                "dead_letter_topic",
                topic_value(project, topic)?,
            );
        }
        let attempts = or_default(policy.max_delivery_attempts, DELIVERY_ATTEMPTS);
        put(&mut fields, "max_delivery_attempts", Value::Int(attempts));
    }
    if let Some(policy) = &sub.retry_policy {
        let parts = [
            (
                "minimum_backoff",
                &policy.minimum_backoff,
                MINIMUM_BACKOFF_S,
            ),
            (
                "maximum_backoff",
                &policy.maximum_backoff,
                MAXIMUM_BACKOFF_S,
            ),
        ];
        for (name, part, default) in parts {
            let nanos = duration(part.as_deref())?.map_or(Value::seconds(default), Value::Duration);
            put(&mut fields, name, nanos);
        }
    }
    let detail = if sub.detached == Some(true) {
        // It reads with its topic still, but gets nothing from it (v1 discovery, `Subscription.detached`).
        put(&mut fields, "topic", Value::text(DETACHED));
        Detail::DetachedSubscription
    } else if topic == DELETED_TOPIC {
        Detail::OrphanedSubscription
    } else {
        Detail::None
    };
    Ok(Live {
        fields,
        detail,
        unhealthy: health::of_subscription(sub),
        ..Live::default()
    })
}

/// Where messages go. Exports are other ways than push and pull, so neither word fits them.
fn delivery(fields: &mut Fields, salt: &Salt, sub: &wire::Subscription) -> Result<(), Odd> {
    let empty = wire::PushConfig::default();
    let config = sub.push_config.as_ref().unwrap_or(&empty);
    let endpoint = config.push_endpoint.as_ref().map_or("", |url| url.reveal());
    let exports = [
        ("bigquery", &sub.bigquery_config),
        ("cloud-storage", &sub.cloud_storage_config),
        ("bigtable", &sub.bigtable_config),
    ];
    let export = exports.into_iter().find(|(_, config)| config.is_some());
    let value = match (endpoint, export) {
        ("", Some((word, _))) => Value::word(word),
        ("", None) => Value::word("pull"),
        (url, _) => {
            Value::url(SealedUrl::seal(url, salt).map_err(|_| "its push endpoint is not a URL")?)
        }
    };
    put(fields, "push_endpoint", value);
    if let Some(token) = &config.oidc_token {
        text(
            fields,
            "push_service_account",
            token.service_account_email.as_deref(),
        );
        // Without one Google uses the endpoint's URL (v1 discovery, `OidcToken.audience`).
        let own = token.audience.as_deref().filter(|text| !text.is_empty());
        if let Some(audience) = own.or(Some(endpoint).filter(|text| !text.is_empty())) {
            put(fields, "push_audience", audience_value(audience, salt));
        }
    }
    Ok(())
}

/// An audience is a plain text, as a rule the endpoint's URL without its query. One that hides
/// something was not declared so, and is stored and shown like any such URL.
fn audience_value(audience: &str, salt: &Salt) -> Value {
    match SealedUrl::seal(audience, salt) {
        Ok(url) if url.sealed.is_some() => Value::url(url),
        _ => Value::text(audience),
    }
}

/// When the subscription and its messages expire. No policy is the default one; an empty policy
/// is never.
fn lifetimes(fields: &mut Fields, sub: &wire::Subscription) -> Result<(), Odd> {
    let ttl = match &sub.expiration_policy {
        None => Some(EXPIRATION_S * Value::NANOS_PER_SECOND),
        // What is longer than can be counted is never, too.
        Some(policy) => duration(policy.ttl.as_deref())?.filter(|ttl| *ttl < i64::MAX),
    };
    put(
        fields,
        "expiration",
        ttl.map_or(Value::word("never"), Value::Duration),
    );
    // Recorded in t-k/fireemu: the default shrinks to a shorter ttl.
    let default = RETENTION_S * Value::NANOS_PER_SECOND;
    let default = ttl.map_or(default, |ttl| ttl.min(default));
    let retention = duration(sub.message_retention_duration.as_deref())?.unwrap_or(default);
    put(fields, "message_retention", Value::Duration(retention));
    Ok(())
}

/// The unconditional members of a role, and those who hold it under a condition; none if nobody holds
/// it, or only others than `ours` do, under conditions. Those of deleted accounts keep their mark
/// `deleted:`, so that they stand for nobody alive.
pub(super) fn members(
    policy: &wire::IamPolicy,
    role: &str,
    ours: Option<&BTreeSet<String>>,
) -> Option<Live> {
    let bindings = policy.bindings.iter().flatten();
    let members: BTreeSet<String> = bindings
        .filter(|binding| is_ours(binding, role))
        .flat_map(|binding| binding.members.iter().flatten())
        .map(|member| member_id(member))
        .collect();
    let conditions = conditions(policy, role);
    let is_ours = |member: &String| ours.is_some_and(|ours| ours.contains(member));
    if members.is_empty() && !conditions.keys().any(is_ours) {
        return None;
    }
    let mut fields = Fields::new();
    put(&mut fields, "members", Value::Set(members));
    Some(Live {
        fields,
        conditions,
        ..Live::default()
    })
}

/// Who holds a role under a condition, and under which.
pub(super) fn conditions(policy: &wire::IamPolicy, role: &str) -> BTreeMap<String, String> {
    let mut conditions: BTreeMap<String, String> = BTreeMap::new();
    for binding in policy.bindings.iter().flatten() {
        let Some(condition) = binding.condition.as_ref().filter(|_| binding.role == role) else {
            continue;
        };
        let said = condition_text(condition);
        for member in binding.members.iter().flatten() {
            let known = conditions.entry(member_id(member)).or_default();
            if !known.is_empty() {
                known.push_str(" or ");
            }
            known.push_str(&said);
        }
    }
    conditions
}

/// A condition by its title, as people know it, else by what it demands.
fn condition_text(condition: &serde_json::Value) -> String {
    let text = |name: &str| condition.get(name).and_then(serde_json::Value::as_str);
    let said = ["title", "expression"]
        .into_iter()
        .filter_map(text)
        .map(words);
    match said.into_iter().find(|said| !said.is_empty()) {
        Some(said) => format!("'{said}'"),
        None => "without a title".to_owned(),
    }
}

/// Whether a binding is the one of that role without a condition.
pub(super) fn is_ours(binding: &wire::Binding, role: &str) -> bool {
    binding.role == role && binding.condition.is_none()
}

/// A member as IAM compares it: the value in lower case but for these sorts
/// (GoogleCloudPlatform/magic-modules: tpgiamresource/iam.go.tmpl).
pub(super) fn member_id(member: &str) -> String {
    let (mark, live) = match member.strip_prefix("deleted:") {
        Some(live) => ("deleted:", live),
        None => ("", member),
    };
    match live.split_once(':') {
        Some((sort, value))
            if !matches!(sort, "principal" | "principalSet" | "principalHierarchy") =>
        {
            format!("{mark}{sort}:{}", value.to_lowercase())
        }
        _ => member.to_owned(),
    }
}

fn labels(fields: &mut Fields, labels: Option<&BTreeMap<String, String>>) {
    for (key, value) in labels.into_iter().flatten() {
        if !ATTRIBUTION_LABELS.contains(&key.as_str()) {
            fields.insert(FieldName::new(format!("labels.{key}")), Value::text(value));
        }
    }
}

fn put(fields: &mut Fields, name: &'static str, value: Value) {
    fields.insert(FieldName::known(name), value);
}

/// Proto3's JSON writes an empty text as nothing.
fn text(fields: &mut Fields, name: &'static str, text: Option<&str>) {
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        put(fields, name, Value::text(text));
    }
}

fn or_default(number: Option<i64>, default: i64) -> i64 {
    number.filter(|number| *number != 0).unwrap_or(default)
}

fn duration(text: Option<&str>) -> Result<Option<i64>, Odd> {
    match text {
        None => Ok(None),
        Some(text) => wire::parse_duration(text)
            .map(Some)
            .ok_or("it has a duration that is not valid"),
    }
}

#[cfg(test)]
#[path = "normalize_tests.rs"]
mod tests;
