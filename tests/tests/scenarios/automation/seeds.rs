//! Any trouble of the queue, by seed: in the end the world is as the policy says.

use kedge_core::report::StackVerdict;
use kedge_engine::DueScope;
use kedge_tests::platform::Trouble;
use kedge_tests::stack::describe;
use serde_json::json;

use super::{assert_settled, deployed, running};
use crate::scenarios::set_config;

/// How many worlds are tried; more with `KEDGE_SEEDS`.
const SEEDS: u64 = 40;

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "how long a test repeats is said from outside"
)]
fn whatever_the_queue_does() {
    let seeds = std::env::var("KEDGE_SEEDS").ok();
    let seeds = seeds.and_then(|text| text.parse().ok()).unwrap_or(SEEDS);
    let stacks = deployed(&["fix1", "fix2", "see1"]);
    let _ = running(&stacks);
    for seed in 0..seeds {
        whatever_it_does(&stacks, seed);
    }
}

fn whatever_it_does(stacks: &[kedge_tests::stack::Stack], seed: u64) {
    let first = stacks[0].fork();
    for _ in 0..seed {
        let _ = first.ports.executor.next_u64();
    }
    let forks: Vec<_> = stacks
        .iter()
        .map(|stack| kedge_tests::stack::Stack {
            ports: first.ports.clone(),
            ..stack.clone()
        })
        .collect();
    let platform = kedge_tests::platform::Platform::over(&first);
    platform.trouble(Trouble {
        duplicates: 2 + seed % 4,
        drops: 3 + seed % 5,
        delays: 2 + seed % 3,
    });
    set_config(&first, "fix1-a", json!({"retention_ms": 1_800_000}));
    set_config(&first, "see1-a", json!({"retention_ms": 1_800_000}));
    for tick in 0..12 {
        if tick == 3 {
            set_config(&first, "fix2-b", json!({"retention_ms": 1_800_000}));
        }
        platform.tick(DueScope::Due).unwrap().unwrap();
        platform.work(3);
        first.wait_minutes(5);
    }
    platform.trouble(Trouble::default());
    platform.tick(DueScope::All).unwrap().unwrap();
    platform.work(3);
    first.wait_minutes(20);
    let found: Vec<_> = forks.iter().map(|stack| stack.check()).collect();
    let verdicts: Vec<_> = found.iter().map(|report| report.verdict()).collect();
    let expected = [
        StackVerdict::Clean,
        StackVerdict::Clean,
        StackVerdict::Drifted,
    ];
    assert_eq!(verdicts, expected, "seed {seed} {}", describe(&found[0]));
    assert_eq!(platform.queue.set_aside.borrow().len(), 0, "seed {seed}");
    assert_settled(&forks, &platform);
}
