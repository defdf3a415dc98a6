//! Spans for a collector: OTLP as protobuf over HTTP, by the client that this crate has anyway.
//!
//! Spans are sent in batches by a thread of their own. A collector that can't be reached loses spans; it
//! slows down and fails nothing.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response, Uri};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::runtime::{Builder, Runtime};
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::LevelFilter;

use super::{BoxedLayer, LogsError, ours};
use crate::http::{HttpOptions, NativeHttp};
use kedge_adapters::Settings;

/// The longest that a batch may take, in milliseconds.
const TIMEOUT_MS: u64 = 10_000;
/// What the spans are by, unless `OTEL_SERVICE_NAME` says it.
const SERVICE: &str = "kedge";

/// Sends spans as long as it is held.
pub(super) struct Spans(SdkTracerProvider);

impl fmt::Debug for Spans {
    /// No more: settings may hold credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spans").finish_non_exhaustive()
    }
}

impl Spans {
    /// Sends to the collector that the settings name; none if they name none.
    pub(super) fn of(settings: &Settings) -> Result<Option<Self>, LogsError> {
        let Some(endpoint) = settings.get("OTEL_EXPORTER_OTLP_ENDPOINT") else {
            return Ok(None);
        };
        let is_address = |uri: &Uri| matches!(uri.scheme_str(), Some("http" | "https"));
        if !endpoint.parse().is_ok_and(|uri| is_address(&uri)) {
            // Without its text, which may hold a password.
            let problem = "it must be an http or https address";
            return Err(LogsError::Otlp(problem.to_owned()));
        }
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Client::new()?)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
            .build()
            .map_err(|error| LogsError::Otlp(error.to_string()))?;
        let name = settings.get("OTEL_SERVICE_NAME").unwrap_or(SERVICE);
        let resource = Resource::builder().with_service_name(name.to_owned());
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource.build());
        Ok(Some(Self(provider.build())))
    }

    /// Takes down runs, stages and requests to providers.
    pub(super) fn layer(&self) -> BoxedLayer {
        let layer = tracing_opentelemetry::layer()
            .with_location(false)
            .with_threads(false)
            .with_tracer(self.0.tracer(SERVICE));
        layer.with_filter(ours(LevelFilter::DEBUG)).boxed()
    }
}

impl Drop for Spans {
    fn drop(&mut self) {
        // What could not be sent was said.
        let _ = self.0.shutdown();
    }
}

/// Our client, for the thread that sends batches: it has no runtime of its own.
struct Client {
    http: NativeHttp,
    runtime: Option<Runtime>,
    /// Whether the last batch failed, and this was said.
    is_failing: AtomicBool,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl Client {
    fn new() -> Result<Self, LogsError> {
        let options = HttpOptions {
            timeout_ms: TIMEOUT_MS,
            ..HttpOptions::default()
        };
        let http = NativeHttp::new(options).map_err(|error| LogsError::Otlp(error.to_string()))?;
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| LogsError::Otlp(error.to_string()))?;
        Ok(Self {
            http,
            runtime: Some(runtime),
            is_failing: AtomicBool::new(false),
        })
    }

    /// Says that spans are lost, once until it goes well again.
    fn note(&self, problem: Option<&str>) {
        let was_failing = self.is_failing.swap(problem.is_some(), Ordering::Relaxed);
        if let (Some(problem), false) = (problem, was_failing) {
            tracing::warn!(problem, "spans could not be sent to the collector");
        }
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let Some(runtime) = &self.runtime else {
            return Err("the client ended".into());
        };
        let answer = runtime.block_on(self.http.exchange(&request));
        match &answer {
            Ok(answer) if answer.status().is_success() => self.note(None),
            Ok(answer) => self.note(Some(answer.status().as_str())),
            Err(error) => self.note(Some(&error.to_string())),
        }
        Ok(answer?)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // A runtime that is dropped within another one panics.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};
    use tracing::subscriber::with_default;
    use tracing::{debug_span, error_span, trace_span};
    use tracing_subscriber::layer::SubscriberExt as _;

    fn settings(endpoint: Option<&str>) -> Settings {
        let name = "OTEL_EXPORTER_OTLP_ENDPOINT".to_owned();
        let pairs = endpoint.map(|endpoint| (name, endpoint.to_owned()));
        Settings::of(pairs)
    }

    /// The head and the body of a request, which is answered with 200.
    fn taken(mut stream: TcpStream) -> (String, Vec<u8>) {
        let (mut bytes, mut part) = (Vec::new(), [0_u8; 4096]);
        loop {
            let count = stream.read(&mut part).unwrap();
            bytes.extend_from_slice(&part[..count]);
            let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
            let Some(end) = end else { continue };
            let head = String::from_utf8(bytes[..end].to_vec())
                .unwrap()
                .to_lowercase();
            let length = head.split("content-length: ").nth(1).unwrap();
            let length: usize = length.lines().next().unwrap().parse().unwrap();
            if bytes.len() >= end + 4 + length {
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                    .unwrap();
                return (head, bytes[end + 4..].to_vec());
            }
        }
    }

    #[test]
    fn spans_arrive_at_the_collector_down_to_requests() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}/", listener.local_addr().unwrap());
        let spans = Spans::of(&settings(Some(&endpoint))).unwrap().unwrap();
        let subscriber = tracing_subscriber::registry().with(vec![spans.layer()]);
        with_default(subscriber, || {
            let run = error_span!(target: "kedge", "run", run.id = %"17-ab");
            run.in_scope(|| {
                debug_span!(target: "kedge", "request", status = 503).in_scope(|| ());
                trace_span!(target: "kedge", "too_fine").in_scope(|| ());
                debug_span!(target: "hyper::client", "of_a_library").in_scope(|| ());
            });
        });
        let (head, body) = std::thread::scope(|scope| {
            let taking = scope.spawn(|| taken(listener.accept().unwrap().0));
            drop(spans);
            taking.join().unwrap()
        });
        assert!(head.starts_with("post /v1/traces http/1.1"), "{head}");
        assert!(
            head.contains("content-type: application/x-protobuf"),
            "{head}"
        );
        let has = |text: &str| body.windows(text.len()).any(|part| part == text.as_bytes());
        for text in [
            "service.name",
            "kedge",
            "run.id",
            "17-ab",
            "request",
            "status",
        ] {
            assert!(has(text), "{text}");
        }
        assert!(!has("too_fine") && !has("of_a_library"));
    }

    #[test]
    fn what_is_no_address_is_refused_and_not_repeated() {
        for endpoint in ["collector:4318", "ftp://u:s3cret@h", "not one"] {
            let error = Spans::of(&settings(Some(endpoint)))
                .unwrap_err()
                .to_string();
            let expected = "OTEL_EXPORTER_OTLP_ENDPOINT can't be used: it must be an http or https \
                            address";
            assert_eq!(error, expected);
        }
    }

    #[test]
    fn without_an_endpoint_nothing_is_sent() {
        assert!(Spans::of(&settings(None)).unwrap().is_none());
    }
}
