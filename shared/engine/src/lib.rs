//! The flow of Kedge over ports: `definitions → declared → (recorded, live) → differences → plan →
//! apply → state`.
//!
//! A port call is the only place where anything here waits, so a test may run it in virtual time.
//! What reads and plans is generic over [`ports::ReadPorts`] and has no way to send a write; only
//! `apply` asks for [`ports::WritePorts`].

mod apply;
pub mod holds;
mod judge;
mod memory;
pub mod ports;
pub mod providers;
pub mod reconcile;
mod remember;
pub mod request;
pub mod session;
mod transport;

pub use memory::MemoryError;
