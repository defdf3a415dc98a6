//! The OpenAPI document, made of the table of routes, of the types of bodies, and of `docs/schema`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use ::http::StatusCode;
use kedge_core::model::StackName;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value as Json, json};

use super::super::ask::{IDEMPOTENCY_KEY, IDEMPOTENCY_KEY_BYTES_MAX};
use super::super::body::{AskBody, HoldBody, ReleaseBody, UpBody, UploadEventBody};
use super::super::problem::{ProblemDetails, ProblemKind, TYPE};
use super::super::relay::SIGNATURE;
use super::super::routes::{Answer, BodyOf, Caller, Endpoint, Param, ROUTES, Route};

impl Route {
    /// All that can go wrong on it.
    pub(in super::super) fn all_problems(&self) -> BTreeSet<ProblemKind> {
        use ProblemKind as Kind;
        let mut all: BTreeSet<Kind> = self.problems.iter().copied().collect();
        all.extend([
            Kind::InvalidQuery,
            Kind::InvalidBody,
            Kind::UriTooLong,
            Kind::BodyLate,
            Kind::BodyTooLarge,
            Kind::Internal,
            Kind::AnswerTooLarge,
        ]);
        match self.caller {
            Caller::Anybody => {}
            Caller::Relay => all.extend([Kind::InvalidHeader, Kind::TooManyRequests]),
            Caller::Token(_) => all.extend([
                Kind::InvalidHeader,
                Kind::NoToken,
                Kind::TokenRefused,
                Kind::WrongScope,
                Kind::TooManyRequests,
                Kind::StoreFailed,
            ]),
        }
        if self.path.contains("{stack}") {
            all.extend([Kind::WrongStack, Kind::UnknownStack]);
        }
        if self.body != BodyOf::Nothing {
            all.insert(Kind::NotJson);
        }
        all
    }
}

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

/// Parts by name; two of one name must be the same.
#[derive(Default)]
struct Parts(Map<String, Json>);

impl Parts {
    fn add(&mut self, name: &str, mut schema: Json) -> Json {
        let map = schema.as_object_mut().unwrap();
        map.remove("$schema");
        map.remove("title");
        for (name, part) in map
            .remove("$defs")
            .into_iter()
            .flat_map(|parts| match parts {
                Json::Object(parts) => parts,
                other => panic!("{other}"),
            })
        {
            self.add(&name, part);
        }
        referring(&mut schema);
        let known = self.0.insert(name.to_owned(), schema.clone());
        assert!(
            known.is_none_or(|known| known == schema),
            "two parts are {name}"
        );
        json!({"$ref": format!("#/components/schemas/{name}")})
    }

    /// The schema of a document, which the tests of the core made.
    fn document(&mut self, name: &str) -> Json {
        let text = std::fs::read_to_string(docs().join(format!("schema/{name}.json"))).unwrap();
        let words = name.split('-').map(|word| {
            let (first, rest) = word.split_at(1);
            first.to_uppercase() + rest
        });
        self.add(
            &words.collect::<String>(),
            serde_json::from_str(&text).unwrap(),
        )
    }

    fn of<T: JsonSchema>(&mut self, settings: SchemaSettings) -> Json {
        let schema = settings.into_generator().into_root_schema_for::<T>();
        let mut schema = serde_json::to_value(schema).unwrap();
        one_line(&mut schema);
        self.add(&T::schema_name(), schema)
    }

    fn body(&mut self, body: BodyOf) -> Option<Json> {
        let settings = SchemaSettings::draft2020_12().for_deserialize();
        let schema = match body {
            BodyOf::Nothing => return None,
            BodyOf::Ask => self.of::<AskBody>(settings),
            BodyOf::Up => self.of::<UpBody>(settings),
            BodyOf::Hold => self.of::<HoldBody>(settings),
            BodyOf::Release => self.of::<ReleaseBody>(settings),
            BodyOf::UploadEvent => self.of::<UploadEventBody>(settings),
        };
        let is_optional = matches!(body, BodyOf::Ask | BodyOf::Release);
        Some(json!({
            "required": !is_optional,
            "content": {"application/json": {"schema": schema}},
        }))
    }
}

