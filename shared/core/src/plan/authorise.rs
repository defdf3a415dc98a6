//! What may be done now: by policy when nobody is at hand, or by a person's consent.

use std::collections::{BTreeMap, BTreeSet};

use super::digest::correction_fingerprint;
use super::flap::{MadeBefore, flapping};
use super::left::LeftReason;
use super::{Finding, FindingKind, GuardName, GuardTrip, Plan, PlannedChange, Step};
use crate::change::{Change, Edit, Verb};
use crate::compare::Cause;
use crate::model::{Allowance, FieldName, Kind, OnMissing, Policy, ResourceKey, Timestamp};
use crate::risk::Risk;
use crate::state::AutomaticChange;

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
        /// Destructive changes they named, by key ([`resolve_allowed`]).
        allowed: &'a BTreeSet<ResourceKey>,
        /// Whether they named the key `policy`.
        policy_allowed: bool,
        /// Whether they typed the stack's name on a terminal, which covers destructive changes too.
        name_typed: bool,
    },
}

/// A change that may be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approved {
    /// The change, with only the edits that may be made.
    pub change: Change,
    /// Why: the worst of its causes.
    pub cause: Cause,
    /// How bad it can be. Destructive ones run one at a time.
    pub risk: Risk,
    /// The same correction has the same fingerprint.
    pub fingerprint: String,
    /// Whether the resource never was.
    pub first_create: bool,
    /// Resources that must be there first and are not; the plan makes them before.
    pub needs: Vec<ResourceKey>,
    /// Changes with the same key here are made all or none.
    pub composite: Option<ResourceKey>,
}

/// A step that is left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// Of which resource.
    pub key: ResourceKey,
    /// What was to be done.
    pub verb: Verb,
    /// Which field, if not the whole.
    pub field: Option<FieldName>,
    /// Why not.
    pub reason: LeftReason,
}

/// What may be done and what is left.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Decided {
    /// What may be done, in order.
    pub approved: Vec<Approved>,
    /// What is left, in order.
    pub left: Vec<Left>,
    /// Guards that refused everything.
    pub refused: Vec<GuardTrip>,
    /// Whether the looser policy of the definitions comes into force.
    pub policy_granted: bool,
    /// Whether a person takes the variables of the environment as they are here (semantics 4.6).
    pub variables_granted: bool,
}

/// Finds the keys that a person named in the plan, and whether `policy` is one of them.
///
/// # Errors
/// When a name fits nothing that is destructive in the plan, or more than one thing.
pub fn resolve_allowed(
    plan: &Plan,
    names: &[String],
) -> Result<(BTreeSet<ResourceKey>, bool), String> {
    let mut allowed = BTreeSet::new();
    let mut policy = false;
    let mut meant: BTreeMap<&str, Vec<&PlannedChange>> = BTreeMap::new();
    for name in names {
        meant.entry(name).or_default();
    }
    // Of all changes once, not of each name: a plan may have as many of both.
    for planned in plan.changes.iter().filter(|_| !names.is_empty()) {
        for form in planned.change.key.short_forms() {
            if let Some(found) = meant.get_mut(form.as_str()) {
                found.push(planned);
            }
        }
    }
    for name in names {
        if name == "policy" {
            policy = true;
            continue;
        }
        let found = meant.get(name.as_str()).map_or(&[][..], Vec::as_slice);
        match found {
            [] => return Err(not_in_plan(plan, name)),
            [one] => {
                allowed.insert(one.change.key.clone());
            }
            several => {
                let keys: Vec<_> = several
                    .iter()
                    .map(|one| one.change.key.to_string())
                    .collect();
                return Err(format!("`{name}` may mean {}", keys.join(" or ")));
            }
        }
    }
    Ok((allowed, policy))
}

/// Why a name fits nothing of the plan.
fn not_in_plan(plan: &Plan, name: &str) -> String {
    let is_held =
        |finding: &&Finding| finding.kind == FindingKind::Held && finding.key.answers_to(name);
    match plan.findings.iter().find(is_held) {
        Some(finding) => format!("`{name}` is not in the plan: {}", finding.message),
        None => format!("`{name}` is not a key of the plan"),
    }
}

