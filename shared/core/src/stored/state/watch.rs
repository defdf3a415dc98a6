//! What checks remember of a stack: since when each drift is known, and the last good read.
//!
//! It is an object of its own, so that a check never writes state (semantics 8.5).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::State;
use super::window::{self, StoredWindow, Window};
use crate::model::{ResourceKey, StackVerdict, Timestamp};
use crate::stored::bounded::Time;
use crate::stored::format::{Format, Stored, read, write};
use crate::stored::hold::{Hold, Holds};
use crate::stored::{EncodeError, StoredError};

/// What checks remember of one stack.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Watch {
    /// Each drift that stands: what it was and when it was first seen.
    pub first_seen: BTreeMap<ResourceKey, (String, Timestamp)>,
    /// When each of them came about.
    pub windows: BTreeMap<ResourceKey, Window>,
    /// When everything was last read without a failure.
    pub last_good_read_at: Option<Timestamp>,
    /// When it was last looked at, and how it stood then. Written when that changes, and as a heartbeat.
    pub last_check: Option<(Timestamp, StackVerdict)>,
    /// Writes of ours whose new value a check saw, by the end of the provider's time to catch up.
    pub confirmed_writes: BTreeMap<ResourceKey, Timestamp>,
    /// Resources seen there again after a person confirmed their absence, by when that was.
    pub returned: BTreeMap<ResourceKey, Timestamp>,
    /// Holds that stand, as far as known: what is held (none: the stack), and until when. While there
    /// are any, each check reads them, and says of one that ended that it did.
    pub holds: BTreeSet<(Option<ResourceKey>, Timestamp)>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoredWatch {
    format: u32,
    first_seen: BTreeMap<String, StoredFirstSeen>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    windows: BTreeMap<String, StoredWindow>,
    last_good_read_ms: Option<Time>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_check: Option<StoredLastCheck>,
    #[serde(default)]
    confirmed_writes_ms: BTreeMap<String, Time>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    returned_ms: BTreeMap<String, Time>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    holds: Vec<StoredKnownHold>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredLastCheck {
    at_ms: Time,
    verdict: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredKnownHold {
    key: Option<String>,
    until_ms: Time,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredFirstSeen {
    fingerprint: String,
    at_ms: Time,
}

const OBJECT: &str = "watch.json";

impl Stored for StoredWatch {
    const FORMAT: Format = Format {
        object: OBJECT,
        written: 1,
        read: 1,
        bytes_max: 16 * 1024 * 1024,
        smaller: "declare less in one stack",
    };
}

impl Watch {
    /// After this long a check writes `watch.json` though nothing changed: the heartbeat.
    pub const HEARTBEAT_MS: i64 = 15 * 60 * 1000;

    /// Reads it back. A damaged one may be dropped: then a drift that was announced is announced
    /// again. What a newer program wrote is not overwritten (semantics 8.7).
    ///
    /// # Errors
    /// When it is damaged or newer.
    pub fn decode(bytes: &[u8]) -> Result<Self, StoredError> {
        let stored: StoredWatch = read(bytes)?;
        let first_seen = |seen: StoredFirstSeen| (seen.fingerprint, seen.at_ms.into());
        let hold = |hold: StoredKnownHold| {
            let key = hold.key.as_deref().map(load_key).transpose()?;
            Ok((key, hold.until_ms.into()))
        };
        Ok(Self {
            first_seen: load_keyed(stored.first_seen, first_seen)?,
            windows: load_keyed(stored.windows, window::load)?,
            last_good_read_at: stored.last_good_read_ms.map(Timestamp::from),
            last_check: stored.last_check.map(load_last_check).transpose()?,
            confirmed_writes: load_keyed(stored.confirmed_writes_ms, Timestamp::from)?,
            returned: load_keyed(stored.returned_ms, Timestamp::from)?,
            holds: stored
                .holds
                .into_iter()
                .map(hold)
                .collect::<Result<_, StoredError>>()?,
        })
    }

    /// Writes it as JSON.
    ///
    /// # Errors
    /// When it could not be read back.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let seen = self.first_seen.iter().map(|(key, (fingerprint, at))| {
            (
                key.to_string(),
                StoredFirstSeen {
                    fingerprint: fingerprint.clone(),
                    at_ms: (*at).into(),
                },
            )
        });
        let last_good_read_ms = self.last_good_read_at.map(Time::from);
        let stored = StoredWatch {
            format: StoredWatch::FORMAT.written,
            first_seen: seen.collect(),
            windows: window::store(&self.windows),
            last_good_read_ms,
            last_check: self.last_check.map(|(at, verdict)| StoredLastCheck {
                at_ms: at.into(),
                verdict: verdict.as_str().to_owned(),
            }),
            confirmed_writes_ms: store_times(&self.confirmed_writes),
            returned_ms: store_times(&self.returned),
            holds: self
                .holds
                .iter()
                .map(|(key, until)| StoredKnownHold {
                    key: key.as_ref().map(ToString::to_string),
                    until_ms: (*until).into(),
                })
                .collect(),
        };
        write(&stored)
    }

    /// What is remembered after a check that saw these drifts (key to fingerprint and
    /// [`Watch::window`]). What was known keeps its time, what is new gets `now`, what is gone is
    /// dropped, what could not be read stays.
    #[must_use]
    pub fn after(
        &self,
        drifts: BTreeMap<ResourceKey, (String, Window)>,
        unread: impl Fn(&ResourceKey) -> bool,
        complete: bool,
        now: Timestamp,
    ) -> Self {
        let (mut seen, mut windows) = (self.first_seen.clone(), self.windows.clone());
        seen.retain(|key, _| unread(key));
        windows.retain(|key, _| unread(key));
        for (key, (fingerprint, window)) in drifts {
            let known = self
                .first_seen
                .get(&key)
                .filter(|(known, _)| *known == fingerprint);
            let at = known.map_or(now, |(_, at)| *at);
            seen.insert(key.clone(), (fingerprint, at));
            windows.insert(key, window);
        }
        let last_good_read_at = if complete {
            Some(now)
        } else {
            self.last_good_read_at
        };
        Self {
            first_seen: seen,
            windows,
            last_good_read_at,
            last_check: self.last_check,
            confirmed_writes: self.confirmed_writes.clone(),
            returned: self.returned.clone(),
            holds: self.holds.clone(),
        }
    }

    /// Of these holds, those to report: each that stands, and each that ended since it was known.
    #[must_use]
    pub fn holds_to_report(&self, holds: &Holds, now: Timestamp) -> Vec<Hold> {
        let known = |hold: &Hold| self.holds.contains(&(hold.key.clone(), hold.until));
        let is_news = |hold: &&Hold| hold.stands(now) || known(hold);
        holds.list().iter().filter(is_news).cloned().collect()
    }

    /// The same, once these holds are known and none of them was reported.
    #[must_use]
    pub fn knowing_of(mut self, holds: &Holds, now: Timestamp) -> Self {
        let known = self.holds_to_report(holds, now).into_iter();
        self.holds = known.map(|hold| (hold.key, hold.until)).collect();
        self
    }

    /// The same, once these holds were reported.
    #[must_use]
    pub fn with_holds(mut self, reported: &[Hold], now: Timestamp) -> Self {
        let standing = reported.iter().filter(|hold| hold.stands(now));
        self.holds = standing
            .map(|hold| (hold.key.clone(), hold.until))
            .collect();
        self
    }

    /// The same, once a check saw the new value of some of the writes that `state` waits for.
    #[must_use]
    pub fn with_confirmed_writes(
        mut self,
        state: &State,
        is_in_sync: impl Fn(&ResourceKey) -> bool,
    ) -> Self {
        let confirmed = state.resources.iter().filter_map(|(key, record)| {
            let until = record.catching_up.as_ref()?.until;
            let is_confirmed = is_in_sync(key) || self.confirmed_writes.get(key) == Some(&until);
            is_confirmed.then(|| (key.clone(), until))
        });
        self.confirmed_writes = confirmed.collect();
        self
    }

    /// The same, once a check saw resources again whose absence was confirmed in `state`.
    #[must_use]
    pub fn with_returned(mut self, state: &State, is_there: impl Fn(&ResourceKey) -> bool) -> Self {
        let returned = state
            .absent
            .iter()
            .filter(|(key, at)| is_there(key) || self.returned.get(*key) == Some(*at));
        self.returned = returned.map(|(key, at)| (key.clone(), *at)).collect();
        self
    }

    /// The same, once the stack was seen to stand like this.
    #[must_use]
    pub fn checked(mut self, at: Timestamp, verdict: StackVerdict) -> Self {
        self.last_check = Some((at, verdict));
        self
    }

    /// Whether this is worth a write after `before`: something changed, or the heartbeat is due.
    #[must_use]
    pub fn is_news_after(&self, before: &Self) -> bool {
        let beats = |now: Option<Timestamp>, then: Option<Timestamp>| match (now, then) {
            (Some(now), Some(then)) => now.ms_since(then) >= Self::HEARTBEAT_MS,
            (now, then) => now != then,
        };
        let at = |watch: &Self| watch.last_check.map(|(at, _)| at);
        let verdict = |watch: &Self| watch.last_check.map(|(_, verdict)| verdict);
        let due = beats(self.last_good_read_at, before.last_good_read_at)
            || beats(at(self), at(before))
            || verdict(self) != verdict(before);
        let same = self.first_seen == before.first_seen
            && self.windows == before.windows
            && self.confirmed_writes == before.confirmed_writes
            && self.returned == before.returned
            && self.holds == before.holds;
        !same || due
    }
}

