//! Reads the definitions that count.
//!
//! Stored ones that can't be used are never read as "nothing is declared": a check goes by the last
//! usable revision and says so, and a run that may change something is refused (semantics 4.1).

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use kedge_core::definitions::{self, Bundle, ParseInput, Problems};
use kedge_core::hint::Hint;
use kedge_core::model::{Declared, Salt, StackName, Timestamp};
use kedge_core::report::InvalidBundle;
use kedge_core::stored::bundle::{BundleDecodeError, StoredBundle};
use kedge_core::stored::index::Index;
use thiserror::Error;

use crate::job::{Job, Purpose, RunError};
use crate::ports::{ETag, Store, StoreError, StoredObject};
use crate::session::Session;
use crate::settings::{Definitions, Settings};
use crate::state_store::{INDEX, Keys};

/// How many revisions are tried before none counts as good: whoever pushed that many sets in a row
/// that nothing can read needs a person.
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
    /// It is read, and what it says makes no sense.
    #[error("the definitions of revision {revision} can't be used")]
    Unparsable {
        /// The revision.
        revision: String,
        /// What is wrong.
        problems: Problems,
    },
}

/// What the store holds as declared.
#[derive(Debug)]
pub struct ReadBundle {
    /// The set to go by: the stored one, or the last good revision where that can't be used.
    pub stored: Option<Arc<StoredBundle>>,
    /// Why the stored one can't be used.
    pub fault: Option<BundleFault>,
    /// The version of `definitions.json`, if it is there.
    pub etag: Option<ETag>,
    /// The revision that was stored last, as far as anything says.
    pub last: Option<String>,
}

/// Reads the stored set of a stack: one read where all is well. Whether what it says makes sense is
/// found out by whoever uses it.
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
    let etag = object.map(|StoredObject { etag, .. }| etag);
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
        last,
    })
}

/// The same, with what the set says read too.
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

/// Reads what the store holds as declared, where that matters to the job.
pub(crate) async fn read_for<S: Store>(
    store: &S,
    job: Job<'_>,
) -> Result<Option<ReadBundle>, StoreError> {
    match job.settings.definitions {
        Definitions::Files(_) => Ok(None),
        Definitions::Stored | Definitions::FilesBesideStored(_) => {
            let overrides = job.settings.overrides;
            read_bundle(store, job.stack, overrides).await.map(Some)
        }
    }
}

/// The definitions that a run goes by.
pub(crate) struct Counting {
    /// What they say.
    pub(crate) declared: Arc<Declared>,
    /// When they were pushed; none for local files.
    pub(crate) pushed_at: Option<Timestamp>,
    /// What the store holds as declared, where it was read.
    pub(crate) stored: Option<ReadBundle>,
    /// Why that can't be used, if so: these are an older revision then.
    pub(crate) invalid: Option<InvalidBundle>,
    /// The push that must come first, where these are not stored.
    pub(crate) push_first: Option<Hint>,
    /// The older revision that counts, if one does.
    older: Option<StoredBundle>,
}

impl Counting {
    /// The files that count; none only where nothing is stored.
    pub(crate) fn bundle<'b>(&'b self, job: Job<'b>) -> Option<&'b Bundle> {
        let stored = || self.stored.as_ref()?.stored.as_ref();
        match job.settings.definitions {
            Definitions::Files(bundle) | Definitions::FilesBesideStored(bundle) => Some(bundle),
            Definitions::Stored => {
                let older = self.older.as_ref().map(|one| &one.bundle);
                older.or_else(|| Some(&stored()?.bundle))
            }
        }
    }
}

