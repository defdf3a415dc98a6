//! A stack in a simulated world: runs of `check` and `up`, and the assertion that every scenario ends
//! with: again, and nothing changes. Its definition files are written in `declares.rs`.

#![expect(
    clippy::panic,
    clippy::expect_used,
    reason = "a scenario that can't go on has failed"
)]

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::LazyLock;

use kedge_core::definitions::Bundle;
use kedge_core::hint::Hint;
use kedge_core::model::{ResourceKey, StackName};
use kedge_core::plan::GuardName;
use kedge_core::render::Screen;
use kedge_core::report::{Changed, Report, StackVerdict};
use kedge_engine::{
    Budget, Caches, CheckRequest, Consent, Definitions, Endpoints, Engine, LeaseTimes, RunError,
    Settings, StopError,
};
use kedge_sandbox::{CANARY_SECRET, Deed, Effect, Fault, Matches, Options, Provider, Sandbox};

pub use crate::authority::Authorisation;
pub use crate::declares::{
    AIVEN_PROJECT, GCP_PROJECT, GMAIL, KAFKA_SERVICE, LEAVER, NODE, PUBLISHER, ZONE,
};
pub use crate::reports::{
    describe, difference, left_reasons, results, results_in_order, verdict, world_has_item,
};

use crate::executor::Crashed;
use crate::ports::{CrashPoint, SimPorts, endpoints, sim};

/// A screen wide enough for every line.
pub const SCREEN: Screen = Screen {
    colour: false,
    width: 1_000,
    full: false,
};

/// A hint as a page of a test says it: its code.
#[must_use]
pub fn hint(hint: &Hint) -> String {
    format!("{hint:?}")
}

/// Texts that must not be found in anything that is stored or shown.
pub const SECRETS: [&str; 2] = ["s3cret", CANARY_SECRET];
/// After this long nobody holds a lease that was not renewed: 60 s, and 30 s of grace.
pub const LEASE_OVER_MS: i64 = 90_000;
/// How long a run may last.
const RUN_MS: i64 = 180_000;

/// What a shell hands to one invocation.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// Where the providers are.
    pub endpoints: Endpoints,
    /// What it may use.
    pub budget: Budget,
}

/// What one run of `up` gave back.
pub type Upped = Result<(Report, Changed), RunError>;

/// One stack, `dev`, and its world.
#[derive(Debug, Clone)]
pub struct Stack {
    /// The stack.
    pub name: StackName,
    /// Its definition files by path.
    pub files: BTreeMap<String, String>,
    /// Its world.
    pub ports: SimPorts,
    /// What outlives a run.
    pub caches: Rc<Caches>,
    /// Whether runs go by what is stored, instead of by these files.
    pub by_stored: bool,
    /// The environment's config values (`KEDGE_CONFIG_<NAME>`) where it is run, by name in lower case.
    pub variables: BTreeMap<String, String>,
}

impl Stack {
    /// A stack `dev` of which nothing is declared yet, in an empty world.
    #[must_use]
    pub fn new() -> Self {
        Self::seeded(1)
    }

