use kedge_core::model::{Kind, default_value};

use super::*;

const SALT: Salt = Salt([7; 16]);
const DAY: i64 = 86_400;

fn sub(text: &str) -> Live {
    subscription("p", &SALT, &serde_json::from_str(text).unwrap()).unwrap()
}

fn get<'a>(live: &'a Live, name: &str) -> Option<&'a Value> {
    live.fields.get(&FieldName::new(name))
}

/// The core says of a replacement what it loses, and that is nothing of these.
fn assert_defaults(live: &Live) {
    let said = live
        .fields
        .iter()
        .filter(|(name, _)| name.as_str() != "topic");
    for (name, value) in said {
        let default = default_value(Kind::PubsubSubscription, name);
        assert_eq!(default.as_ref(), Some(value), "{name}");
    }
}

#[test]
fn a_bare_subscription_has_the_servers_defaults() {
    let live = sub(r#"{"topic":"projects/p/topics/t"}"#);
    let expected: Vec<(&str, Value)> = vec![
        ("ack_deadline_seconds", Value::Int(10)),
        ("enable_exactly_once_delivery", Value::Bool(false)),
        ("enable_message_ordering", Value::Bool(false)),
        ("expiration", Value::seconds(31 * DAY)),
        ("filter", Value::text("")),
        ("message_retention", Value::seconds(7 * DAY)),
        ("push_endpoint", Value::text("pull")),
        ("retain_acked_messages", Value::Bool(false)),
        ("topic", Value::text("t")),
    ];
    let found: Vec<(&str, Value)> = live
        .fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.clone()))
        .collect();
    assert_eq!(found, expected);
    assert_defaults(&live);
    // A half of a policy brings the other half with it.
    assert_defaults(&sub(
        r#"{"topic":"projects/p/topics/t","deadLetterPolicy":{},"retryPolicy":{}}"#,
    ));
    // What the server writes out for the same subscription (t-k/fireemu) reads the same.
    let written = sub(
        r#"{"topic":"projects/p/topics/t","ackDeadlineSeconds":10,"pushConfig":{},
        "messageRetentionDuration":"604800s","expirationPolicy":{"ttl":"2678400s"},
        "state":"ACTIVE","labels":{"goog-pulumi-provisioned":"true"},"tags":null}"#,
    );
    assert_eq!(written, live);
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn single_fields() {
    for (text, field, value) in [
        (
            r#""topic":"projects/q/topics/t""#,
            "topic",
            Some(Value::text("projects/q/topics/t")),
        ),
        (
            r#""expirationPolicy":{}"#,
            "expiration",
            Some(Value::text("never")),
        ),
        (
            r#""expirationPolicy":null"#,
            "expiration",
            Some(Value::seconds(31 * DAY)),
        ),
        (
            r#""expirationPolicy":{"ttl":"86400s"}"#,
            "expiration",
            Some(Value::seconds(DAY)),
        ),
        (
            r#""expirationPolicy":{"ttl":"86400s"}"#,
            "message_retention",
            Some(Value::seconds(DAY)),
        ),
        (
            r#""expirationPolicy":{}"#,
            "message_retention",
            Some(Value::seconds(7 * DAY)),
        ),
        (
            r#""messageRetentionDuration":"600.500s""#,
            "message_retention",
            Some(Value::Duration(600_500_000_000)),
        ),
        (
            r#""ackDeadlineSeconds":0"#,
            "ack_deadline_seconds",
            Some(Value::Int(10)),
        ),
        (
            r#""labels":{"team":"x"}"#,
            "labels.team",
            Some(Value::text("x")),
        ),
        (
            r#""labels":{"goog-terraform-provisioned":"true"}"#,
            "labels.goog-terraform-provisioned",
            None,
        ),
        (
            r#""deadLetterPolicy":{"deadLetterTopic":"projects/p/topics/d"}"#,
            "dead_letter_topic",
            Some(Value::text("d")),
        ),
        (
            r#""deadLetterPolicy":{"deadLetterTopic":"projects/p/topics/d"}"#,
            "max_delivery_attempts",
            Some(Value::Int(5)),
        ),
        (r#""labels":{}"#, "max_delivery_attempts", None),
        (
            r#""retryPolicy":{}"#,
            "minimum_backoff",
            Some(Value::seconds(10)),
        ),
        (
            r#""retryPolicy":{"maximumBackoff":"20s"}"#,
            "maximum_backoff",
            Some(Value::seconds(20)),
        ),
        (r#""labels":{}"#, "minimum_backoff", None),
        (
            r#""pushConfig":{"pushEndpoint":""}"#,
            "push_endpoint",
            Some(Value::text("pull")),
        ),
        (
            r#""bigqueryConfig":{"table":"t"}"#,
            "push_endpoint",
            Some(Value::text("bigquery")),
        ),
        (
            r#""pushConfig":{"pushEndpoint":"https://h/","oidcToken":{"serviceAccountEmail":"a@b"}}"#,
            "push_service_account",
            Some(Value::text("a@b")),
        ),
        (
            r#""pushConfig":{"pushEndpoint":"https://h/","oidcToken":{"serviceAccountEmail":"a@b"}}"#,
            "push_audience",
            Some(Value::text("https://h/")),
        ),
        (
            r#""pushConfig":{"pushEndpoint":"https://h/","oidcToken":{"audience":"https://h/a"}}"#,
            "push_audience",
            Some(Value::text("https://h/a")),
        ),
        (r#""filter":"x""#, "filter", Some(Value::text("x"))),
    ] {
        let topic = if text.contains("\"topic\"") {
            ""
        } else {
            r#""topic":"projects/p/topics/t","#
        };
        let live = sub(&format!("{{{topic}{text}}}"));
        assert_eq!(get(&live, field), value.as_ref(), "{text}");
    }
}

#[test]
fn a_push_endpoint_is_sealed() {
    let url = "https://h.example/p?token=t0ps3cret";
    let live = sub(&format!(
        r#"{{"topic":"projects/p/topics/t","pushConfig":{{"pushEndpoint":"{url}","attributes":{{"x-goog-version":"v1"}}}}}}"#
    ));
    let sealed = Value::url(SealedUrl::seal(url, &SALT).unwrap());
    assert_eq!(get(&live, "push_endpoint"), Some(&sealed));
    assert!(!format!("{live:?}").contains("t0ps3cret"));
}

#[test]
fn an_orphan_is_marked() {
    let live = sub(r#"{"topic":"_deleted-topic_"}"#);
    assert_eq!(live.detail, Detail::OrphanedSubscription);
    assert_eq!(get(&live, "topic"), Some(&Value::text("_deleted-topic_")));
}

#[test]
fn odd_subscriptions_are_not_understood() {
    for text in [
        "{}",
        r#"{"topic":"projects/p/topics/t","messageRetentionDuration":"7d"}"#,
        r#"{"topic":"https://hooks.example.com/?token=1"}"#,
        r#"{"topic":"projects/p/topics/t","deadLetterPolicy":{"deadLetterTopic":"d"}}"#,
        r#"{"topic":"projects/p/topics/t","expirationPolicy":{"ttl":"soon"}}"#,
        r#"{"topic":"projects/p/topics/t","pushConfig":{"pushEndpoint":"nowhere"}}"#,
    ] {
        let parsed = serde_json::from_str(text).unwrap();
        assert!(subscription("p", &SALT, &parsed).is_err(), "{text}");
    }
}

#[test]
fn topics() {
    let parsed: wire::Topic = serde_json::from_str(
        r#"{"name":"projects/p/topics/t","labels":{"a":"b","goog-pulumi-provisioned":"true"},
        "messageRetentionDuration":"600s","kmsKeyName":"","state":"ACTIVE",
        "messageStoragePolicy":{"allowedPersistenceRegions":["b","a"],"enforceInTransit":true}}"#,
    )
    .unwrap();
    let live = topic(&parsed).unwrap();
    let names: Vec<&str> = live.fields.keys().map(FieldName::as_str).collect();
    assert_eq!(
        names,
        [
            "allowed_persistence_regions",
            "labels.a",
            "message_retention"
        ]
    );
    assert_eq!(
        get(&live, "allowed_persistence_regions"),
        Some(&Value::set(["a", "b"]))
    );
    assert_eq!(topic(&wire::Topic::default()), Ok(Live::default()));
}

#[test]
fn names() {
    for (name, id) in [
        ("projects/p/topics/t", Some("t")),
        ("projects/p/topics/", None),
        ("projects/p/subscriptions/t", None),
        ("projects/p/topics/t/x", None),
        ("_deleted-topic_", None),
        ("t", None),
    ] {
        assert_eq!(short_id(name, "topics"), id, "{name}");
    }
    assert_eq!(full_topic("p", "t"), "projects/p/topics/t");
    assert_eq!(
        full_topic("p", "projects/q/topics/t"),
        "projects/q/topics/t"
    );
}

#[test]
fn members_in_one_form() {
    for (member, id) in [
        ("serviceAccount:A@B.com", "serviceAccount:a@b.com"),
        ("user:A@b.c", "user:a@b.c"),
        ("allUsers", "allUsers"),
        ("allAuthenticatedUsers", "allAuthenticatedUsers"),
        ("principal://iam/X", "principal://iam/X"),
        ("principalSet://iam/X", "principalSet://iam/X"),
        (
            "deleted:serviceAccount:A@b.c?uid=1",
            "deleted:serviceAccount:a@b.c?uid=1",
        ),
        ("deleted:principal://iam/X", "deleted:principal://iam/X"),
    ] {
        assert_eq!(member_id(member), id);
    }
}

#[test]
fn only_unconditional_members_of_the_role_count() {
    let policy = wire::policy(
        br#"{"etag":"x","bindings":[
        {"role":"r","members":["user:A@b.c","deleted:user:g@b.c?uid=1"]},
        {"role":"r","members":["user:d@b.c"],"condition":{"title":"t"}},
        {"role":"s","members":["user:e@b.c"]},
        {"role":"u"},
        {"role":"r","members":["user:f@b.c"],"condition":null}]}"#,
    )
    .unwrap();
    let live = members(&policy, "r", None).unwrap();
    let expected = Value::set(["user:a@b.c", "user:f@b.c", "deleted:user:g@b.c?uid=1"]);
    assert_eq!(get(&live, "members"), Some(&expected));
    assert_eq!(
        live.conditions,
        [("user:d@b.c".to_owned(), "'t'".to_owned())].into()
    );
    assert_eq!(members(&policy, "u", None), None);
    assert_eq!(members(&policy, "v", None), None);
}

#[test]
fn a_binding_under_conditions_is_there_where_one_of_ours_has_it() {
    let policy = wire::policy(
        br#"{"etag":"x","bindings":[
        {"role":"r","members":["user:A@b.c"],"condition":{"title":"until\n may","expression":"e"}},
        {"role":"r","members":["user:a@b.c","user:b@b.c"],"condition":{"expression":"f"}},
        {"role":"r","members":["user:b@b.c"],"condition":{}},
        {"role":"s","members":["user:c@b.c"],"condition":{"title":"t"}}]}"#,
    )
    .unwrap();
    let ours = |member: &str| BTreeSet::from([member.to_owned()]);
    for stranger in [None, Some(&ours("user:c@b.c"))] {
        assert_eq!(members(&policy, "r", stranger), None);
    }
    let live = members(&policy, "r", Some(&ours("user:a@b.c"))).unwrap();
    assert_eq!(get(&live, "members"), Some(&Value::Set(BTreeSet::new())));
    let said: Vec<&str> = live.conditions.values().map(String::as_str).collect();
    assert_eq!(said, ["'until may' or 'f'", "'f' or without a title"]);
}

