//! A value against a schema: the part of JSON Schema that OpenAPI 3.0 and Google's discovery format
//! use in the specs at hand.
//!
//! Stricter than both in one point: a field that no part of the schema names is a fault, in requests
//! and in answers, since such a field is what a mistake of ours would look like. `pattern` is not
//! looked at (one is used, for names of zones), nor is any `format` but those below.

use serde_json::Value;

/// How a document refers to its own schemas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// `#/components/schemas/Name`.
    OpenApi,
    /// `Name`, under `schemas`.
    Discovery,
}

/// Which way a value goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Request,
    Answer,
}

/// The words of a schema that are read here or mean nothing for a value.
const KNOWN_WORDS: [&str; 28] = [
    "$ref",
    "additionalProperties",
    "allOf",
    "anyOf",
    "default",
    "deprecated",
    "description",
    "enum",
    "format",
    "id",
    "items",
    "maxItems",
    "maxLength",
    "maximum",
    "minItems",
    "minLength",
    "minimum",
    "nullable",
    "oneOf",
    "pattern",
    "properties",
    "readOnly",
    "required",
    "title",
    "type",
    "location",
    "name",
    "parameterOrder",
];

/// A document with schemas in it.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) root: Value,
    form: Form,
}

impl Document {
    pub(super) fn new(root: Value, form: Form) -> Self {
        Self { root, form }
    }

    /// The schema that is meant, behind any number of references.
    pub(super) fn resolve<'a>(&'a self, mut schema: &'a Value) -> &'a Value {
        while let Some(name) = schema["$ref"].as_str() {
            let pointer = match self.form {
                Form::OpenApi => name.trim_start_matches('#').to_owned(),
                Form::Discovery => format!("/schemas/{name}"),
            };
            schema = self
                .root
                .pointer(&pointer)
                .unwrap_or_else(|| panic!("the spec has no {name}"));
        }
        schema
    }

    /// All that is wrong with a value, each with its place.
    pub(super) fn faults(&self, schema: &Value, value: &Value, way: Way) -> Vec<String> {
        let mut faults = Vec::new();
        self.check(schema, value, "$", &mut faults);
        self.check_names(&[schema], value, "$", way, &mut faults);
        faults
    }

    fn check(&self, schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
        let schema = self.resolve(schema);
        for word in schema
            .as_object()
            .into_iter()
            .flat_map(|object| object.keys())
        {
            assert!(
                KNOWN_WORDS.contains(&word.as_str()) || word.starts_with("x-"),
                "the spec uses `{word}`, which is not checked here"
            );
        }
        if value.is_null() && schema["nullable"] == true {
            return;
        }
        if let Some(kind) = schema["type"].as_str()
            && !is_of_type(kind, value)
        {
            faults.push(format!("{at}: {} where {kind} belongs", kind_of(value)));
            return;
        }
        if let Some(words) = schema["enum"].as_array()
            && !words.contains(value)
        {
            faults.push(format!("{at}: {value} is none of {words:?}"));
        }
        if let Some(wrong) = out_of_bounds(schema, value).or_else(|| misformed(schema, value)) {
            faults.push(format!("{at}: {value} {wrong}"));
        }
        self.check_parts(schema, value, at, faults);
        self.check_combinations(schema, value, at, faults);
    }

    fn check_parts(&self, schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
        match value {
            Value::Object(object) => {
                for name in schema["required"].as_array().into_iter().flatten() {
                    let name = name.as_str().unwrap_or_default();
                    if !object.contains_key(name) {
                        faults.push(format!("{at}: `{name}` is missing"));
                    }
                }
                for (name, field) in object {
                    let named = schema["properties"].get(name);
                    let other = schema.get("additionalProperties").filter(|s| s.is_object());
                    if let Some(part) = named.or(other) {
                        self.check(part, field, &format!("{at}.{name}"), faults);
                    }
                }
            }
            Value::Array(items) => {
                if let Some(part) = schema.get("items") {
                    for (index, item) in items.iter().enumerate() {
                        self.check(part, item, &format!("{at}[{index}]"), faults);
                    }
                }
            }
            _ => {}
        }
    }

