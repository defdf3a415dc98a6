//! Who says that a plan may be carried out, and what they agreed to.
//!
//! A [`Consent`] has no public fields: a shell builds it from what a person or an HTTP caller said,
//! and can't claim more. That a name was typed is said by a [`TypedName`] alone, which reads it from a
//! real terminal and is for one plan of one stack. What a consent allows is decided in
//! `kedge_core::plan::authorise`.

use std::collections::BTreeSet;
use std::io::{self, BufRead, IsTerminal};

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
    typed: Option<StackName>,
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

    /// The same, with the stack's name typed, to the plan that was shown then and to no other.
    #[must_use]
    pub fn with_name(self, typed: TypedName) -> Self {
        let TypedName { stack, digest } = typed;
        Self {
            typed: Some(stack),
            ..self.with_plan(digest)
        }
    }

    /// Whether the name of this stack was typed.
    pub(crate) fn has_name_of(&self, stack: &StackName) -> bool {
        self.typed.as_ref() == Some(stack)
    }

    /// The stack whose name was typed instead of this one's.
    pub(crate) fn typed_for_another(&self, stack: &StackName) -> Option<&StackName> {
        self.typed.as_ref().filter(|typed| *typed != stack)
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

/// The proof that a person typed a stack's name on a terminal when they were shown a plan of it.
///
/// It reads the text itself, and only handles of the standard library can be terminals. So it can't be
/// made from a text that came over the network:
///
/// ```compile_fail
/// let stack = kedge_core::model::StackName::new("dev").unwrap();
/// kedge_engine::TypedName::read(&stack, "00c0ffee00c0ffee", &mut &b"dev\n"[..]);
/// ```
#[derive(Debug)]
pub struct TypedName {
    stack: StackName,
    digest: String,
}

/// What somebody typed.
#[derive(Debug)]
pub enum Answer {
    /// The stack's name, on a terminal.
    Name(TypedName),
    /// Anything else, or nothing; or the name, and not on a terminal.
    Other(String),
}

impl TypedName {
    /// Reads one line that answers a plan with this digest.
    ///
    /// # Errors
    /// When nothing can be read.
    pub fn read(
        stack: &StackName,
        digest: &str,
        terminal: &mut (impl BufRead + IsTerminal),
    ) -> io::Result<Answer> {
        let mut line = String::new();
        terminal.read_line(&mut line)?;
        Ok(Self::of(stack, digest, line.trim(), terminal.is_terminal()))
    }

    fn of(stack: &StackName, digest: &str, line: &str, is_terminal: bool) -> Answer {
        match is_terminal && line == stack.as_str() {
            true => Answer::Name(Self {
                stack: stack.clone(),
                digest: digest.to_owned(),
            }),
            false => Answer::Other(line.to_owned()),
        }
    }

    /// The proof without a terminal, for tests of what follows from it.
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn in_a_test(stack: &StackName, digest: impl Into<String>) -> Self {
        Self {
            stack: stack.clone(),
            digest: digest.into(),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_counts_on_a_terminal_and_for_its_own_stack_and_plan() {
        let stack = |name| StackName::new(name).unwrap();
        let (dev, prod) = (stack("dev"), stack("prod"));
        for (line, is_terminal) in [
            ("dev", false),
            ("yes", true),
            ("Dev", true),
            ("prod", true),
            ("", true),
        ] {
            let answer = TypedName::of(&dev, "00", line, is_terminal);
            assert!(matches!(answer, Answer::Other(other) if other == line));
        }
        let Answer::Name(typed) = TypedName::of(&dev, "00", "dev", true) else {
            panic!("it is its name");
        };
        let consent = Consent::to_any_plan().with_name(typed);
        assert_eq!(consent.digest.as_deref(), Some("00"));
        assert!(consent.has_name_of(&dev) && !consent.has_name_of(&prod));
        assert_eq!(consent.typed_for_another(&prod), Some(&dev));
        assert_eq!(consent.typed_for_another(&dev), None);
    }
}
