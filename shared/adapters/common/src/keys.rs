//! What the stores agree on: which keys there are, and, for the local ones, what a version is.

use std::io;

use kedge_engine::ports::{Condition, ETag, StoreError};
use sha2::{Digest, Sha256};

/// Held while a folder store writes.
pub const LOCK_NAME: &str = ".kedge.lock";
/// A write on its way.
pub const TEMP_NAME: &str = ".kedge.tmp";

/// Why a text can't be a key; none if it can. A key is a relative path with `/`, and the same
/// everywhere, so what some file system would read as more than a name is refused.
#[must_use]
pub fn key_problem(key: &str) -> Option<&'static str> {
    if key.is_empty() {
        return Some("a key must not be empty");
    }
    if key.contains(['\\', '\0']) || key.contains(char::is_control) {
        return Some("a key must not hold backslashes or control characters");
    }
    if key.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Some("a key must be a relative path with no empty part, `.` or `..`");
    }
    if key == LOCK_NAME || key == TEMP_NAME {
        return Some("this name is used by the store itself");
    }
    None
}

/// Refuses to read what [`key_problem`] objects to.
///
/// # Errors
/// With the problem.
pub fn may_read(key: &str) -> Result<(), StoreError> {
    key_problem(key).map_or(Ok(()), |problem| {
        Err(StoreError::Read {
            key: key.to_owned(),
            reason: problem.to_owned(),
        })
    })
}

/// Refuses to write what [`key_problem`] objects to.
///
/// # Errors
/// With the problem.
pub fn may_write(key: &str) -> Result<(), StoreError> {
    key_problem(key).map_or(Ok(()), |problem| {
        Err(StoreError::Write {
            key: key.to_owned(),
            reason: problem.to_owned(),
        })
    })
}

/// A version: SHA-256 of the bytes, as R2's is a hash of the body. Objects that must differ from
/// their earlier selves carry a nonce (semantics 8.4).
#[must_use]
pub fn etag_of(bytes: &[u8]) -> ETag {
    let mut hash = EtagHash::default();
    hash.0.update(bytes);
    hash.etag()
}

/// The same for bytes that are written into it piece by piece.
#[derive(Default)]
pub struct EtagHash(Sha256);

impl EtagHash {
    /// The version of what was written.
    #[must_use]
    pub fn etag(self) -> ETag {
        ETag(hex::encode(self.0.finalize()))
    }
}

impl io::Write for EtagHash {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether a write may happen, given the version that stands.
#[must_use]
pub fn holds(condition: &Condition, standing: Option<&ETag>) -> bool {
    match condition {
        Condition::Absent => standing.is_none(),
        Condition::Is(wanted) => standing == Some(wanted),
        Condition::None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys() {
        for good in [
            "a",
            "stacks/prod/state.json",
            "..a/b..",
            "ü ñ/%2e%2e",
            "a/.kedge.lock",
        ] {
            assert_eq!(key_problem(good), None, "{good}");
        }
        for bad in [
            "", "/a", "a/", "a//b", "../a", "a/../b", "a/.", "a\\b", "a\nb", LOCK_NAME, TEMP_NAME,
        ] {
            assert!(key_problem(bad).is_some(), "{bad}");
        }
    }
}
