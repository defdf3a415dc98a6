//! Google Pub/Sub v1 over REST: topics, subscriptions, IAM on both. Takes no credentials, as an emulator does.

mod fields;
mod iam;
mod list;
mod resources;
#[cfg(test)]
mod tests;

pub(crate) use iam::{Binding, bindings};
pub(crate) use resources::set_state;

use crate::call::{Answer, Call, Content, html_page};
use crate::faults::Quirks;
use crate::random::SplitMix64;
use fields::{Kind, SUBSCRIPTION, TOPIC};
use iam::IamPolicy;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

type Refused = Box<Answer>;

/// The topic of a subscription whose topic was deleted (Pub/Sub discovery; google/knative-gcp#997).
pub(crate) const DELETED_TOPIC: &str = "_deleted-topic_";

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Pubsub {
    pub(crate) projects: BTreeSet<String>,
    /// By full name.
    pub(crate) topics: BTreeMap<String, Resource>,
    /// By full name.
    pub(crate) subscriptions: BTreeMap<String, Resource>,
    /// Names that a GET did not find, and until when they stay unfound.
    #[serde(skip)]
    unfound: BTreeMap<String, i64>,
    /// What a page token stands for: the last name of its page.
    #[serde(skip)]
    tokens: BTreeMap<String, String>,
    #[serde(skip)]
    random: SplitMix64,
}

/// A topic or subscription as stored: the fields a GET shows, but the name.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Resource {
    pub(crate) fields: BTreeMap<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<IamPolicy>,
}

impl Pubsub {
    pub(crate) fn new(projects: BTreeSet<String>, seed: u64) -> Self {
        Self {
            projects,
            topics: BTreeMap::new(),
            subscriptions: BTreeMap::new(),
            unfound: BTreeMap::new(),
            tokens: BTreeMap::new(),
            random: SplitMix64::new(seed ^ 0x6006_1E00_6006_1E00),
        }
    }

