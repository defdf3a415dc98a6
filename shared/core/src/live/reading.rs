//! What is known of each resource of a scope: present, absent with a proof, or unknown.
//!
//! There is one way to ask ([`ScopeReading::reading`]). A resource without an entry is unknown, so a
//! provider that forgets one can't make it look missing.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::{FailureCode, Live, Proof, ReadFailure};
use crate::model::{Kind, ResourceKey, Scope};

/// What is known of one resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading<'a> {
    /// It is there.
    Present(&'a Live),
    /// It is not there, and this proves it (semantics 3.1).
    Absent(Proof),
    /// It could not be read.
    Unknown(&'a ReadFailure),
}

impl<'a> Reading<'a> {
    /// Whether it is proven not to be there.
    #[must_use]
    pub fn is_absent(self) -> bool {
        matches!(self, Self::Absent(_))
    }

    /// The resource, if it is there.
    #[must_use]
    pub fn present(self) -> Option<&'a Live> {
        match self {
            Self::Present(live) => Some(live),
            Self::Absent(_) | Self::Unknown(_) => None,
        }
    }
}

/// What a provider found out about one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Entry {
    Present(Live),
    Absent(Proof),
    Unknown(ReadFailure),
}

/// The reading of a resource about which the provider's code recorded nothing.
static NO_ANSWER: LazyLock<ReadFailure> = LazyLock::new(|| ReadFailure {
    reason: "kedge has no answer about it".to_owned(),
    permission: None,
    code: FailureCode::Inconsistent,
});

/// What was read of one scope.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScopeReading {
    /// What was asked for, and what else is there in an asked-for namespace.
    entries: BTreeMap<ResourceKey, Entry>,
    /// Kinds that could not be read at all.
    failures: BTreeMap<Kind, ReadFailure>,
    /// Why a resource that is not there can't be created, by what was read: what stands in its way, a
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
        let failures = kinds.iter().map(|kind| (*kind, failure.clone())).collect();
        Self {
            failures,
            ..Self::default()
        }
    }

    /// Enters a resource that is there.
    pub fn set_present(&mut self, key: ResourceKey, live: Live) {
        self.entries.insert(key, Entry::Present(live));
    }

    /// Enters that a resource is not there.
    pub fn set_absent(&mut self, key: ResourceKey, proof: Proof) {
        self.entries.insert(key, Entry::Absent(proof));
    }

    /// Enters why a resource could not be read.
    pub fn set_unknown(&mut self, key: ResourceKey, failure: ReadFailure) {
        self.entries.insert(key, Entry::Unknown(failure));
    }

    /// Enters why a kind could not be read. No proof of an absence counts for this kind any longer.
    pub fn fail(&mut self, kind: Kind, failure: ReadFailure) {
        self.failures.insert(kind, failure);
    }

    /// What is known of one resource of this scope. Without an entry it is unknown.
    ///
    /// ```
    /// use kedge_core::live::{Reading, ScopeReading};
    /// use kedge_core::model::ResourceKey;
    ///
    /// let key = ResourceKey::pubsub_topic("project", "dev-mail");
    /// let reading = ScopeReading::default();
    /// assert!(matches!(reading.reading(&key), Reading::Unknown(_)));
    /// ```
    #[must_use]
    pub fn reading(&self, key: &ResourceKey) -> Reading<'_> {
        self.reading_of(key.kind(), self.entries.get(key))
    }

    /// The same, for a caller that has looked the entry up already.
    pub(crate) fn reading_of<'a>(&'a self, kind: Kind, entry: Option<&'a Entry>) -> Reading<'a> {
        match entry {
            Some(Entry::Present(live)) => Reading::Present(live),
            Some(Entry::Unknown(failure)) => Reading::Unknown(failure),
            Some(Entry::Absent(_)) | None => match (self.failures.get(&kind), entry) {
                (Some(failure), _) => Reading::Unknown(failure),
                (None, Some(Entry::Absent(proof))) => Reading::Absent(*proof),
                (None, _) => Reading::Unknown(&NO_ANSWER),
            },
        }
    }

    /// Every entry, to look many keys up in their order.
    pub(crate) fn entries(&self) -> &BTreeMap<ResourceKey, Entry> {
        &self.entries
    }

    /// Everything that is there, in the order of the keys.
    pub fn present(&self) -> impl Iterator<Item = (&ResourceKey, &Live)> {
        self.entries.iter().filter_map(|(key, entry)| match entry {
            Entry::Present(live) => Some((key, live)),
            Entry::Absent(_) | Entry::Unknown(_) => None,
        })
    }

    /// Single resources that could not be read, in the order of the keys.
    pub fn unread(&self) -> impl Iterator<Item = (&ResourceKey, &ReadFailure)> {
        self.entries.iter().filter_map(|(key, entry)| match entry {
            Entry::Unknown(failure) => Some((key, failure)),
            Entry::Absent(_) | Entry::Present(_) => None,
        })
    }

    /// The kinds that could not be read at all.
    #[must_use]
    pub fn failures(&self) -> &BTreeMap<Kind, ReadFailure> {
        &self.failures
    }

    /// Whether this one resource could not be read, for a reason of its own.
    pub(crate) fn is_unread_alone(&self, key: &ResourceKey) -> bool {
        matches!(self.entries.get(key), Some(Entry::Unknown(_)))
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

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "these tests are the provider")]
mod tests {
    use super::*;

