//! The one flow: definitions → declared → (recorded, live) → differences → plan → apply → state.
//!
//! Looking and planning need no lease. `up` takes it when it has something to write (see
//! [`crate::lease`]), makes sure that what it saw still counts, and gives it back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kedge_core::definitions::{self, ParseInput};
use kedge_core::live::{LiveWorld, Wanted};
use kedge_core::model::{Declared, FieldName, ResourceKey, Salt, Scope, Timestamp, Value};
use kedge_core::open_run::OpenRun;
use kedge_core::plan::{GuardName, resolve_allowed};
use kedge_core::recording;
use kedge_core::report::{Changed, Report, StackVerdict};
use kedge_core::state::State;
use kedge_core::stored::hold::{Holds, UnreadHolds};

use crate::apply;
use crate::held::{Ended, Held, Run};
pub use crate::job::{Authorisation, Consent, Job, Progress, RunError, StopError, Stopped};
use crate::judge::{judge, unverified};
use crate::lease::{self, HeldBy, Holder, Lease};
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
    /// The run whose changes have no known end, by state and the lease.
    pub(crate) open_run: Option<OpenRun>,
}

/// A look, and what is to be done about it.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) look: Look,
    pub(crate) report: Report,
    /// Why the consent that was given does not fit it, if so.
    pub(crate) refused: Option<StopError>,
}

impl Judged {
    /// Whether it says that all is well, so that nobody acts on it: then it needs no second look at
    /// state. What a run is changing does.
    fn is_calm(&self) -> bool {
        self.report.verdict() == StackVerdict::Clean && self.report.open_run.is_none()
    }

    /// Whether state still says what it was made from (semantics 3.4). What a run under way has done
    /// since with its own resources changes nothing of that: they are said to be under change.
    async fn still_counts<S: Store>(&self, store: &S, job: Job<'_>) -> Result<bool, MemoryError> {
        let before = &self.look.memory;
        let now = memory::read_state(store, job.stack).await?;
        let is_working = self.look.open_run.as_ref().is_some_and(OpenRun::is_working);
        let is_its = is_working && now.state.is_some() && now.epoch() == before.epoch();
        Ok(now.etag == before.etag || is_its)
    }

    /// The same, with nothing told of it but that state moved, and who has the lease, where it is
    /// another.
    pub(crate) fn discarded(self, by: Option<&HeldBy>) -> Self {
        let who = by.map_or("the stack is being changed".to_owned(), ToString::to_string);
        let why = format!(
            "{who}; state changed during each of {LOOKS_MAX} checks, so nothing could be checked: \
             run the command again in a moment"
        );
        let report = unverified(&self.look, why);
        Self { report, ..self }
    }
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
    let judged = verified(ports, store, job, tick, overrides, Judged::is_calm).await?;
    let Judged { look, report, .. } = judged;
    if job.remember && report.unverified.is_none() {
        let state = look.memory.state.as_ref();
        remember(store, job, look.watch, &report, Seen::By(state)).await;
    }
    Ok(report)
}

/// Looks until what was seen counts, at most [`LOOKS_MAX`] times: state did not move under it, or
/// `is_enough` says that this does not matter. What never counted is discarded.
async fn verified<P: ReadPorts, S: Store>(
    ports: &P,
    store: &S,
    job: Job<'_>,
    authorisation: &Authorisation,
    overrides: &BTreeSet<GuardName>,
    is_enough: impl Fn(&Judged) -> bool,
) -> Result<Judged, RunError> {
    // On the heap: a look is large, and runs stand on small stacks.
    let looked = || Box::pin(see(ports, store, job, authorisation, overrides));
    let mut judged = looked().await?;
    for look in 1.. {
        if is_enough(&judged) || judged.still_counts(store, job).await? {
            return Ok(judged);
        }
        if look == LOOKS_MAX {
            break;
        }
        judged = looked().await?;
    }
    let by = lease::holder_of(store, job.stack, job.lease).await;
    let by = by.ok().flatten().filter(|held| !held.has_ended());
    Ok(judged.discarded(by.as_ref()))
}

/// Looks at a stack, decides by the given authority, and carries out what may be done.
///
/// # Errors
/// When the definitions or the state can't be used. What stopped it after it had looked comes with
/// what was seen and done ([`RunError::Stopped`]). A provider's refusal is no error: it is an outcome
/// in what was changed.
pub async fn up<P: WritePorts, S: Store>(
    ports: &P,
    store: &S,
    job: Job<'_>,
    authorisation: &Authorisation,
) -> Result<(Report, Changed), RunError> {
    let is_unattended = matches!(authorisation, Authorisation::Unattended);
    let has_work = |judged: &Judged| {
        let run = judged.look.open_run.as_ref();
        judged.refused.is_none()
            // Beside a run that works nothing can be done, and that is to be said.
            && (run.is_some_and(OpenRun::is_working)
                || apply::has_work(&judged.look.memory, &judged.report, is_unattended))
    };
    let is_enough = |judged: &Judged| judged.is_calm() || has_work(judged);
    let overrides = overrides_of(authorisation);
    let mut judged = verified(ports, store, job, authorisation, &overrides, is_enough).await?;
    let began = ports.now();
    let run = Run {
        id: format!("{}-{:08x}", began.0, ports.next_u64() >> 32),
        at_ms: began.0,
    };
    let mut ended = match judged.refused.take() {
        None if has_work(&judged) => {
            Box::pin(under_lease(ports, store, job, authorisation, judged, &run)).await?
        }
        refused => Ended::of(judged, &run, refused),
    };
    if ended.is_verified {
        let is_asked = matches!(authorisation, Authorisation::Asked(_));
        let seen = match &ended.state {
            // An `up` that changes nothing sees what a check sees.
            Some(state) if !is_asked => Seen::By(Some(state)),
            _ => Seen::And(&ended.changed.carried),
        };
        remember(store, job, ended.watch, &ended.report, seen).await;
    }
    if let (None, Authorisation::Asked(Request::Retire { .. })) = (&ended.stopped, authorisation) {
        let retired = registry::retire(store, job.stack).await;
        ended.stopped = retired.err().map(StopError::from);
    }
    let Ended {
        report,
        mut changed,
        stopped,
        ..
    } = ended;
    let Some(source) = stopped else {
        return Ok((report, changed));
    };
    changed.stopped = Some(apply::told(&source));
    let stopped = Box::new(Stopped { report, changed });
    Err(RunError::Stopped { stopped, source })
}

