//! Values as people read them: the number as it is stored, and what it means.

use crate::model::{FieldName, Kind, Meaning, Unit, Value, field_spec};
use crate::render::view::outside;

const NS_PER_MS: i128 = 1_000_000;
const NS_PER_S: i128 = 1_000_000_000;

/// A field's value: `604800000 (7d)`, `26214400 (25 MiB)`, `-1 (no limit)`, `not set`.
#[must_use]
pub fn value_text(kind: Kind, field: &FieldName, value: Option<&Value>) -> String {
    let Some(value) = value else {
        return "not set".to_owned();
    };
    let plain = plain_text(kind, field, value);
    match meaning(kind, field, value) {
        Some(meaning) if meaning != plain => format!("{plain} ({meaning})"),
        _ => plain,
    }
}

/// A value as the record of a run has it, in the plain form of [`Value`]: with its meaning, where it is
/// a number or a length of time.
#[must_use]
pub fn recorded_text(kind: Kind, field: &FieldName, text: &str) -> String {
    let value = match (text.parse(), seconds(text)) {
        (Ok(number), _) => Value::Int(number),
        (_, Some(nanos)) => Value::Duration(nanos),
        _ => return outside(text),
    };
    match meaning(kind, field, &value) {
        Some(meaning) if meaning != text => format!("{} ({meaning})", outside(text)),
        _ => outside(text),
    }
}

/// The nanoseconds of `600s` or `600.5s`.
fn seconds(text: &str) -> Option<i64> {
    let number = text.strip_suffix('s')?;
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    let part: i64 = format!("{part:0<9}").get(..9)?.parse().ok()?;
    let whole: i64 = whole.parse().ok()?;
    whole.checked_mul(1_000_000_000)?.checked_add(part)
}

/// The value alone, for where its meaning stands beside it already.
pub(super) fn plain_text(kind: Kind, field: &FieldName, value: &Value) -> String {
    match value {
        Value::Text(text) => text_text(text),
        Value::Set(set) if set.is_empty() => "none".to_owned(),
        Value::Set(set) => {
            let items: Vec<String> = set.iter().map(|item| text_text(item)).collect();
            items.join(", ")
        }
        Value::Mixed(parts) => {
            let of = |(at, value): (&String, &Value)| {
                format!("{at}: {}", value_text(kind, field, Some(value)))
            };
            parts.iter().map(of).collect::<Vec<_>>().join(", ")
        }
        Value::Int(_) | Value::Bool(_) | Value::Ratio(_) | Value::Duration(_) | Value::Url(_) => {
            value.to_string()
        }
    }
}

/// A word as it is; anything that could be taken for something else in quotes.
fn text_text(text: &str) -> String {
    let is_word = |c: char| c.is_alphanumeric() || "-_.:/@+,*%".contains(c);
    let text = outside(text);
    if !text.is_empty() && text.chars().all(is_word) {
        text
    } else {
        format!("\"{}\"", text.replace('"', "\\\""))
    }
}

/// What a number means.
fn meaning(kind: Kind, field: &FieldName, value: &Value) -> Option<String> {
    if let Value::Duration(nanos) = value {
        return Some(span_text(i128::from(*nanos)));
    }
    let number = value.as_int()?;
    let spec = field_spec(kind, field)?;
    let unit = spec.unit;
    let special = match (spec.meaning(value), number) {
        (Some(Meaning::NoLimit), _) => Some("no limit".to_owned()),
        (Some(Meaning::As(other)), _) => Some(format!("as {other}")),
        (Some(Meaning::Automatic), _) => Some("automatic".to_owned()),
        (_, 0) => return None,
        _ if unit == Unit::Plain => return None,
        (_, i64::MAX) => Some("the largest number".to_owned()),
        _ => None,
    };
    Some(special.unwrap_or_else(|| match unit {
        Unit::Milliseconds => span_text(i128::from(number) * NS_PER_MS),
        Unit::Seconds => span_text(i128::from(number) * NS_PER_S),
        Unit::Bytes | Unit::Plain => bytes_text(i128::from(number)),
    }))
}

/// `7d`, `1d 12h`, `about 6d 23h`: at most two units.
pub(super) fn span_text(nanos: i128) -> String {
    const UNITS: [(&str, i128); 6] = [
        ("d", 86_400 * NS_PER_S),
        ("h", 3_600 * NS_PER_S),
        ("m", 60 * NS_PER_S),
        ("s", NS_PER_S),
        ("ms", NS_PER_MS),
        ("ns", 1),
    ];
    let sign = if nanos < 0 { "-" } else { "" };
    let mut rest = nanos.abs();
    let mut parts = Vec::new();
    for (name, size) in UNITS {
        let whole = rest / size;
        if whole > 0 {
            parts.push(format!("{whole}{name}"));
        }
        if whole > 0 || !parts.is_empty() {
            rest %= size;
        }
        if parts.len() == 2 {
            break;
        }
    }
    let about = if rest == 0 { "" } else { "about " };
    match parts.as_slice() {
        [] => "0s".to_owned(),
        parts => format!("{about}{sign}{}", parts.join(" ")),
    }
}

