//! Who may do what: the tick by itself, a person with a digest, a person who names the key.
//!
//! Nothing is guessed: the plan is put before the person's authority too, as `up` would.

use std::collections::BTreeSet;

use super::view::Fates;
use crate::model::ResourceKey;
use crate::plan::{Authority, Decided, LeftReason, Plan, PlannedChange, Step, authorise};
use crate::report::Report;
use crate::risk::Risk;

/// Who does a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Who {
    /// A tick, by policy alone.
    Tick,
    /// A person who agrees to the plan.
    Person,
    /// A person who names the key besides.
    Named,
    /// A person who types the stack's name on a terminal.
    Typed,
    /// Nobody, while a guard refuses the plan.
    Guarded,
}

impl Who {
    /// The word in JSON.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Tick => "tick",
            Self::Person => "person",
            Self::Named => "person-who-names-the-key",
            Self::Typed => "person-who-types-the-name",
            Self::Guarded => "nobody-while-guarded",
        }
    }
}

/// What a person who agrees to the plan, and to nothing besides, may do.
pub(super) fn person(plan: &Plan) -> Decided {
    let allowed = BTreeSet::new();
    authorise(
        plan,
        Authority::Person {
            allowed: &allowed,
            policy_allowed: false,
            name_typed: false,
        },
    )
}

/// Who does each step of a change.
pub(super) fn whos<'s>(
    report: &Report,
    person: &Fates<'_>,
    tick: &[(&'s Step, Option<&LeftReason>)],
    planned: &'s PlannedChange,
) -> Vec<Who> {
    let is_protected = report.plan.policy.protected;
    let by_person = person.of(planned);
    tick.iter()
        .zip(by_person)
        .map(
            |((_, by_tick), (_, by_person))| match (by_tick, by_person) {
                (None, _) => Who::Tick,
                (_, None) => Who::Person,
                (_, Some(LeftReason::Guard(_))) => Who::Guarded,
                _ if is_protected => Who::Typed,
                _ => Who::Named,
            },
        )
        .collect()
}

/// The commands of a person.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Commands {
    /// What a tick does, done now.
    pub(super) unattended: Option<String>,
    /// Safe and disruptive changes.
    pub(super) person: Option<String>,
    /// Destructive ones too.
    pub(super) named: Option<String>,
    /// Destructive ones of a protected stack.
    pub(super) typed: Option<String>,
    /// Past the guards.
    pub(super) overriding: Option<String>,
}

/// The commands that carry out this plan.
pub(super) fn commands(report: &Report) -> Commands {
    let plan = &report.plan;
    let up = format!("kedge up --stack {}", report.declared.stack);
    let with_plan = format!("{up} --plan {}", plan.digest);
    let keys: Vec<String> = allow_keys(plan);
    let allow: String = keys
        .iter()
        .map(|key| format!(" --allow {}", quoted(key)))
        .collect();
    let mut commands = Commands::default();
    if !report.decided.approved.is_empty() {
        commands.unattended = Some(format!("{up} --unattended"));
    }
    if !plan.tripped.is_empty() {
        let guards = plan
            .tripped
            .iter()
            .map(|trip| format!(" --override {}", trip.guard.as_str()));
        commands.overriding = Some(format!("{up}{}", guards.collect::<String>()));
        return commands;
    }
    if !person(plan).approved.is_empty() || !report.comparison.records.is_empty() {
        commands.person = Some(with_plan.clone());
    }
    match (keys.is_empty(), plan.policy.protected) {
        (true, _) => {}
        (false, true) => commands.typed = Some(up),
        (false, false) => commands.named = Some(format!("{with_plan}{allow}")),
    }
    commands
}

/// What a person must name beside the digest: destructive changes, and a looser policy.
fn allow_keys(plan: &Plan) -> Vec<String> {
    let needs = |planned: &&PlannedChange| planned.risk() == Risk::Destructive;
    let mut keys: Vec<String> = plan
        .changes
        .iter()
        .filter(needs)
        .map(|planned| short_key(plan, &planned.change.key))
        .collect();
    if !plan.policy_change.loosened.is_empty() {
        keys.push("policy".to_owned());
    }
    keys
}

/// The shortest name by which `--allow` finds this key and no other of the plan
/// ([`ResourceKey::answers_to`]).
#[must_use]
pub fn short_key(plan: &Plan, key: &ResourceKey) -> String {
    let with_kind = format!("{}/{}", key.kind().as_str(), key.name());
    let is_alone = |name: &&str| {
        let mut fits = plan
            .changes
            .iter()
            .filter(|planned| planned.change.key.answers_to(name));
        // `policy` is the policy, whatever else bears that name.
        *name != "policy" && fits.next().is_some() && fits.next().is_none()
    };
    [key.name_head(), key.name(), &with_kind]
        .into_iter()
        .find(is_alone)
        .map_or_else(|| key.to_string(), str::to_owned)
}

/// A word for a shell.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@+".contains(c);
    if word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}
