//! What state learns: from changes that a run begins and makes, and from commands about state
//! (semantics 3.2, 7, 8.1).
//!
//! Pure: [`begin`] and [`done`] are called around each change. A [`Recording`] is what state learns
//! without a write to a provider. The engine writes state, under the lease. The JSON of state is in
//! [`crate::stored::state`].

mod absence;
mod adopt;
mod change;
mod command;
mod forget;

use std::collections::BTreeMap;

pub use absence::MassAbsence;
pub use adopt::{Adoption, LeftAlone, adopt};
pub use change::{begin, count_automatic, done, drop_caught_up, intent, not_made};
pub use command::{Answer, CommandOutcome, UNKNOWN_NAME, resolve, retiring};
pub use forget::{Forgotten, forget};

use crate::compare::{Comparison, Verdict};
use crate::model::{Declared, Fields, Recorded, ResourceKey, Timestamp};
use crate::stored::state::State;

/// What state is to learn without a write to a provider.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recording {
    /// What state says of a resource; none drops what it said, and what was begun of it too.
    pub records: BTreeMap<ResourceKey, Option<Recorded>>,
    /// Declared resources that are not recorded when the stack is adopted, with their declared
    /// values: creating one waits for a person.
    pub awaiting: BTreeMap<ResourceKey, Fields>,
    /// Absences that a person confirmed, by when.
    pub absent: BTreeMap<ResourceKey, Timestamp>,
    /// When the stack is retired, if it is.
    pub retires: Option<Timestamp>,
}

impl Recording {
    /// What every run records: resources that are live as declared, and what is gone and no longer
    /// declared. Drift is never among it (semantics 7.2).
    #[must_use]
    pub fn of(comparison: &Comparison) -> Self {
        Self {
            records: comparison.records.clone(),
            ..Self::default()
        }
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// How many resources it records.
    #[must_use]
    pub fn recorded(&self) -> usize {
        self.records.values().flatten().count()
    }

    /// How many records it drops.
    #[must_use]
    pub fn forgotten(&self) -> usize {
        self.records.len() - self.recorded()
    }

    /// Puts into a first state what must be in it from its first write on: if the run ends right
    /// there, nothing may look new.
    pub fn begin(&self, state: &mut State) {
        let awaiting = self.awaiting.iter();
        state
            .awaiting
            .extend(awaiting.map(|(key, fields)| (key.clone(), fields.clone())));
    }

    /// State once these absences are confirmed, to see the world by.
    #[must_use]
    pub fn confirmed_in(&self, state: &State) -> State {
        let mut state = state.clone();
        let absent = self.absent.iter();
        state
            .absent
            .extend(absent.map(|(key, at)| (key.clone(), *at)));
        state
    }

    /// Puts it into state.
    pub fn write_into(&self, state: &mut State) {
        self.begin(state);
        for (key, record) in &self.records {
            match record {
                Some(record) => {
                    state.resources.insert(key.clone(), record.clone());
                    state.awaiting.remove(key);
                }
                None => {
                    state.resources.remove(key);
                    if let Some(applying) = &mut state.applying {
                        applying.intents.remove(key);
                    }
                }
            }
        }
        let absent = self.absent.iter();
        state
            .absent
            .extend(absent.map(|(key, at)| (key.clone(), *at)));
        state.retired = self.retires.or(state.retired);
    }
}

/// Keeps resources with a doubtful declaration out of the record, except for how a change of ours
/// ended.
pub fn leave_out(comparison: &mut Comparison, is_in_doubt: impl Fn(&ResourceKey) -> bool) {
    let Comparison {
        records, resolved, ..
    } = comparison;
    records.retain(|key, record| {
        if !is_in_doubt(key) {
            return true;
        }
        let ours = resolved.get(key).and_then(|one| one.record.clone());
        let is_ours = ours.is_some();
        *record = ours.flatten();
        is_ours
    });
}

/// Forgets marks that mean nothing any longer: a resource that is recorded or declared otherwise
/// waits for nobody, and a confirmed absence ends where the resource is there, is no longer recorded,
/// or was confirmed too long ago. What depends on a variable that moved keeps its marks, as far as it
/// can't be told here.
pub fn trim_marks(
    state: &mut State,
    declared: &Declared,
    comparison: &Comparison,
    is_in_doubt: impl Fn(&ResourceKey) -> bool,
    now: Timestamp,
) {
    let State {
        resources,
        awaiting,
        absent,
        ..
    } = state;
    awaiting.retain(|key, then| {
        let declared = declared.resources.get(key);
        let is_as_then = declared.is_some_and(|one| one.values() == *then);
        !resources.contains_key(key) && (is_as_then || is_in_doubt(key))
    });
    let may_be_gone = |key: &ResourceKey| match comparison.differences.get(key) {
        Some(one) => one.is_missing() || one.verdict == Verdict::Unknown,
        None => is_in_doubt(key),
    };
    absent.retain(|key, at| {
        resources.contains_key(key) && may_be_gone(key) && now.ms_since(*at) < State::ABSENCE_MS
    });
}
