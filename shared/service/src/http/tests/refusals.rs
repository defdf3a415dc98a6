//! Every route, asked in every wrong way: the right status, nothing done, nothing told.

use ::http::Method;
use kedge_core::stored::token::TokenScope;

use super::super::problem::ProblemKind as Kind;
use super::super::routes::{BODY_BYTES_MAX, BodyOf, Caller, ROUTES, Route};
use super::Answered;
use super::world::{Call, HIDDEN, World, get, post};
use crate::tokens;

/// The path of a route for this stack.
fn path(route: &Route, stack: &str) -> String {
    let path = route.path.replace("{stack}", stack);
    path.replace("{id}", "1795348800000-00000001")
}

/// A body that the route takes.
fn body(route: &Route) -> &'static str {
    match route.body {
        BodyOf::Nothing | BodyOf::Ask | BodyOf::Release => "",
        BodyOf::Up => r#"{"digest": "00c0ffee00c0ffee"}"#,
        BodyOf::Hold => r#"{"for": "1h", "reason": "a freeze"}"#,
        BodyOf::UploadEvent => r#"{"key": "upload/prod-1/a.zip", "etag": "x"}"#,
    }
}

fn call(route: &Route, stack: &str, token: &str) -> Call<'static> {
    Call {
        method: route.method.clone(),
        ..post(path(route, stack), token, body(route))
    }
}

/// Routes that take a token, those with a stack, and those with a body.
fn with_token() -> impl Iterator<Item = &'static Route> {
    ROUTES
        .iter()
        .filter(|route| matches!(route.caller, Caller::Token(_)))
}

fn with_stack() -> impl Iterator<Item = &'static Route> {
    with_token().filter(|route| route.path.contains("{stack}"))
}

/// Calls, and nothing is written, sent, or told of a stack that the token is not for.
#[track_caller]
fn refused(world: &World, call: Call<'_>, kind: Kind) -> Answered {
    let before = world.written();
    let what = format!("{} {}", call.method, call.uri);
    let answered = world.call(call);
    assert_eq!(answered.problem(), kind.code(), "{what}: {answered:?}");
    answered.is(kind);
    assert_eq!(world.written(), before, "{what}");
    let text = answered.json.to_string();
    assert!(
        !text.contains(HIDDEN) || what.contains(HIDDEN),
        "{what}: {text}"
    );
    // The rate of who guesses is tested elsewhere.
    world.pass(1_000);
    answered
}

#[test]
fn without_a_token_that_is_good() {
    let world = World::new();
    let good = world.prod();
    let expired = world.prod();
    world.pass(24 * 60 * 60 * 1000);
    let good_again = world.prod();
    let (_, secret) = good_again.rsplit_once('_').unwrap();
    let id = good_again.split('_').nth(1).unwrap();
    let forged = format!("kdg_{id}_{}", "0".repeat(64));
    let of_another = format!("kdg_{}_{secret}", good.split('_').nth(1).unwrap());
    for route in with_token() {
        for stack in ["prod-1", HIDDEN, "nowhere", "NO NAME"] {
            let stack = stack.replace(' ', "%20");
            let nobody = call(route, &stack, "").without("authorization");
            let answered = refused(&world, nobody, Kind::NoToken);
            assert_eq!(
                answered.header("www-authenticate"),
                "Bearer realm=\"kedge\""
            );
            for token in ["", "x", &forged, &of_another, &expired, &good] {
                let answered = refused(&world, call(route, &stack, token), Kind::TokenRefused);
                assert!(
                    answered
                        .header("www-authenticate")
                        .contains("invalid_token")
                );
            }
            for scheme in ["Basic", "Token", "Bearer\t", ""] {
                let strange = call(route, &stack, "").without("authorization");
                let strange = strange.with("authorization", format!("{scheme} {good_again}"));
                refused(&world, strange, Kind::TokenRefused);
            }
            let twice = call(route, &stack, &good_again).with("authorization", "Bearer x");
            refused(&world, twice, Kind::InvalidHeader);
        }
    }
    // What is refused is refused for that alone.
    assert_eq!(world.call(get("/v1/stacks", &good_again)).status, 200);
    let lower = get("/v1/stacks", "").without("authorization");
    let lower = lower.with("authorization", format!("bearer  {good_again}"));
    assert_eq!(world.call(lower).status, 200);
}

