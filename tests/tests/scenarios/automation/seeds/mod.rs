//! Much happens at once, and the queue does what it likes, by seed. In the end the world is what definitions
//! and policies say, everybody has an answer, and nothing was done twice.

mod chaos;
mod verdict;

use std::collections::BTreeMap;

use kedge_engine::DueScope;
use kedge_tests::platform::{Platform, Trouble};
use kedge_tests::stack::Stack;

use self::chaos::Chaos;
use super::http::Caller;
use super::{assert_settled, deployed_with, running};

/// How many worlds are tried; more with `KEDGE_SEEDS`.
const SEEDS: u64 = 200;
/// How many ticks there are while all goes wrong.
const TICKS: usize = 8;
const TICK_EVERY_MS: i64 = 5 * 60_000;

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "how long a test repeats is said from outside"
)]
fn whatever_happens_and_whatever_the_queue_does() {
    let variable = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    let seeds = variable("KEDGE_SEEDS").unwrap_or(SEEDS);
    let stacks = deployed_with(
        &["fix1", "fix2", "see1"],
        &[
            ("a", "retention_ms: 3600000"),
            ("b", "retention_ms: 3600000"),
            ("e", "retention_ms: 3600000"),
        ],
    );
    let _ = running(&stacks);
    let mut happened = BTreeMap::new();
    let seeds = variable("KEDGE_SEED").map_or(0..seeds, |seed| seed..seed + 1);
    for seed in seeds {
        // A test that fails says where.
        let said = Seed(seed);
        for (what, times) in one_world(&stacks, seed) {
            *happened.entry(what).or_insert(0) += times;
        }
        drop(said);
    }
    println!("{happened:?}");
}

/// Says which seed it was when something fails.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {}: KEDGE_SEED={} tries it alone", self.0, self.0);
        }
    }
}

fn one_world(stacks: &[Stack], seed: u64) -> BTreeMap<&'static str, usize> {
    let ports = stacks[0].ports.fork_seeded(seed ^ 0x5eed_0000_0000_0000);
    let stacks = stacks.iter().map(|stack| Stack {
        ports: ports.clone(),
        ..stack.clone()
    });
    let chaos = Chaos::new(stacks.collect(), Caller::new(&ports), seed);
    if seed % 2 == 1 {
        chaos.platform.queue.keep_lines();
    }
    chaos.platform.trouble(Trouble {
        duplicates: 2 + seed % 4,
        drops: 3 + seed % 5,
        delays: 2 + seed % 3,
    });
    for _ in 0..TICKS {
        ticks(&chaos);
    }
    ends(&chaos);
    let mut happened = verdict::assert_as_it_should_be(&chaos);
    let stacks = chaos.stacks.borrow().clone();
    assert_settled(&stacks, &chaos.platform);
    happened.append(&mut chaos.happened.borrow_mut());
    happened
}

/// Things happen, there is a tick or two, and more happens while messages are worked on, until the next tick.
fn ticks(chaos: &Chaos) {
    let Chaos { platform, .. } = chaos;
    let executor = &platform.ports.executor;
    let next_ms = executor.now_ms() + TICK_EVERY_MS;
    for _ in 0..chaos.below(4) {
        let _cut_off = executor.run(chaos.happens());
    }
    for _ in 0..1 + u64::from(chaos.one_in(8)) {
        let _failed = platform.tick(DueScope::Due);
    }
    platform.work_until(next_ms, 3, async || {
        if chaos.one_in(3) {
            executor.sleep(chaos.below(300)).await;
            chaos.happens().await;
        }
    });
    executor.advance_ms((next_ms - executor.now_ms()).max(0));
}

/// All is well again: people repeat what they don't know to be done, and there are some ticks more.
fn ends(chaos: &Chaos) {
    chaos.calm();
    let platform: &Platform = &chaos.platform;
    let executor = &platform.ports.executor;
    let stacks = chaos.stacks.borrow().clone();
    for (at, stack) in stacks.iter().enumerate() {
        assert!(executor.run(chaos.releases(at)).unwrap());
        if chaos.wanted.borrow()[at].is_unsure {
            executor.run(chaos.push(at, stack)).unwrap();
            assert!(!chaos.wanted.borrow()[at].is_unsure);
        }
    }
    for _ in 0..4 {
        platform.tick(DueScope::Due).unwrap().unwrap();
        platform.work(3);
        executor.advance_ms(TICK_EVERY_MS);
    }
    executor.advance_ms(15 * 60_000);
}
