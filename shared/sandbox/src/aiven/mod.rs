//! Aiven's Kafka topic API, v1 and the v2 bulk read.

mod config;
mod read;
#[cfg(test)]
mod tests;
mod topic;
mod write;

pub(crate) use config::check_of_kafka;
pub(crate) use topic::{Aiven, Service, Tag, Topic};

use crate::call::{Answer, Call, Content};
use crate::faults::Quirks;
use http::Method;
use serde_json::{Value, json};

/// What no answer, log or report of a client may ever repeat: it stands where Aiven's service object carries credentials.
pub const CANARY_SECRET: &str = "kedge-sandbox-canary-secret";

/// How a request is refused; becomes Aiven's error body.
type Refused = Box<Answer>;

/// `{"message","errors":[{message,status,error_code?}]}`; codes are being added endpoint by endpoint, so many have none.
pub(crate) fn error(status: u16, code: Option<&str>, message: &str) -> Answer {
    let mut item = json!({"message": message, "status": status});
    if let (Some(code), Some(object)) = (code, item.as_object_mut()) {
        object.insert("error_code".to_owned(), json!(code));
    }
    Answer::json(status, json!({"errors": [item], "message": message}))
}

fn refuse(status: u16, code: Option<&str>, message: &str) -> Refused {
    Box::new(error(status, code, message))
}

/// The usual body for a status that a fault asks for.
pub(crate) fn failure(
    status: u16,
    try_again_s: Option<u64>,
    message: Option<&str>,
    code: Option<&str>,
) -> Answer {
    let (usual_code, text) = match status {
        401 => (None, "Invalid token".to_owned()),
        403 => (
            Some("authentication_failed"),
            "Authentication failed".to_owned(),
        ),
        404 => (None, "Not Found".to_owned()),
        // The wait is told in the message only (Aiven: tf#575).
        429 => (
            None,
            match try_again_s {
                Some(wait) => format!("Rate limit 120 exceeded - try again in {wait}s"),
                None => "Rate limit 120 exceeded".to_owned(),
            },
        ),
        // A topic whose creation is not finished (Aiven: tf#89).
        501 => (None, "Failed to fetch Kafka topic".to_owned()),
        503 => (
            Some("kafka_service_unavailable"),
            "Kafka service is not available".to_owned(),
        ),
        _ => (None, "Internal error, please try again later".to_owned()),
    };
    error(status, code.or(usual_code), message.unwrap_or(&text))
}

/// Answers one request; `minimum` is the lowest replication the plan allows.
pub(crate) fn answer(
    aiven: &mut Aiven,
    call: &Call,
    quirks: &Quirks,
    minimum: u32,
    now_ms: i64,
) -> Answer {
    let mut answer = route(aiven, call, quirks, minimum, now_ms).unwrap_or_else(|refused| *refused);
    if quirks.unlimited_as_float
        && let Content::Json(body) = &mut answer.content
    {
        through_floats(body);
    }
    answer
}

/// i64::MAX as JavaScript prints it once it went through a double (Aiven: tf#3082).
fn through_floats(value: &mut Value) {
    match value {
        Value::Number(number) if number.as_i64() == Some(i64::MAX) => {
            *value = json!(9_223_372_036_854_776_000_u64);
        }
        Value::Array(items) => items.iter_mut().for_each(through_floats),
        Value::Object(object) => object.values_mut().for_each(through_floats),
        _ => {}
    }
}

pub(crate) fn is_write(call: &Call) -> bool {
    // The v2 bulk read is a POST.
    call.method != Method::GET && call.segments.first().is_some_and(|part| part == "v1")
}

fn authenticate(call: &Call) -> Result<(), Refused> {
    // 403, not 401, as the example in Aiven's OpenAPI has it.
    let Some(header) = call.authorization.as_deref() else {
        return Err(refuse(
            403,
            Some("authentication_failed"),
            "Authentication failed",
        ));
    };
    // Official clients say `aivenv1`; Bearer is accepted too (docs: switch-topic-to-diskless).
    let token = header
        .strip_prefix("aivenv1 ")
        .or_else(|| header.strip_prefix("Bearer "))
        .map(str::trim);
    match token {
        Some(token) if !token.is_empty() => Ok(()),
        _ => Err(refuse(401, None, "Invalid token")),
    }
}

fn route(
    aiven: &mut Aiven,
    call: &Call,
    quirks: &Quirks,
    minimum: u32,
    now_ms: i64,
) -> Result<Answer, Refused> {
    authenticate(call)?;
    let segments = call.segments();
    let (version, project, rest) = match segments.as_slice() {
        ["v1", "project"] if call.method == Method::GET => return Ok(read::projects(aiven)),
        ["v1", "me"] if call.method == Method::GET => return Ok(read::me()),
        ["v1", "project", project, rest @ ..] if !matches!(rest, ["service", ..]) => {
            if !aiven.projects.contains_key(*project) {
                return Err(no_project(project));
            }
            return match (call.method.as_str(), rest) {
                ("GET", []) => Ok(read::project(project)),
                ("GET", ["service-types", kind, "plans", plan]) => read::plan(kind, plan),
                _ => Err(no_route()),
            };
        }
        [version, "project", project, "service", rest @ ..] => (*version, *project, rest),
        _ => return Err(no_route()),
    };
    let Some(services) = aiven.projects.get_mut(project) else {
        return Err(no_project(project));
    };
    let (name, rest) = match rest {
        [] if version == "v1" && call.method == Method::GET => {
            return Ok(read::services(services));
        }
        [name, rest @ ..] => (*name, rest),
        [] => return Err(no_route()),
    };
    let Some(service) = services.get_mut(name) else {
        return Err(refuse(404, None, &format!("Service {name} does not exist")));
    };
    let off = quirks.power_off || service.state == "POWEROFF";
    match (call.method.as_str(), version, rest) {
        ("GET", "v1", []) => Ok(read::service(name, service, off)),
        // A powered-off service lists no topics at all, with status 200 (Aiven: tf#1004, tf#700).
        ("GET", "v1", ["topic"]) if off => Ok(read::nothing()),
        ("GET", "v1", ["topic"]) => Ok(read::list(service, quirks, now_ms)),
        ("POST", "v2", ["topic"]) => read::bulk(service, call, quirks, off, now_ms),
        ("GET", "v1", ["topic", topic]) if off => Err(not_found(topic)),
        ("GET", "v1", ["topic", topic]) => read::single(service, topic, quirks, now_ms),
        ("POST", "v1", ["topic"]) | ("PUT" | "DELETE", "v1", ["topic", _]) if off => Err(refuse(
            409,
            Some("not_powered"),
            &format!("Service {name} is powered off"),
        )),
        ("POST", "v1", ["topic"]) => write::create(service, call, quirks, minimum, now_ms),
        ("PUT", "v1", ["topic", topic]) => {
            write::update(service, topic, call, quirks, minimum, now_ms)
        }
        ("DELETE", "v1", ["topic", topic]) => write::delete(service, topic, quirks, now_ms),
        _ => Err(no_route()),
    }
}

fn no_project(project: &str) -> Refused {
    let text = format!("Project {project} does not exist");
    refuse(404, None, &text)
}

fn no_route() -> Refused {
    refuse(404, None, "Not Found")
}

fn not_found(topic: &str) -> Refused {
    refuse(
        404,
        Some("kafka_topic_not_found"),
        &format!("Topic '{topic}' does not exist"),
    )
}
