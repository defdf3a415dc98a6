//! Our own recent writes: outcomes that are not known yet, and values that are not shown yet.

use std::collections::{BTreeMap, BTreeSet};

use super::{Cause, DiffInput, FieldDifference};
use crate::change::Verb;
use crate::live::Reading;
use crate::model::{Fields, Kind, Recorded, ResourceKey, Timestamp, Value, has_items};
use crate::state::Intent;

/// What is recorded of resources whose last change had an unknown outcome, once that is settled by
/// what is live (semantics 8.1): a field that shows what was intended is ours; any other keeps its
/// record. A set of items is settled item by item.
pub(super) fn settled(input: DiffInput<'_>) -> BTreeMap<ResourceKey, Recorded> {
    let mut settled = BTreeMap::new();
    let Some(state) = input.state else {
        return settled;
    };
    let intents = state.applying.iter().flat_map(|applying| &applying.intents);
    for (key, intent) in intents {
        if let Some(Reading::Present(live)) = input.live.reading(key)
            && intent.verb != Verb::Delete
        {
            let stored = state.resources.get(key);
            let now = settle_present(key.kind(), stored, intent, &live.fields);
            settled.extend(now.map(|now| (key.clone(), now)));
        }
    }
    settled
}

fn settle_present(
    kind: Kind,
    stored: Option<&Recorded>,
    intent: &Intent,
    live: &Fields,
) -> Option<Recorded> {
    let Some(stored) = stored else {
        // We began to make it and it is there: it is ours, as we meant it to be.
        return matches!(intent.verb, Verb::Create | Verb::Replace).then(|| Recorded {
            fields: intent.to.clone(),
            ..Recorded::default()
        });
    };
    let mut record = stored.clone();
    for (name, to) in &intent.to {
        let was = record.fields.get(name).and_then(Value::as_set);
        let now = match (live.get(name), to) {
            (Some(Value::Set(live)), Value::Set(to)) if has_items(kind, name) => {
                Some(settle_items(was, to, live))
            }
            (live, to) => (live == Some(to)).then(|| to.clone()),
        };
        if let Some(now) = now {
            record.fields.insert(name.clone(), now);
        }
    }
    Some(record)
}

/// What is recorded of a set whose update may have been made, in part or whole: what was to be added
/// is ours where it is live, and what was to be removed stays ours until it is gone.
fn settle_items(
    was: Option<&BTreeSet<String>>,
    to: &BTreeSet<String>,
    live: &BTreeSet<String>,
) -> Value {
    let was = was.into_iter().flatten();
    let kept = |item: &&String| to.contains(*item) || live.contains(*item);
    let added = to.intersection(live);
    Value::set(was.filter(kept).chain(added).cloned())
}

/// Whether a run began to replace this resource by what is declared and did not end, a short time ago.
pub(super) fn is_interrupted(input: DiffInput<'_>, key: &ResourceKey) -> bool {
    let applying = input.state.and_then(|state| state.applying.as_ref());
    let intent = applying.and_then(|applying| applying.intents.get(key));
    let declared = input.declared.resources.get(key);
    intent
        .zip(declared)
        .is_some_and(|(intent, declared)| intent.is_replacement_by(&declared.values(), input.now))
}

/// What was set aside.
pub(super) struct SetAside {
    /// Whether anything settles.
    pub(super) any: bool,
    /// What did not take.
    pub(super) notes: Vec<String>,
}

/// Takes out the fields that still show what was live before our own write (semantics 3.6), and
/// marks those that showed it too long.
pub(super) fn set_aside(
    fields: &mut Vec<FieldDifference>,
    recorded: &Recorded,
    now: Timestamp,
) -> SetAside {
    let mut aside = SetAside {
        any: false,
        notes: Vec::new(),
    };
    let Some(settling) = &recorded.settling else {
        return aside;
    };
    let Some(from) = &settling.from else {
        return aside;
    };
    let still_old = |field: &FieldDifference| {
        field.cause == Cause::Drifted
            && field.live.is_some()
            && field.live.as_ref() == from.get(&field.field)
    };
    if settling.lasts(now) {
        let before = fields.len();
        fields.retain(|field| !still_old(field));
        aside.any = fields.len() < before;
        return aside;
    }
    if !settling.is_blamed(now) {
        return aside;
    }
    for field in fields.iter_mut().filter(|field| still_old(field)) {
        field.stuck = settling.retried;
        aside
            .notes
            .push(did_not_take(field.field.as_str(), settling.retried));
    }
    aside
}

/// What to say of a write of ours that has no effect.
pub(super) fn did_not_take(what: &str, retried: bool) -> String {
    match retried {
        false => format!("our change ({what}) did not take; it is tried once more"),
        true => format!("our change ({what}) did not take, twice; it is not tried again"),
    }
}
