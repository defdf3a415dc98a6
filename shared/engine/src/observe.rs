//! Observe: reads state, definitions and the live world of one stack. Changes nothing, decides
//! nothing; `decide.rs` goes on with what is found here.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::{join_all, join5};
use kedge_core::compare::OpenRun;
use kedge_core::hint::Hint;
use kedge_core::live::{LiveWorld, Wanted};
use kedge_core::model::{Declared, ResourceKey, Salt, Scope, Timestamp};
use kedge_core::ran_out::RanOut;
use kedge_core::report::InvalidBundle;
use kedge_core::stored::hold::{Holds, UnreadHolds};
use tracing::{Instrument as _, debug_span};

use crate::bundles::ReadBundle;
use crate::declared;
use crate::estimate;
use crate::group::{self, Seat, Share, Want};
use crate::job::{Job, Purpose, RunError};
use crate::lease::{self, FreeLease};
use crate::ownership;
use crate::ports::{Random, ReadPorts, Store};
use crate::progress::{Progress, telling};
use crate::providers;
use crate::session::{Context, Session};
use crate::state_store::{self, ReadState, ReadWatch, StateStoreError};
use crate::traces::TARGET;
use crate::wanted::wanted;

/// Everything that is known of a stack at one moment.
#[derive(Debug)]
pub(crate) struct Observation {
    pub(crate) declared: Arc<Declared>,
    /// What the store holds as declared, where it was read.
    pub(crate) stored: Option<ReadBundle>,
    /// Why that can't be used, if so: `declared` is an older revision then.
    pub(crate) invalid: Option<InvalidBundle>,
    /// The push that must come first, where what is declared here is not stored.
    pub(crate) push_first: Option<Hint>,
    /// When the stored definitions were pushed; none where local files count.
    pub(crate) pushed_at: Option<Timestamp>,
    pub(crate) recorded: ReadState,
    pub(crate) watch: ReadWatch,
    /// Record sets that another stack has, and how that is known.
    pub(crate) owned_by_others: BTreeMap<ResourceKey, String>,
    pub(crate) live: LiveWorld,
    pub(crate) read_at: Timestamp,
    pub(crate) session: Session,
    /// Holds as they were read beside state; none where only a report that is not clean needs them.
    pub(crate) holds_read: Option<Result<Holds, StateStoreError>>,
    /// The lease, where it was read and is free.
    pub(crate) free_lease: Option<FreeLease>,
    /// Holds that count for the report: those that ended too.
    pub(crate) holds: Holds,
    /// Why they could not be read, if so.
    pub(crate) holds_unread: Option<UnreadHolds>,
    /// The run whose changes have no known end, by state and the lease.
    pub(crate) open_run: Option<OpenRun>,
    /// The limit that kept a scope from being read, if one did.
    pub(crate) ran_out: Option<RanOut>,
}

/// Reads state, what checks remember and the definitions side by side; then the live world.
pub(crate) async fn observe<P: ReadPorts, S: Store>(
    ports: &P,
    store: &S,
    job: Job<'_>,
) -> Result<Observation, RunError> {
    let is_change = job.purpose == Purpose::Change;
    // What a run that changes something needs in any case is read beside the rest.
    let holds = async {
        match is_change {
            true => Some(state_store::read_holds(store, job.stack).await),
            false => None,
        }
    };
    let free_lease = async {
        match is_change {
            true => lease::free_lease(store, job.stack, job.settings.lease).await,
            false => None,
        }
    };
    let (recorded, watch, stored, holds_read, free_lease) = join5(
        state_store::read_state(store, job.stack)
            .instrument(debug_span!(target: TARGET, "read_state")),
        state_store::read_watch(store, job.stack),
        declared::read_for(store, job).instrument(debug_span!(target: TARGET, "read_definitions")),
        holds,
        free_lease,
    )
    .await;
    let (recorded, watch, stored) = (recorded?, watch?, stored?);
    let open_run = lease::open_run(store, recorded.state.as_ref(), ports.now()).await;
    let salt = match &recorded.state {
        Some(state) => state.salt.clone(),
        None => fresh_salt(ports),
    };
    let counting = declared::counting(store, job, stored, &salt).await?;
    let (state, declared) = (recorded.state.as_ref(), &counting.declared);
    let owned_by_others = match counting.bundle(job) {
        Some(bundle) => ownership::by_others(store, job.stack, bundle, declared, state).await,
        None => BTreeMap::new(),
    };
    let settings = job.settings;
    let session = Session::new(settings.endpoints.clone(), settings.budget, salt);
    let session = session.with_caches(settings.caches).counted_by(job.tally);
    let wanted = wanted(declared, state, job.every_dns_name);
    let (live, ran_out) = read_live(ports, job, &session, wanted).await;
    Ok(Observation {
        declared: counting.declared,
        stored: counting.stored,
        invalid: counting.invalid,
        push_first: counting.push_first,
        pushed_at: counting.pushed_at,
        recorded,
        watch,
        owned_by_others,
        live,
        read_at: ports.now(),
        session,
        holds_read,
        free_lease,
        holds: Holds::default(),
        holds_unread: None,
        open_run,
        ran_out,
    })
}

/// Reads side by side all scopes that fit into what is left of requests and time; and what the others
/// lack, if there are any. In a group it first waits for what the other stacks want.
async fn read_live<P: ReadPorts>(
    ports: &P,
    job: Job<'_>,
    session: &Session,
    wanted: BTreeMap<Scope, Wanted>,
) -> (LiveWorld, Option<RanOut>) {
    let (cx, progress) = (Context::new(ports, session), job.settings.progress);
    let wants = wanted.into_iter().map(|(scope, wanted)| {
        let reads = providers::reads(&scope, &wanted);
        (scope, Want { wanted, reads })
    });
    let shares = match job.seat {
        Some(seat) => seat.share(ports, &session.budget, wants.collect()).await,
        None => group::alone(&session.budget, wants.collect(), ports.monotonic_ms()),
    };
    let cx = cx.with_shared_reads(job.seat.and_then(Seat::shared_reads));
    let ran_out = shares
        .values()
        .find_map(|share| share.promised.as_ref().err().copied());
    let reads: Vec<_> = shares
        .iter()
        .map(|(scope, Share { wanted, promised })| async move {
            let promised = match promised {
                Ok(promised) => promised,
                Err(ran_out) => return estimate::unread(scope, *ran_out),
            };
            let cx = cx.with(&promised.own);
            let cx = cx.with_common(promised.common.as_deref());
            progress(Progress::Reading(scope));
            let provider = scope.provider().as_str();
            let span = debug_span!(target: TARGET, "read_live", %provider);
            let reading = providers::read_live(cx, scope, wanted)
                .instrument(span)
                .await;
            progress(Progress::HasRead(scope));
            reading
        })
        .collect();
    let readings = telling(progress, session, join_all(reads)).await;
    let scopes = shares.keys().cloned().zip(readings).collect();
    (LiveWorld { scopes }, ran_out)
}

/// A salt for a stack that has none yet.
pub(crate) fn fresh_salt(random: &impl Random) -> Salt {
    let mut salt = [0_u8; 16];
    for half in salt.chunks_exact_mut(8) {
        half.copy_from_slice(&random.next_u64().to_be_bytes());
    }
    Salt(salt)
}
