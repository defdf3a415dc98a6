//! What each spelling of an answer becomes.

use super::*;
use crate::providers::aiven_kafka::wire::{self, OneTopic, Topics};

fn name(text: &str) -> FieldName {
    FieldName::new(text)
}

fn topic(config: &str) -> Result<Live, ReadFailure> {
    let body = format!(
        r#"{{"topic":{{"topic_name":"a","state":"ACTIVE","replication":3,"partitions":[{{}},{{}}],
        "tags":[{{"key":"team","value":"x"}}],"topic_description":null,"config":{config}}}}}"#
    );
    detail(wire::read::<OneTopic>(body.as_bytes()).unwrap().topic)
}

#[test]
fn internal_topics() {
    for internal in [
        "__consumer_offsets",
        "__transaction_state",
        "_schemas",
        "connect-internal",
        "mm2-offsets.a.internal",
        "a.checkpoints.internal",
        "orders.replica",
        "heartbeats",
        "a.heartbeats",
    ] {
        assert!(is_internal(internal), "{internal}");
    }
    for ours in [
        "prod-runtime",
        "prod-heartbeats",
        "prod-replica",
        "_a",
        "internal",
    ] {
        assert!(!is_internal(ours), "{ours}");
    }
    assert!(is_reserved("__x") && is_reserved("_schemas"));
    assert!(!is_reserved("prod-tools-internal"));
}

#[test]
fn details_become_fields() {
    let live = topic(
        r#"{"retention_ms":{"value":86400000,"source":"topic_config","synonyms":[{"value":1}]},
        "flush_ms":{"value":9223372036854776000,"source":"default_config"},
        "retention_bytes":{"value":"-1"},"cleanup_policy":{"value":"delete,compact"},
        "min_cleanable_dirty_ratio":{"value":0.5},"preallocate":{"value":false},
        "message_format_version":{"value":"None"},"segment_ms":{"value":null},"new_key":{"value":{}}}"#,
    )
    .unwrap();
    let expected: Fields = [
        ("partitions", Value::Int(2)),
        ("replication", Value::Int(3)),
        ("tags.team", Value::text("x")),
        ("retention_ms", Value::Int(86_400_000)),
        ("flush_ms", Value::Int(i64::MAX)),
        ("retention_bytes", Value::Int(-1)),
        ("cleanup_policy", Value::text("compact,delete")),
        ("min_cleanable_dirty_ratio", Value::Ratio(500_000_000)),
        ("preallocate", Value::Bool(false)),
        // An older service shows neither key.
        ("diskless_enable", Value::Bool(false)),
        ("remote_storage_enable", Value::Bool(false)),
    ]
    .map(|(field, value)| (name(field), value))
    .into();
    assert_eq!(live.fields, expected);
}

#[test]
fn spellings_of_one_value_are_read_as_one() {
    for (config, field, expected) in [
        ("retention_ms", "9223372036854775807", Value::Int(-1)),
        ("retention_ms", "9223372036854776000", Value::Int(-1)),
        ("retention_ms", "\"9.223372036854776e18\"", Value::Int(-1)),
        ("retention_bytes", "\"9223372036854775807\"", Value::Int(-1)),
        (
            "local_retention_bytes",
            "9223372036854775807",
            Value::Int(-1),
        ),
        ("local_retention_ms", "-2.0", Value::Int(-2)),
        (
            "cleanup_policy",
            "\"delete, compact\"",
            Value::text("compact,delete"),
        ),
        (
            "cleanup_policy",
            "\"[compact, delete]\"",
            Value::text("compact,delete"),
        ),
        ("compression_type", "\"none\"", Value::text("uncompressed")),
        (
            "min_cleanable_dirty_ratio",
            "\"5.0e-1\"",
            Value::Ratio(500_000_000),
        ),
        (
            "min_cleanable_dirty_ratio",
            "1.0",
            Value::Ratio(1_000_000_000),
        ),
        ("preallocate", "\"TRUE\"", Value::Bool(true)),
        ("remote_storage_enable", "null", Value::Bool(false)),
    ]
    .map(|(field, value, expected)| {
        (
            format!(r#"{{"{field}":{{"value":{value}}}}}"#),
            field,
            expected,
        )
    }) {
        let live = topic(&config).unwrap();
        assert_eq!(live.fields.get(&name(field)), Some(&expected), "{config}");
    }
}

#[test]
fn a_field_that_makes_no_sense_makes_the_topic_unknown() {
    for (config, field) in [
        (r#"{"retention_ms":{"value":"soon"}}"#, "retention_ms"),
        (r#"{"preallocate":{"value":1}}"#, "preallocate"),
        (r#"{"compression_type":{"value":[]}}"#, "compression_type"),
    ] {
        let failure = topic(config).unwrap_err();
        assert_eq!(failure.code, FailureCode::StrangeAnswer);
        assert!(failure.reason.contains(field));
    }
    let none = r#"{"topic_name":"a","replication":3,"partitions":[],"tags":[],"config":{}}"#;
    let failure = detail(wire::read(none.as_bytes()).unwrap()).unwrap_err();
    assert!(failure.reason.contains("partitions"));
}

#[test]
fn a_topic_that_is_being_created_is_unknown() {
    for (state, code) in [
        ("CONFIGURING", FailureCode::InTransition),
        ("DELETING", FailureCode::BeingDeleted),
        ("OFFLINE\\u001b[2J", FailureCode::StrangeAnswer),
    ] {
        let body = format!(
            r#"{{"topic_name":"a","state":"{state}","replication":3,"partitions":[],"tags":[],"config":{{}}}}"#
        );
        let failure = detail(wire::read(body.as_bytes()).unwrap()).unwrap_err();
        assert_eq!(failure.code, code);
        assert!(!failure.reason.contains('\u{1b}'), "{}", failure.reason);
        assert_eq!(
            failure.reason.contains("OFFLINE"),
            state.contains("OFFLINE")
        );
    }
}

#[test]
fn summaries_keep_what_they_can() {
    let body = br#"{"topics":[{"topic_name":"orders","state":"ACTIVE","partitions":6,"replication":3,"min_insync_replicas":2,"retention_bytes":-1,"retention_hours":168,"cleanup_policy":"delete","tags":[{"key":"team","value":"x"}],"topic_description":null,"owner_user_group_id":null,"remote_storage_enable":false,"diskless_enable":{}}]}"#;
    let mut list: Topics<TopicSummary> = wire::read(body).unwrap();
    let live = summary(list.topics.remove(0));
    let names: Vec<&str> = live.fields.keys().map(FieldName::as_str).collect();
    assert_eq!(
        names,
        [
            "cleanup_policy",
            "min_insync_replicas",
            "partitions",
            "remote_storage_enable",
            "replication",
            "retention_bytes",
            "tags.team"
        ]
    );
}
