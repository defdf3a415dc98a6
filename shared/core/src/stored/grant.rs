//! A grant: one person's consent to destructive changes (semantics 6.3).
//!
//! It names the plan and each change, lasts an hour at most, and is used once. Whoever uses it writes that
//! into it, on the condition that nobody did before.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::bounded::Time;
use super::format::{Format, Stored, read, write};
use super::{EncodeError, StoredError};
use crate::change::Verb;
use crate::model::{ResourceKey, StackName, Timestamp};

const OBJECT: &str = "grant";

/// A person's consent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// What it is called.
    pub id: String,
    /// For which stack.
    pub stack: StackName,
    /// Who consents: `ana@laptop`.
    pub person: String,
    /// The digest of the plan they consent to.
    pub digest: String,
    /// The changes they consent to.
    pub changes: BTreeSet<(ResourceKey, Verb)>,
    /// Whether they consent to a policy that allows automation more (the key `policy`).
    pub policy: bool,
    /// When it ends by itself, by the store's clock.
    pub expires_at: Timestamp,
    /// The run that used it, if one did.
    pub used_by: Option<String>,
}

/// Why a grant does not cover what a run would do.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotGranted {
    /// A run used it already.
    #[error("the approval was already used, by run {by}")]
    Used {
        /// Which.
        by: String,
    },
    /// Its hour is over.
    #[error("the approval ended at {}", .at.day_and_time())]
    Ended {
        /// When.
        at: Timestamp,
    },
    /// It is for another plan.
    #[error("the approval is for plan {to}, and the plan is {now} now")]
    OtherPlan {
        /// The plan it is for.
        to: String,
        /// The plan now.
        now: String,
    },
    /// It does not name a change.
    #[error("the approval does not cover {0}")]
    NotNamed(String),
}

impl Grant {
    /// The longest that a grant lasts: an hour, in milliseconds.
    pub const LASTS_MS: i64 = 60 * 60 * 1000;

    /// Whether it covers a plan's destructive changes at this time.
    ///
    /// # Errors
    /// With why it does not.
    pub fn covers(
        &self,
        digest: &str,
        changes: &BTreeSet<(ResourceKey, Verb)>,
        policy: bool,
        now: Timestamp,
    ) -> Result<(), NotGranted> {
        if let Some(by) = &self.used_by {
            return Err(NotGranted::Used { by: by.clone() });
        }
        if now >= self.expires_at {
            return Err(NotGranted::Ended {
                at: self.expires_at,
            });
        }
        if self.digest != digest {
            let (to, now) = (self.digest.clone(), digest.to_owned());
            return Err(NotGranted::OtherPlan { to, now });
        }
        if let Some((key, verb)) = changes.difference(&self.changes).next() {
            let verb = verb.as_str();
            return Err(NotGranted::NotNamed(format!("{verb} {}", key.labelled())));
        }
        match policy && !self.policy {
            true => Err(NotGranted::NotNamed("policy".to_owned())),
            false => Ok(()),
        }
    }

    /// Writes it as JSON, the same bytes for the same grant.
    ///
    /// # Errors
    /// When it could not be read back.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let Self {
            id,
            stack,
            person,
            digest,
            changes,
            policy,
            expires_at,
            used_by,
        } = self;
        let store = |(key, verb): &(ResourceKey, Verb)| StoredConsent {
            key: key.to_string(),
            verb: verb.as_str().to_owned(),
        };
        let stored = StoredGrant {
            format: StoredGrant::FORMAT.written,
            id: id.clone(),
            stack: stack.to_string(),
            person: person.clone(),
            digest: digest.clone(),
            changes: changes.iter().map(store).collect(),
            policy: *policy,
            expires_at_ms: (*expires_at).into(),
            used_by: used_by.clone(),
        };
        write(&stored)
    }

    /// Reads a grant for `stack` back.
    ///
    /// # Errors
    /// When it is damaged, newer than this program, or for another stack.
    pub fn decode(bytes: &[u8], stack: &StackName) -> Result<Self, StoredError> {
        let stored: StoredGrant = read(bytes)?;
        let invalid_value = |why: String| StoredError::InvalidValue {
            object: OBJECT,
            why,
        };
        if stored.stack != stack.as_str() {
            let found = stored.stack;
            return Err(invalid_value(format!("it is for stack `{found}`")));
        }
        let load = |consent: StoredConsent| {
            let key = ResourceKey::parse(&consent.key);
            let verb = Verb::parse(&consent.verb);
            match (key, verb) {
                (Ok(key), Some(verb)) => Ok((key, verb)),
                _ => Err(invalid_value(format!("{} {}", consent.verb, consent.key))),
            }
        };
        Ok(Self {
            id: stored.id,
            stack: stack.clone(),
            person: stored.person,
            digest: stored.digest,
            changes: stored
                .changes
                .into_iter()
                .map(load)
                .collect::<Result<_, _>>()?,
            policy: stored.policy,
            expires_at: stored.expires_at_ms.into(),
            used_by: stored.used_by,
        })
    }
}

