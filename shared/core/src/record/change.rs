//! What state says of a change before it begins, once it is made, and where it was not made (semantics 8.1).
//!
//! An [`Intent`] says what will be recorded; that is computed once, when the change begins. The engine's
//! `execute` calls these functions and writes state.

use std::collections::BTreeMap;

use crate::change::{Applied, Edit, Verb, edited_set};
use crate::compare::Cause;
use crate::model::{
    ByField, CatchingUp, FieldName, Fields, Kind, Recorded, ResourceKey, Timestamp, Value,
};
use crate::plan::Approved;
use crate::stored::state::{AutomaticChange, BegunBy, Intent, State};

/// What state says of a change that begins (semantics 8.1). `shown_by` is when the provider shows it
/// at the latest, if it is made.
#[must_use]
pub fn intent(
    approved: &Approved,
    begun_by: Option<BegunBy>,
    is_automatic: bool,
    now: Timestamp,
    shown_by: Timestamp,
) -> Intent {
    let to = fields_after(approved);
    Intent {
        verb: approved.change.verb,
        begun_by,
        at: now,
        shown_by,
        from: live_fields(approved, &to),
        to,
        automatic: is_automatic.then(|| automatic(approved, now)),
        earlier: None,
    }
}

/// Puts a change that begins into state, before an earlier one of the same resource that is open.
pub fn begin(intents: &mut BTreeMap<ResourceKey, Intent>, approved: &Approved, intent: Intent) {
    let key = &approved.change.key;
    let intent = match intents.remove(key) {
        // Until its second half is done, a replacement stays what was consented to, and when.
        Some(earlier) if approved.cause == Cause::Interrupted => Intent {
            shown_by: intent.shown_by,
            ..earlier
        },
        Some(earlier) => intent.after(earlier),
        None => intent,
    };
    intents.insert(key.clone(), intent);
}

/// Takes a change that was surely not made out of state. An attempt before it stays open.
pub fn not_made(state: &mut State, key: &ResourceKey) {
    let Some(applying) = &mut state.applying else {
        return;
    };
    let earlier = applying
        .intents
        .remove(key)
        .and_then(|intent| intent.earlier);
    if let Some(earlier) = earlier {
        applying.intents.insert(key.clone(), *earlier);
    }
}

/// The declared fields as they were live before the change.
fn live_fields(approved: &Approved, to: &Fields) -> Option<Fields> {
    let change = &approved.change;
    let live = change.live.as_ref()?;
    let known = live
        .fields
        .iter()
        .filter(|(name, _)| change.declared.contains_key(name));
    let mut before: Fields = known
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    for (name, to) in to {
        if let Some(set) = set_before(approved, name, to) {
            before.insert(name.clone(), set);
        }
    }
    Some(before)
}

/// A set as it was before some of its items were added or removed: only what this change touches differs
/// from what is recorded after it. What else is live of it, or lacks, is not our doing.
fn set_before(approved: &Approved, name: &FieldName, to: &Value) -> Option<Value> {
    let change = &approved.change;
    let touches = |edit: &&Edit| edit.field() == name && !matches!(edit, Edit::Set { .. });
    let edits = change.edits.iter().filter(touches);
    let undone: Vec<Edit> = edits.filter_map(|edit| edit.undone()).collect();
    match to {
        Value::Set(set) if !undone.is_empty() => Some(edited_set(set, &undone, name)),
        _ => None,
    }
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

/// Records a change that was made: what its intent said.
pub fn done(state: &mut State, approved: &Approved, applied: &Applied, now: Timestamp) {
    let change = &approved.change;
    let begun = state.applying.as_mut();
    let begun = begun.and_then(|applying| applying.intents.remove(&change.key));
    if change.verb == Verb::Delete {
        state.resources.remove(&change.key);
        return;
    }
    let mut intent = begun.unwrap_or_else(|| intent(approved, None, false, now, now));
    let open = intent.earlier.take();
    keep_deletion(state, approved, open.as_deref(), now);
    if let Some(earlier) = open
        .as_deref()
        .filter(|earlier| made_other(approved, &intent, earlier))
    {
        // It was there already: an earlier attempt may have made it, with what was declared then. What
        // is live tells.
        begin_again(
            state,
            &change.key,
            intent,
            earlier,
            now.plus_ms(applied.catching_up_ms),
        );
        return;
    }
    let before = state.resources.remove(&change.key);
    let made = Made {
        approved,
        before: before.as_ref(),
        open: open.as_deref(),
        until: now.plus_ms(applied.catching_up_ms),
        now,
    };
    let record = made.record(intent.to);
    state.awaiting.remove(&change.key);
    state.absent.remove(&change.key);
    state.resources.insert(change.key.clone(), record);
}

/// A change that was made and did not delete its resource.
struct Made<'a> {
    approved: &'a Approved,
    /// What was recorded before it.
    before: Option<&'a Recorded>,
    /// The attempts before it with an unknown end.
    open: Option<&'a Intent>,
    /// Until when the provider may show what was there before.
    until: Timestamp,
    now: Timestamp,
}

