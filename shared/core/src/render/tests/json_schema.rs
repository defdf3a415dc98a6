//! A small JSON Schema validator, for the schemas in `docs/schema`: the keywords that they use, and
//! an error for any other, so that nothing in them goes unchecked.

use serde_json::Value;

/// What is wrong with a value by a schema. A key that the schema does not name is wrong too: readers
/// must ignore such keys, but we must not write what we have not described.
pub(crate) fn wrong(schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    check(schema, schema, value, "$", &mut found);
    found
}

fn check(root: &Value, schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    for (keyword, wanted) in schema.as_object().unwrap() {
        let is_fine = match keyword.as_str() {
            "$schema" | "title" | "description" | "$defs" => true,
            "$ref" => {
                match wanted.as_str().unwrap() {
                    "report.json" => {
                        let text = include_str!("../../../../../docs/schema/report.json");
                        let other: Value = serde_json::from_str(text).unwrap();
                        check(&other, &other, value, at, found);
                    }
                    inner => {
                        let path = inner.strip_prefix('#').unwrap();
                        check(root, root.pointer(path).unwrap(), value, at, found);
                    }
                }
                true
            }
            "type" => match wanted {
                Value::Array(types) => types.iter().any(|one| is_of(one, value)),
                one => is_of(one, value),
            },
            "const" => wanted == value,
            "enum" => wanted.as_array().unwrap().contains(value),
            "minimum" => value
                .as_i64()
                .is_none_or(|number| number >= wanted.as_i64().unwrap()),
            "maximum" => value
                .as_i64()
                .is_none_or(|number| number <= wanted.as_i64().unwrap()),
            "anyOf" => wanted.as_array().unwrap().iter().any(|one| {
                let mut inner = Vec::new();
                check(root, one, value, at, &mut inner);
                inner.is_empty()
            }),
            "items" => {
                for (number, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(root, wanted, item, &format!("{at}[{number}]"), found);
                }
                true
            }
            "required" => {
                let keys = wanted
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|key| key.as_str().unwrap());
                let lacking = keys.filter(|key| value.is_object() && value.get(key).is_none());
                found.extend(lacking.map(|key| format!("{at}.{key} is missing")));
                true
            }
            "properties" | "additionalProperties" => {
                properties(root, schema, value, at, found);
                true
            }
            other => {
                found.push(format!("the keyword {other} at {at} is not checked"));
                true
            }
        };
        if !is_fine {
            found.push(format!("{at}: {value} is not as `{keyword}`: {wanted}"));
        }
    }
}

fn properties(root: &Value, schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    for (key, inner) in value.as_object().into_iter().flatten() {
        let own = schema.get("properties").and_then(|all| all.get(key));
        match own.or_else(|| schema.get("additionalProperties")) {
            Some(schema) => check(root, schema, inner, &format!("{at}.{key}"), found),
            None => found.push(format!("{at}.{key} is not described")),
        }
    }
}

fn is_of(name: &Value, value: &Value) -> bool {
    match name.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        // A type that is not known here fits nothing.
        _ => false,
    }
}