/// Parts refer to each other where they are here.
fn referring(schema: &mut Json) {
    match schema {
        Json::Object(map) => map.iter_mut().for_each(|(key, value)| match value {
            Json::String(text) if key == "$ref" => {
                *text = text.replace("#/$defs/", "#/components/schemas/");
            }
            value => referring(value),
        }),
        Json::Array(list) => list.iter_mut().for_each(referring),
        _ => {}
    }
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

fn param(param: Param) -> Json {
    let description = match param {
        Param::Wait => "How many seconds to wait for the answer.",
        Param::After => "Only stacks whose names come after this one: `next` has it.",
        Param::Limit => "How many stacks a page has at most.",
        Param::Most => "How many runs, and how many pushes, there are at most.",
    };
    let schema = match param.range() {
        Some((least, most)) => json!({"type": "integer", "minimum": least, "maximum": most}),
        None => stack_name(),
    };
    json!({
        "name": param.name(),
        "in": "query",
        "description": description,
        "schema": schema,
    })
}

/// What `StackName` takes. That a text is not something is no pattern that every reader of patterns has.
fn stack_name() -> Json {
    json!({
        "type": "string",
        "maxLength": StackName::LENGTH_MAX,
        "pattern": "^[a-z]([a-z0-9-]*[a-z0-9])?$",
        "not": {"pattern": "^(goog.*|yes|y|no|n)$"},
    })
}

fn parameters(route: &Route) -> Vec<Json> {
    let in_path = |name: &str, description: &str, schema: Json| {
        let is_there = route.path.contains(&format!("{{{name}}}"));
        is_there.then(|| {
            json!({
                "name": name,
                "in": "path",
                "required": true,
                "description": description,
                "schema": schema,
            })
        })
    };
    let id = json!({"type": "string", "pattern": "^[0-9]{13}-[0-9a-f]{1,50}$"});
    let key = matches!(
        route.endpoint,
        Endpoint::Check | Endpoint::Preview | Endpoint::Up
    );
    let key = key.then(|| {
        json!({
            "name": IDEMPOTENCY_KEY.as_str(),
            "in": "header",
            "description": "A text of yours. The same key with the same body is the same request: it is \
                            carried out once.",
            "schema": {
                "type": "string",
                "pattern": "^[!-~]+$",
                "minLength": 1,
                "maxLength": IDEMPOTENCY_KEY_BYTES_MAX,
            },
        })
    });
    in_path("stack", "The stack.", stack_name())
        .into_iter()
        .chain(in_path("id", "The id of the run.", id))
        .chain(route.params.iter().copied().map(param))
        .chain(key)
        .collect()
}

fn header(description: &str) -> Json {
    json!({"description": description, "schema": {"type": "string"}})
}

fn responses(route: &Route, parts: &mut Parts) -> Json {
    let mut responses = Map::new();
    for Answer {
        status,
        document,
        when,
    } in route.answers
    {
        let mut response = json!({"description": when});
        let schema = match document {
            Some(name) => Some(parts.document(name)),
            None if *status == 200 => Some(json!({"type": "object"})),
            None => None,
        };
        if let Some(schema) = schema {
            response["content"] = json!({"application/json": {"schema": schema}});
            if *status == 202 {
                response["headers"] = json!({
                    "Location": header("Where to ask for the answer."),
                    "Retry-After": header("When to ask, in seconds."),
                });
            }
        }
        responses.insert(status.to_string(), response);
    }
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let details = parts.of::<ProblemDetails>(settings);
    let mut by_status: BTreeMap<StatusCode, Vec<ProblemKind>> = BTreeMap::new();
    for kind in route.all_problems() {
        by_status.entry(kind.status()).or_default().push(kind);
    }
    for (status, kinds) in by_status {
        let text = |kind: &ProblemKind| format!("`{TYPE}{}`: {}", kind.code(), kind.title());
        let texts: Vec<_> = kinds.iter().map(text).collect();
        let content = json!({"application/problem+json": {"schema": details.clone()}});
        let entry = responses.entry(status.as_str());
        let mut response = json!({"description": texts.join("; "), "content": content});
        match status {
            StatusCode::UNAUTHORIZED => {
                response["headers"] = json!({"WWW-Authenticate": header("What is asked for.")});
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                response["headers"] =
                    json!({"Retry-After": header("When to try again, in seconds.")});
            }
            _ => {}
        }
        assert!(
            matches!(entry, serde_json::map::Entry::Vacant(_)),
            "{status} is an answer"
        );
        entry.or_insert(response);
    }
    Json::Object(responses)
}

/// `UploadEvent` as `uploadEvent`.
fn operation_id(endpoint: Endpoint) -> String {
    let name = format!("{endpoint:?}");
    let (first, rest) = name.split_at(1);
    first.to_lowercase() + rest
}

fn operation(route: &Route, parts: &mut Parts) -> Json {
    let (security, scope) = match route.caller {
        Caller::Anybody => (json!([]), "Anybody may ask.".to_owned()),
        Caller::Relay => (
            json!([{"relay": []}]),
            "For whoever has the key of the relay.".to_owned(),
        ),
        Caller::Token(scope) => (
            json!([{"token": []}]),
            format!("The token needs the scope `{}`.", scope.as_str()),
        ),
    };
    let mut operation = json!({
        "operationId": operation_id(route.endpoint),
        "summary": route.summary,
        "description": scope,
        "security": security,
        "parameters": parameters(route),
        "responses": responses(route, parts),
    });
    if let Some(body) = parts.body(route.body) {
        operation["requestBody"] = body;
    }
    operation
}

/// The document.
pub(in super::super) fn document() -> Json {
    let mut parts = Parts::default();
    let mut paths: BTreeMap<&str, Map<String, Json>> = BTreeMap::new();
    for route in &ROUTES {
        let method = route.method.as_str().to_lowercase();
        let operation = operation(route, &mut parts);
        paths
            .entry(route.path)
            .or_default()
            .insert(method, operation);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Kedge",
            "description": "Detects and corrects drift. docs/http.md explains this API.",
            "version": "1",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": parts.0,
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token that `kedge token new` made.",
                },
                "relay": {
                    "type": "apiKey",
                    "in": "header",
                    "name": SIGNATURE.as_str(),
                    "description": "`t=<seconds since 1970>,v1=<HMAC-SHA-256 of \"<t>.<body>\">`",
                },
            },
        },
    })
}

