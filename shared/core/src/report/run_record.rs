//! What is kept of a run: its [`RunRecord`], made from its report.

use std::collections::BTreeMap;

use super::{ChangeResult, Changed, Outcome, Report};
use crate::change::{Change, Edit, Verb};
use crate::compare::{Fate, Resolved};
use crate::model::{Fields, ResourceKey, Value};
use crate::plan::Approved;
use crate::stored::run::{RequestCounts, RunField, RunOutcome, RunRecord};

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

    /// The record of a run that is about to begin its changes. If it ends right there, nobody knows
    /// more.
    #[must_use]
    pub fn begun(report: &Report, changed: &Changed, about: About<'_>) -> Self {
        let begun = |approved: &Approved| {
            outcome(&ChangeResult {
                approved: approved.clone(),
                outcome: Outcome::Unknown {
                    reason: "the run was interrupted".to_owned(),
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
                    Fate::NotMade => {
                        Some("it was not made before the run was interrupted".to_owned())
                    }
                    Fate::Open => {
                        Some("the provider may not show yet whether it was made".to_owned())
                    }
                };
            }
        }
        found.stopped = Some(format!(
            "it was interrupted; run {by} found out how its changes ended"
        ));
        found
    }
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
