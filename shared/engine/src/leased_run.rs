//! The part of a run that changes something. All of it happens under the lease.
//!
//! The changes themselves are in `execute/`; `reconcile.rs` calls this, and takes and releases the
//! lease.

use futures_util::future::join;
use kedge_core::compare::OpenRun;
use kedge_core::model::Timestamp;
use kedge_core::report::{About, ChangeResult, Changed, Report};
use kedge_core::state::State;
use kedge_core::stored::run::RequestCounts;
use tracing::{Instrument as _, debug_span};

use crate::assess::{Assessed, OBSERVATIONS_MAX, assess_again};
use crate::consent::Authorisation;
use crate::execute::{self, Execution};
use crate::grants::{self, GrantError};
use crate::job::{Job, StopError};
use crate::keys::Keys;
use crate::lease::Lease;
use crate::ports::{ETag, Store, WritePorts};
use crate::progress::telling;
use crate::session::Context;
use crate::state_store::{self, ReadWatch, StateStoreError};
use crate::traces::TARGET;

/// A run as it ended.
pub(crate) struct RunEnd {
    /// What was seen last.
    pub(crate) report: Report,
    /// What was done.
    pub(crate) changed: Changed,
    /// What checks remembered before.
    pub(crate) watch: ReadWatch,
    /// State as it was seen and left; none where it was written.
    pub(crate) state: Option<State>,
    /// Why it went no further, if so.
    pub(crate) stopped: Option<StopError>,
    /// Whether what was seen counts, so that it may be remembered (semantics 3.4).
    pub(crate) is_verified: bool,
    /// Set once it went to its end under the lease.
    pub(crate) after: Option<MadeChanges>,
}

/// A run that went to its end under the lease, which it gave back.
#[derive(Debug)]
pub(crate) struct MadeChanges {
    /// The run.
    pub(crate) run: String,
    /// The version of the stored definitions that it went by; none for local files.
    pub(crate) definitions: Option<ETag>,
    /// The store's time then.
    pub(crate) store_now: Timestamp,
}

/// Looks once more, after the lease was released, for what came in while others found the stack
/// busy (semantics 8.6). If it can't be read now, the next run finds it.
pub(crate) async fn moved_meanwhile<S: Store>(
    store: &S,
    job: Job<'_>,
    after: Option<&MadeChanges>,
) -> Vec<&'static str> {
    let Some(after) = after else {
        return Vec::new();
    };
    let definitions = async {
        let known = after.definitions.as_ref()?;
        let stored = store.get(&Keys::of(job.stack).definitions).await.ok()?;
        let is_known = stored.is_some_and(|object| object.etag == *known);
        (!is_known).then_some("new definitions were pushed meanwhile")
    };
    let grants = async {
        let given = grants::given_since(store, job.stack, &after.run, after.store_now).await;
        given
            .unwrap_or_default()
            .then_some("an approval was given meanwhile")
    };
    let (definitions, grants) = join(definitions, grants).await;
    definitions.into_iter().chain(grants).collect()
}

impl RunEnd {
    /// A run that observed and changed nothing.
    pub(crate) fn of(assessed: Assessed, run: &RunStart, stopped: Option<StopError>) -> Self {
        let Assessed {
            observed, report, ..
        } = assessed;
        let changed = Changed {
            run: run.id.clone(),
            ..Changed::default()
        };
        Self {
            is_verified: report.unverified.is_none(),
            report,
            changed,
            watch: observed.watch,
            state: observed.recorded.state,
            stopped,
            after: None,
        }
    }
}

/// A run under way.
#[derive(Debug, Clone)]
pub(crate) struct RunStart {
    /// What it is called; sorts by time.
    pub(crate) id: String,
    /// When it began.
    pub(crate) at_ms: i64,
}

/// What a run that holds the lease works with.
pub(crate) struct LeasedRun<'a, P, S> {
    pub(crate) ports: &'a P,
    pub(crate) store: &'a S,
    pub(crate) lease: &'a Lease<'a, P, S>,
    pub(crate) job: Job<'a>,
    pub(crate) authorisation: &'a Authorisation,
    pub(crate) run: &'a RunStart,
}

