use kedge_core::model::{Fields, ResourceKey, StackName, Value};

use http::header::RETRY_AFTER;

use super::*;

/// A change of a subscription that declares these.
pub(super) fn change(verb: Verb, declared: &[(&'static str, &str)]) -> Change {
    let declared = declared.iter();
    let declared: Fields = declared
        .map(|(name, text)| (FieldName::known(name), Value::text(*text)))
        .collect();
    Change {
        stack: StackName::new("dev").unwrap(),
        key: ResourceKey::pubsub_subscription("p", "dev-s"),
        verb,
        edits: Vec::new(),
        declared,
        secrets: ByField::new(),
        recorded: Fields::new(),
        live: None,
        begun_before: false,
    }
}

pub(super) fn refusal(
    op: Op,
    project: &str,
    response: &Response<Bytes>,
    after: bool,
) -> ChangeError {
    refused(op, &change(Verb::Delete, &[]), project, response, after)
}

const NOW: Timestamp = Timestamp(1_700_000_010_000);
const NONE: Retry = Retry::Again { after_ms: None };

pub(super) fn answer(status: u16, body: &str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::copy_from_slice(body.as_bytes()));
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap();
    response
}

pub(super) fn google(status: u16, code: &str, message: &str, details: &str) -> Response<Bytes> {
    answer(
        status,
        &format!(
            r#"{{"error":{{"code":{status},"message":"{message}","status":"{code}","details":[{details}]}}}}"#
        ),
    )
}

fn retry(op: Op, response: &Response<Bytes>) -> Retry {
    classify(op, response, NOW, || 7)
}

fn after(ms: u64) -> Retry {
    Retry::Again { after_ms: Some(ms) }
}

#[test]
fn every_row_of_the_error_table_retries_as_it_should() {
    // status, code, for a read, for a write
    for (status, code, read, write) in [
        (200, "", Retry::No, Retry::No),
        (400, "INVALID_ARGUMENT", Retry::No, Retry::No),
        (400, "FAILED_PRECONDITION", Retry::No, Retry::No),
        (401, "UNAUTHENTICATED", Retry::No, Retry::No),
        (403, "PERMISSION_DENIED", Retry::No, Retry::No),
        (404, "NOT_FOUND", Retry::No, Retry::No),
        (409, "ALREADY_EXISTS", Retry::No, Retry::No),
        (409, "ABORTED", NONE, NONE),
        (412, "", NONE, NONE),
        (429, "", NONE, NONE),
        // NOW is 30 s into its minute.
        (429, "RESOURCE_EXHAUSTED", after(30_007), after(30_007)),
        (499, "CANCELLED", NONE, Retry::Ambiguous),
        (500, "INTERNAL", NONE, Retry::Ambiguous),
        (502, "", NONE, Retry::Ambiguous),
        (503, "UNAVAILABLE", NONE, NONE),
        (503, "", NONE, Retry::Ambiguous),
        (504, "DEADLINE_EXCEEDED", NONE, Retry::Ambiguous),
    ] {
        let response = google(status, code, "m", "");
        assert_eq!(
            retry(Op::ListTopics, &response),
            read,
            "{status} {code} read"
        );
        assert_eq!(
            retry(Op::CreateTopic, &response),
            write,
            "{status} {code} write"
        );
    }
}

#[test]
fn rows_that_depend_on_the_call() {
    let not_found = google(404, "NOT_FOUND", "Resource not found (resource=t).", "");
    assert_eq!(retry(Op::CreateSubscription, &not_found), NONE);
    assert_eq!(retry(Op::GetPolicyToGrant, &not_found), NONE);
    assert_eq!(retry(Op::GetPolicy, &not_found), Retry::No);
    assert_eq!(
        retry(Op::CreateSubscription, &answer(404, "<html>")),
        Retry::No
    );
    for conflict in [google(409, "ABORTED", "m", ""), answer(412, "")] {
        assert_eq!(retry(Op::SetPolicy, &conflict), Retry::No);
        assert!(is_policy_conflict(&conflict));
    }
    for (body, write) in [
        ("<html>", Retry::Ambiguous),
        ("{\"na", Retry::Ambiguous),
        ("{}", Retry::No),
    ] {
        assert_eq!(retry(Op::PatchTopic, &answer(200, body)), write, "{body}");
        assert_eq!(
            retry(Op::ListTopics, &answer(200, body)),
            Retry::No,
            "{body}"
        );
    }
    let young = google(
        400,
        "FAILED_PRECONDITION",
        "please retry this operation later",
        "",
    );
    assert_eq!(retry(Op::CreateTopic, &young), NONE);
}

#[test]
fn the_providers_own_hints_count() {
    let delay = r#"{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"2.5s"}"#;
    let limited = google(429, "RESOURCE_EXHAUSTED", "m", delay);
    assert_eq!(retry(Op::ListTopics, &limited), after(3_000));
    let mut limited = google(429, "RESOURCE_EXHAUSTED", "m", "");
    limited.headers_mut().insert(RETRY_AFTER, 4.into());
    assert_eq!(retry(Op::ListTopics, &limited), after(4_000));
    let mut down = google(503, "UNAVAILABLE", "m", "");
    down.headers_mut().insert(RETRY_AFTER, 5.into());
    assert_eq!(retry(Op::SetPolicy, &down), after(5_000));
    // Zero would be to hammer.
    down.headers_mut().insert(RETRY_AFTER, 0.into());
    assert_eq!(retry(Op::SetPolicy, &down), NONE);
    let delay = delay.replace("2.5s", "0s");
    let now = google(503, "UNAVAILABLE", "m", &delay);
    assert_eq!(retry(Op::SetPolicy, &now), NONE);
}

#[test]
fn every_row_of_the_error_table_says_why_a_read_failed() {
    use FailureCode as F;
    let expired = r#"{"@type":"x","reason":"ACCESS_TOKEN_EXPIRED"}"#;
    let disabled = r#"{"@type":"x","reason":"SERVICE_DISABLED"}"#;
    for (response, code, text) in [
        (
            google(400, "INVALID_ARGUMENT", "Bad page.", ""),
            F::StrangeAnswer,
            "400: Bad page",
        ),
        (
            google(401, "UNAUTHENTICATED", "m", ""),
            F::Unauthenticated,
            "GOOGLE_CREDENTIALS",
        ),
        (
            google(401, "UNAUTHENTICATED", "m", expired),
            F::Unauthenticated,
            "expired",
        ),
        (
            google(403, "PERMISSION_DENIED", "m", ""),
            F::Forbidden,
            "403: m; this call needs pubsub.topics.list",
        ),
        (
            google(403, "PERMISSION_DENIED", "m", disabled),
            F::Forbidden,
            "API is not enabled",
        ),
        (
            google(404, "NOT_FOUND", "m", ""),
            F::ScopeNotFound,
            "no Google project `p`",
        ),
        (
            answer(404, "<!DOCTYPE html>"),
            F::StrangeAnswer,
            "404: the answer is not JSON",
        ),
        (
            google(429, "RESOURCE_EXHAUSTED", "m", ""),
            F::RateLimited,
            "429",
        ),
        (
            google(500, "INTERNAL", "", ""),
            F::ProviderError,
            "500: Pub/Sub gives no reason",
        ),
        (answer(502, "<html>"), F::ProviderError, "502"),
        (
            google(503, "UNAVAILABLE", "down", ""),
            F::ProviderError,
            "503: down",
        ),
        (answer(302, ""), F::StrangeAnswer, "302"),
        (answer(204, ""), F::StrangeAnswer, "204"),
    ] {
        let failure = ok_body(Op::ListTopics, "p", &response).unwrap_err();
        assert_eq!(failure.code, code, "{failure:?}");
        assert!(failure.reason.contains(text), "{failure:?}");
        let wants = matches!(code, F::Unauthenticated | F::Forbidden);
        assert_eq!(failure.permission.is_some(), wants, "{failure:?}");
    }
    let gone = google(404, "NOT_FOUND", "m", "");
    let failure = ok_body(Op::GetPolicy, "p", &gone).unwrap_err();
    assert_eq!(failure.code, F::Inconsistent);
}

/// The word for an error, its reason and its fix.
pub(super) fn parts(error: ChangeError) -> (&'static str, String) {
    match error {
        ChangeError::Blocked { reason, fix } => {
            ("blocked", format!("{reason} | {}", fix.unwrap_or_default()))
        }
        ChangeError::Failed { reason } => ("failed", reason),
        ChangeError::OutcomeUnknown { reason } => ("unknown", reason),
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn every_row_of_the_error_table_says_what_became_of_a_change() {
    for (op, response, sort, text) in [
        (
            Op::CreateTopic,
            google(400, "INVALID_ARGUMENT", "Bad name.", ""),
            "blocked",
            "400: Bad name",
        ),
        (
            Op::CreateTopic,
            google(401, "UNAUTHENTICATED", "m", ""),
            "blocked",
            "401",
        ),
        (
            Op::PatchTopic,
            google(403, "PERMISSION_DENIED", "m", ""),
            "blocked",
            "pubsub.topics.update",
        ),
        (
            Op::SetPolicy,
            google(403, "PERMISSION_DENIED", "m", ""),
            "blocked",
            "setIamPolicy",
        ),
        (
            Op::CreateSubscription,
            google(403, "PERMISSION_DENIED", "m", ""),
            "blocked",
            "attachSubscription",
        ),
        (
            Op::CreateTopic,
            google(404, "NOT_FOUND", "Crypto key not found", ""),
            "failed",
            "404: Crypto key not found",
        ),
        (
            Op::DeleteTopic,
            google(404, "NOT_FOUND", "Requested project not found or", ""),
            "blocked",
            "project `p`",
        ),
        (
            Op::CreateSubscription,
            google(404, "NOT_FOUND", "m", ""),
            "failed",
            "404: m",
        ),
        (
            Op::PatchTopic,
            google(404, "NOT_FOUND", "m", ""),
            "failed",
            "404: m",
        ),
        (Op::PatchTopic, answer(404, "<html>"), "failed", "404"),
        (
            Op::CreateTopic,
            google(409, "ALREADY_EXISTS", "m", ""),
            "blocked",
            "409: m; this stack did not create it | adopt it",
        ),
        (
            Op::PatchTopic,
            google(409, "ABORTED", "m", ""),
            "failed",
            "409",
        ),
        (
            Op::CreateTopic,
            google(429, "RESOURCE_EXHAUSTED", "slow", ""),
            "failed",
            "429: slow",
        ),
        (
            Op::CreateTopic,
            google(503, "UNAVAILABLE", "down", ""),
            "failed",
            "503: down",
        ),
    ] {
        let (found, reason) = parts(refusal(op, "p", &response, false));
        assert_eq!(found, sort, "{reason}");
        assert!(reason.contains(text), "{reason}");
        let (found, reason) = parts(refusal(op, "p", &response, true));
        assert_eq!(found, "unknown", "{reason}");
    }
}

#[test]
fn an_organisation_policy_blocks_with_its_fix() {
    const MESSAGE: &str =
        "One or more users named in the policy do not belong to a permitted customer.";
    let violation =
        |name: &str| format!(r#"{{"@type":"x","violations":[{{"type":"{name}","subject":"s"}}]}}"#);
    for (message, details, fix) in [
        (
            "m",
            violation("constraints/iam.allowedPolicyMemberDomains"),
            "iam.allowedPolicyMemberDomains",
        ),
        (
            "m",
            violation("constraints/iam.managed.allowedPolicyMembers"),
            "iam.managed.allowedPolicyMembers",
        ),
        (
            "m",
            violation("allowedPolicyMember; rm -rf"),
            "iam.allowedPolicyMemberDomains",
        ),
        (MESSAGE, String::new(), "iam.allowedPolicyMemberDomains"),
    ] {
        let response = google(400, "FAILED_PRECONDITION", message, &details);
        assert_eq!(retry(Op::SetPolicy, &response), Retry::No);
        let (sort, text) = parts(refusal(Op::SetPolicy, "proj-1", &response, false));
        assert_eq!(sort, "blocked");
        let (narrow, whole) = text.split_once("If that is impossible, ").unwrap();
        assert!(narrow.contains("in this project's policy"), "{text}");
        assert!(!narrow.contains("reset"), "{text}");
        let command = format!(
            "gcloud org-policies reset {fix} --project=proj-1 removes the policy from the whole project"
        );
        assert!(whole.starts_with(&command), "{text}");
        assert!(!text.contains("rm -rf |"), "{text}");
    }
    let other = google(400, "FAILED_PRECONDITION", "billing is off", "");
    assert_eq!(
        parts(refusal(Op::SetPolicy, "p", &other, false)).1,
        "400: billing is off | "
    );
}
