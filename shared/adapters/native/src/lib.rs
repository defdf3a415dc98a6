//! The ports on an ordinary machine: HTTP by reqwest, a folder as store, the system's clock and
//! random numbers, RS256 by ring, settings and secrets from the environment.
//!
//! `main` calls [`install_tls`] first, then [`Settings::load`] once; everything else gets values.

mod clock;
#[cfg(test)]
mod conformance;
mod dotenv;
mod http;
mod keys;
mod memory;
mod meter;
mod random;
mod settings;
mod signer;
mod store;

pub use self::clock::SystemClock;
pub use self::http::{HttpBuildError, HttpOptions, NativeHttp, install_tls};
pub use self::memory::{MemoryStore, Operations};
pub use self::meter::{Metered, Traffic};
pub use self::random::SystemRandom;
pub use self::settings::{NativeSecrets, Settings, SettingsError};
pub use self::signer::RingSigner;
pub use self::store::FolderStore;

use bytes::Bytes;
use kedge_core::model::{SecretText, Timestamp};
use kedge_engine::ports::{
    Clock, HttpError, HttpRead, HttpWrite, Random, ReadRequest, Secrets, SignError, Signer,
    WriteRequest,
};

/// All ports but the store, in one value.
#[derive(Debug)]
pub struct NativePorts {
    /// HTTP, counted.
    pub http: Metered<NativeHttp>,
    /// The system's clock.
    pub clock: SystemClock,
    /// The system's random numbers.
    pub random: SystemRandom,
    /// RS256.
    pub signer: RingSigner,
    /// Credentials from the environment.
    pub secrets: NativeSecrets,
}

impl NativePorts {
    /// Ports that send by `http` and sign in with `secrets`.
    #[must_use]
    pub fn new(http: NativeHttp, secrets: NativeSecrets) -> Self {
        Self {
            http: Metered::new(http),
            clock: SystemClock,
            random: SystemRandom::new(),
            signer: RingSigner::new(),
            secrets,
        }
    }
}

impl HttpRead for NativePorts {
    async fn send_read(&self, request: &ReadRequest) -> Result<::http::Response<Bytes>, HttpError> {
        self.http.send_read(request).await
    }
}

impl HttpWrite for NativePorts {
    async fn send_write(
        &self,
        request: &WriteRequest,
    ) -> Result<::http::Response<Bytes>, HttpError> {
        self.http.send_write(request).await
    }
}

impl Clock for NativePorts {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn sleep_ms(&self, ms: u64) {
        self.clock.sleep_ms(ms).await;
    }
}

impl Random for NativePorts {
    fn next_u64(&self) -> u64 {
        self.random.next_u64()
    }
}

impl Signer for NativePorts {
    async fn sign_rs256(&self, key_pem: &SecretText, message: &[u8]) -> Result<Vec<u8>, SignError> {
        self.signer.sign_rs256(key_pem, message).await
    }
}

impl Secrets for NativePorts {
    fn secret(&self, name: &str) -> Option<SecretText> {
        self.secrets.secret(name)
    }
}
