//! What one run knows besides its ports: addresses, its deadline, its caps.

use std::cell::RefCell;

use kedge_core::model::{Salt, SecretText, Timestamp};

/// Where the providers' APIs are, without a final slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    /// Aiven; `AIVEN_WEB_URL` replaces it.
    pub aiven: String,
    /// Pub/Sub; `PUBSUB_EMULATOR_HOST` replaces it.
    pub pubsub: String,
    /// Whether Pub/Sub wants credentials; an emulator does not.
    pub pubsub_authenticated: bool,
    /// Cloudflare, with `/client/v4`; `CLOUDFLARE_BASE_URL` replaces it.
    pub cloudflare: String,
}

impl Default for Endpoints {
    fn default() -> Self {
        Self {
            aiven: "https://api.aiven.io".to_owned(),
            pubsub: "https://pubsub.googleapis.com".to_owned(),
            pubsub_authenticated: true,
            cloudflare: "https://api.cloudflare.com/client/v4".to_owned(),
        }
    }
}

/// One run's settings and the little it remembers between calls.
#[derive(Debug)]
pub struct Session {
    /// Where the APIs are.
    pub endpoints: Endpoints,
    /// When the run must have ended; no retry waits beyond it.
    pub deadline: Timestamp,
    /// How many requests may be under way at once (a Worker has 6 connections).
    pub concurrency: usize,
    /// The key of URL hashes.
    pub salt: Salt,
    /// Google's token of this run, made on first use.
    pub(crate) google_token: RefCell<Option<SecretText>>,
}

impl Session {
    /// The most requests under way at once: what a Worker allows.
    pub const CONCURRENCY: usize = 6;

    /// A session that begins.
    #[must_use]
    pub fn new(endpoints: Endpoints, deadline: Timestamp, salt: Salt) -> Self {
        let google_token = RefCell::new(None);
        Self {
            endpoints,
            deadline,
            concurrency: Self::CONCURRENCY,
            salt,
            google_token,
        }
    }
}

/// What every provider call gets: the ports and the session.
#[derive(Debug)]
pub struct Context<'a, P> {
    /// The ports.
    pub ports: &'a P,
    /// The session.
    pub session: &'a Session,
}

impl<P> Clone for Context<'_, P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P> Copy for Context<'_, P> {}
