//! The store port over an R2 binding.

use std::fmt;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use kedge_adapters::patient::{self, BucketFailure, Doing, Fate};
use kedge_adapters::{Failed, key_problem};
use kedge_core::model::Timestamp;
use kedge_core::stored::OBJECT_BYTES_MAX;
use kedge_engine::ports::{
    Attempts, Clock as _, Condition, ETag, Listed, PutOutcome, Random as _, Store, StoreError,
    StoredObject, Version,
};
use worker::{Bucket, Conditional, Date, HttpMetadata, Object};

use crate::{JsClock, WebRandom};

/// The longest pause before the first repetition, in milliseconds; it doubles.
const PAUSE_MS: u64 = 500;

/// Objects in a bucket that is bound to this Worker, under one prefix.
///
/// A binding does not say the time with an answer ([`StoredObject::read_at`]); a write tells when it was made.
pub struct R2Store {
    bucket: R2Bucket,
}

/// The same, one request at a time.
struct R2Bucket {
    binding: Bucket,
    /// Empty, or with a final slash.
    prefix: String,
    read_only: bool,
}

impl fmt::Debug for R2Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("R2Store")
            .field("prefix", &self.bucket.prefix)
            .finish_non_exhaustive()
    }
}

impl R2Store {
    /// A store in this bucket, below this prefix, which may end with a slash. Nothing is sent yet. If it may only
    /// read, each write is refused before it is sent (semantics 9.7).
    #[must_use]
    pub fn new(binding: Bucket, prefix: &str, read_only: bool) -> Self {
        let prefix = match prefix.trim_matches('/') {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        };
        let bucket = R2Bucket {
            binding,
            prefix,
            read_only,
        };
        Self { bucket }
    }

    /// The key of ours that an object of the bucket has; none if it is not below the prefix.
    #[must_use]
    pub fn own_key<'a>(&self, key: &'a str) -> Option<&'a str> {
        key.strip_prefix(&self.bucket.prefix)
    }
}

/// Why one request was no success.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Failure {
    /// The condition did not hold.
    Unmet,
    /// The object is larger than anything of ours.
    TooLarge,
    /// We refuse to send it.
    Forbidden,
    /// R2 said no, with this code (developers.cloudflare.com/r2/api/error-codes), or the runtime did, with none.
    Said { text: String, code: Option<u32> },
    /// A success that lacks what a success has.
    Strange(&'static str),
}

impl Failure {
    fn of(error: &worker::Error) -> Self {
        let text = error.to_string();
        let code = code_of(&text);
        Self::Said { text, code }
    }
}

/// The code that stands at the end of what R2 says: `put: … (10058)`.
fn code_of(text: &str) -> Option<u32> {
    let (_, code) = text.trim_end().strip_suffix(')')?.rsplit_once('(')?;
    code.parse().ok().filter(|code| *code > 0)
}

/// Too many requests, to one object or in all: R2 takes one write a second to one key.
const TOO_MANY: [u32; 2] = [10_058, 10_059];
/// R2 failed, and may not fail again: InternalError, ServiceUnavailable, a client that went away.
const MAY_PASS: [u32; 3] = [10_001, 10_043, 10_054];

impl BucketFailure for Failure {
    fn strange(what: &'static str) -> Self {
        Self::Strange(what)
    }

    fn fate(&self, _: &Condition) -> Fate {
        match self {
            Self::Unmet => Fate::Lost,
            Self::Forbidden => Fate::Refused,
            Self::Said { code: None, .. } | Self::Strange(_) | Self::TooLarge => Fate::Open,
            Self::Said {
                code: Some(code), ..
            } if TOO_MANY.contains(code) => Fate::NotDone,
            Self::Said {
                code: Some(code), ..
            } if MAY_PASS.contains(code) => Fate::Open,
            Self::Said { .. } => Fate::Refused,
        }
    }

