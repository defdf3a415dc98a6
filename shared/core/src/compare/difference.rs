//! How one resource stands: its verdict, what differs, and the cause of each difference.

use std::collections::BTreeMap;

use crate::live::ReadFailure;
use crate::model::{FieldName, Origin, ResourceKey, Timestamp, Value};

/// How a resource stands (semantics 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Live is what is declared.
    InSync,
    /// We changed it a moment ago, and the provider is catching up: it may still show the old value.
    CatchingUp,
    /// A rule says to overlook the difference.
    Ignored,
    /// Recorded and live, no longer declared.
    Orphan,
    /// Declared and live, never recorded.
    NotAdopted,
    /// The definition was edited.
    Pending,
    /// Live moved away from recorded without us.
    Drifted,
    /// Both.
    DriftedAndPending,
    /// It could not be read.
    Unknown,
}

impl Verdict {
    /// The word in messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InSync => "in-sync",
            Self::CatchingUp => "catching-up",
            Self::Ignored => "ignored",
            Self::Orphan => "orphan",
            Self::NotAdopted => "not-adopted",
            Self::Pending => "pending",
            Self::Drifted => "drifted",
            Self::DriftedAndPending => "drifted-and-pending",
            Self::Unknown => "unknown",
        }
    }
}

/// Why a field, an item of a set, or a whole resource is not as declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// Live moved away from recorded without us.
    Drifted,
    /// The definition was edited.
    Edited,
    /// Both.
    EditedAndDrifted,
    /// It was live before we knew it and differs: only a person decides.
    NotAdopted,
    /// The same, and live moved on since it was adopted.
    NotAdoptedAndDrifted,
    /// A declared resource that never was.
    New,
    /// A recorded resource that is gone.
    Missing,
    /// Recorded, and removed from the definitions.
    Removed,
    /// A replacement that a run began and did not end: it was deleted and not made again.
    Interrupted,
}

/// An item of a set that is too few or too many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemDifference {
    /// The item: an address, a member.
    pub item: String,
    /// Whether it should be there and is not; else it is there and should not.
    pub lacking: bool,
    /// Whose doing.
    pub cause: Cause,
    /// The condition under which it is there, in words: a person's narrowing, which nobody here
    /// undoes (semantics 2.4).
    pub condition: Option<String>,
}

/// A field that differs, with all three truths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldDifference {
    /// Which.
    pub field: FieldName,
    /// What the definitions say.
    pub declared: Option<Value>,
    /// What state says.
    pub recorded: Option<Value>,
    /// What the provider says.
    pub live: Option<Value>,
    /// Whose doing.
    pub cause: Cause,
    /// Fields that are sets: the items.
    pub items: Vec<ItemDifference>,
    /// Where the declared value is written.
    pub origin: Option<Origin>,
    /// Our own change of it did not take, twice: it is reported and not tried again.
    pub stuck: bool,
}

/// How one declared or recorded resource stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Which.
    pub key: ResourceKey,
    /// How it stands.
    pub verdict: Verdict,
    /// Why the whole resource should be created or deleted; none if only fields differ.
    pub whole: Option<Cause>,
    /// The fields that differ.
    pub fields: Vec<FieldDifference>,
    /// Differences that a rule overlooks.
    pub ignored: Vec<FieldDifference>,
    /// Why it could not be read.
    pub failure: Option<ReadFailure>,
    /// Why nothing may be done about it: another stack's mark, or what stands in its way.
    pub blocked: Option<String>,
    /// Members of a binding that nobody declared.
    pub foreign: Vec<String>,
    /// Ignore rules that ended: the field, or (none) the whole resource. The difference counts as
    /// new, and automation reports it before it does anything (semantics 6.9).
    pub ended_rules: Vec<Option<FieldName>>,
    /// Members of a binding that hold its role under a condition, each with the condition in words.
    pub conditions: BTreeMap<String, String>,
    /// Why it does not do its work, by what the provider says.
    pub unhealthy: Vec<String>,
    /// Until when the provider may still show the values from before our last write.
    pub shown_by: Option<Timestamp>,
    /// What else there is to say.
    pub notes: Vec<String>,
}

impl Difference {
    pub(crate) fn new(key: &ResourceKey, verdict: Verdict) -> Self {
        Self {
            key: key.clone(),
            verdict,
            whole: None,
            fields: Vec::new(),
            ignored: Vec::new(),
            failure: None,
            blocked: None,
            foreign: Vec::new(),
            ended_rules: Vec::new(),
            conditions: BTreeMap::new(),
            unhealthy: Vec::new(),
            shown_by: None,
            notes: Vec::new(),
        }
    }

    /// Whether it is gone though recorded.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self.whole, Some(Cause::Missing | Cause::Interrupted))
    }

    /// Whether, besides drift, only what differed at adoption is left: the definition was not
    /// edited since.
    #[must_use]
    pub fn is_since_adoption(&self) -> bool {
        let any = |causes: &[Cause]| {
            self.fields
                .iter()
                .any(|field| causes.contains(&field.cause))
        };
        any(&[Cause::NotAdopted, Cause::NotAdoptedAndDrifted])
            && !any(&[Cause::Edited, Cause::EditedAndDrifted])
    }

    /// Whether it drifted, alone or beside an edit.
    #[must_use]
    pub fn is_drift(&self) -> bool {
        matches!(self.verdict, Verdict::Drifted | Verdict::DriftedAndPending)
    }
}
