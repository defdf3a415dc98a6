//! A change of the plan and its steps.

use std::sync::Arc;

use super::MovedVariable;
use crate::change::{Draft, Edit};
use crate::compare::Cause;
use crate::model::{FieldName, OnMissing, ResourceKey};
use crate::risk::Risk;

/// A planned step of a change, with what it risks. A create or delete has one step without an edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What exactly is changed; none where the whole resource is created or deleted.
    pub edit: Option<Edit>,
    /// Why.
    pub cause: Cause,
    /// How bad it can be.
    pub risk: Risk,
    /// What would be lost or affected; empty if nothing.
    pub impact: String,
    /// Whether it takes deleting the resource and making it again.
    pub replaces: bool,
    /// Whether it can't be undone. Automation makes it only for an edit (semantics 6.2).
    pub one_way: bool,
}

/// A change of the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedChange {
    /// What is changed; its edits stand in the steps.
    pub change: Draft,
    /// The steps, at least one.
    pub steps: Vec<Arc<Step>>,
    /// Changes that are made all or none: a Pub/Sub topic with its binding and its orphaned
    /// subscription bears the topic's key (semantics 8.3).
    pub composite: Option<ResourceKey>,
    /// Resources that must be there first and are not.
    pub needs: Vec<ResourceKey>,
    /// Whether the resource never was: guards count these apart.
    pub first_create: bool,
    /// What automation does when it is missing.
    pub on_missing: OnMissing,
    /// Whether its scope was read whole.
    pub scope_read: bool,
    /// Tells this drift from another of the same resource, for what was announced.
    pub drift_fingerprint: String,
    /// What ignore rules that ended were about: a field, or (none) the whole resource.
    pub ended_rules: Vec<Option<FieldName>>,
    /// A variable of the environment that it depends on and that is missing or new: what is
    /// declared of it is not known here.
    pub variable: Option<MovedVariable>,
}

impl PlannedChange {
    /// The worst of its steps.
    #[must_use]
    pub fn risk(&self) -> Risk {
        self.steps
            .iter()
            .map(|step| step.risk)
            .max()
            .unwrap_or(Risk::Safe)
    }
}
