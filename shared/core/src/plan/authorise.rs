//! What of a plan may be done now: by policy alone, or by a person's consent. Here nothing
//! destructive passes without a person (`objection`).
//!
//! Each step of the plan keeps its decision ([`DecidedStep`]), and everything after reads it there:
//! the engine, every page, JSON and history. Nothing is carried out here; that is the engine's
//! `execute`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::decided::{Decided, DecidedChange, DecidedStep, Decision};
use super::flap::{MadeBefore, flapping};
use super::left::{LeftReason, SinceAdoption};
use super::{GuardName, GuardTrip, Plan, PlannedChange, Step};
use crate::change::{Edit, Verb};
use crate::compare::Cause;
use crate::model::{Allowance, OnMissing, Policy, ResourceKey, Timestamp};
use crate::providers::Naming;
use crate::risk::Risk;
use crate::stored::state::AutomaticChange;

/// Who says that the plan may be carried out.
#[derive(Debug, Clone, Copy)]
pub enum Authority<'a> {
    /// Nobody is at hand: the policy alone.
    Policy {
        /// When each drift was first seen: key to fingerprint and time.
        first_seen: &'a BTreeMap<ResourceKey, (String, Timestamp)>,
        /// What automation did in the last day.
        automatic: &'a [AutomaticChange],
        /// The time now.
        now: Timestamp,
    },
    /// A person saw the plan and agreed. That covers safe and disruptive changes.
    Person {
        /// Destructive changes they named, by key ([`super::resolve_allowed`]).
        allowed: &'a BTreeSet<ResourceKey>,
        /// Whether they named the key `policy`.
        policy_allowed: bool,
        /// Whether they typed the stack's name on a terminal, which covers destructive changes too.
        name_typed: bool,
    },
}

/// Decides what of the plan may be done now.
#[must_use]
pub fn authorise(plan: &Plan, authority: Authority<'_>) -> Decided {
    let mut changes = decide_each(plan, authority);
    together(&mut changes, decision);
    together(&mut changes, with_consent);
    refuse(&mut changes, &plan.tripped, with_consent);
    let mut refused = plan.tripped.clone();
    if matches!(authority, Authority::Policy { .. }) {
        // Automation never passes a guard, whoever else overrides it.
        refused.extend(plan.overridden.clone());
    }
    if refused.is_empty() {
        refused.extend(daily_trip(plan, authority, &changes));
    }
    if !refused.is_empty() {
        refuse(&mut changes, &refused, decision);
        return Decided {
            changes,
            refused,
            ..Decided::default()
        };
    }
    for change in &mut changes {
        change.approved = change.approve();
    }
    Decided {
        changes,
        refused,
        policy_granted: grants_policy(plan, authority),
        variables_granted: matches!(authority, Authority::Person { .. }),
    }
}

/// Which of the two decisions of a step is meant.
type Which = fn(&mut DecidedStep) -> &mut Decision;

fn decision(step: &mut DecidedStep) -> &mut Decision {
    &mut step.decision
}

fn with_consent(step: &mut DecidedStep) -> &mut Decision {
    &mut step.with_consent
}

/// Decides about each step as if it stood alone.
fn decide_each(plan: &Plan, authority: Authority<'_>) -> Vec<DecidedChange> {
    let consent = Authority::Person {
        allowed: &BTreeSet::new(),
        policy_allowed: false,
        name_typed: false,
    };
    let made = MadeBefore::of(authority);
    let change = |planned: &Arc<PlannedChange>| DecidedChange {
        planned: Arc::clone(planned),
        steps: planned
            .steps
            .iter()
            .map(|step| DecidedStep {
                step: Arc::clone(step),
                decision: Decision::of(objection(plan, planned, step, authority, &made)),
                with_consent: Decision::of(objection(plan, planned, step, consent, &made)),
            })
            .collect(),
        approved: None,
    };
    plan.changes.iter().map(change).collect()
}

/// Leaves every step where guards refuse the whole plan.
fn refuse(changes: &mut [DecidedChange], trips: &[GuardTrip], which: Which) {
    let Some(trip) = trips.first() else {
        return;
    };
    for step in changes.iter_mut().flat_map(|change| &mut change.steps) {
        *which(step) = Decision::Left(LeftReason::Guard(trip.guard));
    }
}

