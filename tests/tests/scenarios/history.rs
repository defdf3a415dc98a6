//! What happened to a stack, and waiting for what is to happen.

use kedge_engine::{Query, is_whole};
use kedge_tests::authority::Authorisation;
use kedge_tests::ports::CrashPoint;
use kedge_tests::pushed::commit;
use kedge_tests::stack::{LEASE_OVER_MS, Stack};

use super::push::{FORTNIGHT, declared, standing};

#[test]
fn history_tells_pushes_and_runs_newest_first() {
    let mut stack = standing();
    let first = stack.set().revision();
    stack.many_topics(3, FORTNIGHT);
    let second = stack.push(&commit(6)).stored.revision();
    stack.up_stored(&Authorisation::Unattended).unwrap();
    stack.wait_minutes(60);
    let third = stack.rollback(&first).unwrap().unwrap().stored.revision();
    let now = stack.ports.executor.now_ms();
    let ask = |query: Query| stack.ports.executor.run(stack.history(&query)).unwrap();
    let all = ask(Query {
        most: 10,
        ..Query::default()
    });
    let pushed: Vec<&str> = all.pushes.iter().map(|one| one.revision.as_str()).collect();
    assert_eq!(pushed, [third.as_str(), &second, &first]);
    let followed: Vec<_> = all.runs.iter().map(|run| run.revision.clone()).collect();
    assert_eq!(followed, [Some(second), Some(first)]);
    assert!(!all.more && all.unread.is_empty());
    let recent = ask(Query {
        most: 10,
        since: Some(kedge_core::model::Timestamp(now - 60_000)),
        ..Query::default()
    });
    assert_eq!((recent.pushes.len(), recent.runs.len()), (1, 0));
    let one = ask(Query {
        most: 1,
        ..Query::default()
    });
    assert!(one.more && one.pushes.len() == 1 && one.runs.len() == 1);
    let of = |name: &str| {
        let resource = Some(name.to_owned());
        let most = 10;
        ask(Query {
            resource,
            most,
            since: None,
        })
        .runs
        .len()
    };
    assert_eq!((of("dev-t001"), of("dev-u1"), of("dev-x")), (2, 1, 0));
}

#[test]
fn a_wait_ends_with_the_run_or_at_its_time() {
    let stack = declared();
    let revision = stack.push(&commit(1)).stored.revision();
    let until = |ms| kedge_core::model::Timestamp(stack.ports.executor.now_ms() + ms);
    let ports = &stack.ports;
    let run = stack.await_run(&revision, until(30_000));
    assert_eq!(ports.executor.run(run), Ok(None));
    let wait = stack.await_run(&revision, until(600_000));
    let deploy = async {
        ports.executor.sleep(20_000).await;
        stack.applying(&Authorisation::Unattended, &|_| {}).await
    };
    let (waited, upped) = ports
        .executor
        .run(futures_util::future::join(wait, deploy))
        .unwrap();
    let record = waited.unwrap();
    assert!(is_whole(&record) && record.revision.as_deref() == Some(&revision));
    assert_eq!(record.id, upped.unwrap().1.run);
    stack.assert_pushed(&commit(1));
}

/// Each change that any record says is done, by verb and key, in order.
fn done(stack: &Stack) -> Vec<String> {
    let query = Query {
        most: 10,
        ..Query::default()
    };
    let runs = stack
        .ports
        .executor
        .run(stack.history(&query))
        .unwrap()
        .runs;
    let outcomes = runs.iter().flat_map(|run| &run.outcomes);
    let done = outcomes.filter(|one| one.outcome == "done");
    let mut done: Vec<String> = done
        .map(|one| format!("{} {}", one.verb, one.key))
        .collect();
    done.sort_unstable();
    done
}

#[test]
fn history_names_every_change_once_wherever_runs_broke_off() {
    let calm = Stack::small();
    calm.crash_at(None);
    calm.unattended();
    let (calls, expected) = (calm.ports.calls.get(), done(&calm));
    assert_eq!(expected.len(), 7);
    for call in 1..=calls {
        let stack = Stack::small();
        // The run after it breaks off too, at another place.
        for call in [call, 3 + call % 20] {
            stack.crash_at(Some(CrashPoint::After(call)));
            let _ = stack.up(&Authorisation::Unattended);
            stack.crash_at(None);
            stack.wait_ms(LEASE_OVER_MS);
        }
        stack.unattended();
        stack.assert_settled();
        assert_eq!(done(&stack), expected, "{call}");
    }
}