    /// The same with its own seed.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self::in_world(Options {
            seed,
            ..Options::default()
        })
    }

    /// The same in a world with these options.
    #[must_use]
    pub fn in_world(options: Options) -> Self {
        let seed = options.seed;
        let mut stack = Self {
            name: stack_name("dev"),
            files: BTreeMap::new(),
            ports: sim(seed, Sandbox::new(options)),
            caches: Rc::default(),
            by_stored: false,
            variables: BTreeMap::new(),
        };
        stack.policy("correct: safe, deploy: disruptive, correct_after: 0");
        stack.config("");
        stack
    }

    /// A stack over definition files of its own.
    #[must_use]
    pub fn of(name: &str, files: BTreeMap<String, String>) -> Self {
        Self {
            name: stack_name(name),
            files,
            ports: sim(1, Sandbox::new(Options::default())),
            caches: Rc::default(),
            by_stored: false,
            variables: BTreeMap::new(),
        }
    }

    /// The same stack in a world of its own that is as this one is now.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self {
            ports: self.ports.fork(),
            ..self.clone()
        }
    }

    /// Looks and decides what a tick would do.
    ///
    /// # Panics
    /// When the check fails.
    #[must_use]
    pub fn check(&self) -> Report {
        match self.try_check() {
            Ok(report) => report,
            Err(error) => panic!("{error:?}"),
        }
    }

    /// The same with its error.
    ///
    /// # Errors
    /// Those of the engine.
    ///
    /// # Panics
    /// When it crashes or shows a secret.
    pub fn try_check(&self) -> Result<Report, RunError> {
        let (bundle, invocation) = (self.set(), self.invocation());
        let engine = self.engine(&bundle, &self.variables, &invocation);
        let request = CheckRequest::default();
        let result = self.run(engine.check(&self.name, &request));
        let result = result.map(|checked| checked.report);
        self.assert_no_secret(&format!("{result:?}"));
        result
    }

    /// What a tick does: policy alone.
    ///
    /// # Panics
    /// When the run fails.
    pub fn unattended(&self) -> (Report, Changed) {
        self.done(&Authorisation::Unattended)
    }

    /// What a person does who agrees to the plan and names these destructive keys.
    ///
    /// # Panics
    /// When the run fails.
    pub fn person(&self, allow: &[&str]) -> (Report, Changed) {
        self.done(&person(allow))
    }

    /// What a person does who overrides guards.
    ///
    /// # Panics
    /// When the run fails.
    pub fn overriding(&self, guards: &[GuardName]) -> (Report, Changed) {
        let guards = guards.iter().copied().collect();
        self.done(&Authorisation::Person(
            Consent::to_any_plan().overriding(guards),
        ))
    }

    fn done(&self, authorisation: &Authorisation) -> (Report, Changed) {
        match (self.up(authorisation), authorisation) {
            (Ok(Ok(done)), _) => done,
            // A person looks at the plan of a protected stack and agrees to that.
            (
                Ok(Err(RunError::Stopped {
                    source: StopError::NeedsDigest { now, .. },
                    ..
                })),
                Authorisation::Person(consent),
            ) => self.done(&Authorisation::Person(consent.clone().with_plan(now))),
            (other, _) => panic!("{other:?}"),
        }
    }

    /// One run of `up`.
    ///
    /// # Errors
    /// When it crashed; within, those of the engine.
    pub fn up(&self, authorisation: &Authorisation) -> Result<Upped, Crashed> {
        let (bundle, invocation) = (self.set(), self.invocation());
        let engine = self.engine(&bundle, &self.variables, &invocation);
        let run = apply(&engine, &self.name, authorisation);
        let result = self.ports.executor.run(run);
        self.assert_no_secret(&format!("{result:?}"));
        result
    }

    /// The set of definitions as it is now.
    ///
    /// # Panics
    /// When the files are no set.
    #[must_use]
    pub fn set(&self) -> Bundle {
        Bundle::new(self.files.clone()).expect("a set")
    }

    /// What is handed to an invocation that begins now.
    #[must_use]
    pub fn invocation(&self) -> Invocation {
        Invocation {
            endpoints: endpoints(),
            budget: Budget::lasting(&self.ports, RUN_MS),
        }
    }

    /// The engine over this world, by these definitions.
    #[must_use]
    pub fn engine<'a>(
        &'a self,
        bundle: &'a Bundle,
        overrides: &'a BTreeMap<String, String>,
        invocation: &'a Invocation,
    ) -> Engine<'a, SimPorts, SimPorts> {
        let settings = Settings {
            definitions: match self.by_stored {
                true => Definitions::Stored,
                false => Definitions::Files(bundle),
            },
            overrides,
            endpoints: &invocation.endpoints,
            budget: &invocation.budget,
            read_only: false,
            actor: "ana@laptop",
            trigger: "test",
            run: None,
            lease: LeaseTimes::default(),
            caches: &self.caches,
            progress: &|_| {},
        };
        Engine::new(&self.ports, &self.ports, settings)
    }

    /// The same by what is stored.
    #[must_use]
    pub fn engine_stored<'a>(
        &'a self,
        overrides: &'a BTreeMap<String, String>,
        invocation: &'a Invocation,
    ) -> Engine<'a, SimPorts, SimPorts> {
        static EMPTY: LazyLock<Bundle> = LazyLock::new(Bundle::default);
        let mut engine = self.engine(&EMPTY, overrides, invocation);
        engine.settings.definitions = Definitions::Stored;
        engine
    }

    /// Runs something to its end in virtual time.
    ///
    /// # Panics
    /// When it crashes.
    pub fn run<T>(&self, work: impl Future<Output = T>) -> T {
        let end = self.ports.executor.run(work);
        end.expect("no crash point is set")
    }

    /// Sets or takes away the place of a crash, and counts port calls anew.
    pub fn crash_at(&self, point: Option<CrashPoint>) {
        self.ports.clear_sent();
        self.ports.crash_point.set(point);
    }

    /// A person changes something in a console.
    ///
    /// # Panics
    /// When the sandbox refuses the deed.
    pub fn act(&self, deed: &Deed) {
        let done = self.ports.sandbox.act(deed, self.ports.executor.now_ms());
        assert_eq!(done, Ok(()), "{deed:?}");
    }

    /// Lets time pass.
    pub fn wait_minutes(&self, minutes: i64) {
        self.ports.executor.advance_ms(minutes * 60_000);
    }

    /// Lets so many milliseconds pass.
    pub fn wait_ms(&self, ms: i64) {
        self.ports.executor.advance_ms(ms);
    }

    /// The same stack run from another machine, which begins to count its calls.
    #[must_use]
    pub fn beside(&self) -> Self {
        Self {
            ports: self.ports.beside(),
            ..self.clone()
        }
    }

    /// Trouble with requests of one provider that hold this text.
    pub fn trouble(&self, provider: Provider, path: &str, effect: Effect) {
        let matches = Matches {
            provider: Some(provider),
            path: (!path.is_empty()).then(|| path.to_owned()),
            ..Matches::default()
        };
        self.ports.sandbox.add_fault(Fault {
            matches,
            effect,
            times: None,
        });
    }

    /// Again, and nothing changes: neither a tick nor a person writes anything to a provider or to
    /// the store, and the check after that is clean.
    ///
    /// # Panics
    /// When something does.
    pub fn assert_settled(&self) {
        self.assert_idle();
        let report = self.check();
        assert_eq!(
            report.verdict(),
            StackVerdict::Clean,
            "{}",
            describe(&report)
        );
    }

    /// Again, and nothing changes, whatever the verdict.
    ///
    /// # Panics
    /// When something does.
    pub fn assert_idle(&self) {
        self.assert_idle_as(&[Authorisation::Unattended, person(&[])]);
    }

    /// Again, and a tick changes nothing, though a person might.
    ///
    /// # Panics
    /// When it does.
    pub fn assert_idle_unattended(&self) {
        self.assert_idle_as(&[Authorisation::Unattended]);
    }

    fn assert_idle_as(&self, authorisations: &[Authorisation]) {
        let world = self.ports.sandbox.world();
        // A check may remember that what was written has taken; after it nothing is news.
        let _ = self.check();
        for authorisation in authorisations {
            let (writes, stored) = (self.ports.writes(), self.ports.store.writes.get());
            let (report, changed) = self.done(authorisation);
            assert_eq!(changed.results, [], "{}", describe(&report));
            let shown = format!("{authorisation:?}\n{}", describe(&report));
            assert_eq!(self.ports.writes(), writes, "{shown}");
            assert_eq!(self.ports.store.writes.get(), stored, "{shown}");
        }
        // The first check after a write has settled remembers that it took; no other writes.
        let _ = self.check();
        let stored = self.ports.store.writes.get();
        let _ = self.check();
        assert_eq!(self.ports.store.writes.get(), stored);
        assert_eq!(self.ports.sandbox.world(), world);
    }

    /// The stored state as text; empty if there is none.
    #[must_use]
    pub fn state_text(&self) -> String {
        self.ports
            .store
            .text(&format!("stacks/{}/state.json", self.name))
    }

    /// No secret is in what a run gave back or in any stored object.
    fn assert_no_secret(&self, shown: &str) {
        for secret in SECRETS {
            assert!(!shown.contains(secret), "{secret} is shown");
            for key in self.ports.store.keys() {
                let text = self.ports.store.text(&key);
                assert!(!text.contains(secret), "{secret} is stored in {key}");
            }
        }
    }
}

