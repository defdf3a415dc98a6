//! A report by resource, for pages that show one resource after the other.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use super::consent::ShortKeys;
use crate::definitions::redact;
use crate::model::{ResourceKey, printable};
use crate::plan::{DecidedChange, Finding, FindingKind};
use crate::report::Report;
use crate::stored::hold::Hold;

/// A report by resource.
pub(super) struct View<'a> {
    pub(super) report: &'a Report,
    automation: BTreeMap<&'a ResourceKey, &'a DecidedChange>,
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
        let changes = report.automation.changes.iter();
        Self {
            report,
            automation: changes
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

    /// The change of a resource, with what automation would decide about each step.
    pub(super) fn by_automation(&self, key: &ResourceKey) -> Option<&'a DecidedChange> {
        self.automation.get(key).copied()
    }

    /// What automation does about a step that it may make.
    pub(super) fn automation_text(&self, is_correction: bool) -> &'static str {
        match (self.report.push_first.is_some(), is_correction) {
            // Automation goes by what is stored, and these files are not.
            (true, _) => "automation does this on its next run, once these files are pushed",
            (false, true) => "automation fixes this on its next run",
            (false, false) => "automation does this on its next run",
        }
    }

    /// A finding as a line; none where a note says the same already. A hold that stands above all
    /// resources is not told again.
    pub(super) fn finding_text(&self, finding: &Finding) -> Option<String> {
        let is_told = |hold: &&Hold| {
            hold.key.as_ref().is_none_or(|key| *key == finding.key)
                && hold.describe() == finding.message
        };
        let unread = self.report.holds_unread.as_ref();
        let is_unread = unread.is_some_and(|unread| unread.describe() == finding.message);
        let message = match finding.kind {
            FindingKind::Held if is_unread => "WAITING: everything is held".to_owned(),
            FindingKind::Held => match self.report.holds.iter().find(is_told) {
                None => return finding_text(finding),
                Some(Hold { key: None, .. }) => "WAITING: the stack is held".to_owned(),
                Some(_) => "WAITING: it is held".to_owned(),
            },
            _ => return finding_text(finding),
        };
        Some(message)
    }

    pub(super) fn findings(&self, key: &ResourceKey) -> &[&'a Finding] {
        self.findings.get(key).map_or(&[], Vec::as_slice)
    }
}

/// A finding as a line; none where a note says the same already.
fn finding_text(finding: &Finding) -> Option<String> {
    let message = outside(&finding.message);
    match finding.kind {
        FindingKind::Impossible | FindingKind::Unhealthy => {
            Some(format!("CANNOT be changed by kedge: {message}"))
        }
        FindingKind::Blocked => Some(format!("blocked: {message}")),
        FindingKind::DependsOn => Some(format!("WAITING: {message}")),
        FindingKind::Condition => Some(format!("left as it is: {message}")),
        // These say themselves why nothing is changed.
        FindingKind::NotExclusive | FindingKind::Orphan | FindingKind::Held => Some(message),
        FindingKind::DidNotTake => None,
    }
}

/// A text that comes from outside, fit to be shown on one line.
pub(super) fn outside(text: &str) -> String {
    redact::urls(&printable(text))
}
