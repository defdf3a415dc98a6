//! The fields of topics and subscriptions: names, shapes, whether they may change, and how JSON is read into them.

use super::{Refused, invalid};
use crate::call::Object;
use serde_json::{Value, json};

/// What a field may hold.
#[derive(Debug, Clone, Copy)]
enum Shape {
    Text,
    Flag,
    Int,
    Duration,
    Labels,
    List,
    /// A message whose fields are checked.
    Message(&'static [Field]),
    /// A message taken as it comes.
    Open,
}

/// Who may write a field, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    InPlace,
    Never,
    /// Only the server writes it; ignored on input, as proto3 output-only fields are.
    Output,
    /// Taken on creation and never shown again.
    CreateOnly,
}

#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    shape: Shape,
    pub(super) change: Change,
}

const fn field(name: &'static str, shape: Shape) -> Field {
    Field {
        name,
        shape,
        change: Change::InPlace,
    }
}

const fn fixed(name: &'static str, shape: Shape, change: Change) -> Field {
    Field {
        name,
        shape,
        change,
    }
}

/// A kind of resource.
#[derive(Debug)]
pub(super) struct Kind {
    /// `Topic` or `Subscription`, as error texts say it.
    pub(super) title: &'static str,
    /// The key of the resource inside a PATCH body.
    pub(super) key: &'static str,
    pub(super) fields: &'static [Field],
}

pub(super) const TOPIC: Kind = Kind {
    title: "Topic",
    key: "topic",
    fields: &[
        fixed("name", Shape::Text, Change::Never),
        field("labels", Shape::Labels),
        field("messageRetentionDuration", Shape::Duration),
        field("kmsKeyName", Shape::Text),
        field("messageStoragePolicy", Shape::Message(STORAGE)),
        field("schemaSettings", Shape::Message(SCHEMA)),
        field("ingestionDataSourceSettings", Shape::Open),
        field("messageTransforms", Shape::List),
        fixed("tags", Shape::Labels, Change::CreateOnly),
        fixed("state", Shape::Text, Change::Output),
        fixed("satisfiesPzs", Shape::Flag, Change::Output),
    ],
};

pub(super) const SUBSCRIPTION: Kind = Kind {
    title: "Subscription",
    key: "subscription",
    fields: &[
        fixed("name", Shape::Text, Change::Never),
        fixed("topic", Shape::Text, Change::Never),
        field("pushConfig", Shape::Message(PUSH)),
        field("bigqueryConfig", Shape::Open),
        field("cloudStorageConfig", Shape::Open),
        field("bigtableConfig", Shape::Open),
        field("ackDeadlineSeconds", Shape::Int),
        field("retainAckedMessages", Shape::Flag),
        field("messageRetentionDuration", Shape::Duration),
        field("labels", Shape::Labels),
        fixed("enableMessageOrdering", Shape::Flag, Change::Never),
        field("expirationPolicy", Shape::Message(EXPIRATION)),
        fixed("filter", Shape::Text, Change::Never),
        field("deadLetterPolicy", Shape::Message(DEAD_LETTER)),
        field("retryPolicy", Shape::Message(RETRY)),
        fixed("detached", Shape::Flag, Change::Output),
        field("enableExactlyOnceDelivery", Shape::Flag),
        field("messageTransforms", Shape::List),
        fixed("tags", Shape::Labels, Change::CreateOnly),
        fixed("state", Shape::Text, Change::Output),
        fixed(
            "topicMessageRetentionDuration",
            Shape::Duration,
            Change::Output,
        ),
        fixed("analyticsHubSubscriptionInfo", Shape::Open, Change::Output),
    ],
};

const STORAGE: &[Field] = &[
    field("allowedPersistenceRegions", Shape::List),
    field("enforceInTransit", Shape::Flag),
];
const SCHEMA: &[Field] = &[
    field("schema", Shape::Text),
    field("encoding", Shape::Text),
    field("firstRevisionId", Shape::Text),
    field("lastRevisionId", Shape::Text),
];
const PUSH: &[Field] = &[
    field("pushEndpoint", Shape::Text),
    field("attributes", Shape::Labels),
    field("oidcToken", Shape::Message(OIDC)),
    field("noWrapper", Shape::Message(NO_WRAPPER)),
    field("pubsubWrapper", Shape::Message(&[])),
];
const OIDC: &[Field] = &[
    field("serviceAccountEmail", Shape::Text),
    field("audience", Shape::Text),
];
const NO_WRAPPER: &[Field] = &[field("writeMetadata", Shape::Flag)];
const EXPIRATION: &[Field] = &[field("ttl", Shape::Duration)];
const DEAD_LETTER: &[Field] = &[
    field("deadLetterTopic", Shape::Text),
    field("maxDeliveryAttempts", Shape::Int),
];
const RETRY: &[Field] = &[
    field("minimumBackoff", Shape::Duration),
    field("maximumBackoff", Shape::Duration),
];

/// `push_config` and `pushConfig` are the same name; both are read (recorded by an emulator's strict mode).
pub(super) fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let mut out = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        out.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        out.extend(letters);
    }
    out
}

