//! What a field is: what a definition may write there, in what unit, between what bounds, and what a
//! change of it risks.
//!
//! The tables themselves are with the providers ([`crate::providers`]), one row a field. The parser, the
//! JSON Schema, the risk of a change and the units on the screen all read them, so they can't disagree.

use super::field_name::FieldName;
use super::names::Kind;
use super::special::Special;
use super::value::Value;

/// What values a field takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A whole number between two bounds, both included.
    Int {
        /// Smallest value.
        min: i64,
        /// Largest value.
        max: i64,
    },
    /// `true` or `false`.
    Bool,
    /// One of some words.
    Choice(&'static [&'static str]),
    /// A number from 0 to 1.
    Ratio,
    /// A text of at most this many characters.
    Text {
        /// The most characters.
        chars_max: usize,
    },
    /// A length of time (`600s`, `10m`, `24h`, `7d`), bounds in seconds.
    Duration {
        /// Shortest.
        min_s: i64,
        /// Longest.
        max_s: i64,
    },
    /// A length of time, or the word `never`; bound in seconds.
    Expiration {
        /// Shortest.
        min_s: i64,
    },
    /// An HTTPS URL, or the word `pull`.
    PushEndpoint,
    /// A short Pub/Sub topic id (also taken as a full name).
    PubsubTopic,
    /// A set of IP addresses of one family.
    Addresses,
    /// A set of IAM members (`serviceAccount:…`).
    Members,
    /// A set of texts.
    Texts,
    /// A map of texts; each entry is a field of its own.
    TextMap {
        /// The most characters of a key.
        key_chars_max: usize,
        /// The most characters of a value.
        value_chars_max: usize,
        /// The most entries.
        entries_max: usize,
    },
}

/// How a number is shown to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// As it is.
    Plain,
    /// Milliseconds; -1 is unlimited, -2 is "as retention".
    Milliseconds,
    /// Bytes; -1 is unlimited, -2 is "as retention".
    Bytes,
    /// Seconds.
    Seconds,
}

