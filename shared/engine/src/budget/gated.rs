//! A store whose requests pass the budget, each attempt of them: a store asks again before it repeats one
//! ([`Attempts`]).

use std::cell::Cell;

use bytes::Bytes;
use kedge_core::ran_out::RanOut;
use tracing::trace;

use super::Budget;
use crate::gate::{Permit, Urgency};
use crate::keys::{self, Keys};
use crate::ports::{Attempts, Condition, Listed, PutOutcome, Store, StoreError, StoredObject};
use crate::traces::TARGET;

/// A store whose requests pass the gate and are counted.
#[derive(Debug)]
pub(crate) struct Gated<'a, S> {
    pub(super) budget: &'a Budget,
    pub(super) store: &'a S,
    /// The keys of the stack, and what all of them begin with.
    pub(super) own: Option<(Keys, String)>,
}

impl<S> Gated<'_, S> {
    /// Waits for a permit, and counts the first request.
    async fn enter(&self, key: &str) -> Result<Entered<'_>, RanOut> {
        let own = self.own.as_ref();
        // A renewal counts only once the holds are read.
        let is_of_lease = own.is_some_and(|(keys, _)| key == keys.lease || key == keys.hold);
        let urgency = match is_of_lease {
            true => Urgency::Lease,
            false => Urgency::Ordinary,
        };
        let entered = Entered {
            _permit: self.budget.inner.gate.enter(urgency).await,
            budget: self.budget,
            requests: Cell::default(),
            is_own: own.is_some_and(|(keys, all)| {
                key.starts_with(all.as_str()) && !key.starts_with(&keys.revisions)
            }),
        };
        entered.another()?;
        Ok(entered)
    }

    async fn enter_to_read(&self, key: &str) -> Result<Entered<'_>, StoreError> {
        self.enter(key).await.map_err(|ran_out| StoreError::Read {
            key: key.to_owned(),
            reason: ran_out.to_string(),
        })
    }
}

/// An operation of the store that passed the gate.
struct Entered<'a> {
    _permit: Permit<'a>,
    budget: &'a Budget,
    requests: Cell<u64>,
    is_own: bool,
}

impl Entered<'_> {
    /// Tells how it ended, by the kind of the object: keys have names in them.
    fn tell<T>(
        &self,
        operation: &'static str,
        key: &str,
        ended: &Result<T, StoreError>,
        word: impl FnOnce(&T) -> &'static str,
    ) {
        let outcome = ended.as_ref().map_or("failed", word);
        let (object, requests) = (keys::kind(key), self.requests.get());
        trace!(target: TARGET, %operation, %object, requests, %outcome, "store");
    }
}

impl Attempts for Entered<'_> {
    fn another(&self) -> Result<(), RanOut> {
        self.budget.draw_for_store(self.is_own)?;
        self.requests.set(self.requests.get() + 1);
        Ok(())
    }
}

impl<S: Store> Store for Gated<'_, S> {
    fn is_shared(&self) -> bool {
        self.store.is_shared()
    }

    async fn get_counting(
        &self,
        key: &str,
        _attempts: &dyn Attempts,
    ) -> Result<Option<StoredObject>, StoreError> {
        let entered = self.enter_to_read(key).await?;
        let read = self.store.get_counting(key, &entered).await;
        entered.tell("get", key, &read, |found| match found {
            Some(_) => "found",
            None => "none",
        });
        read
    }

    async fn put_counting(
        &self,
        key: &str,
        bytes: Bytes,
        condition: Condition,
        _attempts: &dyn Attempts,
    ) -> Result<PutOutcome, StoreError> {
        let entered = self.enter(key).await;
        let entered = entered.map_err(|ran_out| StoreError::Write {
            key: key.to_owned(),
            reason: ran_out.to_string(),
        })?;
        let put = self
            .store
            .put_counting(key, bytes, condition, &entered)
            .await;
        entered.tell("put", key, &put, |outcome| match outcome {
            PutOutcome::Written(_) => "written",
            PutOutcome::Conflict => "conflict",
        });
        put
    }

    async fn list_counting(
        &self,
        prefix: &str,
        _attempts: &dyn Attempts,
    ) -> Result<Vec<String>, StoreError> {
        let entered = self.enter_to_read(prefix).await?;
        let listed = self.store.list_counting(prefix, &entered).await;
        entered.tell("list", prefix, &listed, |_| "listed");
        listed
    }

    async fn versions_counting(
        &self,
        prefix: &str,
        _attempts: &dyn Attempts,
    ) -> Result<Vec<Listed>, StoreError> {
        let entered = self.enter_to_read(prefix).await?;
        let listed = self.store.versions_counting(prefix, &entered).await;
        entered.tell("list", prefix, &listed, |_| "listed");
        listed
    }
}
