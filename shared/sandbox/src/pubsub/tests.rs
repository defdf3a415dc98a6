use crate::tests::{Bench, PUBSUB};
use serde_json::{Value, json};

fn topic(id: &str) -> String {
    format!("{PUBSUB}/topics/{id}")
}

fn sub(id: &str) -> String {
    format!("{PUBSUB}/subscriptions/{id}")
}

fn full(id: &str) -> String {
    format!("projects/clustera-control-plane/topics/{id}")
}

/// A topic `hook` and a subscription `hook-sub` of these fields.
fn with_sub(fields: Value) -> Bench {
    let bench = Bench::new();
    assert_eq!(bench.put(&topic("hook"), json!({})).0, 200);
    let mut body = json!({"topic": full("hook")});
    body.as_object_mut()
        .unwrap()
        .extend(fields.as_object().unwrap().clone());
    let (status, answer) = bench.put(&sub("hook-sub"), body);
    assert_eq!(status, 200, "{answer}");
    bench
}

fn status_name(body: &Value) -> &str {
    body["error"]["status"].as_str().unwrap_or_default()
}

#[test]
fn creation_fills_defaults_and_omits_what_is_unset() {
    let bench = with_sub(json!({"retainAckedMessages": false, "labels": {}, "filter": ""}));
    assert_eq!(
        bench.get(&sub("hook-sub")).1,
        json!({
            "name": "projects/clustera-control-plane/subscriptions/hook-sub", "topic": full("hook"),
            "ackDeadlineSeconds": 10, "pushConfig": {}, "messageRetentionDuration": "604800s",
            "expirationPolicy": {"ttl": "2678400s"}, "state": "ACTIVE",
        })
    );
    assert_eq!(
        bench.get(&topic("hook")).1,
        json!({"name": full("hook"), "state": "ACTIVE"})
    );
    let cases = [
        (
            json!({"expirationPolicy": {"ttl": "86400s"}}),
            "messageRetentionDuration",
            json!("86400s"),
        ),
        (
            json!({"expirationPolicy": {}}),
            "expirationPolicy",
            json!({}),
        ),
        (
            json!({"expirationPolicy": {}}),
            "messageRetentionDuration",
            json!("604800s"),
        ),
        (
            json!({"retryPolicy": {}}),
            "retryPolicy",
            json!({"minimumBackoff": "10s", "maximumBackoff": "600s"}),
        ),
        (
            json!({"ack_deadline_seconds": "20"}),
            "ackDeadlineSeconds",
            json!(20),
        ),
        (
            json!({"messageRetentionDuration": "600.0s"}),
            "messageRetentionDuration",
            json!("600s"),
        ),
        (json!({"tags": {"a": "b"}}), "tags", Value::Null),
    ];
    for (fields, key, expected) in cases {
        let bench = with_sub(fields.clone());
        assert_eq!(bench.get(&sub("hook-sub")).1[key], expected, "{fields}");
    }
}

#[test]
fn put_never_overwrites() {
    let bench = with_sub(json!({}));
    let (status, body) = bench.put(&topic("hook"), json!({}));
    assert_eq!((status, status_name(&body)), (409, "ALREADY_EXISTS"));
    assert_eq!(
        body["error"]["message"],
        "Resource already exists in the project (resource=hook)."
    );
    assert_eq!(
        bench
            .put(&sub("hook-sub"), json!({"topic": full("hook")}))
            .0,
        409
    );
    let (status, body) = bench.put(&sub("other"), json!({"topic": full("none")}));
    assert_eq!(
        (status, body["error"]["message"].as_str()),
        (404, Some("Resource not found (resource=none)."))
    );
    assert_eq!(bench.put(&sub("other"), json!({})).0, 400);
}

