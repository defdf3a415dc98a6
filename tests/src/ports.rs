//! The engine's ports over the executor and the sandbox.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::pending;
use std::rc::Rc;

use bytes::Bytes;
use http::{Request, Response};
use kedge_core::model::{SecretText, Timestamp};
use kedge_engine::ports::{
    ANSWER_BYTES_MAX, Clock, Condition, ETag, HttpError, HttpRead, HttpWrite, ProviderName,
    PutOutcome, Random, ReadRequest, Secrets, SignError, Signer, Store, StoreError, StoredObject,
    Version, WriteRequest, is_known_read,
};
use kedge_engine::session::Endpoints;
use kedge_sandbox::{Outcome, Sandbox};

use crate::executor::Executor;

/// The time out of a request, as in the native adapter.
const REQUEST_TIMEOUT_MS: u64 = 15_000;

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
        latency_ms: Rc::new(Cell::new(1)),
        jitter_ms: Rc::new(Cell::new(0)),
        crash_point: Rc::default(),
        calls: Rc::default(),
        wall_ahead_ms: Rc::default(),
        monotonic_behind_ms: Rc::default(),
    }
}

/// The addresses under which the sandbox answers in process.
#[must_use]
pub fn endpoints() -> Endpoints {
    Endpoints {
        aiven: "http://sandbox".to_owned(),
        pubsub: "http://sandbox".to_owned(),
        pubsub_authenticated: false,
        cloudflare: "http://sandbox/client/v4".to_owned(),
    }
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
        Self {
            executor: Executor::new(1, self.executor.now_ms()),
            sandbox: Rc::new(self.sandbox.copy()),
            store: Rc::new(self.store.copy()),
            secrets: Rc::new(RefCell::new(self.secrets.borrow().clone())),
            sent: Rc::default(),
            latency_ms: Rc::new(Cell::new(self.latency_ms.get())),
            jitter_ms: Rc::new(Cell::new(self.jitter_ms.get())),
            crash_point: Rc::default(),
            calls: Rc::default(),
            wall_ahead_ms: Rc::default(),
            monotonic_behind_ms: Rc::default(),
        }
    }

    /// Another runner in the same world at the same time, with clocks and a latency of its own, and calls
    /// counted on their own.
    #[must_use]
    pub fn beside(&self) -> Self {
        Self {
            sent: Rc::default(),
            latency_ms: Rc::new(Cell::new(self.latency_ms.get())),
            crash_point: Rc::default(),
            calls: Rc::default(),
            wall_ahead_ms: Rc::default(),
            monotonic_behind_ms: Rc::default(),
            ..self.clone()
        }
    }

    /// The true time, which is the store's.
    #[must_use]
    pub fn true_now(&self) -> Timestamp {
        Timestamp(self.executor.now_ms())
    }

    /// Forgets what was sent.
    pub fn clear_sent(&self) {
        self.sent.borrow_mut().clear();
        self.calls.set(0);
    }

    /// Does one port call: waits its latency, and crashes where the test wants it.
    async fn call<T>(&self, effect: impl FnOnce() -> T) -> T {
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
        self.sent.borrow_mut().push(Sent {
            provider,
            write,
            method: request.method().to_string(),
            path: request
                .uri()
                .path_and_query()
                .map_or_else(String::new, ToString::to_string),
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

/// A store in memory that counts its operations.
#[derive(Debug)]
pub struct SimStore {
    objects: RefCell<BTreeMap<String, StoredObject>>,
    versions: Cell<u64>,
    /// Objects read so far.
    pub reads: Cell<usize>,
    /// Objects written so far, conflicts included.
    pub writes: Cell<usize>,
    /// Whether it says the time with a read; R2's binding in a Worker does not.
    pub says_time: Cell<bool>,
    /// Writes that go wrong: the n-th of a key that ends like this (from 1, counted from now).
    pub write_faults: RefCell<Vec<WriteFault>>,
}

/// A write to the store that goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteFault {
    /// The end of the keys that are meant.
    pub key_end: String,
    /// How many such writes go well before.
    pub after: u64,
    /// How many go wrong then.
    pub times: u64,
    /// Whether they are made, and only their answers lost.
    pub made: bool,
}

impl Default for SimStore {
    fn default() -> Self {
        Self {
            objects: RefCell::default(),
            versions: Cell::default(),
            reads: Cell::default(),
            writes: Cell::default(),
            says_time: Cell::new(true),
            write_faults: RefCell::default(),
        }
    }
}

impl SimStore {
    /// An object as text; empty if there is none.
    #[must_use]
    pub fn text(&self, key: &str) -> String {
        let objects = self.objects.borrow();
        objects.get(key).map_or_else(String::new, |object| {
            String::from_utf8_lossy(&object.bytes).into_owned()
        })
    }

    /// Whether this write goes wrong, and if so whether it is made.
    fn fault(&self, key: &str) -> Option<bool> {
        let mut faults = self.write_faults.borrow_mut();
        let fault = faults
            .iter_mut()
            .find(|fault| key.ends_with(&fault.key_end) && fault.times > 0)?;
        if fault.after > 0 {
            fault.after -= 1;
            return None;
        }
        fault.times -= 1;
        Some(fault.made)
    }

    fn copy(&self) -> Self {
        Self {
            objects: RefCell::new(self.objects.borrow().clone()),
            versions: Cell::new(self.versions.get()),
            ..Self::default()
        }
    }

    /// All keys.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        self.objects.borrow().keys().cloned().collect()
    }

    /// Writes an object behind the engine's back.
    pub fn set(&self, key: &str, bytes: impl Into<Bytes>) {
        let version = self.versions.get() + 1;
        self.versions.set(version);
        let object = StoredObject {
            bytes: bytes.into(),
            etag: ETag(format!("v{version}")),
            written_at: Timestamp::default(),
            read_at: None,
        };
        self.objects.borrow_mut().insert(key.to_owned(), object);
    }

    /// Removes an object behind the engine's back.
    pub fn remove(&self, key: &str) {
        self.objects.borrow_mut().remove(key);
    }
}

impl Store for SimPorts {
    async fn get(&self, key: &str) -> Result<Option<StoredObject>, StoreError> {
        self.executor.sleep(self.latency_ms.get()).await;
        self.call(|| {
            self.store.reads.set(self.store.reads.get() + 1);
            let object = self.store.objects.borrow().get(key).cloned();
            Ok(object.map(|object| StoredObject {
                read_at: self.store.says_time.get().then(|| self.true_now()),
                ..object
            }))
        })
        .await
    }

    async fn put(
        &self,
        key: &str,
        bytes: Bytes,
        condition: Condition,
    ) -> Result<PutOutcome, StoreError> {
        self.executor.sleep(self.latency_ms.get()).await;
        self.call(|| {
            self.store.writes.set(self.store.writes.get() + 1);
            let fault = self.store.fault(key);
            let lost = || StoreError::Write {
                key: key.to_owned(),
                reason: "the connection broke".to_owned(),
            };
            if fault == Some(false) {
                return Err(lost());
            }
            let mut objects = self.store.objects.borrow_mut();
            let current = objects.get(key).map(|object| &object.etag);
            let holds = match &condition {
                Condition::Absent => current.is_none(),
                Condition::Is(etag) => current == Some(etag),
                Condition::None => true,
            };
            if !holds {
                return Ok(PutOutcome::Conflict);
            }
            let version = self.store.versions.get() + 1;
            self.store.versions.set(version);
            let etag = ETag(format!("v{version}"));
            let written_at = self.true_now();
            objects.insert(
                key.to_owned(),
                StoredObject {
                    bytes,
                    etag: etag.clone(),
                    written_at,
                    read_at: None,
                },
            );
            match fault {
                Some(_) => Err(lost()),
                None => Ok(PutOutcome::Written(Version { etag, written_at })),
            }
        })
        .await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        self.executor.sleep(self.latency_ms.get()).await;
        self.call(|| {
            self.store.reads.set(self.store.reads.get() + 1);
            let objects = self.store.objects.borrow();
            Ok(objects
                .keys()
                .filter(|key| key.starts_with(prefix))
                .cloned()
                .collect())
        })
        .await
    }
}
