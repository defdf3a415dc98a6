//! `check`, `preview`, `up`, `hold` and `release`: what is written, sent and answered.

use std::cell::RefCell;
use std::rc::Rc;

use kedge_core::change::Verb;
use kedge_core::stored::grant::Grant;
use kedge_core::stored::run_request::{RequestedRun, RunRequest};
use kedge_core::stored::token::TokenScope;
use kedge_engine::ports::Store as _;

use super::super::problem::ProblemKind as Kind;
use super::Answered;
use super::world::{DOCUMENT, NOW, World, answer, done, get, name, post};
use crate::requests;
use crate::work::Work;

const UP: &str = r#"{"digest": "00c0ffee00c0ffee", "allow": ["prod-1-a", "policy"]}"#;

fn id(answered: &Answered) -> String {
    answered.json["id"].as_str().unwrap().to_owned()
}

fn stored(world: &World, id: &str) -> RunRequest {
    let stack = name("prod-1");
    let read = requests::read(&*world.store, &stack, id);
    done(read).unwrap().unwrap()
}

fn grant(world: &World, id: &str) -> Grant {
    let key = format!("stacks/prod-1/grants/{id}.json");
    let object = done(world.store.get(&key)).unwrap().unwrap();
    Grant::decode(&object.bytes, &name("prod-1")).unwrap()
}

fn sent(world: &World) -> Vec<String> {
    let sent = world.queue.sent.borrow();
    let requests = sent.iter().map(|work| match work {
        Work::Request { stack, id } if *stack == name("prod-1") => id.clone(),
        other => panic!("{other:?}"),
    });
    requests.collect()
}

#[test]
fn what_is_asked_for_is_written_and_sent() {
    let world = World::new();
    let token = world.prod();
    for (verb, asked) in [
        ("check", RequestedRun::Check),
        ("preview", RequestedRun::Preview),
    ] {
        for body in ["", "{}", " {} "] {
            let path = format!("/v1/stacks/prod-1/{verb}");
            let answered = world.call(post(path, &token, body));
            assert_eq!(answered.status, 202);
            let id = id(&answered);
            let location = format!("/v1/stacks/prod-1/runs/{id}");
            assert_eq!(answered.header("location"), location);
            assert_eq!(answered.header("retry-after"), "2");
            assert_eq!(answered.json["status"], "queued");
            assert_eq!(answered.json["asked"], verb);
            let expected = RunRequest {
                id: id.clone(),
                stack: name("prod-1"),
                actor: "ci".to_owned(),
                at: NOW,
                asked: asked.clone(),
            };
            assert_eq!(stored(&world, &id), expected);
            assert_eq!(sent(&world).pop(), Some(id.clone()));
            let found = world.call(get(location, &token));
            assert_eq!((found.status, &found.json), (200, &answered.json));
        }
    }
    let ids = sent(&world);
    assert_eq!(
        ids.iter().collect::<std::collections::BTreeSet<_>>().len(),
        6
    );
}

#[test]
fn an_up_writes_the_consent_under_the_id_of_the_run() {
    let world = World::new();
    let token = world.prod();
    let answered = world.call(post("/v1/stacks/prod-1/up", &token, UP));
    assert_eq!(answered.status, 202);
    let id = id(&answered);
    let grant = grant(&world, &id);
    assert_eq!((grant.person.as_str(), grant.policy), ("ci", true));
    assert_eq!(grant.digest, "00c0ffee00c0ffee");
    // Short names are resolved now, and each of the four verbs is agreed to: the digest says which it is.
    let named: Vec<_> = grant.changes.iter().collect();
    assert_eq!(named.len(), 4);
    for (key, _) in &named {
        assert_eq!(key.to_string(), "kafka-topic/p/s/prod-1-a");
    }
    assert!(named.iter().any(|(_, verb)| *verb == Verb::Delete));
    let RequestedRun::Up { digest, allow } = stored(&world, &id).asked else {
        panic!("it is an up");
    };
    assert_eq!(digest, "00c0ffee00c0ffee");
    assert_eq!(allow, ["prod-1-a", "policy"]);
    assert_eq!(sent(&world), [id]);
    // Without names nothing destructive is agreed to.
    let plain = r#"{"digest": "00c0ffee00c0ffee"}"#;
    let plain = world.call(post("/v1/stacks/prod-1/up", &token, plain));
    let plain = self::grant(&world, self::id(&plain).as_str());
    assert_eq!((plain.changes.len(), plain.policy), (0, false));
}

