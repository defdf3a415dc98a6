//! Calls the pure stages on one observation: compare, plan, authorise. The result is a report.
//!
//! Sends and reads nothing; what it needs was read in `observe.rs`.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use kedge_core::compare::{CompareInput, Comparison, Difference, Fate, Resolved, Verdict, compare};
use kedge_core::model::{Declared, ResourceKey, Timestamp};
use kedge_core::plan::{
    Authority, Decided, GuardName, LeftReason, Plan, PlanInput, authorise, plan, resolve_allowed,
};
use kedge_core::record::{self, Answer, CommandOutcome, MassAbsence, Recording};
use kedge_core::report::Report;
use kedge_core::state::{AutomaticChange, State};
use kedge_core::stored::hold::Hold;
use tracing::debug_span;

use crate::consent::Authorisation;
use crate::error_chain::error_chain;
use crate::job::RunError;
use crate::observe::Observation;
use crate::state_command::StateCommand;
use crate::traces::TARGET;

/// What one observation knows, as it is compared and planned.
struct Truths<'a> {
    declared: &'a Declared,
    state: Option<&'a State>,
    observed: &'a Observation,
    overrides: &'a BTreeSet<GuardName>,
}

impl Truths<'_> {
    fn compare_and_plan(&self) -> (Comparison, Plan) {
        let comparison = self.compare();
        let plan = self.plan(&comparison);
        (comparison, plan)
    }

    fn compare(&self) -> Comparison {
        let _stage = debug_span!(target: TARGET, "compare").entered();
        let (declared, state, live) = (self.declared, self.state, &self.observed.live);
        let mut comparison = compare(CompareInput {
            declared,
            state,
            live,
            now: self.observed.read_at,
        });
        comparison.block(&self.observed.owned_by_others);
        if let Some((state, run)) = state.zip(self.observed.open_run.as_ref()) {
            comparison.mark_open_run(declared, state, live, run);
        }
        comparison
    }

    fn plan(&self, comparison: &Comparison) -> Plan {
        let _stage = debug_span!(target: TARGET, "plan").entered();
        let (declared, state, live) = (self.declared, self.state, &self.observed.live);
        let holds = self.observed.holds.list().iter();
        let standing = holds.filter(|hold| hold.stands(self.observed.read_at));
        let standing: Vec<Hold> = standing.cloned().collect();
        plan(PlanInput {
            declared,
            state,
            live,
            comparison,
            overrides: self.overrides,
            holds: &standing,
            holds_unread: self.observed.holds_unread.as_ref(),
        })
    }
}

/// The report of an observation during which state changed: nothing but that (semantics 3.4).
pub(crate) fn unverified(observed: &Observation, why: String) -> Report {
    let state = current_state(observed);
    let truths = Truths {
        declared: &observed.declared,
        state: state.as_deref(),
        observed,
        overrides: &BTreeSet::new(),
    };
    let comparison = truths.compare().unknown("the stack is being changed");
    let plan = truths.plan(&comparison);
    Report {
        unverified: Some(why),
        ..report(observed, comparison, plan)
    }
}

/// Compares, plans and decides.
pub(crate) fn decide(
    now: Timestamp,
    observed: &Observation,
    authorisation: &Authorisation,
    overrides: &BTreeSet<GuardName>,
) -> Result<Report, RunError> {
    let state = current_state(observed);
    let state = state.as_deref();
    if let Authorisation::Command(StateCommand::Retire { .. }) = authorisation {
        return retire(now, observed, state);
    }
    let truths = Truths {
        declared: &observed.declared,
        state,
        observed,
        overrides,
    };
    let compared = |truths: &Truths<'_>| {
        let (mut comparison, plan) = truths.compare_and_plan();
        if !matches!(authorisation, Authorisation::Person(_)) {
            record::leave_out(&mut comparison, |key| {
                plan.variable_of(truths.declared, key).is_some()
            });
        }
        (comparison, plan)
    };
    let (comparison, plan) = compared(&truths);
    match authorisation {
        Authorisation::Command(request) => {
            let command = ask(now, observed, state, (&comparison, &plan), request)?;
            let confirmed = state.filter(|_| !command.recording.absent.is_empty());
            let report = match confirmed.map(|state| command.recording.confirmed_in(state)) {
                // The world as it is once its absences are believed (semantics 3.2).
                Some(state) => {
                    let state = Some(&state);
                    let (comparison, plan) = compared(&Truths { state, ..truths });
                    report(observed, comparison, plan)
                }
                None => report(observed, comparison, plan),
            };
            let command = Some(command);
            Ok(Report { command, ..report })
        }
        _ => {
            let mut report = report(observed, comparison, plan);
            let _stage = debug_span!(target: TARGET, "authorise").entered();
            report.automation = by_automation(&report, observed, state, now);
            report.decided = authorised(&report, authorisation);
            if report.decided.policy_granted && observed.declared.policy.prune {
                report.plan.prunes_from_now_on();
            }
            Ok(report)
        }
    }
}