impl Made<'_> {
    /// What is recorded now: the values that the intent said, and what may still show instead of them.
    fn record(&self, to: Fields) -> Recorded {
        let change = &self.approved.change;
        let mut record = match (change.verb, self.before) {
            (Verb::Update, Some(before)) => before.clone(),
            (Verb::Update, None) => first_record(self.approved, &to),
            _ => Recorded::default(),
        };
        let was = self.before.and_then(|before| {
            let catching_up = before.catching_up.as_ref()?;
            Some((catching_up, &before.fields))
        });
        let is_retry = was.is_some_and(|(earlier, _)| is_retry(earlier, self.approved, self.now));
        let mut catching_up = CatchingUp {
            made: change.verb != Verb::Update,
            before: ByField::new(),
            until: self.until,
            retried: is_retry,
        };
        let was = was.filter(|(earlier, _)| earlier.lasts(self.now));
        if let Some((earlier, _)) = was {
            catching_up.made |= earlier.made;
            catching_up.before = earlier.before.clone();
        }
        let live = change.live.as_ref().map(|live| &live.fields);
        for (name, value) in to {
            // What was written before and may be shown only now, what is shown, and what attempts with an
            // unknown end may show yet.
            if let Some(written) = was.and_then(|(_, fields)| fields.get(&name)) {
                catching_up.may_show(&name, Some(written));
            }
            for attempt in self.open.into_iter().flat_map(Intent::attempts) {
                if let Some(attempted) = attempt.to.get(&name) {
                    catching_up.may_show(&name, Some(attempted));
                }
            }
            let set = set_before(self.approved, &name, &value);
            let shown = set.as_ref().or(live.and_then(|live| live.get(&name)));
            catching_up.may_show(&name, shown);
            record.pending_adoption.remove(&name);
            record.fields.insert(name, value);
        }
        record.catching_up = Some(catching_up);
        record
    }
}

/// An earlier attempt to delete what was updated now may be carried out still: it stays open.
fn keep_deletion(state: &mut State, approved: &Approved, open: Option<&Intent>, now: Timestamp) {
    let deletes = |intent: &&Intent| intent.verb == Verb::Delete && intent.may_show_later(now);
    let deletion = open.into_iter().flat_map(Intent::attempts).find(deletes);
    if let (Verb::Update, Some(deletion), Some(applying)) =
        (approved.change.verb, deletion, &mut state.applying)
    {
        let key = approved.change.key.clone();
        applying.intents.insert(key, deletion.clone());
    }
}

/// Whether an open attempt to make the same resource would have made it otherwise.
fn made_other(approved: &Approved, intent: &Intent, earlier: &Intent) -> bool {
    let makes = |intent: &&Intent| matches!(intent.verb, Verb::Create | Verb::Replace);
    approved.change.verb == Verb::Create
        && approved.change.begun_before
        && earlier
            .attempts()
            .find(makes)
            .is_some_and(|made| made.to != intent.to)
}

/// Leaves a change open, after an earlier one that is open too. Automation counted it already.
fn begin_again(
    state: &mut State,
    key: &ResourceKey,
    intent: Intent,
    earlier: &Intent,
    shown_by: Timestamp,
) {
    let Some(applying) = &mut state.applying else {
        return;
    };
    let again = Intent {
        at: earlier.at,
        shown_by,
        automatic: None,
        ..intent
    };
    applying
        .intents
        .insert(key.clone(), again.after(earlier.clone()));
}

/// The record of a resource that was live before we knew it: what is live as declared.
fn first_record(approved: &Approved, to: &Fields) -> Recorded {
    let declared = &approved.change.declared;
    let mut fields = live_fields(approved, to).unwrap_or_default();
    fields.retain(|name, value| declared.get(name) == Some(value));
    Recorded {
        fields,
        ..Recorded::default()
    }
}

/// Whether this change does again what an earlier one of ours did in vain (semantics 3.6). Another
/// value than the one that did not take is no repetition.
fn is_retry(catching_up: &CatchingUp, approved: &Approved, now: Timestamp) -> bool {
    if !catching_up.is_blamed(now) {
        return false;
    }
    let change = &approved.change;
    let Some(live) = &change.live else {
        return catching_up.made;
    };
    let recorded = |field| change.recorded.get(field);
    let has = |value: Option<&Value>, item: &String| {
        let set = value.and_then(Value::as_set);
        set.is_some_and(|set| set.contains(item))
    };
    change.edits.iter().any(|edit| match edit {
        Edit::Set { field, to } => {
            recorded(field) == Some(to) && catching_up.is_from_before(field, live.fields.get(field))
        }
        Edit::Add { field, item } => {
            has(recorded(field), item) && catching_up.is_item_from_before(field, item, true)
        }
        Edit::Remove { field, item } => {
            !has(recorded(field), item) && catching_up.is_item_from_before(field, item, false)
        }
    })
}

/// A change that automation makes, as the daily limit and the flap breaker count it.
fn automatic(approved: &Approved, now: Timestamp) -> AutomaticChange {
    AutomaticChange {
        at: now,
        key: approved.change.key.clone(),
        fingerprint: approved.fingerprint.clone(),
        first_create: approved.first_create,
    }
}

/// Counts a change that automation made.
pub fn count_automatic(state: &mut State, approved: &Approved, now: Timestamp) {
    state.automatic.push(automatic(approved, now));
}

/// Forgets writes that the provider had time to catch up with, where nothing is left to report of them.
pub fn drop_caught_up(state: &mut State, differing: impl Fn(&ResourceKey) -> bool, now: Timestamp) {
    for (key, record) in &mut state.resources {
        if record
            .catching_up
            .as_ref()
            .is_some_and(|catching_up| !catching_up.lasts(now))
            && !differing(key)
        {
            record.catching_up = None;
        }
    }
}
