//! The sandbox behind a socket: HTTP/1.1, one thread, connections kept alive. The one place with a clock.

#[cfg(feature = "tls")]
use crate::tls::Tls;
use crate::{Outcome, Sandbox};
use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};

/// The largest request body read; larger ones get 413.
const LARGEST_BODY: usize = 8 * 1024 * 1024;
/// After a failed accept (no file descriptors left, as a rule) the others get time to finish.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Answers connections of `listener` until `shutdown` is done; what is under way then is dropped.
///
/// Needs a current-thread runtime, but no `LocalSet` around it.
pub async fn serve(
    sandbox: Rc<Sandbox>,
    listener: TcpListener,
    shutdown: impl Future<Output = ()>,
) -> std::io::Result<()> {
    accept(listener, shutdown, |stream| {
        connection(Rc::clone(&sandbox), stream)
    })
    .await;
    Ok(())
}

/// The same on a port that takes both: TLS where a connection begins so, else plain HTTP.
#[cfg(feature = "tls")]
pub async fn serve_tls(
    sandbox: Rc<Sandbox>,
    listener: TcpListener,
    tls: Rc<Tls>,
    shutdown: impl Future<Output = ()>,
) -> std::io::Result<()> {
    accept(listener, shutdown, |stream| {
        let (sandbox, tls) = (Rc::clone(&sandbox), Rc::clone(&tls));
        async move {
            match crate::tls::begins_so(&stream).await {
                false => connection(sandbox, stream).await,
                // An error ends the connection: a client that does not trust the certificate.
                true => {
                    if let Ok(stream) = tls.accept(stream).await {
                        connection(sandbox, stream).await;
                    }
                }
            }
        }
    })
    .await;
    Ok(())
}

/// Hands each connection to `each`, side by side, until `shutdown` is done.
async fn accept<F: Future<Output = ()> + 'static>(
    listener: TcpListener,
    shutdown: impl Future<Output = ()>,
    each: impl Fn(TcpStream) -> F,
) {
    let local = tokio::task::LocalSet::new();
    let accepting = local.run_until(async {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    // Small answers; waiting to fill packets would only add latency that nobody asked for.
                    let _ = stream.set_nodelay(true);
                    tokio::task::spawn_local(each(stream));
                }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            }
        }
    });
    tokio::select! {
        () = accepting => {}
        () = pin!(shutdown) => {}
    }
}

async fn connection<S>(sandbox: Rc<Sandbox>, stream: S)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let service = service_fn(|request| answer(Rc::clone(&sandbox), request));
    // An error ends the connection: a client that went away, or an answer lost on purpose.
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// The error that makes hyper close the connection without an answer.
#[derive(Debug)]
struct AnswerLost;

impl std::fmt::Display for AnswerLost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the answer is lost on purpose")
    }
}

impl std::error::Error for AnswerLost {}

async fn answer(
    sandbox: Rc<Sandbox>,
    request: Request<Incoming>,
) -> Result<Response<Sent>, AnswerLost> {
    let (parts, body) = request.into_parts();
    let Ok(body) = Limited::new(body, LARGEST_BODY).collect().await else {
        let mut refused = Response::new(Sent::new(Bytes::new()));
        *refused.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
        // What is left of the body is not worth reading.
        let close = HeaderValue::from_static("close");
        refused.headers_mut().insert(CONNECTION, close);
        return Ok(refused);
    };
    let reply = sandbox.handle(Request::from_parts(parts, body.to_bytes()), now_ms());
    tokio::time::sleep(Duration::from_millis(reply.delay_ms)).await;
    match reply.outcome {
        Outcome::Lost => Err(AnswerLost),
        Outcome::Response(response) => {
            let (parts, bytes) = response.into_parts();
            let cut = reply.padding == 0 && parts.headers.contains_key(CONTENT_LENGTH);
            let sent = Sent {
                padding: reply.padding,
                drip: Duration::from_millis(reply.drip_ms),
                cut,
                flushed: !cut,
                ..Sent::new(bytes)
            };
            Ok(Response::from_parts(parts, sent))
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a socket server lives in real time; the simulation never comes here"
)]
fn now_ms() -> i64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_millis()).ok())
        .unwrap_or(0)
}

/// Spaces are sent in pieces of this size.
const PADDING: &[u8] = &[b' '; 64 * 1024];

/// A body that, when cut, does not tell its length, so that the header's larger one stands and hyper breaks off.
struct Sent {
    rest: Bytes,
    /// Spaces still to be sent.
    padding: u64,
    /// The wait before each byte; zero sends all at once.
    drip: Duration,
    waiting: Option<Pin<Box<tokio::time::Sleep>>>,
    cut: bool,
    flushed: bool,
}

impl Sent {
    fn new(rest: Bytes) -> Self {
        Self {
            rest,
            padding: 0,
            drip: Duration::ZERO,
            waiting: None,
            cut: false,
            flushed: true,
        }
    }

    /// The next piece of what is left; none at the end.
    fn next_piece(&mut self) -> Option<Bytes> {
        if !self.rest.is_empty() {
            let most = if self.drip.is_zero() {
                self.rest.len()
            } else {
                1
            };
            return Some(self.rest.split_to(most));
        }
        let length = usize::try_from(self.padding).unwrap_or(usize::MAX);
        let piece = PADDING.get(..length).unwrap_or(PADDING);
        self.padding -= u64::try_from(piece.len()).unwrap_or(self.padding);
        (!piece.is_empty()).then(|| Bytes::from_static(piece))
    }
}