#[test]
fn a_detached_subscription_is_on_no_topic() {
    for topic in ["projects/p/topics/t", "_deleted-topic_"] {
        let live = sub(&format!(r#"{{"topic":"{topic}","detached":true}}"#));
        assert_eq!(live.detail, Detail::DetachedSubscription);
        assert_eq!(get(&live, "topic"), Some(&Value::text("_detached_")));
        assert!(live.unhealthy.is_empty());
    }
    for attached in ["false", "null"] {
        let live = sub(&format!(
            r#"{{"topic":"projects/p/topics/t","detached":{attached}}}"#
        ));
        assert_eq!(live.detail, Detail::None);
    }
}

#[test]
fn an_audience_that_hides_something_is_sealed() {
    let live = sub(
        r#"{"topic":"projects/p/topics/t","pushConfig":{"pushEndpoint":"https://h/",
            "oidcToken":{"audience":"https://h/a?token=t0ps3cret"}}}"#,
    );
    let audience = get(&live, "push_audience");
    assert!(matches!(audience, Some(Value::Url(_))), "{audience:?}");
    assert!(!format!("{live:?}").contains("t0ps3cret"));
}

/// Spellings of one meaning, by what is in the JSON of a subscription beside its topic.
#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn values_that_mean_the_same_read_the_same() {
    let read = |more: &str| sub(&format!(r#"{{"topic":"projects/p/topics/t"{more}}}"#)).fields;
    for same in [
        &[
            "",
            r#","ackDeadlineSeconds":0"#,
            r#","ackDeadlineSeconds":10"#,
            r#","ackDeadlineSeconds":"10""#,
        ][..],
        &[
            "",
            r#","messageRetentionDuration":"604800s""#,
            r#","messageRetentionDuration":"604800.000s""#,
            r#","messageRetentionDuration":"0604800.000000000s""#,
        ],
        &[
            "",
            r#","expirationPolicy":null"#,
            r#","expirationPolicy":{"ttl":"2678400s"}"#,
            r#","expirationPolicy":{"ttl":"2678400.0s"}"#,
        ],
        &[
            r#","expirationPolicy":{}"#,
            r#","expirationPolicy":{"ttl":null}"#,
            r#","expirationPolicy":{"ttl":"315576000000s"}"#,
        ],
        &[
            "",
            r#","pushConfig":{}"#,
            r#","pushConfig":null"#,
            r#","pushConfig":{"pushEndpoint":""}"#,
            r#","pushConfig":{"attributes":{"x-goog-version":"v1"}}"#,
        ],
        &["", r#","filter":"""#, r#","filter":null"#],
        &[
            "",
            r#","labels":{}"#,
            r#","labels":null"#,
            r#","labels":{"goog-terraform-provisioned":"true"}"#,
        ],
        &[
            "",
            r#","retainAckedMessages":false,"enableMessageOrdering":false,"enableExactlyOnceDelivery":null"#,
        ],
        &[
            "",
            r#","detached":false,"state":"ACTIVE""#,
            r#","state":"STATE_UNSPECIFIED""#,
        ],
        &["", r#","deadLetterPolicy":null"#, r#","retryPolicy":null"#],
        &[
            r#","retryPolicy":{}"#,
            r#","retryPolicy":{"minimumBackoff":"10s"}"#,
            r#","retryPolicy":{"maximumBackoff":"600.000s"}"#,
            r#","retryPolicy":{"minimumBackoff":"10.0s","maximumBackoff":"600s"}"#,
        ],
        &[
            r#","deadLetterPolicy":{"deadLetterTopic":"projects/p/topics/d"}"#,
            r#","deadLetterPolicy":{"deadLetterTopic":"projects/p/topics/d","maxDeliveryAttempts":0}"#,
            r#","deadLetterPolicy":{"deadLetterTopic":"projects/p/topics/d","maxDeliveryAttempts":5}"#,
        ],
        &[
            r#","pushConfig":{"pushEndpoint":"https://h.example/x","oidcToken":{"serviceAccountEmail":"a@b.c"}}"#,
            r#","pushConfig":{"pushEndpoint":"https://H.example:443/x","oidcToken":{"serviceAccountEmail":"a@b.c","audience":"https://h.example/x"}}"#,
        ],
    ] {
        let first = read(same[0]);
        for other in same {
            assert_eq!(read(other), first, "{} and {other}", same[0]);
        }
    }
    // These look alike and are not.
    for (one, other) in [
        ("", r#","expirationPolicy":{}"#),
        ("", r#","retryPolicy":{}"#),
        (
            r#","retryPolicy":{"minimumBackoff":"0s"}"#,
            r#","retryPolicy":{}"#,
        ),
        (r#","labels":{"a":""}"#, ""),
    ] {
        assert_ne!(read(one), read(other), "{one} and {other}");
    }
    let topic = |text: &str| topic(&serde_json::from_str(text).unwrap()).unwrap();
    for off in [
        r#"{"messageRetentionDuration":null,"labels":{},"messageStoragePolicy":{}}"#,
        r#"{"messageRetentionDuration":"0s","kmsKeyName":"","messageStoragePolicy":{"allowedPersistenceRegions":[]}}"#,
    ] {
        assert_eq!(topic(off), Live::default(), "{off}");
    }
}
