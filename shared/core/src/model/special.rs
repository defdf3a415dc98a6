//! Values that mean something else than they say, or have more than one spelling, field by field.
//!
//! The rows are with the fields, in the providers' entries ([`crate::providers`]). Reading a definition
//! and reading a provider both go through [`FieldSpec::canonical`], so that two spellings of one value
//! are never a difference (semantics 5.3). The risk of a change goes by [`FieldSpec::rank`].

use super::field_name::FieldName;
use super::fields::{FieldSpec, Shape, field_spec};
use super::names::Kind;
use super::value::Value;

/// One value of a field that is not what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Special {
    /// The value, as it may be written or read.
    pub spelling: Spelling,
    /// What it means.
    pub meaning: Meaning,
    /// Who says so.
    pub source: &'static str,
}

/// How a special value is spelt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    /// This number.
    Number(i64),
    /// This word.
    Word(&'static str),
    /// Nothing: the provider does not show the field.
    Absent,
}

/// What a special value means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// There is no limit. Of several spellings the first in the table is the canonical one.
    NoLimit,
    /// As much as this other field of the same resource, which is also the most that has an effect.
    As(&'static str),
    /// The same as this word.
    Word(&'static str),
    /// The same as this flag.
    Flag(bool),
    /// The provider chooses the value.
    Automatic,
}

pub(crate) const fn row(spelling: Spelling, meaning: Meaning, source: &'static str) -> Special {
    Special {
        spelling,
        meaning,
        source,
    }
}

impl Special {
    /// The word that it is spelt as, if it is spelt as one.
    #[must_use]
    pub fn word(&self) -> Option<&'static str> {
        match self.spelling {
            Spelling::Word(word) => Some(word),
            _ => None,
        }
    }
}

impl FieldSpec {
    /// What a value means that does not mean what it says.
    #[must_use]
    pub fn meaning(&self, value: &Value) -> Option<Meaning> {
        let is_it = |special: &&Special| match (special.spelling, value) {
            (Spelling::Number(special), Value::Int(number) | Value::Duration(number)) => {
                special == *number
            }
            (Spelling::Word(special), Value::Text(text)) => special == *text,
            _ => false,
        };
        let special = self.special.iter().find(is_it)?;
        Some(special.meaning)
    }

    /// The one spelling of what a value means.
    #[must_use]
    pub fn canonical(&self, value: Value) -> Value {
        match (self.meaning(&value), &value) {
            (Some(Meaning::NoLimit), Value::Int(number)) => {
                let no_limit = |special: &Special| match (special.meaning, special.spelling) {
                    (Meaning::NoLimit, Spelling::Number(first)) => Some(first),
                    _ => None,
                };
                let first = self.special.iter().find_map(no_limit);
                Value::Int(first.unwrap_or(*number))
            }
            (_, Value::Text(text)) if matches!(self.shape, Shape::Choice(_)) => {
                self.word_of(text).map_or(value, Value::word)
            }
            _ => value,
        }
    }

