use kedge_core::change::Verb;
use kedge_core::model::{Fields, ResourceKey, Salt, SealedUrl, StackName};
use serde_json::json;

use super::*;

const URL: &str = "https://h.example/p?token=t0ps3cret";

fn change(key: ResourceKey, verb: Verb) -> Change {
    Change {
        begun_before: false,
        stack: StackName::new("dev").unwrap(),
        key,
        verb,
        edits: Vec::new(),
        declared: Fields::new(),
        secrets: ByField::new(),
        recorded: Fields::new(),
        live: None,
    }
}

fn a_subscription(verb: Verb) -> Change {
    change(ResourceKey::pubsub_subscription("p", "dev-s"), verb)
}

fn with(mut change: Change, edits: Vec<Edit>) -> Change {
    change.edits = edits;
    change
}

fn to(field: &str, value: Value) -> Edit {
    Edit::Set {
        field: FieldName::new(field),
        to: value,
    }
}

fn push() -> Value {
    Value::url(SealedUrl::seal(URL, &Salt([7; 16])).unwrap())
}

fn json_of(body: &impl serde::Serialize) -> serde_json::Value {
    serde_json::to_value(body).unwrap()
}

#[test]
fn a_new_subscription_has_all_that_is_declared_and_no_more() {
    let mut new = a_subscription(Verb::Create);
    for (name, value) in [
        ("topic", Value::text("dev-t")),
        ("push_endpoint", push()),
        ("push_service_account", Value::text("a@b")),
        ("push_audience", Value::text("aud")),
        ("ack_deadline_seconds", Value::Int(20)),
        ("retain_acked_messages", Value::Bool(true)),
        ("message_retention", Value::seconds(600)),
        ("labels.team", Value::text("x")),
        ("enable_message_ordering", Value::Bool(true)),
        ("expiration", Value::text("never")),
        ("filter", Value::text("f")),
        ("dead_letter_topic", Value::text("dev-d")),
        ("max_delivery_attempts", Value::Int(7)),
        ("minimum_backoff", Value::seconds(1)),
        ("maximum_backoff", Value::Duration(2_500_000_000)),
        ("enable_exactly_once_delivery", Value::Bool(false)),
    ] {
        new.declared.insert(FieldName::new(name), value);
    }
    new.secrets
        .insert(FieldName::new("push_endpoint"), SecretText::new(URL));
    assert_eq!(
        json_of(&new_subscription("p", &new).unwrap()),
        json!({
            "topic": "projects/p/topics/dev-t",
            "pushConfig": {
                "pushEndpoint": URL,
                "oidcToken": {"serviceAccountEmail": "a@b", "audience": "aud"},
            },
            "ackDeadlineSeconds": 20,
            "retainAckedMessages": true,
            "messageRetentionDuration": "600s",
            "labels": {"team": "x"},
            "enableMessageOrdering": true,
            "expirationPolicy": {},
            "filter": "f",
            "deadLetterPolicy": {"deadLetterTopic": "projects/p/topics/dev-d", "maxDeliveryAttempts": 7},
            "retryPolicy": {"minimumBackoff": "1s", "maximumBackoff": "2.500s"},
            "enableExactlyOnceDelivery": false,
        })
    );
    new.secrets = ByField::new();
    assert!(
        new_subscription("p", &new)
            .unwrap_err()
            .contains("push endpoint")
    );
}

