//! The table of fields: for each kind, what a definition may say, in what unit, between what
//! bounds, and what a change of it risks.
//!
//! One table makes the parser, the JSON Schema, the risk of a change and the units on the screen,
//! so they can't disagree. The file is long because the table is. Bounds and defaults are the providers' (Aiven: OpenAPI `kafka_topic`
//! config; Pub/Sub: v1 discovery; Cloudflare: OpenAPI `dns-records`).

use super::field_name::FieldName;
use super::names::Kind;
use super::special::{self, Special};
use super::value::Value;

/// What values a field takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A whole number between two bounds, both included.
    Int {
        /// Smallest value.
        min: i64,
        /// Largest value.
        max: i64,
    },
    /// `true` or `false`.
    Bool,
    /// One of some words.
    Choice(&'static [&'static str]),
    /// A number from 0 to 1.
    Ratio,
    /// A text of at most this many characters.
    Text {
        /// The most characters.
        chars_max: usize,
    },
    /// A length of time (`600s`, `10m`, `24h`, `7d`), bounds in seconds.
    Duration {
        /// Shortest.
        min_s: i64,
        /// Longest.
        max_s: i64,
    },
    /// A length of time, or the word `never`; bound in seconds.
    Expiration {
        /// Shortest.
        min_s: i64,
    },
    /// An HTTPS URL, or the word `pull`.
    PushEndpoint,
    /// A short Pub/Sub topic id (also taken as a full name).
    PubsubTopic,
    /// A set of IP addresses of one family.
    Addresses,
    /// A set of IAM members (`serviceAccount:…`).
    Members,
    /// A set of texts.
    Texts,
    /// A map of texts; each entry is a field of its own.
    TextMap {
        /// The most characters of a key.
        key_chars_max: usize,
        /// The most characters of a value.
        value_chars_max: usize,
        /// The most entries.
        entries_max: usize,
    },
}

/// How a number is shown to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// As it is.
    Plain,
    /// Milliseconds; -1 is unlimited, -2 is "as retention".
    Milliseconds,
    /// Bytes; -1 is unlimited, -2 is "as retention".
    Bytes,
    /// Seconds.
    Seconds,
}

