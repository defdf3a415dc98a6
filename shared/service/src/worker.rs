//! What is done with one message of the queue.
//!
//! A message that can't be worked on now comes again: after a busy stack's lease has ended, or when the
//! provider's account allows more requests. That is no failure, and does not count as one. A failure is
//! left to the platform, which brings the message again, counts, and sets it aside in the end.

use futures_util::future::join_all;
use kedge_core::documents::{self, Word as _};
use kedge_core::model::{StackName, Timestamp};
use kedge_engine::ports::{ETag, Store, StoreError, WritePorts};
use kedge_engine::{
    Applied, By, CheckRequest, Checked, GroupCheck, LeaseHolder, Ran, RunError, TooFewConnections,
};
use thiserror::Error;
use tracing::{Level, event};

use crate::queue::{Acknowledge, Queue, QueueError};
use crate::requests::RequestError;
use crate::service::{Requester, Service};
use crate::upload::{self, TakenOver, Upload, UploadError};
use crate::work::{UnreadableWork, Work};

/// What all lines of Kedge are of.
const TARGET: &str = "kedge";
/// How long a message waits where a store does not say the time, in milliseconds: a lease and what it takes
/// to take it over.
const BUSY_MS: i64 = 90_000;
/// The shortest time after which a busy stack is tried again, in milliseconds.
const BUSY_MS_MIN: i64 = 1_000;

