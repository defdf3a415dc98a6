//! What lies between an event and the engine.

pub mod upload;
