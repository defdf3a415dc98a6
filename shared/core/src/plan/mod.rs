//! From differences to a plan: ordered changes, each with its risk, and findings that nobody can act on.
//!
//! The plan is the same for everybody: all that could be done with every approval. What may be done now,
//! by policy or by a person, is decided in `authorise.rs`. Only [`Approved`] changes reach a provider.

mod allowed;
mod authorise;
mod decided;
mod digest;
mod finding;
mod flap;
mod guard;
mod hold;
mod in_force;
mod left;
mod lost;
mod planned;
mod steps;
mod variables;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

pub(crate) use allowed::ambiguous;
pub use allowed::resolve_allowed;
pub use authorise::{Authority, authorise};
pub use decided::{Approved, Decided, DecidedChange, DecidedStep, Decision, Left};
pub use digest::PlanSummary;
pub use finding::{Finding, FindingKind};
pub use guard::{GuardName, GuardTrip};
pub use in_force::{PolicyChange, policy_in_force};
pub use left::{LeftReason, SinceAdoption};
pub use planned::{PlannedChange, Step};
pub use variables::MovedVariable;

use crate::change::{Draft, Verb};
use crate::compare::{Cause, Comparison, Difference, Verdict, drift_fingerprint};
use crate::live::{Live, LiveWorld, Reading};
use crate::model::{
    Declared, DeclaredResource, FieldName, OnMissing, Policy, Recorded, ResourceKey, Timestamp,
};
use crate::stored::hold::{Hold, UnreadHolds};
use crate::stored::state::{Intent, State};

/// What a plan is made from.
#[derive(Debug, Clone, Copy)]
pub struct PlanInput<'a> {
    /// What should be.
    pub declared: &'a Declared,
    /// What is recorded.
    pub state: Option<&'a State>,
    /// What is live.
    pub live: &'a LiveWorld,
    /// What differs.
    pub comparison: &'a Comparison,
    /// Guards that a person overrides.
    pub overrides: &'a BTreeSet<GuardName>,
    /// Holds that stand now.
    pub holds: &'a [Hold],
    /// Why holds could not be read, if so: then everything is held.
    pub holds_unread: Option<&'a UnreadHolds>,
}

/// The plan of one stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Tells this plan from another: 16 hexadecimal digits (semantics 6.5).
    pub digest: String,
    /// The policy in force.
    pub policy: Policy,
    /// What the definitions would change about the policy, if anything.
    pub policy_change: PolicyChange,
    /// What could be done, in order.
    pub changes: Vec<Arc<PlannedChange>>,
    /// What can't be done, and why.
    pub findings: Vec<Finding>,
    /// Guards that refuse it.
    pub tripped: Vec<GuardTrip>,
    /// Guards that would refuse it and that a person overrides; they still hold automation.
    pub overridden: Vec<GuardTrip>,
    /// The parts of the digest, to name what moved.
    pub summary: PlanSummary,
    /// Whether automation must leave everything: the stack is not adopted and something is live.
    pub not_adopted: bool,
    /// Whether the whole stack is held: its policy stays as it is too.
    pub held: bool,
    /// When the stack was retired, if it was: automation leaves everything.
    pub retired: Option<Timestamp>,
    /// Variables of the environment that are missing or new since a person last ran `up` (semantics
    /// 4.6).
    pub variables: Vec<MovedVariable>,
}

impl Plan {
    /// The variable that moved and that a resource depends on, if there is one.
    #[must_use]
    pub fn variable_of(&self, declared: &Declared, key: &ResourceKey) -> Option<&MovedVariable> {
        variables::of_resource(&self.variables, declared, key)
    }
}

impl fmt::Display for GuardTrip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.guard.as_str(), self.message)
    }
}

impl Plan {
    /// Says of orphans that the new policy deletes them only from the next plan on, which a person
    /// has not seen yet.
    pub fn prunes_from_now_on(&mut self) {
        let orphans = self.findings.iter_mut();
        for finding in orphans.filter(|finding| finding.kind == FindingKind::Orphan) {
            finding.message =
                "removed from the definitions; `prune` is on from now on: the next plan deletes it"
                    .to_owned();
        }
    }
}

