//! What verbs write into state alone: adopt, forget, refresh, confirm an absence, retire (semantics
//! 3.2 and 7).
//!
//! Pure: each function makes a [`Recording`] from what one look at a stack found; the engine writes
//! it under the lease as it writes any other run.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use crate::compare::{Comparison, Difference, Verdict};
use crate::live::{FailureCode, Live, LiveWorld, Reading};
use crate::model::{
    Declared, DeclaredResource, Fields, Recorded, ResourceKey, StackName, Timestamp,
};
use crate::plan::{LeftReason, Plan};
use crate::report::Report;
use crate::state::State;

/// What state is to learn without a write to a provider.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recording {
    /// What state says of a resource; none drops what it said, and what was begun of it too.
    pub records: BTreeMap<ResourceKey, Option<Recorded>>,
    /// What is declared when a stack is adopted: of what is not recorded then, making it waits.
    pub awaiting: BTreeMap<ResourceKey, Fields>,
    /// Absences that a person confirmed, by when.
    pub absent: BTreeMap<ResourceKey, Timestamp>,
    /// When the stack is retired, if it is.
    pub retires: Option<Timestamp>,
}

impl Recording {
    /// What every run records: resources that are live as declared, and what is gone and withdrawn.
    /// Drift is never among it (semantics 7.2).
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

    /// Puts into a first state what must stand in it from its first write on: should the run end right
    /// there, nothing may be taken for new.
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

/// Has nothing recorded of resources whose declaration is in doubt, but how a change of ours ended.
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
pub fn trim_marks(state: &mut State, report: &Report, now: Timestamp) {
    let State {
        resources,
        awaiting,
        absent,
        ..
    } = state;
    let is_in_doubt = report.doubts();
    awaiting.retain(|key, then| {
        let declared = report.declared.resources.get(key);
        let is_as_then = declared.is_some_and(|one| one.values() == *then);
        !resources.contains_key(key) && (is_as_then || is_in_doubt(key))
    });
    let may_be_gone = |key: &ResourceKey| match report.comparison.differences.get(key) {
        Some(one) => one.is_missing() || one.verdict == Verdict::Unknown,
        None => is_in_doubt(key),
    };
    absent.retain(|key, at| {
        resources.contains_key(key) && may_be_gone(key) && now.ms_since(*at) < State::ABSENCE_MS
    });
}

/// A resource that is left as it was, and why: one sentence without a final stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftAlone {
    /// Which.
    pub key: ResourceKey,
    /// Why.
    pub why: String,
}

/// What adopting a stack, or some of its resources, comes to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Adoption {
    /// What is recorded.
    pub recording: Recording,
    /// What is adopted as it is declared.
    pub equal: Vec<ResourceKey>,
    /// What is adopted and differs: it waits for a person, whatever the policy.
    pub pending: Vec<ResourceKey>,
    /// What is not adopted.
    pub left: Vec<LeftAlone>,
}

/// Records what is live, declared and not recorded, and changes nothing (semantics 7.1). `only` names
/// the resources that are meant; none means all.
#[must_use]
pub fn adopt(
    declared: &Declared,
    state: Option<&State>,
    live: &LiveWorld,
    (comparison, plan): (&Comparison, &Plan),
    only: Option<&BTreeSet<ResourceKey>>,
) -> Adoption {
    let mut adoption = Adoption::default();
    if state.is_some() {
        adoption.recording = Recording::of(comparison);
    }
    let is_meant = |key: &ResourceKey| only.is_none_or(|only| only.contains(key));
    for difference in comparison.differences.values() {
        let key = &difference.key;
        let is_recorded = comparison.recorded(state, key).is_some();
        let Some(resource) = declared.resources.get(key).filter(|_| is_meant(key)) else {
            continue;
        };
        if is_recorded {
            // Only who names it wants to hear of it.
            if only.is_some() {
                adoption.leave(key, "it is adopted already");
            }
            continue;
        }
        if let Some(variable) = plan.variable_of(declared, key) {
            adoption.leave(key, &LeftReason::Variable(variable.clone()).to_string());
            continue;
        }
        match (live.reading(key), &difference.blocked) {
            (_, Some(why)) => adoption.leave(key, why),
            (Some(Reading::Present(live)), None) => adoption.take(difference, resource, live),
            (Some(Reading::Absent), None) => {
                adoption.leave(key, "it is not there; a person's `kedge up` creates it");
            }
            (Some(Reading::Unknown(failure)), None) => {
                adoption.leave(key, &format!("it could not be read: {}", failure.reason));
            }
            (None, None) => adoption.leave(key, "its scope was not read"),
        }
    }
    if state.is_none() && adoption.recording.recorded() > 0 {
        let declared = declared.resources.iter();
        adoption.recording.awaiting = declared
            .map(|(key, resource)| (key.clone(), resource.values()))
            .collect();
    }
    adoption
}

impl Adoption {
    fn leave(&mut self, key: &ResourceKey, why: &str) {
        self.left.push(LeftAlone {
            key: key.clone(),
            why: why.to_owned(),
        });
    }

    fn take(&mut self, difference: &Difference, resource: &DeclaredResource, live: &Live) {
        let key = &difference.key;
        let record = adopted(difference, resource, live);
        match record.pending_adoption.is_empty() {
            true => self.equal.push(key.clone()),
            false => self.pending.push(key.clone()),
        }
        self.recording.records.insert(key.clone(), Some(record));
    }
}

