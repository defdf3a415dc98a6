//! The one flow: definitions → declared → (recorded, live) → differences → plan → apply → state.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kedge_core::definitions::{self, DefinitionSet, ParseInput, Problems};
use kedge_core::diff::{DiffInput, Difference, Verdict, diff};
use kedge_core::live::{LiveWorld, Wanted};
use kedge_core::model::{Declared, ResourceKey, Salt, Scope, StackName, Timestamp};
use kedge_core::plan::{
    Authority, GuardName, PlanInput, PlanSummary, authorise, drift_fingerprint, plan,
    resolve_allowed,
};
use kedge_core::report::{Carried, Changed, Outcome, Report, StackVerdict};
use kedge_core::state::{State, Watch};
use thiserror::Error;

use crate::apply;
use crate::memory::{self, MemoryError, ReadState, ReadWatch};
use crate::ports::{Random, ReadPorts, Store, WritePorts};
use crate::providers;
use crate::session::{Context, Endpoints, Session};

/// How often a look is begun again because the state moved under it.
const LOOKS_MAX: usize = 3;

/// A step of a run that takes time, for whoever watches.
#[derive(Debug, Clone, Copy)]
pub enum Progress<'a> {
    /// A scope is being read.
    Reading(&'a Scope),
    /// It was read, or not.
    HasRead(&'a Scope),
    /// So many changes are about to be made.
    Applying(usize),
    /// A change ended.
    Carried(&'a Carried),
    /// What checks remember could not be kept; the run goes on.
    NotRemembered(&'a MemoryError),
}

/// What is asked of a run.
#[derive(Clone, Copy)]
pub struct Job<'a> {
    /// The stack.
    pub stack: &'a StackName,
    /// Its definitions.
    pub set: &'a DefinitionSet,
    /// Config values that win over the stack's file (`KEDGE_CONFIG_<NAME>`).
    pub overrides: &'a BTreeMap<String, String>,
    /// Where the providers' APIs are.
    pub endpoints: &'a Endpoints,
    /// When the run must have ended.
    pub deadline: Timestamp,
    /// Whether DNS names that nobody declared are reported too.
    pub every_dns_name: bool,
    /// Whether what checks remember is written.
    pub remember: bool,
    /// Is told of each step. Must not wait.
    pub progress: &'a dyn Fn(Progress<'_>),
}

/// What a person agreed to.
#[derive(Debug, Clone, Default)]
pub struct Consent {
    /// Destructive changes by key or short name, and `policy`.
    pub allow: Vec<String>,
    /// Whether they typed the stack's name on a terminal.
    pub name_typed: bool,
    /// Guards they override.
    pub overrides: BTreeSet<GuardName>,
    /// The plan they saw; none if they agreed to whatever the plan is.
    pub digest: Option<String>,
    /// The parts of the plan they saw, where they are known.
    pub seen: Option<PlanSummary>,
}

/// Who says that a plan may be carried out.
#[derive(Debug, Clone)]
pub enum Authorisation {
    /// Nobody is at hand: the policy alone (what a tick does).
    Unattended,
    /// A person agreed.
    Person(Consent),
}

/// A run could not be carried out.
#[derive(Debug, Error)]
pub enum RunError {
    /// The definitions can't be used.
    #[error("the definitions can't be used")]
    Definitions(Problems),
    /// State could not be read or written.
    #[error("state could not be read")]
    Memory(#[from] MemoryError),
    /// State could not be written while changes were made.
    #[error("the run stopped after {} of its changes", changed.done())]
    Stopped {
        /// What was done before.
        changed: Box<Changed>,
        /// Why it stopped.
        #[source]
        source: MemoryError,
    },
    /// The plan is not the one that was agreed to.
    #[error("the plan moved: it was {agreed}, and is {now}{}", moved_text(moved))]
    PlanMoved {
        /// The digest that was agreed to.
        agreed: String,
        /// The digest of the plan now.
        now: String,
        /// What moved, where it is known.
        moved: Vec<String>,
    },
    /// A protected stack takes consent to a plan that was seen, not to any plan.
    #[error("stack `{stack}` is protected: consent needs the digest of the plan (`--plan {now}`)")]
    NeedsDigest {
        /// The stack.
        stack: StackName,
        /// The digest of the plan now.
        now: String,
    },
    /// A guard of a protected stack gives way only to its name, typed.
    #[error(
        "stack `{stack}` is protected: a guard is overridden only on a terminal, with the stack's \
         name typed"
    )]
    OverrideNeedsName {
        /// The stack.
        stack: StackName,
    },
    /// A key was named that is not in the plan, or that fits several.
    #[error("{0}")]
    Allow(String),
}

fn moved_text(moved: &[String]) -> String {
    match moved {
        [] => String::new(),
        moved => format!("; moved: {}", moved.join(", ")),
    }
}

/// Everything one look at a stack brought together.
#[derive(Debug)]
struct Look {
    declared: Arc<Declared>,
    memory: ReadState,
    watch: ReadWatch,
    live: LiveWorld,
    read_at: Timestamp,
    session: Session,
}

