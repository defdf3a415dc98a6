//! From one look at a stack to a report: pure.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use kedge_core::diff::{Comparison, DiffInput, Difference, Fate, Resolved, Verdict, diff};
use kedge_core::model::{Declared, ResourceKey, Timestamp};
use kedge_core::plan::{
    Authority, Decided, GuardName, Plan, PlanInput, authorise, plan, resolve_allowed,
};
use kedge_core::recording::{self, Answer, Asked, MassAbsence, Recording};
use kedge_core::report::Report;
use kedge_core::state::{AutomaticChange, State};
use kedge_core::stored::hold::Hold;

use crate::job::{Authorisation, RunError};
use crate::reconcile::Look;
use crate::request::Request;

/// What one look knows, as it is compared and planned.
struct Truths<'a> {
    declared: &'a Declared,
    state: Option<&'a State>,
    look: &'a Look,
    overrides: &'a BTreeSet<GuardName>,
}

impl Truths<'_> {
    fn compare_and_plan(&self) -> (Comparison, Plan) {
        let comparison = self.compare();
        let plan = self.plan(&comparison);
        (comparison, plan)
    }

    fn compare(&self) -> Comparison {
        let (declared, state, live) = (self.declared, self.state, &self.look.live);
        let mut comparison = diff(DiffInput {
            declared,
            state,
            live,
            now: self.look.read_at,
        });
        comparison.block(&self.look.taken);
        if let Some((state, run)) = state.zip(self.look.open_run.as_ref()) {
            comparison.tell_open_run(declared, state, live, run);
        }
        comparison
    }

    fn plan(&self, comparison: &Comparison) -> Plan {
        let (declared, state, live) = (self.declared, self.state, &self.look.live);
        let holds = self.look.holds.list().iter();
        let standing = holds.filter(|hold| hold.stands(self.look.read_at));
        let standing: Vec<Hold> = standing.cloned().collect();
        plan(PlanInput {
            declared,
            state,
            live,
            comparison,
            overrides: self.overrides,
            holds: &standing,
            holds_unread: self.look.holds_unread.as_ref(),
        })
    }
}

/// What is told of a look under which state moved: nothing but that (semantics 3.4).
pub(crate) fn unverified(look: &Look, why: String) -> Report {
    let state = current_state(look);
    let truths = Truths {
        declared: &look.declared,
        state: state.as_deref(),
        look,
        overrides: &BTreeSet::new(),
    };
    let comparison = truths.compare().unknown("the stack is being changed");
    let plan = truths.plan(&comparison);
    Report {
        unverified: Some(why),
        ..report(look, comparison, plan)
    }
}

/// Compares, plans and decides.
pub(crate) fn judge(
    now: Timestamp,
    look: &Look,
    authorisation: &Authorisation,
    overrides: &BTreeSet<GuardName>,
) -> Result<Report, RunError> {
    let state = current_state(look);
    let state = state.as_deref();
    if let Authorisation::Asked(Request::Retire { .. }) = authorisation {
        return retire(now, look, state);
    }
    let truths = Truths {
        declared: &look.declared,
        state,
        look,
        overrides,
    };
    let compared = |truths: &Truths<'_>| {
        let (mut comparison, plan) = truths.compare_and_plan();
        if !matches!(authorisation, Authorisation::Person(_)) {
            recording::leave_out(&mut comparison, |key| {
                plan.variable_of(truths.declared, key).is_some()
            });
        }
        (comparison, plan)
    };
    let (comparison, plan) = compared(&truths);
    match authorisation {
        Authorisation::Asked(request) => {
            let asked = ask(now, look, state, (&comparison, &plan), request)?;
            let confirmed = state.filter(|_| !asked.recording.absent.is_empty());
            let report = match confirmed.map(|state| asked.recording.confirmed_in(state)) {
                // The world as it is once its absences are believed (semantics 3.2).
                Some(state) => {
                    let state = Some(&state);
                    let (comparison, plan) = compared(&Truths { state, ..truths });
                    report(look, comparison, plan)
                }
                None => report(look, comparison, plan),
            };
            let asked = Some(asked);
            Ok(Report { asked, ..report })
        }
        _ => {
            let mut report = report(look, comparison, plan);
            report.decided = decide(&report, look, state, authorisation, now);
            if report.decided.policy_granted && look.declared.policy.prune {
                report.plan.prunes_from_now_on();
            }
            Ok(report)
        }
    }
}

/// A report in which nothing is decided yet.
fn report(look: &Look, comparison: Comparison, plan: Plan) -> Report {
    let watch = &look.watch.watch;
    let drifts = comparison.differences.values().filter(|one| one.is_drift());
    let window = |one: &Difference| (one.key.clone(), watch.window(one, look.read_at));
    Report {
        windows: drifts.map(window).collect(),
        invalid: None,
        push_first: None,
        declared: Arc::clone(&look.declared),
        comparison,
        plan,
        decided: Decided::default(),
        read_at: look.read_at,
        last_good_read_at: watch.last_good_read_at,
        holds: watch.holds_to_tell(&look.holds, look.read_at),
        holds_unread: look.holds_unread.clone(),
        asked: None,
        open_run: look.open_run.clone(),
        unverified: None,
    }
}

/// State, less what checks know better, and less that it is retired where what was pushed since begins
/// it anew (semantics 7.5).
fn current_state(look: &Look) -> Option<Cow<'_, State>> {
    let state = look.memory.state.as_ref()?;
    let mut state = state.without_taken(&look.watch.watch);
    let began_anew = state.retired.zip(look.pushed_at);
    if began_anew.is_some_and(|(retired, pushed)| retired < pushed) {
        state.to_mut().retired = None;
    }
    Some(state)
}

