//! HTTP requests.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{Either, select};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use kedge_engine::error_chain;
use kedge_service::{Unread, Unsent};
use worker::{Body, Context, Delay, Env, HttpRequest, Result, event};

use crate::home::Home;

/// The most bytes of a body that are taken in; each route takes less.
const BODY_BYTES_MAX: usize = 128 * 1024;
/// How long a body may take to arrive.
const ARRIVES_WITHIN: Duration = Duration::from_secs(10);

/// Answers one request. Whatever goes wrong is an answer: a failure would be Cloudflare's bare error page.
#[event(fetch)]
async fn fetch(request: HttpRequest, env: Env, _: Context) -> Result<Response<Full<Bytes>>> {
    Ok(answer(request, &env).await.map(Full::new))
}

async fn answer(request: Request<Body>, env: &Env) -> Response<Bytes> {
    let home = match Home::of(env) {
        Ok(home) => home,
        Err(error) => {
            let why = error_chain(&error);
            tracing::error!(target: "kedge", "no request can be answered: {why}");
            return Unsent::Unusable.answer();
        }
    };
    let request = match whole(request).await {
        Ok(request) => request,
        Err(unread) => return unread.answer(),
    };
    #[cfg(feature = "planted")]
    if let Some(answer) = crate::planted::answer(env, &request).await {
        return answer;
    }
    let service = home.service(Home::REQUEST_MS);
    Box::pin(service.handle(request)).await
}

/// The request with its body.
async fn whole(request: Request<Body>) -> std::result::Result<Request<Bytes>, Unread> {
    let (head, body) = request.into_parts();
    let body = pin!(Limited::new(body, BODY_BYTES_MAX).collect());
    match select(body, pin!(Delay::from(ARRIVES_WITHIN))).await {
        Either::Left((Ok(body), _)) => {
            let mut request = Request::new(body.to_bytes());
            *request.method_mut() = head.method;
            *request.uri_mut() = head.uri;
            *request.headers_mut() = head.headers;
            Ok(request)
        }
        Either::Left((Err(error), _)) if error.is::<LengthLimitError>() => Err(Unread::TooLarge),
        Either::Left((Err(_), _)) => Err(Unread::Broken),
        Either::Right(_) => Err(Unread::Late),
    }
}
