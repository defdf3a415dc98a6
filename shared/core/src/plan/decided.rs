//! What an authority (the policy, or a person's consent) decides about a plan: each step with its
//! decision.
//!
//! The engine carries out what is approved; every page, JSON and history read the same structure. It is
//! made in `authorise.rs` alone.

use std::sync::Arc;

use super::digest::correction_fingerprint;
use super::left::LeftReason;
use super::{GuardTrip, PlannedChange, Step};
use crate::change::{Change, Edit, Verb};
use crate::compare::Cause;
use crate::model::{FieldName, ResourceKey};
use crate::risk::Risk;

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

/// What is decided about a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It may be made.
    Approved,
    /// It is left, for this reason.
    Left(LeftReason),
}

impl Decision {
    /// Why the step is left; none if it is approved.
    #[must_use]
    pub fn left(&self) -> Option<&LeftReason> {
        match self {
            Self::Approved => None,
            Self::Left(reason) => Some(reason),
        }
    }

    /// Whether the step may be made.
    #[must_use]
    pub fn is_approved(&self) -> bool {
        *self == Self::Approved
    }

    pub(super) fn of(objection: Option<LeftReason>) -> Self {
        objection.map_or(Self::Approved, Self::Left)
    }
}

/// A step of the plan with what is decided about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecidedStep {
    /// The step, as it stands in the plan.
    pub step: Arc<Step>,
    /// What the authority that was asked decides.
    pub decision: Decision,
    /// What a person decides who agrees to the plan and names no key.
    pub with_consent: Decision,
}

/// A change of the plan with what is decided about each of its steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecidedChange {
    /// The change, as it stands in the plan.
    pub planned: Arc<PlannedChange>,
    /// Its steps, in order.
    pub steps: Vec<DecidedStep>,
    /// What may be made of it; none if every step is left.
    pub approved: Option<Approved>,
}

/// A step that is left, with its change.
#[derive(Debug, Clone, Copy)]
pub struct Left<'a> {
    /// The resource.
    pub key: &'a ResourceKey,
    /// What was to be done to it.
    pub verb: Verb,
    /// The field; none if the step is about the whole resource.
    pub field: Option<&'a FieldName>,
    /// Why it is left.
    pub reason: &'a LeftReason,
}

/// What an authority decides about a plan.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Decided {
    /// Every change of the plan, in order; none where nobody was asked.
    pub changes: Vec<DecidedChange>,
    /// Guards that refused everything.
    pub refused: Vec<GuardTrip>,
    /// Whether the policy of the definitions, which allows automation more, comes into force.
    pub policy_granted: bool,
    /// Whether a person takes the variables of the environment as they are here (semantics 4.6).
    pub variables_granted: bool,
}

impl Decided {
    /// Leaves every step, for this reason. What a person may do is not touched.
    pub fn leave_all(&mut self, reason: &LeftReason) {
        for change in &mut self.changes {
            change.approved = None;
            for step in &mut change.steps {
                step.decision = Decision::Left(reason.clone());
            }
        }
        self.policy_granted = false;
    }

    /// What may be done, in order.
    pub fn approved(&self) -> impl Iterator<Item = &Approved> + Clone {
        self.changes
            .iter()
            .filter_map(|change| change.approved.as_ref())
    }

    /// Whether anything may be done.
    #[must_use]
    pub fn approves_any(&self) -> bool {
        self.approved().next().is_some()
    }

    /// Whether a person may do anything who agrees to the plan and names no key.
    #[must_use]
    pub fn consent_approves_any(&self) -> bool {
        let mut steps = self.changes.iter().flat_map(|change| &change.steps);
        steps.any(|step| step.with_consent.is_approved())
    }

    /// What is left, in order.
    pub fn left(&self) -> impl Iterator<Item = Left<'_>> {
        self.changes.iter().flat_map(DecidedChange::left)
    }

    /// Whether anything is left.
    #[must_use]
    pub fn leaves_any(&self) -> bool {
        self.left().next().is_some()
    }
}

impl DecidedChange {
    /// The steps that may be made.
    pub(super) fn approved_steps(&self) -> impl Iterator<Item = &Step> {
        let approved = self.steps.iter().filter(|one| one.decision.is_approved());
        approved.map(|one| &*one.step)
    }

    /// The steps that are left.
    fn left(&self) -> impl Iterator<Item = Left<'_>> {
        self.steps.iter().filter_map(|one| {
            let reason = one.decision.left()?;
            Some(Left {
                key: &self.planned.change.key,
                verb: self.planned.change.verb,
                field: one.step.edit.as_ref().map(Edit::field),
                reason,
            })
        })
    }

    /// What may be made of it: a change with the edits of the approved steps alone.
    pub(super) fn approve(&self) -> Option<Approved> {
        let planned = &self.planned;
        let cause = self.approved_steps().map(|step| step.cause).max()?;
        let mut steps = self.steps.iter();
        // A replacement that may not be made leaves what can be changed in place.
        let verb = match steps.any(|one| one.step.replaces && !one.decision.is_approved()) {
            true => Verb::Update,
            false => planned.change.verb,
        };
        let edits = self.approved_steps().filter_map(|step| step.edit.clone());
        let edits: Vec<Edit> = edits.collect();
        let parts: Vec<String> = match edits.as_slice() {
            [] => vec![correction_fingerprint(planned, &[])],
            edits => edits
                .iter()
                .map(|edit| correction_fingerprint(planned, std::slice::from_ref(edit)))
                .collect(),
        };
        let risk = self.approved_steps().map(|step| step.risk).max();
        Some(Approved {
            change: planned.change.with_edits(verb, edits),
            cause,
            risk: risk.unwrap_or(Risk::Safe),
            fingerprint: parts.join("+"),
            first_create: planned.first_create,
            needs: planned.needs.clone(),
            composite: planned.composite.clone(),
        })
    }
}
