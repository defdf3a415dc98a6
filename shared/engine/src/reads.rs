//! What reading one scope takes, in requests: said by its provider, added up for the stacks of a group, and
//! promised by a budget. Numbers only.

use kedge_core::stored::index::ScopeReads;

/// A number of things as a number of requests.
pub(crate) fn count(things: usize) -> u64 {
    u64::try_from(things).unwrap_or(u64::MAX)
}

/// What reading one scope takes, in requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Reads {
    /// Lists, which are read once for all stacks of a group.
    pub(crate) lists: u64,
    /// What is read by name, many in a request.
    pub(crate) batches: Batches,
    /// What is read of the resources of one stack, each in a request of its own.
    pub(crate) own: u64,
}

/// Names that are read together. The stacks of a group fill the same requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Batches {
    /// How many names.
    pub(crate) names: u64,
    /// How many of them one request takes.
    pub(crate) size: u64,
}

impl Reads {
    /// How many requests it takes alone.
    pub(crate) fn requests(self) -> u64 {
        self.common().saturating_add(self.own)
    }

    /// How many of them stacks make together.
    pub(crate) fn common(self) -> u64 {
        let batches = self.batches.names.div_ceil(self.batches.size.max(1));
        self.lists.saturating_add(batches)
    }

    /// The same for the stacks of both. A name that both read counts twice.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            lists: self.lists.max(other.lists),
            batches: Batches {
                names: self.batches.names.saturating_add(other.batches.names),
                size: self.batches.size.max(other.batches.size),
            },
            own: self.own.saturating_add(other.own),
        }
    }
}

impl From<ScopeReads> for Reads {
    fn from(stored: ScopeReads) -> Self {
        Self {
            lists: stored.lists,
            batches: Batches {
                names: stored.names,
                size: stored.names_per_request,
            },
            own: stored.own,
        }
    }
}

impl From<Reads> for ScopeReads {
    fn from(reads: Reads) -> Self {
        Self {
            lists: reads.lists,
            names: reads.batches.names,
            names_per_request: reads.batches.size,
            own: reads.own,
        }
    }
}
