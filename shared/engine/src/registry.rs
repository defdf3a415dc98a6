//! `stacks/index.json`, the registry of stacks (not of providers): read by pushes, written by pushes and
//! by `retire`.
//!
//! If it is lost or damaged it is rebuilt from the definitions and states of all stacks.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use kedge_core::definitions::{Bundle, may_have_nodes_of_environment};
use kedge_core::model::{CheckEvery, StackName};
use kedge_core::push::record_sets;
use kedge_core::stored::index::{Entry, Index};
use kedge_core::stored::{EncodeError, StoredError};
use thiserror::Error;

use crate::bundles::read_parsed;
use crate::estimate::estimate;
use crate::keys::{INDEX, STACKS};
use crate::ports::{Condition, ETag, PutOutcome, Store, StoreError};
use crate::session::Session;
use crate::state_store::{self, StateStoreError};

/// How often the registry is read again when somebody else wrote it first.
pub(crate) const TRIES_MAX: usize = 10;

/// The registry of stacks could not be used.
#[derive(Debug, Error)]
pub enum RegistryError {
    /// The store failed.
    #[error("the registry could not be read or written")]
    Store(#[from] StoreError),
    /// What it holds can't be used.
    #[error("the registry can't be used")]
    Stored(#[from] StoredError),
    /// State could not be read again.
    #[error("state could not be read")]
    Memory(#[from] Box<StateStoreError>),
    /// It could not be read back, and is not written.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// Others write it all the time.
    #[error("others keep writing the registry; try again")]
    Busy,
}

impl RegistryError {
    /// Whether the same may go well later though nobody did anything about it.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Store(_) | Self::Busy => true,
            Self::Memory(error) => error.may_pass(),
            Self::Stored(_) | Self::Encode(_) => false,
        }
    }
}

/// The registry as it was read or rebuilt.
pub(crate) struct ReadIndex {
    pub(crate) index: Index,
    pub(crate) etag: Option<ETag>,
    /// How it was rebuilt; none if it could be read.
    pub(crate) made: Option<Made>,
}

/// A registry that was lost or damaged, and rebuilt from what is stored of each stack.
pub(crate) struct Made {
    /// Why the stored one can't be used; none if there is none.
    pub(crate) damage: Option<StoredError>,
    /// Stacks of which a part could not be read: their record sets may not all be in it.
    pub(crate) unread: Vec<StackName>,
    /// Stacks that have state and were never pushed: they have no entry.
    pub(crate) never_pushed: BTreeSet<StackName>,
}

/// Reads the registry, or rebuilds one that is lost or damaged: it has nothing that is not in the
/// definitions and states. One that a newer program wrote is not rebuilt.
pub(crate) async fn read<S: Store>(store: &S) -> Result<ReadIndex, RegistryError> {
    let (etag, damage) = match store.get(INDEX).await? {
        None => (None, None),
        Some(object) => match Index::decode(&object.bytes) {
            Ok(index) => {
                return Ok(ReadIndex {
                    index,
                    etag: Some(object.etag),
                    made: None,
                });
            }
            Err(error) if error.is_newer() => return Err(error.into()),
            Err(error) => (Some(object.etag), Some(error)),
        },
    };
    let Stored { pushed, with_state } = stored(store).await?;
    let never_pushed = with_state.difference(&pushed).cloned().collect();
    let entries: Vec<_> = pushed
        .into_iter()
        .map(|stack| async move {
            let found = entry(store, &stack).await?;
            Ok::<_, StoreError>((stack, found))
        })
        .collect();
    let entries = stream::iter(entries).buffered(Session::CONCURRENCY);
    let mut index = Index::default();
    let mut unread = Vec::new();
    for (stack, (entry, is_whole)) in entries.try_collect::<Vec<_>>().await? {
        if !is_whole {
            unread.push(stack.clone());
        }
        index.stacks.insert(stack, entry);
    }
    let made = Some(Made {
        damage,
        unread,
        never_pushed,
    });
    Ok(ReadIndex { index, etag, made })
}

/// The stacks of a store.
#[derive(Default)]
struct Stored {
    /// Those that were ever pushed.
    pushed: BTreeSet<StackName>,
    /// Those that have state.
    with_state: BTreeSet<StackName>,
}

async fn stored<S: Store>(store: &S) -> Result<Stored, StoreError> {
    let mut stored = Stored::default();
    for key in store.list(STACKS).await? {
        let Some((name, object)) = (key.strip_prefix(STACKS)).and_then(|rest| rest.split_once('/'))
        else {
            continue;
        };
        let stacks = match object {
            "state.json" => &mut stored.with_state,
            "definitions.json" => &mut stored.pushed,
            _ if object.starts_with("revisions/") => &mut stored.pushed,
            _ => continue,
        };
        stacks.extend(StackName::new(name).ok());
    }
    Ok(stored)
}

/// The registry's entry of a stack, made from what is stored of it, and whether all of that could
/// be read. Values of the environment belong to another stack here, and are not used.
async fn entry<S: Store>(store: &S, stack: &StackName) -> Result<(Entry, bool), StoreError> {
    let (bundle, declared) = read_parsed(store, stack, &BTreeMap::new()).await?;
    let state = match state_store::read_state(store, stack).await {
        Ok(read) => Ok(read.state),
        Err(StateStoreError::Store(error)) => return Err(error),
        Err(_) => Err(()),
    };
    let known = state.as_ref().ok().and_then(Option::as_ref);
    let pushed_at = bundle.stored.as_ref().map(|stored| stored.pushed.at);
    let is_retired = known.is_some_and(|state| {
        let began_anew = state.retired.zip(pushed_at);
        state.is_gone() && began_anew.is_none_or(|(retired, pushed)| retired >= pushed)
    });
    let state = state.as_ref().map_or(Err(()), |state| Ok(state.as_ref()));
    // What values of the environment declare is nowhere stored.
    let is_of_environment = bundle.stored.as_ref().is_some_and(|stored| {
        let recorded = known.and_then(|state| state.variables.as_ref());
        recorded.is_some_and(|recorded| recorded.contains("nodes"))
            || may_have_nodes_of_environment(&stored.bundle, stack)
    });
    let is_whole = bundle.fault.is_none()
        && declared.is_some()
        && state.is_ok()
        && (is_retired || !is_of_environment);
    let of_none = Bundle::default().revision();
    let entry = Entry {
        revision: bundle.last.unwrap_or(of_none),
        record_sets: match is_retired {
            true => BTreeSet::new(),
            false => record_sets(declared.as_ref(), state, &BTreeSet::new()),
        },
        retired: is_retired,
        check_every: declared
            .as_ref()
            .map_or_else(CheckEvery::default, |declared| declared.check_every),
        reads: declared
            .as_ref()
            .map(|declared| estimate(declared, None).by_scope())
            .unwrap_or_default(),
    };
    Ok((entry, is_whole))
}

/// Writes the registry if it is still what was read; whether it was.
pub(crate) async fn write<S: Store>(
    store: &S,
    index: &Index,
    etag: Option<ETag>,
) -> Result<bool, RegistryError> {
    let condition = etag.map_or(Condition::Absent, Condition::Is);
    let bytes = Bytes::from(index.encode()?);
    let put = store.put(INDEX, bytes, condition).await?;
    Ok(matches!(put, PutOutcome::Written(_)))
}

/// Makes sure, before the first deletion, that [`retire`] can write the registry in the end: one that a
/// newer program wrote is not written over.
pub(crate) async fn check_retiring<S: Store>(store: &S) -> Result<(), RegistryError> {
    let object = store.get(INDEX).await?;
    match object.map(|object| Index::decode(&object.bytes)) {
        Some(Err(error)) if error.is_newer() => Err(error.into()),
        _ => Ok(()),
    }
}

/// Marks a stack as retired, once its state says so and nothing of it is left: its names are free
/// then. A stack that was never pushed has no entry, and gets none.
pub(crate) async fn retire<S: Store>(store: &S, stack: &StackName) -> Result<(), RegistryError> {
    let read_state = state_store::read_state(store, stack)
        .await
        .map_err(Box::new)?;
    if !read_state.state.is_some_and(|state| state.is_gone()) {
        return Ok(());
    }
    for _ in 0..TRIES_MAX {
        let ReadIndex {
            mut index,
            etag,
            made,
        } = read(store).await?;
        match index.stacks.get_mut(stack) {
            None => return Ok(()),
            Some(entry) if entry.retired && made.is_none() => return Ok(()),
            Some(entry) => {
                entry.retired = true;
                entry.record_sets.clear();
            }
        }
        if write(store, &index, etag).await? {
            return Ok(());
        }
    }
    Err(RegistryError::Busy)
}
