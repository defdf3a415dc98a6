//! The stored forms of what lies beside state: one file per object, each with a format of its own.
//!
//! Every object is read and written by [`format`]. What a newer program wrote is refused and never
//! rewritten, and a key that a format does not have is an error, so that nothing is dropped in silence
//! (semantics 8.7). State and the memory of checks are in [`crate::stored::state`].

pub(crate) mod bounded;
pub mod bundle;
pub(crate) mod format;
pub mod grant;
pub mod hold;
pub mod index;
pub mod lease;
pub mod run;
pub mod state;

pub use bounded::{COUNT_MAX, TIME_MS_MAX};
pub use format::{EncodeError, OBJECT_BYTES_MAX, StoredError};

#[cfg(test)]
mod tests;
