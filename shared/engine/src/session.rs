//! What one run knows besides its ports: addresses, its budget, its caps, Google's tokens.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use kedge_core::model::Salt;
use kedge_core::ran_out::RanOut;
use kedge_core::stored::run::RequestCounts;

use crate::budget::{Budget, Leave, Purse};
use crate::caches::Caches;
use crate::endpoints::Endpoints;
use crate::lease::Permit;
use crate::ports::{Clock, ProviderName};
use crate::shared_reads::SharedReads;
use crate::tokens::GoogleTokens;
use crate::traces::Tally;

/// A pause before a request is sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// Who is asked again.
    pub provider: ProviderName,
    /// The status of its answer; none if no answer came.
    pub status: Option<u16>,
    /// How long, in milliseconds.
    pub ms: u64,
}

/// One run's settings and the little it remembers between calls.
#[derive(Debug)]
pub struct Session {
    /// Where the APIs are.
    pub endpoints: Endpoints,
    /// What the run may use.
    pub budget: Budget,
    /// Google's tokens, which may outlive the run.
    pub(crate) google_tokens: GoogleTokens,
    /// How many requests one scope has under way at once.
    pub concurrency: usize,
    /// The key of URL hashes.
    pub salt: Salt,
    /// What each attempt to change something asks first. None: a provider on its own, as its tests
    /// have it; `apply` never is.
    permit: Option<Rc<Permit>>,
    /// Requests sent so far.
    requests: Cell<RequestCounts>,
    /// The same of the whole run, which may have several sessions, one after the other.
    of_run: Tally,
    /// Pauses that nobody was told of yet.
    waits: RefCell<Vec<Wait>>,
}

impl Session {
    /// The most requests of one scope under way at once, out of regard for its provider. How many of all
    /// scopes and the store are, the budget says.
    pub const CONCURRENCY: usize = 6;

    /// A session that begins, with no tokens yet.
    #[must_use]
    pub fn new(endpoints: Endpoints, budget: &Budget, salt: Salt) -> Self {
        Self {
            endpoints,
            budget: budget.clone(),
            google_tokens: GoogleTokens::default(),
            concurrency: Self::CONCURRENCY.min(budget.permits()),
            salt,
            permit: None,
            requests: Cell::default(),
            of_run: Tally::default(),
            waits: RefCell::default(),
        }
    }

    /// The same with what outlives a run.
    #[must_use]
    pub fn with_caches(self, caches: &Caches) -> Self {
        let google_tokens = caches.google_tokens().clone();
        Self {
            google_tokens,
            ..self
        }
    }

    /// The same, which counts its requests for this run too.
    pub(crate) fn counted_by(self, run: Option<&Tally>) -> Self {
        let of_run = run.cloned().unwrap_or_default();
        Self { of_run, ..self }
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
        self.of_run.count_read();
    }

    pub(crate) fn count_write(&self) {
        let mut requests = self.requests.get();
        requests.writes += 1;
        self.requests.set(requests);
        self.of_run.count_write();
    }
}

/// What every provider call gets: the ports and the session.
#[derive(Debug)]
pub struct Context<'a, P> {
    /// The ports.
    pub ports: &'a P,
    /// The session.
    pub session: &'a Session,
    /// The requests that were promised to what is done with it; none: what is free is used.
    purse: Option<&'a Purse>,
    /// The requests that were promised to what several stacks read together, if they do.
    common: Option<&'a Purse>,
    /// The answers that are shared with other stacks, if they are.
    shared_reads: Option<&'a SharedReads>,
}

impl<'a, P> Context<'a, P> {
    /// Ports and a session.
    #[must_use]
    pub fn new(ports: &'a P, session: &'a Session) -> Self {
        Self {
            ports,
            session,
            purse: None,
            common: None,
            shared_reads: None,
        }
    }

    /// The same with requests that were promised.
    pub(crate) fn with(self, purse: &'a Purse) -> Self {
        let purse = Some(purse);
        Self { purse, ..self }
    }

    /// The same with what was promised to reads that several stacks share.
    pub(crate) fn with_common(self, common: Option<&'a Purse>) -> Self {
        Self { common, ..self }
    }

    /// The same with answers that are shared with other stacks.
    pub(crate) fn with_shared_reads(self, shared_reads: Option<&'a SharedReads>) -> Self {
        Self {
            shared_reads,
            ..self
        }
    }

    /// The answers that are shared with other stacks, if they are.
    pub(crate) fn shared_reads(self) -> Option<&'a SharedReads> {
        self.shared_reads
    }

    /// For a read that all stacks of a group make alike: it uses what was promised to all of them, so
    /// that the others find it paid, whichever of them sends it.
    pub(crate) fn in_common(self) -> Self {
        let purse = self.common.or(self.purse);
        Self { purse, ..self }
    }
}

impl<'a, P: Clock> Context<'a, P> {
    /// Waits until a request to a provider may be sent.
    pub(crate) async fn enter(self) -> Leave<'a> {
        self.session.budget.enter().await
    }

    /// Counts the request that is sent now.
    ///
    /// # Errors
    /// When it may not be sent any more.
    pub(crate) fn sent(self, leave: &Leave<'_>) -> Result<(), RanOut> {
        leave.sent(self.purse, self.ports.monotonic_ms())
    }

    /// Whether another attempt may be sent now.
    ///
    /// # Errors
    /// When it may not.
    pub(crate) fn may_repeat(self) -> Result<(), RanOut> {
        match self.purse.map_or(0, Purse::left) {
            0 => self.session.budget.check(1, self.ports.monotonic_ms()),
            _ => Ok(()),
        }
    }
}

impl<P> Clone for Context<'_, P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P> Copy for Context<'_, P> {}
