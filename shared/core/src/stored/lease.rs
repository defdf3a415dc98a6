//! The lease of a stack: who may change it now, and until when (semantics 8.4).
//!
//! Only its holder writes it, each time on the condition that it is still the version before. Its times are
//! the store's: it counts from the moment it was written.

use serde::{Deserialize, Serialize};

use super::bounded::{Count, Span, Time};
use super::format::{Format, Stored, read, write};
use super::{EncodeError, StoredError};
use crate::model::{StackName, Timestamp};

const OBJECT: &str = "lease.json";

/// The right to change one stack for a short time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Of which stack.
    pub stack: StackName,
    /// Rises by one with each holder and never falls, not even when it is released.
    pub epoch: u64,
    /// Who holds it, and where: `ana@laptop`.
    pub actor: String,
    /// The run it is held for.
    pub run: String,
    /// Random text of this holder: how it knows its own write again.
    pub nonce: String,
    /// How long it lasts after each write, in milliseconds.
    pub lease_ms: i64,
    /// When it was taken, by the store's clock. None in the first write, whose own time that is.
    pub since: Option<Timestamp>,
    /// How often it was renewed, or tried to be.
    pub renewed: u64,
    /// Whether its holder is done with it.
    pub released: bool,
}

impl Lease {
    /// The longest that a lease may last after a write: an hour, as `KEDGE_LEASE_SECONDS` allows.
    pub const LASTS_MS_MAX: i64 = 60 * 60 * 1000;

    /// Writes it as JSON, the same bytes for the same lease.
    ///
    /// # Errors
    /// When it could not be read back.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let Self {
            stack,
            epoch,
            actor,
            run,
            nonce,
            lease_ms,
            since,
            renewed,
            released,
        } = self;
        let stored = StoredLease {
            format: StoredLease::FORMAT.written,
            stack: stack.to_string(),
            epoch: Count(*epoch),
            actor: actor.clone(),
            run: run.clone(),
            nonce: nonce.clone(),
            lease_ms: Span(*lease_ms),
            since_ms: since.map(Time::from),
            renewed: Count(*renewed),
            released: *released,
        };
        write(&stored)
    }

    /// Reads the lease of `stack` back.
    ///
    /// # Errors
    /// When it is damaged, newer than this program, or another stack's.
    pub fn decode(bytes: &[u8], stack: &StackName) -> Result<Self, StoredError> {
        let stored: StoredLease = read(bytes)?;
        let invalid_value = |why: String| StoredError::InvalidValue {
            object: OBJECT,
            why,
        };
        if stored.stack != stack.as_str() {
            let found = stored.stack;
            return Err(invalid_value(format!("it belongs to stack `{found}`")));
        }
        let lease_ms = stored.lease_ms.0;
        if !(1..=Self::LASTS_MS_MAX).contains(&lease_ms) {
            return Err(invalid_value(format!("it lasts {lease_ms} ms")));
        }
        Ok(Self {
            stack: stack.clone(),
            epoch: stored.epoch.0,
            actor: stored.actor,
            run: stored.run,
            nonce: stored.nonce,
            lease_ms,
            since: stored.since_ms.map(Timestamp::from),
            renewed: stored.renewed.0,
            released: stored.released,
        })
    }
}

impl Stored for StoredLease {
    const FORMAT: Format = Format {
        object: OBJECT,
        written: 1,
        read: 1,
        bytes_max: 64 * 1024,
        smaller: "shorten the name of the actor",
    };
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoredLease {
    format: u32,
    stack: String,
    epoch: Count,
    actor: String,
    run: String,
    nonce: String,
    lease_ms: Span,
    since_ms: Option<Time>,
    renewed: Count,
    released: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = include_str!("samples/lease.json");

    fn dev() -> StackName {
        StackName::new("dev").unwrap()
    }

    #[test]
    fn the_sample_is_read_and_written_alike() {
        let lease = Lease {
            stack: dev(),
            epoch: 7,
            actor: "ana@laptop".to_owned(),
            run: "1795348800000-0badcafe".to_owned(),
            nonce: "00c0ffee00c0ffee".to_owned(),
            lease_ms: 60_000,
            since: Some(Timestamp(1_795_348_800_000)),
            renewed: 3,
            released: false,
        };
        assert_eq!(Lease::decode(SAMPLE.as_bytes(), &dev()).unwrap(), lease);
        assert_eq!(String::from_utf8(lease.encode().unwrap()).unwrap(), SAMPLE);
        let first = Lease {
            since: None,
            ..lease
        };
        let bytes = first.encode().unwrap();
        assert_eq!(Lease::decode(&bytes, &dev()).unwrap(), first);
    }

    #[test]
    fn refuses_what_it_does_not_understand() {
        let refused = |text: &str| {
            let error = Lease::decode(text.as_bytes(), &dev()).unwrap_err();
            error.to_string()
        };
        let newer = refused(&SAMPLE.replace("\"format\": 1", "\"format\": 2, \"x\": 3"));
        assert!(newer.contains("newer kedge"), "{newer}");
        for damaged in [
            "",
            &SAMPLE[..SAMPLE.len() / 2],
            &SAMPLE.replace("\"dev\"", "\"prod\""),
            &SAMPLE.replace("60000", "-1"),
            &SAMPLE.replace("60000", "0"),
            &SAMPLE.replace("60000", "3600001"),
        ] {
            let text = refused(damaged);
            assert!(text.contains("stored lease.json is damaged"), "{text}");
        }
    }
}
