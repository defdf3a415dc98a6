//! Kedge's memory in the simulation: objects in memory, as strict as the strictest store.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use bytes::Bytes;
use kedge_core::model::Timestamp;
use kedge_core::stored::OBJECT_BYTES_MAX;
use kedge_engine::ports::{Condition, ETag, Listed, PutOutcome, StoreError, StoredObject, Version};

/// How soon after a write of a key the next one is refused, as R2 does: one a second.
const WRITES_APART_MS: i64 = 1_000;
/// A store in memory that counts its operations. It is as strict as R2: a version is a hash of the
/// body, and one key takes one write a second.
#[derive(Debug)]
pub struct SimStore {
    pub(crate) objects: RefCell<BTreeMap<String, StoredObject>>,
    /// Objects read so far.
    pub reads: Cell<usize>,
    /// Objects written so far, conflicts included.
    pub writes: Cell<usize>,
    /// Whether it says the time with a read; R2's binding in a Worker does not.
    pub says_time: Cell<bool>,
    /// Whether others use it too, as they do a bucket.
    pub is_shared: Cell<bool>,
    /// Writes that go wrong.
    pub write_faults: RefCell<Vec<WriteFault>>,
    /// Reads and lists that go wrong.
    pub read_faults: RefCell<Vec<ReadFault>>,
    /// Keys of writes that were refused with 429, since they came too soon after another.
    pub refused: RefCell<Vec<String>>,
    /// Each write that was made: key and time.
    pub written: RefCell<Vec<(String, i64)>>,
}

/// A write to the store that goes wrong: the n-th of a key that ends like this (counted from now).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteFault {
    /// The end of the keys that are meant.
    pub key_end: String,
    /// How many such writes go well before.
    pub after: u64,
    /// How many go wrong then.
    pub times: u64,
    /// Whether they are made, and only their answers lost.
    pub made: bool,
}

/// A read of the store that goes wrong: of an object, or of a list of keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadFault {
    /// The end of the keys, or of the prefixes of lists, that are meant.
    pub key_end: String,
    /// How many such reads go well before.
    pub after: u64,
    /// How many go wrong then.
    pub times: u64,
}

/// Counts a case that a fault is meant for; whether it goes wrong.
pub(crate) fn is_due(after: &mut u64, times: &mut u64) -> bool {
    if *after > 0 {
        *after -= 1;
        return false;
    }
    *times = times.saturating_sub(1);
    true
}

impl Default for SimStore {
    fn default() -> Self {
        Self {
            objects: RefCell::default(),
            reads: Cell::default(),
            writes: Cell::default(),
            says_time: Cell::new(true),
            is_shared: Cell::default(),
            write_faults: RefCell::default(),
            read_faults: RefCell::default(),
            refused: RefCell::default(),
            written: RefCell::default(),
        }
    }
}

impl SimStore {
    /// An object as text; empty if there is none.
    #[must_use]
    pub fn text(&self, key: &str) -> String {
        let objects = self.objects.borrow();
        objects.get(key).map_or_else(String::new, |object| {
            String::from_utf8_lossy(&object.bytes).into_owned()
        })
    }