/// What a change of one field in one direction means (semantics 6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RiskRule {
    /// Can be taken back and disturbs nobody.
    Safe,
    /// Safe, with something to know: the text.
    SafeBut(&'static str),
    /// Can be taken back, but is felt: the text says how.
    Disruptive(&'static str),
    /// Can't be taken back: the text says what is lost.
    Destructive(&'static str),
    /// The provider can't do it: the text says why.
    Impossible(&'static str),
    /// Only by deleting and creating the resource again, which is destructive: the text says why.
    Replace(&'static str),
}

/// What it risks to add or remove one item of a set (semantics 2.2, 2.4, 6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ItemRules {
    /// An edit adds an item and removes another one.
    pub swapped_in: RiskRule,
    /// An item that somebody removed is restored.
    pub restored: RiskRule,
    /// A recorded item that the definitions no longer name is removed.
    pub removed: RiskRule,
    /// An item that was never recorded is removed.
    pub foreign_removed: RiskRule,
    /// Whether such an item is removed only where the definitions say `exclusive: true`.
    pub foreign_only_if_exclusive: bool,
}

/// The rules of a set for which its table names no others.
const PLAIN_ITEMS: ItemRules = ItemRules {
    swapped_in: RiskRule::Safe,
    restored: RiskRule::Safe,
    removed: RiskRule::Destructive("it is removed"),
    foreign_removed: RiskRule::Destructive("it is removed"),
    foreign_only_if_exclusive: false,
};

/// What a new resource has in a field of which the definitions say nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DefaultValue {
    /// This text.
    Text(&'static str),
    /// This number.
    Int(i64),
    /// This flag.
    Flag(bool),
    /// So many seconds.
    Seconds(i64),
    /// The value that another field has.
    SameAs(&'static str),
}

/// Another field of the same resource whose live value makes a disruptive change destructive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorseWith {
    /// That field.
    pub field: &'static str,
    /// What its text contains then.
    pub contains: &'static str,
    /// What is lost.
    pub why: &'static str,
}

/// One field of one kind.
#[derive(Debug, Clone, Copy)]
pub struct FieldSpec {
    /// Its name in definitions, state, plans and JSON.
    pub name: &'static str,
    /// What it takes.
    pub shape: Shape,
    /// How it is shown.
    pub unit: Unit,
    /// What raising it risks (also turning on, and any change of an unordered value).
    pub raised: RiskRule,
    /// What lowering it risks (also turning off, and any change of an unordered value).
    pub lowered: RiskRule,
    /// Its values that mean something else than they say, or have another spelling.
    pub special: &'static [Special],
    /// What a new resource has where the definitions say nothing, if that is known.
    pub default: Option<DefaultValue>,
    /// Where "not set" stands on the line from least to most, if it stands there.
    pub unset_rank: Option<i64>,
    /// Another field that makes a disruptive change of this one destructive.
    pub worse: Option<WorseWith>,
    /// A flag of the same resource; while it is on, this field is the provider's and is not compared.
    pub unused_while: Option<&'static str>,
    /// What it risks to add or remove an item, if it is a set.
    pub items: ItemRules,
    /// The name of the list in the definitions, if it is another one.
    pub written_as: Option<&'static str>,
    /// Whether a part of its text may be a secret: it is stored as a hash and shown as hidden.
    pub hides_secrets: bool,
    /// One line for the JSON Schema and the documentation.
    pub doc: &'static str,
}

pub(crate) const fn field(
    name: &'static str,
    shape: Shape,
    unit: Unit,
    doc: &'static str,
) -> FieldSpec {
    FieldSpec {
        name,
        shape,
        unit,
        raised: RiskRule::Safe,
        lowered: RiskRule::Safe,
        special: &[],
        default: None,
        unset_rank: match shape {
            // A flag that is not set is off.
            Shape::Bool => Some(0),
            _ => None,
        },
        worse: None,
        unused_while: None,
        items: PLAIN_ITEMS,
        written_as: None,
        hides_secrets: false,
        doc,
    }
}

impl FieldSpec {
    pub(crate) const fn both(self, rule: RiskRule) -> Self {
        self.raised(rule).lowered(rule)
    }

    pub(crate) const fn raised(mut self, rule: RiskRule) -> Self {
        self.raised = rule;
        self
    }

    pub(crate) const fn lowered(mut self, rule: RiskRule) -> Self {
        self.lowered = rule;
        self
    }

    pub(crate) const fn special(mut self, special: &'static [Special]) -> Self {
        self.special = special;
        self
    }

    pub(crate) const fn default(mut self, value: DefaultValue) -> Self {
        self.default = Some(value);
        self
    }

    /// Not set, it is as low as it can be.
    pub(crate) const fn least_when_unset(mut self) -> Self {
        self.unset_rank = Some(0);
        self
    }

    pub(crate) const fn worse(mut self, with: WorseWith) -> Self {
        self.worse = Some(with);
        self
    }

    pub(crate) const fn unused_while(mut self, flag: &'static str) -> Self {
        self.unused_while = Some(flag);
        self
    }

    pub(crate) const fn items(mut self, rules: ItemRules) -> Self {
        self.items = rules;
        self
    }

    pub(crate) const fn written_as(mut self, list: &'static str) -> Self {
        self.written_as = Some(list);
        self
    }

    pub(crate) const fn hides_secrets(mut self) -> Self {
        self.hides_secrets = true;
        self
    }

    /// Whether raising it can't be taken back: the provider never lowers it.
    #[must_use]
    pub fn is_one_way(&self) -> bool {
        matches!(self.lowered, RiskRule::Impossible(_))
    }
}

/// A whole number that is not negative.
pub(crate) const ANY: Shape = at_least(0);

/// A whole number without an upper bound.
pub(crate) const fn at_least(min: i64) -> Shape {
    Shape::Int { min, max: i64::MAX }
}

/// Every field of a kind, in the order of the documentation.
#[must_use]
pub fn field_specs(kind: Kind) -> &'static [FieldSpec] {
    kind.entry().fields
}

/// The field of that name; an entry of a map (`tags.team`) has its map's.
#[must_use]
pub fn field_spec(kind: Kind, name: &FieldName) -> Option<&'static FieldSpec> {
    field_specs(kind).iter().find(|spec| {
        spec.name == name.as_str()
            || (matches!(spec.shape, Shape::TextMap { .. }) && name.entry_of(spec.name).is_some())
    })
}

/// What a new resource has in a field of which nothing is said, where that is a value of its own.
#[must_use]
pub fn default_value(kind: Kind, field: &FieldName) -> Option<Value> {
    Some(match field_spec(kind, field)?.default? {
        DefaultValue::Text(text) => Value::word(text),
        DefaultValue::Int(number) => Value::Int(number),
        DefaultValue::Flag(flag) => Value::Bool(flag),
        DefaultValue::Seconds(seconds) => Value::seconds(seconds),
        DefaultValue::SameAs(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_within_a_kind() {
        for kind in Kind::ALL {
            let mut names: Vec<_> = field_specs(kind).iter().map(|spec| spec.name).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), field_specs(kind).len(), "{kind:?}");
        }
    }

    #[test]
    fn map_entries_have_their_maps_spec() {
        let spec = field_spec(Kind::KafkaTopic, &FieldName::new("tags.team")).unwrap();
        assert_eq!(spec.name, "tags");
        assert!(field_spec(Kind::KafkaTopic, &FieldName::new("tagsteam")).is_none());
        assert!(field_spec(Kind::DnsRecordSet, &FieldName::new("retention_ms")).is_none());
    }
}
