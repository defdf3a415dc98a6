//! `/healthz`: no tick, a late tick, late checks, and what could not be read, each by its name.

use kedge_core::stored::index::Index;
use kedge_engine::DueScope;
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

fn tick(world: &World) {
    done(world.service().tick(DueScope::Due)).unwrap();
}

fn set(world: &World, key: &str, bytes: impl Into<bytes::Bytes>) {
    done(world.store.put(key, bytes.into(), Condition::None)).unwrap();
}

/// Changes the registry behind everybody's back.
fn edit(world: &World, edit: impl Fn(&mut Index)) {
    let index = done(world.store.get("stacks/index.json")).unwrap().unwrap();
    let mut index = Index::decode(&index.bytes).unwrap();
    edit(&mut index);
    set(world, "stacks/index.json", index.encode().unwrap());
}

#[test]
fn ticks_that_do_not_come() {
    let world = World::new();
    is(&world, &["no-tick"]);
    assert_eq!(ask(&world).json["stacks"], json!(null));
    tick(&world);
    is(&world, &[]);
    world.pass(14 * MINUTE_MS);
    is(&world, &[]);
    is(&world, &["late-tick"]);
    tick(&world);
    is(&world, &[]);
    assert_eq!(ask(&world).json["stacks"], 2);
}

/// Three times 15 minutes, and 15 minutes more; one that was never looked at counts from when a tick saw it.
#[test]
fn checks_that_do_not_come() {
    let world = World::new();
    tick(&world);
    world.pass(59 * MINUTE_MS);
    tick(&world);
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
    // Ticks find out.
    is(&world, &["late-checks"]);
    tick(&world);
    is(&world, &[]);
    world.pass(58 * MINUTE_MS);
    world.checked("prod-1", world.now(), "clean");
    tick(&world);
    is(&world, &[]);
    world.pass(MINUTE_MS);
    is(&world, &["late-checks"]);
    assert_eq!(ask(&world).json["late_stacks"], 1);
}

/// Whatever becomes of what is remembered, a stack that nobody looks at is late in the end.
#[test]
fn nothing_makes_it_look_well_for_ever() {
    for what in ["nothing", "damaged", "lost", "anew", "interval"] {
        let world = World::new();
        tick(&world);
        world.checked("prod-1", world.now(), "clean");
        world.checked(HIDDEN, world.now(), "clean");
        let mut was_late = false;
        for minute in 1..=70 {
            world.pass(MINUTE_MS);
            match (what, minute) {
                ("damaged", _) => set(&world, "stacks/prod-1/watch.json", "{"),
                // Where the schedule is lost, the next tick asks about all.
                ("lost", 40) => set(&world, "schedule.json", "{"),
                ("anew", _) => world.checked(HIDDEN, world.now(), "clean"),
                ("interval", 1) => edit(&world, |index| {
                    let every = kedge_core::model::CheckEvery::of_ms(5 * MINUTE_MS).unwrap();
                    index.stacks.get_mut(&name("prod-1")).unwrap().check_every = every;
                }),
                _ => {}
            }
            tick(&world);
            let late = ask(&world).json["late_stacks"].as_u64().unwrap();
            let expected = match what {
                "interval" => u64::from(minute > 30) + u64::from(minute > 60),
                "anew" => u64::from(minute > 60),
                _ => 2 * u64::from(minute > 60),
            };
            assert_eq!(late, expected, "{what} after {minute} minutes");
            was_late |= late > 0;
        }
        assert!(was_late, "{what}");
    }
}

/// A retired stack is not checked any more.
#[test]
fn retired_stacks_do_not_count() {
    let world = World::new();
    tick(&world);
    edit(&world, |index| {
        index.stacks.get_mut(&name("prod-1")).unwrap().retired = true;
    });
    world.pass(120 * MINUTE_MS);
    world.checked(HIDDEN, world.now(), "clean");
    tick(&world);
    is(&world, &[]);
    assert_eq!(ask(&world).json["stacks"], 1);
    let shown = world.call(get("/v1/stacks/prod-1", &world.prod()));
    assert_eq!(shown.json["stack"]["retired"], true);
}

#[test]
fn what_can_not_be_read_is_another_thing() {
    let world = World::new();
    tick(&world);
    is(&world, &[]);
    world.store.hook.is_on.set(true);
    is(&world, &["unreadable"]);
    let answered = ask(&world);
    assert_eq!(answered.json["stacks"], json!(null));
    assert_eq!(answered.json["last_tick_at"], json!(null));
    world.store.hook.is_on.set(false);
    is(&world, &[]);
    set(&world, "schedule.json", "{");
    is(&world, &["unreadable"]);
}

#[test]
fn the_answer_is_kept_so_that_asking_costs_nothing() {
    let world = World::new();
    tick(&world);
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
    // One object, however many stacks there are.
    let after = world.store.inner.operations();
    assert_eq!((after.gets, after.lists), (before.gets + 1, before.lists));
}

/// Where requests are limited, a tick asks about some stacks, and the next one about others.
#[test]
fn a_tick_leaves_requests_for_what_it_is_for() {
    let world = World::new();
    edit(&world, |index| {
        let entry = index.stacks[&name("prod-1")].clone();
        for number in 0..20 {
            index
                .stacks
                .insert(name(&format!("s{number}")), entry.clone());
        }
    });
    let mut service = world.service();
    service.settings.limits.requests = Some(40);
    let mut reads = Vec::new();
    for _ in 0..4 {
        let before = world.store.inner.operations().gets;
        done(service.tick(DueScope::Due)).unwrap();
        reads.push(world.store.inner.operations().gets - before);
    }
    // Registry and schedule, and of 22 stacks ten, ten and two.
    assert_eq!(reads, [12, 12, 4, 2]);
}

/// 40 stacks that are checked each quarter of an hour, and ticks each minute, for a day.
#[test]
fn ticks_ask_about_a_stack_now_and_then() {
    const STACKS: u64 = 40;
    let world = World::new();
    edit(&world, |index| {
        let entry = index.stacks[&name("prod-1")].clone();
        index.stacks.clear();
        for number in 0..STACKS {
            index
                .stacks
                .insert(name(&format!("s{number}")), entry.clone());
        }
    });
    tick(&world);
    let before = world.store.inner.operations().gets;
    for minute in 1..=24 * 60_u64 {
        world.pass(MINUTE_MS);
        for number in (0..STACKS).filter(|number| (minute + number) % 15 == 0) {
            world.checked(&format!("s{number}"), world.now(), "clean");
        }
        tick(&world);
        assert_eq!(ask(&world).json["problems"], json!([]));
    }
    let reads = world.store.inner.operations().gets - before;
    // Registry and schedule of each tick, the schedule of each question, and each stack every 35 minutes at most.
    let others = 24 * 60 * 3;
    let of_stacks = reads - others;
    assert!(of_stacks < STACKS * 24 * 60 / 35, "{of_stacks}");
    assert!(of_stacks > STACKS * 24 * 60 / 60, "{of_stacks}");
}
