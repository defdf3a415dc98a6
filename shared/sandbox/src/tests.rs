//! The whole sandbox through its front door; also the bench that the providers' tests use.

use crate::{Deed, Fault, Options, Outcome, Provider, Sandbox};
use bytes::Bytes;
use serde_json::{Value, json};
use std::cell::Cell;

/// 2026-01-01T00:00:00Z
pub(crate) const START_MS: i64 = 1_767_225_600_000;
pub(crate) const TOPICS: &str = "/v1/project/clustera-creators/service/kafka-clustera/topic";
pub(crate) const BULK: &str = "/v2/project/clustera-creators/service/kafka-clustera/topic";
pub(crate) const PUBSUB: &str = "/v1/projects/clustera-control-plane";
pub(crate) const ZONE: &str = "/client/v4/zones/c1a57e4a000000000000000000000001";

pub(crate) struct Bench {
    pub(crate) sandbox: Sandbox,
    pub(crate) now_ms: Cell<i64>,
}

/// A status and a body; HTML is a JSON string here, a lost answer status 0.
pub(crate) type Seen = (u16, Value);

impl Bench {
    pub(crate) fn new() -> Self {
        Self {
            sandbox: Sandbox::new(Options::default()),
            now_ms: Cell::new(START_MS),
        }
    }

    pub(crate) fn wait(&self, ms: i64) {
        self.now_ms.set(self.now_ms.get() + ms);
    }

    pub(crate) fn raw(
        &self,
        method: &str,
        path: &str,
        auth: Option<&str>,
        body: Option<Value>,
    ) -> Outcome {
        let mut request = http::Request::builder().method(method).uri(path);
        if let Some(auth) = auth {
            request = request.header("authorization", auth);
        }
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let request = request.body(Bytes::from(body)).unwrap();
        self.sandbox.handle(request, self.now_ms.get()).outcome
    }

    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        auth: Option<&str>,
        body: Option<Value>,
    ) -> Seen {
        match self.raw(method, path, auth, body) {
            Outcome::Lost => (0, Value::Null),
            Outcome::Response(response) => {
                let status = response.status().as_u16();
                let text = String::from_utf8(response.body().to_vec()).unwrap();
                let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
                (status, body)
            }
        }
    }

    pub(crate) fn get(&self, path: &str) -> Seen {
        self.send("GET", path, Some("Bearer t"), None)
    }

    pub(crate) fn delete(&self, path: &str) -> Seen {
        self.send("DELETE", path, Some("Bearer t"), None)
    }

    pub(crate) fn post(&self, path: &str, body: Value) -> Seen {
        self.send("POST", path, Some("Bearer t"), Some(body))
    }

    pub(crate) fn put(&self, path: &str, body: Value) -> Seen {
        self.send("PUT", path, Some("Bearer t"), Some(body))
    }

    pub(crate) fn patch(&self, path: &str, body: Value) -> Seen {
        self.send("PATCH", path, Some("Bearer t"), Some(body))
    }

    pub(crate) fn fault(&self, fault: Value) {
        self.sandbox
            .add_fault(serde_json::from_value::<Fault>(fault).unwrap());
    }

    pub(crate) fn deed(&self, deed: Value) -> Result<(), String> {
        let deed = serde_json::from_value::<Deed>(deed).unwrap();
        self.sandbox.act(&deed, self.now_ms.get())
    }
}

/// Some of everything.
fn furnished() -> Bench {
    let bench = Bench::new();
    let deeds = [
        json!({"do": "create_topic", "topic": "dev-a", "config": {"retention_ms": 3_600_000}}),
        json!({"do": "create_topic", "topic": "dev-b", "partitions": 3}),
        json!({"do": "create_topic", "topic": "dev-c"}),
        json!({"do": "create_pubsub_topic", "topic": "hook"}),
        json!({"do": "create_subscription", "subscription": "hook-sub", "topic": "hook"}),
        json!({"do": "add_iam_member", "topic": "hook", "role": "roles/pubsub.publisher", "member": "user:A@b.c"}),
        json!({"do": "add_record", "record": {"type": "A", "name": "n1.dev", "content": "192.0.2.1", "ttl": 300}}),
        json!({"do": "add_record", "record": {"type": "A", "name": "n1.dev", "content": "192.0.2.2", "ttl": 300}}),
    ];
    for deed in deeds {
        bench.deed(deed).unwrap();
    }
    bench
}

