//! What a refusal says: Google's words, and what is certain.

use kedge_core::model::Value;

use super::tests::{answer, change, google, parts, refusal};
use super::*;

/// Google's words, with what is certain behind them, for each refusal.
#[test]
fn googles_own_words_come_first() {
    let said = "Odd\\nthing (endpoint=https://u:pa55@h.example/p?token=t0ps3cret) is wrong.";
    let shown = "Odd thing (endpoint=https://[hidden]@h.example/p?[hidden]";
    for (status, code) in [
        (400, "INVALID_ARGUMENT"),
        (400, "FAILED_PRECONDITION"),
        (401, "UNAUTHENTICATED"),
        (403, "PERMISSION_DENIED"),
        (404, "NOT_FOUND"),
        (409, "ALREADY_EXISTS"),
        (409, "ABORTED"),
        (412, "FAILED_PRECONDITION"),
        (429, "RESOURCE_EXHAUSTED"),
        (499, "CANCELLED"),
        (500, "INTERNAL"),
        (501, "UNIMPLEMENTED"),
        (503, "UNAVAILABLE"),
    ] {
        let response = google(status, code, said, "");
        for op in [
            Op::CreateTopic,
            Op::PatchSubscription,
            Op::DeleteTopic,
            Op::SetPolicy,
        ] {
            for after in [false, true] {
                let (_, text) = parts(refusal(op, "p", &response, after));
                assert!(text.contains(&format!("{status}: {shown}")), "{text}");
            }
        }
        for op in [Op::ListTopics, Op::GetPolicy, Op::GetSubscription] {
            let failure = ok_body(op, "p", &response).unwrap_err();
            assert!(
                failure.reason.starts_with(&format!("{status}: {shown}")),
                "{failure:?}"
            );
        }
        let long = google(status, code, &"ä ".repeat(9_000), "");
        let (_, text) = parts(refusal(Op::PatchTopic, "p", &long, false));
        assert!(text.chars().count() < 600, "{text}");
        let proxy = answer(status, "blocked by proxy\u{1b}[2J");
        let (_, text) = parts(refusal(Op::PatchTopic, "p", &proxy, false));
        assert!(text.contains("blocked by proxy [2J"), "{text}");
    }
}

#[test]
fn the_details_are_repeated_too() {
    let details = r#"{"@type":"x","violations":[{"type":"t","description":"User a is not permitted."}]},
        {"@type":"y","fieldViolations":[{"field":"f","description":"Odd."},{"field":"g"}]}"#;
    let response = google(400, "FAILED_PRECONDITION", "Odd.", details);
    let (_, text) = parts(refusal(Op::SetPolicy, "p", &response, false));
    assert_eq!(text, "400: Odd.; User a is not permitted | ");
}

#[test]
fn a_403_is_explained_only_where_its_cause_is_certain() {
    let info = |reason: &str| format!(r#"{{"@type":"x","reason":"{reason}"}}"#);
    let prohibited = "Request is prohibited by organization's policy.";
    for (message, details, fix) in [
        (
            "User not authorized to perform this action.",
            String::new(),
            "grant that permission",
        ),
        ("m", info("IAM_PERMISSION_DENIED"), "grant that permission"),
        (
            "m",
            info("SERVICE_DISABLED"),
            "gcloud services enable pubsub.googleapis.com --project=p",
        ),
        (prohibited, info("SECURITY_POLICY_VIOLATED"), ""),
        (
            "This API method requires billing to be enabled.",
            info("BILLING_DISABLED"),
            "",
        ),
        (prohibited, String::new(), ""),
    ] {
        let response = google(403, "PERMISSION_DENIED", message, &details);
        let (sort, text) = parts(refusal(Op::PatchTopic, "p", &response, false));
        assert_eq!(sort, "blocked");
        let (_, said) = text.split_once(" | ").unwrap();
        assert!(
            said.starts_with(fix) && said.is_empty() == fix.is_empty(),
            "{text}"
        );
    }
}

#[test]
fn a_404_says_what_the_change_names_and_not_what_is_gone() {
    use kedge_core::change::Edit;
    let response = google(404, "NOT_FOUND", "Dead letter topic not found", "");
    let declared = [
        ("topic", "dev-t"),
        ("dead_letter_topic", "projects/q/topics/dead"),
    ];
    let reason = |change: &Change| {
        parts(refused(
            Op::PatchSubscription,
            change,
            "p",
            &response,
            false,
        ))
        .1
    };
    let said = "404: Dead letter topic not found; the change refers to ";
    assert_eq!(
        reason(&change(Verb::Create, &declared)),
        format!("{said}topic dev-t and dead letter topic projects/q/topics/dead")
    );
    let mut update = change(Verb::Update, &declared);
    update.edits = vec![Edit::Set {
        field: FieldName::known("dead_letter_topic"),
        to: Value::text("projects/q/topics/dead"),
    }];
    assert_eq!(
        reason(&update),
        format!("{said}dead letter topic projects/q/topics/dead")
    );
    update.edits = vec![Edit::Set {
        field: FieldName::known("ack_deadline_seconds"),
        to: Value::Int(10),
    }];
    assert_eq!(reason(&update), "404: Dead letter topic not found");
}

#[test]
fn the_parts_of_a_push_endpoint_are_hidden_wherever_they_stand() {
    let mut change = change(Verb::Create, &[]);
    let url = "https://user:pa55word@h.example/hook?token='t0ps3cret'&x=1#fr4gment";
    let field = FieldName::known("push_endpoint");
    change.secrets.insert(field, SecretText::new(url));
    for said in [
        url.to_owned(),
        "no such host: h.example/hook?token='t0ps3cret'&x=1".to_owned(),
        "the token 't0ps3cret' of user:pa55word is bad, so is fr4gment".to_owned(),
    ] {
        let response = google(400, "INVALID_ARGUMENT", &said, "");
        let error = refused(Op::CreateSubscription, &change, "p", &response, false);
        let text = format!("{error} {error:?}");
        for secret in ["t0ps3cret", "pa55word", "fr4gment"] {
            assert!(!text.contains(secret), "{text}");
        }
        // Names of parameters are no secret, and stand in what people must read.
        assert_eq!(
            said.contains("the token"),
            text.contains("the token"),
            "{text}"
        );
    }
}
