//! What goes over the wire: every verb of every provider through the engine, and every route of the
//! sandbox, its refusals too.

use kedge_core::report::Changed;
use kedge_sandbox::{Effect, Fault, Options, Outcome, Provider, Sandbox};
use kedge_tests::stack::{Stack, ZONE, results};
use serde_json::{Value, json};

use super::operation::Exchange;

/// An exchange and whose it is.
pub(super) type Seen = (Provider, Exchange);

/// All fields that a Kafka topic can have, on a service with tiered storage.
const WHOLE_TOPIC: &str = "partitions: 3, replication: 3, description: orders, \
    owner_user_group_id: ug1, tags: {team: y}, cleanup_policy: delete, compression_type: zstd, \
    delete_retention_ms: 1d, file_delete_delay_ms: 1000, flush_messages: 9223372036854775807, \
    flush_ms: 9223372036854775807, index_interval_bytes: 4096, local_retention_bytes: 1MiB, \
    local_retention_ms: 1h, max_compaction_lag_ms: 1d, max_message_bytes: 25MiB, \
    message_timestamp_after_max_ms: 1h, message_timestamp_before_max_ms: 1h, \
    message_timestamp_difference_max_ms: 1h, message_timestamp_type: LogAppendTime, \
    min_cleanable_dirty_ratio: 0.25, min_compaction_lag_ms: 1000, min_insync_replicas: 2, \
    preallocate: true, remote_storage_enable: true, retention_bytes: 100MiB, retention_ms: 7d, \
    segment_bytes: 10MiB, segment_index_bytes: 1MiB, segment_jitter_ms: 10, segment_ms: 1d, \
    unclean_leader_election_enable: true";

/// All fields that a subscription can have, but the endpoint's; `more` ends it.
fn whole_pubsub(labels: &str, more: &str) -> String {
    format!(
        "topics:\n\
         - {{name: \"{{stack}}-mail\", labels: {{{labels}}}, message_retention: 10d, \
           kms_key_name: projects/p/k, allowed_persistence_regions: [europe-west1]}}\n\
         - {{name: \"{{stack}}-dead\"}}\n\
         subscriptions:\n\
         - {{name: \"{{stack}}-sub\", topic: \"{{stack}}-mail\", ack_deadline_seconds: 30, \
           retain_acked_messages: true, message_retention: 1d, labels: {{{labels}}}, \
           enable_message_ordering: true, dead_letter_topic: \"{{stack}}-dead\", \
           max_delivery_attempts: 7, minimum_backoff: 1s, maximum_backoff: 2.5s, {more}}}\n\
         bindings:\n\
         - {{topic: \"{{stack}}-mail\", role: roles/pubsub.publisher, members: [\"user:a@example.com\"]}}\n"
    )
}

const PUSH: &str = "push_endpoint: \"https://u:p@hooks.example/x?token=push-s3cret\", \
    push_service_account: push@p.iam.gserviceaccount.com, push_audience: mail, \
    expiration: never, filter: 'attributes.a = \"b\"'";

/// Every field of every kind made, changed, replaced and deleted.
pub(super) fn of_whole_resources() -> Vec<Seen> {
    let mut stack = Stack::new();
    stack.policy("correct: safe, deploy: disruptive, correct_after: 0, prune: true");
    deed(&stack, json!({"do": "set_tiered_storage", "enabled": true}));
    stack.topics(&[("a", WHOLE_TOPIC)]);
    stack.file("area/pubsub.yaml", whole_pubsub("team: x", PUSH));
    let node = "name: n1, domain: n1.clustera.io";
    let first = format!("{node}, ips: [192.0.2.1, 192.0.2.2, \"2001:db8::1\"], ttl: 120");
    stack.nodes(&[&first]);
    done(&stack.person(&[]).1, 7);
    stack.wait_minutes(10);
    stack.topics(&[(
        "a",
        &WHOLE_TOPIC
            .replace("partitions: 3", "partitions: 4")
            .replace("7d", "8d"),
    )]);
    let pull = PUSH.replace("mail, expiration: never", "other, expiration: 40d");
    stack.file("area/pubsub.yaml", whole_pubsub("team: y, more: z", &pull));
    let second = format!("{node}, ips: [192.0.2.1, 192.0.2.3, \"2001:db8::1\"], ttl: 300");
    stack.nodes(&[&second]);
    done(&stack.person(&[]).1, 5);
    stack.wait_minutes(10);
    // What is missing takes proof; a filter takes a replacement; a foreign address may go.
    deed(&stack, json!({"do": "delete_topic", "topic": "dev-a"}));
    deed(
        &stack,
        json!({"do": "add_address", "name": "n1.clustera.io", "address": "192.0.2.66"}),
    );
    stack.file(
        "area/pubsub.yaml",
        whole_pubsub("team: y, more: z", &pull.replace("\"b\"", "\"c\"")),
    );
    stack.nodes(&[&format!("{second}, exclusive: true")]);
    done(&stack.person(&["dev-sub", "n1.clustera.io/A"]).1, 3);
    stack.wait_minutes(10);
    stack.topics(&[]);
    stack.files.remove("area/pubsub.yaml");
    stack.nodes(&[]);
    done(
        &stack
            .person(&[
                "dev-a",
                "dev-sub",
                "n1.clustera.io/A",
                "n1.clustera.io/AAAA",
            ])
            .1,
        4,
    );
    let topics = [
        "dev-mail/roles/pubsub.publisher",
        "pubsub-topic/gcp/dev-mail",
    ];
    let topics = topics.map(|key| key.replace("gcp", kedge_tests::stack::GCP_PROJECT));
    let dead = format!("pubsub-topic/{}/dev-dead", kedge_tests::stack::GCP_PROJECT);
    done(&stack.person(&[&topics[0], &topics[1], &dead]).1, 3);
    stack.assert_settled();
    sent(&stack)
}

