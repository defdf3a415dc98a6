//! The one flow: observe, compare, plan, authorise, execute. `execute/` makes the changes.
//!
//! Observing and planning need no lease. `apply` takes it when there is something to write
//! ([`crate::lease`]), makes sure that what it saw still counts (`leased_run.rs`), and releases it.

use std::collections::BTreeSet;

use futures_util::future::join;
use kedge_core::compare::OpenRun;
use kedge_core::model::ResourceKey;
use kedge_core::plan::GuardName;
use kedge_core::record;
use kedge_core::report::{Changed, Report};

use crate::assess::{Assessed, assess, overrides_of, verified};
use crate::consent::Authorisation;
use crate::declared;
use crate::error_chain::error_chain;
use crate::execute;
use crate::job::{Job, RunError, StopError, Stopped};
use crate::lease::{Holder, Lease, WantedLease};
use crate::leased_run::{LeasedRun, RunEnd, RunStart, moved_meanwhile};
use crate::observe::fresh_salt;
use crate::outcome::{Checked, Ran};
use crate::ports::{Clock, Random, ReadPorts, Store, WritePorts};
use crate::progress::Progress;
use crate::registry;
use crate::remember::{Confirms, remember};
use crate::settings::Settings;
use crate::state_command::StateCommand;
use crate::state_store::{self, Kept};

/// Observes a stack, and says what differs and what automation would do about it. Changes nothing
/// but what checks remember.
pub(crate) async fn check<P: ReadPorts, S: Store>(
    ports: &P,
    store: &S,
    job: Job<'_>,
    guards: &BTreeSet<GuardName>,
) -> Result<Checked, RunError> {
    let by = &Authorisation::Unattended;
    let assessed = verified(ports, store, job, by, guards, Assessed::is_calm).await?;
    let Assessed {
        observed, report, ..
    } = assessed;
    let has_work =
        report.unverified.is_none() && execute::has_work(&observed.recorded, &report, true);
    let kept = if job.settings.read_only || report.unverified.is_some() {
        Kept::NotKept
    } else {
        let state = observed.recorded.state.as_ref();
        let (seen, verdict) = (Confirms::By(state), Some(report.verdict()));
        remember(store, job, observed.watch, &report, seen, verdict).await
    };
    Ok(Checked {
        report,
        kept,
        has_work,
    })
}

/// Observes a stack, decides by the given authority, and carries out what may be done. If it stops
/// after that, the error has what was seen and done ([`RunError::Stopped`]).
pub(crate) async fn apply<P: WritePorts, S: Store>(
    ports: &P,
    store: &S,
    job: Job<'_>,
    authorisation: &Authorisation,
) -> Result<Ran, RunError> {
    check_retiring(store, job, authorisation).await?;
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
        id: run_id(ports, job.settings),
        at_ms: began.0,
    };
    let budget = job.settings.budget;
    let unfit = execute::nothing_fits(budget, ports.monotonic_ms(), &assessed.report, &run.id);
    let mut ended = match assessed.refused.take() {
        None if unfit.is_some() => RunEnd {
            changed: unfit.unwrap_or_default(),
            ..RunEnd::of(assessed, &run, None)
        },
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
    let is_command = matches!(authorisation, Authorisation::Command(_));
    let seen = match &ended.state {
        // An `up` that changes nothing sees what a check sees.
        Some(state) if !is_command => Confirms::By(Some(state)),
        _ => Confirms::And(&ended.changed.results),
    };
    // What a command about state compares is not what a check does.
    let verdict = (!is_command).then(|| ended.report.verdict_after(&ended.changed));
    let remembering = async {
        match ended.is_verified {
            true => remember(store, job, ended.watch, &ended.report, seen, verdict).await,
            false => Kept::NotKept,
        }
    };
    let after = ended.after.as_ref();
    let (kept, meanwhile) = join(remembering, moved_meanwhile(store, job, after)).await;
    ended.changed.run_again = meanwhile;
    if let (None, Authorisation::Command(StateCommand::Retire { .. })) =
        (&ended.stopped, authorisation)
    {
        let retired = registry::retire(store, job.stack).await;
        ended.stopped = retired.err().map(StopError::from);
    }
    finished(ended.report, ended.changed, ended.stopped, kept)
}

