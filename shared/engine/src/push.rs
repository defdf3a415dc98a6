//! Stores definitions: what `kedge push` and `kedge rollback` do.
//!
//! # Protocol
//!
//! 1. The definitions are parsed and judged ([`kedge_core::push`]). If they are refused, nothing is
//!    written.
//! 2. `revisions/<revision>.json` is written, if absent.
//! 3. `definitions.json` is written, if it is still what was read. From here on these definitions count.
//! 4. `stacks/index.json` is written, if it is still what was read; on a conflict it is read again.
//!
//! **Guarantees.** All files are one object, so no reader sees a part of them. Of two pushes at once one
//! wins step 3, and the other says so. After a crash between two steps, the same push completes what is
//! missing: it uses the revision that was written, and updates the registry. A registry that is lost or
//! damaged is rebuilt from the definitions and states of all stacks, and refuses the same names.
//! **Assumptions.** Conditional writes.
//! **Caveats.** Two stacks that claim one record set at the same moment may both pass step 1. The second
//! finds it at step 4, and until its next push the registry blocks the name in its runs (2.3).

mod before;
mod error;
mod upload;
mod write;

use std::collections::BTreeMap;

use kedge_core::definitions::{self, Bundle, ParseInput, variable};
use kedge_core::model::{Declared, Salt, StackName};
use kedge_core::push::{
    Ancestry, Notice, PushConsent, PushInput, REVISION_CHARS_MIN, Source, judge, names,
};
use kedge_core::stored::bundle::{Commit, Pushed, StoredBundle};

use crate::keys::Keys;
use crate::ports::{Clock, Store};
use crate::settings::Settings;
use before::PushedBefore;
pub use error::PushError;
pub use upload::{UPLOAD_ACTOR, UploadContent, UploadPush};
use write::Write;

/// What is to be stored as declared, and how it comes.
#[derive(Clone, Copy)]
pub enum PushRequest<'a> {
    /// Somebody pushes a folder.
    Folder(FolderPush<'a>),
    /// Somebody put it at `upload/` (semantics 7.6).
    Upload(UploadPush<'a>),
}

/// A folder of definitions.
#[derive(Clone, Copy)]
pub struct FolderPush<'a> {
    /// The definitions.
    pub bundle: &'a Bundle,
    /// The git commit, where there is one.
    pub commit: Option<&'a Commit>,
    /// The git branch, where there is one.
    pub branch: Option<&'a str>,
    /// What git says of a stored commit and the one that is pushed.
    pub ancestry: &'a dyn Fn(&Commit) -> Ancestry,
    /// What was agreed to beforehand.
    pub consent: &'a PushConsent,
}

/// What became of the stored definitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PushOutcome {
    /// It is a new revision.
    Stored,
    /// The content was stored already; nothing was written.
    Unchanged,
    /// The content was stored already; that it is also the content of a later commit was noted.
    CommitNoted,
    /// The content was stored already; what an interrupted push had not written was completed.
    Healed,
}

/// What a push did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushReport {
    /// The definitions that count now.
    pub stored: StoredBundle,
    /// What became of it.
    pub outcome: PushOutcome,
    /// How many resources it declares.
    pub resources: usize,
    /// What to know about it.
    pub notices: Vec<Notice>,
}

/// Stores definitions as what is declared.
///
/// # Errors
/// Everything that refuses it, at once; nothing is stored then.
pub(crate) async fn push<P: Clock, S: Store>(
    ports: &P,
    store: &S,
    stack: &StackName,
    settings: &Settings<'_>,
    job: PushRequest<'_>,
) -> Result<PushReport, PushError> {
    let now = ports.now();
    match job {
        PushRequest::Folder(job) => {
            let declared = read(job.bundle, stack, settings.overrides)?;
            let standing = PushedBefore::read(store, stack, settings.overrides).await?;
            let stored = standing.read.stored.as_deref();
            let ancestry = match stored.and_then(|stored| stored.pushed.commit.as_ref()) {
                Some(commit) => (job.ancestry)(commit),
                None if stored.is_none() => Ancestry::Descends,
                None => Ancestry::NotChecked("the stored definitions name no commit".to_owned()),
            };
            let source = Source::Folder {
                ancestry: &ancestry,
                consent: job.consent,
            };
            let pushed = Pushed {
                actor: settings.actor.to_owned(),
                at: now,
                commit: job.commit.cloned(),
                branch: job.branch.map(str::to_owned),
                upload: None,
            };
            let declares = (job.bundle, &declared);
            put(store, &standing, declares, source, pushed).await
        }
        PushRequest::Upload(job) => upload::push(store, stack, settings.overrides, job, now).await,
    }
}