/// Finds the definitions that count and reads what they say. Stored ones that can't be used are never
/// read as "nothing is declared": a check goes by the last usable revision and says so; a run that may
/// change something is refused (semantics 4.1).
pub(crate) async fn counting<S: Store>(
    store: &S,
    job: Job<'_>,
    stored: Option<ReadBundle>,
    salt: &Salt,
) -> Result<Counting, RunError> {
    let parsed = |bundle: &Bundle| {
        let Settings {
            caches, overrides, ..
        } = job.settings;
        caches.parsed(bundle, job.stack, overrides, salt)
    };
    let files = match job.settings.definitions {
        Definitions::Stored => None,
        Definitions::Files(bundle) => Some((bundle, None)),
        Definitions::FilesBesideStored(bundle) => {
            Some((bundle, push_first(bundle, stored.as_ref())))
        }
    };
    if let Some((bundle, push_first)) = files {
        let declared = parsed(bundle).map_err(RunError::Definitions)?;
        return Ok(Counting {
            declared,
            pushed_at: None,
            stored,
            invalid: None,
            push_first,
            older: None,
        });
    }
    let read = stored.ok_or_else(|| RunError::NoBundle(describe_fault(None)))?;
    let fault = read.fault.as_ref();
    let Some(found) = read.stored.as_ref() else {
        return Err(RunError::NoBundle(describe_fault(fault)));
    };
    if let (Purpose::Change, Some(fault)) = (job.purpose, fault) {
        return Err(RunError::NoBundle(describe_fault(Some(fault))));
    }
    let problems = match parsed(&found.bundle) {
        Ok(declared) => {
            let invalid = fault.map(|fault| invalid(fault, found));
            let (invalid, push_first) = invalid.unwrap_or_default();
            return Ok(Counting {
                declared,
                pushed_at: Some(found.pushed.at),
                stored: Some(read),
                invalid,
                push_first,
                older: None,
            });
        }
        Err(problems) if job.purpose == Purpose::Change => {
            return Err(RunError::Definitions(problems));
        }
        Err(problems) => problems,
    };
    let good = match &found.follows {
        Some(before) => last_good(store, job.stack, job.settings.overrides, before).await?,
        None => None,
    };
    let Some(good) = good else {
        return Err(RunError::Definitions(problems));
    };
    let revision = found.revision();
    let (invalid, push_first) = invalid(&BundleFault::Unparsable { revision, problems }, &good);
    Ok(Counting {
        declared: parsed(&good.bundle).map_err(RunError::Definitions)?,
        pushed_at: Some(found.pushed.at),
        stored: Some(read),
        invalid,
        push_first,
        older: Some(good),
    })
}

/// The push that would store these files, if they are not what is stored.
fn push_first(files: &Bundle, read: Option<&ReadBundle>) -> Option<Hint> {
    let stored = read.and_then(|read| read.stored.as_ref());
    let is_usable = read.is_some_and(|read| read.fault.is_none());
    let is_stored = is_usable && stored.is_some_and(|one| one.bundle.files() == files.files());
    let first = Hint::Push {
        after_rollback: None,
    };
    (!is_stored).then(|| stored.map_or(first, |one| push_hint(one.as_ref())))
}

fn describe_fault(fault: Option<&BundleFault>) -> String {
    fault.map_or_else(|| "nothing is stored".to_owned(), ToString::to_string)
}

/// What a report by an older revision says of the stored definitions, and the push that
/// would replace them.
fn invalid(fault: &BundleFault, good: &StoredBundle) -> (Option<InvalidBundle>, Option<Hint>) {
    let reason = fault.to_string();
    let is_newer = matches!(fault, BundleFault::Damaged { source, .. } if source.is_newer());
    let problems = match fault {
        BundleFault::Unparsable { problems, .. } => Some(problems.clone()),
        _ => None,
    };
    // What a newer program stored is not replaced.
    let push_first = (!is_newer).then(|| push_hint(good));
    (Some(InvalidBundle { reason, problems }), push_first)
}

/// The next push, given what it is compared with (semantics 7.4).
pub(crate) fn push_hint(stored: &StoredBundle) -> Hint {
    Hint::Push {
        after_rollback: stored.rollback_of.as_ref().map(|_| stored.revision()),
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

/// Reads what a stored set says. Its URLs are hashed with no key and must not be stored or shown.
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
async fn last_good<S: Store>(
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

/// Revisions that can be read, newest first. A key says nothing of when, so each is read: this is for
/// a stack of which nothing else says what was stored last. Only names are kept, since a set is large.
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