/// Looks at a stack and says what differs and what a tick would do about it. Changes nothing but
/// what checks remember.
///
/// # Errors
/// When the definitions or the state can't be used. What could not be read from a provider is no
/// error: it is unknown in the report.
pub async fn check<P: ReadPorts, S: Store>(
    ports: &P,
    store: &S,
    job: Job<'_>,
) -> Result<Report, RunError> {
    preview(ports, store, job, &BTreeSet::new()).await
}

/// The same, for the plan in which a person overrides guards: its digest covers them.
///
/// # Errors
/// As [`check`].
pub async fn preview<P: ReadPorts, S: Store>(
    ports: &P,
    store: &S,
    job: Job<'_>,
    overrides: &BTreeSet<GuardName>,
) -> Result<Report, RunError> {
    let tick = &Authorisation::Unattended;
    let mut look = look(ports, store, job).await?;
    let mut report = judge(ports, &look, tick, overrides)?;
    for _ in 1..LOOKS_MAX {
        // A verdict that is not clean counts only if the state it was made from still does (3.4).
        if report.verdict() == StackVerdict::Clean
            || memory::read_state(store, job.stack).await?.etag == look.memory.etag
        {
            break;
        }
        look = self::look(ports, store, job).await?;
        report = judge(ports, &look, tick, overrides)?;
    }
    if job.remember {
        let state = look.memory.state.as_ref();
        remember(store, job, look.watch, &report, Seen::By(state)).await;
    }
    Ok(report)
}

/// Looks at a stack, decides by the given authority, and carries out what may be done.
///
/// # Errors
/// When the definitions or the state can't be used, the plan is not the one agreed to, or state
/// could not be written. A provider's refusal is no error: it is an outcome in what was changed.
pub async fn up<P: WritePorts, S: Store>(
    ports: &P,
    store: &S,
    job: Job<'_>,
    authorisation: &Authorisation,
) -> Result<(Report, Changed), RunError> {
    let look = look(ports, store, job).await?;
    let none = BTreeSet::new();
    let overrides = match authorisation {
        Authorisation::Unattended => &none,
        Authorisation::Person(consent) => &consent.overrides,
    };
    let report = judge(ports, &look, authorisation, overrides)?;
    if let Authorisation::Person(consent) = authorisation {
        agreed_to(consent, &report)?;
    }
    let is_unattended = matches!(authorisation, Authorisation::Unattended);
    let cx = Context {
        ports,
        session: &look.session,
    };
    let begun = apply::Begun {
        memory: look.memory,
        salt: look.session.salt.clone(),
        progress: job.progress,
    };
    let changed = apply::apply(cx, store, begun, &report, is_unattended).await?;
    remember(store, job, look.watch, &report, Seen::And(&changed.carried)).await;
    Ok((report, changed))
}

/// Whether what a person agreed to is what would be done.
fn agreed_to(consent: &Consent, report: &Report) -> Result<(), RunError> {
    let now = report.plan.digest.clone();
    if report.plan.policy.protected && !consent.overrides.is_empty() && !consent.name_typed {
        let stack = report.declared.stack.clone();
        return Err(RunError::OverrideNeedsName { stack });
    }
    match &consent.digest {
        None if report.plan.policy.protected && !report.plan.changes.is_empty() => {
            Err(RunError::NeedsDigest {
                stack: report.declared.stack.clone(),
                now,
            })
        }
        Some(agreed) if *agreed != now => {
            let moved = consent
                .seen
                .as_ref()
                .map(|seen| report.plan.summary.moved_since(seen));
            let (agreed, moved) = (agreed.clone(), moved.unwrap_or_default());
            Err(RunError::PlanMoved { agreed, now, moved })
        }
        _ => Ok(()),
    }
}

/// Reads state, then definitions with its salt, then the live world.
async fn look<P: ReadPorts, S: Store>(
    ports: &P,
    store: &S,
    job: Job<'_>,
) -> Result<Look, RunError> {
    let (memory, watch) = futures_util::future::join(
        memory::read_state(store, job.stack),
        memory::read_watch(store, job.stack),
    )
    .await;
    let (memory, watch) = (memory?, watch?);
    let salt = match &memory.state {
        Some(state) => state.salt.clone(),
        None => fresh_salt(ports),
    };
    let (set, stack, overrides) = (job.set, job.stack, job.overrides);
    let declared = definitions::parse(&ParseInput {
        set,
        stack,
        overrides,
        salt: &salt,
    })
    .map_err(RunError::Definitions)?;
    let session = Session::new(job.endpoints.clone(), job.deadline, salt);
    let cx = Context {
        ports,
        session: &session,
    };
    let wanted = wanted(&declared, memory.state.as_ref(), job.every_dns_name);
    let reads: Vec<_> = wanted
        .iter()
        .map(|(scope, wanted)| async move {
            (job.progress)(Progress::Reading(scope));
            let reading = providers::read_live(cx, scope, wanted).await;
            (job.progress)(Progress::HasRead(scope));
            reading
        })
        .collect();
    let readings = futures_util::future::join_all(reads).await;
    let scopes = wanted.keys().cloned().zip(readings).collect();
    let read_at = ports.now();
    Ok(Look {
        declared: Arc::new(declared),
        memory,
        watch,
        live: LiveWorld { scopes },
        read_at,
        session,
    })
}

