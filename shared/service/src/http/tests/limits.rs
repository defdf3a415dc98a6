//! Who asks too often is refused before the store is asked, and nobody pays for somebody else.

use super::super::problem::ProblemKind as Kind;
use super::world::{World, get, post};

#[test]
fn a_token_has_a_rate_of_its_own() {
    let world = World::new();
    let (one, other) = (world.prod(), world.prod());
    world.pass(60_000);
    let path = "/v1/stacks/prod-1";
    for _ in 0..100 {
        assert_eq!(world.call(get(path, &one)).status, 200);
    }
    let before = world.store.inner.operations();
    for _ in 0..100 {
        let answered = world.call(get(path, &one));
        answered.is(Kind::TooManyRequests);
        assert_eq!(answered.header("retry-after"), "1");
    }
    assert_eq!(world.store.inner.operations(), before);
    assert_eq!(world.call(get(path, &other)).status, 200);
    world.pass(100);
    assert_eq!(world.call(get(path, &one)).status, 200);
    world.call(get(path, &one)).is(Kind::TooManyRequests);
}

#[test]
fn who_guesses_shares_one_rate_and_takes_nothing_from_who_is_known() {
    let world = World::new();
    let known = world.prod();
    let id = known.split('_').nth(1).unwrap();
    world.pass(60_000);
    // With the id of a token that is good.
    let forged = format!("kdg_{id}_{:064x}", 7);
    for _ in 0..5 {
        world
            .call(get("/v1/stacks", &forged))
            .is(Kind::TokenRefused);
    }
    let before = world.store.inner.operations();
    for _ in 0..200 {
        world
            .call(get("/v1/stacks", &forged))
            .is(Kind::TooManyRequests);
        // What is no token costs the store nothing, so it has no rate.
        world
            .call(get("/v1/stacks", "").without("authorization"))
            .is(Kind::NoToken);
    }
    assert_eq!(world.store.inner.operations(), before);
    assert_eq!(world.call(get("/v1/stacks", &known)).status, 200);
}

/// The runs of a stack are made one after the other, so whoever asks for too many is told so.
#[test]
fn a_stack_takes_so_many_run_requests() {
    let world = World::new();
    let token = world.prod();
    let check = || post("/v1/stacks/prod-1/check", &token, "");
    for _ in 0..20 {
        assert_eq!(world.call(check()).status, 202);
    }
    let (before, sent) = (
        world.store.inner.operations().writes(),
        world.queue.sent.borrow().len(),
    );
    let refused = world.call(check());
    refused.is(Kind::TooManyRequests);
    assert_eq!(refused.header("retry-after"), "2");
    assert_eq!(world.store.inner.operations().writes(), before);
    assert_eq!(world.queue.sent.borrow().len(), sent);
    world.pass(2_000);
    assert_eq!(world.call(check()).status, 202);
}

/// A rate is not used up by what never comes to it.
#[test]
fn a_path_that_is_none_costs_nothing() {
    let world = World::new();
    let token = world.prod();
    for _ in 0..300 {
        world.call(get("/v1/nothing", &token)).is(Kind::NotFound);
        world
            .call(post("/v1/stacks", &token, ""))
            .is(Kind::WrongMethod);
    }
    assert_eq!(world.call(get("/v1/stacks", &token)).status, 200);
}
