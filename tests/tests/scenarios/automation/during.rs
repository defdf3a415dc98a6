//! What comes while a run has the stack is deployed after it, by a message that the run leaves behind
//! (semantics 8.6).

use std::cell::Cell;

use kedge_engine::DueScope;
use kedge_engine::ports::{Condition, PutOutcome, Store as _};
use kedge_service::upload::Upload;
use kedge_service::work::Work;
use kedge_tests::platform::Platform;
use kedge_tests::pushed::commit;
use kedge_tests::queue::Receipt;
use kedge_tests::stack::Stack;
use serde_json::json;

use super::http::Caller;
use super::messages::{apply, drift, send};
use super::{assert_settled, deployed, running};
use crate::scenarios::uploads;

/// Somebody uploads the stack's definitions, and another instance takes them over at once. What that one
/// sends is lost.
async fn uploads(stack: &Stack, other: &Platform) {
    let key = format!("upload/{}/definitions.zip", stack.name);
    let archive = uploads::archive(stack).into();
    let put = stack.ports.put(&key, archive, Condition::None).await;
    let Ok(PutOutcome::Written(version)) = put else {
        panic!("{put:?}");
    };
    let work = Upload::of(&key, version.etag).unwrap().work();
    let taken = other
        .service()
        .work(&work.encode(), &Receipt::default())
        .await;
    taken.unwrap();
    other.queue.lose_all();
}

async fn pushes(stack: &Stack, _: &Platform) {
    stack.pushes(&commit(2)).await.unwrap();
}

/// By whose authority the run works that has the stack.
#[derive(Clone, Copy)]
enum Run {
    Policy,
    /// Somebody asked for it over HTTP.
    Consent,
}

/// Something new comes so long after a run began that corrects a drift. Whether the run left a message, and
/// whether all was deployed without a tick.
fn comes_after(
    ms: u64,
    (stack, run): (&Stack, Run),
    new: impl AsyncFn(&Stack, &Platform),
) -> (bool, bool) {
    let mut stack = stack.fork();
    let (platform, other) = (Platform::over(&stack), Platform::over(&stack));
    drift(&stack);
    match run {
        Run::Policy => send(&platform, &apply(&stack)),
        Run::Consent => {
            let caller = Caller::new(&stack.ports);
            let digest = caller.previews(&platform, &stack);
            let body = json!({ "digest": digest });
            let asked = caller.asks(&platform, "fix1/up", Some(body), None);
            assert_eq!(asked.status, 202);
        }
    }
    stack.topics(&[
        ("a", "retention_ms: 3600000"),
        ("b", ""),
        ("c", ""),
        ("d", ""),
    ]);
    let executor = platform.ports.executor.clone();
    let is_over = Cell::new(false);
    platform.work_until(i64::MAX, 1, async || {
        if !is_over.replace(true) {
            executor.sleep(ms).await;
            new(&stack, &other).await;
        }
    });
    let of_run =
        |work: &Work| matches!(work, Work::Apply { because, .. } if because.starts_with("after "));
    let left = platform
        .queue
        .sent
        .borrow()
        .iter()
        .filter(|work| of_run(work))
        .count();
    assert!(left <= 1, "{left} messages");
    let is_there = || {
        platform
            .ports
            .sandbox
            .world()
            .to_string()
            .contains("fix1-d")
    };
    let deployed = is_there();
    platform.tick(DueScope::Due).unwrap().unwrap();
    platform.work(1);
    assert!(is_there(), "{ms} ms");
    assert_eq!(platform.ports.writes(), 2, "{ms} ms");
    assert_eq!(platform.queue.set_aside.borrow().len(), 0);
    assert_settled(&[stack], &platform);
    (left == 1, deployed)
}

fn comes_at_any_time(run: Run, new: impl AsyncFn(&Stack, &Platform)) {
    let stacks = deployed(&["fix1"]);
    let _ = running(&stacks);
    // State is written once a second, so a run takes some.
    let times = (0..30).chain((30..4_000).step_by(100));
    let found: Vec<(bool, bool)> = times
        .map(|ms| comes_after(ms, (&stacks[0], run), &new))
        .collect();
    let left = found.iter().filter(|(left, _)| *left).count();
    assert!(left > 5, "{found:?}");
    // What the run leaves a message for needs no tick, nor does what it saw itself: only what came later.
    let late = found.iter().position(|(_, deployed)| !deployed).unwrap();
    assert!(
        found[late..].iter().all(|one| *one == (false, false)),
        "{found:?}"
    );
    assert!(found[..late].iter().all(|(_, deployed)| *deployed));
    assert!(found[late - 1].0, "{found:?}");
}

#[test]
fn an_upload() {
    comes_at_any_time(Run::Policy, uploads);
}

#[test]
fn a_push() {
    comes_at_any_time(Run::Policy, pushes);
}

#[test]
fn a_push_while_somebody_deploys() {
    comes_at_any_time(Run::Consent, pushes);
}
