//! A platform in virtual time: a schedule, a queue, and what brings its messages to the service.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use futures_util::future::{join, join_all};
use kedge_core::providers::ProviderName;
use kedge_engine::{Caches, DueScope, Endpoints, LeaseTimes, error_causes};
use kedge_service::{Instance, Limits, Service, Settings, TickError, Ticked, WorkError};

use crate::executor::Crashed;
use crate::ports::{SimPorts, endpoints};
use crate::queue::{CRASHED, Message, SimQueue};
pub use crate::queue::{SetAside, Trouble};
use crate::stack::Stack;

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
    pub requests_per_minute: BTreeMap<ProviderName, u64>,
    /// Whether it may only read.
    pub read_only: bool,
    caches: Rc<Caches>,
    instance: Instance,
    overrides: BTreeMap<String, String>,
    endpoints: Endpoints,
}

/// Messages that are brought side by side, each with how it ended: none, if that was never seen.
struct Batch {
    messages: Vec<Message>,
    ended: Vec<RefCell<Option<Result<(), String>>>>,
}

impl Platform {
    /// A platform over this stack's world, with a queue that does nothing wrong.
    #[must_use]
    pub fn over(stack: &Stack) -> Self {
        Self {
            ports: stack.ports.clone(),
            queue: SimQueue::new(&stack.ports),
            limits: Limits::MACHINE,
            requests_per_minute: BTreeMap::new(),
            read_only: false,
            caches: Rc::default(),
            instance: Instance::new(),
            overrides: BTreeMap::new(),
            endpoints: endpoints(),
        }
    }

    /// The queue does this wrong from now on.
    pub fn trouble(&self, trouble: Trouble) {
        self.queue.trouble(trouble);
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
                read_only: self.read_only,
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
        self.queue.waiting()
    }

    /// Brings messages, up to so many side by side, until none is on its way. Time passes as it must.
    /// What a crash cuts off comes again.
    pub fn work(&self, side_by_side: usize) {
        self.work_until(i64::MAX, side_by_side, async || {});
    }

    /// The same until a time, while something else is done beside each batch.
    pub fn work_until(&self, until_ms: i64, side_by_side: usize, beside: impl AsyncFn()) {
        work_together(&[self], until_ms, side_by_side, beside);
    }

    async fn bring(&self, batch: &Batch) {
        let service = self.service();
        let works = batch.messages.iter().zip(&batch.ended);
        let works = works.map(|(message, ended)| async {
            let done = service.work(&message.text, &message.receipt()).await;
            *ended.borrow_mut() = Some(done.map(|_| ()).map_err(|error| describe(&error)));
        });
        join_all(works).await;
    }

    fn end(&self, batch: Batch) {
        let ended = batch.ended.into_iter().map(RefCell::into_inner);
        for (message, ended) in batch.messages.into_iter().zip(ended) {
            match ended {
                Some(Ok(())) => {}
                Some(Err(error)) => self.queue.again(message, error),
                None => self.queue.again(message, CRASHED.to_owned()),
            }
        }
    }
}

/// Brings messages of several platforms over one world, up to so many side by side of each, until none is
/// due before a time, while something else is done beside each batch. Whatever crashes, crashes all of them;
/// how often that was.
pub fn work_together(
    platforms: &[&Platform],
    until_ms: i64,
    side_by_side: usize,
    beside: impl AsyncFn(),
) -> usize {
    let next_ms = || {
        let all = platforms.iter().filter_map(|one| one.queue.next_ms());
        all.min().filter(|next_ms| *next_ms <= until_ms)
    };
    let mut crashes = 0;
    let Some(first) = platforms.first() else {
        return crashes;
    };
    let executor = &first.ports.executor;
    while let Some(next_ms) = next_ms() {
        executor.advance_ms((next_ms - executor.now_ms()).max(0));
        let batch = |platform: &&Platform| {
            let messages = platform.queue.take(side_by_side);
            let ended = messages.iter().map(|_| RefCell::default()).collect();
            Batch { messages, ended }
        };
        let batches: Vec<Batch> = platforms.iter().map(batch).collect();
        let brings = platforms.iter().zip(&batches);
        let brings = brings.map(|(platform, batch)| platform.bring(batch));
        let ended = executor.run(join(join_all(brings), beside()));
        crashes += usize::from(ended.is_err());
        for (platform, batch) in platforms.iter().zip(batches) {
            platform.end(batch);
        }
    }
    crashes
}

fn describe(error: &WorkError) -> String {
    let mut text = error.to_string();
    for cause in error_causes(error) {
        text.push_str(": ");
        text.push_str(&cause);
    }
    text
}
