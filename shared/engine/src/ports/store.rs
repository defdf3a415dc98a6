//! The store: objects by key, with conditional writes. It has no locks and no transactions.
//!
//! Which objects there are is in `keys.rs`, their JSON in `kedge_core::stored`.

use bytes::Bytes;
use kedge_core::model::{Size, Timestamp};
use kedge_core::ran_out::RanOut;
use kedge_core::stored::OBJECT_BYTES_MAX;
use thiserror::Error;

/// What tells one version of an object from another. Opaque.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ETag(pub String);

/// An object as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredObject {
    /// Its bytes.
    pub bytes: Bytes,
    /// Its version.
    pub etag: ETag,
    /// When it was written, by the store's clock.
    pub written_at: Timestamp,
    /// When it was read, by the store's clock. None where a store does not say the time with an
    /// answer (R2's binding in a Worker); a write always tells it.
    pub read_at: Option<Timestamp>,
}

/// A version that a write made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Its mark.
    pub etag: ETag,
    /// When it was written, by the store's clock. S3 says it in whole seconds, cut off.
    pub written_at: Timestamp,
}

/// An object as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its key.
    pub key: String,
    /// Its version.
    pub etag: ETag,
    /// When it was written, by the store's clock.
    pub written_at: Timestamp,
}

/// On what condition a write happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// No object has this key (`If-None-Match: *`).
    Absent,
    /// The object is still this version (`If-Match`).
    Is(ETag),
    /// Always.
    None,
}

/// What became of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PutOutcome {
    /// It was written and has this version now.
    Written(Version),
    /// The condition did not hold; nothing was written.
    Conflict,
}

/// The store could not do it.
///
/// What is larger than [`OBJECT_BYTES_MAX`] is none of ours. It is not taken in, however often it is asked
/// for, so that whoever may write to the store can't fill the memory.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StoreError {
    /// Reading failed.
    #[error("could not read {key} from the store: {reason}")]
    Read {
        /// Which object.
        key: String,
        /// Why.
        reason: String,
    },
    /// The object is too large to be read.
    #[error("{key} in the store is larger than {}", Size(OBJECT_BYTES_MAX))]
    TooLarge {
        /// Which object.
        key: String,
    },
    /// Writing failed; it may have been written.
    #[error("could not write {key} to the store: {reason}")]
    Write {
        /// Which object.
        key: String,
        /// Why.
        reason: String,
    },
}

/// What an operation asks before each request beyond its first one: a repetition, a second look after a
/// lost answer, the next page of a list. So a budget counts each of them.
pub trait Attempts {
    /// Counts one more.
    ///
    /// # Errors
    /// When it may not be sent.
    fn another(&self) -> Result<(), RanOut>;
}

/// As many requests as it takes.
#[derive(Debug, Clone, Copy)]
pub struct Unlimited;

impl Attempts for Unlimited {
    fn another(&self) -> Result<(), RanOut> {
        Ok(())
    }
}

/// Objects by key.
///
/// An adapter writes the methods that count, and asks [`Attempts`] before each request beyond the first
/// of an operation. The others are for callers.
#[expect(
    async_fn_in_trait,
    reason = "static dispatch; callers need no Send bound"
)]
pub trait Store {
    /// Whether others use it too. Then only what was pushed counts as declared, and local files change
    /// nothing (semantics 4.5).
    fn is_shared(&self) -> bool;

    /// As [`Store::get`].
    ///
    /// # Errors
    /// As [`Store::get`], and when no request is left.
    async fn get_counting(
        &self,
        key: &str,
        attempts: &dyn Attempts,
    ) -> Result<Option<StoredObject>, StoreError>;

    /// As [`Store::put`].
    ///
    /// # Errors
    /// As [`Store::put`], and when no request is left.
    async fn put_counting(
        &self,
        key: &str,
        bytes: Bytes,
        condition: Condition,
        attempts: &dyn Attempts,
    ) -> Result<PutOutcome, StoreError>;

    /// As [`Store::list`].
    ///
    /// # Errors
    /// As [`Store::list`], and when no request is left.
    async fn list_counting(
        &self,
        prefix: &str,
        attempts: &dyn Attempts,
    ) -> Result<Vec<String>, StoreError> {
        // Boxed: the compiler gives up on futures that are nested deeper than it counts.
        let versions = Box::pin(self.versions_counting(prefix, attempts)).await?;
        Ok(versions.into_iter().map(|listed| listed.key).collect())
    }

    /// As [`Store::versions`].
    ///
    /// # Errors
    /// As [`Store::versions`], and when no request is left.
    async fn versions_counting(
        &self,
        prefix: &str,
        attempts: &dyn Attempts,
    ) -> Result<Vec<Listed>, StoreError>;

    /// Reads an object; none if the key has none.
    ///
    /// # Errors
    /// When the store can't say.
    async fn get(&self, key: &str) -> Result<Option<StoredObject>, StoreError> {
        self.get_counting(key, &Unlimited).await
    }

    /// Writes an object if the condition holds, atomically.
    ///
    /// # Errors
    /// When the store can't say; the object may or may not have been written. A lost answer is no
    /// error where a second look shows that the bytes arrived; bytes that another writer could write
    /// too need a nonce.
    async fn put(
        &self,
        key: &str,
        bytes: Bytes,
        condition: Condition,
    ) -> Result<PutOutcome, StoreError> {
        self.put_counting(key, bytes, condition, &Unlimited).await
    }

    /// Keys that begin with `prefix`, in order.
    ///
    /// # Errors
    /// When the store can't say.
    async fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        self.list_counting(prefix, &Unlimited).await
    }

    /// The same, each with its version and time as [`Store::get`] tells them. A folder has to read every
    /// object for that.
    ///
    /// # Errors
    /// When the store can't say.
    async fn versions(&self, prefix: &str) -> Result<Vec<Listed>, StoreError> {
        self.versions_counting(prefix, &Unlimited).await
    }
}
