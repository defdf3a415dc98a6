//! One resource, field by field: what differs, and the cause of each difference.
//!
//! How the resource as a whole stands is decided in `resource.rs`.

use std::collections::{BTreeMap, BTreeSet};

use super::{Cause, Difference, FieldDifference, ItemDifference, Verdict};
use crate::change::{Edit, edited_set};
use crate::live::Live;
use crate::model::{
    DeclaredResource, FieldName, Fields, Kind, Recorded, ResourceKey, Value, field_spec, has_items,
    mean_the_same,
};

/// What a comparison of fields found.
pub(super) struct Found<'a> {
    /// What differs.
    pub(super) fields: Vec<FieldDifference>,
    /// What is live as declared, with the declared values.
    pub(super) in_sync: InSync<'a>,
    /// Members that nobody declared.
    pub(super) foreign: Vec<String>,
}

/// The fields that are live as declared: all but some, and as a rule all.
pub(super) struct InSync<'a> {
    declared: &'a DeclaredResource,
    /// The others.
    differing: Vec<&'a FieldName>,
    /// Whether one that is in sync is not recorded as it is declared.
    is_news: bool,
    /// How many declared fields are recorded.
    recorded: usize,
}

/// Compares the declared fields. A field that is recorded and no longer declared is left as it is
/// live (semantics 7.2), and fields that nobody declared are nobody's business.
pub(super) fn compare<'a>(
    key: &ResourceKey,
    declared: &'a DeclaredResource,
    recorded: Option<&Recorded>,
    live: &Live,
) -> Found<'a> {
    let mut found = Found {
        fields: Vec::new(),
        in_sync: InSync::before(declared),
        foreign: Vec::new(),
    };
    let neighbours = Neighbours {
        kind: key.kind(),
        declared,
        recorded,
        live: &live.fields,
    };
    let mut values = live.fields.in_order();
    let mut stored = recorded.map(|recorded| recorded.fields.in_order());
    for (name, field) in &declared.fields {
        let value = values.get(name);
        let was = stored.as_mut().and_then(|stored| stored.get(name));
        found.in_sync.recorded += usize::from(was.is_some());
        // Of a set, an item under a condition is not among the live ones.
        let is_whole = !matches!(field.value, Value::Set(_)) || live.conditions.is_empty();
        if (is_whole && value == Some(&field.value))
            || is_beside_the_point(key.kind(), name, declared, &live.fields)
        {
            found.in_sync.is_news |= was != Some(&field.value);
            continue;
        }
        let is_set = matches!(field.value, Value::Set(_)) && has_items(key.kind(), name);
        let items = if is_set {
            let adopted = recorded.and_then(|recorded| recorded.pending_adoption.get(name));
            let (items, foreign) = compare_sets(
                key.kind(),
                declared,
                RecordedSet {
                    is_recorded: recorded.is_some(),
                    adopted: adopted.map(|value| set_of(Some(value))),
                    is_pending: adopted == Some(&field.value),
                },
                [Some(&field.value), was, value],
                &live.conditions,
            );
            found.foreign.extend(foreign);
            items
        } else {
            Vec::new()
        };
        let equal = match is_set {
            true => items.is_empty(),
            false => neighbours.same_then(name, [value, Some(&field.value)]),
        };
        if equal {
            found.in_sync.is_news |= was != Some(&field.value);
            continue;
        }
        found.in_sync.differing.push(name);
        let cause = match items.as_slice() {
            [] => cause(&field.value, was, value, &neighbours, name),
            items => items_cause(items),
        };
        found.fields.push(FieldDifference {
            field: name.clone(),
            declared: Some(field.value.clone()),
            recorded: was.cloned(),
            live: value.cloned(),
            cause,
            items,
            origin: Some(field.origin.clone()),
            stuck: false,
        });
    }
    found
}

/// Whether a field does not count now: it is the provider's while a flag is on
/// ([`FieldSpec::unused_while`]), or the provider does not show it.
///
/// [`FieldSpec::unused_while`]: crate::model::FieldSpec::unused_while
fn is_beside_the_point(
    kind: Kind,
    name: &FieldName,
    declared: &DeclaredResource,
    live: &Fields,
) -> bool {
    let Some(flag) = field_spec(kind, name).and_then(|spec| spec.unused_while) else {
        return false;
    };
    let flag = FieldName::known(flag);
    let is_on = |value: Option<&Value>| value == Some(&Value::Bool(true));
    is_on(live.get(&flag))
        || is_on(declared.fields.get(&flag).map(|field| &field.value))
        || !live.contains_key(name)
}

/// The other fields of a resource, since a value may follow one of them.
struct Neighbours<'a> {
    kind: Kind,
    declared: &'a DeclaredResource,
    recorded: Option<&'a Recorded>,
    live: &'a Fields,
}