    /// The word that a text stands for, written exactly as the table has it.
    #[must_use]
    pub fn exact_word(&self, text: &str) -> Option<&'static str> {
        let Shape::Choice(words) = self.shape else {
            return None;
        };
        let other = || match self.meaning(&Value::text(text)) {
            Some(Meaning::Word(word)) => Some(word),
            _ => None,
        };
        words
            .iter()
            .copied()
            .find(|word| *word == text)
            .or_else(other)
    }

    /// The same however a provider may spell it: in another case, a list in another order, with
    /// spaces or brackets.
    fn word_of(&self, text: &str) -> Option<&'static str> {
        let Shape::Choice(words) = self.shape else {
            return None;
        };
        if let Some(word) = self.exact_word(text) {
            return Some(word);
        }
        let parts = |text: &str| {
            let is_around = |c: char| c.is_whitespace() || c == '[' || c == ']';
            let lower = text.to_lowercase();
            let mut parts: Vec<String> = lower
                .split(',')
                .map(|part| part.trim_matches(is_around).to_owned())
                .filter(|part| !part.is_empty())
                .collect();
            parts.sort_unstable();
            parts.dedup();
            parts
        };
        let asked = parts(text);
        let known =
            self.special
                .iter()
                .filter_map(|special| match (special.spelling, special.meaning) {
                    (Spelling::Word(spelling), Meaning::Word(word)) => Some((spelling, word)),
                    _ => None,
                });
        let own = words.iter().map(|word| (*word, *word));
        let mut all = own.chain(known);
        let (_, word) = all.find(|(spelling, _)| parts(spelling) == asked)?;
        Some(word)
    }

    /// What a field that the provider does not show means, if that is known.
    #[must_use]
    pub fn when_absent(&self) -> Option<Value> {
        self.special
            .iter()
            .find_map(|special| match (special.spelling, special.meaning) {
                (Spelling::Absent, Meaning::Flag(flag)) => Some(Value::Bool(flag)),
                _ => None,
            })
    }

    /// The field that this one may follow, and never exceeds.
    #[must_use]
    pub fn follows(&self) -> Option<FieldName> {
        self.special
            .iter()
            .find_map(|special| match special.meaning {
                Meaning::As(field) => Some(FieldName::known(field)),
                _ => None,
            })
    }

    /// The value on a line from least to most; none where there is no such line. `followed` is the
    /// value of the field that this one may follow, as far as it is known.
    #[must_use]
    pub fn rank(&self, kind: Kind, value: &Value, followed: Option<&Value>) -> Option<i64> {
        let most = self.follows().zip(followed).and_then(|(name, value)| {
            let spec = field_spec(kind, &name)?;
            spec.rank(kind, value, None)
        });
        let own = match (self.meaning(value), value) {
            (Some(Meaning::NoLimit | Meaning::As(_)), _) => i64::MAX,
            // What a negative number means that no row knows, nobody can say.
            (_, Value::Int(number)) if *number < 0 => return None,
            (_, Value::Int(number) | Value::Ratio(number) | Value::Duration(number)) => *number,
            (_, Value::Bool(flag)) => i64::from(*flag),
            _ => return None,
        };
        Some(most.map_or(own, |most| own.min(most)))
    }
}

