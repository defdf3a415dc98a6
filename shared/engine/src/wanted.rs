//! Lists what a check has to read in each scope: what is declared or recorded there.

use std::collections::{BTreeMap, BTreeSet};

use kedge_core::live::Wanted;
use kedge_core::model::{Declared, FieldName, ResourceKey, Scope, Value};
use kedge_core::state::State;

/// What each scope is asked for: everything declared or recorded in it, and our namespace.
pub(crate) fn wanted(
    declared: &Declared,
    state: Option<&State>,
    every_dns_name: bool,
) -> BTreeMap<Scope, Wanted> {
    let mut scopes: BTreeMap<Scope, Wanted> = BTreeMap::new();
    let mut want = |key: &ResourceKey, which: Option<fn(&mut Wanted) -> &mut BTreeSet<_>>| {
        let wanted = scopes.entry(key.scope().clone()).or_default();
        wanted.keys.insert(key.clone());
        if let Some(which) = which {
            which(wanted).insert(key.clone());
        }
    };
    let of_definitions = declared.resources.keys();
    of_definitions.for_each(|key| want(key, Some(|wanted| &mut wanted.declared)));
    if let Some(state) = state {
        let of_state = state.resources.keys();
        of_state.for_each(|key| want(key, Some(|wanted| &mut wanted.recorded)));
        let intents = state
            .applying
            .iter()
            .flat_map(|applying| applying.intents.keys());
        intents.for_each(|key| want(key, None));
    }
    for (key, members) in members(declared, state) {
        let wanted = scopes.entry(key.scope().clone()).or_default();
        let known = wanted.members.entry(key.clone()).or_default();
        known.extend(members.iter().cloned());
    }
    for wanted in scopes.values_mut() {
        wanted.stack = Some(declared.stack.clone());
        wanted.namespaces.insert(declared.stack.prefix());
        wanted.every_dns_name = every_dns_name;
    }
    scopes
}

/// The members of bindings that are declared or recorded, or that a run began to add.
fn members<'a>(
    declared: &'a Declared,
    state: Option<&'a State>,
) -> impl Iterator<Item = (&'a ResourceKey, &'a BTreeSet<String>)> {
    const MEMBERS: FieldName = FieldName::known("members");
    let of_declared = declared.resources.iter().map(|(key, resource)| {
        let field = resource.fields.get(&MEMBERS);
        (key, field.map(|field| &field.value))
    });
    let stored = state.into_iter().flat_map(|state| &state.resources);
    let of_stored = stored.map(|(key, recorded)| (key, recorded.fields.get(&MEMBERS)));
    let begun = state.and_then(|state| state.applying.as_ref());
    let begun = begun.into_iter().flat_map(|applying| &applying.intents);
    let of_begun = begun.map(|(key, intent)| (key, intent.to.get(&MEMBERS)));
    of_declared
        .chain(of_stored)
        .chain(of_begun)
        .filter_map(|(key, value)| Some((key, value.and_then(Value::as_set)?)))
}
