//! The one flow: definitions → declared → (recorded, live) → differences → plan → apply → state.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kedge_core::definitions::{self, DefinitionSet, ParseInput, Problems};
use kedge_core::live::{LiveWorld, Wanted};
use kedge_core::model::{Declared, ResourceKey, Salt, Scope, StackName, Timestamp};
use kedge_core::plan::{GuardName, PlanSummary};
use kedge_core::recording;
use kedge_core::report::{Carried, Changed, Report, StackVerdict};
use kedge_core::state::State;
use kedge_core::stored::hold::Holds;
use thiserror::Error;

use crate::apply;
use crate::judge::judge;
use crate::memory::{self, MemoryError, ReadState, ReadWatch};
use crate::ports::{Random, ReadPorts, Store, WritePorts};
use crate::providers;
use crate::remember::{Seen, remember};
use crate::request::Request;
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
    /// A person asks for something else than to make the stack what it is declared to be.
    Asked(Request),
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
    /// Nothing is recorded of the stack.
    #[error("nothing is recorded of stack `{stack}` yet: `kedge adopt` records what is live")]
    NothingRecorded {
        /// The stack.
        stack: StackName,
    },
    /// Other resources are gone than the person saw.
    #[error(
        "what is gone moved: it was {seen}, and is {now} ({count} resources); nothing was confirmed"
    )]
    AbsenceMoved {
        /// The digest of what they saw.
        seen: String,
        /// The digest now.
        now: String,
        /// How many there are now.
        count: usize,
    },
    /// A protected stack is not retired.
    #[error(
        "stack `{stack}` is protected and can't be retired: take the protection away first, which is \
         a change of the key `policy`"
    )]
    RetireProtected {
        /// The stack.
        stack: StackName,
    },
    /// A resource was named that nobody knows, or that may be one of several.
    #[error("{0}")]
    Name(String),
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
pub(crate) struct Look {
    pub(crate) declared: Arc<Declared>,
    pub(crate) memory: ReadState,
    pub(crate) watch: ReadWatch,
    pub(crate) live: LiveWorld,
    pub(crate) read_at: Timestamp,
    pub(crate) session: Session,
    /// Holds, where they were read: those that ended too.
    pub(crate) holds: Holds,
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
    let (mut look, mut report) = see(ports, store, job, tick, overrides).await?;
    for _ in 1..LOOKS_MAX {
        // A verdict that is not clean counts only if the state it was made from still does (3.4).
        if report.verdict() == StackVerdict::Clean
            || memory::read_state(store, job.stack).await?.etag == look.memory.etag
        {
            break;
        }
        (look, report) = see(ports, store, job, tick, overrides).await?;
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
    let none = BTreeSet::new();
    let overrides = match authorisation {
        Authorisation::Unattended | Authorisation::Asked(_) => &none,
        Authorisation::Person(consent) => &consent.overrides,
    };
    let (look, report) = see(ports, store, job, authorisation, overrides).await?;
    match authorisation {
        Authorisation::Unattended => {}
        Authorisation::Person(consent) => agreed_to(consent, &report)?,
        Authorisation::Asked(request) => seen_by(request, &report)?,
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

/// Looks at what a request comes to, and changes nothing.
///
/// # Errors
/// As [`check`], and where the request makes no sense.
pub async fn foresee<P: ReadPorts, S: Store>(
    ports: &P,
    store: &S,
    job: Job<'_>,
    request: &Request,
) -> Result<Report, RunError> {
    let by = Authorisation::Asked(request.clone());
    let (_, report) = see(ports, store, job, &by, &BTreeSet::new()).await?;
    Ok(report)
}

/// Finds the resources that a person named among those that are declared or recorded. Asks no
/// provider.
///
/// # Errors
/// When the definitions or the state can't be used, or a name fits nothing, or several things.
pub async fn named<P: ReadPorts, S: Store>(
    ports: &P,
    store: &S,
    job: Job<'_>,
    names: &[String],
) -> Result<BTreeSet<ResourceKey>, RunError> {
    let memory = memory::read_state(store, job.stack).await?;
    let salt = memory.state.as_ref().map(|state| state.salt.clone());
    let declared = parsed(job, &salt.unwrap_or_else(|| fresh_salt(ports)))?;
    let recorded = memory.state.iter().flat_map(|state| state.resources.keys());
    let keys = declared.resources.keys().chain(recorded);
    recording::resolve(names, keys).map_err(RunError::Name)
}

/// Whether the plan that retires the stack is the one that was agreed to.
fn seen_by(request: &Request, report: &Report) -> Result<(), RunError> {
    match request {
        Request::Retire { seen: Some(agreed) } if *agreed != report.plan.digest => {
            Err(RunError::PlanMoved {
                agreed: agreed.clone(),
                now: report.plan.digest.clone(),
                moved: Vec::new(),
            })
        }
        _ => Ok(()),
    }
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

/// Looks, compares, plans and decides. Holds are read where they matter: where something is to be
/// done, or where checks know of one.
async fn see<P: ReadPorts, S: Store>(
    ports: &P,
    store: &S,
    job: Job<'_>,
    authorisation: &Authorisation,
    overrides: &BTreeSet<GuardName>,
) -> Result<(Look, Report), RunError> {
    let mut look = look(ports, store, job).await?;
    let report = judge(ports.now(), &look, authorisation, overrides)?;
    let is_clean = report.verdict() == StackVerdict::Clean && report.plan.changes.is_empty();
    if is_clean && look.watch.watch.holds.is_empty() {
        return Ok((look, report));
    }
    look.holds = memory::read_holds(store, job.stack).await?.holds;
    if look.holds.list().is_empty() {
        return Ok((look, report));
    }
    let report = judge(ports.now(), &look, authorisation, overrides)?;
    Ok((look, report))
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
    let declared = parsed(job, &salt)?;
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
        holds: Holds::default(),
    })
}

/// What the definitions say, its URLs sealed with this salt.
fn parsed(job: Job<'_>, salt: &Salt) -> Result<Declared, RunError> {
    let (set, stack, overrides) = (job.set, job.stack, job.overrides);
    definitions::parse(&ParseInput {
        set,
        stack,
        overrides,
        salt,
    })
    .map_err(RunError::Definitions)
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
