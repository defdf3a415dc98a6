//! Kedge's store in an S3 bucket: Cloudflare R2 before all, and servers that stand in for it.
//!
//! Asked of the store: a conditional PUT is atomic (of many with one condition, one wins), and a
//! read sees the latest write. R2 and AWS S3 keep that. Nothing is deleted, and nothing but keys
//! under the address's prefix is read or written, so that a bucket may be shared.
//!
//! AWS's client builds, signs and takes apart; sending is [`kedge_native::NativeHttp`], so that TLS,
//! proxies and time limits are those of every other request. What an answer means for a write, and
//! what is tried again, is decided here and not by AWS's client: it does not know that a conditional
//! PUT which is repeated after a lost answer can meet its own first success as a 412, and it does
//! not repeat R2's 429. The way through it: `store` → `client` → `failure` (what an answer
//! means); [`kedge_adapters::Tries`] says when to ask again.
//!
//! Settings and answers of R2: developers.cloudflare.com/r2, api/s3/api, reference/consistency,
//! platform/limits (one write a second to one key, beyond it 429).

mod client;
mod failure;
mod place;
mod settings;
mod store;

#[cfg(test)]
mod tests;

pub use self::place::{AnyStore, OpenError, Place, PlaceError};
pub use self::settings::{S3Settings, S3SettingsError, SECRET_VARIABLES};
pub use self::store::{S3Options, S3Store};