#[test]
fn pull_has_an_empty_push_config() {
    let mut new = a_subscription(Verb::Create);
    for (name, value) in [
        ("topic", Value::text("projects/q/topics/t")),
        ("push_endpoint", Value::text("pull")),
        ("push_service_account", Value::text("a@b")),
        ("filter", Value::text("")),
    ] {
        new.declared.insert(FieldName::new(name), value);
    }
    assert_eq!(
        json_of(&new_subscription("p", &new).unwrap()),
        json!({"topic": "projects/q/topics/t", "pushConfig": {}})
    );
    assert!(new_subscription("p", &a_subscription(Verb::Create)).is_err());
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn a_patch_holds_what_its_mask_names() {
    let live: wire::Subscription = serde_json::from_value(json!({
        "name": "projects/p/subscriptions/dev-s",
        "topic": "projects/p/topics/dev-t",
        "filter": "f",
        "labels": {"goog-pulumi-provisioned": "true", "team": "old"},
        "pushConfig": {
            "pushEndpoint": "https://old/?x=1",
            "oidcToken": {"serviceAccountEmail": "a@b", "later": 1},
            "noWrapper": {"writeMetadata": true},
        },
        "deadLetterPolicy": {"deadLetterTopic": "projects/p/topics/d", "maxDeliveryAttempts": 5},
        "bigqueryConfig": null,
    }))
    .unwrap();
    for (edits, mask, body) in [
        (
            vec![
                to("ack_deadline_seconds", Value::Int(30)),
                to("expiration", Value::seconds(86_400)),
            ],
            "ackDeadlineSeconds,expirationPolicy",
            json!({"ackDeadlineSeconds": 30, "expirationPolicy": {"ttl": "86400s"}}),
        ),
        (
            vec![to("labels.team", Value::text("new"))],
            "labels",
            json!({"labels": {"goog-pulumi-provisioned": "true", "team": "new"}}),
        ),
        (
            vec![
                to("push_audience", Value::text("aud")),
                to("push_service_account", Value::text("c@d")),
            ],
            "pushConfig",
            json!({"pushConfig": {
                "pushEndpoint": "https://old/?x=1",
                "oidcToken": {"serviceAccountEmail": "c@d", "audience": "aud", "later": 1},
                "noWrapper": {"writeMetadata": true},
            }}),
        ),
        (
            vec![to("push_endpoint", push())],
            "pushConfig",
            json!({"pushConfig": {
                "pushEndpoint": URL,
                "oidcToken": {"serviceAccountEmail": "a@b", "later": 1},
                "noWrapper": {"writeMetadata": true},
            }}),
        ),
        (
            vec![to("push_endpoint", Value::text("pull"))],
            "pushConfig",
            json!({"pushConfig": {}}),
        ),
        (
            vec![to("max_delivery_attempts", Value::Int(9))],
            "deadLetterPolicy",
            json!({"deadLetterPolicy": {"deadLetterTopic": "projects/p/topics/d", "maxDeliveryAttempts": 9}}),
        ),
        (
            vec![to("minimum_backoff", Value::seconds(3))],
            "retryPolicy",
            json!({"retryPolicy": {"minimumBackoff": "3s"}}),
        ),
    ] {
        let mut update = with(a_subscription(Verb::Update), edits);
        update
            .secrets
            .insert(FieldName::new("push_endpoint"), SecretText::new(URL));
        let patch = subscription_patch("p", &update, live.clone()).unwrap();
        assert_eq!(patch.mask, mask);
        assert_eq!(json_of(&patch.body), body);
    }
}

#[test]
fn leaving_an_export_clears_it() {
    let live = wire::Subscription {
        bigquery_config: Some(json!({"table": "t"})),
        ..wire::Subscription::default()
    };
    let update = with(
        a_subscription(Verb::Update),
        vec![to("push_endpoint", Value::text("pull"))],
    );
    assert!(needs_live(&update.edits));
    let patch = subscription_patch("p", &update, live).unwrap();
    assert_eq!(patch.mask, "bigqueryConfig,pushConfig");
    assert_eq!(json_of(&patch.body), json!({"pushConfig": {}}));
}

#[test]
fn what_cannot_be_patched_is_reported() {
    for edits in [
        vec![to("topic", Value::text("t"))],
        vec![to("filter", Value::text("t"))],
        vec![to("enable_message_ordering", Value::Bool(true))],
        vec![to("ack_deadline_seconds", Value::text("20"))],
        vec![to("nonsense", Value::Int(1))],
        vec![Edit::Add {
            field: FieldName::new("labels.a"),
            item: "x".to_owned(),
        }],
        Vec::new(),
    ] {
        let update = with(a_subscription(Verb::Update), edits);
        assert!(subscription_patch("p", &update, wire::Subscription::default()).is_err());
    }
}

#[test]
fn topics_are_made_and_patched() {
    let mut new = change(ResourceKey::pubsub_topic("p", "dev-t"), Verb::Create);
    assert_eq!(json_of(&new_topic(&new).unwrap()), json!({}));
    for (name, value) in [
        ("message_retention", Value::seconds(600)),
        ("kms_key_name", Value::text("k")),
        ("allowed_persistence_regions", Value::set(["b", "a"])),
        ("labels.a", Value::text("b")),
    ] {
        new.declared.insert(FieldName::new(name), value);
    }
    assert_eq!(
        json_of(&new_topic(&new).unwrap()),
        json!({
            "labels": {"a": "b"},
            "messageRetentionDuration": "600s",
            "kmsKeyName": "k",
            "messageStoragePolicy": {"allowedPersistenceRegions": ["a", "b"]},
        })
    );
    let live: wire::Topic = serde_json::from_value(json!({
        "messageStoragePolicy": {"allowedPersistenceRegions": ["a", "c"], "enforceInTransit": true},
    }))
    .unwrap();
    let field = || FieldName::new("allowed_persistence_regions");
    let edits = vec![
        Edit::Add {
            field: field(),
            item: "b".to_owned(),
        },
        Edit::Remove {
            field: field(),
            item: "c".to_owned(),
        },
    ];
    let update = with(
        change(ResourceKey::pubsub_topic("p", "dev-t"), Verb::Update),
        edits,
    );
    let patch = topic_patch(&update, live).unwrap();
    assert_eq!(patch.mask, "messageStoragePolicy");
    assert_eq!(
        json_of(&patch.body),
        json!({"messageStoragePolicy": {"allowedPersistenceRegions": ["a", "b"], "enforceInTransit": true}})
    );
}

const POLICY: &str = r#"{"etag":"x","version":1,"bindings":[
    {"role":"s","members":["user:E@b.c"]},
    {"role":"r","members":["user:D@b.c"],"condition":{"title":"t"}},
    {"role":"r","members":["user:Foreign@b.c","user:Ours@b.c"]}],"later":[1]}"#;

