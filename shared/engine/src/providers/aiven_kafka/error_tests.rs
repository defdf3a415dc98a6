//! Every row of the table of errors.

use http::header::{DATE, RETRY_AFTER};

use super::*;

pub(super) fn response(status: u16, code: &str, message: &str) -> Response<Bytes> {
    let code = if code.is_empty() {
        String::new()
    } else {
        format!(r#","error_code":"{code}""#)
    };
    let body = format!(
        r#"{{"errors":[{{"message":"{message}","status":{status}{code}}}],"message":"{message}"}}"#
    );
    raw(status, &body)
}

pub(super) fn raw(status: u16, body: &str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body.to_owned()));
    *response.status_mut() = status.try_into().unwrap();
    response
}

pub(super) const AGAIN: Retry = Retry::Again { after_ms: None };

use FailureCode as C;

pub(super) const ANY: &[Verb] = &[Verb::Create, Verb::Update, Verb::Delete];
pub(super) const BROKERS: &str = "Cluster only has 2 broker(s), cannot set replication factor to 3";
pub(super) const STARTING: &str = "User avnadmin with component main not found";

/// Status, code, message; whether it is repeated; what it means.
const READS: &[(u16, &str, &str, Retry, FailureCode)] = &[
    (400, "", "Invalid request", Retry::No, C::StrangeAnswer),
    (401, "", "Invalid token", Retry::No, C::Unauthenticated),
    (
        403,
        "authentication_failed",
        "Authentication failed",
        Retry::No,
        C::Unauthenticated,
    ),
    (403, "permission_denied", "no", Retry::No, C::Forbidden),
    (
        403,
        "api_client_ip_allowlist_blocks_caller",
        "no",
        Retry::No,
        C::Forbidden,
    ),
    (
        404,
        "",
        "Project p does not exist",
        Retry::No,
        C::ScopeNotFound,
    ),
    (
        404,
        "",
        "Service topic-s does not exist",
        Retry::No,
        C::ScopeNotFound,
    ),
    (404, "", "Not Found", Retry::No, C::ScopeNotFound),
    (404, "", "Topic(s) not found", Retry::No, C::Inconsistent),
    (
        404,
        "kafka_topic_not_found",
        "gone",
        Retry::No,
        C::Inconsistent,
    ),
    (404, "", STARTING, AGAIN, C::ProviderError),
    (405, "", "", Retry::No, C::StrangeAnswer),
    (408, "", "", AGAIN, C::ProviderError),
    (
        409,
        "not_powered",
        "Service s is powered off",
        Retry::No,
        C::NotRunning,
    ),
    (429, "", "Rate limit 120 exceeded", AGAIN, C::RateLimited),
    (500, "", "Internal error", AGAIN, C::ProviderError),
    (
        501,
        "",
        "Failed to fetch Kafka topic",
        AGAIN,
        C::ProviderError,
    ),
    (502, "", "", AGAIN, C::ProviderError),
    (
        503,
        "kafka_service_unavailable",
        "down",
        AGAIN,
        C::ProviderError,
    ),
    (504, "", "", AGAIN, C::ProviderError),
    (302, "", "", Retry::No, C::StrangeAnswer),
];

#[test]
fn every_status_of_a_read() {
    for &(status, code, message, retry, expected) in READS {
        let response = response(status, code, message);
        assert_eq!(classify_read(&response), retry, "{status} {message}");
        let failure = read_failure(&response, TOPIC_PERMISSION);
        assert_eq!(failure.code, expected, "{status} {message}");
        assert!(failure.reason.starts_with(&status.to_string()));
        assert!(failure.reason.contains(message), "{}", failure.reason);
        let may_lack = status == 403 && matches!(code, "" | "permission_denied");
        assert_eq!(failure.permission.is_some(), may_lack, "{code}");
        let names_the_credential = failure.reason.contains("AIVEN_TOKEN");
        assert_eq!(
            names_the_credential,
            expected == C::Unauthenticated,
            "{}",
            failure.reason
        );
    }
}

#[test]
fn only_a_topic_is_in_the_making_and_no_page_speaks_for_a_project() {
    let making = response(501, "", "Failed to fetch Kafka topic");
    assert_eq!(topic_failure(&making).code, C::InTransition);
    let failing = response(500, "", "Internal error");
    assert_eq!(topic_failure(&failing).code, C::ProviderError);
    let page = read_failure(&raw(404, "<html>"), TOPIC_PERMISSION);
    assert_eq!(page.code, C::StrangeAnswer);
}

#[test]
fn permissions_are_named_where_they_may_be_what_lacks() {
    const ALLOWLIST: &str = "api_client_ip_allowlist_blocks_caller";
    for (code, message, expected) in [
        ("", "", "403: this call needs project:services:read"),
        (
            "",
            "Go away",
            "403: Go away; this call needs project:services:read",
        ),
        ("permission_denied", "", "403: needs project:services:read"),
        (
            "permission_denied",
            "Not allowed.",
            "403: Not allowed; needs project:services:read",
        ),
        (
            "authentication_failed",
            "Authentication failed.",
            "403: Authentication failed; AIVEN_TOKEN must hold a valid token",
        ),
        (
            ALLOWLIST,
            "Your IP is not allowed",
            "403: Your IP is not allowed",
        ),
        (ALLOWLIST, "", "403: api_client_ip_allowlist_blocks_caller"),
    ] {
        let failure = read_failure(&response(403, code, message), SERVICE_PERMISSION);
        assert_eq!(failure.reason, expected);
    }
}

