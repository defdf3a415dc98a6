//! When a drift came about, as far as checks can tell (semantics 9.2).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::Watch;
use crate::diff::Difference;
use crate::model::{ResourceKey, Timestamp};
use crate::plan::{drift_fingerprint, drift_shows};

/// The time in which a drift came about. It is found at the first sight of the drift and stays what it
/// was then, while nothing moves that did not show before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// The last good read before the first sight; none if none is remembered.
    pub after: Option<Timestamp>,
    /// The first sight.
    pub before: Timestamp,
    /// What it showed, as hashes.
    shows: BTreeSet<String>,
}

/// A window as it is stored. Optional beside each drift: a program that does not know it drops it, and
/// then the drift has no earlier end any more, which is less and still true.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredWindow {
    after_ms: Option<i64>,
    before_ms: i64,
    shows: BTreeSet<String>,
}

impl Watch {
    /// When this drift came about, by what checks before `now` remember.
    #[must_use]
    pub fn window(&self, difference: &Difference, now: Timestamp) -> Window {
        let key = &difference.key;
        let shows = drift_shows(difference);
        let known = self.windows.get(key);
        if let Some(known) = known.filter(|known| shows.is_subset(&known.shows)) {
            return Window {
                shows,
                ..known.clone()
            };
        }
        let seen = self.seen.get(key);
        let (after, before) = match seen.filter(|_| known.is_none()) {
            Some((fingerprint, at)) if *fingerprint == drift_fingerprint(difference) => (None, *at),
            _ => (self.last_good_read_at, now),
        };
        Window {
            after,
            before,
            shows,
        }
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.after {
            Some(after) => write!(f, "changed between {after} and {}", self.before),
            None => write!(f, "changed before {}", self.before),
        }
    }
}

pub(super) fn store(windows: &BTreeMap<ResourceKey, Window>) -> BTreeMap<String, StoredWindow> {
    let one = |(key, window): (&ResourceKey, &Window)| {
        let stored = StoredWindow {
            after_ms: window.after.map(|at| at.0),
            before_ms: window.before.0,
            shows: window.shows.clone(),
        };
        (key.to_string(), stored)
    };
    windows.iter().map(one).collect()
}

/// Keys that make no sense are dropped: it is only a memory.
pub(super) fn load(stored: BTreeMap<String, StoredWindow>) -> BTreeMap<ResourceKey, Window> {
    let one = |(key, stored): (String, StoredWindow)| {
        let window = Window {
            after: stored.after_ms.map(Timestamp),
            before: Timestamp(stored.before_ms),
            shows: stored.shows,
        };
        Some((ResourceKey::parse(&key).ok()?, window))
    };
    stored.into_iter().filter_map(one).collect()
}
