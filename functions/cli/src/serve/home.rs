//! What `kedge serve` has: ports, store, settings, and the queue.

use std::collections::BTreeMap;
use std::path::PathBuf;

use bytes::Bytes;
use kedge_core::definitions::Bundle;
use kedge_core::providers::ProviderName;
use kedge_engine::{Caches, Endpoints, LeaseTimes};
use kedge_native::{HttpOptions, NativeHttp, NativePorts, Settings};
use kedge_service::{Instance, Limits, Service};

use super::http::Handle;
use super::queue::LocalQueue;
use crate::args::Args;
use crate::definitions;
use crate::error::CliError;
use crate::store::{AnyStore, ChosenStore};

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
    folder: PathBuf,
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
        Self::over(settings, folder, chosen_store)
    }

    /// The same with these settings.
    pub(super) fn over(
        settings: Settings,
        folder: PathBuf,
        chosen_store: ChosenStore,
    ) -> Result<Self, CliError> {
        let read_only = settings.read_only()?;
        let options = HttpOptions {
            read_only,
            ..HttpOptions::default()
        };
        let store = chosen_store.open(&settings, options.clone())?;
        let (secrets, problem) = settings.secrets(&folder);
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
            instance: Instance::default(),
            folder,
            queue: LocalQueue::default(),
        })
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
            },
        }
    }

    /// Reads `.env` and the files of credentials again. What can't be read changes nothing.
    pub(super) fn reload(&self) {
        let (secrets, problem) = match Settings::load(&self.folder) {
            Ok(settings) => settings.secrets(&self.folder),
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
