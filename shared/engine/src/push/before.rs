//! What a push finds: what is stored, what was declared or recorded before, the registry.

use std::collections::BTreeMap;

use kedge_core::model::{Declared, Policy, StackName};
use kedge_core::providers::Naming;
use kedge_core::push::{Before, Notice, Refusal, declared_before, recorded_before};
use kedge_core::state::State;
use kedge_core::stored::bundle::StoredBundle;
use kedge_core::stored::index::Entry;

use super::PushError;
use crate::bundles::{BundleFault, ReadBundle, read_parsed};
use crate::ports::Store;
use crate::registry::{self, Made, ReadIndex};
use crate::state_store::{self, StateStoreError};

/// What a push finds.
pub(super) struct PushedBefore {
    pub(super) read: ReadBundle,
    /// The policy that the stored definitions ask for.
    pub(super) policy: Option<Policy>,
    pub(super) before: Before,
    pub(super) index: ReadIndex,
    pub(super) state: Result<Option<State>, StateStoreError>,
}

impl PushedBefore {
    pub(super) async fn read<S: Store>(
        store: &S,
        stack: &StackName,
        overrides: &BTreeMap<String, String>,
    ) -> Result<Self, PushError> {
        let (mut read, declared) = read_parsed(store, stack, overrides).await?;
        match read.fault.take() {
            Some(BundleFault::Damaged { stack, source }) if source.is_newer() => {
                return Err(PushError::Newer { stack, source });
            }
            fault => read.fault = fault,
        }
        let index = registry::read(store).await?;
        let state = state_store::read_state(store, stack).await;
        let state = state.map(|read| read.state);
        let before = match (&declared, &state) {
            (Some(declared), _) => declared_before(declared),
            (None, Ok(Some(state))) => recorded_before(state),
            (None, _) => Before::new(),
        };
        Ok(Self {
            read,
            policy: declared.map(|declared| declared.policy),
            before,
            index,
            state,
        })
    }

    /// Whether the stack is retired, and what is stored now is from before that. State says so from the
    /// first deletion on, the registry once nothing is left.
    pub(super) fn is_retired(&self, stack: &StackName) -> bool {
        let stored = self.read.stored.as_deref();
        let retired = self.state().and_then(|state| state.retired);
        let is_after = |stored: &StoredBundle| retired.is_some_and(|at| at < stored.pushed.at);
        let entry = self.index.index.stacks.get(stack);
        // Where the registry has another revision, an interrupted push stored it anew already.
        let is_of_entry = |entry: &Entry| {
            entry.retired && stored.is_none_or(|stored| stored.revision() == entry.revision)
        };
        (retired.is_some() && !stored.is_some_and(is_after)) || entry.is_some_and(is_of_entry)
    }

    /// The same, and nobody began it anew since. The registry learns only by a push that a person's `up`
    /// did.
    pub(super) fn is_over(&self, stack: &StackName) -> bool {
        let began_anew = self.state().is_some_and(|state| state.retired.is_none());
        self.is_retired(stack) && !began_anew
    }

    pub(super) fn state(&self) -> Option<&State> {
        self.state.as_ref().ok().and_then(Option::as_ref)
    }

    /// Refuses record sets that are new here while not all names of another stack are known.
    pub(super) fn owners_unknown(&self, declared: &Declared) -> Vec<Refusal> {
        let unread = self.index.made.iter().flat_map(|made| &made.unread);
        let Some(stack) = unread.into_iter().find(|other| **other != declared.stack) else {
            return Vec::new();
        };
        let recorded = |key| {
            self.state()
                .is_some_and(|one| one.resources.contains_key(key))
        };
        let new = declared.resources.values().filter(|resource| {
            let key = &resource.key;
            let is_shared = key.kind().entry().naming == Naming::SharedByName;
            is_shared && !self.before.contains_key(key) && !recorded(key)
        });
        new.map(|resource| Refusal::OwnerUnknown {
            key: resource.key.clone(),
            origin: resource.origin.to_string(),
            stack: stack.clone(),
        })
        .collect()
    }

    pub(super) fn notices(&self, stack: &StackName) -> Vec<Notice> {
        let mut notices = Vec::new();
        match &self.read.fault {
            None | Some(BundleFault::NeverPushed { .. }) => {}
            Some(fault) => notices.push(Notice::StoredInvalid {
                reason: fault.to_string(),
                judged_by: self.read.stored.as_deref().map(StoredBundle::revision),
            }),
        }
        if let Some(Made { damage, unread, .. }) = &self.index.made {
            let mine = |other: &&StackName| **other != *stack;
            let others = self.index.index.stacks.keys().filter(mine).count();
            let damage = damage.as_ref().map(ToString::to_string);
            // The first push of all finds nothing.
            if damage.is_some() || others > 0 {
                let unread = unread.iter().filter(mine).cloned().collect();
                notices.push(Notice::IndexMade {
                    damage,
                    others,
                    unread,
                });
            }
        }
        if let Err(error) = &self.state {
            let reason = error.to_string();
            notices.push(Notice::StateUnread { reason });
        }
        notices
    }
}
