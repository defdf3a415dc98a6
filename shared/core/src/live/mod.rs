//! What the providers answer, in the core's own words.
//!
//! Each provider's folder in the engine makes these values; nothing here knows a wire format. [`reading`]
//! keeps the rule that matters most: a resource is absent only with a [`Proof`], and what nobody
//! answered about is unknown.

mod failure;
mod proof;
mod reading;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use failure::{FailureCode, ReadFailure};
pub use proof::Proof;
pub(crate) use reading::Entry;
pub use reading::{LiveWorld, Reading, ScopeReading};

use crate::model::{Fields, ResourceKey, StackName, marked_stack};

/// One resource as the provider shows it now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Live {
    /// Its fields, normalised. A field that the provider does not show is left out.
    pub fields: Fields,
    /// What a write needs besides: ids and marks. Never stored, never compared.
    pub detail: Detail,
    /// Why it does not work, by states that the provider shows and no field covers: sentences without a
    /// final stop. It is there and not as it was meant, so it is drift.
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
    /// What all stacks of a group want of the scope, this one too; empty for one that reads alone. They
    /// ask for it in the same requests. What is not among `keys` is never reported for being here.
    pub of_group: Arc<BTreeSet<ResourceKey>>,
}
