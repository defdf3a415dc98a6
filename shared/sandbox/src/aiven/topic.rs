//! What Aiven remembers: projects, services, topics, and how topics looked a while ago.

use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Old values kept per topic for lagging reads; more than any test changes one topic within a lag.
const PAST_KEPT: usize = 16;

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Aiven {
    pub(crate) projects: BTreeMap<String, BTreeMap<String, Service>>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Service {
    /// `RUNNING`, `REBUILDING`, `REBALANCING` or `POWEROFF`.
    pub(crate) state: String,
    pub(crate) nodes: u32,
    /// Fewer than `nodes` while brokers start.
    pub(crate) running_nodes: u32,
    pub(crate) tiered_storage: bool,
    /// Broker settings by the topic key that inherits them.
    pub(crate) broker_defaults: BTreeMap<String, Value>,
    pub(crate) topics: BTreeMap<String, Topic>,
    /// Per name: until when it looked like this (`None`: was not there), oldest first.
    #[serde(skip)]
    past: BTreeMap<String, Vec<(i64, Option<Topic>)>>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Tag {
    pub(crate) key: String,
    pub(crate) value: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Topic {
    pub(crate) partitions: u32,
    pub(crate) replication: u32,
    /// Only what is set on the topic itself.
    pub(crate) config: BTreeMap<String, Value>,
    pub(crate) tags: Vec<Tag>,
    pub(crate) description: Option<String>,
    pub(crate) owner: Option<String>,
    #[serde(skip)]
    pub(crate) configuring_until_ms: i64,
    #[serde(skip)]
    pub(crate) unreadable_until_ms: i64,
    #[serde(skip)]
    pub(crate) reassigning_until_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) deleting_until_ms: Option<i64>,
}

impl Topic {
    pub(crate) fn new(partitions: u32, replication: u32) -> Self {
        Self {
            partitions,
            replication,
            config: BTreeMap::new(),
            tags: Vec::new(),
            description: None,
            owner: None,
            configuring_until_ms: 0,
            unreadable_until_ms: 0,
            reassigning_until_ms: 0,
            deleting_until_ms: None,
        }
    }

    pub(crate) fn state(&self, now_ms: i64) -> &'static str {
        if self.deleting_until_ms.is_some() {
            "DELETING"
        } else if now_ms < self.configuring_until_ms {
            "CONFIGURING"
        } else {
            "ACTIVE"
        }
    }
}

impl Aiven {
    pub(crate) fn service_mut(&mut self, project: &str, service: &str) -> Option<&mut Service> {
        self.projects.get_mut(project)?.get_mut(service)
    }

    /// Ends what has run its time: topics being deleted are gone.
    pub(crate) fn settle(&mut self, now_ms: i64) {
        for service in self.projects.values_mut().flat_map(BTreeMap::values_mut) {
            let gone: Vec<(String, i64)> = service
                .topics
                .iter()
                .filter_map(|(name, topic)| Some((name.clone(), topic.deleting_until_ms?)))
                .filter(|(_, until)| *until <= now_ms)
                .collect();
            for (name, until) in gone {
                service.put(&name, None, until);
            }
        }
    }
}

impl Service {
    pub(crate) fn new(nodes: u32) -> Self {
        Self {
            state: "RUNNING".to_owned(),
            nodes,
            running_nodes: nodes,
            tiered_storage: false,
            broker_defaults: BTreeMap::new(),
            topics: BTreeMap::new(),
            past: BTreeMap::new(),
        }
    }

    /// Sets or removes a topic, and remembers how it was.
    pub(crate) fn put(&mut self, name: &str, topic: Option<Topic>, now_ms: i64) {
        let before = match topic {
            Some(topic) => self.topics.insert(name.to_owned(), topic),
            None => self.topics.remove(name),
        };
        let past = self.past.entry(name.to_owned()).or_default();
        past.push((now_ms, before));
        if past.len() > PAST_KEPT {
            past.remove(0);
        }
    }

    /// The topics as they were at a time: what a cache of that age shows.
    pub(crate) fn topics_at(&self, at_ms: i64) -> BTreeMap<&str, &Topic> {
        let mut topics: BTreeMap<&str, &Topic> = self
            .topics
            .iter()
            .map(|(name, topic)| (name.as_str(), topic))
            .collect();
        for (name, past) in &self.past {
            match past.iter().find(|(until, _)| *until > at_ms) {
                Some((_, Some(topic))) => {
                    topics.insert(name, topic);
                }
                Some((_, None)) => {
                    topics.remove(name.as_str());
                }
                None => {}
            }
        }
        topics
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_past_is_what_it_was() {
        let mut service = Service::new(3);
        service.put("a", Some(Topic::new(1, 2)), 100);
        service.put("a", Some(Topic::new(2, 2)), 200);
        service.put("a", None, 300);
        let at = |ms| service.topics_at(ms).get("a").map(|topic| topic.partitions);
        assert_eq!(
            [99, 100, 199, 200, 299, 300, 400].map(at),
            [None, Some(1), Some(1), Some(2), Some(2), None, None]
        );
    }
}
