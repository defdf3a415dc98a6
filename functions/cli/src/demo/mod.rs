//! `kedge demo`: what kedge does, shown against a sandbox.
//!
//! The same commands as on the command line, over real HTTP against the sandbox on a free port, with
//! Clustera's definitions and one more stack. Nothing outside a temporary folder is touched, and the
//! text is the same on every run.

mod automation;
mod files;
mod story;

pub(crate) use files::demo_files;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use kedge_core::definitions::Bundle;
use kedge_core::hint::Hint;
use kedge_core::model::StackName;
use kedge_core::render::{RenderOptions, Screen, Traffic};
use kedge_core::report::Report;
use kedge_engine::ports::Clock as _;
use kedge_engine::ports::ProviderName;
use kedge_engine::{
    Budget, By, Caches, CheckRequest, Definitions, Endpoints, Engine, LeaseTimes, Progress, Ran,
};
use kedge_native::{FolderStore, HttpOptions, NativeHttp, NativePorts, Settings, secrets_of};
use kedge_sandbox::{Deed, Options, Sandbox};
use tokio::sync::oneshot;

use crate::args::Args;
use crate::error::CliError;
use crate::hints::CommandLine;
use crate::sandbox::listen;
use crate::screen;

/// How long one verb of the demo may take.
const DEADLINE_MS: i64 = 60_000;

/// Hints as the command line says them.
fn hint(hint: &Hint) -> String {
    let line = CommandLine {
        stack: Some("demo".to_owned()),
        names_stack: false,
        flags: String::new(),
        read_only: false,
    };
    line.words(hint)
}

/// Runs the demo. Exits with 0 only if everything went as its text says.
pub(crate) async fn run(args: &Args) -> Result<u8, CliError> {
    let screen = screen::of_stdout(args);
    let sandbox = Rc::new(Sandbox::new(Options::default()));
    let listener = listen(0).await?;
    let at = listener.local_addr().map_err(CliError::Serve)?.to_string();
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = kedge_sandbox::serve(Rc::clone(&sandbox), listener, async {
        let _ = stopped.await;
    });
    let telling = async {
        let ended = match World::new(sandbox, &at, screen) {
            Ok(world) => story::tell(&world).await,
            Err(error) => Err(error),
        };
        let _ = stop.send(());
        ended
    };
    let (served, ended) = tokio::join!(serving, telling);
    ended?;
    served.map_err(CliError::Serve)?;
    Ok(0)
}

/// The demo's world: the sandbox on a port, a store in a temporary folder, and ports to both.
struct World {
    sandbox: Rc<Sandbox>,
    ports: NativePorts,
    store: FolderStore,
    bundle: Bundle,
    stack: StackName,
    caches: Caches,
    endpoints: Endpoints,
    reads_before: RefCell<(u64, u64)>,
    screen: Screen,
    _folder: tempfile::TempDir,
}

impl World {
    fn new(sandbox: Rc<Sandbox>, at: &str, screen: Screen) -> Result<Self, CliError> {
        let folder = tempfile::tempdir().map_err(|source| CliError::Write {
            path: std::env::temp_dir(),
            source,
        })?;
        // The settings of this machine have no part in the demo, only these.
        let settings = ProviderName::ALL
            .into_iter()
            .flat_map(|provider| provider.entry().sandbox_variables(at, "demo"));
        let settings = settings.map(|(name, value)| (name.to_owned(), value));
        let settings = Settings::of(settings);
        let (secrets, _) = secrets_of(&settings, folder.path());
        let stack = StackName::new("demo").map_err(|error| CliError::Demo(error.to_string()))?;
        Ok(Self {
            sandbox,
            ports: NativePorts::new(NativeHttp::new(HttpOptions::default())?, secrets),
            store: FolderStore::create(folder.path().join("store")).map_err(CliError::Store)?,
            bundle: Bundle::new(files::demo_files())?,
            stack,
            caches: Caches::default(),
            endpoints: settings.endpoints()?,
            reads_before: RefCell::default(),
            screen,
            _folder: folder,
        })
    }

    /// A person in a console, at the sandbox's time, which is the machine's.
    fn person(&self, deed: &Deed) -> Result<(), CliError> {
        let now_ms = self.ports.now().0 - self.ports.clock.ahead_ms.get();
        self.sandbox.act(deed, now_ms).map_err(CliError::Demo)
    }

    /// Lets time pass for Kedge, so that what it did itself has settled.
    fn an_hour_passes(&self) {
        let clock = &self.ports.clock.ahead_ms;
        clock.set(clock.get() + 3_600_000);
    }

    /// Checks the stack.
    async fn check(&self) -> Result<Report, CliError> {
        self.begin();
        let options = CheckRequest::default();
        let budget = self.budget();
        let checked = self.engine(&budget).check(&self.stack, &options).await;
        Ok(checked?.report)
    }

    async fn up(&self, by: &By) -> Result<Ran, CliError> {
        self.begin();
        let budget = self.budget();
        let applied = self.engine(&budget).apply(&self.stack, by).await;
        Ok(applied.into_result()?)
    }

    fn budget(&self) -> Budget {
        Budget::lasting(&self.ports, DEADLINE_MS)
    }

    fn engine<'a>(&'a self, budget: &'a Budget) -> Engine<'a, NativePorts, FolderStore> {
        static NO_OVERRIDES: BTreeMap<String, String> = BTreeMap::new();
        let settings = kedge_engine::Settings {
            definitions: Definitions::Files(&self.bundle),
            overrides: &NO_OVERRIDES,
            endpoints: &self.endpoints,
            budget,
            read_only: false,
            actor: "demo",
            trigger: "demo",
            run: None,
            lease: LeaseTimes::default(),
            caches: &self.caches,
            progress: &|_: Progress<'_>| {},
        };
        Engine::new(&self.ports, &self.store, settings)
    }

    fn begin(&self) {
        *self.reads_before.borrow_mut() = self.totals();
    }

    fn totals(&self) -> (u64, u64) {
        let stats = self.ports.http.stats();
        let reads = stats.values().map(|traffic| traffic.reads).sum();
        (reads, stats.values().map(|traffic| traffic.writes).sum())
    }

    /// How reports are shown: without times, since the text is to be the same on every run.
    fn around(&self) -> RenderOptions<'_> {
        let (before, now) = (*self.reads_before.borrow(), self.totals());
        RenderOptions {
            hints: &hint,
            stack_origin: "demo",
            definitions: "definitions (built in)",
            screen: self.screen,
            traffic: Some(Traffic {
                reads: now.0 - before.0,
                writes: now.1 - before.1,
                wall_ms: None,
            }),
            times: false,
            plan_shown: false,
            next_follows: false,
        }
    }
}
