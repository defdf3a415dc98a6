//! A report by resource, for pages that show one resource after the other.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use super::consent::ShortKeys;
use crate::definitions::redact;
use crate::model::ResourceKey;
use crate::plan::{DecidedChange, Finding};
use crate::report::Report;

/// A report by resource.
pub(super) struct View<'a> {
    pub(super) report: &'a Report,
    decided: BTreeMap<&'a ResourceKey, &'a DecidedChange>,
    findings: BTreeMap<&'a ResourceKey, Vec<&'a Finding>>,
    /// Made once, and only for a page that shows one: it reads every key of the plan.
    short_keys: OnceCell<ShortKeys>,
}

impl<'a> View<'a> {
    pub(super) fn new(report: &'a Report) -> Self {
        let mut findings: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for finding in &report.plan.findings {
            findings.entry(&finding.key).or_default().push(finding);
        }
        let changes = report.decided.changes.iter();
        Self {
            report,
            decided: changes
                .map(|decided| (&decided.planned.change.key, decided))
                .collect(),
            findings,
            short_keys: OnceCell::new(),
        }
    }

    /// The short name by which `--allow` takes this key.
    pub(super) fn short_key(&self, key: &ResourceKey) -> String {
        let made = || ShortKeys::new(&self.report.plan);
        self.short_keys.get_or_init(made).of(key)
    }

    /// The change of a resource, with what is decided about each step.
    pub(super) fn decided(&self, key: &ResourceKey) -> Option<&'a DecidedChange> {
        self.decided.get(key).copied()
    }

    pub(super) fn findings(&self, key: &ResourceKey) -> &[&'a Finding] {
        self.findings.get(key).map_or(&[], Vec::as_slice)
    }
}

/// A text that comes from outside, fit to be shown on one line.
pub(super) fn outside(text: &str) -> String {
    redact::urls(&printable(text))
}

/// Control characters, and those that turn the direction of writing, made visible.
pub(super) fn printable(text: &str) -> String {
    let is_bad = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    text.chars()
        .map(|c| if is_bad(c) { '\u{fffd}' } else { c })
        .collect()
}
