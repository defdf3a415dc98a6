//! A bucket that is asked again where that may help, and looked at where the fate of a write is open.
//!
//! An adapter says how one request is sent and what its failure means ([`Bucket`]); when to ask again, and what
//! became of a write without an answer, is the same for all of them.

use bytes::Bytes;
use kedge_core::ran_out::RanOut;
use kedge_engine::ports::{
    Attempts, Condition, Listed, PutOutcome, StoreError, StoredObject, Version,
};

use crate::keys::{may_read, may_write};
use crate::tries::{Failed, Tries};

/// What a failure says of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The condition did not hold.
    Lost,
    /// Not written, and it may be tried again.
    NotDone,
    /// Written or not; a look at the object tells.
    Open,
    /// Not written, and trying again does not help.
    Refused,
}

/// What was being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// Reading an object, or a list.
    Reading,
    /// Writing an object.
    Writing,
}

/// Why one request was no success.
pub trait BucketFailure {
    /// A success that can't be used, for this reason.
    fn strange(what: &'static str) -> Self;
    /// What it says of a write under this condition.
    fn fate(&self, condition: &Condition) -> Fate;
    /// Whether a read may succeed if it is tried again.
    fn may_pass(&self) -> bool;
    /// Whether the object is larger than anything of ours.
    fn is_too_large(&self) -> bool;
    /// What counts of it for the next try.
    fn failed(&self) -> Failed;
}

/// Objects in a bucket, one request at a time.
#[expect(
    async_fn_in_trait,
    reason = "static dispatch; callers need no Send bound"
)]
pub trait Bucket {
    /// Why a request was no success.
    type Failure: BucketFailure;

    /// Reads an object; none if the key has none.
    async fn get_once(&self, key: &str) -> Result<Option<StoredObject>, Self::Failure>;

    /// Writes an object if the condition holds.
    async fn put_once(
        &self,
        key: &str,
        bytes: &Bytes,
        condition: &Condition,
    ) -> Result<Version, Self::Failure>;

    /// One page of objects, by their keys of ours, and where the next one begins. What can't be a key is left
    /// out: others' objects may be there.
    async fn list_once(
        &self,
        prefix: &str,
        from: Option<&str>,
    ) -> Result<(Vec<Listed>, Option<String>), Self::Failure>;

    /// The longest pause before the first repetition, in milliseconds; it doubles.
    fn first_pause_ms(&self) -> u64;

    /// Waits so many milliseconds.
    async fn sleep_ms(&self, ms: u64);

    /// An unpredictable number, for jitter.
    fn random(&self) -> u64;

    /// What happened and what to do about it, for a person.
    fn told(&self, failure: &Self::Failure, doing: Doing) -> String;
}

/// Why an operation ended without an answer that counts.
struct GaveUp<F> {
    failure: F,
    /// Set if it was not repeated for want of requests.
    ran_out: Option<RanOut>,
}

impl<F> From<F> for GaveUp<F> {
    fn from(failure: F) -> Self {
        let ran_out = None;
        Self { failure, ran_out }
    }
}

