//! A person in a console: changes that come from outside any program.

mod dns;
mod google;
mod kafka;

use crate::Options;
use crate::call::Object;
use crate::world::World;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// One change by hand. Kafka topics are in the options' service unless `service` names another of the project;
/// Pub/Sub names are short, in the options' project, unless given in full; `zone` is an id or a name, the first if left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "the fields are the words of the deed; each is named after what it sets"
)]
pub enum Deed {
    /// Makes a Kafka topic; replication defaults to 3 or the number of brokers.
    CreateTopic {
        topic: String,
        #[serde(default = "one")]
        partitions: u32,
        #[serde(default)]
        replication: Option<u32>,
        #[serde(default)]
        config: BTreeMap<String, Value>,
        #[serde(default)]
        tags: BTreeMap<String, String>,
        #[serde(default)]
        service: Option<String>,
    },
    /// Deletes a Kafka topic, at once.
    DeleteTopic {
        topic: String,
        #[serde(default)]
        service: Option<String>,
    },
    /// Removes every `one_in`-th Kafka topic whose name begins with `prefix`, in order of names.
    RemoveTopics {
        #[serde(default)]
        prefix: String,
        #[serde(default = "three")]
        one_in: usize,
        #[serde(default)]
        service: Option<String>,
    },
    /// Sets config keys; null takes the override away.
    SetTopicConfig {
        topic: String,
        config: BTreeMap<String, Value>,
        #[serde(default)]
        service: Option<String>,
    },
    /// Sets the partition count; fewer stands for a topic deleted and made anew.
    SetPartitions {
        topic: String,
        partitions: u32,
        #[serde(default)]
        service: Option<String>,
    },
    /// Sets the replication factor.
    SetReplication {
        topic: String,
        replication: u32,
        #[serde(default)]
        service: Option<String>,
    },
    /// Replaces all tags.
    SetTopicTags {
        topic: String,
        tags: BTreeMap<String, String>,
        #[serde(default)]
        service: Option<String>,
    },
    /// Sets or takes away the description.
    SetTopicDescription {
        topic: String,
        description: Option<String>,
        #[serde(default)]
        service: Option<String>,
    },
    /// `RUNNING`, `REBUILDING`, `REBALANCING` or `POWEROFF`; `lose_topics` also forgets them all, as powering off can.
    SetServiceState {
        state: String,
        #[serde(default)]
        lose_topics: bool,
        #[serde(default)]
        service: Option<String>,
    },
    /// Says how many brokers are up.
    SetRunningNodes {
        running: u32,
        #[serde(default)]
        service: Option<String>,
    },
    /// Changes what topics inherit, by topic key; null goes back to the built-in value.
    SetBrokerDefault {
        key: String,
        value: Value,
        #[serde(default)]
        service: Option<String>,
    },
    /// Switches tiered storage of the service.
    SetTieredStorage {
        enabled: bool,
        #[serde(default)]
        service: Option<String>,
    },
    /// Makes a Pub/Sub topic of these fields.
    CreatePubsubTopic {
        topic: String,
        #[serde(default)]
        fields: Object,
    },
    /// Changes fields of a Pub/Sub topic; null goes back to the default.
    PatchPubsubTopic { topic: String, fields: Object },
    /// Deletes a Pub/Sub topic; its subscriptions stay without one.
    DeletePubsubTopic { topic: String },
    /// Makes a subscription of these fields.
    CreateSubscription {
        subscription: String,
        topic: String,
        #[serde(default)]
        fields: Object,
    },
    /// Changes fields of a subscription; null goes back to the default.
    PatchSubscription {
        subscription: String,
        fields: Object,
    },
    /// Sets the push endpoint; null turns to pull.
    SetPushEndpoint {
        subscription: String,
        endpoint: Option<String>,
    },
    /// Deletes a subscription.
    DeleteSubscription { subscription: String },
    /// Detaches a subscription from its topic, for good.
    DetachSubscription { subscription: String },
    /// Has a Pub/Sub topic, or the ingestion source `of` it, say this state; null is `ACTIVE` again.
    SetPubsubTopicState {
        topic: String,
        state: Option<String>,
        #[serde(default)]
        of: Option<String>,
    },
    /// Has a subscription, or the export `of` it (`bigqueryConfig`), say this state; null is `ACTIVE` again.
    SetSubscriptionState {
        subscription: String,
        state: Option<String>,
        #[serde(default)]
        of: Option<String>,
    },
    /// Gives a role on a Pub/Sub topic.
    AddIamMember {
        topic: String,
        role: String,
        member: String,
    },
    /// Takes a role on a Pub/Sub topic away.
    RemoveIamMember {
        topic: String,
        role: String,
        member: String,
    },
    /// Sets all members of a role on a Pub/Sub topic.
    SetIamBinding {
        topic: String,
        role: String,
        members: Vec<String>,
    },
    /// Takes a role on a Pub/Sub topic from all.
    RemoveIamBinding { topic: String, role: String },
    /// Has a member hold a role on a Pub/Sub topic under this condition, and no longer without one.
    SetIamCondition {
        topic: String,
        role: String,
        member: String,
        condition: Object,
    },
    /// Adds a DNS record: type, name, content and what else the API takes.
    AddRecord {
        record: Object,
        #[serde(default)]
        zone: Option<String>,
    },
    /// Adds an address to a name, with the ttl and proxying of those it has.
    AddAddress {
        name: String,
        address: String,
        #[serde(default)]
        zone: Option<String>,
    },
    /// Changes every record of that name, and type and content if given.
    PatchRecord {
        name: String,
        #[serde(default, rename = "type")]
        kind: Option<String>,
        #[serde(default)]
        content: Option<String>,
        set: Object,
        #[serde(default)]
        zone: Option<String>,
    },
    /// Removes every record of that name, and type and content if given.
    RemoveRecord {
        name: String,
        #[serde(default, rename = "type")]
        kind: Option<String>,
        #[serde(default)]
        content: Option<String>,
        #[serde(default)]
        zone: Option<String>,
    },
}

fn one() -> u32 {
    1
}

fn three() -> usize {
    3
}

/// Does the deed, or says why it can't be done.
pub(crate) fn act(
    world: &mut World,
    options: &Options,
    deed: &Deed,
    now_ms: i64,
) -> Result<(), String> {
    world.aiven.settle(now_ms);
    kafka::act(world, options, deed, now_ms)
        .or_else(|| google::act(world, options, deed, now_ms))
        .or_else(|| dns::act(world, deed, now_ms))
        .unwrap_or_else(|| Err("nobody knows this deed".to_owned()))
}

/// `None` where a deed is another provider's.
type PersonResult = Option<Result<(), String>>;
