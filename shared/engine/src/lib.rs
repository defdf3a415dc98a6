//! The flow of Kedge over ports: `definitions → declared → (recorded, live) → differences → plan →
//! apply → state`.
//!
//! A port call is the only place where anything here waits, so a test may run it in virtual time.
//! What reads and plans is generic over [`ports::ReadPorts`] and has no way to send a write; only
//! `apply` asks for [`ports::WritePorts`].

pub mod bundles;
mod decide;
mod execute;
mod grants;
pub mod history;
pub mod holds;
pub mod job;
pub mod lease;
mod leased_run;
mod ownership;
pub mod ports;
pub mod providers;
pub mod push;
pub mod reconcile;
mod registry;
mod remember;
pub mod retry;
mod room;
pub mod session;
pub mod state_command;
mod state_store;
mod transport;

pub use grants::GrantError;
pub use registry::RegistryError;
pub use state_store::StateStoreError;
