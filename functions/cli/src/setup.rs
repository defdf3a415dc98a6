//! What every command that reads a stack needs, brought together once.

use std::collections::BTreeMap;

use kedge_core::definitions::{Bundle, stack_names};
use kedge_core::render;
use kedge_core::report::Report;
use kedge_core::stored::bundle::StoredBundle;
use kedge_engine::ports::Clock as _;
use kedge_engine::{
    Budget, Caches, Definitions, Endpoints, Engine, LeaseTimes, Progress, RunError,
};
use kedge_native::logs::{self, Logs};
use kedge_native::{
    HttpOptions, NativeHttp, NativePorts, Settings, actor_of, load_settings, secrets_of,
};
use kedge_s3::AnyStore;

use crate::args::{Args, Command};
use crate::definitions;
use crate::error::CliError;
use crate::screen;
use crate::source::{self, Source};
use crate::stack::{self, Chosen};
use crate::store::ChosenStore;

/// How long a run of the command line may take: long enough for 500 topics at one request a second.
const DEADLINE_MS: i64 = 15 * 60 * 1000;

/// Whether nothing may be changed from this folder (semantics 9.7). Where that can't be read, no command
/// goes on to change anything.
pub(crate) fn is_read_only() -> bool {
    let folder = std::env::current_dir();
    let settings = folder.ok().and_then(|folder| load_settings(&folder).ok());
    settings.is_some_and(|settings| settings.read_only().unwrap_or(true))
}

/// Keeps logs where `RUST_LOG` is set, and always of `serve`, as long as what this gives is held. Where
/// settings can't be read, the command that needs them says so.
pub(crate) fn logs(args: &Args) -> Result<Logs, CliError> {
    let folder = std::env::current_dir();
    let settings = folder.ok().and_then(|folder| load_settings(&folder).ok());
    let filter = matches!(args.verb, Command::Serve(_)).then_some("info");
    Ok(logs::install(&settings.unwrap_or_default(), filter)?)
}

/// Refuses a command that writes here and needs no more than files (semantics 9.7).
pub(crate) fn refuse_read_only() -> Result<(), CliError> {
    let folder = std::env::current_dir().map_err(CliError::CurrentFolder)?;
    match load_settings(&folder)?.read_only()? {
        true => Err(RunError::ReadOnly.into()),
        false => Ok(()),
    }
}

/// The store, for commands that are about no stack.
pub(crate) struct OpenStore {
    pub(crate) store: AnyStore,
    pub(crate) actor: String,
    pub(crate) read_only: bool,
}

impl OpenStore {
    /// Reads settings and opens the store.
    pub(crate) fn of(args: &Args) -> Result<Self, CliError> {
        let folder = std::env::current_dir().map_err(CliError::CurrentFolder)?;
        let settings = load_settings(&folder)?;
        // Only these files say where the store is, if nothing else does.
        let bundle = match args.definitions.is_dir() {
            true => definitions::load(&args.definitions)?,
            false => Bundle::default(),
        };
        let read_only = settings.read_only()?;
        let options = HttpOptions {
            read_only,
            ..HttpOptions::default()
        };
        let chosen = ChosenStore::of(args, &settings, &bundle)?;
        Ok(Self {
            store: chosen.open(&settings, read_only, || NativeHttp::new(options))?,
            actor: actor_of(&settings),
            read_only,
        })
    }
}

/// Everything a verb needs.
pub(crate) struct Setup {
    pub(crate) ports: NativePorts,
    pub(crate) store: AnyStore,
    pub(crate) chosen_store: ChosenStore,
    pub(crate) chosen: Chosen,
    /// The local definition files; empty where there are none and none are needed.
    pub(crate) bundle: Bundle,
    pub(crate) overrides: BTreeMap<String, String>,
    pub(crate) settings: Settings,
    pub(crate) actor: String,
    pub(crate) lease: LeaseTimes,
    /// Where the definitions of this verb come from.
    source: Source,
    has_local: bool,
    endpoints: Endpoints,
    budget: Budget,
    pub(crate) read_only: bool,
    caches: Caches,
}

/// What a page says of the definitions that it goes by.
pub(crate) struct Described {
    /// Where they come from: `definitions (local files)`, or a stored revision.
    pub(crate) text: String,
    /// Whether a command must say `--stored` to mean the same.
    pub(crate) says_stored: bool,
}

