//! When a drift came about, as far as checks can tell (semantics 9.2).

use std::collections::{BTreeMap, BTreeSet};

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

impl Window {
    /// `changed between 02:55 and 03:00 UTC, 5 min ago`, as it is read at this time.
    #[must_use]
    pub fn describe(&self, now: Timestamp) -> String {
        // One of them with seconds needs the other with seconds too.
        let far = now.ms_since(self.before).max(2 * 60 * 1000);
        let as_of = self.before.plus_ms(far);
        let (before, distance) = (self.before.clock(as_of), self.before.distance(now));
        let Some(after) = self.after else {
            return format!("changed before {before}, {distance}");
        };
        let mut after = after.clock(as_of);
        if after == before {
            return format!("changed at {before}, {distance}");
        }
        if after.len() == before.len() {
            after = after.trim_end_matches(" UTC").to_owned();
        }
        format!("changed between {after} and {before}, {distance}")
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
