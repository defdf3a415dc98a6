//! Resolves changes whose end is not known (semantics 8.1): what is live shows it, once the provider must
//! show it.
//!
//! Until then such a change stays open, and nothing that it may have done counts as somebody else's. What a
//! run is changing right now is in `under_way.rs`.

use std::collections::{BTreeMap, BTreeSet};

use super::CompareInput;
use crate::change::Verb;
use crate::live::{ReadFailure, Reading};
use crate::model::{
    FieldName, Fields, Kind, Recorded, ResourceKey, Scope, Timestamp, Value, has_items, items,
};
use crate::stored::state::Intent;

/// What became of a change, by what is live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// Not known yet: it could not be read, or the provider may not show it yet.
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

/// Such a change, resolved.
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
pub(super) fn resolved(input: CompareInput<'_>) -> BTreeMap<ResourceKey, Resolved> {
    let Some(state) = input.state else {
        return BTreeMap::new();
    };
    let intents = state.applying.iter().flat_map(|applying| &applying.intents);
    let resolve = |(key, intent): (&ResourceKey, &Intent)| {
        let stored = state.resources.get(key);
        let one = match input.live.reading(key) {
            None | Some(Reading::Unknown(_)) => Resolved::open(),
            Some(Reading::Absent(_)) => absent(intent, stored, input.now),
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

/// Resolves a change whose resource is not there.
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
                    let shows = shows_items(to, from.and_then(Value::as_set), live);
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

/// Whether a set shows a change of it: all that was added is there, and nothing that was removed.
fn shows_items(
    to: &BTreeSet<String>,
    from: Option<&BTreeSet<String>>,
    live: Option<&BTreeSet<String>>,
) -> bool {
    let has =
        |set: Option<&BTreeSet<String>>, item: &String| set.is_some_and(|set| set.contains(item));
    let mut added = to.iter().filter(|item| !has(from, item));
    let mut removed = from
        .into_iter()
        .flatten()
        .filter(|item| !to.contains(*item));
    added.all(|item| has(live, item)) && !removed.any(|item| has(live, item))
}

/// The deletions that stay open, since so much else of their scope is gone that no absence in it is
/// believed (semantics 3.2).
pub(super) fn doubted_deletions(
    input: CompareInput<'_>,
    resolved: &BTreeMap<ResourceKey, Resolved>,
    absences: &BTreeMap<Scope, ReadFailure>,
) -> Vec<(ResourceKey, Resolved)> {
    let is_doubted = |(key, one): &(&ResourceKey, &Resolved)| {
        one.record == Some(None)
            && absences.contains_key(key.scope())
            && input.live.reading(key).is_some_and(Reading::is_absent)
    };
    let doubted = resolved.iter().filter(is_doubted);
    doubted
        .map(|(key, _)| (key.clone(), Resolved::open()))
        .collect()
}

/// Whether a run began to replace this resource by what is declared and did not end, a short time ago.
pub(super) fn is_interrupted(input: CompareInput<'_>, key: &ResourceKey) -> bool {
    let intent = input.state.and_then(|state| state.intent(key));
    let declared = input.declared.resources.get(key);
    intent
        .zip(declared)
        .is_some_and(|(intent, declared)| intent.is_replacement_by(&declared.values(), input.now))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(100_000_000);
    const LATER: bool = true;
    const OVER: bool = false;

    /// `ret=1 max=2`, `members=a,b`; `-` is nothing.
    fn fields(text: &str) -> Option<Fields> {
        let field = |part: &str| {
            let (name, value) = part.split_once('=').unwrap();
            let value = match name {
                "members" => Value::set(value.split(',').filter(|item| !item.is_empty())),
                _ => Value::Int(value.parse().unwrap()),
            };
            (FieldName::new(name.to_owned()), value)
        };
        (text != "-").then(|| text.split_whitespace().map(field).collect())
    }

    fn intent(verb: Verb, from: &str, to: &str, shows_later: bool) -> Intent {
        Intent {
            verb,
            at: NOW,
            shown_by: NOW.plus_ms(i64::from(shows_later)),
            from: fields(from),
            to: fields(to).unwrap_or_default(),
            automatic: None,
            begun_by: None,
            earlier: None,
        }
    }

    fn resolve(kind: Kind, intent: &Intent, stored: &str, live: &str) -> Resolved {
        let stored = fields(stored).map(|fields| Recorded {
            fields,
            ..Recorded::default()
        });
        let stored = stored.as_ref();
        match fields(live) {
            None => absent(intent, stored, NOW),
            Some(live) => Present {
                kind,
                intent,
                live: &live,
            }
            .resolve(stored, NOW),
        }
    }

    /// What became of it and what is recorded then: `=` as before, `-` nothing.
    fn resolved_as(kind: Kind, intent: &Intent, stored: &str, live: &str) -> (Fate, String) {
        let resolved = resolve(kind, intent, stored, live);
        let record = match resolved.record {
            None => "=".to_owned(),
            Some(None) => "-".to_owned(),
            Some(Some(record)) => {
                let one = |(name, value): (&FieldName, &Value)| match value {
                    Value::Set(set) => {
                        let items: Vec<&str> = set.iter().map(String::as_str).collect();
                        format!("{name}={}", items.join(","))
                    }
                    value => format!("{name}={value}"),
                };
                let parts: Vec<String> = record.fields.iter().map(one).collect();
                parts.join(" ")
            }
        };
        (resolved.fate, record)
    }

    #[test]
    fn what_became_of_a_change_of_fields() {
        use Fate::{Made, NotMade, Open};
        use Verb::{Create, Delete, Replace, Update};
        // verb, from, to, shows later, recorded, live: fate, record
        for (verb, from, to, later, stored, live, fate, record) in [
            (Create, "-", "r=1", LATER, "-", "-", Open, "="),
            (Create, "-", "r=1", OVER, "-", "-", NotMade, "="),
            (Create, "-", "r=1", LATER, "-", "r=1", Made, "r=1"),
            (Create, "-", "r=1", OVER, "-", "r=5", Made, "r=1"),
            (Create, "-", "r=1", OVER, "r=1", "r=1", Made, "="),
            (Create, "-", "r=2", OVER, "r=1", "r=2", Made, "r=2"),
            // It is there, so it was made; somebody changed it since.
            (Create, "-", "r=2", OVER, "r=1", "r=9", Made, "="),
            (Create, "-", "r=2", OVER, "r=1", "-", NotMade, "="),
            (Update, "r=1", "r=2", LATER, "r=1", "r=2", Made, "r=2"),
            (Update, "r=1", "r=2", LATER, "r=1", "r=1", Open, "="),
            (Update, "r=1", "r=2", OVER, "r=1", "r=1", NotMade, "="),
            (Update, "r=1", "r=2", OVER, "r=1", "r=9", NotMade, "="),
            (Update, "r=1", "r=2", OVER, "r=1", "-", NotMade, "="),
            (Update, "r=1", "r=2", LATER, "r=1", "-", Open, "="),
            // In part: one field shows it.
            (
                Update, "r=1 s=1", "r=2 s=2", LATER, "r=1 s=1", "r=2 s=1", Open, "r=2 s=1",
            ),
            (
                Update, "r=1 s=1", "r=2 s=2", OVER, "r=1 s=1", "r=2 s=1", Made, "r=2 s=1",
            ),
            // A field that was so before says nothing.
            (
                Update, "r=1 s=2", "r=2 s=2", OVER, "r=1 s=2", "r=1 s=2", NotMade, "=",
            ),
            // What was never recorded is ours once all of it shows.
            (Update, "r=1", "r=2", OVER, "-", "r=2", Made, "r=2"),
            (
                Update, "r=1 s=1", "r=2 s=2", OVER, "-", "r=2 s=1", Made, "=",
            ),
            (Update, "r=1", "r=2", OVER, "-", "r=1", NotMade, "="),
            // What was to be replaced is still the one from before.
            (Replace, "r=1", "r=2", LATER, "r=1", "r=1", Open, "="),
            (Replace, "r=1", "r=2", OVER, "r=1", "r=1", NotMade, "="),
            (Replace, "r=1", "r=2", OVER, "-", "r=1", NotMade, "="),
            (Replace, "r=1", "r=2", LATER, "r=1", "r=2", Made, "r=2"),
            (Replace, "r=1", "r=2", OVER, "-", "r=2", Made, "r=2"),
            (Replace, "r=1", "r=2", OVER, "-", "r=7", Made, "r=2"),
            (Replace, "r=1", "r=2", OVER, "r=1", "-", NotMade, "="),
            (Delete, "r=1", "-", LATER, "r=1", "r=1", Open, "="),
            (Delete, "r=1", "-", OVER, "r=1", "r=1", NotMade, "="),
            (Delete, "r=1", "-", LATER, "r=1", "-", Made, "-"),
            (Delete, "r=1", "-", LATER, "-", "-", Made, "="),
        ] {
            let intent = intent(verb, from, to, later);
            let found = resolved_as(Kind::KafkaTopic, &intent, stored, live);
            let row = format!("{verb:?} {from} -> {to}, {stored}, {live}");
            assert_eq!(found, (fate, record.to_owned()), "{row}");
        }
    }

    #[test]
    fn what_became_of_a_change_of_a_set() {
        use Fate::{Made, NotMade, Open};
        use Verb::{Create, Delete, Update};
        for (verb, from, to, later, stored, live, fate, record) in [
            (Create, "-", "a,b", OVER, "-", "a,x", Made, "members=a"),
            (Create, "-", "a", LATER, "-", "x", Open, "="),
            (Create, "-", "a", OVER, "-", "x", NotMade, "="),
            (Update, "a", "a,b", LATER, "a", "a,b", Made, "members=a,b"),
            (Update, "a", "a,b", LATER, "a", "a", Open, "="),
            (Update, "a", "a,b", OVER, "a", "a", NotMade, "="),
            (Update, "a,b", "a", LATER, "a,b", "a", Made, "members=a"),
            (Update, "a,b", "a", OVER, "a,b", "a,b", NotMade, "="),
            // Half: one was added, the other is there still and stays ours.
            (
                Update,
                "a,b",
                "a,c",
                OVER,
                "a,b",
                "a,b,c",
                NotMade,
                "members=a,b,c",
            ),
            (
                Update,
                "a,b",
                "a,c",
                OVER,
                "a,b",
                "a,c",
                Made,
                "members=a,c",
            ),
            (Delete, "a,x", "-", LATER, "a", "x", Made, "-"),
            (Delete, "a,x", "-", LATER, "a", "a,x", Open, "="),
            (Delete, "a,x", "-", OVER, "a", "a,x", NotMade, "="),
            (Delete, "a,x", "-", OVER, "a", "-", Made, "-"),
        ] {
            let set = |text: &str| match text {
                "-" => text.to_owned(),
                items => format!("members={items}"),
            };
            let intent = intent(verb, &set(from), &set(to), later);
            let found = resolved_as(Kind::PubsubBinding, &intent, &set(stored), &set(live));
            let row = format!("{verb:?} {from} -> {to}, {stored}, {live}");
            assert_eq!(found, (fate, record.to_owned()), "{row}");
        }
    }

    #[test]
    fn what_an_earlier_attempt_made_is_ours() {
        let attempt = |to| intent(Verb::Update, "r=1", to, OVER);
        let third = attempt("r=4").after(attempt("r=3").after(attempt("r=2")));
        for (live, record) in [("r=2", "r=2"), ("r=3", "r=3"), ("r=4", "r=4"), ("r=5", "=")] {
            let found = resolved_as(Kind::KafkaTopic, &third, "r=1", live);
            assert_eq!(found.1, record, "{live}");
        }
        let attempt = |to| intent(Verb::Create, "-", to, OVER);
        let second = attempt("r=2 s=2").after(attempt("r=1 s=1"));
        let found = resolved_as(Kind::KafkaTopic, &second, "-", "r=1 s=1");
        assert_eq!(found, (Fate::Made, "r=1 s=1".to_owned()));
    }
}
