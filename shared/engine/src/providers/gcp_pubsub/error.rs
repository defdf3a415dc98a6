//! What each status and code of Pub/Sub means: again or not, unknown why, not changed why.
//!
//! Retry rules follow Google's own client settings (googleapis/googleapis:
//! google/pubsub/v1/pubsub_grpc_service_config.json): reads also on ABORTED, writes on UNAVAILABLE.

use bytes::Bytes;
use http::Response;
use http::header::RETRY_AFTER;
use kedge_core::change::ChangeError;
use kedge_core::live::{FailureCode, ReadFailure};
use kedge_core::model::Timestamp;

use super::wire::{self, ApiError, Strange};
use crate::ports::HttpError;
use crate::transport::{CallError, Retry, WriteFailure};

/// What is asked of Pub/Sub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    ListTopics,
    ListSubscriptions,
    GetTopic,
    GetSubscription,
    /// Reads a policy to look at it, or to take members away.
    GetPolicy,
    /// Reads a policy to add members, perhaps of a topic made a moment ago.
    GetPolicyToGrant,
    CreateTopic,
    PatchTopic,
    DeleteTopic,
    CreateSubscription,
    PatchSubscription,
    DeleteSubscription,
    SetPolicy,
}

impl Op {
    /// The permission the call needs, since Google's refusal names none
    /// (googleapis/nodejs-pubsub#1385).
    pub(super) fn permission(self) -> &'static str {
        match self {
            Self::ListTopics => "pubsub.topics.list",
            Self::ListSubscriptions => "pubsub.subscriptions.list",
            Self::GetTopic => "pubsub.topics.get",
            Self::GetSubscription => "pubsub.subscriptions.get",
            Self::GetPolicy | Self::GetPolicyToGrant => "pubsub.topics.getIamPolicy",
            Self::CreateTopic => "pubsub.topics.create",
            Self::PatchTopic => "pubsub.topics.update",
            Self::DeleteTopic => "pubsub.topics.delete",
            Self::CreateSubscription => "pubsub.subscriptions.create",
            Self::PatchSubscription => "pubsub.subscriptions.update",
            Self::DeleteSubscription => "pubsub.subscriptions.delete",
            Self::SetPolicy => "pubsub.topics.setIamPolicy",
        }
    }

    /// What else a refusal may mean.
    fn also_needs(self) -> &'static str {
        match self {
            Self::CreateSubscription => {
                ", pubsub.topics.attachSubscription on its topic and iam.serviceAccounts.actAs on \
                 its push account"
            }
            Self::PatchSubscription => ", and iam.serviceAccounts.actAs on its push account",
            _ => "",
        }
    }

    fn is_write(self) -> bool {
        matches!(
            self,
            Self::CreateTopic
                | Self::PatchTopic
                | Self::DeleteTopic
                | Self::CreateSubscription
                | Self::PatchSubscription
                | Self::DeleteSubscription
                | Self::SetPolicy
        )
    }
}

