//! `schedule.json`: what the schedule did last. It can be lost: then every stack is due once.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::bounded::Time;
use super::bundle::is_revision;
use super::format::{Format, Stored, read, write};
use super::{EncodeError, StoredError};
use crate::model::{StackName, Timestamp};
use crate::providers::ProviderName;

const OBJECT: &str = "schedule (schedule.json)";

/// What the schedule did last.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Schedule {
    /// When it looked last.
    pub ticked_at: Timestamp,
    /// The revision of each stack that it saw then: another one is to be deployed.
    pub revisions: BTreeMap<StackName, String>,
    /// Until when the accounts of providers are booked with checks that were sent.
    pub booked_until: BTreeMap<ProviderName, Timestamp>,
    /// What is known of the last check of each stack, so that whoever asks how automation does reads nothing
    /// else. A stack about which nothing is known yet is not there.
    pub checks: BTreeMap<StackName, KnownCheck>,
}

/// What ticks know of the last check of a stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownCheck {
    /// When it looked, or later: a tick asks only where that may be too long ago. For a stack that was never
    /// looked at, when a tick saw it first.
    pub at: Timestamp,
    /// From when on the next one is late.
    pub late_at: Timestamp,
}

impl Schedule {
    /// How many stacks were looked at too long ago at this time, as far as ticks know.
    #[must_use]
    pub fn late(&self, now: Timestamp) -> usize {
        let checks = self.checks.values();
        checks.filter(|check| check.late_at < now).count()
    }

    /// Writes it as JSON.
    ///
    /// # Errors
    /// When it could not be read back.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let revisions = self.revisions.iter();
        let booked = self.booked_until.iter();
        let checks = self.checks.iter();
        write(&StoredSchedule {
            format: StoredSchedule::FORMAT.written,
            ticked_at_ms: self.ticked_at.into(),
            revisions: revisions
                .map(|(stack, revision)| (stack.to_string(), revision.clone()))
                .collect(),
            booked_until_ms: booked
                .map(|(provider, until)| (provider.as_str().to_owned(), (*until).into()))
                .collect(),
            checks: checks
                .map(|(stack, check)| (stack.to_string(), (*check).into()))
                .collect(),
        })
    }

    /// Reads it back.
    ///
    /// # Errors
    /// When it is damaged, or newer than this program.
    pub fn decode(bytes: &[u8]) -> Result<Self, StoredError> {
        let stored: StoredSchedule = read(bytes)?;
        let name = |stack: &str| StackName::new(stack).map_err(|error| invalid(error.to_string()));
        let revision = |(stack, revision): (String, String)| {
            let stack = name(&stack)?;
            match is_revision(&revision) {
                true => Ok((stack, revision)),
                false => Err(invalid(format!("`{revision}` as a revision"))),
            }
        };
        let booked = |(provider, until): (String, Time)| {
            let known = ProviderName::ALL.into_iter();
            let mut known = known.filter(|name| name.as_str() == provider);
            let provider = known.next();
            let provider = provider.ok_or_else(|| invalid("an unknown provider".to_owned()))?;
            Ok((provider, until.into()))
        };
        let revisions = stored.revisions.into_iter().map(revision);
        let booked = stored.booked_until_ms.into_iter().map(booked);
        let check = |(stack, check): (String, StoredCheck)| Ok((name(&stack)?, check.into()));
        let checks = stored.checks.into_iter().map(check);
        Ok(Self {
            ticked_at: stored.ticked_at_ms.into(),
            revisions: revisions.collect::<Result<_, _>>()?,
            booked_until: booked.collect::<Result<_, _>>()?,
            checks: checks.collect::<Result<_, _>>()?,
        })
    }
}

fn invalid(why: String) -> StoredError {
    StoredError::InvalidValue {
        object: OBJECT,
        why,
    }
}

impl Stored for StoredSchedule {
    const FORMAT: Format = Format {
        object: OBJECT,
        written: 1,
        read: 1,
        bytes_max: 8 * 1024 * 1024,
        smaller: "use another store for some of the stacks",
    };
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoredSchedule {
    format: u32,
    ticked_at_ms: Time,
    revisions: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    booked_until_ms: BTreeMap<String, Time>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    checks: BTreeMap<String, StoredCheck>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoredCheck {
    at_ms: Time,
    late_at_ms: Time,
}

impl From<KnownCheck> for StoredCheck {
    fn from(check: KnownCheck) -> Self {
        Self {
            at_ms: check.at.into(),
            late_at_ms: check.late_at.into(),
        }
    }
}

impl From<StoredCheck> for KnownCheck {
    fn from(check: StoredCheck) -> Self {
        Self {
            at: check.at_ms.into(),
            late_at: check.late_at_ms.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = include_str!("samples/schedule.json");

    fn schedule() -> Schedule {
        let stack = StackName::new("dev").unwrap();
        let check = KnownCheck {
            at: Timestamp(1_795_347_900_000),
            late_at: Timestamp(1_795_351_500_000),
        };
        Schedule {
            ticked_at: Timestamp(1_795_348_800_000),
            revisions: [(stack.clone(), "e3b0c44298fc".to_owned())].into(),
            booked_until: [(ProviderName::Aiven, Timestamp(1_795_348_830_000))].into(),
            checks: [(stack, check)].into(),
        }
    }

    #[test]
    fn the_sample_is_read_and_written_alike() {
        assert_eq!(Schedule::decode(SAMPLE.as_bytes()).unwrap(), schedule());
        let text = String::from_utf8(schedule().encode().unwrap()).unwrap();
        assert_eq!(text, SAMPLE);
    }

    #[test]
    fn what_can_not_be_used_is_refused() {
        for (text, expected) in [
            (SAMPLE.replace("e3b0", "E3b0"), "as a revision"),
            (SAMPLE.replace("\"dev\"", "\"Dev\""), "Dev"),
            (SAMPLE.replace("aiven", "azure"), "an unknown provider"),
        ] {
            let why = Schedule::decode(text.as_bytes()).unwrap_err().to_string();
            assert!(why.contains(expected), "{expected}: {why}");
        }
    }
}
