//! Behaviour across crates. One binary, so that everything is linked once.

mod contract;
mod providers;
mod scenarios;
