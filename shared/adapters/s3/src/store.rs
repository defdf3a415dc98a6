//! The store port over a bucket.

use std::cell::Cell;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::Object;
use bytes::Bytes;
use kedge_adapters::patient::{self, Bucket, Doing};
use kedge_adapters::{Operations, key_problem};
use kedge_core::model::{BucketAddress, Timestamp};
use kedge_core::stored::OBJECT_BYTES_MAX;
use kedge_engine::ports::{
    Attempts, Condition, ETag, Listed, PutOutcome, Random as _, Store, StoreError, StoredObject,
    Version,
};
use kedge_native::{NativeHttp, SystemRandom};

use crate::client::{AnswerDate, client, timestamp};
use crate::failure::Failure;
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
    bucket: S3Bucket,
}

/// The same, one request at a time.
#[derive(Debug)]
struct S3Bucket {
    client: Client,
    address: BucketAddress,
    settings: S3Settings,
    random: SystemRandom,
    pause_ms: u64,
    operations: Cell<Operations>,
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
        let bucket = S3Bucket {
            client: client(&settings, http),
            address,
            settings,
            random: SystemRandom::new(),
            pause_ms: options.pause_ms,
            operations: Cell::default(),
        };
        Self { bucket }
    }

    /// How many requests were sent so far, repetitions and looks after a lost answer included.
    #[must_use]
    pub fn operations(&self) -> Operations {
        self.bucket.operations.get()
    }
}

impl Bucket for S3Bucket {
    type Failure = Failure;

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
            let key = object
                .key
                .map(|key| self.address.own_key(&key).map(str::to_owned));
            match (key, object.e_tag, written_at) {
                // Others' objects may have names that are no keys of ours.
                (Some(None), Some(_), Some(_)) => Ok(None),
                (Some(Some(key)), _, _) if key_problem(&key).is_some() => Ok(None),
                (Some(Some(key)), Some(etag), Some(written_at)) => Ok(Some(Listed {
                    key,
                    etag: ETag(etag),
                    written_at,
                })),
                _ => Err(Failure::Strange(
                    "an object in it has no ETag or no LastModified",
                )),
            }
        };
        let versions = objects
            .into_iter()
            .filter_map(|object| version(object).transpose());
        Ok((versions.collect::<Result<_, _>>()?, next))
    }

    fn first_pause_ms(&self) -> u64 {
        self.pause_ms
    }

    async fn sleep_ms(&self, ms: u64) {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }

    fn random(&self) -> u64 {
        self.random.next_u64()
    }

    fn told(&self, failure: &Failure, doing: Doing) -> String {
        failure.told(doing, &self.address, &self.settings)
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