fn applied(add: &[&str], remove: &[&str]) -> (bool, serde_json::Value) {
    let mut policy = wire::policy(POLICY.as_bytes()).unwrap();
    let owned = |items: &[&str]| items.iter().map(|item| (*item).to_owned()).collect();
    let members = Members {
        add: owned(add),
        remove: owned(remove),
    };
    let changed = members.apply(&mut policy, "r");
    (changed, json_of(&policy))
}

#[test]
fn only_our_members_move() {
    let before: serde_json::Value = serde_json::from_str(POLICY).unwrap();
    for (add, remove) in [
        (&["user:ours@b.c"][..], &[][..]),
        (&[][..], &["user:nobody@b.c"][..]),
        // Held under a condition only: not ours.
        (&[][..], &["user:d@b.c"][..]),
    ] {
        assert_eq!(applied(add, remove), (false, before.clone()));
    }
    let (changed, after) = applied(&["user:new@b.c"], &["user:ours@b.c"]);
    let mut expected = before.clone();
    expected["bindings"][2]["members"] = json!(["user:Foreign@b.c", "user:new@b.c"]);
    expected["version"] = json!(3);
    assert_eq!((changed, after), (true, expected));
    // Nobody left: the binding goes, and all others stay.
    let (_, after) = applied(&[], &["user:ours@b.c", "user:foreign@b.c"]);
    assert_eq!(after["bindings"].as_array().unwrap().len(), 2);
    assert_eq!(after["bindings"][1], before["bindings"][1]);
}

#[test]
fn a_first_member_makes_the_binding() {
    let mut policy = wire::policy(br#"{"etag":"ACAB"}"#).unwrap();
    let members = Members {
        add: BTreeSet::from(["user:a@b.c".to_owned()]),
        remove: BTreeSet::new(),
    };
    assert!(members.apply(&mut policy, "r"));
    assert_eq!(
        json_of(&policy),
        json!({"etag": "ACAB", "bindings": [{"role": "r", "members": ["user:a@b.c"]}]})
    );
}

#[test]
fn a_deleted_account_is_not_the_living_one() {
    let mut policy = wire::policy(
        br#"{"etag":"x","bindings":[{"role":"r","members":["deleted:user:a@b.c?uid=1"]}]}"#,
    )
    .unwrap();
    let members = Members {
        add: BTreeSet::from(["user:a@b.c".to_owned()]),
        remove: BTreeSet::new(),
    };
    assert!(members.apply(&mut policy, "r"));
    let live = normalize::members(&policy, "r", None).unwrap();
    assert_eq!(
        live.fields.get(&FieldName::new("members")),
        Some(&Value::set(["deleted:user:a@b.c?uid=1", "user:a@b.c"]))
    );
}

#[test]
fn the_members_of_each_verb() {
    let key = ResourceKey::pubsub_binding("p", "dev-t", "roles/pubsub.publisher");
    let field = FieldName::new("members");
    let mut base = change(key, Verb::Create);
    base.declared
        .insert(field.clone(), Value::set(["user:New@b.c"]));
    base.recorded
        .insert(field.clone(), Value::set(["user:Old@b.c"]));
    let one = |item: &str| BTreeSet::from([item.to_owned()]);
    assert_eq!(members(&base).unwrap().add, one("user:new@b.c"));
    base.verb = Verb::Delete;
    let gone = members(&base).unwrap();
    assert_eq!((gone.add.len(), gone.remove), (0, one("user:old@b.c")));
    base.verb = Verb::Replace;
    assert!(members(&base).is_err());
    base.verb = Verb::Update;
    base.edits = vec![to("members", Value::set(["user:x@b.c"]))];
    assert!(members(&base).is_err());
    base.edits = vec![
        Edit::Add {
            field: field.clone(),
            item: "user:A@b.c".to_owned(),
        },
        Edit::Remove {
            field,
            item: "user:B@b.c".to_owned(),
        },
    ];
    let both = members(&base).unwrap();
    assert_eq!(
        (both.add, both.remove),
        (one("user:a@b.c"), one("user:b@b.c"))
    );
}
