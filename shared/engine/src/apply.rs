//! Carries out what was approved, in order, and records as it goes. The only place that writes to a
//! provider.
//!
//! # Protocol (semantics 8.1 to 8.3)
//!
//! 1. The state the run begins from is copied to `state/<serial>.json`.
//! 2. State gets the epoch of the lease and `applying`: every change with what was live and what
//!    will be recorded.
//! 3. Changes are made: what can't be taken back alone, right after a renewal of the lease; the rest
//!    of one kind side by side. Each that is done leaves `applying` and is recorded; state is written
//!    at most once a second meanwhile.
//! 4. State is written a last time. What stays in `applying` has an unknown outcome.
//!
//! What can't go on stops beginning changes, lets those under way end, and says each: the lease was
//! lost or could not be renewed, state was written by another, or a hold was set.
//!
//! **Guarantees.** A crash at any point loses nothing: what was not recorded is in `applying`, and
//! the next run settles it by what is live. Each write of state is conditional on the one before and
//! made under a lease that stands, so a run whose lease was taken over writes no more.
//! **Assumptions.** A provider's write is all or nothing; `carry_out` may be repeated.
//! **Caveats.** Changes begun in the second before a crash are found by reading, not by the record.

use std::collections::BTreeSet;
use std::error::Error;

use futures_util::stream::{self, StreamExt as _};
use kedge_core::change::{Applied, ChangeError};
use kedge_core::diff::{Cause, Verdict};
use kedge_core::model::{ResourceKey, Salt};
use kedge_core::plan::Approved;
use kedge_core::record;
use kedge_core::recording::{self, Recording};
use kedge_core::report::{Carried, Changed, Outcome, Report};
use kedge_core::risk::Risk;
use kedge_core::state::{Applying, Intent, State};
use kedge_core::stored::run::Interrupted;

use crate::job::{Progress, StopError};
use crate::lease::{HeldBack, Lease};
use crate::memory::{ReadState, StateWriter};
use crate::ports::{Store, WritePorts};
use crate::providers;
use crate::session::Context;

/// State is written at most this often during a run: R2 takes one write a second per key.
const WRITE_EVERY_MS: i64 = 1_000;

/// What a run begins from.
pub(crate) struct Begun<'a> {
    /// State as it was read.
    pub(crate) memory: ReadState,
    /// The salt the definitions were read with; a first state keeps it.
    pub(crate) salt: Salt,
    /// Is told of each change.
    pub(crate) progress: &'a dyn Fn(Progress<'_>),
}

/// How an apply ended.
pub(crate) struct Ended {
    /// Why it stopped before its end, if it did.
    pub(crate) stopped: Option<StopError>,
}

/// Carries out what the report approves, and says in `changed` what was done. Call it only if it
/// [`has_work`].
pub(crate) async fn apply<P: WritePorts, S: Store>(
    cx: Context<'_, P>,
    store: &S,
    lease: &Lease<'_, P, S>,
    begun: Begun<'_>,
    report: &Report,
    is_unattended: bool,
    changed: &mut Changed,
) -> Ended {
    let mut state = begun.memory.state.unwrap_or_else(|| {
        let (stack, policy) = (report.declared.stack.clone(), report.plan.policy.clone());
        let mut first = State::first(stack, begun.salt, policy);
        first.variables = Some(report.declared.variables.clone());
        if let Some(asked) = &report.asked {
            asked.recording.begin(&mut first);
        }
        first
    });
    state.epoch = lease.epoch();
    let etag = begun.memory.etag;
    let writer = StateWriter::begin(store, &mut state, etag, cx.ports, cx.ports.now()).await;
    let writer = match writer {
        Ok(writer) => writer,
        Err(error) => {
            let stopped = Some(error.into());
            return Ended { stopped };
        }
    };
    if follows_variables(&state, report) {
        state.variables = Some(report.declared.variables.clone());
    }
    prepare(&mut state, report, is_unattended, changed, cx.ports.now());
    let progress = begun.progress;
    progress(Progress::Applying(report.decided.approved.len()));
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
    };
    work.carry_out_all().await;
    let (stopped, is_written) = (work.stopped, work.is_written);
    if !is_written {
        (changed.recorded, changed.forgotten) = (0, 0);
        changed.began_anew = false;
    }
    Ended { stopped }
}

/// Whether the run would change anything: the world, the records, or the policy in force.
pub(crate) fn has_work(memory: &ReadState, report: &Report, is_unattended: bool) -> bool {
    let decided = &report.decided;
    if !decided.approved.is_empty() {
        return true;
    }
    let Some(state) = &memory.state else {
        // Nothing of a stack that is not adopted is recorded behind a person's back.
        return !is_unattended && !report.records().is_empty();
    };
    if is_unattended && report.plan.retired.is_some() {
        // Automation leaves a retired stack alone (semantics 7.5).
        return false;
    }
    let settled = |key: &ResourceKey| !is_open(report, key);
    let asks = report.asked.as_ref();
    !report.records().is_empty()
        || begins_anew(state, report, is_unattended)
        || asks.is_some_and(|asked| !asked.recording.is_empty())
        || decided.policy_granted
        || state.policy != report.plan.policy
        || follows_variables(state, report)
        || state
            .applying
            .iter()
            .flat_map(|applying| applying.intents.keys())
            .any(settled)
}

