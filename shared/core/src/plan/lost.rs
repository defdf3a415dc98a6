//! What is lost when a resource is deleted, or deleted and created again (semantics 6.1). The sentence
//! about a kind is in its entry ([`crate::providers`]).

use std::collections::BTreeSet;

use super::PlanInput;
use crate::live::{Live, Reading};
use crate::model::{
    DeclaredResource, DefaultValue, FieldName, Fields, Kind, ResourceKey, Value, default_value,
    field_spec, items,
};
use crate::providers::Deletion;

/// What is lost when a resource is deleted.
pub(super) fn by_deleting(input: PlanInput<'_>, key: &ResourceKey, live: Option<&Live>) -> String {
    let recorded = input.comparison.recorded(input.state, key);
    let ours = recorded.map(|recorded| recorded.ours(key.kind()));
    let (going, staying) = split(key.kind(), ours.as_ref(), live);
    (key.kind().entry().lost)(&Deletion {
        going,
        staying,
        live,
        dependants: dependants(input, key),
    })
}

/// The live items that are ours, and those that are not.
fn split<'a>(
    kind: Kind,
    ours: Option<&Fields>,
    live: Option<&'a Live>,
) -> (Vec<&'a str>, Vec<&'a str>) {
    static NONE: BTreeSet<String> = BTreeSet::new();
    let ours = ours.and_then(|ours| items(kind, ours)).unwrap_or(&NONE);
    let live = live.and_then(|live| items(kind, &live.fields));
    let live = live.into_iter().flatten().map(String::as_str);
    live.partition(|item| ours.contains(*item))
}

/// The stack's own resources that never work again without this one.
fn dependants<'a>(input: PlanInput<'a>, key: &ResourceKey) -> Vec<&'a str> {
    let recorded = input
        .state
        .into_iter()
        .flat_map(|state| state.resources.keys());
    let declared = input.declared.resources.keys();
    let mut ours: BTreeSet<&ResourceKey> = recorded.chain(declared).collect();
    ours.retain(|one| {
        let Some(on) = &one.kind().entry().hangs_on else {
            return false;
        };
        let live = input.live.reading(one).and_then(Reading::present);
        let name = live.and_then(|live| live.fields.get(&FieldName::known(on.field))?.as_text());
        on.kind == key.kind() && one.scope() == key.scope() && name == Some(key.name())
    });
    ours.into_iter().map(ResourceKey::name).collect()
}

/// What a replacement does not restore: settings that nobody declared, as far as they were read,
/// and that a new resource would not have.
pub(super) fn by_replacing(
    kind: Kind,
    declared: Option<&DeclaredResource>,
    live: Option<&Live>,
) -> String {
    let is_lost = |(name, value): &(&FieldName, &Value)| {
        let is_declared = declared.is_some_and(|declared| declared.fields.contains_key(name));
        !is_declared && !is_default(kind, name, value, live)
    };
    let fields = live.into_iter().flat_map(|live| &live.fields);
    let lost: Vec<String> = fields
        .filter(is_lost)
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    match lost.is_empty() {
        true => String::new(),
        false => format!(", and what is not declared: {}", lost.join(", ")),
    }
}

/// Whether a new resource would have this value too. A final slash of a URL makes no difference.
fn is_default(kind: Kind, name: &FieldName, value: &Value, live: Option<&Live>) -> bool {
    let text = |value: &Value| value.to_string().trim_end_matches('/').to_owned();
    match field_spec(kind, name).and_then(|spec| spec.default) {
        Some(DefaultValue::SameAs(other)) => {
            let other = live.and_then(|live| live.fields.get(&FieldName::known(other)));
            other.is_some_and(|other| text(value) == text(other))
        }
        _ => default_value(kind, name).as_ref() == Some(value),
    }
}
