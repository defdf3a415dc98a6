//! Ports that count: requests under way to providers and the store together, and all that were made.

use std::cell::{Cell, RefCell};

use bytes::Bytes;
use http::Response;
use kedge_core::model::{SecretText, Timestamp};
use kedge_engine::ports::{
    Attempts, Clock, Condition, HttpError, HttpRead, HttpWrite, Listed, PutOutcome, Random,
    ReadRequest, Secrets, SignError, Signer, Store, StoreError, StoredObject, WriteRequest,
};

use crate::ports::SimPorts;
use crate::under_way::{OnTheWay, UnderWay};

/// The ports of a runner, and what went through them.
#[derive(Debug)]
pub struct Crowd {
    inner: SimPorts,
    /// Requests under way.
    pub under_way: UnderWay,
    /// Requests made, to providers and store.
    pub made: Cell<u64>,
    /// When each write to a provider was sent.
    pub writes_at: RefCell<Vec<i64>>,
    /// Signatures made.
    pub signed: Cell<usize>,
}

impl Crowd {
    /// Counts what goes through these.
    #[must_use]
    pub fn over(inner: &SimPorts) -> Self {
        Self {
            inner: inner.clone(),
            under_way: UnderWay::default(),
            made: Cell::default(),
            writes_at: RefCell::default(),
            signed: Cell::default(),
        }
    }

    fn one_more(&self, write: bool) -> OnTheWay<'_> {
        self.made.set(self.made.get() + 1);
        self.under_way.one_more(write)
    }
}

impl HttpRead for Crowd {
    async fn send_read(&self, request: &ReadRequest) -> Result<Response<Bytes>, HttpError> {
        let _under_way = self.one_more(false);
        self.inner.send_read(request).await
    }
}

impl HttpWrite for Crowd {
    async fn send_write(&self, request: &WriteRequest) -> Result<Response<Bytes>, HttpError> {
        let _under_way = self.one_more(true);
        self.writes_at
            .borrow_mut()
            .push(self.inner.executor.now_ms());
        self.inner.send_write(request).await
    }
}

impl Store for Crowd {
    fn is_shared(&self) -> bool {
        self.inner.is_shared()
    }

    async fn get_counting(
        &self,
        key: &str,
        attempts: &dyn Attempts,
    ) -> Result<Option<StoredObject>, StoreError> {
        let _under_way = self.one_more(false);
        self.inner.get_counting(key, attempts).await
    }

    async fn put_counting(
        &self,
        key: &str,
        bytes: Bytes,
        condition: Condition,
        attempts: &dyn Attempts,
    ) -> Result<PutOutcome, StoreError> {
        let _under_way = self.one_more(false);
        self.inner
            .put_counting(key, bytes, condition, attempts)
            .await
    }

    async fn list_counting(
        &self,
        prefix: &str,
        attempts: &dyn Attempts,
    ) -> Result<Vec<String>, StoreError> {
        let _under_way = self.one_more(false);
        self.inner.list_counting(prefix, attempts).await
    }

    async fn versions_counting(
        &self,
        prefix: &str,
        attempts: &dyn Attempts,
    ) -> Result<Vec<Listed>, StoreError> {
        let _under_way = self.one_more(false);
        self.inner.versions_counting(prefix, attempts).await
    }
}

impl Clock for Crowd {
    fn now(&self) -> Timestamp {
        self.inner.now()
    }

    fn monotonic_ms(&self) -> i64 {
        self.inner.monotonic_ms()
    }

    async fn sleep_ms(&self, ms: u64) {
        self.inner.sleep_ms(ms).await;
    }
}

impl Random for Crowd {
    fn next_u64(&self) -> u64 {
        self.inner.next_u64()
    }
}

impl Signer for Crowd {
    async fn sign_rs256(&self, key: &SecretText, message: &[u8]) -> Result<Vec<u8>, SignError> {
        self.signed.set(self.signed.get() + 1);
        // Long enough for a call beside this one to want a token too.
        self.inner.sleep_ms(1).await;
        self.inner.sign_rs256(key, message).await
    }
}

impl Secrets for Crowd {
    fn secret(&self, name: &str) -> Option<SecretText> {
        self.inner.secret(name)
    }
}
