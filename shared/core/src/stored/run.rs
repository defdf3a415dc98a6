//! The record of a run: who did what to a stack, why, and how it ended. What `kedge history` shows.
//!
//! It is written once, at the end, whatever the end was, and never again. Values are texts in the
//! form people read; a URL's hidden parts stay hidden.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::bounded;
use super::format::{Format, Stored, read, write};
use super::{EncodeError, StoredError};
use crate::change::{Change, Edit, Verb};
use crate::compare::{Fate, Resolved};
use crate::model::{Fields, ResourceKey, Value};
use crate::plan::Approved;
use crate::report::{ChangeResult, Changed, Outcome, Report};

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
}

/// What a run knows of itself beside its report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct About<'a> {
    /// When it began, in milliseconds since 1970.
    pub at_ms: i64,
    /// When it ended.
    pub ended_ms: i64,
    /// Who.
    pub actor: &'a str,
    /// What they asked for.
    pub verb: &'a str,
    /// What started it.
    pub trigger: &'a str,
    /// The epoch of its lease.
    pub epoch: u64,
    /// Requests to providers.
    pub requests: RequestCounts,
}

impl RunRecord {
    /// What is kept of a run that looked and then made changes.
    #[must_use]
    pub fn of(report: &Report, changed: &Changed, about: About<'_>) -> Self {
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        Self {
            id: changed.run.clone(),
            stack: report.declared.stack.to_string(),
            at_ms: about.at_ms,
            ended_ms: about.ended_ms,
            actor: about.actor.to_owned(),
            verb: about.verb.to_owned(),
            trigger: about.trigger.to_owned(),
            revision: Some(report.declared.revision.clone()),
            verdict: report.verdict().as_str().to_owned(),
            plan: Some(report.plan.digest.clone()),
            serial: changed.serial,
            epoch: about.epoch,
            outcomes: changed.results.iter().map(outcome).collect(),
            recorded: count(changed.recorded),
            forgotten: count(changed.forgotten),
            requests: about.requests,
            stopped: changed.stopped.clone(),
            interrupted: changed.interrupted.clone(),
        }
    }

    /// What is known of a run that begins its changes: should it end here, nobody knows more.
    #[must_use]
    pub fn begun(report: &Report, changed: &Changed, about: About<'_>) -> Self {
        let begun = |approved: &Approved| {
            outcome(&ChangeResult {
                approved: approved.clone(),
                outcome: Outcome::Unknown {
                    reason: "the run stopped in the middle".to_owned(),
                },
            })
        };
        Self {
            outcomes: report.decided.approved().map(begun).collect(),
            ..Self::of(report, changed, about)
        }
    }

    /// Notes how a change ended.
    pub fn note(&mut self, carried: &ChangeResult) {
        let ended = outcome(carried);
        match self.outcomes.iter_mut().find(|one| one.key == ended.key) {
            Some(one) => *one = ended,
            None => self.outcomes.push(ended),
        }
    }

    /// What history says of a run that broke off, once another one found out how its changes ended.
    #[must_use]
    pub fn found_out(&self, resolved: &BTreeMap<ResourceKey, Resolved>, by: &str) -> Self {
        let fates: BTreeMap<String, Fate> = resolved
            .iter()
            .map(|(key, resolved)| (key.to_string(), resolved.fate))
            .collect();
        let mut found = self.clone();
        let open = found.outcomes.iter_mut();
        for one in open.filter(|one| one.outcome == Fate::Open.as_str()) {
            if let Some(fate) = fates.get(&one.key) {
                one.outcome = fate.as_str().to_owned();
                one.reason = match fate {
                    Fate::Made => None,
                    Fate::NotMade => Some("it was not made before the run stopped".to_owned()),
                    Fate::Open => {
                        Some("the provider may not show yet whether it was made".to_owned())
                    }
                };
            }
        }
        found.stopped = Some(format!(
            "it stopped in the middle; run {by} found out how its changes ended"
        ));
        found
    }

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

fn outcome(carried: &ChangeResult) -> RunOutcome {
    let change = &carried.approved.change;
    RunOutcome {
        key: change.key.to_string(),
        verb: change.verb.as_str().to_owned(),
        risk: carried.approved.risk.as_str().to_owned(),
        outcome: carried.outcome.as_str().to_owned(),
        reason: carried.outcome.reason().map(str::to_owned),
        fields: fields(change),
    }
}

fn fields(change: &Change) -> Vec<RunField> {
    let nothing = Fields::new();
    let live = change.live.as_ref().map_or(&nothing, |live| &live.fields);
    let text = |value: &Value| value.to_string();
    let whole = |fields: &Fields| -> Vec<RunField> {
        let one = |(field, value): (&_, &_)| RunField {
            field: ToString::to_string(field),
            from: live.get(field).map(text),
            to: Some(text(value)),
        };
        fields.iter().map(one).collect()
    };
    match change.verb {
        Verb::Create | Verb::Replace => whole(&change.declared),
        Verb::Delete => {
            let gone = |(field, value): (&crate::model::FieldName, &Value)| RunField {
                field: field.to_string(),
                from: Some(text(value)),
                to: None,
            };
            change.recorded.iter().map(gone).collect()
        }
        Verb::Update => change
            .edits
            .iter()
            .map(|edit| {
                let field = edit.field().to_string();
                let (from, to) = match edit {
                    Edit::Set { field, to } => (live.get(field).map(text), Some(text(to))),
                    Edit::Add { item, .. } => (None, Some(item.clone())),
                    Edit::Remove { item, .. } => (Some(item.clone()), None),
                };
                RunField { field, from, to }
            })
            .collect(),
    }
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
