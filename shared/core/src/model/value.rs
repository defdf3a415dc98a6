//! Values of fields, in one normal form for all three truths.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::secret::SealedUrl;

/// One field's value. Two values are equal exactly when they mean the same, since both sides are
/// normalised before they get here (semantics 5.3).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// A whole number; its unit is the field's ([`super::Unit`]).
    Int(i64),
    /// Yes or no.
    Bool(bool),
    /// A word or a text, compared exactly. A word of a table takes no room of its own.
    Text(Cow<'static, str>),
    /// A number between 0 and 1 in billionths, since binary fractions don't compare.
    Ratio(i64),
    /// A length of time in nanoseconds.
    Duration(i64),
    /// A set of texts: addresses, members, regions.
    Set(BTreeSet<String>),
    /// A URL with its hidden part sealed. Boxed: few values are one, and it would double the room of all.
    Url(Box<SealedUrl>),
    /// Records of one set that disagree, by address. Live only; equal to nothing declared.
    Mixed(BTreeMap<String, Value>),
}

impl Value {
    /// Nanoseconds in a second.
    pub const NANOS_PER_SECOND: i64 = 1_000_000_000;

    /// A set of texts.
    pub fn set<I: IntoIterator<Item = S>, S: Into<String>>(items: I) -> Self {
        Self::Set(items.into_iter().map(Into::into).collect())
    }

    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(Cow::Owned(text.into()))
    }

    /// A word known at compile time.
    #[must_use]
    pub const fn word(word: &'static str) -> Self {
        Self::Text(Cow::Borrowed(word))
    }

    /// A URL.
    #[must_use]
    pub fn url(url: SealedUrl) -> Self {
        Self::Url(Box::new(url))
    }

    /// A length of time in whole seconds; saturates at 292 years.
    #[must_use]
    pub fn seconds(seconds: i64) -> Self {
        Self::Duration(seconds.saturating_mul(Self::NANOS_PER_SECOND))
    }

    /// The number, if it is one.
    #[must_use]
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// The truth value, if it is one.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(flag) => Some(*flag),
            _ => None,
        }
    }

    /// The text, if it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The set, if it is one.
    #[must_use]
    pub fn as_set(&self) -> Option<&BTreeSet<String>> {
        match self {
            Self::Set(set) => Some(set),
            _ => None,
        }
    }
}

impl fmt::Display for Value {
    /// The plain form, without units (see `render` for the form people read).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(number) => write!(f, "{number}"),
            Self::Bool(flag) => write!(f, "{flag}"),
            Self::Text(text) => f.write_str(text),
            Self::Ratio(billionths) => write_fraction(f, *billionths, ""),
            Self::Duration(nanos) => write_fraction(f, *nanos, "s"),
            Self::Set(set) => {
                let items: Vec<&str> = set.iter().map(String::as_str).collect();
                write!(f, "{{{}}}", items.join(", "))
            }
            Self::Url(url) => write!(f, "{url}"),
            Self::Mixed(parts) => {
                let items: Vec<String> = parts
                    .iter()
                    .map(|(at, value)| format!("{at} {value}"))
                    .collect();
                write!(f, "({})", items.join(", "))
            }
        }
    }
}

/// Writes billionths as a decimal number with no final zeros.
fn write_fraction(f: &mut fmt::Formatter<'_>, billionths: i64, unit: &str) -> fmt::Result {
    let sign = if billionths < 0 { "-" } else { "" };
    let size = billionths.unsigned_abs();
    let (whole, rest) = (size / 1_000_000_000, size % 1_000_000_000);
    if rest == 0 {
        return write!(f, "{sign}{whole}{unit}");
    }
    let digits = format!("{rest:09}");
    write!(f, "{sign}{whole}.{}{unit}", digits.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_forms() {
        for (value, text) in [
            (Value::Int(-1), "-1"),
            (Value::Ratio(500_000_000), "0.5"),
            (Value::Duration(600_500_000_000), "600.5s"),
            (Value::seconds(10), "10s"),
            (Value::set(["b", "a"]), "{a, b}"),
        ] {
            assert_eq!(value.to_string(), text);
        }
    }
}
