//! What a zone's answer is taken for.

use super::*;
use kedge_core::live::FailureCode;

/// Reads while there is trouble: a name that is there and one that is not must both be unknown.
fn failure(ports: &SimPorts) -> (FailureCode, String, Option<String>) {
    let reading = read(ports, &wanted(&[NODE, "2.clustera.io"]));
    let [failure, other] = [NODE, "2.clustera.io"].map(|name| match reading.reading(&key(name)) {
        Reading::Unknown(failure) => failure.clone(),
        other => panic!("{name} is {other:?}"),
    });
    assert_eq!(failure, other);
    assert!(!failure.reason.contains("s3cret"), "{}", failure.reason);
    (failure.code, failure.reason, failure.permission)
}

#[test]
fn a_zone_is_one_request() {
    let ports = with_node(&[B, A]);
    add_record(
        &ports,
        &json!({"type": "TXT", "name": "t.clustera.io", "content": "\"x\""}),
    );
    let wanted = wanted(&[NODE, "2.clustera.io"]);
    let reading = read(&ports, &wanted);
    let keys: Vec<_> = reading.present().map(|(key, _)| key.clone()).collect();
    assert_eq!(keys, [key(NODE)]);
    assert_eq!(
        reading.reading(&key(NODE)).present().unwrap().fields,
        fields(&[A, B], 300, false)
    );
    assert!(reading.reading(&key("2.clustera.io")).is_absent());
    assert_eq!(counts(&ports), (1, 0));
}

#[test]
fn nothing_wanted_is_no_request() {
    let ports = empty();
    assert_eq!(read(&ports, &Wanted::default()), ScopeReading::default());
    assert_eq!(counts(&ports), (0, 0));
}

#[test]
fn other_names_are_shown_only_when_asked_for() {
    let ports = with_node(&[A]);
    let other = json!({"type": "AAAA", "name": "Other.clustera.io", "content": "2001:db8:0::1"});
    add_record(&ports, &other);
    let mut wanted = wanted(&[NODE]);
    assert_eq!(read(&ports, &wanted).present().count(), 1);
    wanted.every_dns_name = true;
    let reading = read(&ports, &wanted);
    let six = ResourceKey::dns_record_set(ZONE, "other.clustera.io", "AAAA");
    let live = reading.reading(&six).present().unwrap();
    let addresses = live.fields.get(&ADDRESSES);
    assert_eq!(addresses, Some(&Value::set(["2001:db8::1"])));
}

#[test]
fn records_that_disagree_are_shown_one_by_one() {
    let ports = with_node(&[A, B]);
    let patch = json!({"do": "patch_record", "name": NODE, "content": B, "set": {"ttl": 60}});
    act(&ports, patch);
    let mixed =
        |a: Value, b: Value| Value::Mixed(BTreeMap::from([(A.to_owned(), a), (B.to_owned(), b)]));
    let live = node(&ports).unwrap().fields;
    assert_eq!(
        *live.get(&TTL).unwrap(),
        mixed(Value::Int(300), Value::Int(60))
    );
    let patch = json!({"do": "patch_record", "name": NODE, "content": B, "set": {"proxied": true}});
    act(&ports, patch);
    let live = node(&ports).unwrap().fields;
    assert_eq!(*live.get(&TTL).unwrap(), Value::Int(300));
    assert_eq!(
        *live.get(&PROXIED).unwrap(),
        mixed(Value::Bool(false), Value::Bool(true))
    );
}

fn forbidden() -> Effect {
    Effect::Status {
        code: 403,
        retry_after_s: None,
        try_again_s: None,
        message: Some("Authentication error".to_owned()),
        error_code: Some("10000".to_owned()),
    }
}

fn wait(seconds: u64) -> Effect {
    Effect::Status {
        code: 429,
        retry_after_s: Some(seconds),
        try_again_s: None,
        message: None,
        error_code: None,
    }
}

