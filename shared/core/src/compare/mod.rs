//! Three truths side by side: what differs, and whose doing it is.
//!
//! The types and the table of every case stand together here, which makes the file long.
//! Stupid on purpose: spellings were made one before (normalisation), ownership was decided before
//! (keys and namespaces), and nothing here knows what may be done about a difference; that is
//! [`crate::plan`].

mod catching_up;
mod doubt;
mod drift;
mod fields;
mod open_run;
mod ownership;
mod resolve;
mod seek;
mod under_way;

use std::collections::{BTreeMap, BTreeSet};

pub use drift::{drift_fingerprint, drift_shows};
pub use open_run::{OpenRun, Stage};
pub use resolve::{Fate, Resolved};
use seek::SeekLive;

use crate::change::Verb;
use crate::live::{Detail, FailureCode, Live, LiveWorld, ReadFailure, Reading};
use crate::model::{
    Declared, DeclaredResource, FieldName, IgnoreRule, Kind, Origin, Recorded, ResourceKey, Scope,
    Timestamp, Value, items, marked_stack,
};
use crate::stored::state::State;

/// What is compared.
#[derive(Debug, Clone, Copy)]
pub struct CompareInput<'a> {
    /// What the definitions say.
    pub declared: &'a Declared,
    /// What state says; none if the stack has none yet.
    pub state: Option<&'a State>,
    /// What the providers say.
    pub live: &'a LiveWorld,
    /// The time of the reading.
    pub now: Timestamp,
}

/// How a resource stands (semantics 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Live is what is declared.
    InSync,
    /// We changed it a moment ago, and the provider may still show the old value.
    Settling,
    /// A rule says to overlook the difference.
    Ignored,
    /// Recorded and live, no longer declared.
    Orphan,
    /// Declared and live, never recorded.
    NotAdopted,
    /// The definition was edited.
    Pending,
    /// Live moved away from recorded without us.
    Drifted,
    /// Both.
    DriftedAndPending,
    /// It could not be read.
    Unknown,
}

impl Verdict {
    /// The word in JSON and messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InSync => "in-sync",
            Self::Settling => "settling",
            Self::Ignored => "ignored",
            Self::Orphan => "orphan",
            Self::NotAdopted => "not-adopted",
            Self::Pending => "pending",
            Self::Drifted => "drifted",
            Self::DriftedAndPending => "drifted-and-pending",
            Self::Unknown => "unknown",
        }
    }
}

/// Why a field, an item of a set, or a whole resource is not as declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// Live moved away from recorded without us.
    Drifted,
    /// The definition was edited.
    Edited,
    /// Both.
    EditedAndDrifted,
    /// It was live before we knew it and differs: only a person decides.
    NotAdopted,
    /// The same, and live moved on since it was adopted.
    NotAdoptedAndDrifted,
    /// A declared resource that never was.
    New,
    /// A recorded resource that is gone.
    Missing,
    /// Recorded, no longer declared.
    Withdrawn,
    /// A replacement that a run began and did not end: it was deleted and not made again.
    Interrupted,
}

impl Cause {
    /// The word in JSON and messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Drifted => "drifted",
            Self::Edited => "edited",
            Self::EditedAndDrifted => "edited-and-drifted",
            Self::NotAdopted => "not-adopted",
            Self::NotAdoptedAndDrifted => "not-adopted-and-drifted",
            Self::New => "new",
            Self::Missing => "missing",
            Self::Withdrawn => "withdrawn",
            Self::Interrupted => "interrupted",
        }
    }
}

/// ResourceComparison item of a set that is too few or too many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemDifference {
    /// The item: an address, a member.
    pub item: String,
    /// Whether it should be there and is not; else it is there and should not.
    pub lacking: bool,
    /// Whose doing.
    pub cause: Cause,
    /// The condition under which it is there, in words: a person's narrowing, which nobody here
    /// undoes (semantics 2.4).
    pub condition: Option<String>,
}

