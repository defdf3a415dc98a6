//! A folder as store: for one machine, the sandbox and tests.

use std::cell::Cell;
use std::fs::{self, File, Metadata, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use kedge_adapters::{
    EtagHash, LOCK_NAME, Operations, TEMP_NAME, etag_of, holds, key_problem, may_read, may_write,
};
use kedge_core::model::Timestamp;
use kedge_core::stored::OBJECT_BYTES_MAX;
use kedge_engine::ports::{
    Attempts, Condition, ETag, Listed, PutOutcome, Store, StoreError, StoredObject, Version,
};

use crate::clock::{system_time, timestamp};

/// How often a held lock is tried again, and how long in all: 5 seconds. A write takes
/// milliseconds, so a lock held longer is not one of ours at work.
const LOCK_TRIES: u32 = 250;
const LOCK_PAUSE_MS: u64 = 20;
/// The most bytes of a file that is read.
const BYTES_MAX: u64 = OBJECT_BYTES_MAX as u64;

/// Objects as files under one folder.
///
/// Every process that uses the folder may write: a write compares and swaps under a lock on
/// `.kedge.lock`, which the operating system frees when its holder dies, and replaces a file whole,
/// so that a reader needs no lock. A key that is the folder of another (`a` beside `a/b`) can't be
/// written. Files are small, so they are read and written without leaving the thread.
#[derive(Debug, Clone)]
pub struct FolderStore {
    root: PathBuf,
    /// Whether the folder may be missing, and nothing is written.
    is_read_only: bool,
    operations: Cell<Operations>,
}

impl FolderStore {
    /// A store that is there. A folder that is missing is an error and not an empty store: a disk
    /// that is not mounted must not look like a beginning.
    ///
    /// # Errors
    /// When the folder is not there or not a folder.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let store = Self {
            root: root.into(),
            is_read_only: false,
            operations: Cell::default(),
        };
        store
            .check_root()
            .map_err(|error| read_error("anything", &error))?;
        Ok(store)
    }

    /// A store that is made if it is not there.
    ///
    /// # Errors
    /// When the folder can't be made.
    pub fn create(root: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let root = root.into();
        fs::create_dir_all(&root).map_err(|error| StoreError::Write {
            key: "anything".to_owned(),
            reason: format!("can't make the folder {}: {error}", root.display()),
        })?;
        Self::open(root)
    }

    /// A store that is only read: a folder that is missing is empty, and stays missing.
    #[must_use]
    pub fn read_only(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            is_read_only: true,
            operations: Cell::default(),
        }
    }

    /// How often it was asked so far.
    #[must_use]
    pub fn operations(&self) -> Operations {
        self.operations.get()
    }

    fn check_root(&self) -> io::Result<()> {
        let root = self.root.display();
        let problem = match fs::metadata(&self.root) {
            Ok(found) if found.is_dir() => return Ok(()),
            Ok(_) => format!("{root} is not a folder"),
            Err(error) if error.kind() == ErrorKind::NotFound => match self.is_read_only {
                true => return Ok(()),
                false => format!("the folder {root} does not exist; create it"),
            },
            Err(error) => format!("the folder {root} can't be used: {error}"),
        };
        Err(io::Error::other(problem))
    }

    fn path(&self, key: &str) -> PathBuf {
        key.split('/')
            .fold(self.root.clone(), |path, part| path.join(part))
    }

    /// Opens a file; none if there is none, or a folder. What else may be there is no object: a link leads
    /// out of the store, and a pipe would not let go.
    fn file(&self, key: &str) -> io::Result<Option<(File, Metadata)>> {
        let path = self.path(key);
        let opened = fs::symlink_metadata(&path).and_then(|found| match found.file_type() {
            sort if sort.is_dir() => Err(ErrorKind::IsADirectory.into()),
            sort if sort.is_file() => File::open(&path),
            _ => Err(io::Error::other("this is a link or a device, and no file")),
        });
        match opened {
            Ok(file) => {
                let metadata = file.metadata()?;
                Ok(Some((file, metadata)))
            }
            Err(error) if is_absence(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads one file, bytes and time from the same file even while it is being replaced.
    fn read(&self, key: &str) -> io::Result<Option<StoredObject>> {
        let Some((file, metadata)) = self.file(key)? else {
            self.check_root()?;
            return Ok(None);
        };
        if metadata.len() > BYTES_MAX {
            return Err(io::Error::from(ErrorKind::FileTooLarge));
        }
        let mut bytes = Vec::new();
        file.take(BYTES_MAX).read_to_end(&mut bytes)?;
        Ok(Some(StoredObject {
            etag: etag_of(&bytes),
            bytes: bytes.into(),
            written_at: written_at(&metadata)?,
            read_at: Some(system_time()),
        }))
    }

    /// The version and time of one file, of whatever size, without taking it in.
    fn listed(&self, key: String) -> io::Result<Option<Listed>> {
        let Some((mut file, metadata)) = self.file(&key)? else {
            return Ok(None);
        };
        let written_at = written_at(&metadata)?;
        let etag = match metadata.len() > BYTES_MAX {
            // Nobody takes it in, so its content is not worth reading at each look.
            true => ETag(format!("{:x}-{:x}", written_at.0, metadata.len())),
            false => {
                let mut hash = EtagHash::default();
                io::copy(&mut file, &mut hash)?;
                hash.etag()
            }
        };
        Ok(Some(Listed {
            key,
            etag,
            written_at,
        }))
    }

    fn keys(&self, walk: Walk<'_>) -> Result<Vec<String>, StoreError> {
        Operations::count(&self.operations, |operations| operations.lists += 1);
        let mut keys = Vec::new();
        let collect = |keys| match self.is_read_only && !self.root.exists() {
            true => Ok(()),
            false => self.walk("", walk, keys),
        };
        self.check_root()
            .and_then(|()| collect(&mut keys))
            .map_err(|error| read_error(&format!("the keys of `{}`", walk.prefix), &error))?;
        keys.sort_unstable();
        Ok(keys)
    }

    /// Waits for the lock. It is free again when the returned file is dropped, or its process ends.
    async fn lock(&self) -> io::Result<File> {
        self.check_root()?;
        let path = self.root.join(LOCK_NAME);
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)?;
        for _ in 0..LOCK_TRIES {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) => {
                    tokio::time::sleep(Duration::from_millis(LOCK_PAUSE_MS)).await;
                }
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        let seconds = u64::from(LOCK_TRIES) * LOCK_PAUSE_MS / 1000;
        Err(io::Error::other(format!(
            "another process has held {} for {seconds} s; the lock goes when that process ends",
            path.display()
        )))
    }

    /// Compares and swaps. The caller holds the lock, so the temporary file is this call's alone;
    /// one that a crash left behind is overwritten.
    fn swap(&self, key: &str, bytes: &[u8], condition: &Condition) -> io::Result<PutOutcome> {
        let standing = match condition {
            Condition::None => None,
            _ => self.read(key)?.map(|object| object.etag),
        };
        if !holds(condition, standing.as_ref()) {
            return Ok(PutOutcome::Conflict);
        }
        let path = self.path(key);
        let new_folders = self.make_folders(&path)?;
        let temp = self.root.join(TEMP_NAME);
        let mut file = File::create(&temp)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        let written_at = written_at(&file.metadata()?)?;
        drop(file);
        fs::rename(&temp, &path)?;
        for folder in path
            .parent()
            .into_iter()
            .chain(new_folders.iter().filter_map(|folder| folder.parent()))
        {
            sync_folder(folder)?;
        }
        Ok(PutOutcome::Written(Version {
            etag: etag_of(bytes),
            written_at,
        }))
    }

    /// Makes the folders above a file; tells which are new.
    fn make_folders(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        let missing: Vec<PathBuf> = path
            .ancestors()
            .skip(1)
            .take_while(|folder| *folder != self.root && !folder.is_dir())
            .map(Path::to_path_buf)
            .collect();
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        Ok(missing)
    }

    /// Collects the keys under one folder, whose own key is `above` (empty for the root).
    fn walk(&self, above: &str, walk: Walk<'_>, keys: &mut Vec<String>) -> io::Result<()> {
        let Walk { prefix, unreadable } = walk;
        let folder = match above.is_empty() {
            true => self.root.clone(),
            false => self.path(above),
        };
        let entries = match fs::read_dir(folder) {
            // It was removed a moment ago.
            Err(error) if !above.is_empty() && is_absence(&error) => return Ok(()),
            Err(error)
                if error.kind() == ErrorKind::PermissionDenied
                    && unreadable == Unreadable::PassOver
                    && above.starts_with(prefix) =>
            {
                passed_over(above);
                return Ok(());
            }
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            // A name that is not Unicode is no key of ours.
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            let key = if above.is_empty() {
                name
            } else {
                format!("{above}/{name}")
            };
            let sort = match entry.file_type() {
                Err(error) if is_absence(&error) => continue,
                sort => sort?,
            };
            if sort.is_dir() {
                let inside = format!("{key}/");
                if inside.starts_with(prefix) || prefix.starts_with(&inside) {
                    self.walk(&key, walk, keys)?;
                }
            } else if sort.is_file() && key.starts_with(prefix) && key_problem(&key).is_none() {
                keys.push(key);
            }
        }
        Ok(())
    }
}

/// Which keys are collected.
#[derive(Debug, Clone, Copy)]
struct Walk<'a> {
    prefix: &'a str,
    unreadable: Unreadable,
}