#[test]
fn a_failed_read_is_never_an_absence() {
    use FailureCode::{
        Forbidden, Network, ProviderError, RateLimited, ScopeNotFound, StrangeAnswer,
        Unauthenticated,
    };
    for (effect, code, part, requests) in [
        (
            status(401),
            Unauthenticated,
            "401: Authentication error; needs Zone:DNS:Read",
            1,
        ),
        (
            status(403),
            Unauthenticated,
            "403: Invalid access token; needs Zone:DNS:Read",
            1,
        ),
        (forbidden(), Forbidden, "403: Authentication error; ", 1),
        (status(404), ScopeNotFound, "there is no zone `c1a57e4a", 1),
        (status(429), RateLimited, "429: Rate limit reached", 5),
        (
            wait(299),
            RateLimited,
            "429: Cloudflare asks to wait 299 s, longer than this run may last",
            1,
        ),
        (status(400), StrangeAnswer, "400: DNS Validation Error", 1),
        (status(500), ProviderError, "500: Internal error", 5),
        (
            status(503),
            ProviderError,
            "503: Cloudflare's API is failing",
            5,
        ),
        (
            Effect::Latency { ms: 20_000 },
            Network,
            "no answer within 15 s",
            5,
        ),
        (
            Effect::LoseAnswer { applied: false },
            Network,
            "connection reset",
            5,
        ),
        (Effect::CutBody, Network, "the connection broke", 5),
        (
            Effect::HtmlBody { code: 200 },
            StrangeAnswer,
            "the answer is not JSON",
            1,
        ),
        (
            Effect::WrongTypes,
            StrangeAnswer,
            "does not have the form",
            1,
        ),
    ] {
        let ports = with_node(&[A]);
        trouble(&ports, false, effect.clone(), None);
        let (found, reason, permission) = failure(&ports);
        assert_eq!(found, code, "{effect:?}: {reason}");
        assert!(reason.contains(part), "{effect:?}: {reason}");
        let asks = matches!(code, Unauthenticated | Forbidden);
        let needed = asks.then(|| "Zone:DNS:Read".to_owned());
        assert_eq!(permission, needed, "{effect:?}");
        assert_eq!(counts(&ports), (requests, 0), "{effect:?}");
    }
}

#[test]
fn trouble_that_passes_is_waited_out() {
    for (effect, least_ms) in [
        (wait(7), 7_000),
        (status(500), 0),
        (Effect::LoseAnswer { applied: true }, 0),
        (Effect::Latency { ms: 20_000 }, 15_000),
    ] {
        let ports = with_node(&[A]);
        trouble(&ports, false, effect.clone(), Some(2));
        let began = ports.executor.now_ms();
        assert!(node(&ports).is_some(), "{effect:?}");
        assert_eq!(counts(&ports), (3, 0), "{effect:?}");
        let took = ports.executor.now_ms() - began;
        assert!(took >= least_ms, "{effect:?}: {took}");
    }
}

#[test]
fn without_a_token_nothing_is_known() {
    let ports = with_node(&[A]);
    ports.secrets.borrow_mut().remove("CLOUDFLARE_API_TOKEN");
    let (code, reason, _) = failure(&ports);
    assert_eq!(code, FailureCode::NoCredentials);
    assert_eq!(reason, "CLOUDFLARE_API_TOKEN is not set");
    assert_eq!(counts(&ports), (0, 0));
}

#[test]
fn a_zone_that_is_not_there_says_nothing_of_its_names() {
    let ports = empty();
    let zone_id = "0".repeat(32);
    let key = ResourceKey::dns_record_set(&zone_id, NODE, "A");
    let wanted = Wanted {
        keys: [key.clone()].into(),
        ..Wanted::default()
    };
    let reading = read_scope(&ports, &Scope::DnsZone { zone_id }, &wanted);
    let Reading::Unknown(failure) = reading.reading(&key) else {
        panic!("{reading:?}");
    };
    assert_eq!(failure.code, FailureCode::ScopeNotFound);
}