impl Body for Sent {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if !self.drip.is_zero() && !self.rest.is_empty() {
            let drip = self.drip;
            let waiting = self
                .waiting
                .get_or_insert_with(|| Box::pin(tokio::time::sleep(drip)));
            if waiting.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            self.waiting = None;
        }
        if let Some(piece) = self.next_piece() {
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        if !self.flushed {
            // One turn for hyper to send what it has, or the break would swallow the first half too.
            self.flushed = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.padding == 0 && !self.cut
    }

    fn size_hint(&self) -> SizeHint {
        match u64::try_from(self.rest.len()) {
            Ok(length) if !self.cut => SizeHint::with_exact(length.saturating_add(self.padding)),
            _ => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Effect, Fault, Options};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    const LIST: &str = "GET /v1/projects/clustera-control-plane/topics HTTP/1.1\r\nhost: x\r\n";

    /// Sends a text to a fresh server with that fault, and reads until the connection ends.
    async fn talk(effect: Option<Effect>, text: String) -> String {
        let sandbox = Rc::new(Sandbox::new(Options::default()));
        if let Some(effect) = effect {
            sandbox.add_fault(Fault::always(effect));
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (said, heard) = tokio::sync::oneshot::channel::<()>();
        let client = async {
            let mut stream = TcpStream::connect(address).await.unwrap();
            // The server may close while a large body is still on its way.
            let _ = stream.write_all(text.as_bytes()).await;
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer).await;
            said.send(()).unwrap();
            String::from_utf8(answer).unwrap()
        };
        let shutdown = async {
            let _ = heard.await;
        };
        let (served, answer) = tokio::join!(serve(sandbox, listener, shutdown), client);
        served.unwrap();
        answer
    }

    #[tokio::test]
    async fn connections_are_kept_and_closed() {
        let two = format!("{LIST}\r\n{LIST}connection: close\r\n\r\n");
        let answer = talk(None, two).await;
        assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 2, "{answer}");
        assert!(answer.contains("content-length: 2\r\n"), "{answer}");
    }

    #[tokio::test]
    async fn lost_and_cut_answers_break_the_connection() {
        let lost = talk(
            Some(Effect::LoseAnswer { applied: true }),
            format!("{LIST}\r\n"),
        )
        .await;
        assert_eq!(lost, "");
        let cut = talk(Some(Effect::CutBody), format!("{LIST}\r\n")).await;
        let (head, body) = cut.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("content-length: 2"), "{head}");
        assert_eq!(body, "{");
    }

    #[tokio::test]
    async fn huge_and_slow_bodies_come_whole() {
        let closing = format!("{LIST}connection: close\r\n\r\n");
        let huge = talk(Some(Effect::HugeBody { bytes: 300_000 }), closing.clone()).await;
        let (head, body) = huge.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("content-length: 300000\r\n"), "{head}");
        assert_eq!((body.len(), body.trim_end()), (300_000, "{}"));
        let began = tokio::time::Instant::now();
        let slow = talk(Some(Effect::Drip { ms: 100 }), closing).await;
        assert!(slow.ends_with("\r\n\r\n{}"), "{slow}");
        assert!(began.elapsed() >= Duration::from_millis(200));
    }

    #[tokio::test]
    async fn a_body_has_a_limit() {
        let body = " ".repeat(LARGEST_BODY + 1);
        let head = format!(
            "PUT /v1/projects/p/topics/t HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let answer = talk(None, head + &body).await;
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 413"),
            "{answer}"
        );
    }

    #[cfg(feature = "tls")]
    #[tokio::test]
    async fn one_port_speaks_plain_http_and_tls() {
        use tokio_rustls::TlsConnector;
        use tokio_rustls::rustls::pki_types::pem::PemObject as _;
        use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
        use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

        let tls = Rc::new(Tls::new().unwrap());
        let connector = |pem: &str| {
            let mut roots = RootCertStore::empty();
            roots
                .add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap())
                .unwrap();
            let provider = std::sync::Arc::new(crypto::ring::default_provider());
            let config = ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(roots)
                .with_no_client_auth();
            TlsConnector::from(std::sync::Arc::new(config))
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (said, heard) = tokio::sync::oneshot::channel::<()>();
        let request = format!("{LIST}connection: close\r\n\r\n");
        let client = async {
            let mut statuses = Vec::new();
            let connect = async || TcpStream::connect(address).await.unwrap();
            let stranger = Tls::new().unwrap();
            for (pem, name) in [
                (tls.certificate_pem(), "localhost"),
                (tls.certificate_pem(), "127.0.0.1"),
                (tls.certificate_pem(), "::1"),
                // Not who is asked for, and not the certificate that is trusted.
                (tls.certificate_pem(), "clustera.io"),
                (stranger.certificate_pem(), "localhost"),
            ] {
                let name = ServerName::try_from(name.to_owned()).unwrap();
                let status = match connector(pem).connect(name, connect().await).await {
                    Err(_) => "not trusted".to_owned(),
                    Ok(stream) => status(stream, &request).await,
                };
                statuses.push(status);
            }
            // A client that says nothing keeps nobody waiting.
            let silent = connect().await;
            statuses.push(status(connect().await, &request).await);
            drop(silent);
            said.send(()).unwrap();
            statuses
        };
        async fn status(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> String {
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            // Without a last word of TLS, what came is whole by its length.
            let _ = stream.read_to_end(&mut answer).await;
            let answer = String::from_utf8(answer).unwrap();
            answer.lines().next().unwrap_or_default().to_owned()
        }
        let shutdown = async {
            let _ = heard.await;
        };
        let sandbox = Rc::new(Sandbox::new(Options::default()));
        let served = serve_tls(sandbox, listener, Rc::clone(&tls), shutdown);
        let (served, statuses) = tokio::join!(served, client);
        served.unwrap();
        let ok = "HTTP/1.1 200 OK";
        let no = "not trusted";
        assert_eq!(statuses, [ok, ok, ok, no, no, ok]);
    }
}