#[test]
fn bad_input_is_refused() {
    let bench = with_sub(json!({}));
    let long = "a".repeat(256);
    for id in ["ab", "1abc", "google-topic", "a:b", "a b", long.as_str()] {
        let path = topic(&id.replace(' ', "%20"));
        assert!(bench.put(&path, json!({})).0 >= 400, "{id}");
    }
    assert_eq!(bench.put(&topic("a%25b"), json!({})).0, 200);
    let bad = [
        json!({"nonsense": 1}),
        json!({"pushConfig": {"nonsense": 1}}),
        json!({"pushConfig": {"pushEndpoint": "http://example.com"}}),
        json!({"pushConfig": {"attributes": {"x": "y"}}}),
        json!({"ackDeadlineSeconds": 9}),
        json!({"ackDeadlineSeconds": 601}),
        json!({"messageRetentionDuration": "10m"}),
        json!({"messageRetentionDuration": "599s"}),
        json!({"expirationPolicy": {"ttl": "3600s"}}),
        json!({"deadLetterPolicy": {"maxDeliveryAttempts": 4}}),
        json!({"retryPolicy": {"minimumBackoff": "601s"}}),
        json!({"retryPolicy": {"minimumBackoff": "60s", "maximumBackoff": "10s"}}),
        json!({"retryPolicy": {"maximumBackoff": "9.5s"}}),
        json!({"labels": {"Upper": "x"}}),
        json!({"labels": {"a": 1}}),
        json!({"filter": "x".repeat(257)}),
        json!({"bigqueryConfig": {}, "pushConfig": {"pushEndpoint": "https://example.com/x"}}),
    ];
    for fields in bad {
        let mut body = json!({"topic": full("hook")});
        body.as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        let (status, answer) = bench.put(&sub("fresh"), body);
        assert_eq!(
            (status, status_name(&answer)),
            (400, "INVALID_ARGUMENT"),
            "{fields}"
        );
    }
    assert_eq!(bench.get(&sub("fresh")).0, 404);
}

#[test]
fn the_dead_letter_topic_must_exist_when_it_is_named() {
    let bench = with_sub(json!({}));
    let put = |letters: Value| {
        let body = json!({"topic": full("hook"), "deadLetterPolicy": letters});
        bench.put(&sub("fresh"), body).0
    };
    assert_eq!(put(json!({})), 404);
    assert_eq!(put(json!({"deadLetterTopic": full("letters")})), 404);
    let patch = |field: &str, value: Value| {
        let body = json!({"subscription": {field: value}, "updateMask": field});
        bench.patch(&sub("hook-sub"), body).0
    };
    let letters = json!({"deadLetterTopic": full("letters")});
    assert_eq!(patch("deadLetterPolicy", letters.clone()), 404);
    bench.put(&topic("letters"), json!({}));
    assert_eq!(patch("deadLetterPolicy", letters), 200);
    bench.delete(&topic("letters"));
    assert_eq!(patch("ackDeadlineSeconds", json!(20)), 200);
    let (_, shown) = bench.get(&sub("hook-sub"));
    assert_eq!(
        shown["deadLetterPolicy"]["deadLetterTopic"],
        full("letters")
    );
}

#[test]
fn the_google_version_shows_in_write_answers_only() {
    let endpoint = json!({"pushEndpoint": "https://example.com/hook"});
    let bench = with_sub(json!({}));
    let patch = json!({"subscription": {"pushConfig": endpoint}, "updateMask": "pushConfig"});
    let (_, written) = bench.patch(&sub("hook-sub"), patch);
    assert_eq!(
        written["pushConfig"]["attributes"],
        json!({"x-goog-version": "v1"})
    );
    assert_eq!(bench.get(&sub("hook-sub")).1["pushConfig"], endpoint);
    // Echoing the answer back changes nothing that a GET shows.
    let echo =
        json!({"subscription": {"pushConfig": written["pushConfig"]}, "updateMask": "pushConfig"});
    bench.patch(&sub("hook-sub"), echo);
    assert_eq!(bench.get(&sub("hook-sub")).1["pushConfig"], endpoint);
    assert_eq!(
        bench.post(&format!("{}:modifyPushConfig", sub("hook-sub")), json!({})),
        (200, json!({}))
    );
    assert_eq!(bench.get(&sub("hook-sub")).1["pushConfig"], json!({}));
}