/// Decides what of the plan may be done now.
#[must_use]
pub fn authorise(plan: &Plan, authority: Authority<'_>) -> Decided {
    let mut tripped = plan.tripped.clone();
    if matches!(authority, Authority::Policy { .. }) {
        // Automation never passes a guard, whoever else overrides it.
        tripped.extend(plan.overridden.clone());
    }
    if !tripped.is_empty() {
        return refused(plan, tripped);
    }
    let made = MadeBefore::of(authority);
    let mut verdicts: Vec<Vec<Option<LeftReason>>> = plan
        .changes
        .iter()
        .map(|planned| {
            planned
                .steps
                .iter()
                .map(|step| objection(plan, planned, step, authority, &made))
                .collect()
        })
        .collect();
    hold_together(&plan.changes, &mut verdicts);
    let mut decided = Decided::default();
    for (planned, verdicts) in plan.changes.iter().zip(&verdicts) {
        settle(planned, verdicts, &mut decided);
    }
    if let Some(trip) = daily_trip(plan, authority, &decided.approved) {
        return refused(plan, vec![trip]);
    }
    decided.policy_granted = grants_policy(plan, authority);
    decided.variables_granted = matches!(authority, Authority::Person { .. });
    decided
}

/// Guards refuse the whole plan.
fn refused(plan: &Plan, trips: Vec<GuardTrip>) -> Decided {
    let reason = trips.first().map(|trip| LeftReason::Guard(trip.guard));
    let left = plan.changes.iter().zip(reason.iter().cycle());
    Decided {
        left: left
            .flat_map(|(planned, reason)| leave(planned, reason))
            .collect(),
        refused: trips,
        ..Decided::default()
    }
}

/// Loosening the policy is destructive (semantics 4.4).
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
fn daily_trip(plan: &Plan, authority: Authority<'_>, approved: &[Approved]) -> Option<GuardTrip> {
    let Authority::Policy { automatic, now, .. } = authority else {
        return None;
    };
    let recent = |change: &&AutomaticChange| {
        !change.first_create && now.ms_since(change.at) < AutomaticChange::MEMORY_MS
    };
    let most = plan.policy.guards.daily_automatic_max;
    let done = automatic.iter().filter(recent).count();
    let more = approved
        .iter()
        .filter(|approved| !approved.first_create)
        .count();
    (more > 0 && done + more > most as usize).then(|| GuardTrip {
        guard: GuardName::DailyAutomatic,
        message: format!(
            "{done} automatic changes in 24 hours and {more} more, and at most {most} are allowed"
        ),
    })
}

