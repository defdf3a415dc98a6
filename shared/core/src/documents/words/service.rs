//! What the HTTP API says: how a request stands, and how the service does.

use serde::Serialize;

use super::Word;
use crate::stored::run_request::{AnswerOutcome, RequestedRun};
use crate::stored::token::TokenScope as CoreTokenScope;

words! {
    /// How a run that was asked for stands.
    RunStatus {
        /// It waits for its turn, or is being worked on.
        Queued => "queued",
        /// What was asked for was done. `document` says what was found and changed.
        Done => "done",
        /// It was not begun. `document` says why.
        Refused => "refused",
        /// It was begun and went wrong. `document` says why.
        Failed => "failed",
        /// Nobody worked on it within an hour, and nobody will. Ask again.
        Expired => "expired",
    }
}

words! {
    /// What was asked for.
    RequestName of RequestedRun {
        /// Say what differs.
        Check => "check",
        /// Say what `up` would do.
        Preview => "preview",
        /// Carry out a plan.
        Up => "up",
    }
}

words! {
    /// Whether all is well with automation.
    HealthStatus {
        /// Automation runs, and every stack was checked in time.
        Healthy => "healthy",
        /// It does not; `problems` says why.
        Unhealthy => "unhealthy",
    }
}

words! {
    /// Why automation is not well.
    HealthProblem {
        /// No schedule has started automation since the store was made.
        NoTick => "no-tick",
        /// The schedule last started automation too long ago.
        LateTick => "late-tick",
        /// Some stacks were last checked too long ago.
        LateChecks => "late-checks",
        /// The store could not be read, so nothing is known.
        Unreadable => "unreadable",
    }
}

words! {
    /// What a token may do.
    TokenScope of CoreTokenScope {
        /// See stacks, runs and history.
        Read => "read",
        /// Check and preview.
        Check => "check",
        /// Change what is live.
        Apply => "apply",
        /// Hold and release.
        Hold => "hold",
    }
}

words! {
    /// Whether a token can be used.
    TokenStatus {
        /// It can.
        Valid => "valid",
        /// Its time is over.
        Expired => "expired",
        /// Somebody ended it.
        Revoked => "revoked",
    }
}

impl From<AnswerOutcome> for RunStatus {
    fn from(outcome: AnswerOutcome) -> Self {
        match outcome {
            AnswerOutcome::Done => Self::Done,
            AnswerOutcome::Refused => Self::Refused,
            AnswerOutcome::Failed => Self::Failed,
        }
    }
}
