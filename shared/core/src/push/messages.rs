//! The sentences about a push: why it is refused, and what to know if it is not.

use std::fmt;

use super::{Notice, Refusal};
use crate::hint::Hint;
use crate::model::{ResourceKey, StackName};

impl Refusal {
    /// What to do about it.
    #[must_use]
    pub fn fix(&self) -> String {
        match self {
            Self::NamesOverlap { .. } => "rename the new stack".to_owned(),
            Self::OwnedByAnother { owner, .. } => format!(
                "remove it from {owner}'s definitions and push those, or declare another name"
            ),
            Self::OwnerUnknown { stack, .. } => format!("push {stack} first, with its variables"),
            Self::Removes { .. } => "if you mean it, confirm it".to_owned(),
            Self::NotDescended { .. } => {
                "merge or rebase onto the stored commit, or replace it".to_owned()
            }
            Self::DescentUnknown { .. } => {
                "fetch the whole history (actions/checkout: fetch-depth: 0), or replace the stored \
                 commit"
                    .to_owned()
            }
            Self::RolledBack { .. } => {
                "once the cause is fixed, confirm that this push comes after the rollback"
                    .to_owned()
            }
            Self::Loosens { .. } => "push it, and approve `policy` when you deploy it".to_owned(),
            Self::LooseningUnknown { .. } => "repair the state, or push it".to_owned(),
            Self::Outdated { .. } => "if it is still wanted, put it there again".to_owned(),
            Self::Retired { .. } => "push it, which begins the stack anew".to_owned(),
            Self::NothingToPutInto { .. } => {
                "put an archive of all definitions there, or push them".to_owned()
            }
        }
    }

    /// How the fix is said to the push, where it is.
    #[must_use]
    pub fn hint(&self) -> Option<Hint> {
        match self {
            Self::Removes { .. } => Some(Hint::Withdraw),
            Self::NotDescended { .. } | Self::DescentUnknown { .. } => Some(Hint::Force),
            Self::RolledBack { revision, .. } => Some(Hint::AfterRollback {
                revision: revision.clone(),
            }),
            Self::Loosens { .. }
            | Self::LooseningUnknown { .. }
            | Self::Retired { .. }
            | Self::NothingToPutInto { .. } => Some(Hint::Push {
                after_rollback: None,
            }),
            Self::NamesOverlap { .. }
            | Self::OwnedByAnother { .. }
            | Self::OwnerUnknown { .. }
            | Self::Outdated { .. } => None,
        }
    }
}

/// How many names a message lists.
const NAMES_MAX: usize = 10;

/// The first names of some resources, and how many more there are.
fn names_of(keys: &[ResourceKey]) -> String {
    let shown: Vec<&str> = keys.iter().take(NAMES_MAX).map(ResourceKey::name).collect();
    let shown = shown.join(", ");
    match keys.len().saturating_sub(NAMES_MAX) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NamesOverlap { stack, other } => write!(
                f,
                "the names of stack {stack} and stack {other} overlap: a resource whose name begins \
                 with the longer one would belong to both"
            ),
            Self::OwnedByAnother { key, origin, owner } => {
                write!(f, "{} belongs to stack {owner} ({origin})", key.name())
            }
            Self::OwnerUnknown { key, origin, stack } => write!(
                f,
                "whether {} belongs to stack {stack} is not known ({origin}): part of that stack could \
                 not be read",
                key.name()
            ),
            Self::Removes { keys, of, files } => {
                write!(f, "this removes {} of {of} resources", keys.len())?;
                match files.as_slice() {
                    [] => {}
                    files => write!(f, ", all of {}", files.join(", "))?,
                }
                write!(f, ": {}", names_of(keys))
            }
            Self::NotDescended { stored } => write!(
                f,
                "the stored commit {} is newer than yours, or on another branch",
                super::short(stored)
            ),
            Self::DescentUnknown { stored, reason } => write!(
                f,
                "whether the stored commit {} is an ancestor of yours is not known: {reason}",
                super::short(stored)
            ),
            Self::RolledBack { revision, to, by } => write!(
                f,
                "{by} rolled the stack back to {to} (as revision {revision}), and pushes wait until \
                 somebody confirms that the cause is fixed"
            ),
            Self::Loosens { loosened } => write!(
                f,
                "the policy would allow automation more ({}), and an upload can't ask a person",
                loosened.join(", ")
            ),
            Self::LooseningUnknown { reason } => write!(
                f,
                "whether the policy would allow automation more is not known: state could not be read: \
                 {reason}"
            ),
            Self::Outdated { revision, by } => write!(
                f,
                "it was put there before revision {revision} was stored ({by}), so it is older"
            ),
            Self::Retired { stack } => {
                write!(
                    f,
                    "stack {stack} is retired, and an upload doesn't begin it anew"
                )
            }
            Self::NothingToPutInto { reason } => {
                write!(
                    f,
                    "there are no definitions to put this file into: {reason}"
                )
            }
        }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PolicyNeedsConsent { loosened } => write!(
                f,
                "the policy would allow automation more ({}): that waits until a person approves \
                 `policy`, and the stricter policy stays in force",
                loosened.join(", ")
            ),
            Self::AncestryNotChecked { reason } => {
                write!(
                    f,
                    "whether this push is the newest was not checked: {reason}"
                )
            }
            Self::Removed { keys } => {
                write!(
                    f,
                    "removed from the definitions; deleted only with `prune: true` and approval: {}",
                    names_of(keys)
                )
            }
            Self::IndexMade {
                damage,
                others,
                unread,
            } => {
                let was = damage.as_ref().map(|why| format!("can't be used ({why})"));
                let was = was.unwrap_or_else(|| "was missing".to_owned());
                let stacks = match others {
                    1 => "1 other stack".to_owned(),
                    others => format!("{others} other stacks"),
                };
                write!(
                    f,
                    "stacks/index.json {was}; it was rebuilt from what is stored of {stacks}"
                )?;
                match unread.as_slice() {
                    [] => Ok(()),
                    unread => {
                        let names: Vec<&str> = unread.iter().map(StackName::as_str).collect();
                        let names = names.join(", ");
                        write!(
                            f,
                            "; part of {names} could not be read, so not all of their DNS record sets \
                             were checked"
                        )
                    }
                }
            }
            Self::VariablesUsed { names } => write!(
                f,
                "{} is set here and its value is not stored: every machine that runs this stack needs \
                 it",
                names.join(", ")
            ),
            Self::StateUnread { reason } => write!(
                f,
                "whether the policy allows automation more was not checked: state could not be read: \
                 {reason}"
            ),
            Self::StoredInvalid { reason, judged_by } => {
                write!(f, "{reason}; this push was ")?;
                match judged_by {
                    Some(revision) => write!(f, "compared with revision {revision}"),
                    None => f.write_str("checked as if it were the stack's first"),
                }
            }
        }
    }
}
