//! What a check takes is estimated before, and stacks are cut into groups that fit.

use std::collections::BTreeMap;

use kedge_core::definitions::{ParseInput, parse};
use kedge_core::model::Salt;
use kedge_core::report::StackVerdict;
use kedge_core::state;
use kedge_engine::{CheckRequest, Engine, Estimate, estimate, groups};
use kedge_tests::crowd::Crowd;
use kedge_tests::stack::{Stack, describe, stack_name};

use super::{AMPLE, Limits, checked, drive, invocation, large};

/// What its check takes, by its definitions and state as they are now.
pub(crate) fn estimate_of(stack: &Stack) -> Estimate {
    let bundle = stack.set();
    let salt = Salt([0; 16]);
    let declared = parse(&ParseInput {
        bundle: &bundle,
        stack: &stack.name,
        overrides: &BTreeMap::new(),
        salt: &salt,
    });
    let state = state::decode(stack.state_text().as_bytes(), &stack.name).ok();
    estimate(&declared.unwrap(), state.as_ref())
}

#[test]
fn an_estimate_is_no_less_than_what_a_clean_check_takes_and_at_most_twice_that() {
    for (topics, bound, nodes) in [
        (0, 0, 1),
        (1, 0, 0),
        (0, 1, 0),
        (100, 0, 0),
        (101, 3, 2),
        (250, 20, 0),
        (730, 45, 12),
    ] {
        let mut stack = large(topics, bound);
        let node = |number: usize| {
            format!("name: n{number}, ips: [192.0.2.1], domain: n{number}.clustera.io")
        };
        let nodes: Vec<String> = (0..nodes).map(node).collect();
        stack.nodes(&nodes.iter().map(String::as_str).collect::<Vec<_>>());
        stack.unattended();
        stack.wait_minutes(10);
        let _ = stack.check();
        let crowd = Crowd::over(&stack.ports);
        let given = invocation(&stack, AMPLE);
        let report = drive(&stack, checked(&crowd, &stack, &given)).unwrap();
        assert_eq!(report.verdict(), StackVerdict::Clean);
        let (real, estimated) = (given.budget.spent(), estimate_of(&stack).requests());
        let what = format!("{topics} {bound} {nodes:?}: {real} of {estimated}");
        assert!(real <= estimated && estimated <= 2 * real, "{what}");
        // Under the limit that it gives, the check is whole.
        let requests = Some(estimate_of(&stack).limit());
        let given = invocation(&stack, Limits { requests, ..AMPLE });
        let report = drive(&stack, checked(&crowd, &stack, &given)).unwrap();
        assert_eq!(report.verdict(), StackVerdict::Clean, "{what}");
    }
}

/// Stacks `s0` and on that share a service and a project, each as it should be.
fn group(count: usize) -> Vec<Stack> {
    let mut first = large(30, 2);
    let names: Vec<_> = (0..count)
        .map(|number| stack_name(&format!("s{number}")))
        .collect();
    for name in &names {
        first.name = name.clone();
        first.config("");
    }
    let stacks: Vec<Stack> = names
        .iter()
        .map(|name| Stack {
            name: name.clone(),
            ..first.clone()
        })
        .collect();
    for stack in &stacks {
        stack.unattended();
    }
    first.wait_minutes(10);
    for stack in &stacks {
        assert_eq!(stack.check().verdict(), StackVerdict::Clean);
    }
    stacks
}

#[test]
fn a_group_cut_by_its_estimate_is_checked_whole_under_its_limit() {
    let stacks = group(7);
    let names = stacks.iter().map(|stack| stack.name.clone());
    let all: Vec<_> = names.zip(stacks.iter().map(estimate_of)).collect();
    for limit in [50, 100, 1_000] {
        let mut cut = groups(&all, limit);
        assert_eq!(cut.concat().len(), 7);
        if limit == 1_000 {
            assert_eq!(cut.len(), 1);
            // What it says, and no more: lists are read once.
            cut.truncate(1);
        }
        for group in cut {
            let members = all.iter().filter(|(name, _)| group.contains(name));
            let estimate = members.fold(Estimate::default(), |sum, (_, one)| sum.and(one));
            assert!(estimate.limit() <= limit, "{limit}: {group:?}");
            let stack = &stacks[0];
            let crowd = Crowd::over(&stack.ports);
            stack.ports.clear_sent();
            let requests = Some(estimate.limit());
            let given = invocation(stack, Limits { requests, ..AMPLE });
            let bundle = stack.set();
            let settings = stack.engine(&bundle, &stack.variables, &given).settings;
            let engine = Engine::new(&crowd, &crowd.store, settings);
            let request = CheckRequest::default();
            let checked = drive(stack, engine.check_group(&group, &request));
            for (name, checked) in checked.checks {
                let report = checked.unwrap().report;
                assert_eq!(
                    report.verdict(),
                    StackVerdict::Clean,
                    "{name}: {}",
                    describe(&report)
                );
            }
            // Each is counted where it is made, and only there.
            assert_eq!(crowd.requests.made.get(), given.budget.spent());
            let real = given.budget.spent();
            assert!(
                real <= estimate.requests() && estimate.requests() <= 2 * real,
                "{real}"
            );
            assert!(crowd.requests.under_way.most.get() <= 6);
            let lists = stack.ports.sent.borrow();
            let lists = lists
                .iter()
                .filter(|sent| sent.path.contains("/subscriptions?"));
            assert_eq!(lists.count(), 1, "{limit}: {group:?}");
        }
    }
}
