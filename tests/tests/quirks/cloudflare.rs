//! Cloudflare DNS.

use kedge_core::live::FailureCode;
use kedge_sandbox::{Effect, Provider};
use kedge_tests::stack::{Stack, difference, results};

use super::{fault, stand};

fn stack(node: &str) -> Stack {
    let mut stack = Stack::new();
    stack.topics(&[]);
    stack.nodes(&[&format!("name: n1, {node}")]);
    stack
}

#[test]
fn a_proxied_record_has_no_ttl_of_its_own() {
    let stack = stack("domain: n1.clustera.io, ips: [203.0.113.1], ttl: 300, proxied: true");
    stand(&stack);
    let world = stack.ports.sandbox.world().to_string();
    assert!(world.contains("\"ttl\":1"), "{world}");
    stack.assert_settled();
}

#[test]
fn names_and_addresses_come_back_in_another_form() {
    let stack = stack("domain: N1.Clustera.IO, ips: [\"2001:0DB8:0:0::1\"]");
    stand(&stack);
    let world = stack.ports.sandbox.world().to_string();
    assert!(
        world.contains("n1.clustera.io") && world.contains("2001:db8::1"),
        "{world}"
    );
    stack.assert_settled();
}

#[test]
fn more_than_a_batch_takes_is_refused_before_it_is_sent() {
    let ips: Vec<String> = (0..201)
        .map(|number| format!("10.0.{}.{}", number / 200, number % 200))
        .collect();
    let stack = stack(&format!(
        "domain: n1.clustera.io, ips: [{}]",
        ips.join(", ")
    ));
    let (_, changed) = stack.unattended();
    assert_eq!(results(&changed), ["create n1.clustera.io/A blocked"]);
    assert_eq!(stack.ports.writes(), 0);
}

#[test]
fn a_spent_budget_is_waited_out_by_its_header() {
    let stack = stack("domain: n1.clustera.io, ips: [192.0.2.1]");
    fault(
        &stack,
        Provider::Cloudflare,
        "/dns_records",
        Effect::BudgetSpent { reset_s: 30 },
        1,
    );
    let began_ms = stack.ports.executor.now_ms();
    stack.unattended();
    assert!(stack.ports.executor.now_ms() - began_ms >= 30_000);
    stack.assert_settled();
    // Longer than the run: nothing is waited for, and nothing is known.
    stack.trouble(
        Provider::Cloudflare,
        "",
        Effect::BudgetSpent { reset_s: 299 },
    );
    let began_ms = stack.ports.executor.now_ms();
    let report = stack.check();
    let took = stack.ports.executor.now_ms() - began_ms;
    // Only retries without a hint, and their jitter.
    assert!(took < 5_000, "{took}");
    let failure = difference(&report, "n1.clustera.io").failure.clone();
    assert_eq!(failure.map(|one| one.code), Some(FailureCode::RateLimited));
}
