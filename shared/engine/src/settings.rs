//! What a shell hands in: where definitions come from, addresses, times, and who asks.

use std::collections::{BTreeMap, BTreeSet};

use kedge_core::definitions::Bundle;
use kedge_core::plan::GuardName;

use crate::budget::Budget;
use crate::caches::Caches;
use crate::endpoints::Endpoints;
use crate::lease::LeaseTimes;
use crate::progress::Progress;

/// Where the definitions come from that count as declared.
#[derive(Debug, Clone, Copy)]
pub enum Definitions<'a> {
    /// What was pushed. Where that can't be used, checks go by the last usable revision and say so,
    /// and nothing is changed (semantics 4.1). Functions use nothing else.
    Stored,
    /// Local files. Over a store that others use too ([`crate::ports::Store::is_shared`]) they show what
    /// a push would change, and nothing can be changed by them (semantics 4.5).
    Files(&'a Bundle),
}

/// One invocation's settings.
#[derive(Clone, Copy)]
pub struct Settings<'a> {
    /// Where the definitions come from.
    pub definitions: Definitions<'a>,
    /// Config values that win over the stack's file (`KEDGE_CONFIG_<NAME>`).
    pub overrides: &'a BTreeMap<String, String>,
    /// Where the providers' APIs are.
    pub endpoints: &'a Endpoints,
    /// What the invocation may use: connections, requests, time.
    pub budget: &'a Budget,
    /// Whether every change, at a provider or in the store, is refused.
    pub read_only: bool,
    /// Who asks, and where: `ana@laptop`, a CI actor.
    pub actor: &'a str,
    /// What started the run: `cli`, `unattended`.
    pub trigger: &'a str,
    /// The id that the run, or the grant, is to have; none: a new one. For one that was promised an id
    /// before it began. It must begin with the time, as new ones do.
    pub run: Option<&'a str>,
    /// How a lease is kept.
    pub lease: LeaseTimes,
    /// What outlives an invocation where the process does.
    pub caches: &'a Caches,
    /// Is called with each step. Must not wait.
    pub progress: &'a dyn Fn(Progress<'_>),
}

/// What a check looks at besides.
#[derive(Debug, Clone, Default)]
pub struct CheckRequest {
    /// Whether DNS names that nobody declared are reported too.
    pub every_dns_name: bool,
    /// Guards that the plan is made without: its digest covers them.
    pub guards: BTreeSet<GuardName>,
}