/// What is recorded of a resource that is adopted: what is live of what is declared. A field that
/// differs, overlooked by a rule or not, is marked with the value it is declared to have.
fn adopted(difference: &Difference, resource: &DeclaredResource, live: &Live) -> Recorded {
    let mut record = Recorded {
        fields: resource.values(),
        ..Recorded::default()
    };
    for field in difference.fields.iter().chain(&difference.ignored) {
        let name = &field.field;
        if let Some(declared) = record.fields.remove(name) {
            record.pending_adoption.insert(name.clone(), declared);
        }
        if let Some(value) = live.fields.get(name) {
            record.fields.insert(name.clone(), value.clone());
        }
    }
    record
}

/// What forgetting a resource means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Forgotten {
    /// It is no longer declared: it stays where it is and is nobody's.
    Unmanaged,
    /// It is no longer declared and gone already.
    Gone,
    /// It is declared and live as declared: the next run records it again.
    RecordedAgain,
    /// It is declared, live and different: it is not adopted, and waits for a person.
    NotAdopted,
    /// It is declared and not there: it counts as new, and a deploy creates it.
    New,
    /// It could not be read: what it is afterwards is seen when it can.
    Unread,
}

impl Forgotten {
    /// What a person is told before they agree: a sentence without a final stop.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Self::Unmanaged => "it stays as it is, unmanaged: nothing watches it any longer",
            Self::Gone => "it is gone already, and nothing misses it any longer",
            Self::RecordedAgain => {
                "it is declared still, so the next run records it again; take it out of the \
                 definitions first"
            }
            Self::NotAdopted => {
                "it is declared still: it is not adopted then, and waits for `kedge adopt` or a \
                 person's `kedge up`"
            }
            Self::New => {
                "it is declared still and not there: it counts as new then, and a deploy creates it"
            }
            Self::Unread => "it could not be read: what it is then is seen when it can",
        }
    }

    /// The word in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unmanaged => "unmanaged",
            Self::Gone => "gone",
            Self::RecordedAgain => "recorded-again",
            Self::NotAdopted => "not-adopted",
            Self::New => "new",
            Self::Unread => "unread",
        }
    }
}

/// Drops the records of these resources, and leaves the resources as they are (semantics 7.3).
#[must_use]
pub fn forget(
    declared: &Declared,
    live: &LiveWorld,
    comparison: &Comparison,
    keys: &BTreeSet<ResourceKey>,
) -> (Recording, BTreeMap<ResourceKey, Forgotten>) {
    let mut recording = Recording::of(comparison);
    recording
        .records
        .extend(keys.iter().map(|key| (key.clone(), None)));
    let meaning = |key: &ResourceKey| {
        let is_declared = declared.resources.contains_key(key);
        let differs = || {
            let difference = comparison.differences.get(key);
            difference.is_some_and(|one| !one.fields.is_empty() || !one.ignored.is_empty())
        };
        match (live.reading(key), is_declared) {
            (None | Some(Reading::Unknown(_)), _) => Forgotten::Unread,
            (Some(Reading::Absent), false) => Forgotten::Gone,
            (Some(Reading::Present(_)), false) => Forgotten::Unmanaged,
            (Some(Reading::Absent), true) => Forgotten::New,
            (Some(Reading::Present(_)), true) if differs() => Forgotten::NotAdopted,
            (Some(Reading::Present(_)), true) => Forgotten::RecordedAgain,
        }
    };
    let meanings = keys.iter().map(|key| (key.clone(), meaning(key)));
    (recording, meanings.collect())
}

/// Resources that are gone all at once, which nobody believes until a person says so (semantics 3.2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MassAbsence {
    /// Which.
    pub keys: BTreeSet<ResourceKey>,
    /// What a person who saw them names: the same for the same resources of the same stack.
    pub digest: String,
}

impl MassAbsence {
    /// What one look found.
    #[must_use]
    pub fn of(stack: &StackName, comparison: &Comparison) -> Self {
        let is_doubted = |one: &&Difference| {
            let failure = one.failure.as_ref();
            failure.is_some_and(|failure| failure.code == FailureCode::MassAbsence)
        };
        let doubted = comparison.differences.values().filter(is_doubted);
        let keys: BTreeSet<ResourceKey> = doubted.map(|one| one.key.clone()).collect();
        let mut hash = Sha256::new();
        hash.update(format!("absence of {stack}\n"));
        keys.iter().for_each(|key| hash.update(format!("{key}\n")));
        let digest = hash
            .finalize()
            .iter()
            .take(8)
            .fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
        Self { keys, digest }
    }

    /// Says that they are gone. The record stays: they count as missing from now on.
    #[must_use]
    pub fn confirmed(&self, comparison: &Comparison, now: Timestamp) -> Recording {
        Recording {
            absent: self.keys.iter().map(|key| (key.clone(), now)).collect(),
            ..Recording::of(comparison)
        }
    }
}

/// What a verb that was asked for comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandOutcome {
    /// What it writes into state alone.
    pub recording: Recording,
    /// What else there is to say of it.
    pub answer: Answer,
}

/// What is said of a name that fits nothing, where all that a stack knows can be named.
pub const UNKNOWN_NAME: &str = "is neither declared nor recorded";

/// What there is to say of a verb that was asked for.
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
                let rest = found.map(|key| format!(" or {key}"));
                let rest: String = rest.collect();
                Err(format!("`{name}` may mean {first} or {second}{rest}"))
            }
        }
    };
    names.iter().map(one).collect()
}

/// What a stack's definitions and policy are while it is retired: nothing is declared, so that
/// everything recorded is withdrawn, whatever variables are set here, and withdrawing may delete.
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
