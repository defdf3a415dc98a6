//! A queue in virtual time: it duplicates, delays, reorders and drops; or it keeps a line for each lane, as
//! a FIFO queue does, and drops what was sent a moment ago.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use kedge_service::queue::{Acknowledge, Queue, QueueError};
use kedge_service::work::Work;

use crate::ports::SimPorts;

/// After this long a message that nobody acknowledged is there again, in milliseconds: an invocation's
/// longest time, and a lease with its grace.
const VISIBLE_AGAIN_MS: i64 = 11 * 60_000;
/// After this long a message that failed is there again, in milliseconds.
const RETRIED_MS: i64 = 30_000;
/// How often a message is brought before it is set aside.
const RECEIVES_MAX: usize = 5;
/// For how long a FIFO queue knows the ids of what it was sent, in milliseconds: SQS, five minutes.
const REMEMBERS_MS: i64 = 5 * 60_000;

/// What is said of a message whose invocation crashed.
pub const CRASHED: &str = "it crashed";

/// What a queue does wrong, each in one of so many cases; 0: never.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Trouble {
    /// A message is brought twice.
    pub duplicates: u64,
    /// A message that was taken is lost.
    pub drops: u64,
    /// A message comes up to ten minutes late.
    pub delays: u64,
}

/// A message on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) text: String,
    lane: String,
    /// Its place in line.
    place: u64,
    due_ms: i64,
    /// Why it failed, each time.
    failures: Vec<String>,
}

impl Message {
    pub(crate) fn receipt(&self) -> Receipt {
        Receipt { place: self.place }
    }
}

/// A message that was brought too often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    /// The message.
    pub text: String,
    /// Why it failed, each time.
    pub failures: Vec<String>,
}

/// What brings the message at hand once more, at its place in line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Receipt {
    place: u64,
}

/// A queue in virtual time.
#[derive(Debug)]
pub struct SimQueue {
    ports: SimPorts,
    trouble: Cell<Trouble>,
    /// Whether it keeps a line for each lane.
    is_fifo: Cell<bool>,
    waiting: RefCell<Vec<Message>>,
    places: Cell<u64>,
    /// When ids of work were sent last, where it keeps lines.
    known: RefCell<BTreeMap<String, i64>>,
    /// What was sent, in order.
    pub sent: RefCell<Vec<Work>>,
    /// What was brought again later, in order, with after how many milliseconds.
    pub later: RefCell<Vec<(Work, u64)>>,
    /// What was set aside.
    pub set_aside: RefCell<Vec<SetAside>>,
}

impl SimQueue {
    /// A queue that does nothing wrong.
    #[must_use]
    pub fn new(ports: &SimPorts) -> Self {
        Self {
            ports: ports.clone(),
            trouble: Cell::default(),
            is_fifo: Cell::default(),
            waiting: RefCell::default(),
            places: Cell::default(),
            known: RefCell::default(),
            sent: RefCell::default(),
            later: RefCell::default(),
            set_aside: RefCell::default(),
        }
    }

    /// It does this wrong from now on.
    pub fn trouble(&self, trouble: Trouble) {
        self.trouble.set(trouble);
    }

    /// From now on it keeps a line for each lane: what comes again holds up what is behind it. Of equal work
    /// that is sent within five minutes it drops all but the first.
    pub fn keep_lines(&self) {
        self.is_fifo.set(true);
    }

    /// Somebody puts a message there, whatever it is.
    pub fn put_text(&self, text: &str, lane: &str) {
        let place = self.next_place();
        self.waiting.borrow_mut().push(Message {
            text: text.to_owned(),
            lane: lane.to_owned(),
            place,
            due_ms: self.ports.executor.now_ms(),
            failures: Vec::new(),
        });
    }

