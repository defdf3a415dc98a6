//! Connections, requests and time of a run are limited: none is exceeded, what does not fit is said before
//! it is begun, and what was done is recorded (semantics 8.9, 8.10).

use std::collections::BTreeMap;

use futures_util::future::{join, join_all};
use kedge_core::definitions::{ParseInput, parse};
use kedge_core::live::FailureCode;
use kedge_core::model::{ResourceKey, Salt, Scope};
use kedge_core::ran_out::RanOut;
use kedge_core::report::{Changed, Outcome, Report, StackVerdict};
use kedge_core::state;
use kedge_core::stored::run::RunRecord;
use kedge_engine::{
    Applied, Budget, By, CheckRequest, Consent, Engine, Estimate, LAST_REQUEST_BEFORE_DEADLINE_MS,
    RunError, estimate, groups,
};
use kedge_sandbox::{Effect, Provider};
use kedge_tests::crowd::Crowd;
use kedge_tests::stack::{GMAIL, Invocation, PUBLISHER, Stack, Upped, carried, shown, stack_name};

use super::leases::{LEASE, lease, short};
use super::set_config;

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
    let engine = Engine::new(crowd, crowd, settings);
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
    let engine = Engine::new(crowd, crowd, settings);
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

// --- connections

#[test]
fn no_more_is_under_way_than_there_are_connections() {
    for connections in 2..=6 {
        let stack = large(340, 12);
        stack.ports.latency_ms.set(400);
        stack.ports.jitter_ms.set(300);
        let limits = Limits {
            connections,
            ..AMPLE
        };
        let given = invocation(&stack, limits);
        let crowd = Crowd::over(&stack.ports);
        let run = upped(&crowd, &stack, &given, &By::Policy);
        let (_, changed) = drive(&stack, run).unwrap();
        assert_eq!(changed.done(), 364, "{connections}");
        assert_eq!(crowd.most.get(), connections);
        assert_eq!(given.budget.most_under_way(), connections);
        // None goes another way.
        assert_eq!(crowd.made.get(), given.budget.spent());

        stack.wait_minutes(10);
        let crowd = Crowd::over(&stack.ports);
        let given = invocation(&stack, limits);
        let report = drive(&stack, checked(&crowd, &stack, &given)).unwrap();
        assert_eq!(report.verdict(), StackVerdict::Clean, "{}", shown(&report));
        assert_eq!(crowd.most.get(), connections);
        assert_eq!(crowd.made.get(), given.budget.spent());
        stack.ports.latency_ms.set(1);
        stack.ports.jitter_ms.set(0);
        stack.assert_settled();
    }
}

#[test]
fn a_renewal_is_sent_in_time_though_a_bulk_of_requests_queues() {
    for connections in 2..=6 {
        let stack = large(12, 0);
        stack.ports.latency_ms.set(4_000);
        let given = invocation(
            &stack,
            Limits {
                connections,
                ..AMPLE
            },
        );
        let crowd = Crowd::over(&stack.ports);
        // Others of the same invocation keep the queue full, from when the lease is taken.
        let bulk = async {
            while stack.ports.store.text(LEASE).is_empty() {
                stack.ports.executor.sleep(100).await;
            }
            let bundle = stack.set();
            let settings = stack.engine(&bundle, &stack.variables, &given).settings;
            let engine = Engine::new(&crowd, &crowd, settings);
            let other = stack_name("other");
            let reads = (0..60).map(|_| engine.is_known(&other));
            join_all(reads).await;
        };
        let run = upped(&crowd, &stack, &given, &By::Policy);
        let (upped, ()) = drive(&stack, join(run, bulk));
        let (_, changed) = upped.unwrap();
        assert_eq!(changed.done(), 12, "{connections}: {changed:?}");
        assert_eq!(crowd.most.get(), connections);
        let written = stack.ports.store.written.borrow();
        let renewals = written.iter().filter(|(key, _)| key == LEASE);
        let at: Vec<i64> = renewals.map(|(_, at)| *at).collect();
        assert!(at.len() > 3, "{connections}: {at:?}");
        // A quarter of a lease, the next look whether it is due, and its own two answers.
        let late = at
            .windows(2)
            .find(|pair| pair[1] - pair[0] > 15_000 + 3_000 + 8_000);
        assert_eq!(late, None, "{connections}: {at:?}");
        drop(written);
        stack.ports.latency_ms.set(1);
        stack.wait_minutes(10);
        stack.assert_settled();
    }
}

