//! Writes what checks remember of a stack (`watch.json`), and never state (semantics 8.5).
//!
//! It is written when there is news, else every 15 minutes ([`Watch::HEARTBEAT_MS`]). An `up` does it too,
//! whatever stopped it: another run's lease, a consent that does not fit, a write that failed.

use std::collections::BTreeMap;

use kedge_core::compare::drift_fingerprint;
use kedge_core::compare::{Difference, Verdict};
use kedge_core::model::{ResourceKey, StackVerdict};
use kedge_core::report::{ChangeResult, Outcome, Report};
use kedge_core::state::{State, Watch};

use crate::job::Job;
use crate::ports::Store;
use crate::progress::Progress;
use crate::state_store::{self, Kept, ReadWatch};

/// Who saw what is remembered.
pub(crate) enum Confirms<'a> {
    /// A check, of a stack with this state.
    By(Option<&'a State>),
    /// A run that made these changes, at least one.
    And(&'a [ChangeResult]),
}

/// Writes since when each drift is known, less what this run ended, which writes took effect, and how the
/// stack stands now, where the run says so.
/// Failing to write it fails nothing.
pub(crate) async fn remember<S: Store>(
    store: &S,
    job: Job<'_>,
    before: ReadWatch,
    report: &Report,
    seen: Confirms<'_>,
    verdict: Option<StackVerdict>,
) -> Kept {
    let differences = &report.comparison.differences;
    let (state, carried) = match seen {
        Confirms::By(state) => (state, [].as_slice()),
        Confirms::And(carried) => (None, carried),
    };
    let done: BTreeMap<&ResourceKey, &ChangeResult> = carried
        .iter()
        .filter(|carried| carried.outcome == Outcome::Done)
        .map(|carried| (&carried.approved.change.key, carried))
        .collect();
    let stands = |difference: &Difference| match done.get(&difference.key) {
        Some(done) => difference.after(&done.approved.change.edits),
        None => Some(difference.clone()),
    };
    let drifts = differences
        .values()
        .filter(|_| report.comparison.has_state)
        .filter_map(stands)
        .filter(|one| one.is_drift() || !one.ended_rules.is_empty())
        .map(|difference| {
            let window = before.watch.window(&difference, report.read_at);
            let fingerprint = drift_fingerprint(&difference);
            (difference.key, (fingerprint, window))
        })
        .collect();
    let stands_as = |key: &ResourceKey, verdict| {
        differences
            .get(key)
            .is_some_and(|difference| difference.verdict == verdict)
    };
    let complete = report.count(&[Verdict::Unknown]) == 0;
    // What a run is changing says nothing of the drift that was there before.
    let is_unread = |key: &ResourceKey| stands_as(key, Verdict::Unknown) || report.is_changing(key);
    let mut watch: Watch = before
        .watch
        .after(drifts, is_unread, complete, report.read_at);
    if let Some(verdict) = verdict {
        watch = watch.checked(report.read_at, verdict);
    }
    // Of holds that can't be read, what was known stays.
    if report.holds_unread.is_none() {
        watch = watch.with_holds(&report.holds, report.read_at);
    }
    if let Some(state) = state {
        let is_there = |key: &ResourceKey| {
            differences
                .get(key)
                .is_some_and(|one| one.whole.is_none() && one.verdict != Verdict::Unknown)
        };
        watch = watch
            .with_confirmed_writes(state, |key| stands_as(key, Verdict::InSync))
            .with_returned(state, is_there);
    }
    match state_store::write_watch(store, job.stack, before, &watch).await {
        Ok(kept) => kept,
        Err(error) => {
            (job.settings.progress)(Progress::NotRemembered(&error));
            Kept::Failed(error)
        }
    }
}
