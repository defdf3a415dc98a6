//! The folder as a store.

use super::*;
use kedge_adapters::conformance::{neighbours_do_not_meet, put, store_conformance, text};
use kedge_engine::ports::ETag;
use std::process::{Command, Stdio};
use std::thread;

const CHILD_ROOT: &str = "KEDGE_TEST_LOCK_ROOT";

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap()
        .block_on(future)
}

#[test]
fn a_store_that_is_only_read_makes_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("store");
    let store = FolderStore::read_only(&root);
    assert_eq!(block_on(store.get("a/b")).unwrap(), None);
    assert_eq!(block_on(store.list("a/")).unwrap(), Vec::<String>::new());
    assert!(block_on(store.put("a/b", text("x"), Condition::None)).is_err());
    assert!(!root.exists());
    let other = FolderStore::create(&root).unwrap();
    block_on(other.put("a/b", text("x"), Condition::None)).unwrap();
    assert_eq!(block_on(store.list("a/")).unwrap(), ["a/b"]);
    assert!(block_on(store.put("a/b", text("y"), Condition::None)).is_err());
}

#[test]
fn it_is_a_store() {
    let folder = tempfile::tempdir().unwrap();
    let store = FolderStore::create(folder.path().join("new/store")).unwrap();
    block_on(store_conformance(&store));
    let beside = FolderStore::create(folder.path().join("new/store2")).unwrap();
    let next = FolderStore::create(folder.path().join("new/store20")).unwrap();
    block_on(neighbours_do_not_meet(&beside, &next));
}

#[test]
fn what_is_too_large_is_listed_by_its_time_and_size() {
    let folder = tempfile::tempdir().unwrap();
    let store = FolderStore::open(folder.path()).unwrap();
    let file = File::create(folder.path().join("large")).unwrap();
    file.set_len(BYTES_MAX + 1).unwrap();
    let listed = block_on(store.versions("l")).unwrap();
    let [large] = listed.as_slice() else {
        panic!("{listed:?}");
    };
    let expected = format!("{:x}-{:x}", large.written_at.0, BYTES_MAX + 1);
    assert_eq!(large.etag, ETag(expected));
    let got = block_on(store.get("large"));
    assert!(matches!(got, Err(StoreError::TooLarge { .. })), "{got:?}");
    // One byte less is an object.
    file.set_len(BYTES_MAX).unwrap();
    let object = block_on(store.get("large")).unwrap().unwrap();
    let listed = block_on(store.versions("l")).unwrap();
    assert_eq!(listed[0].etag, object.etag);
}

#[test]
fn of_many_threads_one_wins_and_readers_see_whole_objects() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let sizes = [10_000, 500_000];
    let write = |n: usize| {
        let store = FolderStore::open(root).unwrap();
        let body = n.to_string().repeat(sizes[n % 2]);
        block_on(async {
            put(&store, "busy", &body, Condition::None).await;
            let busy = store.get("busy").await.unwrap().unwrap().bytes;
            assert!(busy.iter().all(|byte| *byte == busy[0]));
            put(&store, "won", &n.to_string(), Condition::Absent).await
        })
    };
    let won: Vec<ETag> = thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|n| scope.spawn(move || write(n))).collect();
        threads
            .into_iter()
            .filter_map(|thread| thread.join().unwrap())
            .collect()
    });
    assert_eq!(won.len(), 1);
}

#[test]
fn a_missing_folder_is_an_error_and_not_an_empty_store() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("store");
    assert!(FolderStore::open(&root).is_err());
    let store = FolderStore::create(&root).unwrap();
    block_on(async {
        put(&store, "a", "1", Condition::None).await;
        fs::remove_dir_all(&root).unwrap();
        assert!(matches!(store.get("a").await, Err(StoreError::Read { .. })));
        assert!(store.list("").await.is_err());
        let put = store.put("a", text("2"), Condition::Absent).await;
        assert!(matches!(put, Err(StoreError::Write { .. })));
    });
    fs::write(&root, "a file").unwrap();
    let error = FolderStore::open(&root).unwrap_err().to_string();
    assert!(error.ends_with("is not a folder"), "{error}");
}

#[test]
fn what_a_crash_left_behind_is_no_object() {
    let folder = tempfile::tempdir().unwrap();
    let store = FolderStore::open(folder.path()).unwrap();
    fs::write(folder.path().join(TEMP_NAME), "half a wri").unwrap();
    block_on(async {
        assert!(store.list("").await.unwrap().is_empty());
        put(&store, "a", "1", Condition::Absent).await.unwrap();
        assert_eq!(store.list("").await.unwrap(), ["a"]);
    });
}