/// What a person reads of a refused write, and what to do about it.
fn refusal(verb: Verb, response: Response<Bytes>) -> (String, Option<String>) {
    let answer = WriteAnswer {
        response,
        after_ambiguous: false,
    };
    match outcome(verb, false, Ok(answer)) {
        Err(ChangeError::Blocked { reason, fix }) => (reason, fix),
        Err(ChangeError::Failed { reason } | ChangeError::OutcomeUnknown { reason }) => {
            (reason, None)
        }
        Ok(()) => panic!("done"),
    }
}

#[test]
fn every_refusal_keeps_the_providers_words() {
    let words = "Policy 7 of https://u:pa55@h.example/p?token=s3cret says no";
    let shown = "Policy 7 of https://[hidden]@h.example/p?[hidden] says no";
    for status in [
        400, 401, 402, 403, 404, 408, 409, 410, 417, 422, 429, 451, 500, 501, 503,
    ] {
        for code in [
            "",
            "some_new_code",
            "permission_denied",
            "kafka_topic_reserved",
        ] {
            for verb in ANY {
                let (reason, _) = refusal(*verb, response(status, code, words));
                assert!(reason.contains(shown), "{verb:?} {status} {code}: {reason}");
            }
            let failure = read_failure(&response(status, code, words), TOPIC_PERMISSION);
            assert!(failure.reason.contains(shown), "{status} {code}");
            // A code is better than nothing, and a gateway has no form of Aiven's.
            if !code.is_empty() && status != 403 {
                let (reason, _) = refusal(Verb::Update, response(status, code, ""));
                assert_eq!(reason, format!("{status}: {code}"));
            }
        }
        let (reason, fix) = refusal(Verb::Create, raw(status, "blocked by the proxy of ACME"));
        assert!(reason.contains("blocked by the proxy of ACME"), "{reason}");
        assert!(fix.is_none() || status == 401, "{status} {fix:?}");
    }
}

/// Verb, status, code, message; a part of the way out.
type HintRow = (Verb, u16, &'static str, &'static str, Option<&'static str>);

const HINTS: &[HintRow] = &[
    (
        Verb::Update,
        403,
        "permission_denied",
        "no",
        Some("give the owner"),
    ),
    (
        Verb::Update,
        403,
        "authentication_failed",
        "no",
        Some("AIVEN_TOKEN"),
    ),
    (Verb::Update, 403, "", "no", None),
    (
        Verb::Update,
        403,
        "client_ip_address_policy_violation",
        "no",
        None,
    ),
    (
        Verb::Update,
        404,
        "",
        "Service s does not exist",
        Some("check `aiven_project`"),
    ),
    (Verb::Update, 404, "", "Not Found", None),
    (Verb::Update, 409, "", BROKERS, Some("a lower replication")),
    (Verb::Update, 409, "", "Too few broker(s) are running", None),
    (
        Verb::Create,
        409,
        "",
        "Tiered storage is not enabled",
        Some("turn on tiered storage"),
    ),
    (
        Verb::Update,
        409,
        "",
        "Tiered storage cannot be disabled once enabled",
        None,
    ),
    (
        Verb::Create,
        409,
        "",
        "Topic 'x' already exists",
        Some("adopt the topic"),
    ),
    (Verb::Update, 409, "", "Tag 'x' already exists", None),
    (
        Verb::Update,
        409,
        "not_powered",
        "off",
        Some("power on the service"),
    ),
    (Verb::Update, 409, "kafka_topic_reserved", "no", None),
    (Verb::Update, 400, "kafka_topic_invalid_config", "bad", None),
];

#[test]
fn a_hint_is_given_only_where_it_follows() {
    for &(verb, status, code, message, expected) in HINTS {
        let (_, fix) = refusal(verb, response(status, code, message));
        match expected {
            Some(part) => assert!(
                fix.as_deref().is_some_and(|fix| fix.contains(part)),
                "{message}"
            ),
            None => assert_eq!(fix, None, "{status} {code} {message}"),
        }
    }
}

#[test]
fn waits_are_taken_from_header_or_message() {
    let hint = |response: &Response<Bytes>| match classify_read(response) {
        Retry::Again { after_ms } => after_ms,
        other => panic!("{other:?}"),
    };
    let mut limited = response(429, "", "Rate limit 120 exceeded - try again in 28s");
    assert_eq!(hint(&limited), Some(28_000));
    limited
        .headers_mut()
        .insert(RETRY_AFTER, "3".parse().unwrap());
    assert_eq!(hint(&limited), Some(3_000));
    limited.headers_mut().insert(
        RETRY_AFTER,
        "Fri, 01 Jan 2027 00:00:00 GMT".parse().unwrap(),
    );
    assert_eq!(hint(&limited), Some(28_000));
    let date = "Thu, 31 Dec 2026 23:59:50 GMT".parse().unwrap();
    limited.headers_mut().insert(DATE, date);
    assert_eq!(hint(&limited), Some(10_000));
    for odd in [
        "try again in 0s",
        "try again in s",
        "try again in 5 minutes",
        "try again in 9h",
    ] {
        assert_eq!(hint(&response(429, "", odd)), None, "{odd}");
    }
    assert_eq!(hint(&raw(503, "<html>")), None);
}