// --- requests

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

#[test]
fn a_check_reads_the_scopes_that_fit_and_says_what_all_need() {
    let stack = in_three_scopes();
    let crowd = Crowd::over(&stack.ports);
    let given = invocation(&stack, AMPLE);
    let report = drive(&stack, checked(&crowd, &stack, &given)).unwrap();
    assert_eq!(report.ran_out, None);
    let enough = given.budget.spent();
    // State and watch; a list and two bulk reads; two lists and four policies; a page.
    assert_eq!(enough, 2 + 3 + 6 + 1);
    let mut unread_of = Vec::new();
    for limit in 0..enough + 10 {
        let crowd = Crowd::over(&stack.ports);
        let limits = Limits {
            requests: Some(limit),
            ..AMPLE
        };
        stack.ports.clear_sent();
        let given = invocation(&stack, limits);
        let report = drive(&stack, checked(&crowd, &stack, &given));
        assert!(crowd.made.get() <= limit, "{limit}");
        let report = match report {
            Ok(report) => report,
            Err(error) => {
                // Not even state can be read, and read again, and the holds.
                assert!(limit < 4, "{limit}: {error:?}");
                continue;
            }
        };
        let sent = stack.ports.sent.borrow();
        let mut unread: Vec<Scope> = Vec::new();
        for (key, difference) in &report.comparison.differences {
            let Some(failure) = &difference.failure else {
                continue;
            };
            assert_eq!(failure.code, FailureCode::OutOfRequests, "{limit} {key}");
            let said = format!("out of requests: needs 10 requests, {} ", free(limit));
            assert!(failure.reason.starts_with(&said), "{limit} {failure:?}");
            unread.push(key.scope().clone());
        }
        unread.dedup();
        let verdict = match unread.len() {
            0 => StackVerdict::Clean,
            _ => StackVerdict::Incomplete,
        };
        assert_eq!(report.verdict(), verdict, "{limit}: {}", shown(&report));
        let ran_out = RanOut::Requests {
            needs: 10,
            left: free(limit),
        };
        assert_eq!(report.ran_out, (!unread.is_empty()).then_some(ran_out));
        // Nothing is asked of what is not read.
        let kafka = sent.iter().any(|sent| sent.path.contains("/service/"));
        let is_unread = unread
            .iter()
            .any(|one| matches!(one, Scope::KafkaService { .. }));
        assert!(!(kafka && is_unread), "{limit}");
        unread_of.push(unread.len());
    }
    // Fewer and fewer, down to none.
    assert!(unread_of.is_sorted_by(|a, b| a >= b), "{unread_of:?}");
    assert_eq!((unread_of.first(), unread_of.last()), (Some(&3), Some(&0)));
    let failure = failure_of(
        &report,
        report.comparison.differences.keys().next().unwrap(),
    );
    assert_eq!(failure, None);
}

/// What is left for reads of providers: without state, watch, and what is held back.
fn free(limit: u64) -> u64 {
    limit.saturating_sub(2).saturating_sub(6)
}

