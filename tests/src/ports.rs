//! The engine's ports over the executor and the sandbox.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::pending;
use std::rc::Rc;

use bytes::Bytes;
use http::{Request, Response};
use kedge_core::model::{SecretText, Timestamp};
use kedge_engine::Endpoints;
use kedge_engine::ports::{
    ANSWER_BYTES_MAX, Attempts, Clock, Condition, HttpError, HttpRead, HttpWrite, Listed,
    ProviderName, PutOutcome, Random, ReadRequest, Secrets, SignError, Signer, Store, StoreError,
    StoredObject, WriteRequest, is_known_read,
};
use kedge_sandbox::{Outcome, Sandbox};

use crate::executor::Executor;
use crate::store::is_due;
pub use crate::store::{ReadFault, SimStore, WriteFault};
use crate::under_way::UnderWay;

/// The time out of a request, as in the native adapter.
const REQUEST_TIMEOUT_MS: u64 = 15_000;

/// Something asked of a provider or the store, and when.
#[derive(Debug, Clone)]
pub struct Span {
    /// What was asked.
    pub what: String,
    /// When it began, in virtual milliseconds.
    pub began_ms: i64,
    /// When its answer was there.
    pub ended_ms: i64,
}

/// Where a simulated crash happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CrashPoint {
    /// Before the n-th port call (from 1) has any effect.
    Before(u64),
    /// After the n-th port call had its effect and before its answer is seen.
    After(u64),
}

/// One sent HTTP request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// Who was asked.
    pub provider: ProviderName,
    /// Whether the engine sent it as a write.
    pub write: bool,
    /// HTTP method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Body.
    pub body: Bytes,
    /// Status; none if no answer came.
    pub status: Option<u16>,
    /// Body of the answer; empty if none came.
    pub answer: Bytes,
    /// When it was sent, in virtual milliseconds.
    pub at_ms: i64,
}

/// All ports of the engine. Cloning gives another handle to the same world.
#[derive(Clone)]
pub struct SimPorts {
    /// The executor that runs everything.
    pub executor: Rc<Executor>,
    /// The world.
    pub sandbox: Rc<Sandbox>,
    /// Kedge's memory.
    pub store: Rc<SimStore>,
    /// Credentials by name; taken away one by one by tests.
    pub secrets: Rc<RefCell<BTreeMap<String, String>>>,
    /// What was sent.
    pub sent: Rc<RefCell<Vec<Sent>>>,
    /// What was asked of providers and store, each with when it began and ended: for [`round_trips`].
    ///
    /// [`round_trips`]: Self::round_trips
    pub spans: Rc<RefCell<Vec<Span>>>,
    /// How long each answer takes, on top of what the sandbox asks for.
    pub latency_ms: Rc<Cell<u64>>,
    /// A random part on top of that; 0 for none.
    pub jitter_ms: Rc<Cell<u64>>,
    /// Where to crash.
    pub crash_point: Rc<Cell<Option<CrashPoint>>>,
    /// Port calls made so far (HTTP and store).
    pub calls: Rc<Cell<u64>>,
    /// How far this runner's wall clock is ahead of the true time, which is the store's.
    pub wall_ahead_ms: Rc<Cell<i64>>,
    /// How far its monotonic clock is behind: as long as its machine slept.
    pub monotonic_behind_ms: Rc<Cell<i64>>,
    /// Requests to providers that never leave this runner.
    pub not_sent: Rc<RefCell<Vec<NotSent>>>,
    /// How many requests to providers are under way.
    pub under_way: Rc<UnderWay>,
}

/// Requests that never leave: no address, no connection, no TLS. The provider hears nothing of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotSent {
    /// Only those that the engine sends as writes, or only reads; none: both.
    pub write: Option<bool>,
    /// A part of the path and query.
    pub path: String,
    /// How many such requests are sent before.
    pub after: u64,
    /// How many are not sent then.
    pub times: u64,
}

impl std::fmt::Debug for SimPorts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SimPorts")
            .field("calls", &self.calls)
            .finish_non_exhaustive()
    }
}

