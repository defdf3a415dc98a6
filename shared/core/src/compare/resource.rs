//! One resource under comparison: the table of every case of declared, recorded and live.
//!
//! Single fields are compared in `fields.rs`; what our own writes explain is set aside in
//! `catching_up.rs`.

use super::{Cause, CompareInput, Difference, Verdict, catching_up, fields, resolve};
use crate::change::Verb;
use crate::live::{Detail, FailureCode, Live, ReadFailure, Reading};
use crate::model::{DeclaredResource, Recorded, ResourceKey, items, marked_stack};

/// One resource under comparison.
pub(super) struct ResourceComparison<'a> {
    pub(super) input: CompareInput<'a>,
    pub(super) key: &'a ResourceKey,
    pub(super) declared: Option<&'a DeclaredResource>,
    pub(super) recorded: Option<&'a Recorded>,
    pub(super) reading: Reading<'a>,
    /// Whether a change of ours is open about it.
    pub(super) is_open: bool,
}

/// What state should say of a resource: `None` changes nothing, `Some(None)` forgets it.
pub(super) type RecordUpdate = Option<Option<Recorded>>;

impl ResourceComparison<'_> {
    /// The table: every case of declared, recorded and live.
    pub(super) fn compare(&self) -> (Difference, RecordUpdate) {
        match (self.declared, self.recorded, self.reading) {
            (_, _, Reading::Unknown(failure)) => (self.unknown(failure), None),
            (Some(declared), None, Reading::Absent(_)) => {
                let cause = match self.awaits(declared) {
                    true => Cause::NotAdopted,
                    false => Cause::New,
                };
                (self.whole(Verdict::Pending, cause), None)
            }
            (Some(declared), None, Reading::Present(live)) => self.never_recorded(declared, live),
            (Some(_), Some(recorded), Reading::Absent(_)) => (self.gone(recorded), None),
            (Some(declared), Some(recorded), Reading::Present(live)) => {
                self.present(declared, recorded, live)
            }
            (None, Some(recorded), Reading::Present(live)) if self.has_ours(recorded, live) => {
                let mut difference = self.whole(Verdict::Orphan, Cause::Removed);
                difference.blocked = other_mark(self.input, live);
                difference.conditions.clone_from(&live.conditions);
                difference.unhealthy.clone_from(&live.unhealthy);
                (difference, None)
            }
            (None, Some(recorded), Reading::Present(live)) if self.is_narrowed(recorded, live) => {
                let mut difference = self.whole(Verdict::Orphan, Cause::Removed);
                difference.blocked = Some(fields::left_under_condition(&live.conditions));
                difference.conditions.clone_from(&live.conditions);
                (difference, None)
            }
            // What we wrote a moment ago may not be shown yet.
            (None, Some(recorded), Reading::Present(_)) if self.is_catching_up(recorded) => {
                (self.difference(Verdict::CatchingUp), None)
            }
            (None, Some(recorded), Reading::Absent(_)) if self.is_fresh(recorded) => {
                (self.difference(Verdict::CatchingUp), None)
            }
            (None, Some(_), _) => (self.difference(Verdict::InSync), Some(None)),
            // We began to make it, and it may not be shown yet.
            (None, None, _) if self.is_open => (self.difference(Verdict::CatchingUp), None),
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
    fn is_catching_up(&self, recorded: &Recorded) -> bool {
        let catching_up = recorded.catching_up.as_ref();
        catching_up.is_some_and(|catching_up| catching_up.lasts(self.input.now))
    }

    /// Whether we made it a moment ago, so that it may not be listed yet.
    fn is_fresh(&self, recorded: &Recorded) -> bool {
        let catching_up = recorded.catching_up.as_ref();
        self.is_catching_up(recorded) && catching_up.is_some_and(|catching_up| catching_up.made)
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
                FailureCode::InTransition => self.is_catching_up(recorded),
                // What we made anew may be listed as the one before it, or be listed before it can
                // be read; what we changed may not.
                FailureCode::BeingDeleted | FailureCode::ListedOnly => self.is_fresh(recorded),
                _ => false,
            });
        if is_ours {
            return self.difference(Verdict::CatchingUp);
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
        match &recorded.catching_up {
            // We deleted it ourselves: it is to be made again, and nobody else moved it.
            _ if interrupted => self.whole(Verdict::Pending, Cause::Interrupted),
            _ if self.is_fresh(recorded) => self.difference(Verdict::CatchingUp),
            Some(catching_up) if catching_up.made && catching_up.is_blamed(self.input.now) => {
                let mut difference = self.whole(Verdict::Drifted, Cause::Missing);
                difference
                    .notes
                    .push(catching_up::did_not_take("create", catching_up.retried));
                if catching_up.retried {
                    difference.blocked = Some("kedge created it twice without effect".to_owned());
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
        let catching_up = catching_up::set_aside(&mut found.fields, recorded, self.input.now);
        let is_catching_up = catching_up.any || self.may_be_deleted();
        let mut difference = self.difference(Verdict::InSync);
        difference.notes = catching_up.notes;
        difference.blocked = other_mark(self.input, live);
        difference.foreign = found.foreign;
        difference.fields = found.fields;
        difference.conditions.clone_from(&live.conditions);
        difference.unhealthy.clone_from(&live.unhealthy);
        difference.verdict = difference.verdict_of_rest(is_catching_up);
        let news = found
            .in_sync
            .news(self.key.kind(), recorded, &difference.fields);
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
        (stack != input.declared.stack)
            .then(|| format!("record {} has the mark of stack `{stack}`", record.address))
    })
}
