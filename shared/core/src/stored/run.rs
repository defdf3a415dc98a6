//! The record of a run: who did what to a stack, why, and how it ended; `kedge history` shows it.
//!
//! It is written once, at the end of the run, however that was. Values are texts as people read them, and
//! hidden parts of a URL stay hidden. It is made from a report in [`crate::report`].

use serde::{Deserialize, Serialize};

use super::bounded;
use super::format::{Format, Stored, read, write};
use super::{EncodeError, StoredError};

const OBJECT: &str = "record of a run";

/// One run that changed something, or began to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunRecord {
    /// What it is called; ids sort by time.
    pub id: String,
    /// Its stack.
    pub stack: String,
    /// When it began, in milliseconds since 1970, by the runner's clock.
    #[serde(with = "bounded::time")]
    pub at_ms: i64,
    /// When it ended.
    #[serde(with = "bounded::time")]
    pub ended_ms: i64,
    /// Who: `ana@laptop`, or a CI actor with the commit.
    pub actor: String,
    /// What they asked for: `up`, `adopt`, `forget`, `refresh`, `retire`.
    pub verb: String,
    /// What started it: `cli`, `unattended`.
    pub trigger: String,
    /// The definitions it followed, where they have a revision.
    pub revision: Option<String>,
    /// How the stack stood before it.
    pub verdict: String,
    /// The digest of the plan it carried out; none if it followed no plan.
    pub plan: Option<String>,
    /// The serial of the state it wrote; none if it wrote none.
    #[serde(with = "bounded::maybe_count")]
    pub serial: Option<u64>,
    /// The epoch of its lease.
    #[serde(with = "bounded::count")]
    pub epoch: u64,
    /// Each change and how it ended, in that order.
    pub outcomes: Vec<RunOutcome>,
    /// Resources recorded without a provider write.
    #[serde(with = "bounded::count")]
    pub recorded: u64,
    /// Records dropped without a provider write.
    #[serde(with = "bounded::count")]
    pub forgotten: u64,
    /// Requests to providers.
    pub requests: RequestCounts,
    /// Why it stopped before its end, if it did.
    pub stopped: Option<String>,
    /// The run before it that never said how some of its changes ended, if there was one.
    pub interrupted: Option<Interrupted>,
}

/// One change of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunOutcome {
    /// Of which resource.
    pub key: String,
    /// What was done.
    pub verb: String,
    /// How bad it could be.
    pub risk: String,
    /// How it ended: `done`, `failed`, `blocked`, `unknown`, `not-begun`, `held`.
    pub outcome: String,
    /// Why, for all but `done`.
    pub reason: Option<String>,
    /// What was changed.
    pub fields: Vec<RunField>,
}

/// One field of a change. An item added to a set has no `from`, one removed no `to`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunField {
    /// Which.
    pub field: String,
    /// What was live before.
    pub from: Option<String>,
    /// What was asked for.
    pub to: Option<String>,
}

/// Requests to providers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestCounts {
    /// That read.
    #[serde(with = "bounded::count")]
    pub reads: u64,
    /// That wrote.
    #[serde(with = "bounded::count")]
    pub writes: u64,
}

/// A run that left changes open: its own, or some that runs before it had left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interrupted {
    /// Which.
    pub run: String,
    /// What was open of it.
    pub changes: Vec<FoundOut>,
}

/// A change of an earlier run, and how it turned out by what is live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FoundOut {
    /// Of which resource.
    pub key: String,
    /// What was to be done.
    pub verb: String,
    /// `done`, `failed`, or `unknown` while nobody can tell.
    pub outcome: String,
    /// The run that began it, where that is an earlier one than the run that left it open.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub begun_by: Option<String>,
}

impl RunRecord {
    /// Writes it as JSON, the same bytes for the same record.
    ///
    /// # Errors
    /// When it could not be read back.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        write(&StoredRun {
            format: StoredRun::FORMAT.written,
            run: self.clone(),
        })
    }

    /// Reads it back.
    ///
    /// # Errors
    /// When it is damaged or newer than this program.
    pub fn decode(bytes: &[u8]) -> Result<Self, StoredError> {
        let stored: StoredRun = read(bytes)?;
        Ok(stored.run)
    }
}

/// A record as it is stored.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoredRun {
    format: u32,
    run: RunRecord,
}

impl Stored for StoredRun {
    const FORMAT: Format = Format {
        object: OBJECT,
        written: 1,
        read: 1,
        bytes_max: 16 * 1024 * 1024,
        smaller: "make fewer changes in one run",
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = include_str!("samples/run.json");

    fn record() -> RunRecord {
        RunRecord {
            id: "1795348800000-0badcafe".to_owned(),
            stack: "dev".to_owned(),
            at_ms: 1_795_348_800_000,
            ended_ms: 1_795_348_801_234,
            actor: "ana@laptop".to_owned(),
            verb: "up".to_owned(),
            trigger: "cli".to_owned(),
            revision: Some("3f9a1c2".to_owned()),
            verdict: "drifted".to_owned(),
            plan: Some("00c0ffee00c0ffee".to_owned()),
            serial: Some(12),
            epoch: 7,
            outcomes: vec![RunOutcome {
                key: "kafka-topic/p/s/dev-a".to_owned(),
                verb: "update".to_owned(),
                risk: "safe".to_owned(),
                outcome: "not-begun".to_owned(),
                reason: Some("the stack is held".to_owned()),
                fields: vec![RunField {
                    field: "retention_ms".to_owned(),
                    from: Some("1000".to_owned()),
                    to: Some("3600000".to_owned()),
                }],
            }],
            recorded: 1,
            forgotten: 0,
            requests: RequestCounts {
                reads: 5,
                writes: 2,
            },
            stopped: None,
            interrupted: Some(Interrupted {
                run: "1795348700000-00000001".to_owned(),
                changes: vec![FoundOut {
                    key: "kafka-topic/p/s/dev-b".to_owned(),
                    verb: "create".to_owned(),
                    outcome: "done".to_owned(),
                    begun_by: None,
                }],
            }),
        }
    }

    #[test]
    fn the_sample_is_read_and_written_alike() {
        assert_eq!(RunRecord::decode(SAMPLE.as_bytes()).unwrap(), record());
        let written = String::from_utf8(record().encode().unwrap()).unwrap();
        assert_eq!(written, SAMPLE);
    }

    #[test]
    fn refuses_what_it_does_not_understand() {
        let refused = |text: &str| RunRecord::decode(text.as_bytes()).unwrap_err().to_string();
        let newer = refused(&SAMPLE.replace("\"format\": 1", "\"format\": 2, \"x\": 3"));
        assert!(newer.contains("newer kedge"), "{newer}");
        for damaged in ["", "{", "{\"format\": 1}"] {
            let text = refused(damaged);
            assert!(text.contains("stored record of a run is damaged"), "{text}");
        }
    }
}