/// Whether an answer is final. `jitter` spreads those who wait for the same minute.
pub(super) fn judge(
    op: Op,
    response: &Response<Bytes>,
    now: Timestamp,
    jitter: impl FnOnce() -> u64,
) -> Retry {
    let status = response.status().as_u16();
    if status == 200 && op.is_write() && !is_done(response) {
        return Retry::Ambiguous;
    }
    if status == 200 {
        return Retry::No;
    }
    let error = ApiError::parse(response.body());
    let code = error.as_ref().map_or("", |error| error.status.as_str());
    let message = error.as_ref().map_or("", |error| error.message.as_str());
    let again = Retry::Again {
        after_ms: hint_ms(response, error.as_ref()),
    };
    match (status, op.is_write()) {
        (429, _) if again == (Retry::Again { after_ms: None }) && code == "RESOURCE_EXHAUSTED" => {
            // The quota is counted per minute (`administratorPerMinutePerProject`:
            // teslamotors/fleet-telemetry#289).
            let to_next_minute = 60_000 - u64::try_from(now.0.rem_euclid(60_000)).unwrap_or(0);
            Retry::Again {
                after_ms: Some(to_next_minute + jitter() % 1_000),
            }
        }
        (429, _) => again,
        (408 | 499 | 500 | 502 | 503 | 504, false) => again,
        // Google's clients repeat even topics.create on UNAVAILABLE; a proxy's 503 says less.
        (503, true) if code == "UNAVAILABLE" => again,
        (408 | 499 | 500 | 502 | 503 | 504, true) => Retry::Ambiguous,
        // A conflict over a policy needs a new read, not the same write.
        (409 | 412, true) if op == Op::SetPolicy => Retry::No,
        (409, _) if code == "ABORTED" => again,
        (412, _) => again,
        // Organisation policies of a young project
        // (hashicorp/terraform-provider-google#4349).
        (400, true) if message.contains("retry this operation") => again,
        // A topic made a moment ago may not be known everywhere
        // (hashicorp/terraform-provider-google#524).
        (404, _)
            if code == "NOT_FOUND"
                && !message.starts_with(NO_PROJECT)
                && matches!(op, Op::CreateSubscription | Op::GetPolicyToGrant) =>
        {
            again
        }
        _ => Retry::No,
    }
}

/// How long the provider asks to wait: `Retry-After` in seconds, or `RetryInfo`.
fn hint_ms(response: &Response<Bytes>, error: Option<&ApiError>) -> Option<u64> {
    let header = response.headers().get(RETRY_AFTER);
    let header = header.and_then(|value| value.to_str().ok()?.trim().parse::<u64>().ok());
    let detail = error.and_then(|error| error.retry_delay.as_deref());
    let detail = detail.and_then(|text| {
        let whole = text.strip_suffix('s')?.split('.').next()?;
        // A begun second is waited for whole.
        Some(
            whole
                .parse::<u64>()
                .ok()?
                .saturating_add(u64::from(text.contains('.'))),
        )
    });
    header
        .or(detail)
        .map(|seconds| seconds.saturating_mul(1_000))
}

/// The body of a 200, or why there is nothing to read.
pub(super) fn ok_body<'a>(
    op: Op,
    project: &str,
    response: &'a Response<Bytes>,
) -> Result<&'a [u8], ReadFailure> {
    let status = response.status().as_u16();
    if status == 200 {
        return Ok(response.body());
    }
    let error = ApiError::parse(response.body());
    let message = error.as_ref().map_or("", |error| error.message.as_str());
    let (code, reason) = match (status, &error) {
        (401, error) => (
            FailureCode::Unauthenticated,
            unauthenticated(error.as_ref()),
        ),
        (403, error) => (
            FailureCode::Forbidden,
            forbidden(op, project, error.as_ref()),
        ),
        (404, Some(error)) if is_list(op) || is_about_project(error) => {
            (FailureCode::ScopeNotFound, no_project(project))
        }
        (404, Some(_)) => (
            FailureCode::Inconsistent,
            "404: it was listed a moment ago and is not found now".to_owned(),
        ),
        (429, _) => (
            FailureCode::RateLimited,
            "429: too many requests to Pub/Sub".to_owned(),
        ),
        (408 | 499..=599, _) => (FailureCode::ProviderError, with(status, message)),
        (_, Some(_)) => (FailureCode::StrangeAnswer, with(status, message)),
        (_, None) => (
            FailureCode::StrangeAnswer,
            format!("{status}: {}", Strange::NotJson.as_str()),
        ),
    };
    let permission = matches!(status, 401 | 403).then(|| op.permission().to_owned());
    Err(ReadFailure {
        reason,
        permission,
        code,
    })
}

/// How a 404 of the project begins, which says nothing of what is in it
/// (potmat/homebridge-google-nest-sdm#9).
const NO_PROJECT: &str = "Requested project not found";

fn is_about_project(error: &ApiError) -> bool {
    error.message.starts_with(NO_PROJECT)
}

fn is_list(op: Op) -> bool {
    matches!(op, Op::ListTopics | Op::ListSubscriptions)
}