fn patchable() -> Value {
    json!({"ackDeadlineSeconds": 30, "filter": "x", "labels": {"a": "b"}, "retainAckedMessages": true})
}

#[test]
fn bad_masks_change_nothing() {
    let start = patchable();
    let refused = [
        ("", "non-empty paths list"),
        ("nonsense", "is not a known Subscription field"),
        (
            "pushConfig.pushEndpoint",
            "is not a known Subscription field",
        ),
        ("filter", "is not mutable"),
        ("topic", "is not mutable"),
        ("name", "is not mutable"),
        ("enable_message_ordering", "is not mutable"),
        ("labels,labels", "twice"),
        ("push_config,pushConfig", "twice"),
        ("ackDeadlineSeconds,filter", "is not mutable"),
    ];
    for (mask, part) in refused {
        let bench = with_sub(start.clone());
        let before = bench.sandbox.world();
        let body =
            json!({"subscription": {"ackDeadlineSeconds": 40, "filter": "x"}, "updateMask": mask});
        let (status, answer) = bench.patch(&sub("hook-sub"), body);
        assert_eq!(status, 400, "{mask}");
        assert!(
            answer["error"]["message"].as_str().unwrap().contains(part),
            "{answer}"
        );
        assert_eq!(bench.sandbox.world(), before, "{mask}");
    }
}

#[test]
fn masks_rule_what_is_patched() {
    let start = patchable();
    let taken = [
        (
            "ackDeadlineSeconds",
            json!({"ackDeadlineSeconds": 40, "labels": {}}),
            "labels",
            json!({"a": "b"}),
        ),
        (
            "ack_deadline_seconds",
            json!({"ack_deadline_seconds": 40}),
            "ackDeadlineSeconds",
            json!(40),
        ),
        (
            "retainAckedMessages",
            json!({}),
            "retainAckedMessages",
            Value::Null,
        ),
        (
            "ackDeadlineSeconds",
            json!({}),
            "ackDeadlineSeconds",
            json!(10),
        ),
        (
            "labels",
            json!({"labels": {"c": "d"}}),
            "labels",
            json!({"c": "d"}),
        ),
    ];
    for (mask, fields, key, expected) in taken {
        let bench = with_sub(start.clone());
        let body = json!({"subscription": fields, "updateMask": mask});
        assert_eq!(
            bench.patch(&sub("hook-sub"), body).1[key],
            expected,
            "{mask} {fields}"
        );
    }
    let bench = with_sub(start);
    let in_query = format!("{}?updateMask=labels", topic("hook"));
    assert_eq!(
        bench
            .patch(&in_query, json!({"topic": {"labels": {"x": "y"}}}))
            .1["labels"],
        json!({"x": "y"})
    );
    let unknown = json!({"topic": {}, "updateMask": "labels", "nonsense": 1});
    assert_eq!(bench.patch(&topic("hook"), unknown).0, 400);
    assert_eq!(
        bench
            .patch(&topic("none"), json!({"topic": {}, "updateMask": "labels"}))
            .0,
        404
    );
}

