//! HTTP by fetch.

use std::pin::pin;
use std::time::Duration;

use ::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use futures_util::future::{Either, select};
use kedge_adapters::{host_of, read_may_be_sent, write_may_be_sent};
use kedge_engine::ports::{
    ANSWER_BYTES_MAX, HttpError, HttpRead, HttpWrite, ReadRequest, WriteRequest,
};
use worker::js_sys::Uint8Array;
use worker::{
    AbortController, AbortSignal, CacheMode, Delay, Fetch, Headers, RequestInit, RequestRedirect,
};

/// One request, from its begin to the last byte of the answer (semantics 8.4), in milliseconds. Fetch has no
/// limit of its own.
const REQUEST_TIMEOUT_MS: u64 = 15_000;

/// HTTP by the runtime's fetch.
///
/// Redirects are answers and are not followed: a token must not travel to another host. Nothing is taken from a
/// cache. A request is sent once; repeating is the engine's business. Fetch does not say whether a request left
/// before it failed, so nothing that fails counts as not sent.
#[derive(Debug, Clone, Copy)]
pub struct FetchHttp {
    read_only: bool,
}

impl FetchHttp {
    /// One that refuses what is not in the table of reads if it may only read (semantics 9.7).
    #[must_use]
    pub fn new(read_only: bool) -> Self {
        Self { read_only }
    }

    /// Sends one request of the shell, once, and takes in the whole answer, up to `bytes_max`. Any status is an
    /// answer.
    ///
    /// # Errors
    /// When no whole answer came.
    pub async fn exchange(
        &self,
        request: &Request<Bytes>,
        bytes_max: usize,
    ) -> Result<Response<Bytes>, HttpError> {
        let host = host_of(request.uri());
        let broken = |error: worker::Error| HttpError::Broken(format!("{host}: {error}"));
        let request =
            fetched(request).map_err(|error| HttpError::NotSent(format!("{host}: {error}")))?;
        let controller = AbortController::default();
        let signal = controller.signal();
        let answer = {
            let exchange = pin!(whole_answer(request, &signal, bytes_max));
            let timeout = pin!(Delay::from(Duration::from_millis(REQUEST_TIMEOUT_MS)));
            match select(exchange, timeout).await {
                Either::Left((answer, _)) => answer,
                Either::Right(_) => Err(Unfinished::TimedOut),
            }
        };
        answer.map_err(|why| {
            // What is left of the answer would hold one of the few connections.
            controller.abort();
            match why {
                Unfinished::TimedOut => HttpError::Timeout(REQUEST_TIMEOUT_MS),
                Unfinished::TooLarge => HttpError::TooLarge(bytes_max),
                Unfinished::Broken(error) => broken(error),
            }
        })
    }
}

impl HttpRead for FetchHttp {
    async fn send_read(&self, request: &ReadRequest) -> Result<Response<Bytes>, HttpError> {
        read_may_be_sent(self.read_only, request)?;
        self.exchange(request.request(), ANSWER_BYTES_MAX).await
    }
}

impl HttpWrite for FetchHttp {
    async fn send_write(&self, request: &WriteRequest) -> Result<Response<Bytes>, HttpError> {
        write_may_be_sent(self.read_only, request)?;
        #[cfg(feature = "planted")]
        crate::planted::before_write();
        self.exchange(request.request(), ANSWER_BYTES_MAX).await
    }
}

/// Why an answer did not come whole.
enum Unfinished {
    TimedOut,
    TooLarge,
    Broken(worker::Error),
}

impl From<worker::Error> for Unfinished {
    fn from(error: worker::Error) -> Self {
        Self::Broken(error)
    }
}

/// The request as fetch takes it.
fn fetched(request: &Request<Bytes>) -> worker::Result<worker::Request> {
    let headers = Headers::new();
    for (name, value) in request.headers() {
        let value = value.to_str().map_err(|_| unprintable())?;
        headers.append(name.as_str(), value)?;
    }
    headers.set("user-agent", concat!("kedge/", env!("CARGO_PKG_VERSION")))?;
    let mut init = RequestInit::new();
    init.with_method(request.method().as_str().to_owned().into())
        .with_headers(headers)
        .with_redirect(RequestRedirect::Manual)
        .with_cache(CacheMode::NoStore);
    // GET takes none, not even an empty one.
    if request.method() != Method::GET && !request.body().is_empty() {
        let body = Uint8Array::from(request.body().as_ref());
        init.with_body(Some(body.into()));
    }
    worker::Request::new_with_init(&request.uri().to_string(), &init)
}

fn unprintable() -> worker::Error {
    worker::Error::RustError("a header's value is not text".to_owned())
}

async fn whole_answer(
    request: worker::Request,
    signal: &AbortSignal,
    bytes_max: usize,
) -> Result<Response<Bytes>, Unfinished> {
    let mut answer = Fetch::Request(request).send_with_signal(signal).await?;
    let headers = headers_of(answer.headers());
    let status = StatusCode::from_u16(answer.status_code());
    let status = status.map_err(|_| worker::Error::RustError("its status is none".to_owned()))?;
    let mut body = BytesMut::new();
    // There is no stream where there is no body.
    if let Ok(mut stream) = answer.stream() {
        while let Some(chunk) = stream.next().await {
            let chunk = chunk?;
            if body.len() + chunk.len() > bytes_max {
                return Err(Unfinished::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
    }
    let mut response = Response::new(body.freeze());
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

/// The headers that are text. Others say nothing that anybody here reads.
fn headers_of(headers: &Headers) -> HeaderMap {
    let pairs = headers.entries().filter_map(|(name, value)| {
        let name = HeaderName::try_from(name).ok()?;
        Some((name, HeaderValue::try_from(value).ok()?))
    });
    let mut found = HeaderMap::new();
    for (name, value) in pairs {
        found.append(name, value);
    }
    found
}