impl Neighbours<'_> {
    /// Whether two values mean the same once the other fields are as declared.
    fn same_then(&self, name: &FieldName, values: [Option<&Value>; 2]) -> bool {
        mean_the_same(self.kind, name, values, |other| {
            let declared = self.declared.fields.get(other).map(|field| &field.value);
            declared.or_else(|| self.live.get(other)).cloned()
        })
    }

    /// Whether two values meant the same while the other fields were as recorded.
    fn same_before(&self, name: &FieldName, values: [Option<&Value>; 2]) -> bool {
        mean_the_same(self.kind, name, values, |other| {
            let recorded = self.recorded?.fields.get(other);
            recorded.or_else(|| self.live.get(other)).cloned()
        })
    }
}

/// Whose doing a difference between declared and live is.
fn cause(
    declared: &Value,
    was: Option<&Value>,
    live: Option<&Value>,
    neighbours: &Neighbours<'_>,
    name: &FieldName,
) -> Cause {
    let Some(recorded) = neighbours.recorded else {
        return Cause::NotAdopted;
    };
    let is_as_live = neighbours.same_before(name, [was, live]);
    if recorded.pending_adoption.get(name) == Some(declared) && was != Some(declared) {
        return match is_as_live {
            true => Cause::NotAdopted,
            false => Cause::NotAdoptedAndDrifted,
        };
    }
    let is_as_declared = neighbours.same_then(name, [was, Some(declared)]);
    match (was, is_as_declared, is_as_live) {
        (None, ..) | (Some(_), _, true) => Cause::Edited,
        (Some(_), true, false) => Cause::Drifted,
        (Some(_), false, false) => Cause::EditedAndDrifted,
    }
}

/// How a set came to be recorded.
#[derive(Clone, Copy)]
struct RecordedSet<'a> {
    is_recorded: bool,
    /// What was declared when it was adopted and differed; what is recorded is what was live then.
    adopted: Option<&'a BTreeSet<String>>,
    /// Whether that is declared still.
    is_pending: bool,
}

/// Compares sets item by item: `[declared, recorded, live]`. Also returns foreign members, which
/// are no difference. A member that is there only under a condition is not there as declared.
fn compare_sets(
    kind: Kind,
    resource: &DeclaredResource,
    standing: RecordedSet<'_>,
    [declared, recorded, live]: [Option<&Value>; 3],
    conditions: &BTreeMap<String, String>,
) -> (Vec<ItemDifference>, Vec<String>) {
    let (declared, recorded, live) = (set_of(declared), set_of(recorded), set_of(live));
    let mut items = Vec::new();
    let mut foreign = Vec::new();
    for item in declared.difference(live) {
        let cause = match (standing.is_recorded, recorded.contains(item)) {
            (false, _) => Cause::NotAdopted,
            (true, true) => Cause::Drifted,
            // It was declared and not there at adoption already.
            (true, false) if standing.is_pending => Cause::NotAdopted,
            (true, false) => Cause::Edited,
        };
        items.push(ItemDifference {
            item: item.clone(),
            lacking: true,
            cause,
            condition: conditions.get(item).cloned(),
        });
    }
    let narrowed = conditions.iter().filter(|(item, _)| !live.contains(*item));
    let all = live.iter().map(|item| (item, None));
    let all = all.chain(narrowed.map(|(item, words)| (item, Some(words))));
    for (item, condition) in all.filter(|(item, _)| !declared.contains(*item)) {
        // It was there and not declared at adoption already, so it never was ours.
        let foreign_then = standing.adopted.is_some_and(|then| !then.contains(item));
        let cause = match (standing.is_recorded, recorded.contains(item)) {
            (_, true) if foreign_then => Cause::NotAdopted,
            (_, true) => Cause::Removed,
            (true, false) => Cause::Drifted,
            (false, false) => Cause::NotAdopted,
        };
        // Bindings are additive: what others put there is theirs (semantics 2.4).
        if kind.entry().is_additive && cause != Cause::Removed && !resource.authoritative {
            foreign.push(item.clone());
        } else {
            items.push(ItemDifference {
                item: item.clone(),
                lacking: false,
                cause,
                condition: condition.cloned(),
            });
        }
    }
    (items, foreign)
}

fn set_of(value: Option<&Value>) -> &BTreeSet<String> {
    static EMPTY: BTreeSet<String> = BTreeSet::new();
    value.and_then(Value::as_set).unwrap_or(&EMPTY)
}

/// The cause of a set as a whole, from its items. A pending item never hides one that drifted.
pub(super) fn items_cause(items: &[ItemDifference]) -> Cause {
    let any = |cause| items.iter().any(|item| item.cause == cause);
    let is_pending = any(Cause::NotAdopted);
    let edited = any(Cause::Edited) || any(Cause::Removed);
    match (is_pending, any(Cause::Drifted), edited) {
        (true, true, _) => Cause::NotAdoptedAndDrifted,
        (true, false, _) => Cause::NotAdopted,
        (false, true, true) => Cause::EditedAndDrifted,
        (false, true, false) => Cause::Drifted,
        (false, false, _) => Cause::Edited,
    }
}

/// Why a binding that is no longer declared is left: what our members have, they have under a
/// condition that a person set.
pub(super) fn left_under_condition(conditions: &BTreeMap<String, String>) -> String {
    let held = conditions.iter();
    let held: Vec<String> = held
        .map(|(member, words)| format!("{member} has the role under the condition {words}"))
        .collect();
    format!(
        "{}: kedge keeps what a person set; remove it at Google, or forget the binding",
        held.join(", ")
    )
}

