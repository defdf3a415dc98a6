//! A provider's account allows so many requests a minute: a check waits for its turn, over ticks too.

use kedge_core::providers::ProviderName;
use kedge_engine::DueScope;
use kedge_service::work::Work;
use kedge_tests::platform::Platform;

use super::{assert_settled, deployed, running};

/// When the checks that were sent may begin.
fn begins(platform: &Platform) -> Vec<i64> {
    let sent = platform.queue.sent.borrow();
    let begins = sent.iter().filter_map(|work| match work {
        Work::Check { not_before, .. } => Some(not_before.0),
        _ => None,
    });
    begins.collect()
}

/// When Aiven was asked.
fn asked(platform: &Platform) -> Vec<i64> {
    let sent = platform.ports.sent.borrow();
    let aiven = sent
        .iter()
        .filter(|sent| sent.provider == ProviderName::Aiven);
    aiven.map(|sent| sent.at_ms).collect()
}

#[test]
fn a_check_waits_for_those_of_the_tick_before() {
    let stacks = deployed(&["fix1", "see1"]);
    let mut platform = running(&stacks);
    platform.requests_per_minute = [(ProviderName::Aiven, 1)].into();
    // What was missed is made up for. Then until it is their turn; the next one is 14 to 15 minutes later.
    platform.tick(DueScope::Due).unwrap().unwrap();
    platform.queue.sent.borrow_mut().clear();
    while begins(&platform).is_empty() {
        stacks[0].wait_minutes(1);
        platform.tick(DueScope::Due).unwrap().unwrap();
    }
    platform.work(1);
    stacks[0].wait_minutes(14);
    platform.queue.sent.borrow_mut().clear();
    platform.ports.clear_sent();
    let began_ms = platform.ports.executor.now_ms();
    platform.tick(DueScope::All).unwrap().unwrap();
    stacks[0].wait_minutes(1);
    platform.tick(DueScope::Due).unwrap().unwrap();
    let begins = begins(&platform);
    let [first, second] = begins.as_slice() else {
        panic!("{begins:?}");
    };
    // A check of both makes two requests to Aiven, which are two minutes of its account.
    assert!(
        (0..10).contains(&(first - began_ms)),
        "{}",
        first - began_ms
    );
    assert_eq!(second - first, 120_000);
    platform.work(4);
    let asked = asked(&platform);
    assert_eq!(asked.len(), 4, "{asked:?}");
    assert!(asked[1] < *second && asked[2] >= *second, "{asked:?}");
    assert_eq!(platform.queue.later.borrow().len(), 1);
    assert_eq!(platform.queue.set_aside.borrow().len(), 0);
    assert_settled(&stacks, &platform);
}