    fn failure(code: FailureCode) -> ReadFailure {
        ReadFailure {
            reason: code.as_str().to_owned(),
            permission: None,
            code,
        }
    }

    /// What is known of a resource, as one word.
    fn word(reading: &ScopeReading, key: &ResourceKey) -> &'static str {
        match reading.reading(key) {
            Reading::Present(_) => "present",
            Reading::Absent(_) => "absent",
            Reading::Unknown(failure) => failure.code.as_str(),
        }
    }

    #[test]
    fn a_resource_without_an_entry_is_unknown() {
        let keys = ["a", "b", "c", "d"].map(|name| ResourceKey::pubsub_topic("p", name));
        let mut reading = ScopeReading::default();
        assert_eq!(word(&reading, &keys[0]), "inconsistent");
        reading.set_present(keys[0].clone(), Live::default());
        reading.set_absent(keys[1].clone(), Proof::not_in_complete_list());
        reading.set_unknown(keys[2].clone(), failure(FailureCode::StrangeAnswer));
        let words = keys.each_ref().map(|key| word(&reading, key));
        assert_eq!(
            words,
            ["present", "absent", "strange-answer", "inconsistent"]
        );
        // What was entered last counts.
        reading.set_unknown(keys[1].clone(), failure(FailureCode::StrangeAnswer));
        assert_eq!(word(&reading, &keys[1]), "strange-answer");
    }

    #[test]
    fn no_proof_counts_once_its_kind_has_failed() {
        let keys = ["a", "b", "c"].map(|name| ResourceKey::pubsub_topic("p", name));
        let mut reading = ScopeReading::default();
        reading.set_present(keys[0].clone(), Live::default());
        reading.set_absent(keys[1].clone(), Proof::not_in_complete_list());
        reading.fail(Kind::PubsubTopic, failure(FailureCode::NotRunning));
        let words = keys.each_ref().map(|key| word(&reading, key));
        assert_eq!(words, ["present", "not-running", "not-running"]);
        let other = ResourceKey::pubsub_subscription("p", "a");
        assert_eq!(word(&reading, &other), "inconsistent");
    }

    #[test]
    fn a_scope_that_was_not_read_has_no_reading() {
        let key = ResourceKey::pubsub_topic("p", "a");
        assert_eq!(LiveWorld::default().reading(&key), None);
    }
}
