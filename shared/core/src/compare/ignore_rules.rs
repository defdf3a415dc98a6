//! Differences that a rule says to ignore (semantics 6.9).

use std::collections::BTreeMap;

use super::{Difference, Verdict};
use crate::model::{IgnoreRule, ResourceKey, Timestamp};

/// The ignore rules by the resource they name, since there may be many of both.
pub(super) struct Rules<'a>(BTreeMap<&'a str, Vec<(usize, &'a IgnoreRule)>>);

impl<'a> Rules<'a> {
    pub(super) fn new(rules: &'a [IgnoreRule]) -> Self {
        let mut by_resource: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (number, rule) in rules.iter().enumerate() {
            let same = by_resource.entry(rule.resource.as_str()).or_default();
            same.push((number, rule));
        }
        Self(by_resource)
    }

    /// The rules about a resource, in the order of the file.
    fn of(&self, key: &ResourceKey) -> Vec<&'a IgnoreRule> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let forms = key.short_forms();
        let found = forms.iter().filter_map(|form| self.0.get(form.as_str()));
        let mut found: Vec<_> = found.flatten().copied().collect();
        found.sort_unstable_by_key(|(number, _)| *number);
        found.into_iter().map(|(_, rule)| rule).collect()
    }
}

/// Sets aside what a rule says to ignore.
pub(super) fn set_ignored_aside(difference: &mut Difference, rules: &Rules<'_>, now: Timestamp) {
    const DAY_MS: i64 = 24 * 60 * 60 * 1000;
    if matches!(
        difference.verdict,
        Verdict::InSync | Verdict::Unknown | Verdict::CatchingUp
    ) {
        return;
    }
    for rule in rules.of(&difference.key) {
        if now >= rule.until {
            difference.ended_rules.push(rule.field.clone());
            difference.notes.push(format!(
                "an ignore rule ended on {} ({})",
                rule.until.day_and_time(),
                rule.origin
            ));
            continue;
        }
        let what = match &rule.field {
            None => {
                difference.verdict = Verdict::Ignored;
                difference.whole = None;
                difference.ignored.append(&mut difference.fields);
                "it".to_owned()
            }
            Some(name) => {
                let ignored = difference
                    .fields
                    .extract_if(.., |field| field.field == *name);
                let before = difference.ignored.len();
                difference.ignored.extend(ignored);
                if difference.ignored.len() == before {
                    continue;
                }
                let is_healthy = difference.unhealthy.is_empty();
                difference.verdict = match difference.whole {
                    None if difference.fields.is_empty() && is_healthy => Verdict::Ignored,
                    None if difference.verdict == Verdict::NotAdopted => Verdict::NotAdopted,
                    None => difference.verdict_of_rest(false),
                    Some(_) => difference.verdict,
                };
                name.to_string()
            }
        };
        let ends = if rule.until.ms_since(now) < DAY_MS {
            "; ends within a day"
        } else {
            ""
        };
        difference.notes.push(format!(
            "{} ignores {what} until {}: {}{ends}",
            rule.owner,
            rule.until.day_and_time(),
            rule.reason
        ));
    }
}
