//! What an event has: settings, ports, store, queue, and what the process remembers.

use std::rc::Rc;

use kedge_adapters::{Settings, SettingsError};
use kedge_engine::Caches;
use kedge_service::{HeldSettings, Instance, Limits, Service};
use kedge_worker::{FetchHttp, R2Store, WorkerPorts, WorkerQueue, logs, variables};
use thiserror::Error;
use worker::Env;

use crate::relay::Relay;

/// The binding of the bucket.
pub(crate) const BUCKET: &str = "BUCKET";
/// The binding of the queue.
const QUEUE: &str = "QUEUE";
/// A prefix of the store in the bucket.
const KEDGE_BUCKET_PREFIX: &str = "KEDGE_BUCKET_PREFIX";
/// How many requests of an invocation the plan allows, bindings included.
const KEDGE_WORKER_SUBREQUESTS: &str = "KEDGE_WORKER_SUBREQUESTS";

/// What the free plan allows (developers.cloudflare.com/workers/platform/limits).
const SUBREQUESTS_FREE: u64 = 50;
/// How many requests of an invocation may be under way at once, bindings included. The runtime lets more wait without a
/// word, and a renewal of the lease would wait with them (developers.cloudflare.com/workers/platform/limits).
const CONNECTIONS: usize = 6;
/// What the service asks for beside the engine: an upload and its result, a run request and its answer, tokens,
/// lists, messages.
const SUBREQUESTS_OF_THE_SERVICE: u64 = 10;

/// A Worker can't do its work as it is set up.
#[derive(Debug, Error)]
pub(crate) enum HomeError {
    /// A setting can't be used.
    #[error("a setting can't be used")]
    Settings(#[from] SettingsError),
    /// A binding is missing, or is another thing.
    #[error("the binding {name} can't be used: {reason}")]
    Binding {
        /// Which.
        name: &'static str,
        /// Why.
        reason: String,
    },
}

/// What outlives an event where the process does.
#[derive(Debug, Default)]
struct Memory {
    caches: Caches,
    instance: Instance,
}

thread_local! {
    /// One for each process. Events that are under way side by side share it, and none waits for another: the
    /// runtime does not let it.
    static MEMORY: Rc<Memory> = Rc::default();
}

/// What an event has.
pub(crate) struct Home {
    ports: WorkerPorts,
    pub(crate) http: FetchHttp,
    pub(crate) store: R2Store,
    queue: WorkerQueue,
    pub(crate) relay: Option<Relay>,
    held: HeldSettings,
    requests: u64,
    caches: Caches,
    memory: Rc<Memory>,
}

impl Home {
    /// How long work may take, in milliseconds: Cloudflare ends a cron trigger and a queue's batch after 15 minutes
    /// (developers.cloudflare.com/workers/platform/limits).
    pub(crate) const WORK_MS: i64 = 14 * 60 * 1000;
    /// How long a request may take, in milliseconds: it waits 25 s for a run at most.
    pub(crate) const REQUEST_MS: i64 = 60 * 1000;

    /// Reads variables, secrets and bindings. Nothing is sent yet.
    pub(crate) fn of(env: &Env) -> Result<Self, HomeError> {
        let settings = Settings::of(variables(env));
        logs::install(&settings);
        #[cfg(feature = "planted")]
        crate::planted::plant(&settings);
        let held = settings.of_service()?;
        let requests = subrequests(&settings)?;
        let binding = |name| {
            move |error: worker::Error| HomeError::Binding {
                name,
                reason: error.to_string(),
            }
        };
        let bucket = env.bucket(BUCKET).map_err(binding(BUCKET))?;
        let queue = env.queue(QUEUE).map_err(binding(QUEUE))?;
        let (secrets, problem) = settings.secrets(|_| Err(std::io::ErrorKind::Unsupported.into()));
        if let Some(problem) = problem {
            tracing::warn!(target: "kedge", "{problem}");
        }
        let http = FetchHttp::new(held.read_only);
        let memory = MEMORY.with(Rc::clone);
        let prefix = settings.get(KEDGE_BUCKET_PREFIX).unwrap_or_default();
        Ok(Self {
            ports: WorkerPorts::new(http, secrets),
            http,
            store: R2Store::new(bucket, prefix, held.read_only),
            queue: WorkerQueue::new(queue),
            relay: Relay::of(&settings)?,
            held,
            requests,
            caches: memory.caches.for_event(),
            memory,
        })
    }

    /// Whether nothing may be changed from here, in the store either.
    pub(crate) fn is_read_only(&self) -> bool {
        self.held.read_only
    }

    /// The service that all events go through, for one that may take so many milliseconds.
    pub(crate) fn service(&self, ms: i64) -> Service<'_, WorkerPorts, R2Store, WorkerQueue> {
        let limits = limits(ms, self.requests);
        Service {
            ports: &self.ports,
            store: &self.store,
            queue: &self.queue,
            settings: self.held.lend(limits, &self.caches, &self.memory.instance),
        }
    }
}

/// What an event may use that may take so long, and make so many requests.
fn limits(ms: i64, requests: u64) -> Limits {
    Limits {
        ms,
        requests: Some(requests),
        connections: CONNECTIONS,
    }
}

/// How many requests the engine may make.
fn subrequests(settings: &Settings) -> Result<u64, SettingsError> {
    let allowed = match settings.get(KEDGE_WORKER_SUBREQUESTS) {
        None => SUBREQUESTS_FREE,
        Some(text) => match text.parse::<u32>() {
            Ok(allowed) if u64::from(allowed) >= SUBREQUESTS_FREE => allowed.into(),
            _ => {
                return Err(SettingsError(format!(
                    "{KEDGE_WORKER_SUBREQUESTS} must be a whole number from {SUBREQUESTS_FREE} on: what the plan \
                     allows an invocation"
                )));
            }
        },
    };
    Ok(allowed - SUBREQUESTS_OF_THE_SERVICE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_six_connections_whatever_the_plan() {
        for requests in [40, 9_990] {
            let limits = limits(Home::WORK_MS, requests);
            assert_eq!(
                (limits.ms, limits.requests, limits.connections),
                (840_000, Some(requests), 6)
            );
        }
    }

    #[test]
    fn requests_are_what_the_plan_allows_less_what_the_service_asks_for() {
        let of = |text: Option<&str>| {
            let pair = text.map(|text| (KEDGE_WORKER_SUBREQUESTS.to_owned(), text.to_owned()));
            subrequests(&Settings::of(pair))
        };
        assert_eq!(of(None), Ok(40));
        assert_eq!(of(Some("50")), Ok(40));
        assert_eq!(of(Some(" 10000\n")), Ok(9_990));
        for bad in ["49", "0", "-1", "many", "50.5", "10,000"] {
            let error = of(Some(bad)).unwrap_err().to_string();
            assert!(error.starts_with(KEDGE_WORKER_SUBREQUESTS), "{error}");
        }
    }
}
