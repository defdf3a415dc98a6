use crate::Outcome;
use crate::tests::{Bench, ZONE};
use serde_json::{Value, json};

fn records() -> String {
    format!("{ZONE}/dns_records")
}

fn address(name: &str, content: &str) -> Value {
    json!({"type": "A", "name": name, "content": content, "ttl": 300})
}

fn create(bench: &Bench, record: Value) -> Value {
    let (status, body) = bench.post(&records(), record);
    assert_eq!((status, &body["success"]), (200, &json!(true)), "{body}");
    body["result"].clone()
}

fn code(body: &Value) -> (u64, u64) {
    let error = &body["errors"][0];
    let number = |value: &Value| value.as_u64().unwrap_or_default();
    (
        number(&error["code"]),
        number(&error["error_chain"][0]["code"]),
    )
}

#[test]
fn a_record_comes_back_complete() {
    let bench = Bench::new();
    let record = create(&bench, address("Node1.Dev.", "192.0.2.1"));
    assert_eq!(record["name"], "node1.dev.clustera.io");
    assert_eq!(record["id"].as_str().unwrap().len(), 32);
    assert_eq!(record["created_on"], "2026-01-01T00:00:00.000000Z");
    assert!(record["comment"].is_null());
    assert!(record.get("comment_modified_on").is_none());
    assert_eq!(record["settings"], json!({}));
    let again = Bench::new();
    assert_eq!(
        create(&again, address("Node1.Dev.", "192.0.2.1"))["id"],
        record["id"]
    );
}

#[test]
fn input_is_completed_and_checked() {
    let good = [
        (json!({"name": "@"}), "name", json!("clustera.io")),
        (
            json!({"name": "a.clustera.io."}),
            "name",
            json!("a.clustera.io"),
        ),
        (
            json!({"type": "AAAA", "content": "2001:DB8:0:0:0:0:0:1"}),
            "content",
            json!("2001:db8::1"),
        ),
        (
            json!({"type": "CNAME", "content": "Other.Example."}),
            "content",
            json!("other.example"),
        ),
        (json!({"ttl": 60}), "ttl", json!(60)),
        (json!({"ttl": 300.0}), "ttl", json!(300)),
        (json!({"ttl": null}), "ttl", json!(1)),
        (json!({"proxied": true}), "ttl", json!(1)),
        (json!({"comment": ""}), "comment", Value::Null),
        (json!({"comment": "x"}), "comment", json!("x")),
        (json!({"content": "10.0.0.1"}), "proxiable", json!(false)),
    ];
    let with = |extra: &Value| {
        let mut record = address("a", "203.0.113.1");
        record
            .as_object_mut()
            .unwrap()
            .extend(extra.as_object().unwrap().clone());
        record
    };
    for (extra, key, expected) in good {
        assert_eq!(
            create(&Bench::new(), with(&extra))[key],
            expected,
            "{extra}"
        );
    }
    let bad = [
        (json!({"content": "192.0.2.256"}), 9005),
        (json!({"type": "AAAA"}), 9005),
        (json!({"type": "NONE"}), 9004),
        (json!({"name": ""}), 9000),
        (json!({"name": "a b"}), 9000),
        (json!({"ttl": 59}), 9021),
        (json!({"ttl": 86_401}), 9021),
        (json!({"ttl": 0}), 9021),
        (json!({"ttl": 300.5}), 9021),
        (json!({"type": "CNAME", "content": "a.clustera.io"}), 9039),
        (
            json!({"type": "TXT", "content": "x", "proxied": true}),
            9004,
        ),
        (json!({"content": "10.0.0.1", "proxied": true}), 9004),
        (json!({"comment": "x".repeat(101)}), 9313),
        (json!({"comment": "a\nb"}), 9313),
        (json!({"tags": ["a:b"]}), 9300),
    ];
    for (extra, inner) in bad {
        let (status, body) = Bench::new().post(&records(), with(&extra));
        assert_eq!((status, code(&body)), (400, (1004, inner)), "{extra}");
        assert!(body["result"].is_null());
    }
}

