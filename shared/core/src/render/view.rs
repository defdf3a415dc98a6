//! What the plan and the authority say of each resource.

use std::collections::BTreeMap;

use crate::definitions::redact;
use crate::model::ResourceKey;
use crate::plan::{Approved, Decided, Finding, Left, LeftReason, PlannedChange, Step};
use crate::report::Report;

/// A report by resource.
pub(super) struct View<'a> {
    pub(super) report: &'a Report,
    planned: BTreeMap<&'a ResourceKey, &'a PlannedChange>,
    findings: BTreeMap<&'a ResourceKey, Vec<&'a Finding>>,
    fates: Decisions<'a>,
}

impl<'a> View<'a> {
    pub(super) fn new(report: &'a Report) -> Self {
        let mut findings: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for finding in &report.plan.findings {
            findings.entry(&finding.key).or_default().push(finding);
        }
        let changes = report.plan.changes.iter();
        Self {
            report,
            planned: changes
                .map(|planned| (&planned.change.key, planned))
                .collect(),
            findings,
            fates: Decisions::new(&report.decided),
        }
    }

    pub(super) fn planned(&self, key: &ResourceKey) -> Option<&'a PlannedChange> {
        self.planned.get(key).copied()
    }

    pub(super) fn findings(&self, key: &ResourceKey) -> &[&'a Finding] {
        self.findings.get(key).map_or(&[], Vec::as_slice)
    }

    /// Each step of a change, with why it is left; none if it may be made.
    pub(super) fn steps(
        &self,
        planned: &'a PlannedChange,
    ) -> Vec<(&'a Step, Option<&'a LeftReason>)> {
        self.fates.of(planned)
    }
}

/// What an authority says of each step.
pub(super) struct Decisions<'a> {
    approved: BTreeMap<&'a ResourceKey, &'a Approved>,
    left: BTreeMap<&'a ResourceKey, Vec<&'a Left>>,
}

impl<'a> Decisions<'a> {
    pub(super) fn new(decided: &'a Decided) -> Self {
        let mut left: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for one in &decided.left {
            left.entry(&one.key).or_default().push(one);
        }
        let approved = decided.approved.iter();
        Self {
            approved: approved.map(|one| (&one.change.key, one)).collect(),
            left,
        }
    }

    /// Each step of a change, with why it is left; none if it may be made.
    pub(super) fn of<'s>(
        &self,
        planned: &'s PlannedChange,
    ) -> Vec<(&'s Step, Option<&'a LeftReason>)> {
        let key = &planned.change.key;
        let approved = self.approved.get(key);
        // What is left stands in the order of the steps, without those that are approved.
        let mut left = self.left.get(key).into_iter().flatten();
        let mut fate = |step: &Step| {
            let is_approved = approved.is_some_and(|approved| match &step.edit {
                Some(edit) => approved.change.edits.contains(edit),
                None => true,
            });
            if is_approved {
                None
            } else {
                left.next().map(|left| &left.reason)
            }
        };
        planned
            .steps
            .iter()
            .map(|step| (step, fate(step)))
            .collect()
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
