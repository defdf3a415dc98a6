//! Signed events of uploads, for platforms whose store can't reach our queue.
//!
//! `Kedge-Signature: t=<seconds since 1970>,v1=<HMAC-SHA-256 of "<t>.<body>" in hexadecimal>`. An event
//! is believed only as "look now": what was uploaded is read from the store.

use ::http::header::{HeaderName, WWW_AUTHENTICATE};
use hmac::{Hmac, KeyInit as _, Mac as _};
use kedge_core::model::{SecretText, Timestamp, printable};
use kedge_engine::ports::{Clock, ETag, Random, Store};
use sha2::Sha256;

use super::Routed;
use super::answer::Reply;
use super::body::{self, UploadEventBody, invalid};
use super::caller::too_many;
use super::problem::{Problem, ProblemKind};
use super::query::{Query, header};
use crate::instance::{Event, TooMany};
use crate::queue::Queue;
use crate::service::Service;
use crate::upload::Upload;
use crate::work::Work;

/// The header with the signature.
pub(super) const SIGNATURE: HeaderName = HeaderName::from_static("kedge-signature");
/// How far the clock of a relay may be from ours, and how old an event may be, in milliseconds. A tick finds
/// every upload within as much.
pub(super) const WINDOW_MS: i64 = 5 * 60 * 1000;
/// The longest key of an object, in bytes: that of S3.
const KEY_BYTES_MAX: usize = 1_024;
/// The longest version of an object, in bytes.
const ETAG_BYTES_MAX: usize = 256;

/// A signature, as it was sent.
struct Signature {
    /// As it was signed.
    time: String,
    at: Timestamp,
    mac: [u8; 32],
}

impl Signature {
    /// Reads `t=…,v1=…`, in this form alone.
    fn parse(text: &str) -> Option<Self> {
        let (time, mac) = text.strip_prefix("t=")?.split_once(",v1=")?;
        let is_time = (1..=11).contains(&time.len()) && time.bytes().all(|b| b.is_ascii_digit());
        let seconds: i64 = is_time.then(|| time.parse().ok())??;
        let mut bytes = [0; 32];
        hex::decode_to_slice(mac, &mut bytes).ok()?;
        Some(Self {
            time: time.to_owned(),
            at: Timestamp(seconds * 1000),
            mac: bytes,
        })
    }

    /// Whether who has this key signed this body. Compared in constant time.
    fn is_of(&self, key: &SecretText, body: &[u8]) -> bool {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.reveal().as_bytes()) else {
            return false;
        };
        mac.update(self.time.as_bytes());
        mac.update(b".");
        mac.update(body);
        mac.verify_slice(&self.mac).is_ok()
    }
}

impl<P: Clock + Random, S: Store, Q: Queue> Service<'_, P, S, Q> {
    pub(super) async fn event(&self, routed: &Routed<'_>) -> Result<Reply, Problem> {
        let Some(key) = self.settings.relay_key else {
            return Err(Problem::of(ProblemKind::NotFound));
        };
        let signature = header(&routed.head.headers, &SIGNATURE)?.and_then(Signature::parse);
        let signature = signature.filter(|signature| signature.is_of(key, routed.body));
        let signature = signature.ok_or_else(|| refused("there is none, or it is not right"))?;
        let now = self.ports.now();
        if now.ms_since(signature.at).abs() > WINDOW_MS {
            return Err(refused("its time is more than 5 minutes from ours"));
        }
        let now_ms = self.ports.monotonic_ms();
        let instance = self.settings.instance;
        instance.take_for_relay(now_ms).map_err(too_many)?;
        Query::read(routed)?;
        body::is_expected(routed)?;
        let work = upload(body::read(routed)?)?;
        let until = signature.at.plus_ms(WINDOW_MS);
        match instance.note_event(signature.mac, until, now) {
            Event::New => {}
            Event::Replayed => return Err(Problem::of(ProblemKind::Replayed)),
            Event::TooMany => {
                let after_ms = WINDOW_MS;
                return Err(too_many(TooMany { after_ms }));
            }
        }
        match self.queue.send(&work).await {
            Ok(()) => Ok(Reply::accepted()),
            Err(_) => {
                instance.forget_event(&signature.mac);
                let problem = Problem::of(ProblemKind::QueueFailed);
                Err(problem
                    .next("send it again, or leave it to automation, which looks every few minutes")
                    .after_s(5))
            }
        }
    }
}

/// The message of an event.
fn upload(body: UploadEventBody) -> Result<Work, Problem> {
    let UploadEventBody { key, etag } = body;
    let is_fit =
        |text: &str, most: usize| (1..=most).contains(&text.len()) && printable(text) == text;
    let is_key = is_fit(&key, KEY_BYTES_MAX);
    let upload = Upload::of(&key, ETag(etag.clone())).filter(|_| is_key);
    let upload = upload.ok_or_else(|| invalid("`key` is `upload/<stack>/PATH`"))?;
    match is_fit(&etag, ETAG_BYTES_MAX) {
        true => Ok(upload.work()),
        false => Err(invalid("`etag` has 1 to 256 bytes")),
    }
}

fn refused(detail: &str) -> Problem {
    let problem = Problem::new(ProblemKind::BadSignature, detail);
    problem.header(WWW_AUTHENTICATE, "Kedge-Signature")
}
