//! What is recorded of one stack.
//!
//! `json.rs` alone knows the JSON. What state learns is decided in [`crate::record`].

mod intent;
pub(crate) mod json;
pub(crate) mod watch;
mod window;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Fields, Policy, Recorded, ResourceKey, Salt, StackName, Timestamp, Value};

pub use intent::{Applying, BegunBy, Intent};
pub use json::{BYTES_MAX, DecodeError, decode, encode};
pub use watch::Watch;
pub use window::Window;

/// The recorded state of one stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// Whose state it is; a state read under another stack's key is refused.
    pub stack: StackName,
    /// Rises by one with each run that writes.
    pub serial: u64,
    /// Rises by one with each write of a run.
    pub step: u64,
    /// The lease under which it was last written; rises with each holder (semantics 8.4).
    pub epoch: u64,
    /// Random text, new in each write, so that no two writes have equal bytes.
    pub nonce: String,
    /// The key of this stack's URL hashes.
    pub salt: Salt,
    /// The policy in force (semantics 4.4).
    pub policy: Policy,
    /// What is recorded of each resource.
    pub resources: BTreeMap<ResourceKey, Recorded>,
    /// Changes begun by a run that has not said how they ended.
    pub applying: Option<Applying>,
    /// Corrections and deploys made without a person in the last 24 hours, oldest first: what the
    /// daily limit and the flap breaker count.
    pub automatic: Vec<AutomaticChange>,
    /// Declared resources that were not there when the stack was adopted, with the declared values
    /// they had then: making one waits for a person until it is made or edited (semantics 7.1).
    pub awaiting: BTreeMap<ResourceKey, Fields>,
    /// Resources whose absence a person confirmed, by when (semantics 3.2).
    pub absent: BTreeMap<ResourceKey, Timestamp>,
    /// When a person began to retire the stack: automation leaves it alone from then on, and a
    /// person's deploy begins it anew (semantics 7.5).
    pub retired: Option<Timestamp>,
    /// Config keys whose values came from the environment (`KEDGE_CONFIG_<NAME>`) when a person last
    /// ran `up`, or the stack began (semantics 4.6). Names only: a value may be a secret. None in a
    /// state from before they were kept.
    pub variables: Option<BTreeSet<String>>,
}

/// A change that automation made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AutomaticChange {
    /// When.
    pub at: Timestamp,
    /// Of what.
    pub key: ResourceKey,
    /// What exactly: equal fingerprints are the same correction.
    pub fingerprint: String,
    /// Whether it was a first-time create, which the daily limit does not count.
    pub first_create: bool,
}

impl State {
    /// How long a confirmed absence counts: 24 hours. It must not vouch for a later one.
    pub const ABSENCE_MS: i64 = 24 * 60 * 60 * 1000;

    /// The state a stack's first run begins from.
    #[must_use]
    pub fn first(stack: StackName, salt: Salt, policy: Policy) -> Self {
        Self {
            stack,
            serial: 0,
            step: 0,
            epoch: 0,
            nonce: String::new(),
            salt,
            policy,
            resources: BTreeMap::new(),
            applying: None,
            automatic: Vec::new(),
            awaiting: BTreeMap::new(),
            absent: BTreeMap::new(),
            retired: None,
            variables: None,
        }
    }

    /// The change of a resource that was begun and of which nobody heard how it ended.
    #[must_use]
    pub fn intent(&self, key: &ResourceKey) -> Option<&Intent> {
        self.applying.as_ref()?.intents.get(key)
    }

    /// Every value in it.
    fn values(&self) -> impl Iterator<Item = &Value> {
        let recorded = self.resources.values().flat_map(|record| {
            let catching_up = record
                .catching_up
                .iter()
                .flat_map(|one| one.before.values());
            let before = catching_up.flatten().flatten();
            let fields = record.fields.values();
            fields.chain(record.pending_adoption.values()).chain(before)
        });
        let intents = self.applying.iter().flat_map(|one| one.intents.values());
        let attempts = intents.flat_map(Intent::attempts);
        let intended = attempts.flat_map(|intent| {
            let before = intent.from.iter().flat_map(Fields::values);
            before.chain(intent.to.values())
        });
        let awaiting = self.awaiting.values().flat_map(Fields::values);
        recorded.chain(intended).chain(awaiting)
    }

    /// This state, less the writes that a check saw take: an old value after that is a new drift,
    /// and a new absence counts as any other. Less the confirmed absences, too, of what a check saw
    /// there again.
    #[must_use]
    pub fn without_confirmed_writes(&self, watch: &Watch) -> Cow<'_, Self> {
        let mut state = Cow::Borrowed(self);
        for (key, until) in &watch.confirmed_writes {
            let catching_up = self
                .resources
                .get(key)
                .and_then(|own| own.catching_up.as_ref());
            if catching_up.is_some_and(|catching_up| catching_up.until == *until)
                && let Some(record) = state.to_mut().resources.get_mut(key)
            {
                record.catching_up = None;
            }
        }
        for (key, at) in &watch.returned {
            if self.absent.get(key) == Some(at) {
                state.to_mut().absent.remove(key);
            }
        }
        state
    }

    /// Whether the stack is retired and nothing of it is left, so that its names are free.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.retired.is_some() && self.resources.is_empty() && self.applying.is_none()
    }

    /// Whether a person confirmed that this resource is gone, not long ago.
    #[must_use]
    pub fn is_confirmed_absent(&self, key: &ResourceKey, now: Timestamp) -> bool {
        let at = self.absent.get(key);
        at.is_some_and(|at| now.ms_since(*at) < Self::ABSENCE_MS)
    }

    /// Forgets automatic changes older than a day; the counters look no further back.
    pub fn trim_automatic(&mut self, now: Timestamp) {
        self.automatic
            .retain(|change| now.ms_since(change.at) < AutomaticChange::MEMORY_MS);
    }
}

impl AutomaticChange {
    /// How long an automatic change counts: 24 hours.
    pub const MEMORY_MS: i64 = 24 * 60 * 60 * 1000;
}

/// Whether a value may be stored: a URL only sealed, anything else as it is. The type system holds
/// the first; this is where a reader finds the rule.
#[must_use]
pub fn is_storable(value: &Value) -> bool {
    match value {
        Value::Url(url) => shows_only_what_it_may(&url.shown),
        Value::Mixed(parts) => parts.values().all(is_storable),
        _ => true,
    }
}

/// No query, no fragment, and no user before the host; a path may hold an `@`.
fn shows_only_what_it_may(shown: &str) -> bool {
    let rest = shown.split_once("://").map_or(shown, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or_default();
    !shown.contains(['?', '#']) && !authority.contains('@')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SealedUrl;

    #[test]
    fn a_url_is_storable_only_without_what_it_must_hide() {
        let url = |shown: &str| {
            is_storable(&Value::url(SealedUrl {
                shown: shown.to_owned(),
                sealed: None,
            }))
        };
        for good in ["https://h.example/", "https://h.example:8443/@team/hook"] {
            assert!(url(good), "{good}");
        }
        for bad in [
            "https://u@h/",
            "https://u:p@h/x",
            "https://h/?q",
            "https://h/#f",
        ] {
            assert!(!url(bad), "{bad}");
        }
    }
}