/// What a folder does to a listing that may not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unreadable {
    /// What can't be seen is not absent.
    Fails,
    /// What somebody put there whom nobody else may read does no harm to others.
    PassOver,
}

fn passed_over(key: &str) {
    tracing::warn!(target: "kedge", key, "this may not be read in the store, and is passed over");
}

/// When a file was written: its own time, unless the system knows that it was put there before that, as with a
/// copy from a machine whose clock is fast.
fn written_at(metadata: &Metadata) -> io::Result<Timestamp> {
    let said = timestamp(metadata.modified()?);
    #[cfg(unix)]
    let said = {
        use std::os::unix::fs::MetadataExt as _;
        let ms = metadata.ctime() * 1000 + metadata.ctime_nsec() / 1_000_000;
        said.min(Timestamp(ms))
    };
    Ok(said)
}

impl Store for FolderStore {
    fn is_shared(&self) -> bool {
        false
    }

    async fn get_counting(
        &self,
        key: &str,
        _attempts: &dyn Attempts,
    ) -> Result<Option<StoredObject>, StoreError> {
        Operations::count(&self.operations, |operations| operations.gets += 1);
        may_read(key)?;
        self.read(key).map_err(|error| match error.kind() {
            ErrorKind::FileTooLarge => StoreError::TooLarge {
                key: key.to_owned(),
            },
            _ => read_error(key, &error),
        })
    }

