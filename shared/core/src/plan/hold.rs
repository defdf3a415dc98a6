//! Takes what a person holds out of the plan, with what depends on it (semantics 6.6, 6.8).

use std::collections::BTreeSet;

use super::{Finding, FindingKind, PlannedChange};
use crate::change::Verb;
use crate::model::{FieldName, ResourceKey};
use crate::stored::hold::{Hold, UnreadHolds, strongest};

/// Takes what is held out of the ordered changes, and says so.
pub(super) fn set_aside(holds: &[Hold], changes: &mut Vec<PlannedChange>) -> Vec<Finding> {
    let held = changes.iter().filter_map(|planned| {
        let hold = hold_of(holds, &planned.change.key)?;
        Some((planned, hold))
    });
    let mut leaving: Vec<(&PlannedChange, &Hold)> = held.collect();
    let found =
        |(planned, hold): &(&PlannedChange, &Hold)| finding(&planned.change.key, hold.describe());
    let mut findings: Vec<Finding> = leaving.iter().map(found).collect();
    let keys = leaving
        .iter()
        .map(|(planned, _)| planned.change.key.clone());
    let mut left: BTreeSet<ResourceKey> = keys.collect();
    // What leaves takes others with it, and those take others again.
    let mut next = 0;
    while let Some((other, hold)) = leaving.get(next).copied() {
        next += 1;
        for planned in changes.iter().filter(|planned| is_tied(planned, other)) {
            let key = &planned.change.key;
            if left.insert(key.clone()) {
                findings.push(finding(key, goes_with(&other.change.key, hold)));
                leaving.push((planned, hold));
            }
        }
    }
    changes.retain(|planned| !left.contains(&planned.change.key));
    findings
}

/// Takes everything out of the changes: nobody knows what is held.
pub(super) fn set_all_aside(
    unread: &UnreadHolds,
    changes: &mut Vec<PlannedChange>,
) -> Vec<Finding> {
    let all = changes.drain(..);
    all.map(|planned| finding(&planned.change.key, unread.describe()))
        .collect()
}

/// The hold of a resource.
fn hold_of<'a>(holds: &'a [Hold], key: &ResourceKey) -> Option<&'a Hold> {
    let is_of = |hold: &&Hold| hold.key.as_ref().is_none_or(|held| held == key);
    strongest(holds.iter().filter(is_of))
}

/// Whether a change can't be made without another: it needs it, belongs with it, or is in its way.
fn is_tied(planned: &PlannedChange, other: &PlannedChange) -> bool {
    let belongs = planned.composite.is_some() && planned.composite == other.composite;
    // An update of what is needed leaves it there.
    let needs = other.change.verb != Verb::Update && planned.needs.contains(&other.change.key);
    belongs || needs || carries(planned, other)
}

/// Whether a deletion would leave what stands on the deleted resource, and is held, dead.
fn carries(deletion: &PlannedChange, other: &PlannedChange) -> bool {
    let (key, other) = (&deletion.change.key, &other.change);
    let text_of = |name: &FieldName| {
        let value = other.recorded.get(name)?;
        value.as_text().map(str::to_owned)
    };
    let needs = || (other.key.kind().entry().needs)(&other.key, &text_of);
    deletion.change.verb == Verb::Delete && needs().contains(key)
}

fn goes_with(other: &ResourceKey, hold: &Hold) -> String {
    format!("it depends on {}, {}", other.labelled(), hold.describe())
}

fn finding(key: &ResourceKey, message: String) -> Finding {
    Finding {
        key: key.clone(),
        field: None,
        kind: FindingKind::Held,
        message,
    }
}
