//! What each status and code of Cloudflare's means.
//!
//! Codes are from live probes and issues of other clients: favonia/cloudflare-ddns
//! (cloudflare-auth-error-watch), ddns-go#1378 (81058), aaPanel#112 (81057), cloudflare-ddns#990
//! (81054), terraform-provider-cloudflare#1621 (81044), octodns-cloudflare (10100, 9103).

use bytes::Bytes;
use http::{Response, StatusCode, header};
use kedge_core::change::{Change, ChangeError};
use kedge_core::live::{FailureCode, ReadFailure};

use super::requests::TOKEN_NAME;
use super::wire::{Problem, problems};
use crate::ports::HttpError;
use crate::transport::{CallError, Retry};

const READ_PERMISSION: &str = "Zone:DNS:Read";
const EDIT_PERMISSION: &str = "Zone:DNS:Edit";

/// Why a request can't even be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unsendable {
    /// There is no token.
    NoToken,
    /// The token holds what a header can't.
    Token,
    /// The API's address is none.
    Address,
    /// The body can't be written.
    Body,
}

impl Unsendable {
    fn reason(self) -> String {
        match self {
            Self::NoToken => format!("{TOKEN_NAME} is not set"),
            Self::Token => format!("{TOKEN_NAME} holds characters that no token has"),
            Self::Address => "the address of Cloudflare's API is not usable".to_owned(),
            Self::Body => "the request could not be written".to_owned(),
        }
    }

    /// As a failed read.
    pub(super) fn read_failure(self) -> ReadFailure {
        let code = match self {
            Self::NoToken | Self::Token => FailureCode::NoCredentials,
            Self::Address | Self::Body => FailureCode::Network,
        };
        failure(code, self.reason())
    }

    /// As a change that was not made.
    pub(super) fn change_error(self) -> ChangeError {
        ChangeError::Blocked {
            reason: self.reason(),
            fix: match self {
                Self::NoToken | Self::Token => Some(format!(
                    "set {TOKEN_NAME} to a token with {EDIT_PERMISSION} on this zone"
                )),
                Self::Address | Self::Body => None,
            },
        }
    }
}

/// A read that failed, without a permission.
pub(super) fn failure(code: FailureCode, reason: impl Into<String>) -> ReadFailure {
    ReadFailure {
        reason: reason.into(),
        permission: None,
        code,
    }
}

/// A change that waits for somebody.
pub(super) fn blocked(reason: impl Into<String>, fix: &str) -> ChangeError {
    ChangeError::Blocked {
        reason: reason.into(),
        fix: Some(fix.to_owned()),
    }
}

/// A change that was surely not made.
pub(super) fn failed(reason: impl Into<String>) -> ChangeError {
    ChangeError::Failed {
        reason: reason.into(),
    }
}

/// Whether a read is made again.
pub(super) fn judge_read(response: &Response<Bytes>) -> Retry {
    match response.status() {
        StatusCode::TOO_MANY_REQUESTS => Retry::Again {
            after_ms: wait_hint(response),
        },
        status if is_outage(status) => Retry::Again { after_ms: None },
        _ => Retry::No,
    }
}

/// Whether a write is made again. A gateway's 5xx does not say whether the API behind it went on.
pub(super) fn judge_write(response: &Response<Bytes>) -> Retry {
    match response.status() {
        StatusCode::TOO_MANY_REQUESTS => judge_read(response),
        status if is_outage(status) => Retry::Ambiguous,
        _ => Retry::No,
    }
}

fn is_outage(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT
}

/// How long a 429 asks to wait, in milliseconds: `Retry-After: <s>`, else the reset time of
/// `Ratelimit: "default";r=0;t=<s>` (developers.cloudflare.com, api/reference/limits).
fn wait_hint(response: &Response<Bytes>) -> Option<u64> {
    let text = |name: &str| response.headers().get(name)?.to_str().ok();
    let seconds = |text: &str| text.trim().parse::<u64>().ok();
    text(header::RETRY_AFTER.as_str())
        .and_then(seconds)
        .or_else(|| {
            text("ratelimit")?
                .split([';', ','])
                .find_map(|part| part.trim().strip_prefix("t="))
                .and_then(seconds)
        })
        .map(|seconds| seconds.saturating_mul(1000))
}

