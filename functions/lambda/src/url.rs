//! The function URL: an event (payload version 2.0) as an HTTP request, and an answer as its event.

use std::borrow::Cow;
use std::io;
use std::str;

use aws_lambda_events::lambda_function_urls::{
    LambdaFunctionUrlRequest, LambdaFunctionUrlResponse,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{COOKIE, HeaderMap, HeaderValue, SET_COOKIE};
use http::{Method, Request, Response, Uri};
use kedge_service::{Unread, Unsent};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// The most bytes of an answer as Lambda takes it: 6 MB, with what is escaped in it (AWS, "Lambda quotas").
const ANSWER_BYTES_MAX: usize = 6 * 1024 * 1024;
/// A byte of a body takes at most so many in JSON (`\u001f`).
const ESCAPED_BYTES_MAX: usize = 6;

/// What can't stand in a path. `%` stays: what the client encoded, it encoded.
const NOT_IN_PATH: &AsciiSet = &NOT_IN_QUERY.add(b'?').add(b'`').add(b'{').add(b'}');
/// What can't stand in a query.
const NOT_IN_QUERY: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>');

/// The request that an event stands for. Path and query are kept as they were sent.
///
/// # Errors
/// When it stands for none.
pub(crate) fn request(event: LambdaFunctionUrlRequest) -> Result<Request<Bytes>, Unread> {
    let method = event.request_context.http.method.unwrap_or_default();
    let method = Method::from_bytes(method.as_bytes()).map_err(|_| Unread::Broken)?;
    let path = event.raw_path.unwrap_or_default();
    let uri = uri(&path, event.raw_query_string.as_deref())?;
    let body = match (event.body, event.is_base64_encoded) {
        (None, _) => Bytes::new(),
        (Some(text), false) => text.into(),
        (Some(text), true) => STANDARD.decode(text).map_err(|_| Unread::Broken)?.into(),
    };
    let mut request = Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.headers_mut() = event.headers;
    if let Some(cookies) = event.cookies.filter(|cookies| !cookies.is_empty()) {
        let cookies = HeaderValue::try_from(cookies.join("; ")).map_err(|_| Unread::Broken)?;
        request.headers_mut().insert(COOKIE, cookies);
    }
    Ok(request)
}

fn uri(path: &str, query: Option<&str>) -> Result<Uri, Unread> {
    if !path.starts_with('/') {
        return Err(Unread::Broken);
    }
    let path: Cow<'_, str> = utf8_percent_encode(path, NOT_IN_PATH).into();
    let text = match query.filter(|query| !query.is_empty()) {
        None => path.into_owned(),
        Some(query) => {
            let query = utf8_percent_encode(query, NOT_IN_QUERY);
            format!("{path}?{query}")
        }
    };
    Uri::try_from(text).map_err(|_| Unread::Broken)
}

/// An answer as Lambda takes it. One that is too large for that says so instead.
pub(crate) fn response(answer: Response<Bytes>) -> LambdaFunctionUrlResponse {
    let is_surely_small = answer.body().len() < ANSWER_BYTES_MAX / ESCAPED_BYTES_MAX - 64 * 1024;
    let event = as_event(answer);
    match is_surely_small || length(&event) <= ANSWER_BYTES_MAX {
        true => event,
        false => as_event(Unsent::TooLarge.answer()),
    }
}

fn as_event(answer: Response<Bytes>) -> LambdaFunctionUrlResponse {
    let (head, body) = answer.into_parts();
    let mut event = LambdaFunctionUrlResponse::default();
    event.status_code = head.status.as_u16().into();
    event.headers = joined(&head.headers);
    let cookies = head.headers.get_all(SET_COOKIE).into_iter();
    event.cookies = cookies.filter_map(text).map(str::to_owned).collect();
    match str::from_utf8(&body) {
        Ok(text) => event.body = Some(text.to_owned()),
        Err(_) => {
            event.body = Some(STANDARD.encode(&body));
            event.is_base64_encoded = true;
        }
    }
    event
}

/// The headers without cookies, each once: an event has one value for a name.
fn joined(headers: &HeaderMap) -> HeaderMap {
    let names = headers.keys().filter(|name| **name != SET_COOKIE);
    let join = |name| {
        let values: Vec<_> = headers.get_all(name).into_iter().filter_map(text).collect();
        HeaderValue::try_from(values.join(", ")).ok()
    };
    names
        .filter_map(|name| Some((name.clone(), join(name)?)))
        .collect()
}

fn text(value: &HeaderValue) -> Option<&str> {
    str::from_utf8(value.as_bytes()).ok()
}

/// How many bytes an event takes. What can't be written is too long.
fn length(event: &LambdaFunctionUrlResponse) -> usize {
    /// Counts, and keeps nothing.
    struct Counter(usize);

    impl io::Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let mut counter = Counter(0);
    match serde_json::to_writer(&mut counter, event) {
        Ok(()) => counter.0,
        Err(_) => usize::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// A POST as a function URL hands it over.
    const POST: &str = include_str!("../tests/events/url.json");

    /// The same, with other values at some pointers (RFC 6901).
    fn event(changes: &[(&str, Value)]) -> LambdaFunctionUrlRequest {
        let mut event: Value = serde_json::from_str(POST).unwrap();
        for (pointer, value) in changes {
            *event.pointer_mut(pointer).unwrap() = value.clone();
        }
        serde_json::from_value(event).unwrap()
    }

    #[test]
    fn a_request_is_what_the_client_sent() {
        let request = request(event(&[])).unwrap();
        assert_eq!(request.method(), Method::POST);
        assert_eq!(
            request.uri(),
            "/v1/stacks/pr%C3%B6d%2F1/up?wait=20&wait=%32+0&x"
        );
        assert_eq!(request.body().as_ref(), br#"{"digest":"0123456789abcdef"}"#);
        let headers = request.headers();
        assert_eq!(headers["authorization"], "Bearer kdg_0000000000000000_x");
        assert_eq!(headers["content-type"], "application/json; charset=utf-8");
        assert_eq!(headers["cookie"], "a=1; b=\"2\"");
        assert_eq!(headers["x-several"], "1,2");
    }

    #[test]
    fn bodies_and_addresses_of_all_sorts() {
        let base64 =
            |text: &str| event(&[("/body", json!(text)), ("/isBase64Encoded", json!(true))]);
        let body = |event| request(event).map(|request| request.into_body());
        assert_eq!(body(base64("AP8gYQ==")).unwrap().as_ref(), b"\x00\xff a");
        assert_eq!(body(base64("no base64")).unwrap_err(), Unread::Broken);
        let absent = event(&[("/body", Value::Null), ("/cookies", Value::Null)]);
        assert_eq!(body(absent).unwrap().as_ref(), b"");

        let uri = |path: &str, query: &str| {
            let changes = [("/rawPath", json!(path)), ("/rawQueryString", json!(query))];
            request(event(&changes)).map(|request| request.uri().to_string())
        };
        for (path, query, expected) in [
            ("/", "", "/"),
            ("/a//b/", "", "/a//b/"),
            ("/%2e%2E/%zz", "%zz", "/%2e%2E/%zz?%zz"),
            // What no client can send, Lambda must have decoded.
            ("/pröd 1?#", "ö ?#", "/pr%C3%B6d%201%3F%23?%C3%B6%20?%23"),
        ] {
            assert_eq!(uri(path, query).unwrap(), expected);
        }
        for changes in [
            [("/rawPath", json!("no path"))],
            [("/rawPath", json!("http://other.example/"))],
            [("/rawPath", json!(""))],
            [("/requestContext/http/method", json!("NO METHOD"))],
            [("/requestContext/http/method", Value::Null)],
            [("/cookies", json!(["a\nb"]))],
        ] {
            let found = request(event(&changes)).map(|request| request.uri().to_string());
            assert_eq!(found, Err(Unread::Broken), "{changes:?}");
        }
    }

    #[test]
    fn an_answer_is_what_lambda_takes() {
        let answer = Response::builder()
            .status(401)
            .header("content-type", "application/json")
            .header("vary", "a")
            .header("vary", "b")
            .header("set-cookie", "a=1; Path=/")
            .header("set-cookie", "b=2")
            .body(Bytes::from_static("{\"é\":1}\n".as_bytes()));
        let event = serde_json::to_value(response(answer.unwrap())).unwrap();
        let expected = json!({
            "statusCode": 401,
            "headers": {"content-type": "application/json", "vary": "a, b"},
            "body": "{\"é\":1}\n",
            "isBase64Encoded": false,
            "cookies": ["a=1; Path=/", "b=2"],
        });
        assert_eq!(event, expected);
        let binary = response(Response::new(Bytes::from_static(b"\xff\x00")));
        assert_eq!(binary.body.as_deref(), Some("/wA="));
        assert!(binary.is_base64_encoded);
        assert_eq!(binary.status_code, 200);
    }

    #[test]
    fn an_answer_beyond_six_megabytes_is_said_to_be_one() {
        let of = |byte: u8, length: usize| {
            let sent = response(Response::new(Bytes::from(vec![byte; length])));
            (sent.status_code, length_of(&sent))
        };
        fn length_of(event: &LambdaFunctionUrlResponse) -> usize {
            event.body.as_deref().unwrap_or_default().len()
        }
        // What is around the body: {"statusCode":200,"headers":{},"body":"…","isBase64Encoded":false,"cookies":[]}
        let fits = ANSWER_BYTES_MAX - 80;
        assert_eq!(of(b'a', fits), (200, fits));
        let (status, length) = of(b'a', ANSWER_BYTES_MAX);
        assert_eq!(status, 500);
        assert!(length < 1_000);
        // Each of them takes six bytes.
        assert_eq!(of(b'\x01', ANSWER_BYTES_MAX / 6).0, 500);
        assert_eq!(of(b'\x01', ANSWER_BYTES_MAX / 7).0, 200);
        // Binary ones grow by a third.
        assert_eq!(of(b'\xff', ANSWER_BYTES_MAX / 4 * 3).0, 500);
        let problem = response(Response::new(Bytes::from(vec![b'a'; ANSWER_BYTES_MAX])));
        let problem: Value = serde_json::from_str(&problem.body.unwrap()).unwrap();
        assert_eq!(problem["type"], "urn:kedge:problem:answer-too-large");
    }
}
