//! What a plan reports and nobody can do, whoever agrees (semantics 6.6).

use crate::model::{FieldName, ResourceKey};

/// Sorts of findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FindingKind {
    /// The provider can't.
    Impossible,
    /// An address nobody declared, on a node that is not `exclusive`.
    NotExclusive,
    /// Another stack's, or in the way.
    Blocked,
    /// Our own change has no effect.
    DidNotTake,
    /// Recorded and live, no longer declared, and `prune` is off.
    Orphan,
    /// It depends on another resource, which could not be read.
    DependsOn,
    /// A person holds it, or what it depends on.
    Held,
    /// The provider says that it does not do its work, and nothing that is declared puts that right.
    Unhealthy,
    /// A member holds the role under a condition that a person set.
    Condition,
}

/// Something that is reported and can't be changed by anybody (semantics 6.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// About what.
    pub key: ResourceKey,
    /// Which field, if one.
    pub field: Option<FieldName>,
    /// Of what sort.
    pub kind: FindingKind,
    /// What there is to say: one sentence without a final stop.
    pub message: String,
}
