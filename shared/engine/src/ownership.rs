//! Record sets that other stacks declare or record (semantics 2.3).
//!
//! What this stack records is its own. For a record set that is new here it asks the other stack files
//! of the same definitions, the registry, and the states of stacks that were never pushed. A check with
//! nothing new reads nothing for this.
//!
//! **Caveats.** Not seen are definitions with a store of their own, a stack that is not in these definitions
//! and was never pushed into a store that others were pushed to, and what a stack recorded from local files
//! after its last push. Nor do two runs see each other that begin at the same moment, if neither has the
//! other's file. The mark on the records decides then.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::stream::{self, StreamExt as _};
use kedge_core::definitions::{Bundle, declared_by_others, stack_names};
use kedge_core::model::{Declared, ResourceKey, StackName};
use kedge_core::providers::Naming;
use kedge_core::state::{self, State};

use crate::error_chain::error_chain;
use crate::keys::Keys;
use crate::ports::Store;
use crate::registry;
use crate::session::Session;

/// Which resources, of those that this stack declares and does not record, another stack has, each
/// with the reason for a finding. What can't be found out counts as another's.
pub(crate) async fn by_others<S: Store>(
    store: &S,
    stack: &StackName,
    bundle: &Bundle,
    declared: &Declared,
    own: Option<&State>,
) -> BTreeMap<ResourceKey, String> {
    let is_new = |key: &&ResourceKey| {
        key.kind().entry().naming == Naming::SharedByName && !own.is_some_and(|own| has(own, key))
    };
    let new: BTreeSet<ResourceKey> = declared.resources.keys().filter(is_new).cloned().collect();
    if new.is_empty() {
        return BTreeMap::new();
    }
    let all = |why: String| new.iter().map(move |key| (key.clone(), why.clone()));
    let (index, made) = match registry::read(store).await {
        Ok(read) => (read.index, read.made),
        Err(error) => {
            let why = format!(
                "which stack has this name is not known: {}",
                error_chain(&error)
            );
            return all(why).collect();
        }
    };
    let stored = made.iter().flat_map(|made| &made.never_pushed).cloned();
    let names = stack_names(bundle).into_iter().chain(stored);
    let mut in_use: BTreeSet<StackName> = names
        .filter(|other| other != stack)
        .filter(|stack| index.stacks.get(stack).is_none_or(|entry| !entry.retired))
        .collect();
    let listed = |stack: &StackName| index.stacks.contains_key(stack);
    let unlisted = in_use.iter().filter(|stack| !listed(stack)).cloned();
    let states = stream::iter(unlisted.collect::<Vec<_>>())
        .map(|stack| async move { (read(store, &stack).await, stack) })
        .buffered(Session::CONCURRENCY);
    let mut taken = BTreeMap::new();
    for (state, other) in states.collect::<Vec<_>>().await {
        match state {
            Ok(None) => {}
            Ok(Some(state)) if state.is_gone() => {
                in_use.remove(&other);
            }
            Ok(Some(state)) => {
                let why = format!("stack `{other}` records this name");
                taken.extend(all(why).filter(|(key, _)| has(&state, key)));
            }
            Err(error) => taken.extend(all(format!(
                "whether stack `{other}` records this name is not known: {error}"
            ))),
        }
    }
    for other in made.into_iter().flat_map(|made| made.unread) {
        let why =
            format!("whether stack `{other}` has this name is not known: that stack can't be read");
        taken.extend(all(why).filter(|_| other != *stack));
    }
    for key in &new {
        if let Some(owner) = index.owner(stack, key) {
            let why = format!("stack `{owner}` has this name in stacks/index.json");
            taken.insert(key.clone(), why);
        }
    }
    for (key, stack) in declared_by_others(bundle, &in_use, &new) {
        let why = || format!("stack `{stack}` declares this name too");
        taken.entry(key).or_insert_with(why);
    }
    taken
}

/// Whether a stack records a resource, or began to make it.
fn has(state: &State, key: &ResourceKey) -> bool {
    let mut applying = state.applying.iter();
    state.resources.contains_key(key) || applying.any(|one| one.intents.contains_key(key))
}

/// Another stack's state; none if it has none.
async fn read<S: Store>(store: &S, stack: &StackName) -> Result<Option<State>, String> {
    let object = store.get(&Keys::of(stack).state).await;
    let Some(object) = object.map_err(|error| error_chain(&error))? else {
        return Ok(None);
    };
    let state = state::decode(&object.bytes, stack);
    state.map(Some).map_err(|error| error_chain(&error))
}
