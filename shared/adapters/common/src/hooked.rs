//! A store before which something happens, for tests: it takes its time, fails, or is counted.

use bytes::Bytes;
use kedge_engine::ports::{
    Attempts, Condition, Listed, PutOutcome, Store, StoreError, StoredObject,
};

/// What a store is asked for: the key of an object, or the prefix of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreOperation<'a> {
    /// To read an object.
    Get(&'a str),
    /// To write one.
    Put(&'a str),
    /// To list objects.
    List(&'a str),
}

/// What happens before each operation of a [`HookedStore`].
#[expect(
    async_fn_in_trait,
    reason = "static dispatch; callers need no Send bound"
)]
pub trait BeforeStore {
    /// What is kept until the store has answered.
    type Kept<'a>
    where
        Self: 'a;

    /// Happens before the store is asked.
    ///
    /// # Errors
    /// Where the operation is to fail: the store is not asked then.
    async fn before(&self, operation: StoreOperation<'_>) -> Result<Self::Kept<'_>, StoreError>;
}

/// A store before which something happens.
#[derive(Debug)]
pub struct HookedStore<S, H> {
    /// The store.
    pub inner: S,
    /// What happens.
    pub hook: H,
}

impl<S: Store, H: BeforeStore> Store for HookedStore<S, H> {
    fn is_shared(&self) -> bool {
        self.inner.is_shared()
    }

    async fn get_counting(
        &self,
        key: &str,
        attempts: &dyn Attempts,
    ) -> Result<Option<StoredObject>, StoreError> {
        let _kept = self.hook.before(StoreOperation::Get(key)).await?;
        self.inner.get_counting(key, attempts).await
    }

    async fn put_counting(
        &self,
        key: &str,
        bytes: Bytes,
        condition: Condition,
        attempts: &dyn Attempts,
    ) -> Result<PutOutcome, StoreError> {
        let _kept = self.hook.before(StoreOperation::Put(key)).await?;
        self.inner
            .put_counting(key, bytes, condition, attempts)
            .await
    }

    async fn list_counting(
        &self,
        prefix: &str,
        attempts: &dyn Attempts,
    ) -> Result<Vec<String>, StoreError> {
        let _kept = self.hook.before(StoreOperation::List(prefix)).await?;
        self.inner.list_counting(prefix, attempts).await
    }

    async fn versions_counting(
        &self,
        prefix: &str,
        attempts: &dyn Attempts,
    ) -> Result<Vec<Listed>, StoreError> {
        let _kept = self.hook.before(StoreOperation::List(prefix)).await?;
        self.inner.versions_counting(prefix, attempts).await
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use super::*;
    use crate::InMemoryStore;
    use crate::conformance::store_conformance;

    /// Notes what was asked for and how much of it is under way, and fails where it is told to.
    #[derive(Default)]
    struct Notes {
        asked: RefCell<Vec<String>>,
        under_way: Cell<usize>,
        fails: Cell<bool>,
    }

    struct OnTheWay<'a>(&'a Cell<usize>);

    impl Drop for OnTheWay<'_> {
        fn drop(&mut self) {
            self.0.set(self.0.get() - 1);
        }
    }

    impl BeforeStore for Notes {
        type Kept<'a> = OnTheWay<'a>;

        async fn before(&self, operation: StoreOperation<'_>) -> Result<OnTheWay<'_>, StoreError> {
            self.asked.borrow_mut().push(format!("{operation:?}"));
            if self.fails.get() {
                return Err(StoreError::Read {
                    key: String::new(),
                    reason: "as told".to_owned(),
                });
            }
            self.under_way.set(self.under_way.get() + 1);
            Ok(OnTheWay(&self.under_way))
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn it_is_the_store_and_what_happens_before_it() {
        let store = HookedStore {
            inner: InMemoryStore::new(),
            hook: Notes::default(),
        };
        store_conformance(&store).await;
        store.hook.asked.borrow_mut().clear();
        store.hook.fails.set(true);
        let before = store.inner.operations();
        assert!(store.get("a").await.is_err());
        assert!(store.list("b").await.is_err());
        assert!(store.versions("c").await.is_err());
        let put = store.put("d", Bytes::new(), Condition::None).await;
        assert!(put.is_err());
        let asked = ["Get(\"a\")", "List(\"b\")", "List(\"c\")", "Put(\"d\")"];
        assert_eq!(*store.hook.asked.borrow(), asked);
        assert_eq!(store.inner.operations(), before, "it was not asked");
        assert_eq!(store.hook.under_way.get(), 0, "nothing is kept");
    }
}
