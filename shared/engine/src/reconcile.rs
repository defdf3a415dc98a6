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

use crate::decide::{decide, unverified};
use crate::execute;
pub use crate::job::{Authorisation, Consent, Job, Progress, RunError, StopError, Stopped};
use crate::lease::{self, Holder, Lease, LeaseHolder};
use crate::leased_run::{LeasedRun, RunEnd, RunStart};
use crate::ownership;
use crate::ports::{Random, ReadPorts, Store, WritePorts};
use crate::providers;
use crate::registry;
use crate::remember::{Confirms, remember};
use crate::retry::telling;
use crate::session::{Context, Session};
use crate::state_command::StateCommand;
use crate::state_store::{self, ReadState, ReadWatch, StateStoreError};

/// How often a look is begun again because the state moved under it.
pub(crate) const OBSERVATIONS_MAX: usize = 3;

/// Everything one look at a stack brought together.
#[derive(Debug)]
pub(crate) struct Observation {
    pub(crate) declared: Arc<Declared>,
    pub(crate) recorded: ReadState,
    pub(crate) watch: ReadWatch,
    /// Record sets that another stack has, and how that is known.
    pub(crate) owned_by_others: BTreeMap<ResourceKey, String>,
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
pub(crate) struct Assessed {
    pub(crate) observed: Observation,
    pub(crate) report: Report,
    /// Why the consent that was given does not fit it, if so.
    pub(crate) refused: Option<StopError>,
}

impl Assessed {
    /// Whether it says that all is well, so that nobody acts on it: then it needs no second look at
    /// state. What a run is changing does.
    fn is_calm(&self) -> bool {
        self.report.verdict() == StackVerdict::Clean && self.report.open_run.is_none()
    }

    /// Whether state still says what it was made from (semantics 3.4). What a run under way has done
    /// since with its own resources changes nothing of that: they are said to be under change.
    async fn still_counts<S: Store>(
        &self,
        store: &S,
        job: Job<'_>,
    ) -> Result<bool, StateStoreError> {
        let before = &self.observed.recorded;
        let now = state_store::read_state(store, job.stack).await?;
        let is_working = self
            .observed
            .open_run
            .as_ref()
            .is_some_and(OpenRun::is_working);
        let is_its = is_working && now.state.is_some() && now.epoch() == before.epoch();
        Ok(now.etag == before.etag || is_its)
    }

