//! The reference in `docs/json.md`: every key and every word, and an example of each document. It is
//! made from the schemas, so from the comments in `core/src/documents`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::Value as Json;

use super::examples::examples;
use super::schemas::schemas;
use super::{docs, is_written};

/// Everything after this line is made.
const MARK: &str = "<!-- `make documents` writes the rest from `shared/core/src/documents`. -->\n";

#[test]
fn the_reference_is_that_of_the_types() {
    let path = docs().join("json.md");
    let found = std::fs::read_to_string(&path).unwrap();
    let (by_hand, _) = found.split_once(MARK).unwrap();
    is_written(&path, &format!("{by_hand}{MARK}{}", reference()));
}

#[test]
fn every_key_and_word_is_documented() {
    let reference = reference();
    for (name, schema) in schemas() {
        let described = |described: &Json| {
            let text = described["description"].as_str().unwrap_or_default();
            assert!(text.ends_with(['.', ':']), "{name}: {described:#}");
        };
        described(&schema);
        let parts = schema["$defs"].as_object().into_iter().flatten();
        for part in parts.map(|(_, part)| part).chain([&schema]) {
            described(part);
            for (key, property) in properties(part) {
                described(property);
                assert!(reference.contains(&format!("| `{key}` |")), "{key}");
            }
            for word in words(part) {
                described(word);
                let text = word["const"].as_str().unwrap();
                assert!(reference.contains(&format!("| `{text}` |")), "{text}");
            }
        }
    }
}

fn properties(part: &Json) -> impl Iterator<Item = (&String, &Json)> {
    part["properties"].as_object().into_iter().flatten()
}

fn words(part: &Json) -> impl Iterator<Item = &Json> {
    let all = part["oneOf"].as_array().into_iter().flatten();
    all.filter(|one| one["const"].is_string())
}

fn reference() -> String {
    let schemas = schemas();
    let mut text = String::new();
    let mut parts: BTreeMap<String, Json> = BTreeMap::new();
    let examples: BTreeMap<_, _> = examples().into_iter().collect();
    assert!(examples.keys().eq(schemas.keys()), "one example each");
    for (name, mut schema) in schemas {
        writeln!(text, "\n## kedge.{name}/1\n").unwrap();
        table(&mut text, &schema);
        writeln!(text, "\n```json\n{}```", examples[name]).unwrap();
        if let Json::Object(own) = schema["$defs"].take() {
            parts.extend(own);
        }
    }
    let is_word = |part: &&Json| words(part).next().is_some();
    writeln!(text, "\n## Parts").unwrap();
    for (name, part) in parts.iter().filter(|(_, part)| !is_word(part)) {
        // A document in another one has its own section.
        if part["properties"].get("format").is_none() {
            writeln!(text, "\n### {name}\n").unwrap();
            table(&mut text, part);
        }
    }
    writeln!(text, "\n## Words").unwrap();
    for (name, part) in parts.iter().filter(|(_, part)| is_word(part)) {
        writeln!(text, "\n### {name}\n\n{}\n", description(part)).unwrap();
        writeln!(text, "| word | meaning |\n|---|---|").unwrap();
        for word in words(part) {
            let meaning = description(word);
            writeln!(
                text,
                "| `{}` | {meaning} |",
                word["const"].as_str().unwrap()
            )
            .unwrap();
        }
    }
    text
}

fn description(part: &Json) -> &str {
    part["description"].as_str().unwrap_or_default()
}

fn table(text: &mut String, part: &Json) {
    writeln!(text, "{}", description(part)).unwrap();
    let mut rows = String::new();
    for (key, property) in in_order(part) {
        let what = description(property);
        writeln!(rows, "| `{key}` | {} | {what} |", kind(property)).unwrap();
    }
    for other in part["anyOf"].as_array().into_iter().flatten() {
        writeln!(rows, "| | {} | {} |", kind(other), description(other)).unwrap();
    }
    if !rows.is_empty() {
        writeln!(
            text,
            "\n| key | value | what |\n|---|---|---|\n{}",
            rows.trim_end()
        )
        .unwrap();
    }
}

/// The keys in the order of the type, which is that of `required`.
fn in_order(part: &Json) -> Vec<(&str, &Json)> {
    let required = part["required"].as_array().into_iter().flatten();
    let keys: Vec<&str> = required.filter_map(Json::as_str).collect();
    let all: BTreeSet<&str> = properties(part).map(|(key, _)| key.as_str()).collect();
    assert_eq!(all, keys.iter().copied().collect(), "a key may be left out");
    keys.into_iter()
        .map(|key| (key, &part["properties"][key]))
        .collect()
}

/// What sort of value it is.
fn kind(schema: &Json) -> String {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.trim_start_matches("#/$defs/");
        return match name {
            "Report" | "Changed" | "Problems" | "Error" => {
                let name = name.to_lowercase();
                format!("[kedge.{name}/1](#kedge{name}1)")
            }
            name => format!("[{name}](#{})", name.to_lowercase()),
        };
    }
    let of = |list: &Json| -> Vec<String> {
        let list = list.as_array().into_iter().flatten();
        list.map(kind).collect()
    };
    let alternatives = of(&schema["anyOf"]);
    if !alternatives.is_empty() {
        return alternatives.join(" or ");
    }
    if let Some(word) = words(schema).next().or(schema.get("const")) {
        let word = word.get("const").unwrap_or(word);
        return format!("`{word}`");
    }
    let plain = |name: &str| match name {
        "null" => "`null`".to_owned(),
        "array" => format!("list of {}", kind(&schema["items"])),
        "object" if !schema["additionalProperties"].is_object() => "object".to_owned(),
        "object" => format!("object of {}", kind(&schema["additionalProperties"])),
        "string" if schema["format"] == "date-time" => "time".to_owned(),
        "integer" => "number".to_owned(),
        name => name.to_owned(),
    };
    match &schema["type"] {
        Json::Array(names) => {
            let names = names.iter().filter_map(Json::as_str);
            names.map(plain).collect::<Vec<_>>().join(" or ")
        }
        name => plain(name.as_str().unwrap()),
    }
}
