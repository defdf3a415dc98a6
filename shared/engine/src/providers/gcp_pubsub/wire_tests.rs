use super::*;

#[test]
fn pages_and_what_is_none() {
    let page_of = |text: &str| page(text.as_bytes(), "topics");
    for text in [
        "{}",
        r#"{"topics":[]}"#,
        r#"{"topics":null}"#,
        r#"{"nextPageToken":""}"#,
    ] {
        let (items, next) = (Vec::new(), None);
        assert_eq!(page_of(text), Ok(Page { items, next }), "{text}");
    }
    let more = page_of(r#"{"topics":[{"name":"a"}],"nextPageToken":"t","later":1}"#).unwrap();
    assert_eq!((more.items.len(), more.next.as_deref()), (1, Some("t")));
    for (text, strange) in [
        ("<!DOCTYPE html>", Strange::NotJson),
        ("", Strange::Cut),
        (r#"{"topics":[{"name":"a"}"#, Strange::Cut),
        ("[]", Strange::OtherTypes),
        ("null", Strange::OtherTypes),
        (r#"{"topics":"none"}"#, Strange::OtherTypes),
        (r#"{"topics":[],"nextPageToken":7}"#, Strange::OtherTypes),
        (r#"{"error":{"code":500}}"#, Strange::NotTheAnswer),
        (r#"{"subscriptions":[]}"#, Strange::NotTheAnswer),
    ] {
        assert_eq!(page_of(text), Err(strange), "{text}");
    }
}

#[test]
fn numbers_come_as_texts_too_and_nulls_are_nothing() {
    let sub: Subscription =
        serde_json::from_str(r#"{"ackDeadlineSeconds":"20","labels":null,"new":{}}"#).unwrap();
    assert_eq!(sub.ack_deadline_seconds, Some(20));
    assert_eq!(sub.labels, None);
    for strange in [
        r#"{"ackDeadlineSeconds":"soon"}"#,
        r#"{"ackDeadlineSeconds":[]}"#,
        r#"{"labels":["a"]}"#,
        r#"{"pushConfig":"https://x"}"#,
        r#"{"retainAckedMessages":"yes"}"#,
    ] {
        assert!(
            serde_json::from_str::<Subscription>(strange).is_err(),
            "{strange}"
        );
    }
}

#[test]
fn a_policy_survives_with_all_we_do_not_know() {
    let text = r#"{"version":3,"etag":"BwXh","bindings":[{"role":"r","members":["user:a@b.c"],"condition":{"title":"t","expression":"e"},"odd":1}],"auditConfigs":[{"service":"s"}]}"#;
    let policy = policy(text.as_bytes()).unwrap();
    let back: Value = serde_json::to_value(&policy).unwrap();
    assert_eq!(back, serde_json::from_str::<Value>(text).unwrap());
}

#[test]
fn a_policy_without_an_etag_is_no_policy() {
    for text in [
        "{}",
        r#"{"bindings":[]}"#,
        r#"{"etag":""}"#,
        r#"{"error":{}}"#,
    ] {
        assert_eq!(policy(text.as_bytes()), Err(Strange::NoEtag), "{text}");
    }
    assert!(policy(br#"{"etag":"ACAB"}"#).is_ok());
}

#[test]
fn a_resource_has_its_name() {
    assert!(resource::<Topic>(br#"{"name":"projects/p/topics/t"}"#).is_ok());
    assert_eq!(resource::<Topic>(b"{}"), Err(Strange::NotTheAnswer));
}

#[test]
fn lengths_of_time() {
    for (text, nanos) in [
        ("600s", 600_000_000_000),
        ("0s", 0),
        ("60.0s", 60_000_000_000),
        ("600.500s", 600_500_000_000),
        ("0.000000001s", 1),
        ("99999999999s", i64::MAX),
        ("315576000000.999s", i64::MAX),
    ] {
        assert_eq!(parse_duration(text), Some(nanos), "{text}");
    }
    for text in [
        "600",
        "10m",
        "s",
        "-1s",
        "1.s",
        ".5s",
        "1.0000000001s",
        "99999999999999999999s",
    ] {
        assert_eq!(parse_duration(text), None, "{text}");
    }
    for (nanos, text) in [
        (600_000_000_000, "600s"),
        (600_500_000_000, "600.500s"),
        (1_000_001_000, "1.000001s"),
        (1, "0.000000001s"),
    ] {
        assert_eq!(format_duration(nanos), text);
        assert_eq!(parse_duration(text), Some(nanos));
    }
}

#[test]
fn errors_are_read_with_what_their_details_add() {
    let body = br#"{"error":{"code":400,"status":"FAILED_PRECONDITION","message":"Odd.","details":[{"@type":"x","reason":"R"},{"violations":[{"type":"constraints/a","description":"Why."},{"subject":"s","description":"Odd"}]},{"retryDelay":"7.5s"},3]}}"#;
    let error = ApiError::parse(body).unwrap();
    assert_eq!(
        error,
        ApiError {
            status: "FAILED_PRECONDITION".to_owned(),
            message: "Odd.; Why.".to_owned(),
            reason: Some("R".to_owned()),
            violations: vec!["constraints/a".to_owned()],
            retry_delay: Some("7.5s".to_owned()),
        }
    );
    assert_eq!(ApiError::parse(b"<html>"), None);
    assert_eq!(ApiError::parse(br#"{"error":"invalid_grant"}"#), None);
}

#[test]
fn a_push_endpoint_does_not_print() {
    let sub: Subscription =
        serde_json::from_str(r#"{"pushConfig":{"pushEndpoint":"https://h/p?token=t0ps3cret"}}"#)
            .unwrap();
    assert!(!format!("{sub:?}").contains("t0ps3cret"));
    assert!(serde_json::to_string(&sub).unwrap().contains("t0ps3cret"));
}
