//! Carries out what was approved, in order, and records as it goes. The only place that writes to a
//! provider.
//!
//! # Protocol (semantics 8.1 to 8.3): the order of state and provider writes
//!
//! 1. The state that the run begins from is copied to `state/<serial>.json`.
//! 2. State is written with the epoch of the lease and with `applying`: every change, with what was
//!    live and what will be recorded.
//! 3. The changes are made. A destructive one runs alone, right after a renewal of the lease; others
//!    of one kind run side by side. A change that is done leaves `applying` and is recorded. Meanwhile
//!    state is written at most once a second.
//! 4. The record of the run is written, then state a last time. What is left in `applying` has an
//!    unknown outcome.
//!
//! A run stops beginning changes if its lease is lost or can't be renewed, if another run wrote state,
//! or if a hold was set. It lets changes under way end, and reports each.
//!
//! **Guarantees.** A crash at any point loses nothing. What was not recorded is in `applying`, and the
//! next run resolves it by what is live. The record of the run that broke off is in `applying` too, and
//! the next run keeps it. Each write of state is conditional on the one before, and made under a lease
//! that stands, so a run whose lease was taken over writes no more.
//! **Assumptions.** A provider's write is all or nothing; `carry_out` may be repeated.
//! **Caveats.** Changes of the second before a crash are found by reading, not in the record.

mod attempt;
mod preparation;
mod room;
mod telling;

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use futures_util::future::join;
use futures_util::stream::{self, StreamExt as _};
use kedge_core::change::{Applied, ChangeError};
use kedge_core::compare::Cause;
use kedge_core::model::{ResourceKey, Salt};
use kedge_core::plan::Approved;
use kedge_core::ran_out::RanOut;
use kedge_core::record::{self};
use kedge_core::report::{About, ChangeResult, Changed, Outcome, Report};
use kedge_core::risk::Risk;
use kedge_core::state::{State, Watch};

use crate::budget::{Purse, Reserve};
use crate::error_chain::error_chain;
use crate::grants::GrantError;
use crate::job::StopError;
use crate::lease::{HoldStop, Lease};
use crate::ports::{Clock, ETag, Random, Store, WritePorts};
use crate::progress::Progress;
use crate::session::Context;
use crate::state_store::{ReadState, StateStoreError, StateWriter};

pub(crate) use self::attempt::nothing_fits;
pub(crate) use self::preparation::{has_work, prepare};

use self::attempt::{Attempt, attempt, batches, needs, polling};
use self::preparation::follows_variables;
use self::telling::Telling;

/// What a run begins from.
pub(crate) struct Execution<'a, C> {
    /// State as it was read.
    pub(crate) recorded: ReadState,
    /// What checks saw since.
    pub(crate) watch: &'a Watch,
    /// The salt the definitions were read with; a first state keeps it.
    pub(crate) salt: Salt,
    /// What its record says of it.
    pub(crate) about: About<'a>,
    /// Is called with each change.
    pub(crate) progress: &'a dyn Fn(Progress<'_>),
    /// Uses the consent to it, where it needs one.
    pub(crate) consent: C,
}

/// How an apply ended.
pub(crate) struct Executed {
    /// Why it stopped before its end, if it did.
    pub(crate) stopped: Option<StopError>,
}