#[test]
fn neighbours_must_get_along() {
    let bench = Bench::new();
    create(&bench, address("a", "192.0.2.1"));
    create(&bench, address("a", "192.0.2.2"));
    create(
        &bench,
        json!({"type": "CNAME", "name": "c", "content": "a.clustera.io"}),
    );
    create(
        &bench,
        json!({"type": "NS", "name": "n", "content": "ns.example.com"}),
    );
    let cases = [
        (address("A", "192.0.2.1"), 81_058),
        (
            json!({"type": "CNAME", "name": "a", "content": "x.example"}),
            81_053,
        ),
        (
            json!({"type": "CNAME", "name": "c", "content": "x.example"}),
            81_053,
        ),
        (address("c", "192.0.2.1"), 81_054),
        (address("n", "192.0.2.1"), 81_056),
    ];
    for (record, expected) in cases {
        let (status, body) = bench.post(&records(), record.clone());
        assert_eq!((status, code(&body).0), (400, expected), "{record}");
    }
}

#[test]
fn records_change_in_place_or_whole() {
    let bench = Bench::new();
    let mut record = address("a", "192.0.2.1");
    record["comment"] = json!("mine");
    let made = create(&bench, record);
    let path = format!("{}/{}", records(), made["id"].as_str().unwrap());
    bench.wait(1000);
    let (_, body) = bench.patch(&path, json!({"content": "192.0.2.9"}));
    assert_eq!(body["result"]["content"], "192.0.2.9");
    assert_eq!(body["result"]["comment"], "mine");
    assert_eq!(body["result"]["created_on"], made["created_on"]);
    assert_eq!(body["result"]["modified_on"], "2026-01-01T00:00:01.000000Z");
    assert_eq!(
        body["result"]["comment_modified_on"],
        made["comment_modified_on"]
    );
    let (_, body) = bench.put(&path, address("a", "192.0.2.10"));
    assert!(body["result"]["comment"].is_null());
    assert_eq!(body["result"]["id"], made["id"]);
    assert_eq!(bench.put(&path, json!({"content": "192.0.2.11"})).0, 400);
    assert_eq!(bench.get(&path).1, body);
    assert_eq!(bench.delete(&path).1["result"], json!({"id": made["id"]}));
    for seen in [
        bench.get(&path),
        bench.delete(&path),
        bench.patch(&path, json!({})),
    ] {
        assert_eq!((seen.0, code(&seen.1).0), (404, 81_044));
    }
}

#[test]
fn lists_filter_and_page() {
    let bench = Bench::new();
    create(&bench, address("a", "192.0.2.1"));
    create(&bench, address("a", "192.0.2.2"));
    let mut marked = address("b.dev", "192.0.2.1");
    marked["comment"] = json!("managed-by=kedge stack=dev");
    marked["proxied"] = json!(true);
    create(&bench, marked);
    create(
        &bench,
        json!({"type": "TXT", "name": "a", "content": "\"x\""}),
    );
    let cases = [
        ("", 4),
        ("name=A.clustera.io", 3),
        ("name=a", 0),
        ("name=a.clustera.io&type=A", 2),
        ("name=a.clustera.io&type=A&content=192.0.2.2", 1),
        ("name.contains=dev", 1),
        ("name.endswith=clustera.io", 4),
        ("proxied=true", 1),
        ("proxied=false", 3),
        ("comment.present", 1),
        ("comment.absent", 3),
        ("comment.startswith=MANAGED-BY", 1),
        ("comment.exact=managed-by%3Dkedge%20stack%3Ddev", 1),
        ("type=TXT&proxied=true&match=any", 2),
        ("page=2", 0),
        ("per_page=3&page=2", 1),
    ];
    for (query, count) in cases {
        let (status, body) = bench.get(&format!("{}?{query}", records()));
        assert_eq!(status, 200, "{query}");
        assert_eq!(body["result"].as_array().unwrap().len(), count, "{query}");
        assert_eq!(body["result_info"]["count"], count, "{query}");
    }
    let (_, body) = bench.get(&format!("{}?per_page=3", records()));
    assert_eq!(
        body["result_info"],
        json!({"page": 1, "per_page": 3, "count": 3, "total_count": 4, "total_pages": 2})
    );
    for query in [
        "page=0",
        "per_page=0",
        "per_page=5000001",
        "proxied=maybe",
        "match=some",
    ] {
        assert_eq!(
            bench.get(&format!("{}?{query}", records())).0,
            400,
            "{query}"
        );
    }
    assert_eq!(bench.get(&format!("{}?per_page=5000000", records())).0, 200);
}

