//! The pure half of Kedge: definitions in, plan out.
//!
//! The stages, in order: [`definitions`] parses the files of a revision into a [`model::Declared`] stack.
//! A provider's answers arrive as a [`live::LiveWorld`]. [`compare`] compares them with what is recorded.
//! [`plan`] makes ordered changes and findings of the differences, each with its [`risk`], and its
//! `authorise` decides what may be done. A [`change`] is what a provider gets. [`record`] says what state
//! learns, a [`report`] is what a run found and did, [`render`] makes it text, and [`documents`] makes it
//! JSON. [`push`] decides about a new revision. What is kept, with its JSON, is in [`stored`].
//!
//! [`providers`] has what is known of each provider. Nothing here waits, reads a clock, draws a random
//! number or talks to anything: time and nonces come in as values. The dependency list in `Cargo.toml` is
//! the proof.

#[macro_use]
mod closed;

pub mod accept;
pub mod change;
pub mod compare;
pub mod definitions;
pub mod documents;
pub mod hint;
pub mod live;
pub mod model;
pub mod plan;
pub mod providers;
pub mod push;
pub mod ran_out;
pub mod record;
pub mod render;
pub mod report;
pub mod risk;
pub mod schedule;
pub mod stored;

pub use stored::state;
