//! The queue of `kedge serve`: in this process, and gone with it. What it held is derived again from the
//! store when the next process starts.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kedge_service::queue::{Acknowledge, Queue, QueueError};
use kedge_service::work::Work;
use tokio::sync::Notify;
use tokio::time::Instant;

/// How often one message is tried before it is given up. The next tick sends what is still to be done.
const TRIES_MAX: u32 = 5;
/// How long after its first failure a message is tried again; doubled with each further one.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// A message.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) work: Work,
    /// What it may not be worked on beside.
    pub(super) lane: String,
    /// How often it failed.
    failures: u32,
}

impl Message {
    fn new(work: &Work) -> Self {
        Self {
            work: work.clone(),
            lane: work.lane(),
            failures: 0,
        }
    }

    /// What is the same for messages of which one is enough: checks of the same stacks, whichever tick asks,
    /// and else equal work.
    fn mark(&self) -> String {
        match self.work {
            Work::Check { .. } => self.lane.clone(),
            _ => self.work.id(),
        }
    }
}

/// What becomes of a message that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failed {
    /// It comes again after this time.
    Again(Duration),
    /// It failed too often.
    GivenUp,
}

/// Messages that wait, and the lanes that are worked on.
#[derive(Debug, Default)]
pub(super) struct LocalQueue {
    inner: RefCell<Inner>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    /// By when they are due, and then in the order in which they came.
    waiting: BTreeMap<(Instant, u64), Message>,
    /// What tells those that wait from others, so that none waits twice.
    marks: BTreeSet<String>,
    sent: u64,
    busy: BTreeSet<String>,
}

impl Inner {
    /// Puts a message among those that wait, unless one that says the same is there.
    fn put(&mut self, message: Message, due: Instant) {
        if !self.marks.insert(message.mark()) {
            return;
        }
        let at = (due, self.sent);
        self.sent = self.sent.saturating_add(1);
        self.waiting.insert(at, message);
    }

    fn take(&mut self, at: (Instant, u64)) -> Option<Message> {
        let message = self.waiting.remove(&at)?;
        self.marks.remove(&message.mark());
        self.busy.insert(message.lane.clone());
        Some(message)
    }
}

impl LocalQueue {
    fn put(&self, work: &Work, after: Duration) {
        let message = Message::new(work);
        self.inner.borrow_mut().put(message, Instant::now() + after);
        self.changed.notify_one();
    }

    /// The next message that is due and whose lane is free; its lane is busy from then on. Waits for one.
    pub(super) async fn next(&self) -> Message {
        loop {
            let changed = self.changed.notified();
            let until = match self.take() {
                Ok(message) => return message,
                Err(until) => until,
            };
            match until {
                None => changed.await,
                Some(until) => {
                    let _ = tokio::time::timeout_at(until, changed).await;
                }
            }
        }
    }

    /// The next message, or when the next one is due whose lane is free now.
    fn take(&self) -> Result<Message, Option<Instant>> {
        let now = Instant::now();
        let mut inner = self.inner.borrow_mut();
        let is_free = |message: &&Message| !inner.busy.contains(&message.lane);
        let next = inner.waiting.iter().find(|(_, message)| is_free(message));
        let Some((&at, _)) = next else {
            return Err(None);
        };
        if at.0 > now {
            return Err(Some(at.0));
        }
        inner.take(at).ok_or(None)
    }

    /// A message is worked on no more; its lane is free.
    pub(super) fn done(&self, message: &Message) {
        self.inner.borrow_mut().busy.remove(&message.lane);
        self.changed.notify_one();
    }

    /// A message failed, and its lane is free.
    pub(super) fn failed(&self, message: Message) -> Failed {
        self.done(&message);
        let failures = message.failures.saturating_add(1);
        if failures >= TRIES_MAX {
            return Failed::GivenUp;
        }
        let after = RETRY_AFTER.saturating_mul(1 << message.failures.min(10));
        let message = Message {
            failures,
            ..message
        };
        self.inner.borrow_mut().put(message, Instant::now() + after);
        self.changed.notify_one();
        Failed::Again(after)
    }

    /// How many messages wait.
    pub(super) fn len(&self) -> usize {
        self.inner.borrow().waiting.len()
    }
}

impl Queue for LocalQueue {
    type Receipt = ();

    async fn send(&self, work: &Work) -> Result<(), QueueError> {
        self.put(work, Duration::ZERO);
        // A tick may send thousands, and there is one thread for all.
        tokio::task::yield_now().await;
        Ok(())
    }

    async fn later(
        &self,
        work: &Work,
        (): &Self::Receipt,
        in_ms: u64,
    ) -> Result<Acknowledge, QueueError> {
        self.put(work, Duration::from_millis(in_ms));
        Ok(Acknowledge::ComesAgain)
    }
}

#[cfg(test)]
mod tests {
    use kedge_core::model::{StackName, Timestamp};

    use super::*;

    fn name(text: &str) -> StackName {
        StackName::new(text).unwrap()
    }

    fn check(tick: i64) -> Work {
        Work::Check {
            stacks: vec![name("a"), name("b")],
            tick: Timestamp(tick),
            not_before: Timestamp(tick),
        }
    }

    fn apply(stack: &str, because: &str) -> Work {
        Work::Apply {
            stack: name(stack),
            because: because.to_owned(),
        }
    }

    async fn next(queue: &LocalQueue) -> Work {
        queue.next().await.work
    }

    #[tokio::test(start_paused = true)]
    async fn what_says_the_same_waits_once() {
        let queue = LocalQueue::default();
        for work in [
            check(1),
            check(2),
            apply("a", "x"),
            apply("a", "x"),
            apply("a", "y"),
        ] {
            queue.send(&work).await.unwrap();
        }
        assert_eq!(queue.len(), 3);
        assert_eq!(next(&queue).await, check(1));
        // What is worked on does not keep the next one away.
        queue.send(&check(3)).await.unwrap();
        assert_eq!(queue.len(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lane_is_worked_on_once_at_a_time_and_others_beside_it() {
        let queue = LocalQueue::default();
        for work in [apply("a", "x"), apply("a", "y"), apply("b", "x")] {
            queue.send(&work).await.unwrap();
        }
        let first = queue.next().await;
        assert_eq!(first.work, apply("a", "x"));
        assert_eq!(next(&queue).await, apply("b", "x"));
        queue.done(&first);
        assert_eq!(next(&queue).await, apply("a", "y"));
    }

    #[tokio::test(start_paused = true)]
    async fn what_fails_comes_again_later_and_later_and_is_given_up() {
        let queue = LocalQueue::default();
        queue.send(&apply("a", "x")).await.unwrap();
        let began = Instant::now();
        let mut after = Vec::new();
        loop {
            let message = queue.next().await;
            after.push(began.elapsed().as_secs());
            if queue.failed(message) == Failed::GivenUp {
                break;
            }
        }
        assert_eq!(after, [0, 10, 30, 70, 150]);
        assert_eq!(queue.len(), 0);
        queue.later(&apply("a", "x"), &(), 5_000).await.unwrap();
        let began = Instant::now();
        let _ = queue.next().await;
        assert_eq!(began.elapsed().as_secs(), 5);
    }
}
