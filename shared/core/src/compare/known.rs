//! Every resource that a comparison is about, with what is declared, recorded and read of it.
//!
//! Keys are looked up in their order (`seek.rs`), since a stack may have many thousands.

use std::collections::BTreeMap;

use super::seek::{self, SeekLive};
use super::{CompareInput, Fate, Resolved};
use crate::live::{Reading, ScopeReading};
use crate::model::{DeclaredResource, Recorded, ResourceKey};

static NONE_RECORDED: BTreeMap<ResourceKey, Recorded> = BTreeMap::new();

/// A key that is declared or recorded, or that a change of ours is open about, with what is said of it.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) key: &'a ResourceKey,
    pub(super) declared: Option<&'a DeclaredResource>,
    /// What state says.
    pub(super) stored: Option<&'a Recorded>,
    /// What became of a change of ours that state does not know the end of.
    pub(super) resolved: Option<&'a Resolved>,
    /// What its provider says; none if its scope was never asked for.
    pub(super) reading: Option<Reading<'a>>,
    /// What was read of its scope.
    pub(super) scope: Option<&'a ScopeReading>,
}

impl<'a> Known<'a> {
    /// What is recorded of it, once changes that were open are resolved.
    pub(super) fn recorded(&self) -> Option<&'a Recorded> {
        let resolved = self.resolved.and_then(|resolved| resolved.record.as_ref());
        resolved.map_or(self.stored, Option::as_ref)
    }
}

/// Every such key, in order.
pub(super) fn known<'a>(
    input: CompareInput<'a>,
    resolved: &'a BTreeMap<ResourceKey, Resolved>,
    live: &mut SeekLive<'a>,
) -> Vec<Known<'a>> {
    let declared = &input.declared.resources;
    let stored = input.state.map_or(&NONE_RECORDED, |state| &state.resources);
    let one = |(key, declared, stored)| Known {
        key,
        declared,
        stored,
        resolved: None,
        reading: None,
        scope: None,
    };
    let mut keys: Vec<Known<'a>> = seek::side_by_side(declared, stored).map(one).collect();
    // What a run made, or may have made, and neither knows. What it did not make is nobody's.
    let is_ours = |(key, one): &(&ResourceKey, &Resolved)| {
        let is_made = matches!(one.record, Some(Some(_)));
        let is_there = matches!(input.live.reading(key), Some(Reading::Present(_)));
        is_made || (one.fate == Fate::Open && !is_there)
    };
    let begun = resolved
        .iter()
        .filter(|(key, _)| !declared.contains_key(*key) && !stored.contains_key(*key))
        .filter(is_ours);
    let known = keys.len();
    keys.extend(begun.map(|(key, _)| one((key, None, None))));
    if keys.len() > known {
        keys.sort_by_key(|known| known.key);
    }
    for known in &mut keys {
        (known.scope, known.reading) = live.reading(known.key).unzip();
        known.resolved = resolved.get(known.key);
    }
    keys
}