/// Why one step may not be done, if so.
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
                .or_else(|| untold(planned, step, first_seen))
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
    let by_name = matches!(
        planned.change.key.kind(),
        Kind::KafkaTopic | Kind::PubsubTopic | Kind::PubsubSubscription
    );
    let stricter = policy.correct.min(policy.deploy);
    let (rule, allowance) = match step.cause {
        _ if plan.retired.is_some() => return Some(LeftReason::Retired),
        Cause::Interrupted if !planned.scope_read => return Some(LeftReason::ScopeUnread),
        // Its deletion was consented to, and only the second half is left to do.
        Cause::Interrupted => return None,
        _ if step.risk == Risk::Destructive => return Some(LeftReason::NeedsGrant),
        _ if plan.not_adopted => return Some(LeftReason::NotAdopted),
        // What waits for a person since adoption goes on waiting when somebody changes it meanwhile
        // (semantics 7.1).
        Cause::NotAdopted | Cause::NotAdoptedAndDrifted => return Some(LeftReason::NeedsPerson),
        // Somebody may have made it smaller on purpose, and there is no way back.
        Cause::Drifted | Cause::EditedAndDrifted if step.one_way => {
            return Some(LeftReason::OneWay);
        }
        _ if whole && !planned.scope_read => return Some(LeftReason::ScopeUnread),
        Cause::Missing
            if by_name
                && planned.on_missing == OnMissing::Alert
                && policy.correct != Allowance::None =>
        {
            return Some(LeftReason::OnMissingAlert);
        }
        Cause::Drifted | Cause::Missing => ("correct", policy.correct),
        Cause::Edited | Cause::New | Cause::Withdrawn => ("deploy", policy.deploy),
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

/// A difference that an ignore rule hid until now is told by one run before another does anything
/// about it, though the policy may ask for no announcement (semantics 6.9).
fn untold(
    planned: &PlannedChange,
    step: &Step,
    seen: &BTreeMap<ResourceKey, (String, Timestamp)>,
) -> Option<LeftReason> {
    let field = step.edit.as_ref().map(Edit::field);
    let mut ended = planned.ended_rules.iter();
    let was_hidden = ended.any(|rule| rule.is_none() || rule.as_ref() == field);
    let is_told = || {
        let seen = seen.get(&planned.change.key);
        seen.is_some_and(|(fingerprint, _)| *fingerprint == planned.drift_fingerprint)
    };
    (was_hidden && !is_told()).then_some(LeftReason::RuleEnded)
}

/// A drift is announced for a time before it is corrected.
fn announcement(
    policy: &Policy,
    planned: &PlannedChange,
    step: &Step,
    seen: &BTreeMap<ResourceKey, (String, Timestamp)>,
    now: Timestamp,
) -> Option<LeftReason> {
    if !matches!(
        step.cause,
        Cause::Drifted | Cause::EditedAndDrifted | Cause::Missing
    ) {
        return None;
    }
    let since = match seen.get(&planned.change.key) {
        Some((fingerprint, at)) if *fingerprint == planned.drift_fingerprint => *at,
        _ => now,
    };
    let until = since.plus_ms(policy.correct_after_ms);
    (now < until).then_some(LeftReason::Announced { until })
}

/// What belongs together is left together, and what needs something that is left is left too.
fn hold_together(changes: &[PlannedChange], verdicts: &mut [Vec<Option<LeftReason>>]) {
    let mut left: BTreeSet<ResourceKey> = BTreeSet::new();
    let mut broken: BTreeMap<ResourceKey, ResourceKey> = BTreeMap::new();
    let creates_whole = |planned: &PlannedChange, verdicts: &[Option<LeftReason>]| {
        // An update of which some edits are left is still there for others to need.
        planned.change.verb != Verb::Update && verdicts.iter().any(Option::is_some)
    };
    for (planned, verdicts) in changes.iter().zip(verdicts.iter()) {
        if creates_whole(planned, verdicts) {
            let key = &planned.change.key;
            left.insert(key.clone());
            if let Some(composite) = &planned.composite {
                broken
                    .entry(composite.clone())
                    .or_insert_with(|| key.clone());
            }
        }
    }
    for (planned, verdicts) in changes.iter().zip(verdicts.iter_mut()) {
        let key = &planned.change.key;
        let breaker = planned
            .composite
            .as_ref()
            .and_then(|composite| broken.get(composite));
        let need = planned.needs.iter().find(|need| left.contains(*need));
        let Some(cause) = breaker.filter(|breaker| *breaker != key).or(need) else {
            continue;
        };
        left.insert(key.clone());
        for verdict in verdicts.iter_mut().filter(|verdict| verdict.is_none()) {
            *verdict = Some(LeftReason::WaitsFor(cause.clone()));
        }
    }
}

/// Splits one change into what may be done and what is left.
fn settle(planned: &PlannedChange, verdicts: &[Option<LeftReason>], decided: &mut Decided) {
    let change = &planned.change;
    let steps = || planned.steps.iter().zip(verdicts);
    let replace_left = steps().any(|(step, verdict)| step.replaces && verdict.is_some());
    let taken: Vec<&Step> = steps()
        .filter(|(_, verdict)| verdict.is_none())
        .map(|(step, _)| step)
        .collect();
    decided.left.extend(steps().filter_map(|(step, verdict)| {
        let field = step.edit.as_ref().map(|edit| edit.field().clone());
        let reason = verdict.clone()?;
        Some(Left {
            key: change.key.clone(),
            verb: change.verb,
            field,
            reason,
        })
    }));
    let Some(cause) = taken.iter().map(|step| step.cause).max() else {
        return;
    };
    // A replacement that may not be made leaves what can be changed in place.
    let verb = if replace_left {
        Verb::Update
    } else {
        change.verb
    };
    let edits: Vec<Edit> = taken.iter().filter_map(|step| step.edit.clone()).collect();
    let parts: Vec<String> = match edits.as_slice() {
        [] => vec![correction_fingerprint(planned, &[])],
        edits => edits
            .iter()
            .map(|edit| correction_fingerprint(planned, std::slice::from_ref(edit)))
            .collect(),
    };
    decided.approved.push(Approved {
        change: Change {
            verb,
            edits,
            ..change.clone()
        },
        cause,
        risk: taken
            .iter()
            .map(|step| step.risk)
            .max()
            .unwrap_or(Risk::Safe),
        fingerprint: parts.join("+"),
        first_create: planned.first_create,
        needs: planned.needs.clone(),
        composite: planned.composite.clone(),
    });
}

fn leave(planned: &PlannedChange, reason: &LeftReason) -> Vec<Left> {
    let of = |step: &Step| Left {
        key: planned.change.key.clone(),
        verb: planned.change.verb,
        field: step.edit.as_ref().map(|edit| edit.field().clone()),
        reason: reason.clone(),
    };
    planned.steps.iter().map(of).collect()
}