/// Makes the plan.
#[must_use]
pub fn plan(input: PlanInput<'_>) -> Plan {
    let (policy, policy_change) = policy_in_force(
        input.state.map(|state| &state.policy),
        &input.declared.policy,
    );
    let variables = variables::moved(
        input.declared,
        input.state.and_then(|state| state.variables.as_ref()),
    );
    let mut changes = Vec::new();
    let mut findings = Vec::new();
    for difference in input.comparison.differences.values() {
        match plan_one(input, &policy, difference) {
            Planned::Nothing => {}
            Planned::Findings(found) => findings.extend(found),
            Planned::Change(mut change, found) => {
                let variable = variables::of_resource(&variables, input.declared, &difference.key);
                change.variable = variable.cloned();
                changes.push(*change);
                findings.extend(found);
            }
        }
    }
    join_composites(input, &mut changes);
    changes.sort_by(|a, b| order(a).cmp(&order(b)));
    findings.extend(match input.holds_unread {
        Some(unread) => hold::set_all_aside(unread, &mut changes),
        None => hold::set_aside(input.holds, &mut changes),
    });
    let (overridden, tripped) = guard::tripped(&changes, &policy, input.comparison)
        .into_iter()
        .partition(|trip| input.overrides.contains(&trip.guard));
    let summary = digest::summary(input, &policy, &policy_change, &changes);
    let comparison = input.comparison;
    Plan {
        digest: summary.digest.clone(),
        policy,
        policy_change,
        changes: changes.into_iter().map(Arc::new).collect(),
        findings,
        tripped,
        overridden,
        summary,
        not_adopted: !comparison.has_state && may_be_live(comparison),
        retired: input.state.and_then(|state| state.retired),
        held: input.holds_unread.is_some() || input.holds.iter().any(|hold| hold.key.is_none()),
        variables,
    }
}

/// Whether anything declared is live, or could be: what was not read is not absent.
fn may_be_live(comparison: &Comparison) -> bool {
    let unknown = |difference: &Difference| difference.verdict == Verdict::Unknown;
    comparison.any_live || comparison.differences.values().any(unknown)
}

/// What others need comes first, deletes come last and backwards, then by key (semantics 8.3).
fn order(planned: &PlannedChange) -> (bool, std::cmp::Reverse<u8>, &ResourceKey) {
    let is_delete = planned.change.verb == Verb::Delete;
    let backwards = if is_delete {
        planned.change.key.kind() as u8
    } else {
        0
    };
    (is_delete, std::cmp::Reverse(backwards), &planned.change.key)
}

enum Planned {
    Nothing,
    Findings(Vec<Finding>),
    Change(Box<PlannedChange>, Vec<Finding>),
}

/// What could be done about one difference.
fn plan_one(input: PlanInput<'_>, policy: &Policy, difference: &Difference) -> Planned {
    let say = |kind, message: String| {
        Planned::Findings(vec![Finding {
            key: difference.key.clone(),
            field: None,
            kind,
            message,
        }])
    };
    if let Some(why) = &difference.blocked {
        return say(FindingKind::Blocked, why.clone());
    }
    match (difference.verdict, difference.whole) {
        (Verdict::InSync | Verdict::CatchingUp | Verdict::Ignored | Verdict::Unknown, _) => {
            return Planned::Nothing;
        }
        (Verdict::Orphan, _) if !policy.prune => {
            let message = "removed from the definitions; kept, since `prune` is off".to_owned();
            return say(FindingKind::Orphan, message);
        }
        _ => {}
    }
    if let Some(need) = unread_need(input, &difference.key) {
        let message = format!("it needs {}, which could not be read", need.name());
        return say(FindingKind::DependsOn, message);
    }
    let reading = input.live.reading(&difference.key);
    let truths = Truths {
        declared: input.declared.resources.get(&difference.key),
        recorded: input.comparison.recorded(input.state, &difference.key),
        live: reading.and_then(Reading::present),
    };
    let Truths { declared, live, .. } = truths;
    let (mut steps, mut findings) = match difference.whole {
        Some(cause) => {
            let whole = steps::whole(input, &difference.key, cause, live);
            (vec![whole], Vec::new())
        }
        None => steps::of_fields(difference, declared, live),
    };
    findings.extend(difference.unhealthy.iter().map(|why| Finding {
        key: difference.key.clone(),
        field: None,
        kind: FindingKind::Unhealthy,
        message: why.clone(),
    }));
    if steps.is_empty() {
        return Planned::Findings(findings);
    }
    if let Some(recorded) = truths.recorded {
        steps::leave_to_a_person(&mut steps, recorded, declared);
    }
    let planned = planned(input, policy, difference, steps, truths);
    Planned::Change(Box::new(planned), findings)
}

/// What is said of one resource.
#[derive(Clone, Copy)]
struct Truths<'a> {
    declared: Option<&'a DeclaredResource>,
    recorded: Option<&'a Recorded>,
    live: Option<&'a Live>,
}

