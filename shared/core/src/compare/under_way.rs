//! Resources that a run is changing, or was changing when it stopped (semantics 8.1, 8.8).
//!
//! While the run works, any value between the old and the new one is its doing, and the provider is
//! catching up. A third value is somebody else's, so it stays drift. It is decided by each field's own two
//! values and by each item; for the whole resource where it comes or goes, even amid a mass absence. What
//! only a run that stopped can have left half done is not drift.

use std::collections::BTreeSet;

use super::{Cause, Comparison, Difference, FieldDifference, ItemDifference, Verdict, fields};
use crate::change::Verb;
use crate::compare::OpenRun;
use crate::live::{FailureCode, LiveWorld, ReadFailure, Reading};
use crate::model::{Declared, DeclaredResource, FieldName, ResourceKey, Value};
use crate::stored::state::{Intent, State};

impl Comparison {
    /// Says of each resource that this run is changing, or was, that it is so.
    pub fn mark_open_run(
        &mut self,
        declared: &Declared,
        state: &State,
        live: &LiveWorld,
        run: &OpenRun,
    ) {
        let intents = state.applying.iter().flat_map(|one| &one.intents);
        for (key, intent) in intents.filter(|(key, _)| run.keys.contains(*key)) {
            let Some(difference) = self.differences.get_mut(key) else {
                continue;
            };
            let is_nothing = matches!(difference.verdict, Verdict::InSync | Verdict::Ignored);
            if is_nothing || difference.blocked.is_some() {
                continue;
            }
            let begun = OpenChange {
                intent,
                declared: declared.resources.get(key),
                is_recorded: state.resources.contains_key(key),
                reading: live.reading(key),
                is_unread_alone: is_unread_alone(live, key),
            };
            match run.is_working() {
                true => begun.set_aside(difference),
                false => begun.claim(difference),
            }
            difference.notes.push(run.of_resource());
        }
    }

    /// This comparison where nothing of it is known: every resource is unknown, for this reason.
    #[must_use]
    pub fn unknown(mut self, reason: &str) -> Self {
        let failure = ReadFailure {
            reason: reason.to_owned(),
            permission: None,
            code: FailureCode::BeingChanged,
        };
        for (key, difference) in &mut self.differences {
            *difference = Difference {
                failure: Some(failure.clone()),
                ..Difference::new(key, Verdict::Unknown)
            };
        }
        let scopes: BTreeSet<_> = self.differences.keys().map(ResourceKey::scope).collect();
        self.unread_scopes = scopes.into_iter().cloned().collect();
        self.unmanaged.clear();
        self.records.clear();
        self
    }
}

/// Whether this resource could not be read though its kind was.
fn is_unread_alone(live: &LiveWorld, key: &ResourceKey) -> bool {
    let scope = live.scopes.get(key.scope());
    scope.is_some_and(|scope| scope.is_unread_alone(key))
}

/// A change that was begun and has no known end.
struct OpenChange<'a> {
    intent: &'a Intent,
    declared: Option<&'a DeclaredResource>,
    /// Whether state says anything of the resource.
    is_recorded: bool,
    reading: Option<Reading<'a>>,
    is_unread_alone: bool,
}

