//! Changes of which nobody heard how they ended (semantics 8.1): what is live tells, once the provider
//! must show it. Until then they stay open, and nothing that they may have done is called somebody
//! else's.

use std::collections::{BTreeMap, BTreeSet};

use super::DiffInput;
use crate::change::Verb;
use crate::live::Reading;
use crate::model::{
    FieldName, Fields, Kind, Recorded, ResourceKey, Timestamp, Value, has_items, items,
};
use crate::state::Intent;

/// What became of a change, as far as what is live tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// Nobody can tell yet: it could not be read, or the provider may not show it yet.
    Open,
    /// It was made, in whole or in part.
    Made,
    /// It was not made.
    NotMade,
}

impl Fate {
    /// The word in history: how a change ended.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "unknown",
            Self::Made => "done",
            Self::NotMade => "failed",
        }
    }
}

/// One such change, resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// What became of it.
    pub fate: Fate,
    /// What state should say of the resource now; none: what it says already. `Some(None)`: it was
    /// deleted, and nothing is recorded of it any longer.
    pub record: Option<Option<Recorded>>,
}

impl Resolved {
    fn open() -> Self {
        Self {
            fate: Fate::Open,
            record: None,
        }
    }
}

/// Resolves every change that is open in state.
pub(super) fn resolved(input: DiffInput<'_>) -> BTreeMap<ResourceKey, Resolved> {
    let Some(state) = input.state else {
        return BTreeMap::new();
    };
    let intents = state.applying.iter().flat_map(|applying| &applying.intents);
    let resolve = |(key, intent): (&ResourceKey, &Intent)| {
        let stored = state.resources.get(key);
        let one = match input.live.reading(key) {
            None | Some(Reading::Unknown(_)) => Resolved::open(),
            Some(Reading::Absent) => absent(intent, stored, input.now),
            Some(Reading::Present(live)) => Present {
                kind: key.kind(),
                intent,
                live: &live.fields,
            }
            .resolve(stored, input.now),
        };
        (key.clone(), one)
    };
    intents.map(resolve).collect()
}

/// What nothing that is shown means for a change.
fn absent(intent: &Intent, stored: Option<&Recorded>, now: Timestamp) -> Resolved {
    match intent.verb {
        Verb::Delete => Resolved {
            fate: Fate::Made,
            record: stored.map(|_| None),
        },
        _ => Resolved {
            fate: unless_shown_later(intent, Fate::NotMade, now),
            record: None,
        },
    }
}

fn unless_shown_later(intent: &Intent, fate: Fate, now: Timestamp) -> Fate {
    match intent.may_show_later(now) {
        true => Fate::Open,
        false => fate,
    }
}

/// A change whose resource is there.
struct Present<'a> {
    kind: Kind,
    intent: &'a Intent,
    live: &'a Fields,
}

