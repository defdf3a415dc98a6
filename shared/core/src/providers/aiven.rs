//! Aiven for Apache Kafka: topics.

use super::{
    Credential, Deletion, Endpoint, KindEntry, Naming, Permissions, Provider, ProviderName,
};
use crate::model::{
    ANY, FieldSpec, Kind, Meaning, ResourceKey, RiskRule, Shape, Special, Spelling, Unit,
    WorseWith, at_least, field, special_row as row,
};

/// Aiven.
pub(super) static AIVEN: Provider = Provider {
    name: ProviderName::Aiven,
    word: "aiven",
    title: "Aiven",
    about: "Aiven for Apache Kafka.",
    scope: "Kafka service",
    kinds: &[Kind::KafkaTopic],
    credential: Credential {
        variable: "AIVEN_TOKEN",
        may_be_a_file: false,
    },
    endpoint: Endpoint {
        variable: "AIVEN_WEB_URL",
        default: "https://api.aiven.io",
        path: "",
        is_emulator: false,
    },
    permissions: Permissions {
        read: &["project:services:read", "service:data:write"],
        write: &["developer", "operator"],
    },
    // The list and the bulk read may show what was there before: Aiven's own tests allow 20 × 5 s after
    // a create and 3 min after a delete (terraform-provider-aiven).
    catching_up_ms: 5 * 60 * 1000,
};

/// Kafka topics.
pub(super) static KAFKA_TOPIC: KindEntry = KindEntry {
    provider: ProviderName::Aiven,
    word: "kafka-topic",
    label: "topic",
    about: "A Kafka topic of an Aiven service.",
    in_definitions: "topic",
    fields: FIELDS,
    naming: Naming::StackPrefix,
    settings: &["aiven_project", "kafka_service"],
    created_again: "its messages do not come back",
    is_additive: false,
    hangs_on: None,
    parse,
    needs: super::needs_nothing,
    lost,
    siblings: super::no_siblings,
    full_name: super::plain_name,
};

fn parse(project: &str, rest: &str) -> Option<ResourceKey> {
    let (service, topic) = super::two_parts(rest)?;
    Some(ResourceKey::kafka_topic(project, service, topic))
}

fn lost(_: &Deletion<'_>) -> String {
    "all its messages are deleted".to_owned()
}

const MS: Unit = Unit::Milliseconds;
const BYTES: Unit = Unit::Bytes;
const PLAIN: Unit = Unit::Plain;

const EXPIRES: RiskRule = RiskRule::Destructive("messages beyond the new limit are deleted");
const GONE: RiskRule = RiskRule::SafeBut("messages already expired do not come back");
const ONE_WAY: RiskRule = RiskRule::Impossible("it cannot be turned off once it is on");

const NEVER_REACHED: &str =
    "Kafka, UnifiedLog: a segment goes once it is beyond the limit, and nothing is beyond 2^63-1";

/// Retention: `-1` is how Kafka writes it.
const RETENTION: &[Special] = &[
    row(
        Spelling::Number(-1),
        Meaning::NoLimit,
        "Kafka, topic configs retention.ms and retention.bytes: -1 is no limit",
    ),
    row(Spelling::Number(i64::MAX), Meaning::NoLimit, NEVER_REACHED),
];

const AS_WHOLE: &str = "Kafka, topic configs local.retention.*: -2 is the whole retention's value";
const LOCAL_NO_LIMIT: &str =
    "KIP-405: -1 is no limit; local retention never reaches beyond the whole one";

/// What brokers keep of a tiered topic, in time.
const LOCAL_RETENTION_MS: &[Special] = &[
    row(Spelling::Number(-2), Meaning::As("retention_ms"), AS_WHOLE),
    row(Spelling::Number(-1), Meaning::NoLimit, LOCAL_NO_LIMIT),
    row(Spelling::Number(i64::MAX), Meaning::NoLimit, NEVER_REACHED),
];

