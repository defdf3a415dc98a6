//! What a function has for as long as its process lives: settings, secrets, ports, store, queue.
//!
//! Lambda hands over one event at a time. Secrets are fetched before an event where they are missing or old,
//! and again after one in which a credential was refused.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use kedge_aws::{AwsSecrets, AwsSettings, AwsSettingsError, SqsQueue};
use kedge_core::model::Timestamp;
use kedge_core::providers::ProviderName;
use kedge_engine::Caches;
use kedge_engine::ports::Clock as _;
use kedge_native::{
    HttpBuildError, HttpOptions, KEDGE_RELAY_KEY, NativeHttp, NativePorts, Settings, SettingsError,
    SystemClock, secrets_of,
};
use kedge_s3::{AnyStore, OpenError, Place, PlaceError};
use kedge_service::{HeldSettings, Instance, Limits, Service};
use thiserror::Error;
use tokio::time::timeout;

/// Where the queue is.
const KEDGE_QUEUE_URL: &str = "KEDGE_QUEUE_URL";
/// How long secrets may take to come: an event waits for them, and a start, for which Lambda gives ten seconds.
const FETCHES_WITHIN: Duration = Duration::from_secs(5);
/// Where the code of a function lies; a relative path of a credential's file begins there.
const LAMBDA_TASK_ROOT: &str = "LAMBDA_TASK_ROOT";
/// Lambda's own credentials: those of the function's role. The store is not asked with them.
const OF_THE_ROLE: [&str; 3] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
];

