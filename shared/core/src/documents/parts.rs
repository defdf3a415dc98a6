//! Parts that several documents share.
//!
//! A text can only be made from what it shows by way of [`Text`], which takes out hidden parts of URLs
//! and control characters: no document has another kind of string.

use std::collections::BTreeMap;

use serde::Serialize;

use super::words::{Action, Allowance, FindingKind, Guard, OnMissing, Provider, ReasonCode, Verb};
use crate::change::Edit;
use crate::model::{self, FieldName, ResourceKey, Timestamp};
use crate::plan::{self, GuardTrip, Left};
use crate::render;
use crate::report;
use crate::stored::hold;

/// A text that is fit to be shown.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(inline))]
#[serde(transparent)]
pub struct Text(String);

impl Text {
    /// Takes out hidden parts of URLs, and makes control characters visible.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(render::plain_text(text))
    }

    /// What it shows.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn of(shown: &impl ToString) -> Self {
        Self::new(&shown.to_string())
    }

    pub(super) fn all<'a>(texts: impl IntoIterator<Item = &'a String>) -> Vec<Self> {
        texts.into_iter().map(|text| Self::new(text)).collect()
    }
}

/// A time: RFC 3339, in UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(inline, extend("format" = "date-time")))]
#[serde(transparent)]
pub struct Time(String);

impl From<Timestamp> for Time {
    fn from(at: Timestamp) -> Self {
        Self(at.to_string())
    }
}

/// A number of things.
pub(super) fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// The value of a field.
// Untagged: the form of a value in JSON is that of the definitions, and its field says what it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Value {
    /// A whole number.
    Number(i64),
    /// Yes or no.
    Flag(bool),
    /// A text, a share (`"0.5"`), a duration (`"600s"`) or a URL without its hidden parts.
    Text(Text),
    /// A set of texts, sorted.
    Set(Vec<Text>),
    /// Records of one record set that differ, by address.
    ByAddress(BTreeMap<Text, Value>),
}

impl From<&model::Value> for Value {
    fn from(value: &model::Value) -> Self {
        match value {
            model::Value::Int(number) => Self::Number(*number),
            model::Value::Bool(flag) => Self::Flag(*flag),
            model::Value::Text(text) => Self::Text(Text::new(text)),
            model::Value::Set(set) => Self::Set(Text::all(set)),
            model::Value::Mixed(parts) => {
                let parts = parts.iter();
                let parts = parts.map(|(at, value)| (Text::new(at), value.into()));
                Self::ByAddress(parts.collect())
            }
            model::Value::Ratio(_) | model::Value::Duration(_) | model::Value::Url(_) => {
                Self::Text(Text::of(value))
            }
        }
    }
}

/// The names of a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ResourceName {
    /// Its full and unique key.
    pub key: Text,
    /// What sort of thing it is.
    pub kind: super::Kind,
    /// Who has it.
    pub provider: Provider,
    /// Its name.
    pub name: Text,
}

impl From<&ResourceKey> for ResourceName {
    fn from(key: &ResourceKey) -> Self {
        Self {
            key: Text::of(key),
            kind: (&key.kind()).into(),
            provider: (&key.scope().provider()).into(),
            name: Text::new(key.name()),
        }
    }
}

/// The name of a field, if one is meant.
pub(super) fn field(field: Option<&FieldName>) -> Option<Text> {
    field.map(|field| Text::new(field.as_str()))
}

/// What a person should know that nothing is done about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Finding {
    /// The resource's key.
    pub key: Text,
    /// What sort of resource it is.
    pub kind: super::Kind,
    /// Who has it.
    pub provider: Provider,
    /// The resource's name.
    pub name: Text,
    /// The field; `null`: the whole resource.
    pub field: Option<Text>,
    /// What sort of finding it is.
    pub finding: FindingKind,
    /// A sentence about it.
    pub message: Text,
}