/// Takes the lease, does what is to be done, and gives it back.
async fn under_lease<P: WritePorts, S: Store>(
    ports: &P,
    store: &S,
    job: Job<'_>,
    authorisation: &Authorisation,
    judged: Judged,
    run: &Run,
) -> Result<Ended, RunError> {
    let holder = Holder {
        actor: job.actor.to_owned(),
        run: run.id.clone(),
    };
    let epoch = judged.look.memory.epoch();
    let lease = match Lease::take(ports, store, job.stack, &holder, job.lease, epoch).await {
        Ok(lease) => lease,
        Err(error) => {
            // Who has it may have changed what was seen.
            let counts = judged.still_counts(store, job).await;
            let judged = match counts {
                Ok(false) => {
                    let overrides = overrides_of(authorisation);
                    verified(
                        ports,
                        store,
                        job,
                        authorisation,
                        &overrides,
                        Judged::is_calm,
                    )
                    .await?
                }
                _ => judged,
            };
            let mut ended = Ended::of(judged, run, Some(error.into()));
            ended.is_verified &= counts.is_ok();
            return Ok(ended);
        }
    };
    let held = Held {
        ports,
        store,
        lease: &lease,
        job,
        authorisation,
        run,
    };
    let ended = lease.keep(held.change(judged)).await;
    if let Err(error) = lease.release().await {
        (job.progress)(Progress::NotReleased(&error));
    }
    Ok(ended)
}

/// The guards that are overridden.
fn overrides_of(authorisation: &Authorisation) -> BTreeSet<GuardName> {
    match authorisation {
        Authorisation::Unattended | Authorisation::Asked(_) => BTreeSet::new(),
        Authorisation::Person(consent) => consent.overrides.clone(),
    }
}

/// Looks, compares and decides by the given authority, once.
pub(crate) async fn judged<P: ReadPorts, S: Store>(
    ports: &P,
    store: &S,
    job: Job<'_>,
    authorisation: &Authorisation,
) -> Result<Judged, RunError> {
    let overrides = overrides_of(authorisation);
    Box::pin(see(ports, store, job, authorisation, &overrides)).await
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

/// Why what was agreed to is not what would be done, if so.
fn refusal(authorisation: &Authorisation, report: &Report) -> Option<StopError> {
    match authorisation {
        Authorisation::Person(consent) => refusal_of(consent, report),
        Authorisation::Asked(Request::Retire { seen: Some(agreed) })
            if *agreed != report.plan.digest =>
        {
            Some(StopError::PlanMoved {
                agreed: agreed.clone(),
                now: report.plan.digest.clone(),
                moved: Vec::new(),
            })
        }
        Authorisation::Unattended | Authorisation::Asked(_) => None,
    }
}

fn refusal_of(consent: &Consent, report: &Report) -> Option<StopError> {
    if let Err(why) = resolve_allowed(&report.plan, &consent.allow) {
        return Some(StopError::Allow(why));
    }
    let now = report.plan.digest.clone();
    let stack = || report.declared.stack.clone();
    if report.plan.policy.protected && !consent.overrides.is_empty() && !consent.name_typed {
        return Some(StopError::OverrideNeedsName { stack: stack() });
    }
    match &consent.digest {
        None if report.plan.policy.protected && !report.plan.changes.is_empty() => {
            let stack = stack();
            Some(StopError::NeedsDigest { stack, now })
        }
        Some(agreed) if *agreed != now => {
            let moved = consent
                .seen
                .as_ref()
                .map(|seen| report.plan.summary.moved_since(seen));
            let (agreed, moved) = (agreed.clone(), moved.unwrap_or_default());
            Some(StopError::PlanMoved { agreed, now, moved })
        }
        _ => None,
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
    let judged = |look: Look, report: Report| Judged {
        refused: refusal(authorisation, &report),
        look,
        report,
    };
    let report = judge(ports.now(), &look, authorisation, overrides)?;
    let is_clean = report.verdict() == StackVerdict::Clean && report.plan.changes.is_empty();
    if is_clean && look.watch.watch.holds.is_empty() {
        return Ok(judged(look, report));
    }
    match memory::read_holds(store, job.stack).await {
        Ok(holds) if holds.list().is_empty() => return Ok(judged(look, report)),
        Ok(holds) => look.holds = holds,
        // Looking goes on; nothing is changed.
        Err(MemoryError::Stored { source, .. }) => {
            look.holds_unread = Some(UnreadHolds::of(&source));
        }
        Err(error) => return Err(error.into()),
    }
    let report = judge(ports.now(), &look, authorisation, overrides)?;
    Ok(judged(look, report))
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
    let open_run = lease::open_run(store, memory.state.as_ref(), ports.now()).await;
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
        open_run,
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
