//! What going from one special value of a Pub/Sub field to another risks, both ways.

use kedge_core::model::{FieldName, Kind, Value, field_specs};
use kedge_core::risk::{Effect, OtherFields, effect_of_setting};

/// A value as the table writes it: `-` is none, a number of seconds ends in `s`.
fn value(text: &str) -> Option<Value> {
    match text {
        "-" => None,
        "true" | "false" => Some(Value::Bool(text == "true")),
        "''" => Some(Value::text("")),
        text => {
            let seconds = text.strip_suffix('s').map(str::parse);
            Some(match (text.parse(), seconds) {
                (Ok(number), _) => Value::Int(number),
                (_, Some(Ok(seconds))) => Value::seconds(seconds),
                _ => Value::text(text),
            })
        }
    }
}

/// `live -> to`, and what that is.
const SUBSCRIPTION: &str = "
expiration            | 86400s -> 2678400s | safe
expiration            | 2678400s -> 86400s | destructive
expiration            | 86400s -> never    | safe
expiration            | never -> 86400s    | destructive
expiration            | never -> 2678400s  | destructive
message_retention     | 600s -> 604800s    | safe
message_retention     | 604800s -> 600s    | destructive
message_retention     | 2678400s -> 604800s | destructive
retain_acked_messages | false -> true      | safe
retain_acked_messages | true -> false      | destructive
enable_exactly_once_delivery | false -> true | safe
enable_exactly_once_delivery | true -> false | safe
enable_message_ordering | false -> true    | replace
enable_message_ordering | true -> false    | replace
ack_deadline_seconds  | 10 -> 600          | disruptive
ack_deadline_seconds  | 600 -> 10          | disruptive
push_endpoint         | pull -> bigquery   | disruptive
push_endpoint         | bigquery -> pull   | disruptive
push_endpoint         | cloud-storage -> pull | disruptive
push_service_account  | - -> a@b.example   | disruptive
push_audience         | - -> https://h/x   | disruptive
push_audience         | https://h/y -> https://h/x | disruptive
filter                | '' -> a            | replace
filter                | a -> ''            | replace
topic                 | _deleted-topic_ -> t | replace
topic                 | _detached_ -> t    | replace
dead_letter_topic     | - -> t             | safe
dead_letter_topic     | _deleted-topic_ -> t | safe
max_delivery_attempts | - -> 5             | safe
max_delivery_attempts | 100 -> 5           | safe
minimum_backoff       | - -> 10s           | safe
minimum_backoff       | 0s -> 10s          | safe
minimum_backoff       | 10s -> 0s          | safe
maximum_backoff       | - -> 600s          | safe
maximum_backoff       | 600s -> 0s         | safe
labels.team           | - -> ''            | safe
labels.team           | '' -> a            | safe
";

const TOPIC: &str = "
message_retention     | - -> 600s          | safe
message_retention     | 600s -> 2678400s   | safe
message_retention     | 2678400s -> 600s   | destructive
kms_key_name          | - -> k             | safe
labels.team           | - -> ''            | safe
";

fn word(kind: Kind, field: &str, live: Option<&Value>, to: &Value) -> &'static str {
    match effect_of_setting(
        kind,
        &FieldName::new(field),
        live,
        to,
        OtherFields::default(),
    ) {
        Effect::InPlace { risk, .. } => risk.as_str(),
        Effect::Replace { .. } => "replace",
        Effect::Impossible { .. } => "impossible",
    }
}

#[test]
fn between_special_values() {
    for (kind, table) in [
        (Kind::PubsubSubscription, SUBSCRIPTION),
        (Kind::PubsubTopic, TOPIC),
    ] {
        for line in table.lines().filter(|line| !line.is_empty()) {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let [field, way, wanted] = cells.as_slice() else {
                panic!("{line}");
            };
            let (live, to) = way.split_once(" -> ").unwrap();
            let (live, to) = (value(live), value(to).unwrap());
            assert_eq!(word(kind, field, live.as_ref(), &to), *wanted, "{line}");
        }
        // No field is left out but one that has no special value.
        for spec in field_specs(kind) {
            let is_here = table.lines().any(|line| line.starts_with(spec.name));
            assert!(
                is_here || spec.name == "allowed_persistence_regions",
                "{}",
                spec.name
            );
        }
    }
}
