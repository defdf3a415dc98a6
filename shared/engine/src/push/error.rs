//! Why definitions were not stored, or not completely.

use kedge_core::definitions::{BundleError, Problems};
use kedge_core::hint::Hint;
use kedge_core::model::StackName;
use kedge_core::push::{REVISION_CHARS_MIN, Refusal};
use kedge_core::stored::EncodeError;
use kedge_core::stored::bundle::BundleDecodeError;
use thiserror::Error;

use crate::ports::StoreError;
use crate::registry::RegistryError;

/// Definitions were not stored, or not completely.
#[derive(Debug, Error)]
pub enum PushError {
    /// Nothing may be changed by this invocation.
    #[error("this is read-only: nothing may be stored from here")]
    ReadOnly,
    /// The definitions can't be used.
    #[error("the definitions can't be used")]
    Definitions(Problems),
    /// They are no bundle of definitions.
    #[error("the definitions can't be stored")]
    Bundle(#[from] BundleError),
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