impl<F> GaveUp<F> {
    fn told(&self, bucket: &impl Bucket<Failure = F>, doing: Doing) -> String {
        let told = bucket.told(&self.failure, doing);
        match self.ran_out {
            None => told,
            Some(ran_out) => format!("{told}; not tried again: {ran_out}"),
        }
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

/// Reads an object, as [`kedge_engine::ports::Store::get_counting`] does.
///
/// # Errors
/// When the bucket can't say, or no request is left.
pub async fn get(
    bucket: &impl Bucket,
    key: &str,
    attempts: &dyn Attempts,
) -> Result<Option<StoredObject>, StoreError> {
    may_read(key)?;
    let read = reading(bucket, attempts, async || bucket.get_once(key).await);
    read.await
        .map_err(|gave_up| match gave_up.failure.is_too_large() {
            true => StoreError::TooLarge {
                key: key.to_owned(),
            },
            false => read_error(key, gave_up.told(bucket, Doing::Reading)),
        })
}

/// Writes an object, as [`kedge_engine::ports::Store::put_counting`] does.
///
/// # Errors
/// When the bucket can't say what became of it, or no request is left.
pub async fn put(
    bucket: &impl Bucket,
    key: &str,
    bytes: &Bytes,
    condition: &Condition,
    attempts: &dyn Attempts,
) -> Result<PutOutcome, StoreError> {
    may_write(key)?;
    let told = |gave_up: GaveUp<_>| StoreError::Write {
        key: key.to_owned(),
        reason: gave_up.told(bucket, Doing::Writing),
    };
    let mut tries = Tries::default();
    // Whether an earlier try may have been carried out, so that a broken condition may be its doing.
    let mut is_open = false;
    loop {
        let failure = match bucket.put_once(key, bytes, condition).await {
            Ok(version) => return Ok(PutOutcome::Written(version)),
            Err(failure) => failure,
        };
        match failure.fate(condition) {
            Fate::Lost if !is_open => return Ok(PutOutcome::Conflict),
            Fate::Refused => return Err(told(failure.into())),
            Fate::NotDone => {}
            Fate::Lost | Fate::Open => {
                is_open = true;
                match look(bucket, key, bytes, condition, attempts).await {
                    Ok(Seen::Own(version)) => return Ok(PutOutcome::Written(version)),
                    Ok(Seen::Other) => return Ok(PutOutcome::Conflict),
                    Ok(Seen::Unchanged) => {}
                    Err(ran_out) => return Err(told(GaveUp { failure, ran_out })),
                }
            }
        }
        let paused = pause(bucket, &mut tries, failure, attempts).await;
        paused.map_err(told)?;
    }
}

/// All objects of a prefix in order, as [`kedge_engine::ports::Store::versions_counting`] lists them.
///
/// # Errors
/// When the bucket can't say, or no request is left.
pub async fn versions<B: Bucket>(
    bucket: &B,
    prefix: &str,
    attempts: &dyn Attempts,
) -> Result<Vec<Listed>, StoreError> {
    let what = format!("the keys of `{prefix}`");
    let failed = |gave_up: GaveUp<_>| read_error(&what, gave_up.told(bucket, Doing::Reading));
    let mut versions = Vec::new();
    let mut from = None;
    loop {
        let page = reading(bucket, attempts, async || {
            bucket.list_once(prefix, from.as_deref()).await
        });
        let (found, next) = page.await.map_err(failed)?;
        versions.extend(found);
        if next.is_none() {
            versions.sort_unstable_by(|one, other| one.key.cmp(&other.key));
            return Ok(versions);
        }
        if next == from {
            let failure = B::Failure::strange("its pages lead round in a circle");
            return Err(failed(GaveUp::from(failure)));
        }
        let another = attempts.another();
        another.map_err(|ran_out| read_error(&what, ran_out.to_string()))?;
        from = next;
    }
}

fn read_error(what: &str, reason: String) -> StoreError {
    StoreError::Read {
        key: what.to_owned(),
        reason,
    }
}

/// Reads, and reads again where that may help.
async fn reading<B: Bucket, T>(
    bucket: &B,
    attempts: &dyn Attempts,
    mut once: impl AsyncFnMut() -> Result<T, B::Failure>,
) -> Result<T, GaveUp<B::Failure>> {
    let mut tries = Tries::default();
    loop {
        let failure = match once().await {
            Ok(read) => return Ok(read),
            Err(failure) => failure,
        };
        match failure.may_pass() {
            true => pause(bucket, &mut tries, failure, attempts).await?,
            false => return Err(failure.into()),
        }
    }
}

/// Waits before the next try, if there is to be one.
async fn pause<B: Bucket>(
    bucket: &B,
    tries: &mut Tries,
    failure: B::Failure,
    attempts: &dyn Attempts,
) -> Result<(), GaveUp<B::Failure>> {
    let pause_ms = tries.pause_ms(&failure.failed(), bucket.first_pause_ms(), bucket.random());
    let Some(ms) = pause_ms else {
        return Err(failure.into());
    };
    if let Err(ran_out) = attempts.another() {
        let ran_out = Some(ran_out);
        return Err(GaveUp { failure, ran_out });
    }
    bucket.sleep_ms(ms).await;
    Ok(())
}

/// Looks at an object whose write has an open fate. A write that is not seen may still arrive; then the next
/// try finds its condition broken, and looks again.
async fn look(
    bucket: &impl Bucket,
    key: &str,
    bytes: &Bytes,
    condition: &Condition,
    attempts: &dyn Attempts,
) -> Result<Seen, Option<RanOut>> {
    attempts.another().map_err(Some)?;
    let standing = reading(bucket, attempts, async || bucket.get_once(key).await);
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
