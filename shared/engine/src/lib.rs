//! The flow of Kedge over ports: observe, compare, plan, authorise, execute. A shell begins at
//! [`Engine`] (`front_door.rs`); `reconcile.rs` is the flow.
//!
//! A port call is the only place where anything here waits, so a test can run it in virtual time.
//! What observes and plans is generic over [`ports::ReadPorts`] and has no way to send a write;
//! only `apply` asks for [`ports::WritePorts`].
#![cfg_attr(
    not(feature = "testing"),
    expect(unreachable_pub, reason = "what `testing` shows is public")
)]

mod assess;
mod budget;
mod bundles;
mod caches;
mod call_error;
mod consent;
mod decide;
mod declared;
pub mod documents;
mod endpoints;
mod error_chain;
mod estimate;
mod execute;
mod front_door;
mod gate;
mod grants;
mod group;
mod history;
mod holds;
mod job;
mod keys;
mod lease;
mod leased_run;
mod observe;
mod outcome;
mod ownership;
pub mod ports;
mod progress;
mod providers;
mod push;
mod reads;
mod reconcile;
mod registry;
mod remember;
mod retry;
mod schedule;
mod session;
mod settings;
mod shared_reads;
mod state_command;
mod state_store;
mod tokens;
mod traces;
mod wakers;
mod wanted;

pub use budget::{Budget, LAST_REQUEST_BEFORE_DEADLINE_MS, TooFewConnections};
pub use bundles::{BundleFault, ReadBundle};
pub use caches::Caches;
pub use consent::{Answer, By, Consent, TypedName};
pub use endpoints::{EndpointError, Endpoints};
pub use error_chain::{error_causes, error_chain};
pub use estimate::{Estimate, estimate, groups};
pub use front_door::Engine;
pub use grants::{Agreement, GrantError};
pub use history::{History, PushEntry, Query, RunReadError, is_whole};
pub use holds::{HoldError, HoldRequest, ReleaseRequest, Released};
pub use job::{RunError, StopError, Stopped};
pub use lease::{LeaseError, LeaseHolder, LeaseTimes, Pulse};
pub use outcome::{Applied, Checked, GroupCheck, Ran};
pub use progress::Progress;
pub use push::{
    FolderPush, PushError, PushOutcome, PushReport, PushRequest, UPLOAD_ACTOR, UploadContent,
    UploadPush,
};
pub use registry::RegistryError;
pub use schedule::{DueGroup, DueWork, LastTick, ScheduleError, Scope as DueScope, Standing};
pub use session::Wait;
pub use settings::{CheckRequest, Definitions, Settings};
pub use state_command::StateCommand;
pub use state_store::{Kept, StateStoreError};

/// The inside, for tests that try a provider or a lease on its own.
#[cfg(feature = "testing")]
pub mod testing {
    pub use crate::lease::Holder;
    pub use crate::providers::{carry_out, read_live};
    pub use crate::session::{Context, Session};
    pub use crate::tokens::GOOGLE_TOKEN_AGE_MAX_S;
}
