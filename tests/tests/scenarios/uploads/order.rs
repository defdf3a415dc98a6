//! Events come in any order, or not at all: what was put there last counts (semantics 7.6).

use super::*;

const TOPICS: &str = "area/kafka-topics.yaml";
const MORE: &str = "area/more/kafka-topics.yaml";

/// Takes over what lies at this key, as its event says.
fn take(stack: &Stack, key: &str) -> documents::Upload {
    let (none, invocation) = (BTreeMap::new(), stack.invocation());
    let engine = stack.engine_stored(&none, &invocation);
    let upload = Upload::of(key, stack.ports.store.object(key).etag).unwrap();
    match stack.run(take_over(&engine, &stack.ports, &upload)) {
        Ok(TakenOver::Done(document)) => *document,
        other => panic!("{other:?}"),
    }
}

fn put_file(stack: &Stack, path: &str) -> String {
    let key = format!("upload/dev/{path}");
    put(stack, &key, stack.files[path].clone());
    key
}

#[test]
fn an_archive_whose_event_comes_late_does_not_undo_a_newer_file() {
    let mut stack = standing();
    stack.wait_minutes(1);
    // An older file, the archive, two newer files; one of these can't be used.
    stack.file(MORE, format!("# older\n{}", stack.files[MORE]));
    let older = put_file(&stack, MORE);
    stack.wait_minutes(1);
    stack.file(MORE, format!("# newer\n{}", stack.files[MORE]));
    stack.file(
        "kedge.yaml",
        format!("# newer\n{}", stack.files["kedge.yaml"]),
    );
    put_archive(&stack);
    stack.wait_minutes(1);
    let archived = stack.files.clone();
    stack.many_topics(3, FORTNIGHT);
    let newer = put_file(&stack, TOPICS);
    put(&stack, "upload/dev/kedge.yaml", "project: [\n");
    for key in [&older, &newer] {
        assert_eq!(take(&stack, key).outcome.as_str(), "stored");
    }
    let invalid = take(&stack, "upload/dev/kedge.yaml");
    assert_eq!(invalid.outcome.as_str(), "invalid");
    // All topics have their partitions from this file: that is not said of each.
    let files: Vec<_> = invalid.problems.iter().map(|one| &one.file).collect();
    let files: Vec<_> = files
        .into_iter()
        .flatten()
        .map(|text| text.as_str())
        .collect();
    assert_eq!(files, ["kedge.yaml"]);
    let result = take(&stack, ARCHIVE);
    assert_eq!(result.outcome.as_str(), "stored");
    // All of the archive, but for the file that is newer than it.
    let mut expected = archived;
    expected.insert(TOPICS.to_owned(), stack.files[TOPICS].clone());
    assert_eq!(stored(&stack).bundle.files(), &expected);
    assert_eq!(tick(&stack), []);
    stack.up_stored(&Authorisation::Unattended).unwrap();
    stack.assert_pushed(&commit(5));
}

#[test]
fn a_file_that_has_no_result_yet_comes_after_the_archive() {
    let mut stack = standing();
    stack.wait_minutes(1);
    put_archive(&stack);
    stack.wait_minutes(1);
    stack.many_topics(3, FORTNIGHT);
    let file = put_file(&stack, TOPICS);
    assert_eq!(take(&stack, ARCHIVE).outcome.as_str(), "unchanged");
    assert_eq!(take(&stack, &file).outcome.as_str(), "stored");
    assert_eq!(stored(&stack).bundle.files(), &stack.files);
    stack.up_stored(&Authorisation::Unattended).unwrap();
    stack.assert_pushed(&commit(5));
}

/// The archive was pushed, and whoever did it crashed before its result was written.
#[test]
fn an_archive_that_comes_again_after_a_crash_does_not_undo_a_newer_file() {
    let mut stack = edited();
    put_archive(&stack);
    take(&stack, ARCHIVE);
    let keys = stack.ports.store.keys();
    let result = keys.iter().find(|key| key.ends_with(".result.json"));
    stack.ports.store.remove(result.unwrap());
    stack.wait_minutes(1);
    stack.many_topics(3, "retention_ms: 691200000");
    let file = put_file(&stack, TOPICS);
    take(&stack, &file);
    assert_eq!(take(&stack, ARCHIVE).outcome.as_str(), "unchanged");
    assert_eq!(stored(&stack).bundle.files(), &stack.files);
    stack.up_stored(&Authorisation::Unattended).unwrap();
    stack.assert_pushed(&commit(5));
}

/// Another instance takes over a file while an archive that was put there before is taken over.
#[test]
fn an_archive_does_not_undo_a_file_that_is_taken_over_at_the_same_time() {
    for after_ms in 0..25 {
        let mut stack = edited();
        put_archive(&stack);
        stack.wait_minutes(1);
        stack.many_topics(3, "retention_ms: 691200000");
        let key = format!("upload/dev/{TOPICS}");
        let text = stack.files[TOPICS].clone();
        let (none, invocation) = (BTreeMap::new(), stack.invocation());
        let engine = stack.engine_stored(&none, &invocation);
        let archive = Upload::of(ARCHIVE, stack.ports.store.object(ARCHIVE).etag).unwrap();
        let takes_archive = take_over(&engine, &stack.ports, &archive);
        let takes_file = async {
            stack.ports.executor.sleep(after_ms).await;
            let put = stack.ports.put(&key, text.into(), Condition::None);
            put.await.unwrap();
            let file = Upload::of(&key, stack.ports.store.object(&key).etag).unwrap();
            take_over(&engine, &stack.ports, &file).await
        };
        let (one, other) = stack.run(futures_util::future::join(takes_archive, takes_file));
        for taken in [one.unwrap(), other.unwrap()] {
            assert!(
                matches!(taken, TakenOver::Done(_)),
                "{after_ms} ms: {taken:?}"
            );
        }
        assert_eq!(stored(&stack).bundle.files(), &stack.files, "{after_ms} ms");
        assert_eq!(tick(&stack), []);
        stack.up_stored(&Authorisation::Unattended).unwrap();
        stack.assert_pushed(&commit(5));
    }
}
