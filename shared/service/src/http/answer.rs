//! An answer, and the headers that each of them has.

use ::http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS,
};
use ::http::{Response, StatusCode};
use bytes::Bytes;
use kedge_core::documents::{Document, json_text};

use super::problem::Problem;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");

/// An answer.
#[derive(Debug)]
pub(super) struct Reply {
    status: StatusCode,
    /// Its type, and what it says; none: nothing.
    body: Option<(HeaderValue, Bytes)>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Reply {
    /// A document.
    pub(super) fn json(document: &impl Document) -> Result<Self, Problem> {
        let text = json_text(document).map_err(|_| Problem::internal())?;
        Ok(Self {
            status: StatusCode::OK,
            body: Some((JSON, Bytes::from(text))),
            headers: Vec::new(),
        })
    }

    /// JSON that is there already.
    pub(super) fn text(json: &'static str) -> Self {
        Self {
            status: StatusCode::OK,
            body: Some((JSON, Bytes::from_static(json.as_bytes()))),
            headers: Vec::new(),
        }
    }

    /// Nothing: it is going to be looked at.
    pub(super) fn accepted() -> Self {
        Self {
            status: StatusCode::ACCEPTED,
            body: None,
            headers: Vec::new(),
        }
    }

    /// The same with another status.
    pub(super) fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// The same with one more header.
    pub(super) fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }

    /// As it is sent. To `HEAD` without its body, with the headers that it would have.
    pub(super) fn into_response(self, is_head: bool) -> Response<Bytes> {
        let (kind, body) = self.body.unzip();
        let body = body.unwrap_or_default();
        let length = HeaderValue::from(body.len());
        let mut response = Response::new(if is_head { Bytes::new() } else { body });
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(CONTENT_LENGTH, length);
        if let Some(kind) = kind {
            headers.insert(CONTENT_TYPE, kind);
        }
        headers.extend(
            self.headers
                .into_iter()
                .map(|(name, value)| (Some(name), value)),
        );
        response
    }
}

impl From<Problem> for Reply {
    fn from(problem: Problem) -> Self {
        let text = serde_json::to_string_pretty(&problem.details()).unwrap_or_default() + "\n";
        Self {
            status: problem.kind.status(),
            body: Some((PROBLEM, Bytes::from(text))),
            headers: problem.headers,
        }
    }
}
