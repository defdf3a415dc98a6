//! Signed events of uploads.

use hmac::{Hmac, KeyInit as _, Mac as _};
use kedge_core::model::Timestamp;
use sha2::Sha256;

use super::super::problem::ProblemKind as Kind;
use super::world::{Call, NOW, RELAY_KEY, World, name, post};
use crate::work::Work;

const BODY: &str = r#"{"key": "upload/prod-1/definitions.zip", "etag": "\"9f86\""}"#;

fn mac(key: &str, time: &str, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(format!("{time}.{body}").as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

fn event<'a>(body: &'a str, signature: &str) -> Call<'a> {
    let call = post("/v1/events/definitions", "", body).without("authorization");
    call.with("kedge-signature", signature)
}

fn signed(body: &str, at: Timestamp) -> Call<'_> {
    let time = (at.0 / 1000).to_string();
    event(
        body,
        &format!("t={time},v1={}", mac(RELAY_KEY, &time, body)),
    )
}

fn sent(world: &World) -> usize {
    world.queue.sent.borrow().len()
}

/// By another program: `printf '1795348800.{}' | openssl dgst -sha256 -hmac key`.
#[test]
fn the_signature_is_what_others_compute() {
    let known = "706f545aa9e881001584ac8eec5613f4e7a75ff82cc78f43673f88f69b8c3c6d";
    assert_eq!(mac("key", "1795348800", "{}"), known);
}

#[test]
fn a_signed_event_is_sent_once() {
    let world = World::new();
    let answered = world.call(signed(BODY, NOW));
    assert_eq!((answered.status, answered.json.is_null()), (202, true));
    let expected = Work::Upload {
        stack: name("prod-1"),
        key: "upload/prod-1/definitions.zip".to_owned(),
        etag: "\"9f86\"".to_owned(),
    };
    assert_eq!(*world.queue.sent.borrow(), [expected]);
    for _ in 0..3 {
        world.call(signed(BODY, NOW)).is(Kind::Replayed);
        world.pass(100_000);
    }
    // Its window has ended, and so has what is remembered of it.
    world.call(signed(BODY, NOW)).is(Kind::Replayed);
    world.pass(1_000);
    world.call(signed(BODY, NOW)).is(Kind::BadSignature);
    assert_eq!(sent(&world), 1);
    // The same again, signed anew.
    assert_eq!(world.call(signed(BODY, NOW.plus_ms(301_000))).status, 202);
}

#[test]
fn a_wrong_signature_does_nothing() {
    let world = World::new();
    let time = (NOW.0 / 1000).to_string();
    let right = mac(RELAY_KEY, &time, BODY);
    let longer = format!("{}0", mac(RELAY_KEY, &format!("{time}0"), BODY));
    for signature in [
        String::new(),
        right.clone(),
        format!("v1={right}"),
        format!("t={time}"),
        format!("t={time},v1="),
        format!("t={time},v1={}", &right[..62]),
        format!("t={time},v1={right}00"),
        format!("t={time},v1={longer}"),
        format!("t={time}, v1={right}"),
        format!("t=+{time},v1={right}"),
        format!("t={time},v0={right}"),
        format!("v1={right},t={time}"),
        format!("t={time},v1={}", "0".repeat(64)),
        format!("t={},v1={right}", NOW.0 / 1000 + 1),
        format!("t={time},v1={}", mac("another key", &time, BODY)),
        format!("t={time},v1={}", mac(RELAY_KEY, &time, "{}")),
        format!("t=99999999999999999999,v1={right}"),
        format!("t=99999999999,v1={}", mac(RELAY_KEY, "99999999999", BODY)),
    ] {
        let answered = world.call(event(BODY, &signature));
        answered.is(Kind::BadSignature);
        assert_eq!(answered.header("www-authenticate"), "Kedge-Signature");
    }
    world
        .call(event(BODY, "").without("kedge-signature"))
        .is(Kind::BadSignature);
    let twice = signed(BODY, NOW).with("kedge-signature", "x");
    world.call(twice).is(Kind::InvalidHeader);
    assert_eq!(sent(&world), 0);
    let upper = format!("t={time},v1={}", right.to_uppercase());
    assert_eq!(world.call(event(BODY, &upper)).status, 202);
}

#[test]
fn five_minutes_either_way() {
    let world = World::new();
    for (ms, status) in [
        (-301_000, 401),
        (301_000, 401),
        (-300_000, 202),
        (300_000, 202),
    ] {
        let answered = world.call(signed(BODY, NOW.plus_ms(ms)));
        assert_eq!(answered.status, status, "{ms}");
    }
}

#[test]
fn an_event_that_makes_no_sense_is_refused_and_may_be_mended() {
    let world = World::new();
    let long = format!(
        r#"{{"key": "upload/prod-1/{}", "etag": "x"}}"#,
        "a".repeat(1_024)
    );
    for body in [
        "",
        "{}",
        "[]",
        r#"{"key": "upload/prod-1/a.zip"}"#,
        r#"{"key": "upload/prod-1/", "etag": "x"}"#,
        r#"{"key": "upload/prod-1", "etag": "x"}"#,
        r#"{"key": "upload/../a", "etag": "x"}"#,
        r#"{"key": "stacks/prod-1/state.json", "etag": "x"}"#,
        r#"{"key": "upload/prod-1/a\n.zip", "etag": "x"}"#,
        r#"{"key": "upload/prod-1/a.zip", "etag": ""}"#,
        r#"{"key": "upload/prod-1/a.zip", "etag": "x", "allow": ["policy"]}"#,
        &long,
    ] {
        world.call(signed(body, NOW)).is(Kind::InvalidBody);
        world.pass(1_000);
    }
    world
        .call(signed(BODY, NOW).without("content-type"))
        .is(Kind::NotJson);
    assert_eq!(sent(&world), 0);
    assert_eq!(world.call(signed(BODY, NOW)).status, 202);
}

#[test]
fn one_that_the_queue_did_not_take_may_come_again() {
    let world = World::new();
    world.queue.fails.set(true);
    let answered = world.call(signed(BODY, NOW));
    answered.is(Kind::QueueFailed);
    assert_eq!(answered.header("retry-after"), "5");
    world.queue.fails.set(false);
    assert_eq!(world.call(signed(BODY, NOW)).status, 202);
}

#[test]
fn without_a_key_there_is_no_such_path() {
    let mut world = World::new();
    world.has_relay_key = false;
    world.call(signed(BODY, NOW)).is(Kind::NotFound);
    let time = (NOW.0 / 1000).to_string();
    let empty = format!("t={time},v1={}", mac("", &time, BODY));
    world.call(event(BODY, &empty)).is(Kind::NotFound);
    assert_eq!(sent(&world), 0);
}
