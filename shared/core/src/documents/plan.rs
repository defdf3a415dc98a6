//! What a run would do, and by which command.

use serde::Serialize;

use super::parts::{FieldEdit, Reason, ResourceName, Text, Value, count};
use super::words::{Action, Cause, Kind, Provider, Risk, Verb, Who};
use crate::hint::Hint;
use crate::model::ResourceKey;
use crate::plan::{self, DecidedChange, DecidedStep};
use crate::render::Hints;
use crate::render::consent::{self, ShortKeys, actor};
use crate::report::Report;
use crate::risk;

/// What would be done with every approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Plan {
    /// Tells this plan from another: what `up --plan` takes.
    pub digest: Text,
    /// The changes, in the order in which they are made.
    pub changes: Vec<PlannedChange>,
    /// What `up` writes only to state.
    pub records: StateOnly,
}

/// What is written only to state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StateOnly {
    /// How many resources are recorded.
    pub recorded: u64,
    /// How many records are dropped.
    pub forgotten: u64,
}

/// A change that would be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PlannedChange {
    /// The resource's key.
    pub key: Text,
    /// What sort of resource it is.
    pub kind: Kind,
    /// Who has it.
    pub provider: Provider,
    /// The resource's name.
    pub name: Text,
    /// What is done.
    pub verb: Verb,
    /// The worst of its steps.
    pub risk: Risk,
    /// The key for `--allow`, if the change is destructive and the stack is not protected.
    pub allow: Option<Text>,
    /// The keys of changes that must be made before it.
    pub depends_on: Vec<Text>,
    /// Changes with the same key here are made together or not at all.
    pub all_or_none_with: Option<Text>,
    /// What exactly is done.
    pub steps: Vec<PlannedStep>,
}

/// A step of a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PlannedStep {
    /// What is done.
    pub action: Action,
    /// The field; `null`: the whole resource.
    pub field: Option<Text>,
    /// The new value, of `set`.
    pub to: Option<Value>,
    /// The item, of `add` and `remove`.
    pub item: Option<Text>,
    /// Why.
    pub cause: Cause,
    /// How bad it can be.
    pub risk: Risk,
    /// What would be lost or noticed; empty if nothing.
    pub impact: Text,
    /// Whether the resource must be replaced for it.
    pub replaces: bool,
    /// Who may make it.
    pub who: Who,
    /// Why automation does not make it; `null` if it does.
    pub waiting: Option<Reason>,
}

/// The commands that do it. One is `null` if it has nothing to do or would be refused: if the stored
/// definitions can't be used, or if `preview` shows local ones that differ from them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Commands {
    /// Does now what automation does on its next run.
    pub automation: Option<Text>,
    /// Does what a person may do who approves this plan.
    pub person: Option<Text>,
    /// The same, and approves the keys of destructive changes.
    pub person_approving_key: Option<Text>,
    /// The same for a protected stack: asks for its name on a terminal.
    pub person_typing_stack_name: Option<Text>,
    /// Overrides the guards that refuse the plan.
    pub overriding_guards: Option<Text>,
}

/// The plan of a report.
pub(super) fn plan(report: &Report) -> Plan {
    let short = ShortKeys::new(&report.plan);
    let changes = report.decided.changes.iter();
    let records = report.records();
    let forgotten = records.values().filter(|record| record.is_none()).count();
    Plan {
        digest: Text::new(&report.plan.digest),
        changes: changes
            .map(|decided| change(&report.plan, &short, decided))
            .collect(),
        records: StateOnly {
            recorded: count(records.len() - forgotten),
            forgotten: count(forgotten),
        },
    }
}

fn change(plan: &plan::Plan, short: &ShortKeys, decided: &DecidedChange) -> PlannedChange {
    let planned = &decided.planned;
    let needs_key = planned.risk() == risk::Risk::Destructive && !plan.policy.protected;
    let resource = &planned.change.key;
    let ResourceName {
        key,
        kind,
        provider,
        name,
    } = resource.into();
    let depends_on = |keys: &[ResourceKey]| keys.iter().map(Text::of).collect();
    PlannedChange {
        key,
        kind,
        provider,
        name,
        verb: (&planned.change.verb).into(),
        risk: (&planned.risk()).into(),
        allow: needs_key.then(|| Text::new(&short.of(resource))),
        depends_on: depends_on(&planned.needs),
        all_or_none_with: planned.composite.as_ref().map(Text::of),
        steps: decided.steps.iter().map(|one| step(plan, one)).collect(),
    }
}

fn step(plan: &plan::Plan, decided: &DecidedStep) -> PlannedStep {
    let step = &decided.step;
    let FieldEdit {
        action,
        field,
        to,
        item,
    } = FieldEdit::new(step.edit.as_ref());
    PlannedStep {
        action,
        field,
        to,
        item,
        cause: (&step.cause).into(),
        risk: (&step.risk).into(),
        impact: Text::new(&step.impact),
        replaces: step.replaces,
        who: (&actor(plan, decided)).into(),
        waiting: decided.decision.left().map(Into::into),
    }
}

/// The commands of a report, as `hints` says them.
pub(super) fn commands(report: &Report, hints: Hints<'_>) -> Commands {
    let consent::Commands {
        unattended,
        person,
        named,
        typed,
        overriding,
    } = consent::commands(report);
    let text = |hint: Option<Hint>| hint.map(|hint| Text::new(&hints(&hint)));
    Commands {
        automation: text(unattended),
        person: text(person),
        person_approving_key: text(named),
        person_typing_stack_name: text(typed),
        overriding_guards: text(overriding),
    }
}
