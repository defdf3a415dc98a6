//! Groups of stacks by what their checks take. That an estimate is right is shown against worlds, in the
//! behaviour tests.

use super::*;
use crate::reads::{Batches, count};

fn stack(number: usize) -> StackName {
    StackName::new(&format!("s{number}")).unwrap()
}

/// A stack with so many topics in the shared service, and so many policies in a project of its own.
fn of(number: usize, topics: usize, policies: usize) -> (StackName, Estimate) {
    let service = Scope::KafkaService {
        project: "p".to_owned(),
        service: "s".to_owned(),
    };
    let project = Scope::GcpProject {
        project: format!("p{number}"),
    };
    let kafka = Reads {
        lists: 1,
        batches: Batches {
            names: count(topics),
            size: 100,
        },
        own: 0,
    };
    let pubsub = Reads {
        lists: 2,
        own: count(policies),
        ..Reads::default()
    };
    let estimate = Estimate {
        store: STORE_READS,
        reserve: 6,
        scopes: [(listed_as(&service), kafka), (listed_as(&project), pubsub)].into(),
    };
    (stack(number), estimate)
}

#[test]
fn stacks_that_share_a_service_fill_its_batches_together() {
    // Three times 40 topics: a list and two batches, not three.
    let three = (0..3).map(|number| of(number, 40, 0).1);
    let all = three.fold(Estimate::default(), |sum, one| sum.and(&one));
    let projects = 3 * 2;
    assert_eq!(all.requests(), 3 * STORE_READS + projects + 1 + 2);
    // Whoever is added to a batch that is not full adds nothing but its own.
    let more = all.and(&of(3, 80, 0).1);
    assert_eq!(more.requests(), all.requests() + STORE_READS + 2);
    let more = all.and(&of(3, 81, 0).1);
    assert_eq!(more.requests(), all.requests() + STORE_READS + 2 + 1);
}

#[test]
fn a_scope_that_stacks_share_is_listed_once() {
    let (one, two) = (of(1, 60, 0).1, of(2, 60, 4).1);
    assert_eq!((one.requests(), two.requests()), (3 + 2 + 2, 3 + 2 + 6));
    let both = one.and(&two);
    // Two times the store, one list, a bulk read for each, and two projects.
    assert_eq!(both.requests(), 6 + 1 + 2 + 2 + 6);
    assert_eq!(both.limit(), both.requests() + 12);
}

#[test]
fn a_group_fits_under_its_limit() {
    let stacks: Vec<_> = (0..40).map(|number| of(number, 30, number % 7)).collect();
    for limit in [1, 20, 50, 100, 1_000] {
        let groups = groups(&stacks, limit);
        let all: Vec<StackName> = groups.concat();
        assert_eq!(
            all,
            stacks.iter().map(|(s, _)| s.clone()).collect::<Vec<_>>()
        );
        for group in &groups {
            let members = stacks.iter().filter(|(stack, _)| group.contains(stack));
            let estimate = members.fold(Estimate::default(), |sum, (_, one)| sum.and(one));
            assert!(estimate.limit() <= limit || group.len() == 1, "{limit}");
        }
        let expected = match limit {
            1 => 40,
            1_000 => 1,
            _ => groups.len(),
        };
        assert_eq!(groups.len(), expected);
    }
}