fn planned(
    input: PlanInput<'_>,
    policy: &Policy,
    difference: &Difference,
    steps: Vec<Step>,
    truths: Truths<'_>,
) -> PlannedChange {
    let key = &difference.key;
    let Truths {
        declared,
        recorded,
        live,
    } = truths;
    let verb = match difference.whole {
        Some(Cause::Removed) => Verb::Delete,
        Some(_) => Verb::Create,
        None if steps.iter().any(|step| step.replaces) => Verb::Replace,
        None => Verb::Update,
    };
    let intent = input.state.and_then(|state| state.intent(key));
    let makes = |intent: &Intent| matches!(intent.verb, Verb::Create | Verb::Replace);
    let change = Draft {
        begun_before: intent.is_some_and(|intent| intent.attempts().any(makes)),
        stack: input.declared.stack.clone(),
        key: key.clone(),
        verb,
        declared: declared.map(DeclaredResource::values).unwrap_or_default(),
        secrets: declared
            .map(|declared| declared.secrets.clone())
            .unwrap_or_default(),
        recorded: recorded
            .map(|recorded| recorded.ours(key.kind()))
            .unwrap_or_default(),
        live: live.cloned(),
    };
    let reading = |need: &ResourceKey| input.live.reading(need);
    let gone = |need: &ResourceKey| reading(need).is_some_and(Reading::is_absent);
    PlannedChange {
        needs: needs(input.declared, key)
            .into_iter()
            .filter(gone)
            .collect(),
        first_create: matches!(difference.whole, Some(Cause::New | Cause::NotAdopted)),
        on_missing: on_missing(policy, declared, key),
        scope_read: !input.comparison.unread_scopes.contains(key.scope()),
        drift_fingerprint: drift_fingerprint(difference),
        ended_rules: difference.ended_rules.clone(),
        composite: None,
        variable: None,
        change,
        steps: steps.into_iter().map(Arc::new).collect(),
    }
}

/// What automation does about this resource when it is missing (semantics 6.2).
fn on_missing(
    policy: &Policy,
    declared: Option<&DeclaredResource>,
    key: &ResourceKey,
) -> OnMissing {
    let own = declared
        .and_then(|declared| declared.on_missing)
        .or(policy.on_missing);
    own.unwrap_or(if key.name().ends_with("-dlq") {
        OnMissing::Recreate
    } else {
        OnMissing::Alert
    })
}

/// The declared resources that must be there before this one can be made.
pub(crate) fn needs(declared: &Declared, key: &ResourceKey) -> Vec<ResourceKey> {
    let Some(resource) = declared.resources.get(key) else {
        return Vec::new();
    };
    let text_of = |name: &FieldName| {
        let field = resource.fields.get(name)?;
        field.value.as_text().map(str::to_owned)
    };
    let mut needs = (key.kind().entry().needs)(key, &text_of);
    needs.retain(|need| declared.resources.contains_key(need));
    needs
}

/// Something this resource needs that could not be read.
fn unread_need(input: PlanInput<'_>, key: &ResourceKey) -> Option<ResourceKey> {
    let unread = |need: &ResourceKey| {
        let verdict = input
            .comparison
            .differences
            .get(need)
            .map(|difference| difference.verdict);
        verdict == Some(Verdict::Unknown)
    };
    needs(input.declared, key).into_iter().find(unread)
}

/// A topic that is made again, its binding and the subscription that hung on its forerunner are one
/// change (semantics 8.3): the subscription never reattaches, so half of it would look healed and
/// be dead (Pub/Sub v1 discovery, `topics.delete`).
fn join_composites(input: PlanInput<'_>, changes: &mut [PlannedChange]) {
    let replaced: BTreeSet<ResourceKey> = changes
        .iter()
        .filter(|planned| planned.change.verb == Verb::Replace)
        .flat_map(|planned| planned.needs.clone())
        .collect();
    if replaced.is_empty() {
        return;
    }
    let created: BTreeMap<ResourceKey, ()> = changes
        .iter()
        .filter(|planned| planned.change.verb == Verb::Create)
        .map(|planned| (planned.change.key.clone(), ()))
        .collect();
    for planned in changes.iter_mut() {
        let key = &planned.change.key;
        let topic = std::iter::once(key.clone()).chain(needs(input.declared, key));
        planned.composite = topic
            .into_iter()
            .find(|key| replaced.contains(key) && created.contains_key(key));
    }
}
