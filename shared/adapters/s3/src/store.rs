//! The store port over a bucket.

use std::cell::Cell;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::Object;
use bytes::Bytes;
use kedge_adapters::{Failed, Operations, Tries, key_problem, may_read, may_write};
use kedge_core::model::{BucketAddress, Timestamp};
use kedge_core::ran_out::RanOut;
use kedge_core::stored::OBJECT_BYTES_MAX;
use kedge_engine::ports::{
    Attempts, Condition, ETag, Listed, PutOutcome, Random as _, Store, StoreError, StoredObject,
    Version,
};
use kedge_native::{NativeHttp, SystemRandom};

use crate::client::{AnswerDate, client, timestamp};
use crate::failure::{Doing, Failure, Fate};
use crate::settings::S3Settings;

/// How a bucket is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Options {
    /// The longest pause before the first repetition, in milliseconds; it doubles.
    pub pause_ms: u64,
}

impl Default for S3Options {
    fn default() -> Self {
        Self { pause_ms: 500 }
    }
}

/// Objects in a bucket, under one prefix.
#[derive(Debug)]
pub struct S3Store {
    client: Client,
    address: BucketAddress,
    settings: S3Settings,
    random: SystemRandom,
    pause_ms: u64,
    operations: Cell<Operations>,
}

/// Why an operation ended without an answer that counts.
struct GaveUp {
    failure: Failure,
    /// Set if it was not repeated for want of requests.
    ran_out: Option<RanOut>,
}

impl From<Failure> for GaveUp {
    fn from(failure: Failure) -> Self {
        let ran_out = None;
        Self { failure, ran_out }
    }
}

/// What a look at the object finds after a write whose fate is open.
enum Seen {
    /// The bytes that were to be written: they are there.
    Own(Version),
    /// What the write's condition allows: it was not made.
    Unchanged,
    /// Something else: another writer was there.
    Other,
}

impl S3Store {
    /// A store that is asked with these settings, by the client of this process. Nothing is sent yet, so
    /// that a bucket that is not there shows with the first request.
    #[must_use]
    pub fn new(
        address: BucketAddress,
        settings: S3Settings,
        http: &NativeHttp,
        options: S3Options,
    ) -> Self {
        let http = http.with_answers_up_to(OBJECT_BYTES_MAX);
        Self {
            client: client(&settings, http),
            address,
            settings,
            random: SystemRandom::new(),
            pause_ms: options.pause_ms,
            operations: Cell::default(),
        }
    }

    /// How many requests were sent so far, repetitions and looks after a lost answer included.
    #[must_use]
    pub fn operations(&self) -> Operations {
        self.operations.get()
    }

    async fn get_once(&self, key: &str) -> Result<Option<StoredObject>, Failure> {
        Operations::count(&self.operations, |operations| operations.gets += 1);
        let date = AnswerDate::default();
        let sent = self
            .client
            .get_object()
            .bucket(self.address.name())
            .key(self.address.full_key(key))
            .customize()
            .interceptor(date.clone())
            .send()
            .await;
        let output = match sent.map_err(|error| Failure::of(&error)) {
            Ok(output) => output,
            Err(failure) if failure.is_absence() => return Ok(None),
            Err(failure) => return Err(failure),
        };
        let written_at = output.last_modified.as_ref().and_then(timestamp);
        let (Some(etag), Some(written_at)) = (output.e_tag, written_at) else {
            return Err(Failure::Strange("it has no ETag or no Last-Modified"));
        };
        let body = output.body.collect().await;
        let body = body.map_err(|error| Failure::Unheard(error.to_string()))?;
        Ok(Some(StoredObject {
            bytes: body.into_bytes(),
            etag: ETag(etag),
            written_at,
            read_at: date.get(),
        }))
    }

