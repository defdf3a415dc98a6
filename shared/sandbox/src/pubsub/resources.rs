//! Topics and subscriptions: create, read, patch by mask, delete.

use super::fields::{self, Change, Kind};
use super::{
    Answer, Call, Collection, DELETED_TOPIC, Pubsub, Refused, Resource, body, invalid, not_found,
    refuse,
};
use crate::call::Object;
use crate::faults::Quirks;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const DAY_S: i64 = 86_400;
const WEEK_S: i64 = 604_800;
const MONTH_S: i64 = 2_678_400;

type Fields = BTreeMap<String, Value>;

/// As GET and LIST show it: without `x-goog-version`, which only the answers to writes carry (recorded).
pub(super) fn show(name: &str, resource: &Resource) -> Value {
    let mut shown: Object = resource.fields.clone().into_iter().collect();
    shown.insert("name".to_owned(), json!(name));
    shown.entry("state").or_insert(json!("ACTIVE"));
    if let Some(push) = shown.get_mut("pushConfig").and_then(Value::as_object_mut) {
        let plain = push.get("attributes") == Some(&json!({"x-goog-version": "v1"}));
        if plain {
            push.remove("attributes");
        }
    }
    Value::Object(shown)
}

fn show_written(name: &str, resource: &Resource) -> Answer {
    let mut shown = show(name, resource);
    if let Some(push) = shown.get_mut("pushConfig").and_then(Value::as_object_mut)
        && push.contains_key("pushEndpoint")
    {
        let attributes = json!({"x-goog-version": "v1"});
        push.entry("attributes").or_insert(attributes);
    }
    Answer::json(200, shown)
}

pub(super) fn get(
    pubsub: &mut Pubsub,
    of: Collection,
    name: &str,
    quirks: &Quirks,
    now_ms: i64,
) -> Result<Answer, Refused> {
    check_name(name)?;
    // Once unfound, unfound for a while, even if created since (terraform-provider-google#4993).
    let hidden = pubsub
        .unfound
        .get(name)
        .is_some_and(|until| now_ms < *until);
    match pubsub.of_kind(of).get(name) {
        Some(resource) if !hidden => Ok(Answer::json(200, show(name, resource))),
        _ => {
            if quirks.negative_cache_ms > 0 && !hidden {
                let until = now_ms.saturating_add(quirks.negative_cache_ms);
                pubsub.unfound.insert(name.to_owned(), until);
            }
            Err(not_found(name))
        }
    }
}

/// 3 to 255 characters, a letter first, not beginning with `goog`.
fn check_name(name: &str) -> Result<(), Refused> {
    let id = name.rsplit('/').next().unwrap_or_default();
    let legal = |c: char| c.is_ascii_alphanumeric() || "-_.~+%".contains(c);
    let fits = (3..=255).contains(&id.len())
        && id.starts_with(|c: char| c.is_ascii_alphabetic())
        && !id.starts_with("goog")
        && id.chars().all(legal);
    if fits {
        Ok(())
    } else {
        Err(invalid(&format!(
            "Invalid resource name given (name={name})."
        )))
    }
}

/// PUT creates and never overwrites (Google docs: error-codes).
pub(super) fn create(
    pubsub: &mut Pubsub,
    of: Collection,
    name: &str,
    call: &Call,
) -> Result<Answer, Refused> {
    check_name(name)?;
    let kind = of.kind();
    let given = fields::read(kind.fields, &body(call)?, kind.key)?;
    let mut stored: Fields = given
        .into_iter()
        .filter(|(key, _)| key != "name" && key != "tags")
        .collect();
    finish(of, &mut stored)?;
    if pubsub.of_kind(of).contains_key(name) {
        let id = name.rsplit('/').next().unwrap_or_default();
        let message = format!("Resource already exists in the project (resource={id}).");
        return Err(refuse(409, "ALREADY_EXISTS", &message));
    }
    if of == Collection::Subscriptions {
        let topic = stored.get("topic").and_then(Value::as_str).ok_or_else(|| {
            invalid("You have passed an invalid argument to the service (argument=topic).")
        })?;
        let (parts, expected) = (topic.split('/').collect::<Vec<_>>(), ["projects", "topics"]);
        match parts.as_slice() {
            [first, _, third, _] if [*first, *third] == expected => check_name(topic)?,
            _ => {
                return Err(invalid(&format!(
                    "Invalid resource name given (name={topic})."
                )));
            }
        }
        if !pubsub.topics.contains_key(topic) {
            return Err(not_found(topic));
        }
        check_dead_letters(pubsub, &stored)?;
    }
    let resource = Resource {
        fields: stored,
        policy: None,
    };
    let answer = show_written(name, &resource);
    pubsub.of_kind(of).insert(name.to_owned(), resource);
    Ok(answer)
}