    fn may_pass(&self) -> bool {
        match self {
            Self::Said { code: None, .. } => true,
            Self::Said {
                code: Some(code), ..
            } => TOO_MANY.contains(code) || MAY_PASS.contains(code),
            Self::Unmet | Self::TooLarge | Self::Forbidden | Self::Strange(_) => false,
        }
    }

    fn is_too_large(&self) -> bool {
        *self == Self::TooLarge
    }

    fn failed(&self) -> Failed {
        Failed {
            was_heard: matches!(self, Self::Said { code: Some(_), .. }),
            retry_after_ms: None,
        }
    }
}

impl R2Bucket {
    fn full_key(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }
}

fn timestamp(date: &Date) -> Timestamp {
    Timestamp(i64::try_from(date.as_millis()).unwrap_or_default())
}

fn version(object: &Object) -> Version {
    Version {
        etag: ETag(object.etag()),
        written_at: timestamp(&object.uploaded()),
    }
}

/// Takes in an object's body. Dropped before its end, a stream is cancelled: it holds no connection.
async fn body(object: &Object) -> Result<Bytes, Failure> {
    let body = object.body().ok_or(Failure::Strange("it has no body"))?;
    let failed = |error: worker::Error| Failure::of(&error);
    let mut stream = body.stream().map_err(failed)?;
    let mut bytes = BytesMut::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(failed)?;
        if bytes.len() + chunk.len() > OBJECT_BYTES_MAX {
            return Err(Failure::TooLarge);
        }
        bytes.extend_from_slice(&chunk);
    }
    // Where a connection breaks, a stream may just end.
    match u64::try_from(bytes.len()) == Ok(object.size()) {
        true => Ok(bytes.freeze()),
        false => Err(Failure::Said {
            text: "the answer ended before the object did".to_owned(),
            code: None,
        }),
    }
}

impl patient::Bucket for R2Bucket {
    type Failure = Failure;

    async fn get_once(&self, key: &str) -> Result<Option<StoredObject>, Failure> {
        let object = self.binding.get(self.full_key(key)).execute().await;
        let Some(object) = object.map_err(|error| Failure::of(&error))? else {
            return Ok(None);
        };
        let bytes = body(&object).await?;
        let Version { etag, written_at } = version(&object);
        Ok(Some(StoredObject {
            bytes,
            etag,
            written_at,
            read_at: None,
        }))
    }

    async fn put_once(
        &self,
        key: &str,
        bytes: &Bytes,
        condition: &Condition,
    ) -> Result<Version, Failure> {
        if self.read_only {
            return Err(Failure::Forbidden);
        }
        let conditional = match condition {
            Condition::Absent => Conditional {
                etag_does_not_match: Some("*".to_owned()),
                ..Conditional::default()
            },
            Condition::Is(etag) => Conditional {
                etag_matches: Some(etag.0.clone()),
                ..Conditional::default()
            },
            Condition::None => Conditional::default(),
        };
        let put = self
            .binding
            .put(self.full_key(key), bytes.to_vec())
            .http_metadata(HttpMetadata {
                content_type: Some("application/json".to_owned()),
                ..HttpMetadata::default()
            });
        let put = match condition {
            Condition::None => put,
            _ => put.only_if(conditional),
        };
        match put.execute().await {
            Ok(Some(object)) => Ok(version(&object)),
            Ok(None) => Err(Failure::Unmet),
            Err(error) => Err(Failure::of(&error)),
        }
    }