/// A fresh world at 2026-11-22T12:00:00Z.
#[must_use]
pub fn sim(seed: u64, sandbox: Sandbox) -> SimPorts {
    let secrets = [
        ("AIVEN_TOKEN", "aiven-s3cret-token"),
        ("CLOUDFLARE_API_TOKEN", "cf-s3cret-token"),
    ];
    let secrets = secrets
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    SimPorts {
        executor: Executor::new(seed, 1_795_348_800_000),
        sandbox: Rc::new(sandbox),
        store: Rc::default(),
        secrets: Rc::new(RefCell::new(secrets.collect())),
        sent: Rc::default(),
        spans: Rc::default(),
        latency_ms: Rc::new(Cell::new(1)),
        jitter_ms: Rc::new(Cell::new(0)),
        crash_point: Rc::default(),
        calls: Rc::default(),
        wall_ahead_ms: Rc::default(),
        monotonic_behind_ms: Rc::default(),
        not_sent: Rc::default(),
        under_way: Rc::default(),
    }
}

/// The addresses under which the sandbox answers in process.
#[must_use]
pub fn endpoints() -> Endpoints {
    let mut endpoints = Endpoints::default();
    for provider in ProviderName::ALL {
        let endpoint = &provider.entry().endpoint;
        let base = format!("http://sandbox{}", endpoint.path);
        endpoints.replace(provider, base, endpoint.is_emulator);
    }
    endpoints
}

impl SimPorts {
    /// Requests sent so far to one provider: reads and writes.
    #[must_use]
    pub fn counts(&self, provider: ProviderName) -> (usize, usize) {
        let sent = self.sent.borrow();
        let of = |write| {
            sent.iter()
                .filter(|s| s.provider == provider && s.write == write)
                .count()
        };
        (of(false), of(true))
    }

    /// Writes sent so far, to all providers.
    #[must_use]
    pub fn writes(&self) -> usize {
        self.sent.borrow().iter().filter(|sent| sent.write).count()
    }

    /// The same world, store and time once more, on their own from now on; nothing was sent yet.
    #[must_use]
    pub fn fork(&self) -> Self {
        // Another sequence than any before, so that no nonce of an earlier run comes again.
        self.fork_seeded(self.executor.now_ms().unsigned_abs())
    }

    /// The same with its own seed.
    #[must_use]
    pub fn fork_seeded(&self, seed: u64) -> Self {
        Self {
            executor: Executor::new(seed, self.executor.now_ms()),
            sandbox: Rc::new(self.sandbox.copy()),
            store: Rc::new(self.store.copy()),
            secrets: Rc::new(RefCell::new(self.secrets.borrow().clone())),
            sent: Rc::default(),
            spans: Rc::default(),
            latency_ms: Rc::new(Cell::new(self.latency_ms.get())),
            jitter_ms: Rc::new(Cell::new(self.jitter_ms.get())),
            crash_point: Rc::default(),
            calls: Rc::default(),
            wall_ahead_ms: Rc::default(),
            monotonic_behind_ms: Rc::default(),
            not_sent: Rc::default(),
            under_way: Rc::default(),
        }
    }

    /// Another runner in the same world at the same time, with clocks and a latency of its own, and calls
    /// counted on their own.
    #[must_use]
    pub fn beside(&self) -> Self {
        Self {
            sent: Rc::default(),
            spans: Rc::default(),
            latency_ms: Rc::new(Cell::new(self.latency_ms.get())),
            crash_point: Rc::default(),
            calls: Rc::default(),
            wall_ahead_ms: Rc::default(),
            monotonic_behind_ms: Rc::default(),
            not_sent: Rc::default(),
            under_way: Rc::default(),
            ..self.clone()
        }
    }

    /// The true time, which is the store's.
    #[must_use]
    pub fn true_now(&self) -> Timestamp {
        Timestamp(self.executor.now_ms())
    }

    /// How many round trips deep the calls since the last [`Self::clear_sent`] were: the longest chain in
    /// which each began no earlier than the one before it ended. With what each was.
    #[must_use]
    pub fn round_trips(&self) -> Vec<String> {
        let mut spans = self.spans.borrow().clone();
        spans.sort_by_key(|span| span.ended_ms);
        let mut free_ms = i64::MIN;
        let mut chain = Vec::new();
        for span in spans {
            if span.began_ms >= free_ms {
                free_ms = span.ended_ms;
                chain.push(span.what);
            }
        }
        chain
    }

