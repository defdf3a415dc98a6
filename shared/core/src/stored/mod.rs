//! What is stored, and its JSON: one file per object, each with a format of its own. State and what
//! checks remember are in [`state`].
//!
//! Every object is read and written by [`format`]. An object of a newer program is refused and never
//! rewritten. A key that a format does not have is an error, so that nothing is dropped in silence
//! (semantics 8.7). The engine's `state_store.rs` decides when to read and write.

pub(crate) mod bounded;
pub mod bundle;
pub(crate) mod format;
pub mod grant;
pub mod hold;
pub mod index;
pub mod lease;
pub mod run;
pub mod run_request;
pub mod schedule;
pub mod state;
pub mod token;

pub use bounded::{COUNT_MAX, TIME_MS_MAX};
pub use format::{EncodeError, OBJECT_BYTES_MAX, StoredError};

#[cfg(test)]
mod tests;