impl OpenChange<'_> {
    /// Sets aside what this change, which is being made, explains.
    fn set_aside(&self, difference: &mut Difference) {
        if self.explains_whole(difference) {
            difference.verdict = Verdict::CatchingUp;
            difference.whole = None;
            difference.failure = None;
            difference.fields.clear();
            return;
        }
        if difference.verdict == Verdict::Unknown || difference.whole.is_some() {
            return;
        }
        difference.fields.retain_mut(|field| self.is_left_of(field));
        difference.verdict = match difference.fields.as_slice() {
            [] => Verdict::CatchingUp,
            _ if difference.verdict == Verdict::NotAdopted => Verdict::NotAdopted,
            left => fields::verdict(left, true),
        };
    }

    /// Whether the change makes the resource come or go, and that is all there is to say of it.
    fn explains_whole(&self, difference: &Difference) -> bool {
        let comes_or_goes = self.intent.verb != Verb::Update;
        match (difference.verdict, difference.whole) {
            // Listed nowhere, or more are gone than is believed at once: some of them by this run.
            (Verdict::Unknown, _) => match self.reading {
                Some(Reading::Absent(_)) => comes_or_goes,
                Some(Reading::Unknown(failure)) if self.is_unread_alone => match failure.code {
                    FailureCode::InTransition => true,
                    FailureCode::BeingDeleted
                    | FailureCode::ListedOnly
                    | FailureCode::MassAbsence
                    | FailureCode::Inconsistent => comes_or_goes,
                    _ => false,
                },
                _ => false,
            },
            (_, Some(Cause::Removed)) => self.intent.verb == Verb::Delete,
            (_, Some(_)) => comes_or_goes,
            (_, None) => false,
        }
    }

    /// Takes out of a field what the change explains; tells whether anything is left.
    fn is_left_of(&self, field: &mut FieldDifference) -> bool {
        if field.items.is_empty() {
            return !self.is_between(&field.field, field.live.as_ref());
        }
        let name = &field.field;
        field.items.retain(|item| !self.moves(name, item));
        field.cause = fields::items_cause(&field.items);
        !field.items.is_empty()
    }

    /// The attempts that are open and have to do with a field.
    fn attempts(&self, name: &FieldName) -> impl Iterator<Item = &Intent> {
        let touches = |one: &&Intent| one.verb != Verb::Update || one.to.contains_key(name);
        self.intent.attempts().filter(touches)
    }

    fn from<'a>(intent: &'a Intent, name: &FieldName) -> Option<&'a Value> {
        intent.from.as_ref()?.get(name)
    }

    /// Whether a value is what was there before, or what the change makes; of records of one set that
    /// differ, each is.
    fn is_between(&self, name: &FieldName, live: Option<&Value>) -> bool {
        self.attempts(name).any(|intent| {
            let (from, to) = (Self::from(intent, name), intent.to.get(name));
            let is_either = |value: &Value| {
                let was = match from {
                    Some(Value::Mixed(parts)) => parts.values().any(|part| part == value),
                    from => from == Some(value),
                };
                was || to == Some(value)
            };
            let parts_are = || match live {
                Some(Value::Mixed(parts)) => parts.values().all(is_either),
                _ => false,
            };
            live == from || live == to || parts_are()
        })
    }

    /// Whether the change adds this item or takes it away.
    fn moves(&self, name: &FieldName, item: &ItemDifference) -> bool {
        let is_others = !item.lacking && item.cause != Cause::Removed;
        let takes_others = self
            .declared
            .is_some_and(|declared| declared.exclusive || declared.authoritative);
        let in_set = |value: Option<&Value>| {
            let set = value.and_then(Value::as_set);
            set.is_some_and(|set| set.contains(&item.item))
        };
        self.attempts(name).any(|intent| {
            let was = in_set(Self::from(intent, name));
            let will = in_set(intent.to.get(name));
            was != will && (will || !is_others || takes_others)
        })
    }

    /// Says of what a change that stopped left half done that it is no drift: nobody else makes a value
    /// that is partly the old and partly the new one.
    fn claim(&self, difference: &mut Difference) {
        let counts = [Verdict::Drifted, Verdict::DriftedAndPending];
        if difference.whole.is_some() || !counts.contains(&difference.verdict) {
            return;
        }
        for field in &mut difference.fields {
            let is_mixed = matches!(field.live, Some(Value::Mixed(_)));
            let was_ours = Self::from(self.intent, &field.field) == field.recorded.as_ref();
            if is_mixed && was_ours && self.is_between(&field.field, field.live.as_ref()) {
                field.cause = Cause::Edited;
            }
            // What state knows nothing of was to be made, and was made in part.
            if self.is_recorded || field.items.is_empty() {
                continue;
            }
            for item in field.items.iter_mut().filter(|item| item.lacking) {
                if self.moves(&field.field, item) {
                    item.cause = Cause::Edited;
                }
            }
            field.cause = fields::items_cause(&field.items);
        }
        difference.verdict = fields::verdict(&difference.fields, false);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::model::{Fields, Origin, Timestamp};

    fn addresses(items: &[&str]) -> Value {
        Value::set(items.iter().copied())
    }

    fn name(text: &str) -> FieldName {
        FieldName::new(text)
    }

    fn fields(pairs: &[(&str, Value)]) -> Fields {
        let pair = |(field, value): &(&str, Value)| (name(field), value.clone());
        pairs.iter().map(pair).collect()
    }

    fn intent(verb: Verb, from: Option<Fields>, to: Fields) -> Intent {
        Intent {
            verb,
            at: Timestamp(0),
            shown_by: Timestamp(0),
            from,
            to,
            automatic: None,
            begun_by: None,
            earlier: None,
        }
    }

    fn begun(intent: &Intent, is_recorded: bool) -> OpenChange<'_> {
        OpenChange {
            intent,
            declared: None,
            is_recorded,
            reading: None,
            is_unread_alone: false,
        }
    }

    fn mixed(parts: &[i64]) -> Value {
        let part = |(at, value): (usize, &i64)| (format!("192.0.2.{at}"), Value::Int(*value));
        Value::Mixed(
            parts
                .iter()
                .enumerate()
                .map(part)
                .collect::<BTreeMap<_, _>>(),
        )
    }

    #[test]
    fn a_value_is_between_the_old_and_the_new_one_or_it_is_not() {
        let from = fields(&[("ttl", Value::Int(300)), ("proxied", Value::Bool(false))]);
        let update = intent(
            Verb::Update,
            Some(from),
            fields(&[("ttl", Value::Int(600))]),
        );
        let begun = begun(&update, true);
        for (field, live, is_between) in [
            ("ttl", Some(Value::Int(300)), true),
            ("ttl", Some(Value::Int(600)), true),
            ("ttl", Some(Value::Int(60)), false),
            ("ttl", None, false),
            ("ttl", Some(mixed(&[300, 600])), true),
            ("ttl", Some(mixed(&[300, 60])), false),
            // Not part of the change.
            ("proxied", Some(Value::Bool(false)), false),
            ("proxied", Some(Value::Bool(true)), false),
        ] {
            let found = begun.is_between(&name(field), live.as_ref());
            assert_eq!(found, is_between, "{field} {live:?}");
        }
    }

    #[test]
    fn what_was_not_set_before_may_be_not_set_still() {
        let to = fields(&[("description", Value::text("one"))]);
        for verb in [Verb::Update, Verb::Create] {
            let change = intent(verb, (verb == Verb::Update).then(Fields::new), to.clone());
            let begun = begun(&change, true);
            assert!(begun.is_between(&name("description"), None));
            let other = Value::text("two");
            assert!(!begun.is_between(&name("description"), Some(&other)));
        }
    }

    #[test]
    fn an_item_is_moved_by_the_change_or_by_somebody_else() {
        let from = fields(&[("addresses", addresses(&["kept", "leaves", "others"]))]);
        let to = fields(&[("addresses", addresses(&["kept", "comes"]))]);
        let update = intent(Verb::Update, Some(from), to);
        let begun = begun(&update, true);
        let key = ResourceKey::dns_record_set("z", "n.example", "A");
        let declared = DeclaredResource {
            key,
            fields: Default::default(),
            secrets: Default::default(),
            config_keys: BTreeSet::new(),
            origin: Origin {
                file: "".into(),
                line: 1,
                is_default: false,
            },
            exclusive: true,
            authoritative: false,
            on_missing: None,
        };
        let exclusive = OpenChange {
            declared: Some(&declared),
            ..self::begun(&update, true)
        };
        let item = |item: &str, lacking, cause| ItemDifference {
            item: item.to_owned(),
            lacking,
            cause,
            condition: None,
        };
        for (one, moves, moves_exclusive) in [
            (item("comes", true, Cause::Edited), true, true),
            (item("leaves", false, Cause::Removed), true, true),
            // Taken out by somebody else while the run works.
            (item("kept", true, Cause::Drifted), false, false),
            // Put there by somebody else: before, or while it works.
            (item("others", false, Cause::Drifted), false, true),
            (item("new", false, Cause::Drifted), false, false),
        ] {
            let field = name("addresses");
            assert_eq!(begun.moves(&field, &one), moves, "{one:?}");
            assert_eq!(exclusive.moves(&field, &one), moves_exclusive, "{one:?}");
        }
    }

    fn drifted(field: &str, recorded: Value, live: Value, items: &[&str]) -> Difference {
        let key = ResourceKey::dns_record_set("z", "n.example", "A");
        let item = |item: &&str| ItemDifference {
            item: (*item).to_owned(),
            lacking: true,
            cause: Cause::Drifted,
            condition: None,
        };
        Difference {
            fields: vec![FieldDifference {
                field: name(field),
                declared: None,
                recorded: Some(recorded),
                live: Some(live),
                cause: Cause::Drifted,
                items: items.iter().map(item).collect(),
                origin: None,
                stuck: false,
            }],
            ..Difference::new(&key, Verdict::Drifted)
        }
    }

    #[test]
    fn what_only_a_run_that_stopped_can_have_left_is_no_drift() {
        let ttl = |value| fields(&[("ttl", Value::Int(value))]);
        let owned = |intent: &Intent, is_recorded, mut difference: Difference| {
            begun(intent, is_recorded).claim(&mut difference);
            difference.verdict
        };
        let edit = intent(Verb::Update, Some(ttl(300)), ttl(600));
        let half = drifted("ttl", Value::Int(300), mixed(&[300, 600]), &[]);
        assert_eq!(owned(&edit, true, half.clone()), Verdict::Pending);
        let third = drifted("ttl", Value::Int(300), mixed(&[300, 60]), &[]);
        assert_eq!(owned(&edit, true, third), Verdict::Drifted);
        // It was somebody else's value that was to be put right: it is still there, in part.
        let correction = intent(Verb::Update, Some(ttl(60)), ttl(300));
        let half = drifted("ttl", Value::Int(300), mixed(&[300, 60]), &[]);
        assert_eq!(owned(&correction, true, half), Verdict::Drifted);

        let to = fields(&[("addresses", addresses(&["a", "b"]))]);
        let create = intent(Verb::Create, None, to);
        let half = || {
            drifted(
                "addresses",
                addresses(&["a", "b"]),
                addresses(&["a"]),
                &["b"],
            )
        };
        assert_eq!(owned(&create, false, half()), Verdict::Pending);
        // What state knew was there before, and somebody took it away.
        assert_eq!(owned(&create, true, half()), Verdict::Drifted);
    }
}