fn no_project(project: &str) -> String {
    format!("404: there is no Google project `{project}`, or its account may not see it")
}

fn with(status: u16, message: &str) -> String {
    match message {
        "" if status == 200 => format!("200: {}", Strange::NotJson.as_str()),
        "" => format!("{status}: Pub/Sub gives no reason"),
        message => format!("{status}: {message}"),
    }
}

fn unauthenticated(error: Option<&ApiError>) -> String {
    match error.and_then(|error| error.reason.as_deref()) {
        Some("ACCESS_TOKEN_EXPIRED") => {
            "401: Google says that the token has expired; is this machine's clock right?".to_owned()
        }
        _ => "401: Google refuses the credentials in GOOGLE_CREDENTIALS".to_owned(),
    }
}

fn forbidden(op: Op, project: &str, error: Option<&ApiError>) -> String {
    // AIP-193's ErrorInfo; without it a disabled API looks like a missing permission
    // (hashicorp/terraform-provider-google#4142).
    if error.is_some_and(|error| error.reason.as_deref() == Some("SERVICE_DISABLED")) {
        return format!("403: the Pub/Sub API is not enabled in project `{project}`");
    }
    let (permission, more) = (op.permission(), op.also_needs());
    format!("403: needs {permission}{more}, or the Pub/Sub API is not enabled in `{project}`")
}

/// An answer that was understood to be no answer.
pub(super) fn strange(strange: Strange) -> ReadFailure {
    ReadFailure {
        reason: strange.as_str().to_owned(),
        permission: None,
        code: FailureCode::StrangeAnswer,
    }
}

/// A read that was never answered.
pub(super) fn unanswered(error: &CallError) -> ReadFailure {
    let (code, reason) = match error {
        CallError::Http(error @ HttpError::TooLarge(_)) => {
            (FailureCode::StrangeAnswer, error.to_string())
        }
        CallError::Http(error) => (FailureCode::Network, error.to_string()),
        CallError::WaitTooLong { .. } => (FailureCode::RateLimited, call_error(error)),
        CallError::NoLease(_) => (FailureCode::Network, call_error(error)),
    };
    ReadFailure {
        reason,
        permission: None,
        code,
    }
}

fn call_error(error: &CallError) -> String {
    match error {
        CallError::Http(error) => error.to_string(),
        CallError::WaitTooLong { wait_ms, status } => {
            let seconds = wait_ms.div_ceil(1_000);
            format!("{status}: Pub/Sub asks to wait {seconds} s, longer than this run lasts")
        }
        CallError::NoLease(reason) => reason.clone(),
    }
}

/// A read in the course of a change failed, so the change was not made.
pub(super) fn not_begun(failure: ReadFailure, project: &str) -> ChangeError {
    match failure.code {
        FailureCode::Forbidden => ChangeError::Blocked {
            fix: Some(grant_hint(project)),
            reason: failure.reason,
        },
        FailureCode::NoCredentials | FailureCode::Unauthenticated | FailureCode::ScopeNotFound => {
            ChangeError::Blocked {
                reason: failure.reason,
                fix: None,
            }
        }
        _ => ChangeError::Failed {
            reason: failure.reason,
        },
    }
}

fn grant_hint(project: &str) -> String {
    format!(
        "grant the permission to the account in GOOGLE_CREDENTIALS (roles/pubsub.admin has all), \
         or run gcloud services enable pubsub.googleapis.com --project={project}"
    )
}

/// A write that was never answered.
pub(super) fn unanswered_write(failure: &WriteFailure) -> ChangeError {
    let reason = call_error(&failure.error);
    match (&failure.error, failure.ambiguous) {
        (_, true) => ChangeError::OutcomeUnknown { reason },
        (CallError::Http(HttpError::Refused(_)), false) => {
            ChangeError::Blocked { reason, fix: None }
        }
        (_, false) => ChangeError::Failed { reason },
    }
}

