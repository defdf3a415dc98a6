//! Whether a revision may take the place of the stored one (semantics 2.1, 2.3, 4.4, 7.3, 7.4, 7.6).
//!
//! What git says, what is stored and what the registry holds come in as values; the engine reads them.

mod messages;
mod upload;

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Declared, Policy, ResourceKey, StackName};
use crate::plan::policy_in_force;
use crate::providers::Naming;
use crate::stored::bundle::StoredBundle;
use crate::stored::index::Index;
use crate::stored::state::State;

pub use upload::UploadInput;

/// A share of removed resources above this many percent must be confirmed.
const REMOVED_PERCENT_MAX: usize = 10;
/// The share counts once there are this many resources; of fewer, one is always a large share.
const SHARE_COUNTS_FROM: usize = 10;
/// The fewest characters by which a revision may be named.
pub const REVISION_CHARS_MIN: usize = 4;

/// What git says of the stored commit and the one that is pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ancestry {
    /// The stored commit is an ancestor of the pushed one, or the same.
    Descends,
    /// It is not: the pushed one is older, or of another branch.
    DoesNotDescend,
    /// There is nothing to ask. Reads on after "because".
    NotChecked(String),
    /// The history at hand is too short to say. Reads on after "because".
    Unknown(String),
}

/// What whoever pushes agreed to beforehand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PushConsent {
    /// To replace a commit that is no ancestor.
    pub force: bool,
    /// To remove many resources from the definitions.
    pub removals: bool,
    /// To end the push hold of this rollback: the revision that it made.
    pub after_rollback: Option<String>,
}

/// What was declared or recorded before, by resource, with the file it was declared in.
pub type Before = BTreeMap<ResourceKey, Option<String>>;

/// How new definitions come.
#[derive(Debug, Clone, Copy)]
pub enum Source<'a> {
    /// Somebody pushes a folder.
    Folder {
        /// What git says.
        ancestry: &'a Ancestry,
        /// What was agreed to.
        consent: &'a PushConsent,
    },
    /// Somebody put them at `upload/`.
    Upload(UploadInput<'a>),
}

/// The new definitions, and what they are compared with.
#[derive(Debug, Clone, Copy)]
pub struct PushInput<'a> {
    /// The new definitions, parsed.
    pub declared: &'a Declared,
    /// What is stored now; none if nothing is that can be used.
    pub stored: Option<&'a StoredBundle>,
    /// Whether the new content is that of what is stored.
    pub same_content: bool,
    /// What was declared before: by the stored definitions, else by the last good ones. If there never
    /// were any, what state records.
    pub before: &'a Before,
    /// The registry.
    pub index: &'a Index,
    /// The policy in force, if the stack has a state.
    pub in_force: Option<&'a Policy>,
    /// How they come.
    pub source: Source<'a>,
}

/// Why definitions are refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The stack's name, with a dash, begins another's, or the other way round (2.1).
    NamesOverlap {
        /// The stack.
        stack: StackName,
        /// The other one.
        other: StackName,
    },
    /// Another stack declares or records a record set (2.3).
    OwnedByAnother {
        /// The record set.
        key: ResourceKey,
        /// Where it is declared: `file:line`.
        origin: String,
        /// Whose it is.
        owner: StackName,
    },
    /// Whether another stack has a record set that is new here could not be read (2.3).
    OwnerUnknown {
        /// The record set.
        key: ResourceKey,
        /// Where it is declared: `file:line`.
        origin: String,
        /// Which other stack.
        stack: StackName,
    },
    /// Too much would be removed at once (7.3).
    Removes {
        /// What would be.
        keys: Vec<ResourceKey>,
        /// Of how many.
        of: usize,
        /// Files of which nothing would be left.
        files: Vec<String>,
    },
    /// The stored commit is not an ancestor of the pushed one (7.4).
    NotDescended {
        /// The stored commit.
        stored: String,
    },
    /// Whether it is can't be told.
    DescentUnknown {
        /// The stored commit.
        stored: String,
        /// Why not.
        reason: String,
    },
    /// A rollback is stored, and the push does not confirm that it comes after it (7.4).
    RolledBack {
        /// The revision that the rollback made.
        revision: String,
        /// The one whose content it brought back.
        to: String,
        /// Who did it.
        by: String,
    },
    /// An upload would allow automation more, which a person has to see (4.4, 7.6).
    Loosens {
        /// What would become looser.
        loosened: Vec<String>,
    },
    /// Whether an upload would do that can't be told, because state can't be read.
    LooseningUnknown {
        /// Why.
        reason: String,
    },
    /// An upload was put before what is stored now (7.6).
    Outdated {
        /// The stored revision.
        revision: String,
        /// Who stored it.
        by: String,
    },
    /// The stack is retired, and an upload does not begin it anew (7.6).
    Retired {
        /// The stack.
        stack: StackName,
    },
    /// One file was uploaded, and there are no definitions to put it into (7.6).
    NothingToPutInto {
        /// Why not.
        reason: String,
    },
}

