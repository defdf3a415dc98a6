//! A store whose requests pass the budget, each attempt of them: a store asks again before it repeats one
//! ([`Attempts`]).

use bytes::Bytes;
use kedge_core::ran_out::RanOut;

use super::Budget;
use crate::gate::{Permit, Urgency};
use crate::keys::Keys;
use crate::ports::{Attempts, Condition, ETag, PutOutcome, Store, StoreError, StoredObject};

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
    is_own: bool,
}

impl Attempts for Entered<'_> {
    fn another(&self) -> Result<(), RanOut> {
        self.budget.draw_for_store(self.is_own)
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
        self.store.get_counting(key, &entered).await
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
        self.store
            .put_counting(key, bytes, condition, &entered)
            .await
    }

    async fn list_counting(
        &self,
        prefix: &str,
        _attempts: &dyn Attempts,
    ) -> Result<Vec<String>, StoreError> {
        let entered = self.enter_to_read(prefix).await?;
        self.store.list_counting(prefix, &entered).await
    }

    async fn versions_counting(
        &self,
        prefix: &str,
        _attempts: &dyn Attempts,
    ) -> Result<Vec<(String, ETag)>, StoreError> {
        let entered = self.enter_to_read(prefix).await?;
        self.store.versions_counting(prefix, &entered).await
    }
}
