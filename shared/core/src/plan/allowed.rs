//! The keys that a person names beside the plan: consent to what is destructive (semantics 6.3).

use std::collections::{BTreeMap, BTreeSet};

use super::{FindingKind, Plan, PlannedChange};
use crate::model::ResourceKey;

/// Finds the keys that a person named in the plan, and whether `policy` is one of them.
///
/// # Errors
/// When a name fits nothing that is destructive in the plan, or more than one thing.
pub fn resolve_allowed(
    plan: &Plan,
    names: &[String],
) -> Result<(BTreeSet<ResourceKey>, bool), String> {
    let mut allowed = BTreeSet::new();
    let mut policy = false;
    let mut meant: BTreeMap<&str, Vec<&PlannedChange>> = BTreeMap::new();
    for name in names {
        meant.entry(name).or_default();
    }
    // Of all changes once, not of each name: a plan may have as many of both.
    for planned in plan.changes.iter().filter(|_| !names.is_empty()) {
        for form in planned.change.key.short_forms() {
            if let Some(found) = meant.get_mut(form.as_str()) {
                found.push(planned);
            }
        }
    }
    for name in names {
        if name == "policy" {
            policy = true;
            continue;
        }
        let found = meant.get(name.as_str()).map_or(&[][..], Vec::as_slice);
        match found {
            [] => return Err(not_in_plan(plan, name)),
            [planned] => {
                allowed.insert(planned.change.key.clone());
            }
            several => {
                let keys = several.iter().map(|planned| planned.change.key.to_string());
                let keys: Vec<String> = keys.collect();
                return Err(ambiguous(name, &keys));
            }
        }
    }
    Ok((allowed, policy))
}

/// Why a name fits nothing of the plan.
fn not_in_plan(plan: &Plan, name: &str) -> String {
    let mut findings = plan.findings.iter();
    let held = findings.find(|one| one.kind == FindingKind::Held && one.key.answers_to(name));
    match held {
        Some(finding) => format!("`{name}` is not in the plan: {}", finding.message),
        None => format!("`{name}` is not a key of this plan"),
    }
}

/// `` `a` is ambiguous: it may mean … ``.
pub(crate) fn ambiguous(name: &str, keys: &[String]) -> String {
    const SHOWN_MAX: usize = 5;
    let shown = keys.iter().take(SHOWN_MAX).map(String::as_str);
    let shown = shown.collect::<Vec<_>>().join(", ");
    let more = match keys.len().saturating_sub(SHOWN_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("`{name}` is ambiguous: it may mean {shown}{more}; name it in full")
}
