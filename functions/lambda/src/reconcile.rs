//! Messages of the queue. What fails comes again, later and later, until the queue puts it aside.
//!
//! | a message | becomes |
//! |---|---|
//! | done | deleted |
//! | that waits (a busy stack, a booked account) | hidden until then; after some receives its copy goes on |
//! | that failed, or whose work panicked | hidden, twice as long each time |
//! | that can't be read | visible at once: it never goes well, and soon is put aside |
//! | that was not begun | visible at once: it comes after what holds it up |

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use kedge_engine::error_chain;
use kedge_service::WorkError;
use kedge_service::queue::Acknowledge;
use kedge_service::work::Work;

use crate::batch::{self, Ended, Message, Worker};
use crate::deadline::Deadline;
use crate::home::Home;
use crate::metrics::MESSAGE_FAILED;
use crate::start::{Failure, Function};

/// Works on messages of the queue.
#[derive(Debug)]
pub struct Reconcile;

impl Function for Reconcile {
    const TIMEOUT_MS: i64 = 300_000;
    type Event = SqsEvent;
    type Answer = SqsBatchResponse;

    async fn on(
        home: &Home,
        event: SqsEvent,
        deadline: Deadline,
    ) -> Result<SqsBatchResponse, Failure> {
        let worker = Reconciler { home, deadline };
        Ok(batch::work_through(&batch::messages(event), &worker).await)
    }
}

struct Reconciler<'a> {
    home: &'a Home,
    deadline: Deadline,
}

impl Worker for Reconciler<'_> {
    async fn work(&self, message: &Message) -> Ended {
        let Self { home, deadline } = self;
        let result = home.do_work(async |wired| {
            let service = wired.service(&home.queue, deadline.limits(home.now()));
            service.work(&message.body, &message.receipt).await
        });
        match result.await {
            Ok(Ok(Acknowledge::Done)) => return Ended::Done,
            Ok(Ok(Acknowledge::ComesAgain)) => return self.waits(message).await,
            Ok(Err(WorkError::Unreadable(why))) => self.failed(message, 0, &why.to_string()).await,
            Ok(Err(error)) => self.failed_for_now(message, &error_chain(&error)).await,
            Err(error) => self.failed_for_now(message, &error_chain(&error)).await,
        }
        Ended::Stays
    }

    async fn panicked(&self, message: &Message, why: &str) {
        self.home.forget();
        let why = format!("the work ended without an answer: {why}");
        self.failed_for_now(message, &why).await;
    }

    async fn put_off(&self, message: &Message) {
        self.hide(message, 0).await;
    }

    fn has_time(&self) -> bool {
        self.deadline.allows_another(self.home.now())
    }
}

impl Reconciler<'_> {
    /// It waits, hidden already.
    async fn waits(&self, message: &Message) -> Ended {
        let work = match message.waits_as_copy() {
            true => Work::decode(&message.body).ok(),
            false => None,
        };
        let Some(work) = work else {
            return Ended::Stays;
        };
        match self.home.queue.send_again(&work, &message.id).await {
            Ok(()) => Ended::Done,
            Err(error) => {
                tracing::warn!(
                    target: "kedge",
                    message_id = %message.id,
                    "a message that waits counts as one that fails: {error}"
                );
                Ended::Stays
            }
        }
    }

    async fn failed_for_now(&self, message: &Message, why: &str) {
        self.failed(message, message.retry_after_ms(), why).await;
    }

    async fn failed(&self, message: &Message, hidden_ms: u64, why: &str) {
        tracing::error!(
            target: "kedge",
            message_id = %message.id,
            lane = message.group.as_deref(),
            received = message.received,
            received_max = batch::RECEIVES_MAX,
            retry_in_s = hidden_ms / 1000,
            error = why,
            "{MESSAGE_FAILED}"
        );
        self.hide(message, hidden_ms).await;
    }

    /// A message that can't be hidden comes again when the queue's own time for it is over.
    async fn hide(&self, message: &Message, for_ms: u64) {
        if let Err(error) = self.home.queue.hide(&message.receipt, for_ms).await {
            tracing::warn!(target: "kedge", message_id = %message.id, "{error}");
        }
    }
}
