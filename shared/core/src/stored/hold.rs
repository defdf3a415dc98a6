//! Holds: a person blocks every change of a stack or a resource for a time (semantics 6.8).
//!
//! `hold.json` is one list for a whole stack. A person writes it without the lease, and whoever is about
//! to change something reads it. Holds that can't be read block everything.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::bounded::Time;
use super::format::{Format, Stored, read, write};
use super::{EncodeError, StoredError};
use crate::model::{ResourceKey, Timestamp, printable};

const OBJECT: &str = "hold.json";

/// One hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// What is held; none: the whole stack.
    pub key: Option<ResourceKey>,
    /// Why.
    pub reason: String,
    /// Who says so: `ana@laptop`.
    pub who: String,
    /// When it ends by itself.
    pub until: Timestamp,
    /// When it was set.
    pub set_at: Timestamp,
}

impl Hold {
    /// Whether it stands at this time.
    #[must_use]
    pub fn stands(&self, now: Timestamp) -> bool {
        now < self.until
    }

    /// Whether nothing may be done about this resource at this time.
    #[must_use]
    pub fn blocks(&self, key: &ResourceKey, now: Timestamp) -> bool {
        self.stands(now) && self.key.as_ref().is_none_or(|held| held == key)
    }

    /// `held by ana@laptop until 2026-11-23 02:00 UTC: reason`, for texts that are kept.
    #[must_use]
    pub fn describe(&self) -> String {
        self.text(&self.until.day_and_time())
    }

    /// `held by ana@laptop until 02:00 UTC (in 2 h): reason`, as it is read at this time.
    #[must_use]
    pub fn describe_at(&self, now: Timestamp) -> String {
        self.text(&self.until.until_text(now))
    }

    fn text(&self, until: &str) -> String {
        let what = match self.key {
            Some(_) => "held",
            None => "the stack is held",
        };
        let (who, reason) = (printable(&self.who), printable(&self.reason));
        format!("{what} by {who} until {until}: {reason}")
    }
}

/// A person holds the thing already, and longer than their new hold would.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndsEarlier {
    /// Their own hold.
    pub own: Box<Hold>,
    /// Who else holds the same thing.
    pub others: Vec<String>,
}

impl fmt::Display for EndsEarlier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match &self.own.key {
            None => "the whole stack".to_owned(),
            Some(key) => key.to_string(),
        };
        let until = self.own.until.day_and_time();
        write!(
            f,
            "you hold {what} until {until} already, and a new hold can't end that earlier; to shorten \
             it, release it first"
        )?;
        match self.others.as_slice() {
            [] => Ok(()),
            others => write!(f, ", which also ends what {} hold", others.join(", ")),
        }
    }
}

/// Holds that are stored and can't be read: then everything is held (semantics 6.8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadHolds {
    /// Why not.
    pub why: String,
    /// Whether a newer program wrote them: then nothing is written over them (semantics 8.7).
    pub is_newer: bool,
}

impl UnreadHolds {
    /// From what reading them came to.
    #[must_use]
    pub fn of(error: &StoredError) -> Self {
        let cause = std::error::Error::source(error);
        let cause = cause.map(|cause| format!(": {cause}")).unwrap_or_default();
        Self {
            why: format!("{error}{cause}"),
            is_newer: error.is_newer(),
        }
    }

    /// `everything is held: the stored hold.json is damaged: …`.
    #[must_use]
    pub fn describe(&self) -> String {
        format!("everything is held: {}", printable(&self.why))
    }
}

/// Of several holds, the one to name: the whole stack's before a resource's, and then the one that ends
/// last.
#[must_use]
pub fn strongest<'a>(holds: impl IntoIterator<Item = &'a Hold>) -> Option<&'a Hold> {
    let holds = holds.into_iter();
    holds.max_by_key(|hold| (hold.key.is_none(), hold.until))
}

/// The holds of one stack. Several people may hold the same thing, each with their own reason and end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Holds {
    list: Vec<Hold>,
}

impl Holds {
    /// All, those that ended too: the stack's first, then by key, and of one key by when they end.
    #[must_use]
    pub fn list(&self) -> &[Hold] {
        &self.list
    }

    /// The held resources that these names mean: what is held may be gone from the definitions since.
    ///
    /// # Errors
    /// Says which name is not held, or may mean several.
    pub fn named(&self, names: &[String]) -> Result<BTreeSet<ResourceKey>, String> {
        // Several people may hold one key.
        let keys: BTreeSet<&ResourceKey> = self.list().iter().flat_map(|hold| &hold.key).collect();
        let one = |name: &String| {
            let mut found = keys.iter().filter(|key| key.answers_to(name));
            match (found.next(), found.next()) {
                (Some(key), None) => Ok((*key).clone()),
                (None, _) => Err(format!("`{name}` is not held")),
                (Some(a), Some(b)) => Err(format!(
                    "`{name}` is ambiguous: it may mean {a} or {b}; name it in full"
                )),
            }
        };
        names.iter().map(one).collect()
    }

