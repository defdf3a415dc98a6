//! Why something could not be read.

/// Why something could not be read, for people and for machines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadFailure {
    /// What went wrong in one sentence without a final stop: `403: needs pubsub.topics.getIamPolicy`.
    pub reason: String,
    /// The permission the call needs, where the failure is one of permission.
    pub permission: Option<String>,
    /// A word for machines.
    pub code: FailureCode,
}

/// Sorts of read failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FailureCode {
    /// The credentials are missing.
    NoCredentials,
    /// The credentials were refused (401).
    Unauthenticated,
    /// The credentials may not do this (403).
    Forbidden,
    /// The project, service or zone is not there (404), which proves nothing about what is in it.
    ScopeNotFound,
    /// The service is not running, so its lists mean nothing.
    NotRunning,
    /// Too many requests, and the wait would outlast the run.
    RateLimited,
    /// The provider failed (5xx, 408) more often than we retry.
    ProviderError,
    /// No answer in time, or none at all.
    Network,
    /// An answer that can't be understood: it is cut, is HTML, or has other types.
    StrangeAnswer,
    /// An answer that contradicts itself or another: a short page.
    Inconsistent,
    /// It is listed, and no read of it shows it. That can happen just after it was created.
    ListedOnly,
    /// Too many resources missing at once (semantics 3.2).
    MassAbsence,
    /// State changed during each reading, since somebody is changing the stack (semantics 3.4).
    BeingChanged,
    /// The provider says that the resource is being created or changed right now.
    InTransition,
    /// The provider says that the resource is being deleted right now.
    BeingDeleted,
    /// The run may not make the requests that it would take.
    OutOfRequests,
    /// The run's deadline is too close to ask for it.
    OutOfTime,
}

impl FailureCode {
    /// The word in JSON and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoCredentials => "no-credentials",
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::ScopeNotFound => "scope-not-found",
            Self::NotRunning => "not-running",
            Self::RateLimited => "rate-limited",
            Self::ProviderError => "provider-error",
            Self::Network => "network",
            Self::StrangeAnswer => "strange-answer",
            Self::Inconsistent => "inconsistent",
            Self::ListedOnly => "listed-only",
            Self::MassAbsence => "mass-absence",
            Self::BeingChanged => "being-changed",
            Self::InTransition => "in-transition",
            Self::BeingDeleted => "being-deleted",
            Self::OutOfRequests => "out-of-requests",
            Self::OutOfTime => "out-of-time",
        }
    }
}
