//! The one flow: definitions → declared → (recorded, live) → differences → plan → apply → state.
//!
//! Looking and planning need no lease. `up` takes it when it has something to write (see
//! [`crate::lease`]), makes sure that what it saw still counts, and gives it back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kedge_core::definitions::{self, ParseInput};
use kedge_core::live::{LiveWorld, Wanted};
use kedge_core::model::{Declared, FieldName, ResourceKey, Salt, Scope, Timestamp, Value};
use kedge_core::plan::GuardName;
use kedge_core::recording;
use kedge_core::report::{Changed, Report, StackVerdict};
use kedge_core::state::State;
use kedge_core::stored::hold::{Holds, UnreadHolds};

use crate::apply;
use crate::held::{Held, Run};
pub use crate::job::{Authorisation, Consent, Job, Progress, RunError, StopError, Stopped};
use crate::judge::judge;
use crate::lease::{Holder, Lease};
use crate::memory::{self, MemoryError, ReadState, ReadWatch};
use crate::ports::{Random, ReadPorts, Store, WritePorts};
use crate::providers;
use crate::registry;
use crate::remember::{Seen, remember};
use crate::request::Request;
use crate::session::{Context, Session};
use crate::taken;
use crate::waits::telling;

/// How often a look is begun again because the state moved under it.
pub(crate) const LOOKS_MAX: usize = 3;

/// Everything one look at a stack brought together.
#[derive(Debug)]
pub(crate) struct Look {
    pub(crate) declared: Arc<Declared>,
    pub(crate) memory: ReadState,
    pub(crate) watch: ReadWatch,
    /// Record sets that another stack has, and how that is known.
    pub(crate) taken: BTreeMap<ResourceKey, String>,
    pub(crate) live: LiveWorld,
    pub(crate) read_at: Timestamp,
    pub(crate) session: Session,
    /// Holds, where they were read: those that ended too.
    pub(crate) holds: Holds,
    /// Why they could not be read, if so.
    pub(crate) holds_unread: Option<UnreadHolds>,
    /// When the definitions were stored; none for local files.
    pub(crate) pushed_at: Option<Timestamp>,
}

/// A look, and what is to be done about it.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) look: Look,
    pub(crate) report: Report,
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
    let Judged {
        mut look,
        mut report,
    } = see(ports, store, job, tick, overrides).await?;
    for _ in 1..LOOKS_MAX {
        // A verdict that is not clean counts only if the state it was made from still does (3.4).
        if report.verdict() == StackVerdict::Clean
            || memory::read_state(store, job.stack).await?.etag == look.memory.etag
        {
            break;
        }
        Judged { look, report } = see(ports, store, job, tick, overrides).await?;
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
    let judged = judged(ports, store, job, authorisation).await?;
    let began = ports.now();
    let run = Run {
        id: format!("{}-{:08x}", began.0, ports.next_u64() >> 32),
        at_ms: began.0,
    };
    let is_unattended = matches!(authorisation, Authorisation::Unattended);
    let Judged { look, report } = &judged;
    let (report, changed, watch) = if apply::has_work(&look.memory, report, is_unattended) {
        let holder = Holder {
            actor: job.actor.to_owned(),
            run: run.id.clone(),
        };
        let epoch = look.memory.epoch();
        let lease = Lease::take(ports, store, job.stack, &holder, job.lease, epoch).await?;
        let held = Held {
            ports,
            store,
            lease: &lease,
            job,
            authorisation,
            run: &run,
        };
        let ended = lease.keep(held.change(judged)).await;
        if let Err(error) = lease.release().await {
            (job.progress)(Progress::NotReleased(&error));
        }
        ended?
    } else {
        let changed = Changed {
            run: run.id,
            ..Changed::default()
        };
        (judged.report, changed, judged.look.watch)
    };
    remember(store, job, watch, &report, Seen::And(&changed.carried)).await;
    if let Authorisation::Asked(Request::Retire { .. }) = authorisation {
        registry::retire(store, job.stack).await?;
    }
    Ok((report, changed))
}