/// What each scope is asked for: everything declared or recorded in it, and our namespace.
fn wanted(
    declared: &Declared,
    state: Option<&State>,
    every_dns_name: bool,
) -> BTreeMap<Scope, Wanted> {
    let mut scopes: BTreeMap<Scope, Wanted> = BTreeMap::new();
    let mut want = |key: &ResourceKey, is_recorded: bool| {
        let wanted = scopes.entry(key.scope().clone()).or_default();
        wanted.keys.insert(key.clone());
        if is_recorded {
            wanted.recorded.insert(key.clone());
        }
    };
    declared.resources.keys().for_each(|key| want(key, false));
    if let Some(state) = state {
        state.resources.keys().for_each(|key| want(key, true));
        let intents = state
            .applying
            .iter()
            .flat_map(|applying| applying.intents.keys());
        intents.for_each(|key| want(key, false));
    }
    for wanted in scopes.values_mut() {
        wanted.namespaces.insert(declared.stack.prefix());
        wanted.every_dns_name = every_dns_name;
    }
    scopes
}

fn fresh_salt(random: &impl Random) -> Salt {
    let mut salt = [0_u8; 16];
    for half in salt.chunks_exact_mut(8) {
        half.copy_from_slice(&random.next_u64().to_be_bytes());
    }
    Salt(salt)
}

/// Compares, plans and decides: pure, but for the clock.
fn judge<P: ReadPorts>(
    ports: &P,
    look: &Look,
    authorisation: &Authorisation,
    overrides: &BTreeSet<GuardName>,
) -> Result<Report, RunError> {
    let watch = &look.watch.watch;
    let state = look
        .memory
        .state
        .as_ref()
        .map(|state| state.without_taken(watch));
    let state = state.as_deref();
    let (declared, live) = (&look.declared, &look.live);
    let comparison = diff(DiffInput {
        declared,
        state,
        live,
        now: look.read_at,
    });
    let plan = plan(PlanInput {
        declared,
        state,
        live,
        comparison: &comparison,
        overrides,
    });
    let decided = match authorisation {
        Authorisation::Unattended => {
            let automatic = state
                .map(|state| state.automatic.as_slice())
                .unwrap_or_default();
            let seen = &look.watch.watch.seen;
            authorise(
                &plan,
                Authority::Policy {
                    seen,
                    automatic,
                    now: ports.now(),
                },
            )
        }
        Authorisation::Person(consent) => {
            let (allowed, policy_allowed) =
                resolve_allowed(&plan, &consent.allow).map_err(RunError::Allow)?;
            let name_typed = consent.name_typed;
            authorise(
                &plan,
                Authority::Person {
                    allowed: &allowed,
                    policy_allowed,
                    name_typed,
                },
            )
        }
    };
    Ok(Report {
        declared: Arc::clone(declared),
        comparison,
        plan,
        decided,
        read_at: look.read_at,
        last_good_read_at: look.watch.watch.last_good_read_at,
    })
}

/// What a memory is made after.
enum Seen<'a> {
    /// A check, of a stack with this state.
    By(Option<&'a State>),
    /// A run that looked and then made these changes.
    And(&'a [Carried]),
}

/// Keeps since when each drift is known, less what this run made an end of, and which writes were
/// seen to take. It is only a memory: a run is not worth less for failing to keep it.
async fn remember<S: Store>(
    store: &S,
    job: Job<'_>,
    before: ReadWatch,
    report: &Report,
    seen: Seen<'_>,
) {
    let differences = &report.comparison.differences;
    let (state, carried) = match seen {
        Seen::By(state) => (state, [].as_slice()),
        Seen::And(carried) => (None, carried),
    };
    let done: BTreeMap<&ResourceKey, &Carried> = carried
        .iter()
        .filter(|carried| carried.outcome == Outcome::Done)
        .map(|carried| (&carried.approved.change.key, carried))
        .collect();
    let stands = |difference: &Difference| match done.get(&difference.key) {
        Some(done) => difference.after(&done.approved.change.edits),
        None => Some(difference.clone()),
    };
    let drifts = differences
        .values()
        .filter(|_| report.comparison.has_state)
        .filter_map(stands)
        .filter(Difference::is_drift)
        .map(|difference| (difference.key.clone(), drift_fingerprint(&difference)))
        .collect();
    let stands_as = |key: &ResourceKey, verdict| {
        differences
            .get(key)
            .is_some_and(|difference| difference.verdict == verdict)
    };
    let complete = report.count(&[Verdict::Unknown]) == 0;
    let is_unread = |key: &ResourceKey| stands_as(key, Verdict::Unknown);
    let mut watch: Watch = before
        .watch
        .after(&drifts, is_unread, complete, report.read_at);
    if let Some(state) = state {
        watch = watch.with_taken(state, |key| stands_as(key, Verdict::InSync));
    }
    if let Err(error) = memory::write_watch(store, job.stack, before, &watch).await {
        (job.progress)(Progress::NotRemembered(&error));
    }
}
