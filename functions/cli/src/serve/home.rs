//! What `kedge serve` has: ports, store, settings, and the queue.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use kedge_core::definitions::Bundle;
use kedge_core::model::SecretText;
use kedge_core::stored::token::{StackPattern, TokenScope};
use kedge_engine::ports::Clock as _;
use kedge_engine::{Budget, Caches, Definitions, Engine, Progress};
use kedge_native::{HttpOptions, NativeHttp, NativePorts, Settings, load_settings, secrets_of};
use kedge_s3::AnyStore;
use kedge_service::tokens::{self, TokenRequest};
use kedge_service::{HeldSettings, Instance, Limits, Service};

use super::http::Handle;
use super::queue::LocalQueue;
use crate::args::Args;
use crate::definitions;
use crate::error::CliError;
use crate::store::ChosenStore;

/// What `kedge serve` has.
pub(super) struct Home {
    ports: NativePorts,
    store: AnyStore,
    chosen_store: ChosenStore,
    held: HeldSettings,
    caches: Caches,
    pub(super) instance: Instance,
    /// The folder of `.env`; none: the settings are not read again.
    folder: Option<PathBuf>,
    /// Whether there was one when the process started.
    had_env: bool,
    /// Whether people only try it.
    pub(super) is_trial: bool,
    pub(super) queue: LocalQueue,
}

/// The file of settings in the folder that the process was started in.
const ENV_FILE: &str = ".env";

impl Home {
    /// Reads the settings and opens the store.
    pub(super) fn of(args: &Args) -> Result<Self, CliError> {
        let folder = std::env::current_dir().map_err(CliError::CurrentFolder)?;
        let settings = load_settings(&folder)?;
        // Only to find the bucket that kedge.yaml names: what counts is stored.
        let bundle = match args.definitions.is_dir() {
            true => definitions::load(&args.definitions)?,
            false => Bundle::default(),
        };
        let chosen_store = ChosenStore::of(args, &settings, &bundle)?;
        let home = Self::over(&settings, &folder, chosen_store)?;
        Ok(Self {
            had_env: folder.join(ENV_FILE).exists(),
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
        let held = settings.of_service()?;
        let options = HttpOptions {
            read_only: held.read_only,
            ..HttpOptions::default()
        };
        let http = NativeHttp::new(options)?;
        let store = chosen_store.open(settings, held.read_only, || Ok(http.clone()))?;
        let (secrets, problem) = secrets_of(settings, folder);
        if let Some(problem) = problem {
            tracing::warn!("{problem}");
        }
        Ok(Self {
            ports: NativePorts::new(http, secrets),
            store,
            chosen_store,
            held,
            caches: Caches::default(),
            instance: Instance::new(),
            folder: None,
            had_env: false,
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
            overrides: &self.held.overrides,
            endpoints: &self.held.endpoints,
            budget,
            read_only: self.held.read_only,
            actor,
            trigger: "cli",
            run: None,
            lease: self.held.lease,
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
            settings: self
                .held
                .lend(Limits::MACHINE, &self.caches, &self.instance),
        }
    }

    /// Reads `.env` and the files of credentials again. What can't be read changes nothing.
    pub(super) fn reload(&self) {
        let Some(folder) = &self.folder else {
            return;
        };
        // As while an editor replaces it.
        if self.had_env && !folder.join(ENV_FILE).exists() {
            tracing::warn!(
                "the settings can't be read again, and stay: there is no {ENV_FILE} any more"
            );
            return;
        }
        let (secrets, problem) = match load_settings(folder) {
            Ok(settings) => secrets_of(&settings, folder),
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
