//! `stacks/index.json`, the registry of stacks: read by pushes, written by pushes and by `retire`.

use bytes::Bytes;
use kedge_core::model::StackName;
use kedge_core::stored::StoredError;
use kedge_core::stored::index::Index;
use thiserror::Error;

use crate::memory::{self, INDEX, MemoryError};
use crate::ports::{Condition, ETag, PutOutcome, Store, StoreError};

/// How often the registry is read again when somebody else wrote it first.
pub(crate) const TRIES_MAX: usize = 10;

/// A retired stack could not be taken out of the registry; `kedge retire` again does it.
#[derive(Debug, Error)]
pub enum RegistryError {
    /// The store failed.
    #[error("the registry could not be read or written")]
    Store(#[from] StoreError),
    /// What it holds can't be used.
    #[error("the registry can't be used")]
    Stored(#[from] StoredError),
    /// State could not be read again.
    #[error("state could not be read")]
    Memory(#[from] Box<MemoryError>),
    /// It could not be turned into JSON.
    #[error("the registry could not be encoded")]
    Encode(#[from] serde_json::Error),
    /// It is written too often to get in between.
    #[error("others keep writing the registry")]
    Busy,
}

/// Reads the registry; an empty one if there is none.
pub(crate) async fn read<S: Store>(store: &S) -> Result<(Index, Option<ETag>), RegistryError> {
    Ok(match store.get(INDEX).await? {
        None => (Index::default(), None),
        Some(object) => (Index::decode(&object.bytes)?, Some(object.etag)),
    })
}

/// Writes the registry if it is still what was read; whether it was.
pub(crate) async fn write<S: Store>(
    store: &S,
    index: &Index,
    etag: Option<ETag>,
) -> Result<bool, RegistryError> {
    let condition = etag.map_or(Condition::Absent, Condition::Is);
    let bytes = Bytes::from(index.encode()?);
    let put = store.put(INDEX, bytes, condition).await?;
    Ok(matches!(put, PutOutcome::Written(_)))
}

/// Marks a stack as retired, once its state says so and nothing of it is left: its names are free
/// then. A stack that was never pushed has no entry, and gets none.
pub(crate) async fn retire<S: Store>(store: &S, stack: &StackName) -> Result<(), RegistryError> {
    let read_state = memory::read_state(store, stack).await.map_err(Box::new)?;
    if !read_state.state.is_some_and(|state| state.is_gone()) {
        return Ok(());
    }
    for _ in 0..TRIES_MAX {
        let (mut index, etag) = read(store).await?;
        match index.stacks.get_mut(stack) {
            None => return Ok(()),
            Some(entry) if entry.retired => return Ok(()),
            Some(entry) => {
                entry.retired = true;
                entry.record_sets.clear();
            }
        }
        if write(store, &index, etag).await? {
            return Ok(());
        }
    }
    Err(RegistryError::Busy)
}
