//! The stored JSON of state; nothing else knows it.
//!
//! Read and written by [`crate::stored::format`], which says how a key is added.

mod policy;
mod values;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use policy::{StoredPolicy, load_policy, store_policy};
use values::{StoredFields, StoredRecord, load_fields, load_record, store_fields, store_record};

use super::{Applying, AutomaticChange, BegunBy, Intent, State};
use crate::change::Verb;
use crate::model::{ResourceKey, Salt, StackName, Timestamp};
use crate::stored::bounded::{Count, Time};
use crate::stored::format::{Format, Stored, read, write};
use crate::stored::run::RunRecord;
use crate::stored::{EncodeError, StoredError};

const OBJECT: &str = "state";

/// The most bytes of a state: some 15,000 resources. A Worker has 128 MB of memory for it and for what
/// is made of it.
pub const BYTES_MAX: usize = 16 * 1024 * 1024;

/// A stored state can't be used. Nothing is written over it.
#[derive(Debug, Error)]
pub enum DecodeError {
    /// It is damaged, newer, or too large.
    #[error(transparent)]
    Stored(#[from] StoredError),
    /// It is another stack's.
    #[error("the stored state belongs to stack `{found}`, not `{wanted}`")]
    OtherStack {
        /// Whose it is.
        found: String,
        /// Whose it should be.
        wanted: String,
    },
}

impl DecodeError {
    /// Whether a newer program wrote it: nothing is written over it then.
    #[must_use]
    pub fn is_newer(&self) -> bool {
        matches!(self, Self::Stored(error) if error.is_newer())
    }
}

impl Stored for StoredState {
    const FORMAT: Format = Format {
        object: OBJECT,
        written: 1,
        read: 1,
        bytes_max: BYTES_MAX,
        smaller: "declare less in one stack",
    };
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoredState {
    format: u32,
    stack: String,
    serial: Count,
    step: Count,
    epoch: Count,
    nonce: String,
    salt: String,
    policy: StoredPolicy,
    resources: BTreeMap<String, StoredRecord>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    applying: Option<StoredApplying>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    automatic: Vec<StoredAutomatic>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    awaiting: BTreeMap<String, StoredFields>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    absent_ms: BTreeMap<String, Time>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    retired_ms: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    variables: Option<BTreeSet<String>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredApplying {
    run: RunRecord,
    in_history: bool,
    intents: BTreeMap<String, StoredIntent>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredBegunBy {
    run: String,
    actor: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredIntent {
    verb: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    begun_by: Option<StoredBegunBy>,
    at_ms: Time,
    shown_by_ms: Time,
    from: Option<StoredFields>,
    to: StoredFields,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    automatic: Option<StoredAutomatic>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    earlier: Option<Box<StoredIntent>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredAutomatic {
    at_ms: Time,
    key: String,
    fingerprint: String,
    first_create: bool,
}

/// Writes a state as JSON, the same bytes for the same state.
///
/// # Errors
/// When it could not be read back.
pub fn encode(state: &State) -> Result<Vec<u8>, EncodeError> {
    let stored = StoredState {
        format: StoredState::FORMAT.written,
        stack: state.stack.to_string(),
        serial: Count(state.serial),
        step: Count(state.step),
        epoch: Count(state.epoch),
        nonce: state.nonce.clone(),
        salt: hex::encode(state.salt.0),
        policy: store_policy(&state.policy),
        resources: state
            .resources
            .iter()
            .map(|(key, record)| (key.to_string(), store_record(record)))
            .collect(),
        applying: state.applying.as_ref().map(store_applying),
        automatic: state.automatic.iter().map(store_automatic).collect(),
        awaiting: state
            .awaiting
            .iter()
            .map(|(key, fields)| (key.to_string(), store_fields(fields)))
            .collect(),
        absent_ms: state
            .absent
            .iter()
            .map(|(key, at)| (key.to_string(), Time::from(*at)))
            .collect(),
        retired_ms: state.retired.map(Time::from),
        variables: state.variables.clone(),
    };
    write(&stored)
}

/// Reads a stored state of `stack`.
///
/// # Errors
/// When it is damaged, newer than this program, or another stack's.
pub fn decode(bytes: &[u8], stack: &StackName) -> Result<State, DecodeError> {
    let stored: StoredState = read(bytes)?;
    if stored.stack != stack.as_str() {
        let (found, wanted) = (stored.stack, stack.to_string());
        return Err(DecodeError::OtherStack { found, wanted });
    }
    let resources = stored
        .resources
        .into_iter()
        .map(|(key, record)| Ok((load_key(&key)?, load_record(record))))
        .collect::<Result<_, DecodeError>>()?;
    let state = State {
        stack: stack.clone(),
        serial: stored.serial.0,
        step: stored.step.0,
        epoch: stored.epoch.0,
        nonce: stored.nonce,
        salt: load_salt(&stored.salt)?,
        policy: load_policy(stored.policy)?,
        resources,
        applying: stored.applying.map(load_applying).transpose()?,
        automatic: stored
            .automatic
            .into_iter()
            .map(load_automatic)
            .collect::<Result<_, _>>()?,
        awaiting: stored
            .awaiting
            .into_iter()
            .map(|(key, fields)| Ok((load_key(&key)?, load_fields(fields))))
            .collect::<Result<_, DecodeError>>()?,
        absent: stored
            .absent_ms
            .into_iter()
            .map(|(key, at)| Ok((load_key(&key)?, Timestamp::from(at))))
            .collect::<Result<_, DecodeError>>()?,
        retired: stored.retired_ms.map(Timestamp::from),
        variables: stored.variables,
    };
    if !state.values().all(super::is_storable) {
        return Err(no_sense("a URL that shows more than it may"));
    }
    Ok(state)
}

fn invalid_value(what: &str, text: &str) -> DecodeError {
    no_sense(&format!("{what} `{text}`"))
}

fn no_sense(why: &str) -> DecodeError {
    let (object, why) = (OBJECT, why.to_owned());
    StoredError::InvalidValue { object, why }.into()
}

fn load_key(text: &str) -> Result<ResourceKey, DecodeError> {
    ResourceKey::parse(text).map_err(|_| invalid_value("resource key", text))
}

fn load_salt(text: &str) -> Result<Salt, DecodeError> {
    let mut salt = [0; 16];
    hex::decode_to_slice(text, &mut salt).map_err(|_| no_sense("the salt"))?;
    Ok(Salt(salt))
}

fn store_applying(applying: &Applying) -> StoredApplying {
    let intents = applying
        .intents
        .iter()
        .map(|(key, intent)| (key.to_string(), store_intent(intent)));
    StoredApplying {
        run: applying.run.clone(),
        in_history: applying.in_history,
        intents: intents.collect(),
    }
}

fn store_intent(intent: &Intent) -> StoredIntent {
    let Intent {
        verb,
        begun_by,
        at,
        shown_by,
        from,
        to,
        automatic,
        earlier,
    } = intent;
    StoredIntent {
        verb: verb.as_str().to_owned(),
        begun_by: begun_by.as_ref().map(|by| StoredBegunBy {
            run: by.run.clone(),
            actor: by.actor.clone(),
        }),
        at_ms: (*at).into(),
        shown_by_ms: (*shown_by).into(),
        from: from.as_ref().map(store_fields),
        to: store_fields(to),
        automatic: automatic.as_ref().map(store_automatic),
        earlier: earlier
            .as_deref()
            .map(|earlier| Box::new(store_intent(earlier))),
    }
}

fn load_applying(stored: StoredApplying) -> Result<Applying, DecodeError> {
    let intents = stored.intents.into_iter();
    let load = |(key, intent): (String, StoredIntent)| Ok((load_key(&key)?, load_intent(intent)?));
    Ok(Applying {
        run: stored.run,
        in_history: stored.in_history,
        intents: intents.map(load).collect::<Result<_, DecodeError>>()?,
    })
}

fn load_intent(stored: StoredIntent) -> Result<Intent, DecodeError> {
    let verb = Verb::parse(&stored.verb).ok_or_else(|| invalid_value("verb", &stored.verb))?;
    let earlier = stored
        .earlier
        .map(|earlier| load_intent(*earlier))
        .transpose()?;
    let begun_by = stored.begun_by.map(|by| BegunBy {
        run: by.run,
        actor: by.actor,
    });
    Ok(Intent {
        verb,
        begun_by,
        at: stored.at_ms.into(),
        shown_by: stored.shown_by_ms.into(),
        from: stored.from.map(load_fields),
        to: load_fields(stored.to),
        automatic: stored.automatic.map(load_automatic).transpose()?,
        earlier: earlier.map(Box::new),
    })
}

fn store_automatic(change: &AutomaticChange) -> StoredAutomatic {
    let AutomaticChange {
        at,
        key,
        fingerprint,
        first_create,
    } = change;
    StoredAutomatic {
        at_ms: (*at).into(),
        key: key.to_string(),
        fingerprint: fingerprint.clone(),
        first_create: *first_create,
    }
}

fn load_automatic(stored: StoredAutomatic) -> Result<AutomaticChange, DecodeError> {
    Ok(AutomaticChange {
        at: stored.at_ms.into(),
        key: load_key(&stored.key)?,
        fingerprint: stored.fingerprint,
        first_create: stored.first_create,
    })
}

#[cfg(test)]
pub(crate) mod tests;