#[test]
fn with_a_token_that_was_revoked() {
    let world = World::new();
    let token = world.prod();
    let id = token.split('_').nth(1).unwrap();
    super::world::done(tokens::revoke(&*world.store, id, super::world::NOW)).unwrap();
    for route in with_token() {
        let answered = refused(&world, call(route, "prod-1", &token), Kind::TokenRefused);
        assert_eq!(answered.json["detail"], "it was revoked");
    }
}

#[test]
fn with_a_token_for_something_else() {
    let world = World::new();
    for route in with_token() {
        let Caller::Token(scope) = route.caller else {
            continue;
        };
        let others: Vec<_> = TokenScope::ALL
            .into_iter()
            .filter(|one| *one != scope)
            .collect();
        let token = world.token(&others, "*");
        for stack in ["prod-1", "nowhere"] {
            let answered = refused(&world, call(route, stack, &token), Kind::WrongScope);
            let detail = answered.json["detail"].as_str().unwrap();
            assert_eq!(detail, format!("it needs the scope `{}`", scope.as_str()));
        }
    }
}

/// Whether a stack is there is told only to who may see it.
#[test]
fn for_another_stack_whether_it_is_there_or_not() {
    let world = World::new();
    let token = world.prod();
    for route in with_stack() {
        let there = refused(&world, call(route, HIDDEN, &token), Kind::WrongStack);
        let not_there = refused(
            &world,
            call(route, "hidden-stock", &token),
            Kind::WrongStack,
        );
        assert_eq!(there.json, not_there.json);
        refused(&world, call(route, "prod-none", &token), Kind::UnknownStack);
        refused(&world, call(route, "NoName", &token), Kind::UnknownStack);
    }
}

#[test]
fn with_a_body_that_can_not_be_used() {
    let world = World::new();
    let token = world.prod();
    let large = format!("{{\"x\": \"{}\"}}", "a".repeat(BODY_BYTES_MAX));
    for route in ROUTES.iter() {
        let mut call = call(route, "prod-1", &token);
        call.body = large.as_bytes();
        refused(&world, call, Kind::BodyTooLarge);
    }
    for route in ROUTES.iter().filter(|route| route.body == BodyOf::Nothing) {
        let mut call = call(route, "prod-1", &token);
        call.body = b"{}";
        refused(&world, call, Kind::InvalidBody);
    }
    let unknown_key = format!("{{\"surprise\\nkey{token}\": 1}}");
    let deep = "[".repeat(20_000);
    for route in with_stack().filter(|route| route.body != BodyOf::Nothing) {
        let with = |body| post(path(route, "prod-1"), &token, body);
        for body in [
            "{",
            "{}x",
            "[]",
            "[\"00c0ffee00c0ffee\"]",
            "null",
            "\"x\"",
            "\u{feff}{}",
            &unknown_key,
            &deep,
            "{\"keys\": {}, \"allow\": 1}",
            "{\"keys\": [1], \"allow\": [1]}",
            "{\"digest\": 1, \"for\": 1, \"keys\": 1}",
        ] {
            refused(&world, with(body), Kind::InvalidBody);
        }
        for kind in [
            "text/plain",
            "application/jsonx",
            "",
            "application/json; charset=utf-16",
        ] {
            let other = with(body(route)).without("content-type");
            let mut other = other.with("content-type", kind);
            if other.body.is_empty() {
                other.body = b"{}";
            }
            refused(&world, other, Kind::NotJson);
        }
        let mut none = with(body(route)).without("content-type");
        none.body = b"{}";
        refused(&world, none, Kind::NotJson);
        let mut packed = with("{}").with("content-encoding", "gzip");
        packed.body = b"{}";
        refused(&world, packed, Kind::NotJson);
        let answered = refused(&world, with(&unknown_key), Kind::InvalidBody);
        let detail = answered.json["detail"].as_str().unwrap();
        assert!(
            detail.contains("unknown field `surprise\u{fffd}key[token]`"),
            "{detail}"
        );
    }
}