pub(super) fn patch(
    pubsub: &mut Pubsub,
    of: Collection,
    name: &str,
    call: &Call,
) -> Result<Answer, Refused> {
    let kind = of.kind();
    let body = body(call)?;
    let mut given = Object::new();
    let mut mask = call
        .query("updateMask")
        .or_else(|| call.query("update_mask"))
        .map(str::to_owned);
    for (key, value) in &body {
        match (fields::camel(key).as_str(), value) {
            ("updateMask", Value::String(text)) => mask = Some(text.clone()),
            (inner, Value::Object(object)) if inner == kind.key => {
                given = fields::read(kind.fields, object, kind.key)?;
            }
            (known, Value::Null) if known == kind.key || known == "updateMask" => {}
            _ => {
                return Err(invalid(&format!(
                    "Invalid JSON payload received. Unknown name \"{key}\": Cannot find field."
                )));
            }
        }
    }
    let paths = read_mask(kind, mask.as_deref().unwrap_or_default())?;
    let resource = pubsub
        .of_kind(of)
        .get(name)
        .ok_or_else(|| not_found(name))?;
    // Built aside and stored only when all of it is good: one bad path changes nothing.
    let mut stored = resource.fields.clone();
    let names_dead_letters = paths.contains("deadLetterPolicy");
    for path in paths {
        // Named but absent resets to the default; given but not named is ignored.
        match given.remove(&path) {
            Some(value) => stored.insert(path, value),
            None => stored.remove(&path),
        };
    }
    finish(of, &mut stored)?;
    // A topic deleted since then is no obstacle to other changes.
    if names_dead_letters {
        check_dead_letters(pubsub, &stored)?;
    }
    let resource = pubsub
        .of_kind(of)
        .get_mut(name)
        .ok_or_else(|| not_found(name))?;
    resource.fields = stored;
    Ok(show_written(name, resource))
}

/// The topic that undeliverable messages go to must exist (Google's emulator 0.8.20).
fn check_dead_letters(pubsub: &Pubsub, stored: &Fields) -> Result<(), Refused> {
    let Some(policy) = stored.get("deadLetterPolicy") else {
        return Ok(());
    };
    let topic = policy.get("deadLetterTopic").and_then(Value::as_str);
    if topic.is_some_and(|topic| pubsub.topics.contains_key(topic)) {
        Ok(())
    } else {
        Err(refuse(404, "NOT_FOUND", "Dead letter topic not found"))
    }
}

fn read_mask(kind: &Kind, mask: &str) -> Result<BTreeSet<String>, Refused> {
    let request = format!("Update{}Request", kind.title);
    let mut paths = BTreeSet::new();
    for path in mask
        .split(',')
        .map(str::trim)
        .filter(|path| !path.is_empty())
    {
        let name = fields::camel(path);
        let problem = match kind.fields.iter().find(|field| field.name == name) {
            None => format!("'{path}' is not a known {} field", kind.title),
            // Even an unchanged value is refused (floci-io/floci-gcp#112).
            Some(field) if field.change != Change::InPlace => {
                format!("the '{path}' field in the {} is not mutable", kind.title)
            }
            Some(_) if !paths.insert(name) => format!("'{path}' is named twice"),
            Some(_) => continue,
        };
        return Err(invalid(&format!(
            "Invalid update_mask provided in the {request}: {problem}."
        )));
    }
    if paths.is_empty() {
        return Err(invalid(&format!(
            "The update_mask in the {request} must be set, and must contain a non-empty paths list."
        )));
    }
    Ok(paths)
}