#[test]
fn equal_calls_give_equal_worlds_and_reads_change_nothing() {
    let (a, b) = (furnished(), furnished());
    assert_eq!(a.sandbox.world(), b.sandbox.world());
    assert_eq!(a.sandbox.world().to_string(), b.sandbox.world().to_string());
    let reads = [
        TOPICS.to_owned(),
        format!("{TOPICS}/dev-a"),
        format!("{PUBSUB}/topics?pageSize=1"),
        format!("{PUBSUB}/subscriptions/hook-sub"),
        format!("{PUBSUB}/topics/hook:getIamPolicy"),
        format!("{ZONE}/dns_records"),
    ];
    for path in &reads {
        assert_eq!(a.get(path).0, 200, "{path}");
    }
    assert_eq!(a.post(BULK, json!({"topic_names": ["dev-a"]})).0, 200);
    assert_eq!(a.sandbox.world(), b.sandbox.world());
    assert!(
        a.sandbox
            .requests()
            .iter()
            .all(|line| !line.write && !line.applied)
    );
    let other = Sandbox::new(Options {
        seed: 2,
        ..Options::default()
    });
    assert_ne!(a.sandbox.world(), other.world());
}

#[test]
fn paths_find_their_provider_and_credentials_are_asked_for() {
    let bench = Bench::new();
    let cases: &[(&str, Option<&str>, u16)] = &[
        (TOPICS, Some("aivenv1 t"), 200),
        (TOPICS, Some("Bearer t"), 200),
        (TOPICS, Some("Bearer "), 401),
        (TOPICS, Some("Basic t"), 401),
        (TOPICS, None, 403),
        (ZONE, Some("Bearer t"), 200),
        (ZONE, Some("Bearer a b"), 400),
        (ZONE, Some("aivenv1 t"), 400),
        (ZONE, None, 401),
        ("/v1/projects/clustera-control-plane/topics", None, 200),
        ("/v1/projects/other/topics", None, 404),
        ("/v1/project/other/service/s/topic", Some("Bearer t"), 404),
        (
            "/v1/project/clustera-creators/service/s/topic",
            Some("Bearer t"),
            404,
        ),
        ("/client/v4/zones/zone", Some("Bearer t"), 404),
        ("/favicon.ico", None, 404),
        ("/_sandbox/version", None, 200),
        ("/_sandbox/nothing", None, 404),
    ];
    for (path, auth, status) in cases {
        assert_eq!(
            bench.send("GET", path, *auth, None).0,
            *status,
            "{path} {auth:?}"
        );
    }
    let (_, body) = bench.send("GET", ZONE, Some("x"), None);
    assert_eq!(body["errors"][0]["code"], 6003);
    assert_eq!(body["errors"][0]["error_chain"][0]["code"], 6111);
}

/// Method, path, body, the status asked for, and what the answer then says where.
type Spoken = (&'static str, String, Value, u16, &'static str, Value);