fn load_last_check(stored: StoredLastCheck) -> Result<(Timestamp, StackVerdict), StoredError> {
    let verdict = StackVerdict::parse(&stored.verdict);
    let verdict = verdict.ok_or_else(|| StoredError::InvalidValue {
        object: OBJECT,
        why: format!("verdict `{}`", stored.verdict),
    })?;
    Ok((stored.at_ms.into(), verdict))
}

fn store_times(times: &BTreeMap<ResourceKey, Timestamp>) -> BTreeMap<String, Time> {
    let times = times.iter();
    times
        .map(|(key, at)| (key.to_string(), Time::from(*at)))
        .collect()
}

fn load_key(text: &str) -> Result<ResourceKey, StoredError> {
    let (object, why) = (OBJECT, format!("resource key `{text}`"));
    ResourceKey::parse(text).map_err(|_| StoredError::InvalidValue { object, why })
}

fn load_keyed<A, B>(
    stored: BTreeMap<String, A>,
    load: impl Fn(A) -> B,
) -> Result<BTreeMap<ResourceKey, B>, StoredError> {
    let one = |(key, value): (String, A)| Ok((load_key(&key)?, load(value)));
    stored.into_iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::{Cause, Difference, Verdict};

    #[test]
    fn a_drift_keeps_the_time_it_was_first_seen() {
        let key = ResourceKey::pubsub_topic("p", "t");
        let missing = Difference {
            whole: Some(Cause::Missing),
            ..Difference::new(&key, Verdict::Drifted)
        };
        let after = |watch: &Watch, text: &str, now| {
            let window = watch.window(&missing, Timestamp(now));
            let drifts = [(key.clone(), (text.to_owned(), window))].into();
            watch.after(drifts, |_| false, true, Timestamp(now))
        };
        let first = after(&Watch::default(), "a", 10);
        let same = after(&first, "a", 20);
        assert_eq!(same.first_seen[&key].1, Timestamp(10));
        assert!(!same.is_news_after(&first));
        let other = after(&same, "b", 30);
        assert_eq!(other.first_seen[&key].1, Timestamp(30));
        assert!(other.is_news_after(&same));
        let unread = other.after(BTreeMap::new(), |_| true, false, Timestamp(40));
        assert_eq!(unread.windows, other.windows);
        assert_eq!(
            (unread.first_seen, unread.last_good_read_at),
            (other.first_seen.clone(), Some(Timestamp(30)))
        );
        assert_eq!(Watch::decode(&other.encode().unwrap()).unwrap(), other);
        assert!(Watch::decode(b"{").is_err_and(|error| !error.is_newer()));
    }

    #[test]
    fn a_hold_that_ended_is_told_once() {
        let key = ResourceKey::pubsub_topic("p", "t");
        let hold = |key, until| Hold {
            key,
            reason: String::new(),
            who: String::new(),
            until: Timestamp(until),
            set_at: Timestamp(0),
        };
        let mut holds = Holds::default();
        holds.set(hold(Some(key), 10)).unwrap();
        holds.set(hold(None, 20)).unwrap();
        let mut watch = Watch::default();
        let mut told = Vec::new();
        for now in [5, 10, 15, 20, 25] {
            let tells = watch.holds_to_report(&holds, Timestamp(now));
            let after = watch.clone().with_holds(&tells, Timestamp(now));
            assert_eq!(
                after.is_news_after(&watch),
                [5, 10, 20].contains(&now),
                "{now}"
            );
            assert_eq!(Watch::decode(&after.encode().unwrap()).unwrap(), after);
            watch = after;
            told.push(tells.len());
        }
        assert_eq!(told, [2, 2, 1, 1, 0]);
        // One that ended before anybody knew of it was told by whoever set it.
        assert_eq!(watch.holds_to_report(&holds, Timestamp(30)), []);
    }
}
