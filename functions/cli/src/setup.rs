//! What every verb that looks at a stack needs, brought together once.

use kedge_core::definitions::{Bundle, stack_names};
use kedge_core::model::Timestamp;
use kedge_core::render;
use kedge_engine::bundles::{self, ReadBundle};
use kedge_engine::lease::LeaseTimes;
use kedge_engine::ports::Clock as _;
use kedge_engine::reconcile::{Job, Progress, RunError};
use kedge_engine::session::Endpoints;
use kedge_native::{HttpOptions, NativeHttp, NativePorts, Settings};

use crate::args::Args;
use crate::definitions;
use crate::error::CliError;
use crate::screen;
use crate::source::{self, Source};
use crate::stack::{self, Chosen};
use crate::store::{AnyStore, ChosenStore};

/// How long a run of the command line may take: long enough for 500 topics at one request a second.
const DEADLINE_MS: i64 = 15 * 60 * 1000;

/// Everything a verb needs. [`Setup::read_definitions`] is called before a job is asked for.
pub(crate) struct Setup {
    pub(crate) ports: NativePorts,
    pub(crate) store: AnyStore,
    pub(crate) chosen_store: ChosenStore,
    pub(crate) chosen: Chosen,
    /// The definitions that count for this verb.
    pub(crate) bundle: Bundle,
    /// What they were read from.
    pub(crate) definitions: String,
    /// What the store holds, where that counts.
    pub(crate) read: Option<ReadBundle>,
    /// What is shown is not stored yet: the flags of the push that must come first.
    pub(crate) push_first: Option<String>,
    /// Whether the local files differ from the stored ones that count, so that a command which would
    /// go by the local ones must say `--stored` to mean the same.
    pub(crate) says_stored: bool,
    pub(crate) overrides: std::collections::BTreeMap<String, String>,
    pub(crate) settings: Settings,
    has_local: bool,
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
        let store = chosen_store.open(&settings, options.clone())?;
        let http = NativeHttp::new(options)?;
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
            chosen_store,
            chosen,
            bundle,
            read: None,
            push_first: None,
            says_stored: false,
            deadline,
            read_only,
            settings,
            has_local,
        })
    }

    /// Reads the stored definitions where they count for this verb, and says so in what is printed.
    pub(crate) async fn read_definitions(
        &mut self,
        args: &Args,
        is_preview: bool,
    ) -> Result<(), CliError> {
        let source = source::source(
            self.chosen_store.is_remote(),
            args.stored,
            is_preview && self.has_local,
        );
        if source == Source::Local {
            return Ok(());
        }
        let read = bundles::read_bundle(&self.store, &self.chosen.stack, &self.overrides)
            .await
            .map_err(RunError::Store)?;
        let now = self.ports.now();
        let stored = read.stored.as_ref();
        match (source, stored) {
            (Source::Stored, Some(stored)) => {
                let is_other = self.has_local && stored.bundle.files() != self.bundle.files();
                self.says_stored = is_other && !args.stored;
                self.definitions = render::stored_text(stored, now);
                self.bundle = stored.bundle.clone();
            }
            (Source::Stored, None) | (Source::Local, _) => {}
            (Source::LocalBesideStored, stored) => {
                let local = self.bundle.files();
                let beside = match stored {
                    Some(stored) if stored.bundle.files() == local => "as stored: ".to_owned(),
                    Some(_) => "stored: ".to_owned(),
                    None => "nothing is stored".to_owned(),
                };
                let is_stored =
                    read.fault.is_none() && stored.is_some_and(|one| one.bundle.files() == local);
                let flags = || stored.map(bundles::push_flags).unwrap_or_default();
                self.push_first = (!is_stored).then(flags);
                let stored = stored.map(|stored| render::stored_text(stored, now));
                let stored = stored.unwrap_or_default();
                self.definitions = format!(
                    "{} (local files; {beside}{stored})",
                    args.definitions.display()
                );
                return Ok(());
            }
        }
        self.read = Some(read);
        Ok(())
    }

    /// Reads the stored definitions, whatever the store is: what was just pushed.
    pub(crate) async fn read_stored(&mut self) -> Result<(), CliError> {
        let read = bundles::read_bundle(&self.store, &self.chosen.stack, &self.overrides)
            .await
            .map_err(RunError::Store)?;
        self.read = Some(read);
        Ok(())
    }

    /// Refuses the name of a stack that has no file here and of which nothing is stored.
    pub(crate) async fn refuse_unknown(&self) -> Result<(), CliError> {
        let stack = &self.chosen.stack;
        let local = stack_names(&self.bundle);
        if local.contains(stack) {
            return Ok(());
        }
        let is_known = bundles::is_known(&self.store, stack).await;
        if is_known.map_err(RunError::Store)? {
            return Ok(());
        }
        let pushed = bundles::pushed_stacks(&self.store).await;
        let pushed = pushed.map_err(RunError::Store)?;
        Err(stack::unknown(stack, local.into_iter().chain(pushed)))
    }

    /// The flags that a command must repeat to mean the same definitions and the same store.
    pub(crate) fn flags(&self, args: &Args) -> String {
        let stored = if self.says_stored { " --stored" } else { "" };
        format!("{}{stored}", args.flags())
    }

    /// What is asked of the engine.
    pub(crate) fn job<'a>(&'a self, progress: &'a dyn Fn(Progress<'_>)) -> Job<'a> {
        Job {
            stack: &self.chosen.stack,
            bundle: &self.bundle,
            overrides: &self.overrides,
            endpoints: &self.endpoints,
            deadline: self.deadline,
            every_dns_name: false,
            remember: !self.read_only,
            actor: &self.actor,
            trigger: "cli",
            lease: self.lease,
            definitions: self.read.as_ref().and_then(|read| read.etag.as_ref()),
            pushed_at: self
                .read
                .as_ref()
                .and_then(|read| Some(read.stored.as_ref()?.pushed.at)),
            progress,
        }
    }
}
