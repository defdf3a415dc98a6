//! What is recorded of one resource.

use std::collections::BTreeSet;

use super::by_field::ByField;
use super::field_name::FieldName;
use super::time::Timestamp;
use super::value::Value;

/// Fields by name, in one order everywhere.
pub type Fields = ByField<Value>;

/// What state says of one resource: what we last applied or adopted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recorded {
    /// The fields, as declared when they were applied or adopted.
    pub fields: Fields,
    /// Our own recent write, while the provider may still show the value before it.
    pub settling: Option<Settling>,
    /// Fields that differed at adoption and wait for a person whatever the policy (semantics 7.1),
    /// with the declared value they had then.
    pub pending_adoption: Fields,
}

impl Recorded {
    /// Ends the waiting of a field that differed at adoption. Of a set, what was there then and not
    /// declared never was ours: it is not recorded any longer, and is given back.
    pub fn end_adoption(&mut self, name: &FieldName) -> BTreeSet<String> {
        let then = self.pending_adoption.remove(name);
        let set = self.fields.get_mut(name);
        let (Some(Value::Set(then)), Some(Value::Set(set))) = (then, set) else {
            return BTreeSet::new();
        };
        let never_ours = set.difference(&then).cloned().collect();
        set.retain(|item| then.contains(item));
        never_ours
    }
}

/// A write of ours that the provider may not show yet (semantics 3.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settling {
    /// What was live before; none if nothing was.
    pub from: Option<Fields>,
    /// Until when `from` may still be shown.
    pub until: Timestamp,
    /// Whether this write was the one retry after a first that did not take.
    pub retried: bool,
}

impl Settling {
    /// How long after [`Settling::until`] an old value is still taken for a write that did not take.
    /// Later it is somebody's: the record of a write may stand for months, since nothing is written
    /// while nothing changes. Long enough for one check, an announcement and the one retry.
    pub const BLAMED_MS: i64 = 60 * 60 * 1000;

    /// The furthest ahead that [`Settling::until`] may lie, in milliseconds: twice the longest time that
    /// a provider has (Aiven's 5 minutes), for clocks that differ. Further is of a wrong clock.
    pub const AHEAD_MS: i64 = 10 * 60 * 1000;

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