#[test]
fn the_same_key_is_the_same_request() {
    let world = World::new();
    let token = world.prod();
    let ask = |verb: &str, body: &'static str, token: &str, key: &str| {
        let path = format!("/v1/stacks/prod-1/{verb}");
        world.call(post(path, token, body).with("idempotency-key", key))
    };
    let first = id(&ask("up", UP, &token, "k1"));
    let before = done(world.store.list("")).unwrap();
    world.pass(60_000);
    let again = ask("up", UP, &token, "k1");
    assert_eq!((again.status, id(&again)), (202, first.clone()));
    // The same body in another form is the same; the message is sent once more, and says the same.
    let other_form = r#"{ "allow": ["prod-1-a", "policy"], "digest": "00c0ffee00c0ffee" }"#;
    assert_eq!(id(&ask("up", other_form, &token, "k1")), first);
    assert_eq!(done(world.store.list("")).unwrap(), before);
    assert_eq!(sent(&world), [first.clone(), first.clone(), first.clone()]);
    // Once it is answered, the answer comes at once and nothing is sent.
    world.answer(&first, DOCUMENT);
    let answered = ask("up", UP, &token, "k1");
    assert_eq!((answered.status, id(&answered)), (200, first.clone()));
    assert_eq!(sent(&world).len(), 3);
    // Another body under the same key is a mistake.
    let other = r#"{"digest": "00c0ffee00c0ffef"}"#;
    ask("up", other, &token, "k1").is(Kind::KeyReused);
    assert_eq!(sent(&world).len(), 3);
    // Another key, verb, stack or token is another request.
    world.push("prod-2");
    let other_stack = post("/v1/stacks/prod-2/check", &token, "").with("idempotency-key", "k1");
    let other_stack = id(&world.call(other_stack));
    assert_eq!(
        world.queue.sent.borrow_mut().pop().unwrap().lane(),
        "stack-prod-2"
    );
    let others = [
        id(&ask("up", UP, &token, "k2")),
        id(&ask("check", "", &token, "k1")),
        id(&ask("preview", "", &token, "k1")),
        id(&ask("check", "", &world.prod(), "k1")),
        other_stack,
        first,
    ];
    let all: std::collections::BTreeSet<_> = others.iter().collect();
    assert_eq!(all.len(), others.len());
}

/// Each write may be the last one of a request that is cut off; the same request again makes it whole.
#[test]
fn a_request_that_was_cut_off_is_completed_under_its_key() {
    let keys = |world: &World| done(world.store.list("")).unwrap();
    let whole = World::new();
    let token = whole.prod();
    let before: Vec<String> = keys(&whole);
    let ask = |world: &World, token: &str| {
        world.call(post("/v1/stacks/prod-1/up", token, UP).with("idempotency-key", "k"))
    };
    let first = id(&ask(&whole, &token));
    let new: Vec<String> = keys(&whole)
        .into_iter()
        .filter(|key| !before.contains(key))
        .collect();
    assert_eq!(new.len(), 3, "key, grant, request: {new:?}");
    // What is there is what was written before the cut: the key; the key and the grant.
    for cut in 1..3 {
        let world = World::new();
        let token = world.prod();
        let mut copied = 0;
        for part in ["by-key", "grants/"].iter().take(cut) {
            let key = new.iter().find(|key| key.contains(part)).unwrap();
            let object = done(whole.store.get(key)).unwrap().unwrap();
            let condition = kedge_engine::ports::Condition::Absent;
            done(world.store.put(key, object.bytes, condition)).unwrap();
            copied += 1;
        }
        assert_eq!(copied, cut);
        // The random numbers are the same, so the token is.
        let again = ask(&world, &token);
        assert_eq!((again.status, id(&again)), (202, first.clone()));
        assert_eq!(stored(&world, &first).id, first);
        assert_eq!(grant(&world, &first).digest, "00c0ffee00c0ffee");
        assert_eq!(sent(&world), std::slice::from_ref(&first));
    }
}

