//! Reads stored definitions, and finds the last revision that can be used where the stored one can't.
//!
//! Which definitions a run follows is decided in `declared.rs`.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use kedge_core::definitions::{self, ParseInput, Problems};
use kedge_core::model::{Declared, Salt, StackName, Timestamp};
use kedge_core::stored::bundle::{BundleDecodeError, StoredBundle};
use kedge_core::stored::index::Index;
use thiserror::Error;

use crate::keys::{INDEX, Keys};
use crate::ports::{ETag, Store, StoreError};
use crate::session::Session;

/// How many revisions are tried before none counts as good. Whoever pushed that many in a row that
/// can't be read needs a person's help.
const REVISIONS_TRIED_MAX: usize = 50;

/// Why the stored definitions can't be used.
#[derive(Debug, Error)]
pub enum BundleFault {
    /// There never was one.
    #[error("nothing was pushed for stack `{stack}` yet")]
    NeverPushed {
        /// The stack.
        stack: StackName,
    },
    /// The object is gone, though revisions show that it was there.
    #[error(
        "stacks/{stack}/definitions.json was deleted, but revisions of it are still there; push \
         again, or roll back to one of them"
    )]
    Lost {
        /// The stack.
        stack: StackName,
    },
    /// It can't be read.
    #[error("stacks/{stack}/definitions.json can't be used: {source}")]
    Damaged {
        /// The stack.
        stack: StackName,
        /// Why.
        source: BundleDecodeError,
    },
    /// It can be read, but its definitions have problems.
    #[error("the definitions of revision {revision} can't be used")]
    Unparsable {
        /// The revision.
        revision: String,
        /// What is wrong.
        problems: Problems,
    },
}

/// The definitions of a stack in the store.
#[derive(Debug)]
pub struct ReadBundle {
    /// The bundle to follow: the stored one, or the last good revision if that can't be used.
    pub stored: Option<Arc<StoredBundle>>,
    /// Why the stored one can't be used.
    pub fault: Option<BundleFault>,
    /// The version of `definitions.json`, if it is there.
    pub etag: Option<ETag>,
    /// When that was written, by the store's clock.
    pub written_at: Option<Timestamp>,
    /// The revision that was stored last, as far as anything says.
    pub last: Option<String>,
}

/// Reads the stored definitions of a stack: one read where all is well. They are not parsed here.
///
/// # Errors
/// When the store can't say.
pub(crate) async fn read_bundle<S: Store>(
    store: &S,
    stack: &StackName,
    overrides: &BTreeMap<String, String>,
) -> Result<ReadBundle, StoreError> {
    let keys = Keys::of(stack);
    let object = store.get(&keys.definitions).await?;
    let fault = match &object {
        Some(object) => match StoredBundle::decode(&object.bytes, stack) {
            Ok(stored) => {
                return Ok(ReadBundle {
                    last: Some(stored.revision()),
                    stored: Some(Arc::new(stored)),
                    fault: None,
                    etag: Some(object.etag.clone()),
                    written_at: Some(object.written_at),
                });
            }
            Err(source) => BundleFault::Damaged {
                stack: stack.clone(),
                source,
            },
        },
        None if store.list(&keys.revisions).await?.is_empty() => BundleFault::NeverPushed {
            stack: stack.clone(),
        },
        None => BundleFault::Lost {
            stack: stack.clone(),
        },
    };
    let (etag, written_at) = object
        .map(|object| (object.etag, object.written_at))
        .unzip();
    let last = match fault {
        BundleFault::NeverPushed { .. } => None,
        _ => last_known(store, stack).await?,
    };
    let stored = match &last {
        Some(last) => last_good(store, stack, overrides, last).await?,
        None => None,
    };
    Ok(ReadBundle {
        stored: stored.map(Arc::new),
        fault: Some(fault),
        etag,
        written_at,
        last,
    })
}

/// The same, and parses them.
pub(crate) async fn read_parsed<S: Store>(
    store: &S,
    stack: &StackName,
    overrides: &BTreeMap<String, String>,
) -> Result<(ReadBundle, Option<Declared>), StoreError> {
    let mut read = read_bundle(store, stack, overrides).await?;
    let Some(stored) = &read.stored else {
        return Ok((read, None));
    };
    match parsed(stored, overrides) {
        Ok(declared) => Ok((read, Some(declared))),
        Err(problems) => {
            let mut good = match &stored.follows {
                Some(before) => last_good(store, stack, overrides, before).await?,
                None => None,
            };
            if let Some(good) = &mut good {
                // What is older than the newest commit is old, whether that one can be read or not.
                good.pushed.commit.clone_from(&stored.pushed.commit);
            }
            let declared = good.as_ref().and_then(|good| parsed(good, overrides).ok());
            read.fault = Some(BundleFault::Unparsable {
                revision: stored.revision(),
                problems,
            });
            read.stored = good.map(Arc::new);
            Ok((read, declared))
        }
    }
}

