//! The store: objects by key, with conditional writes. It has no locks and no transactions.
//!
//! Which objects there are is in `keys.rs`, their JSON in `kedge_core::stored`.

use bytes::Bytes;
use kedge_core::model::Timestamp;
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
    /// Writing failed; it may have been written.
    #[error("could not write {key} to the store: {reason}")]
    Write {
        /// Which object.
        key: String,
        /// Why.
        reason: String,
    },
}

/// Objects by key.
#[expect(
    async_fn_in_trait,
    reason = "static dispatch; callers need no Send bound"
)]
pub trait Store {
    /// Reads an object; none if the key has none.
    ///
    /// # Errors
    /// When the store can't say.
    async fn get(&self, key: &str) -> Result<Option<StoredObject>, StoreError>;

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
    ) -> Result<PutOutcome, StoreError>;

    /// Keys that begin with `prefix`, in order.
    ///
    /// # Errors
    /// When the store can't say.
    async fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError>;
}
