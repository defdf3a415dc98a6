//! The part of a run that changes something: all of it happens under the lease.

use kedge_core::report::{Carried, Changed, Report};
use kedge_core::stored::run::{About, Requests};

use crate::apply::{self, Begun, Ended};
use crate::grants;
use crate::job::{Authorisation, Job, RunError, Stopped};
use crate::lease::Lease;
use crate::memory::{self, Keys, MemoryError, ReadWatch};
use crate::ports::{Store, WritePorts};
use crate::reconcile::{self, Judged, LOOKS_MAX};
use crate::session::Context;
use crate::waits::telling;

/// What came of it: what was seen last, what was done, and what checks remembered before.
pub(crate) type Done = (Report, Changed, ReadWatch);

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
    pub(crate) async fn change(&self, judged: Judged) -> Result<Done, RunError> {
        let Self {
            ports,
            store,
            lease,
            job,
            authorisation,
            run,
        } = *self;
        let mut requests = Requests::default();
        let judged = self.still_so(judged, &mut requests).await?;
        let Judged { mut look, report } = judged;
        let is_unattended = matches!(authorisation, Authorisation::Unattended);
        let mut changed = Changed {
            run: run.id.clone(),
            ..Changed::default()
        };
        if !apply::has_work(&look.memory, &report, is_unattended) {
            return Ok((report, changed, look.watch));
        }
        if self.is_all_held(&report, &mut changed).await {
            return Ok((report, changed, look.watch));
        }
        // What a tick may do needs no grant.
        if !is_unattended {
            let now = lease.store_now();
            grants::give_and_use(store, &report, job.actor, &run.id, now).await?;
        }
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
        let applied = apply::apply(
            cx,
            store,
            lease,
            begun,
            &report,
            is_unattended,
            &mut changed,
        );
        let Ended { stopped } = telling(job.progress, &look.session, applied).await;
        if let Some(source) = stopped {
            let stopped = Box::new(Stopped { report, changed });
            return Err(RunError::Stopped { stopped, source });
        }
        changed.run_again = self.moved_meanwhile().await;
        Ok((report, changed, look.watch))
    }

    /// Reads state again: what was planned before the lease was held counts only if state did not move
    /// since. Else looks again, still holding it.
    async fn still_so(
        &self,
        mut judged: Judged,
        requests: &mut Requests,
    ) -> Result<Judged, RunError> {
        let Self {
            ports,
            store,
            lease,
            job,
            authorisation,
            ..
        } = *self;
        for _ in 0..LOOKS_MAX {
            let memory = memory::read_state(store, job.stack).await?;
            if memory.etag == judged.look.memory.etag && memory.epoch() < lease.epoch() {
                return Ok(judged);
            }
            *requests = sum(*requests, judged.look.session.requests());
            judged = reconcile::judged(ports, store, job, authorisation).await?;
        }
        Err(RunError::Memory(MemoryError::Moved {
            stack: job.stack.clone(),
        }))
    }

    /// Reads the holds. A run of which every change is held begins nothing (semantics 6.8): it leaves
    /// state, and the consent to it, as they are.
    async fn is_all_held(&self, report: &Report, changed: &mut Changed) -> bool {
        let lease = self.lease;
        if report.decided.approved.is_empty() {
            return false;
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
        changed.carried = held.unwrap_or_default();
        !changed.carried.is_empty()
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
