//! Definitions that somebody puts at `upload/` in the store (semantics 7.6), and what the store does to
//! whoever takes them over.

mod order;
mod rules;

use std::collections::BTreeMap;
use std::io::{Cursor, Write as _};

use bytes::Bytes;
use kedge_core::documents::{self, Word as _};
use kedge_core::report::StackVerdict;
use kedge_core::stored::bundle::StoredBundle;
use kedge_engine::Query;
use kedge_engine::documents::history;
use kedge_engine::ports::{Condition, Store as _};
use kedge_service::upload::{TakenOver, Upload, UploadError, open, take_over};
use kedge_tests::authority::Authorisation;
use kedge_tests::executor::Crashed;
use kedge_tests::ports::{CrashPoint, WriteFault};
use kedge_tests::pushed::commit;
use kedge_tests::stack::Stack;
use serde_json::{Value, json};
use zip::write::SimpleFileOptions;

use super::push::{DEFINITIONS, FORTNIGHT, INDEX, standing};

const ARCHIVE: &str = "upload/dev/definitions.zip";

/// The stack's files as an archive of the folder `definitions/`.
pub(super) fn archive(stack: &Stack) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (path, text) in &stack.files {
        let options = SimpleFileOptions::default();
        let path = format!("definitions/{path}");
        writer.start_file(path, options).unwrap();
        writer.write_all(text.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// Somebody puts an object there, with any tool.
pub(super) fn put(stack: &Stack, key: &str, bytes: impl Into<Bytes>) {
    let put = stack.ports.put(key, bytes.into(), Condition::None);
    assert!(matches!(
        stack.run(put),
        Ok(kedge_engine::ports::PutOutcome::Written(_))
    ));
}

/// When all that was put there is there whole.
const FAR: kedge_core::model::Timestamp = kedge_core::model::Timestamp(i64::MAX);

fn put_archive(stack: &Stack) {
    put(stack, ARCHIVE, archive(stack));
}

/// What a tick does: everything that has no result, in order.
fn try_tick(stack: &Stack) -> Result<Vec<Result<TakenOver, UploadError>>, Crashed> {
    let (none, invocation) = (BTreeMap::new(), stack.invocation());
    let engine = stack.engine_stored(&none, &invocation);
    stack.ports.executor.run(async {
        let mut taken = Vec::new();
        for upload in open(&stack.ports.versions("upload/").await.unwrap(), FAR) {
            taken.push(take_over(&engine, &stack.ports, &upload).await);
        }
        taken
    })
}

fn tick(stack: &Stack) -> Vec<TakenOver> {
    let taken = try_tick(stack).unwrap().into_iter();
    taken.collect::<Result<_, _>>().unwrap()
}

/// The same where there is one upload: its result, as the store has it.
fn result(stack: &Stack) -> Value {
    let taken = tick(stack);
    let [TakenOver::Done(document)] = taken.as_slice() else {
        panic!("{taken:?}");
    };
    let keys = stack.ports.store.keys();
    let results = keys.iter().filter(|key| key.ends_with(".result.json"));
    let texts = results.map(|key| stack.ports.store.text(key));
    let text = documents::json_text(&**document).unwrap();
    assert_eq!(texts.filter(|stored| *stored == text).count(), 1, "{text}");
    assert_eq!(tick(stack), [], "it is done");
    serde_json::from_str(&text).unwrap()
}

/// What is stored as declared.
fn stored(stack: &Stack) -> StoredBundle {
    let text = stack.ports.store.text(DEFINITIONS);
    StoredBundle::decode(text.as_bytes(), &stack.name).unwrap()
}

/// The words of a result's refusals.
fn codes(result: &Value) -> Vec<&str> {
    assert_eq!(result["outcome"], "refused", "{result:#}");
    let refusals = result["refusals"].as_array().unwrap().iter();
    refusals.map(|one| one["code"].as_str().unwrap()).collect()
}

/// It has a result that says no, and what is stored is what was.
fn refused(stack: &Stack) -> Value {
    let before = stack.ports.store.text(DEFINITIONS);
    let result = result(stack);
    assert_eq!(result["revision"], Value::Null);
    assert_eq!(stack.ports.store.text(DEFINITIONS), before);
    result
}

/// An edit that changes no third of anything.
fn edited() -> Stack {
    let mut stack = standing();
    stack.many_topics(3, FORTNIGHT);
    stack.wait_minutes(1);
    stack
}

#[test]
fn an_archive_is_stored_with_its_object_and_deploys() {
    let mut stack = edited();
    let first = stored(&stack);
    put_archive(&stack);
    let object = stack.ports.store.object(ARCHIVE);
    stack.wait_minutes(4);
    let result = result(&stack);
    let revision = stack.set().revision();
    let etag = object.etag.0.clone();
    assert_eq!(
        result,
        json!({
            "format": "kedge.upload/1",
            "stack": "dev",
            "path": "definitions.zip",
            "etag": etag,
            "at": result["at"],
            "outcome": "stored",
            "revision": revision,
            "resources": 13,
            "notices": [],
            "problems": [],
            "left_out": 0,
            "refusals": [],
        })
    );
    let key = format!("{ARCHIVE}.{}.result.json", &etag[..8]);
    assert!(
        !stack.ports.store.text(&key).is_empty(),
        "{:?}",
        stack.ports.store.keys()
    );

    let now = stored(&stack);
    assert_eq!(now.bundle.files(), &stack.files);
    assert_eq!(now.follows, Some(first.revision()));
    assert_eq!(now.pushed.actor, "upload");
    // The commit stays, so that a later push from git is compared with it.
    assert_eq!(
        (now.pushed.commit, now.pushed.branch),
        (first.pushed.commit, first.pushed.branch)
    );
    let uploaded = now.pushed.upload.unwrap();
    assert_eq!((uploaded.key.as_str(), &uploaded.etag), (ARCHIVE, &etag));
    assert_eq!(uploaded.newer_than, object.written_at);
    let query = Query {
        most: 5,
        ..Query::default()
    };
    let found = stack.ports.executor.run(stack.history(&query)).unwrap();
    let pushes = serde_json::to_value(history(&stack.name, &found)).unwrap()["pushes"].clone();
    assert_eq!(pushes[0]["actor"], "upload");
    assert_eq!(pushes[0]["upload"], json!({"key": ARCHIVE, "etag": etag}));
    assert_eq!(pushes[1]["upload"], Value::Null);

    assert_eq!(
        stack.check_stored().unwrap().verdict(),
        StackVerdict::Pending
    );
    stack.up_stored(&Authorisation::Unattended).unwrap();
    stack.many_topics(3, "retention_ms: 86400000");
    assert_eq!(stack.refused(&commit(4)), ["not-descended"]);
    stack.many_topics(3, FORTNIGHT);
    stack.assert_pushed(&commit(5));
}

#[test]
fn an_archive_begins_a_stack() {
    let stack = super::push::declared();
    put_archive(&stack);
    let result = result(&stack);
    assert_eq!(
        (&result["outcome"], &result["resources"]),
        (&json!("stored"), &json!(13))
    );
    assert_eq!(stored(&stack).pushed.commit, None);
    stack.up_stored(&Authorisation::Unattended).unwrap();
    stack.assert_pushed(&commit(0));
}

#[test]
fn what_is_stored_already_is_unchanged() {
    let stack = standing();
    let before = stored(&stack);
    put_archive(&stack);
    let result = result(&stack);
    assert_eq!(result["outcome"], "unchanged");
    assert_eq!(result["revision"], before.revision());
    assert_eq!(stored(&stack), before);
    stack.assert_pushed(&commit(5));
}

#[test]
fn one_file_replaces_the_one_at_its_path() {
    let mut stack = standing();
    let topics = "area/kafka-topics.yaml";
    let first = stored(&stack);
    stack.many_topics(3, FORTNIGHT);
    stack.wait_minutes(1);
    put(
        &stack,
        &format!("upload/dev/{topics}"),
        stack.files[topics].clone(),
    );
    let result = result(&stack);
    assert_eq!(
        (&result["outcome"], &result["path"]),
        (&json!("stored"), &json!(topics))
    );
    let now = stored(&stack);
    let mut expected = first.bundle.files().clone();
    expected.insert(topics.to_owned(), stack.files[topics].clone());
    assert_eq!(now.bundle.files(), &expected);
    assert_eq!(now.pushed.commit, first.pushed.commit);
    stack.up_stored(&Authorisation::Unattended).unwrap();
    stack.assert_pushed(&commit(5));
}

/// An edit that is taken back has the version of the first one: it is told apart by when it was put there.
#[test]
fn an_edit_that_is_taken_back_is_taken_over_again() {
    let mut stack = standing();
    let (topics, key) = (
        "area/kafka-topics.yaml",
        "upload/dev/area/kafka-topics.yaml",
    );
    let mut revisions = Vec::new();
    for fields in [FORTNIGHT, "retention_ms: 691200000", FORTNIGHT] {
        stack.wait_minutes(1);
        stack.many_topics(3, fields);
        put(&stack, key, stack.files[topics].clone());
        let result = result(&stack);
        assert_eq!(result["outcome"], "stored", "{fields}");
        revisions.push(stored(&stack).revision());
        assert_eq!(stored(&stack).bundle.files(), &stack.files);
    }
    assert_eq!(
        revisions
            .iter()
            .collect::<std::collections::BTreeSet<_>>()
            .len(),
        3
    );
    // And where it changes nothing, that is said.
    stack.wait_minutes(1);
    put(&stack, key, stack.files[topics].clone());
    assert_eq!(result(&stack)["outcome"], "unchanged");
    stack.up_stored(&Authorisation::Unattended).unwrap();
    stack.assert_pushed(&commit(5));
}

#[test]
fn a_newer_version_is_taken_over_as_what_it_is() {
    let mut stack = edited();
    put_archive(&stack);
    let listed = stack.run(stack.ports.versions("upload/")).unwrap();
    let [old] = open(&listed, FAR).try_into().unwrap();
    stack.wait_minutes(1);
    stack.many_topics(3, "retention_ms: 691200000");
    put_archive(&stack);
    let take = |upload: &Upload| {
        let (none, invocation) = (BTreeMap::new(), stack.invocation());
        let engine = stack.engine_stored(&none, &invocation);
        stack.run(take_over(&engine, &stack.ports, upload)).unwrap()
    };
    let TakenOver::Done(document) = take(&old) else {
        panic!("it is there");
    };
    let etag = stack.ports.store.object(ARCHIVE).etag.0;
    assert_eq!(document.etag.as_str(), etag);
    assert_ne!(old.etag.0, etag);
    assert_eq!(stored(&stack).bundle.files(), &stack.files);
    // The late message of either changes nothing.
    let writes = stack.ports.store.writes.get();
    assert_eq!(take(&old), TakenOver::Before);
    stack.ports.store.remove(ARCHIVE);
    assert_eq!(take(&old), TakenOver::Gone);
    assert_eq!(stack.ports.store.writes.get(), writes);
    stack.up_stored(&Authorisation::Unattended).unwrap();
    stack.assert_pushed(&commit(5));
}

#[test]
fn a_crash_at_any_call_is_made_good_by_the_next_tick() {
    let begin = || {
        let stack = edited();
        put_archive(&stack);
        stack.wait_minutes(1);
        stack.crash_at(None);
        stack
    };
    /// All that is stored, without when.
    fn all(stack: &Stack) -> Vec<(String, String)> {
        let is_time = |line: &&str| !line.contains("\"at\":") && !line.contains("\"at_ms\":");
        let text = |key: &String| {
            let text = stack.ports.store.text(key);
            text.lines().filter(is_time).collect::<Vec<_>>().join("\n")
        };
        let keys = stack.ports.store.keys();
        keys.iter().map(|key| (key.clone(), text(key))).collect()
    }
    let calm = begin();
    assert_eq!(tick(&calm).len(), 1);
    let calls = calm.ports.calls.get();
    assert!(calls > 8, "{calls}");
    for point in (1..=calls).flat_map(|call| [CrashPoint::Before(call), CrashPoint::After(call)]) {
        let stack = begin();
        stack.crash_at(Some(point));
        assert!(try_tick(&stack).is_err(), "{point:?}");
        stack.crash_at(None);
        assert!(stack.check_stored().unwrap().invalid.is_none(), "{point:?}");
        stack.wait_minutes(5);
        tick(&stack);
        assert_eq!(tick(&stack), [], "{point:?}");
        let is_watch = |(key, _): &(String, String)| key.ends_with("watch.json");
        let but_watch = |stack: &Stack| -> Vec<_> {
            all(stack)
                .into_iter()
                .filter(|one| !is_watch(one))
                .collect()
        };
        assert_eq!(but_watch(&stack), but_watch(&calm), "{point:?}");
        stack.up_stored(&Authorisation::Unattended).unwrap();
        stack.assert_pushed(&commit(5));
    }
}

#[test]
fn of_two_at_once_one_stores_it_and_one_result_is_written() {
    for seed in 0..8 {
        let mut stack = Stack::seeded(seed);
        stack.topics(&[("a", "")]);
        stack.push(&commit(1));
        stack.topics(&[("a", ""), ("b", "")]);
        stack.wait_minutes(1);
        put_archive(&stack);
        stack.ports.latency_ms.set(1 + seed % 3);
        let listed = stack.run(stack.ports.versions("upload/")).unwrap();
        let [upload] = open(&listed, FAR).try_into().unwrap();
        let (none, invocation) = (BTreeMap::new(), stack.invocation());
        let engine = stack.engine_stored(&none, &invocation);
        let both = futures_util::future::join(
            take_over(&engine, &stack.ports, &upload),
            take_over(&engine, &stack.ports, &upload),
        );
        let (one, other) = stack.run(both);
        let mut done = Vec::new();
        for taken in [one.unwrap(), other.unwrap()] {
            match taken {
                TakenOver::Done(document) => done.push(document.outcome.as_str()),
                other => assert_eq!(other, TakenOver::Before, "seed {seed}"),
            }
        }
        assert_eq!(done, ["stored"], "seed {seed}");
        let keys = stack.ports.store.keys();
        let count = |part: &str| keys.iter().filter(|key| key.contains(part)).count();
        assert_eq!(
            (count("/revisions/"), count(".result.json")),
            (2, 1),
            "seed {seed}"
        );
        assert_eq!(tick(&stack), []);
        stack.up_stored(&Authorisation::Unattended).unwrap();
        stack.assert_pushed(&commit(1));
    }
}

#[test]
fn a_store_that_fails_is_no_result() {
    let stack = edited();
    put_archive(&stack);
    let object = "definitions.zip";
    let reads = [
        object,
        ".result.json",
        "definitions.json",
        "index.json",
        "dev/state.json",
    ];
    for key_end in reads {
        stack.ports.store.fail_reads(key_end, 0, 1);
        let taken = try_tick(&stack).unwrap();
        assert!(matches!(taken.as_slice(), [Err(_)]), "{key_end}: {taken:?}");
    }
    for key_end in ["definitions.json", ".result.json"] {
        stack
            .ports
            .store
            .write_faults
            .borrow_mut()
            .push(WriteFault {
                key_end: key_end.to_owned(),
                after: 0,
                times: 1,
                made: false,
            });
        let taken = try_tick(&stack).unwrap();
        assert!(matches!(taken.as_slice(), [Err(_)]), "{key_end}: {taken:?}");
    }
    assert_eq!(result(&stack)["outcome"], "stored");
    stack.up_stored(&Authorisation::Unattended).unwrap();
    stack.assert_pushed(&commit(5));
}

#[test]
fn one_that_comes_during_a_run_is_deployed_by_the_next() {
    let mut stack = Stack::new();
    stack.topics(&[("a", "")]);
    stack.push(&commit(1));
    stack.topics(&[("a", ""), ("b", "")]);
    stack.wait_minutes(1);
    put_archive(&stack);
    let listed = stack.run(stack.ports.versions("upload/")).unwrap();
    let [upload] = open(&listed, FAR).try_into().unwrap();
    let (none, invocation) = (BTreeMap::new(), stack.invocation());
    let engine = stack.engine_stored(&none, &invocation);
    let takes_over = async {
        stack.ports.executor.sleep(5).await;
        take_over(&engine, &stack.ports, &upload).await
    };
    let applies = kedge_tests::stack::apply(&engine, &stack.name, &Authorisation::Unattended);
    let (taken, applied) = stack.run(futures_util::future::join(takes_over, applies));
    assert!(matches!(taken, Ok(TakenOver::Done(_))), "{taken:?}");
    let changed = applied.unwrap().1;
    assert_eq!(changed.done(), 1);
    assert_eq!(changed.run_again, ["new definitions were pushed meanwhile"]);
    let (_, changed) = stack.up_stored(&Authorisation::Unattended).unwrap();
    assert_eq!((changed.done(), changed.run_again.len()), (1, 0));
    stack.assert_pushed(&commit(1));
}

/// A bucket may delete what is old, and a person may tidy up.
#[test]
fn a_result_that_is_gone_is_written_again_and_nothing_else() {
    let stack = edited();
    put_archive(&stack);
    let first = result(&stack);
    let (before, index) = (stored(&stack), stack.ports.store.text(INDEX));
    let keys = stack.ports.store.keys();
    let key = keys
        .iter()
        .find(|key| key.ends_with(".result.json"))
        .unwrap();
    stack.ports.store.remove(key);
    stack.wait_minutes(60);
    let again = result(&stack);
    assert_eq!(
        (&again["outcome"], &again["revision"]),
        (&first["outcome"], &first["revision"])
    );
    assert_eq!(
        (stored(&stack), stack.ports.store.text(INDEX)),
        (before, index)
    );
    // Without either, there is nothing to do and nothing is missing.
    stack.ports.store.remove(key);
    stack.ports.store.remove(ARCHIVE);
    assert_eq!(tick(&stack), []);
    stack.up_stored(&Authorisation::Unattended).unwrap();
    stack.assert_pushed(&commit(5));
}
