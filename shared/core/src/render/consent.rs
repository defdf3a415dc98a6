//! Who may make each change of a plan (automation, a person, a person who names the key), and the
//! commands for it.
//!
//! It decides nothing: it shows what `plan::authorise` decided for each of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::hint::Hint;
use crate::model::ResourceKey;
use crate::plan::{DecidedStep, LeftReason, Plan, PlannedChange};
use crate::report::Report;
use crate::risk::Risk;

/// Who does a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Who {
    /// Automation, by policy alone.
    Automation,
    /// A person who agrees to the plan.
    Person,
    /// A person who names the key besides.
    Named,
    /// A person who types the stack's name on a terminal.
    Typed,
    /// Nobody, while a guard refuses the plan.
    Guarded,
}

/// Who does a step.
pub(crate) fn actor(plan: &Plan, step: &DecidedStep) -> Who {
    match (step.decision.left(), step.with_consent.left()) {
        (None, _) => Who::Automation,
        (_, None) if plan.policy.protected && !plan.overridden.is_empty() => Who::Typed,
        (_, None) => Who::Person,
        (_, Some(LeftReason::Guard(_))) => Who::Guarded,
        _ if plan.policy.protected => Who::Typed,
        _ => Who::Named,
    }
}

/// What a person can do about a plan.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Commands {
    /// What automation does, done now.
    pub(crate) unattended: Option<Hint>,
    /// Safe and disruptive changes.
    pub(crate) person: Option<Hint>,
    /// Destructive ones too.
    pub(crate) named: Option<Hint>,
    /// Destructive ones of a protected stack, or past its guards.
    pub(crate) typed: Option<Hint>,
    /// Past the guards.
    pub(crate) overriding: Option<Hint>,
}

/// What carries out this plan. Nothing of it would be refused.
pub(crate) fn commands(report: &Report) -> Commands {
    let run = report.open_run.as_ref();
    let is_working = run.is_some_and(|run| run.is_working());
    if report.invalid.is_some() || report.push_first.is_some() || is_working {
        return Commands::default();
    }
    let plan = &report.plan;
    let digest = Some(plan.digest.clone());
    let keys: Vec<String> = allow_keys(plan);
    let mut commands = Commands::default();
    if report.decided.approves_any() {
        commands.unattended = Some(Hint::Unattended);
    }
    // The plan is one with these guards overridden, and so must be the command.
    let trips = plan.overridden.iter().chain(&plan.tripped);
    let overrides: Vec<&'static str> = trips.map(|trip| trip.guard.as_str()).collect();
    if !plan.tripped.is_empty() {
        commands.overriding = Some(Hint::Up {
            plan: None,
            allow: Vec::new(),
            overrides,
        });
        return commands;
    }
    if plan.policy.protected && !overrides.is_empty() {
        // Whatever it changes: it takes the stack's name, typed (semantics 6.7).
        commands.typed = Some(Hint::Up {
            plan: None,
            allow: Vec::new(),
            overrides,
        });
        return commands;
    }
    let has_moved = !plan.variables.is_empty();
    if report.decided.consent_approves_any() || !report.records().is_empty() || has_moved {
        commands.person = Some(Hint::Up {
            plan: digest.clone(),
            allow: Vec::new(),
            overrides: overrides.clone(),
        });
    }
    match (keys.is_empty(), plan.policy.protected) {
        (true, _) => {}
        (false, true) => commands.typed = Some(Hint::up()),
        (false, false) => {
            commands.named = Some(Hint::Up {
                plan: digest,
                allow: keys,
                overrides,
            });
        }
    }
    commands
}

/// What a person must approve beside the digest: destructive changes, and a policy that allows more.
fn allow_keys(plan: &Plan) -> Vec<String> {
    let short = ShortKeys::new(plan);
    let needs = |planned: &&Arc<PlannedChange>| planned.risk() == Risk::Destructive;
    let mut keys: Vec<String> = plan
        .changes
        .iter()
        .filter(needs)
        .map(|planned| short.of(&planned.change.key))
        .collect();
    if !plan.policy_change.loosened.is_empty() {
        keys.push("policy".to_owned());
    }
    keys
}

/// Short names of the plan's keys that `--allow` takes ([`ResourceKey::answers_to`]).
pub(crate) struct ShortKeys {
    /// How many keys of the plan answer to each name.
    answers: BTreeMap<String, usize>,
}

impl ShortKeys {
    pub(crate) fn new(plan: &Plan) -> Self {
        let mut answers = BTreeMap::new();
        for planned in &plan.changes {
            let key = &planned.change.key;
            let full = key.to_string();
            let endings = full
                .match_indices('/')
                .filter_map(|(at, _)| full.get(at + 1..));
            let mut names: BTreeSet<String> = endings.map(str::to_owned).collect();
            names.extend([key.name_head().to_owned(), with_kind(key), full.clone()]);
            for name in names {
                *answers.entry(name).or_default() += 1;
            }
        }
        Self { answers }
    }

    /// The shortest readable name by which this key is found, and no other of the plan.
    pub(crate) fn of(&self, key: &ResourceKey) -> String {
        // `policy` is the policy, whatever else bears that name.
        let is_alone = |name: &&str| *name != "policy" && self.answers.get(*name) == Some(&1);
        [key.name_head(), key.name(), &with_kind(key)]
            .into_iter()
            .find(is_alone)
            .map_or_else(|| key.to_string(), str::to_owned)
    }
}

fn with_kind(key: &ResourceKey) -> String {
    format!("{}/{}", key.kind().as_str(), key.name())
}