fn spoken() -> Vec<Spoken> {
    let topic = json!({"topic_name": "t", "partitions": 1, "replication": 2});
    let record = json!({"type": "A", "name": "a", "content": "192.0.2.1"});
    let topic_path = format!("{PUBSUB}/topics/abc");
    let records = format!("{ZONE}/dns_records");
    vec![
        (
            "POST",
            TOPICS.to_owned(),
            topic.clone(),
            429,
            "/message",
            json!("Rate limit 120 exceeded - try again in 28s"),
        ),
        (
            "POST",
            TOPICS.to_owned(),
            topic,
            503,
            "/errors/0/error_code",
            json!("kafka_service_unavailable"),
        ),
        (
            "PUT",
            topic_path.clone(),
            json!({}),
            429,
            "/error/details/0/reason",
            json!("RATE_LIMIT_EXCEEDED"),
        ),
        (
            "PUT",
            topic_path.clone(),
            json!({}),
            403,
            "/error/message",
            json!("User not authorized to perform this action."),
        ),
        (
            "PUT",
            topic_path.clone(),
            json!({}),
            401,
            "/error/details/0/reason",
            json!("ACCESS_TOKEN_EXPIRED"),
        ),
        (
            "POST",
            records.clone(),
            record.clone(),
            429,
            "/errors/0/code",
            json!(10_100),
        ),
        (
            "POST",
            records.clone(),
            record,
            401,
            "/success",
            json!(false),
        ),
    ]
}

#[test]
fn a_status_fault_speaks_as_its_provider_does_and_changes_nothing() {
    for (method, path, body, code, pointer, expected) in spoken() {
        let bench = Bench::new();
        let before = bench.sandbox.world();
        bench.fault(json!({"effect": {"kind": "status", "code": code, "retry_after_s": 7, "try_again_s": 28}}));
        let Outcome::Response(response) = bench.raw(method, &path, Some("Bearer t"), Some(body))
        else {
            panic!("lost");
        };
        assert_eq!(response.status(), code);
        assert_eq!(response.headers()["retry-after"], "7");
        let body: Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(body.pointer(pointer), Some(&expected), "{body}");
        assert_eq!(bench.sandbox.world(), before);
        let log = bench.sandbox.requests();
        assert!(log[0].write && !log[0].applied);
    }
}

