//! What lies between an event and the engine.

pub mod queue;
pub mod upload;
pub mod work;
