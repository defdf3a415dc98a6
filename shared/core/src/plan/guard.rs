//! Guards: a plan that is suspiciously large is refused as a whole (semantics 6.7).

use std::collections::BTreeMap;

use super::PlannedChange;
use crate::compare::Comparison;
use crate::model::{Guards, Kind, Policy};

/// The guards by name, as `up --override` takes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum GuardName {
    /// Too many changes besides first-time creates.
    Changes,
    /// Too large a share of a kind's recorded resources.
    Share,
    /// Too many first-time creates.
    Creates,
    /// Too many automatic changes in a day. Only automation is held by it.
    DailyAutomatic,
}

impl GuardName {
    /// All, in the order of messages.
    pub const ALL: [Self; 4] = [
        Self::Changes,
        Self::Share,
        Self::Creates,
        Self::DailyAutomatic,
    ];

    /// The word in commands and messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Changes => "changes",
            Self::Share => "share",
            Self::Creates => "creates",
            Self::DailyAutomatic => "daily-automatic",
        }
    }

    /// The guard of that name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|guard| guard.as_str() == text)
    }
}

/// A guard that refuses a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuardTrip {
    /// Which.
    pub guard: GuardName,
    /// Why, in one sentence without a final stop.
    pub message: String,
}

/// The guards this plan breaks.
pub(super) fn tripped(
    changes: &[PlannedChange],
    policy: &Policy,
    comparison: &Comparison,
) -> Vec<GuardTrip> {
    let guards = &policy.guards;
    let creates = changes
        .iter()
        .filter(|planned| planned.first_create)
        .count();
    let others = changes.len() - creates;
    let mut trips = Vec::new();
    let mut trip = |guard, message| trips.push(GuardTrip { guard, message });
    if others > guards.changes_max as usize {
        let most = guards.changes_max;
        trip(
            GuardName::Changes,
            format!("{others} changes, more than the {most} allowed"),
        );
    }
    for (kind, changed, recorded) in shares(changes, comparison) {
        let most = guards.share_percent_max;
        if recorded >= Guards::SHARE_FROM && changed * 100 > recorded * most as usize {
            let label = kind.label();
            trip(
                GuardName::Share,
                format!(
                    "{changed} of {recorded} recorded {label}s would change, more than the {most} % allowed"
                ),
            );
        }
    }
    if creates > guards.creates_max as usize {
        let most = guards.creates_max;
        trip(
            GuardName::Creates,
            format!("{creates} first-time creates, more than the {most} allowed"),
        );
    }
    trips
}

/// For each kind: how many changes besides first-time creates, and how many are recorded.
fn shares(changes: &[PlannedChange], comparison: &Comparison) -> Vec<(Kind, usize, usize)> {
    let mut changed: BTreeMap<Kind, usize> = BTreeMap::new();
    for planned in changes.iter().filter(|planned| !planned.first_create) {
        *changed.entry(planned.change.key.kind()).or_default() += 1;
    }
    let recorded = |kind: Kind| comparison.recorded_counts.get(&kind).copied().unwrap_or(0);
    changed
        .into_iter()
        .map(|(kind, changed)| (kind, changed, recorded(kind)))
        .collect()
}
