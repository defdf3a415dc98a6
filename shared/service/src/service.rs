//! What a shell hands in.

use std::collections::BTreeMap;

use kedge_core::model::SecretText;
use kedge_core::providers::ProviderName;
use kedge_engine::ports::{Clock, Store};
use kedge_engine::{
    Budget, Caches, Definitions, Endpoints, Engine, LeaseTimes, Progress, TooFewConnections,
};

use crate::instance::Instance;

/// What one invocation may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How long it may take, in milliseconds.
    pub ms: i64,
    /// How many requests it may make, to providers and store together; none: as many as it takes.
    pub requests: Option<u64>,
    /// How many of them may be under way at once.
    pub connections: usize,
}

impl Limits {
    /// A machine of one's own: ten minutes, which is what 500 topics take at one request a second.
    pub const MACHINE: Self = Self {
        ms: 10 * 60 * 1000,
        requests: None,
        connections: Budget::CONNECTIONS,
    };

    /// The budget of an invocation that begins now.
    ///
    /// # Errors
    /// When these are too few connections to renew a lease beside the work.
    pub fn budget(self, clock: &impl Clock) -> Result<Budget, TooFewConnections> {
        let budget = Budget::lasting(clock, self.ms).connections(self.connections)?;
        Ok(match self.requests {
            None => budget,
            Some(requests) => budget.requests(requests),
        })
    }
}

/// The settings of a service.
#[derive(Debug, Clone, Copy)]
pub struct Settings<'a> {
    /// Config values that win over the stacks' files (`KEDGE_CONFIG_<NAME>`).
    pub overrides: &'a BTreeMap<String, String>,
    /// Where the providers' APIs are.
    pub endpoints: &'a Endpoints,
    /// How a lease is kept.
    pub lease: LeaseTimes,
    /// Whether every change, at a provider or in the store, is refused.
    pub read_only: bool,
    /// What one invocation may use.
    pub limits: Limits,
    /// How many requests a minute a provider's account allows Kedge, where it is known. Checks of many
    /// stacks are spread over time accordingly.
    pub requests_per_minute: &'a BTreeMap<ProviderName, u64>,
    /// What outlives an invocation where the process does.
    pub caches: &'a Caches,
    /// What the process remembers between HTTP requests.
    pub instance: &'a Instance,
    /// The key by which a relay signs events of uploads; none: such events are not taken.
    pub relay_key: Option<&'a SecretText>,
}

/// What a service is told once, when its process starts, and lends to each invocation.
#[derive(Debug, Clone, Default)]
pub struct HeldSettings {
    /// See [`Settings::overrides`].
    pub overrides: BTreeMap<String, String>,
    /// See [`Settings::endpoints`].
    pub endpoints: Endpoints,
    /// See [`Settings::lease`].
    pub lease: LeaseTimes,
    /// See [`Settings::read_only`].
    pub read_only: bool,
    /// See [`Settings::requests_per_minute`].
    pub requests_per_minute: BTreeMap<ProviderName, u64>,
    /// See [`Settings::relay_key`].
    pub relay_key: Option<SecretText>,
}

impl HeldSettings {
    /// The settings of an invocation, with what the process remembers.
    #[must_use]
    pub fn lend<'a>(
        &'a self,
        limits: Limits,
        caches: &'a Caches,
        instance: &'a Instance,
    ) -> Settings<'a> {
        Settings {
            overrides: &self.overrides,
            endpoints: &self.endpoints,
            lease: self.lease,
            read_only: self.read_only,
            limits,
            requests_per_minute: &self.requests_per_minute,
            caches,
            instance,
            relay_key: self.relay_key.as_ref(),
        }
    }
}

/// One service over the ports of a platform: what all of its events go through.
pub struct Service<'a, P, S, Q> {
    /// Where requests, time and randomness come from.
    pub ports: &'a P,
    /// Where everything is kept.
    pub store: &'a S,
    /// Where work goes.
    pub queue: &'a Q,
    /// The settings.
    pub settings: Settings<'a>,
}

impl<P, S, Q> Clone for Service<'_, P, S, Q> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P, S, Q> Copy for Service<'_, P, S, Q> {}

/// Who asks for a run of the engine, and why.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Requester<'a> {
    /// Whom history names.
    pub(crate) actor: &'a str,
    /// What started it.
    pub(crate) trigger: &'a str,
    /// The id that the run is to have; none: a new one.
    pub(crate) run: Option<&'a str>,
}

impl Requester<'static> {
    /// Nobody: a schedule, an upload, new definitions.
    pub(crate) const AUTOMATION: Self = Self {
        actor: "automation",
        trigger: "unattended",
        run: None,
    };
}

impl<'a, P, S: Store, Q> Service<'a, P, S, Q> {
    /// The engine for one piece of work.
    pub(crate) fn engine<'b>(
        &'b self,
        budget: &'b Budget,
        requester: Requester<'b>,
    ) -> Engine<'b, P, S> {
        let Settings {
            overrides,
            endpoints,
            lease,
            read_only,
            caches,
            ..
        } = self.settings;
        let settings = kedge_engine::Settings {
            definitions: Definitions::Stored,
            overrides,
            endpoints,
            budget,
            read_only,
            actor: requester.actor,
            trigger: requester.trigger,
            run: requester.run,
            lease,
            caches,
            progress: &|_: Progress<'_>| {},
        };
        Engine::new(self.ports, self.store, settings)
    }
}