/// Refuses to retire a stack where the registry could not be written in the end.
async fn check_retiring<S: Store>(
    store: &S,
    job: Job<'_>,
    authorisation: &Authorisation,
) -> Result<(), RunError> {
    let Authorisation::Command(StateCommand::Retire { .. }) = authorisation else {
        return Ok(());
    };
    let checked = registry::check_retiring(store).await;
    checked.map_err(|source| RunError::Retire {
        stack: job.stack.clone(),
        source,
    })
}

/// A run that went to its end, or why it stopped, with what it had seen and done.
fn finished(
    report: Report,
    mut changed: Changed,
    stopped: Option<StopError>,
    kept: Kept,
) -> Result<Ran, RunError> {
    let Some(source) = stopped else {
        return Ok(Ran {
            report,
            changed,
            kept,
        });
    };
    changed.stopped = Some(error_chain(&source));
    let stopped = Box::new(Stopped { report, changed });
    Err(RunError::Stopped { stopped, source })
}

/// Takes the lease, makes the changes, and releases it.
async fn under_lease<P: WritePorts, S: Store>(
    ports: &P,
    store: &S,
    job: Job<'_>,
    authorisation: &Authorisation,
    mut assessed: Assessed,
    run: &RunStart,
) -> Result<RunEnd, RunError> {
    let holder = Holder {
        actor: job.settings.actor.to_owned(),
        run: run.id.clone(),
    };
    let wanted = WantedLease {
        stack: job.stack,
        holder: &holder,
        times: job.settings.lease,
        epoch_floor: assessed.observed.recorded.epoch(),
        known: assessed.observed.free_lease.take(),
        until_ms: job.settings.budget.last_request_ms(),
    };
    let lease = match Lease::take(ports, store, wanted).await {
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
    let ended = {
        let _kept_for_renewals = job.settings.budget.reserve_connection();
        lease.keep(held.change(assessed)).await
    };
    if let Err(error) = lease.release().await {
        (job.settings.progress)(Progress::NotReleased(&error));
    }
    Ok(ended)
}

/// Shows what a command about state would do. Changes nothing.
pub(crate) async fn dry_run<P: ReadPorts, S: Store>(
    ports: &P,
    store: &S,
    job: Job<'_>,
    command: &StateCommand,
) -> Result<Checked, RunError> {
    let by = Authorisation::Command(command.clone());
    check_retiring(store, job, &by).await?;
    let assessed = assess(ports, store, job, &by, &BTreeSet::new()).await?;
    Ok(Checked {
        report: assessed.report,
        kept: Kept::NotKept,
        has_work: false,
    })
}

/// Finds the resources that a person named among those that are declared or recorded. Asks no
/// provider.
pub(crate) async fn resolve_keys<P: Random, S: Store>(
    ports: &P,
    store: &S,
    job: Job<'_>,
    names: &[String],
) -> Result<BTreeSet<ResourceKey>, RunError> {
    let (recorded, stored) = futures_util::future::join(
        state_store::read_state(store, job.stack),
        declared::read_for(store, job),
    )
    .await;
    let (recorded, stored) = (recorded?, stored?);
    let salt = recorded.state.as_ref().map(|state| state.salt.clone());
    let salt = salt.unwrap_or_else(|| fresh_salt(ports));
    let declared = declared::counting(store, job, stored, &salt)
        .await?
        .declared;
    let recorded = recorded
        .state
        .iter()
        .flat_map(|state| state.resources.keys());
    let keys = declared.resources.keys().chain(recorded);
    record::resolve(names, keys, record::UNKNOWN_NAME).map_err(RunError::Name)
}

/// The id that a run was promised, or a new one.
pub(crate) fn run_id(ports: &(impl Clock + Random), settings: &Settings<'_>) -> String {
    settings.run.map_or_else(|| fresh_id(ports), str::to_owned)
}

/// An id that sorts by time and that nobody else has.
pub(crate) fn fresh_id(ports: &(impl Clock + Random)) -> String {
    format!("{}-{:08x}", ports.now().0, ports.next_u64() >> 32)
}
