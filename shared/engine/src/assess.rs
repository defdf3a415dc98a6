//! Observes a stack and decides what to do, again if state changed meanwhile (semantics 3.4).
//!
//! State is read before the world, and once more before a result that is not calm is given out. Changes
//! nothing. Reading is in `observe.rs`, the pure stages in `decide.rs`.

use std::collections::BTreeSet;

use kedge_core::compare::OpenRun;
use kedge_core::plan::{GuardName, resolve_allowed};
use kedge_core::report::{Report, StackVerdict};
use kedge_core::stored::hold::UnreadHolds;
use tracing::{Instrument as _, debug_span};

use crate::consent::{Authorisation, Consent};
use crate::decide::{decide, unverified};
use crate::job::{Job, RunError, StopError};
use crate::lease::{self, LeaseHolder};
use crate::observe::{Observation, observe};
use crate::ports::{ReadPorts, Store};
use crate::state_command::StateCommand;
use crate::state_store::{self, StateStoreError};
use crate::traces::TARGET;

/// How often a stack is observed before giving up, because state changed meanwhile.
pub(crate) const OBSERVATIONS_MAX: usize = 3;

/// An observation, and what is to be done about it.
#[derive(Debug)]
pub(crate) struct Assessed {
    pub(crate) observed: Observation,
    pub(crate) report: Report,
    /// Why the given consent does not fit it, if so.
    pub(crate) refused: Option<StopError>,
}

impl Assessed {
    /// Whether nothing is to be done or reported, so that state need not be read a second time. A
    /// run under way is something to report.
    pub(crate) fn is_calm(&self) -> bool {
        self.report.verdict() == StackVerdict::Clean && self.report.open_run.is_none()
    }

    /// Whether state is still what it was made from (semantics 3.4). What a run under way did since
    /// with its own resources does not count: they are reported as being changed.
    pub(crate) async fn still_counts<S: Store>(
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

    /// The same, with nothing in it but that state changed, and who has the lease, if somebody else
    /// has.
    pub(crate) fn discarded(self, by: Option<&LeaseHolder>) -> Self {
        let who = by.map_or("the stack is being changed".to_owned(), ToString::to_string);
        let why = format!(
            "{who}; its state changed during each of {OBSERVATIONS_MAX} checks, so nothing could be \
             checked"
        );
        let report = unverified(&self.observed, why);
        Self { report, ..self }
    }
}

/// Observes until what was seen counts, at most [`OBSERVATIONS_MAX`] times: state did not change
/// meanwhile, or `is_enough` says that this does not matter. What never counted is discarded.
pub(crate) async fn verified<P: ReadPorts, S: Store>(
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
    let by = lease::lease_holder_of(store, job.stack, job.settings.lease).await;
    let by = by.ok().flatten().filter(|held| !held.has_ended());
    Ok(assessed.discarded(by.as_ref()))
}

/// The guards that are overridden.
pub(crate) fn overrides_of(authorisation: &Authorisation) -> BTreeSet<GuardName> {
    match authorisation {
        Authorisation::Unattended | Authorisation::Command(_) => BTreeSet::new(),
        Authorisation::Person(consent) => consent.guards.clone(),
    }
}

/// Observes, compares and decides by the given authority, once.
pub(crate) async fn assess_again<P: ReadPorts, S: Store>(
    ports: &P,
    store: &S,
    job: Job<'_>,
    authorisation: &Authorisation,
) -> Result<Assessed, RunError> {
    let overrides = overrides_of(authorisation);
    Box::pin(assess(ports, store, job, authorisation, &overrides)).await
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
    let is_named = consent.has_name_of(&report.declared.stack);
    if report.plan.policy.protected && !consent.guards.is_empty() && !is_named {
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

/// Observes, compares, plans and decides. Holds are read where they matter: if something is to be
/// done, or if checks know of a hold.
pub(crate) async fn assess<P: ReadPorts, S: Store>(
    ports: &P,
    store: &S,
    job: Job<'_>,
    authorisation: &Authorisation,
    overrides: &BTreeSet<GuardName>,
) -> Result<Assessed, RunError> {
    let observing = observe(ports, store, job);
    let observing = observing.instrument(debug_span!(target: TARGET, "observe"));
    let mut observed = observing.await?;
    let assessed = |observed: Observation, report: Report| Assessed {
        refused: refusal(authorisation, &report),
        observed,
        report,
    };
    let report = decide(ports.now(), &observed, authorisation, overrides)?;
    let is_clean = report.verdict() == StackVerdict::Clean && report.plan.changes.is_empty();
    // Checks that were forgotten may have known of a hold.
    let knows_no_hold = observed.watch.watch.holds.is_empty() && observed.watch.fault.is_none();
    if is_clean && knows_no_hold {
        return Ok(assessed(observed, report));
    }
    let holds = match observed.holds_read.take() {
        Some(read) => read,
        None => state_store::read_holds(store, job.stack).await,
    };
    match holds {
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
