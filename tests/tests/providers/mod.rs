//! Each provider against the sandbox, in virtual time.

mod aiven_kafka;
mod cloudflare_dns;
mod gcp_pubsub;