fn done(changed: &Changed, count: usize) {
    let lines = results(changed);
    assert!(
        lines.iter().all(|line| line.ends_with(" done")),
        "{:?}",
        changed.results
    );
    assert_eq!(lines.len(), count, "{lines:?}");
}

/// More than a page of Pub/Sub, more than a batch of Kafka.
pub(super) fn of_many() -> Vec<Seen> {
    let mut stack = Stack::new();
    stack.many_topics(101, "");
    stack.mail("");
    for number in 0..1_001 {
        deed(
            &stack,
            json!({"do": "create_pubsub_topic", "topic": format!("other-{number:04}")}),
        );
    }
    stack.unattended();
    let _ = stack.check();
    sent(&stack)
}

fn sent(stack: &Stack) -> Vec<Seen> {
    let sent = stack.ports.sent.borrow();
    sent.iter()
        .map(|sent| {
            let provider = match sent.provider.as_str() {
                "aiven" => Provider::Aiven,
                "pubsub" => Provider::Pubsub,
                _ => Provider::Cloudflare,
            };
            let exchange = Exchange {
                method: sent.method.clone(),
                target: sent.path.trim_start_matches("/client/v4").to_owned(),
                body: sent.body.to_vec(),
                status: sent.status.unwrap_or_default(),
                answer: sent.answer.to_vec(),
            };
            (provider, exchange)
        })
        .collect()
}

fn deed(stack: &Stack, deed: Value) {
    stack.act(&serde_json::from_value(deed).expect("a deed"));
}

const TOPIC: &str = "/v1/project/clustera-creators/service/kafka-clustera/topic";
const BULK: &str = "/v2/project/clustera-creators/service/kafka-clustera/topic";
const PUBSUB: &str = "/v1/projects/clustera-control-plane";

