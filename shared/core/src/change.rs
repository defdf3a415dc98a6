//! One change of one resource: what a provider gets, and nothing else.
//!
//! It leaves nothing to decide: it holds the edits, the values behind them, and what was live when the
//! plan was made.

use std::collections::BTreeSet;

use crate::live::Live;
use crate::model::{ByField, FieldName, Fields, ResourceKey, SecretText, StackName, Value};

/// What is done to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    /// It is made.
    Create,
    /// Some of its fields are changed in place.
    Update,
    /// It is deleted and made again.
    Replace,
    /// It is deleted.
    Delete,
}

impl Verb {
    /// The word in plans, grants, JSON and history.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Replace => "replace",
            Self::Delete => "delete",
        }
    }

    /// The verb of that word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Create, Self::Update, Self::Replace, Self::Delete]
            .into_iter()
            .find(|verb| verb.as_str() == word)
    }
}

/// One step of an update.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Edit {
    /// A field gets a value.
    Set {
        /// Which field.
        field: FieldName,
        /// Its new value.
        to: Value,
    },
    /// A set gets one more item.
    Add {
        /// Which field.
        field: FieldName,
        /// The item: an address, a member.
        item: String,
    },
    /// A set loses one item.
    Remove {
        /// Which field.
        field: FieldName,
        /// The item: an address, a member.
        item: String,
    },
}

impl Edit {
    /// The edit that takes this one back; none for a field that gets a value.
    #[must_use]
    pub fn undone(&self) -> Option<Self> {
        Some(match self {
            Self::Set { .. } => return None,
            Self::Add { field, item } => Self::Remove {
                field: field.clone(),
                item: item.clone(),
            },
            Self::Remove { field, item } => Self::Add {
                field: field.clone(),
                item: item.clone(),
            },
        })
    }

    /// The field it is about.
    #[must_use]
    pub fn field(&self) -> &FieldName {
        match self {
            Self::Set { field, .. } | Self::Add { field, .. } | Self::Remove { field, .. } => field,
        }
    }
}

/// The value of a set once a change's adds and removes are done, and nothing else changed.
#[must_use]
pub fn edited_set(current: &BTreeSet<String>, edits: &[Edit], field: &FieldName) -> Value {
    let mut set = current.clone();
    for edit in edits.iter().filter(|edit| edit.field() == field) {
        match edit {
            Edit::Add { item, .. } => {
                set.insert(item.clone());
            }
            Edit::Remove { item, .. } => {
                set.remove(item);
            }
            Edit::Set { .. } => {}
        }
    }
    Value::Set(set)
}

/// A change of the plan without its edits: those are in the plan's steps, of which some may be
/// approved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// As in [`Change`].
    pub stack: StackName,
    /// The resource.
    pub key: ResourceKey,
    /// What is done if every step is approved.
    pub verb: Verb,
    /// As in [`Change`].
    pub declared: Fields,
    /// As in [`Change`].
    pub secrets: ByField<SecretText>,
    /// As in [`Change`].
    pub recorded: Fields,
    /// As in [`Change`].
    pub live: Option<Live>,
    /// As in [`Change`].
    pub begun_before: bool,
}

impl Draft {
    /// The change with these edits.
    #[must_use]
    pub fn with_edits(&self, verb: Verb, edits: Vec<Edit>) -> Change {
        Change {
            stack: self.stack.clone(),
            key: self.key.clone(),
            verb,
            edits,
            declared: self.declared.clone(),
            secrets: self.secrets.clone(),
            recorded: self.recorded.clone(),
            live: self.live.clone(),
            begun_before: self.begun_before,
        }
    }
}

/// One change of one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The stack it is for; DNS records that we write bear its mark `kedge:<stack>`.
    pub stack: StackName,
    /// The resource.
    pub key: ResourceKey,
    /// What is done.
    pub verb: Verb,
    /// Updates: the steps, at least one. Empty for the other verbs.
    pub edits: Vec<Edit>,
    /// What should be, whole. Empty when it is deleted.
    pub declared: Fields,
    /// The texts behind sealed values of `declared`.
    pub secrets: ByField<SecretText>,
    /// What state says that is ours. A deleted binding or record set loses exactly the items
    /// recorded here.
    pub recorded: Fields,
    /// What was live when the plan was made; none if nothing was.
    pub live: Option<Live>,
    /// Whether an earlier run began to make it and nobody knows how that ended: then "already
    /// exists" means that it is ours (semantics 8.2), though a lagging list did not show it.
    pub begun_before: bool,
}

/// A change that was made, as far as the provider's answer tells.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Applied {
    /// How long the provider may still show the old value, in milliseconds (semantics 3.6).
    pub catching_up_ms: i64,
}

/// A change that was not made, or not surely.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// It can't be made until somebody does something about it: a name that exists and is not ours,
    /// an organisation policy, a missing permission.
    #[error("{reason}")]
    Blocked {
        /// Why, in one sentence without a final stop.
        reason: String,
        /// What to do about it.
        fix: Option<String>,
    },
    /// It was surely not made; a later run may try again.
    #[error("{reason}")]
    Failed {
        /// Why, in one sentence without a final stop.
        reason: String,
    },
    /// Nobody knows: the answer was lost. It stays in state as ours with an unknown outcome.
    #[error("{reason}")]
    OutcomeUnknown {
        /// Why, in one sentence without a final stop.
        reason: String,
    },
}
