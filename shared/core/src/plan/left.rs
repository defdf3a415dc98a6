//! Why a step of a plan is left: the code, and the sentence.

use std::fmt;

use super::{GuardName, MovedVariable};
use crate::model::{Allowance, ResourceKey, Timestamp};
use crate::risk::Risk;

/// Why a change of the plan is left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeftReason {
    /// A guard refuses the whole plan.
    Guard(GuardName),
    /// The policy does not reach that far.
    Policy {
        /// `correct` or `deploy`.
        rule: &'static str,
        /// What it says.
        allowance: Allowance,
        /// What the change risks.
        risk: Risk,
    },
    /// It can't be taken back, and nobody consented.
    NeedsGrant,
    /// It can't be taken back, and the stack is protected: only with its name typed on a terminal.
    NeedsTypedName,
    /// It depends on a variable of the environment that a person had set and this run has not, or the
    /// other way round.
    Variable(MovedVariable),
    /// It can't be undone, and nobody edited the definition.
    OneWay,
    /// It was there before we knew it and differs.
    NeedsPerson,
    /// Nothing of the stack is adopted, and something of it is live.
    NotAdopted,
    /// A person retired the stack.
    Retired,
    /// Topics and subscriptions that are gone are announced, not recreated.
    OnMissingAlert,
    /// It is announced first.
    Announced {
        /// When it may be corrected.
        until: Timestamp,
    },
    /// An ignore rule of it ended, and nobody was told of the difference since.
    RuleEnded,
    /// The same correction was made twice today already.
    Flapping,
    /// Its scope was not read whole.
    ScopeUnread,
    /// Something it belongs with is left.
    DependsOn(ResourceKey),
}

impl LeftReason {
    /// The word in JSON.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Guard(_) => "guard",
            Self::Policy { .. } => "policy",
            Self::NeedsGrant => "needs-grant",
            Self::NeedsTypedName => "needs-typed-name",
            Self::Variable(_) => "variable",
            Self::OneWay => "one-way",
            Self::NeedsPerson => "needs-person",
            Self::NotAdopted => "not-adopted",
            Self::Retired => "retired",
            Self::OnMissingAlert => "on-missing-alert",
            Self::Announced { .. } => "announced",
            Self::RuleEnded => "rule-ended",
            Self::Flapping => "flapping",
            Self::ScopeUnread => "scope-unread",
            Self::DependsOn(_) => "depends-on",
        }
    }
}

impl fmt::Display for LeftReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Guard(guard) => write!(f, "guard `{}` refuses the whole plan", guard.as_str()),
            Self::Policy {
                rule,
                allowance,
                risk,
            } => {
                write!(
                    f,
                    "{}, and the policy is {rule}: {}",
                    risk.as_str(),
                    allowance.as_str()
                )
            }
            Self::NeedsGrant => f.write_str("destructive: needs a person's consent to this key"),
            Self::NeedsTypedName => f.write_str(
                "destructive on a protected stack: needs the stack's name typed on a terminal",
            ),
            Self::Variable(variable) => write!(f, "{variable}: a person decides which is right"),
            Self::OneWay => f.write_str(
                "it cannot be undone, and the definition was not edited: a person decides which is right",
            ),
            Self::NeedsPerson => {
                f.write_str("it differed when it was found: a person decides which is right")
            }
            Self::NotAdopted => {
                f.write_str("the stack is not adopted yet: a person decides what is right")
            }
            Self::Retired => {
                f.write_str("the stack was retired: a person's `kedge up` or a push begins it anew")
            }
            Self::OnMissingAlert => {
                f.write_str("on_missing: alert, so it is not recreated by itself")
            }
            Self::Announced { until } => write!(f, "announced; may be corrected from {until}"),
            Self::RuleEnded => {
                f.write_str("its ignore rule ended: reported now, automation acts on its next run")
            }
            Self::Flapping => {
                f.write_str("corrected twice today already, and somebody changes it back")
            }
            Self::ScopeUnread => f.write_str(
                "a part of its scope could not be read, so nothing is created or deleted there",
            ),
            Self::DependsOn(key) => write!(f, "waits for {} {}", key.kind().label(), key.name()),
        }
    }
}
