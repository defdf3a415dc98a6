//! Connections, requests and time of a run are limited: none is exceeded, what does not fit is said before
//! it is begun, and what was done is recorded (semantics 8.9, 8.10). Here is what these tests share.

mod connections;
mod deadlines;
pub(super) mod estimates;
mod requests;

use kedge_core::live::FailureCode;
use kedge_core::model::ResourceKey;
use kedge_core::report::{Changed, Outcome, Report};
use kedge_core::state;
use kedge_core::stored::run::RunRecord;
use kedge_engine::{Applied, Budget, By, CheckRequest, Engine, RunError};
use kedge_tests::crowd::Crowd;
use kedge_tests::stack::{GMAIL, Invocation, PUBLISHER, Stack, Upped};

use super::leases::{LEASE, lease};

/// What a run is given.
#[derive(Debug, Clone, Copy)]
struct Limits {
    ms: i64,
    requests: Option<u64>,
    connections: usize,
}

const AMPLE: Limits = Limits {
    ms: 3_600_000,
    requests: None,
    connections: 6,
};

fn invocation(stack: &Stack, limits: Limits) -> Invocation {
    let budget = Budget::lasting(&stack.ports, limits.ms).connections(limits.connections);
    let budget = budget.unwrap();
    Invocation {
        budget: match limits.requests {
            Some(requests) => budget.requests(requests),
            None => budget,
        },
        ..stack.invocation()
    }
}

async fn applied(crowd: &Crowd, stack: &Stack, invocation: &Invocation, by: &By) -> Applied {
    let bundle = stack.set();
    let settings = stack.engine(&bundle, &stack.variables, invocation).settings;
    let engine = Engine::new(crowd, &crowd.store, settings);
    engine.apply(&stack.name, by).await
}

async fn upped(crowd: &Crowd, stack: &Stack, invocation: &Invocation, by: &By) -> Upped {
    let ended = applied(crowd, stack, invocation, by).await.into_result();
    ended.map(|ran| (ran.report, ran.changed))
}

async fn checked(
    crowd: &Crowd,
    stack: &Stack,
    invocation: &Invocation,
) -> Result<Report, RunError> {
    let bundle = stack.set();
    let settings = stack.engine(&bundle, &stack.variables, invocation).settings;
    let engine = Engine::new(crowd, &crowd.store, settings);
    let checked = engine.check(&stack.name, &CheckRequest::default()).await;
    checked.map(|checked| checked.report)
}

fn drive<T>(stack: &Stack, run: impl Future<Output = T>) -> T {
    stack.ports.executor.run(run).unwrap()
}

/// Many of each kind, none of which is there yet.
fn large(topics: usize, bound: usize) -> Stack {
    let mut stack = Stack::new();
    let policy = "correct: safe, deploy: disruptive, correct_after: 0";
    stack.project(policy, "{creates_max: 1000}", "[]");
    stack.many_topics(topics, "");
    let lines = |line: &dyn Fn(usize) -> String| (0..bound).map(line).collect::<String>();
    let of_topic = |number| format!("  - {{name: \"{{stack}}-p{number}\"}}\n");
    let of_binding = |number| {
        format!(
            "  - {{topic: \"{{stack}}-p{number}\", role: {PUBLISHER}, members: [\"{GMAIL}\"]}}\n"
        )
    };
    if bound > 0 {
        let text = format!(
            "topics:\n{}bindings:\n{}",
            lines(&of_topic),
            lines(&of_binding)
        );
        stack.file("area/pubsub.yaml", text);
    }
    stack
}

/// Something in three scopes, as it should be.
fn in_three_scopes() -> Stack {
    let mut stack = large(150, 4);
    stack.nodes(&[kedge_tests::stack::NODE]);
    stack.unattended();
    stack.wait_minutes(10);
    let _ = stack.check();
    stack.assert_settled();
    stack
}

fn failure_of(report: &Report, key: &ResourceKey) -> Option<(FailureCode, String)> {
    let failure = report.comparison.differences.get(key)?.failure.as_ref()?;
    Some((failure.code, failure.reason.clone()))
}

/// The record says what the run did, state knows the end of all of it, and nobody has the lease.
fn assert_recorded(stack: &Stack, changed: &Changed, limit: u64) {
    let is_not_begun = |outcome: &Outcome| match outcome {
        Outcome::NotBegun { reason } => {
            reason.starts_with("out of ") || reason.ends_with("was not made")
        }
        outcome => {
            assert_eq!(*outcome, Outcome::Done, "{limit}");
            false
        }
    };
    let left = changed
        .results
        .iter()
        .filter(|one| is_not_begun(&one.outcome));
    assert_eq!(left.count() > 0, changed.ran_out.is_some(), "{limit}");
    let key = format!("stacks/dev/runs/{}.json", changed.run);
    let record = stack.ports.store.text(&key);
    if record.is_empty() {
        // Nothing fitted, so nothing was begun, and no lease was taken.
        assert_eq!((changed.done(), stack.ports.writes()), (0, 0), "{limit}");
        assert!(!stack.ports.store.keys().contains(&LEASE.to_owned()));
        return;
    }
    let record = RunRecord::decode(record.as_bytes()).unwrap();
    assert_eq!(record.id, changed.run);
    assert!(lease(stack).released, "{limit}");
    let state = state::decode(stack.state_text().as_bytes(), &stack.name).unwrap();
    assert_eq!(state.applying, None, "{limit}");
}
