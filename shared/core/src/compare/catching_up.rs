//! Our own writes that the provider does not show yet (semantics 3.6): what it shows instead is no drift.
//!
//! That a check saw the new value is kept in `watch.json`.

use super::fields::items_cause;
use super::{Cause, FieldDifference, ItemDifference};
use crate::model::{CatchingUp, Recorded, Timestamp};

/// What was set aside.
#[derive(Debug, Default)]
pub(super) struct SetAside {
    /// Whether the provider is catching up with anything of it.
    pub(super) any: bool,
    /// What there is to say of it.
    pub(super) notes: Vec<String>,
}

/// Takes out the fields that still show what was there before our own write, and marks those that
/// showed it too long. A field that was edited again meanwhile is an edit and no drift.
pub(super) fn set_aside(
    fields: &mut Vec<FieldDifference>,
    recorded: &Recorded,
    now: Timestamp,
) -> SetAside {
    let mut aside = SetAside::default();
    let Some(catching_up) = &recorded.catching_up else {
        return aside;
    };
    if catching_up.lasts(now) {
        fields.retain_mut(|field| still_differs(field, catching_up, &mut aside));
        return aside;
    }
    if !catching_up.is_blamed(now) {
        return aside;
    }
    for field in fields.iter_mut() {
        blame(field, catching_up, &mut aside);
    }
    aside
}

/// Says of a field, or of items of it, that our write of it did not take.
fn blame(field: &mut FieldDifference, catching_up: &CatchingUp, aside: &mut SetAside) {
    let is_old_item = |item: &ItemDifference| is_old_item(field, catching_up, item);
    let old: Vec<bool> = field.items.iter().map(is_old_item).collect();
    if !is_old(field, catching_up) && !old.contains(&true) {
        return;
    }
    if field.cause == Cause::EditedAndDrifted && field.items.is_empty() {
        field.cause = Cause::Edited;
        return;
    }
    aside
        .notes
        .push(did_not_take(field.field.as_str(), catching_up.retried));
    if !catching_up.retried {
        return;
    }
    if old.iter().all(|is_old| *is_old) {
        field.stuck = true;
        return;
    }
    // Items that did not take, twice, are not tried again; the others are.
    let mut old = old.into_iter();
    field.items.retain(|_| old.next() != Some(true));
    field.cause = items_cause(&field.items);
}

/// Whether a field differs by more than a write of ours that is not shown yet.
fn still_differs(
    field: &mut FieldDifference,
    catching_up: &CatchingUp,
    aside: &mut SetAside,
) -> bool {
    if !field.items.is_empty() {
        let old: Vec<bool> = field
            .items
            .iter()
            .map(|item| is_old_item(field, catching_up, item))
            .collect();
        if old.contains(&true) {
            aside.any = true;
            let mut old = old.into_iter();
            field.items.retain(|_| old.next() != Some(true));
            field.cause = items_cause(&field.items);
        }
        return !field.items.is_empty();
    }
    if !is_old(field, catching_up) {
        return true;
    }
    if field.cause == Cause::Drifted {
        aside.any = true;
        return false;
    }
    field.cause = Cause::Edited;
    let note = format!(
        "{}: the provider does not show our last change yet, and the definition was edited again since",
        field.field
    );
    aside.notes.push(note);
    true
}

/// Whether a field that is no set shows what was there before our own write.
fn is_old(field: &FieldDifference, catching_up: &CatchingUp) -> bool {
    field.items.is_empty()
        && matches!(field.cause, Cause::Drifted | Cause::EditedAndDrifted)
        && catching_up.is_from_before(&field.field, field.live.as_ref())
}

/// Whether an item is, or lacks, as before our own write. One under a condition does not: that is
/// somebody's doing.
fn is_old_item(field: &FieldDifference, catching_up: &CatchingUp, item: &ItemDifference) -> bool {
    item.cause == Cause::Drifted
        && item.condition.is_none()
        && catching_up.is_item_from_before(&field.field, &item.item, item.lacking)
}

/// What to say of a write of ours that has no effect.
pub(super) fn did_not_take(what: &str, retried: bool) -> String {
    match retried {
        false => format!("kedge changed {what} without effect; it tries once more"),
        true => format!("kedge changed {what} twice without effect; it does not try again"),
    }
}
