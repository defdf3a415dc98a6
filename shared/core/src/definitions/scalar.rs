//! Reads a field's value from text: numbers with units, durations, words, URLs.

use crate::model::{FieldSpec, Salt, SealedUrl, SecretText, Shape, Unit, Value};

use super::redact::quoted;
use super::suggest::with_suggestion;
use super::units;

/// Why a text is not a value, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) message: String,
    pub(super) hint: String,
}

fn fault<T>(message: impl Into<String>, hint: impl Into<String>) -> Result<T, Fault> {
    Err(Fault {
        message: message.into(),
        hint: hint.into(),
    })
}

/// A value, and the text behind it where the value hides a part.
pub(super) type Scalar = (Value, Option<SecretText>);

/// The words of a push endpoint and of an expiration that are not a URL or a length of time.
pub(super) const PULL: &str = "pull";
pub(super) const NEVER: &str = "never";

/// Reads the value of a field that takes one scalar.
pub(super) fn scalar(spec: &FieldSpec, text: &str, salt: &Salt) -> Result<Scalar, Fault> {
    let name = spec.name;
    let value = match spec.shape {
        Shape::Int { min, max } => {
            spec.canonical(Value::Int(int(name, text, spec.unit, min, max)?))
        }
        Shape::Bool => Value::Bool(boolean(name, text)?),
        Shape::Choice(words) => Value::word(match spec.exact_word(text) {
            Some(word) => word,
            None => choice(name, text, words)?,
        }),
        Shape::Ratio => Value::Ratio(ratio(name, text)?),
        Shape::Text { chars_max } => Value::text(short_text(name, text, chars_max)?),
        Shape::Duration { min_s, max_s } => Value::Duration(duration(name, text, min_s, max_s)?),
        Shape::Expiration { .. } if text == NEVER => Value::word(NEVER),
        Shape::Expiration { min_s } => {
            let or_never = |fault: Fault| Fault {
                hint: format!("{}; or write `{NEVER}`", fault.hint),
                ..fault
            };
            Value::Duration(duration(name, text, min_s, i64::MAX).map_err(or_never)?)
        }
        Shape::PushEndpoint if text == PULL => Value::word(PULL),
        Shape::PushEndpoint => return endpoint(name, text, salt),
        // Checked by the reader of subscriptions, which knows the project and the declared topics.
        Shape::PubsubTopic => Value::text(text),
        Shape::Addresses | Shape::Members | Shape::Texts => {
            return fault(
                format!("`{name}` is one value, not a list"),
                format!("write `{name}: [\"…\"]`"),
            );
        }
        Shape::TextMap { .. } => {
            return fault(
                format!("`{name}` is one value, not a map"),
                format!("write `{name}: {{key: value}}`"),
            );
        }
    };
    Ok((value, None))
}

/// What is said of a text that a key can't take.
pub(super) fn cannot_be(name: &str, text: &str) -> String {
    match text.trim().is_empty() {
        true => format!("`{name}` is empty"),
        false => format!("`{name}` can't be {}", quoted(text)),
    }
}

/// A whole number between bounds, with the unit's suffixes.
pub(super) fn int(name: &str, text: &str, unit: Unit, min: i64, max: i64) -> Result<i64, Fault> {
    let number = match unit {
        Unit::Milliseconds => suffixed(text, &MS_SUFFIXES),
        Unit::Bytes => suffixed(text, &BYTE_SUFFIXES),
        Unit::Seconds | Unit::Plain => plain(text),
    };
    match number {
        Some(number) if (min..=max).contains(&number) => Ok(number),
        None if !is_number(text) => fault(cannot_be(name, text), units::number(text, unit)),
        _ => {
            let unit = match unit {
                Unit::Plain => "",
                Unit::Milliseconds => " milliseconds",
                Unit::Bytes => " bytes",
                Unit::Seconds => " seconds",
            };
            let range = match max {
                i64::MAX => format!("at least {min}"),
                _ => format!("{min} to {max}"),
            };
            fault(cannot_be(name, text), format!("it must be {range}{unit}"))
        }
    }
}

const MS_SUFFIXES: [(&str, i64); 5] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];