/// Checks bounds and fills in what the server fills in.
fn finish(of: Collection, stored: &mut Fields) -> Result<(), Refused> {
    check_labels(stored)?;
    match of {
        Collection::Topics => bound(
            stored.get("messageRetentionDuration"),
            600,
            MONTH_S,
            "messageRetentionDuration",
        ),
        Collection::Subscriptions => finish_subscription(stored),
    }
}

fn finish_subscription(stored: &mut Fields) -> Result<(), Refused> {
    let deadline = stored
        .entry("ackDeadlineSeconds".to_owned())
        .or_insert(json!(10));
    if !deadline
        .as_i64()
        .is_some_and(|seconds| (10..=600).contains(&seconds))
    {
        return Err(invalid(&format!(
            "Invalid ack deadline given (ack_deadline={deadline})."
        )));
    }
    // Absent is 31 days; present but empty is never.
    let expiration = stored
        .entry("expirationPolicy".to_owned())
        .or_insert_with(|| json!({"ttl": format!("{MONTH_S}s")}));
    let ttl = fields::seconds(expiration.get("ttl"));
    if ttl.is_some_and(|ttl| ttl < DAY_S) {
        return Err(invalid("The expiration policy ttl must be at least 1 day."));
    }
    // A shorter life caps the retention that nobody asked for (recorded).
    let retention = ttl.unwrap_or(WEEK_S).min(WEEK_S);
    let retention = stored
        .entry("messageRetentionDuration".to_owned())
        .or_insert_with(|| json!(format!("{retention}s")));
    bound(Some(&*retention), 600, MONTH_S, "messageRetentionDuration")?;
    if let Some(retry) = stored.get_mut("retryPolicy").and_then(Value::as_object_mut) {
        for (key, usual) in [("minimumBackoff", "10s"), ("maximumBackoff", "600s")] {
            let value = retry.entry(key).or_insert_with(|| json!(usual));
            bound(Some(&*value), 0, 600, key)?;
        }
        let nanos = |key| read_nanos(retry.get(key));
        if nanos("maximumBackoff") < nanos("minimumBackoff") {
            // Google's emulator 0.8.20.
            return Err(invalid("The value for maximum_backoff is too small."));
        }
    }
    if let Some(letters) = stored
        .get_mut("deadLetterPolicy")
        .and_then(Value::as_object_mut)
    {
        let attempts = letters.entry("maxDeliveryAttempts").or_insert(json!(5));
        if !attempts
            .as_i64()
            .is_some_and(|count| (5..=100).contains(&count))
        {
            return Err(invalid("max_delivery_attempts must be between 5 and 100."));
        }
    }
    if stored
        .get("filter")
        .and_then(Value::as_str)
        .is_some_and(|filter| filter.len() > 256)
    {
        return Err(invalid("The filter must be at most 256 bytes."));
    }
    finish_delivery(stored)
}

/// Push, BigQuery, Cloud Storage, Bigtable: at most one. `pushConfig` is always shown, `{}` being pull.
fn finish_delivery(stored: &mut Fields) -> Result<(), Refused> {
    let push = &*stored.entry("pushConfig".to_owned()).or_insert(json!({}));
    let endpoint = push.get("pushEndpoint").and_then(Value::as_str);
    if let Some(endpoint) = endpoint {
        // Public https with a certificate of a known authority; the latter can't be seen from here.
        if !endpoint.starts_with("https://") || endpoint.len() < 12 {
            return Err(invalid(&format!(
                "Invalid push endpoint given (endpoint={endpoint})."
            )));
        }
    }
    if let Some(attributes) = push.get("attributes").and_then(Value::as_object)
        && attributes.keys().any(|key| key != "x-goog-version")
    {
        return Err(invalid(
            "Unknown push attribute; only x-goog-version is known.",
        ));
    }
    let push_used = usize::from(endpoint.is_some());
    let others = ["bigqueryConfig", "cloudStorageConfig", "bigtableConfig"];
    let used = push_used
        + others
            .iter()
            .filter(|key| stored.contains_key(**key))
            .count();
    if used > 1 {
        return Err(invalid("At most one delivery configuration may be set."));
    }
    Ok(())
}

fn read_nanos(value: Option<&Value>) -> Option<i64> {
    fields::read_duration(value?.as_str()?)
}