/// Whether two values of a field come to the same where the field that it may follow has the value
/// `followed`: a local retention of 7 days is "as the whole" where the whole is 7 days.
#[must_use]
pub fn mean_the_same(
    kind: Kind,
    name: &FieldName,
    [a, b]: [Option<&Value>; 2],
    followed: impl Fn(&FieldName) -> Option<Value>,
) -> bool {
    let (Some(one), Some(other)) = (a, b) else {
        return a == b;
    };
    let in_context = || {
        let spec = field_spec(kind, name)?;
        let followed = followed(&spec.follows()?)?;
        let rank = |value| spec.rank(kind, value, Some(&followed));
        Some(rank(one)? == rank(other)?)
    };
    one == other || in_context().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::field_specs;

    fn spec(name: &'static str) -> &'static FieldSpec {
        field_spec(Kind::KafkaTopic, &FieldName::known(name)).unwrap()
    }

    #[test]
    fn every_row_has_a_source_and_leads_to_a_value_of_its_field() {
        for kind in Kind::ALL {
            for spec in field_specs(kind) {
                for special in spec.special {
                    assert!(!special.source.is_empty(), "{}", spec.name);
                    match (special.meaning, spec.shape) {
                        (Meaning::Word(word), Shape::Choice(words)) => {
                            assert!(words.contains(&word), "{word}");
                        }
                        (Meaning::As(field), Shape::Int { .. }) => {
                            let followed = field_spec(kind, &FieldName::known(field)).unwrap();
                            assert!(followed.follows().is_none(), "{field}");
                        }
                        (Meaning::Flag(_), Shape::Bool) => {}
                        (Meaning::Automatic, Shape::Int { .. }) => {}
                        (Meaning::NoLimit, Shape::Int { .. } | Shape::Expiration { .. }) => {}
                        other => panic!("{}: {other:?}", spec.name),
                    }
                }
            }
        }
    }

    #[test]
    fn one_spelling_of_no_limit() {
        for (field, number, canonical) in [
            ("retention_ms", i64::MAX, -1),
            ("retention_bytes", i64::MAX, -1),
            ("local_retention_ms", i64::MAX, -1),
            ("local_retention_bytes", i64::MAX, -1),
            ("local_retention_ms", -2, -2),
            ("retention_ms", -1, -1),
            ("retention_ms", i64::MAX - 1, i64::MAX - 1),
            ("flush_ms", i64::MAX, i64::MAX),
            ("max_message_bytes", i64::MAX, i64::MAX),
        ] {
            let value = spec(field).canonical(Value::Int(number));
            assert_eq!(value, Value::Int(canonical), "{field} {number}");
        }
    }

    #[test]
    fn one_spelling_of_words() {
        for (field, text, canonical) in [
            ("cleanup_policy", "delete,compact", "compact,delete"),
            ("cleanup_policy", "delete, compact", "compact,delete"),
            ("cleanup_policy", "[compact, delete]", "compact,delete"),
            ("cleanup_policy", "Compact,Delete", "compact,delete"),
            ("cleanup_policy", "compact_and_delete", "compact,delete"),
            ("cleanup_policy", "COMPACT", "compact"),
            ("cleanup_policy", "delete,delete", "delete"),
            ("cleanup_policy", "", ""),
            ("cleanup_policy", "archive", "archive"),
            ("compression_type", "none", "uncompressed"),
            ("compression_type", "GZIP", "gzip"),
            ("compression_type", "producer", "producer"),
            ("message_timestamp_type", "createtime", "CreateTime"),
            ("description", "delete,compact", "delete,compact"),
        ] {
            let value = spec(field).canonical(Value::text(text));
            assert_eq!(value, Value::text(canonical), "{field} {text}");
        }
        assert_eq!(
            spec("cleanup_policy").exact_word("delete,compact"),
            Some("compact,delete")
        );
        assert_eq!(spec("cleanup_policy").exact_word("Delete"), None);
        assert_eq!(spec("retention_ms").exact_word("delete"), None);
    }

    #[test]
    fn local_and_whole_retention() {
        const DAY: i64 = 86_400_000;
        let same = |a: i64, b: i64, whole: Option<i64>| {
            let (a, b) = (Value::Int(a), Value::Int(b));
            let whole = |_: &FieldName| whole.map(Value::Int);
            let name = FieldName::known("local_retention_ms");
            mean_the_same(Kind::KafkaTopic, &name, [Some(&a), Some(&b)], whole)
        };
        for (a, b, whole, expected) in [
            (-2, 7 * DAY, Some(7 * DAY), true),
            (-2, 8 * DAY, Some(7 * DAY), true),
            (-2, 6 * DAY, Some(7 * DAY), false),
            (-2, -1, Some(-1), true),
            (-2, -1, Some(7 * DAY), true),
            (-2, DAY, Some(-1), false),
            (-1, i64::MAX, Some(-1), true),
            (DAY, 2 * DAY, Some(7 * DAY), false),
            (-2, 7 * DAY, None, false),
            (-2, -1, None, false),
            (-2, -2, None, true),
            (-3, -2, Some(7 * DAY), false),
            (0, -2, Some(0), true),
        ] {
            assert_eq!(same(a, b, whole), expected, "{a} {b} {whole:?}");
            assert_eq!(same(b, a, whole), expected, "{b} {a} {whole:?}");
        }
        // A field that follows none is what it says.
        let (a, b) = (Value::Int(1), Value::Int(2));
        let name = FieldName::known("retention_ms");
        let whole = |_: &FieldName| Some(Value::Int(1));
        assert!(!mean_the_same(
            Kind::KafkaTopic,
            &name,
            [Some(&a), Some(&b)],
            whole
        ));
        assert!(!mean_the_same(
            Kind::KafkaTopic,
            &name,
            [Some(&a), None],
            whole
        ));
    }
}
