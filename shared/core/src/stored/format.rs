//! Reads and writes every stored object: by the number of its format, strictly, and never larger than it
//! can be read back.
//!
//! To add a key or a word to an object, from the first release on: raise [`Format::read`] in one release,
//! with the key optional, and [`Format::written`] in the next (semantics 8.7). A snapshot of the object's
//! keys fails when this was forgotten.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::model::Size;

/// The most bytes of any stored object. What reads them must take so many.
pub const OBJECT_BYTES_MAX: usize = 32 * 1024 * 1024;

/// The form of one kind of stored object.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Format {
    /// What a person calls it.
    pub(crate) object: &'static str,
    /// The number this program writes.
    pub(crate) written: u32,
    /// The highest number this program reads: the one it writes, or the next.
    pub(crate) read: u32,
    /// The most bytes: more is neither written nor read.
    pub(crate) bytes_max: usize,
    /// What keeps it smaller.
    pub(crate) smaller: &'static str,
}

/// What is stored in this form.
pub(crate) trait Stored: Serialize + DeserializeOwned {
    /// Its form.
    const FORMAT: Format;
}

/// A stored object can't be used. Nothing is written over it.
#[derive(Debug, Error)]
pub enum StoredError {
    /// It is not JSON, lacks a part, or a number in it is none of ours.
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
        "the stored {object} was written by a newer kedge: it has format {found}, and this program \
         reads {known} at most; use a newer kedge"
    )]
    Newer {
        /// What it is called.
        object: &'static str,
        /// The number of its format.
        found: u64,
        /// The highest that is read.
        known: u32,
    },
    /// It holds a key or a word that its format does not have.
    #[error(
        "the stored {object} has a key or word that this kedge does not know: a newer kedge or \
         another program wrote it; use that one"
    )]
    Foreign {
        /// What it is called.
        object: &'static str,
        /// What, and where.
        #[source]
        source: serde_json::Error,
    },
    /// It is larger than any that is written.
    #[error(
        "the stored {object} is {}; kedge reads at most {}", Size(*bytes), Size(*max)
    )]
    TooLarge {
        /// What it is called.
        object: &'static str,
        /// Its size.
        bytes: usize,
        /// The most.
        max: usize,
    },
    /// A part of it makes no sense.
    #[error("the stored {object} is damaged: {why}")]
    InvalidValue {
        /// What it is called.
        object: &'static str,
        /// What, in a few words.
        why: String,
    },
}

impl StoredError {
    /// What the object is called.
    #[must_use]
    pub fn object(&self) -> &'static str {
        match self {
            Self::Damaged { object, .. }
            | Self::Newer { object, .. }
            | Self::Foreign { object, .. }
            | Self::TooLarge { object, .. }
            | Self::InvalidValue { object, .. } => object,
        }
    }

    /// Whether a newer program wrote it, as far as one can tell: nothing is written over it, whoever
    /// asks (semantics 8.7).
    #[must_use]
    pub fn is_newer(&self) -> bool {
        matches!(self, Self::Newer { .. } | Self::Foreign { .. })
    }
}

/// An object is not written, since it could not be read back.
#[derive(Debug, Error)]
pub enum EncodeError {
    /// It would be too large.
    #[error(
        "the {object} would be {}, more than the {} that kedge reads: {smaller}",
        Size(*bytes), Size(*max)
    )]
    TooLarge {
        /// What it is called.
        object: &'static str,
        /// The size it would have.
        bytes: usize,
        /// The most.
        max: usize,
        /// What to do.
        smaller: &'static str,
    },
    /// A number in it is out of bounds.
    #[error("the {object} can't be written")]
    Json {
        /// What it is called.
        object: &'static str,
        /// Which.
        #[source]
        source: serde_json::Error,
    },
}

/// Reads an object: the number of its format first, so that a newer one is not taken for damage, then
/// all of it, strictly.
///
/// # Errors
/// When it is newer, damaged or too large.
pub(crate) fn read<T: Stored>(bytes: &[u8]) -> Result<T, StoredError> {
    #[derive(Deserialize)]
    struct NumberOnly {
        format: u64,
    }
    let Format {
        object,
        read: known,
        bytes_max: max,
        ..
    } = T::FORMAT;
    let damaged = |source| StoredError::Damaged { object, source };
    let NumberOnly { format: found } = serde_json::from_slice(bytes).map_err(damaged)?;
    if found > u64::from(known) {
        return Err(StoredError::Newer {
            object,
            found,
            known,
        });
    }
    if found == 0 {
        let why = "no format has the number 0".to_owned();
        return Err(StoredError::InvalidValue { object, why });
    }
    if bytes.len() > max {
        let bytes = bytes.len();
        return Err(StoredError::TooLarge { object, bytes, max });
    }
    serde_json::from_slice(bytes).map_err(|source| match is_foreign(&source) {
        true => StoredError::Foreign { object, source },
        false => damaged(source),
    })
}

/// Whether a strict reader met a key or a word that it does not know. Serde says so in its text alone.
fn is_foreign(error: &serde_json::Error) -> bool {
    let text = error.to_string();
    text.starts_with("unknown field ") || text.starts_with("unknown variant ")
}

/// Writes an object, the same bytes for the same object.
///
/// # Errors
/// When it could not be read back.
pub(crate) fn write<T: Stored>(stored: &T) -> Result<Vec<u8>, EncodeError> {
    let Format {
        object,
        bytes_max: max,
        smaller,
        ..
    } = T::FORMAT;
    let json = |source| EncodeError::Json { object, source };
    let mut bytes = serde_json::to_vec_pretty(stored).map_err(json)?;
    bytes.push(b'\n');
    match bytes.len() > max {
        false => Ok(bytes),
        true => Err(EncodeError::TooLarge {
            object,
            bytes: bytes.len(),
            max,
            smaller,
        }),
    }
}
