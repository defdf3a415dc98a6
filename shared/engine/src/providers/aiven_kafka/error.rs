//! What each status and error code of Aiven means: whether to retry, and what to tell people.
//!
//! The status decides first, `error_code` second, the message last: codes are being added endpoint
//! by endpoint (Aiven OpenAPI, text of `ErrorItem`).

use bytes::Bytes;
use http::{Method, Response};
use kedge_core::change::{ChangeError, Verb};
use kedge_core::live::{FailureCode, ReadFailure};

use super::super::unanswered;
use super::AIVEN;
use super::encode::UnsendableError;
use super::requests::RequestError;
use super::wire::{self, Acknowledged, AivenProblem, ErrorItem, WireError};
use crate::ports::retry_after_ms;
use crate::retry::{Retry, WriteAnswer, WriteFailure};

/// What topic calls need, reads too (go-client-codegen: permissions.yaml).
pub(super) const TOPIC_PERMISSION: &str = "service:data:write";
/// What the read of a service needs (same source).
pub(super) const SERVICE_PERMISSION: &str = "project:services:read";

/// Which 404 it is: only one of them is about a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotFound {
    /// The topic, or one of a batch: `Topic(s) not found`.
    Topic,
    /// The project or the service: says nothing of topics.
    Scope,
    /// The service's own user is not there yet; passes (go-client-codegen: retry.go).
    Starting,
    /// Anything else: the path, a proxy.
    Path,
}

/// Sorts a 404.
pub(super) fn not_found(response: &Response<Bytes>) -> NotFound {
    let problem = AivenProblem::read(response.body());
    let message = problem.message.to_ascii_lowercase();
    if problem.code == "kafka_topic_not_found" {
        NotFound::Topic
    } else if message.starts_with("user ") && message.ends_with("component main not found") {
        NotFound::Starting
    } else if ["topic", "kafka topic"]
        .iter()
        .any(|word| message.starts_with(word))
    {
        NotFound::Topic
    } else if ["service ", "project "]
        .iter()
        .any(|word| message.starts_with(word))
    {
        NotFound::Scope
    } else {
        NotFound::Path
    }
}

/// Whether a read is worth repeating.
pub(super) fn classify_read(response: &Response<Bytes>) -> Retry {
    let again = Retry::Again {
        after_ms: wait_hint(response),
    };
    match response.status().as_u16() {
        // 501: a topic whose creation is not finished (terraform-provider-aiven#89).
        408 | 429 | 500..=599 => again,
        404 if not_found(response) == NotFound::Starting => again,
        _ => Retry::No,
    }
}

/// Whether a write is worth repeating, and whether it may have been made.
pub(super) fn classify_write(method: &Method, response: &Response<Bytes>) -> Retry {
    let again = Retry::Again {
        after_ms: wait_hint(response),
    };
    match response.status().as_u16() {
        200..=299 => match done(response) {
            Ok(_) => Retry::No,
            // Cut, or a page of a proxy: it may or may not have been made.
            Err(_) => Retry::Ambiguous,
        },
        // 503 is `kafka_service_unavailable`, answered before anything is done.
        429 | 503 => again,
        404 if not_found(response) == NotFound::Starting => again,
        // Dependants are still being deleted (go-client-codegen: retry.go, DELETE only).
        417 if method == Method::DELETE => again,
        408 | 500..=599 => Retry::Ambiguous,
        _ => Retry::No,
    }
}

/// How long Aiven wants us to wait: the header, else `try again in 28s` in the message
/// (terraform-provider-aiven#575).
fn wait_hint(response: &Response<Bytes>) -> Option<u64> {
    let header = |name| response.headers().get(name)?.to_str().ok();
    retry_after_ms(header).or_else(|| {
        let message = AivenProblem::read(response.body())
            .message
            .to_ascii_lowercase();
        let (_, rest) = message.split_once("try again in ")?;
        let digits = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        let (number, unit) = rest.split_at(digits);
        let seconds: u64 = number.parse().ok().filter(|_| unit.starts_with('s'))?;
        // Zero would be to hammer.
        (seconds > 0).then(|| seconds.saturating_mul(1_000))
    })
}

/// Whether a 2xx really says that it was done; what it complains of, if it does.
fn done(response: &Response<Bytes>) -> Result<Option<AivenProblem>, WireError> {
    if response.status().as_u16() == 204 {
        return Ok(None);
    }
    let done: Acknowledged = wire::read(response.body())?;
    Ok(complaint(done.errors.as_deref()))
}

/// The errors of an answer that calls itself a success, which Aiven's own client takes for a
/// failure (aiven-go-client: client.go).
fn complaint(errors: Option<&[ErrorItem]>) -> Option<AivenProblem> {
    errors
        .filter(|items| !items.is_empty())
        .map(AivenProblem::of_items)
}

