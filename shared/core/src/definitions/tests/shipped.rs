//! The definitions that ship with the project, and the schemas beside them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};

use crate::model::{Allowance, FieldName, Kind, ResourceKey, Value};

use super::super::yaml::{self, Content, Node};
use super::super::{json_schema_text, json_schemas, stack_names, stack_of_branch};
use super::*;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../definitions")
}

fn collect(folder: &Path, prefix: &str, files: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{prefix}{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            collect(&entry.path(), &format!("{path}/"), files);
        } else {
            files.insert(path, fs::read_to_string(entry.path()).unwrap());
        }
    }
}

pub(super) fn shipped() -> Bundle {
    let mut files = BTreeMap::new();
    collect(&folder(), "", &mut files);
    Bundle::new(files).unwrap()
}

fn declared(name: &str) -> Declared {
    parse_with(&shipped(), name, &[]).unwrap_or_else(|problems| panic!("{problems}"))
}

#[test]
fn every_stack_parses() {
    let bundle = shipped();
    let mut lines = Vec::new();
    for name in stack_names(&bundle) {
        let declared = declared(name.as_str());
        let counts: Vec<String> = Kind::ALL
            .iter()
            .map(|kind| {
                let of_kind = declared.resources.keys().filter(|key| key.kind() == *kind);
                format!("{} {}", kind.as_str(), of_kind.count())
            })
            .collect();
        let policy = &declared.policy;
        lines.push(format!(
            "{name}: {}; correct {}, deploy {}, protected {}; {} files, unused {:?}",
            counts.join(", "),
            policy.correct.as_str(),
            policy.deploy.as_str(),
            policy.protected,
            declared.files_read,
            declared.unused,
        ));
    }
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn equal_input_gives_equal_output() {
    assert_eq!(declared("prod"), declared("prod"));
    assert_eq!(shipped().revision(), shipped().revision());
}

#[test]
fn defaults_and_own_values_know_where_they_stand() {
    let declared = declared("prod");
    let key = ResourceKey::kafka_topic("clustera-creators", "kafka-clustera", "prod-runtime");
    let topic = &declared.resources[&key];
    let field = |name| topic.fields.get(&FieldName::known(name)).unwrap();
    assert_eq!(field("partitions").value, Value::Int(10));
    assert!(!field("partitions").origin.is_default);
    assert_eq!(
        &*field("partitions").origin.file,
        "data_plane/kafka-topics.yaml"
    );
    assert_eq!(field("replication").value, Value::Int(3));
    assert_eq!(field("retention_ms").value, Value::Int(604_800_000));
    assert_eq!(field("max_message_bytes").value, Value::Int(26_214_400));
    assert_eq!(field("compression_type").value, Value::text("snappy"));
    let origin = &field("replication").origin;
    assert!(origin.is_default);
    let bundle = shipped();
    let line = bundle
        .text(&origin.file)
        .unwrap()
        .lines()
        .nth(origin.line as usize - 1);
    assert_eq!(line, Some("      replication: 3"));
}

#[test]
fn gmail_is_pushed_where_an_endpoint_is_configured() {
    let endpoint = |name: &str| {
        let id = format!("{name}-integration-gmail-webhook-sub");
        let key = ResourceKey::pubsub_subscription("clustera-control-plane", &id);
        let resource = declared(name).resources[&key].clone();
        let field = FieldName::known("push_endpoint");
        let secret = resource
            .secrets
            .get(&field)
            .map(|text| text.reveal().to_owned());
        (
            resource.fields.get(&field).unwrap().value.to_string(),
            secret,
        )
    };
    assert_eq!(endpoint("development"), ("pull".to_owned(), None));
    let url = "https://1.clustera.io/webhooks/gmail".to_owned();
    assert_eq!(endpoint("prod"), (url.clone(), Some(url)));
}

#[test]
fn nodes_are_record_sets_by_family() {
    let declared = declared("prod");
    let record_set = |kind| {
        let key =
            ResourceKey::dns_record_set("c1a57e4a000000000000000000000001", "1.clustera.io", kind);
        declared.resources[&key].values()
    };
    let addresses = |kind| {
        record_set(kind)
            .get(&FieldName::known("addresses"))
            .unwrap()
            .to_string()
    };
    assert_eq!(addresses("A"), "{203.0.113.1, 203.0.113.2}");
    assert_eq!(addresses("AAAA"), "{2001:db8::1}");
    assert_eq!(
        record_set("A").get(&FieldName::known("ttl")),
        Some(&Value::Int(300))
    );
    assert_eq!(
        record_set("A").get(&FieldName::known("proxied")),
        Some(&Value::Bool(false))
    );
}

#[test]
fn a_new_personal_stack_is_one_new_file() {
    let mut files = shipped().files().clone();
    // The file that the system replaced asks for, unchanged.
    let config = "config:
  clustera-infrastructure:aiven_project: clustera-creators
  clustera-infrastructure:kafka_service: kafka-clustera
  clustera-infrastructure:gcp_project: clustera-control-plane
  gcp:project: clustera-control-plane
  gcp:region: us-central1
";
    files.insert("stacks/juan1.yaml".to_owned(), config.to_owned());
    let bundle = Bundle::new(files).unwrap();
    let declared = parse_with(&bundle, "juan1", &[]).unwrap();
    assert_eq!(declared.policy.deploy, Allowance::Disruptive);
    assert!(
        declared
            .resources
            .keys()
            .all(|key| key.name().starts_with("juan1-"))
    );
    assert_eq!(stack_of_branch(&bundle, "juan1"), Some(stack("juan1")));
}

#[test]
fn environments() {
    let bundle = shipped();
    for (name, environment) in [
        ("prod", "prod"),
        ("staging", "staging"),
        ("steve1", "development"),
        ("development", "development"),
    ] {
        let said = crate::definitions::environment_of(&bundle, &stack(name));
        assert_eq!(said, environment, "{name}");
    }
}

#[test]
fn protection_is_read_alike_with_and_without_the_rest() {
    let said = |way: &str| format!("protected: {way}");
    for project in ["true", "false", ""] {
        for own in ["true", "false", ""] {
            for file in ["true", "false", ""] {
                let some = |word: &str, text: String| match word {
                    "" => String::new(),
                    _ => text,
                };
                let kedge = format!(
                    "project: acme\n{}{}",
                    some(project, format!("policy: {{{}}}\n", said(project))),
                    some(own, format!("stacks: {{prod: {{{}}}}}\n", said(own))),
                );
                let stack_file = format!(
                    "config: {{}}\n{}",
                    some(file, format!("policy: {{{}}}\n", said(file)))
                );
                let bundle = set(&[("kedge.yaml", &kedge), ("stacks/prod.yaml", &stack_file)]);
                // A stack's own file can't take the project's protection away.
                let Ok(declared) = parse_with(&bundle, "prod", &[]) else {
                    continue;
                };
                let protected = crate::definitions::is_protected(&bundle, &stack("prod"));
                assert_eq!(protected, declared.policy.protected, "{kedge}{stack_file}");
            }
        }
    }
    assert!(crate::definitions::is_protected(&shipped(), &stack("prod")));
    assert!(!crate::definitions::is_protected(
        &shipped(),
        &stack("steve1")
    ));
}

#[test]
fn branches() {
    let bundle = shipped();
    for (branch, want) in [
        ("main", Some("prod")),
        ("development", Some("development")),
        ("steve1", Some("steve1")),
        ("prod", Some("prod")),
        ("feature/x", None),
    ] {
        assert_eq!(
            stack_of_branch(&bundle, branch),
            want.map(stack),
            "{branch}"
        );
    }
}

#[test]
fn committed_schemas_are_the_generated_ones() {
    for (name, schema) in json_schemas() {
        let path = folder().join("schema").join(name);
        assert_eq!(
            fs::read_to_string(&path).unwrap_or_default(),
            json_schema_text(&schema),
            "definitions/schema/{name} is stale: run `kedge schema --write definitions/schema`"
        );
    }
}

#[test]
fn every_file_names_its_schema_and_keeps_to_it() {
    let schemas = json_schemas();
    for (path, text) in shipped().files() {
        let first = text.lines().next().unwrap();
        let relative = first
            .strip_prefix("# yaml-language-server: $schema=")
            .unwrap();
        let up = "../".repeat(path.matches('/').count());
        let name = relative.strip_prefix(&format!("{up}schema/")).unwrap();
        let json = to_json(&yaml::read(text).unwrap());
        let found = faults(&schemas[name], &json);
        assert_eq!(found, Vec::<String>::new(), "{path} breaks {name}");
    }
}

#[test]
fn the_schemas_refuse_what_the_parser_refuses() {
    let schemas = json_schemas();
    for (name, value) in [
        (
            "kafka-topics.schema.json",
            json!({"topics": [{"name": "a", "partitions": 0}]}),
        ),
        (
            "kafka-topics.schema.json",
            json!({"topics": [{"name": "a", "retention_msec": 1}]}),
        ),
        (
            "kafka-topics.schema.json",
            json!({"topics": [{"partitions": 1}]}),
        ),
        (
            "kedge.schema.json",
            json!({"project": "a", "policy": {"correct": 1}}),
        ),
        (
            "stack.schema.json",
            json!({"config": {"a:nodes": [{"name": "a"}]}}),
        ),
        ("pubsub.schema.json", json!({"subscription": []})),
    ] {
        let found = faults(&schemas[name], &value);
        assert_eq!(found.len(), 1, "{name} {value}: {found:?}");
    }
}

/// Every key that a reader takes is in its schema.
#[test]
fn the_schemas_know_every_key() {
    use super::super::{kafka, nodes, policy, project, pubsub, stack as stack_file};
    let schemas = json_schemas();
    let has = |name: &str, pointer: &str, keys: &[&str]| {
        let properties = schemas[name].pointer(pointer).unwrap();
        for key in keys {
            assert!(properties.get(key).is_some(), "{name} {pointer} {key}");
        }
    };
    let kafka_topics = "kafka-topics.schema.json";
    has(
        kafka_topics,
        "/properties/topics/items/properties",
        &kafka::OWN,
    );
    let pubsub_file = "pubsub.schema.json";
    has(pubsub_file, "/properties", &pubsub::SECTIONS);
    has(
        pubsub_file,
        "/properties/topics/items/properties",
        &pubsub::OWN,
    );
    has(
        pubsub_file,
        "/properties/bindings/items/properties",
        &pubsub::BINDING_OWN,
    );
    let kedge = "kedge.schema.json";
    has(kedge, "/properties", &project::KEYS);
    has(
        kedge,
        "/properties/ignore/items/properties",
        &project::IGNORE_KEYS,
    );
    has(kedge, "/properties/policy/properties", &policy::KEYS);
    has(kedge, "/properties/guards/properties", &policy::GUARDS);
    let own = "stack.schema.json";
    has(own, "/properties", &stack_file::KEYS);
    let patterns = schemas[own]
        .pointer("/properties/config/patternProperties")
        .unwrap();
    let items = patterns["^[^:]+:(config:)?nodes$"]
        .pointer("/anyOf/0/items/properties")
        .unwrap();
    assert!(nodes::KEYS.iter().all(|key| items.get(key).is_some()));
}

fn to_json(node: &Node) -> Json {
    match &node.content {
        Content::Null => Json::Null,
        Content::Scalar(text) => json!(text),
        Content::List(items) => items.iter().map(to_json).collect(),
        Content::Map(pairs) => Json::Object(
            pairs
                .iter()
                .map(|(key, value)| match &key.content {
                    Content::Scalar(text) => (text.clone().into_owned(), to_json(value)),
                    other => panic!("{other:?}"),
                })
                .collect(),
        ),
    }
}

/// What is wrong with a file by its schema.
fn faults(schema: &Json, value: &Json) -> Vec<String> {
    let judge = jsonschema::validator_for(schema).unwrap();
    let faults = judge.iter_errors(value);
    faults
        .map(|fault| format!("{}: {fault}", fault.instance_path()))
        .collect()
}