/// A request: method, path and query, body; null is none.
type Route = (&'static str, String, Value);

/// Requests past the engine, each good in itself, in an order in which they succeed.
fn routes() -> Vec<Route> {
    let mut routes = aiven_routes();
    routes.extend(pubsub_routes());
    routes.extend(cloudflare_routes());
    routes
}

fn get(target: impl Into<String>) -> Route {
    ("GET", target.into(), Value::Null)
}

fn aiven_routes() -> Vec<Route> {
    let service = TOPIC.trim_end_matches("/topic");
    let topic = format!("{TOPIC}/t");
    let update = json!({"config": {"retention_ms": -1}, "tags": []});
    vec![
        get("/v1/project"),
        get("/v1/me"),
        get("/v1/project/clustera-creators"),
        get("/v1/project/clustera-creators/service-types/kafka/plans/business-4"),
        get(service.trim_end_matches("/kafka-clustera")),
        get(format!("{service}?include_secrets=false")),
        (
            "POST",
            TOPIC.to_owned(),
            json!({"topic_name": "t", "partitions": 1, "replication": 2}),
        ),
        get(TOPIC),
        get(topic.clone()),
        (
            "POST",
            BULK.to_owned(),
            json!({"topic_names": ["t"], "config_names": ["flush_ms"]}),
        ),
        ("PUT", topic.clone(), update),
        ("DELETE", topic, Value::Null),
    ]
}

fn pubsub_routes() -> Vec<Route> {
    let (topic, sub) = (
        format!("{PUBSUB}/topics/tee"),
        format!("{PUBSUB}/subscriptions/sub"),
    );
    let full = "projects/clustera-control-plane/topics/tee";
    let policy = json!({"bindings": [{"role": "roles/viewer", "members": ["user:a@b.c"]}]});
    let never = json!({"subscription": {"expirationPolicy": {}}, "updateMask": "expirationPolicy"});
    let push = json!({"pushConfig": {"pushEndpoint": "https://hooks.example/x"}});
    vec![
        ("PUT", topic.clone(), json!({"labels": {"a": "b"}})),
        get(topic.clone()),
        get(format!("{PUBSUB}/topics?pageSize=1&$alt=json")),
        (
            "PATCH",
            topic.clone(),
            json!({"topic": {"labels": {}}, "updateMask": "labels"}),
        ),
        (
            "PUT",
            sub.clone(),
            json!({"topic": full, "retryPolicy": {}}),
        ),
        get(sub.clone()),
        get(format!("{PUBSUB}/subscriptions")),
        get(format!("{topic}/subscriptions")),
        ("PATCH", sub.clone(), never),
        ("POST", format!("{sub}:modifyPushConfig"), push),
        ("POST", format!("{sub}:detach"), Value::Null),
        get(format!("{sub}:getIamPolicy")),
        get(format!(
            "{topic}:getIamPolicy?options.requestedPolicyVersion=3"
        )),
        (
            "POST",
            format!("{topic}:setIamPolicy"),
            json!({"policy": policy}),
        ),
        (
            "POST",
            format!("{topic}:testIamPermissions"),
            json!({"permissions": ["pubsub.topics.get"]}),
        ),
        ("DELETE", sub, Value::Null),
        ("DELETE", topic, Value::Null),
    ]
}

fn cloudflare_routes() -> Vec<Route> {
    let zone = format!("/client/v4/zones/{ZONE}");
    let records = format!("{zone}/dns_records");
    let one = format!("{records}/{{id}}");
    let address = json!({"type": "A", "name": "a.clustera.io", "content": "192.0.2.1", "ttl": 60});
    let text = json!({"type": "TXT", "name": "t.clustera.io", "content": "\"x\""});
    let alias = json!({"type": "CNAME", "name": "c.clustera.io", "content": "a.clustera.io",
        "comment": "why"});
    let batch = json!({"patches": [{"id": "{id}", "ttl": 300}], "posts": [
        {"type": "AAAA", "name": "b.clustera.io", "content": "2001:db8::1"}]});
    vec![
        get("/client/v4/zones?name=clustera.io"),
        get(zone.clone()),
        get("/client/v4/user"),
        get("/client/v4/user/tokens/verify"),
        get(format!("{zone}/pagerules")),
        get(format!("{records}/usage")),
        ("POST", records.clone(), address.clone()),
        ("POST", records.clone(), text),
        ("POST", records.clone(), alias),
        get(format!("{records}?type=A&match=all&per_page=5000&page=1")),
        get(one.clone()),
        ("PATCH", one.clone(), json!({"ttl": 120})),
        ("PUT", one.clone(), address),
        ("POST", format!("{records}/batch"), batch),
        ("DELETE", one, Value::Null),
    ]
}

/// Each route once and again, so that what exists and what is gone is met too; then each with each
/// usual refusal, without credentials, and in a place that is not there.
pub(super) fn of_routes() -> Vec<Seen> {
    let routes = routes();
    let mut seen = Vec::new();
    let sandbox = Sandbox::new(Options::default());
    for (method, target, body) in &routes {
        seen.extend(ask(&sandbox, method, target, body, true));
        seen.extend(ask(&sandbox, method, target, body, true));
    }
    for (method, target, body) in &routes {
        seen.extend(ask(&sandbox, method, target, body, true));
        seen.extend(ask(&sandbox, method, target, body, false));
        for (here, elsewhere) in [
            ("clustera-creators", "nobody"),
            ("kafka-clustera", "nothing"),
            ("clustera-control-plane", "nobody"),
            (ZONE, "00000000000000000000000000000000"),
        ] {
            if target.contains(here) {
                seen.extend(ask(
                    &sandbox,
                    method,
                    &target.replace(here, elsewhere),
                    body,
                    true,
                ));
            }
        }
    }
    for code in [400, 401, 403, 404, 408, 409, 429, 500, 501] {
        let sandbox = Sandbox::new(Options::default());
        sandbox.add_fault(Fault::always(Effect::StatusAfter { code }));
        for (method, target, body) in &routes {
            seen.extend(ask(&sandbox, method, target, body, true));
        }
    }
    seen
}

/// Refusals that a body earns, by what the facts list.
pub(super) fn of_bad_bodies() -> Vec<Seen> {
    let records = format!("/client/v4/zones/{ZONE}/dns_records");
    let (topic, sub) = (
        format!("{PUBSUB}/topics/tee"),
        format!("{PUBSUB}/subscriptions/sub"),
    );
    let sandbox = Sandbox::new(Options::default());
    let mut seen = Vec::new();
    for (method, target, body) in [
        ("POST", TOPIC, json!({"topic_name": "t", "replication": 9})),
        (
            "POST",
            TOPIC,
            json!({"topic_name": "t", "config": {"nobody": 1}}),
        ),
        (
            "POST",
            TOPIC,
            json!({"topic_name": "t", "replication": 2, "config": {"local_retention_ms": 1}}),
        ),
        ("POST", BULK, json!({"topic_names": ["none"]})),
        ("POST", BULK, json!({})),
        ("PUT", &topic, json!({"labels": {"A": "b"}})),
        ("PUT", &topic, json!({"nobody": 1})),
        (
            "PUT",
            &sub,
            json!({"topic": "projects/clustera-control-plane/topics/none"}),
        ),
        (
            "PATCH",
            &sub,
            json!({"subscription": {}, "updateMask": "filter"}),
        ),
        ("PATCH", &topic, json!({"topic": {}})),
        (
            "POST",
            &records,
            json!({"type": "A", "name": "a", "content": "no address"}),
        ),
        (
            "POST",
            &records,
            json!({"type": "A", "name": "a", "content": "192.0.2.1", "ttl": 2}),
        ),
        (
            "POST",
            &records,
            json!({"type": "CNAME", "name": "a", "content": "a.clustera.io"}),
        ),
        ("POST", &format!("{records}/batch"), json!({})),
    ] {
        let exchanges = ask(&sandbox, method, target, &body, true);
        assert!(
            exchanges.iter().all(|(_, one)| one.status >= 400),
            "{target} {body}"
        );
        // The request is wrong on purpose; only the answer is judged.
        seen.extend(exchanges.into_iter().map(|(provider, one)| {
            let body = good_body_of(&one.method, &one.target);
            (provider, Exchange { body, ..one })
        }));
    }
    seen
}

fn good_body_of(method: &str, target: &str) -> Vec<u8> {
    let shape = |text: &str| text.split('/').map(str::to_owned).collect::<Vec<_>>().len();
    let good = routes().into_iter().find(|(known, path, body)| {
        *known == method
            && !body.is_null()
            && shape(path.trim_start_matches("/client/v4")) == shape(target)
            && path.trim_start_matches("/client/v4").split('/').nth(1) == target.split('/').nth(1)
            && (path.ends_with("/batch") == target.ends_with("/batch"))
            && path.contains("/subscriptions/") == target.contains("/subscriptions/")
            && path.starts_with("/v2") == target.starts_with("/v2")
    });
    good.map(|(_, _, body)| body.to_string().into_bytes())
        .unwrap_or_default()
}

/// Asks the sandbox; `{id}` stands for the first record there is.
fn ask(sandbox: &Sandbox, method: &str, target: &str, body: &Value, token: bool) -> Vec<Seen> {
    let records = sandbox.world()["cloudflare"]["zones"][ZONE]["records"].clone();
    let first = records
        .as_object()
        .and_then(|records| records.keys().next().cloned());
    let id = first.unwrap_or_else(|| "0".repeat(32));
    let target = target.replace("{id}", &id);
    let body = match body {
        Value::Null => String::new(),
        body => body.to_string().replace("{id}", &id),
    };
    let mut request = http::Request::builder().method(method).uri(&target);
    if token {
        request = request.header("authorization", "Bearer t0ken");
    }
    let request = request.body(body.clone().into()).expect("a request");
    let Outcome::Response(response) = sandbox.handle(request, 1_795_348_800_000).outcome else {
        panic!("no answer to {method} {target}");
    };
    let (provider, target) = match target.strip_prefix("/client/v4") {
        Some(rest) => (Provider::Cloudflare, rest.to_owned()),
        None if target.contains("/projects/") => (Provider::Pubsub, target),
        None => (Provider::Aiven, target),
    };
    let exchange = Exchange {
        method: method.to_owned(),
        target,
        body: body.into_bytes(),
        status: response.status().as_u16(),
        answer: response.body().to_vec(),
    };
    vec![(provider, exchange)]
}