/// A message could not be worked on. It may go well when it comes again.
#[derive(Debug, Error)]
pub enum WorkError {
    /// It is none of ours, or of a newer program.
    #[error(transparent)]
    Unreadable(#[from] UnreadableWork),
    /// The queue failed.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// The run failed.
    #[error("stack `{stack}` could not be worked on")]
    Run {
        /// Which stack.
        stack: StackName,
        /// Why.
        #[source]
        source: Box<RunError>,
    },
    /// The store failed.
    #[error("the store could not be read or written")]
    Store(#[from] StoreError),
    /// A run request could not be read or answered.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// An upload could not be read or answered.
    #[error(transparent)]
    Upload(#[from] UploadError),
    /// The shell gave it too few connections.
    #[error(transparent)]
    Connections(#[from] TooFewConnections),
}

impl<P: WritePorts, S: Store, Q: Queue> Service<'_, P, S, Q> {
    /// Works on one message. The answer says what becomes of it: it is done with, or it comes again, as the
    /// queue was told.
    ///
    /// # Errors
    /// When it failed: the platform is to bring it again, and to count that. A message that can't be read
    /// is never going to go well.
    pub async fn work(
        &self,
        message: &str,
        receipt: &Q::Receipt,
    ) -> Result<Acknowledge, WorkError> {
        let work = Work::decode(message)?;
        let now = self.ports.now();
        match &work {
            Work::Check { not_before, .. } if now < *not_before => {
                self.later(&work, receipt, not_before.ms_since(now)).await
            }
            Work::Check { stacks, tick, .. } => {
                self.check(stacks, *tick).await?;
                Ok(Acknowledge::Done)
            }
            // Sent before this was read-only, or by somebody else. Whoever may write finds it again.
            _ if self.settings.read_only => {
                event!(
                    target: TARGET,
                    Level::INFO,
                    lane = %work.lane(),
                    "left alone, since nothing may be changed from here"
                );
                Ok(Acknowledge::Done)
            }
            Work::Apply { stack, .. } => match self.apply(stack).await? {
                None => Ok(Acknowledge::Done),
                Some(holder) => self.later(&work, receipt, free_in_ms(&holder, now)).await,
            },
            Work::Upload { key, etag, .. } => {
                self.take_over(key, etag).await?;
                Ok(Acknowledge::Done)
            }
            Work::Request { stack, id } => match self.answer(stack, id).await? {
                None => Ok(Acknowledge::Done),
                Some(holder) => self.later(&work, receipt, free_in_ms(&holder, now)).await,
            },
        }
    }

    async fn later(
        &self,
        work: &Work,
        receipt: &Q::Receipt,
        in_ms: i64,
    ) -> Result<Acknowledge, WorkError> {
        let in_ms = u64::try_from(in_ms).unwrap_or_default();
        Ok(self.queue.later(work, receipt, in_ms).await?)
    }

    /// Checks stacks together, and sends an apply for each in which the policy allows something. What
    /// one of them fails at is said, and comes again with its next turn.
    async fn check(&self, stacks: &[StackName], tick: Timestamp) -> Result<(), WorkError> {
        let budget = self.settings.limits.budget(self.ports)?;
        let engine = self.engine(&budget, Requester::AUTOMATION);
        let GroupCheck { checks } = engine.check_group(stacks, &CheckRequest::default()).await;
        let has_work = |check: &Result<Checked, RunError>| {
            check.as_ref().is_ok_and(|checked| checked.has_work) && !self.settings.read_only
        };
        let applies = checks.iter().filter(|(_, check)| has_work(check));
        let sends: Vec<_> = applies
            .map(|(stack, _)| async move {
                let because = format!("check {}", tick.0);
                self.send_apply(stack, because).await
            })
            .collect();
        join_all(sends).await.into_iter().collect()
    }

    /// Takes an upload over, and sends the apply of what it stored.
    async fn take_over(&self, key: &str, etag: &str) -> Result<(), WorkError> {
        let Some(upload) = Upload::of(key, ETag(etag.to_owned())) else {
            return Ok(());
        };
        let budget = self.settings.limits.budget(self.ports)?;
        let engine = self.engine(&budget, Requester::AUTOMATION);
        match upload::take_over(&engine, self.store, &upload).await? {
            TakenOver::Done(result) => {
                tell(&upload, &result);
                match &result.revision {
                    Some(revision) => {
                        let because = revision.as_str().to_owned();
                        self.send_apply(&upload.stack, because).await
                    }
                    None => Ok(()),
                }
            }
            TakenOver::Before | TakenOver::Gone => Ok(()),
        }
    }

    pub(crate) async fn send_apply(
        &self,
        stack: &StackName,
        because: String,
    ) -> Result<(), WorkError> {
        let work = Work::Apply {
            stack: stack.clone(),
            because,
        };
        Ok(self.queue.send(&work).await?)
    }

    /// Applies a stack by its policy. Gives back who has it, if it is busy.
    async fn apply(&self, stack: &StackName) -> Result<Option<Box<LeaseHolder>>, WorkError> {
        let budget = self.settings.limits.budget(self.ports)?;
        let engine = self.engine(&budget, Requester::AUTOMATION);
        match engine.apply(stack, &By::Policy).await {
            Applied::Done(ran) => {
                self.follow_up(stack, &ran).await?;
                Ok(None)
            }
            Applied::OutOfTime(ran) | Applied::OutOfRequests(ran) => {
                // What did not fit is begun by the next run. One that could begin nothing would not fit
                // there either.
                if ran.changed.done() > 0 {
                    let because = format!("after {}", ran.changed.run);
                    self.send_apply(stack, because).await?;
                }
                Ok(None)
            }
            Applied::Busy { holder, .. } => Ok(Some(holder)),
            Applied::Failed(error) if error.may_pass() => Err(WorkError::Run {
                stack: stack.clone(),
                source: Box::new(error),
            }),
            // A person has to do something about it, and checks say so until then.
            Applied::Failed(_) => Ok(None),
        }
    }

    /// Sends the successor of a run, if new definitions or consents came while it had the stack
    /// (semantics 8.6).
    pub(crate) async fn follow_up(&self, stack: &StackName, ran: &Ran) -> Result<(), WorkError> {
        if ran.changed.run_again.is_empty() {
            return Ok(());
        }
        let because = format!("after {}", ran.changed.run);
        self.send_apply(stack, because).await
    }
}

/// One line about what came of an upload. Its result has the rest.
fn tell(upload: &Upload, result: &documents::Upload) {
    let (stack, key, outcome) = (&upload.stack, &upload.key, result.outcome.as_str());
    let problems = result.problems.len() + result.refusals.len();
    match &result.revision {
        Some(revision) => event!(
            target: TARGET,
            Level::INFO,
            stack.name = %stack,
            key = %key,
            outcome = %outcome,
            revision = %revision.as_str(),
            "upload ended"
        ),
        None => event!(
            target: TARGET,
            Level::WARN,
            stack.name = %stack,
            key = %key,
            outcome = %outcome,
            problems,
            "upload ended"
        ),
    }
}

/// How long to wait for a stack that is busy, by the store's clock where it says the time.
fn free_in_ms(holder: &LeaseHolder, now: Timestamp) -> i64 {
    let by_store = holder.read_at.map(|read| holder.free_at.ms_since(read));
    let by_our_clock = || holder.free_at.ms_since(now).clamp(BUSY_MS_MIN, BUSY_MS);
    by_store.unwrap_or_else(by_our_clock).max(BUSY_MS_MIN)
}
