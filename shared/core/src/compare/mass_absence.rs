//! Mass absence: so many resources of a scope are gone at once that it is not believed (semantics 3.2).
//!
//! They stay unknown until a person confirms that they are gone ([`crate::record::MassAbsence`]). What no
//! list shows counts as missing, proven or not. What we created a moment ago does not. What was confirmed
//! counts neither as missing nor as recorded.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::CompareInput;
use super::known::Known;
use crate::live::{FailureCode, Proof, ReadFailure, Reading};
use crate::model::{ResourceKey, Scope};
use crate::stored::state::State;

/// More missing than this is doubted, however many are recorded.
const MISSING_MAX: usize = 20;
/// A larger share missing than this, in percent, is doubted ...
const MISSING_PERCENT_MAX: usize = 30;
/// ... once this many are recorded; below, one is already a lot.
const SHARE_FROM: usize = 10;

/// The scopes in which absences are not believed, with what to say.
pub(super) fn mass_absences(
    input: CompareInput<'_>,
    known: &[Known<'_>],
) -> BTreeMap<Scope, ReadFailure> {
    let counted = |known: &Known<'_>| {
        // What we deleted ourselves is no longer recorded.
        let record = known.recorded()?;
        // What we created a moment ago may not be listed yet; that is no sign of a disaster.
        let catching_up = record.catching_up.as_ref();
        let is_fresh = catching_up.is_some_and(|one| one.made && one.lasts(input.now));
        let is_absent = match known.reading {
            Some(Reading::Absent(_)) => true,
            Some(reading) => is_unproven(reading),
            None => false,
        };
        // What a person confirmed is no longer recorded in a sense, and says nothing of the rest.
        let is_confirmed = |state: &State| state.is_confirmed_absent(known.key, input.now);
        (!is_absent || !input.state.is_some_and(is_confirmed)).then_some(is_absent && !is_fresh)
    };
    let mut counts: BTreeMap<&Scope, (usize, usize, &ResourceKey)> = BTreeMap::new();
    // In order of the keys, those of one scope stand beside each other.
    for group in known.chunk_by(|one, other| std::ptr::eq(one.key.scope(), other.key.scope())) {
        let counted = group
            .iter()
            .filter_map(|one| Some((one.key, counted(one)?)));
        let mut counted = counted.peekable();
        let Some((first, _)) = counted.peek().copied() else {
            continue;
        };
        let count = counts.entry(first.scope()).or_insert((0, 0, first));
        for (_, is_missing) in counted {
            count.0 += 1;
            count.1 += usize::from(is_missing);
        }
    }
    let doubted =
        |(scope, (all, missing, first)): (&Scope, (usize, usize, &ResourceKey))| {
            let too_many = missing > MISSING_MAX
                || (all >= SHARE_FROM && missing * 100 > all * MISSING_PERCENT_MAX);
            too_many.then(|| {
            let reason = format!(
                "{missing} of {all} recorded resources of {} disappeared at once; they are unknown \
                 until a person confirms that they are gone",
                first.scope_text()
            );
            let failure =
                ReadFailure { reason, permission: None, code: FailureCode::MassAbsence };
            (scope.clone(), failure)
        })
        };
    counts.into_iter().filter_map(doubted).collect()
}

/// Whether it is not listed and its absence was not proven, because too many are missing.
fn is_unproven(reading: Reading<'_>) -> bool {
    matches!(reading, Reading::Unknown(failure) if failure.code == FailureCode::MassAbsence)
}

/// What is known of a resource once mass absences are doubted.
pub(super) fn believed<'a>(
    reading: Option<Reading<'a>>,
    key: &ResourceKey,
    is_recorded: bool,
    is_confirmed: bool,
    absences: &'a BTreeMap<Scope, ReadFailure>,
) -> Reading<'a> {
    match reading.unwrap_or(Reading::Unknown(&NOT_ASKED)) {
        reading @ Reading::Absent(_) if is_recorded && !is_confirmed => {
            absences.get(key.scope()).map_or(reading, Reading::Unknown)
        }
        // Its list does not have it, and a person says that it is gone.
        reading if is_unproven(reading) && is_confirmed => {
            Reading::Absent(Proof::confirmed_by_person())
        }
        reading if is_unproven(reading) => {
            absences.get(key.scope()).map_or(reading, Reading::Unknown)
        }
        reading => reading,
    }
}

/// A scope that the run never asked for: a fault of ours, and still not an absence.
static NOT_ASKED: LazyLock<ReadFailure> = LazyLock::new(|| ReadFailure {
    reason: "kedge did not read its service, project or zone".to_owned(),
    permission: None,
    code: FailureCode::Inconsistent,
});