/// Judges definitions, and stores them.
async fn put<S: Store>(
    store: &S,
    standing: &PushedBefore,
    (bundle, declared): (&Bundle, &Declared),
    source: Source<'_>,
    pushed: Pushed,
) -> Result<PushReport, PushError> {
    let stored = standing.read.stored.as_deref();
    let same_content = stored.is_some_and(|stored| stored.bundle.files() == bundle.files());
    let (refusals, said) = judge(PushInput {
        declared,
        stored,
        // What can't be used is replaced whatever it says.
        same_content: same_content && standing.read.fault.is_none(),
        before: &standing.before,
        index: &standing.index.index,
        in_force: standing.state().map(|state| &state.policy),
        source,
    });
    let refusals = [refusals, standing.owners_unknown(declared)].concat();
    if !refusals.is_empty() {
        return Err(PushError::Refused(refusals));
    }
    let mut notices = standing.notices(&declared.stack);
    notices.extend(said);
    let names: Vec<String> = declared.variables.iter().map(|key| variable(key)).collect();
    if !names.is_empty() {
        notices.push(Notice::VariablesUsed { names });
    }
    let write = Write {
        store,
        standing,
        declared,
    };
    let descends = matches!(
        source,
        Source::Folder {
            ancestry: Ancestry::Descends,
            ..
        }
    );
    let (stored, outcome) = match stored {
        Some(stored) if same_content && !lifts(stored, source) => {
            write.same(stored, pushed, descends).await?
        }
        _ => (
            write.revision(bundle, pushed, None).await?,
            PushOutcome::Stored,
        ),
    };
    write.finish(stored, outcome, notices).await
}

/// Stores the content of an older revision again, as a new one. It is refused if it may not have
/// its names; the limit on removals does not apply (semantics 7.4).
///
/// # Errors
/// As [`push`], and where there is no such revision.
pub(crate) async fn rollback<P: Clock, S: Store>(
    ports: &P,
    store: &S,
    stack: &StackName,
    settings: &Settings<'_>,
    revision: &str,
) -> Result<PushReport, PushError> {
    let old = find_revision(store, stack, revision).await?;
    let declared = read(&old.bundle, stack, settings.overrides)?;
    let standing = PushedBefore::read(store, stack, settings.overrides).await?;
    if standing.is_over(stack) {
        let stack = stack.clone();
        return Err(PushError::Retired { stack });
    }
    let refusals = names(&declared, &standing.index.index);
    let refusals = [refusals, standing.owners_unknown(&declared)].concat();
    if !refusals.is_empty() {
        return Err(PushError::Refused(refusals));
    }
    let write = Write {
        store,
        standing: &standing,
        declared: &declared,
    };
    let current = standing.read.stored.as_deref();
    if let Some(current) = current.filter(|_| standing.read.fault.is_none())
        && current.bundle.files() == old.bundle.files()
    {
        return write
            .finish(current.clone(), PushOutcome::Unchanged, Vec::new())
            .await;
    }
    let newest = current.map(|current| &current.pushed);
    let pushed = Pushed {
        actor: settings.actor.to_owned(),
        at: ports.now(),
        commit: newest.and_then(|pushed| pushed.commit.clone()),
        branch: newest.and_then(|pushed| pushed.branch.clone()),
        upload: None,
    };
    let stored = write
        .revision(&old.bundle, pushed, Some(old.revision()))
        .await?;
    write
        .finish(stored, PushOutcome::Stored, standing.notices(stack))
        .await
}

/// Whether this push ends a push hold, and so makes a revision although the content is the same.
fn lifts(stored: &StoredBundle, source: Source<'_>) -> bool {
    let Source::Folder { consent, .. } = source else {
        return false;
    };
    let named = |said: &str| kedge_core::push::names_revision(said, &stored.revision());
    stored.rollback_of.is_some() && consent.after_rollback.as_deref().is_some_and(named)
}

fn read(
    bundle: &Bundle,
    stack: &StackName,
    overrides: &BTreeMap<String, String>,
) -> Result<Declared, PushError> {
    definitions::parse(&ParseInput {
        bundle,
        stack,
        overrides,
        salt: &Salt([0; 16]),
    })
    .map_err(PushError::Definitions)
}

/// Finds a revision by its first characters.
async fn find_revision<S: Store>(
    store: &S,
    stack: &StackName,
    revision: &str,
) -> Result<StoredBundle, PushError> {
    let none = || PushError::NoRevision {
        stack: stack.clone(),
        revision: revision
            .chars()
            .filter(|c| !c.is_control())
            .take(40)
            .collect(),
    };
    // Revisions are written in lower case, and read in either.
    let revision = revision.to_ascii_lowercase();
    if !revision.chars().all(|c| c.is_ascii_hexdigit()) {
        return Err(none());
    }
    if revision.len() < REVISION_CHARS_MIN {
        return Err(PushError::ShortRevision { revision });
    }
    let prefix = Keys::of(stack).revisions;
    let keys = store.list(&format!("{prefix}{revision}")).await?;
    let mut found: Vec<String> = keys
        .iter()
        .filter_map(|key| key.strip_prefix(&prefix)?.strip_suffix(".json"))
        .map(str::to_owned)
        .collect();
    match (found.pop(), found.is_empty()) {
        (Some(revision), true) => {
            let object = store.get(&Keys::of(stack).revision(&revision)).await?;
            let object = object.ok_or_else(none)?;
            StoredBundle::decode(&object.bytes, stack).map_err(|source| {
                let stack = stack.clone();
                PushError::DamagedRevision {
                    stack,
                    revision,
                    source,
                }
            })
        }
        (Some(last), false) => {
            found.push(last);
            Err(PushError::Ambiguous { revision, found })
        }
        (None, _) => Err(none()),
    }
}
