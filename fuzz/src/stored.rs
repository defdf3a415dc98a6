//! Stored objects: what is read back is what was written, and a damaged one is refused.

use std::collections::{BTreeMap, BTreeSet};

use kedge_core::model::{StackName, Timestamp};
use kedge_core::state::{Watch, decode, encode, is_storable};
use kedge_core::stored::EncodeError;
use kedge_core::stored::bundle::StoredBundle;
use kedge_core::stored::grant::Grant;
use kedge_core::stored::hold::Holds;
use kedge_core::stored::index::Index;
use kedge_core::stored::lease::Lease;
use kedge_core::stored::run::RunRecord;
use kedge_core::stored::run_request::{Answer, RequestKey, RunRequest};
use kedge_core::stored::schedule::Schedule;
use kedge_core::stored::token::Token;
use kedge_sandbox::SplitMix64;
use serde_json::Value;

use crate::input::{Input, Part};
use crate::{mutate, pipeline};

/// One stored object, changed in one to four places.
pub(crate) fn input(corpus: &Input, random: &mut SplitMix64) -> Input {
    let part = mutate::pick(random, &corpus.parts).cloned();
    let other = mutate::pick(random, &corpus.parts).map(|part| part.bytes.clone());
    let parts = part.map(|part| change(random, part, &other.unwrap_or_default()));
    Input {
        parts: parts.into_iter().collect(),
    }
}

/// Changes a part that holds JSON.
pub(crate) fn change(random: &mut SplitMix64, mut part: Part, other: &[u8]) -> Part {
    let parsed = serde_json::from_slice::<Value>(&part.bytes);
    let other = serde_json::from_slice(other).unwrap_or_default();
    if let Ok(mut value) = parsed {
        for _ in 0..=random.below(4) {
            mutate::json(random, &mut value, &other);
        }
        part.bytes = value.to_string().into_bytes();
    }
    if mutate::one_in(random, 6) {
        mutate::bytes(random, &mut part.bytes);
    }
    part
}

pub(crate) fn run(input: &Input) -> Result<(), String> {
    for part in &input.parts {
        let (bytes, dev) = (&part.bytes, pipeline::dev()?);
        match part.name.split(['.', '-']).next().unwrap_or_default() {
            "watch" => watch(bytes)?,
            "grant" => beside(bytes, |bytes| Grant::decode(bytes, &dev), Grant::encode)?,
            "hold" => beside(bytes, Holds::decode, Holds::encode)?,
            "index" => beside(bytes, Index::decode, Index::encode)?,
            "lease" => beside(bytes, |bytes| Lease::decode(bytes, &dev), Lease::encode)?,
            "request" => beside(
                bytes,
                |bytes| RunRequest::decode(bytes, "1795348800000-0badcafe"),
                RunRequest::encode,
            )?,
            "answer" => beside(bytes, Answer::decode, Answer::encode)?,
            "request_key" => beside(bytes, RequestKey::decode, RequestKey::encode)?,
            "schedule" => beside(bytes, Schedule::decode, Schedule::encode)?,
            "token" => beside(
                bytes,
                |bytes| Token::decode(bytes, "k3x9q2m7"),
                Token::encode,
            )?,
            "run" => beside(bytes, RunRecord::decode, RunRecord::encode)?,
            "set" => beside(
                bytes,
                |bytes| StoredBundle::decode(bytes, &dev),
                StoredBundle::encode,
            )?,
            _ => state(bytes)?,
        }
    }
    Ok(())
}

fn state(bytes: &[u8]) -> Result<(), String> {
    let declared = pipeline::declared()?;
    let own = &declared.stack;
    let state = match decode(bytes, own) {
        Ok(state) => state,
        Err(error) => {
            let mut text = error.to_string();
            let mut cause = std::error::Error::source(&error);
            while let Some(inner) = cause {
                text.push_str(&inner.to_string());
                cause = inner.source();
            }
            return pipeline::no_secret(&text);
        }
    };
    let again = encode(&state).map_err(|error| error.to_string())?;
    let back =
        decode(&again, own).map_err(|error| format!("what was written is refused: {error}"))?;
    pipeline::expect(back == state, || {
        "what was written is read as something else".to_owned()
    })?;
    let twice = encode(&back).map_err(|error| error.to_string())?;
    pipeline::expect(twice == again, || {
        "the same state is written in two ways".to_owned()
    })?;
    let values = state
        .resources
        .values()
        .flat_map(|record| record.fields.values());
    pipeline::expect(values.clone().all(is_storable), || {
        "a value was read that must not be stored".to_owned()
    })?;
    let other = StackName::new("other").map_err(|error| error.to_string())?;
    pipeline::expect(decode(bytes, &other).is_err(), || {
        "it is taken for another stack's".to_owned()
    })?;
    let mut trimmed = state.clone();
    trimmed.trim_automatic(pipeline::NOW);
    pipeline::run(&declared, Some(&state), &pipeline::live(&declared))
}

/// What lies beside state: refused, or read back as it was written.
fn beside<T: PartialEq, E: std::error::Error>(
    bytes: &[u8],
    decode: impl Fn(&[u8]) -> Result<T, E>,
    encode: impl Fn(&T) -> Result<Vec<u8>, EncodeError>,
) -> Result<(), String> {
    let read = match decode(bytes) {
        Ok(read) => read,
        Err(error) => return pipeline::no_secret(&error.to_string()),
    };
    let again = encode(&read).map_err(|error| error.to_string())?;
    let back = decode(&again).map_err(|error| format!("what was written is refused: {error}"))?;
    pipeline::expect(back == read, || {
        "what was written is read as something else".to_owned()
    })?;
    let twice = encode(&back).map_err(|error| error.to_string())?;
    pipeline::expect(twice == again, || "it is written in two ways".to_owned())
}

fn watch(bytes: &[u8]) -> Result<(), String> {
    let watch = Watch::decode(bytes).unwrap_or_default();
    let again = watch.encode().map_err(|error| error.to_string())?;
    pipeline::expect(
        Watch::decode(&again).is_ok_and(|again| again == watch),
        || "what was written is read as something else".to_owned(),
    )?;
    let after = watch.after(BTreeMap::new(), |_| true, false, pipeline::NOW);
    pipeline::expect(after == watch, || {
        "what could not be read is forgotten".to_owned()
    })?;
    let late = watch.after(BTreeMap::new(), |_| false, true, Timestamp(i64::MIN));
    let _ = (late.is_news_after(&watch), watch.is_news_after(&late));
    let keys: BTreeSet<_> = watch.first_seen.keys().collect();
    pipeline::expect(keys.len() == watch.first_seen.len(), || "keys".to_owned())
}
