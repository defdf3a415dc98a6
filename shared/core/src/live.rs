//! What the providers answer, in the core's own words.
//!
//! A provider's `normalize.rs` makes these; nothing here knows a wire format. The one rule that
//! matters most stands in the types: what could not be read is [`Reading::Unknown`], never absent.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Fields, Kind, ResourceKey, Scope, StackName, marked_stack};

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
    /// The project, service or zone is not there (404): says nothing of what is in it.
    ScopeNotFound,
    /// The service is not running, so its lists mean nothing.
    NotRunning,
    /// Too many requests, and the wait would outlast the run.
    RateLimited,
    /// The provider failed (5xx, 408) more often than we retry.
    ProviderError,
    /// No answer in time, or none at all.
    Network,
    /// An answer that can't be understood: cut, HTML, other types.
    StrangeAnswer,
    /// An answer that contradicts itself or another: a short page.
    Inconsistent,
    /// It is listed, and no read of it shows it. What was made a moment ago may be so.
    ListedOnly,
    /// Too much gone at once to believe it (semantics 3.2).
    MassAbsence,
    /// State moved under each look, since somebody is changing the stack (semantics 3.4).
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

/// One resource as the provider shows it now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Live {
    /// Its fields, normalised. A field that the provider does not show is left out.
    pub fields: Fields,
    /// What a write needs besides: ids and marks. Never stored, never compared.
    pub detail: Detail,
    /// Why it does not do its work, by what the provider says of it and no field covers: sentences
    /// without a final stop. It is there and differs from what was meant, so it is drift.
    pub unhealthy: Vec<String>,
    /// The members of a binding that hold its role under a condition, each with the condition in
    /// words. They are not among the binding's members: a condition narrows what they may do.
    pub conditions: BTreeMap<String, String>,
}

/// What a provider's writer needs to know of the live resource, besides its fields.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Detail {
    /// Nothing.
    #[default]
    None,
    /// The records behind a record set, by address.
    DnsRecords(Vec<DnsRecord>),
    /// A subscription whose topic was deleted under it (`_deleted-topic_`): it never gets a message
    /// again and must be replaced.
    OrphanedSubscription,
    /// A subscription that was detached from its topic: it never gets a message again and must be
    /// replaced, whatever else is changed about it.
    DetachedSubscription,
}

impl Live {
    /// Whether one of its records bears this stack's mark.
    #[must_use]
    pub fn is_marked_by(&self, stack: &StackName) -> bool {
        let Detail::DnsRecords(records) = &self.detail else {
            return false;
        };
        let is_ours = |record: &DnsRecord| marked_stack(&record.comment).as_ref() == Some(stack);
        records.iter().any(is_ours)
    }
}

/// One DNS record of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsRecord {
    /// Cloudflare's id of it.
    pub id: String,
    /// Its address, in canonical text.
    pub address: String,
    /// Its time to live in seconds; 1 is automatic.
    pub ttl: i64,
    /// Whether traffic goes through Cloudflare.
    pub proxied: bool,
    /// Its comment; empty when there is none.
    pub comment: String,
}

/// What is known of one resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading<'a> {
    /// It is there.
    Present(&'a Live),
    /// It is proven not to be there (semantics 3.1).
    Absent,
    /// It could not be read.
    Unknown(&'a ReadFailure),
}

/// What was read of one scope.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScopeReading {
    /// Everything that is there and was asked for, or stands in an asked-for namespace.
    pub resources: BTreeMap<ResourceKey, Live>,
    /// Single resources that could not be read.
    pub unknown: BTreeMap<ResourceKey, ReadFailure>,
    /// Kinds that could not be read at all.
    pub failed: BTreeMap<Kind, ReadFailure>,
    /// Why a resource that is not there can't be made, by what was read: what stands in its way, a
    /// name outside its zone. A sentence without a final stop.
    pub obstacles: BTreeMap<ResourceKey, String>,
    /// What else the provider says of a resource, there or not, that no field covers and that is no
    /// difference: sentences without a final stop.
    pub notes: BTreeMap<ResourceKey, Vec<String>>,
}

impl ScopeReading {
    /// A scope of which nothing could be read.
    #[must_use]
    pub fn failed(kinds: &[Kind], failure: &ReadFailure) -> Self {
        let failed = kinds.iter().map(|kind| (*kind, failure.clone())).collect();
        Self {
            failed,
            ..Self::default()
        }
    }

    /// What is known of one resource of this scope.
    #[must_use]
    pub fn reading(&self, key: &ResourceKey) -> Reading<'_> {
        self.reading_of(key, self.resources.get(key))
    }

    /// The same, for who has looked up already what is there of it.
    pub(crate) fn reading_of<'a>(
        &'a self,
        key: &ResourceKey,
        live: Option<&'a Live>,
    ) -> Reading<'a> {
        if let Some(failure) = self.unknown.get(key) {
            return Reading::Unknown(failure);
        }
        if let Some(live) = live {
            return Reading::Present(live);
        }
        match self.failed.get(&key.kind()) {
            Some(failure) => Reading::Unknown(failure),
            None => Reading::Absent,
        }
    }
}

/// What was read of all scopes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LiveWorld {
    /// By scope.
    pub scopes: BTreeMap<Scope, ScopeReading>,
}

impl LiveWorld {
    /// What is known of one resource; none if its scope was never asked for.
    #[must_use]
    pub fn reading(&self, key: &ResourceKey) -> Option<Reading<'_>> {
        self.scopes.get(key.scope()).map(|scope| scope.reading(key))
    }
}

/// What a read of one scope is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    /// Declared or recorded resources: the ones to report on.
    pub keys: BTreeSet<ResourceKey>,
    /// The recorded ones among them: only of these is a GET made to prove an absence.
    pub recorded: BTreeSet<ResourceKey>,
    /// The declared ones among them: where one is not there, it is looked into whether it can be made.
    pub declared: BTreeSet<ResourceKey>,
    /// The stack. DNS record sets that bear its mark are reported too, whatever their name.
    pub stack: Option<StackName>,
    /// Name prefixes whose other Kafka and Pub/Sub resources are reported too (`{stack}-`), for
    /// unmanaged things.
    pub namespaces: BTreeSet<String>,
    /// The members of bindings that are declared or recorded. A binding that only others hold, under
    /// conditions, is not there.
    pub members: BTreeMap<ResourceKey, BTreeSet<String>>,
    /// Whether DNS names that nobody asked for are reported too (`kedge audit`).
    pub every_dns_name: bool,
}