/// The status, and what was said with it, in Aiven's own words if it has any.
fn describe_problem(status: u16, problem: &AivenProblem) -> String {
    let said = [&problem.message, &problem.beside, &problem.code]
        .into_iter()
        .find(|words| !words.is_empty());
    said.map_or_else(
        || format!("{status} from Aiven"),
        |said| format!("{status}: {said}"),
    )
}

/// Whether a 501 is about a topic that is being made, and not about the call.
pub(super) fn is_about_a_topic(response: &Response<Bytes>) -> bool {
    AivenProblem::read(response.body()).mentions("kafka topic")
}

/// What an answer says, for a sentence of ours about it.
pub(super) fn describe_answer(response: &Response<Bytes>) -> String {
    let problem = AivenProblem::read(response.body());
    describe_problem(response.status().as_u16(), &problem)
}

fn failure(code: FailureCode, reason: String) -> ReadFailure {
    ReadFailure {
        reason,
        permission: None,
        code,
    }
}

/// What an answer that is not a 200 means for a read that needs `permission`.
pub(super) fn read_failure(response: &Response<Bytes>, permission: &str) -> ReadFailure {
    let status = response.status().as_u16();
    let problem = AivenProblem::read(response.body());
    let reason = describe_problem(status, &problem);
    match status {
        _ if is_bad_token(status, &problem) => failure(
            FailureCode::Unauthenticated,
            format!("{reason}; AIVEN_TOKEN must hold a valid token"),
        ),
        403 => ReadFailure {
            reason: forbidden(permission, &problem),
            permission: lacks(&problem).then(|| permission.to_owned()),
            code: FailureCode::Forbidden,
        },
        404 if matches!(not_found(response), NotFound::Topic) => {
            failure(FailureCode::Inconsistent, reason)
        }
        404 if matches!(not_found(response), NotFound::Starting) => {
            failure(FailureCode::ProviderError, reason)
        }
        // A page on the way is no word of Aiven's on what is there.
        404 if problem.is_silent() => failure(FailureCode::StrangeAnswer, reason),
        404 => failure(FailureCode::ScopeNotFound, reason),
        409 if problem.code == "not_powered" => failure(FailureCode::NotRunning, reason),
        429 => failure(FailureCode::RateLimited, reason),
        408 | 500..=599 => failure(FailureCode::ProviderError, reason),
        _ => failure(FailureCode::StrangeAnswer, reason),
    }
}

/// The same for the read of a topic, which is 501 while it is being made
/// (terraform-provider-aiven#89).
pub(super) fn topic_failure(response: &Response<Bytes>) -> ReadFailure {
    let failure = read_failure(response, TOPIC_PERMISSION);
    match response.status().as_u16() {
        501 => ReadFailure {
            code: FailureCode::InTransition,
            ..failure
        },
        _ => failure,
    }
}

/// Whether the token was refused: 401, and 403 with a code of its own (Aiven OpenAPI).
fn is_bad_token(status: u16, problem: &AivenProblem) -> bool {
    status == 401 || (status == 403 && problem.code == "authentication_failed")
}

/// Whether a 403 may be about a permission, and not about the caller's address or anything else that
/// has a code of its own (Aiven OpenAPI).
fn lacks(problem: &AivenProblem) -> bool {
    matches!(problem.code.as_str(), "" | "permission_denied")
}

/// Why a call that needs `permission` is forbidden. Without a code nobody knows that it is this
/// permission; that the call needs it is true all the same.
fn forbidden(permission: &str, problem: &AivenProblem) -> String {
    let words = [&problem.message, &problem.beside]
        .into_iter()
        .find(|words| !words.is_empty());
    match (problem.code.as_str(), words) {
        ("permission_denied", None) => format!("403: needs {permission}"),
        ("permission_denied", Some(words)) => format!("403: {words}; needs {permission}"),
        ("", None) => format!("403: this call needs {permission}"),
        ("", Some(words)) => format!("403: {words}; this call needs {permission}"),
        _ => describe_problem(403, problem),
    }
}

/// A 200 that can't be read.
pub(super) fn strange(what: &str, error: WireError) -> ReadFailure {
    failure(FailureCode::StrangeAnswer, format!("{what} {error}"))
}

/// A 200 that says it is an error.
pub(super) fn complained(errors: Option<&[ErrorItem]>) -> Option<ReadFailure> {
    complaint(errors)
        .map(|problem| failure(FailureCode::ProviderError, describe_problem(200, &problem)))
}

/// A read that could not even be sent.
pub(super) fn unsent(error: &RequestError) -> ReadFailure {
    let code = match error {
        RequestError::Token(_) => FailureCode::NoCredentials,
        RequestError::Address(_) => FailureCode::Network,
    };
    failure(code, error.to_string())
}

impl From<RequestError> for ChangeError {
    fn from(error: RequestError) -> Self {
        blocked(error.to_string(), None)
    }
}

