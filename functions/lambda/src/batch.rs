//! A batch of messages: what SQS hands over, in which order it is worked on, and what SQS is to keep.
//!
//! What is answered as a failure stays in the queue; the rest is deleted. In a group (a lane) a message that
//! stays holds up those after it, as the FIFO queue does. A panic is a failure of its own message alone.

use std::any::Any;
use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use futures_util::FutureExt as _;
use kedge_aws::Receipt;

/// How often a message is received before the queue puts it aside: `maxReceiveCount` of the template.
pub(crate) const RECEIVES_MAX: u32 = 10;
/// A message that waits counts as received each time. From this receive on a copy of it, which counts from
/// the beginning, goes on in its place. So waiting never puts a message aside, and one that fails has at
/// least the other half of its receives to be tried in.
pub(crate) const RECEIVES_BEFORE_COPY: u32 = RECEIVES_MAX / 2;
/// How long a message is hidden after its first failure, in milliseconds; doubled with each receive.
const RETRY_AFTER_MS: u64 = 10_000;
/// And the longest.
const RETRY_AFTER_MS_MAX: u64 = 300_000;

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    /// What the answer names it by.
    pub(crate) id: String,
    pub(crate) body: String,
    /// What it may not be worked on beside; none: it is alone.
    pub(crate) group: Option<String>,
    pub(crate) receipt: Receipt,
    /// How often it was received, with this time.
    pub(crate) received: u32,
}

impl Message {
    fn of(record: SqsMessage) -> Self {
        let attribute = |name: &str| record.attributes.get(name);
        let received = attribute("ApproximateReceiveCount").and_then(|text| text.parse().ok());
        Self {
            group: attribute("MessageGroupId").cloned(),
            received: received.unwrap_or(1),
            // An answer with an empty id has SQS keep the whole batch, which is right for what has none.
            id: record.message_id.unwrap_or_default(),
            body: record.body.unwrap_or_default(),
            receipt: Receipt {
                handle: record.receipt_handle.unwrap_or_default(),
            },
        }
    }

    /// How long it is hidden if it failed, in milliseconds.
    pub(crate) fn retry_after_ms(&self) -> u64 {
        let doublings = self.received.saturating_sub(1).min(10);
        (RETRY_AFTER_MS << doublings).min(RETRY_AFTER_MS_MAX)
    }

    /// Whether a copy goes on in its place, if it has to wait.
    pub(crate) fn waits_as_copy(&self) -> bool {
        self.received >= RECEIVES_BEFORE_COPY
    }
}

/// The messages of an event.
pub(crate) fn messages(event: SqsEvent) -> Vec<Message> {
    event.records.into_iter().map(Message::of).collect()
}

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It is done with: SQS deletes it.
    Done,
    /// It stays, and comes again.
    Stays,
}

/// Who works on messages.
pub(crate) trait Worker {
    /// Works on one.
    async fn work(&self, message: &Message) -> Ended;
    /// The work on one panicked. It stays.
    async fn panicked(&self, message: &Message, why: &str);
    /// One is not begun. It stays.
    async fn put_off(&self, message: &Message);
    /// Whether there is time for another one.
    fn has_time(&self) -> bool;
}

/// Works through a batch, one message after the other, and answers what stays. However short the time is,
/// the first one is begun.
pub(crate) async fn work_through(messages: &[Message], worker: &impl Worker) -> SqsBatchResponse {
    let mut stays = SqsBatchResponse::default();
    let mut stuck = BTreeSet::new();
    for (number, message) in messages.iter().enumerate() {
        let group = message.group.as_deref();
        let is_stuck = group.is_some_and(|group| stuck.contains(group));
        let ended = match is_stuck || (number > 0 && !worker.has_time()) {
            true => {
                worker.put_off(message).await;
                Ended::Stays
            }
            false => one(message, worker).await,
        };
        if ended == Ended::Stays {
            stays.add_failure(&message.id);
            stuck.extend(group);
        }
    }
    stays
}

async fn one(message: &Message, worker: &impl Worker) -> Ended {
    match AssertUnwindSafe(worker.work(message)).catch_unwind().await {
        Ok(ended) => ended,
        Err(panic) => {
            worker.panicked(message, words(&*panic)).await;
            Ended::Stays
        }
    }
}

