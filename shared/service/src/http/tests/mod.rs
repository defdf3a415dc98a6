//! Requests against a store in memory and a queue that records, in virtual time.
//!
//! [`World::call`] checks what holds for every answer: its headers, that its status is one of the route's,
//! that its body fits the OpenAPI document, and that it has no token in it.

mod asking;
mod health;
mod limits;
mod reading;
mod refusals;
mod relay;
mod schema;
mod world;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use ::http::{HeaderMap, Method, StatusCode};
use serde_json::Value as Json;

use super::openapi;
use super::problem::ProblemKind;
use super::routes::{self, Endpoint, ROUTES, Route};

/// An answer that was judged.
#[derive(Debug)]
struct Answered {
    status: u16,
    headers: HeaderMap,
    json: Json,
}

impl Answered {
    /// The last part of the type of a problem.
    fn problem(&self) -> &str {
        let kind = self.json["type"].as_str().unwrap_or_default();
        kind.strip_prefix("urn:kedge:problem:").unwrap_or_default()
    }

    fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }

    #[track_caller]
    fn is(&self, kind: ProblemKind) {
        assert_eq!(self.problem(), kind.code(), "{self:?}");
        assert_eq!(self.status, kind.status().as_u16());
    }
}

/// The route that a request is for, if it is for one.
fn route_of(method: &Method, path: &str) -> Option<&'static Route> {
    let method = match *method {
        Method::HEAD => &Method::GET,
        ref method => method,
    };
    let found = routes::find(path)?;
    let mut routes = found.routes.iter().map(|number| &ROUTES[*number]);
    routes.find(|route| route.method == *method)
}

thread_local! {
    /// The judges of answers, by route and status: making one takes long.
    static JUDGES: RefCell<BTreeMap<(Endpoint, u16), Rc<jsonschema::Validator>>> = RefCell::default();
}

/// What an answer says fits what the OpenAPI document says of it.
#[track_caller]
fn fits(route: &Route, status: StatusCode, kind: &str, body: &Json) {
    let known = (route.endpoint, status.as_u16());
    let judge = JUDGES.with_borrow(|judges| judges.get(&known).map(Rc::clone));
    let judge = judge.unwrap_or_else(|| {
        let judge = Rc::new(judge_of(route, status, kind));
        JUDGES.with_borrow_mut(|judges| judges.insert(known, Rc::clone(&judge)));
        judge
    });
    let wrong: Vec<String> = judge.iter_errors(body).map(|one| one.to_string()).collect();
    assert_eq!(wrong, Vec::<String>::new(), "{body:#}");
}

fn judge_of(route: &Route, status: StatusCode, kind: &str) -> jsonschema::Validator {
    let document: Json = serde_json::from_str(openapi::DOCUMENT).unwrap();
    let method = route.method.as_str().to_lowercase();
    let response = &document["paths"][route.path][method]["responses"][status.as_str()];
    assert!(
        response.is_object(),
        "{} {} has no {status}",
        route.method,
        route.path
    );
    let schema = match response["content"].as_object() {
        None => serde_json::json!({"type": "null"}),
        Some(content) => {
            assert!(content.contains_key(kind), "{status} has no {kind}");
            serde_json::json!({
                "allOf": [content[kind]["schema"]],
                "components": document["components"],
            })
        }
    };
    jsonschema::draft202012::new(&schema).unwrap()
}