#[test]
fn objects_bear_the_time_of_their_writing() {
    use kedge_engine::ports::Clock;
    let folder = tempfile::tempdir().unwrap();
    let store = FolderStore::open(folder.path()).unwrap();
    let object = block_on(async {
        put(&store, "a", "1", Condition::None).await;
        store.get("a").await.unwrap().unwrap()
    });
    let age = crate::SystemClock::default()
        .now()
        .ms_since(object.written_at);
    assert!((-2_000..60_000).contains(&age), "{age}");
}

/// The child of the next test: takes the lock, says so, and waits to be killed. By itself it is nothing.
#[test]
fn hold_the_lock() {
    let Some(root) = std::env::var_os(CHILD_ROOT) else {
        return;
    };
    let store = FolderStore::open(root).unwrap();
    block_on(async {
        let _lock = store.lock().await.unwrap();
        fs::write(store.root.join("held"), "").unwrap();
        tokio::time::sleep(Duration::from_secs(60)).await;
    });
}

#[test]
fn a_killed_writer_frees_the_lock() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "store::tests::hold_the_lock"])
        .env(CHILD_ROOT, folder.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let store = FolderStore::open(folder.path()).unwrap();
    block_on(async {
        while !folder.path().join("held").exists() {
            assert!(child.try_wait().unwrap().is_none(), "the child ended early");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let error = store.put("a", text("1"), Condition::Absent).await;
        let error = error.unwrap_err().to_string();
        assert!(error.contains(LOCK_NAME), "{error}");
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(put(&store, "a", "1", Condition::Absent).await.is_some());
    });
}

/// What somebody else put there may have any size: it is listed and not read.
#[test]
fn a_file_that_is_too_large_is_listed_and_not_taken_in() {
    let folder = tempfile::tempdir().unwrap();
    let store = FolderStore::create(folder.path()).unwrap();
    let file = File::create(folder.path().join("large")).unwrap();
    file.set_len(BYTES_MAX + 1).unwrap();
    block_on(async {
        put(&store, "small", "1", Condition::None).await;
        let error = store.get("large").await.unwrap_err();
        let said = "large in the store is larger than 32 MiB";
        assert_eq!(
            (
                error.to_string().as_str(),
                matches!(error, StoreError::TooLarge { .. })
            ),
            (said, true)
        );
        let keys: Vec<String> = store
            .versions("")
            .await
            .unwrap()
            .into_iter()
            .map(|listed| listed.key)
            .collect();
        assert_eq!(keys, ["large", "small"]);
        file.set_len(BYTES_MAX).unwrap();
        assert!(store.get("large").await.unwrap().is_some());
    });
}

/// As a copy has it from a machine whose clock is fast.
#[cfg(unix)]
#[test]
fn a_file_is_not_written_after_it_was_put_there() {
    let folder = tempfile::tempdir().unwrap();
    let store = FolderStore::open(folder.path()).unwrap();
    let file = File::create(folder.path().join("a")).unwrap();
    let day = Duration::from_secs(24 * 60 * 60);
    let now = file.metadata().unwrap().modified().unwrap();
    file.set_modified(now + day).unwrap();
    let read = block_on(store.get("a")).unwrap().unwrap();
    let listed = block_on(store.versions("a")).unwrap().remove(0);
    assert!(read.written_at <= read.read_at.unwrap());
    assert_eq!(listed.written_at, read.written_at);
    // An earlier time is the file's own: it may have been copied.
    file.set_modified(std::time::SystemTime::UNIX_EPOCH)
        .unwrap();
    let read = block_on(store.get("a")).unwrap().unwrap();
    assert_eq!(read.written_at, Timestamp(0));
}

#[cfg(unix)]
#[test]
fn a_link_and_a_device_are_no_objects() {
    let folder = tempfile::tempdir().unwrap();
    let outside = tempfile::NamedTempFile::new().unwrap();
    std::os::unix::fs::symlink(outside.path(), folder.path().join("link")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(folder.path().join("socket")).unwrap();
    let store = FolderStore::open(folder.path()).unwrap();
    for key in ["link", "socket"] {
        let read = block_on(store.get(key)).unwrap_err();
        let reason = "this is a link or a device, and no file".to_owned();
        let key = key.to_owned();
        assert_eq!(read, StoreError::Read { key, reason });
    }
    assert_eq!(block_on(store.versions("")).unwrap(), []);
}
