//! Listing with page tokens.

use super::{Answer, Call, Collection, Pubsub, Refused, invalid, not_found, resources};
use crate::random::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// Larger ones are refused (recorded).
const LARGEST_PAGE: usize = 1000;

pub(super) fn resources(
    pubsub: &mut Pubsub,
    of: Collection,
    project: &str,
    call: &Call,
) -> Result<Answer, Refused> {
    let prefix = format!("projects/{project}/{}/", of.segment());
    let names: Vec<String> = pubsub
        .of_kind(of)
        .keys()
        .filter(|name| name.starts_with(&prefix))
        .cloned()
        .collect();
    let (page, next) = page(pubsub, names, call)?;
    let all = pubsub.of_kind(of);
    let items = page
        .iter()
        .filter_map(|name| Some(resources::show(name, all.get(name)?)))
        .collect();
    Ok(answer(of.segment(), items, next))
}

/// Names only, not whole subscriptions, and only those that are attached (v1 discovery,
/// `topics.subscriptions.list`).
pub(super) fn of_topic(pubsub: &mut Pubsub, topic: &str, call: &Call) -> Result<Answer, Refused> {
    if !pubsub.topics.contains_key(topic) {
        return Err(not_found(topic));
    }
    let names: Vec<String> = pubsub
        .subscriptions
        .iter()
        .filter(|(_, sub)| sub.fields.get("topic").and_then(Value::as_str) == Some(topic))
        .filter(|(_, sub)| !sub.fields.contains_key("detached"))
        .map(|(name, _)| name.clone())
        .collect();
    let (page, next) = page(pubsub, names, call)?;
    Ok(answer(
        "subscriptions",
        page.into_iter().map(Value::String).collect(),
        next,
    ))
}

/// An empty list is an absent key: `{}`.
fn answer(key: &str, items: Vec<Value>, next: Option<String>) -> Answer {
    let mut body = serde_json::Map::new();
    if !items.is_empty() {
        body.insert(key.to_owned(), Value::Array(items));
    }
    if let Some(token) = next {
        body.insert("nextPageToken".to_owned(), json!(token));
    }
    Answer::json(200, Value::Object(body))
}

fn page(
    pubsub: &mut Pubsub,
    names: Vec<String>,
    call: &Call,
) -> Result<(Vec<String>, Option<String>), Refused> {
    let size = match call.query("pageSize").unwrap_or("0").parse::<usize>() {
        // 0 or nothing leaves the choice to the server, which gives all (recorded).
        Ok(0) => usize::MAX,
        Ok(size) if size <= LARGEST_PAGE => size,
        _ => {
            return Err(invalid(
                "The value for page_size must be between 0 and 1000.",
            ));
        }
    };
    let after = match call.query("pageToken").filter(|token| !token.is_empty()) {
        None => None,
        Some(token) => Some(
            pubsub
                .tokens
                .get(token)
                .cloned()
                .ok_or_else(|| invalid("Invalid page token given."))?,
        ),
    };
    // Compared by name, so a token outlives the resource at its boundary.
    let mut rest = names
        .into_iter()
        .filter(|name| after.as_ref().is_none_or(|after| name > after));
    let page: Vec<String> = rest.by_ref().take(size).collect();
    let next = match (rest.next(), page.last()) {
        (Some(_), Some(last)) => {
            let token = token(last);
            pubsub.tokens.insert(token.clone(), last.clone());
            Some(token)
        }
        _ => None,
    };
    Ok((page, next))
}

/// 22 characters that tell nothing about the name.
fn token(name: &str) -> String {
    let mut bytes = digest(name).to_be_bytes().to_vec();
    bytes.extend(digest(&format!("{name} again")).to_be_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}