/// `25 MiB`, `1.5 GiB`, `about 23.8 MiB`, `512 B`.
fn bytes_text(bytes: i128) -> String {
    const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let sign = if bytes < 0 { "-" } else { "" };
    let (mut size, mut name) = (1, "B");
    for (power, unit) in (0_u32..).zip(UNITS) {
        let candidate = 1024_i128.pow(power);
        if bytes.abs() >= candidate {
            (size, name) = (candidate, unit);
        }
    }
    let (whole, rest) = (bytes.abs() / size, bytes.abs() % size);
    let (tenths, beyond) = (rest * 10 / size, rest * 10 % size);
    let about = if beyond == 0 { "" } else { "about " };
    match tenths {
        0 => format!("{about}{sign}{whole} {name}"),
        _ => format!("{about}{sign}{whole}.{tenths} {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Salt, SealedUrl};

    fn check(kind: Kind, rows: &[(&'static str, Value, &str)]) {
        for (field, value, text) in rows {
            let shown = value_text(kind, &FieldName::known(field), Some(value));
            assert_eq!(shown, *text, "{field}");
        }
    }

    #[test]
    fn numbers_of_topics() {
        use Value::{Int, Ratio};
        let rows = [
            ("retention_ms", Int(604_800_000), "604800000 (7d)"),
            ("retention_ms", Int(129_600_000), "129600000 (1d 12h)"),
            ("retention_ms", Int(604_799_999), "604799999 (about 6d 23h)"),
            ("retention_ms", Int(-1), "-1 (no limit)"),
            ("retention_ms", Int(0), "0"),
            ("segment_ms", Int(500), "500 (500ms)"),
            ("local_retention_ms", Int(-2), "-2 (as retention_ms)"),
            ("flush_ms", Int(i64::MAX), "9223372036854775807 (no limit)"),
            ("max_message_bytes", Int(26_214_400), "26214400 (25 MiB)"),
            (
                "max_message_bytes",
                Int(25_000_000),
                "25000000 (about 23.8 MiB)",
            ),
            ("segment_bytes", Int(1_610_612_736), "1610612736 (1.5 GiB)"),
            ("max_message_bytes", Int(512), "512 (512 B)"),
            ("partitions", Int(10), "10"),
            ("min_cleanable_dirty_ratio", Ratio(500_000_000), "0.5"),
        ];
        check(Kind::KafkaTopic, &rows);
        let not_set = value_text(Kind::KafkaTopic, &FieldName::known("tags.a"), None);
        assert_eq!(not_set, "not set");
    }

    #[test]
    fn values_of_records_of_runs() {
        for (kind, field, text, expected) in [
            (
                Kind::KafkaTopic,
                "retention_ms",
                "604800000",
                "604800000 (7d)",
            ),
            (
                Kind::KafkaTopic,
                "max_message_bytes",
                "26214400",
                "26214400 (25 MiB)",
            ),
            (Kind::KafkaTopic, "retention_ms", "-1", "-1 (no limit)"),
            (Kind::KafkaTopic, "partitions", "10", "10"),
            (Kind::KafkaTopic, "min_cleanable_dirty_ratio", "0.5", "0.5"),
            (Kind::KafkaTopic, "description", "a\nb", "a\u{fffd}b"),
            (
                Kind::PubsubSubscription,
                "message_retention",
                "604800s",
                "604800s (7d)",
            ),
            (
                Kind::PubsubSubscription,
                "minimum_backoff",
                "0.5s",
                "0.5s (500ms)",
            ),
            (Kind::DnsRecordSet, "ttl", "1", "1 (automatic)"),
            (Kind::DnsRecordSet, "addresses", "192.0.2.1", "192.0.2.1"),
        ] {
            let shown = recorded_text(kind, &FieldName::known(field), text);
            assert_eq!(shown, expected, "{field}");
        }
    }

    #[test]
    fn texts() {
        let text = |text: &str| Value::text(text);
        let rows = [
            ("cleanup_policy", text("compact,delete"), "compact,delete"),
            ("description", text("not set"), "\"not set\""),
            (
                "description",
                text("a\u{1b}[2J\nb"),
                "\"a\u{fffd}[2J\u{fffd}b\"",
            ),
            ("description", text(""), "\"\""),
        ];
        check(Kind::KafkaTopic, &rows);
    }

    #[test]
    fn what_subscriptions_have() {
        let url = SealedUrl::seal("https://h.example/p?token=abc", &Salt([1; 16])).unwrap();
        let hidden = url.to_string();
        assert!(!hidden.contains("abc"));
        let audience = "\"https://h/p?[hidden]\"";
        let rows = [
            ("push_endpoint", Value::text("pull"), "pull"),
            ("push_endpoint", Value::url(url), hidden.as_str()),
            ("push_audience", Value::text("https://h/p?t=1"), audience),
            ("message_retention", Value::seconds(604_800), "604800s (7d)"),
            ("minimum_backoff", Value::seconds(10), "10s"),
            ("ack_deadline_seconds", Value::Int(60), "60 (1m)"),
        ];
        check(Kind::PubsubSubscription, &rows);
    }

    #[test]
    fn what_record_sets_have() {
        let two = Value::set(["192.0.2.2", "192.0.2.1"]);
        let mixed = Value::Mixed([("192.0.2.1".to_owned(), Value::Int(60))].into());
        let rows = [
            ("ttl", Value::Int(1), "1 (automatic)"),
            ("ttl", Value::Int(300), "300 (5m)"),
            ("ttl", mixed, "192.0.2.1: 60 (1m)"),
            ("addresses", two, "192.0.2.1, 192.0.2.2"),
            ("addresses", Value::Set([].into()), "none"),
        ];
        check(Kind::DnsRecordSet, &rows);
    }
}