impl Present<'_> {
    fn resolve(&self, stored: Option<&Recorded>, now: Timestamp) -> Resolved {
        match (self.intent.verb, stored) {
            (Verb::Delete, _) => self.delete(stored, now),
            (Verb::Replace, _) if self.is_as_before() => Resolved {
                fate: unless_shown_later(self.intent, Fate::NotMade, now),
                record: None,
            },
            (Verb::Create | Verb::Replace, None) => self.create(now),
            _ => self.fields(stored, now),
        }
    }

    /// It was to be deleted. Of a set others may have items, which stay.
    fn delete(&self, stored: Option<&Recorded>, now: Timestamp) -> Resolved {
        let ours = stored.map(|stored| stored.ours(self.kind));
        let ours = ours.as_ref().and_then(|ours| items(self.kind, ours));
        let is_gone = match (ours, items(self.kind, self.live)) {
            (Some(ours), Some(live)) => ours.is_disjoint(live),
            _ => false,
        };
        match is_gone {
            true => Resolved {
                fate: Fate::Made,
                record: stored.map(|_| None),
            },
            false => Resolved {
                fate: unless_shown_later(self.intent, Fate::NotMade, now),
                record: None,
            },
        }
    }

    /// It was to be made and is there: it is ours, as we meant it to be. Of a set only what is there.
    fn create(&self, now: Timestamp) -> Resolved {
        let fields: Fields = self
            .intent
            .to
            .iter()
            .map(|(name, to)| {
                let value = match (to, self.live.get(name)) {
                    (Value::Set(_), live) if has_items(self.kind, name) => {
                        self.items_now(name, None, live.and_then(Value::as_set))
                    }
                    (to, live) => self.attempted(name, live).unwrap_or(to).clone(),
                };
                (name.clone(), value)
            })
            .collect();
        // Of a binding or record set only others may have items.
        if items(self.kind, &fields).is_some_and(BTreeSet::is_empty) {
            return Resolved {
                fate: unless_shown_later(self.intent, Fate::NotMade, now),
                record: None,
            };
        }
        let record = Recorded {
            fields,
            ..Recorded::default()
        };
        Resolved {
            fate: Fate::Made,
            record: Some(Some(record)),
        }
    }

    /// Some fields were to be changed: what shows the intended value is ours, any other keeps its record.
    fn fields(&self, stored: Option<&Recorded>, now: Timestamp) -> Resolved {
        let mut record = stored.cloned().unwrap_or_default();
        // What was not there before, or was deleted, is there.
        let mut any = matches!(self.intent.verb, Verb::Create | Verb::Replace);
        let mut all = true;
        for (name, to) in &self.intent.to {
            let from = self.intent.from.as_ref().and_then(|from| from.get(name));
            let live = self.live.get(name);
            let (shows, now) = match to {
                Value::Set(to) if has_items(self.kind, name) => {
                    let was = record.fields.get(name).and_then(Value::as_set);
                    let live = live.and_then(Value::as_set);
                    let shows = shows_items(was, to, from.and_then(Value::as_set), live);
                    (shows, Some(self.items_now(name, was, live)))
                }
                _ => (live == Some(to), self.attempted(name, live).cloned()),
            };
            all &= shows;
            // What was so before says nothing of the change.
            any |= shows && from != Some(to);
            if let Some(now) = now {
                record.fields.insert(name.clone(), now);
            }
        }
        let fate = match (all, any) {
            (true, _) => Fate::Made,
            (false, true) => unless_shown_later(self.intent, Fate::Made, now),
            (false, false) => unless_shown_later(self.intent, Fate::NotMade, now),
        };
        // What was never recorded is ours only once all of it shows.
        let news = (stored.is_some() || all) && stored != Some(&record);
        Resolved {
            fate,
            record: news.then_some(Some(record)),
        }
    }

    /// Whether a resource that was to be replaced is the one from before.
    fn is_as_before(&self) -> bool {
        let from = self.intent.from.as_ref();
        from.is_some_and(|from| {
            from.iter()
                .all(|(name, was)| self.live.get(name) == Some(was))
        })
    }

    /// The value of this attempt, or of an earlier one, that a field shows.
    fn attempted(&self, name: &FieldName, live: Option<&Value>) -> Option<&Value> {
        let mut attempts = self.intent.attempts();
        attempts.find_map(|intent| intent.to.get(name).filter(|to| Some(*to) == live))
    }

    /// What is recorded of a set whose change may have been made, in part or whole: what was to be
    /// added is ours where it is live, and what was to be removed stays ours until it is gone.
    fn items_now(
        &self,
        name: &FieldName,
        was: Option<&BTreeSet<String>>,
        live: Option<&BTreeSet<String>>,
    ) -> Value {
        static NONE: BTreeSet<String> = BTreeSet::new();
        let live = live.unwrap_or(&NONE);
        let attempts = self.intent.attempts();
        let to: BTreeSet<&String> = attempts
            .filter_map(|intent| intent.to.get(name)?.as_set())
            .flatten()
            .collect();
        let kept = |item: &&String| to.contains(*item) || live.contains(*item);
        let added = to.iter().copied().filter(|item| live.contains(*item));
        Value::set(was.into_iter().flatten().filter(kept).chain(added).cloned())
    }
}

/// Whether a set shows a change of it: all that was added is there, nothing of ours that was removed.
/// Exactly what was there before shows no change, whatever else was to be removed.
fn shows_items(
    was: Option<&BTreeSet<String>>,
    to: &BTreeSet<String>,
    from: Option<&BTreeSet<String>>,
    live: Option<&BTreeSet<String>>,
) -> bool {
    let has =
        |set: Option<&BTreeSet<String>>, item: &String| set.is_some_and(|set| set.contains(item));
    let mut added = to.iter().filter(|item| !has(from, item));
    let mut removed = was.into_iter().flatten().filter(|item| !to.contains(*item));
    live != from && added.all(|item| has(live, item)) && !removed.any(|item| has(live, item))
}

/// Whether a run began to replace this resource by what is declared and did not end, a short time ago.
pub(super) fn is_interrupted(input: DiffInput<'_>, key: &ResourceKey) -> bool {
    let intent = input.state.and_then(|state| state.intent(key));
    let declared = input.declared.resources.get(key);
    intent
        .zip(declared)
        .is_some_and(|(intent, declared)| intent.is_replacement_by(&declared.values(), input.now))
}
