//! What a schedule has to do, read from the store: the registry, and what the last tick left.
//!
//! A tick reads two objects, however many stacks there are. It sends the work, and then writes
//! `schedule.json`: a tick that is cut off between the two sends the same again. Beside that it finds out which
//! stacks are late, for whoever asks how automation does: each costs a read about once in the time after which
//! it would be late.

use std::collections::BTreeMap;
use std::pin::pin;

use bytes::Bytes;
use futures_util::future::join;
use futures_util::stream::{self, StreamExt as _};
use kedge_core::model::{CheckEvery, StackName, StackVerdict, Timestamp};
use kedge_core::providers::ProviderName;
use kedge_core::schedule::{due, known_checks, learnt, to_learn};
use kedge_core::state::Watch;
use kedge_core::stored::index::{Entry, Index};
use kedge_core::stored::schedule::{KnownCheck, Schedule};
use kedge_core::stored::{EncodeError, StoredError};
use thiserror::Error;

use crate::estimate::{Estimate, groups};
use crate::keys::{Keys, SCHEDULE};
use crate::ports::{Condition, ETag, PutOutcome, Store, StoreError};
use crate::registry::{self, Made, ReadIndex, RegistryError};

/// About how many stacks a tick asks at most when they were checked last; the others come later.
const LEARN_MAX: usize = 1_000;
/// The part of a limited number of requests that a tick has for that.
const LEARN_SHARE: u64 = 4;

/// A schedule could not say what is to be done.
#[derive(Debug, Error)]
pub enum ScheduleError {
    /// The store failed.
    #[error("the store could not be read or written")]
    Store(#[from] StoreError),
    /// The registry can't be used.
    #[error("the registry of stacks (stacks/index.json) can't be used")]
    Registry(#[from] RegistryError),
    /// A newer program wrote what the last tick left.
    #[error("what the schedule did last can't be read")]
    Stored(#[from] StoredError),
    /// It could not be read back, and is not written.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

/// Stacks that are checked together, and what that takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueGroup {
    /// The stacks.
    pub stacks: Vec<StackName>,
    /// How many requests it takes.
    pub estimate: Estimate,
}

/// What is due now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueWork {
    /// Stacks with a revision that the last tick did not see, each with it: to apply.
    pub applies: Vec<(StackName, String)>,
    /// Stacks to check, in groups that share scopes.
    pub groups: Vec<DueGroup>,
    /// All stacks in use.
    pub stacks: Vec<StackName>,
    /// When the last tick was, if it is known.
    pub ticked_at: Option<Timestamp>,
    /// Until when the accounts of providers are booked with checks. Whoever books more says so here.
    pub booked_until: BTreeMap<ProviderName, Timestamp>,
    next: Schedule,
    etag: Option<ETag>,
    /// The stacks to ask when they were checked last.
    to_learn: Vec<(StackName, CheckEvery)>,
}

/// What the last tick left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastTick {
    /// When it was.
    pub at: Timestamp,
    /// How many stacks were in use.
    pub stacks: u64,
    /// How many of them were looked at too long ago by now, as far as ticks know.
    pub late_stacks: u64,
}

/// Which stacks count as due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Those whose turn it is.
    Due,
    /// All, as if there had been no tick before: what a process does that may have lost its queue.
    All,
}

/// How a stack stood when it was looked at last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The stack.
    pub stack: StackName,
    /// What the registry says of it.
    pub entry: Entry,
    /// When it was looked at last, and how it stood then; none: never, or what checks remember can't be
    /// read.
    pub last_check: Option<(Timestamp, StackVerdict)>,
    /// When everything was last read without a failure.
    pub last_good_read_at: Option<Timestamp>,
}

/// Reads what is due. A group fits under this limit of requests.
pub(crate) async fn read<S: Store>(
    store: &S,
    scope: Scope,
    limit: Option<u64>,
    now: Timestamp,
    read_only: bool,
) -> Result<DueWork, ScheduleError> {
    let (index, last) = join(registry::read(store), store.get(SCHEDULE)).await;
    let (ReadIndex { index, etag, made }, last) = (index?, last?);
    let is_whole = |made: Made| made.unread.is_empty() && !index.stacks.is_empty();
    if made.is_some_and(is_whole) && !read_only {
        // Else each tick would read all stacks again. Somebody else who writes it first is as good.
        registry::write(store, &index, etag).await?;
    }
    let etag = last.as_ref().map(|object| object.etag.clone());
    let last = last.map(|object| Schedule::decode(&object.bytes));
    let last = match last {
        None => None,
        Some(Ok(last)) => Some(last),
        Some(Err(error)) if error.is_newer() => return Err(error.into()),
        // Damaged: as if there had been none. It is written anew.
        Some(Err(_)) => None,
    };
    let counts = last.as_ref().filter(|_| scope == Scope::Due);
    let mut due = due(&index, counts, now);
    due.next.checks = known_checks(&index, last.as_ref(), now);
    let every = |stack: &StackName| Some(index.stacks.get(stack)?.check_every);
    let learn_max = limit.map(|limit| usize::try_from(limit / LEARN_SHARE).unwrap_or(LEARN_MAX));
    let to_learn = to_learn(&index, &due.next.checks, now)
        .into_iter()
        .take(learn_max.unwrap_or(LEARN_MAX).min(LEARN_MAX))
        .filter_map(|stack| Some((every(&stack)?, stack)))
        .map(|(every, stack)| (stack, every));
    let revision = |stack: &StackName| {
        let entry = index.stacks.get(stack)?;
        Some((stack.clone(), entry.revision.clone()))
    };
    Ok(DueWork {
        applies: due.applies.iter().filter_map(revision).collect(),
        groups: grouped(&index, due.checks, limit),
        stacks: due.next.revisions.keys().cloned().collect(),
        ticked_at: last.as_ref().map(|last| last.ticked_at),
        // What a process begins with was not sent by it.
        booked_until: match scope {
            Scope::Due => last.map(|last| last.booked_until).unwrap_or_default(),
            Scope::All => BTreeMap::new(),
        },
        to_learn: to_learn.collect(),
        next: due.next,
        etag,
    })
}