const BYTE_SUFFIXES: [(&str, i64); 4] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// Digits with an optional minus; nothing that other YAML readers could take for another number.
pub(super) fn plain(text: &str) -> Option<i64> {
    is_number(text).then(|| text.parse().ok()).flatten()
}

/// Whether a text is a whole number, however large.
pub(super) fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let all_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let is_octal_like = digits.len() > 1 && digits.starts_with('0');
    all_digits && !is_octal_like
}

fn suffixed(text: &str, suffixes: &[(&str, i64)]) -> Option<i64> {
    let end = text
        .find(|c: char| c.is_ascii_alphabetic())
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    if suffix.is_empty() {
        return plain(text);
    }
    let (_, factor) = suffixes.iter().find(|(word, _)| *word == suffix)?;
    plain(number)
        .filter(|number| *number >= 0)?
        .checked_mul(*factor)
}

/// `true` or `false`, also as a text, as Pulumi writes them.
pub(super) fn boolean(name: &str, text: &str) -> Result<bool, Fault> {
    let hint = match text.to_lowercase().as_str() {
        "true" if text == "true" => return Ok(true),
        "false" if text == "false" => return Ok(false),
        "true" | "yes" | "on" | "y" | "1" => "write `true`",
        "false" | "no" | "off" | "n" | "0" => "write `false`",
        _ => "write `true` or `false`",
    };
    fault(cannot_be(name, text), hint)
}

/// One of some words.
pub(super) fn choice(
    name: &str,
    text: &str,
    words: &'static [&'static str],
) -> Result<&'static str, Fault> {
    if let Some(word) = words.iter().find(|word| **word == text) {
        return Ok(word);
    }
    let message = with_suggestion(cannot_be(name, text), text, words.iter().copied());
    fault(message, format!("write {}", one_of(words)))
}

/// `a`, `b` or `c`.
pub(super) fn one_of(words: &[&str]) -> String {
    let list: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match list.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => list.concat(),
    }
}

/// A number from 0 to 1, in billionths.
fn ratio(name: &str, text: &str) -> Result<i64, Fault> {
    match decimal(text) {
        Some(billionths) if (0..=1_000_000_000).contains(&billionths) => Ok(billionths),
        _ => fault(
            cannot_be(name, text),
            "write a number from 0 to 1, such as `0.5`",
        ),
    }
}

/// A decimal number with at most nine places, in billionths.
fn decimal(text: &str) -> Option<i64> {
    let (whole, places) = text.split_once('.').unwrap_or((text, "0"));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !all_digits(whole) || !all_digits(places) || places.len() > 9 {
        return None;
    }
    let whole: i64 = whole.parse().ok()?;
    let places: i64 = format!("{places:0<9}").parse().ok()?;
    whole.checked_mul(1_000_000_000)?.checked_add(places)
}

/// A text of limited length without control characters.
pub(super) fn short_text(name: &str, text: &str, chars_max: usize) -> Result<String, Fault> {
    let chars = text.chars().count();
    if chars == 0 {
        // What the providers answer for an empty text is no text, so it could never agree.
        return fault(
            format!("`{name}` is empty"),
            "leave the key out to leave it alone",
        );
    }
    if chars > chars_max {
        return fault(
            format!("`{name}` has {chars} characters"),
            format!("shorten it to {chars_max}"),
        );
    }
    if text.chars().any(char::is_control) {
        return fault(
            format!("`{name}` has a line break or another control character"),
            "write it on one line",
        );
    }
    Ok(text.to_owned())
}

/// A length of time in nanoseconds, bounds in seconds.
fn duration(name: &str, text: &str, min_s: i64, max_s: i64) -> Result<i64, Fault> {
    const NANOS: i64 = Value::NANOS_PER_SECOND;
    let Some(nanos) = nanos(text) else {
        return fault(cannot_be(name, text), units::time(text));
    };
    if nanos < min_s.saturating_mul(NANOS) || nanos > max_s.saturating_mul(NANOS) {
        let range = match max_s {
            i64::MAX => format!("at least {}", seconds_text(min_s)),
            _ => format!("{} to {}", seconds_text(min_s), seconds_text(max_s)),
        };
        return fault(cannot_be(name, text), format!("it must be {range}"));
    }
    Ok(nanos)
}

