//! Definitions that somebody put at `upload/` in the store, with any tool.

pub mod archive;