/// The same in bytes.
const LOCAL_RETENTION_BYTES: &[Special] = &[
    row(
        Spelling::Number(-2),
        Meaning::As("retention_bytes"),
        AS_WHOLE,
    ),
    row(Spelling::Number(-1), Meaning::NoLimit, LOCAL_NO_LIMIT),
    row(Spelling::Number(i64::MAX), Meaning::NoLimit, NEVER_REACHED),
];

/// Limits that have no negative spelling.
const LARGEST: &[Special] = &[row(
    Spelling::Number(i64::MAX),
    Meaning::NoLimit,
    "Aiven, config-kafka.md: the default, for a limit that is never reached",
)];

/// Both policies at once. Kafka takes the list in any order and case.
const CLEANUP_POLICY: &[Special] = &[
    row(
        Spelling::Word("delete,compact"),
        Meaning::Word("compact,delete"),
        "Kafka, topic config cleanup.policy: a list in any order; Aiven's API takes one of them",
    ),
    row(
        Spelling::Word("compact_and_delete"),
        Meaning::Word("compact,delete"),
        "other tools' word for both policies",
    ),
];

/// No compression.
const COMPRESSION: &[Special] = &[row(
    Spelling::Word("none"),
    Meaning::Word("uncompressed"),
    "Kafka: a producer's word for what topics call uncompressed",
)];

/// Features of newer services; an older one shows no such key.
const OFF_WHEN_ABSENT: &[Special] = &[row(
    Spelling::Absent,
    Meaning::Flag(false),
    "Aiven OpenAPI: the key is optional, and its default is false",
)];

/// Kafka topics. Segment bounds are what the platform honours, not what the API accepts: below
/// them a value is taken and never applied, which would be drift for ever.
const FIELDS: &[FieldSpec] = &[
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
    ))
    // More partitions move the keys of a compacted topic, so that old values are never compacted away.
    .worse(WorseWith {
        field: "cleanup_policy",
        contains: "compact",
        why: "the topic is compacted: keys move to other partitions, and their old values stay for ever",
    }),
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
    .special(CLEANUP_POLICY),
    field(
        "compression_type",
        Shape::Choice(&["snappy", "gzip", "lz4", "producer", "uncompressed", "zstd"]),
        PLAIN,
        "Compression of stored records.",
    )
    .special(COMPRESSION),
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
    .special(OFF_WHEN_ABSENT),
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
    .special(LARGEST),
    field("flush_ms", ANY, MS, "Time between forced flushes.").special(LARGEST),
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
    .special(LOCAL_RETENTION_BYTES),
    field(
        "local_retention_ms",
        at_least(-2),
        MS,
        "Time kept on brokers with tiered storage; -2: as retention_ms.",
    )
    .raised(GONE)
    .lowered(EXPIRES)
    .special(LOCAL_RETENTION_MS),
    field(
        "max_compaction_lag_ms",
        ANY,
        MS,
        "Longest time a record stays uncompacted.",
    )
    .special(LARGEST),
    field("max_message_bytes", ANY, BYTES, "Largest record batch.").lowered(RiskRule::Disruptive(
        "producers of larger messages are refused",
    )),
    field(
        "message_timestamp_after_max_ms",
        ANY,
        MS,
        "How far ahead a record's timestamp may be.",
    )
    .special(LARGEST),
    field(
        "message_timestamp_before_max_ms",
        ANY,
        MS,
        "How far behind a record's timestamp may be.",
    )
    .special(LARGEST),
    field(
        "message_timestamp_difference_max_ms",
        ANY,
        MS,
        "How far off a record's timestamp may be.",
    )
    .special(LARGEST),
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
    .special(OFF_WHEN_ABSENT),
    field(
        "retention_bytes",
        at_least(-1),
        BYTES,
        "Bytes kept per partition; -1: no limit.",
    )
    .raised(GONE)
    .lowered(EXPIRES)
    .special(RETENTION),
    field(
        "retention_ms",
        at_least(-1),
        MS,
        "Time records are kept; -1: no limit.",
    )
    .raised(GONE)
    .lowered(EXPIRES)
    .special(RETENTION),
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
