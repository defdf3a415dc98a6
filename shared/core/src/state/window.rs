//! When a drift came about, as far as checks can tell (semantics 9.2).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::Watch;
use crate::compare::Difference;
use crate::model::{ResourceKey, Timestamp};
use crate::plan::{drift_fingerprint, drift_shows};
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
    shows: BTreeSet<String>,
}

/// A window as it is stored. Optional beside each drift: without it the drift has no earlier end.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredWindow {
    after_ms: Option<Time>,
    before_ms: Time,
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
        let seen = self.first_seen.get(key);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::{Cause, FieldDifference, Verdict};
    use crate::model::{FieldName, Value};

    #[test]
    fn what_was_put_back_and_moved_again_came_about_anew() {
        let key = ResourceKey::pubsub_topic("p", "t");
        let drift = |names: &[&'static str]| {
            let field = |name: &&'static str| FieldDifference {
                field: FieldName::known(name),
                declared: Some(Value::Int(1)),
                recorded: Some(Value::Int(1)),
                live: Some(Value::Int(2)),
                cause: Cause::Drifted,
                items: Vec::new(),
                origin: None,
                stuck: false,
            };
            Difference {
                fields: names.iter().map(field).collect(),
                ..Difference::new(&key, Verdict::Drifted)
            }
        };
        let mut watch = Watch::default();
        for (now, names, before) in [
            (10, &["a", "b"][..], 10),
            // One was put back: the other stands since then.
            (20, &["a"], 10),
            (30, &["a", "b"], 30),
            (40, &["b", "a"], 30),
        ] {
            let window = watch.window(&drift(names), Timestamp(now));
            assert_eq!(window.before, Timestamp(before), "{now}");
            let drifts = [(key.clone(), (String::new(), window))].into();
            watch = watch.after(drifts, |_| false, true, Timestamp(now));
        }
    }
}