pub(super) fn nanos(text: &str) -> Option<i64> {
    let end = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(end);
    // Google writes fractions of seconds (`0.500s`); of other units nobody needs them.
    if unit == "s" {
        return decimal(number);
    }
    let seconds = match unit {
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    plain(number)
        .filter(|number| *number >= 0)?
        .checked_mul(seconds)?
        .checked_mul(Value::NANOS_PER_SECOND)
}

fn seconds_text(seconds: i64) -> String {
    if seconds > 0 && seconds % 86_400 == 0 {
        format!("{}d", seconds / 86_400)
    } else {
        format!("{seconds}s")
    }
}

/// A push endpoint. Its text is never repeated: the query often is a secret.
fn endpoint(name: &str, text: &str, salt: &Salt) -> Result<Scalar, Fault> {
    let hint = "write an `https://` URL, or `pull`";
    let Ok(url) = SealedUrl::seal(text, salt) else {
        return fault(format!("`{name}` is not a URL"), hint);
    };
    if !url.shown.starts_with("https://") {
        return fault(format!("`{name}` is not an https URL"), hint);
    }
    Ok((Value::url(url), Some(SecretText::new(text))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_with_units() {
        use Unit::{Bytes, Milliseconds, Plain, Seconds};
        for (text, unit, want) in [
            ("10", Plain, Some(10)),
            ("-1", Plain, Some(-1)),
            ("010", Plain, None),
            ("1_000", Plain, None),
            ("1e3", Plain, None),
            ("1.5", Plain, None),
            ("", Plain, None),
            ("-", Plain, None),
            ("+1", Plain, None),
            ("99999999999999999999", Plain, None),
            ("7d", Plain, None),
            ("604800000", Milliseconds, Some(604_800_000)),
            ("7d", Milliseconds, Some(604_800_000)),
            ("90m", Milliseconds, Some(5_400_000)),
            ("5ms", Milliseconds, Some(5)),
            ("-1", Milliseconds, Some(-1)),
            ("-1d", Milliseconds, None),
            ("7 d", Milliseconds, None),
            ("99999999999999999d", Milliseconds, None),
            ("25MiB", Bytes, Some(26_214_400)),
            ("25MB", Bytes, None),
            ("1TiB", Bytes, Some(1 << 40)),
            ("60s", Seconds, None),
        ] {
            assert_eq!(
                int("f", text, unit, i64::MIN, i64::MAX).ok(),
                want,
                "{text}"
            );
        }
    }

    #[test]
    fn lengths_of_time() {
        const S: i64 = 1_000_000_000;
        for (text, want) in [
            ("600s", Some(600 * S)),
            ("0.5s", Some(S / 2)),
            ("10m", Some(600 * S)),
            ("1d", Some(86_400 * S)),
            ("600", None),
            ("-1s", None),
            ("1.5h", None),
            ("1w", None),
            ("s", None),
        ] {
            assert_eq!(nanos(text), want, "{text}");
        }
        let fault = duration("f", "5m", 600, 2_678_400).unwrap_err();
        assert_eq!(fault.hint, "it must be 600s to 31d");
    }

    #[test]
    fn ratios() {
        for (text, want) in [
            ("0", Some(0)),
            ("1", Some(1_000_000_000)),
            ("0.5", Some(500_000_000)),
            ("1.1", None),
            ("-0.1", None),
            (".5", None),
            ("nan", None),
        ] {
            assert_eq!(ratio("f", text).ok(), want, "{text}");
        }
    }

    #[test]
    fn endpoints_are_sealed_and_not_repeated() {
        let salt = Salt([1; 16]);
        let (value, secret) = endpoint("e", "https://h.example/p?t=s3cret", &salt).unwrap();
        assert!(!value.to_string().contains("s3cret"));
        assert_eq!(secret.unwrap().reveal(), "https://h.example/p?t=s3cret");
        for bad in [
            "http://h.example/?t=s3cret",
            "s3cret",
            "https://",
            "mailto:s3cret@h",
        ] {
            let fault = endpoint("e", bad, &salt).unwrap_err();
            assert!(!format!("{fault:?}").contains("s3cret"), "{bad}");
        }
    }
}
