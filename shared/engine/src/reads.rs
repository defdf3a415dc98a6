//! How many requests it takes to read a scope: its provider says it, the budget promises it.

/// What reading one scope takes, in requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Reads {
    /// Lists, which are read once for all stacks of a group.
    pub(crate) shared: u64,
    /// What is read of the resources of one stack.
    pub(crate) own: u64,
}

impl Reads {
    pub(crate) fn requests(self) -> u64 {
        self.shared.saturating_add(self.own)
    }

    /// The same for the stacks of both.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            shared: self.shared.max(other.shared),
            own: self.own.saturating_add(other.own),
        }
    }
}

/// A number of things as a number of requests.
pub(crate) fn count(things: usize) -> u64 {
    u64::try_from(things).unwrap_or(u64::MAX)
}
