//! Creating, changing and deleting topics. None of them answers with the topic: a read is needed to see the effect.

use super::config;
use super::topic::{Service, Tag, Topic};
use super::{Refused, not_found, refuse};
use crate::call::{Answer, Call, Object};
use crate::faults::Quirks;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const INVALID: &str = "kafka_topic_invalid_config";
const MOST_PARTITIONS: u32 = 1_000_000;
/// terraform-provider-aiven: kafka/topic/zz_resource.go; the spec of 2025 said 3.
const MOST_TAGS: usize = 25;
const HOUR_MS: i64 = 3_600_000;

/// A create or update body, read field by field. Null means "not given": avn sends it so.
#[derive(Debug, Default)]
struct Wanted {
    partitions: Option<u32>,
    replication: Option<u32>,
    config: BTreeMap<String, Value>,
    tags: Option<Vec<Tag>>,
    description: Option<String>,
    owner: Option<String>,
}

fn invalid(message: &str) -> Refused {
    refuse(400, Some(INVALID), message)
}

fn read_wanted(body: &Object) -> Result<Wanted, Refused> {
    let mut wanted = Wanted::default();
    for (key, value) in body.iter().filter(|(_, value)| !value.is_null()) {
        match key.as_str() {
            "topic_name" => {}
            "partitions" => wanted.partitions = Some(whole(key, value, MOST_PARTITIONS)?),
            "replication" => wanted.replication = Some(whole(key, value, u32::MAX)?),
            "config" => read_config(value, &mut wanted.config)?,
            "tags" => wanted.tags = Some(read_tags(value)?),
            "topic_description" => wanted.description = Some(text(key, value, 256)?),
            "owner_user_group_id" => wanted.owner = Some(text(key, value, 36)?),
            // Deprecated at top level, but avn sends them there.
            "cleanup_policy" | "min_insync_replicas" | "retention_bytes" => {
                set_config(&mut wanted.config, key, value)?;
            }
            "retention_hours" => {
                let hours = value
                    .as_i64()
                    .filter(|hours| (-1..=2_562_047_788_015).contains(hours))
                    .ok_or_else(|| invalid(&format!("Invalid 'retention_hours': {value}")))?;
                let ms = if hours < 0 {
                    -1
                } else {
                    hours.saturating_mul(HOUR_MS)
                };
                // A more exact retention_ms in config wins.
                wanted
                    .config
                    .entry("retention_ms".to_owned())
                    .or_insert(json!(ms));
            }
            _ => {
                return Err(refuse(
                    400,
                    None,
                    &format!("Invalid request: unknown field '{key}'"),
                ));
            }
        }
    }
    Ok(wanted)
}

fn whole(key: &str, value: &Value, most: u32) -> Result<u32, Refused> {
    value
        .as_u64()
        .and_then(|number| u32::try_from(number).ok())
        .filter(|number| (1..=most).contains(number))
        .ok_or_else(|| invalid(&format!("Invalid '{key}': {value}")))
}

fn text(key: &str, value: &Value, most: usize) -> Result<String, Refused> {
    value
        .as_str()
        .filter(|text| (1..=most).contains(&text.chars().count()))
        .map(str::to_owned)
        .ok_or_else(|| refuse(400, None, &format!("Invalid '{key}': {value}")))
}

fn set_config(
    config: &mut BTreeMap<String, Value>,
    key: &str,
    value: &Value,
) -> Result<(), Refused> {
    config::check(key, value).map_err(|reason| invalid(&reason))?;
    config.insert(key.to_owned(), value.clone());
    Ok(())
}

fn read_config(value: &Value, config: &mut BTreeMap<String, Value>) -> Result<(), Refused> {
    let object = value
        .as_object()
        .ok_or_else(|| invalid("Invalid 'config': must be an object"))?;
    object
        .iter()
        // Whether null resets a key is unknown; no client can do it. Taken as "not given".
        .filter(|(_, value)| !value.is_null())
        .try_for_each(|(key, value)| set_config(config, key, value))
}

fn read_tags(value: &Value) -> Result<Vec<Tag>, Refused> {
    let wrong = || refuse(400, None, "Invalid 'tags'");
    let list = value.as_array().ok_or_else(wrong)?;
    if list.len() > MOST_TAGS {
        return Err(wrong());
    }
    list.iter()
        .map(|item| {
            let part = |name: &str, least: usize, most: usize| {
                item.get(name)
                    .and_then(Value::as_str)
                    .filter(|text| (least..=most).contains(&text.chars().count()))
                    .map(str::to_owned)
                    .ok_or_else(wrong)
            };
            Ok(Tag {
                key: part("key", 1, 64)?,
                value: part("value", 0, 256)?,
            })
        })
        .collect()
}

fn read_body(call: &Call) -> Result<Object, Refused> {
    call.object()
        .map_err(|reason| refuse(400, None, &format!("Invalid request: {reason}")))
}

fn check_replication(service: &Service, replication: u32, minimum: u32) -> Result<(), Refused> {
    if replication < minimum {
        return Err(invalid(&format!(
            "Replication factor must be at least {minimum}, got {replication}"
        )));
    }
    // The same answer while brokers are still starting (Aiven: tf#1360, tf#1490).
    if replication > service.running_nodes {
        return Err(refuse(
            409,
            None,
            &format!(
                "Cluster only has {} broker(s), cannot set replication factor to {replication}",
                service.running_nodes
            ),
        ));
    }
    Ok(())
}

