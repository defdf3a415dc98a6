//! AWS's services that Kedge uses where it runs on AWS: the queue, and secrets that are fetched at run time.
//! Nothing of Lambda is here. The store is `kedge-s3`, which is for R2 before all.
//!
//! Four calls, in the services' JSON protocols: AWS's own crate signs them (`call`), sending is
//! [`kedge_native::NativeHttp`] like that of every other request, and what an answer means is decided here
//! (`failure`). AWS's clients of the three services would add nothing but their size (ARCHITECTURE.md).

mod call;
mod failure;
mod queue;
mod secrets;
mod service;
mod settings;
mod source;

#[cfg(test)]
mod tests;

pub use self::queue::{Receipt, SqsQueue};
pub use self::secrets::{AwsSecrets, Fetched, SecretProblem};
pub use self::settings::{AwsSettings, AwsSettingsError};
