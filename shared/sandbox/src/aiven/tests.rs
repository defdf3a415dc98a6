use crate::tests::{BULK, Bench, TOPICS};
use serde_json::{Value, json};

const SERVICE: &str = "/v1/project/clustera-creators/service/kafka-clustera";

fn with_topics(names: &[&str]) -> Bench {
    let bench = Bench::new();
    for name in names {
        let body = json!({"topic_name": name, "partitions": 3, "replication": 2});
        assert_eq!(bench.post(TOPICS, body).0, 200);
    }
    bench
}

fn topic(bench: &Bench, name: &str) -> Value {
    let (status, body) = bench.get(&format!("{TOPICS}/{name}"));
    assert_eq!(status, 200, "{body}");
    body["topic"].clone()
}

fn listed(bench: &Bench) -> Vec<String> {
    let (_, body) = bench.get(TOPICS);
    let text = |topic: &Value, key: &str| topic[key].as_str().unwrap().to_owned();
    body["topics"]
        .as_array()
        .unwrap()
        .iter()
        .map(|topic| format!("{} {}", text(topic, "topic_name"), text(topic, "state")))
        .collect()
}

#[test]
fn list_and_detail_differ_in_shape() {
    let bench = with_topics(&["a"]);
    let (_, list) = bench.get(TOPICS);
    let summary = &list["topics"][0];
    assert_eq!(summary["partitions"], 3);
    assert!(summary.get("config").is_none());
    for key in [
        "retention_hours",
        "tags",
        "min_insync_replicas",
        "retention_bytes",
        "cleanup_policy",
    ] {
        assert!(summary.get(key).is_some(), "{key}");
    }
    assert!(summary["topic_description"].is_null());
    let detail = topic(&bench, "a");
    assert_eq!(detail["partitions"].as_array().unwrap().len(), 3);
    assert!(detail["partitions"][0]["consumer_groups"].is_array());
    assert!(detail["partitions"][0]["size"].as_i64().unwrap() > i64::from(i32::MAX));
    assert_eq!(
        detail["config"]["flush_ms"],
        json!({"value": i64::MAX, "source": "default_config"})
    );
    let text = bench.get(&format!("{TOPICS}/a")).1.to_string();
    assert!(text.contains(r#""value":9223372036854775807"#), "{text}");
}

#[test]
fn config_values_name_their_source() {
    let bench = with_topics(&["a"]);
    let set = json!({"config": {"retention_ms": 604_800_000_i64}});
    assert_eq!(bench.put(&format!("{TOPICS}/a"), set).0, 200);
    assert_eq!(
        topic(&bench, "a")["config"]["retention_ms"],
        json!({
            "value": 604_800_000, "source": "topic_config",
            "synonyms": [{"name": "log.retention.ms", "source": "default_config", "value": 604_800_000}],
        })
    );
    bench.fault(json!({"effect": {"kind": "equal_reads_as_default"}}));
    assert_eq!(
        topic(&bench, "a")["config"]["retention_ms"]["source"],
        "default_config"
    );
    bench.sandbox.clear_faults();
    bench
        .deed(json!({"do": "set_broker_default", "key": "segment_ms", "value": 9}))
        .unwrap();
    let inherited = json!({"value": 9, "source": "dynamic_default_broker_config"});
    assert_eq!(topic(&bench, "a")["config"]["segment_ms"], inherited);
}

#[test]
fn the_bulk_read_is_all_or_nothing() {
    let bench = with_topics(&["a", "b", "c"]);
    let ask = |names: Value| bench.post(BULK, json!({"topic_names": names}));
    let (status, body) = ask(json!(["c", "a"]));
    assert_eq!((status, body["topics"].as_array().unwrap().len()), (200, 2));
    assert_eq!(body["topics"][0]["topic_name"], "c");
    let (status, body) = ask(json!(["a", "nope"]));
    assert_eq!(
        (status, body["message"].as_str()),
        (404, Some("Topic(s) not found"))
    );
    assert_eq!(ask(json!([])).1, json!({"topics": []}));
    assert_eq!(ask(json!("a")).0, 400);
    assert_eq!(ask(json!(vec!["a"; 201])).0, 400);
    let narrow = json!({"topic_names": ["a"], "config_names": ["retention_ms"]});
    let (_, body) = bench.post(BULK, narrow);
    assert_eq!(body["topics"][0]["config"].as_object().unwrap().len(), 1);
    bench.fault(json!({"effect": {"kind": "short_answer", "by": 1}}));
    assert_eq!(
        ask(json!(["a", "b", "c"])).1["topics"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

/// What is added to a good body; the status, code and part of the message it is refused with.
type Refusal = (Value, u16, Option<&'static str>, &'static str);

fn refusals() -> Vec<Refusal> {
    vec![
        (
            json!({"topic_name": "a"}),
            409,
            Some("kafka_topic_already_exists"),
            "already exists",
        ),
        (
            json!({"topic_name": "a/b"}),
            400,
            Some("kafka_topic_invalid_config"),
            "topic_name",
        ),
        (
            json!({"config": {"retention": 1}}),
            400,
            Some("kafka_topic_invalid_config"),
            "retention",
        ),
        (
            json!({"config": {"retention_ms": "1"}}),
            400,
            Some("kafka_topic_invalid_config"),
            "retention_ms",
        ),
        (
            json!({"partitions": 0}),
            400,
            Some("kafka_topic_invalid_config"),
            "partitions",
        ),
        (
            json!({"replication": 1}),
            400,
            Some("kafka_topic_invalid_config"),
            "at least 2",
        ),
        (
            json!({"replication": 4}),
            409,
            None,
            "Cluster only has 3 broker(s), cannot set replication factor to 4",
        ),
        (
            json!({"config": {"local_retention_ms": 1}}),
            409,
            None,
            "Tiered storage",
        ),
        (
            json!({"config": {"remote_storage_enable": true}}),
            409,
            None,
            "Tiered storage",
        ),
        (json!({"nonsense": 1}), 400, None, "nonsense"),
        (json!({"tags": [{"key": ""}]}), 400, None, "tags"),
    ]
}

#[test]
fn creation_is_refused_for_the_right_reasons() {
    let bench = with_topics(&["a"]);
    let with = |extra: Value| {
        let mut body = json!({"topic_name": "b", "partitions": 1, "replication": 2});
        body.as_object_mut()
            .unwrap()
            .extend(extra.as_object().unwrap().clone());
        body
    };
    let before = bench.sandbox.world();
    for (extra, status, code, part) in refusals() {
        let (seen, body) = bench.post(TOPICS, with(extra.clone()));
        assert_eq!(seen, status, "{extra} {body}");
        assert_eq!(body["errors"][0]["error_code"].as_str(), code, "{extra}");
        assert_eq!(body["errors"][0]["status"], status);
        assert!(body["message"].as_str().unwrap().contains(part), "{body}");
    }
    assert_eq!(bench.sandbox.world(), before);
    bench
        .deed(json!({"do": "set_running_nodes", "running": 2}))
        .unwrap();
    assert_eq!(bench.post(TOPICS, with(json!({"replication": 3}))).0, 409);
}

#[test]
fn avn_bodies_are_taken_as_they_come() {
    let bench = Bench::new();
    let create = json!({
        "cleanup_policy": "delete", "min_insync_replicas": 1, "topic_name": "a", "partitions": 3, "replication": 2,
        "retention_bytes": null, "retention_hours": 24, "tags": [{"key": "k", "value": "v"}],
    });
    let (status, body) = bench.post(TOPICS, create);
    assert_eq!(status, 200);
    assert!(body.get("error").is_none());
    let update = json!({
        "partitions": 6, "min_insync_replicas": null, "replication": null, "retention_bytes": null,
        "retention_hours": 48, "tags": [{"key": "l", "value": "w"}],
    });
    assert_eq!(bench.put(&format!("{TOPICS}/a"), update).0, 200);
    let detail = topic(&bench, "a");
    assert_eq!(detail["partitions"].as_array().unwrap().len(), 6);
    assert_eq!(detail["replication"], 2);
    assert_eq!(detail["retention_hours"], 48);
    assert_eq!(detail["config"]["retention_ms"]["value"], 172_800_000);
    assert_eq!(
        detail["config"]["min_insync_replicas"]["source"],
        "topic_config"
    );
    assert_eq!(detail["tags"], json!([{"key": "l", "value": "w"}]));
}

#[test]
fn updates_change_only_what_they_name() {
    let bench = with_topics(&["a"]);
    let path = format!("{TOPICS}/a");
    assert_eq!(
        bench
            .put(
                &path,
                json!({"config": {"segment_ms": 5}, "topic_description": "d"})
            )
            .0,
        200
    );
    assert_eq!(
        bench
            .put(
                &path,
                json!({"config": {"retention_ms": 7, "segment_ms": null}})
            )
            .0,
        200
    );
    let detail = topic(&bench, "a");
    assert_eq!(detail["config"]["segment_ms"]["value"], 5);
    assert_eq!(detail["config"]["retention_ms"]["value"], 7);
    assert_eq!(detail["topic_description"], "d");
    let (status, body) = bench.put(&path, json!({"partitions": 2}));
    assert_eq!(
        (status, body["message"].as_str()),
        (400, Some("Reducing partition count is not supported"))
    );
    let (status, body) = bench.put(&format!("{TOPICS}/none"), json!({"partitions": 4}));
    assert_eq!(
        (status, &body["errors"][0]["error_code"]),
        (404, &json!("kafka_topic_not_found"))
    );
    assert_eq!(bench.put(&path, json!({"replication": 9})).0, 409);
}

#[test]
fn storage_switches_only_turn_on() {
    let bench = with_topics(&["a"]);
    bench
        .deed(json!({"do": "set_tiered_storage", "enabled": true}))
        .unwrap();
    let path = format!("{TOPICS}/a");
    let set = |key: &str, value: Value| bench.put(&path, json!({"config": {key: value}})).0;
    assert_eq!(set("remote_storage_enable", json!(true)), 200);
    assert_eq!(set("remote_storage_enable", json!(false)), 400);
    assert_eq!(set("cleanup_policy", json!("compact")), 400);
    assert_eq!(set("local_retention_ms", json!(5)), 200);
}

#[test]
fn deleting_takes_what_is_there() {
    let bench = with_topics(&["a", "__consumer_offsets"]);
    let delete = |name: &str| bench.delete(&format!("{TOPICS}/{name}"));
    assert_eq!(
        delete("none").1["errors"][0]["error_code"],
        "kafka_topic_not_found"
    );
    let (status, body) = delete("__consumer_offsets");
    assert_eq!(
        (status, &body["errors"][0]["error_code"]),
        (409, &json!("kafka_topic_reserved"))
    );
    assert_eq!(delete("a").0, 200);
    assert_eq!(delete("a").0, 404);
}

#[test]
fn slow_changes_show_their_states() {
    let bench = Bench::new();
    let create = || {
        bench.post(
            TOPICS,
            json!({"topic_name": "a", "partitions": 1, "replication": 2}),
        )
    };
    bench.fault(json!({"effect": {"kind": "slow_create", "ms": 1000, "unreadable": true}}));
    bench.fault(json!({"effect": {"kind": "slow_delete", "ms": 1000}}));
    bench.fault(json!({"effect": {"kind": "slow_reassignment", "ms": 1000}}));
    assert_eq!(create().0, 200);
    assert_eq!(listed(&bench), ["a CONFIGURING"]);
    assert_eq!(bench.get(&format!("{TOPICS}/a")).0, 501);
    bench.wait(1000);
    assert_eq!(listed(&bench), ["a ACTIVE"]);
    let path = format!("{TOPICS}/a");
    assert_eq!(bench.put(&path, json!({"replication": 3})).0, 200);
    let (status, body) = bench.put(&path, json!({"partitions": 2}));
    assert_eq!(
        (status, &body["errors"][0]["error_code"]),
        (409, &json!("kafka_partition_reassignment_in_progress"))
    );
    bench.wait(1000);
    assert_eq!(bench.put(&path, json!({"partitions": 2})).0, 200);
    assert_eq!(bench.delete(&path).0, 200);
    assert_eq!(listed(&bench), ["a DELETING"]);
    assert_eq!(
        create().1["errors"][0]["error_code"],
        "kafka_topic_queued_for_deletion"
    );
    bench.wait(1000);
    assert!(listed(&bench).is_empty());
    assert_eq!(create().0, 200);
}

#[test]
fn lists_lag_behind() {
    let bench = with_topics(&["old"]);
    bench.wait(60_000);
    bench.post(
        TOPICS,
        json!({"topic_name": "new", "partitions": 1, "replication": 2}),
    );
    bench.delete(&format!("{TOPICS}/old"));
    bench.fault(json!({"effect": {"kind": "listing_lag", "ms": 10_000}}));
    assert_eq!(listed(&bench), ["old ACTIVE"]);
    assert_eq!(bench.get(&format!("{TOPICS}/new")).0, 200);
    assert_eq!(bench.post(BULK, json!({"topic_names": ["new"]})).0, 200);
    bench.fault(json!({"effect": {"kind": "bulk_lag", "ms": 10_000}}));
    assert_eq!(bench.post(BULK, json!({"topic_names": ["new"]})).0, 404);
    bench.wait(10_000);
    assert_eq!(listed(&bench), ["new ACTIVE"]);
    assert_eq!(bench.post(BULK, json!({"topic_names": ["new"]})).0, 200);
}

#[test]
fn a_powered_off_service_seems_empty() {
    let bench = with_topics(&["a"]);
    assert_eq!(bench.get(SERVICE).1["service"]["state"], "RUNNING");
    assert_eq!(
        bench.get(SERVICE).1["service"]["node_states"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
    bench.fault(json!({"effect": {"kind": "power_off"}}));
    let (_, body) = bench.get(SERVICE);
    assert_eq!(body["service"]["state"], "POWEROFF");
    assert_eq!(body["service"]["node_states"], json!([]));
    assert_eq!(bench.get(TOPICS), (200, json!({"topics": []})));
    assert_eq!(bench.get(&format!("{TOPICS}/a")).0, 404);
    assert_eq!(bench.post(BULK, json!({"topic_names": ["a"]})).0, 404);
    let (status, body) = bench.put(&format!("{TOPICS}/a"), json!({"partitions": 4}));
    assert_eq!(
        (status, &body["errors"][0]["error_code"]),
        (409, &json!("not_powered"))
    );
    bench.sandbox.clear_faults();
    assert_eq!(listed(&bench), ["a ACTIVE"]);
}

#[test]
fn segments_are_decoded_once() {
    let bench = with_topics(&["a.b-c_d"]);
    assert_eq!(bench.get(&format!("{TOPICS}/a%2Eb%2Dc_d")).0, 200);
    assert_eq!(bench.get(&format!("{TOPICS}/a.b%252Dc_d")).0, 404);
    assert_eq!(bench.get(&format!("{TOPICS}%2Fa.b-c_d")).0, 404);
}

/// What terraform-provider-aiven 4.61 and Aiven's other clients ask for before they come to topics.
#[test]
fn other_tools_find_what_they_ask_for_first() {
    let bench = Bench::new();
    let (_, body) = bench.get(SERVICE);
    let service = &body["service"];
    assert_eq!(service["maintenance"]["dow"], "sunday");
    assert_eq!(service["maintenance"]["updates"], json!([]));
    assert_eq!(service["group_list"], json!(["default"]));
    assert_eq!(service["service_integrations"], json!([]));
    let (status, project) = bench.get("/v1/project/clustera-creators");
    assert_eq!(
        (status, &project["project"]["project_name"]),
        (200, &json!("clustera-creators"))
    );
    let plans = "/v1/project/clustera-creators/service-types/kafka/plans";
    let (status, plan) = bench.get(&format!("{plans}/business-4"));
    assert_eq!(status, 200);
    assert_eq!(plan["service_plan"], service["plan"]);
    assert_eq!(plan["disk_space_mb"], service["disk_space_mb"]);
    let (status, me) = bench.get("/v1/me");
    assert_eq!((status, &me["user"]["state"]), (200, &json!("active")));
    for path in [
        "/v1/project/other",
        "/v1/project/other/service-types/kafka/plans/business-4",
        &format!("{plans}/startup-2"),
        "/v1/project/clustera-creators/service-types/pg/plans/business-4",
        "/v1/project/clustera-creators/vpcs",
    ] {
        assert_eq!(bench.get(path).0, 404, "{path}");
    }
    for path in ["/v1/me", "/v1/project/clustera-creators"] {
        assert_eq!(bench.post(path, json!({})).0, 404, "{path}");
    }
}