#[test]
fn with_values_that_are_out_of_bounds() {
    let world = World::new();
    let token = world.prod();
    let long_key = format!("\"{}\"", "k".repeat(1_025));
    let many = vec!["\"k\""; 201].join(",");
    let reason = "r".repeat(501);
    let cases = [
        ("up", "{}".to_owned()),
        ("up", r#"{"digest": ""}"#.to_owned()),
        ("up", r#"{"digest": "00C0FFEE00C0FFEE"}"#.to_owned()),
        ("up", r#"{"digest": "00c0ffee00c0ffe"}"#.to_owned()),
        (
            "up",
            r#"{"digest": "00c0ffee00c0ffee", "digest": "00c0ffee00c0ffee"}"#.to_owned(),
        ),
        (
            "up",
            format!(r#"{{"digest": "00c0ffee00c0ffee", "allow": [{many}]}}"#),
        ),
        (
            "up",
            format!(r#"{{"digest": "00c0ffee00c0ffee", "allow": [{long_key}]}}"#),
        ),
        (
            "up",
            r#"{"digest": "00c0ffee00c0ffee", "allow": [""]}"#.to_owned(),
        ),
        ("hold", "{}".to_owned()),
        ("hold", r#"{"for": "1h"}"#.to_owned()),
        ("hold", r#"{"for": "1h", "reason": ""}"#.to_owned()),
        ("hold", r#"{"for": "1h", "reason": "  "}"#.to_owned()),
        ("hold", format!(r#"{{"for": "1h", "reason": "{reason}"}}"#)),
        ("hold", r#"{"for": "soon", "reason": "x"}"#.to_owned()),
        ("hold", r#"{"for": "0s", "reason": "x"}"#.to_owned()),
        ("hold", r#"{"for": "31d", "reason": "x"}"#.to_owned()),
        (
            "hold",
            format!(r#"{{"for": "1h", "reason": "x", "keys": [{many}]}}"#),
        ),
        ("release", format!(r#"{{"keys": [{long_key}]}}"#)),
    ];
    for (verb, body) in &cases {
        let call = post(format!("/v1/stacks/prod-1/{verb}"), &token, body);
        refused(&world, call, Kind::InvalidBody);
    }
    for (verb, body) in [
        (
            "up",
            r#"{"digest": "00c0ffee00c0ffee", "allow": ["prod-1-none"]}"#,
        ),
        (
            "hold",
            r#"{"for": "1h", "reason": "x", "keys": ["prod-1-none"]}"#,
        ),
        ("release", r#"{"keys": ["prod-1-a"]}"#),
    ] {
        let call = post(format!("/v1/stacks/prod-1/{verb}"), &token, body);
        let answered = refused(&world, call, Kind::UnknownResource);
        assert!(
            answered.json["detail"]
                .as_str()
                .unwrap()
                .contains("prod-1-")
        );
    }
}

#[test]
fn with_a_query_or_a_header_that_can_not_be_used() {
    let world = World::new();
    let token = world.prod();
    for route in ROUTES.iter().filter(|route| route.caller != Caller::Relay) {
        for query in [
            "x=1",
            "wait",
            "=",
            "%",
            "wait=1&wait=1",
            "limit=1&limit=2",
            "WAIT=1",
        ] {
            let uri = format!("{}?{query}", path(route, "prod-1"));
            let call = Call {
                uri,
                ..call(route, "prod-1", &token)
            };
            let detail = refused(&world, call, Kind::InvalidQuery);
            assert!(detail.json["detail"].is_string());
        }
        let long = format!("{}?x={}", path(route, "prod-1"), "a".repeat(2_048));
        let long = Call {
            uri: long,
            ..call(route, "prod-1", &token)
        };
        refused(&world, long, Kind::UriTooLong);
    }
    for uri in [
        "/v1/stacks/prod-1/check?wait=26",
        "/v1/stacks/prod-1/check?wait=-1",
        "/v1/stacks/prod-1/check?wait=+1",
        "/v1/stacks/prod-1/check?wait=1.0",
        "/v1/stacks/prod-1/check?wait=",
        "/v1/stacks/prod-1/check?wait=99999999999999999999",
    ] {
        refused(&world, post(uri, &token, ""), Kind::InvalidQuery);
    }
    for uri in [
        "/v1/stacks?limit=0",
        "/v1/stacks?limit=101",
        "/v1/stacks?after=..%2Fx",
        "/v1/stacks/prod-1/runs?most=0",
        "/v1/stacks/prod-1/history?most=101",
    ] {
        refused(&world, get(uri, &token), Kind::InvalidQuery);
    }
    let long = "k".repeat(256);
    for key in ["", "two words", "\t", "é", &long] {
        let call = post("/v1/stacks/prod-1/check", &token, "").with("idempotency-key", key);
        refused(&world, call, Kind::InvalidHeader);
    }
    let twice = post("/v1/stacks/prod-1/check", &token, "");
    let twice = twice
        .with("idempotency-key", "a")
        .with("idempotency-key", "a");
    refused(&world, twice, Kind::InvalidHeader);
}

#[test]
fn with_another_method_or_path() {
    let world = World::new();
    let token = world.prod();
    let methods = [
        "GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW",
    ];
    for route in ROUTES.iter() {
        for method in methods {
            let method: Method = method.parse().unwrap();
            if method == route.method {
                continue;
            }
            let other = Call {
                method,
                ..call(route, "prod-1", &token)
            };
            let overriding = other
                .clone()
                .with("x-http-method-override", route.method.as_str());
            for call in [other, overriding] {
                let answered = refused(&world, call, Kind::WrongMethod);
                let allow = match route.method {
                    Method::GET => "GET, HEAD",
                    _ => "POST",
                };
                assert_eq!(answered.header("allow"), allow);
            }
        }
        let real = path(route, "prod-1");
        for wrong in [
            format!("{real}/"),
            format!("/{real}"),
            format!("{real}//"),
            format!("{real}%00/x"),
            real.to_uppercase(),
            real.replacen('/', "/%2e/", 1),
            format!("/x/..{real}"),
            real.replace("stacks", "%73tacks")
                .replace("v1/e", "v1/%65")
                .replace("z", "%7a"),
        ] {
            if wrong == real {
                continue;
            }
            let call = Call {
                uri: wrong,
                ..call(route, "prod-1", &token)
            };
            refused(&world, call, Kind::NotFound);
        }
    }
    // A part that could be a name, and is none.
    refused(&world, get("/v1/stacks/.", &token), Kind::UnknownStack);
}

/// A part is decoded once, and is then a name of a stack or nothing.
#[test]
fn with_names_that_lead_elsewhere() {
    let world = World::new();
    let token = world.token(&TokenScope::ALL, "*");
    for stack in [
        "..",
        "%2e%2e",
        "prod-1%2Fruns",
        "prod-1%00",
        "prod-1%0a",
        "%2570rod-1",
        "prod-1%20",
        "PROD-1",
        "prod-1.",
        "index.json",
    ] {
        for route in with_stack() {
            refused(&world, call(route, stack, &token), Kind::UnknownStack);
        }
    }
    for id in [
        "..",
        "%2e%2e%2fstate",
        "1795348800000-A",
        "1795348800000-1%00",
    ] {
        let call = get(format!("/v1/stacks/prod-1/runs/{id}"), &token);
        refused(&world, call, Kind::UnknownRun);
    }
    // What is encoded without need is the same name.
    assert_eq!(world.call(get("/v1/stacks/prod%2D1", &token)).status, 200);
}

#[test]
fn where_nothing_may_be_changed() {
    let mut world = World::new();
    let token = world.prod();
    world.read_only = true;
    world.pass(2 * 60 * 60 * 1000);
    for route in with_stack() {
        if route.method == Method::POST {
            refused(&world, call(route, "prod-1", &token), Kind::ReadOnly);
        }
    }
    let before = world.written();
    assert_eq!(world.call(get("/v1/stacks/prod-1", &token)).status, 200);
    assert_eq!(world.written(), before, "not even that the token was used");
}

#[test]
fn where_the_store_fails() {
    let world = World::new();
    let token = world.prod();
    world.store.hook.is_on.set(true);
    for route in with_token() {
        let answered = refused(&world, call(route, "prod-1", &token), Kind::StoreFailed);
        assert_eq!(answered.header("retry-after"), "5");
    }
}