    async fn put_counting(
        &self,
        key: &str,
        bytes: Bytes,
        condition: Condition,
        _attempts: &dyn Attempts,
    ) -> Result<PutOutcome, StoreError> {
        Operations::count(&self.operations, |operations| operations.puts += 1);
        may_write(key)?;
        let failed = |error: io::Error| StoreError::Write {
            key: key.to_owned(),
            reason: error.to_string(),
        };
        if self.is_read_only {
            return Err(failed(io::Error::other("the store was opened to be read")));
        }
        // Nothing is awaited while the lock is held.
        let _lock = self.lock().await.map_err(failed)?;
        self.swap(key, &bytes, &condition).map_err(failed)
    }

    async fn list_counting(
        &self,
        prefix: &str,
        _attempts: &dyn Attempts,
    ) -> Result<Vec<String>, StoreError> {
        self.keys(Walk {
            prefix,
            unreadable: Unreadable::Fails,
        })
    }

    async fn versions_counting(
        &self,
        prefix: &str,
        _attempts: &dyn Attempts,
    ) -> Result<Vec<Listed>, StoreError> {
        let keys = self.keys(Walk {
            prefix,
            unreadable: Unreadable::PassOver,
        })?;
        let version = |key: String| {
            let listed = self.listed(key.clone());
            match listed {
                Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                    passed_over(&key);
                    None
                }
                listed => listed.map_err(|error| read_error(&key, &error)).transpose(),
            }
        };
        keys.into_iter().filter_map(version).collect()
    }
}

fn read_error(key: &str, error: &io::Error) -> StoreError {
    StoreError::Read {
        key: key.to_owned(),
        reason: error.to_string(),
    }
}

/// Whether opening failed because there is nothing: no file, or a file where a folder would be.
fn is_absence(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::IsADirectory
    )
}

/// Makes a rename or a new entry survive a loss of power. Windows has no such call.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
