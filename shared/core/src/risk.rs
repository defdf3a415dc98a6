//! What a change of one field risks (semantics 6.1). The rules are rows of the fields' tables
//! ([`crate::providers`]); here the row for a change is chosen. What creating and deleting whole
//! resources risks is decided in [`crate::plan`].

use crate::model::{FieldName, FieldSpec, Kind, RiskRule, Value, field_spec};

/// How bad a change can be. Ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Risk {
    /// It can be taken back and disturbs nobody.
    Safe,
    /// It can be taken back, but is felt.
    Disruptive,
    /// It can't be taken back.
    Destructive,
}

impl Risk {
    /// The word in plans, JSON and messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Safe => "safe",
            Self::Disruptive => "disruptive",
            Self::Destructive => "destructive",
        }
    }
}

impl Risk {
    /// The risk that a rule names, and its note.
    #[must_use]
    pub fn of_rule(rule: RiskRule) -> (Self, &'static str) {
        match rule {
            RiskRule::Safe => (Self::Safe, ""),
            RiskRule::SafeBut(note) => (Self::Safe, note),
            RiskRule::Disruptive(note) => (Self::Disruptive, note),
            RiskRule::Destructive(note) | RiskRule::Replace(note) | RiskRule::Impossible(note) => {
                (Self::Destructive, note)
            }
        }
    }
}

/// What it takes to set a field, and what that risks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It is done in place.
    InPlace {
        /// How bad it can be.
        risk: Risk,
        /// What to know about it; empty if nothing.
        note: &'static str,
        /// Whether it can't be undone, since the provider never does the opposite.
        one_way: bool,
    },
    /// The resource must be deleted and made again.
    Replace {
        /// Why, and what is lost.
        note: &'static str,
    },
    /// The provider can't.
    Impossible {
        /// Why.
        note: &'static str,
    },
}

/// What else of a resource decides what setting a field means.
#[derive(Debug, Clone, Copy, Default)]
pub struct OtherFields<'a> {
    /// The field that may make the change worse ([`FieldSpec::worse`]), as it is live.
    pub worse: Option<&'a Value>,
    /// The field that this one may follow ([`FieldSpec::follows`]), as it is live.
    pub followed: Option<&'a Value>,
    /// The same as it is to be.
    pub followed_then: Option<&'a Value>,
}

/// What setting `field` from its live value to `to` means.
#[must_use]
pub fn effect_of_setting(
    kind: Kind,
    field: &FieldName,
    live: Option<&Value>,
    to: &Value,
    others: OtherFields<'_>,
) -> Effect {
    let in_place = |risk, note| Effect::InPlace {
        risk,
        note,
        one_way: false,
    };
    let Some(spec) = field_spec(kind, field) else {
        return in_place(Risk::Safe, "");
    };
    let rule = match direction(kind, spec, live, to, others) {
        Direction::Up => spec.raised,
        Direction::Down => spec.lowered,
        Direction::None => RiskRule::Safe,
        Direction::Unknown => worst(spec.raised, spec.lowered),
    };
    let text = others.worse.and_then(Value::as_text).unwrap_or_default();
    let worse = spec.worse.filter(|worse| text.contains(worse.contains));
    let (risk, note) = match rule {
        RiskRule::Safe => return in_place(Risk::Safe, ""),
        RiskRule::SafeBut(note) => return in_place(Risk::Safe, note),
        RiskRule::Disruptive(note) => match worse {
            Some(worse) => (Risk::Destructive, worse.why),
            None => (Risk::Disruptive, note),
        },
        RiskRule::Destructive(note) => (Risk::Destructive, note),
        RiskRule::Impossible(note) => return Effect::Impossible { note },
        RiskRule::Replace(note) => return Effect::Replace { note },
    };
    // What is in place and not impossible was raised, where the opposite is impossible.
    Effect::InPlace {
        risk,
        note,
        one_way: spec.is_one_way(),
    }
}

enum Direction {
    Up,
    Down,
    /// It means the same.
    None,
    /// There is no line from less to more, or not both ends are known.
    Unknown,
}

fn direction(
    kind: Kind,
    spec: &FieldSpec,
    live: Option<&Value>,
    to: &Value,
    others: OtherFields<'_>,
) -> Direction {
    if live == Some(to) {
        return Direction::None;
    }
    let before = match live {
        Some(live) => spec.rank(kind, live, others.followed),
        None => spec.unset_rank,
    };
    match (before, spec.rank(kind, to, others.followed_then)) {
        (Some(before), Some(to)) if to > before => Direction::Up,
        (Some(before), Some(to)) if to < before => Direction::Down,
        (Some(_), Some(_)) => Direction::None,
        _ => Direction::Unknown,
    }
}

fn worst(a: RiskRule, b: RiskRule) -> RiskRule {
    let weight = |rule: &RiskRule| match rule {
        RiskRule::Safe => 0,
        RiskRule::SafeBut(_) => 1,
        RiskRule::Disruptive(_) => 2,
        RiskRule::Destructive(_) => 3,
        RiskRule::Replace(_) => 4,
        RiskRule::Impossible(_) => 5,
    };
    if weight(&a) >= weight(&b) { a } else { b }
}

#[cfg(test)]
mod tests;
