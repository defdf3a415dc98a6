//! Each provider against the sandbox.

mod aiven_kafka;
mod cloudflare_dns;
mod gcp_pubsub;
