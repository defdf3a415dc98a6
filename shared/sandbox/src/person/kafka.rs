//! Deeds on Kafka topics and their service.

use super::{Deed, PersonResult};
use crate::Options;
use crate::aiven::{Service, Tag, Topic, check_of_kafka};
use crate::world::World;
use serde_json::Value;
use std::collections::BTreeMap;

pub(super) fn act(world: &mut World, options: &Options, deed: &Deed, now_ms: i64) -> PersonResult {
    let name = service_name(deed)?;
    let name = name.unwrap_or(&options.kafka_service);
    let Some(service) = world.aiven.service_mut(&options.aiven_project, name) else {
        return Some(Err(format!("no service {name}")));
    };
    Some(
        act_on_topic(service, deed, now_ms)
            .unwrap_or_else(|| act_on_service(service, deed, now_ms)),
    )
}

/// `None` for deeds that are not about Kafka; inside, the service named, if any.
fn service_name(deed: &Deed) -> Option<Option<&str>> {
    match deed {
        Deed::CreateTopic { service, .. }
        | Deed::DeleteTopic { service, .. }
        | Deed::RemoveTopics { service, .. }
        | Deed::SetTopicConfig { service, .. }
        | Deed::SetPartitions { service, .. }
        | Deed::SetReplication { service, .. }
        | Deed::SetTopicTags { service, .. }
        | Deed::SetTopicDescription { service, .. }
        | Deed::SetServiceState { service, .. }
        | Deed::SetRunningNodes { service, .. }
        | Deed::SetBrokerDefault { service, .. }
        | Deed::SetTieredStorage { service, .. } => Some(service.as_deref()),
        _ => None,
    }
}

fn change(
    service: &mut Service,
    name: &str,
    now_ms: i64,
    with: impl FnOnce(&mut Topic),
) -> Result<(), String> {
    let mut topic = service
        .topics
        .get(name)
        .cloned()
        .ok_or_else(|| format!("no topic {name}"))?;
    with(&mut topic);
    service.put(name, Some(topic), now_ms);
    Ok(())
}

fn tags_of(tags: &BTreeMap<String, String>) -> Vec<Tag> {
    tags.iter()
        .map(|(key, value)| Tag {
            key: key.clone(),
            value: value.clone(),
        })
        .collect()
}

fn check_all(config: &BTreeMap<String, Value>) -> Result<(), String> {
    config
        .iter()
        .filter(|(_, value)| !value.is_null())
        .try_for_each(|(key, value)| check_of_kafka(key, value))
}

fn apply(config: &BTreeMap<String, Value>, to: &mut BTreeMap<String, Value>) {
    for (key, value) in config {
        match value {
            Value::Null => to.remove(key),
            _ => to.insert(key.clone(), value.clone()),
        };
    }
}

fn act_on_topic(service: &mut Service, deed: &Deed, now_ms: i64) -> PersonResult {
    Some(match deed {
        Deed::CreateTopic {
            topic: name,
            partitions,
            replication,
            config,
            tags,
            ..
        } => {
            if service.topics.contains_key(name) {
                return Some(Err(format!("topic {name} exists")));
            }
            let replication = replication.unwrap_or_else(|| service.nodes.min(3));
            let mut topic = Topic::new(*partitions, replication);
            topic.tags = tags_of(tags);
            apply(config, &mut topic.config);
            check_all(config).map(|()| service.put(name, Some(topic), now_ms))
        }
        Deed::DeleteTopic { topic, .. } => match service.topics.contains_key(topic) {
            true => {
                service.put(topic, None, now_ms);
                Ok(())
            }
            false => Err(format!("no topic {topic}")),
        },
        Deed::SetTopicConfig { topic, config, .. } => check_all(config).and_then(|()| {
            change(service, topic, now_ms, |topic| {
                apply(config, &mut topic.config)
            })
        }),
        Deed::SetPartitions {
            topic, partitions, ..
        } => change(service, topic, now_ms, |topic| {
            topic.partitions = *partitions
        }),
        Deed::SetReplication {
            topic, replication, ..
        } => change(service, topic, now_ms, |topic| {
            topic.replication = *replication
        }),
        Deed::SetTopicTags { topic, tags, .. } => {
            change(service, topic, now_ms, |topic| topic.tags = tags_of(tags))
        }
        Deed::SetTopicDescription {
            topic, description, ..
        } => change(service, topic, now_ms, |topic| {
            topic.description.clone_from(description)
        }),
        _ => return None,
    })
}

fn act_on_service(service: &mut Service, deed: &Deed, now_ms: i64) -> Result<(), String> {
    match deed {
        Deed::RemoveTopics { prefix, one_in, .. } => {
            let gone: Vec<String> = service
                .topics
                .keys()
                .filter(|name| name.starts_with(prefix.as_str()))
                .step_by((*one_in).max(1))
                .cloned()
                .collect();
            gone.iter().for_each(|name| service.put(name, None, now_ms));
        }
        Deed::SetServiceState {
            state, lose_topics, ..
        } => {
            if !["RUNNING", "REBUILDING", "REBALANCING", "POWEROFF"].contains(&state.as_str()) {
                return Err(format!("no service state {state}"));
            }
            service.state.clone_from(state);
            if *lose_topics {
                let names: Vec<String> = service.topics.keys().cloned().collect();
                names
                    .iter()
                    .for_each(|name| service.put(name, None, now_ms));
            }
        }
        Deed::SetRunningNodes { running, .. } => service.running_nodes = *running,
        Deed::SetBrokerDefault { key, value, .. } => {
            let one = BTreeMap::from([(key.clone(), value.clone())]);
            check_all(&one)?;
            apply(&one, &mut service.broker_defaults);
        }
        Deed::SetTieredStorage { enabled, .. } => service.tiered_storage = *enabled,
        _ => return Err("not a deed on a service".to_owned()),
    }
    Ok(())
}