/// A report in which nothing is decided yet.
fn report(observed: &Observation, comparison: Comparison, plan: Plan) -> Report {
    let watch = &observed.watch.watch;
    let drifts = comparison.differences.values().filter(|one| one.is_drift());
    let window = |one: &Difference| (one.key.clone(), watch.window(one, observed.read_at));
    Report {
        windows: drifts.map(window).collect(),
        invalid: observed.invalid.clone(),
        stored: observed
            .stored
            .as_ref()
            .and_then(|read| read.stored.clone()),
        push_first: observed.push_first.clone(),
        declared: Arc::clone(&observed.declared),
        comparison,
        plan,
        decided: Decided::default(),
        automation: Decided::default(),
        read_at: observed.read_at,
        last_good_read_at: watch.last_good_read_at,
        holds: watch.holds_to_report(&observed.holds, observed.read_at),
        holds_unread: observed.holds_unread.clone(),
        watch_unread: observed
            .watch
            .fault
            .as_ref()
            .map(|fault| error_chain(fault)),
        command: None,
        open_run: observed.open_run.clone(),
        ran_out: observed.ran_out,
        unverified: None,
    }
}

/// State, less what checks know better, and less that it is retired where what was pushed since begins
/// it anew (semantics 7.5).
fn current_state(observed: &Observation) -> Option<Cow<'_, State>> {
    let state = observed.recorded.state.as_ref()?;
    let mut state = state.without_confirmed_writes(&observed.watch.watch);
    let began_anew = state.retired.zip(observed.pushed_at);
    if began_anew.is_some_and(|(retired, pushed)| retired < pushed) {
        state.to_mut().retired = None;
    }
    Some(state)
}

/// What a command about state comes to, if it changes no provider.
fn ask(
    now: Timestamp,
    observed: &Observation,
    state: Option<&State>,
    (comparison, plan): (&Comparison, &Plan),
    request: &StateCommand,
) -> Result<CommandOutcome, RunError> {
    let (declared, live) = (&observed.declared, &observed.live);
    if state.is_none() && !matches!(request, StateCommand::Adopt { .. }) {
        let stack = declared.stack.clone();
        return Err(RunError::NothingRecorded { stack });
    }
    let (recording, answer) = match request {
        StateCommand::Adopt { names } => {
            let only = resolve(names, declared.resources.keys(), "is not declared")?;
            let only = (!names.is_empty()).then_some(&only);
            let mut adoption = record::adopt(declared, state, live, (comparison, plan), only);
            let recording = std::mem::take(&mut adoption.recording);
            (recording, Answer::Adopted(adoption))
        }
        StateCommand::Forget { names } => {
            let keys = resolve(names, recorded(state), "is not recorded")?;
            let (recording, means) = record::forget(declared, live, comparison, &keys);
            (recording, Answer::Forgotten(means))
        }
        StateCommand::Refresh => (Recording::of(comparison), Answer::Refreshed),
        StateCommand::ConfirmAbsence {
            expected_digest: seen,
        } => {
            let absence = MassAbsence::of(&declared.stack, comparison);
            let recording = match seen {
                Some(seen) if *seen != absence.digest => {
                    return Err(RunError::AbsenceMoved {
                        expected: seen.clone(),
                        now: absence.digest,
                        count: absence.keys.len(),
                    });
                }
                Some(_) => absence.confirmed(comparison, now),
                None => Recording::of(comparison),
            };
            (recording, Answer::Absent(absence))
        }
        StateCommand::Retire { .. } => (Recording::default(), Answer::Retired { unrecorded: 0 }),
    };
    Ok(CommandOutcome { recording, answer })
}

