//! What a schedule has to do, read from the store: the registry, and what the last tick left.
//!
//! A tick reads two objects, however many stacks there are. It sends the work, and then writes
//! `schedule.json`: a tick that is cut off between the two sends the same again.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::future::join;
use kedge_core::model::{StackName, StackVerdict, Timestamp};
use kedge_core::providers::ProviderName;
use kedge_core::schedule::due;
use kedge_core::state::Watch;
use kedge_core::stored::index::{Entry, Index};
use kedge_core::stored::schedule::Schedule;
use kedge_core::stored::{EncodeError, StoredError};
use thiserror::Error;

use crate::estimate::{Estimate, groups};
use crate::keys::{Keys, SCHEDULE};
use crate::ports::{Condition, ETag, PutOutcome, Store, StoreError};
use crate::registry::{self, Made, ReadIndex, RegistryError};

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
    let due = due(&index, counts, now);
    let revision = |stack: &StackName| {
        let entry = index.stacks.get(stack)?;
        Some((stack.clone(), entry.revision.clone()))
    };
    Ok(DueWork {
        applies: due.applies.iter().filter_map(revision).collect(),
        groups: grouped(&index, due.checks, limit),
        stacks: due.next.revisions.keys().cloned().collect(),
        ticked_at: last.as_ref().map(|last| last.ticked_at),
        booked_until: last.map(|last| last.booked_until).unwrap_or_default(),
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

/// Notes that what was due is on its way. False: another tick was first, and sent the same.
pub(crate) async fn keep<S: Store>(store: &S, due: &DueWork) -> Result<bool, ScheduleError> {
    let condition = due.etag.clone().map_or(Condition::Absent, Condition::Is);
    let next = Schedule {
        booked_until: due.booked_until.clone(),
        ..due.next.clone()
    };
    let bytes = Bytes::from(next.encode()?);
    let put = store.put(SCHEDULE, bytes, condition).await?;
    Ok(matches!(put, PutOutcome::Written(_)))
}

/// When the last tick was; none if there was none, or what it left is damaged.
pub(crate) async fn last_tick<S: Store>(store: &S) -> Result<Option<Timestamp>, StoreError> {
    let object = store.get(SCHEDULE).await?;
    let last = object.and_then(|object| Schedule::decode(&object.bytes).ok());
    Ok(last.map(|last| last.ticked_at))
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
