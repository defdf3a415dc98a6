//! A FIFO queue of SQS as the service's queue.
//!
//! A message's group is its lane, so that SQS hands out one of a lane at a time. Its deduplication id is the
//! work's, so that equal work that is sent within five minutes is there once. Nothing here receives or deletes:
//! Lambda does that. A FIFO queue has no delay for one message, so a message that is to come later is hidden.

use kedge_native::NativeHttp;
use kedge_service::queue::{Acknowledge, Queue, QueueError};
use kedge_service::work::Work;
use serde::{Deserialize, Serialize};

use crate::call::{Caller, Place};
use crate::failure::Failure;
use crate::service::Service;
use crate::settings::{AwsSettings, AwsSettingsError, address, origin};

/// The longest that SQS hides a message, in seconds since it was received
/// (docs.aws.amazon.com/AWSSimpleQueueService, ChangeMessageVisibility).
const HIDDEN_S_MAX: u64 = 43_200;
/// The longest invocation of Lambda, in seconds: so long ago a message was received at most.
const INVOCATION_S_MAX: u64 = 900;

/// What it takes to bring a message again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The `receiptHandle` of this delivery.
    pub handle: String,
}

/// A FIFO queue.
#[derive(Debug)]
pub struct SqsQueue {
    caller: Caller,
    place: Place,
    url: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SendMessage<'a> {
    queue_url: &'a str,
    message_body: &'a str,
    message_group_id: &'a str,
    message_deduplication_id: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SentMessage {
    /// Only an answer of SQS has it.
    #[expect(dead_code, reason = "that it is there says that the message was taken")]
    message_id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ChangeMessageVisibility<'a> {
    queue_url: &'a str,
    receipt_handle: &'a str,
    visibility_timeout: u64,
}

/// An answer that says nothing.
#[derive(Deserialize)]
struct Nothing {}

impl SqsQueue {
    /// The queue at this URL, which `variable` holds (`KEDGE_QUEUE_URL`). Nothing is sent yet. The URL also
    /// says where SQS is, unless the settings do.
    ///
    /// # Errors
    /// When it is no URL of a FIFO queue; names the variable.
    pub fn new(
        settings: &AwsSettings,
        http: &NativeHttp,
        variable: &str,
        url: &str,
    ) -> Result<Self, AwsSettingsError> {
        let url = address(variable, url)?;
        if !url.ends_with(".fifo") {
            return Err(AwsSettingsError(format!(
                "{variable} must be the URL of a FIFO queue, whose name ends with .fifo"
            )));
        }
        let base = settings.endpoint(Service::Sqs);
        let place = Place {
            service: Service::Sqs,
            region: settings.region.clone(),
            base: base.unwrap_or(origin(&url)).to_owned(),
        };
        Ok(Self {
            caller: Caller::new(settings, http.clone()),
            place,
            url,
        })
    }

    /// Hides a message for so many milliseconds: it comes again then, and not before. As long as it is
    /// hidden, no other of its group comes. No message is hidden longer than 11 h 45 min.
    ///
    /// # Errors
    /// When it is not known whether it is hidden so long. It comes again in any case.
    pub async fn hide(&self, receipt: &Receipt, for_ms: u64) -> Result<(), QueueError> {
        let body = ChangeMessageVisibility {
            queue_url: &self.url,
            receipt_handle: &receipt.handle,
            visibility_timeout: for_ms.div_ceil(1_000).min(HIDDEN_S_MAX - INVOCATION_S_MAX),
        };
        let hidden: Result<Nothing, _> = self.call("ChangeMessageVisibility", &body).await;
        match hidden {
            Ok(Nothing {}) => Ok(()),
            Err(failure) if failure.is_not_in_flight() => Ok(()),
            Err(failure) => Err(self.error(&failure, "hide", "ChangeMessageVisibility")),
        }
    }

    /// Sends the work of the message at hand once more, as one that was never received: what SQS counts
    /// begins anew. So a message can wait without coming nearer to the dead-letter queue. What is sent twice
    /// for one message within five minutes is there once.
    ///
    /// # Errors
    /// When it is not known to be taken: then the message must stay.
    pub async fn send_again(&self, work: &Work, message_id: &str) -> Result<(), QueueError> {
        self.send_message(&work.encode(), &work.lane(), message_id)
            .await
    }

    async fn send_message(&self, body: &str, group: &str, id: &str) -> Result<(), QueueError> {
        let body = SendMessage {
            queue_url: &self.url,
            message_body: body,
            message_group_id: group,
            message_deduplication_id: id,
        };
        let sent: Result<SentMessage, _> = self.call("SendMessage", &body).await;
        sent.map(drop)
            .map_err(|failure| self.error(&failure, "take", "SendMessage"))
    }

    async fn call<A: serde::de::DeserializeOwned>(
        &self,
        operation: &str,
        body: &impl Serialize,
    ) -> Result<A, Failure> {
        self.caller.call(&self.place, operation, body).await
    }

    /// The queue did not do this with a message.
    fn error(&self, failure: &Failure, verb: &str, operation: &str) -> QueueError {
        let name = self.url.rsplit('/').next().unwrap_or_default();
        let why = failure.describe(&self.place, operation);
        QueueError(format!("{name} did not {verb} a message: {why}"))
    }
}

impl Queue for SqsQueue {
    type Receipt = Receipt;

    async fn send(&self, work: &Work) -> Result<(), QueueError> {
        self.send_message(&work.encode(), &work.lane(), &work.id())
            .await
    }

    /// Hides the message, and answers [`Acknowledge::ComesAgain`]. The shell must report it as a batch item
    /// failure, or Lambda deletes it.
    async fn later(
        &self,
        _: &Work,
        receipt: &Receipt,
        in_ms: u64,
    ) -> Result<Acknowledge, QueueError> {
        self.hide(receipt, in_ms).await?;
        Ok(Acknowledge::ComesAgain)
    }
}
