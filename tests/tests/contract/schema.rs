//! A value against a schema of a spec: OpenAPI 3.0, or Google's discovery format. Both are rewritten
//! as the JSON Schema that they mean, which `jsonschema` judges.
//!
//! Two things are judged here, since neither form says them. A field that no part of the schema names
//! is a fault, in requests and in answers: such a field is what a mistake of ours would look like. And
//! a field that only the server writes has no place in a request.

use std::cell::RefCell;
use std::collections::BTreeMap;

use jsonschema::Validator;
use serde_json::{Map, Value, json};

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

/// A document with schemas in it.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) root: Value,
    form: Form,
    /// Its schemas as JSON Schema, where references look for them.
    schemas: Value,
    /// Judges that were made, by the schema as it is written.
    judges: RefCell<BTreeMap<String, Validator>>,
}

impl Document {
    pub(super) fn new(root: Value, form: Form) -> Self {
        let rewritten = |all: &Value| -> Value {
            let all = all.as_object().into_iter().flatten();
            all.map(|(name, schema)| (name.clone(), as_json_schema(schema)))
                .collect::<Map<String, Value>>()
                .into()
        };
        let schemas = match form {
            Form::OpenApi => {
                json!({"components": {"schemas": rewritten(&root["components"]["schemas"])}})
            }
            Form::Discovery => json!({"schemas": rewritten(&root["schemas"])}),
        };
        Self {
            root,
            form,
            schemas,
            judges: RefCell::default(),
        }
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
        let mut judges = self.judges.borrow_mut();
        let judge = judges.entry(schema.to_string());
        let judge = judge.or_insert_with(|| self.judge(schema));
        let mut faults = Vec::new();
        for fault in judge.iter_errors(value) {
            let place = fault.instance_path().as_str().replace('/', ".");
            faults.push(format!("${place}: {fault}"));
        }
        self.check_names(&[schema], value, "$", way, &mut faults);
        faults
    }

    fn judge(&self, schema: &Value) -> Validator {
        let mut whole = self.schemas.clone();
        whole["allOf"] = json!([as_json_schema(schema)]);
        jsonschema::draft202012::options()
            .should_validate_formats(true)
            // A text in Google's JSON.
            .with_format("int64", |text: &str| text.parse::<i64>().is_ok())
            .with_format("google-duration", |text: &str| {
                let number = text.strip_suffix('s');
                number.is_some_and(|number| number.parse::<f64>().is_ok())
            })
            .build(&whole)
            .expect("the spec has schemas")
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
                    self.check_names(&inner, item, &format!("{at}.{index}"), way, faults);
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

/// What a schema of OpenAPI 3.0 or of Google's discovery format means as JSON Schema.
fn as_json_schema(schema: &Value) -> Value {
    let Value::Object(words) = schema else {
        return schema.clone();
    };
    let mut meant = Map::new();
    for (word, value) in words {
        let value = match (word.as_str(), value) {
            // Said otherwise below, or not about the value.
            ("nullable" | "required", Value::Bool(_)) => continue,
            ("type", Value::String(kind)) if kind == "any" => continue,
            ("$ref", Value::String(name)) if !name.starts_with('#') => {
                format!("#/schemas/{name}").into()
            }
            ("properties", Value::Object(parts)) => {
                let parts = parts.iter();
                let parts = parts.map(|(name, part)| (name.clone(), as_json_schema(part)));
                Value::Object(parts.collect())
            }
            ("allOf" | "anyOf" | "oneOf", Value::Array(parts)) => {
                parts.iter().map(as_json_schema).collect()
            }
            ("items" | "additionalProperties", part) => as_json_schema(part),
            (_, value) => value.clone(),
        };
        meant.insert(word.clone(), value);
    }
    if schema["format"] == "int32" {
        let bounds = [("minimum", i32::MIN), ("maximum", i32::MAX)];
        for (word, bound) in bounds {
            meant.entry(word).or_insert_with(|| bound.into());
        }
    }
    match schema["nullable"] == true {
        true => json!({"anyOf": [meant, {"type": "null"}]}),
        false => meant.into(),
    }
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
                "g": {"type": "integer", "format": "int32"},
                "h": {"type": "string", "format": "google-duration"},
                "i": {"type": "string", "format": "int64"},
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
            (json!({}), "$: \"a\" is a required property"),
            (json!({"a": "1"}), "$.a: \"1\" is not of type \"integer\""),
            (json!({"a": 0}), "$.a: 0 is less than the minimum of 1"),
            (json!({"a": 10}), "$.a: 10 is greater than the maximum of 9"),
            (json!({"a": 1, "b": "abc"}), "$.b: \"abc\" is not valid"),
            (
                json!({"a": 1, "c": null}),
                "$.c: null is not of type \"array\"",
            ),
            (json!({"a": 1, "c": ["y"]}), "$.c.0: \"y\" is not one of"),
            (json!({"a": 1, "d": "t"}), "$.d: only the server writes it"),
            (
                json!({"a": 1, "e": {"any": 1}}),
                "$.e.any: 1 is not of type \"string\"",
            ),
            (
                json!({"a": 1, "f": 7}),
                "$.f: 7 is valid under more than one",
            ),
            (
                json!({"a": 1, "f": "t"}),
                "$.f: \"t\" is not valid under any",
            ),
            (
                json!({"a": 1, "g": 1_i64 << 31}),
                "$.g: 2147483648 is greater",
            ),
            (
                json!({"a": 1, "h": "1h"}),
                "$.h: \"1h\" is not a \"google-duration\"",
            ),
            (json!({"a": 1, "i": "x"}), "$.i: \"x\" is not a \"int64\""),
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
