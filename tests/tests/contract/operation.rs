//! The operations of a spec, whichever form it has: which one a request is, and what it and its
//! answer must look like.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::schema::{Document, Form, Way};

/// One request of ours or of a test, and its answer.
#[derive(Debug, Clone)]
pub(super) struct Exchange {
    pub(super) method: String,
    /// Path and query, without the prefix that the spec leaves to its servers.
    pub(super) target: String,
    pub(super) body: Vec<u8>,
    pub(super) status: u16,
    pub(super) answer: Vec<u8>,
}

/// A provider's spec.
#[derive(Debug)]
pub(super) struct Spec {
    document: Document,
    operations: Vec<Operation>,
    /// Query parameters that every operation takes.
    common: BTreeMap<String, Value>,
    /// The schema of an answer with a status that the spec does not list.
    otherwise: Value,
}

#[derive(Debug)]
struct Operation {
    id: String,
    method: String,
    /// Segments of the path; none is a parameter, with what must follow it.
    path: Vec<Segment>,
    query: BTreeMap<String, Value>,
    request: Option<Value>,
    /// By status as the spec writes it: `200`, `4XX`.
    answers: BTreeMap<String, Value>,
}

#[derive(Debug)]
enum Segment {
    Fixed(String),
    /// A parameter, and what must follow it: `:getIamPolicy`.
    Any(String),
}

impl Spec {
    /// Reads an OpenAPI 3.0 document. `otherwise` names the schema of errors it does not list.
    pub(super) fn open_api(root: Value, otherwise: &str) -> Self {
        let document = Document::new(root, Form::OpenApi);
        let mut operations = Vec::new();
        for (path, item) in document.root["paths"].as_object().into_iter().flatten() {
            for (method, found) in item.as_object().into_iter().flatten() {
                let query = found["parameters"].as_array().into_iter().flatten();
                let query = query
                    .map(|parameter| document.resolve(parameter))
                    .filter(|parameter| parameter["in"] == "query")
                    .map(|parameter| (text(&parameter["name"]), parameter["schema"].clone()));
                let content = |of: &Value| of["content"]["application/json"]["schema"].clone();
                let answers = found["responses"].as_object().into_iter().flatten();
                operations.push(Operation {
                    id: text(&found["operationId"]),
                    method: method.to_uppercase(),
                    path: segments(path),
                    query: query.collect(),
                    request: found.get("requestBody").map(content),
                    answers: answers
                        .map(|(status, answer)| (status.clone(), content(answer)))
                        .collect(),
                });
            }
        }
        let otherwise = json!({"$ref": format!("#/components/schemas/{otherwise}")});
        Self {
            document,
            operations,
            common: BTreeMap::new(),
            otherwise,
        }
    }

    /// Reads a Google discovery document. Errors are not in it; they are as AIP-193 has them.
    pub(super) fn discovery(root: Value) -> Self {
        let otherwise = json!({"type": "object", "required": ["error"], "properties": {"error": {
        "type": "object", "required": ["code", "message", "status"], "properties": {
            "code": {"type": "integer"},
            "message": {"type": "string"},
            "status": {"type": "string"},
            "details": {"type": "array", "items": {
                "type": "object", "required": ["@type"], "additionalProperties": true,
                "properties": {"@type": {"type": "string"}},
            }},
        }}}});
        let common = root["parameters"].as_object().cloned().unwrap_or_default();
        let document = Document::new(root, Form::Discovery);
        let mut operations = Vec::new();
        methods(&document.root, &mut operations);
        Self {
            document,
            operations,
            common: common.into_iter().collect(),
            otherwise,
        }
    }

    /// The operation that a request is, and all that is wrong with it and its answer.
    pub(super) fn judge(&self, exchange: &Exchange) -> Result<(&str, Vec<String>), String> {
        let (path, query) = exchange
            .target
            .split_once('?')
            .unwrap_or((&exchange.target, ""));
        let operation = self
            .operations
            .iter()
            .find(|one| one.method == exchange.method && one.fits(path))
            .ok_or_else(|| format!("no operation is {} {path}", exchange.method))?;
        let mut faults = Vec::new();
        self.judge_query(operation, query, &mut faults);
        self.judge_request(operation, &exchange.body, &mut faults);
        self.judge_answer(operation, exchange, &mut faults);
        Ok((&operation.id, faults))
    }

