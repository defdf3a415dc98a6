//! Behaviour across crates. One binary, so that everything is linked once.

mod providers;
mod scenarios;
