//! Whether answers prove that something is gone (semantics 3.1), found by other means than the
//! engine's: on untyped JSON, and with every doubt counting against it.

use kedge_core::model::{Kind, ResourceKey};
use kedge_engine::ports::{ProviderName, ReadRequest};
use serde_json::Value;

use crate::wire::Served;

/// The kind of a request, as the corpus calls it.
pub(crate) fn kind_of_request(request: &ReadRequest) -> &'static str {
    let inner = request.request();
    let path = inner.uri().path();
    match request.provider() {
        ProviderName::Aiven if inner.method() == http::Method::POST => "bulk",
        ProviderName::Aiven if path.ends_with("/topic") => "list",
        ProviderName::Aiven if path.contains("/topic/") => "topic",
        ProviderName::Aiven => "service",
        ProviderName::Pubsub if path.ends_with("/topics") => "topics",
        ProviderName::Pubsub if path.ends_with("/subscriptions") => "subscriptions",
        ProviderName::Pubsub => "policy",
        ProviderName::Cloudflare => "page",
    }
}

pub(crate) fn is_gone(key: &ResourceKey, served: &[Served]) -> bool {
    match key.kind() {
        Kind::KafkaTopic => kafka_topic(key.name(), served),
        Kind::PubsubTopic => unlisted("topics", key.name(), served),
        Kind::PubsubSubscription => unlisted("subscriptions", key.name(), served),
        Kind::PubsubBinding => binding(key, served),
        Kind::DnsRecordSet => record_set(key, served),
    }
}

/// The bodies of the 200 answers of a kind, as JSON; what is no UTF-8 somewhere in them is no doubt.
fn fine(kind: &str, served: &[Served]) -> Vec<Value> {
    served
        .iter()
        .filter(|one| one.kind == kind && one.status == 200)
        .filter_map(|one| serde_json::from_str(&String::from_utf8_lossy(&one.body)).ok())
        .collect()
}

/// A list without it, a running service, and a 404 for it by name.
fn kafka_topic(name: &str, served: &[Served]) -> bool {
    let lacks = |list: &Value| {
        let topics = list["topics"].as_array();
        topics.is_some_and(|topics| {
            topics
                .iter()
                .all(|topic| topic["topic_name"].as_str().is_some_and(|one| one != name))
        })
    };
    let is_running = |answer: &Value| answer["service"]["state"] == "RUNNING";
    let denies = |one: &Served| {
        one.kind == "topic" && one.status == 404 && one.path.ends_with(&format!("/{name}"))
    };
    fine("list", served).iter().any(lacks)
        && fine("service", served).iter().any(is_running)
        && served.iter().any(denies)
}

/// Pages up to one without a next, all of them lists of named things, and it is on none.
fn unlisted(collection: &'static str, id: &str, served: &[Served]) -> bool {
    let pages = fine(collection, served);
    let prefix = format!("/{collection}/");
    let is_other = |item: &Value| {
        let name = item["name"].as_str().unwrap_or_default();
        name.split_once(&prefix).is_some_and(|(_, own)| own != id)
    };
    let is_clean = |page: &Value| {
        let items = match page.get(collection) {
            None | Some(Value::Null) => return page.is_object(),
            Some(items) => items.as_array(),
        };
        page.get("error").is_none() && items.is_some_and(|items| items.iter().all(is_other))
    };
    let next = |page: &Value| {
        page["nextPageToken"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    pages.last().is_some_and(|last| next(last).is_empty()) && pages.iter().all(is_clean)
}

/// Its topic is gone, or a policy without that role for anybody.
fn binding(key: &ResourceKey, served: &[Served]) -> bool {
    let (topic, role) = (key.name_head(), key.name_tail());
    let is_nobody =
        |members: &Value| members.is_null() || members.as_array().is_some_and(Vec::is_empty);
    let grants = |one: &Value| {
        let is_other = one["role"].as_str().is_some_and(|other| other != role);
        // Under a condition it is another binding than the one that is declared.
        let is_conditional = one["condition"].is_object();
        !is_other && !is_conditional && !is_nobody(&one["members"])
    };
    // In the JSON of protocol buffers null is what is left out.
    let lacks = |policy: &Value| match policy.get("bindings") {
        None | Some(Value::Null) => policy.is_object(),
        Some(bindings) => bindings
            .as_array()
            .is_some_and(|list| !list.iter().any(grants)),
    };
    unlisted("topics", topic, served) || fine("policy", served).iter().any(lacks)
}

/// As many records as there are said to be, and none of that name and type.
fn record_set(key: &ResourceKey, served: &[Served]) -> bool {
    let pages = fine("page", served);
    let records = |page: &Value| page["result"].as_array().cloned();
    // A number written as a text is one too.
    let total = |page: &Value| {
        let total = &page["result_info"]["total_count"];
        total
            .as_u64()
            .or_else(|| total.as_str()?.trim().parse().ok())
    };
    let is_other = |record: &Value| {
        let text = |field: &str| record[field].as_str().map(str::to_lowercase);
        let is_other_kind = text("type").is_some_and(|kind| kind != key.name_tail().to_lowercase());
        let is_elsewhere = |name: String| name.trim_end_matches('.') != key.name_head();
        is_other_kind || text("id").is_some() && text("name").is_some_and(is_elsewhere)
    };
    let is_clean = |page: &Value| {
        page["success"] == true && records(page).is_some_and(|all| all.iter().all(is_other))
    };
    let all: Vec<Value> = pages.iter().filter_map(records).flatten().collect();
    let counts = |page: &Value| total(page).is_some_and(|total| total <= all.len() as u64);
    !pages.is_empty() && pages.iter().all(is_clean) && pages.iter().all(counts)
}
