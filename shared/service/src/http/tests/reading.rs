//! What is known of stacks, page by page.

use std::collections::BTreeSet;

use ::http::Method;
use kedge_core::stored::run::{RequestCounts, RunOutcome, RunRecord};
use kedge_core::stored::token::TokenScope;
use kedge_engine::ports::{Condition, Store as _};
use serde_json::json;

use super::super::problem::ProblemKind as Kind;
use super::world::{Call, HIDDEN, NOW, World, done, get};
use super::{Answered, world};

fn names(answered: &Answered) -> Vec<String> {
    let stacks = answered.json["stacks"].as_array().unwrap().iter();
    stacks
        .map(|stack| stack["name"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_page_has_the_stacks_that_the_token_is_for_and_the_way_to_the_next() {
    let world = World::new();
    for number in 2..=5 {
        world.push(&format!("prod-{number}"));
    }
    let token = world.token(&[TokenScope::Read], "prod-*");
    let mut uri = "/v1/stacks?limit=2".to_owned();
    let mut pages = Vec::new();
    loop {
        let page = world.call(get(&uri, &token));
        assert_eq!(page.status, 200);
        pages.push(names(&page));
        match page.json["next"].as_str() {
            Some(next) => uri = format!("/v1/stacks?limit=2&after={next}"),
            None => break,
        }
    }
    assert_eq!(
        pages,
        [
            vec!["prod-1", "prod-2"],
            vec!["prod-3", "prod-4"],
            vec!["prod-5"]
        ]
    );
    // Whole, and of nothing.
    let all = world.call(get("/v1/stacks", &token));
    assert_eq!((names(&all).len(), all.json["next"].is_null()), (5, true));
    let exact = world.call(get("/v1/stacks?limit=5", &token));
    assert!(exact.json["next"].is_null());
    let none = world.token(&[TokenScope::Read], "dev");
    assert_eq!(names(&world.call(get("/v1/stacks", &none))).len(), 0);
    let every = world.token(&[TokenScope::Read], "*");
    assert!(names(&world.call(get("/v1/stacks", &every))).contains(&HIDDEN.to_owned()));
}

#[test]
fn a_stack_is_shown_as_it_stood() {
    let world = World::new();
    let token = world.prod();
    let fresh = world.call(get("/v1/stacks/prod-1", &token));
    let stack = &fresh.json["stack"];
    assert_eq!(stack["name"], "prod-1");
    assert_eq!(stack["check_every_s"], 900);
    assert_eq!(
        (&stack["verdict"], &stack["checked_at"]),
        (&json!(null), &json!(null))
    );
    world.checked("prod-1", NOW, "drifted");
    let checked = world.call(get("/v1/stacks/prod-1", &token));
    let stack = &checked.json["stack"];
    assert_eq!(stack["verdict"], "drifted");
    assert_eq!(stack["checked_at"], NOW.to_string());
    assert_eq!(checked.json["lease"], json!(null));
    assert_eq!(checked.json["holds"], json!([]));
}

fn record(id: &str) -> RunRecord {
    RunRecord {
        id: id.to_owned(),
        stack: "prod-1".to_owned(),
        at_ms: NOW.0,
        ended_ms: NOW.0 + 1_234,
        actor: "automation".to_owned(),
        verb: "up".to_owned(),
        trigger: "unattended".to_owned(),
        verdict: "drifted".to_owned(),
        epoch: 1,
        outcomes: vec![RunOutcome {
            key: "kafka-topic/p/s/prod-1-a".to_owned(),
            verb: "update".to_owned(),
            risk: "safe".to_owned(),
            outcome: "done".to_owned(),
            reason: None,
            fields: Vec::new(),
        }],
        requests: RequestCounts::default(),
        ..RunRecord::default()
    }
}

fn run_id(number: i64) -> String {
    format!("{}-{number:08x}", NOW.0 + number)
}

fn put_record(world: &World, id: &str) {
    let key = format!("stacks/prod-1/runs/{id}.json");
    let bytes = record(id).encode().unwrap();
    done(world.store.put(&key, bytes.into(), Condition::Absent)).unwrap();
}

#[test]
fn runs_come_newest_first_and_one_by_its_id() {
    let world = World::new();
    let token = world.prod();
    for number in 1..=25 {
        put_record(&world, &run_id(number));
    }
    let ids = |uri: &str| {
        let answered = world.call(get(uri, &token));
        let runs = answered.json["runs"].as_array().unwrap().iter();
        let ids: Vec<_> = runs
            .map(|run| run["id"].as_str().unwrap().to_owned())
            .collect();
        (ids, answered.json["more"].as_bool().unwrap())
    };
    let (newest, more) = ids("/v1/stacks/prod-1/runs?most=2");
    assert_eq!((newest, more), (vec![run_id(25), run_id(24)], true));
    let (some, more) = ids("/v1/stacks/prod-1/runs");
    assert_eq!((some.len(), more), (20, true));
    let (all, more) = ids("/v1/stacks/prod-1/history?most=100");
    assert_eq!((all.len(), more), (25, false));
    let history = world.call(get("/v1/stacks/prod-1/history", &token));
    assert_eq!(history.json["pushes"][0]["actor"], "ana@laptop");
    let one = world.call(get(format!("/v1/stacks/prod-1/runs/{}", run_id(7)), &token));
    assert_eq!(one.json["status"], "done");
    assert_eq!(one.json["asked"], json!(null));
    assert_eq!(one.json["record"]["changes"][0]["outcome"], "done");
    let none = get(format!("/v1/stacks/prod-1/runs/{}", run_id(99)), &token);
    world.call(none).is(Kind::UnknownRun);
    let key = format!("stacks/prod-1/runs/{}.json", run_id(98));
    done(world.store.put(&key, "{}".into(), Condition::Absent)).unwrap();
    let damaged = get(format!("/v1/stacks/prod-1/runs/{}", run_id(98)), &token);
    world.call(damaged).is(Kind::Unusable);
}

#[test]
fn head_is_get_without_a_body() {
    let world = World::new();
    let token = world.prod();
    for path in [
        "/v1/stacks",
        "/v1/stacks/prod-1",
        "/version",
        "/openapi.json",
    ] {
        let got = world.call(get(path, &token));
        let head = world.call(Call {
            method: Method::HEAD,
            ..get(path, &token)
        });
        assert_eq!((got.status, head.status), (200, 200), "{path}");
        assert!(head.json.is_null());
        assert_eq!(head.headers, got.headers);
        assert!(head.header("content-length").parse::<usize>().unwrap() > 2);
    }
    let head = world.call(Call {
        method: Method::HEAD,
        ..get("/v1/stacks", "x")
    });
    assert_eq!((head.status, head.json.is_null()), (401, true));
}

#[test]
fn anybody_may_ask_what_answers() {
    let world = World::new();
    let nobody = |path: &str| world.call(get(path, "").without("authorization"));
    let version = nobody("/version");
    assert_eq!(version.json["version"], env!("CARGO_PKG_VERSION"));
    let document = nobody("/openapi.json");
    assert_eq!(document.json["openapi"], "3.1.0");
    // What it does not need does no harm.
    assert_eq!(world.call(get("/version", "x")).status, 200);
}

/// What a token was used for shows in its object, to the hour.
#[test]
fn the_use_of_a_token_is_noted() {
    let world = World::new();
    let token = world.prod();
    world.pass(60 * 60 * 1000);
    world.call(get("/v1/stacks", &token));
    let (tokens, _) = done(crate::tokens::list(&*world.store)).unwrap();
    let used: BTreeSet<_> = tokens.iter().map(|token| token.last_used_at).collect();
    let hour = world::NOW.plus_ms(60 * 60 * 1000);
    assert_eq!(used, [Some(hour)].into());
}