impl<P: WritePorts, S: Store> LeasedRun<'_, P, S> {
    /// Makes the changes of `assessed`, if that still counts under the lease.
    pub(crate) async fn change(&self, assessed: Assessed) -> RunEnd {
        let mut requests = RequestCounts::default();
        // The holds are read beside state, where anything is to be begun.
        let reads_holds = assessed.report.decided.approved().next().is_some();
        let holds = async {
            if reads_holds {
                self.lease.first_holds().await;
            }
        };
        let (still, ()) = join(self.still_so(assessed, &mut requests), holds).await;
        let assessed = match still {
            Ok(assessed) => assessed,
            Err(ended) => return *ended,
        };
        let is_unattended = matches!(self.authorisation, Authorisation::Unattended);
        let has_work =
            execute::has_work(&assessed.observed.recorded, &assessed.report, is_unattended);
        if !has_work {
            return RunEnd::of(assessed, self.run, None);
        }
        if let Some(held) = self.all_held(&assessed.report, reads_holds).await {
            let mut ended = RunEnd::of(assessed, self.run, None);
            ended.changed.results = held;
            return ended;
        }
        self.apply(assessed, requests).await
    }

    /// Uses the consent to what is about to be done. What automation may do needs none.
    async fn use_consent(&self, report: &Report) -> Result<(), GrantError> {
        let given = match self.authorisation {
            Authorisation::Unattended => return Ok(()),
            Authorisation::Person(consent) => consent.grant.as_deref(),
            Authorisation::Command(_) => None,
        };
        let (actor, run, now) = (
            self.job.settings.actor,
            &self.run.id,
            self.lease.store_now(),
        );
        grants::use_consent(self.store, report, given, actor, run, now).await
    }

    /// Makes the changes, and keeps the record of the run.
    async fn apply(&self, assessed: Assessed, requests: RequestCounts) -> RunEnd {
        let Assessed {
            mut observed,
            report,
            ..
        } = assessed;
        let mut changed = Changed {
            run: self.run.id.clone(),
            ..Changed::default()
        };
        let definitions = observed.stored.and_then(|stored| stored.etag);
        observed.session.work_under(self.lease.permit());
        let cx = Context::new(self.ports, &observed.session);
        let begun = Execution {
            recorded: observed.recorded,
            watch: &observed.watch.watch,
            salt: observed.session.salt.clone(),
            about: About {
                at_ms: self.run.at_ms,
                ended_ms: self.ports.now().0,
                actor: self.job.settings.actor,
                verb: self.authorisation.verb(),
                trigger: self.job.settings.trigger,
                epoch: self.lease.epoch(),
                requests,
            },
            progress: self.job.settings.progress,
            consent: self.use_consent(&report),
        };
        let is_unattended = matches!(self.authorisation, Authorisation::Unattended);
        let applied = execute::apply(
            cx,
            self.store,
            self.lease,
            begun,
            &report,
            is_unattended,
            &mut changed,
        );
        let applied = applied.instrument(debug_span!(target: TARGET, "execute"));
        let execute::Executed { stopped } =
            telling(self.job.settings.progress, &observed.session, applied).await;
        let after = stopped.is_none().then(|| MadeChanges {
            run: self.run.id.clone(),
            definitions,
            store_now: self.lease.store_now(),
        });
        RunEnd {
            report,
            changed,
            watch: observed.watch,
            state: None,
            stopped,
            is_verified: true,
            after,
        }
    }

    /// Reads state again. A plan from before the lease counts only if state did not change since,
    /// and no other run had the stack then. Otherwise the stack is observed again, under the lease.
    async fn still_so(
        &self,
        mut assessed: Assessed,
        requests: &mut RequestCounts,
    ) -> Result<Assessed, Box<RunEnd>> {
        let ended = |assessed, stopped| RunEnd {
            is_verified: false,
            ..RunEnd::of(assessed, self.run, Some(stopped))
        };
        for _ in 0..OBSERVATIONS_MAX {
            let recorded = match state_store::read_state(self.store, self.job.stack).await {
                Ok(recorded) => recorded,
                Err(error) => return Err(Box::new(ended(assessed, error.into()))),
            };
            let was_anothers = assessed
                .observed
                .open_run
                .as_ref()
                .is_some_and(OpenRun::is_working);
            let is_same = recorded.etag == assessed.observed.recorded.etag && !was_anothers;
            if is_same && recorded.epoch() < self.lease.epoch() {
                return match assessed.refused.take() {
                    None => Ok(assessed),
                    refused => Err(Box::new(RunEnd::of(assessed, self.run, refused))),
                };
            }
            *requests = sum(*requests, assessed.observed.session.requests());
            assessed =
                match assess_again(self.ports, self.store, self.job, self.authorisation).await {
                    Ok(assessed) => assessed,
                    Err(error) => {
                        let error = StopError::Look(Box::new(error));
                        return Err(Box::new(ended(assessed, error)));
                    }
                };
        }
        let stack = self.job.stack.clone();
        let assessed = assessed.discarded(None);
        let error = StateStoreError::Moved { stack }.into();
        Err(Box::new(ended(assessed, error)))
    }

    /// Reads the holds. A run of which every change is held begins nothing (semantics 6.8): it leaves
    /// state, and the consent to it, as they are.
    async fn all_held(&self, report: &Report, is_read: bool) -> Option<Vec<ChangeResult>> {
        let lease = self.lease;
        if !report.decided.approves_any() {
            return None;
        }
        if !is_read {
            lease.first_holds().await;
        }
        let approved = report.decided.approved();
        let held: Option<Vec<ChangeResult>> = approved
            .map(|approved| {
                let back = lease.held_back(&approved.change.key)?;
                Some(ChangeResult {
                    approved: approved.clone(),
                    outcome: back.into_outcome(),
                })
            })
            .collect();
        held.filter(|held| !held.is_empty())
    }
}

fn sum(a: RequestCounts, b: RequestCounts) -> RequestCounts {
    RequestCounts {
        reads: a.reads + b.reads,
        writes: a.writes + b.writes,
    }
}
