//! Why a step of a plan is left: the code, and the sentence.

use std::fmt;

use super::{GuardName, MovedVariable};
use crate::hint::Hint;
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
    /// It can't be undone, and nobody approved it.
    NeedsGrant,
    /// It can't be taken back, and the stack is protected: only with its name typed on a terminal.
    NeedsTypedName,
    /// It depends on a variable of the environment that a person had set and this run has not, or the
    /// other way round.
    Variable(MovedVariable),
    /// It can't be undone, and nobody edited the definition.
    OneWay,
    /// It differs since before it was adopted, or is not adopted: a person decides which is right.
    NeedsPerson(SinceAdoption),
    /// The definitions that count can't be used: the plan is that of the last good ones.
    InvalidDefinitions,
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
    /// A part of the service, project or zone of this resource could not be read.
    ScopeUnread(ResourceKey),
    /// Something it belongs with is left.
    DependsOn(ResourceKey),
}

/// How a resource that waits for a person stood when its stack was adopted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SinceAdoption {
    /// It was adopted, and differed from its definition.
    Differed,
    /// It did not exist.
    Absent,
    /// It was not adopted, and differs from its definition.
    NotAdopted,
}

impl SinceAdoption {
    fn describe(self) -> &'static str {
        match self {
            Self::Differed => "it differed when it was adopted: decide which value is right",
            Self::Absent => "it did not exist when the stack was adopted: decide whether it should",
            Self::NotAdopted => "it is not adopted, and differs: decide which value is right",
        }
    }
}

impl LeftReason {
    /// What a person can do about it, of the resource with this short key.
    #[must_use]
    pub fn hint(&self, key: &str) -> Option<Hint> {
        match self {
            Self::NeedsGrant => Some(Hint::Allow {
                keys: vec![key.to_owned()],
            }),
            Self::NotAdopted => Some(Hint::Adopt),
            Self::Retired | Self::NeedsTypedName => Some(Hint::up()),
            _ => None,
        }
    }

    /// Why, as it is read at this time.
    #[must_use]
    pub fn describe(&self, now: Timestamp) -> String {
        match self {
            Self::Announced { until } => {
                format!("automation waits until {}", until.until_text(now))
            }
            other => other.to_string(),
        }
    }
}

impl fmt::Display for LeftReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Guard(guard) => {
                write!(f, "the guard `{}` refuses the whole plan", guard.as_str())
            }
            Self::Policy {
                rule,
                allowance,
                risk,
            } => policy_text(f, rule, *allowance, *risk),
            Self::NeedsGrant => f.write_str("destructive: a person must approve it"),
            Self::NeedsTypedName => f.write_str(
                "destructive, and the stack is protected: a person must type the stack's name in a \
                 terminal",
            ),
            Self::Variable(variable) => write!(f, "{variable}: decide which value is right"),
            Self::OneWay => f.write_str(
                "it cannot be undone, and the definition was not edited: decide which value is right",
            ),
            Self::NeedsPerson(since) => f.write_str(since.describe()),
            Self::InvalidDefinitions => f.write_str("the stored definitions can't be used"),
            Self::NotAdopted => f.write_str("the stack is not adopted yet"),
            Self::Retired => {
                f.write_str("the stack is retired; it starts again when a person deploys or somebody pushes")
            }
            Self::OnMissingAlert => {
                f.write_str("automation does not recreate what is missing (on_missing: alert)")
            }
            Self::Announced { until } => {
                write!(f, "automation waits until {}", until.day_and_time())
            }
            Self::RuleEnded => f.write_str(
                "its ignore rule ended: it is reported now, and automation acts on its next run",
            ),
            Self::Flapping => f.write_str(
                "automation corrected it twice in a day, and somebody keeps changing it back",
            ),
            Self::ScopeUnread(key) => write!(
                f,
                "part of {} could not be read, so nothing is created or deleted there",
                key.scope_text()
            ),
            Self::DependsOn(key) => {
                write!(f, "{} must be done first", key.labelled())
            }
        }
    }
}

/// `disruptive, and automation fixes only safe drift (correct: safe)`.
fn policy_text(
    f: &mut fmt::Formatter<'_>,
    rule: &str,
    allowance: Allowance,
    risk: Risk,
) -> fmt::Result {
    let (does, what) = match rule {
        "correct" => ("fixes", "drift"),
        _ => ("deploys", "edits"),
    };
    let reach = match allowance {
        Allowance::None => "nothing".to_owned(),
        Allowance::Safe => format!("only safe {what}"),
        Allowance::Disruptive => format!("only safe and disruptive {what}"),
    };
    let (risk, allowance) = (risk.as_str(), allowance.as_str());
    write!(
        f,
        "{risk}, and automation {does} {reach} ({rule}: {allowance})"
    )
}