/// A policy that allows automation more needs consent like a destructive change (semantics 4.4).
fn grants_policy(plan: &Plan, authority: Authority<'_>) -> bool {
    match authority {
        _ if plan.policy_change.loosened.is_empty() || plan.held => false,
        Authority::Policy { .. } => false,
        Authority::Person {
            policy_allowed,
            name_typed,
            ..
        } => name_typed || (policy_allowed && !plan.policy.protected),
    }
}

/// Automation stops before the change that would be one too many in a day, not after it.
fn daily_trip(
    plan: &Plan,
    authority: Authority<'_>,
    changes: &[DecidedChange],
) -> Option<GuardTrip> {
    let Authority::Policy { automatic, now, .. } = authority else {
        return None;
    };
    let recent = |change: &&AutomaticChange| {
        !change.first_create && now.ms_since(change.at) < AutomaticChange::MEMORY_MS
    };
    let most = plan.policy.guards.daily_automatic_max;
    let done = automatic.iter().filter(recent).count();
    let more = changes
        .iter()
        .filter(|change| !change.planned.first_create && change.approved_steps().next().is_some())
        .count();
    (more > 0 && done + more > most as usize).then(|| GuardTrip {
        guard: GuardName::DailyAutomatic,
        message: format!(
            "{done} automatic changes in 24 hours and {more} more to make, more than the {most} allowed"
        ),
    })
}

/// Why one step may not be done, if so. A destructive one needs a person: its key named, or the
/// stack's name typed on a terminal (semantics 6.3, 6.4).
fn objection(
    plan: &Plan,
    planned: &PlannedChange,
    step: &Step,
    authority: Authority<'_>,
    made: &MadeBefore<'_>,
) -> Option<LeftReason> {
    match authority {
        Authority::Person {
            allowed,
            name_typed,
            ..
        } => match step.risk {
            Risk::Safe | Risk::Disruptive => None,
            Risk::Destructive if name_typed => None,
            Risk::Destructive if plan.policy.protected => Some(LeftReason::NeedsTypedName),
            Risk::Destructive if allowed.contains(&planned.change.key) => None,
            Risk::Destructive => Some(LeftReason::NeedsGrant),
        },
        Authority::Policy {
            first_seen, now, ..
        } => {
            let policy = clamped(&plan.policy);
            policy_objection(plan, &policy, planned, step)
                .or_else(|| not_yet_reported(planned, step, first_seen))
                .or_else(|| announcement(&policy, planned, step, first_seen, now))
                .or_else(|| flapping(planned, step, made))
        }
    }
}

/// What protection leaves of a policy (semantics 6.4).
fn clamped(policy: &Policy) -> Policy {
    if !policy.protected {
        return policy.clone();
    }
    let correct = policy.correct.min(Allowance::Safe);
    Policy {
        correct,
        deploy: Allowance::None,
        ..policy.clone()
    }
}

/// Why automation may not make a step, if so. It never makes a destructive one (semantics 6.3).
fn policy_objection(
    plan: &Plan,
    policy: &Policy,
    planned: &PlannedChange,
    step: &Step,
) -> Option<LeftReason> {
    if let Some(variable) = planned.variable.as_ref().filter(|_| plan.retired.is_none()) {
        return Some(LeftReason::Variable(variable.clone()));
    }
    let whole = step.edit.is_none() || step.replaces;
    let by_name = planned.change.key.kind().entry().naming == Naming::StackPrefix;
    let stricter = policy.correct.min(policy.deploy);
    let scope_unread = || LeftReason::ScopeUnread(planned.change.key.clone());
    let (rule, allowance) = match step.cause {
        _ if plan.retired.is_some() => return Some(LeftReason::Retired),
        Cause::Interrupted if !planned.scope_read => return Some(scope_unread()),
        // A person consented to its deletion, and only the second half is left to do.
        Cause::Interrupted => return None,
        // A key named on the command line is not heard on a protected stack.
        _ if step.risk == Risk::Destructive && policy.protected => {
            return Some(LeftReason::NeedsTypedName);
        }
        _ if step.risk == Risk::Destructive => return Some(LeftReason::NeedsGrant),
        _ if plan.not_adopted => return Some(LeftReason::NotAdopted),
        // It needs a person since adoption, also when somebody changed it meanwhile (semantics 7.1).
        Cause::NotAdopted | Cause::NotAdoptedAndDrifted => {
            return Some(LeftReason::NeedsPerson(since_adoption(planned)));
        }
        // Somebody may have made it smaller on purpose, and there is no way back.
        Cause::Drifted | Cause::EditedAndDrifted if step.one_way => {
            return Some(LeftReason::OneWay);
        }
        _ if whole && !planned.scope_read => return Some(scope_unread()),
        Cause::Missing
            if by_name
                && planned.on_missing == OnMissing::Alert
                && policy.correct != Allowance::None =>
        {
            return Some(LeftReason::OnMissingAlert);
        }
        Cause::Drifted | Cause::Missing => ("correct", policy.correct),
        Cause::Edited | Cause::New | Cause::Removed => ("deploy", policy.deploy),
        Cause::EditedAndDrifted if stricter == policy.correct => ("correct", stricter),
        Cause::EditedAndDrifted => ("deploy", stricter),
    };
    let reaches = match step.risk {
        Risk::Safe => allowance >= Allowance::Safe,
        Risk::Disruptive => allowance >= Allowance::Disruptive,
        Risk::Destructive => false,
    };
    (!reaches).then_some(LeftReason::Policy {
        rule,
        allowance,
        risk: step.risk,
    })
}

