//! What Kedge knows of each provider: one entry each, one file each.
//!
//! Whatever lists providers or kinds elsewhere (credentials, endpoints, ownership of names, risk,
//! documentation) asks the entry. Only this file matches on [`ProviderName`] and [`Kind`], so the
//! compiler asks for the entry of a new one. How a provider is called is in the engine's folder
//! `providers/`. `CONTRIBUTING.md` says how to add one.

mod aiven;
mod cloudflare;
mod pubsub;

use std::fmt;

use crate::live::Live;
use crate::model::{FieldName, FieldSpec, Kind, ResourceKey, RiskRule, Scope, Shape};

closed_enum! {
    /// A provider. The order is that of reports.
    pub enum ProviderName {
        /// Aiven.
        Aiven,
        /// Google Pub/Sub.
        Pubsub,
        /// Cloudflare.
        Cloudflare,
    }
}

impl ProviderName {
    /// What Kedge knows of it.
    #[must_use]
    pub const fn entry(self) -> &'static Provider {
        match self {
            Self::Aiven => &aiven::AIVEN,
            Self::Pubsub => &pubsub::PUBSUB,
            Self::Cloudflare => &cloudflare::CLOUDFLARE,
        }
    }

    /// The word in statistics, JSON and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.entry().word
    }
}

impl Scope {
    /// The provider that answers for this scope.
    #[must_use]
    pub fn provider(&self) -> ProviderName {
        match self {
            Self::KafkaService { .. } => ProviderName::Aiven,
            Self::GcpProject { .. } => ProviderName::Pubsub,
            Self::DnsZone { .. } => ProviderName::Cloudflare,
        }
    }
}

impl Kind {
    /// What Kedge knows of it.
    #[must_use]
    pub const fn entry(self) -> &'static KindEntry {
        match self {
            Self::KafkaTopic => &aiven::KAFKA_TOPIC,
            Self::PubsubTopic => &pubsub::TOPIC,
            Self::PubsubBinding => &pubsub::BINDING,
            Self::PubsubSubscription => &pubsub::SUBSCRIPTION,
            Self::DnsRecordSet => &cloudflare::RECORD_SET,
        }
    }

    /// The word in keys, JSON and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.entry().word
    }

    /// The word shown to people.
    #[must_use]
    pub fn label(self) -> &'static str {
        self.entry().label
    }
}

impl ResourceKey {
    /// The resource as people read it: `topic dev-a`, `record set 1.example.com/A`. Its scope is left out,
    /// since a stack has one of each kind, and a DNS zone's is an id that nobody knows by heart.
    #[must_use]
    pub fn labelled(&self) -> String {
        format!("{} {}", self.kind().label(), self.name())
    }
}

/// A provider.
#[derive(Debug)]
pub struct Provider {
    /// Which one.
    pub name: ProviderName,
    /// The word in statistics, JSON and logs.
    pub word: &'static str,
    /// The name in documentation.
    pub title: &'static str,
    /// What it is, as a sentence in the JSON reference.
    pub about: &'static str,
    /// What is read as a whole.
    pub scope: &'static str,
    /// The kinds of its resources.
    pub kinds: &'static [Kind],
    /// What it is called with.
    pub credential: Credential,
    /// Where its API is.
    pub endpoint: Endpoint,
    /// What the credential must be allowed.
    pub permissions: Permissions,
    /// How long it may show what was there before a change, in milliseconds (semantics 3.6).
    pub catching_up_ms: i64,
}

impl Provider {
    /// The variables by which a client finds a sandbox at this address (`host:port`): where the API is,
    /// and a credential where one is wanted.
    #[must_use]
    pub fn sandbox_variables(&self, at: &str, credential: &str) -> Vec<(&'static str, String)> {
        let endpoint = &self.endpoint;
        if endpoint.is_emulator {
            return vec![(endpoint.variable, at.to_owned())];
        }
        vec![
            (endpoint.variable, format!("http://{at}{}", endpoint.path)),
            (self.credential.variable, credential.to_owned()),
        ]
    }
}

/// A credential, by the name that the ecosystem uses.
#[derive(Debug)]
pub struct Credential {
    /// The variable that holds it.
    pub variable: &'static str,
    /// Whether the variable may hold the path of a file with JSON instead.
    pub may_be_a_file: bool,
}

