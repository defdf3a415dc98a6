//! All ports but the store, in one value.

use ::http::Response;
use bytes::Bytes;
use kedge_adapters::HeldSecrets;
use kedge_core::model::{SecretText, Timestamp};
use kedge_engine::ports::{
    Clock, HttpError, HttpRead, HttpWrite, Random, ReadRequest, Secrets, SignError, Signer,
    WriteRequest,
};

use crate::{FetchHttp, JsClock, WebRandom, WebSigner};

/// All ports but the store.
#[derive(Debug)]
pub struct WorkerPorts {
    http: FetchHttp,
    secrets: HeldSecrets,
}

impl WorkerPorts {
    /// Ports that send by `http` and sign in with `secrets`.
    #[must_use]
    pub fn new(http: FetchHttp, secrets: HeldSecrets) -> Self {
        Self { http, secrets }
    }
}

impl HttpRead for WorkerPorts {
    async fn send_read(&self, request: &ReadRequest) -> Result<Response<Bytes>, HttpError> {
        self.http.send_read(request).await
    }
}

impl HttpWrite for WorkerPorts {
    async fn send_write(&self, request: &WriteRequest) -> Result<Response<Bytes>, HttpError> {
        self.http.send_write(request).await
    }
}

impl Clock for WorkerPorts {
    fn now(&self) -> Timestamp {
        JsClock.now()
    }

    fn monotonic_ms(&self) -> i64 {
        JsClock.monotonic_ms()
    }

    async fn sleep_ms(&self, ms: u64) {
        JsClock.sleep_ms(ms).await;
    }
}

impl Random for WorkerPorts {
    fn next_u64(&self) -> u64 {
        WebRandom.next_u64()
    }
}

impl Signer for WorkerPorts {
    async fn sign_rs256(&self, key_pem: &SecretText, message: &[u8]) -> Result<Vec<u8>, SignError> {
        WebSigner.sign_rs256(key_pem, message).await
    }
}

impl Secrets for WorkerPorts {
    fn secret(&self, name: &str) -> Option<SecretText> {
        self.secrets.secret(name)
    }
}