/// How what waits for a person since adoption stood then.
fn since_adoption(planned: &PlannedChange) -> SinceAdoption {
    match (planned.change.verb, planned.change.recorded.is_empty()) {
        (Verb::Create, _) => SinceAdoption::Absent,
        (_, true) => SinceAdoption::NotAdopted,
        (_, false) => SinceAdoption::Differed,
    }
}

/// A difference that an ignore rule hid until now: one run reports it before another changes it, even
/// where the policy announces nothing (semantics 6.9).
fn not_yet_reported(
    planned: &PlannedChange,
    step: &Step,
    first_seen: &BTreeMap<ResourceKey, (String, Timestamp)>,
) -> Option<LeftReason> {
    let field = step.edit.as_ref().map(Edit::field);
    let mut ended = planned.ended_rules.iter();
    let was_hidden = ended.any(|rule| rule.is_none() || rule.as_ref() == field);
    let is_reported = || {
        let seen = first_seen.get(&planned.change.key);
        seen.is_some_and(|(fingerprint, _)| *fingerprint == planned.drift_fingerprint)
    };
    (was_hidden && !is_reported()).then_some(LeftReason::RuleEnded)
}

/// A drift is announced for a time before it is corrected.
fn announcement(
    policy: &Policy,
    planned: &PlannedChange,
    step: &Step,
    first_seen: &BTreeMap<ResourceKey, (String, Timestamp)>,
    now: Timestamp,
) -> Option<LeftReason> {
    if !matches!(
        step.cause,
        Cause::Drifted | Cause::EditedAndDrifted | Cause::Missing
    ) {
        return None;
    }
    let since = match first_seen.get(&planned.change.key) {
        Some((fingerprint, at)) if *fingerprint == planned.drift_fingerprint => *at,
        _ => now,
    };
    let until = since.plus_ms(policy.correct_after_ms);
    (now < until).then_some(LeftReason::Announced { until })
}

/// What belongs together is left together, and what needs something that is left is left too.
fn together(changes: &mut [DecidedChange], which: Which) {
    let mut left: BTreeSet<ResourceKey> = BTreeSet::new();
    let mut broken: BTreeMap<ResourceKey, ResourceKey> = BTreeMap::new();
    for change in changes.iter_mut() {
        let planned = &change.planned;
        let mut steps = change.steps.iter_mut();
        // An update of which some edits are left is still there for others to need.
        let is_left =
            planned.change.verb != Verb::Update && steps.any(|step| which(step).left().is_some());
        if !is_left {
            continue;
        }
        let key = &planned.change.key;
        left.insert(key.clone());
        if let Some(composite) = &planned.composite {
            broken
                .entry(composite.clone())
                .or_insert_with(|| key.clone());
        }
    }
    for change in changes.iter_mut() {
        let planned = &change.planned;
        let key = &planned.change.key;
        let breaker = planned
            .composite
            .as_ref()
            .and_then(|composite| broken.get(composite));
        let need = planned.needs.iter().find(|need| left.contains(*need));
        let Some(cause) = breaker.filter(|breaker| *breaker != key).or(need) else {
            continue;
        };
        let reason = LeftReason::DependsOn(cause.clone());
        left.insert(key.clone());
        for step in &mut change.steps {
            let decision = which(step);
            if decision.is_approved() {
                *decision = Decision::Left(reason.clone());
            }
        }
    }
}
