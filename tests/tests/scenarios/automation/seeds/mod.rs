//! Much happens at once, and the queue does what it likes, by seed. In the end the world is what definitions
//! and policies say, everybody has an answer, and nothing was done twice.

mod chaos;
mod verdict;

use std::collections::BTreeMap;

use kedge_engine::DueScope;
use kedge_tests::platform::{Platform, Trouble, work_together};
use kedge_tests::stack::Stack;

use self::chaos::Chaos;
use super::http::Caller;
use super::{assert_settled, deployed_with, running};

/// How many worlds are tried; more with `KEDGE_SEEDS`.
const SEEDS: u64 = 200;
/// How many ticks there are while all goes wrong.
const TICKS: usize = 12;
const TICK_EVERY_MS: i64 = 5 * 60_000;

/// What has to happen somewhere, or the worlds are too tame.
const HAPPENS: [&str; 19] = [
    "check done",
    "correction",
    "cut off",
    "drift",
    "hold",
    "lost event",
    "preview done",
    "provider fault",
    "push",
    "set aside",
    "store fault",
    "up",
    "up done",
    "up failed",
    "up refused",
    "upload",
    "upload out of date",
    "upload stored",
    "upload unchanged",
];

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
    let tried = seeds.end - seeds.start;
    for seed in seeds {
        // A test that fails says where.
        let said = Seed(seed);
        for (what, times) in one_world(&stacks, seed) {
            *happened.entry(what).or_insert(0) += times;
        }
        drop(said);
    }
    println!("{happened:?}");
    if tried >= SEEDS {
        for what in HAPPENS {
            assert!(happened.contains_key(what), "{what} never happened");
        }
    }
}

/// Says which seed it was when something fails.
struct Seed(u64);

#[expect(
    clippy::print_stderr,
    reason = "what failed before this has no seed to name"
)]
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
    for platform in &chaos.platforms {
        if seed % 2 == 1 {
            platform.queue.keep_lines();
        }
        platform.trouble(Trouble {
            duplicates: 2 + seed % 4,
            drops: 3 + seed % 5,
            delays: 2 + seed % 3,
        });
    }
    for _ in 0..TICKS {
        ticks(&chaos);
    }
    ends(&chaos);
    let mut happened = verdict::assert_as_it_should_be(&chaos);
    let stacks = chaos.stacks.borrow().clone();
    for platform in &chaos.platforms {
        assert_settled(&stacks, platform);
    }
    happened.append(&mut chaos.happened.borrow_mut());
    happened
}

/// Things happen, there is a tick or two, and more happens while messages are worked on, until the next tick.
fn ticks(chaos: &Chaos) {
    let executor = &chaos.ports.executor;
    let next_ms = executor.now_ms() + TICK_EVERY_MS;
    for _ in 0..chaos.below(4) {
        cut_off(chaos, executor.run(chaos.happens()).is_err().into());
    }
    for _ in 0..1 + u64::from(chaos.one_in(8)) {
        let ticked = chaos.platform().tick(DueScope::Due);
        cut_off(chaos, ticked.is_err().into());
    }
    let platforms: Vec<&Platform> = chaos.platforms.iter().collect();
    let crashes = work_together(&platforms, next_ms, 3, async || {
        if chaos.one_in(3) {
            executor.sleep(chaos.below(300)).await;
            chaos.happens().await;
        }
    });
    cut_off(chaos, crashes);
    executor.advance_ms((next_ms - executor.now_ms()).max(0));
}

fn cut_off(chaos: &Chaos, times: usize) {
    (0..times).for_each(|_| chaos.count("cut off"));
}

/// All is well again: people repeat what they don't know to be done, and there are some ticks more.
fn ends(chaos: &Chaos) {
    chaos.calm();
    let executor = &chaos.ports.executor;
    let platforms: Vec<&Platform> = chaos.platforms.iter().collect();
    let stacks = chaos.stacks.borrow().clone();
    for (at, stack) in stacks.iter().enumerate() {
        assert!(executor.run(chaos.releases(at)).unwrap());
        if chaos.wanted.borrow()[at].is_unsure {
            executor.run(chaos.push(at, stack)).unwrap();
            assert!(!chaos.wanted.borrow()[at].is_unsure);
        }
    }
    for _ in 0..4 {
        chaos.platform().tick(DueScope::Due).unwrap().unwrap();
        work_together(&platforms, i64::MAX, 3, async || {});
        executor.advance_ms(TICK_EVERY_MS);
    }
    executor.advance_ms(15 * 60_000);
}