/// Reads JSON into known fields. Defaults are dropped as proto3 JSON drops them; an unknown field is 400.
pub(super) fn read(fields: &[Field], body: &Object, at: &str) -> Result<Object, Refused> {
    let mut read = Object::new();
    for (given, value) in body {
        let name = camel(given);
        let Some(field) = fields.iter().find(|field| field.name == name) else {
            return Err(unknown_field(given, at));
        };
        if value.is_null() || field.change == Change::Output {
            continue;
        }
        let path = format!("{at}.{given}");
        if let Some(value) = read_value(field.shape, value, &path)?
            && read.insert(name, value).is_some()
        {
            return Err(invalid(&format!(
                "Invalid JSON payload received. Field {path} is given twice."
            )));
        }
    }
    Ok(read)
}

/// `None` where the value is the default and so is not kept. Messages keep their presence: it can mean something.
fn read_value(shape: Shape, value: &Value, path: &str) -> Result<Option<Value>, Refused> {
    let wrong = || invalid(&format!("Invalid value at '{path}': {value}"));
    Ok(match shape {
        Shape::Text => {
            let text = value.as_str().ok_or_else(wrong)?;
            (!text.is_empty()).then(|| json!(text))
        }
        Shape::Flag => value.as_bool().ok_or_else(wrong)?.then_some(json!(true)),
        Shape::Int => {
            // proto3 JSON takes an int32 as a number or as a string.
            let number = value
                .as_i64()
                .or_else(|| value.as_str()?.parse().ok())
                .filter(|number| i32::try_from(*number).is_ok())
                .ok_or_else(wrong)?;
            (number != 0).then(|| json!(number))
        }
        Shape::Duration => {
            let text = value.as_str().ok_or_else(wrong)?;
            Some(json!(print_duration(
                read_duration(text).ok_or_else(wrong)?
            )))
        }
        Shape::Labels => {
            let labels = value.as_object().ok_or_else(wrong)?;
            if !labels.values().all(Value::is_string) {
                return Err(wrong());
            }
            (!labels.is_empty()).then(|| value.clone())
        }
        Shape::List => (!value.as_array().ok_or_else(wrong)?.is_empty()).then(|| value.clone()),
        Shape::Message(fields) => {
            let object = value.as_object().ok_or_else(wrong)?;
            Some(Value::Object(read(fields, object, path)?))
        }
        Shape::Open => {
            let object = value.as_object().ok_or_else(wrong)?;
            Some(Value::Object(object.clone()))
        }
    })
}

fn unknown_field(name: &str, at: &str) -> Refused {
    let message = format!(
        "Invalid JSON payload received. Unknown name \"{name}\" at '{at}': Cannot find field."
    );
    let mut answer = super::error(400, "INVALID_ARGUMENT", &message);
    super::add_detail(
        &mut answer,
        json!({
            "@type": "type.googleapis.com/google.rpc.BadRequest",
            "fieldViolations": [{"field": at, "description": message}],
        }),
    );
    Box::new(answer)
}

const NANOS: i64 = 1_000_000_000;

/// Nanoseconds of `600s` or `600.500s`. `10m` is not a duration here.
pub(super) fn read_duration(text: &str) -> Option<i64> {
    let number = text.strip_suffix('s')?;
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || part.len() > 9 || !digits(whole) || !digits(part) {
        return None;
    }
    let seconds: i64 = whole.parse().ok()?;
    let nanos: i64 = format!("{part:0<9}").parse().ok()?;
    seconds.checked_mul(NANOS)?.checked_add(nanos)
}

/// With 0, 3, 6 or 9 digits after the point, as proto3 JSON prints durations.
fn print_duration(nanos: i64) -> String {
    let (whole, part) = (nanos / NANOS, nanos % NANOS);
    match part {
        0 => format!("{whole}s"),
        _ if part % 1_000_000 == 0 => format!("{whole}.{:03}s", part / 1_000_000),
        _ if part % 1_000 == 0 => format!("{whole}.{:06}s", part / 1_000),
        _ => format!("{whole}.{part:09}s"),
    }
}

pub(super) fn seconds(value: Option<&Value>) -> Option<i64> {
    read_duration(value?.as_str()?).map(|nanos| nanos / NANOS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_seconds_and_print_canonically() {
        let cases = [
            ("600s", Some("600s")),
            ("60.0s", Some("60s")),
            ("600.5s", Some("600.500s")),
            ("1.000001s", Some("1.000001s")),
            ("1.000000001s", Some("1.000000001s")),
            ("0600s", Some("600s")),
            ("10m", None),
            ("600", None),
            ("-1s", None),
            ("s", None),
        ];
        for (text, expected) in cases {
            assert_eq!(
                read_duration(text).map(print_duration).as_deref(),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn names_are_read_in_both_styles() {
        for (given, name) in [
            ("push_config", "pushConfig"),
            ("pushConfig", "pushConfig"),
            ("labels", "labels"),
            ("ack_deadline_seconds", "ackDeadlineSeconds"),
        ] {
            assert_eq!(camel(given), name);
        }
    }
}
