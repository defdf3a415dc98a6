//! HTTP by reqwest.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use kedge_adapters::{host_of, read_may_be_sent, read_only_refusal, write_may_be_sent};
use kedge_engine::ports::{
    ANSWER_BYTES_MAX, HttpError, HttpRead, HttpWrite, ReadRequest, WriteRequest,
};
use thiserror::Error;

/// One request, from the first byte of connecting to the last of the answer (semantics 8.4).
const REQUEST_TIMEOUT_MS: u64 = 15_000;
/// Name look-up, TCP and TLS together. Shorter than a request's whole time, so that a request that
/// was never sent is known as such.
const CONNECT_TIMEOUT_MS: u64 = 5_000;

/// Makes ring the TLS provider of this process. To be called first in `main`; again changes nothing.
pub fn install_tls() {
    // An error means that a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// How requests are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpOptions {
    /// The most milliseconds for one request with its whole answer.
    pub timeout_ms: u64,
    /// The most milliseconds for connecting.
    pub connect_timeout_ms: u64,
    /// The most bytes of one answer.
    pub answer_bytes_max: usize,
    /// `KEDGE_READ_ONLY`: whatever is not known to read is refused (semantics 9.7).
    pub read_only: bool,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            timeout_ms: REQUEST_TIMEOUT_MS,
            connect_timeout_ms: CONNECT_TIMEOUT_MS,
            answer_bytes_max: ANSWER_BYTES_MAX,
            read_only: false,
        }
    }
}

/// The client could not be made, mostly for want of root certificates.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("could not set up HTTPS: {0}")]
pub struct HttpBuildError(String);

/// HTTP over the network.
///
/// Servers are checked against the system's root certificates (`SSL_CERT_FILE` and `SSL_CERT_DIR`
/// replace them on Linux). `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` are honoured.
/// Redirects are answers and are not followed: a token must not travel to another host. A request
/// is sent once; repeating is the engine's business.
///
/// A clone shares connections and root certificates: providers, store and platform of a process are asked
/// through one.
#[derive(Debug, Clone)]
pub struct NativeHttp {
    client: reqwest::Client,
    options: HttpOptions,
    refusals: Arc<AtomicU64>,
}

impl NativeHttp {
    /// A client with a connection pool of its own.
    ///
    /// # Errors
    /// When the system has no usable root certificates.
    pub fn new(options: HttpOptions) -> Result<Self, HttpBuildError> {
        install_tls();
        let client = reqwest::Client::builder()
            .user_agent(concat!("kedge/", env!("CARGO_PKG_VERSION")))
            .timeout(Duration::from_millis(options.timeout_ms))
            .connect_timeout(Duration::from_millis(options.connect_timeout_ms))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .build()
            .map_err(|error| HttpBuildError(causes(&error)))?;
        Ok(Self {
            client,
            options,
            refusals: Arc::default(),
        })
    }

    /// How many answers to this client and its clones were 401 or 403 so far: a credential may have been
    /// replaced.
    #[must_use]
    pub fn refusals(&self) -> u64 {
        self.refusals.load(Ordering::Relaxed)
    }

    /// The same client, which takes in no answer beyond so many bytes.
    #[must_use]
    pub fn with_answers_up_to(&self, bytes: usize) -> Self {
        let mut http = self.clone();
        http.options.answer_bytes_max = bytes.min(http.options.answer_bytes_max);
        http
    }

    /// Sends one request of another adapter (the store's), once, and takes in the whole answer. Any
    /// status is an answer.
    ///
    /// # Errors
    /// When no whole answer came, or where this process may only read and it is no GET.
    pub async fn exchange(&self, request: &Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        if self.options.read_only && request.method() != http::Method::GET {
            return Err(read_only_refusal(request));
        }
        self.send(request).await
    }

    /// Sends one request to the platform that this process runs on (its queue, its secrets), once, and takes
    /// in the whole answer. `KEDGE_READ_ONLY` says nothing of that: neither a provider's resource nor
    /// anything in the store changes by it.
    ///
    /// # Errors
    /// When no whole answer came.
    pub async fn exchange_with_platform(
        &self,
        request: &Request<Bytes>,
    ) -> Result<Response<Bytes>, HttpError> {
        self.send(request).await
    }