/// Whether the run begins a retired stack anew (semantics 7.5): a deploy that changes something, or a
/// person's `up` that leaves nothing to somebody's consent.
fn begins_anew(state: &State, report: &Report, is_unattended: bool) -> bool {
    let decided = &report.decided;
    let leaves = !decided.left.is_empty() || !decided.refused.is_empty();
    state.retired.is_some()
        && report.asked.is_none()
        && (!decided.approved.is_empty() || !(is_unattended || leaves))
}

/// Whether the record of variables is to be another one after this run.
fn follows_variables(state: &State, report: &Report) -> bool {
    let none = BTreeSet::new();
    let recorded = state.variables.as_ref().unwrap_or(&none);
    *recorded != report.declared.variables && report.follows_variables()
}

/// Whether it is still open how a change that was begun ended: its resource could not be read, or is
/// shown as it was before for all we know, the second half of a replacement is still to do, under the
/// consent to the first, or it is not there and whether it is to be is not known here.
fn is_open(report: &Report, key: &ResourceKey) -> bool {
    let difference = report.comparison.differences.get(key);
    let is_half_known = difference.is_some_and(|difference| {
        difference.failure.is_some()
            || difference.verdict == Verdict::Settling
            || difference.whole == Some(Cause::Interrupted)
    });
    let is_there = || report.comparison.settled.contains_key(key);
    let mut approved = report.decided.approved.iter();
    is_half_known
        || (report.doubts()(key) && !is_there() && approved.all(|one| one.change.key != *key))
}

/// Puts into state what needs no provider: records, the policy in force, and what is about to begin.
fn prepare(
    state: &mut State,
    report: &Report,
    is_unattended: bool,
    changed: &mut Changed,
    now: kedge_core::model::Timestamp,
) {
    state.serial += 1;
    state.step = 0;
    changed.serial = Some(state.serial);
    changed.interrupted = state.applying.as_ref().map(interrupted);
    let own;
    let recording = match &report.asked {
        Some(asked) => &asked.recording,
        None => {
            own = Recording::of(&report.comparison);
            &own
        }
    };
    let decided = &report.decided;
    changed.began_anew = begins_anew(state, report, is_unattended);
    if changed.began_anew {
        state.retired = None;
    }
    recording.write_into(state);
    recording::trim_marks(state, report, now);
    changed.recorded += recording.recorded();
    changed.forgotten += recording.forgotten();
    state.policy = match decided.policy_granted {
        true => report.declared.policy.clone(),
        false => report.plan.policy.clone(),
    };
    state.trim_automatic(now);
    record::drop_settled(state, |key| report.differs(key), now);
    // What is open stays so; the rest was settled by the comparison.
    let before = state
        .applying
        .take()
        .map(|applying| applying.intents)
        .unwrap_or_default();
    let mut intents: std::collections::BTreeMap<_, _> = before
        .into_iter()
        .filter(|(key, _)| is_open(report, key))
        .collect();
    for approved in &decided.approved {
        // Until its second half is done, a replacement stays what was consented to, and when.
        let intent = || record::intent(approved, now);
        intents
            .entry(approved.change.key.clone())
            .or_insert_with(intent);
    }
    state.applying = Some(Applying {
        run: changed.run.clone(),
        intents,
    });
}

/// What a run before this one had begun and never said the end of.
fn interrupted(applying: &Applying) -> Interrupted {
    let change = |(key, intent): (&ResourceKey, &Intent)| {
        let verb = intent.verb.as_str().to_owned();
        (verb, key.to_string())
    };
    Interrupted {
        run: applying.run.clone(),
        changes: applying.intents.iter().map(change).collect(),
    }
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
}

