//! The ports on an ordinary machine: HTTP by reqwest, a folder as store, the system's clock and
//! random numbers, RS256 by ring, settings and secrets from the environment.
//!
//! `main` calls [`install_tls`] first, then [`load_settings`] once; everything else gets values.

mod actor;
mod clock;
mod dotenv;
mod http;
pub mod logs;
mod random;
mod settings;
mod signer;
mod store;

pub use self::actor::actor_of;
pub use self::clock::SystemClock;
pub use self::http::{HttpBuildError, HttpOptions, NativeHttp, install_tls};
pub use self::random::SystemRandom;
pub use self::settings::{load_settings, merge_settings, process_variables, secrets_of};
pub use self::signer::RingSigner;
pub use self::store::FolderStore;
pub use kedge_adapters::{HeldSecrets, KEDGE_RELAY_KEY, Settings, SettingsError};

use std::cell::RefCell;

use bytes::Bytes;
use kedge_adapters::Metered;
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
    secrets: RefCell<HeldSecrets>,
}

impl NativePorts {
    /// Ports that send by `http` and sign in with `secrets`.
    #[must_use]
    pub fn new(http: NativeHttp, secrets: HeldSecrets) -> Self {
        Self {
            http: Metered::new(http),
            clock: SystemClock::default(),
            random: SystemRandom::new(),
            signer: RingSigner::new(),
            secrets: RefCell::new(secrets),
        }
    }

    /// From now on these credentials are used.
    pub fn replace_secrets(&self, secrets: HeldSecrets) {
        self.secrets.replace(secrets);
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

    fn monotonic_ms(&self) -> i64 {
        self.clock.monotonic_ms()
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
        self.secrets.borrow().secret(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kedge_core::change::{Change, ChangeError, Verb};
    use kedge_core::live::{FailureCode, Reading, Wanted};
    use kedge_core::model::{FieldName, Fields, ResourceKey, Salt, StackName, Value};
    use kedge_engine::Endpoints;
    use kedge_engine::ports::ProviderName;
    use kedge_engine::testing::{Context, Session};
    use kedge_engine::testing::{carry_out, read_live};
    use kedge_engine::{Budget, LAST_REQUEST_BEFORE_DEADLINE_MS};
    use std::collections::BTreeMap;

    /// Ports that may only read, in a session that ends at once and whose Cloudflare nobody serves.
    fn read_only() -> (NativePorts, Session) {
        let options = HttpOptions {
            read_only: true,
            ..HttpOptions::default()
        };
        let settings = BTreeMap::from([("CLOUDFLARE_API_TOKEN".to_owned(), "t0ken".to_owned())]);
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings::of(settings);
        let secrets = secrets_of(&settings, folder.path()).0;
        let ports = NativePorts::new(NativeHttp::new(options).unwrap(), secrets);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut endpoints = Endpoints::default();
        let base = format!("http://{}/client/v4", listener.local_addr().unwrap());
        endpoints.replace(ProviderName::Cloudflare, base, false);
        // Long enough for an attempt on a machine that does much else, and not for all of them.
        let budget = Budget::lasting(&ports, LAST_REQUEST_BEFORE_DEADLINE_MS + 3_000);
        let session = Session::new(endpoints, &budget, Salt([0; 16]));
        (ports, session)
    }

    #[tokio::test(flavor = "current_thread")]
    async fn read_only_ports_read_and_do_not_write() {
        let (ports, session) = read_only();
        let cx = Context::new(&ports, &session);
        let key = ResourceKey::dns_record_set("z", "n.example", "A");
        let wanted = Wanted {
            keys: [key.clone()].into(),
            ..Wanted::default()
        };
        let reading = read_live(cx, key.scope(), &wanted).await;
        let Reading::Unknown(failure) = reading.reading(&key) else {
            panic!("{reading:?}");
        };
        assert_eq!(failure.code, FailureCode::Network);
        assert!(failure.reason.starts_with("could not connect: 127.0.0.1:"));

        let addresses = (FieldName::known("addresses"), Value::set(["192.0.2.1"]));
        let change = Change {
            begun_before: false,
            stack: StackName::new("dev").unwrap(),
            key,
            verb: Verb::Create,
            edits: Vec::new(),
            declared: Fields::from([addresses]),
            secrets: kedge_core::model::ByField::new(),
            recorded: Fields::new(),
            live: None,
        };
        let error = carry_out(cx, &change).await.unwrap_err();
        assert!(matches!(error, ChangeError::Blocked { .. }), "{error}");
        assert!(error.to_string().contains("KEDGE_READ_ONLY"), "{error}");
        let traffic = ports.http.stats()[&ProviderName::Cloudflare];
        // How often a read is tried again in so short a time depends on the jitter.
        assert!(traffic.reads >= 1 && traffic.writes == 0, "{traffic:?}");
    }
}