/// Cuts stacks into groups, those that share their first scope next to each other.
fn grouped(index: &Index, stacks: Vec<StackName>, limit: Option<u64>) -> Vec<DueGroup> {
    let mut stacks: Vec<(&str, StackName, Estimate)> = stacks
        .into_iter()
        .filter_map(|stack| {
            let entry = index.stacks.get(&stack)?;
            let first = entry.reads.keys().next().map_or("", String::as_str);
            Some((first, stack, Estimate::listed(entry)))
        })
        .collect();
    stacks.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    let estimates: BTreeMap<StackName, Estimate> = stacks
        .iter()
        .map(|(_, stack, estimate)| (stack.clone(), estimate.clone()))
        .collect();
    let stacks: Vec<_> = stacks
        .into_iter()
        .map(|(_, stack, one)| (stack, one))
        .collect();
    let groups = groups(&stacks, limit.unwrap_or(u64::MAX));
    let of_group = |stacks: Vec<StackName>| {
        let estimates = stacks.iter().filter_map(|stack| estimates.get(stack));
        let estimate = estimates.fold(Estimate::default(), |sum, one| sum.and(one));
        DueGroup { stacks, estimate }
    };
    groups.into_iter().map(of_group).collect()
}

/// Notes that what was due is on its way, and what it learns of checks, with so many reads at once. False:
/// another tick was first, and sent the same.
pub(crate) async fn keep<S: Store>(
    store: &S,
    due: &DueWork,
    at_once: usize,
) -> Result<bool, ScheduleError> {
    let condition = due.etag.clone().map_or(Condition::Absent, Condition::Is);
    let next = Schedule {
        booked_until: due.booked_until.clone(),
        checks: learn(store, due, at_once).await,
        ..due.next.clone()
    };
    let bytes = Bytes::from(next.encode()?);
    let put = store.put(SCHEDULE, bytes, condition).await?;
    Ok(matches!(put, PutOutcome::Written(_)))
}

/// Asks when the stacks that may be late were checked last. About one that can't be read, the next tick asks
/// again: until then what is known of it stands.
async fn learn<S: Store>(
    store: &S,
    due: &DueWork,
    at_once: usize,
) -> BTreeMap<StackName, KnownCheck> {
    let mut checks = due.next.checks.clone();
    let reads = due.to_learn.iter().map(|(stack, every)| async move {
        let watch = store.get(&Keys::of(stack).watch).await;
        (stack, *every, watch)
    });
    let reads: Vec<_> = reads.collect();
    let mut reads = pin!(stream::iter(reads).buffer_unordered(at_once.max(1)));
    while let Some((stack, every, watch)) = reads.next().await {
        let Ok(watch) = watch else { continue };
        let watch = watch.and_then(|object| Watch::decode(&object.bytes).ok());
        let last_check = watch.and_then(|watch| watch.last_check);
        let last_check = last_check.map(|(at, _)| at);
        let before = checks.get(stack).copied();
        let known = learnt(before, last_check, every, due.next.ticked_at);
        checks.insert(stack.clone(), known);
    }
    checks
}

/// What the last tick left; none if there was none.
pub(crate) async fn last_tick<S: Store>(
    store: &S,
    now: Timestamp,
) -> Result<Option<LastTick>, ScheduleError> {
    let object = store.get(SCHEDULE).await?;
    let last = object.map(|object| Schedule::decode(&object.bytes));
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    Ok(last.transpose()?.map(|last| LastTick {
        at: last.ticked_at,
        stacks: count(last.revisions.len()),
        late_stacks: count(last.late(now)),
    }))
}

/// How a stack stood when it was looked at last.
pub(crate) async fn standing<S: Store>(
    store: &S,
    stack: StackName,
    entry: Entry,
) -> Result<Standing, StoreError> {
    let object = store.get(&Keys::of(&stack).watch).await?;
    let watch = object.and_then(|object| Watch::decode(&object.bytes).ok());
    let watch = watch.unwrap_or_default();
    Ok(Standing {
        stack,
        entry,
        last_check: watch.last_check,
        last_good_read_at: watch.last_good_read_at,
    })
}
