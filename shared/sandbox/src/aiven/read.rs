//! Reading: the service, the list without config, the bulk read and the single topic.

use super::config;
use super::topic::{Aiven, Service, Topic};
use super::{CANARY_SECRET, Refused, not_found, refuse};
use crate::call::{Answer, Call};
use crate::faults::Quirks;
use crate::random::digest;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What an Aiven engineer named as the ceiling, "about 200" (Aiven: tf#354).
const BULK_CEILING: usize = 200;
const HOUR_MS: i64 = 3_600_000;
/// What every service here is.
const KIND: &str = "kafka";
const PLAN: &str = "business-4";
const CLOUD: &str = "google-us-central1";
const DISK_MB: u64 = 614_400;

pub(super) fn nothing() -> Answer {
    Answer::json(200, json!({"topics": []}))
}

pub(super) fn projects(aiven: &Aiven) -> Answer {
    let projects: Vec<Value> = aiven.projects.keys().map(describe_project).collect();
    let of = |value: Value| -> BTreeMap<&String, Value> {
        aiven
            .projects
            .keys()
            .map(|name| (name, value.clone()))
            .collect()
    };
    Answer::json(
        200,
        json!({
            "projects": projects,
            "project_membership": of(json!("developer")),
            "project_memberships": of(json!(["developer"])),
        }),
    )
}

/// One project has what the list leaves out.
pub(super) fn project(name: &str) -> Answer {
    let mut project = json!({
        "features": {}, "tenant_id": "aiven", "billing_emails": [], "tech_emails": [],
        "payment_method": "no_payment_expected", "available_credits": "0.00",
        "estimated_balance": "0.00", "country_code": "", "vat_id": "",
    });
    if let (Some(whole), Value::Object(listed)) = (project.as_object_mut(), describe_project(name))
    {
        whole.extend(listed);
    }
    Answer::json(200, json!({"project": project}))
}

fn describe_project(name: impl AsRef<str>) -> Value {
    json!({
        "project_name": name.as_ref(), "account_id": "a0000000000", "organization_id": "org00000000",
        "default_cloud": CLOUD, "tags": {},
    })
}

/// Who asks.
pub(super) fn me() -> Answer {
    Answer::json(
        200,
        json!({"user": {
            "user_id": "u0000000000", "user": "sandbox@kedge.invalid", "real_name": "Sandbox",
            "state": "active", "auth": ["token"], "create_time": "2025-01-01T00:00:00Z", "features": {},
            "token_validity_begin": null, "project_membership": {}, "project_memberships": {},
        }}),
    )
}

/// The plan of every service here; others there are not.
pub(super) fn plan(kind: &str, plan: &str) -> Result<Answer, Refused> {
    if (kind, plan) != (KIND, PLAN) {
        let text = format!("Plan {plan} of service type {kind} does not exist");
        return Err(refuse(404, None, &text));
    }
    Ok(Answer::json(
        200,
        json!({
            "service_type": KIND, "service_plan": PLAN, "node_count": 3, "shard_count": 1,
            "disk_space_mb": DISK_MB, "disk_space_cap_mb": DISK_MB, "disk_space_step_mb": null,
            "max_memory_percent": null, "backup_config": {
                "interval": 24, "max_count": 0, "recovery_mode": "basic",
            },
            "regions": {CLOUD: {
                "disk_space_mb": DISK_MB, "node_cpu_count": 2, "node_memory_mb": 8_192, "price_usd": "0.0",
            }},
        }),
    ))
}

pub(super) fn services(services: &BTreeMap<String, Service>) -> Answer {
    let list: Vec<Value> = services
        .iter()
        .map(|(name, service)| describe_service(name, service, service.state == "POWEROFF"))
        .collect();
    Answer::json(200, json!({"services": list}))
}

pub(super) fn service(name: &str, service: &Service, off: bool) -> Answer {
    Answer::json(
        200,
        json!({"service": describe_service(name, service, off)}),
    )
}

fn describe_service(name: &str, service: &Service, off: bool) -> Value {
    let nodes: Vec<Value> = (1..=if off { 0 } else { service.nodes })
        .map(|number| {
            let state = if number <= service.running_nodes { "running" } else { "setting_up_vm" };
            json!({"name": format!("{name}-{number}"), "state": state, "availability_zone": "us-central1-a"})
        })
        .collect();
    let state = if off {
        "POWEROFF"
    } else {
        service.state.as_str()
    };
    json!({
        "service_name": name,
        "service_type": KIND,
        "plan": PLAN,
        "cloud_name": CLOUD,
        "disk_space_mb": DISK_MB,
        // Clients read these without asking whether they are there (terraform-provider-aiven 4.61 panics).
        "maintenance": {"dow": "sunday", "time": "05:04:59", "enabled": true, "updates": []},
        "group_list": ["default"],
        "service_integrations": [],
        "state": state,
        "node_count": service.nodes,
        "node_states": nodes,
        "termination_protection": false,
        "project_vpc_id": null,
        "user_config": {
            "kafka_version": "3.9",
            "kafka": service.broker_defaults,
            "kafka_authentication_methods": {"certificate": true, "sasl": true},
            "tiered_storage": {"enabled": service.tiered_storage},
            "kafka_rest": false,
            "schema_registry": false,
            "kafka_connect": false,
        },
        "components": [{
            "component": "kafka", "host": format!("{name}.example.aivencloud.com"), "port": 12691,
            "route": "dynamic", "usage": "primary", "kafka_authentication_method": "sasl",
        }],
        "create_time": "2025-01-01T00:00:00Z",
        "update_time": "2025-01-01T00:00:00Z",
        // Credentials stand in the raw body; a reader must not log or keep it.
        "service_uri": format!("{name}.example.aivencloud.com:12691"),
        "service_uri_params": {"host": format!("{name}.example.aivencloud.com"), "port": "12691", "password": CANARY_SECRET},
        "users": [{"username": "avnadmin", "type": "primary", "password": CANARY_SECRET}],
        "connection_info": {"kafka_access_key": CANARY_SECRET},
        "topics": [],
    })
}

/// The list has no config and counts partitions with an int; it is cached on Aiven's side (Aiven: tf#464).
pub(super) fn list(service: &Service, quirks: &Quirks, now_ms: i64) -> Answer {
    let topics: Vec<Value> = service
        .topics_at(now_ms.saturating_sub(quirks.list_lag_ms))
        .into_iter()
        .map(|(name, topic)| {
            let mut summary = summary(service, name, topic, now_ms);
            if let Some(object) = summary.as_object_mut() {
                object.insert("partitions".to_owned(), json!(topic.partitions));
                for key in ["remote_storage_enable", "diskless_enable"] {
                    let flag = config::effective_flag(service, topic, key);
                    object.insert(key.to_owned(), json!(flag));
                }
            }
            summary
        })
        .collect();
    Answer::json(200, json!({"topics": topics}))
}

/// The fields that list and detail share.
fn summary(service: &Service, name: &str, topic: &Topic, now_ms: i64) -> Value {
    // Loses precision on purpose: hours are what the API gives (deprecated field).
    let retention_ms = config::effective_int(service, topic, "retention_ms");
    let retention_hours = if retention_ms < 0 {
        -1
    } else {
        retention_ms / HOUR_MS
    };
    json!({
        "topic_name": name,
        "state": topic.state(now_ms),
        "replication": topic.replication,
        "tags": topic.tags,
        // null, though the spec says it never is (mcp-aiven's manifests).
        "topic_description": topic.description,
        "owner_user_group_id": topic.owner,
        "cleanup_policy": config::effective(service, topic, "cleanup_policy"),
        "min_insync_replicas": config::effective_int(service, topic, "min_insync_replicas"),
        "retention_bytes": config::effective_int(service, topic, "retention_bytes"),
        "retention_hours": retention_hours,
    })
}

fn detail(
    service: &Service,
    name: &str,
    topic: &Topic,
    only: Option<&[String]>,
    quirks: &Quirks,
    now_ms: i64,
) -> Value {
    let mut detail = summary(service, name, topic, now_ms);
    if let Some(object) = detail.as_object_mut() {
        let config = config::describe(service, topic, only, quirks.equal_reads_as_default);
        object.insert("partitions".to_owned(), partitions(name, topic, now_ms));
        object.insert("config".to_owned(), Value::Object(config));
    }
    detail
}

/// An array here, an int in the list. Offsets move with time, so no two answers are equal.
fn partitions(name: &str, topic: &Topic, now_ms: i64) -> Value {
    let offset = now_ms.max(0) / 1000;
    // Above 2 GiB, where a 32-bit size breaks (jikkou#794).
    let size = 3_221_225_472_i64 + i64::try_from(digest(name) % 1_000_000).unwrap_or(0);
    (0..topic.partitions)
        .map(|partition| {
            json!({
                "partition": partition,
                "isr": topic.replication,
                "size": size,
                "remote_size": 0,
                "earliest_offset": 0,
                "latest_offset": offset,
                "consumer_groups": [{"group_name": format!("{name}-consumer"), "offset": (offset - 1).max(0)}],
            })
        })
        .collect()
}

pub(super) fn single(
    service: &Service,
    name: &str,
    quirks: &Quirks,
    now_ms: i64,
) -> Result<Answer, Refused> {
    let known = service.topics_at(now_ms.saturating_sub(quirks.single_lag_ms));
    let topic = known.get(name).ok_or_else(|| not_found(name))?;
    readable(topic, now_ms)?;
    Ok(Answer::json(
        200,
        json!({"topic": detail(service, name, topic, None, quirks, now_ms)}),
    ))
}

/// Creation not finished: 501, which generic retry layers skip (Aiven: tf#89).
fn readable(topic: &Topic, now_ms: i64) -> Result<(), Refused> {
    if now_ms < topic.unreadable_until_ms {
        return Err(refuse(501, None, "Failed to fetch Kafka topic"));
    }
    Ok(())
}

pub(super) fn bulk(
    service: &Service,
    call: &Call,
    quirks: &Quirks,
    off: bool,
    now_ms: i64,
) -> Result<Answer, Refused> {
    let body = call
        .object()
        .map_err(|reason| refuse(400, None, &format!("Invalid request: {reason}")))?;
    let names = strings(body.get("topic_names")).ok_or_else(|| {
        refuse(
            400,
            None,
            "Invalid 'topic_names': must be a list of strings",
        )
    })?;
    let only = match body.get("config_names") {
        None | Some(Value::Null) => None,
        given => Some(strings(given).ok_or_else(|| {
            refuse(
                400,
                None,
                "Invalid 'config_names': must be a list of strings",
            )
        })?),
    };
    if names.len() > BULK_CEILING {
        return Err(refuse(
            400,
            None,
            &format!("Invalid 'topic_names': at most {BULK_CEILING}"),
        ));
    }
    let known = service.topics_at(now_ms.saturating_sub(quirks.bulk_lag_ms));
    let mut topics = Vec::with_capacity(names.len());
    for name in &names {
        // One absent name spoils the whole batch, and the body does not say which (Aiven: tf#1179, tf#1004).
        let Some(topic) = known.get(name.as_str()).filter(|_| !off) else {
            return Err(refuse(404, None, "Topic(s) not found"));
        };
        readable(topic, now_ms)?;
        topics.push(detail(
            service,
            name,
            topic,
            only.as_deref(),
            quirks,
            now_ms,
        ));
    }
    // A stale cache may answer less than was asked for (tf: read.go).
    topics.truncate(names.len().saturating_sub(quirks.short_by));
    Ok(Answer::json(200, json!({"topics": topics})))
}

fn strings(value: Option<&Value>) -> Option<Vec<String>> {
    value?
        .as_array()?
        .iter()
        .map(|item| item.as_str().map(str::to_owned))
        .collect()
}
