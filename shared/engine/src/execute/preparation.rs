//! Before the first change: whether a run has work, and what state must say by then.
//!
//! Sends nothing and writes nothing; the order of writes is in `super`.

use std::collections::{BTreeMap, BTreeSet};

use kedge_core::compare::{Cause, Fate};
use kedge_core::model::ResourceKey;
use kedge_core::record::{self, Recording};
use kedge_core::report::{About, Changed, Report};
use kedge_core::state::{Applying, BegunBy, Intent, State};
use kedge_core::stored::run::{FoundOut, Interrupted, RunRecord};

use crate::ports::WritePorts;
use crate::session::Context;
use crate::state_store::ReadState;

/// Whether the run would change anything: the world, the records, or the policy in force.
pub(crate) fn has_work(recorded: &ReadState, report: &Report, is_unattended: bool) -> bool {
    let decided = &report.decided;
    if decided.approves_any() {
        return true;
    }
    let Some(state) = &recorded.state else {
        // Nothing of a stack that is not adopted is recorded behind a person's back.
        return !is_unattended && !report.records().is_empty();
    };
    if is_unattended && report.plan.retired.is_some() {
        // Automation leaves a retired stack alone (semantics 7.5).
        return false;
    }
    let asks = report.command.as_ref();
    !report.records().is_empty()
        || begins_anew(state, report, is_unattended)
        || asks.is_some_and(|command| !command.recording.is_empty())
        || decided.policy_granted
        || state.policy != report.plan.policy
        || follows_variables(state, report)
        || state.applying.as_ref().is_some_and(|applying| {
            let is_over = |key: &ResourceKey| !stays_open(state, report, key);
            applying.intents.is_empty() || applying.intents.keys().any(is_over)
        })
}

/// Whether the run begins a retired stack anew (semantics 7.5): a deploy that changes something, or a
/// person's `up` that leaves nothing to somebody's consent.
fn begins_anew(state: &State, report: &Report, is_unattended: bool) -> bool {
    let decided = &report.decided;
    let leaves = decided.leaves_any() || !decided.refused.is_empty();
    state.retired.is_some()
        && report.command.is_none()
        && (decided.approves_any() || !(is_unattended || leaves))
}

/// Whether the record of variables is to be another one after this run.
pub(super) fn follows_variables(state: &State, report: &Report) -> bool {
    let none = BTreeSet::new();
    let recorded = state.variables.as_ref().unwrap_or(&none);
    *recorded != report.declared.variables && report.follows_variables()
}

/// Whether a change that was begun stays in state. It does if nobody can tell yet how it ended; if
/// its result is not recorded now; if the second half of a replacement is still to be made under
/// the consent to the first; or if the resource is not there and nobody knows here whether it
/// should be.
fn stays_open(state: &State, report: &Report, key: &ResourceKey) -> bool {
    let comparison = &report.comparison;
    let Some(resolved) = comparison.resolved.get(key) else {
        return true;
    };
    let is_recorded = || match &resolved.record {
        Some(record) => {
            report.records().contains_key(key) || state.resources.get(key) == record.as_ref()
        }
        None => true,
    };
    let whole = comparison.differences.get(key).map(|one| one.whole);
    let mut approved = report.decided.approved();
    resolved.fate == Fate::Open
        || !is_recorded()
        || whole == Some(Some(Cause::Interrupted))
        || (report.depends_on_moved_variable()(key)
            && resolved.record.is_none()
            && whole.is_none_or(|whole| whole.is_some())
            && approved.all(|one| one.change.key != *key))
}

/// Puts into state what needs no provider: records, the policy in force, and what is about to begin.
pub(crate) fn prepare<P: WritePorts>(
    state: &mut State,
    report: &Report,
    is_unattended: bool,
    changed: &mut Changed,
    cx: Context<'_, P>,
    about: About<'_>,
) {
    let now = cx.ports.now();
    state.serial = state.serial.saturating_add(1);
    state.step = 0;
    changed.serial = Some(state.serial);
    changed.interrupted = state
        .applying
        .as_ref()
        .and_then(|one| interrupted(one, report));
    let mut intents = open_intents(state, report);
    let own;
    let recording = match &report.command {
        Some(command) => &command.recording,
        None => {
            own = Recording::of(&report.comparison);
            &own
        }
    };
    let decided = &report.decided;
    changed.began_anew = begins_anew(state, report, is_unattended);
    if changed.began_anew {
        state.retired = None;
    }
    recording.write_into(state);
    // What is forgotten is forgotten with what was begun of it.
    intents.retain(|key, _| recording.records.get(key) != Some(&None));
    let moved = report.depends_on_moved_variable();
    record::trim_marks(state, &report.declared, &report.comparison, moved, now);
    changed.recorded += recording.recorded();
    changed.forgotten += recording.forgotten();
    state.policy = match decided.policy_granted {
        true => report.declared.policy.clone(),
        false => report.plan.policy.clone(),
    };
    state.trim_automatic(now);
    record::drop_caught_up(state, |key| report.differs(key), now);
    let sent_by = cx.session.budget.deadline().max(now);
    for approved in decided.approved() {
        let provider = approved.change.key.scope().provider().entry();
        let shown_by = sent_by.plus_ms(provider.catching_up_ms);
        let begun_by = Some(BegunBy {
            run: changed.run.clone(),
            actor: about.actor.to_owned(),
        });
        let intent = record::intent(approved, begun_by, is_unattended, now, shown_by);
        record::begin(&mut intents, approved, intent);
    }
    state.applying = Some(Applying {
        run: RunRecord::begun(report, changed, about),
        in_history: false,
        intents,
    });
}

/// Takes out of state what earlier runs began. What is resolved ends here, and counts as an
/// automatic change if it turned out to be made; the rest is returned.
fn open_intents(state: &mut State, report: &Report) -> BTreeMap<ResourceKey, Intent> {
    let before = state.applying.take().map(|applying| applying.intents);
    let (open, over): (BTreeMap<_, _>, BTreeMap<_, _>) = before
        .unwrap_or_default()
        .into_iter()
        .partition(|(key, _)| stays_open(state, report, key));
    let is_made = |key: &ResourceKey| {
        let resolved = report.comparison.resolved.get(key);
        resolved.is_some_and(|resolved| resolved.fate == Fate::Made)
    };
    let made = over.into_iter().filter(|(key, _)| is_made(key));
    state
        .automatic
        .extend(made.filter_map(|(_, intent)| intent.automatic));
    open
}

/// What a run before this one had begun and never said the end of.
fn interrupted(applying: &Applying, report: &Report) -> Option<Interrupted> {
    let found_out = |(key, intent): (&ResourceKey, &Intent)| {
        let resolved = report.comparison.resolved.get(key);
        let fate = resolved.map_or(Fate::Open, |resolved| resolved.fate);
        let begun_by = intent.begun_by.as_ref().map(|by| &by.run);
        FoundOut {
            key: key.to_string(),
            verb: intent.verb.as_str().to_owned(),
            outcome: fate.as_str().to_owned(),
            begun_by: begun_by.filter(|run| **run != applying.run.id).cloned(),
        }
    };
    let interrupted = Interrupted {
        run: applying.run.id.clone(),
        changes: applying.intents.iter().map(found_out).collect(),
    };
    (!applying.in_history || !interrupted.changes.is_empty()).then_some(interrupted)
}
