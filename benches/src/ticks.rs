//! Automation of many stacks: what a tick sends and asks, and a week of ticks.
//!
//! In virtual time, in the world of the behaviour tests, with answers that take 50 ms. Counts and virtual
//! times mean something here; the memory is that of the world too.

use std::collections::BTreeMap;

use kedge_core::model::{StackName, StackVerdict};
use kedge_core::providers::ProviderName;
use kedge_engine::DueScope;
use kedge_sandbox::{Effect, Fault, Matches, Options, Provider};
use kedge_service::work::Work;
use kedge_tests::platform::Platform;
use kedge_tests::pushed::commit;
use kedge_tests::stack::{AIVEN_PROJECT, GCP_PROJECT, Stack, ZONE};

use crate::Failure;
use crate::measure::{mib, peak_kib};
use crate::table::Table;

const STACKS: usize = 500;
const SERVICES: usize = 20;
/// What each answer takes.
const ANSWER_MS: u64 = 50;
/// Messages that are worked on side by side, as `kedge serve` does unless it is told otherwise.
const SIDE_BY_SIDE: usize = 4;
/// What a provider's account allows, in the second table.
const PER_MINUTE: u64 = 300;
/// How many stacks a week is counted for.
const STACKS_OF_WEEK: usize = 50;
const MINUTES_OF_WEEK: i64 = 7 * 24 * 60;
const TICK_MINUTES: i64 = 5;

/// Prints all of it.
pub(crate) fn run() -> Result<(), Failure> {
    one_tick()?;
    with_a_rate()?;
    a_week()
}

/// So many stacks that were deployed long ago, over the services one after the other.
fn deployed(stacks: usize) -> Result<(Stack, Platform), Failure> {
    let service = |number: usize| format!("kafka-{number:02}");
    let services = (0..SERVICES).map(|number| (AIVEN_PROJECT.to_owned(), service(number)));
    let mut stack = Stack::in_world(Options {
        more_services: services.collect(),
        ..Options::default()
    });
    stack.by_stored = true;
    stack.policy("correct: safe, deploy: safe, correct_after: 0");
    stack.topics(&[
        ("a", "retention_ms: 3600000"),
        ("b", ""),
        ("c", ""),
        ("d", ""),
    ]);
    stack.mail("");
    for number in 0..stacks {
        let name = format!("s{number:03}");
        let service = service(number % SERVICES);
        stack.files.retain(|path, _| !path.starts_with("stacks/"));
        stack.name = StackName::new(&name)?;
        stack.file(
            &format!("stacks/{name}.yaml"),
            format!(
                "config:\n  test:aiven_project: {AIVEN_PROJECT}\n  test:kafka_service: {service}\n  \
                 test:gcp_project: {GCP_PROJECT}\n  test:cloudflare_zone_id: {ZONE}\n  \
                 test:nodes:\n    - {{name: {name}, ips: [192.0.2.1], domain: {name}.clustera.io}}\n"
            ),
        );
        stack.push(&commit(1));
        let _ = stack.person(&[]);
    }
    stack.wait_minutes(60);
    stack.ports.latency_ms.set(ANSWER_MS);
    let platform = Platform::over(&stack);
    // The first one of all checks everything; counting begins after it.
    platform.tick(DueScope::All).map_err(|_| "a crash")??;
    platform.work(SIDE_BY_SIDE);
    stack.wait_minutes(60);
    forget(&platform);
    Ok((stack, platform))
}

fn forget(platform: &Platform) {
    platform.ports.clear_sent();
    platform.queue.sent.borrow_mut().clear();
}

/// How often each service was listed, and how many groups have stacks of it.
fn lists(platform: &Platform) -> (usize, usize) {
    let sent = platform.ports.sent.borrow();
    let is_list = |path: &str| path.starts_with("/v1/project/") && path.ends_with("/topic");
    let lists = sent.iter().filter(|one| !one.write && is_list(&one.path));
    let lists = lists.filter(|one| one.method == "GET").count();
    let groups = platform.queue.sent.borrow();
    let services = groups.iter().map(|work| match work {
        Work::Check { stacks, .. } => {
            let number = |stack: &StackName| stack.as_str().get(1..)?.parse::<usize>().ok();
            let services = stacks
                .iter()
                .filter_map(number)
                .map(|number| number % SERVICES);
            services.collect::<std::collections::BTreeSet<_>>().len()
        }
        _ => 0,
    });
    (lists, services.sum())
}

