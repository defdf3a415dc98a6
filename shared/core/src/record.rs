//! What state says before, during and after a change.
//!
//! Pure: `apply` calls these and stores what they make.

use crate::change::{Applied, Edit, Verb, edited_set};
use crate::model::{FieldName, Fields, Kind, Recorded, Settling, Timestamp, Value};
use crate::plan::Approved;
use crate::state::{AutomaticChange, Intent, State};

/// What state says of a change that begins (semantics 8.1).
#[must_use]
pub fn intent(approved: &Approved, now: Timestamp) -> Intent {
    Intent {
        verb: approved.change.verb,
        at: now,
        from: live_fields(approved),
        to: fields_after(approved),
    }
}

/// The declared fields as they were live before the change.
fn live_fields(approved: &Approved) -> Option<Fields> {
    let live = approved.change.live.as_ref()?;
    let declared = &approved.change.declared;
    let known = live
        .fields
        .iter()
        .filter(|(name, _)| declared.contains_key(name));
    Some(
        known
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
    )
}

/// The fields that the change gives values to, with those values.
fn fields_after(approved: &Approved) -> Fields {
    let change = &approved.change;
    match change.verb {
        Verb::Create | Verb::Replace => change.declared.clone(),
        Verb::Delete => Fields::new(),
        Verb::Update => {
            let after = |edit: &Edit| {
                let value = match edit {
                    Edit::Set { to, .. } => to.clone(),
                    Edit::Add { field, .. } | Edit::Remove { field, .. } => {
                        recorded_set_after(approved, field)
                    }
                };
                (edit.field().clone(), value)
            };
            let mut fields: Fields = change.edits.iter().map(after).collect();
            // A correction of `proxied` sends the ttl too, which nothing compares meanwhile
            // (semantics 2.2); a set that is proxied has no ttl of its own to wait for.
            let (proxied, ttl) = (FieldName::known("proxied"), FieldName::known("ttl"));
            let is_dns = change.key.kind() == Kind::DnsRecordSet;
            let is_proxied = change.declared.get(&proxied) == Some(&Value::Bool(true));
            if let Some(value) = change.declared.get(&ttl)
                && is_dns
                && (is_proxied || fields.contains_key(&proxied))
            {
                fields.insert(ttl, value.clone());
            }
            fields
        }
    }
}

/// What is recorded of a set after some of its items were added or removed: what was recorded as
/// ours, and what is live as declared, with the edits; an item that is neither declared nor live is
/// dropped.
fn recorded_set_after(approved: &Approved, field: &FieldName) -> Value {
    let change = &approved.change;
    let of = |fields: Option<&Fields>| {
        fields
            .and_then(|f| f.get(field))
            .and_then(Value::as_set)
            .cloned()
            .unwrap_or_default()
    };
    let declared = of(Some(&change.declared));
    let live = of(change.live.as_ref().map(|live| &live.fields));
    let mut current = of(Some(&change.recorded));
    current.extend(live.intersection(&declared).cloned());
    current.retain(|item| declared.contains(item) || live.contains(item));
    edited_set(&current, &change.edits, field)
}

/// Records a change that was made.
pub fn done(state: &mut State, approved: &Approved, applied: &Applied, now: Timestamp) {
    let change = &approved.change;
    if let Some(applying) = &mut state.applying {
        applying.intents.remove(&change.key);
    }
    if change.verb == Verb::Delete {
        state.resources.remove(&change.key);
        return;
    }
    let after = fields_after(approved);
    let before = state.resources.get(&change.key).cloned();
    let retried = before
        .as_ref()
        .and_then(|record| record.settling.as_ref())
        .is_some_and(|settling| is_retry(settling, approved, now));
    let mut record = match change.verb {
        Verb::Update => before.unwrap_or_else(|| first_record(approved)),
        _ => Recorded::default(),
    };
    let edited: Vec<FieldName> = after.keys().cloned().collect();
    for (name, value) in after {
        record.pending_adoption.remove(&name);
        record.fields.insert(name, value);
    }
    state.awaiting.remove(&change.key);
    state.absent.remove(&change.key);
    let from = live_fields(approved).map(|mut from| {
        from.retain(|name, _| edited.contains(name));
        // What an earlier write of ours changed may settle still.
        let earlier = record.settling.take().filter(|earlier| earlier.lasts(now));
        let mut all = earlier.and_then(|earlier| earlier.from).unwrap_or_default();
        all.extend(from);
        all
    });
    let until = now.plus_ms(applied.settle_ms);
    record.settling = Some(Settling {
        from,
        until,
        retried,
    });
    state.resources.insert(change.key.clone(), record);
}

/// The record of a resource that was live before we knew it: what is live as declared.
fn first_record(approved: &Approved) -> Recorded {
    let declared = &approved.change.declared;
    let mut fields = live_fields(approved).unwrap_or_default();
    fields.retain(|name, value| declared.get(name) == Some(value));
    Recorded {
        fields,
        ..Recorded::default()
    }
}

/// Whether this change does again what an earlier one of ours did in vain (semantics 3.6).
fn is_retry(settling: &Settling, approved: &Approved, now: Timestamp) -> bool {
    if !settling.is_blamed(now) {
        return false;
    }
    match (&settling.from, live_fields(approved)) {
        (None, None) => true,
        (Some(from), Some(live)) => approved.change.edits.iter().any(|edit| {
            from.contains_key(edit.field()) && from.get(edit.field()) == live.get(edit.field())
        }),
        _ => false,
    }
}

/// Counts a change that automation made.
pub fn count_automatic(state: &mut State, approved: &Approved, now: Timestamp) {
    state.automatic.push(AutomaticChange {
        at: now,
        key: approved.change.key.clone(),
        fingerprint: approved.fingerprint.clone(),
        first_create: approved.first_create,
    });
}

/// Forgets that writes settle, where the time for it is over and nothing is left to say.
pub fn drop_settled(
    state: &mut State,
    differing: impl Fn(&crate::model::ResourceKey) -> bool,
    now: Timestamp,
) {
    for (key, record) in &mut state.resources {
        if record
            .settling
            .as_ref()
            .is_some_and(|settling| !settling.lasts(now))
            && !differing(key)
        {
            record.settling = None;
        }
    }
}