/// ResourceComparison field that differs, with all three truths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldDifference {
    /// Which.
    pub field: FieldName,
    /// What the definitions say.
    pub declared: Option<Value>,
    /// What state says.
    pub recorded: Option<Value>,
    /// What the provider says.
    pub live: Option<Value>,
    /// Whose doing.
    pub cause: Cause,
    /// Fields that are sets: the items.
    pub items: Vec<ItemDifference>,
    /// Where the declared value is written.
    pub origin: Option<Origin>,
    /// Our own change of it did not take, twice: it is reported and not tried again.
    pub stuck: bool,
}

/// How one declared or recorded resource stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Which.
    pub key: ResourceKey,
    /// How it stands.
    pub verdict: Verdict,
    /// Why it should be made or deleted as a whole, if it should.
    pub whole: Option<Cause>,
    /// The fields that differ.
    pub fields: Vec<FieldDifference>,
    /// Differences that a rule overlooks.
    pub ignored: Vec<FieldDifference>,
    /// Why it could not be read.
    pub failure: Option<ReadFailure>,
    /// Why nothing may be done about it: another stack's mark, or what stands in its way.
    pub blocked: Option<String>,
    /// Members of a binding that nobody declared.
    pub foreign: Vec<String>,
    /// What ignore rules that ended were about: a field, or (none) the whole. It counts as new from then
    /// on, and automation tells of it before it does anything (semantics 6.9).
    pub ended_rules: Vec<Option<FieldName>>,
    /// Members of a binding that hold its role under a condition, each with the condition in words.
    pub conditions: BTreeMap<String, String>,
    /// Why it does not do its work, by what the provider says.
    pub unhealthy: Vec<String>,
    /// What else there is to say.
    pub notes: Vec<String>,
}

impl Difference {
    pub(crate) fn new(key: &ResourceKey, verdict: Verdict) -> Self {
        Self {
            key: key.clone(),
            verdict,
            whole: None,
            fields: Vec::new(),
            ignored: Vec::new(),
            failure: None,
            blocked: None,
            foreign: Vec::new(),
            ended_rules: Vec::new(),
            conditions: BTreeMap::new(),
            unhealthy: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Whether it is gone though recorded.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self.whole, Some(Cause::Missing | Cause::Interrupted))
    }

    /// Whether all that is to be done besides correcting drift is what differed when the resource
    /// was adopted: its definition was not edited since.
    #[must_use]
    pub fn is_since_adoption(&self) -> bool {
        let any = |causes: &[Cause]| {
            self.fields
                .iter()
                .any(|field| causes.contains(&field.cause))
        };
        any(&[Cause::NotAdopted, Cause::NotAdoptedAndDrifted])
            && !any(&[Cause::Edited, Cause::EditedAndDrifted])
    }

    /// Whether it drifted, alone or beside an edit.
    #[must_use]
    pub fn is_drift(&self) -> bool {
        matches!(self.verdict, Verdict::Drifted | Verdict::DriftedAndPending)
    }
}

/// The whole comparison of one stack.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Comparison {
    /// Every declared or recorded resource.
    pub differences: BTreeMap<ResourceKey, Difference>,
    /// Live in our namespace, neither declared nor recorded.
    pub unmanaged: Vec<ResourceKey>,
    /// Those among them that bear this stack's mark: DNS record sets that it made, as far as anybody can
    /// tell (semantics 2.6).
    pub strays: BTreeSet<ResourceKey>,
    /// What state should say without any provider write: what is live as declared, and (none) what
    /// is gone and withdrawn. Only where it differs from what state says.
    pub records: BTreeMap<ResourceKey, Option<Recorded>>,
    /// What became of changes of which nobody heard how they ended, by what is live (semantics 8.1).
    pub resolved: BTreeMap<ResourceKey, Resolved>,
    /// How many resources are recorded, by kind.
    pub recorded_counts: BTreeMap<Kind, usize>,
    /// Scopes of which something could not be read: automation creates, deletes and replaces
    /// nothing in them (semantics 3.3).
    pub unread_scopes: Vec<Scope>,
    /// Whether the stack has state.
    pub has_state: bool,
    /// Whether anything declared is live.
    pub any_live: bool,
}