/// What a panic says.
fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("it says nothing")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::{Cell, RefCell};

    /// A batch of three, as SQS sends it: two of one lane and one of another.
    const BATCH: &str = include_str!("../tests/events/sqs.json");

    fn batch() -> Vec<Message> {
        messages(serde_json::from_str(BATCH).unwrap())
    }

    #[test]
    fn messages_are_read_as_they_are() {
        let found = batch();
        let first = Message {
            id: "0f7b1c2e-5a0d-4f8e-9a57-3c1d2e4f6a01".to_owned(),
            body: r#"{"format":1,"work":{"apply":{"stack":"dev","because":"e3b0c44298fc"}}}"#
                .to_owned(),
            group: Some("stack-dev".to_owned()),
            receipt: Receipt {
                handle: "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a==".to_owned(),
            },
            received: 1,
        };
        assert_eq!(found[0], first);
        let rest = found[1..].iter();
        let rest: Vec<_> = rest
            .map(|one| (one.body.as_str(), one.group.as_deref(), one.received))
            .collect();
        assert_eq!(
            rest,
            [
                ("not ours", Some("stack-dev"), 4),
                ("", Some("check-5f0c"), 10)
            ]
        );
    }

    #[test]
    fn what_is_missing_in_a_record_does_not_fail_the_others() {
        let event = r#"{"Records": [{}, {"messageId": "a", "attributes": {"ApproximateReceiveCount": "x"}}]}"#;
        let found = messages(serde_json::from_str(event).unwrap());
        let found: Vec<_> = found
            .iter()
            .map(|one| (one.id.as_str(), one.received, one.group.as_deref()))
            .collect();
        assert_eq!(found, [("", 1, None), ("a", 1, None)]);
    }

    #[test]
    fn a_message_that_fails_comes_again_later_and_later() {
        let after = |received| Message {
            received,
            ..batch().remove(0)
        };
        let after = |received| after(received).retry_after_ms() / 1000;
        let all: Vec<_> = [0, 1, 2, 3, 4, 5, 6, 10, u32::MAX].map(after).into();
        assert_eq!(all, [10, 10, 20, 40, 80, 160, 300, 300, 300]);
    }

    #[test]
    fn a_message_that_waits_long_goes_on_as_a_copy() {
        let waits_as_copy = |received| {
            let message = batch().remove(0);
            Message {
                received,
                ..message
            }
            .waits_as_copy()
        };
        assert_eq!([1, 4, 5, 6].map(waits_as_copy), [false, false, true, true]);
    }

    /// Ends each message as its body says, and notes what it was told.
    #[derive(Default)]
    struct Scripted {
        told: RefCell<Vec<String>>,
        /// For how many messages there is time.
        time: Cell<usize>,
    }

    impl Scripted {
        fn note(&self, what: &str, message: &Message) {
            self.told
                .borrow_mut()
                .push(format!("{what} {}", message.id));
        }
    }

    impl Worker for Scripted {
        async fn work(&self, message: &Message) -> Ended {
            self.time.set(self.time.get().saturating_sub(1));
            self.note("work", message);
            match message.body.as_str() {
                "done" => Ended::Done,
                "stays" => Ended::Stays,
                why => panic!("{why}"),
            }
        }

        async fn panicked(&self, message: &Message, why: &str) {
            self.note(&format!("panic {why}"), message);
        }

        async fn put_off(&self, message: &Message) {
            self.note("put off", message);
        }

        fn has_time(&self) -> bool {
            self.time.get() > 0
        }
    }

    /// What is kept of a batch, and what was told of it.
    async fn through(time: usize, batch: &[(&str, Option<&str>)]) -> (Vec<String>, Vec<String>) {
        let messages = batch.iter().enumerate();
        let messages: Vec<_> = messages
            .map(|(number, (body, group))| Message {
                id: number.to_string(),
                body: (*body).to_owned(),
                group: group.map(str::to_owned),
                receipt: Receipt {
                    handle: String::new(),
                },
                received: 1,
            })
            .collect();
        let worker = Scripted {
            time: Cell::new(time),
            ..Scripted::default()
        };
        let stays = work_through(&messages, &worker).await;
        let stays = stays.batch_item_failures.into_iter();
        (
            stays.map(|one| one.item_identifier).collect(),
            worker.told.into_inner(),
        )
    }

    #[tokio::test]
    async fn one_that_stays_holds_up_its_own_group_alone() {
        let (a, b) = (Some("a"), Some("b"));
        for (batch, stays, told) in [
            (&[("done", a), ("done", a)][..], &[][..], "work 0, work 1"),
            (
                &[("stays", a), ("done", b), ("done", a), ("done", a)],
                &["0", "2", "3"],
                "work 0, work 1, put off 2, put off 3",
            ),
            // A panic stays as well, and takes nothing along.
            (
                &[("done", a), ("boom", b), ("done", a), ("done", b)],
                &["1", "3"],
                "work 0, work 1, panic boom 1, work 2, put off 3",
            ),
            // Without groups nothing holds up anything.
            (&[("stays", None), ("done", None)], &["0"], "work 0, work 1"),
        ] {
            let (found_stays, found_told) = through(9, batch).await;
            assert_eq!(found_stays, stays, "{batch:?}");
            assert_eq!(found_told.join(", "), told, "{batch:?}");
        }
    }

    #[tokio::test]
    async fn without_time_nothing_is_begun_but_the_first() {
        let batch = [("done", Some("a")), ("done", Some("b")), ("done", None)];
        for time in [0, 1] {
            let (stays, told) = through(time, &batch).await;
            assert_eq!(stays, ["1", "2"]);
            assert_eq!(told.join(", "), "work 0, put off 1, put off 2");
        }
    }

    #[tokio::test]
    async fn the_answer_is_what_sqs_reads() {
        let nothing = work_through(&[], &Scripted::default()).await;
        let text = serde_json::to_string(&nothing).unwrap();
        assert_eq!(text, r#"{"batchItemFailures":[]}"#);
        let mut one = nothing;
        one.add_failure("a");
        let text = serde_json::to_string(&one).unwrap();
        assert_eq!(text, r#"{"batchItemFailures":[{"itemIdentifier":"a"}]}"#);
    }
}
