//! The pure half of Kedge: definitions in, plan out.
//!
//! The way through it: [`definitions`] parses a set of files into a [`model::Declared`] stack;
//! [`state`] decodes what was recorded, [`stored`] what else is kept, and [`push`] judges a new set; a provider's answer arrives as a [`live::LiveWorld`];
//! [`diff`] compares the three; [`plan`] turns differences into ordered changes and findings, each
//! with its [`risk`]; a [`change`] is what apply gets; a [`report`] is what is told of it, and
//! [`render`] makes it text or JSON. Nothing here waits, reads a clock, draws a
//! random number or talks to anything: time and nonces come in as values. The dependency list in
//! `Cargo.toml` is the proof.

pub mod accept;
pub mod change;
pub mod compare;
pub mod definitions;
pub mod live;
pub mod model;
pub mod open_run;
pub mod plan;
pub mod push;
pub mod record;
pub mod recording;
pub mod render;
pub mod report;
pub mod risk;
pub mod state;
pub mod stored;
