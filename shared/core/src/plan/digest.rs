//! The digest: what a person agreed to, in 16 digits (semantics 6.5).
//!
//! It covers the ordered changes: key, verb and steps of each, and what is declared, recorded and live of
//! the resource and of what it depends on. It covers the policy in force and the overridden guards. It does
//! not cover revision ids, serials, findings, unmanaged resources or times. While a stack has no state, its
//! URL hashes have no lasting key, so the digest covers only the part of a URL that is shown.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use super::{PlanInput, PlannedChange, PolicyChange, needs};
use crate::change::Edit;
use crate::live::Reading;
use crate::model::{FieldName, Fields, Policy, ResourceKey, Value, short_hash};

/// A plan's digest and the hashes of its parts, so that a plan that is out of date can say what
/// changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PlanSummary {
    /// The digest of the whole.
    pub digest: String,
    /// Hash by part: a resource key, `policy`, or `overridden guards`.
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
    // The braces are an empty list of guards: digests of plans without overrides stay what they were.
    let policy = format!("{policy:?} {policy_change:?} {{}}");
    parts.insert("policy".to_owned(), short_hash(&policy));
    if !input.overrides.is_empty() {
        let guards = format!("{:?}", input.overrides);
        parts.insert("overridden guards".to_owned(), short_hash(&guards));
    }
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
        let edit = EditText(step.edit.as_ref(), salted);
        // Writing to a String does not fail, here and below.
        let _ = writeln!(text, "{} {edit}", step.risk.as_str());
    }
    let key = &planned.change.key;
    write_truths(&mut text, input, key, salted);
    for need in needs(input.declared, key) {
        write_truths(&mut text, input, &need, salted);
    }
    text
}

/// Writes what is declared, recorded and live of one resource.
fn write_truths(text: &mut String, input: PlanInput<'_>, key: &ResourceKey, salted: bool) {
    let declared = input.declared.resources.get(key);
    let declared = declared.map(|resource| &resource.fields);
    let recorded = input.comparison.recorded(input.state, key);
    let recorded = recorded.map(|recorded| &recorded.fields);
    let live = input.live.reading(key).and_then(Reading::present);
    // Live fields that nobody declared or recorded are nobody's business and may change.
    let is_known = |name: &FieldName| {
        declared.is_some_and(|fields| fields.contains_key(name))
            || recorded.is_some_and(|fields| fields.contains_key(name))
    };
    let _ = writeln!(text, "{key}");
    let values = declared.map(|fields| fields.iter().map(|(name, field)| (name, &field.value)));
    write_fields(text, values, salted);
    write_fields(text, recorded.map(Fields::iter), salted);
    let live = live.map(|live| live.fields.iter().filter(|(name, _)| is_known(name)));
    write_fields(text, live, salted);
}

fn write_fields<'v>(
    text: &mut String,
    fields: Option<impl Iterator<Item = (&'v FieldName, &'v Value)>>,
    salted: bool,
) {
    let Some(fields) = fields else {
        text.push_str("absent\n");
        return;
    };
    text.push_str("present\n");
    for (name, value) in fields {
        let _ = writeln!(text, "{name}={}", ValueText(value, salted));
    }
}

/// An edit in the text that is hashed, with whether URL hashes have a lasting key.
struct EditText<'a>(Option<&'a Edit>, bool);

impl fmt::Display for EditText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("whole"),
            Some(Edit::Set { field, to }) => write!(f, "set {field} {}", ValueText(to, self.1)),
            Some(Edit::Add { field, item }) => write!(f, "add {field} {item:?}"),
            Some(Edit::Remove { field, item }) => write!(f, "remove {field} {item:?}"),
        }
    }
}

/// The same of a value.
struct ValueText<'a>(&'a Value, bool);

impl fmt::Display for ValueText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::Url(url) if !self.1 => write!(f, "{:?}", url.shown),
            // The debug form keeps apart what the plain form may write alike.
            other => write!(f, "{other:?}"),
        }
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
