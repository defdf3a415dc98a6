//! What a run tells of itself by `tracing`, for whoever keeps logs (docs/logs.md). Nothing may depend on it.
//!
//! Only fixed words, numbers, the stack and who asked go in: no address, no name of a resource, no text of
//! a provider. Runs go on side by side, so a span is put around a future, and never entered across a wait.
//! What is told of a whole run is in `front_door/run.rs`.

use std::cell::Cell;
use std::rc::Rc;

use bytes::Bytes;
use http::{Method, Response};
use kedge_core::stored::run::RequestCounts;
use tracing::field::Empty;
use tracing::{Instrument as _, Span, debug, debug_span};

use crate::ports::{Clock, HttpError, ProviderName, ReadRequest, WriteRequest};

/// The target of all that is told here. One for all, so that no filter shows a line without its run.
pub(crate) const TARGET: &str = "kedge";

/// What one run sent to providers so far, retries too. Clones are handles to the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally(Rc<Cell<RequestCounts>>);

impl Tally {
    /// How many requests were sent.
    pub(crate) fn counts(&self) -> RequestCounts {
        self.0.get()
    }

    pub(crate) fn count_read(&self) {
        let mut counts = self.0.get();
        counts.reads += 1;
        self.0.set(counts);
    }

    pub(crate) fn count_write(&self) {
        let mut counts = self.0.get();
        counts.writes += 1;
        self.0.set(counts);
    }
}

/// A request that is about to be sent, in fixed words.
pub(crate) struct Attempt<'a> {
    provider: ProviderName,
    name: &'static str,
    method: &'a Method,
    number: u32,
}

impl<'a> Attempt<'a> {
    /// To read, for this time, from 1.
    pub(crate) fn to_read(request: &'a ReadRequest, number: u32) -> Self {
        Self {
            provider: request.provider(),
            name: request.name(),
            method: request.request().method(),
            number,
        }
    }

    /// To write, for this time, from 1.
    pub(crate) fn to_write(request: &'a WriteRequest, number: u32) -> Self {
        Self {
            provider: request.provider(),
            name: request.name(),
            method: request.request().method(),
            number,
        }
    }

    fn span(&self) -> Span {
        debug_span!(
            target: TARGET,
            "request",
            provider = %self.provider.as_str(),
            request = %self.name,
            method = %self.method,
            attempt = self.number,
            status = Empty,
        )
    }

    /// Sends it in a span of its own, and tells how it ended.
    pub(crate) async fn send(
        self,
        clock: &impl Clock,
        sending: impl Future<Output = Result<Response<Bytes>, HttpError>>,
    ) -> Result<Response<Bytes>, HttpError> {
        let span = self.span();
        let sent = async {
            let began_ms = clock.monotonic_ms();
            let answer = sending.await;
            let ms = clock.monotonic_ms().saturating_sub(began_ms);
            match &answer {
                Ok(response) => {
                    let status = response.status().as_u16();
                    debug!(target: TARGET, status, ms, "answered");
                    Span::current().record("status", status);
                }
                Err(error) => debug!(target: TARGET, error = %word(error), ms, "no answer"),
            }
            answer
        };
        sent.instrument(span).await
    }
}

/// What kept an answer away, without the text of a library.
fn word(error: &HttpError) -> &'static str {
    match error {
        HttpError::NotSent(_) => "not-sent",
        HttpError::Timeout(_) => "timeout",
        HttpError::Broken(_) => "broken",
        HttpError::TooLarge(_) => "too-large",
        HttpError::Refused(_) => "refused",
    }
}
