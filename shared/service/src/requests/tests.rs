//! Requests in a store in memory.

use futures_util::FutureExt as _;
use kedge_adapters::InMemoryStore;
use kedge_core::stored::run_request::{AnswerOutcome, RequestedRun};

use super::*;

const NOW: Timestamp = Timestamp(1_795_348_800_000);
const MINUTE_MS: i64 = 60 * 1000;

fn done<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().unwrap()
}

fn stack(name: &str) -> StackName {
    StackName::new(name).unwrap()
}

fn request(at: Timestamp, number: u32) -> RunRequest {
    RunRequest {
        id: format!("{}-{number:08x}", at.0),
        stack: stack("dev"),
        actor: "ci".to_owned(),
        at,
        asked: RequestedRun::Check,
    }
}

fn an_answer(document: &str) -> Answer {
    Answer {
        at: NOW,
        outcome: AnswerOutcome::Done,
        document: document.to_owned(),
    }
}

#[test]
fn a_request_is_of_its_stack_alone() {
    let store = InMemoryStore::new();
    let one = request(NOW, 1);
    done(write(&store, &one)).unwrap();
    assert_eq!(
        done(read(&store, &stack("dev"), &one.id)).unwrap(),
        Some(one.clone())
    );
    assert_eq!(done(read(&store, &stack("prod"), &one.id)).unwrap(), None);
    let gets = store.operations().gets;
    for id in ["", "..", "../stacks/dev/lease", "by-key/x"] {
        assert_eq!(done(read(&store, &stack("dev"), id)).unwrap(), None);
    }
    assert_eq!(store.operations().gets, gets, "nothing else is looked for");
}

#[test]
fn the_first_answer_stands() {
    let store = InMemoryStore::new();
    let id = request(NOW, 1).id;
    assert!(!done(is_answered(&store, &id)).unwrap());
    done(answer(&store, &id, &an_answer("first"))).unwrap();
    done(answer(&store, &id, &an_answer("second"))).unwrap();
    assert!(done(is_answered(&store, &id)).unwrap());
    let read = done(read_answer(&store, &id)).unwrap();
    assert_eq!(read, Some(an_answer("first")));
}

#[test]
fn those_of_the_last_hour_without_an_answer_are_open() {
    // The second one is where the digits that are listed by change.
    for now in [NOW, Timestamp(1_795_350_000_000 + 20 * MINUTE_MS)] {
        let store = InMemoryStore::new();
        let before = |minutes: i64| now.plus_ms(-minutes * MINUTE_MS);
        let all = [
            request(before(60), 1),
            request(before(59), 2),
            request(before(30), 3),
            request(before(1), 4),
            request(now, 5),
        ];
        for one in &all {
            done(write(&store, one)).unwrap();
        }
        done(answer(&store, &all[2].id, &an_answer("x"))).unwrap();
        let unreadable = format!("requests/{}-0000000a.json", now.0);
        for (key, bytes) in [
            (unreadable.as_str(), "{}"),
            ("requests/by-key/1795348.json", "{}"),
            ("requests/1795350-else.json", "{}"),
        ] {
            done(store.put(key, bytes.into(), Condition::None)).unwrap();
        }
        let open = done(open(&store, now)).unwrap();
        let ids: Vec<&str> = open.iter().map(|one| one.id.as_str()).collect();
        // The last one was sent a moment ago.
        assert_eq!(ids, [&all[1].id, &all[3].id], "{now:?}");
        let work = open[0].clone().work();
        assert_eq!(
            work,
            Work::Request {
                stack: stack("dev"),
                id: all[1].id.clone()
            }
        );
    }
}

#[test]
fn an_idempotency_key_stands_for_the_first_request() {
    let store = InMemoryStore::new();
    let key = |number: u32| RequestKey {
        id: request(NOW, number).id,
        fingerprint: format!("{number}"),
    };
    assert_eq!(done(read_key(&store, "ab")).unwrap(), None);
    assert_eq!(done(take_key(&store, "ab", key(1))).unwrap(), key(1));
    assert_eq!(done(take_key(&store, "ab", key(2))).unwrap(), key(1));
    assert_eq!(done(take_key(&store, "cd", key(2))).unwrap(), key(2));
}