/// Carries out what the report approves, says in `changed` what was done, and keeps the record of it.
/// Call it only if it [`has_work`].
pub(crate) async fn apply<P: WritePorts, S: Store>(
    cx: Context<'_, P>,
    store: &S,
    lease: &Lease<'_, P, S>,
    begun: Execution<'_, impl Future<Output = Result<(), GrantError>>>,
    report: &Report,
    is_unattended: bool,
    changed: &mut Changed,
) -> Executed {
    let Execution {
        recorded,
        watch,
        salt,
        about,
        progress,
        consent,
    } = begun;
    let mut state = recorded.state.unwrap_or_else(|| first_state(report, salt));
    state.epoch = lease.epoch();
    let telling = Telling {
        store,
        report,
        about,
        progress,
    };
    let has_room = room::check(&state, report, is_unattended, changed, cx, about);
    let begun = match has_room {
        Ok(()) => begin(store, &mut state, recorded.etag, cx.ports, consent).await,
        Err(error) => Err(StateStoreError::from(error).into()),
    };
    let writer = match begun {
        Ok(writer) => writer,
        // Without consent nothing was begun, and no record says that it was.
        Err(stopped @ StopError::Grant(_)) => {
            let stopped = Some(stopped);
            return Executed { stopped };
        }
        Err(stopped) => {
            changed.stopped = Some(error_chain(&stopped));
            telling.keep(cx, changed).await;
            let stopped = Some(stopped);
            return Executed { stopped };
        }
    };
    telling
        .found_out(state.applying.as_ref(), &changed.run)
        .await;
    state = state.without_confirmed_writes(watch).into_owned();
    if follows_variables(&state, report) {
        state.variables = Some(report.declared.variables.clone());
    }
    prepare(&mut state, report, is_unattended, changed, cx, about);
    progress(Progress::Applying(report.decided.approved().count()));
    let mut work = Work {
        cx,
        lease,
        writer,
        state,
        changed,
        stopped: None,
        is_written: false,
        report,
        is_unattended,
        progress,
        composites: BTreeMap::new(),
    };
    cx.session.budget.hold_back(Reserve::Changes);
    work.carry_out_all().await;
    work.end_run(&telling).await;
    let stopped = work.stopped;
    Executed { stopped }
}

/// The state of a stack that has none yet.
fn first_state(report: &Report, salt: Salt) -> State {
    let (stack, policy) = (report.declared.stack.clone(), report.plan.policy.clone());
    let mut first = State::first(stack, salt, policy);
    first.variables = Some(report.declared.variables.clone());
    if let Some(command) = &report.command {
        command.recording.begin(&mut first);
    }
    first
}

/// Uses the consent and keeps the copy of the state that the run begins from, side by side: nothing
/// follows from a copy. A first run writes state as well, and does that once the consent is used.
async fn begin<'a, S: Store>(
    store: &'a S,
    state: &mut State,
    etag: Option<ETag>,
    ports: &(impl Clock + Random),
    consent: impl Future<Output = Result<(), GrantError>>,
) -> Result<StateWriter<'a, S>, StopError> {
    if etag.is_none() {
        consent.await?;
        return Ok(StateWriter::begin(store, state, etag, ports).await?);
    }
    let (used, writer) = join(consent, StateWriter::begin(store, state, etag, ports)).await;
    used?;
    Ok(writer?)
}

struct Work<'a, P, S> {
    cx: Context<'a, P>,
    lease: &'a Lease<'a, P, S>,
    writer: StateWriter<'a, S>,
    state: State,
    changed: &'a mut Changed,
    /// Why nothing more is begun or written.
    stopped: Option<StopError>,
    /// Whether what was to be recorded without a change is in state.
    is_written: bool,
    report: &'a Report,
    is_unattended: bool,
    progress: &'a dyn Fn(Progress<'_>),
    /// The requests that were promised to the changes of a composite that was begun.
    composites: BTreeMap<ResourceKey, Rc<Purse>>,
}

