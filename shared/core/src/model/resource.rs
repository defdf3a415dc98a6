//! What is recorded of one resource, and how long the provider may still be catching up with a write.

use std::collections::BTreeSet;

use super::by_field::ByField;
use super::field_name::FieldName;
use super::fields::{Shape, field_spec};
use super::names::Kind;
use super::time::Timestamp;
use super::value::Value;

/// Fields by name, in one order everywhere.
pub type Fields = ByField<Value>;

/// Whether a field is a set of which each item is somebody's by itself: addresses, members.
#[must_use]
pub fn has_items(kind: Kind, name: &FieldName) -> bool {
    field_spec(kind, name)
        .is_some_and(|spec| matches!(spec.shape, Shape::Addresses | Shape::Members))
}

/// The items that a record set or a binding consists of; none of any other kind.
#[must_use]
pub fn items(kind: Kind, fields: &Fields) -> Option<&BTreeSet<String>> {
    let mut sets = fields.iter().filter(|(name, _)| has_items(kind, name));
    sets.find_map(|(_, value)| value.as_set())
}

/// What state says of one resource: what we last applied or adopted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recorded {
    /// The fields, as declared when they were applied or adopted.
    pub fields: Fields,
    /// Our own recent write, while the provider may still show the value before it.
    pub catching_up: Option<CatchingUp>,
    /// Fields that differed at adoption and wait for a person whatever the policy (semantics 7.1),
    /// with the declared value they had then. Of a set of items, `fields` holds all that was live
    /// then, and only what was declared then is ours: [`Recorded::ours`].
    pub pending_adoption: Fields,
}

impl Recorded {
    /// The fields, less the items that were there at adoption and not declared: those never were
    /// ours, and nothing of ours ever removes them.
    #[must_use]
    pub fn ours(&self, kind: Kind) -> Fields {
        let mut ours = self.fields.clone();
        for (name, then) in &self.pending_adoption {
            keep_declared(kind, name, then, &mut ours);
        }
        ours
    }

    /// Ends the waiting of a field that differed at adoption. What never was ours is not recorded
    /// any longer.
    pub fn end_adoption(&mut self, kind: Kind, name: &FieldName) {
        if let Some(then) = self.pending_adoption.remove(name) {
            keep_declared(kind, name, &then, &mut self.fields);
        }
    }
}

/// Keeps of a set of items only those that were declared at adoption.
fn keep_declared(kind: Kind, name: &FieldName, then: &Value, fields: &mut Fields) {
    if has_items(kind, name)
        && let (Value::Set(then), Some(Value::Set(set))) = (then, fields.get_mut(name))
    {
        set.retain(|item| then.contains(item));
    }
}

/// A write of ours that the provider may not show yet (semantics 3.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatchingUp {
    /// Whether the resource itself was made, or made anew: it may not be listed yet.
    pub made: bool,
    /// What the provider may still show of each field that was written, oldest first; `None`: that it
    /// is not set. More than one value where a field was written again before the first write showed.
    pub before: ByField<Vec<Option<Value>>>,
    /// Until when that may still be shown.
    pub until: Timestamp,
    /// Whether this write was the one retry after a first that did not take.
    pub retried: bool,
}

impl CatchingUp {
    /// How long after [`CatchingUp::until`] an old value is still taken for a write that did not take.
    /// Later it is somebody's: the record of a write may stand for months, since nothing is written
    /// while nothing changes. Long enough for one check, an announcement and the one retry.
    pub const BLAMED_MS: i64 = 60 * 60 * 1000;

    /// The furthest ahead that [`CatchingUp::until`] may lie, in milliseconds: twice the longest time that
    /// a provider has (Aiven's 5 minutes), for clocks that differ. Further is of a wrong clock.
    pub const AHEAD_MS: i64 = 10 * 60 * 1000;

    /// The most values of one field that may still be shown. More edits of it than that, within the
    /// minutes in which the provider catches up, are no person's; state must not grow with them.
    pub const BEFORE_MAX: usize = 8;

    /// Notes a value that the provider may still show of a field.
    pub fn may_show(&mut self, field: &FieldName, value: Option<&Value>) {
        let mut values = self.before.remove(field).unwrap_or_default();
        if !values.iter().any(|old| old.as_ref() == value) {
            values.push(value.cloned());
        }
        let surplus = values.len().saturating_sub(Self::BEFORE_MAX);
        values.drain(..surplus);
        self.before.insert(field.clone(), values);
    }

    /// Whether a live value of a field is one from before the write.
    #[must_use]
    pub fn is_from_before(&self, field: &FieldName, live: Option<&Value>) -> bool {
        let values = self.before.get(field);
        values.is_some_and(|values| values.iter().any(|old| old.as_ref() == live))
    }

    /// The same of one item of a set: whether it was lacking, or there, before the write.
    #[must_use]
    pub fn is_item_from_before(&self, field: &FieldName, item: &str, lacking: bool) -> bool {
        let has = |old: &Option<Value>| {
            let set = old.as_ref().and_then(Value::as_set);
            set.is_some_and(|set| set.contains(item))
        };
        let values = self.before.get(field);
        values.is_some_and(|values| values.iter().any(|old| has(old) != lacking))
    }

    /// Whether the value before may still be shown.
    #[must_use]
    pub fn lasts(&self, now: Timestamp) -> bool {
        now < self.until && self.until.ms_since(now) <= Self::AHEAD_MS
    }

    /// Whether an old value seen now may be a write that did not take.
    #[must_use]
    pub fn is_blamed(&self, now: Timestamp) -> bool {
        now >= self.until && now < self.until.plus_ms(Self::BLAMED_MS)
    }
}
