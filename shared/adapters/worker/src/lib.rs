//! The ports in a Cloudflare Worker: HTTP by fetch, the store in an R2 binding, the queue, JavaScript's clock,
//! WebCrypto, and variables and secrets of the deployment.
//!
//! A Worker has one thread, and what it is handed belongs to one event: ports are made anew for each. It must not
//! panic: an abort ends all that is under way in the process.

mod clock;
mod http;
pub mod logs;
#[cfg(feature = "planted")]
mod planted;
mod ports;
mod queue;
mod random;
mod settings;
mod signer;
mod store;

pub use self::clock::JsClock;
pub use self::http::FetchHttp;
#[cfg(feature = "planted")]
pub use self::planted::panic_after;
pub use self::ports::WorkerPorts;
pub use self::queue::{WorkerQueue, text_of};
pub use self::random::WebRandom;
pub use self::settings::variables;
pub use self::signer::WebSigner;
pub use self::store::R2Store;