    fn judge_query(&self, operation: &Operation, query: &str, faults: &mut Vec<String>) {
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, given) = pair.split_once('=').unwrap_or((pair, ""));
            let Some(schema) = operation.query.get(name).or_else(|| self.common.get(name)) else {
                faults.push(format!("query: the operation has no parameter `{name}`"));
                continue;
            };
            let kind = self.document.resolve(schema)["type"]
                .as_str()
                .unwrap_or("string");
            let value = match kind {
                "string" => json!(given),
                _ => serde_json::from_str(given).unwrap_or_else(|_| json!(given)),
            };
            let wrong = self.document.faults(schema, &value, Way::Answer);
            faults.extend(
                wrong
                    .into_iter()
                    .map(|fault| format!("query {name} {fault}")),
            );
        }
    }

    fn judge_request(&self, operation: &Operation, body: &[u8], faults: &mut Vec<String>) {
        match (&operation.request, body) {
            (None, []) => {}
            (None, _) => faults.push("request: the operation takes no body".to_owned()),
            (Some(_), []) => faults.push("request: the operation takes a body".to_owned()),
            (Some(schema), body) => match serde_json::from_slice(body) {
                Err(error) => faults.push(format!("request: {error}")),
                Ok(value) => {
                    let wrong = self.document.faults(schema, &value, Way::Request);
                    faults.extend(wrong.into_iter().map(|fault| format!("request {fault}")));
                }
            },
        }
    }

    fn judge_answer(&self, operation: &Operation, exchange: &Exchange, faults: &mut Vec<String>) {
        let status = exchange.status;
        let range = format!("{}XX", status / 100);
        let listed = operation.answers.get(&status.to_string());
        let schema = listed.or_else(|| operation.answers.get(&range));
        let schema = match schema {
            Some(schema) => schema,
            None if status < 300 => {
                faults.push(format!("answer: {status} is not in the spec"));
                return;
            }
            None => &self.otherwise,
        };
        match serde_json::from_slice(&exchange.answer) {
            Err(error) => faults.push(format!("answer {status}: {error}")),
            Ok(value) => {
                let wrong = self.document.faults(schema, &value, Way::Answer);
                faults.extend(
                    wrong
                        .into_iter()
                        .map(|fault| format!("answer {status} {fault}")),
                );
            }
        }
    }
}

impl Operation {
    fn fits(&self, path: &str) -> bool {
        let given: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        given.len() == self.path.len()
            && self
                .path
                .iter()
                .zip(given)
                .all(|(segment, given)| match segment {
                    Segment::Fixed(text) => text == given,
                    // A colon inside an id would be encoded, so one that stands begins a verb.
                    Segment::Any(after) => given
                        .strip_suffix(after.as_str())
                        .is_some_and(|id| !id.is_empty() && !id.contains(':')),
                })
    }
}

fn segments(path: &str) -> Vec<Segment> {
    path.trim_start_matches('/')
        .split('/')
        .map(|part| match part.split_once('}') {
            Some((_, after)) => Segment::Any(after.to_owned()),
            None => Segment::Fixed(part.to_owned()),
        })
        .collect()
}

fn methods(of: &Value, operations: &mut Vec<Operation>) {
    for (_, resource) in of["resources"].as_object().into_iter().flatten() {
        for (_, method) in resource["methods"].as_object().into_iter().flatten() {
            let query = method["parameters"].as_object().into_iter().flatten();
            let query = query
                .filter(|(_, parameter)| parameter["location"] == "query")
                .map(|(name, parameter)| (name.clone(), parameter.clone()));
            operations.push(Operation {
                id: text(&method["id"]),
                method: text(&method["httpMethod"]),
                path: segments(method["flatPath"].as_str().unwrap_or_default()),
                query: query.collect(),
                request: method.get("request").cloned(),
                answers: BTreeMap::from([("200".to_owned(), method["response"].clone())]),
            });
        }
        methods(resource, operations);
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