fn one_tick() -> Result<(), Failure> {
    let (stack, platform) = deployed(STACKS)?;
    let began_ms = stack.ports.executor.now_ms();
    platform.tick(DueScope::All).map_err(|_| "a crash")??;
    let messages = platform.queue.sent.borrow().len();
    platform.work(SIDE_BY_SIDE);
    let took_ms = stack.ports.executor.now_ms() - began_ms;
    let reads = |name| platform.ports.counts(name).0.to_string();
    let (lists, shared) = lists(&platform);
    let mut table = Table::new(&[
        "stacks",
        "services",
        "messages",
        "s until all were checked",
        "Aiven",
        "Pub/Sub",
        "Cloudflare",
        "lists of topics",
        "services in the groups",
        "peak MiB",
    ]);
    table.row(vec![
        STACKS.to_string(),
        SERVICES.to_string(),
        messages.to_string(),
        format!("{}.{}", took_ms / 1_000, took_ms % 1_000 / 100),
        reads(ProviderName::Aiven),
        reads(ProviderName::Pubsub),
        reads(ProviderName::Cloudflare),
        lists.to_string(),
        shared.to_string(),
        mib(peak_kib("self")),
    ]);
    table.print(&format!(
        "4a. One tick in which every stack is due: messages, requests, and virtual time with {ANSWER_MS} ms per answer"
    ));
    Ok(())
}

/// How many stacks were incomplete when they were looked at last.
fn incomplete(stack: &Stack) -> Result<usize, Failure> {
    let (overrides, invocation) = (BTreeMap::new(), stack.invocation());
    let engine = stack.engine_stored(&overrides, &invocation);
    let standings = stack.run(engine.standings(None, STACKS, &|_| true))?;
    let verdicts = standings
        .iter()
        .map(|one| one.last_check.map(|(_, verdict)| verdict));
    Ok(verdicts
        .filter(|verdict| *verdict == Some(StackVerdict::Incomplete))
        .count())
}

fn with_a_rate() -> Result<(), Failure> {
    let (stack, mut platform) = deployed(STACKS)?;
    let providers = [Provider::Aiven, Provider::Pubsub, Provider::Cloudflare];
    for provider in providers {
        let matches = Matches {
            provider: Some(provider),
            ..Matches::default()
        };
        let effect = Effect::Rate {
            per_minute: PER_MINUTE,
        };
        stack.ports.sandbox.add_fault(Fault {
            matches,
            ..Fault::always(effect)
        });
    }
    platform.requests_per_minute = ProviderName::ALL.map(|name| (name, PER_MINUTE)).into();
    let mut table = Table::new(&[
        "tick",
        "minutes",
        "429 answers",
        "incomplete stacks",
        "set aside",
    ]);
    for tick in 1..=4 {
        forget(&platform);
        let began_ms = stack.ports.executor.now_ms();
        platform.tick(DueScope::All).map_err(|_| "a crash")??;
        platform.work(SIDE_BY_SIDE);
        let took_ms = stack.ports.executor.now_ms() - began_ms;
        let sent = platform.ports.sent.borrow();
        let refused = sent.iter().filter(|one| one.status == Some(429)).count();
        drop(sent);
        table.row(vec![
            tick.to_string(),
            (took_ms / 60_000).to_string(),
            refused.to_string(),
            incomplete(&stack)?.to_string(),
            platform.queue.set_aside.borrow().len().to_string(),
        ]);
        stack.wait_ms((15 * 60_000 - took_ms).max(0));
    }
    table.print(&format!(
        "4b. The same where each provider allows {PER_MINUTE} requests a minute, every stack due at each tick"
    ));
    Ok(())
}

fn a_week() -> Result<(), Failure> {
    let (stack, platform) = deployed(STACKS_OF_WEEK)?;
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut add = |what, count| *counts.entry(what).or_default() += count;
    let (reads, writes) = (
        stack.ports.store.reads.get(),
        stack.ports.store.writes.get(),
    );
    for _ in 0..MINUTES_OF_WEEK / TICK_MINUTES {
        forget(&platform);
        let began_ms = stack.ports.executor.now_ms();
        let ticked = platform.tick(DueScope::Due).map_err(|_| "a crash")??;
        add("messages", platform.queue.sent.borrow().len());
        platform.work(SIDE_BY_SIDE);
        add("ticks", 1);
        add("checks", ticked.checks);
        add("requests", platform.ports.sent.borrow().len());
        let took_ms = stack.ports.executor.now_ms() - began_ms;
        stack.wait_ms((TICK_MINUTES * 60_000 - took_ms).max(0));
    }
    let store = |now: usize, before: usize| (now - before).to_string();
    let of = |what: &str| counts.get(what).copied().unwrap_or_default().to_string();
    let mut table = Table::new(&[
        "stacks",
        "ticks",
        "messages",
        "checks",
        "requests to providers",
        "store reads",
        "store writes",
    ]);
    table.row(vec![
        STACKS_OF_WEEK.to_string(),
        of("ticks"),
        of("messages"),
        of("checks"),
        of("requests"),
        store(stack.ports.store.reads.get(), reads),
        store(stack.ports.store.writes.get(), writes),
    ]);
    table.print("4c. A week of ticks every 5 minutes, clean stacks checked every 15 minutes");
    Ok(())
}