/// What an answer that is no success is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// The token is refused, or may not do this; Cloudflare does not always tell which.
    Unauthenticated,
    Forbidden,
    NoZone,
    RecordExists,
    CnameExists,
    RecordGone,
    RateLimited,
    Outage,
    Other,
}

/// Sorts an answer, by code before status: 6003 and 9106 come as 400 though they are about
/// credentials, 7003 as 404 or 400.
fn meaning(status: StatusCode, problems: &[Problem]) -> Meaning {
    // A body of 429 has any code or none, so the status decides (octodns-cloudflare tests).
    if status == StatusCode::TOO_MANY_REQUESTS {
        return Meaning::RateLimited;
    }
    if is_outage(status) {
        return Meaning::Outage;
    }
    let by_code = problems.iter().find_map(|problem| match problem.code {
        6003 | 6111 | 9103 | 9106 | 9109 => Some(Meaning::Unauthenticated),
        7003 => Some(Meaning::NoZone),
        81044 => Some(Meaning::RecordGone),
        81053 | 81054 => Some(Meaning::CnameExists),
        81057 | 81058 => Some(Meaning::RecordExists),
        _ => None,
    });
    by_code.unwrap_or(match status {
        StatusCode::UNAUTHORIZED => Meaning::Unauthenticated,
        StatusCode::FORBIDDEN => Meaning::Forbidden,
        _ => Meaning::Other,
    })
}

/// `403: Authentication error`, with what Cloudflare says, or `else_text` if it says nothing.
fn said(status: StatusCode, problems: &[Problem], else_text: &str) -> String {
    let mut texts: Vec<&str> = Vec::new();
    for problem in problems {
        let text = problem.message.as_str();
        if !text.is_empty() && !texts.contains(&text) {
            texts.push(text);
        }
    }
    if texts.is_empty() {
        texts.push(else_text);
    }
    format!("{}: {}", status.as_u16(), texts.join(": "))
}

/// A read that was answered, but not with a list.
pub(super) fn read_failure(zone_id: &str, response: &Response<Bytes>) -> ReadFailure {
    let status = response.status();
    let problems = problems(response.body());
    let needs = |code| {
        let said = said(status, &problems, "refused");
        ReadFailure {
            reason: format!("{said}; {TOKEN_NAME} must be valid and have {READ_PERMISSION}"),
            permission: Some(READ_PERMISSION.to_owned()),
            code,
        }
    };
    match meaning(status, &problems) {
        Meaning::Unauthenticated => needs(FailureCode::Unauthenticated),
        Meaning::Forbidden => needs(FailureCode::Forbidden),
        Meaning::RateLimited => failure(FailureCode::RateLimited, "429: too many requests"),
        Meaning::Outage => {
            let reason = said(status, &problems, "Cloudflare fails");
            failure(FailureCode::ProviderError, reason)
        }
        // Whatever a 404 of the list says, it is the zone that is not there.
        _ if status == StatusCode::NOT_FOUND => no_zone(zone_id, status),
        Meaning::NoZone => no_zone(zone_id, status),
        _ => {
            let reason = said(status, &problems, "an answer that is no list");
            failure(FailureCode::StrangeAnswer, reason)
        }
    }
}

fn no_zone(zone_id: &str, status: StatusCode) -> ReadFailure {
    let reason = format!("{}: no zone has the id `{zone_id}`", status.as_u16());
    failure(FailureCode::ScopeNotFound, reason)
}

/// A read that was not answered.
pub(super) fn unanswered(error: &CallError) -> ReadFailure {
    let code = match error {
        CallError::WaitTooLong { .. } => FailureCode::RateLimited,
        CallError::Http(HttpError::TooLarge(_)) => FailureCode::StrangeAnswer,
        CallError::Http(_) | CallError::NoLease(_) => FailureCode::Network,
    };
    failure(code, call_error(error))
}

/// What happened instead of an answer, in a sentence.
pub(super) fn call_error(error: &CallError) -> String {
    match error {
        CallError::WaitTooLong { wait_ms, status } => {
            let seconds = wait_ms.div_ceil(1000);
            format!("{status}: too many requests, and a wait of {seconds} s would outlast this run")
        }
        CallError::Http(error) => error.to_string(),
        CallError::NoLease(reason) => reason.clone(),
    }
}

/// What a refused batch means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// A record that it names is gone. Nothing of the batch was made.
    RecordGone,
    /// Anything else.
    Error(ChangeError),
}

