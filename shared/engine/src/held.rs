//! The part of a run that changes something: all of it happens under the lease.

use kedge_core::open_run::OpenRun;
use kedge_core::report::{Carried, Changed, Report};
use kedge_core::state::State;
use kedge_core::stored::run::{About, Requests};

use crate::apply::{self, Begun};
use crate::grants;
use crate::job::{Authorisation, Job, StopError};
use crate::lease::Lease;
use crate::memory::{self, Keys, MemoryError, ReadWatch};
use crate::ports::{Store, WritePorts};
use crate::reconcile::{self, Judged, LOOKS_MAX};
use crate::session::Context;
use crate::waits::telling;

/// A run as it ended.
pub(crate) struct Ended {
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
}

impl Ended {
    /// A run that looked and changed nothing.
    pub(crate) fn of(judged: Judged, run: &Run, stopped: Option<StopError>) -> Self {
        let Judged { look, report, .. } = judged;
        let changed = Changed {
            run: run.id.clone(),
            ..Changed::default()
        };
        Self {
            is_verified: report.unverified.is_none(),
            report,
            changed,
            watch: look.watch,
            state: look.memory.state,
            stopped,
        }
    }
}

/// A run under way.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    /// What it is called; sorts by time.
    pub(crate) id: String,
    /// When it began.
    pub(crate) at_ms: i64,
}

/// What a run that holds the lease works with.
pub(crate) struct Held<'a, P, S> {
    pub(crate) ports: &'a P,
    pub(crate) store: &'a S,
    pub(crate) lease: &'a Lease<'a, P, S>,
    pub(crate) job: Job<'a>,
    pub(crate) authorisation: &'a Authorisation,
    pub(crate) run: &'a Run,
}

impl<P: WritePorts, S: Store> Held<'_, P, S> {
    /// Changes what `judged` says, if that still counts under the lease.
    pub(crate) async fn change(&self, judged: Judged) -> Ended {
        let mut requests = Requests::default();
        let judged = match self.still_so(judged, &mut requests).await {
            Ok(judged) => judged,
            Err(ended) => return *ended,
        };
        let is_unattended = matches!(self.authorisation, Authorisation::Unattended);
        let has_work = apply::has_work(&judged.look.memory, &judged.report, is_unattended);
        if !has_work {
            return Ended::of(judged, self.run, None);
        }
        if let Some(held) = self.all_held(&judged.report).await {
            let mut ended = Ended::of(judged, self.run, None);
            ended.changed.carried = held;
            return ended;
        }
        // What a tick may do needs no grant.
        if !is_unattended {
            let (report, now) = (&judged.report, self.lease.store_now());
            let (store, actor) = (self.store, self.job.actor);
            let used = grants::give_and_use(store, report, actor, &self.run.id, now).await;
            if let Err(error) = used {
                return Ended::of(judged, self.run, Some(error.into()));
            }
        }
        self.apply(judged, requests).await
    }

    /// Makes the changes, and keeps the record of the run.
    async fn apply(&self, judged: Judged, requests: Requests) -> Ended {
        let Self {
            ports,
            store,
            lease,
            job,
            authorisation,
            run,
        } = *self;
        let Judged {
            mut look, report, ..
        } = judged;
        let mut changed = Changed {
            run: run.id.clone(),
            ..Changed::default()
        };
        look.session.work_under(lease.permit());
        let cx = Context {
            ports,
            session: &look.session,
        };
        let begun = Begun {
            memory: look.memory,
            watch: &look.watch.watch,
            salt: look.session.salt.clone(),
            about: About {
                at_ms: run.at_ms,
                ended_ms: ports.now().0,
                actor: job.actor,
                verb: authorisation.verb(),
                trigger: job.trigger,
                epoch: lease.epoch(),
                requests,
            },
            progress: job.progress,
        };
        let is_unattended = matches!(authorisation, Authorisation::Unattended);
        let applied = apply::apply(
            cx,
            store,
            lease,
            begun,
            &report,
            is_unattended,
            &mut changed,
        );
        let apply::Ended { stopped } = telling(job.progress, &look.session, applied).await;
        if stopped.is_none() {
            changed.run_again = self.moved_meanwhile().await;
        }
        Ended {
            report,
            changed,
            watch: look.watch,
            state: None,
            stopped,
            is_verified: true,
        }
    }

    /// Reads state again: what was planned before the lease was held counts only if state did not move
    /// since, and no other run had the stack then. Else looks again, still holding it.
    async fn still_so(
        &self,
        mut judged: Judged,
        requests: &mut Requests,
    ) -> Result<Judged, Box<Ended>> {
        let Self {
            ports,
            store,
            lease,
            job,
            authorisation,
            run,
        } = *self;
        let ended = |judged, stopped| Ended {
            is_verified: false,
            ..Ended::of(judged, run, Some(stopped))
        };
        for _ in 0..LOOKS_MAX {
            let memory = match memory::read_state(store, job.stack).await {
                Ok(memory) => memory,
                Err(error) => return Err(Box::new(ended(judged, error.into()))),
            };
            let was_anothers = judged
                .look
                .open_run
                .as_ref()
                .is_some_and(OpenRun::is_working);
            let is_same = memory.etag == judged.look.memory.etag && !was_anothers;
            if is_same && memory.epoch() < lease.epoch() {
                return match judged.refused.take() {
                    None => Ok(judged),
                    refused => Err(Box::new(Ended::of(judged, run, refused))),
                };
            }
            *requests = sum(*requests, judged.look.session.requests());
            judged = match reconcile::judged(ports, store, job, authorisation).await {
                Ok(judged) => judged,
                Err(error) => {
                    let error = StopError::Look(Box::new(error));
                    return Err(Box::new(ended(judged, error)));
                }
            };
        }
        let stack = job.stack.clone();
        let judged = judged.discarded(None);
        let error = MemoryError::Moved { stack }.into();
        Err(Box::new(ended(judged, error)))
    }

    /// Reads the holds. A run of which every change is held begins nothing (semantics 6.8): it leaves
    /// state, and the consent to it, as they are.
    async fn all_held(&self, report: &Report) -> Option<Vec<Carried>> {
        let lease = self.lease;
        if report.decided.approved.is_empty() {
            return None;
        }
        lease.first_holds().await;
        let approved = report.decided.approved.iter();
        let held: Option<Vec<Carried>> = approved
            .map(|approved| {
                let back = lease.held_back(&approved.change.key)?;
                Some(Carried {
                    approved: approved.clone(),
                    outcome: back.into_outcome(),
                })
            })
            .collect();
        held.filter(|held| !held.is_empty())
    }

    /// Looks once more at what may have come in while others found the stack held (semantics 8.6). What
    /// can't be read now is found by the next run.
    async fn moved_meanwhile(&self) -> Vec<&'static str> {
        let Self {
            store,
            lease,
            job,
            run,
            ..
        } = *self;
        let mut moved = Vec::new();
        if let Some(known) = job.definitions {
            let stored = store.get(&Keys::of(job.stack).definitions).await;
            if stored.is_ok_and(|now| now.is_none_or(|object| object.etag != *known)) {
                moved.push("the definitions were pushed anew meanwhile");
            }
        }
        let given = grants::given_since(store, job.stack, &run.id, lease.store_now()).await;
        if given.unwrap_or_default() {
            moved.push("somebody consented to more meanwhile");
        }
        moved
    }
}

fn sum(a: Requests, b: Requests) -> Requests {
    Requests {
        reads: a.reads + b.reads,
        writes: a.writes + b.writes,
    }
}