    async fn send(&self, request: &Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let host = host_of(request.uri());
        let failed = |error: reqwest::Error| self.failure(&host, error);
        let request = reqwest::Request::try_from(request.clone())
            .map_err(|error| HttpError::NotSent(causes(&error.without_url())))?;
        let mut answer = self.client.execute(request).await.map_err(failed)?;
        if matches!(answer.status().as_u16(), 401 | 403) {
            self.refusals.fetch_add(1, Ordering::Relaxed);
        }
        let most = self.options.answer_bytes_max;
        let announced = answer.content_length().unwrap_or(0);
        if announced > most as u64 {
            return Err(HttpError::TooLarge(most));
        }
        let mut body = BytesMut::new();
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > most {
                return Err(HttpError::TooLarge(most));
            }
            body.extend_from_slice(&chunk);
        }
        let mut response = Response::new(body.freeze());
        *response.status_mut() = answer.status();
        *response.headers_mut() = std::mem::take(answer.headers_mut());
        Ok(response)
    }

    /// Sorts an error by what it says of the request's fate. Whatever went wrong while connecting
    /// was before the request; all else may have been after it.
    fn failure(&self, host: &str, error: reqwest::Error) -> HttpError {
        let connecting = error.is_connect();
        let timeout = error.is_timeout();
        let causes = causes(&error.without_url());
        if connecting {
            HttpError::NotSent(format!("{host}: {causes}"))
        } else if timeout {
            HttpError::Timeout(self.options.timeout_ms)
        } else {
            HttpError::Broken(format!("{host}: {causes}"))
        }
    }
}

impl HttpRead for NativeHttp {
    async fn send_read(&self, request: &ReadRequest) -> Result<Response<Bytes>, HttpError> {
        read_may_be_sent(self.options.read_only, request)?;
        self.send(request.request()).await
    }
}

impl HttpWrite for NativeHttp {
    async fn send_write(&self, request: &WriteRequest) -> Result<Response<Bytes>, HttpError> {
        write_may_be_sent(self.options.read_only, request)?;
        self.send(request.request()).await
    }
}

