//! What went wrong, as RFC 9457 says it: a type, a title, a status, a sentence, and what to do next.

use ::http::StatusCode;
use ::http::header::{ALLOW, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use kedge_core::model::{StackName, printable};
use kedge_engine::ports::StoreError;
use kedge_engine::{GrantError, HoldError, LeaseError, RunError, ScheduleError, StateStoreError};
use serde::Serialize;

use crate::hints;
use crate::requests::RequestError;

/// The most characters of a detail: it may repeat what somebody sent.
const DETAIL_CHARS_MAX: usize = 400;
/// What comes before the code in a type.
pub(super) const TYPE: &str = "urn:kedge:problem:";

macro_rules! problems {
    ($($variant:ident => $status:ident, $code:literal, $title:literal;)+) => {
        /// What can go wrong.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub(super) enum ProblemKind {
            $($variant,)+
        }

        impl ProblemKind {
            /// All of it.
            #[cfg(test)]
            pub(super) const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The status of the answer.
            pub(super) fn status(self) -> StatusCode {
                match self {
                    $(Self::$variant => StatusCode::$status,)+
                }
            }

            /// The last part of the type.
            pub(super) fn code(self) -> &'static str {
                match self {
                    $(Self::$variant => $code,)+
                }
            }

            /// What it is, always in the same words.
            pub(super) fn title(self) -> &'static str {
                match self {
                    $(Self::$variant => $title,)+
                }
            }
        }
    };
}

problems! {
    InvalidQuery => BAD_REQUEST, "invalid-query", "the query can't be used";
    InvalidHeader => BAD_REQUEST, "invalid-header", "a header can't be used";
    InvalidBody => BAD_REQUEST, "invalid-body", "the body can't be used";
    NoToken => UNAUTHORIZED, "no-token", "a token is needed";
    TokenRefused => UNAUTHORIZED, "token-refused", "the token can't be used";
    BadSignature => UNAUTHORIZED, "bad-signature", "the signature can't be used";
    WrongScope => FORBIDDEN, "wrong-scope", "the token is not for this";
    WrongStack => FORBIDDEN, "wrong-stack", "the token is not for this stack";
    ReadOnly => FORBIDDEN, "read-only", "nothing may be changed from here";
    NotFound => NOT_FOUND, "not-found", "there is nothing at this path";
    UnknownStack => NOT_FOUND, "unknown-stack", "there is no such stack";
    UnknownRun => NOT_FOUND, "unknown-run", "there is no such run";
    WrongMethod => METHOD_NOT_ALLOWED, "wrong-method", "this path does not take this method";
    Unusable => CONFLICT, "unusable", "what is stored does not allow this now";
    Replayed => CONFLICT, "replayed", "this event came before";
    BodyLate => REQUEST_TIMEOUT, "body-late", "the body did not arrive in time";
    BodyTooLarge => PAYLOAD_TOO_LARGE, "body-too-large", "the body is too large";
    UriTooLong => URI_TOO_LONG, "uri-too-long", "the path or query is too long";
    NotJson => UNSUPPORTED_MEDIA_TYPE, "not-json", "the body must be JSON";
    KeyReused => UNPROCESSABLE_ENTITY, "idempotency-key-reused", "the key stands for another request";
    UnknownResource => UNPROCESSABLE_ENTITY, "unknown-resource", "a name fits no resource, or several";
    TooManyRequests => TOO_MANY_REQUESTS, "too-many-requests", "too many requests";
    Internal => INTERNAL_SERVER_ERROR, "internal", "something is wrong with this service";
    AnswerTooLarge => INTERNAL_SERVER_ERROR, "answer-too-large", "the answer is larger than this platform sends";
    StoreFailed => SERVICE_UNAVAILABLE, "store-failed", "the store could not be read or written";
    QueueFailed => SERVICE_UNAVAILABLE, "queue-failed", "the queue did not take it";
}

/// Something that went wrong.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) kind: ProblemKind,
    detail: Option<String>,
    next: Option<String>,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
}

