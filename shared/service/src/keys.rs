//! The names of the objects that are between an event and the engine. Those of stacks are the engine's.

/// What the keys of uploads and of their results begin with.
pub(crate) const UPLOADS: &str = "upload/";