    /// How many messages are on their way.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.borrow().len()
    }

    /// It loses all that is on its way.
    pub fn lose_all(&self) {
        self.waiting.borrow_mut().clear();
    }

    /// When the next message can be brought.
    pub(crate) fn next_ms(&self) -> Option<i64> {
        let waiting = self.waiting.borrow();
        let free = waiting.iter().filter(|message| self.is_first(message));
        free.map(|message| message.due_ms).min()
    }

    /// Takes messages that are due, in any order, one of each lane.
    pub(crate) fn take(&self, most: usize) -> Vec<Message> {
        let mut batch: Vec<Message> = Vec::new();
        while batch.len() < most {
            let waiting = self.waiting.borrow();
            let is_due = |message: &Message| {
                message.due_ms <= self.ports.executor.now_ms()
                    && batch.iter().all(|taken| taken.lane != message.lane)
                    && self.is_first(message)
            };
            let due: Vec<usize> = waiting
                .iter()
                .enumerate()
                .filter(|(_, message)| is_due(message))
                .map(|(at, _)| at)
                .collect();
            drop(waiting);
            let Some(chosen) = self.any(&due) else {
                break;
            };
            batch.push(self.waiting.borrow_mut().remove(chosen));
        }
        batch
    }

    /// A message that failed for this reason is there again later; one that failed too often is set aside.
    pub(crate) fn again(&self, mut message: Message, failure: String) {
        let in_ms = match failure == CRASHED {
            true => VISIBLE_AGAIN_MS,
            false => RETRIED_MS,
        };
        message.failures.push(failure);
        if message.failures.len() >= RECEIVES_MAX {
            let Message { text, failures, .. } = message;
            let set_aside = SetAside { text, failures };
            self.set_aside.borrow_mut().push(set_aside);
            return;
        }
        message.due_ms = self.ports.executor.now_ms() + in_ms;
        self.waiting.borrow_mut().push(message);
    }

    /// Whether nothing of its lane is before it, where that counts.
    fn is_first(&self, message: &Message) -> bool {
        let is_before = |other: &Message| other.lane == message.lane && other.place < message.place;
        !self.is_fifo.get() || !self.waiting.borrow().iter().any(is_before)
    }

    /// Whether something that happens in one of so many cases happens now.
    fn happens(&self, one_in: u64) -> bool {
        one_in > 0 && self.ports.executor.next_u64().is_multiple_of(one_in)
    }

    fn any(&self, of: &[usize]) -> Option<usize> {
        let count = u64::try_from(of.len()).ok().filter(|count| *count > 0)?;
        let at = self.ports.executor.next_u64() % count;
        of.get(usize::try_from(at).ok()?).copied()
    }

    fn next_place(&self) -> u64 {
        self.places.set(self.places.get() + 1);
        self.places.get()
    }

    fn put(&self, work: &Work, in_ms: i64, place: Option<u64>) {
        let Trouble {
            duplicates,
            drops,
            delays,
        } = self.trouble.get();
        if self.happens(drops) {
            return;
        }
        let times = 1 + usize::from(self.happens(duplicates));
        for _ in 0..times {
            let late_ms = match self.happens(delays) {
                true => (self.ports.executor.next_u64() % 600_000).cast_signed(),
                false => 0,
            };
            let place = place.unwrap_or_else(|| self.next_place());
            self.waiting.borrow_mut().push(Message {
                text: work.encode(),
                lane: work.lane(),
                place,
                due_ms: self.ports.executor.now_ms() + in_ms + late_ms,
                failures: Vec::new(),
            });
        }
    }

    /// Whether equal work was sent a moment ago.
    fn is_known(&self, work: &Work) -> bool {
        let now_ms = self.ports.executor.now_ms();
        let mut known = self.known.borrow_mut();
        known.retain(|_, at_ms| now_ms - *at_ms < REMEMBERS_MS);
        let is_known = known.contains_key(&work.id());
        known.entry(work.id()).or_insert(now_ms);
        is_known && self.is_fifo.get()
    }
}

impl Queue for SimQueue {
    type Receipt = Receipt;

    async fn send(&self, work: &Work) -> Result<(), QueueError> {
        self.ports
            .call(|| {
                self.sent.borrow_mut().push(work.clone());
                if !self.is_known(work) {
                    self.put(work, 0, None);
                }
            })
            .await;
        Ok(())
    }

    async fn later(
        &self,
        work: &Work,
        receipt: &Receipt,
        in_ms: u64,
    ) -> Result<Acknowledge, QueueError> {
        let place = self.is_fifo.get().then_some(receipt.place);
        self.ports
            .call(|| {
                self.later.borrow_mut().push((work.clone(), in_ms));
                self.put(work, i64::try_from(in_ms).unwrap_or(i64::MAX), place);
            })
            .await;
        Ok(Acknowledge::ComesAgain)
    }
}
