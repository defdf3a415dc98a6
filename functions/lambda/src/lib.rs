//! Kedge on AWS Lambda: three functions over `kedge-service`, each a `main` that names its [`Function`].
//!
//! - `schedule` ticks when EventBridge Scheduler calls it;
//! - `reconcile` works on messages of the SQS queue;
//! - `http` answers the function URL.
//!
//! A module decodes or encodes what AWS says, and decides nothing: `batch`, `url`, `deadline`, `metrics`,
//! `secrets` are pure, `home` and `start` do the rest. `kedge serve` is the same on one machine.

mod batch;
mod deadline;
mod home;
mod http;
mod metrics;
mod reconcile;
mod schedule;
mod secrets;
mod start;
mod url;

pub use http::Http;
pub use reconcile::Reconcile;
pub use schedule::Schedule;
pub use start::{Function, start};