/// The body of an answer that says what went wrong.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct ProblemDetails {
    /// What went wrong, as a name that stays: `urn:kedge:problem:` and a word.
    #[serde(rename = "type")]
    kind: String,
    /// What that means, always in the same words.
    title: String,
    /// The status of the answer.
    status: u16,
    /// What is wrong with this request.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl Problem {
    /// One that its title says whole.
    pub(super) fn of(kind: ProblemKind) -> Self {
        Self {
            kind,
            detail: None,
            next: None,
            headers: Vec::new(),
        }
    }

    /// One with a sentence about this request.
    pub(super) fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        let detail = Some(shown(&detail.into()));
        Self {
            detail,
            ..Self::of(kind)
        }
    }

    /// A fault of ours.
    pub(super) fn internal() -> Self {
        Self::of(ProblemKind::Internal)
    }

    /// The store failed. Why is not told: that may name addresses and keys.
    pub(super) fn store() -> Self {
        let problem = Self::of(ProblemKind::StoreFailed);
        problem.next("send the request again").after_s(5)
    }

    /// The path takes these methods only.
    pub(super) fn wrong_method(allow: &str) -> Self {
        Self::new(ProblemKind::WrongMethod, format!("it takes {allow}")).header(ALLOW, allow)
    }

    /// There is no token, or none that may be used.
    pub(super) fn token(kind: ProblemKind, detail: impl Into<String>) -> Self {
        let challenge = match kind {
            ProblemKind::NoToken => "Bearer realm=\"kedge\"",
            _ => "Bearer realm=\"kedge\", error=\"invalid_token\"",
        };
        Self::new(kind, detail).header(WWW_AUTHENTICATE, challenge)
    }

    /// The same, with what to do next.
    pub(super) fn next(self, next: impl Into<String>) -> Self {
        let next = Some(shown(&next.into()));
        Self { next, ..self }
    }

    /// The same, to be tried again after so many seconds.
    pub(super) fn after_s(self, seconds: i64) -> Self {
        self.header(RETRY_AFTER, &seconds.to_string())
    }

    pub(super) fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }

    /// The body.
    pub(super) fn details(&self) -> ProblemDetails {
        ProblemDetails {
            kind: format!("{TYPE}{}", self.kind.code()),
            title: self.kind.title().to_owned(),
            status: self.kind.status().as_u16(),
            detail: self.detail.clone(),
            next: self.next.clone(),
        }
    }

    /// What the engine says about a stack.
    pub(super) fn of_run(stack: &StackName, error: &RunError) -> Self {
        match error {
            RunError::ReadOnly => Self::of(ProblemKind::ReadOnly),
            RunError::Name(text) => Self::new(ProblemKind::UnknownResource, text),
            RunError::Store(_)
            | RunError::Memory(StateStoreError::Store(_))
            | RunError::Lease(LeaseError::Store { .. })
            | RunError::Grant(GrantError::Store(_)) => Self::store(),
            _ => Self::unusable(
                error,
                error.hint().map(|hint| hints::describe(stack, &hint)),
            ),
        }
    }

    /// What it says about holds.
    pub(super) fn of_hold(stack: &StackName, error: &HoldError) -> Self {
        match error {
            HoldError::ReadOnly => Self::of(ProblemKind::ReadOnly),
            HoldError::Length | HoldError::NoReason => {
                Self::new(ProblemKind::InvalidBody, error.to_string())
            }
            HoldError::Memory(StateStoreError::Store(_)) => Self::store(),
            _ => Self::unusable(
                error,
                error.hint().map(|hint| hints::describe(stack, &hint)),
            ),
        }
    }

    /// What it says about the lease.
    pub(super) fn of_lease(stack: &StackName, error: &LeaseError) -> Self {
        match error {
            LeaseError::Store { .. } => Self::store(),
            _ => Self::unusable(
                error,
                error.hint().map(|hint| hints::describe(stack, &hint)),
            ),
        }
    }

    fn unusable(error: &dyn std::error::Error, next: Option<String>) -> Self {
        let problem = Self::new(ProblemKind::Unusable, error.to_string());
        Self { next, ..problem }
    }
}

impl From<StoreError> for Problem {
    fn from(_: StoreError) -> Self {
        Self::store()
    }
}

impl From<ScheduleError> for Problem {
    fn from(error: ScheduleError) -> Self {
        match error {
            ScheduleError::Store(_) => Self::store(),
            other => Self::unusable(&other, None),
        }
    }
}

impl From<RequestError> for Problem {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::Store(_) => Self::store(),
            other => Self::unusable(&other, None),
        }
    }
}

/// A text that may repeat what somebody sent: on one line, of a length, and without tokens.
fn shown(text: &str) -> String {
    let mut shown = without_tokens(&printable(text));
    if let Some((end, _)) = shown.char_indices().nth(DETAIL_CHARS_MAX) {
        shown.truncate(end);
        shown.push('…');
    }
    shown
}

/// Takes out what looks like a token, which somebody may have put into the wrong place.
fn without_tokens(text: &str) -> String {
    let mut parts = text.split("kdg_");
    let mut clean = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        clean.push_str("[token]");
        clean.push_str(part.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_'));
    }
    clean
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn what_is_repeated_is_short_on_one_line_and_no_token() {
        let token = format!("kdg_{}_{}", "0".repeat(16), "a".repeat(64));
        let long = format!("unknown field `{token}\n`, kdg_x {}", "é".repeat(1_000));
        let text = shown(&long);
        assert!(
            text.starts_with("unknown field `[token]\u{fffd}`, [token] éé"),
            "{text}"
        );
        assert_eq!(text.chars().count(), DETAIL_CHARS_MAX + 1);
        assert!(text.ends_with('…'));
    }

    #[test]
    fn each_has_a_type_of_its_own() {
        let codes: BTreeSet<_> = ProblemKind::ALL.iter().map(|kind| kind.code()).collect();
        assert_eq!(codes.len(), ProblemKind::ALL.len());
        let json = serde_json::to_value(Problem::of(ProblemKind::NotFound).details()).unwrap();
        let expected = serde_json::json!({
            "type": "urn:kedge:problem:not-found",
            "title": "there is nothing at this path",
            "status": 404,
        });
        assert_eq!(json, expected);
    }
}