    fn span(&self, what: String, began_ms: i64) {
        let ended_ms = self.executor.now_ms();
        self.spans.borrow_mut().push(Span {
            what,
            began_ms,
            ended_ms,
        });
    }

    /// Forgets what was sent.
    pub fn clear_sent(&self) {
        self.spans.borrow_mut().clear();
        self.sent.borrow_mut().clear();
        self.calls.set(0);
    }

    /// Does one port call: waits its latency, and crashes where the test wants it.
    pub(crate) async fn call<T>(&self, effect: impl FnOnce() -> T) -> T {
        let number = self.calls.get() + 1;
        self.calls.set(number);
        if self.crash_point.get() == Some(CrashPoint::Before(number)) {
            self.executor.crash();
            pending::<()>().await;
        }
        let value = effect();
        if self.crash_point.get() == Some(CrashPoint::After(number)) {
            self.executor.crash();
            pending::<()>().await;
        }
        value
    }

    /// Whether this request is one that never leaves.
    fn is_not_sent(&self, path: &str, write: bool) -> bool {
        let mut all = self.not_sent.borrow_mut();
        let mut meant = all.iter_mut().filter(|one| one.times > 0);
        let found = meant
            .find(|one| one.write.is_none_or(|wanted| wanted == write) && path.contains(&one.path));
        found.is_some_and(|one| is_due(&mut one.after, &mut one.times))
    }

    async fn send(
        &self,
        provider: ProviderName,
        request: &Request<Bytes>,
        write: bool,
    ) -> Result<Response<Bytes>, HttpError> {
        let jitter = self.jitter_ms.get();
        let jitter = if jitter == 0 {
            0
        } else {
            self.executor.next_u64() % jitter
        };
        let way_ms = self.latency_ms.get() + jitter;
        let at_ms = self.executor.now_ms();
        let path = request.uri().path_and_query();
        let path = path.map_or_else(String::new, ToString::to_string);
        if self.is_not_sent(&path, write) {
            self.executor.sleep(way_ms).await;
            return Err(HttpError::NotSent("connection refused".to_owned()));
        }
        let _on_the_way = self.under_way.one_more(write);
        let what = format!("{} {path}", request.method());
        self.executor.sleep(way_ms / 2).await;
        let reply = self
            .call(|| self.sandbox.handle(request.clone(), self.executor.now_ms()))
            .await;
        let body_ms = match &reply.outcome {
            Outcome::Response(response) => reply.drip_ms * response.body().len() as u64,
            Outcome::Lost => 0,
        };
        let wait_ms = way_ms - way_ms / 2 + reply.delay_ms + body_ms;
        let result = if wait_ms >= REQUEST_TIMEOUT_MS {
            self.executor.sleep(REQUEST_TIMEOUT_MS).await;
            Err(HttpError::Timeout(REQUEST_TIMEOUT_MS))
        } else {
            self.executor.sleep(wait_ms).await;
            match reply.outcome {
                // What is too large is never taken in, and so never made here either.
                Outcome::Response(response) if announced(&response) > Some(ANSWER_BYTES_MAX) => {
                    Err(HttpError::TooLarge(ANSWER_BYTES_MAX))
                }
                Outcome::Response(response) if is_cut(&response) => {
                    Err(HttpError::Broken("the body ended early".to_owned()))
                }
                Outcome::Response(response) => Ok(response),
                Outcome::Lost => Err(HttpError::Broken("connection reset".to_owned())),
            }
        };
        self.span(what, at_ms);
        self.sent.borrow_mut().push(Sent {
            provider,
            write,
            method: request.method().to_string(),
            path,
            body: request.body().clone(),
            status: result
                .as_ref()
                .ok()
                .map(|response| response.status().as_u16()),
            answer: result
                .as_ref()
                .map_or_else(|_| Bytes::new(), |response| response.body().clone()),
            at_ms,
        });
        result
    }
}