#[test]
fn a_queue_that_fails_loses_nothing() {
    let world = World::new();
    let token = world.prod();
    world.queue.fails.set(true);
    let answered = world.call(post("/v1/stacks/prod-1/check", &token, ""));
    assert_eq!(answered.status, 202);
    let open = done(requests::open(&*world.store, NOW.plus_ms(60_000))).unwrap();
    assert_eq!(open.len(), 1);
    assert_eq!(open[0].id, id(&answered));
}

#[test]
fn nobody_waits_for_a_process_that_ends() {
    let world = World::new();
    let token = world.prod();
    world.instance.stop();
    let began = world.ports.now.get();
    let answered = world.call(post("/v1/stacks/prod-1/check?wait=25", &token, ""));
    assert_eq!(answered.status, 202);
    assert_eq!(world.ports.now.get(), began);
    // What was asked for is there for the next process.
    assert_eq!(sent(&world), [id(&answered)]);
}

#[test]
fn waiting_ends_with_the_answer_or_with_its_time() {
    let world = World::new();
    let token = world.prod();
    let path = "/v1/stacks/prod-1/check?wait=25";
    let began = world.ports.now.get();
    let late = world.call(post(path, &token, ""));
    assert_eq!(late.status, 202);
    assert_eq!(world.ports.now.get() - began, 25_000);
    // A worker answers while it waits, 1.2 s after it began.
    let store = Rc::clone(&world.store);
    let began = world.ports.now.get();
    let happens = move |now: kedge_core::model::Timestamp| {
        if now.0 - began < 1_200 {
            return;
        }
        for open in done(requests::open(&*store, now.plus_ms(60_000))).unwrap() {
            answer(&store, &open.id, now, DOCUMENT);
        }
    };
    *world.ports.on_sleep.borrow_mut() = Some(Box::new(happens));
    let answered = world.call(post(path, &token, ""));
    assert_eq!(answered.status, 200);
    assert_eq!(world.ports.now.get() - began, 1_500);
    assert_eq!(answered.json["status"], "done");
    assert_eq!(answered.json["document"]["error"], "it went wrong");
    assert_eq!(answered.header("location"), "");
    // So does who asks for the run.
    *world.ports.on_sleep.borrow_mut() = None;
    let queued = world.call(post("/v1/stacks/prod-1/check", &token, ""));
    let location = queued.header("location").to_owned();
    let began = world.ports.now.get();
    let store = Rc::clone(&world.store);
    let waiting = id(&queued);
    *world.ports.on_sleep.borrow_mut() = Some(Box::new(move |now| {
        answer(&store, &waiting, now, DOCUMENT);
    }));
    let answered = world.call(get(format!("{location}?wait=10"), &token));
    assert_eq!(
        (answered.status, answered.json["status"].as_str()),
        (200, Some("done"))
    );
    assert_eq!(world.ports.now.get() - began, 500);
}