/// A function can't do its work as it is set up.
#[derive(Debug, Error)]
pub(crate) enum HomeError {
    /// A setting can't be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// A setting of the queue or of secrets can't be used.
    #[error(transparent)]
    Aws(#[from] AwsSettingsError),
    /// The store's address can't be used.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// A setting is missing.
    #[error("{0} is not set")]
    Missing(&'static str),
    /// No HTTPS.
    #[error(transparent)]
    Http(#[from] HttpBuildError),
    /// The store can't be opened.
    #[error("the store can't be opened")]
    Store(#[from] OpenError),
}

/// What a function has.
#[derive(Debug)]
pub struct Home {
    variables: BTreeMap<String, String>,
    clock: SystemClock,
    http: NativeHttp,
    pub(crate) queue: SqsQueue,
    from_aws: AwsSecrets,
    fetches_within: Duration,
    secrets: RefCell<crate::secrets::SecretsCache>,
    /// What is made of settings and secrets, until one of these changes.
    wired: RefCell<Option<Rc<Wired>>>,
    memory: RefCell<Rc<Memory>>,
}

/// What a process remembers between events.
#[derive(Debug, Default)]
struct Memory {
    caches: Caches,
    instance: Instance,
}

/// What works with one set of secrets.
#[derive(Debug)]
pub(crate) struct Wired {
    ports: NativePorts,
    store: AnyStore,
    held: HeldSettings,
    memory: Rc<Memory>,
}

impl Home {
    /// Reads the settings. Nothing is sent yet.
    pub(crate) fn of(variables: BTreeMap<String, String>) -> Result<Self, HomeError> {
        let settings = Settings::of(variables.clone());
        // What can't be used is said when the function starts, and not with each event.
        let held = settings.of_service()?;
        let options = HttpOptions {
            read_only: held.read_only,
            ..HttpOptions::default()
        };
        let http = NativeHttp::new(options)?;
        let aws = AwsSettings::from_variables(|name| settings.get(name))?;
        let url = settings.get(KEDGE_QUEUE_URL);
        let url = url.ok_or(HomeError::Missing(KEDGE_QUEUE_URL))?;
        Ok(Self {
            queue: SqsQueue::new(&aws, &http, KEDGE_QUEUE_URL, url)?,
            from_aws: AwsSecrets::from_variables(&aws, &http, secret_names(), |name| {
                settings.get(name)
            })?,
            fetches_within: FETCHES_WITHIN,
            variables,
            clock: SystemClock::default(),
            http,
            secrets: RefCell::default(),
            wired: RefCell::default(),
            memory: RefCell::default(),
        })
    }

    /// The time.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Does work with the secrets that count now. If a credential was refused meanwhile and there is a new
    /// one, the work is done once more with that: all work of the service may be done twice.
    pub(crate) async fn do_work<T>(&self, work: impl AsyncFn(&Wired) -> T) -> Result<T, HomeError> {
        let wired = self.wired().await?;
        let refusals = self.http.refusals();
        // Boxed: with the engine below it it is deeper than the compiler follows.
        let done = Box::pin(work(&wired)).await;
        let was_refused = self.http.refusals() != refusals;
        if !was_refused || !self.have_changed().await {
            return Ok(done);
        }
        tracing::info!(target: "kedge", "a credential was refused, and there is a new one: working again");
        let wired = self.wired().await?;
        Ok(Box::pin(work(&wired)).await)
    }

    /// Everything, with secrets that are not too old.
    pub(crate) async fn wired(&self) -> Result<Rc<Wired>, HomeError> {
        if self.secrets.borrow().is_due(self.now()) {
            self.fetch_secrets().await;
        }
        if let Some(wired) = &*self.wired.borrow() {
            return Ok(Rc::clone(wired));
        }
        let wired = Rc::new(self.wire()?);
        self.wired.replace(Some(Rc::clone(&wired)));
        Ok(wired)
    }

    /// Whether the secrets have changed since they were fetched. Looks at most once a minute.
    async fn have_changed(&self) -> bool {
        self.secrets.borrow().may_be_stale(self.now()) && self.fetch_secrets().await
    }

    /// Fetches the secrets, and says whether one is another than before.
    async fn fetch_secrets(&self) -> bool {
        let Ok(fetched) = timeout(self.fetches_within, self.from_aws.fetch()).await else {
            tracing::error!(target: "kedge", "secrets can't be fetched: they did not come in time");
            self.secrets.borrow_mut().miss(self.now());
            return false;
        };
        for problem in &fetched.problems {
            tracing::error!(target: "kedge", "a secret can't be fetched: {problem}");
        }
        let is_whole = fetched.problems.is_empty();
        let now = self.now();
        let is_changed = self
            .secrets
            .borrow_mut()
            .take(fetched.secrets, is_whole, now);
        if is_changed {
            self.wired.replace(None);
        }
        is_changed
    }

    fn wire(&self) -> Result<Wired, HomeError> {
        let fetched = self.secrets.borrow();
        let secrets = fetched.secrets().iter();
        let secrets = secrets.map(|(name, secret)| (name.clone(), secret.reveal().to_owned()));
        let variables = self.variables.clone().into_iter();
        let variables = variables.filter(|(name, _)| !OF_THE_ROLE.contains(&name.as_str()));
        let settings = Settings::of(variables.chain(secrets));
        let folder = settings.get(LAMBDA_TASK_ROOT).unwrap_or(".");
        let (credentials, problem) = secrets_of(&settings, Path::new(folder));
        if let Some(problem) = problem {
            tracing::warn!(target: "kedge", "{problem}");
        }
        let (place, _) = Place::of_settings(&settings)?.ok_or(HomeError::Missing("KEDGE_STORE"))?;
        Ok(Wired {
            store: AnyStore::open(&place, &settings, &self.http)?,
            ports: NativePorts::new(self.http.clone(), credentials),
            held: settings.of_service()?,
            memory: Rc::clone(&self.memory.borrow()),
        })
    }

    /// Begins anew after a panic: whatever it left half done in memory is gone.
    pub(crate) fn forget(&self) {
        self.wired.replace(None);
        self.memory.take();
    }
}

impl Wired {
    /// The service that all events go through.
    pub(crate) fn service<'a>(
        &'a self,
        queue: &'a SqsQueue,
        limits: Limits,
    ) -> Service<'a, NativePorts, AnyStore, SqsQueue> {
        let Memory { caches, instance } = &*self.memory;
        Service {
            ports: &self.ports,
            store: &self.store,
            queue,
            settings: self.held.lend(limits, caches, instance),
        }
    }
}

/// The variables that hold secrets.
fn secret_names() -> impl Iterator<Item = &'static str> {
    let providers = ProviderName::ALL.into_iter();
    let providers = providers.map(|provider| provider.entry().credential.variable);
    providers
        .chain(kedge_s3::SECRET_VARIABLES)
        .chain([KEDGE_RELAY_KEY])
}

#[cfg(test)]
mod tests;