impl Setup {
    /// Reads settings and local definitions and opens the store.
    pub(crate) fn of(args: &Args) -> Result<Self, CliError> {
        let folder = std::env::current_dir().map_err(CliError::CurrentFolder)?;
        let settings = load_settings(&folder)?;
        // Where the stored definitions count, no local ones are needed.
        let without_local = ChosenStore::of(args, &settings, &Bundle::default())?;
        let has_local = args.definitions.is_dir() || !without_local.is_remote();
        let bundle = match has_local {
            true => definitions::load(&args.definitions)?,
            false => Bundle::default(),
        };
        let chosen = stack::choose(args, &settings, &bundle)?;
        let chosen_store = ChosenStore::of(args, &settings, &bundle)?;
        let read_only = settings.read_only()?;
        let options = HttpOptions {
            read_only,
            ..HttpOptions::default()
        };
        let http = NativeHttp::new(options)?;
        let store = chosen_store.open(&settings, read_only, || Ok(http.clone()))?;
        let (secrets, problem) = secrets_of(&settings, &folder);
        if let Some(problem) = problem {
            // Only what needs it is unknown then; the rest of the check stands.
            screen::err_lines(&format!("warning: {problem}"))?;
        }
        let ports = NativePorts::new(http, secrets);
        let budget = Budget::lasting(&ports, DEADLINE_MS);
        let is_preview = has_local && matches!(args.verb, Command::Preview(_));
        Ok(Self {
            source: source::source(chosen_store.is_remote(), args.stored, is_preview),
            actor: actor_of(&settings),
            lease: settings.lease_times()?,
            overrides: settings.config_overrides(),
            endpoints: settings.endpoints()?,
            ports,
            store,
            chosen_store,
            chosen,
            bundle,
            budget,
            read_only,
            settings,
            has_local,
            caches: Caches::default(),
        })
    }

    /// The engine for this verb.
    pub(crate) fn engine<'a>(
        &'a self,
        progress: &'a dyn Fn(Progress<'_>),
    ) -> Engine<'a, NativePorts, AnyStore> {
        self.engine_by(
            progress,
            match self.source {
                Source::Local | Source::LocalBesideStored => Definitions::Files(&self.bundle),
                Source::Stored => Definitions::Stored,
            },
        )
    }

    /// The same by these definitions.
    pub(crate) fn engine_by<'a>(
        &'a self,
        progress: &'a dyn Fn(Progress<'_>),
        definitions: Definitions<'a>,
    ) -> Engine<'a, NativePorts, AnyStore> {
        let settings = kedge_engine::Settings {
            definitions,
            overrides: &self.overrides,
            endpoints: &self.endpoints,
            budget: &self.budget,
            read_only: self.read_only,
            actor: &self.actor,
            trigger: "cli",
            run: None,
            lease: self.lease,
            caches: &self.caches,
            progress,
        };
        Engine::new(&self.ports, &self.store, settings)
    }

    /// Refuses the name of a stack that has no file here and of which nothing is stored.
    pub(crate) async fn refuse_unknown(&self) -> Result<(), CliError> {
        let stack = &self.chosen.stack;
        let local = stack_names(&self.bundle);
        if local.contains(stack) {
            return Ok(());
        }
        let engine = self.engine(&|_| {});
        if engine.is_known(stack).await.map_err(RunError::Store)? {
            return Ok(());
        }
        let pushed = engine.pushed_stacks().await.map_err(RunError::Store)?;
        Err(stack::unknown(stack, local.into_iter().chain(pushed)))
    }

    /// What a page says of the definitions, given what the store was found to hold.
    pub(crate) fn described(&self, args: &Args, report: &Report) -> Described {
        let stored = report.stored.as_deref();
        let folder = args.definitions.display();
        let local = self.bundle.files();
        let is_local = |stored: &StoredBundle| stored.bundle.files() == local;
        let text = |stored: &StoredBundle| render::stored_text(stored, self.ports.now());
        match (self.source, stored) {
            (Source::Stored, Some(stored)) => Described {
                text: text(stored),
                says_stored: self.has_local && !is_local(stored) && !args.stored,
            },
            (Source::LocalBesideStored, stored) => {
                let beside = match stored {
                    _ if report.invalid.is_some() => "the stored ones can't be used".to_owned(),
                    Some(stored) if is_local(stored) => format!("as stored: {}", text(stored)),
                    Some(stored) => format!("stored: {}", text(stored)),
                    None => "nothing is stored".to_owned(),
                };
                Described {
                    text: format!("{folder} (local files; {beside})"),
                    says_stored: false,
                }
            }
            (Source::Stored, None) | (Source::Local, _) => Described {
                text: format!("{folder} (local files)"),
                says_stored: false,
            },
        }
    }
}
