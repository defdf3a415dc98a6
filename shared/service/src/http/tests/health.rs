//! `/healthz`: no tick, a late tick, late checks, and what could not be read, each by its name.

use kedge_core::model::Timestamp;
use kedge_core::stored::index::Index;
use kedge_core::stored::schedule::Schedule;
use kedge_engine::ports::{Condition, Store as _};
use serde_json::json;

use super::Answered;
use super::world::{HIDDEN, NOW, World, done, get, name};

const MINUTE_MS: i64 = 60_000;

fn ask(world: &World) -> Answered {
    let answered = world.call(get("/healthz", "").without("authorization"));
    let text = answered.json.to_string();
    assert!(!text.contains("prod-1") && !text.contains(HIDDEN), "{text}");
    answered
}

#[track_caller]
fn is(world: &World, problems: &[&str]) {
    // Half a minute later nothing is remembered.
    world.pass(30_000);
    let answered = ask(world);
    assert_eq!(answered.json["problems"], json!(problems));
    let status = if problems.is_empty() { 200 } else { 503 };
    assert_eq!(answered.status, status);
}

fn tick(world: &World, at: Timestamp) {
    let schedule = Schedule {
        ticked_at: at,
        ..Schedule::default()
    };
    let bytes = schedule.encode().unwrap();
    done(
        world
            .store
            .put("schedule.json", bytes.into(), Condition::None),
    )
    .unwrap();
}

#[test]
fn ticks_that_do_not_come() {
    let world = World::new();
    is(&world, &["no-tick"]);
    tick(&world, world.now());
    is(&world, &[]);
    world.pass(14 * MINUTE_MS);
    is(&world, &[]);
    is(&world, &["late-tick"]);
    tick(&world, world.now());
    is(&world, &[]);
}

/// Three times 15 minutes, and 15 minutes more; one that was never looked at counts from its push.
#[test]
fn checks_that_do_not_come() {
    let world = World::new();
    world.pass(59 * MINUTE_MS);
    tick(&world, world.now());
    is(&world, &[]);
    is(&world, &[]);
    is(&world, &["late-checks"]);
    let answered = ask(&world);
    assert_eq!(
        (&answered.json["stacks"], &answered.json["late_stacks"]),
        (&json!(2), &json!(2))
    );
    world.checked("prod-1", world.now(), "clean");
    world.checked(HIDDEN, world.now(), "incomplete");
    is(&world, &[]);
    world.pass(60 * MINUTE_MS);
    tick(&world, world.now());
    world.checked("prod-1", world.now(), "clean");
    is(&world, &["late-checks"]);
    assert_eq!(ask(&world).json["late_stacks"], 1);
}

/// A retired stack is not checked any more.
#[test]
fn retired_stacks_do_not_count() {
    let world = World::new();
    let index = done(world.store.get("stacks/index.json")).unwrap().unwrap();
    let mut index = Index::decode(&index.bytes).unwrap();
    index.stacks.get_mut(&name("prod-1")).unwrap().retired = true;
    let bytes = index.encode().unwrap();
    done(
        world
            .store
            .put("stacks/index.json", bytes.into(), Condition::None),
    )
    .unwrap();
    world.pass(120 * MINUTE_MS);
    tick(&world, world.now());
    world.checked(HIDDEN, world.now(), "clean");
    is(&world, &[]);
    assert_eq!(ask(&world).json["stacks"], 1);
    let shown = world.call(get("/v1/stacks/prod-1", &world.prod()));
    assert_eq!(shown.json["stack"]["retired"], true);
}

#[test]
fn what_can_not_be_read_is_another_thing() {
    let world = World::new();
    tick(&world, NOW);
    is(&world, &[]);
    world.store.fails.set(true);
    is(&world, &["unreadable"]);
    let answered = ask(&world);
    assert_eq!(answered.json["stacks"], json!(null));
    assert_eq!(answered.json["last_tick_at"], json!(null));
    world.store.fails.set(false);
    is(&world, &[]);
}

#[test]
fn the_answer_is_kept_so_that_asking_costs_nothing() {
    let world = World::new();
    tick(&world, NOW);
    assert_eq!(ask(&world).status, 200);
    let before = world.store.inner.operations();
    world.pass(29_999);
    for _ in 0..1_000 {
        assert_eq!(ask(&world).status, 200);
    }
    assert_eq!(world.store.inner.operations(), before);
    assert_eq!(ask(&world).json["looked_at"], NOW.to_string());
    world.pass(1);
    ask(&world);
    assert!(world.store.inner.operations().gets > before.gets);
}