impl Comparison {
    /// What is recorded of a resource, given the state that was compared.
    #[must_use]
    pub fn recorded<'a>(
        &'a self,
        state: Option<&'a State>,
        key: &ResourceKey,
    ) -> Option<&'a Recorded> {
        let resolved = self.resolved.get(key);
        match resolved.and_then(|resolved| resolved.record.as_ref()) {
            Some(record) => record.as_ref(),
            None => state?.resources.get(key),
        }
    }
}

/// Compares declared, recorded and live.
#[must_use]
pub fn diff(input: CompareInput<'_>) -> Comparison {
    let mut comparison = Comparison {
        has_state: input.state.is_some(),
        ..Comparison::default()
    };
    let mut resolved = resolve::resolved(input);
    let mut live = SeekLive::new(input.live);
    let mut all = known(input, &resolved, &mut live);
    let doubts = doubt::mass_absences(input, &all);
    let doubted = resolve::doubted_deletions(input, &resolved, &doubts);
    if !doubted.is_empty() {
        all.clear();
        resolved.extend(doubted);
        live = SeekLive::new(input.live);
        all = known(input, &resolved, &mut live);
    }
    let rules = Rules::new(&input.declared.ignore_rules);
    let mut differences = Vec::new();
    for known in all {
        let Known { key, declared, .. } = known;
        let recorded = known.recorded();
        let state = input.state;
        let is_confirmed = state.is_some_and(|state| state.is_confirmed_absent(key, input.now));
        let is_recorded = recorded.is_some();
        let reading = doubt::believed(known.reading, key, is_recorded, is_confirmed, &doubts);
        comparison.any_live |= declared.is_some() && matches!(reading, Reading::Present(_));
        if is_recorded {
            *comparison.recorded_counts.entry(key.kind()).or_default() += 1;
        }
        let one = ResourceComparison {
            input,
            key,
            declared,
            recorded,
            reading,
            is_open: known.resolved.is_some_and(|one| one.fate == Fate::Open),
        };
        let (mut difference, record) = one.compare();
        add_what_else_was_read(input.live, &mut difference);
        overlook(&mut difference, &rules, input.now);
        // What became of a change of ours is recorded, whatever else there is to say of it.
        let of_ours = || known.resolved.and_then(|resolved| resolved.record.clone());
        if let Some(record) = record.or_else(of_ours)
            && known.stored != record.as_ref()
        {
            comparison.records.insert(key.clone(), record);
        }
        if difference.verdict != Verdict::InSync || declared.is_some() {
            differences.push((key.clone(), difference));
        }
    }
    comparison.differences = differences.into_iter().collect();
    (comparison.unmanaged, comparison.strays) = unmanaged(input, &resolved, live);
    comparison.unread_scopes = unread_scopes(input, &comparison.differences, &doubts);
    comparison.resolved = resolved;
    comparison
}

static NONE_RECORDED: BTreeMap<ResourceKey, Recorded> = BTreeMap::new();

/// A key that is declared or recorded, or that a change of ours is open about, with what is said of it.
#[derive(Clone, Copy)]
struct Known<'a> {
    key: &'a ResourceKey,
    declared: Option<&'a DeclaredResource>,
    /// What state says.
    stored: Option<&'a Recorded>,
    /// What became of a change of ours that state does not know the end of.
    resolved: Option<&'a Resolved>,
    /// What its provider says; none if its scope was never asked for.
    reading: Option<Reading<'a>>,
}

impl<'a> Known<'a> {
    /// What is recorded of it, once changes that were open are resolved.
    fn recorded(&self) -> Option<&'a Recorded> {
        let resolved = self.resolved.and_then(|resolved| resolved.record.as_ref());
        resolved.map_or(self.stored, Option::as_ref)
    }
}