/// What an answer other than 200 means for a change. `after_ambiguous`: an earlier attempt may
/// have made it, so nothing short of success or a proof settles it.
pub(super) fn refused(
    op: Op,
    project: &str,
    response: &Response<Bytes>,
    after_ambiguous: bool,
) -> ChangeError {
    let status = response.status().as_u16();
    let error = ApiError::parse(response.body());
    let message = error.as_ref().map_or("", |error| error.message.as_str());
    if after_ambiguous {
        let said = with(status, message);
        return ChangeError::OutcomeUnknown {
            reason: format!("an attempt went unanswered and the last one brought {said}"),
        };
    }
    if let Some(constraint) = error.as_ref().and_then(|error| org_policy(status, error)) {
        return ChangeError::Blocked {
            reason: with(status, message),
            fix: Some(format!(
                "gcloud org-policies reset {constraint} --project={project}"
            )),
        };
    }
    let blocked = |reason: String| ChangeError::Blocked { reason, fix: None };
    match (status, &error) {
        (401, error) => blocked(unauthenticated(error.as_ref())),
        (403, error) => ChangeError::Blocked {
            reason: forbidden(op, project, error.as_ref()),
            fix: Some(grant_hint(project)),
        },
        (400, Some(_)) => blocked(with(status, message)),
        (404, Some(error)) if op == Op::CreateTopic || is_about_project(error) => {
            blocked(no_project(project))
        }
        (404, Some(_)) => ChangeError::Failed {
            reason: match op {
                Op::CreateSubscription => "404: its topic does not exist".to_owned(),
                _ => "404: it is not there any more".to_owned(),
            },
        },
        (409, Some(error)) if error.status == "ALREADY_EXISTS" => {
            blocked("409: the name exists already and was not made by us".to_owned())
        }
        _ => ChangeError::Failed {
            reason: with(status, message),
        },
    }
}

/// Whether a write was made. A page that something on the way sends with a 200 proves nothing.
pub(super) fn is_done(response: &Response<Bytes>) -> bool {
    response.status().as_u16() == 200 && wire::is_object(response.body())
}

/// Whether Google itself (not some page on the way) says that the thing is not there. A project
/// that is not there, or not to be seen, says nothing of what is in it.
pub(super) fn is_not_found(response: &Response<Bytes>) -> bool {
    response.status().as_u16() == 404
        && ApiError::parse(response.body())
            .is_some_and(|error| error.status == "NOT_FOUND" && !is_about_project(&error))
}

/// Whether the name to be created exists.
pub(super) fn is_already_there(response: &Response<Bytes>) -> bool {
    response.status().as_u16() == 409 && has_code(response, "ALREADY_EXISTS")
}

/// Whether somebody else changed the policy meanwhile: 409 `ABORTED` (pulumi/pulumi-gcp#1028), or
/// 412 as Terraform also takes it.
pub(super) fn is_policy_conflict(response: &Response<Bytes>) -> bool {
    matches!(response.status().as_u16(), 409 | 412)
}

fn has_code(response: &Response<Bytes>, code: &str) -> bool {
    ApiError::parse(response.body()).is_some_and(|error| error.status == code)
}

/// The organisation policy that forbids a member, by the name `gcloud` takes.
///
/// Status, message and violation as in terraform-google-modules/terraform-example-foundation#1454;
/// seen on a Pub/Sub topic in googleapis/python-pubsub#528.
fn org_policy(status: u16, error: &ApiError) -> Option<String> {
    const LEGACY: &str = "iam.allowedPolicyMemberDomains";
    const MESSAGE: &str =
        "One or more users named in the policy do not belong to a permitted customer";
    if status != 400 || error.status != "FAILED_PRECONDITION" {
        return None;
    }
    let violation = error
        .violations
        .iter()
        .find(|violation| violation.contains("allowedPolicyMember"));
    let Some(violation) = violation else {
        return error
            .message
            .starts_with(MESSAGE)
            .then(|| LEGACY.to_owned());
    };
    // It ends in a command that people copy, so only a plain name is taken over.
    let name = violation.strip_prefix("constraints/").unwrap_or(violation);
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '.');
    Some(if plain { name } else { LEGACY }.to_owned())
}

#[cfg(test)]
#[path = "error_tests.rs"]
mod tests;