/// What lies under an error, without repetition. The outermost text of reqwest says only that a
/// request failed, and is left out when there is more to say.
fn causes(error: &reqwest::Error) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if !texts.iter().any(|earlier| earlier.contains(&text)) {
            texts.push(text);
        }
        next = cause.source();
    }
    if texts.is_empty() {
        return error.to_string();
    }
    texts.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    /// What a server does once it has read a request's head.
    enum Server {
        Says(&'static str),
        /// So many bytes, none of them announced.
        Streams(usize),
        /// A byte now and then, without end.
        Drips,
        Hangs,
        Drops,
    }

    /// Sends one request to a server that behaves so.
    async fn ask(server: Server, options: HttpOptions) -> Result<Response<Bytes>, HttpError> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let http = NativeHttp::new(options).unwrap();
        let uri = format!("http://{address}/path?token=t0ps3cret");
        let request = Request::get(uri).body(Bytes::new()).unwrap();
        let serve = async {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut head = [0; 4096];
            let _ = socket.read(&mut head).await.unwrap();
            match server {
                Server::Says(text) => socket.write_all(text.as_bytes()).await.unwrap(),
                Server::Streams(length) => {
                    let _ = socket.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
                    let piece = [b' '; 64 * 1024];
                    for _ in 0..length / piece.len() {
                        // The client hangs up on purpose.
                        let _ = socket.write_all(&piece).await;
                    }
                }
                Server::Drips => {
                    let _ = socket.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
                    while socket.write_all(b" ").await.is_ok() {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                }
                Server::Hangs => std::future::pending().await,
                Server::Drops => {}
            }
            drop(socket);
            std::future::pending::<()>().await;
        };
        tokio::select! {
            biased;
            answer = http.send(&request) => answer,
            () = serve => unreachable!(),
        }
    }

    fn quick() -> HttpOptions {
        HttpOptions {
            timeout_ms: 300,
            answer_bytes_max: 10,
            ..HttpOptions::default()
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn any_status_is_an_answer_and_redirects_are_not_followed() {
        for (text, status) in [
            ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi", 200),
            ("HTTP/1.1 500 No\r\ncontent-length: 2\r\n\r\nhi", 500),
            (
                "HTTP/1.1 307 Go\r\nlocation: /x\r\ncontent-length: 2\r\n\r\nhi",
                307,
            ),
        ] {
            let answer = ask(Server::Says(text), quick()).await.unwrap();
            assert_eq!(answer.status().as_u16(), status);
            assert_eq!(answer.headers()["content-length"], "2");
            assert_eq!(answer.body().as_ref(), b"hi");
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn refused_credentials_are_counted_by_all_clones() {
        let http = NativeHttp::new(quick()).unwrap();
        for (status, refusals) in [(200, 0), (401, 1), (404, 1), (403, 2), (500, 2)] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let uri = format!("http://{}/", listener.local_addr().unwrap());
            let request = Request::get(uri).body(Bytes::new()).unwrap();
            let head = format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n");
            let clone = http.with_answers_up_to(5);
            let serve = async {
                let (mut socket, _) = listener.accept().await.unwrap();
                let mut asked = [0; 4096];
                let _ = socket.read(&mut asked).await.unwrap();
                socket.write_all(head.as_bytes()).await.unwrap();
            };
            let (answer, ()) = tokio::join!(clone.send(&request), serve);
            assert_eq!(answer.unwrap().status().as_u16(), status);
            assert_eq!(http.refusals(), refusals, "{status}");
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn lost_answers_are_told_from_requests_never_sent() {
        assert_eq!(
            ask(Server::Hangs, quick()).await.unwrap_err(),
            HttpError::Timeout(300)
        );
        let cut = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhi";
        let mixed = "220 mail.example ESMTP\r\n";
        for server in [Server::Drops, Server::Says(cut), Server::Says(mixed)] {
            let error = ask(server, quick()).await.unwrap_err();
            assert!(matches!(error, HttpError::Broken(_)), "{error}");
            assert!(!error.to_string().contains("t0ps3cret"), "{error}");
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn answers_beyond_the_limit_are_not_taken_in() {
        let announced = "HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n";
        let streamed = "HTTP/1.1 200 OK\r\n\r\n0123456789+";
        for text in [announced, streamed] {
            let error = ask(Server::Says(text), quick()).await.unwrap_err();
            assert_eq!(error, HttpError::TooLarge(10));
        }
        let just = "HTTP/1.1 200 OK\r\n\r\n0123456789";
        assert!(ask(Server::Says(just), quick()).await.is_ok());
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_hundred_megabytes_are_not_taken_in() {
        let error = ask(Server::Streams(100_000_000), HttpOptions::default()).await;
        assert_eq!(error.unwrap_err(), HttpError::TooLarge(ANSWER_BYTES_MAX));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_body_that_drips_is_no_answer_in_time() {
        let unlimited = HttpOptions {
            answer_bytes_max: ANSWER_BYTES_MAX,
            ..quick()
        };
        let error = ask(Server::Drips, unlimited).await.unwrap_err();
        assert_eq!(error, HttpError::Timeout(300));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn no_connection_means_not_sent() {
        // A port that was free a moment ago, and a name that can't exist (RFC 6761).
        let free = {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            listener.local_addr().unwrap()
        };
        let http = NativeHttp::new(HttpOptions::default()).unwrap();
        for base in [format!("http://{free}"), "https://kedge.invalid".to_owned()] {
            let uri = format!("{base}/?token=t0ps3cret");
            let request = Request::get(uri).body(Bytes::new()).unwrap();
            let error = http.send(&request).await.unwrap_err();
            assert!(matches!(error, HttpError::NotSent(_)), "{error}");
            assert!(!error.to_string().contains("t0ps3cret"), "{error}");
        }
    }
}