#[test]
fn pages_go_by_opaque_tokens() {
    let bench = Bench::new();
    for id in ["aaa", "bbb", "ccc"] {
        bench.put(&topic(id), json!({}));
    }
    let list = format!("{PUBSUB}/topics");
    let (_, all) = bench.get(&list);
    assert_eq!(all["topics"].as_array().unwrap().len(), 3);
    assert!(all.get("nextPageToken").is_none());
    let (_, first) = bench.get(&format!("{list}?pageSize=2"));
    assert_eq!(first["topics"].as_array().unwrap().len(), 2);
    let token = first["nextPageToken"].as_str().unwrap();
    assert_eq!(token.len(), 22);
    bench.delete(&topic("bbb"));
    let (_, second) = bench.get(&format!("{list}?pageSize=2&pageToken={token}"));
    assert_eq!(
        second,
        json!({"topics": [{"name": full("ccc"), "state": "ACTIVE"}]})
    );
    for (query, status) in [
        ("pageSize=0", 200),
        ("pageSize=1000", 200),
        ("pageSize=1001", 400),
        ("pageSize=-1", 400),
        ("pageToken=nonsense", 400),
        ("%24alt=json%3Benum-encoding%3Dint", 200),
        ("limit=999", 400),
    ] {
        assert_eq!(bench.get(&format!("{list}?{query}")).0, status, "{query}");
    }
    assert_eq!(bench.get(&format!("{PUBSUB}/subscriptions")).1, json!({}));
}

#[test]
fn a_deleted_topic_orphans_its_subscriptions() {
    let bench = with_sub(json!({}));
    let policy =
        json!({"policy": {"bindings": [{"role": "roles/viewer", "members": ["allUsers"]}]}});
    bench.post(&format!("{}:setIamPolicy", topic("hook")), policy);
    let of_topic = format!("{}/subscriptions", topic("hook"));
    let names =
        json!({"subscriptions": ["projects/clustera-control-plane/subscriptions/hook-sub"]});
    assert_eq!(bench.get(&of_topic).1, names);
    assert_eq!(bench.delete(&topic("hook")), (200, json!({})));
    assert_eq!(bench.delete(&topic("hook")).0, 404);
    assert_eq!(bench.get(&sub("hook-sub")).1["topic"], "_deleted-topic_");
    bench.put(&topic("hook"), json!({}));
    assert_eq!(bench.get(&sub("hook-sub")).1["topic"], "_deleted-topic_");
    assert_eq!(bench.get(&of_topic).1, json!({}));
    assert_eq!(
        bench.get(&format!("{}:getIamPolicy", topic("hook"))).1,
        json!({"etag": "ACAB"})
    );
}

#[test]
fn a_detached_subscription_is_not_among_those_of_its_topic() {
    let bench = with_sub(json!({}));
    let detached = bench.post(&format!("{}:detach", sub("hook-sub")), json!({}));
    assert_eq!(detached, (200, json!({})));
    let shown = bench.get(&sub("hook-sub")).1;
    assert_eq!(shown["detached"], true);
    assert!(shown["topic"].to_string().ends_with("/topics/hook\""));
    let of_topic = format!("{}/subscriptions", topic("hook"));
    assert_eq!(bench.get(&of_topic).1, json!({}));
}

