//! What a run knows of the holds while it has the lease (semantics 6.8).

use kedge_core::model::{ResourceKey, StackName, Timestamp};
use kedge_core::stored::hold::{Holds, UnreadHolds};

use crate::ports::Store;
use crate::state_store::{self, StateStoreError};

/// Why nothing is begun while the store does not say what is held.
pub(super) const HOLDS_UNREAD: &str = "whether it is held could not be read";

/// What is known of the holds.
#[derive(Debug, Default)]
pub(super) enum KnownHolds {
    /// They were not read yet.
    #[default]
    Unread,
    /// They were, and can't be used: everything is held. Why.
    Unusable(String),
    /// They were.
    Read(Holds),
}

impl KnownHolds {
    /// Reads them; none where the store could not say.
    pub(super) async fn read<S: Store>(store: &S, stack: &StackName) -> Option<Self> {
        match state_store::read_holds(store, stack).await {
            Ok(holds) => Some(Self::Read(holds)),
            Err(StateStoreError::Stored { source, .. }) => {
                Some(Self::Unusable(UnreadHolds::of(&source).describe()))
            }
            Err(_) => None,
        }
    }

    /// Why nothing may be begun about a resource at this time.
    pub(super) fn hold_back(&self, key: &ResourceKey, now: Timestamp) -> Option<HoldStop> {
        match self {
            Self::Unread => Some(HoldStop::Unread(HOLDS_UNREAD.to_owned())),
            Self::Unusable(why) => Some(HoldStop::Unread(why.clone())),
            Self::Read(holds) => {
                let hold = holds.blocks(key, now);
                hold.map(|hold| HoldStop::By(hold.describe()))
            }
        }
    }
}

/// Why nothing may be begun about a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum HoldStop {
    /// A person holds it: who, until when, and why.
    By(String),
    /// Whether anybody holds it could not be read. Why.
    Unread(String),
}