impl<P: WritePorts, S: Store> Work<'_, P, S> {
    /// Makes the changes in order. When state can't be written or the lease is lost, nothing more is
    /// begun: whatever is not recorded is in `applying` already.
    async fn carry_out_all(&mut self) {
        let cx = self.cx;
        let approved: Vec<&Approved> = self.report.decided.approved().collect();
        if !approved.is_empty() {
            self.write().await;
        }
        for batch in batches(&approved) {
            let mut ready = Vec::new();
            for approved in batch.iter().copied() {
                match (self.kept_from(approved), self.fits(approved)) {
                    (Some(outcome), _) => self.end(approved, outcome),
                    (None, Err(ran_out)) => self.end_not_begun(approved, ran_out),
                    (None, Ok(())) => ready.push(approved),
                }
            }
            match self.renew_before(&ready).await {
                Ok(()) => self.carry_out_batch(ready).await,
                Err(_) if cx.session.budget.is_out_of_time(cx.ports.monotonic_ms()) => {
                    for approved in ready {
                        self.end_not_begun(approved, RanOut::Time);
                    }
                }
                Err(reason) => {
                    for approved in ready {
                        let reason = reason.clone();
                        self.end(approved, Outcome::NotBegun { reason });
                    }
                }
            }
        }
    }

    /// Keeps the record of the run, then writes state a last time. In this order, so that a run that
    /// breaks off in between is known whole.
    async fn end_run(&mut self, telling: &Telling<'_, S>) {
        self.changed.stopped = self.stopped.as_ref().map(|error| error_chain(error));
        if self.stopped.is_some() {
            self.recorded_nothing_unless_written();
            telling.keep(self.cx, self.changed).await;
            return;
        }
        let in_history = telling.keep(self.cx, self.changed).await;
        if let Some(applying) = &mut self.state.applying {
            applying.in_history = in_history;
        }
        self.state
            .applying
            .take_if(|one| in_history && one.intents.is_empty());
        self.write().await;
        if let Some(error) = &self.stopped {
            self.changed.stopped = Some(error_chain(error));
            self.recorded_nothing_unless_written();
            telling.keep_again(self.cx, self.changed).await;
        }
    }

    fn recorded_nothing_unless_written(&mut self) {
        if !self.is_written {
            (self.changed.recorded, self.changed.forgotten) = (0, 0);
            self.changed.began_anew = false;
        }
    }

    async fn carry_out_batch(&mut self, batch: Vec<&Approved>) {
        let (cx, lease) = (self.cx, self.lease);
        let mut attempts = Vec::new();
        for approved in batch {
            let purse = self.of_composite(approved);
            attempts.push(async move { (approved, attempt(cx, lease, approved, purse).await) });
        }
        // One connection is kept for the lease.
        let connections = cx.session.budget.permits().saturating_sub(1);
        let side_by_side = cx.session.concurrency.min(connections).max(1);
        let mut attempts = stream::iter(attempts).buffer_unordered(side_by_side);
        let mut ended = VecDeque::new();
        loop {
            let next = match ended.pop_front() {
                None => attempts.next().await,
                next => next,
            };
            let Some((approved, attempted)) = next else {
                return;
            };
            match attempted {
                Attempt::KeptFrom(outcome) => self.end(approved, outcome),
                Attempt::RanOut(ran_out) => self.end_not_begun(approved, ran_out),
                Attempt::Made(result) => {
                    let outcome = self.settle(approved, result);
                    self.end(approved, outcome);
                }
            }
            let can_write = self.stopped.is_none() && self.writer.is_ready(cx.ports);
            if can_write && cx.session.budget.can_spare(Self::WRITE_REQUESTS) {
                polling(&mut attempts, &mut ended, self.write()).await;
            }
        }
    }

    /// What a write of state takes: itself, and a renewal of the lease before it.
    const WRITE_REQUESTS: u64 = 3;

    /// The requests that a change has for itself and those it is made with, all or none.
    fn of_composite(&mut self, approved: &Approved) -> Option<Rc<Purse>> {
        let composite = approved.composite.as_ref()?;
        if let Some(purse) = self.composites.get(composite) {
            return Some(Rc::clone(purse));
        }
        let (budget, now_ms) = (&self.cx.session.budget, self.cx.ports.monotonic_ms());
        let purse = Rc::new(budget.promise(needs(self.report, approved), now_ms).ok()?);
        self.composites.insert(composite.clone(), Rc::clone(&purse));
        Some(purse)
    }

    /// Whether a change fits into what is left of requests and time.
    fn fits(&self, approved: &Approved) -> Result<(), RanOut> {
        let composite = approved.composite.as_ref();
        let is_promised = composite.is_some_and(|one| self.composites.contains_key(one));
        let needs = match is_promised {
            true => 0,
            false => needs(self.report, approved),
        };
        self.cx
            .session
            .budget
            .check(needs, self.cx.ports.monotonic_ms())
    }

    fn end_not_begun(&mut self, approved: &Approved, ran_out: RanOut) {
        self.changed.ran_out.get_or_insert(ran_out);
        let reason = ran_out.to_string();
        self.end(approved, Outcome::NotBegun { reason });
    }

    fn settle(&mut self, approved: &Approved, result: Result<Applied, ChangeError>) -> Outcome {
        match result {
            Ok(applied) => {
                let now = self.cx.ports.now();
                record::done(&mut self.state, approved, &applied, now);
                if self.is_unattended {
                    record::count_automatic(&mut self.state, approved, now);
                }
                Outcome::Done
            }
            Err(ChangeError::Blocked { reason, fix }) => Outcome::Blocked { reason, fix },
            Err(ChangeError::Failed { reason }) => Outcome::Failed { reason },
            Err(ChangeError::OutcomeUnknown { reason }) => Outcome::Unknown { reason },
        }
    }

    /// Notes how a change ended. Only an unknown outcome stays in `applying`, which that of a
    /// replacement is once its deletion is done, and the second half of a replacement that is not done.
    fn end(&mut self, approved: &Approved, outcome: Outcome) {
        let stays = match outcome {
            Outcome::Done | Outcome::Unknown { .. } => true,
            _ => approved.cause == Cause::Interrupted,
        };
        if !stays {
            record::not_made(&mut self.state, &approved.change.key);
        }
        let carried = ChangeResult {
            approved: approved.clone(),
            outcome,
        };
        if let Some(applying) = &mut self.state.applying {
            applying.run.note(&carried);
        }
        (self.progress)(Progress::ChangeResult(&carried));
        self.changed.results.push(carried);
    }

    /// Why a change is not begun though its turn has come: what it needs was not made, or it is held.
    fn kept_from(&self, approved: &Approved) -> Option<Outcome> {
        let Some(need) = self.broken_need(approved) else {
            let back = self.lease.held_back(&approved.change.key);
            return back.map(HoldStop::into_outcome);
        };
        let name = need.key().labelled();
        Some(match &need.outcome {
            Outcome::Held { reason } => Outcome::Held {
                reason: format!("it depends on {name}, {reason}"),
            },
            _ => Outcome::NotBegun {
                reason: format!("{name} was not made"),
            },
        })
    }

    /// Something this change needs, or belongs with, that was to be made and was not.
    fn broken_need(&self, approved: &Approved) -> Option<&ChangeResult> {
        let broken = |carried: &&ChangeResult| carried.outcome != Outcome::Done;
        self.changed.results.iter().filter(broken).find(|carried| {
            let belongs =
                approved.composite.is_some() && approved.composite == carried.approved.composite;
            approved.needs.contains(carried.key()) || belongs
        })
    }

    /// Renews the lease before a destructive change, unless it was renewed this moment (semantics
    /// 8.3). Else why the change is not begun.
    async fn renew_before(&self, batch: &[&Approved]) -> Result<(), String> {
        let is_destructive = |approved: &&Approved| approved.risk == Risk::Destructive;
        if self.stopped.is_some() || !batch.iter().any(is_destructive) {
            return Ok(());
        }
        let moment_ms = self.lease.times().moment_ms;
        self.lease.counts_within(moment_ms).await
    }

    /// Writes state, under a lease that stands. A run that can't stops beginning changes.
    async fn write(&mut self) {
        if self.stopped.is_some() {
            return;
        }
        let ports = self.cx.ports;
        // First, since the lease must stand when it is written.
        self.writer.ready(ports).await;
        let fresh_ms = self.lease.times().fresh_ms;
        let written = match self.lease.renewed_within(fresh_ms).await {
            Ok(()) => {
                let (writer, state) = (&mut self.writer, &mut self.state);
                let written = writer.write(state, ports).await;
                written.map_err(StopError::from)
            }
            Err(error) => Err(error.into()),
        };
        match written {
            Ok(()) => self.is_written = true,
            Err(error) => {
                self.lease.permit().end(&error_chain(&error));
                self.stopped = Some(error);
            }
        }
    }
}