impl Stored for StoredGrant {
    const FORMAT: Format = Format {
        object: OBJECT,
        written: 1,
        read: 1,
        bytes_max: 8 * 1024 * 1024,
        smaller: "consent to fewer changes at once",
    };
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoredGrant {
    format: u32,
    id: String,
    stack: String,
    person: String,
    digest: String,
    changes: Vec<StoredConsent>,
    policy: bool,
    expires_at_ms: Time,
    used_by: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoredConsent {
    key: String,
    verb: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = include_str!("samples/grant.json");

    fn dev() -> StackName {
        StackName::new("dev").unwrap()
    }

    fn deletes(name: &str) -> (ResourceKey, Verb) {
        (ResourceKey::kafka_topic("p", "s", name), Verb::Delete)
    }

    fn grant() -> Grant {
        Grant {
            id: "1795348800000-0badcafe".to_owned(),
            stack: dev(),
            person: "ana@laptop".to_owned(),
            digest: "00c0ffee00c0ffee".to_owned(),
            changes: [deletes("dev-a")].into(),
            policy: false,
            expires_at: Timestamp(1_795_352_400_000),
            used_by: None,
        }
    }

    #[test]
    fn the_sample_is_read_and_written_alike() {
        assert_eq!(Grant::decode(SAMPLE.as_bytes(), &dev()).unwrap(), grant());
        assert_eq!(
            String::from_utf8(grant().encode().unwrap()).unwrap(),
            SAMPLE
        );
    }

    #[test]
    fn refuses_what_it_does_not_understand() {
        let refused = |text: &str| {
            let error = Grant::decode(text.as_bytes(), &dev()).unwrap_err();
            error.to_string()
        };
        let newer = refused(&SAMPLE.replace("\"format\": 1", "\"format\": 2, \"x\": 3"));
        assert!(newer.contains("newer kedge"), "{newer}");
        for damaged in [
            "{",
            &SAMPLE.replace("\"dev\"", "\"prod\""),
            &SAMPLE.replace("\"delete\"", "\"destroy\""),
        ] {
            let text = refused(damaged);
            assert!(text.contains("stored grant is damaged"), "{text}");
        }
    }

    #[test]
    fn what_it_covers() {
        let digest = grant().digest;
        let now = Timestamp(1_795_352_399_999);
        let named = [deletes("dev-a")].into();
        assert_eq!(grant().covers(&digest, &named, false, now), Ok(()));
        let none = BTreeSet::new();
        assert_eq!(grant().covers(&digest, &none, false, now), Ok(()));
        let more = [deletes("dev-a"), deletes("dev-b")].into();
        let used = Grant {
            used_by: Some("r2".to_owned()),
            ..grant()
        };
        for (grant, digest, changes, policy, now, says) in [
            (
                grant(),
                &*digest,
                &more,
                false,
                now,
                "does not cover delete",
            ),
            (grant(), &*digest, &named, true, now, "not cover policy"),
            (grant(), "other", &named, false, now, "the plan is other"),
            (
                grant(),
                &*digest,
                &named,
                false,
                now.plus_ms(1),
                "ended at 2026-11-22 13:00 UTC",
            ),
            (
                used,
                &*digest,
                &named,
                false,
                now,
                "already used, by run r2",
            ),
        ] {
            let error = grant.covers(digest, changes, policy, now).unwrap_err();
            assert!(error.to_string().contains(says), "{error}");
        }
    }
}