#[test]
fn what_nobody_worked_on_for_an_hour_has_expired() {
    let world = World::new();
    let token = world.prod();
    let ask = || post("/v1/stacks/prod-1/check", &token, "").with("idempotency-key", "k");
    let queued = world.call(ask());
    let location = queued.header("location").to_owned();
    world.pass(RunRequest::LASTS_MS - 1);
    assert_eq!(world.call(get(&location, &token)).json["status"], "queued");
    world.pass(1);
    assert_eq!(world.call(get(&location, &token)).json["status"], "expired");
    assert_eq!(world.call(ask()).json["status"], "expired");
    assert_eq!(sent(&world).len(), 1, "it is not sent again");
}

#[test]
fn a_run_is_of_its_stack_alone() {
    let world = World::new();
    let all = world.token(&TokenScope::ALL, "*");
    let asked = world.call(post("/v1/stacks/hidden-stack/check", &all, ""));
    let elsewhere = format!("/v1/stacks/prod-1/runs/{}", id(&asked));
    world.call(get(&elsewhere, &all)).is(Kind::UnknownRun);
    world
        .call(get(asked.header("location"), &world.prod()))
        .is(Kind::WrongStack);
}

#[test]
fn holds_are_set_and_released() {
    let world = World::new();
    let token = world.prod();
    let body = r#"{"for": "2h", "reason": "a freeze"}"#;
    let held = world.call(post("/v1/stacks/prod-1/hold", &token, body));
    assert_eq!(held.status, 200);
    let hold = &held.json["holds"][0];
    assert_eq!(hold["actor"], "ci");
    assert_eq!(hold["reason"], "a freeze");
    assert!(hold["key"].is_null());
    let one = r#"{"for": "2h", "reason": "broken", "keys": ["prod-1-a"]}"#;
    let held = world.call(post("/v1/stacks/prod-1/hold", &token, one));
    assert_eq!(held.json["holds"][1]["key"], "kafka-topic/p/s/prod-1-a");
    // One that would end the same person's earlier is refused.
    let shorter = r#"{"for": "1h", "reason": "a freeze"}"#;
    world
        .call(post("/v1/stacks/prod-1/hold", &token, shorter))
        .is(Kind::Unusable);
    let status = world.call(get("/v1/stacks/prod-1", &token));
    assert_eq!(status.json["holds"].as_array().unwrap().len(), 2);
    let named = r#"{"keys": ["prod-1-a"]}"#;
    let released = world.call(post("/v1/stacks/prod-1/release", &token, named));
    assert_eq!(released.json["released"][0]["reason"], "broken");
    assert_eq!(released.json["holds"].as_array().unwrap().len(), 1);
    let released = world.call(post("/v1/stacks/prod-1/release", &token, ""));
    assert_eq!(released.json["released"][0]["reason"], "a freeze");
    // Again: nothing is held, and that is what was wanted.
    let again = world.call(post("/v1/stacks/prod-1/release", &token, ""));
    assert_eq!(
        (
            again.status,
            again.json["released"].as_array().unwrap().len()
        ),
        (200, 0)
    );
}

#[test]
fn holds_that_can_not_be_read_are_said_and_not_written_over() {
    let world = World::new();
    let token = world.prod();
    let condition = kedge_engine::ports::Condition::None;
    done(
        world
            .store
            .put("stacks/prod-1/hold.json", "{}".into(), condition),
    )
    .unwrap();
    let body = r#"{"for": "2h", "reason": "a freeze"}"#;
    let answered = world.call(post("/v1/stacks/prod-1/hold", &token, body));
    answered.is(Kind::Unusable);
    let next = answered.json["next"].as_str().unwrap();
    assert!(
        next.starts_with("on a command line: kedge hold --replace"),
        "{next}"
    );
    let seen = RefCell::new(0);
    for path in ["/v1/stacks/prod-1", "/v1/stacks/prod-1/runs"] {
        *seen.borrow_mut() += 1;
        let expected = if path.ends_with("runs") { 200 } else { 409 };
        assert_eq!(world.call(get(path, &token)).status, expected);
    }
    assert_eq!(seen.into_inner(), 2);
}
