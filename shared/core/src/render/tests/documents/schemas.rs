//! The schemas in `docs/schema`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value as Json;

use super::super::eight_changes;
use super::{docs, is_written, preview_json, wrong};
use crate::documents as types;

/// The schema of every document, by the name in its format.
pub(super) fn schemas() -> BTreeMap<&'static str, Json> {
    let all = [
        ("accept", schema::<types::Accept>()),
        ("changed", schema::<types::Changed>()),
        ("error", schema::<types::Error>()),
        ("health", schema::<types::Health>()),
        ("history", schema::<types::History>()),
        ("holds", schema::<types::Holds>()),
        ("outputs", schema::<types::Outputs>()),
        ("problems", schema::<types::Problems>()),
        ("push", schema::<types::Push>()),
        ("report", schema::<types::Report>()),
        ("run", schema::<types::Run>()),
        ("runs", schema::<types::Runs>()),
        ("schemas", schema::<types::Schemas>()),
        ("stack", schema::<types::Stack>()),
        ("stack-status", schema::<types::StackStatus>()),
        ("stacks", schema::<types::Stacks>()),
        ("state-command", schema::<types::StateCommand>()),
        ("token", schema::<types::NewToken>()),
        ("tokens", schema::<types::Tokens>()),
        ("unlocked", schema::<types::Unlocked>()),
        ("upload", schema::<types::Upload>()),
        ("version", schema::<types::Version>()),
    ];
    all.into_iter()
        .map(|(name, mut schema)| {
            schema["title"] = format!("kedge.{name}/1").into();
            one_line(&mut schema);
            (name, schema)
        })
        .collect()
}

fn schema<T: JsonSchema>() -> Json {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let schema = settings.into_generator().into_root_schema_for::<T>();
    serde_json::to_value(schema).unwrap()
}

/// A comment has a width, a description has none.
fn one_line(schema: &mut Json) {
    match schema {
        Json::Object(map) => map.iter_mut().for_each(|(key, value)| match value {
            Json::String(text) if key == "description" => *text = text.replace('\n', " "),
            value => one_line(value),
        }),
        Json::Array(list) => list.iter_mut().for_each(one_line),
        _ => {}
    }
}

#[test]
fn the_schemas_in_the_docs_are_those_of_the_types() {
    let folder = docs().join("schema");
    let schemas = schemas();
    for (name, schema) in &schemas {
        let text = serde_json::to_string_pretty(schema).unwrap() + "\n";
        is_written(&folder.join(format!("{name}.json")), &text);
        let format = format!("kedge.{name}/1");
        assert_eq!(format_of(schema), format);
    }
    let files = std::fs::read_dir(folder).unwrap();
    let files = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut files: Vec<String> = files.collect();
    files.sort();
    let expected = schemas.keys().map(|name| format!("{name}.json"));
    let mut expected: Vec<String> = expected.collect();
    expected.sort();
    assert_eq!(files, expected, "a schema without a document");
}

/// The word of the `format` key.
fn format_of(schema: &Json) -> String {
    let format = &schema["properties"]["format"];
    let word = format.pointer("/oneOf/0/const").or(format.get("const"));
    word.and_then(Json::as_str).unwrap_or_default().to_owned()
}

/// A part has the same schema in every document: one name means one thing.
#[test]
fn a_part_is_the_same_in_every_document() {
    let schemas = schemas();
    let mut parts: BTreeMap<String, &Json> = BTreeMap::new();
    for schema in schemas.values() {
        let own = schema["$defs"].as_object();
        for (name, part) in own.into_iter().flatten() {
            let known = parts.insert(name.clone(), part);
            assert!(known.is_none_or(|known| known == part), "{name}");
            assert!(!name.ends_with(char::is_numeric), "two types named {name}");
        }
    }
}

#[test]
fn a_schema_refuses_what_is_wrong() {
    let schema = &schemas()["report"];
    let right = preview_json(&eight_changes().report(), None);
    assert_eq!(wrong(schema, &right), Vec::<String>::new());
    let faults: [(&str, Json); 7] = [
        ("/plan/changes/0/verb", "destroy".into()),
        ("/resources/0/fields/0/origin/line", 0.into()),
        ("/counts/drifted", "1".into()),
        ("/read_at", "yesterday".into()),
        ("/policy/correct", "anything".into()),
        ("/resources/0/cause", "drift".into()),
        ("/counts/extra", 1.into()),
    ];
    for (path, value) in faults {
        let mut json = right.clone();
        match json.pointer_mut(path) {
            Some(place) => *place = value,
            None => json["counts"]["extra"] = value,
        }
        let found = wrong(schema, &json);
        assert_eq!(found.len(), 1, "{path}: {found:?}");
    }
    let mut lacking = right.clone();
    lacking.as_object_mut().unwrap().remove("verdict");
    let found = wrong(schema, &lacking).join("\n");
    assert!(
        found.contains("\"verdict\" is a required property"),
        "{found}"
    );
}