#[test]
fn policies_are_written_under_their_etag() {
    let bench = with_sub(json!({}));
    let get = format!(
        "{}:getIamPolicy?options.requestedPolicyVersion=3",
        topic("hook")
    );
    let set = format!("{}:setIamPolicy", topic("hook"));
    assert_eq!(bench.get(&get).1, json!({"etag": "ACAB"}));
    let with = |etag: Value| {
        let members = [
            "serviceAccount:Gmail-Api-Push@System.gserviceaccount.com",
            "allUsers",
            "allUsers",
        ];
        json!({"policy": {"etag": etag, "version": 3, "bindings": [{"role": "roles/pubsub.publisher", "members": members}]}})
    };
    let (status, first) = bench.post(&set, with(json!("ACAB")));
    assert_eq!(status, 200);
    let members = json!([
        "allUsers",
        "serviceAccount:gmail-api-push@system.gserviceaccount.com"
    ]);
    assert_eq!(
        first["bindings"],
        json!([{"role": "roles/pubsub.publisher", "members": members}])
    );
    assert_eq!(bench.send("POST", &get, None, None).1, first);
    let (status, stale) = bench.post(&set, with(json!("ACAB")));
    assert_eq!((status, status_name(&stale)), (409, "ABORTED"));
    assert!(
        stale["error"]["message"]
            .as_str()
            .unwrap()
            .starts_with("There were concurrent policy changes")
    );
    let (_, second) = bench.post(&set, with(first["etag"].clone()));
    assert_ne!(second["etag"], first["etag"]);
    assert_eq!(bench.post(&set, with(Value::Null)).0, 200);
    for bad in [
        json!({"policy": {}, "updateMask": "bindings"}),
        json!({"policy": {"bindings": [{"role": "roles/x", "members": ["nobody"]}]}}),
        json!({"policy": {"bindings": [{"role": "x", "members": ["allUsers"]}]}}),
        json!({"policy": {"bindings": [{"role": "roles/x", "members": ["allUsers"], "condition": {"title": "t"}}]}}),
    ] {
        assert_eq!(bench.post(&set, bad.clone()).0, 400, "{bad}");
    }
    let test = json!({"permissions": ["pubsub.topics.get"]});
    assert_eq!(
        bench
            .post(
                &format!("{}:testIamPermissions", topic("hook")),
                test.clone()
            )
            .1,
        test
    );
    assert_eq!(
        bench.post(&format!("{}:testIamPermissions", topic("none")), test),
        (200, json!({}))
    );
    assert_eq!(bench.get(&format!("{}:getIamPolicy", topic("none"))).0, 404);
}

#[test]
fn the_organisation_may_bar_members() {
    let bench = with_sub(json!({}));
    let set = format!("{}:setIamPolicy", topic("hook"));
    let with = |members: &[&str]| json!({"policy": {"bindings": [{"role": "roles/viewer", "members": members}]}});
    assert_eq!(bench.post(&set, with(&["user:old@else.where"])).0, 200);
    bench.fault(json!({"effect": {"kind": "org_policy", "allowed": ["@clustera.io"]}}));
    let (status, body) = bench.post(&set, with(&["user:old@else.where", "user:new@else.where"]));
    assert_eq!((status, status_name(&body)), (400, "FAILED_PRECONDITION"));
    let violation = &body["error"]["details"][0]["violations"][0];
    assert_eq!(
        violation["type"],
        "constraints/iam.allowedPolicyMemberDomains"
    );
    assert_eq!(
        violation["subject"],
        "orgpolicy:projects/clustera-control-plane?configvalue=new@else.where"
    );
    // Not retroactive.
    assert_eq!(
        bench
            .post(&set, with(&["user:old@else.where", "user:a@clustera.io"]))
            .0,
        200
    );
}

#[test]
fn what_was_not_found_stays_so_for_a_while() {
    let bench = Bench::new();
    bench.fault(json!({"effect": {"kind": "negative_cache", "ms": 5000}}));
    assert_eq!(bench.get(&topic("late")).0, 404);
    assert_eq!(bench.put(&topic("late"), json!({})).0, 200);
    assert_eq!(bench.get(&topic("late")).0, 404);
    assert_eq!(
        bench.get(&format!("{PUBSUB}/topics")).1["topics"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    bench.wait(5000);
    assert_eq!(bench.get(&topic("late")).0, 200);
}

#[test]
fn paths_that_lead_nowhere_answer_in_html() {
    let bench = Bench::new();
    for (method, path) in [
        ("GET", format!("{PUBSUB}/nonsense")),
        ("POST", topic("abc")),
        ("POST", format!("{}:modifyPushConfig", topic("abc"))),
        ("GET", "/v1/projects/clustera-control-plane".to_owned()),
    ] {
        let (status, body) = bench.send(method, &path, None, None);
        assert_eq!(status, 404, "{method} {path}");
        assert!(
            body.as_str()
                .is_some_and(|text| text.starts_with("<!DOCTYPE html>")),
            "{path}"
        );
    }
}