/// The address of an API, without a final slash.
#[derive(Debug)]
pub struct Endpoint {
    /// The variable that replaces it.
    pub variable: &'static str,
    /// The provider's own.
    pub default: &'static str,
    /// What follows the host in a sandbox's address.
    pub path: &'static str,
    /// Whether the variable names an emulator as `host:port`, which is called without credentials.
    pub is_emulator: bool,
}

/// The permissions of a credential, as the provider calls them.
#[derive(Debug)]
pub struct Permissions {
    /// To check.
    pub read: &'static [&'static str],
    /// To correct and deploy, besides.
    pub write: &'static [&'static str],
}

/// Whose a name is (semantics 2.1 to 2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// A stack owns the names that begin with its own and a dash.
    StackPrefix,
    /// Any stack may declare any name, so marks, records, declarations and the index say whose it is.
    SharedByName,
    /// It is a part of another resource and has no name of its own.
    OfParent,
}

/// A resource of another kind without which one never works again.
#[derive(Debug)]
pub struct HangsOn {
    /// The other's kind.
    pub kind: Kind,
    /// The field that names it.
    pub field: &'static str,
}

/// Looks a field's text up.
pub(crate) type TextOf<'a> = &'a dyn Fn(&FieldName) -> Option<String>;

/// What is known of a resource that is about to be deleted.
pub(crate) struct Deletion<'a> {
    /// Its items that are ours.
    pub(crate) going: Vec<&'a str>,
    /// Its items that are not.
    pub(crate) staying: Vec<&'a str>,
    /// The resource as it is live.
    pub(crate) live: Option<&'a Live>,
    /// The stack's own resources that hang on it ([`HangsOn`]).
    pub(crate) dependants: Vec<&'a str>,
}

/// A kind of resource.
pub struct KindEntry {
    /// Its provider.
    pub provider: ProviderName,
    /// The word in keys, JSON and logs.
    pub word: &'static str,
    /// The word shown to people.
    pub label: &'static str,
    /// What it is, as a sentence in the JSON reference.
    pub about: &'static str,
    /// The same in messages about definitions.
    pub in_definitions: &'static str,
    /// Its fields, in the order of the documentation.
    pub fields: &'static [FieldSpec],
    /// Whose a name is.
    pub naming: Naming,
    /// The settings (`config:`) that make the key of every resource of this kind, or all of them.
    pub settings: &'static [&'static str],
    /// What is not restored when it is created again after it went missing; empty if nothing.
    pub created_again: &'static str,
    /// Whether what others add to its set is theirs (semantics 2.4).
    pub is_additive: bool,
    /// What it never works again without.
    pub hangs_on: Option<HangsOn>,
    /// Reads the name of its scope's first part and what follows it in a key.
    pub(crate) parse: fn(&str, &str) -> Option<ResourceKey>,
    /// What must be there before it can be.
    pub(crate) needs: fn(&ResourceKey, TextOf<'_>) -> Vec<ResourceKey>,
    /// What is lost when it is deleted.
    pub(crate) lost: fn(&Deletion<'_>) -> String,
    /// Other resources that serve the same purpose under the same name.
    pub(crate) siblings: fn(&ResourceKey) -> Vec<ResourceKey>,
    /// The name under which others know it, given its items.
    full_name: fn(&ResourceKey, &str) -> String,
}

impl KindEntry {
    /// What it risks to create one again that somebody deleted while others serve under its name.
    pub(crate) fn restored_beside_others(&self) -> RiskRule {
        let of_set = |spec: &&FieldSpec| matches!(spec.shape, Shape::Addresses | Shape::Members);
        let set = self.fields.iter().find(of_set);
        set.map_or(RiskRule::Safe, |spec| spec.items.restored)
    }

    /// The name under which other programs know a resource: a full Pub/Sub name, a domain with its
    /// addresses. `items` are the items of its set.
    #[must_use]
    pub fn full_name(&self, key: &ResourceKey, items: &str) -> String {
        (self.full_name)(key, items)
    }
}

impl fmt::Debug for KindEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word)
    }
}

fn needs_nothing(_: &ResourceKey, _: TextOf<'_>) -> Vec<ResourceKey> {
    Vec::new()
}

fn no_siblings(_: &ResourceKey) -> Vec<ResourceKey> {
    Vec::new()
}

fn plain_name(key: &ResourceKey, _: &str) -> String {
    key.name().to_owned()
}

/// The two parts of a text around its first `/`, if neither is empty.
fn two_parts(text: &str) -> Option<(&str, &str)> {
    let parts = text.split_once('/');
    parts.filter(|(a, b)| !a.is_empty() && !b.is_empty())
}

#[cfg(test)]
mod tests;
