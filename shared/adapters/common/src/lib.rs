//! What every adapter shares and is pure: the keys of a store, counting, when to ask again,
//! what variables say, a store in memory, and the suite that every store passes. No runtime, no sockets, no files: those are in the adapters.

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod hooked;
mod in_memory;
mod keys;
mod meter;
mod operations;
pub mod patient;
mod pem;
mod requests;
mod settings;
mod tries;

pub use self::hooked::{BeforeStore, HookedStore, StoreOperation};
pub use self::in_memory::InMemoryStore;
pub use self::keys::{
    EtagHash, LOCK_NAME, TEMP_NAME, etag_of, holds, key_problem, may_read, may_write,
};
pub use self::meter::{Metered, Traffic};
pub use self::operations::Operations;
pub use self::pem::pkcs8_der;
pub use self::requests::{host_of, read_may_be_sent, read_only_refusal, write_may_be_sent};
pub use self::settings::{HeldSecrets, KEDGE_RELAY_KEY, Settings, SettingsError};
pub use self::tries::{Failed, Tries};
