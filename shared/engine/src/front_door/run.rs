//! One run as it is told (docs/logs.md): a span around it, and one line when it ended.

use kedge_core::compare::Verdict;
use kedge_core::model::StackName;
use kedge_core::report::{Changed, Outcome, Report, StackVerdict};
use tracing::field::Empty;
use tracing::{Instrument as _, Level, Span, error_span, event};

use super::Engine;
use crate::error_chain::error_chain;
use crate::job::{Purpose, RunError};
use crate::outcome::{Applied, Checked, Ran};
use crate::ports::{Clock, Random};
use crate::reconcile;
use crate::traces::{TARGET, Tally};

impl Purpose {
    /// The word of a run that only looks.
    pub(super) fn verb(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Change => "preview",
        }
    }
}

/// A run that began.
pub(super) struct Run<'a, P> {
    clock: &'a P,
    id: String,
    stack: &'a StackName,
    verb: &'static str,
    trigger: &'a str,
    actor: &'a str,
    began_ms: i64,
    tally: Tally,
    span: Span,
}

impl<'a, P: Clock + Random> Run<'a, P> {
    /// Gives the run its id, or that which it was promised.
    pub(super) fn begin<S>(
        engine: &Engine<'a, P, S>,
        stack: &'a StackName,
        verb: &'static str,
    ) -> Self {
        let Engine {
            ports, settings, ..
        } = engine;
        let id = reconcile::run_id(*ports, settings);
        // Of the highest level, so that every line that is shown at all is shown with its run.
        let span = error_span!(
            target: TARGET,
            "run",
            run.id = %id,
            stack.name = %stack,
            %verb,
            trigger = %settings.trigger,
            actor = %settings.actor,
            verdict = Empty,
            error = Empty,
        );
        Self {
            clock: ports,
            id,
            stack,
            verb,
            trigger: settings.trigger,
            actor: settings.actor,
            began_ms: ports.monotonic_ms(),
            tally: Tally::default(),
            span,
        }
    }

    /// What it is called.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Where its requests to providers are counted.
    pub(super) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Does what changes nothing, and tells how it ended.
    pub(super) async fn check(
        &self,
        work: impl Future<Output = Result<Checked, RunError>>,
    ) -> Result<Checked, RunError> {
        let result = work.instrument(self.span.clone()).await;
        match &result {
            Ok(checked) => {
                let report = &checked.report;
                self.tell("done", report, report.verdict(), None);
            }
            Err(error) => self.tell_failure(error),
        }
        result
    }

    /// Does what may change something, and tells how it ended.
    pub(super) async fn apply(&self, work: impl Future<Output = Result<Ran, RunError>>) -> Applied {
        let applied = Applied::of(work.instrument(self.span.clone()).await);
        match &applied {
            Applied::Done(ran) => self.tell_changes("done", &ran.report, &ran.changed),
            Applied::OutOfTime(ran) => {
                self.tell_changes("out-of-time", &ran.report, &ran.changed);
            }
            Applied::OutOfRequests(ran) => {
                self.tell_changes("out-of-requests", &ran.report, &ran.changed);
            }
            Applied::Busy { stopped, .. } => {
                self.tell_changes("busy", &stopped.report, &stopped.changed);
            }
            Applied::Failed(error) => self.tell_failure(error),
        }
        applied
    }

    fn tell_changes(&self, outcome: &str, report: &Report, changed: &Changed) {
        self.tell(
            outcome,
            report,
            report.verdict_after(changed),
            Some(changed),
        );
    }

    fn tell(
        &self,
        outcome: &str,
        report: &Report,
        verdict: StackVerdict,
        changed: Option<&Changed>,
    ) {
        let verdict = verdict.as_str();
        let sent = self.tally.counts();
        self.span.record("verdict", verdict);
        event!(
            target: TARGET,
            Level::INFO,
            run.id = %self.id,
            stack.name = %self.stack,
            verb = %self.verb,
            trigger = %self.trigger,
            actor = %self.actor,
            %outcome,
            %verdict,
            drifted = report.count(&[Verdict::Drifted, Verdict::DriftedAndPending]),
            pending = report.count(&[Verdict::Pending]),
            not_adopted = report.count(&[Verdict::NotAdopted]),
            orphans = report.count(&[Verdict::Orphan]),
            unknown = report.count(&[Verdict::Unknown]),
            changed = changed.map(Changed::done),
            failed = changed.map(failed),
            recorded = changed.map(|changed| changed.recorded + changed.forgotten),
            reads = sent.reads,
            writes = sent.writes,
            duration_ms = self.duration_ms(),
            "run ended"
        );
    }

    fn tell_failure(&self, error: &RunError) {
        let sent = self.tally.counts();
        let causes = error_chain(error);
        self.span.record("error", causes.as_str());
        let changed = match error {
            RunError::Stopped { stopped, .. } => Some(stopped.changed.done()),
            _ => None,
        };
        event!(
            target: TARGET,
            Level::WARN,
            run.id = %self.id,
            stack.name = %self.stack,
            verb = %self.verb,
            trigger = %self.trigger,
            actor = %self.actor,
            changed,
            reads = sent.reads,
            writes = sent.writes,
            duration_ms = self.duration_ms(),
            error = %causes,
            "run failed"
        );
    }

    fn duration_ms(&self) -> i64 {
        self.clock.monotonic_ms().saturating_sub(self.began_ms)
    }
}

/// How many changes were begun and not made, or nobody knows.
fn failed(changed: &Changed) -> usize {
    let has_failed = |outcome: &Outcome| {
        matches!(
            outcome,
            Outcome::Failed { .. } | Outcome::Blocked { .. } | Outcome::Unknown { .. }
        )
    };
    let results = changed.results.iter();
    results.filter(|one| has_failed(&one.outcome)).count()
}