fn bound(value: Option<&Value>, least: i64, most: i64, what: &str) -> Result<(), Refused> {
    match fields::seconds(value) {
        Some(seconds) if !(least..=most).contains(&seconds) => Err(invalid(&format!(
            "{what} is out of bounds: must be between {least}s and {most}s."
        ))),
        _ => Ok(()),
    }
}

/// Keys start with a lowercase letter; at most 64 labels (the last a belief).
fn check_labels(stored: &Fields) -> Result<(), Refused> {
    let Some(labels) = stored.get("labels").and_then(Value::as_object) else {
        return Ok(());
    };
    let tail = |c: char| (c.is_alphanumeric() && !c.is_uppercase()) || c == '_' || c == '-';
    let good_key = |key: &str| {
        key.chars().count() <= 63
            && key.starts_with(|c: char| c.is_alphabetic() && !c.is_uppercase())
            && key.chars().all(tail)
    };
    let good_value = |value: &str| value.chars().count() <= 63 && value.chars().all(tail);
    let good = labels.len() <= 64
        && labels
            .iter()
            .all(|(key, value)| good_key(key) && value.as_str().is_some_and(good_value));
    if good {
        Ok(())
    } else {
        Err(invalid("Invalid label key or value given."))
    }
}

/// A deleted topic leaves its subscriptions behind, without a topic; its policy is gone.
pub(super) fn delete(pubsub: &mut Pubsub, of: Collection, name: &str) -> Result<Answer, Refused> {
    pubsub
        .of_kind(of)
        .remove(name)
        .ok_or_else(|| not_found(name))?;
    if of == Collection::Topics {
        for subscription in pubsub.subscriptions.values_mut() {
            if subscription.fields.get("topic").and_then(Value::as_str) == Some(name) {
                subscription
                    .fields
                    .insert("topic".to_owned(), json!(DELETED_TOPIC));
            }
        }
    }
    Ok(Answer::json(200, json!({})))
}

/// `{}` turns a push subscription to pull.
pub(super) fn modify_push(pubsub: &mut Pubsub, name: &str, call: &Call) -> Result<Answer, Refused> {
    let kind = Collection::Subscriptions.kind();
    let body = body(call)?;
    if let Some(key) = body.keys().find(|key| fields::camel(key) != "pushConfig") {
        return Err(invalid(&format!(
            "Invalid JSON payload received. Unknown name \"{key}\": Cannot find field."
        )));
    }
    let mut given = fields::read(kind.fields, &body, kind.key)?;
    let resource = pubsub
        .subscriptions
        .get_mut(name)
        .ok_or_else(|| not_found(name))?;
    let mut stored = resource.fields.clone();
    stored.insert(
        "pushConfig".to_owned(),
        given.remove("pushConfig").unwrap_or_else(|| json!({})),
    );
    finish(Collection::Subscriptions, &mut stored)?;
    resource.fields = stored;
    Ok(Answer::json(200, json!({})))
}

pub(super) fn detach(pubsub: &mut Pubsub, name: &str) -> Result<Answer, Refused> {
    let resource = pubsub
        .subscriptions
        .get_mut(name)
        .ok_or_else(|| not_found(name))?;
    resource.fields.insert("detached".to_owned(), json!(true));
    Ok(Answer::json(200, json!({})))
}

/// Has a resource, or a part of it, say another state than `ACTIVE`; none ends that.
pub(crate) fn set_state(
    pubsub: &mut Pubsub,
    name: &str,
    of: Option<&str>,
    state: Option<&str>,
) -> Result<(), String> {
    let resource = pubsub.topics.get_mut(name);
    let resource = resource.or_else(|| pubsub.subscriptions.get_mut(name));
    let fields = &mut resource
        .ok_or_else(|| format!("{name} is not there"))?
        .fields;
    let (state, key) = (json!(state.unwrap_or("ACTIVE")), "state".to_owned());
    let Some(part) = of else {
        fields.insert(key, state);
        return Ok(());
    };
    // A part is a field of a subscription and a source of a topic.
    let settings = match fields.contains_key(part) {
        true => fields.get_mut(part),
        false => fields
            .get_mut("ingestionDataSourceSettings")
            .and_then(|all| all.get_mut(part)),
    };
    let settings = settings.and_then(Value::as_object_mut);
    let settings = settings.ok_or_else(|| format!("{name} has no {part}"))?;
    settings.insert(key, state);
    Ok(())
}
