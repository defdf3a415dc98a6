//! Two instances over one store, each with a queue of its own, at once.

use futures_util::future::join;
use kedge_core::report::StackVerdict;
use kedge_engine::DueScope;
use kedge_service::upload::Upload;
use kedge_tests::platform::{Platform, work_together};
use kedge_tests::stack::{Stack, describe};
use serde_json::json;

use super::http::Caller;
use super::messages::drift;
use super::{assert_settled, deployed, running};
use crate::scenarios::uploads;

/// Two stacks that drift, one with an upload, and one for which somebody asks.
fn at_once(stacks: &[Stack], seed: u64) {
    let ports = stacks[0].ports.fork_seeded(seed);
    let of = |stack: &Stack| Stack {
        ports: ports.clone(),
        ..stack.clone()
    };
    let mut stacks: Vec<Stack> = stacks.iter().map(of).collect();
    let platforms = [Platform::over(&stacks[0]), Platform::over(&stacks[0])];
    ports.latency_ms.set(1 + seed % 5);
    ports.jitter_ms.set(20);
    let caller = Caller::new(&ports);
    for stack in &stacks {
        drift(stack);
    }
    ports.sandbox.clear_requests();
    let digest = caller.previews(&platforms[0], &stacks[2]);
    stacks[0].topics(&[
        ("a", "retention_ms: 3600000"),
        ("b", ""),
        ("c", ""),
        ("d", ""),
    ]);
    let key = "upload/fix1/definitions.zip";
    uploads::put(&stacks[0], key, uploads::archive(&stacks[0]));
    let body = json!({"digest": digest});
    let asked = caller.asks(&platforms[1], "see1/up", Some(body), None);
    let id = asked.id().unwrap();
    // What was asked for is sent again a minute later.
    stacks[0].wait_minutes(1);
    // Both tick at the same moment, so both send everything; the one that is second to note it is told so.
    let [one, other] = &platforms;
    let (first, second) = (one.service(), other.service());
    let ticks = join(first.tick(DueScope::All), second.tick(DueScope::All));
    let (first, second) = ports.executor.run(ticks).unwrap();
    assert_eq!(first.unwrap(), second.unwrap());
    work_together(&[one, other], i64::MAX, 3, async || {});
    for platform in &platforms {
        assert_eq!(platform.queue.set_aside.borrow().len(), 0, "seed {seed}");
    }
    let applied = ports.sandbox.requests();
    let applied: Vec<&str> = applied
        .iter()
        .filter(|sent| sent.write && sent.applied)
        .map(|sent| sent.method.as_str())
        .collect();
    let count = |method: &str| applied.iter().filter(|one| **one == method).count();
    assert_eq!(
        (count("PUT"), count("POST")),
        (3, 1),
        "seed {seed}: {applied:?}"
    );
    let written = |key: &str| {
        let written = ports.store.written.borrow();
        written.iter().filter(|(one, _)| one == key).count()
    };
    let upload = Upload::of(key, ports.store.object(key).etag).unwrap();
    assert_eq!(written(&upload.result_key()), 1, "seed {seed}");
    assert_eq!(
        written(&format!("requests/{id}.answer.json")),
        1,
        "seed {seed}"
    );
    let run = caller.run(one, &stacks[2], &id);
    assert_eq!(run["status"], "done", "seed {seed}: {run:#}");
    all_clean(&stacks, &platforms);
}

/// In the end every stack is clean, and stays so.
fn all_clean(stacks: &[Stack], platforms: &[Platform]) {
    stacks[0].wait_minutes(20);
    for stack in stacks {
        let report = stack.check();
        assert_eq!(
            report.verdict(),
            StackVerdict::Clean,
            "{}",
            describe(&report)
        );
    }
    for platform in platforms {
        assert_settled(stacks, platform);
    }
}

#[test]
fn two_instances_do_everything_once() {
    let stacks = deployed(&["fix1", "fix2", "see1"]);
    let _ = running(&stacks);
    for seed in 0..12 {
        at_once(&stacks, seed);
    }
}