    /// The same, with nothing said of it but that state moved, and who has the lease, where it is
    /// another.
    pub(crate) fn discarded(self, by: Option<&LeaseHolder>) -> Self {
        let who = by.map_or("the stack is being changed".to_owned(), ToString::to_string);
        let why = format!(
            "{who}; state changed during each of {OBSERVATIONS_MAX} checks, so nothing could be checked: \
             run the command again in a moment"
        );
        let report = unverified(&self.observed, why);
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
    let assessed = verified(ports, store, job, tick, overrides, Assessed::is_calm).await?;
    let Assessed {
        observed, report, ..
    } = assessed;
    if job.remember && report.unverified.is_none() {
        let state = observed.recorded.state.as_ref();
        remember(store, job, observed.watch, &report, Confirms::By(state)).await;
    }
    Ok(report)
}

/// Looks until what was seen counts, at most [`OBSERVATIONS_MAX`] times: state did not move under it, or
/// `is_enough` says that this does not matter. What never counted is discarded.
async fn verified<P: ReadPorts, S: Store>(
    ports: &P,
    store: &S,
    job: Job<'_>,
    authorisation: &Authorisation,
    overrides: &BTreeSet<GuardName>,
    is_enough: impl Fn(&Assessed) -> bool,
) -> Result<Assessed, RunError> {
    // On the heap: a look is large, and runs stand on small stacks.
    let assessed_once = || Box::pin(assess(ports, store, job, authorisation, overrides));
    let mut assessed = assessed_once().await?;
    for round in 1.. {
        if is_enough(&assessed) || assessed.still_counts(store, job).await? {
            return Ok(assessed);
        }
        if round == OBSERVATIONS_MAX {
            break;
        }
        assessed = assessed_once().await?;
    }
    let by = lease::lease_holder_of(store, job.stack, job.lease).await;
    let by = by.ok().flatten().filter(|held| !held.has_ended());
    Ok(assessed.discarded(by.as_ref()))
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
    let has_work = |assessed: &Assessed| {
        let run = assessed.observed.open_run.as_ref();
        assessed.refused.is_none()
            // Beside a run that works nothing can be done, and that is to be said.
            && (run.is_some_and(OpenRun::is_working)
                || execute::has_work(&assessed.observed.recorded, &assessed.report, is_unattended))
    };
    let is_enough = |assessed: &Assessed| assessed.is_calm() || has_work(assessed);
    let overrides = overrides_of(authorisation);
    let mut assessed = verified(ports, store, job, authorisation, &overrides, is_enough).await?;
    let began = ports.now();
    let run = RunStart {
        id: format!("{}-{:08x}", began.0, ports.next_u64() >> 32),
        at_ms: began.0,
    };
    let mut ended = match assessed.refused.take() {
        None if has_work(&assessed) => {
            Box::pin(under_lease(
                ports,
                store,
                job,
                authorisation,
                assessed,
                &run,
            ))
            .await?
        }
        refused => RunEnd::of(assessed, &run, refused),
    };
    if ended.is_verified {
        let is_asked = matches!(authorisation, Authorisation::Command(_));
        let seen = match &ended.state {
            // An `up` that changes nothing sees what a check sees.
            Some(state) if !is_asked => Confirms::By(Some(state)),
            _ => Confirms::And(&ended.changed.results),
        };
        remember(store, job, ended.watch, &ended.report, seen).await;
    }
    if let (None, Authorisation::Command(StateCommand::Retire { .. })) =
        (&ended.stopped, authorisation)
    {
        let retired = registry::retire(store, job.stack).await;
        ended.stopped = retired.err().map(StopError::from);
    }
    let RunEnd {
        report,
        mut changed,
        stopped,
        ..
    } = ended;
    let Some(source) = stopped else {
        return Ok((report, changed));
    };
    changed.stopped = Some(execute::error_chain(&source));
    let stopped = Box::new(Stopped { report, changed });
    Err(RunError::Stopped { stopped, source })
}

/// Takes the lease, does what is to be done, and gives it back.
async fn under_lease<P: WritePorts, S: Store>(
    ports: &P,
    store: &S,
    job: Job<'_>,
    authorisation: &Authorisation,
    assessed: Assessed,
    run: &RunStart,
) -> Result<RunEnd, RunError> {
    let holder = Holder {
        actor: job.actor.to_owned(),
        run: run.id.clone(),
    };
    let epoch = assessed.observed.recorded.epoch();
    let lease = match Lease::take(ports, store, job.stack, &holder, job.lease, epoch).await {
        Ok(lease) => lease,
        Err(error) => {
            // Who has it may have changed what was seen.
            let counts = assessed.still_counts(store, job).await;
            let assessed = match counts {
                Ok(false) => {
                    let overrides = overrides_of(authorisation);
                    verified(
                        ports,
                        store,
                        job,
                        authorisation,
                        &overrides,
                        Assessed::is_calm,
                    )
                    .await?
                }
                _ => assessed,
            };
            let mut ended = RunEnd::of(assessed, run, Some(error.into()));
            ended.is_verified &= counts.is_ok();
            return Ok(ended);
        }
    };
    let held = LeasedRun {
        ports,
        store,
        lease: &lease,
        job,
        authorisation,
        run,
    };
    let ended = lease.keep(held.change(assessed)).await;
    if let Err(error) = lease.release().await {
        (job.progress)(Progress::NotReleased(&error));
    }
    Ok(ended)
}

/// The guards that are overridden.
fn overrides_of(authorisation: &Authorisation) -> BTreeSet<GuardName> {
    match authorisation {
        Authorisation::Unattended | Authorisation::Command(_) => BTreeSet::new(),
        Authorisation::Person(consent) => consent.overrides.clone(),
    }
}

/// Looks, compares and decides by the given authority, once.
pub(crate) async fn assess_again<P: ReadPorts, S: Store>(
    ports: &P,
    store: &S,
    job: Job<'_>,
    authorisation: &Authorisation,
) -> Result<Assessed, RunError> {
    let overrides = overrides_of(authorisation);
    Box::pin(assess(ports, store, job, authorisation, &overrides)).await
}

/// Looks at what a request comes to, and changes nothing.
///
/// # Errors
/// As [`check`], and where the request makes no sense.
pub async fn dry_run<P: ReadPorts, S: Store>(
    ports: &P,
    store: &S,
    job: Job<'_>,
    request: &StateCommand,
) -> Result<Report, RunError> {
    let by = Authorisation::Command(request.clone());
    let assessed = assess(ports, store, job, &by, &BTreeSet::new()).await?;
    Ok(assessed.report)
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
    let recorded = state_store::read_state(store, job.stack).await?;
    let salt = recorded.state.as_ref().map(|state| state.salt.clone());
    let declared = parsed(job, &salt.unwrap_or_else(|| fresh_salt(ports)))?;
    let recorded = recorded
        .state
        .iter()
        .flat_map(|state| state.resources.keys());
    let keys = declared.resources.keys().chain(recorded);
    recording::resolve(names, keys, recording::UNKNOWN_NAME).map_err(RunError::Name)
}

/// Why what was agreed to is not what would be done, if so.
fn refusal(authorisation: &Authorisation, report: &Report) -> Option<StopError> {
    match authorisation {
        Authorisation::Person(consent) => refusal_of(consent, report),
        Authorisation::Command(StateCommand::Retire {
            expected_digest: Some(agreed),
        }) if *agreed != report.plan.digest => Some(StopError::PlanMoved {
            agreed: agreed.clone(),
            now: report.plan.digest.clone(),
            moved: Vec::new(),
        }),
        Authorisation::Unattended | Authorisation::Command(_) => None,
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
                .expected
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
async fn assess<P: ReadPorts, S: Store>(
    ports: &P,
    store: &S,
    job: Job<'_>,
    authorisation: &Authorisation,
    overrides: &BTreeSet<GuardName>,
) -> Result<Assessed, RunError> {
    let mut observed = observe(ports, store, job).await?;
    let assessed = |observed: Observation, report: Report| Assessed {
        refused: refusal(authorisation, &report),
        observed,
        report,
    };
    let report = decide(ports.now(), &observed, authorisation, overrides)?;
    let is_clean = report.verdict() == StackVerdict::Clean && report.plan.changes.is_empty();
    if is_clean && observed.watch.watch.holds.is_empty() {
        return Ok(assessed(observed, report));
    }
    match state_store::read_holds(store, job.stack).await {
        Ok(holds) if holds.list().is_empty() => return Ok(assessed(observed, report)),
        Ok(holds) => observed.holds = holds,
        // Looking goes on; nothing is changed.
        Err(StateStoreError::Stored { source, .. }) => {
            observed.holds_unread = Some(UnreadHolds::of(&source));
        }
        Err(error) => return Err(error.into()),
    }
    let report = decide(ports.now(), &observed, authorisation, overrides)?;
    Ok(assessed(observed, report))
}

/// Reads state, then definitions with its salt, then the live world.
async fn observe<P: ReadPorts, S: Store>(
    ports: &P,
    store: &S,
    job: Job<'_>,
) -> Result<Observation, RunError> {
    let (recorded, watch) = futures_util::future::join(
        state_store::read_state(store, job.stack),
        state_store::read_watch(store, job.stack),
    )
    .await;
    let (recorded, watch) = (recorded?, watch?);
    let open_run = lease::open_run(store, recorded.state.as_ref(), ports.now()).await;
    let salt = match &recorded.state {
        Some(state) => state.salt.clone(),
        None => fresh_salt(ports),
    };
    let declared = parsed(job, &salt)?;
    let owned_by_others =
        ownership::by_others(store, job, &declared, recorded.state.as_ref()).await;
    let session = Session::new(job.endpoints.clone(), job.deadline, salt);
    let cx = Context {
        ports,
        session: &session,
    };
    let wanted = wanted(&declared, recorded.state.as_ref(), job.every_dns_name);
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
    Ok(Observation {
        declared: Arc::new(declared),
        recorded,
        watch,
        owned_by_others,
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
    let (bundle, stack, overrides) = (job.bundle, job.stack, job.overrides);
    definitions::parse(&ParseInput {
        bundle,
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
