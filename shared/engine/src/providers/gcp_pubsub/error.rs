//! What each status and code of Pub/Sub means: whether to retry, why a read failed, what became of a change.
//!
//! Retry rules follow Google's own client settings (googleapis/googleapis:
//! google/pubsub/v1/pubsub_grpc_service_config.json): reads also on ABORTED, writes on UNAVAILABLE.

use bytes::Bytes;
use http::Response;
use kedge_core::change::{Change, ChangeError, Verb};
use kedge_core::live::{FailureCode, ReadFailure};
use kedge_core::model::{ByField, FieldName, SecretText, Timestamp};

use super::org_policy;
use super::wire::{self, ApiError, Strange};
use crate::ports::retry_after_ms;
use crate::providers::words::{of_other_body, words};
use crate::retry::Retry;

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
pub(super) fn classify(
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

/// How long the provider asks to wait: `Retry-After`, or `RetryInfo`.
fn hint_ms(response: &Response<Bytes>, error: Option<&ApiError>) -> Option<u64> {
    let detail = error.and_then(|error| error.retry_delay.as_deref());
    let detail = detail.and_then(|text| {
        let whole = text.strip_suffix('s')?.split('.').next()?;
        let whole: u64 = whole.parse().ok()?;
        // A begun second is waited for whole; zero would be to hammer.
        let seconds = whole.saturating_add(u64::from(text.contains('.')));
        (seconds > 0).then(|| seconds.saturating_mul(1_000))
    });
    retry_after_ms(|name| response.headers().get(name)?.to_str().ok()).or(detail)
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
    let said = status_and_words(response);
    let (code, reason) = match (status, &error) {
        (401, error) => {
            let why = unauthenticated(error.as_ref());
            (FailureCode::Unauthenticated, join(&said, why))
        }
        (403, error) => {
            let why = forbidden(op, project, error.as_ref());
            (FailureCode::Forbidden, join(&said, &why))
        }
        (404, Some(error)) if is_list(op) || is_about_project(error) => {
            let why = no_project(project);
            (FailureCode::ScopeNotFound, join(&said, &why))
        }
        (404, Some(_)) => {
            let why = "although it was listed a moment ago";
            (FailureCode::Inconsistent, join(&said, why))
        }
        (429, _) => (FailureCode::RateLimited, said),
        (408 | 499..=599, _) => (FailureCode::ProviderError, said),
        _ => (FailureCode::StrangeAnswer, said),
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
    format!(
        "there is no Google project `{project}`, or the account in GOOGLE_CREDENTIALS may not see it"
    )
}

/// The provider's own words of an answer; what they leave out of it where it is not its own.
fn describe(response: &Response<Bytes>, error: Option<&ApiError>) -> String {
    match error {
        Some(error) => words(&error.message),
        None => match of_other_body(response.body()).as_str() {
            "" => Strange::NotJson.as_str().to_owned(),
            said => format!("{}: {said}", Strange::NotJson.as_str()),
        },
    }
}

/// The status of a refusal and the provider's own words.
pub(super) fn status_and_words(response: &Response<Bytes>) -> String {
    let error = ApiError::parse(response.body());
    with(
        response.status().as_u16(),
        &describe(response, error.as_ref()),
    )
}

/// What is certain, behind the provider's own words.
fn join(said: &str, why: &str) -> String {
    format!("{said}; {why}")
}

fn with(status: u16, message: &str) -> String {
    match message {
        "" => format!("{status}: Pub/Sub gives no reason"),
        message => format!("{status}: {message}"),
    }
}

fn unauthenticated(error: Option<&ApiError>) -> &'static str {
    match error.and_then(|error| error.reason.as_deref()) {
        Some("ACCESS_TOKEN_EXPIRED") => "the token has expired; check this machine's clock",
        _ => "Google refuses the credentials in GOOGLE_CREDENTIALS",
    }
}

/// Whether the API is off, which without AIP-193's ErrorInfo looks like a missing permission
/// (hashicorp/terraform-provider-google#4142).
fn is_api_off(error: Option<&ApiError>) -> bool {
    error.is_some_and(|error| error.reason.as_deref() == Some("SERVICE_DISABLED"))
}

/// Whether a 403 is about a permission: by its reason, or, where it has none, by how Pub/Sub words it
/// (googleapis/nodejs-pubsub#1385). Others are about a perimeter, billing or the account.
fn lacks_permission(error: Option<&ApiError>) -> bool {
    error.is_some_and(|error| match error.reason.as_deref() {
        Some(reason) => reason == "IAM_PERMISSION_DENIED",
        None => error.message.starts_with("User not authorized"),
    })
}

fn forbidden(op: Op, project: &str, error: Option<&ApiError>) -> String {
    if is_api_off(error) {
        return format!("the Pub/Sub API is not enabled in project `{project}`");
    }
    let (permission, more) = (op.permission(), op.also_needs());
    format!("this call needs {permission}{more}")
}

/// What ends a 403, where that is certain.
fn fix_forbidden(project: &str, error: Option<&ApiError>) -> Option<String> {
    if is_api_off(error) {
        return Some(format!(
            "gcloud services enable pubsub.googleapis.com --project={project}"
        ));
    }
    let fix = "grant that permission to the account in GOOGLE_CREDENTIALS (roles/pubsub.admin has all of them)";
    lacks_permission(error).then(|| fix.to_owned())
}

/// An answer that was understood to be no answer.
pub(super) fn strange(strange: Strange) -> ReadFailure {
    ReadFailure {
        reason: strange.as_str().to_owned(),
        permission: None,
        code: FailureCode::StrangeAnswer,
    }
}

/// A read in the course of a change failed, so the change was not made.
pub(super) fn not_begun(failure: ReadFailure) -> ChangeError {
    let reason = failure.reason;
    match failure.code {
        FailureCode::Forbidden
        | FailureCode::NoCredentials
        | FailureCode::Unauthenticated
        | FailureCode::ScopeNotFound => ChangeError::Blocked { reason, fix: None },
        _ => ChangeError::Failed { reason },
    }
}

/// What an answer other than 200 means for a change. `after_ambiguous`: an earlier attempt may
/// have made it, so nothing short of success or a proof settles it.
///
/// Google's words come first. What is added to them is certain by the call that was made: a 404 of an
/// update, for one, may be about the topic, its dead-letter topic or a key, and not about what is
/// updated.
pub(super) fn refused(
    op: Op,
    change: &Change,
    project: &str,
    response: &Response<Bytes>,
    after_ambiguous: bool,
) -> ChangeError {
    let status = response.status().as_u16();
    let mut error = ApiError::parse(response.body());
    if let Some(error) = &mut error {
        hide(&mut error.message, &change.secrets);
    }
    let error = error.as_ref();
    let said = with(status, &describe(response, error));
    if after_ambiguous {
        return ChangeError::OutcomeUnknown {
            reason: format!(
                "an earlier attempt was not answered and may have worked; the last answer was {said}"
            ),
        };
    }
    if let Some(constraint) = error.and_then(|error| org_policy::refusing(status, error)) {
        return ChangeError::Blocked {
            reason: said,
            fix: Some(org_policy::fix(&constraint, project)),
        };
    }
    let blocked = |reason: String| ChangeError::Blocked { reason, fix: None };
    match (status, error) {
        (401, error) => blocked(join(&said, unauthenticated(error))),
        (403, error) => ChangeError::Blocked {
            reason: join(&said, &forbidden(op, project, error)),
            fix: fix_forbidden(project, error),
        },
        (400, Some(_)) => blocked(said),
        (404, Some(error)) if is_about_project(error) => blocked(join(&said, &no_project(project))),
        (404, Some(_)) => ChangeError::Failed {
            reason: match names(change).as_str() {
                "" => said,
                names => join(&said, &format!("the change refers to {names}")),
            },
        },
        (409, Some(error)) if error.status == "ALREADY_EXISTS" => ChangeError::Blocked {
            reason: join(&said, "this stack did not create it"),
            fix: Some("adopt it, or declare another name".to_owned()),
        },
        _ => ChangeError::Failed { reason: said },
    }
}

/// What else a change names that must be there.
fn names(change: &Change) -> String {
    let whole = change.edits.is_empty() || change.verb != Verb::Update;
    let names = ["topic", "dead_letter_topic", "kms_key_name"].into_iter();
    let named = names.filter_map(|name| {
        let field = FieldName::known(name);
        let is_edited = change.edits.iter().any(|edit| *edit.field() == field);
        let value = change.declared.get(&field).filter(|_| whole || is_edited)?;
        Some(format!("{} {}", name.replace('_', " "), value.as_text()?))
    });
    named.collect::<Vec<_>>().join(" and ")
}

/// Hides what a refusal may repeat of the push endpoint that it refuses: user, password, query and
/// fragment, wherever they stand.
fn hide(message: &mut String, secrets: &ByField<SecretText>) {
    // Fewer characters stand by chance in what people must read.
    const SHORTEST: usize = 6;
    for (_, url) in secrets {
        let url = url.reveal();
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        let (open, hidden) = rest.split_at(rest.find(['?', '#']).unwrap_or(rest.len()));
        let user = open.rsplit_once('@').map(|(user, _)| user);
        let parts = user.into_iter().flat_map(|user| user.split(':'));
        let pairs = hidden.split(['?', '#', '&']);
        let values = pairs.map(|pair| pair.split_once('=').map_or(pair, |(_, value)| value));
        let parts = parts.chain(values);
        for part in parts.filter(|part| part.len() >= SHORTEST) {
            *message = message.replace(part, "[hidden]");
        }
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

#[cfg(test)]
#[path = "error_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "refusal_tests.rs"]
mod refusal_tests;