/// Reads a refusal of a batch that was surely not made.
pub(super) fn refusal(change: &Change, zone_id: &str, response: &Response<Bytes>) -> Refusal {
    let status = response.status();
    let problems = problems(response.body());
    let name = change.key.name();
    let said = said(status, &problems, "refused");
    let error = match meaning(status, &problems) {
        Meaning::RecordGone => return Refusal::RecordGone,
        Meaning::Unauthenticated | Meaning::Forbidden => ChangeError::Blocked {
            reason: format!("{said}; needs {EDIT_PERMISSION}"),
            fix: Some(format!(
                "set {TOKEN_NAME} to a valid token with {EDIT_PERMISSION} on this zone"
            )),
        },
        Meaning::NoZone => blocked(no_zone(zone_id, status).reason, "correct the zone id"),
        // A 404 without a code that we know is about a record too: the zone has just been read.
        Meaning::Other if status == StatusCode::NOT_FOUND => return Refusal::RecordGone,
        Meaning::RecordExists => ChangeError::Blocked {
            reason: format!("{said}; {name} has a record with this address that is not ours"),
            fix: Some(format!(
                "look at the record, then `kedge adopt {}` or delete it by hand",
                change.key
            )),
        },
        Meaning::CnameExists => blocked(
            format!("{said}; a name with a CNAME can have no addresses"),
            "remove the CNAME, or this record set from the definitions",
        ),
        Meaning::RateLimited => failed("429: too many requests"),
        Meaning::Outage => failed(said),
        Meaning::Other => ChangeError::Blocked {
            reason: said,
            fix: None,
        },
    };
    Refusal::Error(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kedge_core::change::Verb;
    use kedge_core::model::{Fields, ResourceKey, StackName};

    fn answer(status: u16, body: &str) -> Response<Bytes> {
        let body = Bytes::copy_from_slice(body.as_bytes());
        Response::builder().status(status).body(body).unwrap()
    }

    fn coded(status: u16, code: i64) -> Response<Bytes> {
        let errors = format!(r#"[{{"code":{code},"message":"It says {code}."}}]"#);
        let body = format!(r#"{{"success":false,"errors":{errors},"messages":[],"result":null}}"#);
        answer(status, &body)
    }

    fn change() -> Change {
        Change {
            begun_before: false,
            stack: StackName::new("dev").unwrap(),
            key: ResourceKey::dns_record_set("z", "n.example", "A"),
            verb: Verb::Create,
            edits: Vec::new(),
            declared: Fields::new(),
            secrets: kedge_core::model::ByField::new(),
            recorded: Fields::new(),
            live: None,
        }
    }

    #[test]
    fn reads() {
        use FailureCode::{
            Forbidden, ProviderError, RateLimited, ScopeNotFound, StrangeAnswer, Unauthenticated,
        };
        for (response, code, begins) in [
            (coded(401, 10000), Unauthenticated, "401: It says 10000; "),
            (coded(403, 10000), Forbidden, "403: It says 10000; "),
            (answer(403, "<html>"), Forbidden, "403: refused; "),
            (coded(403, 9109), Unauthenticated, "403: It says 9109; "),
            (coded(403, 9103), Unauthenticated, "403: It says 9103; "),
            (coded(400, 6003), Unauthenticated, "400: It says 6003; "),
            (coded(400, 9106), Unauthenticated, "400: It says 9106; "),
            (
                coded(404, 7003),
                ScopeNotFound,
                "404: no zone has the id `z`",
            ),
            (
                coded(400, 7003),
                ScopeNotFound,
                "400: no zone has the id `z`",
            ),
            (
                answer(404, "{}"),
                ScopeNotFound,
                "404: no zone has the id `z`",
            ),
            (coded(429, 10100), RateLimited, "429: too many requests"),
            (answer(429, "{}"), RateLimited, "429: too many requests"),
            (answer(500, ""), ProviderError, "500: Cloudflare fails"),
            (
                answer(502, "<html>"),
                ProviderError,
                "502: Cloudflare fails",
            ),
            (
                answer(522, "error code: 522"),
                ProviderError,
                "522: error code: 522",
            ),
            (answer(408, ""), ProviderError, "408: Cloudflare fails"),
            (coded(400, 1004), StrangeAnswer, "400: It says 1004"),
            (
                answer(302, ""),
                StrangeAnswer,
                "302: an answer that is no list",
            ),
        ] {
            let failure = read_failure("z", &response);
            assert_eq!(failure.code, code, "{response:?}");
            assert!(failure.reason.starts_with(begins), "{}", failure.reason);
            assert!(!failure.reason.ends_with('.'), "{}", failure.reason);
            let asks = matches!(code, Unauthenticated | Forbidden);
            assert_eq!(failure.permission.is_some(), asks, "{response:?}");
        }
    }

    #[test]
    fn refused_writes() {
        let gone = Refusal::RecordGone;
        assert_eq!(refusal(&change(), "z", &coded(404, 81044)), gone);
        assert_eq!(refusal(&change(), "z", &coded(400, 81044)), gone);
        assert_eq!(refusal(&change(), "z", &answer(404, "{}")), gone);
        for (response, part) in [
            (coded(401, 10000), "needs Zone:DNS:Edit"),
            (coded(403, 10000), "needs Zone:DNS:Edit"),
            (coded(403, 9109), "needs Zone:DNS:Edit"),
            (coded(400, 6003), "needs Zone:DNS:Edit"),
            (coded(404, 7003), "no zone has the id `z`"),
            (
                coded(400, 81057),
                "n.example/A has a record with this address",
            ),
            (
                coded(400, 81058),
                "n.example/A has a record with this address",
            ),
            (coded(400, 81053), "a name with a CNAME"),
            (coded(400, 81054), "a name with a CNAME"),
            (coded(400, 9039), "400: It says 9039"),
            (answer(413, ""), "413: refused"),
        ] {
            let Refusal::Error(ChangeError::Blocked { reason, .. }) =
                refusal(&change(), "z", &response)
            else {
                panic!("{response:?}");
            };
            assert!(reason.contains(part), "{reason}");
        }
        for response in [coded(429, 10300), answer(429, "{}")] {
            let refusal = refusal(&change(), "z", &response);
            assert!(matches!(
                refusal,
                Refusal::Error(ChangeError::Failed { .. })
            ));
        }
    }

    #[test]
    fn what_is_made_again() {
        let hinted = |name: &str, value: &str| {
            let mut response = answer(429, "{}");
            let name: header::HeaderName = name.parse().unwrap();
            response.headers_mut().insert(name, value.parse().unwrap());
            response
        };
        let again = |after_ms| Retry::Again { after_ms };
        for (response, read, write) in [
            (answer(200, ""), Retry::No, Retry::No),
            (coded(400, 81058), Retry::No, Retry::No),
            (coded(403, 10000), Retry::No, Retry::No),
            (answer(429, "{}"), again(None), again(None)),
            (
                hinted("retry-after", "7"),
                again(Some(7_000)),
                again(Some(7_000)),
            ),
            (
                hinted("retry-after", "Fri, 31 Dec 2027 23:59:59 GMT"),
                again(None),
                again(None),
            ),
            (
                hinted("ratelimit", "\"default\";r=0;t=120"),
                again(Some(120_000)),
                again(Some(120_000)),
            ),
            (answer(500, ""), again(None), Retry::Ambiguous),
            (answer(504, ""), again(None), Retry::Ambiguous),
            (answer(520, ""), again(None), Retry::Ambiguous),
            (answer(408, ""), again(None), Retry::Ambiguous),
        ] {
            assert_eq!(judge_read(&response), read, "{response:?}");
            assert_eq!(judge_write(&response), write, "{response:?}");
        }
    }

    #[test]
    fn silence() {
        let late = CallError::WaitTooLong {
            wait_ms: 299_001,
            status: 429,
        };
        let failure = unanswered(&late);
        assert_eq!(failure.code, FailureCode::RateLimited);
        assert!(failure.reason.contains("300 s"), "{}", failure.reason);
        for (error, code) in [
            (HttpError::Timeout(15_000), FailureCode::Network),
            (HttpError::NotSent("x".to_owned()), FailureCode::Network),
            (HttpError::Broken("x".to_owned()), FailureCode::Network),
            (HttpError::TooLarge(1), FailureCode::StrangeAnswer),
        ] {
            assert_eq!(unanswered(&CallError::Http(error)).code, code);
        }
        let unset = Unsendable::NoToken.read_failure();
        assert_eq!(unset.code, FailureCode::NoCredentials);
        assert!(unset.reason.contains("CLOUDFLARE_API_TOKEN"));
    }
}
