//! What the definitions say of one stack, checked and normalised.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use super::by_field::ByField;
use super::field_name::FieldName;
use super::names::{ResourceKey, StackName};
use super::policy::{CheckEvery, OnMissing, Policy};
use super::resource::Fields;
use super::secret::SecretText;
use super::time::Timestamp;
use super::value::Value;

/// Where a value was written: a place in a definition file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    /// The file's path in its bundle, with forward slashes. Shared: every field has an origin.
    pub file: Arc<str>,
    /// The line, from 1.
    pub line: u32,
    /// Whether it is an area's or the project's default rather than the resource's own text.
    pub is_default: bool,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)?;
        if self.is_default {
            f.write_str(" (default)")
        } else {
            Ok(())
        }
    }
}

/// One declared field: its value and where it was written (semantics 4.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredField {
    /// The value, normalised.
    pub value: Value,
    /// Where it was written.
    pub origin: Origin,
}

/// One declared resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredResource {
    /// What it is.
    pub key: ResourceKey,
    /// What it should be.
    pub fields: ByField<DeclaredField>,
    /// The texts behind sealed values, for the one request that sends them.
    pub secrets: ByField<SecretText>,
    /// The config keys that its text, or its area's defaults, name as placeholders, whether they have
    /// a value or not.
    pub config_keys: BTreeSet<String>,
    /// Where it was declared.
    pub origin: Origin,
    /// Record sets: addresses nobody declared may be removed, with a person's consent. Else they
    /// are only reported.
    pub exclusive: bool,
    /// Bindings: members nobody declared count as drift. Else they are only mentioned.
    pub authoritative: bool,
    /// Topics and subscriptions: what automation does when it is gone; none: the policy's.
    pub on_missing: Option<OnMissing>,
}

impl DeclaredResource {
    /// The values without their origins.
    #[must_use]
    pub fn values(&self) -> Fields {
        self.fields
            .iter()
            .map(|(name, field)| (name.clone(), field.value.clone()))
            .collect()
    }
}

/// A difference to ignore for a time (semantics 6.9).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IgnoreRule {
    /// The resource, by any form [`ResourceKey::answers_to`] takes, `{stack}` filled in.
    pub resource: String,
    /// The field; none for the whole resource.
    pub field: Option<FieldName>,
    /// Why.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// When it ends.
    pub until: Timestamp,
    /// Where it was written.
    pub origin: Origin,
}

/// A stack's own settings (its `stacks/<stack>.yaml`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StackConfig {
    /// The Aiven project, when any Kafka topic is declared.
    pub aiven_project: Option<String>,
    /// The Aiven service, likewise.
    pub kafka_service: Option<String>,
    /// The Google project, when anything of Pub/Sub is declared.
    pub gcp_project: Option<String>,
    /// The Cloudflare zone, when any node is declared.
    pub cloudflare_zone_id: Option<String>,
}

/// One stack as the definitions describe it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// The stack.
    pub stack: StackName,
    /// Hash of the files this was read from: the first 12 hexadecimal digits of SHA-256.
    pub revision: String,
    /// How many files were read.
    pub files_read: usize,
    /// Its settings.
    pub config: StackConfig,
    /// The policy that the definitions ask for (the one in force may be stricter, semantics 4.4).
    pub policy: Policy,
    /// How often automation looks.
    pub check_every: CheckEvery,
    /// Every resource.
    pub resources: BTreeMap<ResourceKey, DeclaredResource>,
    /// The ignore rules.
    pub ignore_rules: Vec<IgnoreRule>,
    /// Accepted keys that Kedge does not use (`pulumi:…`, `encryptionsalt`), as `file:line key`.
    pub unused: Vec<String>,
    /// Config keys that the definitions ask for, by placeholders or as settings.
    pub config_keys: BTreeSet<String>,
    /// Those of them whose value came from the environment (`KEDGE_CONFIG_<NAME>`) and not from the
    /// files. Names only: a value may be a secret.
    pub variables: BTreeSet<String>,
}
