//! The stored JSON of records, fields and values.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::{CatchingUp, FieldName, Fields, Recorded, SealedUrl, Value};
use crate::stored::bounded::Time;

pub(super) type StoredFields = BTreeMap<String, StoredValue>;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredRecord {
    fields: StoredFields,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    catching_up: Option<StoredCatchingUp>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pending_adoption: StoredFields,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredCatchingUp {
    made: bool,
    before: BTreeMap<String, Vec<Option<StoredValue>>>,
    until_ms: Time,
    retried: bool,
}

/// Externally tagged, since serde buffers other forms and loses where an error was.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum StoredValue {
    Int(i64),
    Bool(bool),
    Text(String),
    Ratio(i64),
    Duration(i64),
    Set(Vec<String>),
    Url {
        shown: String,
        sealed: Option<String>,
    },
    Mixed(BTreeMap<String, StoredValue>),
}

pub(super) fn store_fields(fields: &Fields) -> StoredFields {
    fields
        .iter()
        .map(|(name, value)| (name.to_string(), store_value(value)))
        .collect()
}

pub(super) fn load_fields(stored: StoredFields) -> Fields {
    stored
        .into_iter()
        .map(|(name, value)| (FieldName::new(name), load_value(value)))
        .collect()
}

pub(super) fn store_value(value: &Value) -> StoredValue {
    match value {
        Value::Int(number) => StoredValue::Int(*number),
        Value::Bool(flag) => StoredValue::Bool(*flag),
        Value::Text(text) => StoredValue::Text(text.to_string()),
        Value::Ratio(billionths) => StoredValue::Ratio(*billionths),
        Value::Duration(nanos) => StoredValue::Duration(*nanos),
        Value::Set(set) => StoredValue::Set(set.iter().cloned().collect()),
        Value::Url(url) => StoredValue::Url {
            shown: url.shown.clone(),
            sealed: url.sealed.clone(),
        },
        Value::Mixed(parts) => StoredValue::Mixed(
            parts
                .iter()
                .map(|(at, value)| (at.clone(), store_value(value)))
                .collect(),
        ),
    }
}

pub(super) fn load_value(stored: StoredValue) -> Value {
    match stored {
        StoredValue::Int(number) => Value::Int(number),
        StoredValue::Bool(flag) => Value::Bool(flag),
        StoredValue::Text(text) => Value::text(text),
        StoredValue::Ratio(billionths) => Value::Ratio(billionths),
        StoredValue::Duration(nanos) => Value::Duration(nanos),
        StoredValue::Set(items) => Value::Set(items.into_iter().collect()),
        StoredValue::Url { shown, sealed } => Value::url(SealedUrl { shown, sealed }),
        StoredValue::Mixed(parts) => Value::Mixed(
            parts
                .into_iter()
                .map(|(at, value)| (at, load_value(value)))
                .collect(),
        ),
    }
}

pub(super) fn store_record(record: &Recorded) -> StoredRecord {
    let Recorded {
        fields,
        catching_up,
        pending_adoption,
    } = record;
    StoredRecord {
        fields: store_fields(fields),
        catching_up: catching_up.as_ref().map(store_catching_up),
        pending_adoption: store_fields(pending_adoption),
    }
}

pub(super) fn load_record(stored: StoredRecord) -> Recorded {
    Recorded {
        fields: load_fields(stored.fields),
        catching_up: stored.catching_up.map(load_catching_up),
        pending_adoption: load_fields(stored.pending_adoption),
    }
}

pub(super) fn store_catching_up(catching_up: &CatchingUp) -> StoredCatchingUp {
    let CatchingUp {
        made,
        before,
        until,
        retried,
    } = catching_up;
    let values = |values: &Vec<Option<Value>>| {
        let values = values.iter();
        values
            .map(|value| value.as_ref().map(store_value))
            .collect()
    };
    let before = before.iter();
    StoredCatchingUp {
        made: *made,
        before: before
            .map(|(name, old)| (name.to_string(), values(old)))
            .collect(),
        until_ms: (*until).into(),
        retried: *retried,
    }
}

pub(super) fn load_catching_up(stored: StoredCatchingUp) -> CatchingUp {
    let values = |values: Vec<Option<StoredValue>>| {
        let values = values.into_iter();
        values.map(|value| value.map(load_value)).collect()
    };
    let before = stored.before.into_iter();
    CatchingUp {
        made: stored.made,
        before: before
            .map(|(name, old)| (FieldName::new(name), values(old)))
            .collect(),
        until: stored.until_ms.into(),
        retried: stored.retried,
    }
}
