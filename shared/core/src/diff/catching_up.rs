//! Our own writes that the provider does not show yet (semantics 3.6): what it shows instead is no
//! drift.

use super::fields::items_cause;
use super::{Cause, FieldDifference, ItemDifference};
use crate::model::{FieldName, Recorded, Settling, Timestamp};

/// What was set aside.
#[derive(Debug, Default)]
pub(super) struct SetAside {
    /// Whether anything settles.
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
    let Some(settling) = &recorded.settling else {
        return aside;
    };
    if settling.lasts(now) {
        fields.retain_mut(|field| still_differs(field, settling, &mut aside));
        return aside;
    }
    if !settling.is_blamed(now) {
        return aside;
    }
    for field in fields.iter_mut().filter(|field| is_old(field, settling)) {
        if field.cause == Cause::EditedAndDrifted {
            field.cause = Cause::Edited;
            continue;
        }
        field.stuck = settling.retried;
        let note = did_not_take(field.field.as_str(), settling.retried);
        aside.notes.push(note);
    }
    aside
}

/// Whether a field differs by more than a write of ours that is not shown yet.
fn still_differs(field: &mut FieldDifference, settling: &Settling, aside: &mut SetAside) -> bool {
    if !field.items.is_empty() {
        let all = field.items.len();
        let name = &field.field;
        field
            .items
            .retain(|item| !is_item_old(name, item, settling));
        if field.items.len() < all {
            aside.any = true;
            field.cause = items_cause(&field.items);
        }
        return !field.items.is_empty();
    }
    if !is_old(field, settling) {
        return true;
    }
    if field.cause == Cause::Drifted {
        aside.any = true;
        return false;
    }
    field.cause = Cause::Edited;
    let note = format!(
        "{}: our last change is not shown yet; its definition was edited again since",
        field.field
    );
    aside.notes.push(note);
    true
}

/// Whether a field shows what was there before our own write.
fn is_old(field: &FieldDifference, settling: &Settling) -> bool {
    let name = &field.field;
    match field.items.as_slice() {
        [] => {
            matches!(field.cause, Cause::Drifted | Cause::EditedAndDrifted)
                && settling.is_from_before(name, field.live.as_ref())
        }
        items => items.iter().all(|item| is_item_old(name, item, settling)),
    }
}

/// Whether an item is, or lacks, as before our own write. One under a condition does not: that is
/// somebody's doing.
fn is_item_old(name: &FieldName, item: &ItemDifference, settling: &Settling) -> bool {
    item.cause == Cause::Drifted
        && item.condition.is_none()
        && settling.is_item_from_before(name, &item.item, item.lacking)
}

/// What to say of a write of ours that has no effect.
pub(super) fn did_not_take(what: &str, retried: bool) -> String {
    match retried {
        false => format!("our change ({what}) did not take; it is tried once more"),
        true => format!("our change ({what}) did not take, twice; it is not tried again"),
    }
}
