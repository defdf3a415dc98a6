//! Sends requests to providers, and retries them with jitter, the providers' own wait hints, and the
//! run's budget.
//!
//! What a status means is said in each provider's `error.rs`; how long to wait and when to give up is
//! decided here. Nothing else sends requests to providers, so none escapes the budget (`budget.rs`).

use bytes::Bytes;
use http::Response;
use kedge_core::model::SecretText;
use kedge_core::ran_out::RanOut;

use crate::call_error::CallError;
use crate::ports::{
    Clock, HttpError, ProviderName, Random, ReadPorts, ReadRequest, Secrets, WritePorts,
    WriteRequest,
};
use crate::session::{Context, Wait};
use crate::traces::Attempt;

/// Attempts in all. Google's clients make 5 (gRPC service config of Pub/Sub), Aiven's 6.
const ATTEMPTS_MAX: u32 = 5;
/// The first wait of our own choice is a random part of this, and each further one of twice as much.
const BACKOFF_FIRST_MS: u64 = 500;

/// Whether to send a request again, by its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Retry {
    /// It is final.
    No,
    /// Again, after this many milliseconds if the provider said so. The change was surely not made.
    Again {
        /// The provider's own hint.
        after_ms: Option<u64>,
    },
    /// Again, but the change may have been made (a 500 or 504 on a write).
    Ambiguous,
}

/// An answer to a write.
#[derive(Debug, Clone)]
pub(crate) struct WriteAnswer {
    /// The last answer.
    pub(crate) response: Response<Bytes>,
    /// Whether an earlier attempt of ours may have made the change already: then "already exists"
    /// and "gone" mean done (semantics 8.2).
    pub(crate) after_ambiguous: bool,
}

/// No answer to a write after all attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WriteFailure {
    /// What happened last.
    pub(crate) error: CallError,
    /// Whether any attempt may have made the change.
    pub(crate) ambiguous: bool,
}

/// Sends a read until its answer is final; in a group once for all stacks that send the same.
pub(crate) async fn send_read<P: ReadPorts>(
    cx: Context<'_, P>,
    request: &ReadRequest,
    judge: impl Fn(&Response<Bytes>) -> Retry,
) -> Result<Response<Bytes>, CallError> {
    let sending = send_own_read(cx, request, judge);
    match cx.shared_reads() {
        Some(shared) => shared.once(request, sending).await,
        None => sending.await,
    }
}

async fn send_own_read<P: ReadPorts>(
    cx: Context<'_, P>,
    request: &ReadRequest,
    judge: impl Fn(&Response<Bytes>) -> Retry,
) -> Result<Response<Bytes>, CallError> {
    let mut attempt = 1;
    loop {
        let leave = cx.enter().await;
        cx.sent(&leave).map_err(CallError::unsent)?;
        cx.session.count_read();
        let sending = cx.ports.send_read(request);
        let sent = Attempt::to_read(request, attempt)
            .send(cx.ports, sending)
            .await;
        drop(leave);
        let (hint, given_up) = match sent.map(|response| error_without_credentials(cx, response)) {
            Ok(response) => match judge(&response) {
                Retry::No => return Ok(response),
                Retry::Again { after_ms } => {
                    let status = response.status().as_u16();
                    (after_ms, GivenUp::Answered(response, status))
                }
                Retry::Ambiguous => (None, GivenUp::Answered(response, 0)),
            },
            Err(error @ (HttpError::Refused(_) | HttpError::TooLarge(_))) => {
                return Err(CallError::Http(error));
            }
            Err(error) => (None, GivenUp::Silent(error)),
        };
        match pause(cx, attempt, hint, given_up.wait(request.provider())).await {
            Pause::Waited => attempt += 1,
            Pause::OutOfAttempts => return given_up.into_read(),
            Pause::TooLong { wait_ms } => return given_up.too_long(wait_ms),
            Pause::RanOut(ran_out) => return Err(given_up.ran_out(ran_out)),
        }
    }
}

/// Sends a write until its answer is final. Each attempt asks the lease first. Only for requests
/// that may be repeated: by `after_ambiguous` the caller tells what "already exists" and "gone"
/// mean.
pub(crate) async fn send_write<P: WritePorts>(
    cx: Context<'_, P>,
    request: &WriteRequest,
    judge: impl Fn(&Response<Bytes>) -> Retry,
) -> Result<WriteAnswer, WriteFailure> {
    let mut attempt = 1;
    let mut ambiguous = false;
    loop {
        // The lease is asked last: waiting for leave takes time.
        let leave = cx.enter().await;
        let may_write = cx.session.may_write(cx.ports).map_err(CallError::NoLease);
        let may_send = may_write.and_then(|()| cx.sent(&leave).map_err(CallError::unsent));
        if let Err(error) = may_send {
            return Err(WriteFailure { error, ambiguous });
        }
        cx.session.count_write();
        let sending = cx.ports.send_write(request);
        let sent = Attempt::to_write(request, attempt)
            .send(cx.ports, sending)
            .await;
        drop(leave);
        let (hint, given_up) = match sent.map(|response| error_without_credentials(cx, response)) {
            Ok(response) => match judge(&response) {
                Retry::No => {
                    return Ok(WriteAnswer {
                        response,
                        after_ambiguous: ambiguous,
                    });
                }
                Retry::Again { after_ms } => {
                    let status = response.status().as_u16();
                    (after_ms, GivenUp::Answered(response, status))
                }
                Retry::Ambiguous => {
                    ambiguous = true;
                    (None, GivenUp::Answered(response, 0))
                }
            },
            Err(error @ HttpError::Refused(_)) => {
                return Err(WriteFailure {
                    error: CallError::Http(error),
                    ambiguous,
                });
            }
            Err(error) => {
                ambiguous |= !matches!(error, HttpError::NotSent(_));
                (None, GivenUp::Silent(error))
            }
        };
        let ended = match pause(cx, attempt, hint, given_up.wait(request.provider())).await {
            Pause::Waited => {
                attempt += 1;
                continue;
            }
            Pause::OutOfAttempts => given_up.into_read(),
            Pause::TooLong { wait_ms } => given_up.too_long(wait_ms),
            Pause::RanOut(ran_out) => Err(given_up.ran_out(ran_out)),
        };
        return ended
            .map(|response| WriteAnswer {
                response,
                after_ambiguous: ambiguous,
            })
            .map_err(|error| WriteFailure { error, ambiguous });
    }
}

