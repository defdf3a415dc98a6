//! The digest: what a person agreed to, in 16 digits (semantics 6.5).
//!
//! It covers the ordered changes: key, verb and steps of each, and what is declared, recorded and live of
//! the resource and of what it depends on. It covers the policy in force and the overridden guards. It does
//! not cover revision ids, serials, findings, unmanaged resources or times. While a stack has no state, its
//! URL hashes have no lasting key, so the digest covers only the part of a URL that is shown.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{PlanInput, PlannedChange, PolicyChange, needs};
use crate::change::Edit;
use crate::live::Reading;
use crate::model::{Fields, Policy, ResourceKey, Value, short_hash};

/// A plan's digest and the hashes of its parts, so that a plan that is out of date can say what
/// changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PlanSummary {
    /// The digest of the whole.
    pub digest: String,
    /// Hash by part: a resource key, or `policy`.
    pub parts: BTreeMap<String, String>,
}

impl PlanSummary {
    /// What differs between the plan a person saw and this one.
    #[must_use]
    pub fn moved_since(&self, agreed: &Self) -> Vec<String> {
        let mut names: Vec<&String> = self.parts.keys().chain(agreed.parts.keys()).collect();
        names.sort_unstable();
        names.dedup();
        let moved = names
            .into_iter()
            .filter(|name| self.parts.get(*name) != agreed.parts.get(*name));
        moved.cloned().collect()
    }
}

pub(super) fn summary(
    input: PlanInput<'_>,
    policy: &Policy,
    policy_change: &PolicyChange,
    changes: &[PlannedChange],
) -> PlanSummary {
    let mut parts = BTreeMap::new();
    let policy = format!("{policy:?} {policy_change:?} {:?}", input.overrides);
    parts.insert("policy".to_owned(), short_hash(&policy));
    let mut order = format!("{}\n", input.declared.stack);
    for planned in changes {
        let name = planned.change.key.to_string();
        let _ = writeln!(order, "{name}");
        parts.insert(name, short_hash(&change_text(input, planned)));
    }
    for (name, part) in &parts {
        let _ = writeln!(order, "{name} {part}");
    }
    PlanSummary {
        digest: short_hash(&order),
        parts,
    }
}

fn change_text(input: PlanInput<'_>, planned: &PlannedChange) -> String {
    let salted = input.state.is_some();
    let mut text = format!("{}\n", planned.change.verb.as_str());
    for step in &planned.steps {
        let _ = writeln!(
            text,
            "{} {}",
            step.risk.as_str(),
            edit_text(step.edit.as_ref(), salted)
        );
    }
    let key = &planned.change.key;
    for key in std::iter::once(key.clone()).chain(needs(input.declared, key)) {
        text.push_str(&truths_text(input, &key, salted));
    }
    text
}

/// Declared, recorded and live of one resource.
fn truths_text(input: PlanInput<'_>, key: &ResourceKey, salted: bool) -> String {
    let declared = input
        .declared
        .resources
        .get(key)
        .map(|resource| resource.values());
    let recorded = input
        .comparison
        .recorded(input.state, key)
        .map(|recorded| &recorded.fields);
    let live = input.live.reading(key).and_then(Reading::present);
    let live = live.map(|live| &live.fields);
    // Live fields that nobody declared or recorded are nobody's business and may change.
    let relevant = |live: &Fields| -> Fields {
        let known = |name| {
            declared
                .as_ref()
                .is_some_and(|fields| fields.contains_key(name))
                || recorded.is_some_and(|fields| fields.contains_key(name))
        };
        live.iter()
            .filter(|(name, _)| known(name))
            .map(|(n, v)| (n.clone(), v.clone()))
            .collect()
    };
    let live = live.map(relevant);
    [declared.as_ref(), recorded, live.as_ref()]
        .into_iter()
        .map(|fields| fields_text(fields, salted))
        .fold(format!("{key}\n"), |text, part| text + &part)
}

fn fields_text(fields: Option<&Fields>, salted: bool) -> String {
    let Some(fields) = fields else {
        return "absent\n".to_owned();
    };
    let mut text = "present\n".to_owned();
    for (name, value) in fields {
        let _ = writeln!(text, "{name}={}", value_text(value, salted));
    }
    text
}

fn edit_text(edit: Option<&Edit>, salted: bool) -> String {
    match edit {
        None => "whole".to_owned(),
        Some(Edit::Set { field, to }) => format!("set {field} {}", value_text(to, salted)),
        Some(Edit::Add { field, item }) => format!("add {field} {item:?}"),
        Some(Edit::Remove { field, item }) => format!("remove {field} {item:?}"),
    }
}

fn value_text(value: &Value, salted: bool) -> String {
    match value {
        Value::Url(url) if !salted => format!("{:?}", url.shown),
        // The debug form keeps apart what the plain form may write alike.
        other => format!("{other:?}"),
    }
}

/// Tells one correction from another: the same key, verb and edits are the same correction.
pub(super) fn correction_fingerprint(planned: &PlannedChange, edits: &[Edit]) -> String {
    let change = &planned.change;
    short_hash(&format!(
        "{} {} {edits:?}",
        change.key,
        change.verb.as_str()
    ))
}