/// The resources of which state knows something.
fn recorded(state: Option<&State>) -> impl Iterator<Item = &ResourceKey> + Clone {
    let state = state.into_iter();
    state.flat_map(|state| {
        let applying = state.applying.iter();
        let begun = applying.flat_map(|applying| applying.intents.keys());
        state.resources.keys().chain(begun)
    })
}

fn resolve<'a>(
    names: &[String],
    keys: impl Iterator<Item = &'a ResourceKey> + Clone,
    unfit: &str,
) -> Result<BTreeSet<ResourceKey>, RunError> {
    record::resolve(names, keys, unfit).map_err(RunError::Name)
}

/// The plan that deletes what state records, and the consent to it (semantics 7.5). Guards do not
/// count for it; holds and another stack's marks do.
fn retire(
    now: Timestamp,
    observed: &Observation,
    state: Option<&State>,
) -> Result<Report, RunError> {
    let stack = observed.declared.stack.clone();
    let Some(state) = state else {
        return Err(RunError::NothingRecorded { stack });
    };
    let (declared, prunes) = record::retiring(&observed.declared, state);
    let truths = Truths {
        declared: &declared,
        state: Some(&prunes),
        observed,
        overrides: &GuardName::ALL.into_iter().collect(),
    };
    let (comparison, mut plan) = truths.compare_and_plan();
    if plan.policy.protected {
        return Err(RunError::RetireProtected { stack });
    }
    let by = Authority::Person {
        allowed: &BTreeSet::new(),
        policy_allowed: false,
        name_typed: true,
    };
    let stage = debug_span!(target: TARGET, "authorise");
    let mut decided = stage.in_scope(|| authorise(&plan, by));
    decided.policy_granted = false;
    plan.policy.prune = state.policy.prune;
    // Where all that is left is held, in somebody's way or unread, nothing is ended yet.
    let mut differences = comparison.differences.values();
    let is_unread = differences.any(|one| one.verdict == Verdict::Unknown);
    let is_stuck = plan.held || !plan.findings.is_empty() || is_unread;
    let recording = Recording {
        retires: match decided.approves_any() {
            false if state.retired.is_some() || is_stuck => None,
            _ => state.retired.or(Some(now)),
        },
        ..Recording::of(&comparison)
    };
    let is_left = |key: &&ResourceKey| comparison.unmanaged.contains(*key);
    let unrecorded = observed.declared.resources.keys().filter(is_left).count();
    let answer = Answer::Retired { unrecorded };
    Ok(Report {
        decided,
        command: Some(CommandOutcome { recording, answer }),
        ..report(observed, comparison, plan)
    })
}

/// What automation did, including changes that only now turn out to be made.
fn automatic(report: &Report, state: Option<&State>) -> Vec<AutomaticChange> {
    let counted = state.into_iter().flat_map(|state| &state.automatic);
    let is_made = |(key, one): (&ResourceKey, &Resolved)| {
        let intent = state.and_then(|state| state.intent(key))?;
        intent.automatic.as_ref().filter(|_| one.fate == Fate::Made)
    };
    let made = report.comparison.resolved.iter().filter_map(is_made);
    counted.chain(made).cloned().collect()
}

/// What automation would do. Pages speak of it whoever asked.
fn by_automation(
    report: &Report,
    observed: &Observation,
    state: Option<&State>,
    now: Timestamp,
) -> Decided {
    let by = Authority::Policy {
        first_seen: &observed.watch.watch.first_seen,
        automatic: &automatic(report, state),
        now,
    };
    let mut decided = authorise(&report.plan, by);
    if report.invalid.is_some() {
        // The last good definitions are good for looking only (semantics 4.1).
        decided.leave_all(&LeftReason::InvalidDefinitions);
    }
    decided
}

/// What of the plan may be done now.
fn authorised(report: &Report, authorisation: &Authorisation) -> Decided {
    let plan = &report.plan;
    match authorisation {
        Authorisation::Unattended => report.automation.clone(),
        Authorisation::Person(consent) => {
            // Where a key fits nothing, nothing may be done; the refusal is the caller's.
            let Ok((allowed, policy_allowed)) = resolve_allowed(plan, &consent.allow) else {
                return Decided::default();
            };
            let name_typed = consent.has_name_of(&report.declared.stack);
            let by = Authority::Person {
                allowed: &allowed,
                policy_allowed,
                name_typed,
            };
            authorise(plan, by)
        }
        // Nothing is approved but what retiring approves.
        Authorisation::Command(_) => Decided::default(),
    }
}
