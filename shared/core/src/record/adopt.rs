//! Adopting: what is live, declared and not recorded gets a record, and nothing is changed (semantics 7.1).

use std::collections::BTreeSet;

use super::Recording;
use crate::compare::{Comparison, Difference};
use crate::live::{Live, LiveWorld, Reading};
use crate::model::{Declared, DeclaredResource, Recorded, ResourceKey};
use crate::plan::{LeftReason, Plan};
use crate::stored::state::State;

/// A resource that is left as it was, and why: one sentence without a final stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftAlone {
    /// Which.
    pub key: ResourceKey,
    /// Why.
    pub why: String,
}

/// What adopting a stack, or some of its resources, comes to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Adoption {
    /// What is recorded.
    pub recording: Recording,
    /// What is adopted as it is declared.
    pub equal: Vec<ResourceKey>,
    /// What is adopted and differs: it waits for a person, whatever the policy.
    pub pending: Vec<ResourceKey>,
    /// What is not adopted.
    pub left: Vec<LeftAlone>,
}

/// Records what is live, declared and not recorded, and changes nothing (semantics 7.1). `only` names
/// the resources that are meant; none means all.
#[must_use]
pub fn adopt(
    declared: &Declared,
    state: Option<&State>,
    live: &LiveWorld,
    (comparison, plan): (&Comparison, &Plan),
    only: Option<&BTreeSet<ResourceKey>>,
) -> Adoption {
    let mut adoption = Adoption::default();
    if state.is_some() {
        adoption.recording = Recording::of(comparison);
    }
    let is_meant = |key: &ResourceKey| only.is_none_or(|only| only.contains(key));
    for difference in comparison.differences.values() {
        let key = &difference.key;
        let is_recorded = comparison.recorded(state, key).is_some();
        let Some(resource) = declared.resources.get(key).filter(|_| is_meant(key)) else {
            continue;
        };
        if is_recorded {
            // Only who names it wants to hear of it.
            if only.is_some() {
                adoption.leave(key, "it is already adopted");
            }
            continue;
        }
        if let Some(variable) = plan.variable_of(declared, key) {
            adoption.leave(key, &LeftReason::Variable(variable.clone()).to_string());
            continue;
        }
        match (live.reading(key), &difference.blocked) {
            (_, Some(why)) => adoption.leave(key, why),
            (Some(Reading::Present(live)), None) => adoption.take(difference, resource, live),
            (Some(Reading::Absent(_)), None) => {
                adoption.leave(
                    key,
                    "it does not exist yet; a deploy by a person creates it",
                );
            }
            (Some(Reading::Unknown(failure)), None) => {
                adoption.leave(key, &format!("it could not be read: {}", failure.reason));
            }
            (None, None) => adoption.leave(key, "kedge did not read its service, project or zone"),
        }
    }
    if state.is_none() && adoption.recording.recorded() > 0 {
        let declared = declared.resources.iter();
        adoption.recording.awaiting = declared
            .map(|(key, resource)| (key.clone(), resource.values()))
            .collect();
    }
    adoption
}

impl Adoption {
    fn leave(&mut self, key: &ResourceKey, why: &str) {
        self.left.push(LeftAlone {
            key: key.clone(),
            why: why.to_owned(),
        });
    }

    fn take(&mut self, difference: &Difference, resource: &DeclaredResource, live: &Live) {
        let key = &difference.key;
        let record = adopted(difference, resource, live);
        match record.pending_adoption.is_empty() {
            true => self.equal.push(key.clone()),
            false => self.pending.push(key.clone()),
        }
        self.recording.records.insert(key.clone(), Some(record));
    }
}

/// What is recorded of a resource that is adopted: what is live of what is declared. A field that
/// differs, overlooked by a rule or not, is marked with the value it is declared to have.
fn adopted(difference: &Difference, resource: &DeclaredResource, live: &Live) -> Recorded {
    let mut record = Recorded {
        fields: resource.values(),
        ..Recorded::default()
    };
    for field in difference.fields.iter().chain(&difference.ignored) {
        let name = &field.field;
        if let Some(declared) = record.fields.remove(name) {
            record.pending_adoption.insert(name.clone(), declared);
        }
        if let Some(value) = live.fields.get(name) {
            record.fields.insert(name.clone(), value.clone());
        }
    }
    record
}