    fn check_combinations(
        &self,
        schema: &Value,
        value: &Value,
        at: &str,
        faults: &mut Vec<String>,
    ) {
        for part in schema["allOf"].as_array().into_iter().flatten() {
            self.check(part, value, at, faults);
        }
        for (word, one) in [("oneOf", true), ("anyOf", false)] {
            let Some(parts) = schema[word].as_array() else {
                continue;
            };
            let tried: Vec<Vec<String>> = parts
                .iter()
                .map(|part| {
                    let mut inner = Vec::new();
                    self.check(part, value, at, &mut inner);
                    inner
                })
                .collect();
            let fit = tried.iter().filter(|inner| inner.is_empty()).count();
            if fit == 0 {
                let closest = tried.into_iter().min_by_key(Vec::len).unwrap_or_default();
                faults.push(format!(
                    "{at}: fits no part of {word}, the closest: {closest:?}"
                ));
            } else if one && fit > 1 {
                faults.push(format!("{at}: fits {fit} parts of oneOf"));
            }
        }
    }

    /// Fields that no part of the schema names, and fields in a request that only the server writes.
    fn check_names(
        &self,
        schemas: &[&Value],
        value: &Value,
        at: &str,
        way: Way,
        faults: &mut Vec<String>,
    ) {
        let mut parts = Vec::new();
        schemas
            .iter()
            .for_each(|schema| self.flatten(schema, &mut parts));
        match value {
            Value::Object(object) => {
                let is_free = parts.iter().all(|part| part.get("properties").is_none())
                    || parts
                        .iter()
                        .any(|part| part["additionalProperties"] == true);
                for (name, field) in object {
                    let at = format!("{at}.{name}");
                    let mut inner: Vec<&Value> = parts
                        .iter()
                        .filter_map(|part| part["properties"].get(name))
                        .collect();
                    if inner.is_empty() {
                        inner = parts
                            .iter()
                            .filter_map(|part| part.get("additionalProperties"))
                            .filter(|other| other.is_object())
                            .collect();
                        if inner.is_empty() && !is_free {
                            faults.push(format!("{at}: the schema does not know it"));
                        }
                    }
                    let output = |part: &&Value| {
                        part["readOnly"] == true || self.resolve(part)["readOnly"] == true
                    };
                    if way == Way::Request && inner.iter().any(output) {
                        faults.push(format!("{at}: only the server writes it"));
                    }
                    self.check_names(&inner, field, &at, way, faults);
                }
            }
            Value::Array(items) => {
                let inner: Vec<&Value> =
                    parts.iter().filter_map(|part| part.get("items")).collect();
                for (index, item) in items.iter().enumerate() {
                    self.check_names(&inner, item, &format!("{at}[{index}]"), way, faults);
                }
            }
            _ => {}
        }
    }

    fn flatten<'a>(&'a self, schema: &'a Value, parts: &mut Vec<&'a Value>) {
        let schema = self.resolve(schema);
        parts.push(schema);
        for word in ["allOf", "anyOf", "oneOf"] {
            for part in schema[word].as_array().into_iter().flatten() {
                self.flatten(part, parts);
            }
        }
    }
}