#[test]
fn the_document_is_that_of_the_routes() {
    let path = docs().join("openapi.json");
    let text = serde_json::to_string_pretty(&document()).unwrap() + "\n";
    if std::env::var_os("KEDGE_WRITE_DOCUMENTS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == text,
        "docs/openapi.json is out of date: run `make documents`"
    );
}

#[test]
fn every_reference_leads_somewhere() {
    fn references(schema: &Json, found: &mut Vec<String>) {
        match schema {
            Json::Object(map) => map.iter().for_each(|(key, value)| match value {
                Json::String(text) if key == "$ref" => found.push(text.clone()),
                value => references(value, found),
            }),
            Json::Array(list) => list.iter().for_each(|one| references(one, found)),
            _ => {}
        }
    }
    let document = document();
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 100);
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

#[test]
fn the_page_names_every_route_and_problem() {
    let page = std::fs::read_to_string(docs().join("http.md")).unwrap();
    for route in &ROUTES {
        let row = format!("| `{} {}`", route.method, route.path);
        assert!(page.contains(&row), "docs/http.md lacks {row}");
    }
    for kind in ProblemKind::ALL {
        let row = format!(
            "| {} | `{}` | {} |",
            kind.status().as_u16(),
            kind.code(),
            kind.title()
        );
        assert!(page.contains(&row), "docs/http.md lacks {row}");
    }
}
