//! Chooses the definitions that a run follows.
//!
//! Stored ones that can't be used are never read as "nothing is declared": a check follows the last
//! usable revision and says so, and a run that may change something is refused (semantics 4.1).

use std::sync::Arc;

use kedge_core::definitions::Bundle;
use kedge_core::hint::Hint;
use kedge_core::model::{Declared, Salt, Timestamp};
use kedge_core::report::InvalidBundle;
use kedge_core::stored::bundle::StoredBundle;

use crate::bundles::{BundleFault, ReadBundle, last_good, read_bundle};
use crate::job::{Job, Purpose, RunError};
use crate::ports::{Store, StoreError};
use crate::settings::{Definitions, Settings};

/// Reads what the store holds as declared, where that matters to the job.
pub(crate) async fn read_for<S: Store>(
    store: &S,
    job: Job<'_>,
) -> Result<Option<ReadBundle>, StoreError> {
    match job.settings.definitions {
        Definitions::Files(_) if !store.is_shared() => Ok(None),
        Definitions::Stored | Definitions::Files(_) => {
            let overrides = job.settings.overrides;
            read_bundle(store, job.stack, overrides).await.map(Some)
        }
    }
}

/// The definitions that a run follows.
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
            Definitions::Files(bundle) => Some(bundle),
            Definitions::Stored => {
                let older = self.older.as_ref().map(|one| &one.bundle);
                older.or_else(|| Some(&stored()?.bundle))
            }
        }
    }
}

/// Finds the definitions that count, and parses them. Stored ones that can't be used are never read
/// as "nothing is declared": a check follows the last usable revision and says so; a run that may
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
        Definitions::Files(bundle) if store.is_shared() => {
            Some((bundle, push_first(bundle, stored.as_ref())))
        }
        Definitions::Files(bundle) => Some((bundle, None)),
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
    (!is_stored).then(|| stored.map_or(first, |one| one.next_push()))
}

fn describe_fault(fault: Option<&BundleFault>) -> String {
    fault.map_or_else(|| "nothing is stored".to_owned(), ToString::to_string)
}

/// What a report that follows an older revision says about the stored definitions, and the push
/// that would replace them.
fn invalid(fault: &BundleFault, good: &StoredBundle) -> (Option<InvalidBundle>, Option<Hint>) {
    let reason = fault.to_string();
    let is_newer = matches!(fault, BundleFault::Damaged { source, .. } if source.is_newer());
    let problems = match fault {
        BundleFault::Unparsable { problems, .. } => Some(problems.clone()),
        _ => None,
    };
    // What a newer program stored is not replaced.
    let push_first = (!is_newer).then(|| good.next_push());
    (Some(InvalidBundle { reason, problems }), push_first)
}
