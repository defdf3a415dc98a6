//! The raw answers that the stacks of a group share: each request is sent once, and its answer goes to all
//! that send the same. What it means is worked out for each stack on its own, with its own salt, so that
//! nothing but bytes is shared. `group.rs` says who shares, and makes requests the same.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::{LocalBoxFuture, Shared};
use http::{Response, StatusCode};
use kedge_core::model::{SecretText, Timestamp};

use crate::group::Seat;
use crate::ports::{
    Clock, HttpError, HttpRead, ProviderName, Random, ReadPorts, ReadRequest, Secrets, SignError,
    Signer,
};

type Answer = Result<Response<Bytes>, HttpError>;
type Pending<'a> = Shared<LocalBoxFuture<'a, Answer>>;

/// What a request is, but for its credentials: all of a group are the same.
type Key = (ProviderName, String, String, Bytes);

/// The answers of one group.
pub(crate) struct SharedReads<'a, P> {
    ports: &'a P,
    /// Requests under way and answers, with a number that tells two of the same key apart.
    sent: RefCell<BTreeMap<Key, (u64, Pending<'a>)>>,
    count: Cell<u64>,
}

/// The ports of one stack of the group, which send what the others sent already only if the stack reads
/// alone.
pub(crate) struct MemberPorts<'m, 'a, P> {
    reads: &'m SharedReads<'a, P>,
    seat: &'m Seat<'m>,
}

impl<'a, P: ReadPorts> SharedReads<'a, P> {
    pub(crate) fn new(ports: &'a P) -> Self {
        Self {
            ports,
            sent: RefCell::default(),
            count: Cell::default(),
        }
    }

    /// The ports of the stack with this seat.
    pub(crate) fn ports_of<'m>(&'m self, seat: &'m Seat<'m>) -> MemberPorts<'m, 'a, P> {
        MemberPorts { reads: self, seat }
    }

    /// The request that is under way or answered, or a new one.
    fn pending(&self, key: &Key, request: &ReadRequest) -> (u64, Pending<'a>) {
        if let Some(known) = self.sent.borrow().get(key) {
            return known.clone();
        }
        let (ports, request) = (self.ports, request.clone());
        let send = async move { ports.send_read(&request).await };
        let number = self.count.get().saturating_add(1);
        self.count.set(number);
        let pending = (number, send.boxed_local().shared());
        self.sent.borrow_mut().insert(key.clone(), pending.clone());
        pending
    }

    async fn send(&self, request: &ReadRequest) -> Answer {
        let key = key(request);
        let (number, pending) = self.pending(&key, request);
        let answer = pending.await;
        let mut sent = self.sent.borrow_mut();
        let is_this = |(known, _): &(u64, Pending<'_>)| *known == number;
        if !is_final(&answer) && sent.get(&key).is_some_and(is_this) {
            sent.remove(&key);
        }
        answer
    }
}

/// Whether the same request would be answered alike a moment later. Others are sent again by whoever
/// retries.
fn is_final(answer: &Answer) -> bool {
    let passing = [
        StatusCode::UNAUTHORIZED,
        StatusCode::REQUEST_TIMEOUT,
        StatusCode::TOO_MANY_REQUESTS,
    ];
    let is_final = |status: StatusCode| !status.is_server_error() && !passing.contains(&status);
    answer
        .as_ref()
        .is_ok_and(|response| is_final(response.status()))
}

fn key(request: &ReadRequest) -> Key {
    let http = request.request();
    (
        request.provider(),
        http.method().to_string(),
        http.uri().to_string(),
        http.body().clone(),
    )
}

impl<P: ReadPorts> HttpRead for MemberPorts<'_, '_, P> {
    fn is_sent(&self, request: &ReadRequest) -> bool {
        self.seat.shares_answers() && self.reads.sent.borrow().contains_key(&key(request))
    }

    async fn send_read(&self, request: &ReadRequest) -> Answer {
        match self.seat.shares_answers() {
            true => self.reads.send(request).await,
            false => self.reads.ports.send_read(request).await,
        }
    }
}

impl<P: Clock> Clock for MemberPorts<'_, '_, P> {
    fn now(&self) -> Timestamp {
        self.reads.ports.now()
    }

    fn monotonic_ms(&self) -> i64 {
        self.reads.ports.monotonic_ms()
    }

    async fn sleep_ms(&self, ms: u64) {
        self.reads.ports.sleep_ms(ms).await;
    }
}

impl<P: Random> Random for MemberPorts<'_, '_, P> {
    fn next_u64(&self) -> u64 {
        self.reads.ports.next_u64()
    }
}

impl<P: Signer> Signer for MemberPorts<'_, '_, P> {
    async fn sign_rs256(&self, key_pem: &SecretText, message: &[u8]) -> Result<Vec<u8>, SignError> {
        self.reads.ports.sign_rs256(key_pem, message).await
    }
}

impl<P: Secrets> Secrets for MemberPorts<'_, '_, P> {
    fn secret(&self, name: &str) -> Option<SecretText> {
        self.reads.ports.secret(name)
    }
}
