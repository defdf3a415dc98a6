//! HTTP for `kedge serve`: connections in, one call of the service each request, answers out.
//!
//! hyper itself, and no framework above it: a framework's handlers must be `Send`, which the service's
//! futures are not, and there is nothing to route here.

use std::convert::Infallible;
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, HeaderValue};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use kedge_service::Unread;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_io_timeout::TimeoutWriter;

/// The most connections at once: with their buffers some 20 MB.
const CONNECTIONS_MAX: usize = 512;
/// The largest request body that is read. Each route allows less, and says so.
const BODY_BYTES_MAX: usize = 128 * 1024;
/// How long a request's head or body may take to arrive. Whoever sends slower holds a connection.
const ARRIVES_WITHIN: Duration = Duration::from_secs(10);
/// How long a client may leave unread what is sent to it. Whoever reads slower holds a connection.
const READ_WITHIN: Duration = Duration::from_secs(10);
/// After a failed accept (no file descriptors left, as a rule) the others get time to finish.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What answers requests.
pub(super) trait Handle {
    /// Answers one request.
    fn handle(&self, request: Request<Bytes>) -> impl Future<Output = Response<Bytes>>;
}

/// Serves until `stopping` becomes true; then what is under way is answered, and no connection is kept.
pub(super) async fn serve<H: Handle + 'static>(
    handle: Rc<H>,
    listener: TcpListener,
    mut stopping: watch::Receiver<bool>,
) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    let stops = stopping.clone();
    loop {
        let accepted = async {
            let permit = Arc::clone(&permits).acquire_owned().await;
            (listener.accept().await, permit)
        };
        tokio::select! {
            (accepted, permit) = accepted => match accepted {
                Ok((stream, _)) => {
                    let (handle, stopping) = (Rc::clone(&handle), stops.clone());
                    connections.spawn_local(async move {
                        connection(handle, stream, stopping).await;
                        drop(permit);
                    });
                }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
            _ = stopping.wait_for(|stops| *stops) => break,
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// A stream that ends if its other side does not read what is sent to it.
fn writing_in_time(stream: TcpStream) -> Pin<Box<TimeoutWriter<TcpStream>>> {
    let mut stream = TimeoutWriter::new(stream);
    stream.set_timeout(Some(READ_WITHIN));
    Box::pin(stream)
}

async fn connection<H: Handle>(
    handle: Rc<H>,
    stream: TcpStream,
    mut stopping: watch::Receiver<bool>,
) {
    // Small answers; waiting to fill packets would only add time.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| answer(&*handle, request));
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(ARRIVES_WITHIN)
            .serve_connection(TokioIo::new(writing_in_time(stream)), service)
    );
    tokio::select! {
        // An error ends the connection: a client that went away, or sent no HTTP.
        _ = connection.as_mut() => return,
        _ = stopping.wait_for(|stops| *stops) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

async fn answer<H: Handle>(
    handle: &H,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let announced = body.size_hint().lower();
    if announced > u64::try_from(BODY_BYTES_MAX).unwrap_or(u64::MAX) {
        return Ok(refused(Unread::TooLarge).map(Full::new));
    }
    let body = Limited::new(body, BODY_BYTES_MAX).collect();
    let response = match tokio::time::timeout(ARRIVES_WITHIN, body).await {
        Ok(Ok(body)) => {
            let request = Request::from_parts(parts, body.to_bytes());
            handle.handle(request).await
        }
        Ok(Err(error)) if error.is::<LengthLimitError>() => refused(Unread::TooLarge),
        Ok(Err(_)) => refused(Unread::Broken),
        Err(_) => refused(Unread::Late),
    };
    Ok(response.map(Full::new))
}

/// An answer to a request whose body did not arrive. What is left of it is not read.
fn refused(why: Unread) -> Response<Bytes> {
    let mut response = why.answer();
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(CONNECTION, close);
    response
}
