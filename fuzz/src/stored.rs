//! Stored state and watch: what is read back is what was written, and a damaged one is refused.

use std::collections::{BTreeMap, BTreeSet};

use kedge_core::model::{StackName, Timestamp};
use kedge_core::state::{Watch, decode, encode, is_storable};
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
        if part.name.starts_with("watch") {
            watch(&part.bytes)?;
        } else {
            state(&part.bytes)?;
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

fn watch(bytes: &[u8]) -> Result<(), String> {
    let watch = Watch::decode(bytes);
    let again = watch.encode().map_err(|error| error.to_string())?;
    pipeline::expect(Watch::decode(&again) == watch, || {
        "what was written is read as something else".to_owned()
    })?;
    let after = watch.after(&BTreeMap::new(), |_| true, false, pipeline::NOW);
    pipeline::expect(after == watch, || {
        "what could not be read is forgotten".to_owned()
    })?;
    let late = watch.after(&BTreeMap::new(), |_| false, true, Timestamp(i64::MIN));
    let _ = (late.is_news_after(&watch), watch.is_news_after(&late));
    let keys: BTreeSet<_> = watch.seen.keys().collect();
    pipeline::expect(keys.len() == watch.seen.len(), || "keys".to_owned())
}