/// Every such key, in order.
fn known<'a>(
    input: CompareInput<'a>,
    resolved: &'a BTreeMap<ResourceKey, Resolved>,
    live: &mut SeekLive<'a>,
) -> Vec<Known<'a>> {
    let declared = &input.declared.resources;
    let stored = input.state.map_or(&NONE_RECORDED, |state| &state.resources);
    let one = |(key, declared, stored)| Known {
        key,
        declared,
        stored,
        resolved: None,
        reading: None,
    };
    let mut keys: Vec<Known<'a>> = seek::side_by_side(declared, stored).map(one).collect();
    // What a run made, or may have made, and neither knows. What it did not make is nobody's.
    let is_ours = |(key, one): &(&ResourceKey, &Resolved)| {
        let is_made = matches!(one.record, Some(Some(_)));
        let is_there = matches!(input.live.reading(key), Some(Reading::Present(_)));
        is_made || (one.fate == Fate::Open && !is_there)
    };
    let begun = resolved
        .iter()
        .filter(|(key, _)| !declared.contains_key(*key) && !stored.contains_key(*key))
        .filter(is_ours);
    let known = keys.len();
    keys.extend(begun.map(|(key, _)| one((key, None, None))));
    if keys.len() > known {
        keys.sort_by_key(|known| known.key);
    }
    for known in &mut keys {
        known.reading = live.reading(known.key);
        known.resolved = resolved.get(known.key);
    }
    keys
}

/// ResourceComparison resource under comparison.
struct ResourceComparison<'a> {
    input: CompareInput<'a>,
    key: &'a ResourceKey,
    declared: Option<&'a DeclaredResource>,
    recorded: Option<&'a Recorded>,
    reading: Reading<'a>,
    /// Whether a change of ours is open about it.
    is_open: bool,
}

/// What state should say of a resource: `None` changes nothing, `Some(None)` forgets it.
type RecordUpdate = Option<Option<Recorded>>;

