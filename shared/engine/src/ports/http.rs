//! HTTP in two sealed kinds: a request that reads and a request that writes.

use bytes::Bytes;
pub use kedge_core::providers::ProviderName;
use kedge_core::stored::OBJECT_BYTES_MAX;
use thiserror::Error;

/// The largest answer that is taken in, in bytes. A bulk read of 100 Kafka topics with consumer
/// groups is the largest honest one (some megabytes on busy clusters); beyond this it is a fault.
pub const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

// A bucket answers with whole objects: each that is written can be read.
const _: () = assert!(OBJECT_BYTES_MAX <= ANSWER_BYTES_MAX);

/// A request that changes nothing. Only a provider's `requests.rs` makes one; the HTTP verb does
/// not tell (Aiven's bulk read is a POST).
#[derive(Debug, Clone)]
pub struct ReadRequest {
    provider: ProviderName,
    name: &'static str,
    request: http::Request<Bytes>,
}

impl ReadRequest {
    pub(crate) fn new(
        provider: ProviderName,
        name: &'static str,
        request: http::Request<Bytes>,
    ) -> Self {
        Self {
            provider,
            name,
            request,
        }
    }

    /// Who is asked.
    #[must_use]
    pub fn provider(&self) -> ProviderName {
        self.provider
    }

    /// What is asked, in a fixed word for logs: `topics.list`. Addresses have names of people's things.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The request, for the adapter that sends it.
    #[must_use]
    pub fn request(&self) -> &http::Request<Bytes> {
        &self.request
    }
}

/// A request that changes the world. Only a provider's `requests.rs` makes one, and only `apply`
/// has a port to send it.
#[derive(Debug, Clone)]
pub struct WriteRequest {
    provider: ProviderName,
    name: &'static str,
    request: http::Request<Bytes>,
}

impl WriteRequest {
    pub(crate) fn new(
        provider: ProviderName,
        name: &'static str,
        request: http::Request<Bytes>,
    ) -> Self {
        Self {
            provider,
            name,
            request,
        }
    }

    /// Who is asked.
    #[must_use]
    pub fn provider(&self) -> ProviderName {
        self.provider
    }

    /// What is asked, in a fixed word for logs: `topics.list`. Addresses have names of people's things.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The request, for the adapter that sends it.
    #[must_use]
    pub fn request(&self) -> &http::Request<Bytes> {
        &self.request
    }
}

/// Why there is no whole answer. It says whether the request may have arrived.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HttpError {
    /// The request never left: no address, no connection, no TLS. Nothing was changed.
    #[error("could not connect: {0}")]
    NotSent(String),
    /// No answer in time. The request may have arrived.
    #[error("no answer within {}", seconds(*.0))]
    Timeout(u64),
    /// The connection broke before a whole answer. The request may have arrived.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// The answer is larger than [`ANSWER_BYTES_MAX`].
    #[error("the answer is larger than {}", mebibytes(*.0))]
    TooLarge(usize),
    /// The transport refuses it: `KEDGE_READ_ONLY=1` and not in the table of reads.
    #[error("refused: {0}")]
    Refused(String),
}

/// A length of time as people say it.
fn seconds(ms: u64) -> String {
    match ms % 1_000 {
        0 => format!("{} s", ms / 1_000),
        _ => format!("{ms} ms"),
    }
}

/// A size as people say it.
fn mebibytes(bytes: usize) -> String {
    const MIB: usize = 1024 * 1024;
    match bytes % MIB {
        0 => format!("{} MiB", bytes / MIB),
        _ => format!("{bytes} bytes"),
    }
}

/// Sends requests that read.
#[expect(
    async_fn_in_trait,
    reason = "static dispatch; callers need no Send bound"
)]
pub trait HttpRead {
    /// Sends one request, once, and takes in the whole answer. Any status is an answer.
    ///
    /// # Errors
    /// When no whole answer came.
    async fn send_read(&self, request: &ReadRequest) -> Result<http::Response<Bytes>, HttpError>;
}

/// Sends requests that write.
#[expect(
    async_fn_in_trait,
    reason = "static dispatch; callers need no Send bound"
)]
pub trait HttpWrite {
    /// Sends one request, once, and takes in the whole answer. Any status is an answer.
    ///
    /// # Errors
    /// When no whole answer came; all but [`HttpError::NotSent`] and [`HttpError::Refused`] leave
    /// open whether the change was made.
    async fn send_write(&self, request: &WriteRequest) -> Result<http::Response<Bytes>, HttpError>;
}
