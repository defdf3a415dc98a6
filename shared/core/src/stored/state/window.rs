//! When a drift came about, as far as checks can tell (semantics 9.2).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::{ResourceKey, Timestamp};
use crate::stored::bounded::Time;

/// The time in which a drift came about. It is found at the first sight of the drift and stays what it
/// was then, while nothing moves that did not show before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// The last good read before the first sight; none if none is remembered.
    pub after: Option<Timestamp>,
    /// The first sight.
    pub before: Timestamp,
    /// What it showed, as hashes.
    pub(crate) shows: BTreeSet<String>,
}

/// A window as it is stored. Optional beside each drift: without it the drift has no earlier end.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredWindow {
    after_ms: Option<Time>,
    before_ms: Time,
    shows: BTreeSet<String>,
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
            after_ms: window.after.map(Time::from),
            before_ms: window.before.into(),
            shows: window.shows.clone(),
        };
        (key.to_string(), stored)
    };
    windows.iter().map(one).collect()
}

pub(super) fn load(stored: StoredWindow) -> Window {
    Window {
        after: stored.after_ms.map(Timestamp::from),
        before: stored.before_ms.into(),
        shows: stored.shows,
    }
}