impl ResourceComparison<'_> {
    /// The table: every case of declared, recorded and live.
    fn compare(&self) -> (Difference, RecordUpdate) {
        match (self.declared, self.recorded, self.reading) {
            (_, _, Reading::Unknown(failure)) => (self.unknown(failure), None),
            (Some(declared), None, Reading::Absent) => {
                let cause = match self.awaits(declared) {
                    true => Cause::NotAdopted,
                    false => Cause::New,
                };
                (self.whole(Verdict::Pending, cause), None)
            }
            (Some(declared), None, Reading::Present(live)) => self.never_recorded(declared, live),
            (Some(_), Some(recorded), Reading::Absent) => (self.gone(recorded), None),
            (Some(declared), Some(recorded), Reading::Present(live)) => {
                self.present(declared, recorded, live)
            }
            (None, Some(recorded), Reading::Present(live)) if self.has_ours(recorded, live) => {
                let mut difference = self.whole(Verdict::Orphan, Cause::Withdrawn);
                difference.blocked = other_mark(self.input, live);
                difference.conditions.clone_from(&live.conditions);
                difference.unhealthy.clone_from(&live.unhealthy);
                (difference, None)
            }
            (None, Some(recorded), Reading::Present(live)) if self.is_narrowed(recorded, live) => {
                let mut difference = self.whole(Verdict::Orphan, Cause::Withdrawn);
                difference.blocked = Some(fields::left_under_condition(&live.conditions));
                difference.conditions.clone_from(&live.conditions);
                (difference, None)
            }
            // What we wrote a moment ago may not be shown yet.
            (None, Some(recorded), Reading::Present(_)) if self.settles(recorded) => {
                (self.difference(Verdict::Settling), None)
            }
            (None, Some(recorded), Reading::Absent) if self.is_fresh(recorded) => {
                (self.difference(Verdict::Settling), None)
            }
            (None, Some(_), _) => (self.difference(Verdict::InSync), Some(None)),
            // We began to make it, and it may not be shown yet.
            (None, None, _) if self.is_open => (self.difference(Verdict::Settling), None),
            // We deleted it.
            (None, None, _) => (self.difference(Verdict::InSync), None),
        }
    }

    /// Whether something of ours is live: of a set of items, one of those that are recorded as ours.
    fn has_ours(&self, recorded: &Recorded, live: &Live) -> bool {
        let (kind, ours) = (self.key.kind(), recorded.ours(self.key.kind()));
        match (items(kind, &ours), items(kind, &live.fields)) {
            (Some(ours), Some(live)) => !ours.is_disjoint(live),
            _ => true,
        }
    }

    /// Whether a member of ours still holds the role, under a condition that a person set.
    fn is_narrowed(&self, recorded: &Recorded, live: &Live) -> bool {
        let ours = recorded.ours(self.key.kind());
        let ours = items(self.key.kind(), &ours);
        ours.is_some_and(|ours| ours.iter().any(|item| live.conditions.contains_key(item)))
    }

    /// Whether the provider may still show what was before a write of ours.
    fn settles(&self, recorded: &Recorded) -> bool {
        let settling = recorded.settling.as_ref();
        settling.is_some_and(|settling| settling.lasts(self.input.now))
    }

    /// Whether we made it a moment ago, so that it may not be listed yet.
    fn is_fresh(&self, recorded: &Recorded) -> bool {
        let settling = recorded.settling.as_ref();
        self.settles(recorded) && settling.is_some_and(|settling| settling.made)
    }

    /// Whether we began to delete it a moment ago, so that it may be gone and shown still.
    fn may_be_deleted(&self) -> bool {
        let intent = self.input.state.and_then(|state| state.intent(self.key));
        intent.is_some_and(|intent| {
            intent.verb == Verb::Delete && intent.may_show_later(self.input.now)
        })
    }

    /// Whether it was not there when the stack was adopted, and is declared as it was then.
    fn awaits(&self, declared: &DeclaredResource) -> bool {
        let state = self.input.state;
        let then = state.and_then(|state| state.awaiting.get(self.key));
        then.is_some_and(|then| *then == declared.values())
    }

    fn difference(&self, verdict: Verdict) -> Difference {
        Difference::new(self.key, verdict)
    }

    fn whole(&self, verdict: Verdict, cause: Cause) -> Difference {
        Difference {
            whole: Some(cause),
            ..self.difference(verdict)
        }
    }

    fn unknown(&self, failure: &ReadFailure) -> Difference {
        let is_interrupted = resolve::is_interrupted(self.input, self.key);
        let is_ours = !is_interrupted
            && self.recorded.is_some_and(|recorded| match failure.code {
                FailureCode::InTransition => self.settles(recorded),
                // What we made anew may be listed as the one before it, or be listed before it can
                // be read; what we changed may not.
                FailureCode::BeingDeleted | FailureCode::ListedOnly => self.is_fresh(recorded),
                _ => false,
            });
        if is_ours {
            return self.difference(Verdict::Settling);
        }
        Difference {
            failure: Some(failure.clone()),
            ..self.difference(Verdict::Unknown)
        }
    }

    fn never_recorded(
        &self,
        declared: &DeclaredResource,
        live: &Live,
    ) -> (Difference, RecordUpdate) {
        let found = fields::compare(self.key, declared, None, live);
        let mut difference = self.difference(Verdict::NotAdopted);
        difference.blocked = other_mark(self.input, live);
        difference.foreign = found.foreign;
        difference.fields = found.fields;
        difference.conditions.clone_from(&live.conditions);
        difference.unhealthy.clone_from(&live.unhealthy);
        if difference.blocked.is_some() {
            return (difference, None);
        }
        if difference.fields.is_empty() {
            let record = Recorded {
                fields: found.in_sync.fields(),
                ..Recorded::default()
            };
            // Without state nothing is adopted yet; a stack's first run records it just the same.
            difference.verdict = match self.input.state {
                Some(_) => difference.verdict_of_rest(false),
                None => Verdict::NotAdopted,
            };
            return (difference, Some(Some(record)));
        }
        (difference, None)
    }

    fn gone(&self, recorded: &Recorded) -> Difference {
        // What we deleted ourselves is gone, however short a time ago it was made.
        let interrupted = resolve::is_interrupted(self.input, self.key);
        match &recorded.settling {
            // We deleted it ourselves: it is to be made again, and nobody else moved it.
            _ if interrupted => self.whole(Verdict::Pending, Cause::Interrupted),
            _ if self.is_fresh(recorded) => self.difference(Verdict::Settling),
            Some(settling) if settling.made && settling.is_blamed(self.input.now) => {
                let mut difference = self.whole(Verdict::Drifted, Cause::Missing);
                difference
                    .notes
                    .push(catching_up::did_not_take("create", settling.retried));
                if settling.retried {
                    difference.blocked = Some("creating it did not take, twice".to_owned());
                }
                difference
            }
            _ => self.whole(Verdict::Drifted, Cause::Missing),
        }
    }

    fn present(
        &self,
        declared: &DeclaredResource,
        recorded: &Recorded,
        live: &Live,
    ) -> (Difference, RecordUpdate) {
        let mut found = fields::compare(self.key, declared, Some(recorded), live);
        let settling = catching_up::set_aside(&mut found.fields, recorded, self.input.now);
        let settles = settling.any || self.may_be_deleted();
        let mut difference = self.difference(Verdict::InSync);
        difference.notes = settling.notes;
        difference.blocked = other_mark(self.input, live);
        difference.foreign = found.foreign;
        difference.fields = found.fields;
        difference.conditions.clone_from(&live.conditions);
        difference.unhealthy.clone_from(&live.unhealthy);
        difference.verdict = difference.verdict_of_rest(settles);
        let news = found
            .in_sync
            .news(self.key.kind(), recorded, declared, &difference.fields);
        (difference, news.map(Some))
    }
}