/// What is said of a push that goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The policy would allow automation more; that part waits for a person (4.4).
    PolicyNeedsConsent {
        /// What would.
        loosened: Vec<String>,
    },
    /// Whether the stored commit is an ancestor was not checked.
    AncestryNotChecked {
        /// Why.
        reason: String,
    },
    /// Resources are removed, as confirmed or few enough.
    Removed {
        /// Which.
        keys: Vec<ResourceKey>,
    },
    /// The registry was lost or damaged, and rebuilt from what is stored of the stacks.
    IndexMade {
        /// Why the stored one can't be used; none if there was none.
        damage: Option<String>,
        /// How many other stacks it has.
        others: usize,
        /// Those of which a part could not be read, so that not all of their record sets were checked.
        unread: Vec<StackName>,
    },
    /// Values of this machine's environment were used, and are not stored.
    VariablesUsed {
        /// The variables.
        names: Vec<String>,
    },
    /// State could not be read, so that it is not known whether the policy allows automation more.
    StateUnread {
        /// Why.
        reason: String,
    },
    /// What was stored could not be used; the checks went by this revision, if by any.
    StoredInvalid {
        /// Why.
        reason: String,
        /// The last good revision.
        judged_by: Option<String>,
    },
}

/// Judges definitions: why they are refused, and what is said if they are not.
#[must_use]
pub fn judge(input: PushInput<'_>) -> (Vec<Refusal>, Vec<Notice>) {
    let (mut refusals, mut notices) = (names(input.declared, input.index), Vec::new());
    match input.source {
        Source::Folder { ancestry, consent } if !input.same_content => {
            rollback_holds(input, consent, &mut refusals);
            descent(input, ancestry, consent, &mut refusals, &mut notices);
            removals(input, consent.removals, &mut refusals, &mut notices);
        }
        Source::Folder { .. } => {}
        Source::Upload(upload) => {
            upload::judge(input, upload, &mut refusals);
            if !input.same_content {
                removals(input, false, &mut refusals, &mut notices);
            }
        }
    }
    let (_, change) = policy_in_force(input.in_force, &input.declared.policy);
    if !change.loosened.is_empty() {
        let loosened = change.loosened;
        notices.push(Notice::PolicyNeedsConsent { loosened });
    }
    (refusals, notices)
}

/// Refusals because of other stacks' names (2.1, 2.3).
#[must_use]
pub fn names(declared: &Declared, index: &Index) -> Vec<Refusal> {
    let stack = &declared.stack;
    let overlap = index.overlapping(stack).map(|other| Refusal::NamesOverlap {
        stack: stack.clone(),
        other: other.clone(),
    });
    let taken = declared.resources.values().filter_map(|resource| {
        let key = resource.key.clone();
        let owner = index.owner(stack, &key)?.clone();
        let origin = resource.origin.to_string();
        Some(Refusal::OwnedByAnother { key, origin, owner })
    });
    overlap.into_iter().chain(taken).collect()
}

fn rollback_holds(input: PushInput<'_>, consent: &PushConsent, refusals: &mut Vec<Refusal>) {
    let Some((stored, to)) = input
        .stored
        .and_then(|stored| Some((stored, stored.rollback_of.clone()?)))
    else {
        return;
    };
    let revision = stored.revision();
    let given = consent.after_rollback.as_deref();
    if !given.is_some_and(|given| names_revision(given, &revision)) {
        let by = stored.pushed.actor.clone();
        refusals.push(Refusal::RolledBack { revision, to, by });
    }
}