/// The findings of a plan.
pub(super) fn findings(report: &report::Report) -> Vec<Finding> {
    let one = |finding: &plan::Finding| {
        let ResourceName {
            key,
            kind,
            provider,
            name,
        } = (&finding.key).into();
        Finding {
            key,
            kind,
            provider,
            name,
            field: field(finding.field.as_ref()),
            finding: (&finding.kind).into(),
            message: Text::new(&finding.message),
        }
    };
    report.plan.findings.iter().map(one).collect()
}

/// A guard that refuses the whole plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RefusingGuard {
    /// Which one.
    pub guard: Guard,
    /// Why.
    pub message: Text,
}

/// The guards that refuse a plan.
pub(super) fn guards(report: &report::Report) -> Vec<RefusingGuard> {
    let one = |trip: &GuardTrip| RefusingGuard {
        guard: (&trip.guard).into(),
        message: Text::new(&trip.message),
    };
    report.decided.refused.iter().map(one).collect()
}

/// A reason, for a program and for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Reason {
    /// The reason as a word.
    pub code: ReasonCode,
    /// The reason as a sentence.
    pub text: Text,
}

impl From<&plan::LeftReason> for Reason {
    fn from(reason: &plan::LeftReason) -> Self {
        Self {
            code: reason.into(),
            text: Text::of(reason),
        }
    }
}

/// A step that was not begun, on purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct WaitingStep {
    /// The resource's key.
    pub key: Text,
    /// What sort of resource it is.
    pub kind: super::Kind,
    /// Who has it.
    pub provider: Provider,
    /// The resource's name.
    pub name: Text,
    /// What was to be done.
    pub verb: Verb,
    /// The field; `null`: the whole resource.
    pub field: Option<Text>,
    /// Why it waits.
    pub reason: Reason,
}

/// The steps that wait.
pub(super) fn waiting(report: &report::Report) -> Vec<WaitingStep> {
    let one = |left: Left<'_>| {
        let ResourceName {
            key,
            kind,
            provider,
            name,
        } = left.key.into();
        WaitingStep {
            key,
            kind,
            provider,
            name,
            verb: (&left.verb).into(),
            field: field(left.field),
            reason: left.reason.into(),
        }
    };
    report.decided.left().map(one).collect()
}

/// A hold: a person's word that nothing is corrected or deployed for a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Hold {
    /// The key of what is held; `null`: the whole stack.
    pub key: Option<Text>,
    /// Why.
    pub reason: Text,
    /// Who set it.
    pub actor: Text,
    /// When it ends by itself.
    pub until: Time,
    /// When it was set.
    pub set_at: Time,
    /// Whether it is in force. If not, it ended since the last check.
    pub active: bool,
}

impl Hold {
    pub(super) fn new(hold: &hold::Hold, now: Timestamp) -> Self {
        let hold::Hold {
            key,
            reason,
            who,
            until,
            set_at,
        } = hold;
        Self {
            key: key.as_ref().map(Text::of),
            reason: Text::new(reason),
            actor: Text::new(who),
            until: (*until).into(),
            set_at: (*set_at).into(),
            active: hold.stands(now),
        }
    }
}

/// Holds in force, and those that ended since the last check.
pub(super) fn holds(report: &report::Report) -> Vec<Hold> {
    let holds = report.holds.iter();
    holds.map(|hold| Hold::new(hold, report.read_at)).collect()
}

/// Why holds could not be read, if so.
pub(super) fn holds_unread(report: &report::Report) -> Option<Text> {
    let unread = report.holds_unread.as_ref();
    unread.map(|unread| Text::new(&unread.why))
}

/// The policy in force: what may happen without a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Policy {
    /// What automation may restore after drift.
    pub correct: Allowance,
    /// What automation may deploy after an edit.
    pub deploy: Allowance,
    /// How long a drift is announced before automation corrects it, in milliseconds.
    pub correct_after_ms: i64,
    /// What automation does about a topic or subscription that is gone; `null`: names that end in
    /// `-dlq` are created again, others reported.
    pub on_missing: Option<OnMissing>,
    /// Whether the stack is protected.
    pub protected: bool,
    /// Whether what is no longer declared may be deleted.
    pub prune: bool,
    /// The limits on a whole plan.
    pub guards: Guards,
}

