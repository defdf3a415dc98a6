//! A bucket may delete what is old: runs, copies of state, uploads, requests. All goes on without them.

use kedge_core::report::StackVerdict;
use kedge_engine::{DueScope, Query};
use kedge_tests::platform::Platform;
use kedge_tests::stack::{Stack, describe};
use serde_json::json;

use super::http::Caller;
use super::messages::drift;
use super::{assert_settled, deployed, running};
use crate::scenarios::uploads;

/// What the lifecycle rules of `docs/serve.md` delete.
fn is_old(key: &str) -> bool {
    let parts: Vec<&str> = key.split('/').collect();
    matches!(
        parts.as_slice(),
        ["stacks", _, "runs" | "state", ..] | ["upload" | "requests", ..]
    )
}

/// All of it is gone. How many objects that were.
fn expires(platform: &Platform) -> usize {
    let store = &platform.ports.store;
    let keys: Vec<String> = store.keys().into_iter().filter(|key| is_old(key)).collect();
    keys.iter().for_each(|key| store.remove(key));
    keys.len()
}

/// How many runs history has of a stack.
fn runs(stack: &Stack) -> usize {
    let query = Query {
        most: 50,
        ..Query::default()
    };
    let found = stack.ports.executor.run(stack.history(&query)).unwrap();
    let history = kedge_engine::documents::history(&stack.name, &found);
    let history = serde_json::to_value(history).unwrap();
    assert_eq!(history["unread"], json!([]));
    history["runs"].as_array().unwrap().len()
}

fn with(stack: &mut Stack, added: &[&str]) {
    let mut topics = vec![("a", "retention_ms: 3600000"), ("b", ""), ("c", "")];
    topics.extend(added.iter().map(|name| (*name, "")));
    stack.topics(&topics);
}

fn uploads_it(stack: &Stack) {
    stack.wait_minutes(1);
    let key = format!("upload/{}/definitions.zip", stack.name);
    uploads::put(stack, &key, uploads::archive(stack));
}

/// Ticks and works for half an hour.
fn goes_on(platform: &Platform, stacks: &[Stack]) {
    for _ in 0..6 {
        platform.tick(DueScope::Due).unwrap().unwrap();
        platform.work(2);
        stacks[0].wait_minutes(5);
    }
}

fn assert_clean(stacks: &[Stack]) {
    for stack in stacks {
        let report = stack.check();
        assert_eq!(
            report.verdict(),
            StackVerdict::Clean,
            "{}",
            describe(&report)
        );
    }
}

#[test]
fn all_goes_on_when_what_is_old_has_expired() {
    let mut stacks = deployed(&["fix1", "fix2"]);
    let platform = running(&stacks);
    let caller = Caller::new(&platform.ports);
    // A correction, an upload and a request, of which everything is there.
    drift(&stacks[0]);
    with(&mut stacks[1], &["d"]);
    uploads_it(&stacks[1]);
    let body = || Some(json!({}));
    let asked = caller.asks(&platform, "fix1/check", body(), Some("k"));
    goes_on(&platform, &stacks);
    assert_clean(&stacks);
    assert_eq!(platform.ports.writes(), 2);
    assert_eq!(stacks.iter().map(runs).collect::<Vec<_>>(), [2, 2]);
    stacks[0].wait_minutes(24 * 60);
    assert!(expires(&platform) > 10);
    // Nothing is done again, and history says what is left.
    goes_on(&platform, &stacks);
    assert_eq!(platform.ports.writes(), 2);
    assert_clean(&stacks);
    assert_eq!(stacks.iter().map(runs).collect::<Vec<_>>(), [0, 0]);
    // Who asks for what is gone is told so; the key that stood for it stands for a new request.
    let path = format!("fix1/runs/{}", asked.id().unwrap());
    assert_eq!(caller.asks(&platform, &path, None, None).status, 404);
    let again = caller.asks(&platform, "fix1/check", body(), Some("k"));
    assert_eq!(again.status, 202);
    assert_ne!(again.id(), asked.id());
    // Corrections, uploads and runs go on.
    drift(&stacks[0]);
    with(&mut stacks[1], &["d", "e"]);
    uploads_it(&stacks[1]);
    goes_on(&platform, &stacks);
    let run = caller.run(&platform, &stacks[0], &again.id().unwrap());
    assert_eq!(run["status"], "done");
    assert_eq!(platform.ports.writes(), 4);
    assert_clean(&stacks);
    assert_eq!(stacks.iter().map(runs).collect::<Vec<_>>(), [1, 1]);
    assert_eq!(platform.queue.set_aside.borrow().len(), 0);
    assert_settled(&stacks, &platform);
}

/// An object may go at any moment: also what is needed in the next one.
#[test]
fn what_expires_in_the_midst_of_it_is_made_up_for() {
    let stacks = deployed(&["fix1", "see1"]);
    let _ = running(&stacks);
    for after_ms in (0..40).step_by(3).chain((40..3_000).step_by(400)) {
        let ports = stacks[0].ports.fork();
        let of = |stack: &Stack| Stack {
            ports: ports.clone(),
            ..stack.clone()
        };
        let mut stacks: Vec<Stack> = stacks.iter().map(of).collect();
        let platform = Platform::over(&stacks[0]);
        let caller = Caller::new(&ports);
        drift(&stacks[0]);
        drift(&stacks[1]);
        let digest = caller.previews(&platform, &stacks[1]);
        with(&mut stacks[0], &["d"]);
        uploads_it(&stacks[0]);
        let body = json!({"digest": digest});
        let asked = caller.asks(&platform, "see1/up", Some(body), None);
        assert_eq!(asked.status, 202);
        stacks[0].wait_minutes(1);
        platform.tick(DueScope::Due).unwrap().unwrap();
        let is_over = std::cell::Cell::new(false);
        platform.work_until(i64::MAX, 2, async || {
            if !is_over.replace(true) {
                ports.executor.sleep(after_ms).await;
                expires(&platform);
            }
        });
        goes_on(&platform, &stacks);
        // An upload or a request that went before anybody read it is nobody's work any more.
        let writes = platform.ports.writes();
        assert!((1..=3).contains(&writes), "{after_ms} ms: {writes}");
        assert_eq!(
            stacks[0].check_stored().unwrap().verdict(),
            StackVerdict::Clean
        );
        assert_eq!(platform.queue.set_aside.borrow().len(), 0, "{after_ms} ms");
        assert_settled(&stacks, &platform);
    }
}