/// Whether a text names a revision: the whole of it, or its beginning.
#[must_use]
pub fn names_revision(text: &str, revision: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text.len() >= REVISION_CHARS_MIN && revision.starts_with(&text)
}

fn descent(
    input: PushInput<'_>,
    ancestry: &Ancestry,
    consent: &PushConsent,
    refusals: &mut Vec<Refusal>,
    notices: &mut Vec<Notice>,
) {
    let commit = input
        .stored
        .and_then(|stored| stored.pushed.commit.as_ref());
    let stored = commit.map(|commit| commit.id.clone()).unwrap_or_default();
    let forced = consent.force;
    match ancestry.clone() {
        Ancestry::Descends => {}
        Ancestry::NotChecked(reason) => notices.push(Notice::AncestryNotChecked { reason }),
        Ancestry::DoesNotDescend if !forced => refusals.push(Refusal::NotDescended { stored }),
        Ancestry::Unknown(reason) if !forced => {
            refusals.push(Refusal::DescentUnknown { stored, reason });
        }
        Ancestry::DoesNotDescend | Ancestry::Unknown(_) => {
            let reason = "the push was forced".to_owned();
            notices.push(Notice::AncestryNotChecked { reason });
        }
    }
}

fn removals(
    input: PushInput<'_>,
    confirmed: bool,
    refusals: &mut Vec<Refusal>,
    notices: &mut Vec<Notice>,
) {
    let now = &input.declared.resources;
    // A resource that another file declares now was moved, not removed.
    let is_left = |key: &ResourceKey| now.contains_key(key);
    let keys: Vec<ResourceKey> = input
        .before
        .keys()
        .filter(|key| !is_left(key))
        .cloned()
        .collect();
    if keys.is_empty() {
        return;
    }
    let kept = files(input.before, is_left);
    let mut emptied = files(input.before, |key| !is_left(key));
    emptied.retain(|file| !kept.contains(file));
    let of = input.before.len();
    let is_large = of >= SHARE_COUNTS_FROM && keys.len() * 100 > of * REMOVED_PERCENT_MAX;
    if (is_large || !emptied.is_empty()) && !confirmed {
        let files = emptied.into_iter().map(str::to_owned).collect();
        refusals.push(Refusal::Removes { keys, of, files });
    } else {
        notices.push(Notice::Removed { keys });
    }
}

fn files(before: &Before, wanted: impl Fn(&ResourceKey) -> bool) -> BTreeSet<&str> {
    let wanted = before.iter().filter(|(key, _)| wanted(key));
    wanted.filter_map(|(_, file)| file.as_deref()).collect()
}

/// What definitions declare, each with its file.
#[must_use]
pub fn declared_before(declared: &Declared) -> Before {
    let of = |(key, resource): (&ResourceKey, &crate::model::DeclaredResource)| {
        (key.clone(), Some(resource.origin.file.to_string()))
    };
    declared.resources.iter().map(of).collect()
}

/// What state records. A first push of a stack that exists already is compared with it.
#[must_use]
pub fn recorded_before(state: &State) -> Before {
    let keys = state.resources.keys();
    keys.map(|key| (key.clone(), None)).collect()
}

/// The record sets that a stack has: those it declares, and those its state still records. Where
/// state could not be read, those that the registry listed stay.
#[must_use]
pub fn record_sets(
    declared: Option<&Declared>,
    state: Result<Option<&State>, ()>,
    listed: &BTreeSet<ResourceKey>,
) -> BTreeSet<ResourceKey> {
    let is_set = |key: &&ResourceKey| key.kind().entry().naming == Naming::SharedByName;
    let own = declared.into_iter().flat_map(|one| one.resources.keys());
    let own = own.filter(is_set).cloned();
    let kept: Vec<ResourceKey> = match state {
        Ok(None) => Vec::new(),
        Ok(Some(state)) => state.resources.keys().filter(is_set).cloned().collect(),
        Err(()) => listed.iter().cloned().collect(),
    };
    own.chain(kept).collect()
}

fn short(commit: &str) -> &str {
    commit.get(..10).unwrap_or(commit)
}

#[cfg(test)]
mod tests;
