//! JSON Schemas of the definition files, for editors: made from the tables the parser reads by.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use crate::model::{FieldSpec, Kind, Shape, Unit, field_specs};

use super::{fields, nodes, policy, project, stack};

/// What a text may be wherever another value is wanted: it has a `{placeholder}`.
const PLACEHOLDER: &str = r"\{[A-Za-z0-9_-]+\??\}";
const WHOLE_NUMBER: &str = r"^-?[0-9]+$";
const BUCKET: &str = r"^(s3://)?[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9._-]+)*/?$";
const MILLISECONDS: &str = r"^(-?[0-9]+|[0-9]+(ms|s|m|h|d))$";
const BYTES: &str = r"^(-?[0-9]+|[0-9]+(KiB|MiB|GiB|TiB))$";
const DURATION: &str = r"^([0-9]+(\.[0-9]{1,9})?s|[0-9]+[mhd])$";

/// The schema of each sort of file, by file name.
#[must_use]
pub fn json_schemas() -> BTreeMap<&'static str, Json> {
    BTreeMap::from([
        ("kedge.schema.json", kedge()),
        ("stack.schema.json", stack_schema()),
        ("kafka-topics.schema.json", kafka_topics()),
        ("pubsub.schema.json", pubsub_schema()),
    ])
}

/// A schema as the text of its file.
#[must_use]
pub fn json_schema_text(schema: &Json) -> String {
    format!("{schema:#}\n")
}

fn document(title: &str, mut schema: Json) -> Json {
    if let Json::Object(map) = &mut schema {
        map.insert(
            "$schema".to_owned(),
            json!("http://json-schema.org/draft-07/schema#"),
        );
        map.insert("title".to_owned(), json!(title));
    }
    schema
}

/// A map with known keys only.
fn closed(properties: Map<String, Json>, required: &[&str]) -> Json {
    let mut schema = json!({
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    });
    if let (Json::Object(map), false) = (&mut schema, required.is_empty()) {
        map.insert("required".to_owned(), json!(required));
    }
    schema
}

fn list(items: &Json) -> Json {
    json!({"type": "array", "items": items})
}

fn described(mut schema: Json, doc: &str) -> Json {
    if let Json::Object(map) = &mut schema {
        map.insert("description".to_owned(), json!(doc));
    }
    schema
}

fn text(doc: &str) -> Json {
    json!({"type": "string", "minLength": 1, "description": doc})
}

fn pattern(regex: &str) -> Json {
    json!({"type": "string", "pattern": format!("{regex}|{PLACEHOLDER}")})
}

fn words(words: &[&str]) -> Json {
    json!({"anyOf": [{"enum": words}, {"type": "string", "pattern": PLACEHOLDER}]})
}

fn boolean() -> Json {
    json!({"anyOf": [{"type": "boolean"}, pattern("^(true|false)$")]})
}

fn number(min: i64, max: i64, unit: Unit) -> Json {
    let mut whole = json!({"type": "integer", "minimum": min});
    if let (Json::Object(map), true) = (&mut whole, max != i64::MAX) {
        map.insert("maximum".to_owned(), json!(max));
    }
    let regex = match unit {
        Unit::Milliseconds => MILLISECONDS,
        Unit::Bytes => BYTES,
        Unit::Plain | Unit::Seconds => WHOLE_NUMBER,
    };
    json!({"anyOf": [whole, pattern(regex)]})
}

/// What one field takes.
fn field(spec: &FieldSpec) -> Json {
    let schema = match spec.shape {
        Shape::Int { min, max } => number(min, max, spec.unit),
        Shape::Bool => boolean(),
        Shape::Choice(choices) => {
            let spellings = spec.special.iter().filter_map(|special| special.word());
            words(&choices.iter().copied().chain(spellings).collect::<Vec<_>>())
        }
        Shape::Ratio => json!({"anyOf": [
            {"type": "number", "minimum": 0, "maximum": 1},
            pattern(r"^[01](\.[0-9]{1,9})?$"),
        ]}),
        Shape::Text { chars_max } => scalar_text(chars_max),
        Shape::Duration { .. } => pattern(DURATION),
        Shape::Expiration { .. } => pattern(&format!("^never$|{DURATION}")),
        Shape::PushEndpoint => pattern("^pull$|^https://"),
        Shape::PubsubTopic => json!({"type": "string", "minLength": 3}),
        Shape::Addresses | Shape::Members | Shape::Texts => {
            json!({"type": "array", "minItems": 1, "items": {"type": "string", "minLength": 1}})
        }
        Shape::TextMap {
            value_chars_max,
            entries_max,
            ..
        } => json!({
            "type": "object",
            "maxProperties": entries_max,
            "additionalProperties": {
                "type": ["string", "number", "boolean"],
                "maxLength": value_chars_max,
            },
        }),
    };
    described(schema, spec.doc)
}

