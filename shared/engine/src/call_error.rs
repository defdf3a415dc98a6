//! Why a request has no answer, after all attempts. What it means for a read or a change is said in each
//! provider's `error.rs`.

use std::fmt;

use kedge_core::live::FailureCode;
use kedge_core::ran_out::RanOut;

use crate::ports::HttpError;

/// Why there is no answer after all attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CallError {
    /// The last attempt brought no answer.
    Http(HttpError),
    /// The wait that the provider wants would outlast the run.
    WaitTooLong {
        /// What it wants.
        wait_ms: u64,
        /// The status that said so.
        status: u16,
    },
    /// It was not sent, since the lease does not allow it now (semantics 8.4).
    NoLease(String),
    /// It was not sent, or not once more, since the run may not make the request.
    RanOut(Unsent),
}

impl CallError {
    /// It was not sent at all.
    pub(crate) fn unsent(ran_out: RanOut) -> Self {
        let after = None;
        Self::RanOut(Unsent { ran_out, after })
    }

    /// It was not sent once more, after an attempt that came to this.
    pub(crate) fn not_repeated(ran_out: RanOut, after: String) -> Self {
        let after = Some(after);
        Self::RanOut(Unsent { ran_out, after })
    }
}

/// A request that the budget of the run does not allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unsent {
    ran_out: RanOut,
    /// What the last attempt came to; none if there was none.
    after: Option<String>,
}

impl Unsent {
    /// The word for machines.
    pub(crate) fn code(&self) -> FailureCode {
        self.ran_out.code()
    }
}

impl fmt::Display for Unsent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ran_out, after } = self;
        match after {
            Some(after) => write!(f, "{after}; not retried: {ran_out}"),
            None => write!(f, "{ran_out}"),
        }
    }
}
