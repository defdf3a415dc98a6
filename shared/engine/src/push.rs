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

mod write;

use std::collections::BTreeMap;

use kedge_core::definitions::{self, Bundle, ParseInput, Problems, variable};
use kedge_core::hint::Hint;
use kedge_core::model::{Declared, Salt, StackName};
use kedge_core::providers::Naming;
use kedge_core::push::{
    Ancestry, Before, Notice, PushConsent, PushInput, REVISION_CHARS_MIN, Refusal, declared_before,
    judge, names, recorded_before,
};
use kedge_core::state::State;
use kedge_core::stored::EncodeError;
use kedge_core::stored::bundle::{BundleDecodeError, Commit, Pushed, StoredBundle};
use kedge_core::stored::index::Entry;
use thiserror::Error;

use crate::bundles::{self, BundleFault, ReadBundle, read_parsed};
use crate::keys::Keys;
use crate::ports::{Clock, Store, StoreError};
use crate::registry::{self, Made, ReadIndex, RegistryError};
use crate::settings::Settings;
use crate::state_store::{self, StateStoreError};
use write::Write;

/// What is to be stored as declared.
#[derive(Clone, Copy)]
pub struct PushRequest<'a> {
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

/// Definitions were not stored, or not completely.
#[derive(Debug, Error)]
pub enum PushError {
    /// Nothing may be changed by this invocation.
    #[error("this is read-only: nothing may be stored from here")]
    ReadOnly,
    /// The definitions can't be used.
    #[error("the definitions can't be used")]
    Definitions(Problems),
    /// A rule refuses them.
    #[error("the push is refused; nothing was stored")]
    Refused(Vec<Refusal>),
    /// Another stack took a name while this push was under way.
    #[error(
        "revision {revision} is stored, but another push took one of its names meanwhile; push again \
         without that name"
    )]
    TakenMeanwhile {
        /// The revision.
        revision: String,
        /// What was taken.
        refusals: Vec<Refusal>,
    },
    /// The store failed.
    #[error("the store could not be read or written")]
    Store(#[from] StoreError),
    /// The registry could not be read or written. The next push completes it.
    #[error("the registry of stacks (stacks/index.json) can't be used")]
    Registry(#[from] RegistryError),
    /// Another push was first.
    #[error("another push stored definitions of stack `{stack}` at the same time")]
    Moved {
        /// The stack.
        stack: StackName,
    },
    /// A newer program stored the definitions that count. Who can't read them must not replace them
    /// (semantics 8.7).
    #[error("a newer kedge stored the definitions of stack `{stack}`, and they are not replaced")]
    Newer {
        /// The stack.
        stack: StackName,
        /// Which version.
        #[source]
        source: BundleDecodeError,
    },
    /// A rollback does not begin a retired stack anew.
    #[error("stack `{stack}` is retired, and a rollback doesn't begin it anew; a push does")]
    Retired {
        /// The stack.
        stack: StackName,
    },
    /// There is no such revision.
    #[error("stack `{stack}` has no revision `{revision}`")]
    NoRevision {
        /// The stack.
        stack: StackName,
        /// What was asked for.
        revision: String,
    },
    /// What was asked for is too short to name a revision.
    #[error(
        "`{revision}` is too short: name a revision by at least {REVISION_CHARS_MIN} of its first characters"
    )]
    ShortRevision {
        /// What was asked for.
        revision: String,
    },
    /// The revision is there and can't be read.
    #[error("revision `{revision}` of stack `{stack}` can't be used; choose another")]
    DamagedRevision {
        /// The stack.
        stack: StackName,
        /// The revision.
        revision: String,
        /// Why.
        #[source]
        source: BundleDecodeError,
    },
    /// A revision's beginning fits several.
    #[error("several revisions begin with `{revision}`: {}", found.join(", "))]
    Ambiguous {
        /// What was asked for.
        revision: String,
        /// What it begins.
        found: Vec<String>,
    },
    /// It could not be read back, and is not written.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

