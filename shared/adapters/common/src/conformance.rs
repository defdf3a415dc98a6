//! What every store must do, run on each of ours; for tests. What does not hold panics.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a store that does not hold fails its test"
)]

use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt as _};
use kedge_engine::ports::{Condition, ETag, Listed, PutOutcome, Store};

/// Writers that race for one key.
const WRITERS: usize = 50;

/// Runs the suite on an empty store.
pub async fn store_conformance(store: &impl Store) {
    absent_then_written_then_conflict(store).await;
    times_are_the_stores_own(store).await;
    if_match_is_exact(store).await;
    of_many_writers_one_wins(store).await;
    lists_are_ordered_and_by_prefix(store).await;
    odd_keys_and_sizes(store).await;
    unusable_keys_are_refused(store).await;
}

/// A text as bytes.
#[must_use]
pub fn text(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

/// Writes and takes the version, or none at a conflict.
pub async fn put(store: &impl Store, key: &str, bytes: &str, condition: Condition) -> Option<ETag> {
    match store.put(key, text(bytes), condition).await.unwrap() {
        PutOutcome::Written(version) => Some(version.etag),
        PutOutcome::Conflict => None,
    }
}

async fn absent_then_written_then_conflict(store: &impl Store) {
    assert_eq!(store.list("").await.unwrap(), Vec::<String>::new());
    assert_eq!(store.get("new").await.unwrap(), None);
    let etag = put(store, "new", "1", Condition::Absent).await.unwrap();
    let object = store.get("new").await.unwrap().unwrap();
    assert_eq!((object.bytes, object.etag), (text("1"), etag));
    assert_eq!(put(store, "new", "2", Condition::Absent).await, None);
    assert_eq!(store.get("new").await.unwrap().unwrap().bytes, text("1"));
}

/// Nobody else's clock: a write is not after a later look at it, and not before an earlier one.
async fn times_are_the_stores_own(store: &impl Store) {
    let mut before = None;
    for body in ["1", "2"] {
        let outcome = store.put("times", text(body), Condition::None).await;
        let PutOutcome::Written(version) = outcome.unwrap() else {
            panic!("an unconditional write was refused");
        };
        let object = store.get("times").await.unwrap().unwrap();
        assert_eq!(object.etag, version.etag);
        // An object is not written after the answer that says so; S3 cuts each to seconds by itself.
        let after = object.written_at.ms_since(version.written_at);
        assert!(after <= 1_000, "{after}");
        // Files are stamped by a clock that ticks more slowly than the one that is asked.
        if let Some(before) = before {
            assert!(version.written_at.ms_since(before) >= -1_000);
        }
        if let Some(read_at) = object.read_at {
            assert!(read_at.ms_since(version.written_at) >= 0);
        }
        before = object.read_at;
    }
}

async fn if_match_is_exact(store: &impl Store) {
    let first = put(store, "match", "1", Condition::None).await.unwrap();
    let is = |etag: &ETag| Condition::Is(etag.clone());
    let second = put(store, "match", "2", is(&first)).await.unwrap();
    assert_ne!(first, second);
    assert_eq!(put(store, "match", "3", is(&first)).await, None);
    assert_eq!(store.get("match").await.unwrap().unwrap().bytes, text("2"));
    assert_eq!(put(store, "gone", "1", is(&second)).await, None);
    assert_eq!(store.get("gone").await.unwrap(), None);
    assert!(put(store, "match", "4", Condition::None).await.is_some());
    assert_eq!(put(store, "match", "5", is(&second)).await, None);
}

async fn of_many_writers_one_wins(store: &impl Store) {
    let standing = put(store, "race", "before", Condition::None).await.unwrap();
    for (key, condition) in [
        ("race-new", Condition::Absent),
        ("race", Condition::Is(standing)),
    ] {
        let writers = (0..WRITERS).map(|n| {
            let condition = condition.clone();
            async move { put(store, key, &format!("writer {n}"), condition).await }
        });
        let won: Vec<ETag> = join_all(writers).await.into_iter().flatten().collect();
        assert_eq!(won.len(), 1, "{key}");
        assert_eq!(store.get(key).await.unwrap().unwrap().etag, won[0]);
    }
}

async fn lists_are_ordered_and_by_prefix(store: &impl Store) {
    for key in ["l/b/2", "l/a", "l/b/10", "l/b-x", "l/b/1/deep"] {
        put(store, key, "x", Condition::None).await.unwrap();
    }
    for (prefix, keys) in [
        ("l/", &["l/a", "l/b-x", "l/b/1/deep", "l/b/10", "l/b/2"][..]),
        ("l/b", &["l/b-x", "l/b/1/deep", "l/b/10", "l/b/2"]),
        ("l/b/", &["l/b/1/deep", "l/b/10", "l/b/2"]),
        ("l/b/1", &["l/b/1/deep", "l/b/10"]),
        ("l/nothing", &[]),
    ] {
        assert_eq!(store.list(prefix).await.unwrap(), keys, "{prefix}");
        let mut versions = Vec::new();
        for key in keys {
            let object = store.get(key).await.unwrap().unwrap();
            versions.push(Listed {
                key: (*key).to_owned(),
                etag: object.etag,
                written_at: object.written_at,
            });
        }
        assert_eq!(store.versions(prefix).await.unwrap(), versions, "{prefix}");
    }
    assert_eq!(
        store.get("l/b").await.unwrap(),
        None,
        "a prefix is no object"
    );
}

async fn odd_keys_and_sizes(store: &impl Store) {
    let long = "x".repeat(200);
    for key in [
        "odd/a b",
        "odd/%2e%2e",
        "odd/ü-\u{1f980}",
        "odd/..c",
        "odd/:*?\"",
        &long,
    ] {
        put(store, key, key, Condition::Absent).await.unwrap();
        assert_eq!(store.get(key).await.unwrap().unwrap().bytes, text(key));
        assert_eq!(store.list(key).await.unwrap(), [key]);
    }
    for size in [0, 5 * 1024 * 1024] {
        let bytes = Bytes::from(vec![7; size]);
        let put = store.put("size", bytes.clone(), Condition::None).await;
        assert!(matches!(put, Ok(PutOutcome::Written(_))));
        assert_eq!(store.get("size").await.unwrap().unwrap().bytes, bytes);
    }
}

async fn unusable_keys_are_refused(store: &impl Store) {
    for key in [
        "",
        "/etc/passwd",
        "../up",
        "a/../../up",
        "a//b",
        "a\\b",
        "a/",
    ] {
        assert!(store.get(key).await.is_err(), "{key}");
        let put = store.put(key, text("x"), Condition::None).await;
        assert!(put.is_err(), "{key}");
    }
}

/// Lists more keys than one page of S3 has, which is 1,000. Slow where each write is.
pub async fn long_lists_are_whole(store: &impl Store) {
    let keys: Vec<String> = (0..1_005).map(|n| format!("many/{n:04}")).collect();
    let writes = keys.iter().map(|key| put(store, key, key, Condition::None));
    let written: Vec<_> = stream::iter(writes).buffer_unordered(16).collect().await;
    assert!(written.iter().all(Option::is_some));
    assert_eq!(store.list("many/").await.unwrap(), keys);
    assert_eq!(store.list("many/100").await.unwrap(), keys[1_000..]);
}

/// Checks that stores which share a place, under names of which one begins the other, see nothing
/// of each other.
pub async fn neighbours_do_not_meet(one: &impl Store, other: &impl Store) {
    put(one, "same", "one's", Condition::Absent).await.unwrap();
    put(one, "only/one", "x", Condition::Absent).await.unwrap();
    assert_eq!(other.get("same").await.unwrap(), None);
    assert_eq!(other.list("").await.unwrap(), Vec::<String>::new());
    put(other, "same", "other's", Condition::Absent)
        .await
        .unwrap();
    assert_eq!(one.get("same").await.unwrap().unwrap().bytes, text("one's"));
    assert_eq!(one.list("").await.unwrap(), ["only/one", "same"]);
}
