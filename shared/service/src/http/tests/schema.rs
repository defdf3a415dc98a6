//! What the OpenAPI document says of what is sent is what the rules say.

use kedge_core::model::{StackName, span_ms};
use serde_json::{Value as Json, json};

use super::super::problem::ProblemKind as Kind;
use super::openapi;
use super::world::{World, post};

/// The judge of what stands at a place of the document.
fn judge(pointer: &str) -> jsonschema::Validator {
    let document: Json = serde_json::from_str(openapi::DOCUMENT).unwrap();
    let schema = document.pointer(pointer).unwrap();
    jsonschema::draft202012::new(schema).unwrap()
}

fn of_hold(field: &str) -> jsonschema::Validator {
    judge(&format!("/components/schemas/HoldBody/properties/{field}"))
}

#[test]
fn names_of_stacks() {
    let in_query = judge("/paths/~1v1~1stacks/get/parameters/0/schema");
    let in_path = judge("/paths/~1v1~1stacks~1{stack}/get/parameters/0/schema");
    let long = "a".repeat(StackName::LENGTH_MAX);
    let longer = format!("{long}a");
    let with_dash = format!("{}-", &long[1..]);
    let names = [
        "", "a", "0", "-", "a-", "-a", "a-1", "a--1", "A", "aB", "a_b", "a b", "é", "a\n", "y",
        "yes", "n", "no", "ye", "yess", "nope", "n-", "goo", "goog", "google", "goog-1", "a-goog",
        &long, &longer, &with_dash,
    ];
    let mut fine = 0;
    for name in names {
        let is_fine = StackName::new(name).is_ok();
        fine += usize::from(is_fine);
        for judge in [&in_query, &in_path] {
            assert_eq!(judge.is_valid(&json!(name)), is_fine, "{name:?}");
        }
    }
    assert_eq!(fine, 9);
}

/// Each number around those at which the pattern has another form, in each unit.
#[test]
fn lengths_of_holds() {
    const DAY_MS: i64 = 24 * 60 * 60 * 1000;
    let judge = of_hold("for");
    let world = World::new();
    let token = world.prod();
    let round = (0..8).flat_map(|zeros| (0..10).map(move |first| first * 10_i64.pow(zeros)));
    let steps = [
        720, 2_500_000, 2_590_000, 2_592_000, 43_000, 43_200, 42_000, 700, 710,
    ];
    let near = round
        .chain(steps)
        .flat_map(|number| [number - 1, number, number + 1]);
    let mut fine = 0;
    for (number, unit) in near.flat_map(|number| ["s", "m", "h", "d"].map(|unit| (number, unit))) {
        let text = format!("{number}{unit}");
        let lasts_ms = span_ms(&text).unwrap_or_default();
        let is_fine = (1_000..=30 * DAY_MS).contains(&lasts_ms);
        assert_eq!(judge.is_valid(&json!(text)), is_fine, "{text}");
        fine += usize::from(is_fine);
    }
    assert!(fine > 200, "{fine}");
    for text in [
        "", "s", "1", "1w", "1.5h", "-1h", "+1h", " 1h", "1h\n", "1H", "0x1h", "١h",
    ] {
        assert!(
            span_ms(text).is_none() && !judge.is_valid(&json!(text)),
            "{text:?}"
        );
    }
    assert!(span_ms("007d").is_some() && judge.is_valid(&json!("007d")));
    // The route says the same, whatever the pattern is.
    for (text, is_fine) in [
        ("0d", false),
        ("1s", true),
        ("30d", true),
        ("31d", false),
        ("2592000s", true),
        ("2592001s", false),
    ] {
        let body = json!({"for": text, "reason": text}).to_string();
        let held = world.call(post("/v1/stacks/prod-1/hold", &token, &body));
        match is_fine {
            true => assert_eq!(held.status, 200, "{text}"),
            false => held.is(Kind::InvalidBody),
        }
        world.call(post("/v1/stacks/prod-1/release", &token, ""));
        assert_eq!(judge.is_valid(&json!(text)), is_fine, "{text}");
    }
}

#[test]
fn reasons_of_holds() {
    let judge = of_hold("reason");
    for c in ('\0'..=char::MAX).filter(|c| (*c as u32) < 0x1_1000) {
        let is_fine = !c.is_whitespace();
        assert_eq!(judge.is_valid(&json!(c.to_string())), is_fine, "{c:?}");
    }
    let world = World::new();
    let token = world.prod();
    for reason in [
        "",
        " ",
        "\u{a0}\t",
        "x",
        " x ",
        &"é".repeat(500),
        &"x".repeat(501),
    ] {
        let body = json!({"for": "2h", "reason": reason}).to_string();
        let held = world.call(post("/v1/stacks/prod-1/hold", &token, &body));
        let is_fine = held.status == 200;
        assert_eq!(judge.is_valid(&json!(reason)), is_fine, "{reason:?}");
        let chars = reason.chars().count();
        assert_eq!(
            is_fine,
            !reason.trim().is_empty() && chars <= 500,
            "{reason:?}"
        );
    }
}
