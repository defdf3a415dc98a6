//! What the engine asks of the world around it.
//!
//! Style: plain `async fn`, static dispatch, no `Send` bound, so that one source serves native
//! runtimes, a Worker and a simulation. A function asks for the ports it uses, not for all.

mod http;
mod reads;
mod retry_after;
mod store;

pub use self::http::{
    ANSWER_BYTES_MAX, HttpError, HttpRead, HttpWrite, ProviderName, ReadRequest, WriteRequest,
};
pub use self::reads::is_known_read;
pub use self::retry_after::retry_after_ms;
pub use self::store::{
    Attempts, Condition, ETag, Listed, PutOutcome, Store, StoreError, StoredObject, Unlimited,
    Version,
};

use kedge_core::model::{SecretText, Timestamp};
use thiserror::Error;

/// Wall time, time that passes, and waiting.
#[expect(
    async_fn_in_trait,
    reason = "static dispatch; callers need no Send bound"
)]
pub trait Clock {
    /// The time now.
    fn now(&self) -> Timestamp;
    /// Milliseconds since some fixed moment, by a clock that nobody sets. It may stand still while
    /// the machine sleeps, so what must not be late asks both clocks.
    fn monotonic_ms(&self) -> i64;
    /// Waits this many milliseconds.
    async fn sleep_ms(&self, ms: u64);
}

/// Unpredictable bytes: nonces, salts, jitter.
pub trait Random {
    /// Eight of them as a number.
    fn next_u64(&self) -> u64;
}

/// A private key is not usable. Reads on after "because".
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct SignError(pub String);

/// RSASSA-PKCS1-v1_5 with SHA-256 (RS256), for Google's tokens.
#[expect(
    async_fn_in_trait,
    reason = "static dispatch; callers need no Send bound"
)]
pub trait Signer {
    /// Signs `message` with a PKCS#8 private key in PEM form.
    ///
    /// # Errors
    /// When the key can't be read. The error never holds a part of the key.
    async fn sign_rs256(&self, key_pem: &SecretText, message: &[u8]) -> Result<Vec<u8>, SignError>;
}

/// Credentials by the names in the providers' entries ([`kedge_core::providers`]). Where a variable may
/// hold the path of a file, the file's text is loaded already.
pub trait Secrets {
    /// The secret of that name, if there is one.
    fn secret(&self, name: &str) -> Option<SecretText>;
}

/// All that reading the live world takes. There is no way to write in it.
pub trait ReadPorts: HttpRead + Clock + Random + Signer + Secrets {}
impl<P: HttpRead + Clock + Random + Signer + Secrets> ReadPorts for P {}

/// All that changing the live world takes.
pub trait WritePorts: ReadPorts + HttpWrite {}
impl<P: ReadPorts + HttpWrite> WritePorts for P {}