    async fn put_once(
        &self,
        key: &str,
        bytes: &Bytes,
        condition: &Condition,
    ) -> Result<Version, Failure> {
        Operations::count(&self.operations, |operations| operations.puts += 1);
        let date = AnswerDate::default();
        let request = self
            .client
            .put_object()
            .bucket(self.address.name())
            .key(self.address.full_key(key))
            .content_type("application/json")
            .body(ByteStream::from(bytes.clone()));
        let request = match condition {
            Condition::Absent => request.if_none_match("*"),
            Condition::Is(etag) => request.if_match(&etag.0),
            Condition::None => request,
        };
        let sent = request.customize().interceptor(date.clone()).send().await;
        let output = sent.map_err(|error| Failure::of(&error))?;
        match (output.e_tag, date.get()) {
            (Some(etag), Some(written_at)) => Ok(Version {
                etag: ETag(etag),
                written_at,
            }),
            _ => Err(Failure::Strange("it has no ETag or no Date")),
        }
    }

    /// One page of keys, as they are in the bucket, and where the next one begins.
    async fn list_once(
        &self,
        prefix: &str,
        from: Option<&str>,
    ) -> Result<(Vec<Listed>, Option<String>), Failure> {
        Operations::count(&self.operations, |operations| operations.lists += 1);
        let sent = self
            .client
            .list_objects_v2()
            .bucket(self.address.name())
            .prefix(self.address.full_key(prefix))
            .set_continuation_token(from.map(str::to_owned))
            .send()
            .await;
        let output = sent.map_err(|error| Failure::of(&error))?;
        let next = match (output.is_truncated, output.next_continuation_token) {
            (Some(true), None) => return Err(Failure::Strange("it is cut off")),
            (Some(true), next) => next,
            (Some(false), _) => None,
            // Every list of S3 says whether it is whole.
            (None, _) => return Err(Failure::Strange("it is no list")),
        };
        let objects = output.contents.unwrap_or_default();
        let version = |object: Object| {
            // A list may say parts of a second that the answer to a GET does not. The two must agree.
            let whole_seconds = |at: Timestamp| Timestamp(at.0 - at.0.rem_euclid(1_000));
            let written_at = object.last_modified.as_ref().and_then(timestamp);
            let written_at = written_at.map(whole_seconds);
            match (object.key, object.e_tag, written_at) {
                (Some(key), Some(etag), Some(written_at)) => Ok(Listed {
                    key,
                    etag: ETag(etag),
                    written_at,
                }),
                _ => Err(Failure::Strange(
                    "an object in it has no ETag or no LastModified",
                )),
            }
        };
        let versions = objects.into_iter().map(version);
        Ok((versions.collect::<Result<_, _>>()?, next))
    }

    /// Reads, and reads again where that may help.
    async fn reading<T>(
        &self,
        attempts: &dyn Attempts,
        mut once: impl AsyncFnMut() -> Result<T, Failure>,
    ) -> Result<T, GaveUp> {
        let mut tries = Tries::default();
        loop {
            let failure = match once().await {
                Ok(read) => return Ok(read),
                Err(failure) => failure,
            };
            match failure.may_pass() {
                true => self.pause(&mut tries, failure, attempts).await?,
                false => return Err(failure.into()),
            }
        }
    }

    /// Waits before the next try, if there is to be one.
    async fn pause(
        &self,
        tries: &mut Tries,
        failure: Failure,
        attempts: &dyn Attempts,
    ) -> Result<(), GaveUp> {
        let failed = Failed {
            was_heard: !matches!(failure, Failure::Unheard(_)),
            retry_after_ms: failure.retry_after_ms(),
        };
        let pause_ms = tries.pause_ms(&failed, self.pause_ms, self.random.next_u64());
        let Some(ms) = pause_ms else {
            return Err(failure.into());
        };
        if let Err(ran_out) = attempts.another() {
            let ran_out = Some(ran_out);
            return Err(GaveUp { failure, ran_out });
        }
        tokio::time::sleep(Duration::from_millis(ms)).await;
        Ok(())
    }

    /// Looks at an object whose write has an open fate. A write that is not seen may still arrive;
    /// then the next try finds its condition broken, and looks again.
    async fn look(
        &self,
        key: &str,
        bytes: &Bytes,
        condition: &Condition,
        attempts: &dyn Attempts,
    ) -> Result<Seen, Option<RanOut>> {
        attempts.another().map_err(Some)?;
        let standing = self.reading(attempts, async || self.get_once(key).await);
        let standing = standing.await.map_err(|gave_up| gave_up.ran_out)?;
        Ok(match (standing, condition) {
            (Some(object), _) if object.bytes == *bytes => Seen::Own(Version {
                etag: object.etag,
                written_at: object.written_at,
            }),
            (_, Condition::None) | (None, Condition::Absent) => Seen::Unchanged,
            (Some(object), Condition::Is(etag)) if object.etag == *etag => Seen::Unchanged,
            _ => Seen::Other,
        })
    }

