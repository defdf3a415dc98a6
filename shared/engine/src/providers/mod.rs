//! How each provider is called. A closed set of folders, all of one shape.
//!
//! Each folder has `mod.rs` (`read_live`, `carry_out`), `requests.rs` (every request it can make),
//! `wire.rs` (the only file that knows that provider's JSON), `normalize.rs` (wire to
//! [`kedge_core::live`]) and `error.rs` (what each status means). What is known of a provider without
//! calling it is its entry in [`kedge_core::providers`].

mod aiven_kafka;
mod cloudflare_dns;
mod gcp_pubsub;
mod object;
mod path;
mod unanswered;
mod words;

use kedge_core::change::{Applied, Change, ChangeError};
use kedge_core::live::{ScopeReading, Wanted};
use kedge_core::model::Scope;

use crate::ports::{ReadPorts, WritePorts};
use crate::reads::Reads;
use crate::session::Context;

/// Reads one scope. Never fails as a whole: what could not be read is unknown in the answer.
pub async fn read_live<P: ReadPorts>(
    cx: Context<'_, P>,
    scope: &Scope,
    wanted: &Wanted,
) -> ScopeReading {
    match scope {
        Scope::KafkaService { project, service } => {
            aiven_kafka::read_live(cx, project, service, wanted).await
        }
        Scope::GcpProject { project } => gcp_pubsub::read_live(cx, project, wanted).await,
        Scope::DnsZone { zone_id } => cloudflare_dns::read_live(cx, zone_id, wanted).await,
    }
}

/// Makes one change.
///
/// # Errors
/// When it was not made, or nobody knows.
pub async fn carry_out<P: WritePorts>(
    cx: Context<'_, P>,
    change: &Change,
) -> Result<Applied, ChangeError> {
    match change.key.scope() {
        Scope::KafkaService { project, service } => {
            aiven_kafka::carry_out(cx, project, service, change).await
        }
        Scope::GcpProject { project } => gcp_pubsub::carry_out(cx, project, change).await,
        Scope::DnsZone { zone_id } => cloudflare_dns::carry_out(cx, zone_id, change).await,
    }
}

/// What reading a scope takes where all that is wanted is there, in requests.
pub(crate) fn reads(scope: &Scope, wanted: &Wanted) -> Reads {
    match scope {
        Scope::KafkaService { .. } => aiven_kafka::reads(wanted),
        Scope::GcpProject { .. } => gcp_pubsub::reads(wanted),
        Scope::DnsZone { .. } => cloudflare_dns::reads(wanted),
    }
}

/// What a change takes that goes well, in requests.
pub(crate) fn requests_of_change(change: &Change) -> u64 {
    match change.key.scope() {
        Scope::KafkaService { .. } => aiven_kafka::REQUESTS_OF_CHANGE,
        Scope::GcpProject { .. } => gcp_pubsub::requests_of_change(change),
        Scope::DnsZone { .. } => cloudflare_dns::REQUESTS_OF_CHANGE,
    }
}