impl Difference {
    /// How it stands by its fields and by its health, recorded and live.
    pub(super) fn verdict_of_rest(&self, is_catching_up: bool) -> Verdict {
        match (
            verdict(&self.fields, is_catching_up),
            self.unhealthy.is_empty(),
        ) {
            (Verdict::InSync | Verdict::CatchingUp, false) => Verdict::Drifted,
            (Verdict::Pending, false) => Verdict::DriftedAndPending,
            (verdict, _) => verdict,
        }
    }

    /// What is left of it once these edits of it were made; none if nothing is. A resource that
    /// differs as a whole is whole again after any change.
    #[must_use]
    pub fn after(&self, edits: &[Edit]) -> Option<Self> {
        let is_set = |name: &FieldName| {
            let sets = |edit: &&Edit| edit.field() == name && matches!(edit, Edit::Set { .. });
            edits.iter().any(|edit| sets(&edit))
        };
        let is_edited = |name: &FieldName, item: &ItemDifference| {
            edits.iter().any(|edit| match edit {
                Edit::Add { field, item: added } => {
                    item.lacking && field == name && *added == item.item
                }
                Edit::Remove { field, item: gone } => {
                    !item.lacking && field == name && *gone == item.item
                }
                Edit::Set { .. } => false,
            })
        };
        let mut left = self.clone();
        left.fields.retain(|field| !is_set(&field.field));
        left.fields.retain_mut(|field| {
            let had_items = !field.items.is_empty();
            let FieldDifference {
                field: name,
                items,
                live,
                cause,
                ..
            } = field;
            items.retain(|item| !is_edited(name, item));
            if let (true, Some(set)) = (had_items, live.as_ref().and_then(Value::as_set)) {
                *live = Some(edited_set(set, edits, name));
                *cause = items_cause(items);
            }
            !had_items || !items.is_empty()
        });
        if self.whole.is_some() || (left.fields.is_empty() && left.unhealthy.is_empty()) {
            return None;
        }
        left.verdict = left.verdict_of_rest(false);
        Some(left)
    }
}

/// How a recorded and live resource stands, by its fields.
pub(super) fn verdict(fields: &[FieldDifference], catching_up: bool) -> Verdict {
    let any = |causes: &[Cause]| fields.iter().any(|field| causes.contains(&field.cause));
    let drifted = any(&[
        Cause::Drifted,
        Cause::EditedAndDrifted,
        Cause::NotAdoptedAndDrifted,
    ]);
    let edited = any(&[
        Cause::Edited,
        Cause::EditedAndDrifted,
        Cause::NotAdopted,
        Cause::NotAdoptedAndDrifted,
    ]);
    match (drifted, edited, catching_up) {
        (true, true, _) => Verdict::DriftedAndPending,
        (true, false, _) => Verdict::Drifted,
        (false, true, _) => Verdict::Pending,
        (false, false, true) => Verdict::CatchingUp,
        (false, false, false) => Verdict::InSync,
    }
}

impl<'a> InSync<'a> {
    /// Before any field was compared.
    fn before(declared: &'a DeclaredResource) -> Self {
        Self {
            declared,
            differing: Vec::new(),
            is_news: false,
            recorded: 0,
        }
    }

    /// As fields of their own.
    pub(super) fn fields(&self) -> Fields {
        let fields = self.declared.fields.iter();
        let own = fields.filter(|(name, _)| !self.differing.contains(name));
        own.map(|(name, field)| (name.clone(), field.value.clone()))
            .collect()
    }

    /// What state should say now, with no write to a provider, if that is news: fields that are live
    /// as declared are recorded as declared, fields no longer declared are dropped, the rest stays
    /// (semantics 7.2), and so does the record of a field that was set aside while the provider catches up.
    pub(super) fn news(
        &self,
        kind: Kind,
        recorded: &Recorded,
        differing: &[FieldDifference],
    ) -> Option<Recorded> {
        let is_pending = |name: &FieldName, value: &Value| {
            let is_pending = |field: &FieldDifference| {
                field.field == *name && field.declared.as_ref() == Some(value)
            };
            differing.iter().any(is_pending)
        };
        // Whole stacks are as recorded, and copying their records took most of a comparison's time.
        let is_news = self.is_news
            || self.recorded < recorded.fields.len()
            || (recorded.pending_adoption.iter()).any(|(name, value)| !is_pending(name, value));
        is_news.then(|| {
            let mut record = recorded.clone();
            for (name, value) in &recorded.pending_adoption {
                if !is_pending(name, value) {
                    record.end_adoption(kind, name);
                }
            }
            let is_declared = |name: &FieldName| self.declared.fields.contains_key(name);
            record.fields.retain(|name, _| is_declared(name));
            if let Some(catching_up) = &mut record.catching_up {
                catching_up.before.retain(|name, _| is_declared(name));
            }
            record.fields.extend(self.fields());
            record
        })
    }
}
