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
    /// How often it failed.
    failures: u32,
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
    sent: u64,
    busy: BTreeSet<String>,
}

impl Inner {
    fn put(&mut self, message: Message, due: Instant) {
        let at = (due, self.sent);
        self.sent = self.sent.saturating_add(1);
        self.waiting.insert(at, message);
    }

    /// Whether work that says the same waits already. Of checks of the same stacks one is enough.
    fn waits(&self, work: &Work) -> bool {
        let (id, lane) = (work.id(), work.lane());
        let is_check = matches!(work, Work::Check { .. });
        let mut waiting = self.waiting.values();
        waiting.any(|one| one.work.id() == id || (is_check && one.work.lane() == lane))
    }
}

impl LocalQueue {
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
        let is_free = |message: &&Message| !inner.busy.contains(&message.work.lane());
        let next = inner.waiting.iter().find(|(_, message)| is_free(message));
        let Some((&at, _)) = next else {
            return Err(None);
        };
        if at.0 > now {
            return Err(Some(at.0));
        }
        match inner.waiting.remove(&at) {
            Some(message) => {
                inner.busy.insert(message.work.lane());
                Ok(message)
            }
            None => Err(None),
        }
    }

    /// A message is worked on no more; its lane is free.
    pub(super) fn done(&self, message: &Message) {
        self.inner.borrow_mut().busy.remove(&message.work.lane());
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
        let mut inner = self.inner.borrow_mut();
        if !inner.waits(work) {
            let message = Message {
                work: work.clone(),
                failures: 0,
            };
            inner.put(message, Instant::now());
            self.changed.notify_one();
        }
        Ok(())
    }

    async fn later(
        &self,
        work: &Work,
        (): &Self::Receipt,
        in_ms: u64,
    ) -> Result<Acknowledge, QueueError> {
        let mut inner = self.inner.borrow_mut();
        if !inner.waits(work) {
            let message = Message {
                work: work.clone(),
                failures: 0,
            };
            inner.put(message, Instant::now() + Duration::from_millis(in_ms));
        }
        Ok(Acknowledge::ComesAgain)
    }
}
