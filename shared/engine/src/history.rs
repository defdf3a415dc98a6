//! What happened to a stack: pushes, and what runs did. Only reads; `execute/telling.rs` and
//! `push/write.rs` write what is read here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kedge_core::model::{ResourceKey, StackName, Timestamp};
use kedge_core::stored::StoredError;
use kedge_core::stored::bundle::{Pushed, StoredBundle};
use kedge_core::stored::run::{RunOutcome, RunRecord};
use thiserror::Error;

use crate::bundles::{read_bundle, read_revision};
use crate::keys::Keys;
use crate::ports::{Clock, Store, StoreError};

/// How many records are read in search of a resource, at most.
const SEARCHED_MAX: usize = 500;
/// How long to wait between two reads, in milliseconds.
const LOOK_EVERY_MS: u64 = 2_000;

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Only runs that were about this resource, by any form a key answers to; and no pushes.
    pub resource: Option<String>,
    /// Only what happened from here on.
    pub since: Option<Timestamp>,
    /// At most so many pushes, and so many runs.
    pub most: usize,
}

/// One push, without its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushEntry {
    /// The revision it made.
    pub revision: String,
    /// The revision before.
    pub follows: Option<String>,
    /// The revision whose content it brought back, if it was a rollback.
    pub rollback_of: Option<String>,
    /// Who, when, and from where.
    pub pushed: Pushed,
}

/// What happened, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct History {
    /// What was pushed.
    pub pushes: Vec<PushEntry>,
    /// What runs did.
    pub runs: Vec<RunRecord>,
    /// Keys of records that can't be read.
    pub unread: Vec<String>,
    /// Whether there is more than was asked for.
    pub more: bool,
}

/// Reads what happened.
///
/// # Errors
/// When the store can't say.
pub(crate) async fn history<S: Store>(
    store: &S,
    stack: &StackName,
    query: &Query,
) -> Result<History, StoreError> {
    let mut history = of_runs(store, stack, query).await?;
    if query.resource.is_none() {
        pushes(store, stack, query, &mut history).await?;
    }
    Ok(history)
}

/// Reads what runs did.
///
/// # Errors
/// When the store can't say.
pub(crate) async fn of_runs<S: Store>(
    store: &S,
    stack: &StackName,
    query: &Query,
) -> Result<History, StoreError> {
    let mut history = History::default();
    runs(store, stack, query, &mut history).await?;
    Ok(history)
}

async fn runs<S: Store>(
    store: &S,
    stack: &StackName,
    query: &Query,
    history: &mut History,
) -> Result<(), StoreError> {
    // Ids sort by time, so the newest are last.
    let keys = store.list(&Keys::of(stack).runs).await?;
    for (number, key) in keys.iter().rev().enumerate() {
        if number >= SEARCHED_MAX || history.runs.len() >= query.most {
            history.more = true;
            break;
        }
        let Some(record) = read_run(store, key).await? else {
            history.unread.push(key.clone());
            continue;
        };
        if query.since.is_some_and(|since| record.ended_ms < since.0) {
            break;
        }
        let about = |outcome: &RunOutcome| match (&query.resource, ResourceKey::parse(&outcome.key))
        {
            (Some(short), Ok(key)) => key.answers_to(short),
            _ => false,
        };
        if query.resource.is_none() || record.outcomes.iter().any(about) {
            history.runs.push(record);
        }
    }
    Ok(())
}

async fn pushes<S: Store>(
    store: &S,
    stack: &StackName,
    query: &Query,
    history: &mut History,
) -> Result<(), StoreError> {
    let read = read_bundle(store, stack, &BTreeMap::new()).await?;
    let mut next = read.stored.map(Arc::unwrap_or_clone);
    while let Some(stored) = next {
        let is_old = |since: Timestamp| stored.pushed.at < since;
        if query.since.is_some_and(is_old) {
            break;
        }
        if history.pushes.len() >= query.most {
            history.more = true;
            break;
        }
        next = match &stored.follows {
            Some(before) => read_revision(store, stack, before).await?,
            None => None,
        };
        history.pushes.push(entry(stored));
    }
    Ok(())
}

fn entry(stored: StoredBundle) -> PushEntry {
    PushEntry {
        revision: stored.revision(),
        follows: stored.follows,
        rollback_of: stored.rollback_of,
        pushed: stored.pushed,
    }
}

/// The record of a run could not be read.
#[derive(Debug, Error)]
pub enum RunReadError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It is damaged, or of a newer program.
    #[error(transparent)]
    Stored(#[from] StoredError),
}

/// Reads the record of one run; none if there is none.
///
/// # Errors
/// When the store can't say, or it can't be read.
pub(crate) async fn run<S: Store>(
    store: &S,
    stack: &StackName,
    id: &str,
) -> Result<Option<RunRecord>, RunReadError> {
    let object = store.get(&Keys::of(stack).run(id)).await?;
    let record = object.map(|object| RunRecord::decode(&object.bytes));
    Ok(record.transpose()?.map(by_key))
}

/// Reads one record; none if it is not there or can't be read.
async fn read_run<S: Store>(store: &S, key: &str) -> Result<Option<RunRecord>, StoreError> {
    let object = store.get(key).await?;
    let record = object.and_then(|object| RunRecord::decode(&object.bytes).ok());
    Ok(record.map(by_key))
}

/// The same record with its changes by key: which change ended first differs from run to run.
fn by_key(mut record: RunRecord) -> RunRecord {
    record.outcomes.sort_by(|a, b| a.key.cmp(&b.key));
    record
}

/// Waits for the record of a run that followed this revision, until a time. None if none came.
///
/// # Errors
/// When the store can't say.
pub(crate) async fn await_run<C: Clock, S: Store>(
    clock: &C,
    store: &S,
    stack: &StackName,
    revision: &str,
    until: Timestamp,
) -> Result<Option<RunRecord>, StoreError> {
    let mut seen = BTreeSet::new();
    loop {
        let keys = store.list(&Keys::of(stack).runs).await?;
        for key in keys.iter().rev() {
            if !seen.insert(key.clone()) {
                // What is older was looked at before.
                break;
            }
            let record = read_run(store, key).await?;
            let follows = |record: &RunRecord| record.revision.as_deref() == Some(revision);
            if let Some(record) = record.filter(follows) {
                return Ok(Some(record));
            }
        }
        if clock.now() >= until {
            return Ok(None);
        }
        clock.sleep_ms(LOOK_EVERY_MS).await;
    }
}

/// Whether a run made all the changes that it began. What a hold stopped was not begun.
#[must_use]
pub fn is_whole(record: &RunRecord) -> bool {
    let is_fine = |word: &str| matches!(word, "done" | "held");
    let mut outcomes = record.outcomes.iter();
    record.stopped.is_none() && outcomes.all(|one| is_fine(&one.outcome))
}
