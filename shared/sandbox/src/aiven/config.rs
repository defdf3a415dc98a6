//! The config keys of a topic: types, bounds and what they are when nobody sets them.

use super::topic::{Service, Topic};
use crate::call::Object;
use serde_json::{Value, json};

/// The type of a key's value.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Int {
        min: i64,
    },
    Flag,
    /// A number from 0 to 1.
    Ratio,
    Word(&'static [&'static str]),
    Text,
}

/// What a key reads as when neither topic nor broker sets it.
#[derive(Debug, Clone, Copy)]
enum Usual {
    Int(i64),
    Flag(bool),
    Ratio(f64),
    Text(&'static str),
}

struct Key {
    name: &'static str,
    kind: Kind,
    usual: Usual,
    /// The broker setting it inherits from, as named in `synonyms`.
    broker: &'static str,
}

/// Where a value comes from, as Aiven spells it.
const SET_ON_TOPIC: &str = "topic_config";
const SET_ON_BROKERS: &str = "dynamic_default_broker_config";
const BUILT_IN: &str = "default_config";

const CLEANUP: &[&str] = &["delete", "compact", "compact,delete"];
const COMPRESSION: &[&str] = &["snappy", "gzip", "lz4", "producer", "uncompressed", "zstd"];
const STAMPS: &[&str] = &["CreateTime", "LogAppendTime"];
/// "Unlimited" is i64::MAX and must be printed exactly: 9223372036854775807 (Aiven: tf#3082).
const NO_LIMIT: i64 = i64::MAX;
const DAY_MS: i64 = 86_400_000;
const WEEK_MS: i64 = 7 * DAY_MS;

const fn int(name: &'static str, min: i64, usual: i64, broker: &'static str) -> Key {
    Key {
        name,
        kind: Kind::Int { min },
        usual: Usual::Int(usual),
        broker,
    }
}

const fn flag(name: &'static str, usual: bool, broker: &'static str) -> Key {
    Key {
        name,
        kind: Kind::Flag,
        usual: Usual::Flag(usual),
        broker,
    }
}

const fn word(
    name: &'static str,
    words: &'static [&'static str],
    usual: &'static str,
    broker: &'static str,
) -> Key {
    Key {
        name,
        kind: Kind::Word(words),
        usual: Usual::Text(usual),
        broker,
    }
}

/// Defaults from Aiven's docs (config-kafka.md) and specs; keys as of 2026.
const KEYS: &[Key] = &[
    word("cleanup_policy", CLEANUP, "delete", "log.cleanup.policy"),
    word(
        "compression_type",
        COMPRESSION,
        "producer",
        "compression.type",
    ),
    int(
        "delete_retention_ms",
        0,
        DAY_MS,
        "log.cleaner.delete.retention.ms",
    ),
    flag("diskless_enable", false, "diskless.enable"),
    int(
        "file_delete_delay_ms",
        0,
        60_000,
        "log.segment.delete.delay.ms",
    ),
    int("flush_messages", 0, NO_LIMIT, "log.flush.interval.messages"),
    int("flush_ms", 0, NO_LIMIT, "log.flush.interval.ms"),
    int("index_interval_bytes", 0, 4096, "log.index.interval.bytes"),
    int("local_retention_bytes", -2, -2, "log.local.retention.bytes"),
    int("local_retention_ms", -2, -2, "log.local.retention.ms"),
    int(
        "max_compaction_lag_ms",
        0,
        NO_LIMIT,
        "log.cleaner.max.compaction.lag.ms",
    ),
    int("max_message_bytes", 0, 1_048_588, "message.max.bytes"),
    flag(
        "message_downconversion_enable",
        true,
        "log.message.downconversion.enable",
    ),
    // From Kafka 4.0 on the answer may be the string `None`.
    Key {
        name: "message_format_version",
        kind: Kind::Text,
        usual: Usual::Text("None"),
        broker: "log.message.format.version",
    },
    int(
        "message_timestamp_after_max_ms",
        0,
        NO_LIMIT,
        "log.message.timestamp.after.max.ms",
    ),
    int(
        "message_timestamp_before_max_ms",
        0,
        NO_LIMIT,
        "log.message.timestamp.before.max.ms",
    ),
    int(
        "message_timestamp_difference_max_ms",
        0,
        NO_LIMIT,
        "log.message.timestamp.difference.max.ms",
    ),
    word(
        "message_timestamp_type",
        STAMPS,
        "CreateTime",
        "log.message.timestamp.type",
    ),
    Key {
        name: "min_cleanable_dirty_ratio",
        kind: Kind::Ratio,
        usual: Usual::Ratio(0.5),
        broker: "log.cleaner.min.cleanable.ratio",
    },
    int(
        "min_compaction_lag_ms",
        0,
        0,
        "log.cleaner.min.compaction.lag.ms",
    ),
    int("min_insync_replicas", 1, 1, "min.insync.replicas"),
    flag("preallocate", false, "log.preallocate"),
    flag("remote_storage_enable", false, "remote.log.storage.enable"),
    int("retention_bytes", -1, -1, "log.retention.bytes"),
    int("retention_ms", -1, WEEK_MS, "log.retention.ms"),
    int("segment_bytes", 14, 1_073_741_824, "log.segment.bytes"),
    int(
        "segment_index_bytes",
        0,
        10_485_760,
        "log.index.size.max.bytes",
    ),
    int("segment_jitter_ms", 0, 0, "log.roll.jitter.ms"),
    int("segment_ms", 1, WEEK_MS, "log.roll.ms"),
    flag(
        "unclean_leader_election_enable",
        false,
        "unclean.leader.election.enable",
    ),
];

