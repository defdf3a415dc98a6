//! How many requests a check takes, before it is begun: to hold it to its budget, and to cut many stacks
//! into groups that fit.
//!
//! Pure. The numbers are those of a stack of which all is there. What has to be proven gone, or asked again,
//! takes more: requests that are promised to nobody. What a change takes is said by its provider
//! ([`crate::providers`]).

use std::collections::BTreeMap;

use kedge_core::live::ScopeReading;
use kedge_core::model::{Declared, Kind, Scope, StackName};
use kedge_core::providers::ProviderName;
use kedge_core::ran_out::RanOut;
use kedge_core::state::State;
use kedge_core::stored::index::{Entry, ScopeReads};

use crate::budget::Reserve;
use crate::providers;
use crate::reads::Reads;
use crate::wanted::wanted;

/// The most stacks of a group: fewer than what [`crate::Caches`] keeps parsed, so that the next check of
/// the group parses nothing.
const STACKS_OF_GROUP_MAX: usize = 50;
/// What a check reads of the store: definitions, state, and what checks remember.
const STORE_READS: u64 = 3;

/// What a check of one or several stacks takes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Estimate {
    /// Reads of the store.
    store: u64,
    /// What is held back for each stack.
    reserve: u64,
    /// By the text of the scope, as the registry has it.
    scopes: BTreeMap<String, Reads>,
}

impl Estimate {
    /// What the registry says of a check: no more than a push or the registry's making knew.
    #[must_use]
    pub fn listed(entry: &Entry) -> Self {
        let scope = |(scope, reads): (&String, &ScopeReads)| (scope.clone(), Reads::from(*reads));
        Self {
            store: STORE_READS,
            reserve: Reserve::Check.requests(),
            scopes: entry.reads.iter().map(scope).collect(),
        }
    }

    /// What the registry is to say of it.
    pub(crate) fn by_scope(&self) -> BTreeMap<String, ScopeReads> {
        let scope = |(scope, reads): (&String, &Reads)| (scope.clone(), ScopeReads::from(*reads));
        self.scopes.iter().map(scope).collect()
    }

    /// How many requests to each provider.
    #[must_use]
    pub fn by_provider(&self) -> BTreeMap<ProviderName, u64> {
        let of = |provider: ProviderName| {
            let word = provider.as_str();
            let is_its = |scope: &str| scope.split('/').next() == Some(word);
            let scopes = self.scopes.iter().filter(|(scope, _)| is_its(scope));
            scopes.map(|(_, reads)| reads.requests()).sum()
        };
        let all = ProviderName::ALL.map(|provider| (provider, of(provider)));
        all.into_iter()
            .filter(|(_, requests)| *requests > 0)
            .collect()
    }

    /// How many requests, to providers and store together.
    #[must_use]
    pub fn requests(&self) -> u64 {
        let scopes = self.scopes.values().map(|reads| reads.requests());
        self.store.saturating_add(scopes.sum())
    }

    /// The limit of requests under which it fits: with what must be left for what comes after it.
    #[must_use]
    pub fn limit(&self) -> u64 {
        self.requests().saturating_add(self.reserve)
    }

    /// The same for a group of stacks, which reads each scope once for all of them.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let mut scopes = self.scopes.clone();
        for (scope, reads) in &other.scopes {
            let both = scopes.get(scope).map_or(*reads, |one| one.and(*reads));
            scopes.insert(scope.clone(), both);
        }
        Self {
            store: self.store.saturating_add(other.store),
            reserve: self.reserve.saturating_add(other.reserve),
            scopes,
        }
    }
}

/// What a check of a stack takes.
#[must_use]
pub fn estimate(declared: &Declared, state: Option<&State>) -> Estimate {
    let wanted = wanted(declared, state, false);
    let applying = state.and_then(|state| state.applying.as_ref());
    let reads_lease = applying.is_some_and(|applying| !applying.intents.is_empty());
    let is_recorded = |key| state.is_some_and(|state| state.resources.contains_key(key));
    let mut names = declared.resources.keys();
    let reads_registry = names.any(|key| key.kind() == Kind::DnsRecordSet && !is_recorded(key));
    Estimate {
        store: STORE_READS + u64::from(reads_lease) + u64::from(reads_registry),
        reserve: Reserve::Check.requests(),
        scopes: wanted
            .iter()
            .map(|(scope, wanted)| (listed_as(scope), providers::reads(scope, wanted)))
            .collect(),
    }
}

/// How the registry names a scope: `aiven/project/service`.
fn listed_as(scope: &Scope) -> String {
    format!("{}/{scope}", scope.provider().as_str())
}

/// Cuts stacks into groups, in order, each of which fits under this limit of requests. A stack that fits
/// under none is a group of its own; its check says what it lacks.
#[must_use]
pub fn groups(stacks: &[(StackName, Estimate)], limit: u64) -> Vec<Vec<StackName>> {
    let mut groups: Vec<(Estimate, Vec<StackName>)> = Vec::new();
    for (stack, estimate) in stacks {
        if let Some((so_far, group)) = groups.last_mut() {
            let both = so_far.and(estimate);
            if both.limit() <= limit && group.len() < STACKS_OF_GROUP_MAX {
                group.push(stack.clone());
                *so_far = both;
                continue;
            }
        }
        groups.push((estimate.clone(), vec![stack.clone()]));
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

/// A scope that is not read, for this reason.
pub(crate) fn unread(scope: &Scope, ran_out: RanOut) -> ScopeReading {
    ScopeReading::failed(scope.provider().entry().kinds, &ran_out.failure())
}

#[cfg(test)]
mod tests;