/// Another stack's mark on a live DNS record (semantics 2.3). No mark is no difference.
fn other_mark(input: CompareInput<'_>, live: &Live) -> Option<String> {
    let Detail::DnsRecords(records) = &live.detail else {
        return None;
    };
    records.iter().find_map(|record| {
        let stack = marked_stack(&record.comment)?;
        (stack != input.declared.stack).then(|| {
            format!(
                "record {} bears the mark of stack `{stack}`",
                record.address
            )
        })
    })
}

/// What was read beside the resource itself: what stands in the way of making it, and states that no
/// field covers.
fn add_what_else_was_read(live: &LiveWorld, difference: &mut Difference) {
    let key = &difference.key;
    let Some(scope) = live.scopes.get(key.scope()) else {
        return;
    };
    let is_to_be_made = matches!(
        difference.whole,
        Some(Cause::New | Cause::NotAdopted | Cause::Missing | Cause::Interrupted)
    );
    if let Some(why) = scope.obstacles.get(key).filter(|_| is_to_be_made) {
        difference.blocked.get_or_insert_with(|| why.clone());
    }
    let notes = scope.notes.get(key).into_iter().flatten();
    difference.notes.extend(notes.cloned());
}

/// The ignore rules by the resource they name, since there may be many of both.
struct Rules<'a>(BTreeMap<&'a str, Vec<(usize, &'a IgnoreRule)>>);

impl<'a> Rules<'a> {
    fn new(rules: &'a [IgnoreRule]) -> Self {
        let mut by_resource: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (number, rule) in rules.iter().enumerate() {
            let same = by_resource.entry(rule.resource.as_str()).or_default();
            same.push((number, rule));
        }
        Self(by_resource)
    }

    /// The rules about a resource, in the order of the file.
    fn of(&self, key: &ResourceKey) -> Vec<&'a IgnoreRule> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let forms = key.short_forms();
        let found = forms.iter().filter_map(|form| self.0.get(form.as_str()));
        let mut found: Vec<_> = found.flatten().copied().collect();
        found.sort_unstable_by_key(|(number, _)| *number);
        found.into_iter().map(|(_, rule)| rule).collect()
    }
}

