use super::*;

fn call(method: &str, path: &str) -> Call {
    Call::read(
        http::Request::builder()
            .method(method)
            .uri(path)
            .body(bytes::Bytes::new())
            .unwrap(),
    )
}

fn statuses(fault: &str, count: usize) -> Vec<bool> {
    let mut faults = Faults::new(1);
    faults.add(serde_json::from_str(fault).unwrap());
    let get = call("GET", "/v1/project/p");
    (0..count)
        .map(|_| faults.hit(&get, Provider::Aiven, false, 0).answer.is_some())
        .collect()
}

#[test]
fn rules_hit_what_they_name() {
    let cases = [
        (r#"{"effect":{"kind":"cut_body"}}"#, vec![true, true, true]),
        (
            r#"{"effect":{"kind":"cut_body"},"times":1}"#,
            vec![true, false, false],
        ),
        (
            r#"{"match":{"nth":2},"effect":{"kind":"cut_body"}}"#,
            vec![false, true, false],
        ),
        (
            r#"{"match":{"from":2},"effect":{"kind":"cut_body"}}"#,
            vec![false, true, true],
        ),
        (
            r#"{"match":{"target":"/v1/project"},"effect":{"kind":"cut_body"}}"#,
            vec![false; 3],
        ),
        (
            r#"{"match":{"target":"/v1/project/p"},"effect":{"kind":"huge_body"}}"#,
            vec![true; 3],
        ),
        (
            r#"{"match":{"body":"x"},"effect":{"kind":"drip","ms":9}}"#,
            vec![false; 3],
        ),
        (
            r#"{"match":{"method":"POST"},"effect":{"kind":"cut_body"}}"#,
            vec![false; 3],
        ),
        (
            r#"{"match":{"provider":"pubsub"},"effect":{"kind":"cut_body"}}"#,
            vec![false; 3],
        ),
        (
            r#"{"match":{"path":"project"},"effect":{"kind":"cut_body"}}"#,
            vec![true; 3],
        ),
        (
            r#"{"match":{"write":true},"effect":{"kind":"cut_body"}}"#,
            vec![false; 3],
        ),
        (
            r#"{"match":{"per_mille":0},"effect":{"kind":"cut_body"}}"#,
            vec![false; 3],
        ),
        (
            r#"{"match":{"per_mille":1000},"effect":{"kind":"cut_body"}}"#,
            vec![true; 3],
        ),
    ];
    for (fault, expected) in cases {
        assert_eq!(statuses(fault, 3), expected, "{fault}");
    }
}

#[test]
fn chance_follows_the_seed() {
    let fault = r#"{"match":{"per_mille":500},"effect":{"kind":"cut_body"}}"#;
    let first = statuses(fault, 64);
    assert_eq!(first, statuses(fault, 64));
    let hits = first.iter().filter(|hit| **hit).count();
    assert!((16..48).contains(&hits), "{hits}");
}

#[test]
fn a_typo_in_a_rule_is_an_error() {
    for text in [
        r#"{"effect":{"kind":"status","codee":429}}"#,
        r#"{"match":{"provder":"aiven"},"effect":{"kind":"cut_body"}}"#,
    ] {
        assert!(serde_json::from_str::<Fault>(text).is_err(), "{text}");
    }
}

#[test]
fn a_rate_is_kept_each_minute() {
    let mut faults = Faults::new(1);
    let rate = r#"{"match":{"provider":"aiven"},"effect":{"kind":"rate","per_minute":2}}"#;
    faults.add(serde_json::from_str(rate).unwrap());
    let get = call("GET", "/v1/project/p");
    let mut at = |provider, now_ms| faults.hit(&get, provider, false, now_ms).answer;
    let refused = |retry_after_s| {
        Some(Effect::Status {
            code: 429,
            retry_after_s: Some(retry_after_s),
            try_again_s: None,
            message: None,
            error_code: None,
        })
    };
    assert_eq!(at(Provider::Aiven, 60_000), None);
    assert_eq!(at(Provider::Pubsub, 60_000), None);
    assert_eq!(at(Provider::Aiven, 70_000), None);
    assert_eq!(at(Provider::Aiven, 70_500), refused(50));
    assert_eq!(at(Provider::Aiven, 119_999), refused(1));
    assert_eq!(at(Provider::Aiven, 120_000), None);
}

#[test]
fn an_effect_is_used_up_only_where_it_shows() {
    const TOPIC: &str = "/v1/project/p/service/s/topic";
    let aiven = [
        ("list", "GET", TOPIC, ""),
        ("bulk", "POST", "/v2/project/p/service/s/topic", "{}"),
        ("single", "GET", "/v1/project/p/service/s/topic/t", ""),
        ("create", "POST", TOPIC, "{}"),
        ("update", "PUT", "/v1/project/p/service/s/topic/t", "{}"),
        (
            "replication",
            "PUT",
            "/v1/project/p/service/s/topic/t",
            r#"{"replication":3}"#,
        ),
        ("delete", "DELETE", "/v1/project/p/service/s/topic/t", ""),
        ("service", "GET", "/v1/project/p/service/s", ""),
        ("project", "GET", "/v1/project/p", ""),
    ];
    let google = [
        ("topic", "GET", "/v1/projects/p/topics/t", ""),
        ("subscription", "GET", "/v1/projects/p/subscriptions/s", ""),
        ("topics", "GET", "/v1/projects/p/topics", ""),
        ("make", "PUT", "/v1/projects/p/topics/t", "{}"),
        ("policy", "GET", "/v1/projects/p/topics/t:getIamPolicy", ""),
        (
            "grant",
            "POST",
            "/v1/projects/p/topics/t:setIamPolicy",
            "{}",
        ),
    ];
    let aiven = aiven.map(|request| (Provider::Aiven, request));
    let google = google.map(|request| (Provider::Pubsub, request));
    let requests = [&aiven[..], &google[..]].concat();
    for (effect, shows_in) in [
        (r#"{"kind":"listing_lag","ms":1}"#, "list"),
        (r#"{"kind":"bulk_lag","ms":1}"#, "bulk"),
        (r#"{"kind":"short_answer","by":1}"#, "bulk"),
        (r#"{"kind":"single_lag","ms":1}"#, "single"),
        (r#"{"kind":"slow_create","ms":1}"#, "create"),
        (r#"{"kind":"slow_delete","ms":1}"#, "delete"),
        (r#"{"kind":"slow_reassignment","ms":1}"#, "replication"),
        (r#"{"kind":"equal_reads_as_default"}"#, "bulk single"),
        (r#"{"kind":"unlimited_as_float"}"#, "list bulk single"),
        (
            r#"{"kind":"power_off"}"#,
            "list bulk single create update replication delete service",
        ),
        (r#"{"kind":"negative_cache","ms":1}"#, "topic subscription"),
        (r#"{"kind":"org_policy"}"#, "grant"),
        (r#"{"kind":"budget_spent","reset_s":1}"#, ""),
    ] {
        let mut used = Vec::new();
        for (provider, (name, method, path, body)) in &requests {
            let mut faults = Faults::new(1);
            let fault = format!(r#"{{"effect":{effect},"times":1}}"#);
            faults.add(serde_json::from_str(&fault).unwrap());
            let mut call = call(method, path);
            call.body = bytes::Bytes::from_static(body.as_bytes());
            faults.hit(&call, *provider, false, 0);
            if faults.list()[0].times == Some(0) {
                used.push(*name);
            }
        }
        assert_eq!(used.join(" "), shows_in, "{effect}");
    }
}
