//! Aiven's answers in the core's words. Pure. The bodies of requests are made in `encode.rs`.

use kedge_core::live::{FailureCode, Live, ReadFailure};
use kedge_core::model::{
    FieldName, FieldSpec, Fields, Kind, Shape, Value, field_spec, field_specs,
};

use super::super::words::words;
use super::scalar::{Count, Scalar};
use super::wire::{Tag, TopicDetail, TopicSummary};

pub(super) const PARTITIONS: FieldName = FieldName::known("partitions");
pub(super) const REPLICATION: FieldName = FieldName::known("replication");
pub(super) const DESCRIPTION: FieldName = FieldName::known("description");
pub(super) const OWNER: FieldName = FieldName::known("owner_user_group_id");
pub(super) const TAGS: &str = "tags";

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
                "Aiven says that the topic's state is {}, which this version of kedge does not know",
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
    fields.extend(description.map(|text| (DESCRIPTION, Value::text(text))));
    fields.extend(owner.map(|text| (OWNER, Value::text(text))));
    for tag in tags.unwrap_or_default() {
        fields.insert(tag_field(&tag.key), Value::text(tag.value));
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

pub(super) fn is_config(name: &str) -> bool {
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

#[cfg(test)]
#[path = "normalize_tests.rs"]
mod tests;
