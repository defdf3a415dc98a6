//! What one run knows besides its ports: addresses, its deadline, its caps.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use kedge_core::model::{Salt, SecretText, Timestamp};
use kedge_core::stored::run::RequestCounts;

use crate::lease::Permit;
use crate::ports::Clock;
use crate::retry::Wait;

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
    /// What each attempt to change something asks first. None: a provider on its own, as its tests
    /// have it; `apply` never is.
    permit: Option<Rc<Permit>>,
    /// Requests sent so far.
    requests: Cell<RequestCounts>,
    /// Pauses that nobody was told of yet.
    waits: RefCell<Vec<Wait>>,
}

impl Session {
    /// The most requests under way at once: what a Worker allows.
    pub const CONCURRENCY: usize = 6;

    /// A session that begins.
    #[must_use]
    pub fn new(endpoints: Endpoints, deadline: Timestamp, salt: Salt) -> Self {
        Self {
            endpoints,
            deadline,
            concurrency: Self::CONCURRENCY,
            salt,
            google_token: RefCell::new(None),
            permit: None,
            requests: Cell::default(),
            waits: RefCell::default(),
        }
    }

    /// From now on changes are begun under this lease only.
    pub(crate) fn work_under(&mut self, permit: &Rc<Permit>) {
        self.permit = Some(Rc::clone(permit));
    }

    /// Whether an attempt to change something may be sent at this moment; else why not.
    pub(crate) fn may_write(&self, clock: &impl Clock) -> Result<(), String> {
        self.permit
            .as_ref()
            .map_or(Ok(()), |permit| permit.check(clock))
    }

    /// How many requests were sent, retries too.
    pub(crate) fn requests(&self) -> RequestCounts {
        self.requests.get()
    }

    /// Notes that a pause begins.
    pub(crate) fn note_wait(&self, wait: Wait) {
        self.waits.borrow_mut().push(wait);
    }

    /// The pauses that began since this was asked last.
    pub(crate) fn take_waits(&self) -> Vec<Wait> {
        self.waits.take()
    }

    pub(crate) fn count_read(&self) {
        let mut requests = self.requests.get();
        requests.reads += 1;
        self.requests.set(requests);
    }

    pub(crate) fn count_write(&self) {
        let mut requests = self.requests.get();
        requests.writes += 1;
        self.requests.set(requests);
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
