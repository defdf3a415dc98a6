//! Where a provider's answer has its secrets. A change may move one to where a person would write
//! plain text, such as a filter: showing it there is no fault of whoever reads the answer.

use std::borrow::Cow;

use kedge_core::model::SealedUrl;
use serde_json::Value;

use crate::input::{Input, Part};
use crate::pipeline;

/// What stands where a displaced secret was.
const PLAIN: &str = "plain-part";

/// The input with each secret that was moved from its place replaced by a plain word.
pub(crate) fn kept(input: &Input) -> Input {
    let kept = |part: &Part| {
        let mut part = part.clone();
        if let Ok(mut answer) = serde_json::from_slice::<Value>(&part.bytes) {
            let before = answer.clone();
            replace(&mut answer, "");
            if answer != before {
                part.bytes = answer.to_string().into_bytes();
            }
        }
        part
    };
    Input {
        parts: input.parts.iter().map(kept).collect(),
    }
}

/// `key` is the name under which the value stands.
fn replace(value: &mut Value, key: &str) {
    match value {
        Value::String(text) if !is_in_place(key, text) => {
            for secret in pipeline::SECRETS {
                *text = text.replace(secret, PLAIN);
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|one| replace(one, key)),
        Value::Object(map) => {
            let old = std::mem::take(map);
            let one = |(name, mut value): (String, Value)| {
                replace(&mut value, &name);
                (plain(&name).into_owned(), value)
            };
            *map = old.into_iter().map(one).collect();
        }
        _ => {}
    }
}

fn plain(text: &str) -> Cow<'_, str> {
    pipeline::SECRETS.iter().fold(text.into(), |text, secret| {
        text.replace(secret, PLAIN).into()
    })
}

/// Aiven's passwords are under names of their own; a URL hides its query, user and fragment.
fn is_in_place(key: &str, text: &str) -> bool {
    match key {
        "password" | "kafka_access_key" => true,
        "pushEndpoint" | "audience" => {
            SealedUrl::seal(text, &pipeline::SALT).is_ok_and(|url| plain(&url.shown) == url.shown)
        }
        _ => false,
    }
}
