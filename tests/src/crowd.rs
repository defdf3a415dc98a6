//! Ports that count: requests under way to providers and the store together, and all that were made.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use bytes::Bytes;
use http::Response;
use kedge_adapters::{BeforeStore, HookedStore, StoreOperation};
use kedge_core::model::{SecretText, Timestamp};
use kedge_engine::ports::{
    Clock, HttpError, HttpRead, HttpWrite, Random, ReadRequest, Secrets, SignError, Signer,
    StoreError, WriteRequest,
};

use crate::ports::SimPorts;
use crate::under_way::{OnTheWay, UnderWay};

/// Requests to providers and store together.
#[derive(Debug, Clone, Default)]
pub struct Requests {
    /// Those under way.
    pub under_way: Rc<UnderWay>,
    /// How many were made.
    pub made: Rc<Cell<u64>>,
}

impl Requests {
    fn one_more(&self, write: bool) -> OnTheWay<'_> {
        self.made.set(self.made.get() + 1);
        self.under_way.one_more(write)
    }
}

impl BeforeStore for Requests {
    type Kept<'a> = OnTheWay<'a>;

    async fn before(&self, _: StoreOperation<'_>) -> Result<OnTheWay<'_>, StoreError> {
        Ok(self.one_more(false))
    }
}

/// The ports of a runner, and what went through them.
#[derive(Debug)]
pub struct Crowd {
    inner: SimPorts,
    /// The store.
    pub store: HookedStore<SimPorts, Requests>,
    /// What went to providers and store.
    pub requests: Requests,
    /// When each write to a provider was sent.
    pub writes_at: RefCell<Vec<i64>>,
    /// Signatures made.
    pub signed: Cell<usize>,
}

impl Crowd {
    /// Counts what goes through these.
    #[must_use]
    pub fn over(inner: &SimPorts) -> Self {
        let requests = Requests::default();
        Self {
            inner: inner.clone(),
            store: HookedStore {
                inner: inner.clone(),
                hook: requests.clone(),
            },
            requests,
            writes_at: RefCell::default(),
            signed: Cell::default(),
        }
    }
}

impl HttpRead for Crowd {
    async fn send_read(&self, request: &ReadRequest) -> Result<Response<Bytes>, HttpError> {
        let _under_way = self.requests.one_more(false);
        self.inner.send_read(request).await
    }
}

impl HttpWrite for Crowd {
    async fn send_write(&self, request: &WriteRequest) -> Result<Response<Bytes>, HttpError> {
        let _under_way = self.requests.one_more(true);
        self.writes_at
            .borrow_mut()
            .push(self.inner.executor.now_ms());
        self.inner.send_write(request).await
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
