//! Who says that a plan may be carried out, and what they agreed to.
//!
//! A [`Consent`] has no public fields: a shell builds it from what a person or an HTTP caller said,
//! and can't claim more. That a name was typed is said by a [`TypedName`] alone, which needs a real
//! terminal. What a consent allows is decided in `kedge_core::plan::authorise`.

use std::collections::BTreeSet;
use std::io::IsTerminal;

use kedge_core::model::StackName;
use kedge_core::plan::{GuardName, PlanSummary};
use kedge_core::stored::grant::Grant;

use crate::ports::ETag;
use crate::state_command::StateCommand;

/// On whose authority changes are made.
#[derive(Debug, Clone)]
pub enum By {
    /// Nobody is at hand: the policy alone. What schedules and uploads use.
    Policy,
    /// The consent that somebody gave earlier, by its id ([`crate::Engine::grant`]).
    Grant(String),
    /// A person who is at hand.
    Person(Consent),
}

/// What a person agreed to. It covers safe and disruptive changes of the plan; destructive ones need
/// their keys, or the stack's name typed on a terminal.
#[derive(Debug, Clone, Default)]
pub struct Consent {
    pub(crate) allow: Vec<String>,
    pub(crate) name_typed: bool,
    pub(crate) guards: BTreeSet<GuardName>,
    pub(crate) digest: Option<String>,
    pub(crate) expected: Option<PlanSummary>,
    pub(crate) grant: Option<Box<UsableGrant>>,
}

impl Consent {
    /// Consent to whatever the plan is. Not enough for a protected stack.
    #[must_use]
    pub fn to_any_plan() -> Self {
        Self::default()
    }

    /// Consent to the plan with this digest, and to no other.
    #[must_use]
    pub fn to_plan(digest: impl Into<String>) -> Self {
        Self::default().with_plan(digest)
    }

    /// The same, to the plan with this digest only.
    #[must_use]
    pub fn with_plan(self, digest: impl Into<String>) -> Self {
        Self {
            digest: Some(digest.into()),
            ..self
        }
    }

    /// The same, with the parts of the plan that were shown, so that a plan that is out of date can
    /// say what changed.
    #[must_use]
    pub fn expecting(self, shown: PlanSummary) -> Self {
        Self {
            expected: Some(shown),
            ..self
        }
    }

    /// The same, with destructive changes named by key or short name, or `policy`.
    #[must_use]
    pub fn allowing(self, keys: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            allow: keys.into_iter().map(Into::into).collect(),
            ..self
        }
    }

    /// The same, with guards to override.
    #[must_use]
    pub fn overriding(self, guards: BTreeSet<GuardName>) -> Self {
        Self { guards, ..self }
    }

    /// The same, with the stack's name typed.
    #[must_use]
    pub fn with_name(self, _: TypedName) -> Self {
        Self {
            name_typed: true,
            ..self
        }
    }
}

/// A grant that a run may use, if nobody did since it was read.
#[derive(Debug, Clone)]
pub(crate) struct UsableGrant {
    pub(crate) grant: Grant,
    pub(crate) etag: ETag,
}

impl UsableGrant {
    /// What it agrees to, as a person at hand would say it.
    pub(crate) fn into_consent(self) -> Consent {
        let keys = self.grant.changes.iter().map(|(key, _)| key.to_string());
        let policy = self.grant.policy.then(|| "policy".to_owned());
        let consent = Consent::to_plan(&self.grant.digest).allowing(keys.chain(policy));
        Consent {
            grant: Some(Box::new(self)),
            ..consent
        }
    }
}

/// The proof that a person typed a stack's name on a terminal.
#[derive(Debug)]
pub struct TypedName(());

impl TypedName {
    /// The proof, if `text` is the stack's name and `terminal` is a terminal. Only handles of the
    /// standard library can be one: an HTTP request or a chat message can't.
    #[must_use]
    pub fn read(stack: &StackName, text: &str, terminal: &impl IsTerminal) -> Option<Self> {
        (terminal.is_terminal() && text == stack.as_str()).then_some(Self(()))
    }

    /// The proof without a terminal, for tests of what follows from it.
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn in_a_test() -> Self {
        Self(())
    }
}

/// On whose authority a run works, once a grant is read.
#[derive(Debug, Clone)]
pub(crate) enum Authorisation {
    /// Nobody is at hand: the policy alone.
    Unattended,
    /// A person agreed.
    Person(Consent),
    /// A person gives a command about state.
    Command(StateCommand),
}

impl Authorisation {
    /// The word of the run in history.
    pub(crate) fn verb(&self) -> &'static str {
        match self {
            Self::Unattended | Self::Person(_) => "up",
            Self::Command(command) => command.verb(),
        }
    }
}
