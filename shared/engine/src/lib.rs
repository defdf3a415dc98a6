//! The flow of Kedge over ports: `definitions → declared → (recorded, live) → differences → plan →
//! apply → state`.
//!
//! A port call is the only place where anything here waits, so a test may run it in virtual time.
//! What reads and plans is generic over [`ports::ReadPorts`] and has no way to send a write; only
//! `apply` asks for [`ports::WritePorts`].

mod apply;
mod grants;
mod held;
pub mod history;
pub mod holds;
pub mod job;
mod judge;
pub mod lease;
mod memory;
pub mod ports;
pub mod providers;
pub mod push;
pub mod reconcile;
mod registry;
mod remember;
pub mod request;
mod room;
pub mod session;
pub mod sets;
mod taken;
mod transport;
pub mod waits;

pub use grants::GrantError;
pub use memory::MemoryError;
pub use registry::RegistryError;