/// Whether anything is stored of a stack.
///
/// # Errors
/// When the store can't say.
pub(crate) async fn is_known<S: Store>(store: &S, stack: &StackName) -> Result<bool, StoreError> {
    let keys = store.list(&Keys::all_of(stack)).await?;
    Ok(!keys.is_empty())
}

/// The stacks that were pushed, as far as the registry can be read.
///
/// # Errors
/// When the store can't say.
pub(crate) async fn pushed_stacks<S: Store>(store: &S) -> Result<Vec<StackName>, StoreError> {
    let object = store.get(INDEX).await?;
    let index = object.and_then(|object| Index::decode(&object.bytes).ok());
    Ok(index.unwrap_or_default().stacks.into_keys().collect())
}

/// Parses a stored bundle. Its URLs are hashed with no key and must not be stored or shown.
pub(crate) fn parsed(
    stored: &StoredBundle,
    overrides: &BTreeMap<String, String>,
) -> Result<Declared, Problems> {
    definitions::parse(&ParseInput {
        bundle: &stored.bundle,
        stack: &stored.stack,
        overrides,
        salt: &Salt([0; 16]),
    })
}

/// Reads one revision; none if it is not there or can't be used.
pub(crate) async fn read_revision<S: Store>(
    store: &S,
    stack: &StackName,
    revision: &str,
) -> Result<Option<StoredBundle>, StoreError> {
    let object = store.get(&Keys::of(stack).revision(revision)).await?;
    Ok(object.and_then(|object| StoredBundle::decode(&object.bytes, stack).ok()))
}

/// The newest revision that can be used, from this one back.
pub(crate) async fn last_good<S: Store>(
    store: &S,
    stack: &StackName,
    overrides: &BTreeMap<String, String>,
    from: &str,
) -> Result<Option<StoredBundle>, StoreError> {
    let mut next = Some(from.to_owned());
    for _ in 0..REVISIONS_TRIED_MAX {
        let Some(revision) = next else {
            return Ok(None);
        };
        let Some(stored) = read_revision(store, stack, &revision).await? else {
            break;
        };
        if parsed(&stored, overrides).is_ok() {
            return Ok(Some(stored));
        }
        next = stored.follows;
    }
    // The chain is broken: whatever is left, newest first.
    let left = newest_first(store, stack).await?;
    for revision in left.iter().take(REVISIONS_TRIED_MAX) {
        let stored = read_revision(store, stack, revision).await?;
        if let Some(stored) = stored.filter(|one| parsed(one, overrides).is_ok()) {
            return Ok(Some(stored));
        }
    }
    Ok(None)
}

/// The revision that was stored last: what the registry says, else the newest that is left.
async fn last_known<S: Store>(store: &S, stack: &StackName) -> Result<Option<String>, StoreError> {
    if let Some(object) = store.get(INDEX).await?
        && let Ok(index) = Index::decode(&object.bytes)
        && let Some(entry) = index.stacks.get(stack)
    {
        return Ok(Some(entry.revision.clone()));
    }
    Ok(newest_first(store, stack).await?.into_iter().next())
}

/// Revisions that can be read, newest first. Their keys don't say when they were stored, so each is
/// read; this is for a stack of which nothing else says what was stored last. Only names are kept,
/// because a bundle is large.
async fn newest_first<S: Store>(store: &S, stack: &StackName) -> Result<Vec<String>, StoreError> {
    let keys = store.list(&Keys::of(stack).revisions).await?;
    let reads: Vec<_> = keys
        .iter()
        .map(|key| async move {
            let object = store.get(key).await?;
            let stored = object.and_then(|object| StoredBundle::decode(&object.bytes, stack).ok());
            Ok(stored.map(|stored| (Reverse(stored.pushed.at), stored.revision())))
        })
        .collect();
    let reads = stream::iter(reads).buffered(Session::CONCURRENCY);
    let found: Vec<Option<_>> = reads.try_collect().await?;
    let mut found: Vec<_> = found.into_iter().flatten().collect();
    found.sort();
    Ok(found.into_iter().map(|(_, revision)| revision).collect())
}
