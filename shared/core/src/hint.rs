//! What a person can do next, as codes and values.
//!
//! Core and engine never spell a command: the command line, Slack and HTTP each say a hint in their own
//! words (the command line in `functions/cli/src/hints.rs`).

/// Something that a person can do next.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hint {
    /// Check the stack.
    Check,
    /// Look at the plan.
    Preview,
    /// Carry out the plan.
    Up {
        /// Only this plan, by its digest.
        plan: Option<String>,
        /// Destructive changes that are approved, by short key, or `policy`.
        allow: Vec<String>,
        /// Guards that are passed, by name.
        overrides: Vec<&'static str>,
    },
    /// Do now what automation does on its next run.
    Unattended,
    /// Record what is live.
    Adopt,
    /// Delete everything that is recorded of the stack.
    Retire,
    /// See the edit of the definitions that declares what is live.
    Accept {
        /// The resource's short key.
        key: String,
    },
    /// Store the local definitions.
    Push {
        /// The rollback that the push comes after.
        after_rollback: Option<String>,
    },
    /// See who holds the lease, and take it over.
    Unlock,
    /// Write a new hold over holds that can't be read.
    ReplaceHolds,
    /// Confirm that what is gone all at once is really gone.
    ConfirmAbsence {
        /// The digest of what was shown; none asks again.
        digest: Option<String>,
    },
    /// List pushes and runs.
    History,
    /// Approve destructive changes: an option of the command that was given.
    Allow {
        /// Short keys, or `policy`.
        keys: Vec<String>,
    },
    /// Push although the stored commit is not an ancestor: an option of the push.
    Force,
    /// Push although much is removed: an option of the push.
    Withdraw,
    /// Push after this rollback: an option of the push.
    AfterRollback {
        /// The revision that the rollback made.
        revision: String,
    },
    /// Show lists whole: an option of every command.
    Full,
    /// Run the same command again once the other run is done.
    RunAgain,
}

impl Hint {
    /// Carry out the plan, with nothing agreed to beforehand.
    #[must_use]
    pub fn up() -> Self {
        Self::Up {
            plan: None,
            allow: Vec::new(),
            overrides: Vec::new(),
        }
    }
}