#[test]
fn answers_are_lost_cut_and_confused() {
    let path = format!("{PUBSUB}/topics/abc");
    for (effect, status, applied) in [
        (json!({"kind": "lose_answer", "applied": true}), None, true),
        (
            json!({"kind": "lose_answer", "applied": false}),
            None,
            false,
        ),
        (json!({"kind": "cut_body"}), Some(200), true),
        (json!({"kind": "html_body"}), Some(200), false),
        (json!({"kind": "html_body", "code": 502}), Some(502), false),
        (json!({"kind": "wrong_types"}), Some(200), true),
        (json!({"kind": "latency", "ms": 5}), Some(200), true),
    ] {
        let bench = Bench::new();
        bench.fault(json!({"effect": effect}));
        bench.put(&path, json!({}));
        let log = bench.sandbox.requests();
        assert_eq!(
            (log[0].status, log[0].applied),
            (status, applied),
            "{effect}"
        );
        bench.sandbox.clear_faults();
        assert_eq!(bench.get(&path).0 == 200, applied, "{effect}");
    }
    let bench = Bench::new();
    bench.fault(json!({"effect": {"kind": "cut_body"}}));
    let Outcome::Response(response) = bench.raw("PUT", &path, None, Some(json!({}))) else {
        panic!("lost");
    };
    let whole: usize = response.headers()["content-length"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!(response.body().len() < whole);
    assert!(serde_json::from_slice::<Value>(response.body()).is_err());
}

#[test]
fn delays_add_up_and_jitter_follows_the_seed() {
    let delays = |seed| -> Vec<u64> {
        let sandbox = Sandbox::new(Options {
            seed,
            latency_ms: 50,
            jitter_ms: 20,
            ..Options::default()
        });
        sandbox.add_fault(Fault::always(crate::Effect::Latency { ms: 1000 }));
        (0..10)
            .map(|_| {
                let request = http::Request::get(TOPICS).body(Bytes::new()).unwrap();
                sandbox.handle(request, START_MS).delay_ms
            })
            .collect()
    };
    assert_eq!(delays(3), delays(3));
    assert_ne!(delays(3), delays(4));
    assert!(delays(3).iter().all(|delay| (1050..=1070).contains(delay)));
}

#[test]
fn persons_act_or_hear_why_not() {
    let bench = furnished();
    let good = [
        json!({"do": "set_topic_config", "topic": "dev-a", "config": {"retention_ms": null, "segment_ms": 60_000}}),
        json!({"do": "set_partitions", "topic": "dev-b", "partitions": 1}),
        json!({"do": "set_topic_tags", "topic": "dev-b", "tags": {"team": "x"}}),
        json!({"do": "remove_topics", "prefix": "dev-", "one_in": 3}),
        json!({"do": "set_push_endpoint", "subscription": "hook-sub", "endpoint": "https://example.com/hook"}),
        json!({"do": "patch_subscription", "subscription": "hook-sub", "fields": {"ackDeadlineSeconds": 20}}),
        json!({"do": "remove_iam_member", "topic": "hook", "role": "roles/pubsub.publisher", "member": "user:a@b.c"}),
        json!({"do": "set_iam_binding", "topic": "hook", "role": "roles/viewer", "members": ["allUsers"]}),
        json!({"do": "remove_iam_binding", "topic": "hook", "role": "roles/viewer"}),
        json!({"do": "delete_pubsub_topic", "topic": "hook"}),
        json!({"do": "delete_subscription", "subscription": "hook-sub"}),
        json!({"do": "patch_record", "name": "n1.dev", "content": "192.0.2.1", "set": {"content": "192.0.2.9"}}),
        json!({"do": "add_address", "name": "n1.dev", "address": "192.0.2.3"}),
        json!({"do": "remove_record", "name": "n1.dev.clustera.io", "type": "A", "content": "192.0.2.2"}),
        json!({"do": "set_service_state", "state": "POWEROFF", "lose_topics": true}),
    ];
    for deed in good {
        let before = bench.sandbox.world();
        assert_eq!(bench.deed(deed.clone()), Ok(()), "{deed}");
        assert_ne!(bench.sandbox.world(), before, "{deed}");
    }
    let bad = [
        json!({"do": "delete_topic", "topic": "none"}),
        json!({"do": "delete_topic", "topic": "dev-b", "service": "none"}),
        json!({"do": "set_broker_default", "key": "none", "value": 1}),
        json!({"do": "set_service_state", "state": "TIRED"}),
        json!({"do": "create_subscription", "subscription": "abc", "topic": "none"}),
        json!({"do": "remove_record", "name": "none"}),
        json!({"do": "add_address", "name": "n1.dev", "address": "nonsense"}),
    ];
    for deed in bad {
        let before = bench.sandbox.world();
        assert!(bench.deed(deed.clone()).is_err(), "{deed}");
        assert_eq!(bench.sandbox.world(), before, "{deed}");
    }
    assert!(serde_json::from_value::<Deed>(json!({"do": "dance"})).is_err());
}

#[test]
fn the_sandbox_path_does_the_same_as_the_methods() {
    let bench = Bench::new();
    let fault = json!({"match": {"provider": "aiven"}, "effect": {"kind": "status", "code": 500}, "times": 1});
    assert_eq!(
        bench.post("/_sandbox/faults", json!([fault, fault])).1,
        json!({"added": 2})
    );
    assert_eq!(
        bench.get("/_sandbox/faults").1["faults"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_eq!(bench.get(TOPICS).0, 500);
    assert_eq!(bench.delete("/_sandbox/faults").0, 200);
    assert_eq!(bench.get(TOPICS).0, 200);
    let deed = json!({"do": "create_topic", "topic": "t"});
    assert_eq!(
        bench.post("/_sandbox/person", deed.clone()).1,
        json!({"done": 1})
    );
    assert_eq!(bench.post("/_sandbox/person", deed).0, 400);
    assert_eq!(
        bench.post("/_sandbox/person", json!({"do": "dance"})).0,
        400
    );
    assert_eq!(bench.get("/_sandbox/world").1, bench.sandbox.world());
    let log = bench.get("/_sandbox/requests").1;
    assert_eq!(log["requests"].as_array().unwrap().len(), 2);
    assert_eq!(log["requests"][0]["provider"], json!(Provider::Aiven));
    assert_eq!(bench.delete("/_sandbox/requests").0, 200);
    assert!(bench.sandbox.requests().is_empty());
}
