//! The commands about state. What each of them does is in [`kedge_core::record`].

use kedge_core::documents::{CommandName, Word as _};

/// What a person asks for besides `up`. Names are keys or short forms of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StateCommand {
    /// Record what is live and declared; change nothing (semantics 7.1).
    Adopt {
        /// Which; empty for all.
        names: Vec<String>,
    },
    /// Drop records; change nothing (semantics 7.3).
    Forget {
        /// Which.
        names: Vec<String>,
    },
    /// Record what is live as declared; drop the records of what is gone and no longer declared
    /// (semantics 7.2).
    Refresh,
    /// Confirm that resources that disappeared at once are gone (semantics 3.2).
    ConfirmAbsence {
        /// The digest of what the person saw; none only looks.
        expected_digest: Option<String>,
    },
    /// Delete what state records, and mark it retired (semantics 7.5).
    Retire {
        /// The digest of the plan that the person saw; none agrees to any.
        expected_digest: Option<String>,
    },
}

impl StateCommand {
    /// The word in commands and history.
    #[must_use]
    pub fn verb(&self) -> &'static str {
        CommandName::from(self).as_str()
    }
}
