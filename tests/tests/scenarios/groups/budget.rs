//! Requests that do not reach for all: who gets them, and what is said to the others.

use std::collections::BTreeSet;

use kedge_core::ran_out::RanOut;
use kedge_core::report::StackVerdict;
use kedge_engine::Estimate;
use kedge_sandbox::Provider;
use kedge_tests::stack::{GMAIL, PUBLISHER, Stack, describe};
use serde_json::json;

use super::super::budgets::estimates::estimate_of;
use super::{
    NAMES, assert_clean, deed, deployed, fault, forked, given, group_over, old_cache, pushed,
    quoted, report, status,
};

/// Stacks whose shares differ: the policies of `p0` to `p2` for each.
fn of_two_scopes() -> Vec<Stack> {
    let stacks = deployed(|stack| {
        stack.many_topics(60, "");
        let lines = |line: &dyn Fn(usize) -> String| (0..3).map(line).collect::<String>();
        let of_topic = |number| format!("  - {{name: \"{{stack}}-p{number}\"}}\n");
        let of_binding = |number| {
            format!(
                "  - {{topic: \"{{stack}}-p{number}\", role: {PUBLISHER}, members: [\"{GMAIL}\"]}}\n"
            )
        };
        let (topics, bindings) = (lines(&of_topic), lines(&of_binding));
        let text = format!("topics:\n{topics}bindings:\n{bindings}");
        stack.file("area/pubsub.yaml", text);
    });
    pushed(stacks)
}

fn estimated(stacks: &[Stack]) -> Estimate {
    let all = stacks.iter().map(estimate_of);
    all.fold(Estimate::default(), |sum, one| sum.and(&one))
}

/// How a group ends under a limit: which stacks are whole, and what the first one that is not lacks.
fn under(stacks: &[Stack], limit: u64) -> (Vec<bool>, Option<u64>) {
    let given = given(&stacks[0], Some(limit));
    let checked = group_over(stacks, &stacks[0].ports, &given);
    assert!(given.budget.spent() <= limit);
    let mut lacks = None;
    let is_whole = |name: &&str| {
        let report = report(&checked, name);
        match report.ran_out {
            None => {
                assert_eq!(
                    report.verdict(),
                    StackVerdict::Clean,
                    "{}",
                    describe(report)
                );
                true
            }
            Some(RanOut::Requests { needs, left }) => {
                assert_eq!(report.verdict(), StackVerdict::Incomplete);
                lacks.get_or_insert(needs - left);
                false
            }
            Some(RanOut::Time) => panic!("there is time"),
        }
    };
    (NAMES.iter().map(is_whole).collect(), lacks)
}

#[test]
fn a_group_is_whole_under_its_estimate_and_says_what_it_lacks_below() {
    let stacks = of_two_scopes();
    let estimate = estimated(&stacks);
    // Three reads of the store for each; a list and two batches of topics, two lists of Pub/Sub and nine
    // policies.
    assert_eq!(estimate.requests(), 9 + 1 + 2 + 2 + 9);
    let full = estimate.limit();
    assert_eq!(under(&stacks, full), (vec![true; 3], None));
    let mut counts = BTreeSet::new();
    for limit in full - 14..full {
        let (whole, lacks) = under(&stacks, limit);
        let lacks = lacks.unwrap();
        counts.insert(whole.iter().filter(|whole| **whole).count());
        // With what the first one lacks it is whole, and with one less it is not.
        let first = whole.iter().position(|whole| !whole).unwrap();
        assert!(under(&stacks, limit + lacks).0[first], "{limit} {lacks}");
        assert!(
            !under(&stacks, limit + lacks - 1).0[first],
            "{limit} {lacks}"
        );
    }
    assert_eq!(counts, [0, 1, 2].into());
}

#[test]
fn what_one_stack_needs_beyond_its_share_is_not_taken_from_the_others() {
    let gone = |stack: &Stack| {
        deed(stack, json!({"do": "delete_topic", "topic": "s0-t007"}));
        stack.wait_minutes(15);
    };
    let refused = |stack: &Stack| {
        stack.trouble(Provider::Pubsub, "/s0-p1:getIamPolicy", status(503));
    };
    let stacks = of_two_scopes();
    let full = estimated(&stacks).limit();
    let trouble: [&dyn Fn(&Stack); 2] = [&gone, &refused];
    for (number, trouble) in trouble.iter().enumerate() {
        let stacks = forked(&stacks, trouble);
        let given = given(&stacks[0], Some(full));
        let checked = group_over(&stacks, &stacks[0].ports, &given);
        assert_clean(&checked, &["s1", "s2"], &number.to_string());
        let verdict = report(&checked, "s0").verdict();
        assert_eq!(verdict, StackVerdict::Incomplete, "{number}");
        assert!(given.budget.spent() <= full);
    }
    // To ask for a batch again that another stack spoilt takes more than the estimate. What can't be asked
    // again is unknown for want of requests; whom the batch does not hold is whole all the same.
    let spoilt = |stack: &Stack| {
        let fault = fault("/v2/", &quoted("s0-t007"), old_cache(), None);
        stack.ports.sandbox.add_fault(fault);
    };
    for (more, whole) in [(0, ["s2"].as_slice()), (20, ["s1", "s2"].as_slice())] {
        let stacks = forked(&stacks, &spoilt);
        let given = given(&stacks[0], Some(full + more));
        let checked = group_over(&stacks, &stacks[0].ports, &given);
        assert_clean(&checked, whole, &more.to_string());
        let told = describe(report(&checked, "s1"));
        let is_told = told.contains("out of requests: needs 1 request, 0 are left");
        assert_eq!(is_told, more == 0, "{told}");
    }
}
