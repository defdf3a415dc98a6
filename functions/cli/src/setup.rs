//! What every verb that looks at a stack needs, brought together once.

use std::path::{Path, PathBuf};

use kedge_core::definitions::DefinitionSet;
use kedge_core::model::Timestamp;
use kedge_engine::lease::LeaseTimes;
use kedge_engine::ports::Clock as _;
use kedge_engine::reconcile::{Job, Progress};
use kedge_engine::session::Endpoints;
use kedge_native::{FolderStore, HttpOptions, NativeHttp, NativePorts, Settings};

use crate::args::Args;
use crate::definitions;
use crate::error::CliError;
use crate::screen;
use crate::stack::{self, Chosen};

/// How long a run of the command line may take: long enough for 500 topics at one request a second.
const DEADLINE_MS: i64 = 15 * 60 * 1000;

/// Everything a verb needs.
pub(crate) struct Setup {
    pub(crate) ports: NativePorts,
    pub(crate) store: FolderStore,
    pub(crate) chosen: Chosen,
    pub(crate) set: DefinitionSet,
    pub(crate) definitions: String,
    overrides: std::collections::BTreeMap<String, String>,
    endpoints: Endpoints,
    deadline: Timestamp,
    pub(crate) read_only: bool,
    pub(crate) actor: String,
    pub(crate) lease: LeaseTimes,
}

impl Setup {
    /// Reads settings and definitions and opens the store.
    pub(crate) fn of(args: &Args) -> Result<Self, CliError> {
        let folder = std::env::current_dir().map_err(CliError::CurrentFolder)?;
        let settings = Settings::load(&folder)?;
        let set = definitions::load(&args.definitions)?;
        let chosen = stack::choose(args, &settings, &set)?;
        let store = open_store(&args.store)?;
        let read_only = settings.read_only()?;
        let http = NativeHttp::new(HttpOptions {
            read_only,
            ..HttpOptions::default()
        })?;
        let (secrets, problem) = settings.secrets(&folder);
        if let Some(problem) = problem {
            // Only what needs it is unknown then; the rest of the check stands.
            screen::err(&format!("warning: {problem}\n"))?;
        }
        let ports = NativePorts::new(http, secrets);
        let deadline = ports.now().plus_ms(DEADLINE_MS);
        Ok(Self {
            definitions: format!("{} (local files)", args.definitions.display()),
            actor: settings.actor(),
            lease: settings.lease_times()?,
            overrides: settings.config_overrides(),
            endpoints: settings.endpoints()?,
            ports,
            store,
            chosen,
            set,
            deadline,
            read_only,
        })
    }

    /// What is asked of the engine.
    pub(crate) fn job<'a>(&'a self, progress: &'a dyn Fn(Progress<'_>)) -> Job<'a> {
        Job {
            stack: &self.chosen.stack,
            set: &self.set,
            overrides: &self.overrides,
            endpoints: &self.endpoints,
            deadline: self.deadline,
            every_dns_name: false,
            remember: !self.read_only,
            actor: &self.actor,
            trigger: "cli",
            lease: self.lease,
            definitions: None,
            progress,
        }
    }
}

/// Opens `file://FOLDER`. Only the default folder is made when it is missing: a store that somebody
/// names and that is not there must not look like a beginning.
fn open_store(address: &str) -> Result<FolderStore, CliError> {
    let Some(folder) = address
        .strip_prefix("file://")
        .filter(|folder| !folder.is_empty())
    else {
        return Err(CliError::Usage(format!(
            "`{address}` is not a store; write file://FOLDER (file://./state is a relative one)"
        )));
    };
    let folder = PathBuf::from(folder);
    let is_default = folder == Path::new(".kedge/store");
    let opened = if is_default {
        FolderStore::create(folder)
    } else {
        FolderStore::open(folder)
    };
    opened.map_err(CliError::Store)
}