/// Sets aside what a rule says to overlook (semantics 6.9).
fn overlook(difference: &mut Difference, rules: &Rules<'_>, now: Timestamp) {
    const DAY_MS: i64 = 24 * 60 * 60 * 1000;
    if matches!(
        difference.verdict,
        Verdict::InSync | Verdict::Unknown | Verdict::Settling
    ) {
        return;
    }
    for rule in rules.of(&difference.key) {
        if now >= rule.until {
            difference.ended_rules.push(rule.field.clone());
            difference.notes.push(format!(
                "an ignore rule ended on {} ({})",
                rule.until, rule.origin
            ));
            continue;
        }
        let what = match &rule.field {
            None => {
                difference.verdict = Verdict::Ignored;
                difference.whole = None;
                difference.ignored.append(&mut difference.fields);
                "it".to_owned()
            }
            Some(name) => {
                let taken = difference
                    .fields
                    .extract_if(.., |field| field.field == *name);
                let before = difference.ignored.len();
                difference.ignored.extend(taken);
                if difference.ignored.len() == before {
                    continue;
                }
                let is_healthy = difference.unhealthy.is_empty();
                difference.verdict = match difference.whole {
                    None if difference.fields.is_empty() && is_healthy => Verdict::Ignored,
                    None if difference.verdict == Verdict::NotAdopted => Verdict::NotAdopted,
                    None => difference.verdict_of_rest(false),
                    Some(_) => difference.verdict,
                };
                name.to_string()
            }
        };
        let ends = if rule.until.ms_since(now) < DAY_MS {
            "; ends within a day"
        } else {
            ""
        };
        difference.notes.push(format!(
            "{} says to overlook {what} until {}: {}{ends}",
            rule.owner, rule.until, rule.reason
        ));
    }
}

/// What is live in the namespace and nobody's (semantics 2.5, 2.6), and what of it bears our mark.
/// Providers leave internals out.
fn unmanaged(
    input: CompareInput<'_>,
    resolved: &BTreeMap<ResourceKey, Resolved>,
    live: SeekLive<'_>,
) -> (Vec<ResourceKey>, BTreeSet<ResourceKey>) {
    let is_made = |one: &Resolved| matches!(one.record, Some(Some(_)));
    let known = |key: &ResourceKey| {
        let stored = input.state.map(|state| &state.resources);
        input.declared.resources.contains_key(key)
            || resolved.get(key).is_some_and(is_made)
            || stored.is_some_and(|stored| stored.contains_key(key))
    };
    let prefix = input.declared.stack.prefix();
    let ours = |(key, _): &(&ResourceKey, &Live)| {
        let may_be_ours = match key.kind() {
            Kind::DnsRecordSet => true,
            Kind::PubsubBinding => false,
            _ => key.name().starts_with(&prefix),
        };
        may_be_ours && !known(key)
    };
    let (mut unmanaged, mut strays) = (Vec::new(), BTreeSet::new());
    let scopes = live.with_others();
    for (key, live) in scopes.flat_map(|scope| &scope.resources).filter(ours) {
        unmanaged.push(key.clone());
        if live.is_marked_by(&input.declared.stack) {
            strays.insert(key.clone());
        }
    }
    (unmanaged, strays)
}

fn unread_scopes(
    input: CompareInput<'_>,
    differences: &BTreeMap<ResourceKey, Difference>,
    doubts: &BTreeMap<Scope, ReadFailure>,
) -> Vec<Scope> {
    let settles = |key: &ResourceKey| {
        let one = differences.get(key);
        one.is_some_and(|one| one.verdict == Verdict::Settling)
    };
    let is_open = |(key, failure): (&ResourceKey, &ReadFailure)| {
        let state = input.state;
        let is_confirmed = || state.is_some_and(|one| one.is_confirmed_absent(key, input.now));
        match failure.code {
            FailureCode::InTransition | FailureCode::BeingDeleted => false,
            FailureCode::MassAbsence => !is_confirmed(),
            FailureCode::ListedOnly => !settles(key),
            _ => true,
        }
    };
    let unread = |(scope, reading): (&Scope, &crate::live::ScopeReading)| {
        let failed = !reading.failed.is_empty()
            || reading.unknown.iter().any(is_open)
            || doubts.contains_key(scope);
        failed.then(|| scope.clone())
    };
    input.live.scopes.iter().filter_map(unread).collect()
}