/// The shortest text that is hidden as a credential. What providers issue is longer (Cloudflare's
/// tokens have 40 characters); a shorter one stands by chance in names that people must read.
const SHORTEST_CREDENTIAL: usize = 8;

/// An error answer without our own credentials. A successful answer is data to compare, so it stays as
/// it came.
fn error_without_credentials<P: Secrets>(
    cx: Context<'_, P>,
    response: Response<Bytes>,
) -> Response<Bytes> {
    match response.status().is_success() {
        true => response,
        false => without_credentials(cx, response),
    }
}

/// An answer without our own credentials: parts of its message are shown, and a provider, or a proxy
/// before it, may repeat what it was sent.
pub(crate) fn without_credentials<P: Secrets>(
    cx: Context<'_, P>,
    response: Response<Bytes>,
) -> Response<Bytes> {
    let google = cx.session.google_tokens.all();
    let sent = ProviderName::ALL.map(|name| cx.ports.secret(name.entry().credential.variable));
    let tokens = sent.into_iter().flatten().chain(google);
    response.map(|body| {
        let is_in = |token: &SecretText| {
            token.reveal().len() >= SHORTEST_CREDENTIAL
                && String::from_utf8_lossy(&body).contains(token.reveal())
        };
        let found: Vec<SecretText> = tokens.filter(is_in).collect();
        if found.is_empty() {
            return body;
        }
        let text = String::from_utf8_lossy(&body).into_owned();
        let hide = |text: String, token: &SecretText| text.replace(token.reveal(), "[secret]");
        Bytes::from(found.iter().fold(text, hide))
    })
}

/// What there is to show when no attempt is left.
enum GivenUp {
    Answered(Response<Bytes>, u16),
    Silent(HttpError),
}

impl GivenUp {
    fn into_read(self) -> Result<Response<Bytes>, CallError> {
        match self {
            Self::Answered(response, _) => Ok(response),
            Self::Silent(error) => Err(CallError::Http(error)),
        }
    }

    /// A pause after it, of a length that is not known yet.
    fn wait(&self, provider: ProviderName) -> Wait {
        let status = match self {
            Self::Answered(response, _) => Some(response.status().as_u16()),
            Self::Silent(_) => None,
        };
        Wait {
            provider,
            status,
            ms: 0,
        }
    }

    fn ran_out(self, ran_out: RanOut) -> CallError {
        let after = match self {
            Self::Answered(response, _) => response.status().as_u16().to_string(),
            Self::Silent(error) => error.to_string(),
        };
        CallError::not_repeated(ran_out, after)
    }

    fn too_long(self, wait_ms: u64) -> Result<Response<Bytes>, CallError> {
        match self {
            Self::Answered(_, status) if status == 429 => {
                Err(CallError::WaitTooLong { wait_ms, status })
            }
            other => other.into_read(),
        }
    }
}

enum Pause {
    Waited,
    OutOfAttempts,
    TooLong { wait_ms: u64 },
    RanOut(RanOut),
}

/// Waits before the next attempt, by the provider's hint or with full jitter, if the run has time.
async fn pause<P: Clock + Random>(
    cx: Context<'_, P>,
    attempt: u32,
    hint: Option<u64>,
    wait: Wait,
) -> Pause {
    if attempt >= ATTEMPTS_MAX {
        return Pause::OutOfAttempts;
    }
    let most = BACKOFF_FIRST_MS << (attempt - 1);
    let wait_ms = hint.unwrap_or_else(|| 1 + cx.ports.next_u64() % most);
    if let Err(ran_out @ RanOut::Requests { .. }) = cx.may_repeat() {
        return Pause::RanOut(ran_out);
    }
    let left = cx.session.budget.ms_to_begin(cx.ports.monotonic_ms());
    if i64::try_from(wait_ms).unwrap_or(i64::MAX) >= left {
        return Pause::TooLong { wait_ms };
    }
    cx.session.note_wait(Wait {
        ms: wait_ms,
        ..wait
    });
    cx.ports.sleep_ms(wait_ms).await;
    Pause::Waited
}

#[cfg(test)]
mod tests;
