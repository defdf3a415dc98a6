//! A store in memory: for tests, the simulation and `kedge demo`.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use kedge_core::model::Timestamp;
use kedge_engine::ports::{
    Attempts, Condition, Listed, PutOutcome, Store, StoreError, StoredObject, Version,
};

use crate::keys::{etag_of, holds, may_read, may_write};
use crate::operations::Operations;

/// Objects in memory, with the semantics of the folder.
pub struct InMemoryStore {
    objects: RefCell<BTreeMap<String, StoredObject>>,
    operations: Cell<Operations>,
    time: Box<dyn Fn() -> Timestamp>,
}

impl InMemoryStore {
    /// An empty store in which every write happens in 1970.
    #[must_use]
    pub fn new() -> Self {
        Self::with_time(Timestamp::default)
    }

    /// An empty store that stamps its objects with this time.
    #[must_use]
    pub fn with_time(time: impl Fn() -> Timestamp + 'static) -> Self {
        Self {
            objects: RefCell::default(),
            operations: Cell::default(),
            time: Box::new(time),
        }
    }

    /// How often it was asked so far.
    #[must_use]
    pub fn operations(&self) -> Operations {
        self.operations.get()
    }
}

impl Default for InMemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for InMemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InMemoryStore")
            .field("objects", &self.objects.borrow().len())
            .field("operations", &self.operations.get())
            .finish_non_exhaustive()
    }
}

impl Store for InMemoryStore {
    fn is_shared(&self) -> bool {
        false
    }

    async fn get_counting(
        &self,
        key: &str,
        _attempts: &dyn Attempts,
    ) -> Result<Option<StoredObject>, StoreError> {
        Operations::count(&self.operations, |operations| operations.gets += 1);
        may_read(key)?;
        let object = self.objects.borrow().get(key).cloned();
        Ok(object.map(|object| StoredObject {
            read_at: Some((self.time)()),
            ..object
        }))
    }

    async fn put_counting(
        &self,
        key: &str,
        bytes: Bytes,
        condition: Condition,
        _attempts: &dyn Attempts,
    ) -> Result<PutOutcome, StoreError> {
        Operations::count(&self.operations, |operations| operations.puts += 1);
        may_write(key)?;
        let mut objects = self.objects.borrow_mut();
        let standing = objects.get(key).map(|object| &object.etag);
        if !holds(&condition, standing) {
            return Ok(PutOutcome::Conflict);
        }
        let etag = etag_of(&bytes);
        let written_at = (self.time)();
        let object = StoredObject {
            bytes,
            etag: etag.clone(),
            written_at,
            read_at: None,
        };
        objects.insert(key.to_owned(), object);
        Ok(PutOutcome::Written(Version { etag, written_at }))
    }

    async fn versions_counting(
        &self,
        prefix: &str,
        _attempts: &dyn Attempts,
    ) -> Result<Vec<Listed>, StoreError> {
        Operations::count(&self.operations, |operations| operations.lists += 1);
        let objects = self.objects.borrow();
        Ok(objects
            .range(prefix.to_owned()..)
            .take_while(|(key, _)| key.starts_with(prefix))
            .map(|(key, object)| Listed {
                key: key.clone(),
                etag: object.etag.clone(),
                written_at: object.written_at,
            })
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::{long_lists_are_whole, put, store_conformance};

    #[tokio::test(flavor = "current_thread")]
    async fn it_is_a_store() {
        let store = InMemoryStore::new();
        store_conformance(&store).await;
        long_lists_are_whole(&store).await;
    }

    #[tokio::test(flavor = "current_thread")]
    async fn operations_are_counted_and_times_are_given() {
        let store = InMemoryStore::with_time(|| Timestamp(42));
        put(&store, "a", "1", Condition::Absent).await.unwrap();
        assert_eq!(put(&store, "a", "1", Condition::Absent).await, None);
        let object = store.get("a").await.unwrap().unwrap();
        assert_eq!(object.written_at, Timestamp(42));
        store.list("").await.unwrap();
        let counted = Operations {
            gets: 1,
            puts: 2,
            lists: 1,
        };
        assert_eq!(store.operations(), counted);
    }
}
