//! What each status and code of Cloudflare's means.
//!
//! Codes are from live probes and issues of other clients: favonia/cloudflare-ddns
//! (cloudflare-auth-error-watch), ddns-go#1378 (81058), aaPanel#112 (81057), cloudflare-ddns#990
//! (81054), terraform-provider-cloudflare#1621 (81044), octodns-cloudflare (10100, 9103).

use bytes::Bytes;
use http::{Response, StatusCode};
use kedge_core::change::{Change, ChangeError};
use kedge_core::live::{FailureCode, ReadFailure};

use super::super::words::words;
use super::batch::Batch;
use super::requests::TOKEN_NAME;
use super::wire::{CloudflareProblem, problems};
use crate::ports::retry_after_ms;
use crate::retry::Retry;

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
    /// No path can hold the zone's id.
    ZoneId,
    /// The body can't be written.
    Body,
}

impl Unsendable {
    fn reason(self) -> String {
        match self {
            Self::NoToken => format!("{TOKEN_NAME} is not set"),
            Self::Token => format!("{TOKEN_NAME} holds characters that no token has"),
            Self::Address => "the address of Cloudflare's API is not a URL".to_owned(),
            Self::ZoneId => "`cloudflare_zone_id` is not a zone id".to_owned(),
            Self::Body => "the request could not be written".to_owned(),
        }
    }