/// Rules between keys, on the topic as it would become.
fn check_storage(service: &Service, before: Option<&Topic>, after: &Topic) -> Result<(), Refused> {
    let remote = config::effective_flag(service, after, "remote_storage_enable");
    let diskless = config::effective_flag(service, after, "diskless_enable");
    let local = ["local_retention_bytes", "local_retention_ms"]
        .into_iter()
        .any(|key| config::effective_int(service, after, key) != -2);
    // Blind retries of this never end (Aiven: tf#1672, tf#1552).
    if (remote || local) && !service.tiered_storage {
        return Err(refuse(
            409,
            None,
            "Tiered storage is not enabled for this service",
        ));
    }
    for key in ["remote_storage_enable", "diskless_enable"] {
        let was_on = before.is_some_and(|topic| config::effective_flag(service, topic, key));
        if was_on && !config::effective_flag(service, after, key) {
            return Err(invalid(&format!("'{key}' cannot be disabled once enabled")));
        }
    }
    let compact = config::effective(service, after, "cleanup_policy") != "delete";
    if compact && (remote || diskless) {
        return Err(invalid(
            "Compacted topics cannot use tiered or diskless storage",
        ));
    }
    Ok(())
}

fn is_topic_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    (1..=249).contains(&name.len()) && name != "." && name != ".." && name.chars().all(allowed)
}

fn done() -> Answer {
    Answer::json(200, json!({"message": "success"}))
}

pub(super) fn create(
    service: &mut Service,
    call: &Call,
    quirks: &Quirks,
    minimum: u32,
    now_ms: i64,
) -> Result<Answer, Refused> {
    let body = read_body(call)?;
    let name = body
        .get("topic_name")
        .and_then(Value::as_str)
        .filter(|name| is_topic_name(name))
        .ok_or_else(|| invalid("Invalid 'topic_name'"))?;
    let wanted = read_wanted(&body)?;
    if let Some(existing) = service.topics.get(name) {
        // Deletion takes its time; the name is free only afterwards (the code is in Aiven's OpenAPI).
        return Err(if existing.deleting_until_ms.is_some() {
            let message = format!("Topic '{name}' is queued for deletion");
            refuse(409, Some("kafka_topic_queued_for_deletion"), &message)
        } else {
            let message = format!("Topic '{name}' already exists");
            refuse(409, Some("kafka_topic_already_exists"), &message)
        });
    }
    // Clients always send both; the values without are a belief.
    let replication = wanted.replication.unwrap_or_else(|| service.nodes.min(3));
    check_replication(service, replication, minimum)?;
    let mut topic = Topic::new(wanted.partitions.unwrap_or(1), replication);
    topic.config = wanted.config;
    topic.tags = wanted.tags.unwrap_or_default();
    topic.description = wanted.description;
    topic.owner = wanted.owner;
    check_storage(service, None, &topic)?;
    topic.configuring_until_ms = now_ms.saturating_add(quirks.slow_create_ms);
    if quirks.unreadable {
        topic.unreadable_until_ms = topic.configuring_until_ms;
    }
    service.put(name, Some(topic), now_ms);
    Ok(done())
}

/// PUT changes only what it names (docs: switch-topic-to-diskless).
pub(super) fn update(
    service: &mut Service,
    name: &str,
    call: &Call,
    quirks: &Quirks,
    minimum: u32,
    now_ms: i64,
) -> Result<Answer, Refused> {
    let wanted = read_wanted(&read_body(call)?)?;
    let before = service
        .topics
        .get(name)
        .filter(|topic| topic.deleting_until_ms.is_none())
        .ok_or_else(|| not_found(name))?;
    // Aiven OpenAPI: ServiceKafkaTopicUpdate, 409.
    if now_ms < before.reassigning_until_ms {
        return Err(refuse(
            409,
            Some("kafka_partition_reassignment_in_progress"),
            "Partition reassignment is in progress",
        ));
    }
    let mut after = before.clone();
    if let Some(partitions) = wanted.partitions {
        if partitions < before.partitions {
            // Known only when applied (Aiven: tf#1106).
            return Err(refuse(
                400,
                None,
                "Reducing partition count is not supported",
            ));
        }
        after.partitions = partitions;
    }
    if let Some(replication) = wanted.replication {
        check_replication(service, replication, minimum)?;
        if replication != before.replication {
            after.reassigning_until_ms = now_ms.saturating_add(quirks.slow_reassignment_ms);
        }
        after.replication = replication;
    }
    // A key left out keeps its last value: there is no way to unset one (Aiven: tf#1921).
    after.config.extend(wanted.config);
    // Tags are replaced as a whole (avn merges on its own side).
    if let Some(tags) = wanted.tags {
        after.tags = tags;
    }
    after.description = wanted.description.or(after.description);
    after.owner = wanted.owner.or(after.owner);
    check_storage(service, Some(before), &after)?;
    service.put(name, Some(after), now_ms);
    Ok(done())
}

pub(super) fn delete(
    service: &mut Service,
    name: &str,
    quirks: &Quirks,
    now_ms: i64,
) -> Result<Answer, Refused> {
    let topic = service.topics.get(name).ok_or_else(|| not_found(name))?;
    if name.starts_with("__") {
        let message = format!("Topic '{name}' is reserved");
        return Err(refuse(409, Some("kafka_topic_reserved"), &message));
    }
    if topic.deleting_until_ms.is_some() {
        return Ok(done());
    }
    let mut after = None;
    if quirks.slow_delete_ms > 0 {
        let mut leaving = topic.clone();
        leaving.deleting_until_ms = Some(now_ms.saturating_add(quirks.slow_delete_ms));
        after = Some(leaving);
    }
    service.put(name, after, now_ms);
    Ok(done())
}