#[test]
fn zones_are_listed_and_missed() {
    let bench = Bench::new();
    let list = |query: &str| bench.get(&format!("/client/v4/zones?{query}"));
    let (_, body) = list("page=1&per_page=50");
    let zone = &body["result"][0];
    for (pointer, expected) in [("/name", "clustera.io"), ("/plan/legacy_id", "free")] {
        assert_eq!(zone.pointer(pointer), Some(&json!(expected)));
    }
    assert!(zone["name_servers"].is_array());
    assert_eq!(list("name=clustera.io&page=2").1["result"], json!([]));
    assert_eq!(list("name=other.io").1["result"], json!([]));
    assert_eq!(list("per_page=51").0, 400);
    let (status, body) = bench.get("/client/v4/zones/nonsense/dns_records");
    assert_eq!((status, code(&body).0), (404, 7003));
    assert_eq!(
        bench.get(&format!("{ZONE}/pagerules?status=active")).1["result"],
        json!([])
    );
}

#[test]
fn a_batch_happens_whole_and_in_order() {
    let bench = Bench::new();
    let id = |record: &Value| record["id"].as_str().unwrap().to_owned();
    let one = id(&create(&bench, address("a", "192.0.2.1")));
    let two = id(&create(&bench, address("a", "192.0.2.2")));
    let path = format!("{}/batch", records());
    // Deletes come first though named last: the CNAME finds the name empty.
    let swap = json!({
        "posts": [{"type": "CNAME", "name": "a", "content": "b.example"}],
        "deletes": [{"id": one}, {"id": two}],
    });
    let (status, body) = bench.post(&path, swap);
    assert_eq!(status, 200, "{body}");
    assert_eq!(body["result"]["deletes"][0]["content"], "192.0.2.1");
    assert_eq!(body["result"]["posts"][0]["type"], "CNAME");
    assert_eq!(body["result"]["puts"], json!([]));
    let before = bench.sandbox.world();
    let left = id(&body["result"]["posts"][0]);
    let half_bad = json!({"deletes": [{"id": left}], "posts": [address("x", "192.0.2.1"), address("x", "nonsense")]});
    assert_eq!(bench.post(&path, half_bad).0, 400);
    let gone = json!({"patches": [{"id": one, "ttl": 60}], "posts": [address("x", "192.0.2.1")]});
    let (status, body) = bench.post(&path, gone);
    assert_eq!((status, code(&body).0), (404, 81_044));
    let many: Vec<Value> = (0..201)
        .map(|n| address(&format!("n{n}"), "192.0.2.1"))
        .collect();
    assert_eq!(bench.post(&path, json!({"posts": many})).0, 400);
    assert_eq!(bench.post(&path, json!({})).0, 400);
    assert_eq!(bench.sandbox.world(), before);
    assert_eq!(bench.post(&path, json!({"posts": many[1..]})).0, 200);
}

#[test]
fn budgets_are_told_in_headers() {
    let bench = Bench::new();
    let left = || {
        let Outcome::Response(response) = bench.raw("GET", ZONE, Some("Bearer t"), None) else {
            panic!("lost");
        };
        assert_eq!(
            response.headers()["ratelimit-policy"],
            "\"burst\";q=1200;w=300"
        );
        response.headers()["ratelimit"].to_str().unwrap().to_owned()
    };
    assert_eq!(left(), "\"default\";r=1199;t=300");
    bench.wait(1000);
    assert_eq!(left(), "\"default\";r=1198;t=299");
    bench.wait(300_000);
    assert_eq!(left(), "\"default\";r=1199;t=299");
}

#[test]
fn who_asks_is_told() {
    let bench = Bench::new();
    let (status, body) = bench.get("/client/v4/user");
    assert_eq!((status, &body["success"]), (200, &json!(true)));
    assert_eq!(body["result"]["suspended"], json!(false));
    assert_eq!(bench.post("/client/v4/user", json!({})).0, 404);
}
