//! Writes the records of runs. Failing to write one fails nothing: state has what the run did.

use kedge_core::report::{About, Changed, Report};
use kedge_core::state::Applying;
use kedge_core::stored::run::{RequestCounts, RunRecord};

use crate::ports::{Store, WritePorts};
use crate::progress::Progress;
use crate::session::Context;
use crate::state_store::{self, StateStoreError};

/// Writes records of runs, on a best effort: that a record is missing must not fail a run that
/// changed something.
pub(super) struct Telling<'a, S> {
    pub(super) store: &'a S,
    pub(super) report: &'a Report,
    pub(super) about: About<'a>,
    pub(super) progress: &'a dyn Fn(Progress<'_>),
}

impl<S: Store> Telling<'_, S> {
    /// Keeps the record of this run as it is now; whether it could be kept.
    pub(super) async fn keep<P: WritePorts>(&self, cx: Context<'_, P>, changed: &Changed) -> bool {
        let record = self.record(cx, changed);
        let kept = state_store::write_run(self.store, &self.report.declared.stack, &record).await;
        self.is_kept(kept)
    }

    /// Keeps it once more: the run stopped after it was kept.
    pub(super) async fn keep_again<P: WritePorts>(&self, cx: Context<'_, P>, changed: &Changed) {
        let record = self.record(cx, changed);
        let stack = &self.report.declared.stack;
        self.is_kept(state_store::write_run_again(self.store, stack, &record).await);
    }

    /// Keeps the record of a run that broke off before it kept its own.
    pub(super) async fn found_out(&self, applying: Option<&Applying>, by: &str) {
        if let Some(applying) = applying.filter(|applying| !applying.in_history) {
            let record = applying.run.found_out(&self.report.comparison.resolved, by);
            let stack = &self.report.declared.stack;
            self.is_kept(state_store::write_run(self.store, stack, &record).await);
        }
    }

    pub(super) fn record<P: WritePorts>(&self, cx: Context<'_, P>, changed: &Changed) -> RunRecord {
        let sent = cx.session.requests();
        let about = About {
            ended_ms: cx.ports.now().0,
            requests: RequestCounts {
                reads: self.about.requests.reads + sent.reads,
                writes: self.about.requests.writes + sent.writes,
            },
            ..self.about
        };
        RunRecord::of(self.report, changed, about)
    }

    pub(super) fn is_kept(&self, kept: Result<(), StateStoreError>) -> bool {
        if let Err(error) = &kept {
            (self.progress)(Progress::NotRecorded(error));
        }
        kept.is_ok()
    }
}