impl Usual {
    fn value(self) -> Value {
        match self {
            Self::Int(number) => json!(number),
            Self::Flag(flag) => json!(flag),
            Self::Ratio(ratio) => json!(ratio),
            Self::Text(text) => json!(text),
        }
    }
}

/// Says what is wrong with a value for a key, in one sentence.
pub(crate) fn check(name: &str, value: &Value) -> Result<(), String> {
    let Some(key) = KEYS.iter().find(|key| key.name == name) else {
        return Err(format!("Unknown topic config parameter '{name}'"));
    };
    let fits = match key.kind {
        Kind::Int { min } => value.as_i64().is_some_and(|number| number >= min),
        Kind::Flag => value.is_boolean(),
        Kind::Ratio => value
            .as_f64()
            .is_some_and(|number| (0.0..=1.0).contains(&number)),
        Kind::Word(words) => value.as_str().is_some_and(|text| words.contains(&text)),
        Kind::Text => value.is_string(),
    };
    if fits {
        Ok(())
    } else {
        Err(format!(
            "Invalid value {value} for topic config parameter '{name}'"
        ))
    }
}

/// The same for a value that comes past Aiven's API: Kafka's own tools take a list of policies in
/// any order and case.
pub(crate) fn check_of_kafka(name: &str, value: &Value) -> Result<(), String> {
    let is_policy = |word: &str| {
        let word = word.trim();
        word.eq_ignore_ascii_case("compact") || word.eq_ignore_ascii_case("delete")
    };
    match (name, value.as_str()) {
        ("cleanup_policy", Some(list)) if list.split(',').all(is_policy) => Ok(()),
        _ => check(name, value),
    }
}

/// The value in force for a key: topic, else brokers, else built in.
pub(crate) fn effective(service: &Service, topic: &Topic, name: &str) -> Value {
    let own = topic.config.get(name);
    let inherited = service.broker_defaults.get(name);
    if let Some(value) = own.or(inherited) {
        return value.clone();
    }
    KEYS.iter()
        .find(|key| key.name == name)
        .map_or(Value::Null, |key| key.usual.value())
}

pub(crate) fn effective_int(service: &Service, topic: &Topic, name: &str) -> i64 {
    effective(service, topic, name).as_i64().unwrap_or(-1)
}

pub(crate) fn effective_flag(service: &Service, topic: &Topic, name: &str) -> bool {
    effective(service, topic, name).as_bool().unwrap_or(false)
}

/// The `config` object of a detail answer: every key, with value, source and, where overridden, synonyms.
pub(crate) fn describe(
    service: &Service,
    topic: &Topic,
    only: Option<&[String]>,
    equal_reads_as_default: bool,
) -> Object {
    let wanted = |key: &&Key| only.is_none_or(|names| names.iter().any(|name| name == key.name));
    KEYS.iter()
        .filter(wanted)
        .map(|key| {
            (
                key.name.to_owned(),
                entry(service, topic, key, equal_reads_as_default),
            )
        })
        .collect()
}

fn entry(service: &Service, topic: &Topic, key: &Key, equal_reads_as_default: bool) -> Value {
    let (inherited, from) = match service.broker_defaults.get(key.name) {
        Some(value) => (value.clone(), SET_ON_BROKERS),
        None => (key.usual.value(), BUILT_IN),
    };
    match topic.config.get(key.name) {
        Some(value) if !(equal_reads_as_default && *value == inherited) => json!({
            "value": value,
            "source": SET_ON_TOPIC,
            "synonyms": [{"name": key.broker, "source": from, "value": inherited}],
        }),
        _ => json!({"value": inherited, "source": from}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_checked_by_type_and_bound() {
        let good = [
            ("retention_ms", json!(-1)),
            ("flush_ms", json!(i64::MAX)),
            ("cleanup_policy", json!("compact,delete")),
            ("min_cleanable_dirty_ratio", json!(1)),
            ("preallocate", json!(true)),
            ("segment_bytes", json!(14)),
        ];
        for (name, value) in good {
            assert_eq!(check(name, &value), Ok(()), "{name}");
        }
        let bad = [
            ("retention_ms", json!("86400000")),
            ("retention_ms", json!(-2)),
            ("retention_ms", json!(9_223_372_036_854_775_808_u64)),
            ("cleanup_policy", json!("delete,compact")),
            ("min_cleanable_dirty_ratio", json!(1.1)),
            ("preallocate", json!("true")),
            ("segment_bytes", json!(13)),
            ("retention.ms", json!(1)),
        ];
        for (name, value) in bad {
            assert!(check(name, &value).is_err(), "{name} {value}");
        }
    }

    #[test]
    fn people_may_come_past_the_api() {
        for (value, fits) in [
            ("delete,compact", true),
            ("Compact, delete", true),
            ("compact,keep", false),
            ("", false),
        ] {
            let checked = check_of_kafka("cleanup_policy", &json!(value));
            assert_eq!(checked.is_ok(), fits, "{value}");
        }
        assert!(check_of_kafka("retention_ms", &json!(-2)).is_err());
    }

    #[test]
    fn every_default_passes_its_own_check() {
        for key in KEYS {
            assert_eq!(check(key.name, &key.usual.value()), Ok(()));
        }
        assert_eq!(KEYS.len(), 30);
        assert!(KEYS.is_sorted_by_key(|key| key.name));
    }
}