/// What a change of one field in one direction means (semantics 6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RiskRule {
    /// Can be taken back and disturbs nobody.
    Safe,
    /// Safe, with something to know: the text.
    SafeBut(&'static str),
    /// Can be taken back, but is felt: the text says how.
    Disruptive(&'static str),
    /// Can't be taken back: the text says what is lost.
    Destructive(&'static str),
    /// The provider can't do it: the text says why.
    Impossible(&'static str),
    /// Only by deleting and creating the resource again, which is destructive: the text says why.
    Replace(&'static str),
}

/// One field of one kind.
#[derive(Debug, Clone, Copy)]
pub struct FieldSpec {
    /// Its name in definitions, state, plans and JSON.
    pub name: &'static str,
    /// What it takes.
    pub shape: Shape,
    /// How it is shown.
    pub unit: Unit,
    /// What raising it risks (also turning on, and any change of an unordered value).
    pub raised: RiskRule,
    /// What lowering it risks (also turning off, and any change of an unordered value).
    pub lowered: RiskRule,
    /// Its values that mean something else than they say, or have another spelling.
    pub special: &'static [Special],
    /// One line for the JSON Schema and the documentation.
    pub doc: &'static str,
}

const fn field(name: &'static str, shape: Shape, unit: Unit, doc: &'static str) -> FieldSpec {
    FieldSpec {
        name,
        shape,
        unit,
        raised: RiskRule::Safe,
        lowered: RiskRule::Safe,
        special: &[],
        doc,
    }
}

impl FieldSpec {
    const fn both(self, rule: RiskRule) -> Self {
        Self {
            raised: rule,
            lowered: rule,
            ..self
        }
    }

    const fn raised(self, rule: RiskRule) -> Self {
        Self {
            raised: rule,
            ..self
        }
    }

    const fn lowered(self, rule: RiskRule) -> Self {
        Self {
            lowered: rule,
            ..self
        }
    }

    const fn special(self, special: &'static [Special]) -> Self {
        Self { special, ..self }
    }

    /// Whether raising it can't be taken back: the provider never lowers it.
    #[must_use]
    pub fn is_one_way(&self) -> bool {
        matches!(self.lowered, RiskRule::Impossible(_))
    }
}

const ANY: Shape = Shape::Int {
    min: 0,
    max: i64::MAX,
};
const MS: Unit = Unit::Milliseconds;
const BYTES: Unit = Unit::Bytes;
const PLAIN: Unit = Unit::Plain;

const fn at_least(min: i64) -> Shape {
    Shape::Int { min, max: i64::MAX }
}

const EXPIRES: RiskRule = RiskRule::Destructive("messages beyond the new limit are deleted");
const GONE: RiskRule = RiskRule::SafeBut("messages already expired do not come back");
const ONE_WAY: RiskRule = RiskRule::Impossible("it cannot be turned off once it is on");
const REPLACED: RiskRule = RiskRule::Replace(
    "the subscription must be deleted and created again; its backlog and its own IAM policy are \
         lost",
);

/// Kafka topics. Segment bounds are what the platform honours, not what the API accepts: below
/// them a value is taken and never applied, which would be drift for ever.
const KAFKA_TOPIC: &[FieldSpec] = &[
    field(
        "partitions",
        Shape::Int {
            min: 1,
            max: 1_000_000,
        },
        PLAIN,
        "Number of partitions.",
    )
    .raised(RiskRule::Disruptive(
        "cannot be undone, and keys move to other partitions",
    ))
    .lowered(RiskRule::Impossible(
        "Kafka cannot reduce the number of partitions",
    )),
    field(
        "replication",
        Shape::Int { min: 1, max: 10 },
        PLAIN,
        "Copies of each partition.",
    )
    .both(RiskRule::Disruptive(
        "partitions are reassigned in the background",
    )),
    field(
        "description",
        Shape::Text { chars_max: 256 },
        PLAIN,
        "What the topic is for.",
    ),
    field(
        "owner_user_group_id",
        Shape::Text { chars_max: 36 },
        PLAIN,
        "Aiven user group that owns the topic.",
    ),
    field(
        "tags",
        Shape::TextMap {
            key_chars_max: 64,
            value_chars_max: 256,
            entries_max: 25,
        },
        PLAIN,
        "Aiven tags; each key is compared by itself, undeclared keys are left alone.",
    ),
    field(
        "cleanup_policy",
        Shape::Choice(&["delete", "compact", "compact,delete"]),
        PLAIN,
        "What happens to old records.",
    )
    .both(RiskRule::Destructive(
        "records are deleted or compacted by the new rule",
    ))
    .special(special::CLEANUP_POLICY),
    field(
        "compression_type",
        Shape::Choice(&["snappy", "gzip", "lz4", "producer", "uncompressed", "zstd"]),
        PLAIN,
        "Compression of stored records.",
    )
    .special(special::COMPRESSION),
    field(
        "delete_retention_ms",
        ANY,
        MS,
        "How long delete markers of a compacted topic are kept.",
    ),
    field(
        "diskless_enable",
        Shape::Bool,
        PLAIN,
        "Store the topic in object storage.",
    )
    .raised(RiskRule::Disruptive("cannot be undone"))
    .lowered(ONE_WAY)
    .special(special::OFF_WHEN_ABSENT),
    field(
        "file_delete_delay_ms",
        ANY,
        MS,
        "How long a deleted file stays on disk.",
    ),
    field(
        "flush_messages",
        ANY,
        PLAIN,
        "Records between forced flushes.",
    )
    .special(special::LARGEST),
    field("flush_ms", ANY, MS, "Time between forced flushes.").special(special::LARGEST),
    field(
        "index_interval_bytes",
        ANY,
        BYTES,
        "Distance between index entries.",
    ),
    field(
        "local_retention_bytes",
        at_least(-2),
        BYTES,
        "Bytes kept on brokers with tiered storage; -2: as retention_bytes.",
    )
    .raised(GONE)
    .lowered(EXPIRES)
    .special(special::LOCAL_RETENTION_BYTES),
    field(
        "local_retention_ms",
        at_least(-2),
        MS,
        "Time kept on brokers with tiered storage; -2: as retention_ms.",
    )
    .raised(GONE)
    .lowered(EXPIRES)
    .special(special::LOCAL_RETENTION_MS),
    field(
        "max_compaction_lag_ms",
        ANY,
        MS,
        "Longest time a record stays uncompacted.",
    )
    .special(special::LARGEST),
    field("max_message_bytes", ANY, BYTES, "Largest record batch.").lowered(RiskRule::Disruptive(
        "producers of larger messages are refused",
    )),
    field(
        "message_timestamp_after_max_ms",
        ANY,
        MS,
        "How far ahead a record's timestamp may be.",
    )
    .special(special::LARGEST),
    field(
        "message_timestamp_before_max_ms",
        ANY,
        MS,
        "How far behind a record's timestamp may be.",
    )
    .special(special::LARGEST),
    field(
        "message_timestamp_difference_max_ms",
        ANY,
        MS,
        "How far off a record's timestamp may be.",
    )
    .special(special::LARGEST),
    field(
        "message_timestamp_type",
        Shape::Choice(&["CreateTime", "LogAppendTime"]),
        PLAIN,
        "Whose clock stamps a record.",
    ),
    field(
        "min_cleanable_dirty_ratio",
        Shape::Ratio,
        PLAIN,
        "Share of uncompacted log that starts compaction.",
    ),
    field(
        "min_compaction_lag_ms",
        ANY,
        MS,
        "Shortest time a record stays uncompacted.",
    ),
    field(
        "min_insync_replicas",
        Shape::Int { min: 1, max: 7 },
        PLAIN,
        "Copies that must acknowledge a write with acks=all.",
    )
    .raised(RiskRule::Disruptive(
        "writes fail while fewer replicas are in sync",
    )),
    field(
        "preallocate",
        Shape::Bool,
        PLAIN,
        "Reserve segment files in full.",
    ),
    field(
        "remote_storage_enable",
        Shape::Bool,
        PLAIN,
        "Tiered storage.",
    )
    .raised(RiskRule::Disruptive("cannot be undone"))
    .lowered(ONE_WAY)
    .special(special::OFF_WHEN_ABSENT),
    field(
        "retention_bytes",
        at_least(-1),
        BYTES,
        "Bytes kept per partition; -1: no limit.",
    )
    .raised(GONE)
    .lowered(EXPIRES)
    .special(special::RETENTION),
    field(
        "retention_ms",
        at_least(-1),
        MS,
        "Time records are kept; -1: no limit.",
    )
    .raised(GONE)
    .lowered(EXPIRES)
    .special(special::RETENTION),
    field(
        "segment_bytes",
        at_least(10_485_760),
        BYTES,
        "Size of a log segment.",
    ),
    field(
        "segment_index_bytes",
        ANY,
        BYTES,
        "Size of a segment's index.",
    ),
    field("segment_jitter_ms", ANY, MS, "Random part of segment_ms."),
    field(
        "segment_ms",
        at_least(10_000),
        MS,
        "Age at which a segment is closed.",
    ),
    field(
        "unclean_leader_election_enable",
        Shape::Bool,
        PLAIN,
        "Let a replica that lags behind become leader.",
    ),
];

const LABELS: FieldSpec = field(
    "labels",
    Shape::TextMap {
        key_chars_max: 63,
        value_chars_max: 63,
        entries_max: 64,
    },
    PLAIN,
    "Labels; each key is compared by itself, undeclared keys are left alone.",
);

const PUBSUB_TOPIC: &[FieldSpec] = &[
    LABELS,
    field(
        "message_retention",
        Shape::Duration {
            min_s: 600,
            max_s: 2_678_400,
        },
        PLAIN,
        "How long published messages can be replayed.",
    )
    .raised(GONE)
    .lowered(EXPIRES),
    field(
        "kms_key_name",
        Shape::Text { chars_max: 512 },
        PLAIN,
        "Key that encrypts messages.",
    ),
    field(
        "allowed_persistence_regions",
        Shape::Texts,
        PLAIN,
        "Regions where messages may be stored.",
    ),
];

const PUBSUB_SUBSCRIPTION: &[FieldSpec] = &[
    field(
        "topic",
        Shape::PubsubTopic,
        PLAIN,
        "The topic it listens to.",
    )
    .both(REPLACED),
    field(
        "push_endpoint",
        Shape::PushEndpoint,
        PLAIN,
        "Where messages are pushed, or `pull`.",
    )
    .both(RiskRule::Disruptive("messages go elsewhere from now on")),
    field(
        "push_service_account",
        Shape::Text { chars_max: 255 },
        PLAIN,
        "Account whose token a push carries.",
    )
    .both(RiskRule::Disruptive("the endpoint sees another identity")),
    field(
        "push_audience",
        Shape::Text { chars_max: 2048 },
        PLAIN,
        "Audience of that token.",
    )
    .both(RiskRule::Disruptive("the endpoint sees another audience")),
    field(
        "ack_deadline_seconds",
        Shape::Int { min: 10, max: 600 },
        Unit::Seconds,
        "Time a consumer has to acknowledge.",
    )
    .both(RiskRule::Disruptive(
        "messages in flight are delivered again earlier or later",
    )),
    field(
        "retain_acked_messages",
        Shape::Bool,
        PLAIN,
        "Keep acknowledged messages for replay.",
    )
    .lowered(RiskRule::Destructive(
        "acknowledged messages can no longer be replayed",
    )),
    field(
        "message_retention",
        Shape::Duration {
            min_s: 600,
            max_s: 2_678_400,
        },
        PLAIN,
        "How long unacknowledged messages are kept.",
    )
    .raised(GONE)
    .lowered(EXPIRES),
    LABELS,
    field(
        "enable_message_ordering",
        Shape::Bool,
        PLAIN,
        "Deliver messages of one key in order.",
    )
    .both(REPLACED),
    field(
        "expiration",
        Shape::Expiration { min_s: 86_400 },
        PLAIN,
        "Idle time after which Google deletes the subscription, or `never`.",
    )
    .lowered(RiskRule::Destructive(
        "the subscription is deleted sooner when idle",
    ))
    .special(special::EXPIRATION),
    field(
        "filter",
        Shape::Text { chars_max: 256 },
        PLAIN,
        "Which messages are delivered.",
    )
    .both(REPLACED),
    field(
        "dead_letter_topic",
        Shape::PubsubTopic,
        PLAIN,
        "Where undeliverable messages go.",
    ),
    field(
        "max_delivery_attempts",
        Shape::Int { min: 5, max: 100 },
        PLAIN,
        "Deliveries before a message is undeliverable.",
    ),
    field(
        "minimum_backoff",
        Shape::Duration {
            min_s: 0,
            max_s: 600,
        },
        PLAIN,
        "Shortest wait before a redelivery.",
    ),
    field(
        "maximum_backoff",
        Shape::Duration {
            min_s: 0,
            max_s: 600,
        },
        PLAIN,
        "Longest wait before a redelivery.",
    ),
    field(
        "enable_exactly_once_delivery",
        Shape::Bool,
        PLAIN,
        "No redelivery of acknowledged messages.",
    ),
];

const PUBSUB_BINDING: &[FieldSpec] = &[field(
    "members",
    Shape::Members,
    PLAIN,
    "Members that must hold the role; others are left alone.",
)];

/// Seconds of `ttl`: 1 is automatic, else 60 to 86400 (Cloudflare OpenAPI `dns-records_ttl`).
const DNS_RECORD_SET: &[FieldSpec] = &[
    field(
        "addresses",
        Shape::Addresses,
        PLAIN,
        "The set's IP addresses.",
    ),
    field(
        "ttl",
        Shape::Int {
            min: 1,
            max: 86_400,
        },
        Unit::Seconds,
        "Time to live; 1 is automatic.",
    ),
    field(
        "proxied",
        Shape::Bool,
        PLAIN,
        "Send traffic through Cloudflare.",
    )
    .both(RiskRule::Disruptive(
        "traffic takes another way, and clients see other addresses",
    )),
];

/// Every field of a kind, in the order of the documentation.
#[must_use]
pub fn field_specs(kind: Kind) -> &'static [FieldSpec] {
    match kind {
        Kind::KafkaTopic => KAFKA_TOPIC,
        Kind::PubsubTopic => PUBSUB_TOPIC,
        Kind::PubsubSubscription => PUBSUB_SUBSCRIPTION,
        Kind::PubsubBinding => PUBSUB_BINDING,
        Kind::DnsRecordSet => DNS_RECORD_SET,
    }
}

/// The field of that name; an entry of a map (`tags.team`) has its map's.
#[must_use]
pub fn field_spec(kind: Kind, name: &FieldName) -> Option<&'static FieldSpec> {
    field_specs(kind).iter().find(|spec| {
        spec.name == name.as_str()
            || (matches!(spec.shape, Shape::TextMap { .. }) && name.entry_of(spec.name).is_some())
    })
}

/// What a new resource has of which nothing is said; only of subscriptions, which alone are replaced.
/// A policy for dead letters or retries that is there at all fills in its other half (Pub/Sub v1
/// discovery, `Subscription`).
#[must_use]
pub fn default_value(kind: Kind, field: &FieldName) -> Option<Value> {
    if kind != Kind::PubsubSubscription {
        return None;
    }
    Some(match field.as_str() {
        "push_endpoint" => Value::text("pull"),
        "filter" => Value::text(""),
        "ack_deadline_seconds" => Value::Int(10),
        "max_delivery_attempts" => Value::Int(5),
        "expiration" => Value::seconds(2_678_400),
        "message_retention" => Value::seconds(604_800),
        "minimum_backoff" => Value::seconds(10),
        "maximum_backoff" => Value::seconds(600),
        "retain_acked_messages" | "enable_message_ordering" | "enable_exactly_once_delivery" => {
            Value::Bool(false)
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_within_a_kind() {
        for kind in Kind::ALL {
            let mut names: Vec<_> = field_specs(kind).iter().map(|spec| spec.name).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), field_specs(kind).len(), "{kind:?}");
        }
    }

    #[test]
    fn map_entries_have_their_maps_spec() {
        let spec = field_spec(Kind::KafkaTopic, &FieldName::new("tags.team")).unwrap();
        assert_eq!(spec.name, "tags");
        assert!(field_spec(Kind::KafkaTopic, &FieldName::new("tagsteam")).is_none());
        assert!(field_spec(Kind::DnsRecordSet, &FieldName::new("retention_ms")).is_none());
    }
}