    /// Why nothing may be done about a resource at this time, if so.
    #[must_use]
    pub fn blocks(&self, key: &ResourceKey, now: Timestamp) -> Option<&Hold> {
        strongest(self.list.iter().filter(|hold| hold.blocks(key, now)))
    }

    /// Adds a hold beside those that others have of the same thing. The same person's own is replaced.
    ///
    /// # Errors
    /// When the person's own stands and ends later: it would be cut short. Nothing is added then.
    pub fn set(&mut self, hold: Hold) -> Result<(), EndsEarlier> {
        let is_own = |other: &Hold| other.key == hold.key && other.who == hold.who;
        let own = self.list.iter().find(|other| is_own(other));
        if let Some(own) = own.filter(|own| own.stands(hold.set_at) && hold.until < own.until) {
            let others = self.list.iter().filter(|other| {
                other.key == hold.key && other.stands(hold.set_at) && !is_own(other)
            });
            return Err(EndsEarlier {
                own: Box::new(own.clone()),
                others: others.map(|other| other.who.clone()).collect(),
            });
        }
        self.list.retain(|other| !is_own(other));
        self.add(hold);
        Ok(())
    }

    /// Of one key, the hold that ends last is the last: a program that knows one hold of each key keeps
    /// that one.
    fn add(&mut self, hold: Hold) {
        self.list.push(hold);
        self.list
            .sort_by(|a, b| (&a.key, a.until, &a.who).cmp(&(&b.key, b.until, &b.who)));
    }

    /// Takes all holds of a resource, or of the stack, away, whoever set them.
    pub fn release(&mut self, key: Option<&ResourceKey>) -> Vec<Hold> {
        self.list
            .extract_if(.., |hold| hold.key.as_ref() == key)
            .collect()
    }

    /// Takes all holds away.
    pub fn release_all(&mut self) -> Vec<Hold> {
        std::mem::take(&mut self.list)
    }

    /// Drops what ended longer ago than a check needs to say so.
    pub fn trim(&mut self, now: Timestamp) {
        const KEPT_MS: i64 = 7 * 24 * 60 * 60 * 1000;
        self.list.retain(|hold| now.ms_since(hold.until) < KEPT_MS);
    }

    /// Writes them as JSON, the same bytes for the same holds.
    ///
    /// # Errors
    /// When it could not be read back.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let store = |hold: &Hold| {
            let Hold {
                key,
                reason,
                who,
                until,
                set_at,
            } = hold;
            StoredHold {
                key: key.as_ref().map(ToString::to_string),
                reason: reason.clone(),
                who: who.clone(),
                until_ms: (*until).into(),
                set_at_ms: (*set_at).into(),
            }
        };
        let stored = StoredHolds {
            format: StoredHolds::FORMAT.written,
            holds: self.list.iter().map(store).collect(),
        };
        write(&stored)
    }

    /// Reads them back.
    ///
    /// # Errors
    /// When they are damaged or newer than this program.
    pub fn decode(bytes: &[u8]) -> Result<Self, StoredError> {
        let stored: StoredHolds = read(bytes)?;
        let mut holds = Self::default();
        for hold in stored.holds {
            let key = hold.key.as_deref().map(ResourceKey::parse).transpose();
            let key = key.map_err(|error| StoredError::InvalidValue {
                object: OBJECT,
                why: error.to_string(),
            })?;
            holds.add(Hold {
                key,
                reason: hold.reason,
                who: hold.who,
                until: hold.until_ms.into(),
                set_at: hold.set_at_ms.into(),
            });
        }
        Ok(holds)
    }
}

