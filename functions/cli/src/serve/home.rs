//! What `kedge serve` has: ports, store, settings, and the queue.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use kedge_core::definitions::Bundle;
use kedge_core::model::SecretText;
use kedge_core::providers::ProviderName;
use kedge_core::stored::token::{StackPattern, TokenScope};
use kedge_engine::ports::Clock as _;
use kedge_engine::{Budget, Caches, Definitions, Endpoints, Engine, LeaseTimes, Progress};
use kedge_native::{HttpOptions, NativeHttp, NativePorts, Settings};
use kedge_service::tokens::{self, TokenRequest};
use kedge_service::{Instance, Limits, Service};

use super::http::Handle;
use super::queue::LocalQueue;
use crate::args::Args;
use crate::definitions;
use crate::error::CliError;
use crate::store::{AnyStore, ChosenStore};

/// The key by which a relay signs events of uploads.
const RELAY_KEY: &str = "KEDGE_RELAY_KEY";

/// What `kedge serve` has.
pub(super) struct Home {
    ports: NativePorts,
    store: AnyStore,
    chosen_store: ChosenStore,
    overrides: BTreeMap<String, String>,
    endpoints: Endpoints,
    requests_per_minute: BTreeMap<ProviderName, u64>,
    lease: LeaseTimes,
    read_only: bool,
    caches: Caches,
    instance: Instance,
    relay_key: Option<SecretText>,
    /// The folder of `.env`; none: the settings are not read again.
    folder: Option<PathBuf>,
    /// Whether people only try it.
    pub(super) is_trial: bool,
    pub(super) queue: LocalQueue,
}

impl Home {
    /// Reads the settings and opens the store.
    pub(super) fn of(args: &Args) -> Result<Self, CliError> {
        let folder = std::env::current_dir().map_err(CliError::CurrentFolder)?;
        let settings = Settings::load(&folder)?;
        // Only to find the bucket that kedge.yaml names: what counts is stored.
        let bundle = match args.definitions.is_dir() {
            true => definitions::load(&args.definitions)?,
            false => Bundle::default(),
        };
        let chosen_store = ChosenStore::of(args, &settings, &bundle)?;
        let home = Self::over(&settings, &folder, chosen_store)?;
        Ok(Self {
            folder: Some(folder),
            is_trial: false,
            ..home
        })
    }

    /// The same with these settings for good.
    pub(super) fn over(
        settings: &Settings,
        folder: &Path,
        chosen_store: ChosenStore,
    ) -> Result<Self, CliError> {
        let read_only = settings.read_only()?;
        let options = HttpOptions {
            read_only,
            ..HttpOptions::default()
        };
        let store = chosen_store.open(settings, options.clone())?;
        let (secrets, problem) = settings.secrets(folder);
        if let Some(problem) = problem {
            tracing::warn!("{problem}");
        }
        Ok(Self {
            ports: NativePorts::new(NativeHttp::new(options)?, secrets),
            store,
            chosen_store,
            overrides: settings.config_overrides(),
            endpoints: settings.endpoints()?,
            requests_per_minute: settings.requests_per_minute()?,
            lease: settings.lease_times()?,
            read_only,
            caches: Caches::default(),
            instance: Instance::new(),
            relay_key: settings.get(RELAY_KEY).map(SecretText::new),
            folder: None,
            is_trial: true,
            queue: LocalQueue::default(),
        })
    }

    /// The ports.
    pub(super) fn ports(&self) -> &NativePorts {
        &self.ports
    }

    /// The engine, for somebody at hand.
    pub(super) fn engine<'a>(
        &'a self,
        budget: &'a Budget,
        actor: &'a str,
    ) -> Engine<'a, NativePorts, AnyStore> {
        let settings = kedge_engine::Settings {
            definitions: Definitions::Stored,
            overrides: &self.overrides,
            endpoints: &self.endpoints,
            budget,
            read_only: self.read_only,
            actor,
            trigger: "cli",
            run: None,
            lease: self.lease,
            caches: &self.caches,
            progress: &|_: Progress<'_>| {},
        };
        Engine::new(&self.ports, &self.store, settings)
    }

    /// Makes a token for all stacks and all scopes, which lasts a day.
    pub(super) async fn new_token(&self, name: &str) -> Result<SecretText, CliError> {
        const DAY_MS: i64 = 24 * 60 * 60 * 1000;
        let stacks = StackPattern::new("*");
        let stacks = stacks.ok_or_else(|| CliError::Usage("`*` is no pattern".to_owned()))?;
        let request = TokenRequest {
            name,
            scopes: TokenScope::ALL.into(),
            stacks,
            lasts_ms: DAY_MS,
            created_by: "kedge serve --sandbox",
        };
        let (_, text) = tokens::issue(&self.ports, &self.store, &request, self.ports.now()).await?;
        Ok(text)
    }

    /// Where everything is kept.
    pub(super) fn store_text(&self) -> String {
        self.chosen_store.describe()
    }

    /// The service that all events go through.
    pub(super) fn service(&self) -> Service<'_, NativePorts, AnyStore, LocalQueue> {
        Service {
            ports: &self.ports,
            store: &self.store,
            queue: &self.queue,
            settings: kedge_service::Settings {
                overrides: &self.overrides,
                endpoints: &self.endpoints,
                lease: self.lease,
                read_only: self.read_only,
                limits: Limits::MACHINE,
                requests_per_minute: &self.requests_per_minute,
                caches: &self.caches,
                instance: &self.instance,
                relay_key: self.relay_key.as_ref(),
            },
        }
    }

    /// Reads `.env` and the files of credentials again. What can't be read changes nothing.
    pub(super) fn reload(&self) {
        let Some(folder) = &self.folder else {
            return;
        };
        let (secrets, problem) = match Settings::load(folder) {
            Ok(settings) => settings.secrets(folder),
            Err(error) => {
                tracing::warn!("the settings can't be read again, and stay: {error}");
                return;
            }
        };
        match problem {
            None => self.ports.replace_secrets(secrets),
            Some(problem) => tracing::warn!("credentials can't be read again, and stay: {problem}"),
        }
    }
}

impl Handle for Home {
    async fn handle(&self, request: http::Request<Bytes>) -> http::Response<Bytes> {
        self.service().handle(request).await
    }
}
