//! The simulation that behaviour tests run in: virtual time, seeded order, no sockets, no real clock.
//!
//! [`executor`] drives one future and moves time forward when nothing else can happen; [`ports`]
//! are the engine's ports over it, with the sandbox behind the HTTP port and memory behind the
//! store. A failure is a seed, and, for a crash, the number of the port call it happened at.

pub mod authority;
pub mod commands;
pub mod crowd;
pub mod declares;
pub mod desk;
pub mod executor;
pub mod golden;
pub mod pause;
pub mod platform;
pub mod ports;
pub mod pushed;
pub mod queue;
pub mod reports;
pub mod stack;
pub mod store;
pub mod under_way;