impl PushError {
    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<Hint> {
        match self {
            Self::Moved { .. } | Self::Retired { .. } => Some(Hint::Push {
                after_rollback: None,
            }),
            Self::NoRevision { .. }
            | Self::ShortRevision { .. }
            | Self::DamagedRevision { .. }
            | Self::Ambiguous { .. } => Some(Hint::History),
            _ => None,
        }
    }
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
    let declared = read(job.bundle, stack, settings.overrides)?;
    let standing = PushedBefore::read(store, stack, settings.overrides).await?;
    let stored = standing.read.stored.as_deref();
    let same_content = stored.is_some_and(|stored| stored.bundle.files() == job.bundle.files());
    let ancestry = match stored.and_then(|stored| stored.pushed.commit.as_ref()) {
        Some(commit) => (job.ancestry)(commit),
        None if stored.is_none() => Ancestry::Descends,
        None => Ancestry::NotChecked("the stored definitions name no commit".to_owned()),
    };
    let in_force = standing.state();
    let (refusals, said) = judge(PushInput {
        declared: &declared,
        stored,
        // What can't be used is replaced whatever it says.
        same_content: same_content && standing.read.fault.is_none(),
        before: &standing.before,
        index: &standing.index.index,
        in_force: in_force.map(|state| &state.policy),
        ancestry: &ancestry,
        consent: job.consent,
    });
    let refusals = [refusals, standing.owners_unknown(&declared)].concat();
    if !refusals.is_empty() {
        return Err(PushError::Refused(refusals));
    }
    let pushed = Pushed {
        actor: settings.actor.to_owned(),
        at: ports.now(),
        commit: job.commit.cloned(),
        branch: job.branch.map(str::to_owned),
    };
    let mut notices = standing.notices(stack);
    notices.extend(said);
    let names: Vec<String> = declared.variables.iter().map(|key| variable(key)).collect();
    if !names.is_empty() {
        notices.push(Notice::VariablesUsed { names });
    }
    let write = Write {
        store,
        standing: &standing,
        declared: &declared,
    };
    let (stored, outcome) = match stored {
        Some(stored) if same_content && !lifts(stored, job.consent) => {
            write.same(stored, pushed, &ancestry).await?
        }
        _ => (
            write.revision(job.bundle, pushed, None).await?,
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
    // The registry learns only by a push that a person's `up` began it anew.
    let began_anew = standing
        .state()
        .is_some_and(|state| state.retired.is_none());
    if standing.is_retired(stack) && !began_anew {
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
    };
    let stored = write
        .revision(&old.bundle, pushed, Some(old.revision()))
        .await?;
    write
        .finish(stored, PushOutcome::Stored, standing.notices(stack))
        .await
}

/// Whether this push ends a push hold, and so makes a revision although the content is the same.
fn lifts(stored: &StoredBundle, consent: &PushConsent) -> bool {
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

/// What a push finds.
struct PushedBefore {
    read: ReadBundle,
    before: Before,
    index: ReadIndex,
    state: Result<Option<State>, StateStoreError>,
}

impl PushedBefore {
    async fn read<S: Store>(
        store: &S,
        stack: &StackName,
        overrides: &BTreeMap<String, String>,
    ) -> Result<Self, PushError> {
        let (mut read, declared) = read_parsed(store, stack, overrides).await?;
        match read.fault.take() {
            Some(BundleFault::Damaged { stack, source }) if source.is_newer() => {
                return Err(PushError::Newer { stack, source });
            }
            fault => read.fault = fault,
        }
        let index = registry::read(store).await?;
        let state = state_store::read_state(store, stack).await;
        let state = state.map(|read| read.state);
        let before = match (&declared, &state) {
            (Some(declared), _) => declared_before(declared),
            (None, Ok(Some(state))) => recorded_before(state),
            (None, _) => Before::new(),
        };
        Ok(Self {
            read,
            before,
            index,
            state,
        })
    }

    /// Whether the stack is retired, and what is stored now is from before that. State says so from the
    /// first deletion on, the registry once nothing is left.
    fn is_retired(&self, stack: &StackName) -> bool {
        let stored = self.read.stored.as_deref();
        let retired = self.state().and_then(|state| state.retired);
        let is_after = |stored: &StoredBundle| retired.is_some_and(|at| at < stored.pushed.at);
        let entry = self.index.index.stacks.get(stack);
        // Where the registry has another revision, an interrupted push stored it anew already.
        let is_of_entry = |entry: &Entry| {
            entry.retired && stored.is_none_or(|stored| stored.revision() == entry.revision)
        };
        (retired.is_some() && !stored.is_some_and(is_after)) || entry.is_some_and(is_of_entry)
    }

    fn state(&self) -> Option<&State> {
        self.state.as_ref().ok().and_then(Option::as_ref)
    }

    /// Refuses record sets that are new here while not all names of another stack are known.
    fn owners_unknown(&self, declared: &Declared) -> Vec<Refusal> {
        let unread = self.index.made.iter().flat_map(|made| &made.unread);
        let Some(stack) = unread.into_iter().find(|other| **other != declared.stack) else {
            return Vec::new();
        };
        let recorded = |key| {
            self.state()
                .is_some_and(|one| one.resources.contains_key(key))
        };
        let new = declared.resources.values().filter(|resource| {
            let key = &resource.key;
            let is_shared = key.kind().entry().naming == Naming::SharedByName;
            is_shared && !self.before.contains_key(key) && !recorded(key)
        });
        new.map(|resource| Refusal::OwnerUnknown {
            key: resource.key.clone(),
            origin: resource.origin.to_string(),
            stack: stack.clone(),
        })
        .collect()
    }

    fn notices(&self, stack: &StackName) -> Vec<Notice> {
        let mut notices = Vec::new();
        match &self.read.fault {
            None | Some(bundles::BundleFault::NeverPushed { .. }) => {}
            Some(fault) => notices.push(Notice::StoredInvalid {
                reason: fault.to_string(),
                judged_by: self.read.stored.as_deref().map(StoredBundle::revision),
            }),
        }
        if let Some(Made { damage, unread, .. }) = &self.index.made {
            let mine = |other: &&StackName| **other != *stack;
            let others = self.index.index.stacks.keys().filter(mine).count();
            let damage = damage.as_ref().map(ToString::to_string);
            // The first push of all finds nothing.
            if damage.is_some() || others > 0 {
                let unread = unread.iter().filter(mine).cloned().collect();
                notices.push(Notice::IndexMade {
                    damage,
                    others,
                    unread,
                });
            }
        }
        if let Err(error) = &self.state {
            let reason = error.to_string();
            notices.push(Notice::StateUnread { reason });
        }
        notices
    }
}
