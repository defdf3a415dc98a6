//! Messages of the queue.
//!
//! | a message | becomes |
//! |---|---|
//! | done | acknowledged |
//! | that waits (a busy stack, a booked account) | acknowledged: a copy comes again later |
//! | that failed | brought again, later and later; set aside after some times |
//! | that can't be read | brought again at once: it never goes well, and soon is set aside |
//! | of R2, of which no work comes | acknowledged |
//! | that was set aside | told as an error, kept in the store, and acknowledged |

use bytes::Bytes;
use futures_util::future::join_all;
use kedge_engine::error_chain;
use kedge_engine::ports::{Clock as _, Condition, Store as _};
use kedge_service::WorkError;
use kedge_service::work::Work;
use kedge_worker::{JsClock, text_of};
use worker::{
    Context, Env, MessageBatch, MessageExt as _, QueueRetryOptionsBuilder, RawMessage, Result,
    event,
};

use crate::home::Home;
use crate::r2_event::{self, Told};
use crate::relay::{self, Relay, Reported};

/// What the name of a queue ends with whose messages were set aside.
const DEAD_LETTERS: &str = "-dead-letters";
/// How long until a message is brought again that failed, at least and at most, in seconds.
const RETRY_AFTER_S_MIN: i64 = 10;
const RETRY_AFTER_S_MAX: i64 = 15 * 60;

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// It is acknowledged.
    Done,
    /// It is brought again after so many seconds, and counts as failed.
    Again(u32),
}

/// Works on a batch, message by message. It never fails as a whole: Cloudflare would bring all of it again.
#[event(queue)]
async fn queue(batch: MessageBatch<()>, env: Env, _: Context) -> Result<()> {
    let is_dead = batch.queue().ends_with(DEAD_LETTERS);
    let home = Home::of(&env);
    if let Err(error) = &home {
        let why = error_chain(error);
        tracing::error!(target: "kedge", "no message can be worked on: {why}");
    }
    let each = batch.raw_iter().map(async |message| {
        let ended = match &home {
            Ok(home) if is_dead => set_aside(home, &message).await,
            Ok(home) => work(home, &message).await,
            Err(_) => Ended::Again(retry_after_s(age_s(&message))),
        };
        match ended {
            Ended::Done => message.ack(),
            Ended::Again(after_s) => {
                let options = QueueRetryOptionsBuilder::new().with_delay_seconds(after_s);
                message.retry_with_options(&options.build());
            }
        }
    });
    join_all(each).await;
    Ok(())
}

async fn work(home: &Home, message: &RawMessage) -> Ended {
    let text = text_of(&message.body());
    let failed = |after_s: u32, why: &str| {
        tracing::error!(
            target: "kedge",
            message_id = %message.id(),
            age_s = age_s(message),
            retry_in_s = after_s,
            error = why,
            "message failed"
        );
        Ended::Again(after_s)
    };
    let own_key = |key: &str| home.store.own_key(key).map(str::to_owned);
    let text = match (r2_event::read(&text, own_key), &home.relay) {
        (Told::Nothing, _) => return Ended::Done,
        (Told::Else, _) => text,
        (Told::Work(work), None) => work.encode(),
        (Told::Work(work), Some(relay)) => {
            return match tell(home, relay, &work).await {
                Reported::Taken => Ended::Done,
                Reported::Refused(why) => {
                    tracing::warn!(target: "kedge", "an upload was told to kedge elsewhere, which refused it: {why}");
                    Ended::Done
                }
                Reported::Again(after_s, why) => failed(after_s, &why),
            };
        }
    };
    let service = home.service(Home::WORK_MS);
    // Boxed: with the engine below it it is deeper than the compiler follows.
    match Box::pin(service.work(&text, &())).await {
        Ok(_) => Ended::Done,
        Err(WorkError::Unreadable(why)) => failed(0, &why.to_string()),
        Err(error) => failed(retry_after_s(age_s(message)), &error_chain(&error)),
    }
}

/// Tells Kedge elsewhere.
async fn tell(home: &Home, relay: &Relay, work: &Work) -> Reported {
    match relay.report(work, JsClock.now()) {
        None => Reported::Taken,
        Some(request) => {
            let answer = home.http.exchange(&request, relay::ANSWER_BYTES_MAX);
            relay::reported(answer.await)
        }
    }
}

/// Keeps a message that failed too often, as it was sent: `dead-letters/<id>.json`. Where nothing may be written, the
/// line in the log is all that is left of it.
async fn set_aside(home: &Home, message: &RawMessage) -> Ended {
    let id = message.id();
    let text = text_of(&message.body());
    tracing::error!(
        target: "kedge",
        message_id = %id,
        "a message failed too often and is kept as a dead letter; automation finds what is left with the next check"
    );
    if home.is_read_only() {
        return Ended::Done;
    }
    let key = dead_letter_key(&id);
    let kept = home
        .store
        .put(&key, Bytes::from(text), Condition::None)
        .await;
    match kept {
        Ok(_) => Ended::Done,
        Err(error) => {
            tracing::error!(target: "kedge", message_id = %id, "a dead letter could not be kept: {error}");
            Ended::Again(retry_after_s(age_s(message)))
        }
    }
}

/// Cloudflare's ids are 32 digits; whatever it is, it is one name.
fn dead_letter_key(id: &str) -> String {
    let id = id
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '-');
    format!("dead-letters/{}.json", id.take(64).collect::<String>())
}

/// How long ago a message was sent.
fn age_s(message: &RawMessage) -> i64 {
    let sent = i64::try_from(message.timestamp().as_millis()).unwrap_or_default();
    (JsClock.monotonic_ms() - sent).div_euclid(1_000)
}

/// How long until a message of this age is brought again: as long as it is old, so that each pause is about as long
/// as all before it.
fn retry_after_s(age_s: i64) -> u32 {
    u32::try_from(age_s.clamp(RETRY_AFTER_S_MIN, RETRY_AFTER_S_MAX)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_comes_later_and_later() {
        let mut age_s = 0;
        let pauses = std::iter::repeat_with(|| {
            let pause_s = retry_after_s(age_s);
            age_s += i64::from(pause_s);
            pause_s
        });
        let pauses: Vec<u32> = pauses.take(9).collect();
        assert_eq!(pauses, [10, 10, 20, 40, 80, 160, 320, 640, 900]);
        // Two clocks may differ.
        assert_eq!([i64::MIN, -1, i64::MAX].map(retry_after_s), [10, 10, 900]);
    }

    #[test]
    fn a_dead_letter_has_one_name() {
        for (id, key) in [
            ("0f1e", "dead-letters/0f1e.json"),
            ("../../state/x", "dead-letters/statex.json"),
            (
                &"a".repeat(99),
                &format!("dead-letters/{}.json", "a".repeat(64)),
            ),
        ] {
            assert_eq!(dead_letter_key(id), key);
        }
    }
}
