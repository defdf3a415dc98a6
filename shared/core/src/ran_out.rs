//! The limits of a run that it can reach: its requests and its time.
//!
//! Only the values; `budget.rs` of the engine enforces them.

use std::fmt;

use crate::live::{FailureCode, ReadFailure};

/// A limit of a run was reached, so that something was not begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RanOut {
    /// It needs more requests than may still be made.
    Requests {
        /// How many it needs.
        needs: u64,
        /// How many it may have.
        left: u64,
    },
    /// It can't be begun so late: what must be written at the end of the run takes the time that is
    /// left.
    Time,
}

impl RanOut {
    /// The same as the reason why something was not read.
    #[must_use]
    pub fn failure(self) -> ReadFailure {
        ReadFailure {
            reason: self.to_string(),
            permission: None,
            code: self.code(),
        }
    }

    /// The word for machines.
    #[must_use]
    pub fn code(self) -> FailureCode {
        match self {
            Self::Requests { .. } => FailureCode::OutOfRequests,
            Self::Time => FailureCode::OutOfTime,
        }
    }
}

impl fmt::Display for RanOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Requests { needs, left } => {
                let requests = if *needs == 1 { "request" } else { "requests" };
                let are = if *left == 1 { "is" } else { "are" };
                write!(
                    f,
                    "out of requests: needs {needs} {requests}, {left} {are} left"
                )
            }
            Self::Time => f.write_str("out of time: too close to the run's deadline to begin it"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_agree_with_their_words() {
        for (needs, left, text) in [
            (63, 42, "out of requests: needs 63 requests, 42 are left"),
            (1, 0, "out of requests: needs 1 request, 0 are left"),
            (3, 1, "out of requests: needs 3 requests, 1 is left"),
        ] {
            assert_eq!(RanOut::Requests { needs, left }.to_string(), text);
        }
        let failure = RanOut::Time.failure();
        assert_eq!(failure.code.as_str(), "out-of-time");
        assert!(failure.reason.starts_with("out of time: "));
    }
}
