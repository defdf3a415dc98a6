//! A platform in virtual time: a schedule, and a queue that duplicates, delays, reorders and drops.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use futures_util::future::join_all;
use kedge_engine::{Caches, DueScope, Endpoints, LeaseTimes};
use kedge_service::queue::{Acknowledge, Queue, QueueError};
use kedge_service::work::Work;
use kedge_service::{Instance, Limits, Service, Settings, TickError, Ticked};

use crate::executor::Crashed;
use crate::ports::{SimPorts, endpoints};
use crate::stack::Stack;

/// After this long a message that nobody acknowledged is there again, in milliseconds: an invocation's
/// longest time, and a lease with its grace.
const VISIBLE_AGAIN_MS: i64 = 11 * 60_000;
/// How often a message is brought before it is set aside.
const RECEIVES_MAX: u32 = 5;

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
struct Message {
    text: String,
    lane: String,
    due_ms: i64,
    failures: u32,
}

/// A queue in virtual time.
#[derive(Debug)]
pub struct SimQueue {
    ports: SimPorts,
    trouble: Cell<Trouble>,
    waiting: RefCell<Vec<Message>>,
    /// What was sent, in order.
    pub sent: RefCell<Vec<Work>>,
    /// What was set aside.
    pub set_aside: RefCell<Vec<Work>>,
}

impl SimQueue {
    /// Whether something that happens in one of so many cases happens now.
    fn happens(&self, one_in: u64) -> bool {
        one_in > 0 && self.ports.executor.next_u64().is_multiple_of(one_in)
    }

    fn put(&self, work: &Work, in_ms: i64) {
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
            self.waiting.borrow_mut().push(Message {
                text: work.encode(),
                lane: work.lane(),
                due_ms: self.ports.executor.now_ms() + in_ms + late_ms,
                failures: 0,
            });
        }
    }
}

impl Queue for SimQueue {
    type Receipt = ();

    async fn send(&self, work: &Work) -> Result<(), QueueError> {
        self.ports
            .call(|| {
                self.sent.borrow_mut().push(work.clone());
                self.put(work, 0);
            })
            .await;
        Ok(())
    }

    async fn later(&self, work: &Work, (): &(), in_ms: u64) -> Result<Acknowledge, QueueError> {
        let in_ms = i64::try_from(in_ms).unwrap_or(i64::MAX);
        self.ports.call(|| self.put(work, in_ms)).await;
        Ok(Acknowledge::ComesAgain)
    }
}

/// A platform over the world of a stack.
#[derive(Debug)]
pub struct Platform {
    /// The world.
    pub ports: SimPorts,
    /// Its queue.
    pub queue: SimQueue,
    /// What one invocation may use.
    pub limits: Limits,
    /// What the accounts of providers allow.
    pub requests_per_minute: BTreeMap<kedge_core::providers::ProviderName, u64>,
    caches: Rc<Caches>,
    instance: Instance,
    overrides: BTreeMap<String, String>,
    endpoints: Endpoints,
}

impl Platform {
    /// A platform over this stack's world, with a queue that does nothing wrong.
    #[must_use]
    pub fn over(stack: &Stack) -> Self {
        Self {
            ports: stack.ports.clone(),
            queue: SimQueue {
                ports: stack.ports.clone(),
                trouble: Cell::default(),
                waiting: RefCell::default(),
                sent: RefCell::default(),
                set_aside: RefCell::default(),
            },
            limits: Limits::MACHINE,
            requests_per_minute: BTreeMap::new(),
            caches: Rc::default(),
            instance: Instance::new(),
            overrides: BTreeMap::new(),
            endpoints: endpoints(),
        }
    }

    /// The queue does this wrong from now on.
    pub fn trouble(&self, trouble: Trouble) {
        self.queue.trouble.set(trouble);
    }

    /// The service.
    #[must_use]
    pub fn service(&self) -> Service<'_, SimPorts, SimPorts, SimQueue> {
        Service {
            ports: &self.ports,
            store: &self.ports,
            queue: &self.queue,
            settings: Settings {
                overrides: &self.overrides,
                endpoints: &self.endpoints,
                lease: LeaseTimes::default(),
                read_only: false,
                limits: self.limits,
                requests_per_minute: &self.requests_per_minute,
                caches: &self.caches,
                instance: &self.instance,
                relay_key: None,
            },
        }
    }

    /// A tick.
    ///
    /// # Errors
    /// When it crashed; within, those of the service.
    pub fn tick(&self, scope: DueScope) -> Result<Result<Ticked, TickError>, Crashed> {
        self.ports.executor.run(self.service().tick(scope))
    }

    /// How many messages are on their way.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.queue.waiting.borrow().len()
    }

    /// Brings messages, up to so many side by side, until none is on its way. Time passes as it must.
    /// What a crash cuts off comes again.
    pub fn work(&self, side_by_side: usize) {
        while let Some(batch) = self.next(side_by_side) {
            self.bring(batch);
        }
    }

    /// Takes messages that are due, in any order, one of each lane. Waits where none is.
    fn next(&self, most: usize) -> Option<Vec<Message>> {
        let mut waiting = self.queue.waiting.borrow_mut();
        let first_ms = waiting.iter().map(|message| message.due_ms).min()?;
        let executor = &self.ports.executor;
        executor.advance_ms((first_ms - executor.now_ms()).max(0));
        let mut batch: Vec<Message> = Vec::new();
        for _ in 0..most {
            let is_due = |message: &Message| {
                message.due_ms <= executor.now_ms()
                    && batch.iter().all(|taken| taken.lane != message.lane)
            };
            let due: Vec<usize> = waiting
                .iter()
                .enumerate()
                .filter(|(_, message)| is_due(message))
                .map(|(at, _)| at)
                .collect();
            let Some(chosen) = self.any(&due) else {
                break;
            };
            batch.push(waiting.remove(chosen));
        }
        Some(batch)
    }

    fn any(&self, of: &[usize]) -> Option<usize> {
        let count = u64::try_from(of.len()).ok().filter(|count| *count > 0)?;
        let at = self.ports.executor.next_u64() % count;
        of.get(usize::try_from(at).ok()?).copied()
    }

    fn bring(&self, batch: Vec<Message>) {
        let service = self.service();
        let ended: Vec<Cell<Option<bool>>> = batch.iter().map(|_| Cell::default()).collect();
        let works = batch.iter().zip(&ended).map(|(message, ended)| async {
            let done = service.work(&message.text, &()).await;
            ended.set(Some(done.is_ok()));
        });
        let _crashed = self.ports.executor.run(join_all(works));
        for (message, ended) in batch.into_iter().zip(ended) {
            match ended.get() {
                Some(true) => {}
                failed => self.again(message, failed.is_some()),
            }
        }
    }

    /// A message that failed, or whose invocation crashed, is there again later; one that failed too often
    /// is set aside.
    fn again(&self, message: Message, failed: bool) {
        let failures = message.failures + 1;
        if failures >= RECEIVES_MAX {
            let work = Work::decode(&message.text);
            self.queue.set_aside.borrow_mut().extend(work);
            return;
        }
        let in_ms = if failed { 30_000 } else { VISIBLE_AGAIN_MS };
        self.queue.waiting.borrow_mut().push(Message {
            due_ms: self.ports.executor.now_ms() + in_ms,
            failures,
            ..message
        });
    }
}