impl Default for Stack {
    fn default() -> Self {
        Self::new()
    }
}

/// A person who agrees to whatever the plan is and names these destructive keys.
#[must_use]
pub fn person(allow: &[&str]) -> Authorisation {
    Authorisation::Person(Consent::to_any_plan().allowing(allow.iter().copied()))
}

/// A stack's name.
///
/// # Panics
/// When it is none.
#[must_use]
pub fn stack_name(text: &str) -> StackName {
    StackName::new(text).expect("a stack name")
}

/// The key of one of the stack's Kafka topics.
#[must_use]
pub fn topic(name: &str) -> ResourceKey {
    ResourceKey::kafka_topic(AIVEN_PROJECT, KAFKA_SERVICE, &format!("dev-{name}"))
}

/// One run by this authority.
///
/// # Errors
/// Those of the engine; that the stack is busy is one here.
pub async fn apply(
    engine: &Engine<'_, SimPorts, SimPorts>,
    stack: &StackName,
    authorisation: &Authorisation,
) -> Result<(Report, Changed), RunError> {
    let applied = match authorisation.by() {
        Ok(by) => engine.apply(stack, &by).await,
        Err(command) => engine.command(stack, command, Some(stack.as_str())).await,
    };
    applied.into_result().map(|ran| (ran.report, ran.changed))
}
