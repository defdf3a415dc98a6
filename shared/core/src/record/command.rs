//! What a command about state comes to: adopt, forget, refresh, confirm an absence, retire.

use std::collections::{BTreeMap, BTreeSet};

use super::{Adoption, Forgotten, MassAbsence, Recording};
use crate::model::{Declared, ResourceKey};
use crate::plan::{Decided, ambiguous};
use crate::stored::state::State;

/// What a command about state comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandOutcome {
    /// What it writes into state alone.
    pub recording: Recording,
    /// What else there is to say of it.
    pub answer: Answer,
}

impl CommandOutcome {
    /// Whether carrying it out does anything that a person is asked about: it may delete something, it
    /// ends a stack, or it records something.
    #[must_use]
    pub fn does_anything(&self, decided: &Decided) -> bool {
        let records = match self.answer {
            Answer::Retired { .. } => self.recording.retires.is_some(),
            _ => !self.recording.is_empty(),
        };
        records || decided.approves_any()
    }
}

/// What is said of a name that fits nothing, where all that a stack knows can be named.
pub const UNKNOWN_NAME: &str = "is neither declared nor recorded";

/// What there is to say of a command about state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Of `refresh`.
    Refreshed,
    /// Of `adopt`.
    Adopted(Adoption),
    /// Of `forget`: what it means of each.
    Forgotten(BTreeMap<ResourceKey, Forgotten>),
    /// Of `refresh --confirm-absence`: what is gone all at once.
    Absent(MassAbsence),
    /// Of `retire`: how many declared resources are live and not recorded, so that they are left.
    Retired {
        /// How many.
        unrecorded: usize,
    },
}

/// Finds the resources that a person named, by key or short name. `unfit` says of a name what it is if
/// none of them has it: "is not recorded".
///
/// # Errors
/// When a name fits none of them, or more than one.
pub fn resolve<'a>(
    names: &[String],
    keys: impl Iterator<Item = &'a ResourceKey> + Clone,
    unfit: &str,
) -> Result<BTreeSet<ResourceKey>, String> {
    let one = |name: &String| {
        let found: BTreeSet<&ResourceKey> =
            keys.clone().filter(|key| key.answers_to(name)).collect();
        let mut found = found.into_iter();
        match (found.next(), found.next()) {
            (None, _) => Err(format!("`{name}` {unfit}")),
            (Some(key), None) => Ok(key.clone()),
            (Some(first), Some(second)) => {
                let all: Vec<String> = [first, second]
                    .into_iter()
                    .chain(found)
                    .map(ToString::to_string)
                    .collect();
                Err(ambiguous(name, &all))
            }
        }
    };
    names.iter().map(one).collect()
}

/// A stack's definitions and policy while it is retired: nothing is declared, whatever variables
/// are set here, so everything recorded is an orphan; and orphans may be deleted.
#[must_use]
pub fn retiring(declared: &Declared, state: &State) -> (Declared, State) {
    let (mut declared, mut state) = (declared.clone(), state.clone());
    declared.resources.clear();
    declared.config_keys.clear();
    declared.variables.clear();
    declared.ignore_rules.clear();
    declared.policy.prune = true;
    state.policy.prune = true;
    (declared, state)
}