/// Whether fewer bytes came than `content-length` says: a real client takes that for a broken
/// connection, not for an answer.
fn is_cut(response: &Response<Bytes>) -> bool {
    announced(response).is_some_and(|length| length != response.body().len())
}

/// The length that an answer says it has.
fn announced(response: &Response<Bytes>) -> Option<usize> {
    let length = response.headers().get(http::header::CONTENT_LENGTH)?;
    length.to_str().ok()?.parse().ok()
}

impl HttpRead for SimPorts {
    async fn send_read(&self, request: &ReadRequest) -> Result<Response<Bytes>, HttpError> {
        let inner = request.request();
        assert!(
            is_known_read(request.provider(), inner.method(), inner.uri().path()),
            "sent as a read, but not in the table of reads: {} {}",
            inner.method(),
            inner.uri()
        );
        self.send(request.provider(), inner, false).await
    }
}

impl HttpWrite for SimPorts {
    async fn send_write(&self, request: &WriteRequest) -> Result<Response<Bytes>, HttpError> {
        self.send(request.provider(), request.request(), true).await
    }
}

impl Clock for SimPorts {
    fn now(&self) -> Timestamp {
        self.true_now().plus_ms(self.wall_ahead_ms.get())
    }

    fn monotonic_ms(&self) -> i64 {
        self.executor.now_ms() - self.monotonic_behind_ms.get()
    }

    async fn sleep_ms(&self, ms: u64) {
        self.executor.sleep(ms).await;
    }
}

impl Random for SimPorts {
    fn next_u64(&self) -> u64 {
        self.executor.next_u64()
    }
}

impl Signer for SimPorts {
    async fn sign_rs256(&self, _key: &SecretText, message: &[u8]) -> Result<Vec<u8>, SignError> {
        // No scenario checks a signature; the native signer has tests of its own.
        Ok(message.iter().rev().take(16).copied().collect())
    }
}

impl Secrets for SimPorts {
    fn secret(&self, name: &str) -> Option<SecretText> {
        self.secrets.borrow().get(name).map(SecretText::new)
    }
}

/// How often a write is tried that is refused as too soon, and the first pause between, which
/// doubles: as the adapter of buckets does.
const PUT_TRIES_MAX: u32 = 5;
const PUT_PAUSE_MS: u64 = 500;

impl Store for SimPorts {
    fn is_shared(&self) -> bool {
        self.store.is_shared.get()
    }

    async fn get_counting(
        &self,
        key: &str,
        _attempts: &dyn Attempts,
    ) -> Result<Option<StoredObject>, StoreError> {
        let began_ms = self.executor.now_ms();
        self.executor.sleep(self.latency_ms.get()).await;
        let read = self.call(|| {
            let object = self.store.get(key)?;
            Ok(object.map(|object| StoredObject {
                read_at: self.store.says_time.get().then(|| self.true_now()),
                ..object
            }))
        });
        let read = read.await;
        self.span(format!("get {key}"), began_ms);
        read
    }

    async fn put_counting(
        &self,
        key: &str,
        bytes: Bytes,
        condition: Condition,
        _attempts: &dyn Attempts,
    ) -> Result<PutOutcome, StoreError> {
        for tried in 0..PUT_TRIES_MAX {
            let began_ms = self.executor.now_ms();
            self.executor.sleep(self.latency_ms.get()).await;
            let put = self.call(|| self.store.put(key, &bytes, &condition, self.true_now()));
            let put = put.await;
            self.span(format!("put {key}"), began_ms);
            if let Some(outcome) = put {
                return outcome;
            }
            self.executor.sleep(PUT_PAUSE_MS << tried).await;
        }
        Err(StoreError::Write {
            key: key.to_owned(),
            reason: "it answered 429; it is asked too often, try again later".to_owned(),
        })
    }

    async fn versions_counting(
        &self,
        prefix: &str,
        _attempts: &dyn Attempts,
    ) -> Result<Vec<Listed>, StoreError> {
        let began_ms = self.executor.now_ms();
        self.executor.sleep(self.latency_ms.get()).await;
        let listed = self.call(|| self.store.list(prefix)).await;
        self.span(format!("list {prefix}"), began_ms);
        listed
    }
}