/// Looks, compares and decides by the given authority.
pub(crate) async fn judged<P: ReadPorts, S: Store>(
    ports: &P,
    store: &S,
    job: Job<'_>,
    authorisation: &Authorisation,
) -> Result<Judged, RunError> {
    let none = BTreeSet::new();
    let overrides = match authorisation {
        Authorisation::Unattended | Authorisation::Asked(_) => &none,
        Authorisation::Person(consent) => &consent.overrides,
    };
    let judged = see(ports, store, job, authorisation, overrides).await?;
    match authorisation {
        Authorisation::Unattended => {}
        Authorisation::Person(consent) => agreed_to(consent, &judged.report)?,
        Authorisation::Asked(request) => seen_by(request, &judged.report)?,
    }
    Ok(judged)
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
    let judged = see(ports, store, job, &by, &BTreeSet::new()).await?;
    Ok(judged.report)
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
    recording::resolve(names, keys, recording::UNKNOWN_NAME).map_err(RunError::Name)
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
) -> Result<Judged, RunError> {
    let mut look = look(ports, store, job).await?;
    let report = judge(ports.now(), &look, authorisation, overrides)?;
    let is_clean = report.verdict() == StackVerdict::Clean && report.plan.changes.is_empty();
    if is_clean && look.watch.watch.holds.is_empty() {
        return Ok(Judged { look, report });
    }
    match memory::read_holds(store, job.stack).await {
        Ok(holds) if holds.list().is_empty() => return Ok(Judged { look, report }),
        Ok(holds) => look.holds = holds,
        // Looking goes on; nothing is changed.
        Err(MemoryError::Stored { source, .. }) => {
            look.holds_unread = Some(UnreadHolds::of(&source));
        }
        Err(error) => return Err(error.into()),
    }
    let report = judge(ports.now(), &look, authorisation, overrides)?;
    Ok(Judged { look, report })
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
    let taken = taken::by_others(store, job, &declared, memory.state.as_ref()).await;
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
    let reads = futures_util::future::join_all(reads);
    let readings = telling(job.progress, &session, reads).await;
    let scopes = wanted.keys().cloned().zip(readings).collect();
    let read_at = ports.now();
    Ok(Look {
        declared: Arc::new(declared),
        memory,
        watch,
        taken,
        live: LiveWorld { scopes },
        read_at,
        session,
        holds: Holds::default(),
        holds_unread: None,
        pushed_at: job.pushed_at,
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
    let mut want = |key: &ResourceKey, which: Option<fn(&mut Wanted) -> &mut BTreeSet<_>>| {
        let wanted = scopes.entry(key.scope().clone()).or_default();
        wanted.keys.insert(key.clone());
        if let Some(which) = which {
            which(wanted).insert(key.clone());
        }
    };
    let of_definitions = declared.resources.keys();
    of_definitions.for_each(|key| want(key, Some(|wanted| &mut wanted.declared)));
    if let Some(state) = state {
        let of_state = state.resources.keys();
        of_state.for_each(|key| want(key, Some(|wanted| &mut wanted.recorded)));
        let intents = state
            .applying
            .iter()
            .flat_map(|applying| applying.intents.keys());
        intents.for_each(|key| want(key, None));
    }
    for (key, members) in members(declared, state) {
        let wanted = scopes.entry(key.scope().clone()).or_default();
        let known = wanted.members.entry(key.clone()).or_default();
        known.extend(members.iter().cloned());
    }
    for wanted in scopes.values_mut() {
        wanted.stack = Some(declared.stack.clone());
        wanted.namespaces.insert(declared.stack.prefix());
        wanted.every_dns_name = every_dns_name;
    }
    scopes
}

/// The members of bindings that are declared or recorded, or that a run began to add.
fn members<'a>(
    declared: &'a Declared,
    state: Option<&'a State>,
) -> impl Iterator<Item = (&'a ResourceKey, &'a BTreeSet<String>)> {
    const MEMBERS: FieldName = FieldName::known("members");
    let of_declared = declared.resources.iter().map(|(key, resource)| {
        let field = resource.fields.get(&MEMBERS);
        (key, field.map(|field| &field.value))
    });
    let stored = state.into_iter().flat_map(|state| &state.resources);
    let of_stored = stored.map(|(key, recorded)| (key, recorded.fields.get(&MEMBERS)));
    let begun = state.and_then(|state| state.applying.as_ref());
    let begun = begun.into_iter().flat_map(|applying| &applying.intents);
    let of_begun = begun.map(|(key, intent)| (key, intent.to.get(&MEMBERS)));
    of_declared
        .chain(of_stored)
        .chain(of_begun)
        .filter_map(|(key, value)| Some((key, value.and_then(Value::as_set)?)))
}

fn fresh_salt(random: &impl Random) -> Salt {
    let mut salt = [0_u8; 16];
    for half in salt.chunks_exact_mut(8) {
        half.copy_from_slice(&random.next_u64().to_be_bytes());
    }
    Salt(salt)
}
