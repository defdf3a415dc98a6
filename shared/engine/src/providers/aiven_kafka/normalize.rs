//! Between Aiven's JSON and the core's words. Pure.

use kedge_core::change::{Change, Edit};
use kedge_core::live::{FailureCode, Live, ReadFailure};
use kedge_core::model::{
    FieldName, FieldSpec, Fields, Kind, Shape, Value, field_spec, field_specs,
};
use thiserror::Error;

use super::super::words::words;
use super::scalar::{Count, Scalar};
use super::wire::{ConfigValue, Tag, TopicDetail, TopicSummary, TopicWrite};

const PARTITIONS: FieldName = FieldName::known("partitions");
const REPLICATION: FieldName = FieldName::known("replication");
const DESCRIPTION: FieldName = FieldName::known("description");
const OWNER: FieldName = FieldName::known("owner_user_group_id");
const TAGS: &str = "tags";

/// A value that a request can't carry.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub(super) struct UnsendableError(String);

/// Whether a topic is Kafka's, a connector's or a mirror's own, so that it is never reported as
/// unmanaged (semantics 2.5).
///
/// Sources: Aiven docs replication-flow-topics-regex (`__.*`, `.*[-.]internal`, `.*\.replica`) and
/// permissions-internal-topics (`heartbeats`, `*.heartbeats`, `*.checkpoints.internal`,
/// `mm2-*.internal`); Karapace's `_schemas`.
pub(super) fn is_internal(name: &str) -> bool {
    is_reserved(name)
        || name == "heartbeats"
        || [".heartbeats", ".internal", "-internal", ".replica"]
            .iter()
            .any(|ending| name.ends_with(ending))
}

/// Whether a topic is never written, even if somebody declares it. Others of the list above may
/// be somebody's own (`prod-tools-internal`).
pub(super) fn is_reserved(name: &str) -> bool {
    name.starts_with("__") || name == "_schemas"
}

/// Whether the provider is making or deleting the topic right now, or says something of it that
/// nobody here knows: then its values mean nothing that could be relied on.
pub(super) fn in_transition(state: Option<&str>) -> Result<(), ReadFailure> {
    let (reason, code) = match state {
        None | Some("ACTIVE") => return Ok(()),
        Some("CONFIGURING") => (
            "Aiven is creating or changing the topic right now".to_owned(),
            FailureCode::InTransition,
        ),
        Some("DELETING") => (
            "Aiven is deleting the topic right now".to_owned(),
            FailureCode::BeingDeleted,
        ),
        Some(other) => (
            format!(
                "Aiven says that the topic's state is {}, which this program does not know",
                words(other)
            ),
            FailureCode::StrangeAnswer,
        ),
    };
    Err(ReadFailure {
        reason,
        permission: None,
        code,
    })
}

/// Everything a detail shows. One field that can't be understood makes the whole unknown: left
/// out it would look like a difference.
pub(super) fn detail(topic: TopicDetail) -> Result<Live, ReadFailure> {
    in_transition(topic.state.as_deref())?;
    let mut fields = Fields::new();
    let whole = |name: FieldName, value: Option<i64>| match value {
        Some(number) if number >= 1 => Ok((name, Value::Int(number))),
        _ => Err(strange(name.as_str())),
    };
    fields.extend([
        whole(PARTITIONS, topic.partitions.0)?,
        whole(REPLICATION, topic.replication.as_int())?,
    ]);
    texts(
        &mut fields,
        topic.topic_description,
        topic.owner_user_group_id,
        topic.tags,
    );
    for spec in config_specs() {
        let value = match topic.config.get(spec.name).map(|entry| &entry.value) {
            None | Some(Scalar::Null) => spec.when_absent(),
            Some(shown) => Some(config_value(spec, shown).ok_or_else(|| strange(spec.name))?),
        };
        fields.extend(value.map(|value| (FieldName::known(spec.name), value)));
    }
    Ok(Live {
        fields,
        ..Live::default()
    })
}

/// What the list shows of a topic that nobody asked for. What can't be understood is left out:
/// nothing is compared with it. `retention_hours` is less exact than the field and left out too.
pub(super) fn summary(topic: TopicSummary) -> Live {
    let mut fields = Fields::new();
    let Count(partitions) = topic.partitions;
    fields.extend(partitions.map(|count| (PARTITIONS, Value::Int(count))));
    let replication = topic.replication.as_int();
    fields.extend(replication.map(|count| (REPLICATION, Value::Int(count))));
    texts(
        &mut fields,
        topic.topic_description,
        topic.owner_user_group_id,
        topic.tags,
    );
    let shown = [
        ("cleanup_policy", topic.cleanup_policy),
        ("min_insync_replicas", topic.min_insync_replicas),
        ("retention_bytes", topic.retention_bytes),
        ("remote_storage_enable", topic.remote_storage_enable),
        ("diskless_enable", topic.diskless_enable),
    ];
    for (name, scalar) in shown {
        let name = FieldName::known(name);
        let value =
            field_spec(Kind::KafkaTopic, &name).and_then(|spec| config_value(spec, &scalar));
        fields.extend(value.map(|value| (name, value)));
    }
    Live {
        fields,
        ..Live::default()
    }
}