/// What a verb comes to that changes no provider.
fn ask(
    now: Timestamp,
    look: &Look,
    state: Option<&State>,
    (comparison, plan): (&Comparison, &Plan),
    request: &Request,
) -> Result<Asked, RunError> {
    let (declared, live) = (&look.declared, &look.live);
    if state.is_none() && !matches!(request, Request::Adopt { .. }) {
        let stack = declared.stack.clone();
        return Err(RunError::NothingRecorded { stack });
    }
    let (recording, answer) = match request {
        Request::Adopt { names } => {
            let only = resolve(names, declared.resources.keys(), "is not declared")?;
            let only = (!names.is_empty()).then_some(&only);
            let mut adoption = recording::adopt(declared, state, live, (comparison, plan), only);
            let recording = std::mem::take(&mut adoption.recording);
            (recording, Answer::Adopted(adoption))
        }
        Request::Forget { names } => {
            let keys = resolve(names, recorded(state), "is not recorded")?;
            let (recording, means) = recording::forget(declared, live, comparison, &keys);
            (recording, Answer::Forgotten(means))
        }
        Request::Refresh => (Recording::of(comparison), Answer::Refreshed),
        Request::ConfirmAbsence { seen } => {
            let absence = MassAbsence::of(&declared.stack, comparison);
            let recording = match seen {
                Some(seen) if *seen != absence.digest => {
                    return Err(RunError::AbsenceMoved {
                        seen: seen.clone(),
                        now: absence.digest,
                        count: absence.keys.len(),
                    });
                }
                Some(_) => absence.confirmed(comparison, now),
                None => Recording::of(comparison),
            };
            (recording, Answer::Absent(absence))
        }
        Request::Retire { .. } => (Recording::default(), Answer::Retired { unrecorded: 0 }),
    };
    Ok(Asked { recording, answer })
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
    recording::resolve(names, keys, unfit).map_err(RunError::Name)
}

/// The plan that deletes what state records, and the consent to it (semantics 7.5). Guards do not
/// count for it; holds and another stack's marks do.
fn retire(now: Timestamp, look: &Look, state: Option<&State>) -> Result<Report, RunError> {
    let stack = look.declared.stack.clone();
    let Some(state) = state else {
        return Err(RunError::NothingRecorded { stack });
    };
    let (declared, prunes) = recording::retiring(&look.declared, state);
    let truths = Truths {
        declared: &declared,
        state: Some(&prunes),
        look,
        overrides: &GuardName::ALL.into_iter().collect(),
    };
    let (comparison, mut plan) = truths.compare_and_plan();
    if plan.policy.protected {
        return Err(RunError::RetireProtected { stack });
    }
    let mut decided = authorise(
        &plan,
        Authority::Person {
            allowed: &BTreeSet::new(),
            policy_allowed: false,
            name_typed: true,
        },
    );
    decided.policy_granted = false;
    plan.policy.prune = state.policy.prune;
    // Where all that is left is held, in somebody's way or unread, nothing is ended yet.
    let mut differences = comparison.differences.values();
    let is_unread = differences.any(|one| one.verdict == Verdict::Unknown);
    let is_stuck = plan.held || !plan.findings.is_empty() || is_unread;
    let recording = Recording {
        retires: match decided.approved.is_empty() {
            true if state.retired.is_some() || is_stuck => None,
            _ => state.retired.or(Some(now)),
        },
        ..Recording::of(&comparison)
    };
    let is_left = |key: &&ResourceKey| comparison.unmanaged.contains(*key);
    let unrecorded = look.declared.resources.keys().filter(is_left).count();
    let answer = Answer::Retired { unrecorded };
    Ok(Report {
        decided,
        asked: Some(Asked { recording, answer }),
        ..report(look, comparison, plan)
    })
}

/// What automation did, with changes that turned out to be made only now.
fn automatic(report: &Report, state: Option<&State>) -> Vec<AutomaticChange> {
    let counted = state.into_iter().flat_map(|state| &state.automatic);
    let is_made = |(key, one): (&ResourceKey, &Resolved)| {
        let intent = state.and_then(|state| state.intent(key))?;
        intent.automatic.as_ref().filter(|_| one.fate == Fate::Made)
    };
    let made = report.comparison.resolved.iter().filter_map(is_made);
    counted.chain(made).cloned().collect()
}

/// What of the plan may be done now.
fn decide(
    report: &Report,
    look: &Look,
    state: Option<&State>,
    authorisation: &Authorisation,
    now: Timestamp,
) -> Decided {
    let plan = &report.plan;
    match authorisation {
        Authorisation::Unattended => {
            let automatic = &automatic(report, state);
            let seen = &look.watch.watch.seen;
            let by = Authority::Policy {
                seen,
                automatic,
                now,
            };
            authorise(plan, by)
        }
        Authorisation::Person(consent) => {
            // Where a key fits nothing, nothing may be done; the refusal is the caller's.
            let Ok((allowed, policy_allowed)) = resolve_allowed(plan, &consent.allow) else {
                return Decided::default();
            };
            let name_typed = consent.name_typed;
            let by = Authority::Person {
                allowed: &allowed,
                policy_allowed,
                name_typed,
            };
            authorise(plan, by)
        }
        // Nothing is approved but what retiring approves.
        Authorisation::Asked(_) => Decided::default(),
    }
}
