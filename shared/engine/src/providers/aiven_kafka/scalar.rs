//! Single values of Aiven's JSON, which may come as numbers, texts or flags.

use std::fmt;
use std::num::IntErrorKind;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A single value of any type. Whole numbers saturate: "unlimited" is `i64::MAX` and does not
/// survive a double (terraform-provider-aiven#3082).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Scalar {
    /// Null or left out.
    #[default]
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number, as decimal text.
    Fraction(String),
    /// A text.
    Text(String),
    /// A list or an object, where neither belongs.
    Other,
}

impl Scalar {
    /// The text, if it is one.
    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The whole number it is or spells.
    pub(super) fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            Self::Fraction(text) => saturating_int(text),
            Self::Text(text) => saturating_int(text).or_else(|| {
                // `9.223372036854776e+18`: through the double that it was printed from.
                let number = text.parse::<f64>().ok()?;
                saturating_int(&number.to_string())
            }),
            _ => None,
        }
    }

    /// The truth value it is or spells.
    pub(super) fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(flag) => Some(*flag),
            Self::Text(text) if text.eq_ignore_ascii_case("true") => Some(true),
            Self::Text(text) if text.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        }
    }

    /// The number from 0 to 1 it is or spells, in billionths, rounded.
    pub(super) fn as_billionths(&self) -> Option<i64> {
        match self {
            Self::Int(number @ 0..=1) => Some(number * 1_000_000_000),
            Self::Fraction(text) => billionths(text),
            Self::Text(text) => billionths(text).or_else(|| {
                // `5e-1` and `.5`: through the double that they stand for.
                billionths(&text.trim().parse::<f64>().ok()?.to_string())
            }),
            _ => None,
        }
    }
}

fn saturating_int(text: &str) -> Option<i64> {
    match text.trim().parse() {
        Ok(number) => Some(number),
        Err(error) => match error.kind() {
            IntErrorKind::PosOverflow => Some(i64::MAX),
            IntErrorKind::NegOverflow => Some(i64::MIN),
            _ => None,
        },
    }
}

fn billionths(text: &str) -> Option<i64> {
    let (whole, fraction) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let whole = match whole {
        "0" => 0,
        "1" => 1_000_000_000,
        _ => return None,
    };
    let digits: String = fraction
        .chars()
        .chain(std::iter::repeat('0'))
        .take(9)
        .collect();
    let rounds_up = fraction
        .as_bytes()
        .get(9)
        .is_some_and(|digit| *digit >= b'5');
    let sum = whole + digits.parse::<i64>().ok()? + i64::from(rounds_up);
    (sum <= 1_000_000_000).then_some(sum)
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Scalar, E> {
        Ok(Scalar::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Scalar, E> {
        Ok(Scalar::Bool(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Scalar, E> {
        Ok(Scalar::Int(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Scalar, E> {
        Ok(Scalar::Int(i64::try_from(number).unwrap_or(i64::MAX)))
    }

    /// Kept as the shortest decimal text that means the same double, which is what was sent.
    fn visit_f64<E>(self, number: f64) -> Result<Scalar, E> {
        Ok(Scalar::Fraction(number.to_string()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Scalar, E> {
        Ok(Scalar::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Scalar, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Scalar, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }
}

/// `partitions`: a number in the list, a list of partitions in details. Only their count is kept:
/// sizes and offsets change with every answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Count(pub(super) Option<i64>);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CountVisitor)
    }
}

struct CountVisitor;

impl<'de> Visitor<'de> for CountVisitor {
    type Value = Count;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number or a list of partitions")
    }

    fn visit_unit<E>(self) -> Result<Count, E> {
        Ok(Count(None))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Count, E> {
        Ok(Count(Some(number)))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Count, E> {
        Ok(Count(Some(i64::try_from(number).unwrap_or(i64::MAX))))
    }

    fn visit_str<E>(self, text: &str) -> Result<Count, E> {
        Ok(Count(saturating_int(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Count, A::Error> {
        let mut count: i64 = 0;
        while items.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        Ok(Count(Some(count)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scalar(json: &str) -> Scalar {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn whole_numbers_saturate_and_stay_exact() {
        for (json, number) in [
            ("9223372036854775807", Some(i64::MAX)),
            ("9223372036854776000", Some(i64::MAX)),
            ("\"9223372036854776000\"", Some(i64::MAX)),
            ("99999999999999999999999", Some(i64::MAX)),
            ("9.223372036854776e18", Some(i64::MAX)),
            ("\"9.223372036854776e+18\"", Some(i64::MAX)),
            ("-1", Some(-1)),
            ("\"-2\"", Some(-2)),
            ("86400000.0", Some(86_400_000)),
            ("9007199254740993", Some(9_007_199_254_740_993)),
            ("1.5", None),
            ("\"None\"", None),
            ("\"inf\"", None),
            ("null", None),
            ("true", None),
            ("[1]", None),
            ("{\"a\":[{}]}", None),
        ] {
            assert_eq!(scalar(json).as_int(), number, "{json}");
        }
    }

    #[test]
    fn ratios_are_billionths() {
        for (json, value) in [
            ("0.5", Some(500_000_000)),
            ("\"0.50\"", Some(500_000_000)),
            ("0.1", Some(100_000_000)),
            ("0.30000000000000004", Some(300_000_000)),
            ("1e-7", Some(100)),
            ("\"5.0e-1\"", Some(500_000_000)),
            ("\".5\"", Some(500_000_000)),
            ("\"nan\"", None),
            ("\"1e3\"", None),
            ("\"-5e-1\"", None),
            ("1", Some(1_000_000_000)),
            ("1.0", Some(1_000_000_000)),
            ("0", Some(0)),
            ("1.1", None),
            ("-0.5", None),
            ("2", None),
            ("\"half\"", None),
            ("\"0.x\"", None),
        ] {
            assert_eq!(scalar(json).as_billionths(), value, "{json}");
        }
    }

    #[test]
    fn truth_values() {
        assert_eq!(scalar("true").as_bool(), Some(true));
        assert_eq!(scalar("\"False\"").as_bool(), Some(false));
        assert_eq!(scalar("1").as_bool(), None);
    }

    #[test]
    fn partitions_are_counted_in_both_forms() {
        for (json, count) in [
            ("6", Some(6)),
            ("\"6\"", Some(6)),
            (
                r#"[{"partition":0,"latest_offset":null},{"partition":1}]"#,
                Some(2),
            ),
            ("null", None),
            ("\"six\"", None),
        ] {
            assert_eq!(
                serde_json::from_str::<Count>(json).unwrap(),
                Count(count),
                "{json}"
            );
        }
        assert!(serde_json::from_str::<Count>("true").is_err());
    }
}
