//! Behaviour across crates. One binary, so that everything is linked once.

mod contract;
mod golden;
mod layers;
mod matrix;
mod providers;
mod quirks;
mod scenarios;