/// A text; YAML makes a number of `1`, which the parser takes as text too.
fn scalar_text(chars_max: usize) -> Json {
    json!({"type": ["string", "number", "boolean"], "minLength": 1, "maxLength": chars_max})
}

fn field_properties(kind: Kind) -> Map<String, Json> {
    field_specs(kind)
        .iter()
        .map(|spec| (spec.name.to_owned(), field(spec)))
        .collect()
}

fn add(
    properties: &mut Map<String, Json>,
    entries: impl IntoIterator<Item = (&'static str, Json)>,
) {
    properties.extend(
        entries
            .into_iter()
            .map(|(name, schema)| (name.to_owned(), schema)),
    );
}

fn on_missing() -> (&'static str, Json) {
    let doc = "What automation does when it is gone; without it, the policy's.";
    ("on_missing", described(words(&fields::ON_MISSING), doc))
}

fn own_name() -> (&'static str, Json) {
    ("name", text("Begins with `{stack}-`."))
}

fn kafka_topics() -> Json {
    let mut topic = field_properties(Kind::KafkaTopic);
    add(&mut topic, [own_name(), on_missing()]);
    let topics = list(&closed(topic, &["name"]));
    let mut root = Map::new();
    add(
        &mut root,
        [(
            "topics",
            described(topics, "Kafka topics of the stack's Aiven service."),
        )],
    );
    document("Kafka topics", closed(root, &["topics"]))
}

fn pubsub_schema() -> Json {
    let mut topic = field_properties(Kind::PubsubTopic);
    add(&mut topic, [own_name(), on_missing()]);
    let mut subscription = field_properties(Kind::PubsubSubscription);
    add(&mut subscription, [own_name(), on_missing()]);
    let mut binding = field_properties(Kind::PubsubBinding);
    let authoritative = "Members nobody declared are reported as drift.";
    add(
        &mut binding,
        [
            (
                "topic",
                text("A declared topic, or `projects/<project>/topics/<id>`."),
            ),
            ("role", text("Such as `roles/pubsub.publisher`.")),
            ("authoritative", described(boolean(), authoritative)),
        ],
    );
    let mut root = Map::new();
    add(
        &mut root,
        [
            ("topics", list(&closed(topic, &["name"]))),
            (
                "subscriptions",
                list(&closed(subscription, &["name", "topic"])),
            ),
            (
                "bindings",
                list(&closed(binding, &["topic", "role", "members"])),
            ),
        ],
    );
    document("Google Pub/Sub", closed(root, &[]))
}

fn policy_schema() -> Json {
    let allowance = |doc| described(words(&policy::ALLOWANCES), doc);
    let after = json!({"anyOf": [{"const": 0}, pattern("^(0|[0-9]+(ms|s|m|h|d))$")]});
    let mut root = Map::new();
    add(
        &mut root,
        [
            (
                "correct",
                allowance("Drift that is put back with no person at hand."),
            ),
            (
                "deploy",
                allowance("Edits that are carried out with no person at hand."),
            ),
            (
                "correct_after",
                described(
                    after,
                    "How long a drift is announced before it is corrected.",
                ),
            ),
            on_missing(),
            (
                "protected",
                described(
                    boolean(),
                    "No unattended deploy; destructive changes only from a terminal.",
                ),
            ),
            (
                "prune",
                described(boolean(), "Whether orphans may be deleted, with a grant."),
            ),
            (
                "check_every",
                described(
                    pattern("^[0-9]+(ms|s|m|h|d)$"),
                    "How often automation checks: 5m to 24h, 15m by default.",
                ),
            ),
        ],
    );
    closed(root, &[])
}

fn guards() -> Json {
    let properties: Map<String, Json> = policy::GUARDS
        .iter()
        .map(|key| {
            let max = match *key {
                "share_percent_max" => 100,
                _ => i64::from(u32::MAX),
            };
            ((*key).to_owned(), number(0, max, Unit::Plain))
        })
        .collect();
    closed(properties, &[])
}

fn area() -> Json {
    let kinds = [
        Kind::KafkaTopic,
        Kind::PubsubTopic,
        Kind::PubsubSubscription,
    ];
    let properties: Map<String, Json> = project::AREA_KEYS
        .iter()
        .zip(kinds)
        .map(|(key, kind)| ((*key).to_owned(), closed(field_properties(kind), &[])))
        .collect();
    closed(properties, &[])
}

fn ignore_rule() -> Json {
    let mut rule = Map::new();
    add(
        &mut rule,
        [
            ("resource", text("A name or key; `{stack}` is filled in.")),
            ("field", text("One field; without it, the whole resource.")),
            ("reason", text("Why.")),
            ("owner", text("Who answers for it.")),
            ("until", text("A date or a time (RFC 3339).")),
        ],
    );
    closed(rule, &["resource", "reason", "owner", "until"])
}

fn kedge() -> Json {
    let by_name = |items: Json, doc: &str| json!({"type": "object", "additionalProperties": items, "description": doc});
    let mut root = Map::new();
    add(
        &mut root,
        [
            (
                "project",
                text("The namespace of the config keys in stack files."),
            ),
            (
                "bucket",
                described(
                    json!({"type": "string", "pattern": BUCKET}),
                    "The R2 bucket of Kedge's memory, and where in it: name or name/prefix.",
                ),
            ),
            (
                "areas",
                by_name(area(), "Defaults per area, the first folder of a path."),
            ),
            (
                "policy",
                described(
                    policy_schema(),
                    "What may happen to any stack with no person at hand.",
                ),
            ),
            (
                "stacks",
                by_name(policy_schema(), "The same for single stacks."),
            ),
            (
                "branches",
                by_name(
                    text("A stack."),
                    "Branches that deploy to a stack of another name.",
                ),
            ),
            (
                "environments",
                by_name(
                    text("A GitHub Environment."),
                    "The GitHub Environments that hold the secrets of stacks; others use `development`.",
                ),
            ),
            (
                "guards",
                described(guards(), "Limits that a whole plan must keep."),
            ),
            ("ignore", list(&ignore_rule())),
        ],
    );
    document("Kedge project", closed(root, &["project"]))
}

fn node() -> Json {
    let ttl = json!({"anyOf": [
        {"const": nodes::TTL_AUTOMATIC},
        {"type": "integer", "minimum": nodes::TTL_MIN, "maximum": nodes::TTL_MAX},
        pattern(WHOLE_NUMBER),
    ]});
    let ips =
        json!({"type": "array", "minItems": 1, "uniqueItems": true, "items": {"type": "string"}});
    let name = json!({"type": ["string", "integer"], "description": "The node's name."});
    let mut node = Map::new();
    add(
        &mut node,
        [
            ("name", name),
            (
                "ips",
                described(
                    ips,
                    "IPv4 addresses become an A record set, IPv6 an AAAA one.",
                ),
            ),
            ("domain", text("The full domain name.")),
            (
                "exclusive",
                described(boolean(), "Addresses nobody declared may be removed."),
            ),
            ("ttl", described(ttl, "Seconds; 1 is automatic.")),
            (
                "proxied",
                described(boolean(), "Send traffic through Cloudflare."),
            ),
        ],
    );
    closed(node, &["name", "ips", "domain"])
}

fn stack_schema() -> Json {
    let scalar = json!({"type": ["string", "number", "boolean", "object"]});
    let mut patterns = Map::new();
    for key in stack::CONFIG_KEYS {
        let value = match key {
            "nodes" => json!({"anyOf": [list(&node()), {"type": "object"}]}),
            _ => scalar.clone(),
        };
        patterns.insert(format!("^[^:]+:(config:)?{key}$"), value);
    }
    let config = json!({
        "type": ["object", "null"],
        "propertyNames": {"pattern": "^[^:]+:."},
        "patternProperties": patterns,
        "description": "Keys `<project>:<name>`; those of other namespaces are accepted and unused.",
    });
    let mut root = Map::new();
    add(&mut root, [("config", config), ("policy", policy_schema())]);
    for key in stack::PULUMI_KEYS {
        root.insert(
            key.to_owned(),
            json!({"description": "Pulumi's; accepted and unused."}),
        );
    }
    document("Kedge stack", closed(root, &[]))
}
