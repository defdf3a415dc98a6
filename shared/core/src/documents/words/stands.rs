//! How things stand, and why.

use serde::Serialize;

use super::Word;
use crate::compare::{Cause as CoreCause, Verdict as CoreVerdict};
use crate::live::FailureCode as CoreFailureCode;
use crate::model::Unit as CoreUnit;
use crate::plan::FindingKind as CoreFinding;
use crate::report::StackVerdict as CoreStackVerdict;

words! {
    /// How a stack stands: the worst of what was found.
    StackVerdict of CoreStackVerdict {
        /// Nothing differs, or only what the provider is catching up with.
        Clean => "clean",
        /// It has no state yet.
        NotAdopted => "not-adopted",
        /// The definitions were edited, or an environment variable that they use changed.
        Pending => "pending",
        /// Something changed at a provider without Kedge.
        Drifted => "drifted",
        /// Something could not be read.
        Incomplete => "incomplete",
        /// The definitions can't be used.
        Invalid => "invalid",
    }
}

words! {
    /// How a resource stands.
    Verdict of CoreVerdict {
        /// It is as declared.
        InSync => "in-sync",
        /// It was just changed, or is being changed, and the provider may still show the old value.
        CatchingUp => "catching-up",
        /// It differs, and a rule says to ignore that.
        Ignored => "ignored",
        /// It is recorded and live, and no longer declared.
        Orphan => "orphan",
        /// It is declared and live, and was never recorded.
        NotAdopted => "not-adopted",
        /// Its definition was edited.
        Pending => "pending",
        /// It changed at the provider without Kedge.
        Drifted => "drifted",
        /// Both of these.
        DriftedAndPending => "drifted-and-pending",
        /// It could not be read.
        Unknown => "unknown",
    }
}

words! {
    /// Why a field, an item or a whole resource is not as declared.
    Cause of CoreCause {
        /// It changed at the provider without Kedge.
        Drifted => "drifted",
        /// Its definition was edited.
        Edited => "edited",
        /// Both of these.
        EditedAndDrifted => "edited-and-drifted",
        /// It differed when it was adopted: a person decides which is right.
        NotAdopted => "not-adopted",
        /// The same, and it changed again since.
        NotAdoptedAndDrifted => "not-adopted-and-drifted",
        /// It is declared and was never there.
        New => "new",
        /// It is recorded and gone.
        Missing => "missing",
        /// It was removed from the definitions.
        Removed => "removed",
        /// A run deleted it to replace it, and stopped before it was made again.
        Interrupted => "interrupted",
    }
}

words! {
    /// Why something could not be read.
    FailureCode of CoreFailureCode {
        /// There are no credentials.
        NoCredentials => "no-credentials",
        /// The credentials were refused (401).
        Unauthenticated => "unauthenticated",
        /// The credentials may not do this (403).
        Forbidden => "forbidden",
        /// The project, service or zone is not there (404).
        ScopeNotFound => "scope-not-found",
        /// The service is not running.
        NotRunning => "not-running",
        /// There were too many requests, and waiting would outlast the run.
        RateLimited => "rate-limited",
        /// The provider failed more often than Kedge retries.
        ProviderError => "provider-error",
        /// There was no answer in time, or none at all.
        Network => "network",
        /// The answer can't be understood.
        StrangeAnswer => "strange-answer",
        /// The answer contradicts itself or another one.
        Inconsistent => "inconsistent",
        /// It is listed, and no read shows it.
        ListedOnly => "listed-only",
        /// Too much is gone at once to believe it.
        MassAbsence => "mass-absence",
        /// State changed during each attempt to check.
        BeingChanged => "being-changed",
        /// The provider is creating or changing it now.
        InTransition => "in-transition",
        /// The provider is deleting it now.
        BeingDeleted => "being-deleted",
        /// The requests that this run may make were used up.
        OutOfRequests => "out-of-requests",
        /// The time that this run has was used up.
        OutOfTime => "out-of-time",
    }
}

words! {
    /// The unit of a whole number.
    Unit {
        /// Milliseconds.
        Milliseconds => "ms",
        /// Bytes.
        Bytes => "bytes",
        /// Seconds.
        Seconds => "s",
    }
}

impl Unit {
    /// The unit of a field; none for a plain number and for what is no number.
    pub(in crate::documents) fn of(unit: CoreUnit) -> Option<Self> {
        match unit {
            CoreUnit::Plain => None,
            CoreUnit::Milliseconds => Some(Self::Milliseconds),
            CoreUnit::Bytes => Some(Self::Bytes),
            CoreUnit::Seconds => Some(Self::Seconds),
        }
    }
}

words! {
    /// What Kedge can't or won't change.
    FindingKind of CoreFinding {
        /// The provider can't do it.
        Impossible => "impossible",
        /// An address that nobody declared, on a node that is not `exclusive`.
        NotExclusive => "not-exclusive",
        /// It belongs to another stack, or something is in its way.
        Blocked => "blocked",
        /// Kedge changed it twice, without effect.
        NoEffect = DidNotTake => "no-effect",
        /// It is no longer declared, and `prune` is off.
        Orphan => "orphan",
        /// What it depends on could not be read.
        DependsOn => "depends-on",
        /// A person holds it, or what it depends on.
        Held => "held",
        /// The provider says that it does not work, and no declared field mends that.
        Unhealthy => "unhealthy",
        /// A member has the role under a condition that a person set.
        Condition => "condition",
    }
}
