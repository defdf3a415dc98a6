//! The stored forms of what lies beside state: one file per object, each with a version of its own.
//!
//! A version is read one release before it is written; a newer one than known is refused and never
//! rewritten (semantics 8.7). Unknown keys in a known version are an error, so that nothing is
//! dropped in silence by an older program. State and the memory of checks are in [`crate::state`].

pub mod grant;
pub mod hold;
pub mod index;
pub mod lease;
pub mod run;
pub mod set;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

/// A stored object can't be used. Nothing is written over it.
#[derive(Debug, Error)]
pub enum StoredError {
    /// It is not JSON, or lacks a part.
    #[error("the stored {object} is damaged")]
    Damaged {
        /// What it is called.
        object: &'static str,
        /// Where.
        #[source]
        source: serde_json::Error,
    },
    /// It was written by a newer program.
    #[error(
        "the stored {object} has format {found}, and this program knows {known} at most; use a \
         newer kedge"
    )]
    Newer {
        /// What it is called.
        object: &'static str,
        /// Its version.
        found: u32,
        /// The newest version that is read.
        known: u32,
    },
    /// A part of it makes no sense.
    #[error("the stored {object} is damaged: {why}")]
    Senseless {
        /// What it is called.
        object: &'static str,
        /// What, in a few words.
        why: String,
    },
}

impl StoredError {
    /// Whether a newer program wrote it.
    #[must_use]
    pub fn is_newer(&self) -> bool {
        matches!(self, Self::Newer { .. })
    }
}

/// Reads an object of which `known` is the newest version.
///
/// # Errors
/// When it is damaged or newer.
pub(crate) fn read<T: DeserializeOwned>(
    object: &'static str,
    known: u32,
    bytes: &[u8],
) -> Result<T, StoredError> {
    #[derive(Deserialize)]
    struct VersionOnly {
        format: u32,
    }
    let damaged = |source| StoredError::Damaged { object, source };
    let VersionOnly { format: found } = serde_json::from_slice(bytes).map_err(damaged)?;
    if found > known {
        return Err(StoredError::Newer {
            object,
            found,
            known,
        });
    }
    serde_json::from_slice(bytes).map_err(damaged)
}