    fn of_kind(&mut self, of: Collection) -> &mut BTreeMap<String, Resource> {
        match of {
            Collection::Topics => &mut self.topics,
            Collection::Subscriptions => &mut self.subscriptions,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Collection {
    Topics,
    Subscriptions,
}

impl Collection {
    fn read(segment: &str) -> Option<Self> {
        match segment {
            "topics" => Some(Self::Topics),
            "subscriptions" => Some(Self::Subscriptions),
            _ => None,
        }
    }

    fn segment(self) -> &'static str {
        match self {
            Self::Topics => "topics",
            Self::Subscriptions => "subscriptions",
        }
    }

    fn kind(self) -> &'static Kind {
        match self {
            Self::Topics => &TOPIC,
            Self::Subscriptions => &SUBSCRIPTION,
        }
    }
}

pub(crate) fn error(status: u16, name: &str, message: &str) -> Answer {
    Answer::json(
        status,
        json!({"error": {"code": status, "message": message, "status": name}}),
    )
}

fn add_detail(answer: &mut Answer, detail: Value) {
    if let Content::Json(body) = &mut answer.content
        && let Some(error) = body.get_mut("error").and_then(Value::as_object_mut)
    {
        error.insert("details".to_owned(), json!([detail]));
    }
}

fn refuse(status: u16, name: &str, message: &str) -> Refused {
    Box::new(error(status, name, message))
}

fn invalid(message: &str) -> Refused {
    refuse(400, "INVALID_ARGUMENT", message)
}

fn not_found(name: &str) -> Refused {
    let id = name.rsplit('/').next().unwrap_or(name);
    refuse(
        404,
        "NOT_FOUND",
        &format!("Resource not found (resource={id})."),
    )
}

/// The usual body for a status that a fault asks for.
pub(crate) fn failure(
    status: u16,
    call: &Call,
    message: Option<&str>,
    code: Option<&str>,
) -> Answer {
    let on_policy = call.path.ends_with("IamPolicy");
    let (name, text) = match status {
        400 => ("FAILED_PRECONDITION", "Precondition check failed."),
        401 => (
            "UNAUTHENTICATED",
            "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential.",
        ),
        // Names neither permission nor resource (googleapis/nodejs-pubsub#1385).
        403 => (
            "PERMISSION_DENIED",
            "User not authorized to perform this action.",
        ),
        404 => ("NOT_FOUND", "Resource not found (resource=unknown)."),
        409 if on_policy => ("ABORTED", iam::CONCURRENT),
        409 => ("ALREADY_EXISTS", "Resource already exists in the project."),
        429 => (
            "RESOURCE_EXHAUSTED",
            "Quota exceeded for quota metric 'Administrator operations' and limit 'Administrator operations per minute' of service 'pubsub.googleapis.com'.",
        ),
        499 => ("CANCELLED", "The operation was cancelled."),
        503 => (
            "UNAVAILABLE",
            "The service was unable to fulfill your request. Please try again.",
        ),
        504 => ("DEADLINE_EXCEEDED", "Deadline exceeded."),
        _ => ("INTERNAL", "Internal error encountered."),
    };
    let mut answer = error(status, code.unwrap_or(name), message.unwrap_or(text));
    let info = |reason: &str, metadata: Value| {
        json!({
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": reason,
            "domain": "googleapis.com",
            "metadata": metadata,
        })
    };
    match status {
        401 => add_detail(
            &mut answer,
            info(
                "ACCESS_TOKEN_EXPIRED",
                json!({"service": "pubsub.googleapis.com"}),
            ),
        ),
        // teslamotors/fleet-telemetry#289
        429 => add_detail(
            &mut answer,
            info(
                "RATE_LIMIT_EXCEEDED",
                json!({
                    "service": "pubsub.googleapis.com",
                    "quota_limit": "administratorPerMinutePerProject",
                    "quota_limit_value": "6000",
                    "quota_metric": "pubsub.googleapis.com/administrator",
                    "quota_location": "global",
                }),
            ),
        ),
        _ => {}
    }
    answer
}

pub(crate) fn is_write(call: &Call) -> bool {
    let reads = [":getIamPolicy", ":testIamPermissions"];
    call.method != http::Method::GET && !reads.iter().any(|verb| call.path.ends_with(verb))
}

pub(crate) fn answer(pubsub: &mut Pubsub, call: &Call, quirks: &Quirks, now_ms: i64) -> Answer {
    route(pubsub, call, quirks, now_ms).unwrap_or_else(|refused| *refused)
}

fn route(
    pubsub: &mut Pubsub,
    call: &Call,
    quirks: &Quirks,
    now_ms: i64,
) -> Result<Answer, Refused> {
    let segments = call.segments();
    // A path that routes nowhere is answered in HTML (recorded).
    let nowhere = || Box::new(html_page(404, "Error 404 (Not Found)!!1"));
    let (project, collection, rest) = match segments.as_slice() {
        ["v1", "projects", project, collection, rest @ ..] => (*project, *collection, rest),
        _ => return Err(nowhere()),
    };
    let of = Collection::read(collection).ok_or_else(nowhere)?;
    check_query(call)?;
    if !pubsub.projects.contains(project) {
        // Like the 404 of a topic but for its text (potmat/homebridge-google-nest-sdm#9).
        return Err(refuse(
            404,
            "NOT_FOUND",
            &format!(
                "Requested project not found or user does not have access to it (project={project})."
            ),
        ));
    }
    let full = |id: &str| format!("projects/{project}/{}/{id}", of.segment());
    match (call.method.as_str(), rest) {
        ("GET", []) => list::resources(pubsub, of, project, call),
        ("GET", [id, "subscriptions"]) if of == Collection::Topics => {
            list::of_topic(pubsub, &full(id), call)
        }
        (method, [last]) => {
            // A colon is not legal in an id, so a verb can be told from it.
            let (id, verb) = last
                .rsplit_once(':')
                .map_or((*last, None), |(id, verb)| (id, Some(verb)));
            let name = full(id);
            match (method, verb) {
                ("GET", None) => resources::get(pubsub, of, &name, quirks, now_ms),
                ("PUT", None) => resources::create(pubsub, of, &name, call),
                ("PATCH", None) => resources::patch(pubsub, of, &name, call),
                ("DELETE", None) => resources::delete(pubsub, of, &name),
                ("POST", Some("modifyPushConfig")) if of == Collection::Subscriptions => {
                    resources::modify_push(pubsub, &name, call)
                }
                ("POST", Some("detach")) if of == Collection::Subscriptions => {
                    resources::detach(pubsub, &name)
                }
                ("GET" | "POST", Some("getIamPolicy")) => iam::get(pubsub, of, &name),
                ("POST", Some("setIamPolicy")) => iam::set(pubsub, of, &name, call, quirks),
                ("POST", Some("testIamPermissions")) => iam::test(pubsub, of, &name, call),
                _ => Err(nowhere()),
            }
        }
        _ => Err(nowhere()),
    }
}

/// Parameters that every Google API takes, and those of this one. Others are 400.
fn check_query(call: &Call) -> Result<(), Refused> {
    const COMMON: &[&str] = &[
        "alt",
        "prettyPrint",
        "fields",
        "key",
        "quotaUser",
        "access_token",
        "oauth_token",
        "callback",
        "uploadType",
        "upload_protocol",
    ];
    const OWN: &[&str] = &[
        "pageSize",
        "pageToken",
        "updateMask",
        "update_mask",
        "options.requestedPolicyVersion",
    ];
    for (name, _) in &call.query {
        // `$alt=json;enum-encoding=int` is what the generated clients send with every call.
        let known = name.starts_with('$')
            || COMMON.contains(&name.as_str())
            || OWN.contains(&name.as_str());
        if !known {
            return Err(invalid(&format!(
                "Invalid JSON payload received. Unknown name \"{name}\": Cannot bind query parameter. Field '{name}' could not be found in request message."
            )));
        }
    }
    Ok(())
}

fn body(call: &Call) -> Result<crate::call::Object, Refused> {
    call.object()
        .map_err(|reason| invalid(&format!("Invalid JSON payload received. {reason}")))
}
