//! Three truths side by side: what is declared, recorded and live, what differs, and whose doing it is.
//!
//! Spellings are normalised before this, and ownership is decided before. Nothing here knows what may be
//! done about a difference; that is [`crate::plan`]. The table of all cases is in `resource.rs`. What
//! became of changes without a known end is in `resolve.rs`.

mod catching_up;
mod difference;
mod drift;
mod fields;
mod ignore_rules;
mod known;
mod mass_absence;
mod open_run;
mod ownership;
mod resolve;
mod resource;
mod seek;
mod under_way;

use std::collections::{BTreeMap, BTreeSet};

pub use difference::{Cause, Difference, FieldDifference, ItemDifference, Verdict};
pub use drift::{drift_fingerprint, drift_shows};
use ignore_rules::{Rules, set_ignored_aside};
use known::{Known, known};
pub use open_run::{OpenRun, Stage};
pub use resolve::{Fate, Resolved};
use resource::ResourceComparison;
use seek::SeekLive;

use crate::live::{FailureCode, Live, LiveWorld, ReadFailure, Reading, ScopeReading};
use crate::model::{Declared, Kind, Recorded, ResourceKey, Scope, Timestamp};
use crate::providers::Naming;
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
    /// What state should say without a write to a provider: what is live as declared, and (none) what is
    /// gone and no longer declared. Only where it differs from what state says.
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
pub fn compare(input: CompareInput<'_>) -> Comparison {
    let mut comparison = Comparison {
        has_state: input.state.is_some(),
        ..Comparison::default()
    };
    let mut resolved = resolve::resolved(input);
    let mut live = SeekLive::new(input.live);
    let mut all = known(input, &resolved, &mut live);
    let absences = mass_absence::mass_absences(input, &all);
    let doubted = resolve::doubted_deletions(input, &resolved, &absences);
    if !doubted.is_empty() {
        all.clear();
        resolved.extend(doubted);
        live = SeekLive::new(input.live);
        all = known(input, &resolved, &mut live);
    }
    let rules = Rules::new(&input.declared.ignore_rules);
    let mut differences = Vec::with_capacity(all.len());
    for known in all {
        let Known { key, declared, .. } = known;
        let recorded = known.recorded();
        let state = input.state;
        let is_confirmed = state.is_some_and(|state| state.is_confirmed_absent(key, input.now));
        let is_recorded = recorded.is_some();
        let reading =
            mass_absence::believed(known.reading, key, is_recorded, is_confirmed, &absences);
        comparison.any_live |= declared.is_some() && matches!(reading, Reading::Present(_));
        if is_recorded {
            *comparison.recorded_counts.entry(key.kind()).or_default() += 1;
        }
        let resource = ResourceComparison {
            input,
            key,
            declared,
            recorded,
            reading,
            is_open: known.resolved.is_some_and(|one| one.fate == Fate::Open),
        };
        let (mut difference, record) = resource.compare();
        let catching_up = recorded.and_then(|recorded| recorded.catching_up.as_ref());
        difference.shown_by = catching_up
            .map(|catching_up| catching_up.until)
            .filter(|until| input.now < *until);
        if let Some(scope) = known.scope {
            add_what_else_was_read(scope, &mut difference);
        }
        set_ignored_aside(&mut difference, &rules, input.now);
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
    comparison.unread_scopes = unread_scopes(input, &comparison.differences, &absences);
    comparison.resolved = resolved;
    comparison
}

/// What was read beside the resource itself: what stands in the way of making it, and states that no
/// field covers.
fn add_what_else_was_read(scope: &ScopeReading, difference: &mut Difference) {
    let key = &difference.key;
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
        let may_be_ours = match key.kind().entry().naming {
            Naming::SharedByName => true,
            Naming::OfParent => false,
            Naming::StackPrefix => key.name().starts_with(&prefix),
        };
        may_be_ours && !known(key)
    };
    let (mut unmanaged, mut strays) = (Vec::new(), BTreeSet::new());
    let scopes = live.with_others();
    for (key, live) in scopes.flat_map(ScopeReading::present).filter(ours) {
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
    absences: &BTreeMap<Scope, ReadFailure>,
) -> Vec<Scope> {
    let is_catching_up = |key: &ResourceKey| {
        let one = differences.get(key);
        one.is_some_and(|one| one.verdict == Verdict::CatchingUp)
    };
    let is_open = |(key, failure): (&ResourceKey, &ReadFailure)| {
        let state = input.state;
        let is_confirmed = || state.is_some_and(|one| one.is_confirmed_absent(key, input.now));
        match failure.code {
            FailureCode::InTransition | FailureCode::BeingDeleted => false,
            FailureCode::MassAbsence => !is_confirmed(),
            FailureCode::ListedOnly => !is_catching_up(key),
            _ => true,
        }
    };
    let unknown = differences.iter();
    let unknown = unknown.filter(|(_, one)| one.verdict == Verdict::Unknown);
    let unknown: Vec<&ResourceKey> = unknown.map(|(key, _)| key).collect();
    let unread = |(scope, reading): (&Scope, &ScopeReading)| {
        let lacks =
            |key: &&ResourceKey| key.scope() == scope && !reading.entries().contains_key(*key);
        let failed = !reading.failures().is_empty()
            || reading.unread().any(is_open)
            || unknown.iter().any(lacks)
            || absences.contains_key(scope);
        failed.then(|| scope.clone())
    };
    input.live.scopes.iter().filter_map(unread).collect()
}
