//! `definitions.json` and `revisions/<revision>.json`: all definition files of one revision, as one
//! object.
//!
//! One read is consistent, and one write replaces it whole. Both objects have this form:
//! `definitions.json` is the revision that counts, the other a copy that stays.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::bounded::Time;
use super::format::{Format, Stored, read, write};
use super::{EncodeError, StoredError};
use crate::definitions::{Bundle, BundleError};
use crate::hint::Hint;
use crate::model::{StackName, Timestamp, is_hex};

/// The most bytes of a stored bundle: the texts and paths of a full one with every character
/// escaped, and some room for the rest. More is not read into memory, of which a Worker has 128 MB.
pub const BYTES_MAX: usize =
    2 * (Bundle::TOTAL_BYTES_MAX + Bundle::FILES_MAX * Bundle::PATH_CHARS_MAX);

/// A bundle as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBundle {
    /// Whose definitions they are.
    pub stack: StackName,
    /// The files. Its revision is the stored one.
    pub bundle: Bundle,
    /// The revision that was stored before; none for a stack's first.
    pub follows: Option<String>,
    /// Who pushed it, when, and from where.
    pub pushed: Pushed,
    /// The revision whose content this is, if a rollback stored it again. While it counts, a push
    /// must name it (the push hold, semantics 7.4).
    pub rollback_of: Option<String>,
}

/// Who pushed it, when, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// `user@host`, or the actor of a CI system.
    pub actor: String,
    /// When, by the clock of who pushed.
    pub at: Timestamp,
    /// The git commit, where there was one. Of a rollback or an upload it is the newest commit pushed
    /// before: what the next push must descend from.
    pub commit: Option<Commit>,
    /// The git branch, where there was one.
    pub branch: Option<String>,
    /// The object that it came from, if somebody put it at `upload/`.
    pub upload: Option<Uploaded>,
}

/// The object that definitions came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uploaded {
    /// Its key.
    pub key: String,
    /// Its version.
    pub etag: String,
    /// By the store's clock: what was put at `upload/` before this time is older than these definitions
    /// (semantics 7.6). An archive sets it to when it was put; one file leaves it as it was.
    pub newer_than: Timestamp,
}

/// A git commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Its id, in hexadecimal digits.
    pub id: String,
    /// Whether the files had edits that the commit does not hold.
    pub edited: bool,
}

/// A stored bundle can't be used. Nothing but newer definitions is written over it.
#[derive(Debug, Error)]
pub enum BundleDecodeError {
    /// It is damaged, or newer.
    #[error(transparent)]
    Stored(#[from] StoredError),
    /// It is another stack's.
    #[error("the stored definitions belong to stack `{found}`, not `{wanted}`")]
    OtherStack {
        /// Whose it is.
        found: String,
        /// Whose it should be.
        wanted: String,
    },
    /// Its files are not a bundle.
    #[error("the stored definitions can't be read as definition files")]
    NoBundle(#[from] BundleError),
    /// Its content is not that of its revision.
    #[error("the stored definitions say revision `{said}`, but their content has another")]
    OtherContent {
        /// What it says.
        said: String,
    },
}

impl BundleDecodeError {
    /// Whether a newer program wrote it.
    #[must_use]
    pub fn is_newer(&self) -> bool {
        matches!(self, Self::Stored(error) if error.is_newer())
    }
}

const OBJECT: &str = "definitions.json";

impl Stored for StoredFiles {
    const FORMAT: Format = Format {
        object: OBJECT,
        written: 1,
        read: 1,
        bytes_max: BYTES_MAX,
        smaller: "declare less in one stack",
    };
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoredFiles {
    format: u32,
    stack: String,
    revision: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    follows: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    rollback_of: Option<String>,
    pushed: StoredPushed,
    files: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoredPushed {
    actor: String,
    at_ms: Time,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    commit: Option<StoredCommit>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    branch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    upload: Option<StoredUpload>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoredUpload {
    key: String,
    etag: String,
    newer_than_ms: Time,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoredCommit {
    id: String,
    edited: bool,
}

impl StoredBundle {
    /// Its revision.
    #[must_use]
    pub fn revision(&self) -> String {
        self.bundle.revision()
    }

    /// The push that may come next (semantics 7.4).
    #[must_use]
    pub fn next_push(&self) -> Hint {
        Hint::Push {
            after_rollback: self.rollback_of.as_ref().map(|_| self.revision()),
        }
    }

    /// Writes it as JSON.
    ///
    /// # Errors
    /// When it could not be read back.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let Pushed {
            actor,
            at,
            commit,
            branch,
            upload,
        } = &self.pushed;
        let commit = commit.as_ref().map(|Commit { id, edited }| StoredCommit {
            id: id.clone(),
            edited: *edited,
        });
        write(&StoredFiles {
            format: StoredFiles::FORMAT.written,
            stack: self.stack.to_string(),
            revision: self.revision(),
            follows: self.follows.clone(),
            rollback_of: self.rollback_of.clone(),
            pushed: StoredPushed {
                actor: actor.clone(),
                at_ms: (*at).into(),
                commit,
                branch: branch.clone(),
                upload: upload.as_ref().map(|upload| StoredUpload {
                    key: upload.key.clone(),
                    etag: upload.etag.clone(),
                    newer_than_ms: upload.newer_than.into(),
                }),
            },
            files: self.bundle.files().clone(),
        })
    }

    /// Reads it back.
    ///
    /// # Errors
    /// When it can't be used; whoever reads it then goes by the last revision that can.
    pub fn decode(bytes: &[u8], stack: &StackName) -> Result<Self, BundleDecodeError> {
        let stored: StoredFiles = read(bytes)?;
        if stored.stack != stack.as_str() {
            return Err(BundleDecodeError::OtherStack {
                found: stored.stack,
                wanted: stack.to_string(),
            });
        }
        let names = [Some(&stored.revision), stored.follows.as_ref()];
        for name in names.into_iter().flatten().chain(&stored.rollback_of) {
            if !is_revision(name) {
                let why = format!("`{name}` as a revision");
                let object = OBJECT;
                return Err(StoredError::InvalidValue { object, why }.into());
            }
        }
        let bundle = Bundle::new(stored.files)?;
        let later = bundle.revision_after(stored.follows.as_deref());
        if stored.revision != bundle.revision() && stored.revision != later {
            let said = stored.revision;
            return Err(BundleDecodeError::OtherContent { said });
        }
        let pushed = stored.pushed;
        Ok(Self {
            stack: stack.clone(),
            bundle: bundle.stored_as(stored.revision),
            follows: stored.follows,
            pushed: Pushed {
                actor: pushed.actor,
                at: pushed.at_ms.into(),
                commit: pushed
                    .commit
                    .map(|StoredCommit { id, edited }| Commit { id, edited }),
                branch: pushed.branch,
                upload: pushed.upload.map(|upload| Uploaded {
                    key: upload.key,
                    etag: upload.etag,
                    newer_than: upload.newer_than_ms.into(),
                }),
            },
            rollback_of: stored.rollback_of,
        })
    }
}

/// Whether a text is a revision: hexadecimal digits in lower case, as many as [`Bundle`]
/// makes. It becomes a part of a key.
#[must_use]
pub fn is_revision(text: &str) -> bool {
    text.len() == Bundle::REVISION_CHARS && is_hex(text)
}

#[cfg(test)]
mod tests;