    /// As a failed read.
    pub(super) fn read_failure(self) -> ReadFailure {
        let code = match self {
            Self::NoToken | Self::Token => FailureCode::NoCredentials,
            Self::Address | Self::ZoneId | Self::Body => FailureCode::Network,
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
                Self::Address | Self::ZoneId | Self::Body => None,
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
pub(super) fn classify_read(response: &Response<Bytes>) -> Retry {
    match response.status() {
        StatusCode::TOO_MANY_REQUESTS => Retry::Again {
            after_ms: wait_hint(response),
        },
        status if is_outage(status) => Retry::Again {
            after_ms: retry_after(response),
        },
        _ => Retry::No,
    }
}

/// Whether a write is made again. A gateway's 5xx does not say whether the API behind it went on.
pub(super) fn classify_write(response: &Response<Bytes>) -> Retry {
    match response.status() {
        StatusCode::TOO_MANY_REQUESTS => classify_read(response),
        status if is_outage(status) => Retry::Ambiguous,
        _ => Retry::No,
    }
}

fn is_outage(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT
}

fn retry_after(response: &Response<Bytes>) -> Option<u64> {
    retry_after_ms(|name| response.headers().get(name)?.to_str().ok())
}

/// How long a 429 asks to wait, in milliseconds: `Retry-After`, else the reset time of
/// `Ratelimit: "default";r=0;t=<s>` (developers.cloudflare.com, api/reference/limits).
fn wait_hint(response: &Response<Bytes>) -> Option<u64> {
    retry_after(response).or_else(|| {
        let limits = response.headers().get("ratelimit")?.to_str().ok()?;
        let reset = limits
            .split([';', ','])
            .find_map(|part| part.trim().strip_prefix("t="))?;
        let seconds: u64 = reset.trim().parse().ok()?;
        (seconds > 0).then(|| seconds.saturating_mul(1_000))
    })
}

/// What an answer that is not a success is about.
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
fn meaning(status: StatusCode, problems: &[CloudflareProblem]) -> Meaning {
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

/// Whether a refusal of credentials is surely about the token or its permissions: it says so, or it says
/// nothing. Others are about what is read-only, an address that a token is bound to, a firewall.
fn is_about_the_token(problems: &[CloudflareProblem]) -> bool {
    problems.iter().all(|problem| match problem.code {
        6003 | 6111 | 9103 | 9106 | 10000 => true,
        9109 => !problem.message.contains("location"),
        _ => false,
    })
}

/// What an answer says, as [`describe`].
pub(super) fn describe_answer(response: &Response<Bytes>, else_text: &str) -> String {
    describe(response.status(), &problems(response.body()), else_text)
}

/// A write that was answered well, but not with a success.
pub(super) fn no_success(response: &Response<Bytes>) -> String {
    describe_answer(response, "the answer can't be understood")
}

/// `403: Authentication error`, with what Cloudflare says, or `else_text` if it says nothing.
fn describe(status: StatusCode, problems: &[CloudflareProblem], else_text: &str) -> String {
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
    // Each is bounded; how many there are is not.
    format!("{}: {}", status.as_u16(), words(&texts.join(": ")))
}

/// A read that was answered, but not with a list.
pub(super) fn read_failure(zone_id: &str, response: &Response<Bytes>) -> ReadFailure {
    let status = response.status();
    let problems = problems(response.body());
    let said = |else_text| describe(status, &problems, else_text);
    let needs = |code| match is_about_the_token(&problems) {
        true => ReadFailure {
            reason: format!("{}; needs {READ_PERMISSION}", said("refused")),
            permission: Some(READ_PERMISSION.to_owned()),
            code,
        },
        false => failure(code, said("refused")),
    };
    let meant = meaning(status, &problems);
    match meant {
        Meaning::Unauthenticated => needs(FailureCode::Unauthenticated),
        Meaning::Forbidden => needs(FailureCode::Forbidden),
        Meaning::RateLimited => failure(FailureCode::RateLimited, said(TOO_MANY)),
        Meaning::Outage => failure(
            FailureCode::ProviderError,
            said("Cloudflare's API is failing"),
        ),
        // Whatever a 404 of the list says, it is the zone that is not there.
        _ if status == StatusCode::NOT_FOUND || meant == Meaning::NoZone => {
            let reason = no_zone(zone_id, &said(NOT_FOUND));
            let reason = format!("{reason}; check `cloudflare_zone_id` and the token");
            failure(FailureCode::ScopeNotFound, reason)
        }
        _ => failure(FailureCode::StrangeAnswer, said("the answer is not a list")),
    }
}

const TOO_MANY: &str = "too many requests";
const NOT_FOUND: &str = "not found";

fn no_zone(zone_id: &str, said: &str) -> String {
    format!("{said}; there is no zone `{zone_id}` that this token may see")
}

/// What a refused batch means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// A record that it names is gone, as far as the answer tells, which says this. Nothing of the
    /// batch was made.
    RecordGone(String),
    /// Anything else.
    Error(ChangeError),
}

/// Reads a refusal of a batch that was surely not made. Cloudflare's own words come first; what they
/// mean is added only where its code leaves no doubt.
pub(super) fn refusal(change: &Change, zone_id: &str, response: &Response<Bytes>) -> Refusal {
    let status = response.status();
    let problems = problems(response.body());
    let name = change.key.name();
    let said = describe(status, &problems, "refused");
    let error = match meaning(status, &problems) {
        Meaning::RecordGone => {
            let said = format!("{said}; {name} has changed since it was read");
            return Refusal::RecordGone(said);
        }
        // A 404 without a code that we know may be about a record too: the zone has just been read.
        Meaning::Other if status == StatusCode::NOT_FOUND => return Refusal::RecordGone(said),
        Meaning::Unauthenticated | Meaning::Forbidden if is_about_the_token(&problems) => {
            ChangeError::Blocked {
                reason: format!("{said}; needs {EDIT_PERMISSION}"),
                fix: Some(format!(
                    "set {TOKEN_NAME} to a valid token with {EDIT_PERMISSION} on this zone"
                )),
            }
        }
        Meaning::NoZone => blocked(no_zone(zone_id, &said), "correct `cloudflare_zone_id`"),
        Meaning::RecordExists => blocked(
            format!("{said}; somebody else created a record of {name} with this address"),
            "check again: it is shown now",
        ),
        Meaning::CnameExists => blocked(
            format!("{said}; a name with a CNAME can't have addresses"),
            "remove the CNAME, or this record set from the definitions",
        ),
        Meaning::RateLimited | Meaning::Outage => failed(said),
        Meaning::Unauthenticated | Meaning::Forbidden | Meaning::Other => ChangeError::Blocked {
            reason: said,
            fix: None,
        },
    };
    Refusal::Error(error)
}

/// Records that Cloudflare created under another name than was asked, and whether they are gone again.
pub(super) fn made_elsewhere(batch: &Batch, made: &str, undone: Result<(), String>) -> ChangeError {
    let name = &batch.name;
    let zone = made
        .strip_prefix(name.as_str())
        .and_then(|rest| rest.strip_prefix('.'));
    let why = zone.map_or_else(String::new, |zone| {
        format!(": {name} is outside zone {}", words(zone))
    });
    let made = words(made);
    let correct = "correct `domain`, or `cloudflare_zone_id`";
    let (then, fix) = match undone {
        Ok(()) => ("it was deleted again".to_owned(), correct.to_owned()),
        Err(reason) => (
            format!("it could not be deleted again: {reason}"),
            format!("delete {made} by hand, then {correct}"),
        ),
    };
    let reason = format!("Cloudflare created {made} instead of {name}{why}; {then}");
    blocked(reason, &fix)
}

#[cfg(test)]
mod tests;
