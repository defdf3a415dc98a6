//! What each answer to a write means, row by row.

use super::tests::{AGAIN, ANY, BROKERS, STARTING, raw, response};
use super::*;

/// The outcome as one word.
fn word(verb: Verb, response: Response<Bytes>, after_ambiguous: bool) -> &'static str {
    let answer = WriteAnswer {
        response,
        after_ambiguous,
    };
    match outcome(verb, false, Ok(answer)) {
        Ok(()) => "done",
        Err(ChangeError::Blocked { .. }) => "blocked",
        Err(ChangeError::Failed { .. }) => "failed",
        Err(ChangeError::OutcomeUnknown { .. }) => "unknown",
    }
}

/// Verbs, status, code, message; whether it is repeated; what became of it.
type WriteRow = (
    &'static [Verb],
    u16,
    &'static str,
    &'static str,
    Retry,
    &'static str,
);

const WRITES: &[WriteRow] = &[
    (
        ANY,
        400,
        "kafka_topic_invalid_config",
        "bad",
        Retry::No,
        "blocked",
    ),
    (
        ANY,
        400,
        "",
        "Reducing partition count is not supported",
        Retry::No,
        "blocked",
    ),
    (ANY, 401, "", "Invalid token", Retry::No, "blocked"),
    (ANY, 403, "permission_denied", "", Retry::No, "blocked"),
    (
        ANY,
        404,
        "",
        "Service s does not exist",
        Retry::No,
        "blocked",
    ),
    (
        ANY,
        404,
        "",
        "Project p does not exist",
        Retry::No,
        "blocked",
    ),
    (ANY, 404, "", STARTING, AGAIN, "failed"),
    (
        &[Verb::Delete],
        404,
        "kafka_topic_not_found",
        "gone",
        Retry::No,
        "done",
    ),
    (
        &[Verb::Update],
        404,
        "kafka_topic_not_found",
        "gone",
        Retry::No,
        "failed",
    ),
    (ANY, 408, "", "", Retry::Ambiguous, "unknown"),
    (
        &[Verb::Create],
        409,
        "kafka_topic_already_exists",
        "x",
        Retry::No,
        "blocked",
    ),
    (
        &[Verb::Create],
        409,
        "",
        "Topic 'x' already exists",
        Retry::No,
        "blocked",
    ),
    (ANY, 409, "", BROKERS, Retry::No, "blocked"),
    (
        ANY,
        409,
        "kafka_partition_reassignment_in_progress",
        "x",
        Retry::No,
        "failed",
    ),
    (ANY, 409, "kafka_topic_reserved", "x", Retry::No, "blocked"),
    (
        ANY,
        409,
        "",
        "Tiered storage is not enabled",
        Retry::No,
        "blocked",
    ),
    (ANY, 409, "not_powered", "x", Retry::No, "blocked"),
    (
        ANY,
        409,
        "resource_managed_by_governance",
        "x",
        Retry::No,
        "blocked",
    ),
    (
        ANY,
        409,
        "kafka_console_governance_enabled",
        "x",
        Retry::No,
        "blocked",
    ),
    (
        &[Verb::Create],
        409,
        "kafka_topic_queued_for_deletion",
        "x",
        Retry::No,
        "failed",
    ),
    (
        &[Verb::Delete],
        409,
        "kafka_topic_queued_for_deletion",
        "x",
        Retry::No,
        "done",
    ),
    (ANY, 409, "", "something new", Retry::No, "failed"),
    (ANY, 429, "", "Rate limit", AGAIN, "failed"),
    (ANY, 500, "", "", Retry::Ambiguous, "unknown"),
    (ANY, 501, "", "", Retry::Ambiguous, "unknown"),
    (ANY, 502, "", "", Retry::Ambiguous, "unknown"),
    (ANY, 503, "kafka_service_unavailable", "", AGAIN, "failed"),
    (ANY, 504, "", "", Retry::Ambiguous, "unknown"),
    (ANY, 200, "internal", "half done", Retry::No, "unknown"),
];

#[test]
fn every_status_of_a_write() {
    for &(verbs, status, code, message, retry, expected) in WRITES {
        for verb in verbs {
            let response = || response(status, code, message);
            assert_eq!(
                classify_write(&Method::PUT, &response()),
                retry,
                "{status} {message}"
            );
            assert_eq!(
                word(*verb, response(), false),
                expected,
                "{verb:?} {status} {message}"
            );
        }
    }
    let pending = response(417, "", "");
    assert_eq!(classify_write(&Method::DELETE, &pending), AGAIN);
    assert_eq!(classify_write(&Method::PUT, &pending), Retry::No);
}

#[test]
fn a_success_must_look_like_one() {
    for (status, body, retry, expected) in [
        (200, r#"{"message":"created"}"#, Retry::No, "done"),
        (200, r#"{"errors":[],"message":""}"#, Retry::No, "done"),
        (201, "{}", Retry::No, "done"),
        (204, "", Retry::No, "done"),
        (200, "<html>", Retry::Ambiguous, "unknown"),
        (200, r#"{"mess"#, Retry::Ambiguous, "unknown"),
        (200, "", Retry::Ambiguous, "unknown"),
    ] {
        assert_eq!(
            classify_write(&Method::POST, &raw(status, body)),
            retry,
            "{body}"
        );
        assert_eq!(
            word(Verb::Create, raw(status, body), false),
            expected,
            "{body}"
        );
    }
}

#[test]
fn after_a_lost_answer_only_a_proof_counts() {
    let exists = || response(409, "kafka_topic_already_exists", "x");
    let gone = || response(404, "kafka_topic_not_found", "x");
    let moving = || response(409, "kafka_partition_reassignment_in_progress", "x");
    assert_eq!(word(Verb::Create, exists(), true), "done");
    assert_eq!(word(Verb::Update, exists(), true), "unknown");
    assert_eq!(word(Verb::Delete, gone(), true), "done");
    // The reassignment may be the one that our own lost attempt began.
    assert_eq!(word(Verb::Update, moving(), true), "unknown");
    assert_eq!(word(Verb::Update, response(503, "", ""), true), "unknown");
    assert_eq!(word(Verb::Update, raw(200, "{}"), true), "done");
}
