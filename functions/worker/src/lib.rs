//! Kedge as a Cloudflare Worker, a shell over `kedge-service`:
//!
//! - `scheduled` ticks when a cron trigger calls it;
//! - `queue` works on messages: work, and what R2 tells of new objects; and sets aside what failed too often;
//! - `fetch` answers HTTP.
//!
//! A module decodes or encodes what Cloudflare says, and decides nothing: `r2_event`, `relay` are pure, `home` and
//! this file do the rest. `kedge serve` is the same on one machine.

mod fetch;
mod home;
#[cfg(feature = "planted")]
mod planted;
mod queue;
mod r2_event;
mod relay;
mod scheduled;
