//! Definitions that somebody put at `upload/<stack>/PATH` in the store, with any tool (semantics 7.6).
//!
//! An event only says "look now": what is done follows from the object that is there and from whether it has
//! a result. So an event that is lost, late or comes twice changes nothing. [`open`] finds in a listing what
//! has none, and [`take_over`] writes it; the rules are the engine's.

pub mod archive;
mod keys;
mod take_over;
mod text;

pub(crate) use keys::{PREFIX, STRAY, strays};
pub use keys::{Upload, open};
pub use take_over::{TakenOver, UploadError, take_over};
pub use text::NotText;
