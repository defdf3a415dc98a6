//! The queue, as a port: what a platform has to be able to do with messages.

use thiserror::Error;

use crate::work::Work;

/// The queue did not do what it was asked for. The text says what that was: to take a message, or to bring one
/// again later.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the queue failed: {0}")]
pub struct QueueError(pub String);

/// What a platform does with the message that it handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acknowledge {
    /// It is done with.
    Done,
    /// It comes again, when the platform was told to bring it.
    ComesAgain,
}

/// Messages that are delivered at least once, in any order.
#[expect(
    async_fn_in_trait,
    reason = "static dispatch; callers need no Send bound"
)]
pub trait Queue {
    /// What the platform needs to bring the message at hand once more.
    type Receipt;

    /// Sends work. Of equal work ([`Work::id`]) one may be dropped.
    ///
    /// # Errors
    /// When it is not known to be taken.
    async fn send(&self, work: &Work) -> Result<(), QueueError>;

    /// Has the message at hand come again after so many milliseconds, at the earliest: by sending a copy
    /// with a delay, or by hiding it until then. It does not count as a failure.
    ///
    /// # Errors
    /// When it is not known whether it will.
    async fn later(
        &self,
        work: &Work,
        receipt: &Self::Receipt,
        in_ms: u64,
    ) -> Result<Acknowledge, QueueError>;
}
