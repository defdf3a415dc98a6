//! Hints for an amount whose unit is missing, misspelt or unknown.

use crate::model::{Unit, Value};

use super::scalar::{is_number, nanos, plain};

/// A way out for a text that is no whole number of a unit.
pub(super) fn number(text: &str, unit: Unit) -> String {
    let digits = text.trim_start_matches('0');
    if digits.len() < text.len() && is_number(digits) {
        return format!("write `{digits}`, without the leading 0");
    }
    match unit {
        Unit::Plain => "write a whole number, in digits only".to_owned(),
        Unit::Seconds => match nanos(text).filter(|nanos| nanos % Value::NANOS_PER_SECOND == 0) {
            Some(nanos) => format!(
                "write `{}`, without a unit",
                nanos / Value::NANOS_PER_SECOND
            ),
            None => "write whole seconds, in digits only".to_owned(),
        },
        Unit::Milliseconds => match meant_time(text) {
            Some(meant) => format!("write `{meant}`; units are ms, s, m, h, d"),
            None => {
                "write milliseconds, or a whole number and a unit: ms, s, m, h, d (`7d`)".to_owned()
            }
        },
        Unit::Bytes => match meant_bytes(text) {
            Some(meant) => format!("write {meant}; units are KiB, MiB, GiB, TiB"),
            None => {
                "write bytes, or a whole number and a unit: KiB, MiB, GiB, TiB (`25MiB`)".to_owned()
            }
        },
    }
}

/// A way out for a text that is no length of time with a unit.
pub(super) fn time(text: &str) -> String {
    match meant_time(text).filter(|meant| !meant.ends_with("ms")) {
        Some(meant) => format!("write `{meant}`; units are s, m, h, d"),
        None => "write a whole number and a unit: s, m, h, d (`600s`, `7d`)".to_owned(),
    }
}

/// Milliseconds in the largest unit that leaves no rest.
pub(super) fn shown_ms(ms: i64) -> String {
    const UNITS: [(i64, &str); 4] = [
        (86_400_000, "d"),
        (3_600_000, "h"),
        (60_000, "m"),
        (1_000, "s"),
    ];
    let fits = UNITS.iter().find(|(size, _)| ms > 0 && ms % size == 0);
    fits.map_or_else(
        || ms.to_string(),
        |(size, unit)| format!("{}{unit}", ms / size),
    )
}

/// The number and the word of `7 days`.
fn parts(text: &str) -> Option<(i64, String)> {
    let text = text.trim();
    let end = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (digits, word) = text.split_at(end);
    let number = plain(digits.trim()).filter(|number| *number >= 0)?;
    Some((number, word.to_owned()))
}

fn meant_time(text: &str) -> Option<String> {
    let (number, word) = parts(text)?;
    let unit = match word.to_lowercase().trim_end_matches('s') {
        "m" if word.len() > 1 => "ms",
        "msec" | "milli" | "millisecond" => "ms",
        "" | "sec" | "second" => "s",
        // `M` could be months.
        "m" if word == "m" => "m",
        "min" | "minute" => "m",
        "h" | "hr" | "hour" => "h",
        "d" | "day" => "d",
        "w" | "week" => return Some(format!("{}d", number.checked_mul(7)?)),
        _ => return None,
    };
    Some(format!("{number}{unit}"))
}

/// The binary unit of a decimal one is what is mostly meant, but not always.
fn meant_bytes(text: &str) -> Option<String> {
    let (number, word) = parts(text)?;
    let word = word.to_lowercase();
    let (unit, power) = match word.chars().next()? {
        'k' => ("KiB", 1),
        'm' => ("MiB", 2),
        'g' => ("GiB", 3),
        't' => ("TiB", 4),
        'b' => return Some(format!("`{number}`")),
        _ => return None,
    };
    match word.get(1..)? {
        "ib" | "i" => Some(format!("`{number}{unit}`")),
        "" | "b" => {
            let decimal = number.checked_mul(1_000_i64.checked_pow(power)?)?;
            Some(format!("`{number}{unit}`, or `{decimal}` in decimal units"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time() {
        for (text, want) in [
            ("7 days", Some("7d")),
            ("2 weeks", Some("14d")),
            ("10min", Some("10m")),
            ("5 ms", Some("5ms")),
            ("30 Sec", Some("30s")),
            ("1 S", Some("1s")),
            ("3 months", None),
            ("3M", None),
            ("1.5h", None),
            ("-1d", None),
            ("days", None),
        ] {
            assert_eq!(meant_time(text).as_deref(), want, "{text}");
        }
        assert!(time("5 ms").starts_with("write a whole number"));
    }

    #[test]
    fn milliseconds_are_shown_short() {
        for (ms, want) in [
            (172_800_000, "2d"),
            (5_400_000, "90m"),
            (1_500, "1500"),
            (0, "0"),
            (-1, "-1"),
        ] {
            assert_eq!(shown_ms(ms), want);
        }
    }

    #[test]
    fn bytes() {
        for (text, want) in [
            ("25MB", Some("`25MiB`, or `25000000` in decimal units")),
            ("25 MiB", Some("`25MiB`")),
            ("1gi", Some("`1GiB`")),
            ("8 bytes", Some("`8`")),
            ("99999999999999TB", None),
            ("x", None),
        ] {
            assert_eq!(meant_bytes(text).as_deref(), want, "{text}");
        }
    }

    #[test]
    fn numbers() {
        assert_eq!(
            number("010", Unit::Plain),
            "write `10`, without the leading 0"
        );
        assert_eq!(number("2m", Unit::Seconds), "write `120`, without a unit");
        assert_eq!(
            number("x", Unit::Seconds),
            "write whole seconds, in digits only"
        );
    }
}