fn is_of_type(kind: &str, value: &Value) -> bool {
    match kind {
        "any" => true,
        "array" => value.is_array(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "object" => value.is_object(),
        "string" => value.is_string(),
        other => panic!("the spec has a type `{other}`"),
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// What a value exceeds; `minimum` and the like hold for what they are about only.
fn out_of_bounds(schema: &Value, value: &Value) -> Option<String> {
    let size = match value {
        Value::Number(_) => return out_of_range(schema, value.as_f64()?, "minimum", "maximum"),
        Value::String(text) => (text.chars().count(), "minLength", "maxLength"),
        Value::Array(items) => (items.len(), "minItems", "maxItems"),
        _ => return None,
    };
    let (size, least, most) = size;
    out_of_range(schema, f64::from(u32::try_from(size).ok()?), least, most)
}

fn out_of_range(schema: &Value, size: f64, least: &str, most: &str) -> Option<String> {
    let bound = |word: &str| schema[word].as_f64();
    if bound(least).is_some_and(|bound| size < bound) {
        return Some(format!("is below {least} {}", schema[least]));
    }
    if bound(most).is_some_and(|bound| size > bound) {
        return Some(format!("is above {most} {}", schema[most]));
    }
    None
}

fn misformed(schema: &Value, value: &Value) -> Option<String> {
    let format = schema["format"].as_str()?;
    let fits = match (format, value) {
        ("ipv4", Value::String(text)) => text.parse::<std::net::Ipv4Addr>().is_ok(),
        ("ipv6", Value::String(text)) => text.parse::<std::net::Ipv6Addr>().is_ok(),
        ("int32", value) => value
            .as_i64()
            .is_none_or(|number| i32::try_from(number).is_ok()),
        // int64 is a text in Google's JSON.
        ("int64", value) => value
            .as_str()
            .is_none_or(|text| text.parse::<i64>().is_ok()),
        ("google-duration", Value::String(text)) => text
            .strip_suffix('s')
            .is_some_and(|number| number.parse::<f64>().is_ok()),
        ("date-time", Value::String(text)) => {
            text.len() >= 20 && text.as_bytes().get(10) == Some(&b'T')
        }
        _ => true,
    };
    (!fits).then(|| format!("is no {format}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_judge_can_say_no() {
        let root = json!({"components": {"schemas": {
            "A": {"type": "object", "required": ["a"], "properties": {
                "a": {"type": "integer", "minimum": 1, "maximum": 9},
                "b": {"type": "string", "maxLength": 2, "nullable": true},
                "c": {"type": "array", "items": {"type": "string", "enum": ["x"]}},
                "d": {"type": "string", "readOnly": true},
                "e": {"type": "object", "additionalProperties": {"type": "string"}},
            }},
            "B": {"allOf": [{"$ref": "#/components/schemas/A"},
                {"type": "object", "properties": {"f": {"oneOf": [
                    {"type": "number"}, {"type": "number", "minimum": 5}]}}}]},
        }}});
        let document = Document::new(root, Form::OpenApi);
        let schema = json!({"$ref": "#/components/schemas/B"});
        for (value, fault) in [
            (
                json!({"a": 1, "b": null, "c": ["x"], "e": {"any": "t"}, "f": 1}),
                "",
            ),
            (json!({}), "`a` is missing"),
            (json!({"a": "1"}), "$.a: string where integer belongs"),
            (json!({"a": 0}), "is below minimum 1"),
            (json!({"a": 10}), "is above maximum 9"),
            (json!({"a": 1, "b": "abc"}), "is above maxLength 2"),
            (json!({"a": 1, "c": null}), "null where array belongs"),
            (json!({"a": 1, "c": ["y"]}), "$.c[0]: \"y\" is none of"),
            (json!({"a": 1, "d": "t"}), "$.d: only the server writes it"),
            (
                json!({"a": 1, "e": {"any": 1}}),
                "$.e.any: number where string",
            ),
            (json!({"a": 1, "f": 7}), "fits 2 parts of oneOf"),
            (json!({"a": 1, "f": "t"}), "fits no part of oneOf"),
            (json!({"a": 1, "z": 1}), "$.z: the schema does not know it"),
        ] {
            let faults = document.faults(&schema, &value, Way::Request);
            match fault {
                "" => assert_eq!(faults, [""; 0]),
                fault => assert!(
                    faults.iter().any(|f| f.contains(fault)),
                    "{fault}: {faults:?}"
                ),
            }
        }
    }
}
