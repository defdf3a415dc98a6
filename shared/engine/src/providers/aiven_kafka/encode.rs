//! The bodies of Aiven's requests, from the core's words. Pure. Answers are read in `normalize.rs`.

use kedge_core::change::{Change, Edit};
use kedge_core::model::{FieldName, Fields, Kind, Value, field_spec};
use thiserror::Error;

use super::normalize::{DESCRIPTION, OWNER, PARTITIONS, REPLICATION, TAGS, is_config};
use super::wire::{ConfigValue, Tag, TopicWrite};

/// A value that a request can't carry.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub(super) struct UnsendableError(String);

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
        Value::Text(text) => Ok(ConfigValue::Text(text.to_string())),
        // Through its decimal text, so that 0.1 is sent as 0.1.
        Value::Ratio(_) => match value.to_string().parse() {
            Ok(number) => Ok(ConfigValue::Fraction(number)),
            Err(_) => Err(unsendable(field)),
        },
        _ => Err(unsendable(field)),
    }
}

fn unsendable(field: &FieldName) -> UnsendableError {
    UnsendableError(format!("a Kafka topic can't have this value of {field}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use kedge_core::change::Verb;
    use kedge_core::live::Live;
    use kedge_core::model::{ResourceKey, StackName};

    fn name(text: &str) -> FieldName {
        FieldName::new(text)
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