/// The limits on a whole plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Guards {
    /// Changes besides first-time creates.
    pub changes_max: u32,
    /// The share of the recorded resources of one kind that may change, in percent.
    pub share_percent_max: u32,
    /// First-time creates.
    pub creates_max: u32,
    /// Automatic changes in 24 hours, besides first-time creates.
    pub daily_automatic_max: u32,
}

impl From<&model::Policy> for Policy {
    fn from(policy: &model::Policy) -> Self {
        let model::Policy {
            correct,
            deploy,
            correct_after_ms,
            on_missing,
            protected,
            prune,
            guards,
        } = policy;
        let model::Guards {
            changes_max,
            share_percent_max,
            creates_max,
            daily_automatic_max,
        } = guards;
        Self {
            correct: correct.into(),
            deploy: deploy.into(),
            correct_after_ms: *correct_after_ms,
            on_missing: on_missing.as_ref().map(Into::into),
            protected: *protected,
            prune: *prune,
            guards: Guards {
                changes_max: *changes_max,
                share_percent_max: *share_percent_max,
                creates_max: *creates_max,
                daily_automatic_max: *daily_automatic_max,
            },
        }
    }
}

/// What a step does, exactly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FieldEdit {
    /// What is done.
    pub action: Action,
    /// The field.
    pub field: Option<Text>,
    /// The new value, of `set`.
    pub to: Option<Value>,
    /// The item, of `add` and `remove`.
    pub item: Option<Text>,
}

impl FieldEdit {
    pub(super) fn new(edit: Option<&Edit>) -> Self {
        let (action, to, item) = match edit {
            None => (Action::Whole, None, None),
            Some(Edit::Set { to, .. }) => (Action::Set, Some(to.into()), None),
            Some(Edit::Add { item, .. }) => (Action::Add, None, Some(Text::new(item))),
            Some(Edit::Remove { item, .. }) => (Action::Remove, None, Some(Text::new(item))),
        };
        Self {
            action,
            field: field(edit.map(Edit::field)),
            to,
            item,
        }
    }
}

/// How much was asked of the providers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Traffic {
    /// Requests that read.
    pub reads: u64,
    /// Requests that change something.
    pub writes: u64,
    /// How long it took, in milliseconds; `null` if nobody measured it.
    pub wall_ms: Option<u64>,
}

impl From<render::Traffic> for Traffic {
    fn from(traffic: render::Traffic) -> Self {
        let render::Traffic {
            reads,
            writes,
            wall_ms,
        } = traffic;
        Self {
            reads,
            writes,
            wall_ms,
        }
    }
}

/// Requests and bytes, with `--stats`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Stats {
    /// By provider.
    pub providers: Vec<ProviderStats>,
    /// Of the store.
    pub store: StoreStats,
}

/// What was asked of one provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ProviderStats {
    /// Which one.
    pub provider: Provider,
    /// Requests that read.
    pub reads: u64,
    /// Requests that change something.
    pub writes: u64,
    /// Bytes that were sent.
    pub bytes_sent: u64,
    /// Bytes that were received.
    pub bytes_received: u64,
}

/// What was asked of the store. Of a bucket these are requests, retries included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StoreStats {
    /// Reads.
    pub reads: u64,
    /// Writes.
    pub writes: u64,
}

/// What the program that prints a document knows beside the report.
#[derive(Debug, Clone, Default)]
pub struct Surroundings<'a> {
    /// Where the definitions were read from.
    pub definitions: Option<&'a str>,
    /// How much was asked of the providers.
    pub traffic: Option<render::Traffic>,
    /// The same in detail, if it was asked for.
    pub stats: Option<Stats>,
}

impl Surroundings<'_> {
    pub(super) fn definitions(&self) -> Option<Text> {
        self.definitions.map(Text::new)
    }

    pub(super) fn traffic(&self) -> Option<Traffic> {
        self.traffic.map(Into::into)
    }
}
