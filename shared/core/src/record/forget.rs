//! Forgetting: a record is dropped, and the resource stays as it is (semantics 7.3).

use std::collections::{BTreeMap, BTreeSet};

use super::Recording;
use crate::compare::Comparison;
use crate::live::{LiveWorld, Reading};
use crate::model::{Declared, ResourceKey};

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
            Self::Unmanaged => "it stays as it is, and kedge no longer watches it",
            Self::Gone => "it is already gone, and kedge no longer expects it",
            Self::RecordedAgain => {
                "it is still declared, so the next run records it again; remove it from the definitions \
                 first"
            }
            Self::NotAdopted => {
                "it is still declared and differs: it waits until somebody adopts or deploys it"
            }
            Self::New => "it is still declared and does not exist: a deploy creates it",
            Self::Unread => "it could not be read: a later check shows how it stands",
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
            (Some(Reading::Absent(_)), false) => Forgotten::Gone,
            (Some(Reading::Present(_)), false) => Forgotten::Unmanaged,
            (Some(Reading::Absent(_)), true) => Forgotten::New,
            (Some(Reading::Present(_)), true) if differs() => Forgotten::NotAdopted,
            (Some(Reading::Present(_)), true) => Forgotten::RecordedAgain,
        }
    };
    let meanings = keys.iter().map(|key| (key.clone(), meaning(key)));
    (recording, meanings.collect())
}
