//! A Cloudflare queue as the service's queue.
//!
//! A queue has no lanes: messages of one stack may be worked on side by side, and its lease keeps them apart. It
//! drops no equal work either. What is to come later is sent again with a delay and the message at hand is done
//! with, so that waiting does not count as failing.

use std::fmt;

use kedge_service::queue::{Acknowledge, Queue, QueueError};
use kedge_service::work::Work;
use worker::js_sys::JSON;
use worker::wasm_bindgen::JsValue;
use worker::{QueueContentType, RawMessageBuilder};

/// The longest delay of a message, in seconds (developers.cloudflare.com/queues/platform/limits).
const DELAY_S_MAX: u64 = 43_200;

/// A queue that is bound to this Worker.
pub struct WorkerQueue(worker::Queue);

impl fmt::Debug for WorkerQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WorkerQueue")
    }
}

impl WorkerQueue {
    /// The queue of this binding.
    #[must_use]
    pub fn new(binding: worker::Queue) -> Self {
        Self(binding)
    }

    async fn send_in(&self, work: &Work, delay_s: u32) -> Result<(), QueueError> {
        let failed = |why: String| QueueError(format!("it did not take a message: {why}"));
        let body = JSON::parse(&work.encode()).map_err(|_| failed("it is no JSON".to_owned()))?;
        let message = RawMessageBuilder::new(body)
            .delay_seconds(delay_s)
            .build_with_content_type(QueueContentType::Json);
        let sent = self.0.send_raw(message).await;
        sent.map_err(|error| failed(error.to_string()))
    }
}

/// The text of a message's body: JSON that was sent as such, or as text.
#[must_use]
pub fn text_of(body: &JsValue) -> String {
    body.as_string()
        .or_else(|| JSON::stringify(body).ok().map(String::from))
        .unwrap_or_default()
}

impl Queue for WorkerQueue {
    type Receipt = ();

    async fn send(&self, work: &Work) -> Result<(), QueueError> {
        self.send_in(work, 0).await
    }

    async fn later(
        &self,
        work: &Work,
        (): &Self::Receipt,
        in_ms: u64,
    ) -> Result<Acknowledge, QueueError> {
        let seconds = in_ms.div_ceil(1_000).min(DELAY_S_MAX);
        self.send_in(work, u32::try_from(seconds).unwrap_or_default())
            .await?;
        Ok(Acknowledge::Done)
    }
}
