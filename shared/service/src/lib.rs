//! What lies between an event and the engine. A shell decodes its platform's envelope, calls one of three
//! methods of [`Service`], and encodes what comes back:
//!
//! - [`Service::tick`]: a schedule's turn, which sends work to the queue;
//! - [`Service::work`]: one message of the queue;
//! - [`Service::handle`]: one HTTP request.
//!
//! An event says "look now" and nothing else. What happens follows from what is stored and what is live.

mod answers;
mod hints;
mod http;
mod instance;
pub mod queue;
pub mod requests;
mod service;
mod tick;
pub mod tokens;
pub mod upload;
pub mod work;
mod worker;

pub use http::{Unread, Unsent};
pub use instance::Instance;
pub use service::{HeldSettings, Limits, Service, Settings};
pub use tick::{TickError, Ticked};
pub use worker::WorkError;