#[test]
fn an_up_begins_only_what_fits_and_records_what_it_did() {
    let mut done = Vec::new();
    for limit in 0..75 {
        let stack = Stack::small();
        let crowd = Crowd::over(&stack.ports);
        let limits = Limits {
            requests: Some(limit),
            ..AMPLE
        };
        let given = invocation(&stack, limits);
        let run = upped(&crowd, &stack, &given, &By::Policy);
        let ended = drive(&stack, run);
        assert!(crowd.made.get() <= limit, "{limit}");
        let begun = stack.ports.writes();
        match &ended {
            Ok((_, changed)) => {
                done.push(changed.done());
                assert_eq!(changed.stopped, None, "{limit}");
                assert!(begun >= changed.done(), "{limit}");
                assert_recorded(&stack, changed, limit);
            }
            // It could not look: it reached for nothing.
            Err(error) => {
                assert_eq!(begun, 0, "{limit}: {error:?}");
                assert!(limit < 10, "{limit}: {}", short(&ended));
            }
        }
        // What is left is done by a run that has more.
        stack.wait_minutes(10);
        stack.unattended();
        stack.wait_minutes(10);
        let _ = stack.check();
        stack.assert_settled();
    }
    assert_eq!((done.first(), done.last()), (Some(&0), Some(&7)));
    // Some in between comes about: not all or nothing.
    let kinds: std::collections::BTreeSet<usize> = done.into_iter().collect();
    assert!(kinds.len() > 2, "{kinds:?}");
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

#[test]
fn what_needs_more_than_is_left_says_so() {
    let stack = Stack::small();
    stack.unattended();
    stack.wait_minutes(90);
    let _ = stack.check();
    set_config(&stack, "dev-a", serde_json::json!({"retention_ms": 1000}));
    // State, watch, holds and lease; a list and a bulk read; two lists and a policy; a page.
    let looks = 4 + 2 + 3 + 1;
    let held_back = 3 + 9 + 16;
    for limit in [looks + held_back, looks + held_back + 2] {
        let stack = stack.fork();
        let crowd = Crowd::over(&stack.ports);
        let requests = Some(limit);
        let given = invocation(&stack, Limits { requests, ..AMPLE });
        let run = upped(&crowd, &stack, &given, &By::Policy);
        let (report, changed) = drive(&stack, run).unwrap();
        let outcomes: Vec<_> = changed.results.iter().map(|one| &one.outcome).collect();
        let (needs, left) = (1, 0);
        match changed.ran_out {
            Some(ran_out) => {
                assert_eq!(ran_out, RanOut::Requests { needs, left });
                let reason = "out of requests: needs 1 request, 0 are left".to_owned();
                assert_eq!(outcomes, [&Outcome::NotBegun { reason }]);
                assert_eq!(stack.ports.writes(), 0);
                assert_eq!(report.exit_code_after(&changed), 1);
            }
            None => assert_eq!(outcomes, [&Outcome::Done], "{limit}"),
        }
        assert_eq!(changed.ran_out.is_some(), limit == looks + held_back);
    }
}

#[test]
fn a_composite_is_begun_only_if_all_of_it_fits() {
    let mut stack = Stack::new();
    stack.policy("correct: disruptive, deploy: disruptive, correct_after: 0, on_missing: recreate");
    let stack = stack.with_small();
    stack.unattended();
    stack.wait_minutes(90);
    let deletion = serde_json::json!({"do": "delete_pubsub_topic", "topic": "dev-mail"});
    super::deed(&stack, deletion);
    let mut made = Vec::new();
    for limit in 38..61 {
        let stack = stack.fork();
        let crowd = Crowd::over(&stack.ports);
        let requests = Some(limit);
        let given = invocation(&stack, Limits { requests, ..AMPLE });
        let by = By::Person(Consent::to_any_plan().allowing(["dev-mail-sub"]));
        let (_, changed) = drive(&stack, upped(&crowd, &stack, &given, &by)).unwrap();
        assert!(crowd.made.get() <= limit, "{limit}");
        made.push(changed.done());
        let grants = stack.ports.store.keys();
        let is_grant = |key: &&String| key.contains("/grants/");
        let given = grants.iter().filter(is_grant).count();
        // A topic, a policy that is read and written, and a subscription that is deleted and made.
        let needs_five = |changed: &Changed| match changed.ran_out {
            Some(RanOut::Requests { needs, left }) => needs == 5 && left < 5,
            _ => false,
        };
        match changed.done() {
            // Nobody's consent is used up for nothing.
            0 => assert!(given == 0 && needs_five(&changed), "{limit}: {changed:?}"),
            3 => assert_eq!((given, changed.ran_out), (1, None), "{limit}"),
            done => panic!("{limit}: {done} {:?}", carried(&changed)),
        }
    }
    assert!(
        made.is_sorted() && made.contains(&0) && made.contains(&3),
        "{made:?}"
    );
}

// --- time

#[test]
fn a_run_begins_nothing_that_it_could_not_record_before_its_deadline() {
    let mut counts = Vec::new();
    for (provider_ms, store_ms, ms) in [
        (1_000, 500, 28_000),
        (1_000, 500, 38_000),
        (14_000, 100, 60_000),
        (1_000, 400, 32_000),
        (2_000, 500, 3_600_000),
    ] {
        let stack = large(80, 0);
        stack.ports.latency_ms.set(store_ms);
        let ms_more = provider_ms - store_ms;
        stack.trouble(Provider::Aiven, "", Effect::Latency { ms: ms_more });
        let given = invocation(&stack, Limits { ms, ..AMPLE });
        let deadline = given.budget.deadline().0;
        let crowd = Crowd::over(&stack.ports);
        let ended = drive(&stack, applied(&crowd, &stack, &given, &By::Policy));
        let is_late = matches!(ended, Applied::OutOfTime(_));
        let changed = ended.into_result().unwrap().changed;
        assert_eq!(is_late, changed.done() < 80);
        let what = format!("{provider_ms} {store_ms} {ms}: {:?}", carried(&changed));
        assert!(stack.ports.executor.now_ms() <= deadline, "{what}");
        let last = crowd.writes_at.borrow().iter().max().copied();
        assert!(last.unwrap_or_default() < deadline - LAST_REQUEST_BEFORE_DEADLINE_MS);
        let is_late = |one: &&kedge_core::report::ChangeResult| {
            let reason = RanOut::Time.to_string();
            one.outcome == Outcome::NotBegun { reason }
        };
        let late = changed.results.iter().filter(is_late).count();
        assert_eq!(changed.done() + late, 80, "{what}");
        assert_eq!(
            changed.ran_out,
            (late > 0).then_some(RanOut::Time),
            "{what}"
        );
        assert_recorded(&stack, &changed, 0);
        counts.push(changed.done());
        stack.ports.sandbox.clear_faults();
        stack.ports.latency_ms.set(1);
        stack.wait_minutes(10);
        stack.unattended();
        stack.wait_minutes(10);
        let _ = stack.check();
        stack.assert_settled();
    }
    // None, some, and all.
    let some = |count: &usize| (1..80).contains(count);
    assert!(
        counts.iter().filter(|count| some(count)).count() >= 3,
        "{counts:?}"
    );
    assert_eq!(
        (counts.iter().min(), counts.last()),
        (Some(&0), Some(&80)),
        "{counts:?}"
    );
}

#[test]
fn a_check_too_close_to_its_deadline_asks_nobody() {
    let stack = in_three_scopes();
    let crowd = Crowd::over(&stack.ports);
    let ms = LAST_REQUEST_BEFORE_DEADLINE_MS;
    let given = invocation(&stack, Limits { ms, ..AMPLE });
    stack.ports.clear_sent();
    let report = drive(&stack, checked(&crowd, &stack, &given)).unwrap();
    assert_eq!(report.verdict(), StackVerdict::Incomplete);
    assert_eq!(report.ran_out, Some(RanOut::Time));
    for key in report.comparison.differences.keys() {
        let (code, _) = failure_of(&report, key).unwrap();
        assert_eq!(code, FailureCode::OutOfTime, "{key}");
    }
    assert!(stack.ports.sent.borrow().is_empty());
}

// --- estimates

fn estimate_of(stack: &Stack) -> Estimate {
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

// --- groups

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
            let engine = Engine::new(&crowd, &crowd, settings);
            let request = CheckRequest::default();
            let checked = drive(stack, engine.check_group(&group, &request));
            for (name, checked) in checked.checks {
                let report = checked.unwrap().report;
                assert_eq!(
                    report.verdict(),
                    StackVerdict::Clean,
                    "{name}: {}",
                    shown(&report)
                );
            }
            // Each is counted where it is made, and only there.
            assert_eq!(crowd.made.get(), given.budget.spent());
            let real = given.budget.spent();
            assert!(
                real <= estimate.requests() && estimate.requests() <= 2 * real,
                "{real}"
            );
            assert!(crowd.most.get() <= 6);
            let lists = stack.ports.sent.borrow();
            let lists = lists
                .iter()
                .filter(|sent| sent.path.contains("/subscriptions?"));
            assert_eq!(lists.count(), 1, "{limit}: {group:?}");
        }
    }
}