    /// An object as it is.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn object(&self, key: &str) -> StoredObject {
        self.objects.borrow()[key].clone()
    }

    /// From now on so many reads of keys that end like this go wrong, after so many that go well.
    pub fn fail_reads(&self, key_end: &str, after: u64, times: u64) {
        let key_end = key_end.to_owned();
        let fault = ReadFault {
            key_end,
            after,
            times,
        };
        self.read_faults.borrow_mut().push(fault);
    }

    /// Whether this write goes wrong, and if so whether it is made.
    fn fault(&self, key: &str) -> Option<bool> {
        let mut faults = self.write_faults.borrow_mut();
        let fault = faults
            .iter_mut()
            .find(|fault| key.ends_with(&fault.key_end) && fault.times > 0)?;
        is_due(&mut fault.after, &mut fault.times).then_some(fault.made)
    }

    /// Reads an object.
    pub(crate) fn get(&self, key: &str) -> Result<Option<StoredObject>, StoreError> {
        self.reading(key)?;
        let object = self.objects.borrow().get(key).cloned();
        match object {
            Some(object) if object.bytes.len() > OBJECT_BYTES_MAX => Err(StoreError::TooLarge {
                key: key.to_owned(),
            }),
            object => Ok(object),
        }
    }

    /// Lists objects.
    pub(crate) fn list(&self, prefix: &str) -> Result<Vec<Listed>, StoreError> {
        self.reading(prefix)?;
        let objects = self.objects.borrow();
        let objects = objects.iter().filter(|(key, _)| key.starts_with(prefix));
        let listed = objects.map(|(key, object)| Listed {
            key: key.clone(),
            etag: object.etag.clone(),
            written_at: object.written_at,
        });
        Ok(listed.collect())
    }

    /// Counts a read, which may go wrong.
    fn reading(&self, key: &str) -> Result<(), StoreError> {
        self.reads.set(self.reads.get() + 1);
        let mut faults = self.read_faults.borrow_mut();
        let mut meant = faults.iter_mut().filter(|fault| fault.times > 0);
        let fault = meant.find(|fault| key.ends_with(&fault.key_end));
        match fault.is_some_and(|fault| is_due(&mut fault.after, &mut fault.times)) {
            false => Ok(()),
            true => Err(StoreError::Read {
                key: key.to_owned(),
                reason: "the connection broke".to_owned(),
            }),
        }
    }

    /// Writes once; none: refused, since this key was written a moment ago.
    pub(crate) fn put(
        &self,
        key: &str,
        bytes: &Bytes,
        condition: &Condition,
        now: Timestamp,
    ) -> Option<Result<PutOutcome, StoreError>> {
        let mut objects = self.objects.borrow_mut();
        let standing = objects.get(key);
        if standing.is_some_and(|object| now.ms_since(object.written_at) < WRITES_APART_MS) {
            self.refused.borrow_mut().push(key.to_owned());
            return None;
        }
        self.writes.set(self.writes.get() + 1);
        let fault = self.fault(key);
        let lost = || StoreError::Write {
            key: key.to_owned(),
            reason: "the connection broke".to_owned(),
        };
        if fault == Some(false) {
            return Some(Err(lost()));
        }
        let standing = standing.map(|object| &object.etag);
        let holds = match condition {
            Condition::Absent => standing.is_none(),
            Condition::Is(etag) => standing == Some(etag),
            Condition::None => true,
        };
        if !holds {
            return Some(Ok(PutOutcome::Conflict));
        }
        let object = object(bytes.clone(), now);
        let etag = object.etag.clone();
        objects.insert(key.to_owned(), object);
        self.written.borrow_mut().push((key.to_owned(), now.0));
        Some(match fault {
            Some(_) => Err(lost()),
            None => Ok(PutOutcome::Written(Version {
                etag,
                written_at: now,
            })),
        })
    }

    pub(crate) fn copy(&self) -> Self {
        Self {
            objects: RefCell::new(self.objects.borrow().clone()),
            ..Self::default()
        }
    }

    /// All keys.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        self.objects.borrow().keys().cloned().collect()
    }

    /// Writes an object behind the engine's back.
    pub fn set(&self, key: &str, bytes: impl Into<Bytes>) {
        self.set_at(key, bytes, Timestamp::default());
    }

    /// The same, as it was written at this time by the store's clock.
    pub fn set_at(&self, key: &str, bytes: impl Into<Bytes>, written_at: Timestamp) {
        let object = object(bytes.into(), written_at);
        self.objects.borrow_mut().insert(key.to_owned(), object);
    }

    /// Removes an object behind the engine's back.
    pub fn remove(&self, key: &str) {
        self.objects.borrow_mut().remove(key);
    }
}

/// An object as it is stored: its version is a hash of its bytes, so that equal bodies have equal
/// versions.
fn object(bytes: Bytes, written_at: Timestamp) -> StoredObject {
    let mut hash = DefaultHasher::new();
    bytes.hash(&mut hash);
    StoredObject {
        etag: ETag(format!("{:016x}", hash.finish())),
        bytes,
        written_at,
        read_at: None,
    }
}
