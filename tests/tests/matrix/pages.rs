//! A check under each fault of the requests that only larger worlds make: further pages of lists, a
//! further bulk read, and the single reads that take the place of bulk reads. All is as declared, so
//! whatever is made, deleted or called missing is wrong.

use kedge_core::compare::Verdict;
use kedge_core::report::{Report, StackVerdict};
use kedge_sandbox::{Effect, Options, Provider};
use kedge_tests::authority::Authorisation;
use kedge_tests::stack::{NODE, Stack, person};

use super::check::unknown;
use super::rules::{Read, Rule, read, rules};
use super::worlds::{names, others, standing};
use super::{Request, report, requests, same, up};

/// A clean stack in a world whose pages hold one item each.
fn paged(topics: usize) -> Stack {
    let mut stack = Stack::in_world(Options {
        page_max: Some(1),
        ..Options::default()
    });
    stack.project(
        "correct: safe, deploy: disruptive, correct_after: 0, on_missing: recreate, prune: true",
        "{creates_max: 1000}",
        "[]",
    );
    let stack = standing(stack);
    others(&stack);
    let mut stack = stack;
    stack.many_topics(topics, "");
    stack.mail("");
    stack.nodes(&[NODE]);
    let (_, changed) = stack.person(&["dev-a", "dev-b", "dev-b-dlq"]);
    assert!(changed.is_complete(), "{changed:?}");
    stack.wait_minutes(10);
    stack.assert_settled();
    stack
}

fn case(stack: Stack, request: &Request, rule: &Rule, calm: &Report) -> Result<(), String> {
    stack.ports.sandbox.add_fault(request.fault(rule, false));
    let found = stack.check();
    let Read::Unknown { code, .. } = read(request.provider, &request.target, rule) else {
        return same("the verdict", &found.verdict(), &calm.verdict());
    };
    same("the verdict", &found.verdict(), &StackVerdict::Incomplete)?;
    let mut count = 0;
    for (key, difference) in &found.comparison.differences {
        if difference.verdict != Verdict::Unknown {
            let before = calm.comparison.differences.get(key);
            same(&format!("{key}"), &Some(difference), &before)?;
            continue;
        }
        count += 1;
        same(
            "whose",
            &key.scope().provider().as_str(),
            &request.provider.as_str(),
        )?;
        unknown(request, code, difference).map_err(|wrong| format!("{key}: {wrong}"))?;
    }
    same("something is unknown", &(count > 0), &true)?;
    let (before, state) = (names(&stack.ports.sandbox.world()), stack.state_text());
    up(&stack, &Authorisation::Unattended)?;
    up(&stack, &person(&[]))?;
    same("the world", &names(&stack.ports.sandbox.world()), &before)?;
    same("the state", &stack.state_text(), &state)?;
    stack.ports.sandbox.clear_faults();
    let (last, changed) = up(&stack, &person(&[]))?;
    same("left to do", &changed.results.len(), &0)?;
    same("at last the verdict", &last.verdict(), &StackVerdict::Clean)
}

/// Every fault of each of these requests, in worlds with this trouble.
fn all_of(calm: &Stack, trouble: impl Fn(&Stack), wanted: impl Fn(&Request) -> bool, count: usize) {
    let troubled = || {
        let world = calm.fork();
        trouble(&world);
        world
    };
    let world = troubled();
    let calm = world.check();
    assert_eq!(calm.verdict(), StackVerdict::Clean);
    let mut requests = requests(&world.ports.sent.borrow(), 0);
    requests.retain(wanted);
    assert_eq!(requests.len(), count, "{requests:?}");
    let mut failures = Vec::new();
    let mut cases = 0;
    for request in &requests {
        let rules = rules(request.provider);
        for rule in rules.iter().filter(|rule| !rule.creates_only) {
            cases += 1;
            if let Err(wrong) = case(troubled(), request, rule, &calm) {
                failures.push(format!("{request} [{}]: {wrong}", rule.name));
            }
        }
    }
    report(cases, failures);
}

#[test]
fn further_pages() {
    let is_further = |request: &Request| {
        let target = &request.target;
        target.contains("pageToken=") || (target.contains("&page=") && !target.ends_with("page=1"))
    };
    // Two topics, two subscriptions, three records.
    all_of(&paged(2), |_| {}, is_further, 4);
}

#[test]
fn a_further_bulk_read() {
    let is_further =
        |request: &Request| request.method == "POST" && request.body.contains("dev-t100");
    all_of(&paged(101), |_| {}, is_further, 1);
}

#[test]
fn single_reads_in_place_of_a_bulk_read() {
    let not_implemented = |stack: &Stack| {
        let effect = Effect::Status {
            code: 501,
            retry_after_s: None,
            try_again_s: None,
            message: None,
            error_code: None,
        };
        stack.trouble(Provider::Aiven, "/v2/", effect);
    };
    let is_single = |request: &Request| request.target.contains("/topic/dev-");
    all_of(&paged(2), not_implemented, is_single, 2);
}