impl Stored for StoredHolds {
    const FORMAT: Format = Format {
        object: OBJECT,
        written: 1,
        read: 1,
        bytes_max: 4 * 1024 * 1024,
        smaller: "hold the whole stack instead",
    };
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoredHolds {
    format: u32,
    holds: Vec<StoredHold>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoredHold {
    /// None: the whole stack.
    key: Option<String>,
    reason: String,
    who: String,
    until_ms: Time,
    set_at_ms: Time,
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = include_str!("samples/hold.json");

    fn topic(name: &str) -> ResourceKey {
        ResourceKey::kafka_topic("p", "s", name)
    }

    fn hold(key: Option<ResourceKey>, until: i64) -> Hold {
        hold_by("ana@laptop", key, until)
    }

    fn hold_by(who: &str, key: Option<ResourceKey>, until: i64) -> Hold {
        Hold {
            key,
            reason: "broker upgrade".to_owned(),
            who: who.to_owned(),
            until: Timestamp(until),
            set_at: Timestamp(1_000),
        }
    }

    #[test]
    fn what_is_held_is_named_in_short() {
        let mut holds = Holds::default();
        holds.set(hold(Some(topic("dev-a")), 5_000)).unwrap();
        let named = |name: &str| holds.named(&[name.to_owned()]);
        assert_eq!(named("dev-a"), Ok([topic("dev-a")].into()));
        assert_eq!(named("dev-b"), Err("`dev-b` is not held".to_owned()));
    }

    #[test]
    fn what_is_held_and_until_when() {
        let mut holds = Holds::default();
        holds.set(hold(Some(topic("dev-a")), 5_000)).unwrap();
        let blocks = |holds: &Holds, name, now| {
            let found = holds.blocks(&topic(name), Timestamp(now));
            found.map(|hold| hold.key.is_none())
        };
        for (name, now, expected) in [
            ("dev-a", 4_999, Some(false)),
            ("dev-a", 5_000, None),
            ("dev-b", 4_999, None),
        ] {
            assert_eq!(blocks(&holds, name, now), expected, "{name} at {now}");
        }
        holds.set(hold(None, 7_000)).unwrap();
        for (name, now, expected) in [
            ("dev-a", 4_999, Some(true)),
            ("dev-b", 6_999, Some(true)),
            ("dev-b", 7_000, None),
        ] {
            assert_eq!(blocks(&holds, name, now), expected, "{name} at {now}");
        }
    }

    #[test]
    fn holds_of_several_people_stand_beside_each_other() {
        let key = Some(topic("dev-a"));
        for (first, second) in [(9_000, 2_000), (2_000, 9_000)] {
            let mut holds = Holds::default();
            let set = [("ana@laptop", first), ("bob@desk", second)];
            for (who, until) in set {
                holds.set(hold_by(who, key.clone(), until)).unwrap();
            }
            assert_eq!(holds.list().len(), 2);
            // The one that ends last is named, and blocks to its end.
            for now in [1_000, 2_000, 8_999] {
                let blocks = holds.blocks(&topic("dev-a"), Timestamp(now)).unwrap();
                assert_eq!(blocks.until, Timestamp(9_000));
            }
            assert_eq!(holds.blocks(&topic("dev-a"), Timestamp(9_000)), None);
            // Read back they are the same, and a program that knows one of each key keeps the longest.
            let read = Holds::decode(&holds.encode().unwrap()).unwrap();
            assert_eq!(read, holds);
            assert_eq!(read.list().last().unwrap().until, Timestamp(9_000));
            let released = holds.release(key.as_ref());
            let mut whose: Vec<_> = released.iter().map(|hold| hold.who.as_str()).collect();
            whose.sort_unstable();
            assert_eq!(whose, ["ana@laptop", "bob@desk"]);
            assert_eq!(holds, Holds::default());
        }
    }

    #[test]
    fn ones_own_hold_is_replaced_unless_that_cuts_it_short() {
        let mut holds = Holds::default();
        for until in [5_000, 5_000, 9_000] {
            holds.set(hold(None, until)).unwrap();
            assert_eq!(holds.list(), [hold(None, until)]);
        }
        holds.set(hold_by("bob@desk", None, 3_000)).unwrap();
        let before = holds.clone();
        let refused = holds.set(hold(None, 8_999)).unwrap_err().to_string();
        assert!(refused.contains("the whole stack until 1970-"), "{refused}");
        assert!(refused.contains("bob@desk"), "{refused}");
        assert_eq!(holds, before);
        // One that ended cuts nothing short.
        let later = Hold {
            set_at: Timestamp(9_000),
            ..hold(None, 8_999)
        };
        holds.set(later).unwrap();
        assert_eq!(holds.list().len(), 2);
    }

    #[test]
    fn what_ended_is_kept_for_a_week() {
        const DAY_MS: i64 = 24 * 60 * 60 * 1000;
        let mut holds = Holds::default();
        holds.set(hold(None, DAY_MS)).unwrap();
        holds.trim(Timestamp(8 * DAY_MS - 1));
        assert_eq!(holds.list().len(), 1);
        holds.trim(Timestamp(8 * DAY_MS));
        assert_eq!(holds.list().len(), 0);
    }

    #[test]
    fn the_sample_is_read_and_written_alike() {
        let mut holds = Holds::default();
        holds.set(hold(Some(topic("dev-a")), 5_000)).unwrap();
        holds.set(hold(None, 7_000)).unwrap();
        assert_eq!(Holds::decode(SAMPLE.as_bytes()).unwrap(), holds);
        assert_eq!(String::from_utf8(holds.encode().unwrap()).unwrap(), SAMPLE);
    }

    #[test]
    fn refuses_what_it_does_not_understand() {
        let refused = |text: &str| Holds::decode(text.as_bytes()).unwrap_err().to_string();
        let newer = refused(&SAMPLE.replace("\"format\": 1", "\"format\": 2, \"x\": 3"));
        assert!(newer.contains("newer kedge"), "{newer}");
        for damaged in [
            "",
            "{",
            "{\"format\": 1}",
            &SAMPLE.replace("kafka-topic", "kafka-tropic"),
        ] {
            let text = refused(damaged);
            assert!(
                text.contains("stored hold.json is damaged"),
                "{damaged}: {text}"
            );
        }
    }
}