fn texts(
    fields: &mut Fields,
    description: Option<String>,
    owner: Option<String>,
    tags: Option<Vec<Tag>>,
) {
    fields.extend(description.map(|text| (DESCRIPTION, Value::Text(text))));
    fields.extend(owner.map(|text| (OWNER, Value::Text(text))));
    for tag in tags.unwrap_or_default() {
        fields.insert(tag_field(&tag.key), Value::Text(tag.value));
    }
}

fn tag_field(key: &str) -> FieldName {
    FieldName::new(format!("{TAGS}.{key}"))
}

/// The fields that are config keys on the wire, under the same name.
fn config_specs() -> impl Iterator<Item = &'static FieldSpec> {
    field_specs(Kind::KafkaTopic)
        .iter()
        .filter(|spec| is_config(spec.name))
}

fn is_config(name: &str) -> bool {
    name != TAGS
        && ![PARTITIONS, REPLICATION, DESCRIPTION, OWNER]
            .iter()
            .any(|field| field.as_str() == name)
}

fn config_value(spec: &FieldSpec, scalar: &Scalar) -> Option<Value> {
    let value = match spec.shape {
        Shape::Int { .. } => scalar.as_int().map(Value::Int),
        Shape::Bool => scalar.as_bool().map(Value::Bool),
        Shape::Ratio => scalar.as_billionths().map(Value::Ratio),
        Shape::Choice(_) | Shape::Text { .. } => scalar.as_text().map(Value::text),
        _ => None,
    };
    value.map(|value| spec.canonical(value))
}

fn strange(field: &str) -> ReadFailure {
    ReadFailure {
        reason: format!("Aiven's answer has no usable {field}"),
        permission: None,
        code: FailureCode::StrangeAnswer,
    }
}

/// The body that makes a topic.
pub(super) fn create_body(name: &str, declared: &Fields) -> Result<TopicWrite, UnsendableError> {
    let mut body = TopicWrite {
        topic_name: Some(name.to_owned()),
        ..TopicWrite::default()
    };
    for (field, value) in declared {
        set(&mut body, field, value)?;
    }
    Ok(body)
}

/// The body that makes the edits and nothing else.
///
/// `tags` is the one field that is replaced as a whole (avn merges on its own side), so the live
/// tags are sent with the edits; a tag that somebody else sets between our read and this write is
/// lost.
pub(super) fn update_body(change: &Change) -> Result<TopicWrite, UnsendableError> {
    let mut body = TopicWrite::default();
    if change
        .edits
        .iter()
        .any(|edit| edit.field().entry_of(TAGS).is_some())
    {
        let Some(live) = &change.live else {
            return Err(UnsendableError(
                "the live tags are not known, and an update replaces all of them".to_owned(),
            ));
        };
        for (field, value) in &live.fields {
            if field.entry_of(TAGS).is_some() {
                set(&mut body, field, value)?;
            }
        }
    }
    for edit in &change.edits {
        match edit {
            Edit::Set { field, to } => set(&mut body, field, to)?,
            Edit::Add { field, .. } | Edit::Remove { field, .. } => {
                return Err(unsendable(field));
            }
        }
    }
    Ok(body)
}

fn set(body: &mut TopicWrite, field: &FieldName, value: &Value) -> Result<(), UnsendableError> {
    let int = || value.as_int().ok_or_else(|| unsendable(field));
    let text = || {
        let text = value.as_text().ok_or_else(|| unsendable(field))?;
        Ok(text.to_owned())
    };
    if let Some(key) = field.entry_of(TAGS) {
        let tags = body.tags.get_or_insert_default();
        let value = text()?;
        match tags.iter_mut().find(|tag| tag.key == key) {
            Some(tag) => tag.value = value,
            None => tags.push(Tag {
                key: key.to_owned(),
                value,
            }),
        }
    } else if *field == PARTITIONS {
        body.partitions = Some(int()?);
    } else if *field == REPLICATION {
        body.replication = Some(int()?);
    } else if *field == DESCRIPTION {
        body.topic_description = Some(text()?);
    } else if *field == OWNER {
        body.owner_user_group_id = Some(text()?);
    } else {
        let value = sendable(field, value)?;
        body.config.insert(field.as_str().to_owned(), value);
    }
    Ok(())
}

