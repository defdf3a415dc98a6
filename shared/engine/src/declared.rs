//! Chooses the definitions that a run follows.
//!
//! Stored ones that can't be used are never read as "nothing is declared": a check follows the last
//! usable revision and says so, and a run that may change something is refused (semantics 4.1).

use std::sync::Arc;

use kedge_core::definitions::{Bundle, Problems};
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
    /// Why that can't be used, if so: these are an older revision then, or local files.
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
    let beside = match job.settings.definitions {
        Definitions::Stored => None,
        Definitions::Files(bundle) if store.is_shared() => {
            let problems = |bundle: &Bundle| parsed(bundle).err();
            Some((bundle, beside_stored(bundle, stored.as_ref(), problems)))
        }
        Definitions::Files(bundle) => Some((bundle, (None, None))),
    };
    if let Some((bundle, (invalid, push_first))) = beside {
        return Ok(Counting {
            declared: parsed(bundle).map_err(RunError::Definitions)?,
            pushed_at: None,
            stored,
            invalid,
            push_first,
            older: None,
        });
    }
    let read = stored.ok_or_else(|| no_bundle(None, None))?;
    let fault = read.fault.as_ref();
    let Some(found) = read.stored.as_ref() else {
        return Err(no_bundle(fault, None));
    };
    if let (Purpose::Change, Some(fault)) = (job.purpose, fault) {
        return Err(no_bundle(Some(fault), Some(found)));
    }
    let problems = match parsed(&found.bundle) {
        Ok(declared) => {
            let invalid = fault.map(|fault| invalid(fault, Some(found), false));
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
    let fault = BundleFault::Unparsable { revision, problems };
    let (invalid, push_first) = invalid(&fault, Some(&good), false);
    Ok(Counting {
        declared: parsed(&good.bundle).map_err(RunError::Definitions)?,
        pushed_at: Some(found.pushed.at),
        stored: Some(read),
        invalid,
        push_first,
        older: Some(good),
    })
}

/// What a preview of local files says of the stored ones: why they can't be used, if so, and the push
/// that would store these, if they are not what is stored. `problems` parses definitions.
fn beside_stored(
    files: &Bundle,
    read: Option<&ReadBundle>,
    problems: impl Fn(&Bundle) -> Option<Problems>,
) -> (Option<InvalidBundle>, Option<Hint>) {
    let stored = read.and_then(|read| read.stored.as_deref());
    let fault = read.and_then(|read| read.fault.as_ref());
    let is_fault = |fault: &&BundleFault| !matches!(fault, BundleFault::NeverPushed { .. });
    if let Some(fault) = fault.filter(is_fault) {
        return invalid(fault, stored, true);
    }
    let Some(stored) = stored else {
        return (None, Some(first_push()));
    };
    if stored.bundle.files() == files.files() {
        return (None, None);
    }
    match problems(&stored.bundle) {
        None => (None, Some(stored.next_push())),
        Some(problems) => {
            let revision = stored.revision();
            let fault = BundleFault::Unparsable { revision, problems };
            invalid(&fault, Some(stored), true)
        }
    }
}

fn first_push() -> Hint {
    Hint::Push {
        after_rollback: None,
    }
}

/// No definitions count: why, and the push that would end that.
fn no_bundle(fault: Option<&BundleFault>, good: Option<&StoredBundle>) -> RunError {
    RunError::NoBundle {
        reason: fault.map_or_else(|| "nothing is stored".to_owned(), ToString::to_string),
        push_first: push_over(fault, good),
    }
}

/// The push that would replace definitions that can't be used, compared with the last good ones. What a
/// newer program stored is not replaced.
fn push_over(fault: Option<&BundleFault>, good: Option<&StoredBundle>) -> Option<Hint> {
    let is_newer = matches!(fault, Some(BundleFault::Damaged { source, .. }) if source.is_newer());
    (!is_newer).then(|| good.map_or_else(first_push, StoredBundle::next_push))
}

/// What a report says about stored definitions that can't be used, and the push that would replace
/// them. `beside`: it follows local files, and else an older revision.
fn invalid(
    fault: &BundleFault,
    good: Option<&StoredBundle>,
    beside: bool,
) -> (Option<InvalidBundle>, Option<Hint>) {
    let problems = match fault {
        BundleFault::Unparsable { problems, .. } => Some(problems.clone()),
        _ => None,
    };
    let invalid = InvalidBundle {
        reason: fault.to_string(),
        problems,
        beside,
    };
    (Some(invalid), push_over(Some(fault), good))
}