    fn read_error(&self, what: &str, reason: String) -> StoreError {
        StoreError::Read {
            key: what.to_owned(),
            reason,
        }
    }

    fn told(&self, gave_up: &GaveUp, doing: Doing) -> String {
        let told = gave_up.failure.told(doing, &self.address, &self.settings);
        match gave_up.ran_out {
            None => told,
            Some(ran_out) => format!("{told}; not tried again: {ran_out}"),
        }
    }
}

impl Store for S3Store {
    fn is_shared(&self) -> bool {
        true
    }

    async fn get_counting(
        &self,
        key: &str,
        attempts: &dyn Attempts,
    ) -> Result<Option<StoredObject>, StoreError> {
        may_read(key)?;
        let read = self.reading(attempts, async || self.get_once(key).await);
        let read = read.await;
        read.map_err(|gave_up| match gave_up.failure {
            Failure::TooLarge(_) => StoreError::TooLarge {
                key: key.to_owned(),
            },
            _ => self.read_error(key, self.told(&gave_up, Doing::Reading)),
        })
    }

    async fn put_counting(
        &self,
        key: &str,
        bytes: Bytes,
        condition: Condition,
        attempts: &dyn Attempts,
    ) -> Result<PutOutcome, StoreError> {
        may_write(key)?;
        let failed = |reason: String| StoreError::Write {
            key: key.to_owned(),
            reason,
        };
        let told = |gave_up: GaveUp| failed(self.told(&gave_up, Doing::Writing));
        let mut tries = Tries::default();
        // Whether an earlier try may have been carried out, so that a broken condition may be its
        // doing.
        let mut is_open = false;
        loop {
            let failure = match self.put_once(key, &bytes, &condition).await {
                Ok(version) => return Ok(PutOutcome::Written(version)),
                Err(failure) => failure,
            };
            match failure.fate(&condition) {
                Fate::Lost if !is_open => return Ok(PutOutcome::Conflict),
                Fate::Refused => return Err(told(failure.into())),
                Fate::NotDone => {}
                Fate::Lost | Fate::Open => {
                    is_open = true;
                    match self.look(key, &bytes, &condition, attempts).await {
                        Ok(Seen::Own(version)) => return Ok(PutOutcome::Written(version)),
                        Ok(Seen::Other) => return Ok(PutOutcome::Conflict),
                        Ok(Seen::Unchanged) => {}
                        Err(ran_out) => return Err(told(GaveUp { failure, ran_out })),
                    }
                }
            }
            let paused = self.pause(&mut tries, failure, attempts).await;
            paused.map_err(told)?;
        }
    }

    async fn versions_counting(
        &self,
        prefix: &str,
        attempts: &dyn Attempts,
    ) -> Result<Vec<Listed>, StoreError> {
        let what = format!("the keys of `{prefix}`");
        let failed = |gave_up: GaveUp| self.read_error(&what, self.told(&gave_up, Doing::Reading));
        let mut versions = Vec::new();
        let mut from = None;
        loop {
            let page = self.reading(attempts, async || {
                self.list_once(prefix, from.as_deref()).await
            });
            let (found, next) = page.await.map_err(failed)?;
            // Others' objects may have names that are no keys of ours.
            let own = found.into_iter().filter_map(|listed| {
                let key = self.address.own_key(&listed.key)?;
                let key = key_problem(key).is_none().then(|| key.to_owned())?;
                Some(Listed { key, ..listed })
            });
            versions.extend(own);
            if next.is_none() {
                versions.sort_unstable_by(|one, other| one.key.cmp(&other.key));
                return Ok(versions);
            }
            if next == from {
                let failure = Failure::Strange("its pages lead round in a circle");
                return Err(failed(failure.into()));
            }
            let another = attempts.another();
            another.map_err(|ran_out| self.read_error(&what, ran_out.to_string()))?;
            from = next;
        }
    }
}