fn sendable(field: &FieldName, value: &Value) -> Result<ConfigValue, UnsendableError> {
    if field_spec(Kind::KafkaTopic, field).is_none_or(|spec| !is_config(spec.name)) {
        return Err(unsendable(field));
    }
    match value {
        Value::Int(number) => Ok(ConfigValue::Int(*number)),
        Value::Bool(flag) => Ok(ConfigValue::Bool(*flag)),
        Value::Text(text) => Ok(ConfigValue::Text(text.clone())),
        // Through its decimal text, so that 0.1 is sent as 0.1.
        Value::Ratio(_) => match value.to_string().parse() {
            Ok(number) => Ok(ConfigValue::Fraction(number)),
            Err(_) => Err(unsendable(field)),
        },
        _ => Err(unsendable(field)),
    }
}

fn unsendable(field: &FieldName) -> UnsendableError {
    UnsendableError(format!("a Kafka topic can't be given this {field}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::aiven_kafka::wire::{self, OneTopic, Topics};
    use kedge_core::change::Verb;
    use kedge_core::model::{ResourceKey, StackName};

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
    fn a_topic_in_the_making_is_not_judged() {
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

    #[test]
    fn a_create_carries_every_declared_field() {
        let declared: Fields = [
            ("partitions", Value::Int(6)),
            ("replication", Value::Int(3)),
            ("description", Value::text("d")),
            ("owner_user_group_id", Value::text("ug1")),
            ("tags.team", Value::text("x")),
            ("retention_ms", Value::Int(i64::MAX)),
            ("min_cleanable_dirty_ratio", Value::Ratio(100_000_000)),
            ("preallocate", Value::Bool(true)),
            ("cleanup_policy", Value::text("compact,delete")),
        ]
        .map(|(field, value)| (name(field), value))
        .into();
        let body = create_body("orders", &declared).unwrap();
        assert_eq!(
            serde_json::to_string(&body).unwrap(),
            r#"{"topic_name":"orders","partitions":6,"replication":3,"config":{"cleanup_policy":"compact,delete","min_cleanable_dirty_ratio":0.1,"preallocate":true,"retention_ms":9223372036854775807},"tags":[{"key":"team","value":"x"}],"topic_description":"d","owner_user_group_id":"ug1"}"#
        );
    }

    fn update(edits: Vec<Edit>, live: Option<Live>) -> Result<String, UnsendableError> {
        let change = Change {
            begun_before: false,
            stack: StackName::new("prod").unwrap(),
            key: ResourceKey::kafka_topic("p", "s", "prod-a"),
            verb: Verb::Update,
            edits,
            declared: [(name("partitions"), Value::Int(9))].into(),
            secrets: [].into(),
            recorded: Fields::new(),
            live,
        };
        update_body(&change).map(|body| serde_json::to_string(&body).unwrap())
    }

    fn edit(field: &str, to: Value) -> Edit {
        Edit::Set {
            field: name(field),
            to,
        }
    }

    #[test]
    fn an_update_carries_the_edits_alone() {
        let body = update(vec![edit("retention_ms", Value::Int(1))], None);
        assert_eq!(body.unwrap(), r#"{"config":{"retention_ms":1}}"#);
    }

    #[test]
    fn tags_are_sent_whole() {
        let tags = [("tags.a", Value::text("1")), ("tags.b", Value::text("2"))];
        let live = Live {
            fields: tags.map(|(field, value)| (name(field), value)).into(),
            ..Live::default()
        };
        let edits = vec![
            edit("tags.b", Value::text("3")),
            edit("tags.c", Value::text("4")),
        ];
        assert_eq!(
            update(edits.clone(), Some(live)).unwrap(),
            r#"{"tags":[{"key":"a","value":"1"},{"key":"b","value":"3"},{"key":"c","value":"4"}]}"#
        );
        assert!(update(edits, None).is_err());
    }

    #[test]
    fn what_no_topic_has_is_not_sent() {
        let item = Edit::Add {
            field: name("tags"),
            item: "a".to_owned(),
        };
        for edit in [
            item,
            edit("retention_ms", Value::seconds(1)),
            edit("partitions", Value::text("6")),
            edit("members", Value::Int(1)),
            edit("tags", Value::text("x")),
        ] {
            assert!(update(vec![edit.clone()], None).is_err(), "{edit:?}");
        }
    }
}
