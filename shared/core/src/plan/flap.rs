//! The flap breaker: automation does not make the same correction a third time in a day, since somebody
//! undoes it (semantics 6.7).

use std::collections::BTreeMap;

use super::digest::correction_fingerprint;
use super::{Authority, LeftReason, PlannedChange, Step};
use crate::change::Edit;
use crate::compare::Cause;
use crate::model::{Guards, ResourceKey};
use crate::stored::state::AutomaticChange;

/// What automation did in the last day, by resource: there may be many of both.
pub(super) struct MadeBefore<'a>(BTreeMap<&'a ResourceKey, Vec<&'a AutomaticChange>>);

impl<'a> MadeBefore<'a> {
    /// Of what an authority knows; a person's consent knows nothing of it.
    pub(super) fn of(authority: Authority<'a>) -> Self {
        let mut made: BTreeMap<_, Vec<_>> = BTreeMap::new();
        if let Authority::Policy { automatic, now, .. } = authority {
            let is_recent =
                |change: &&AutomaticChange| now.ms_since(change.at) < AutomaticChange::MEMORY_MS;
            for change in automatic.iter().filter(is_recent) {
                made.entry(&change.key).or_default().push(change);
            }
        }
        Self(made)
    }
}

/// Why a step that corrects a drift is not taken once more.
pub(super) fn flapping(
    planned: &PlannedChange,
    step: &Step,
    made: &MadeBefore<'_>,
) -> Option<LeftReason> {
    if !matches!(
        step.cause,
        Cause::Drifted | Cause::EditedAndDrifted | Cause::Missing
    ) {
        return None;
    }
    let before = made.0.get(&planned.change.key)?;
    let edits: Vec<Edit> = step.edit.iter().cloned().collect();
    let fingerprint = correction_fingerprint(planned, &edits);
    let is_same = |change: &&&AutomaticChange| {
        let mut parts = change.fingerprint.split('+');
        parts.any(|part| part == fingerprint)
    };
    let before = before.iter().filter(is_same).count();
    (before + 1 >= Guards::FLAPS_MAX).then_some(LeftReason::Flapping)
}