    async fn list_once(
        &self,
        prefix: &str,
        from: Option<&str>,
    ) -> Result<(Vec<Listed>, Option<String>), Failure> {
        let list = self.binding.list().prefix(self.full_key(prefix));
        let list = match from {
            None => list,
            Some(cursor) => list.cursor(cursor),
        };
        let page = list.execute().await;
        let page = page.map_err(|error| Failure::of(&error))?;
        let next = match (page.truncated(), page.cursor()) {
            (true, None) => return Err(Failure::Strange("it is cut off")),
            (true, next) => next,
            (false, _) => None,
        };
        let own = |object: &Object| {
            let key = object.key();
            let key = key.strip_prefix(&self.prefix)?.to_owned();
            let Version { etag, written_at } = version(object);
            // Others' objects may have names that are no keys of ours.
            key_problem(&key).is_none().then_some(Listed {
                key,
                etag,
                written_at,
            })
        };
        Ok((page.objects().iter().filter_map(own).collect(), next))
    }

    fn first_pause_ms(&self) -> u64 {
        PAUSE_MS
    }

    async fn sleep_ms(&self, ms: u64) {
        JsClock.sleep_ms(ms).await;
    }

    fn random(&self) -> u64 {
        WebRandom.next_u64()
    }

    fn told(&self, failure: &Failure, _: Doing) -> String {
        match failure {
            Failure::Unmet => "R2: the condition did not hold".to_owned(),
            Failure::TooLarge => "R2: the object is too large".to_owned(),
            Failure::Forbidden => "KEDGE_READ_ONLY is set, and a write is refused".to_owned(),
            Failure::Strange(what) => {
                format!("R2 gave an answer that can't be used: {what}")
            }
            Failure::Said { text, code } => {
                let advice = match code {
                    Some(code) if TOO_MANY.contains(code) => {
                        "; too many requests (R2 takes one write a second to one object); try again later"
                    }
                    Some(10_006) => "; the bucket that is bound to this Worker is gone",
                    _ => "",
                };
                format!("R2: {text}{advice}")
            }
        }
    }
}

impl Store for R2Store {
    fn is_shared(&self) -> bool {
        true
    }

    async fn get_counting(
        &self,
        key: &str,
        attempts: &dyn Attempts,
    ) -> Result<Option<StoredObject>, StoreError> {
        patient::get(&self.bucket, key, attempts).await
    }

    async fn put_counting(
        &self,
        key: &str,
        bytes: Bytes,
        condition: Condition,
        attempts: &dyn Attempts,
    ) -> Result<PutOutcome, StoreError> {
        patient::put(&self.bucket, key, &bytes, &condition, attempts).await
    }

    async fn versions_counting(
        &self,
        prefix: &str,
        attempts: &dyn Attempts,
    ) -> Result<Vec<Listed>, StoreError> {
        patient::versions(&self.bucket, prefix, attempts).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_failure_says_of_a_write() {
        use Fate::{Lost, NotDone, Open, Refused};
        for (failure, fate, may_pass, was_heard) in [
            (Failure::Unmet, Lost, false, false),
            (
                said("put: Reduce your rate of simultaneous requests on the same object. (10058)"),
                NotDone,
                true,
                true,
            ),
            (
                said("put: We encountered an internal error. Please try again. (10001)"),
                Open,
                true,
                true,
            ),
            (
                said("put: Please look at the status page. (10043)"),
                Open,
                true,
                true,
            ),
            (
                said("get: The specified bucket does not exist. (10006)"),
                Refused,
                false,
                true,
            ),
            (
                said(
                    "put: Your metadata headers exceed the maximum allowed metadata size. (10012)",
                ),
                Refused,
                false,
                true,
            ),
            (said("Network connection lost."), Open, true, false),
            (said("internal error (0)"), Open, true, false),
            (said("it broke (see above)"), Open, true, false),
            (Failure::TooLarge, Open, false, false),
            (Failure::Forbidden, Refused, false, false),
            (Failure::strange("it is cut off"), Open, false, false),
        ] {
            let found = (
                failure.fate(&Condition::Absent),
                failure.may_pass(),
                failure.failed().was_heard,
            );
            assert_eq!(found, (fate, may_pass, was_heard), "{failure:?}");
        }
    }

    fn said(text: &str) -> Failure {
        Failure::of(&worker::Error::RustError(text.to_owned()))
    }
}