impl From<UnsendableError> for ChangeError {
    fn from(error: UnsendableError) -> Self {
        blocked(error.to_string(), None)
    }
}

/// A change that waits for somebody.
pub(super) fn blocked(reason: String, fix: Option<&str>) -> ChangeError {
    ChangeError::Blocked {
        reason,
        fix: fix.map(str::to_owned),
    }
}

/// What became of a write. `begun_before`: an earlier run may have made it.
pub(super) fn outcome(
    verb: Verb,
    begun_before: bool,
    answered: Result<WriteAnswer, WriteFailure>,
) -> Result<(), ChangeError> {
    let answer = match answered {
        Ok(answer) => answer,
        Err(failure) => return Err(unanswered::change_error(AIVEN, &failure)),
    };
    match write_error(verb, begun_before, &answer) {
        // An earlier attempt may have been carried out, so this answer proves nothing.
        Some(ChangeError::Blocked { reason, .. } | ChangeError::Failed { reason })
            if answer.after_ambiguous =>
        {
            let reason = format!(
                "an earlier attempt was not answered and may have worked; the last answer was {reason}"
            );
            Err(ChangeError::OutcomeUnknown { reason })
        }
        Some(error) => Err(error),
        None => Ok(()),
    }
}

/// Why a write was not made; none if it was.
fn write_error(verb: Verb, begun_before: bool, answer: &WriteAnswer) -> Option<ChangeError> {
    let response = &answer.response;
    let status = response.status().as_u16();
    let problem = AivenProblem::read(response.body());
    let reason = describe_problem(status, &problem);
    let failed = |reason| ChangeError::Failed { reason };
    Some(match status {
        200..=299 => match done(response) {
            Ok(None) => return None,
            Ok(Some(problem)) => ChangeError::OutcomeUnknown {
                reason: describe_problem(status, &problem),
            },
            Err(error) => ChangeError::OutcomeUnknown {
                reason: format!("the answer {error}"),
            },
        },
        _ if is_bad_token(status, &problem) => {
            blocked(reason, Some("set AIVEN_TOKEN to a valid token"))
        }
        403 => blocked(
            forbidden(TOPIC_PERMISSION, &problem),
            (problem.code == "permission_denied").then_some(
                "give the owner of AIVEN_TOKEN the role developer or operator in the project",
            ),
        ),
        404 => match not_found(response) {
            NotFound::Topic if verb == Verb::Delete => return None,
            NotFound::Topic | NotFound::Starting => failed(reason),
            NotFound::Scope => blocked(
                reason,
                Some("check `aiven_project` and `kafka_service` in the stack's config"),
            ),
            // It may be a gateway's.
            NotFound::Path => blocked(reason, None),
        },
        409 => {
            let maybe_ours = answer.after_ambiguous || begun_before;
            return conflict(verb, maybe_ours, reason, &problem);
        }
        417 | 429 | 503 => failed(reason),
        408 | 500..=599 => ChangeError::OutcomeUnknown { reason },
        // 400 is `kafka_topic_invalid_config` and the like.
        _ => blocked(reason, None),
    })
}

/// A 409 by its code, or by its message where it has none. Messages hold topic names, so the words
/// looked for hold a space or a bracket, which no name does.
fn conflict(
    verb: Verb,
    maybe_ours: bool,
    reason: String,
    problem: &AivenProblem,
) -> Option<ChangeError> {
    let fix = match problem.code.as_str() {
        "kafka_topic_queued_for_deletion" if verb == Verb::Delete => return None,
        "kafka_topic_queued_for_deletion" | "kafka_partition_reassignment_in_progress" => {
            return Some(ChangeError::Failed { reason });
        }
        "kafka_topic_reserved" => None,
        "not_powered" => Some("power on the service"),
        "resource_managed_by_governance" | "kafka_console_governance_enabled" => {
            Some("change it in Aiven's governance, which manages it")
        }
        code if code == "kafka_topic_already_exists" || problem.mentions(" already exists") => {
            match verb {
                Verb::Create if maybe_ours => return None,
                Verb::Create => Some("adopt the topic, or declare another name"),
                _ => None,
            }
        }
        // terraform-provider-aiven#1360; also while brokers are still starting (#1490).
        _ if problem.mentions("broker(s)") => problem
            .mentions("replication factor")
            .then_some("declare a lower replication, or wait until all brokers run"),
        // terraform-provider-aiven#1672.
        _ if problem.mentions("tiered storage") => problem
            .mentions("not enabled")
            .then_some("turn on tiered storage for the service, or remove the fields that need it"),
        // What is not known may pass.
        _ => return Some(ChangeError::Failed { reason }),
    };
    Some(blocked(reason, fix))
}

#[cfg(test)]
#[path = "error_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "error_write_tests.rs"]
mod write_tests;