impl<P: WritePorts, S: Store> Work<'_, P, S> {
    /// Makes the changes in order. When state can't be written or the lease is lost, nothing more is
    /// begun: whatever is not recorded is in `applying` already.
    async fn carry_out_all(&mut self) {
        if !self.report.decided.approved.is_empty() {
            self.write().await;
        }
        for batch in batches(&self.report.decided.approved) {
            let mut ready = Vec::new();
            for approved in batch {
                match self.kept_from(approved) {
                    Some(outcome) => self.end(approved, outcome),
                    None => ready.push(approved),
                }
            }
            match self.renew_before(&ready).await {
                Ok(()) => self.carry_out_batch(ready).await,
                Err(reason) => {
                    for approved in ready {
                        let reason = reason.clone();
                        self.end(approved, Outcome::NotBegun { reason });
                    }
                }
            }
        }
        let applying = self.state.applying.as_ref();
        if applying.is_some_and(|applying| applying.intents.is_empty()) {
            self.state.applying = None;
        }
        self.write().await;
    }

    async fn carry_out_batch(&mut self, batch: Vec<&Approved>) {
        let (cx, lease) = (self.cx, self.lease);
        let attempts: Vec<_> = batch
            .into_iter()
            .map(|approved| async move { (approved, attempt(cx, lease, approved).await) })
            .collect();
        let mut outcomes = stream::iter(attempts).buffer_unordered(cx.session.concurrency);
        while let Some((approved, attempted)) = outcomes.next().await {
            let outcome = match attempted {
                Attempt::KeptFrom(outcome) => outcome,
                Attempt::Made(result) => self.settle(approved, result),
            };
            self.end(approved, outcome);
            let now = self.cx.ports.now();
            let is_due = |at| now.ms_since(at) >= WRITE_EVERY_MS;
            if self.stopped.is_none() && self.writer.written_at.is_none_or(is_due) {
                self.write().await;
            }
        }
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
        let keeps = match outcome {
            Outcome::Done => false,
            Outcome::Unknown { .. } => true,
            _ => approved.cause == Cause::Interrupted,
        };
        if let Some(applying) = self.state.applying.as_mut().filter(|_| !keeps) {
            applying.intents.remove(&approved.change.key);
        }
        let carried = Carried {
            approved: approved.clone(),
            outcome,
        };
        (self.progress)(Progress::Carried(&carried));
        self.changed.carried.push(carried);
    }

    /// Why a change is not begun though its turn has come: what it needs was not made, or it is held.
    fn kept_from(&self, approved: &Approved) -> Option<Outcome> {
        let Some(need) = self.broken_need(approved) else {
            let back = self.lease.held_back(&approved.change.key);
            return back.map(HeldBack::into_outcome);
        };
        let (label, name) = (need.key().kind().label(), need.key().name());
        Some(match &need.outcome {
            Outcome::Held { reason } => Outcome::Held {
                reason: format!("it goes with {label} {name}, {reason}"),
            },
            _ => Outcome::NotBegun {
                reason: format!("{name} was not made"),
            },
        })
    }

    /// Something this change needs, or belongs with, that was to be made and was not.
    fn broken_need(&self, approved: &Approved) -> Option<&Carried> {
        let broken = |carried: &&Carried| carried.outcome != Outcome::Done;
        self.changed.carried.iter().filter(broken).find(|carried| {
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
        let renewed = self.lease.renewed_within(moment_ms).await;
        renewed.map_err(|error| told(&error))
    }

    /// Writes state, under a lease that stands. A run that can't stops beginning changes.
    async fn write(&mut self) {
        if self.stopped.is_some() {
            return;
        }
        let now = self.cx.ports.now();
        let fresh_ms = self.lease.times().fresh_ms;
        let written = match self.lease.renewed_within(fresh_ms).await {
            Ok(()) => {
                let (writer, state) = (&mut self.writer, &mut self.state);
                let written = writer.write(state, self.cx.ports, now).await;
                written.map_err(StopError::from)
            }
            Err(error) => Err(error.into()),
        };
        match written {
            Ok(()) => self.is_written = true,
            Err(error) => {
                self.lease.permit().end(&told(&error));
                self.stopped = Some(error);
            }
        }
    }
}

/// An error with its causes, in one line.
pub(crate) fn told(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text.push_str(&format!(": {next}"));
        cause = next.source();
    }
    text
}

impl HeldBack {
    /// How a change ends that is held back.
    pub(crate) fn into_outcome(self) -> Outcome {
        match self {
            Self::By(reason) => Outcome::Held { reason },
            Self::Unread => Outcome::NotBegun {
                reason: "whether it is held could not be read".to_owned(),
            },
        }
    }
}

/// What became of the attempt to make one change.
enum Attempt {
    /// It may not be begun now.
    KeptFrom(Outcome),
    /// It was begun.
    Made(Result<Applied, ChangeError>),
}

/// Makes one change, if it may be begun.
async fn attempt<P: WritePorts, S: Store>(
    cx: Context<'_, P>,
    lease: &Lease<'_, P, S>,
    approved: &Approved,
) -> Attempt {
    if let Err(reason) = lease.permit().wait(cx.ports).await {
        return Attempt::KeptFrom(Outcome::NotBegun { reason });
    }
    // A hold that was set since the batch began stops what has not begun.
    if let Some(back) = lease.held_back(&approved.change.key) {
        return Attempt::KeptFrom(back.into_outcome());
    }
    Attempt::Made(providers::carry_out(cx, &approved.change).await)
}

/// Cuts the ordered changes into batches that may run side by side: changes of one kind and verb
/// that can be taken back. What can't be, or belongs to a composite, runs alone.
fn batches(approved: &[Approved]) -> Vec<&[Approved]> {
    let together = |a: &Approved, b: &Approved| {
        let alone = |one: &Approved| one.risk == Risk::Destructive || one.composite.is_some();
        a.change.key.kind() == b.change.key.kind() && !alone(a) && !alone(b)
    };
    approved.chunk_by(together).collect()
}
