//! Confirming that many resources are gone (semantics 3.2).

use std::collections::BTreeSet;

use super::Recording;
use crate::compare::{Comparison, Difference};
use crate::live::FailureCode;
use crate::model::{ResourceKey, StackName, Timestamp, short_hash};

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
        let listed: String = keys.iter().map(|key| format!("{key}\n")).collect();
        let digest = short_hash(&format!("absence of {stack}\n{listed}"));
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
