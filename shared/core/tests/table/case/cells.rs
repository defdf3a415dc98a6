//! The cells of a row: fields and their values, as the table writes them.

use kedge_core::model::{FieldName, Fields, Value};

/// `-` is none, `()` is present without fields, else `name=value, name=value`.
pub(super) fn fields(text: &str) -> Option<Fields> {
    match text {
        "-" => None,
        "()" => Some(Fields::new()),
        text => Some(text.split(", ").map(field).collect()),
    }
}

fn field(text: &str) -> (FieldName, Value) {
    let (name, value) = text.split_once('=').expect(text);
    let name = match name {
        "ret" => "retention_ms",
        "part" => "partitions",
        "max" => "max_message_bytes",
        "ips" => "addresses",
        other => other,
    };
    (FieldName::new(name), self::value(value))
}

/// `1`, `true`, `5s`, `{a b}`, `(a:60 b:300)`, or a text.
fn value(text: &str) -> Value {
    let inner = |open, close| text.strip_prefix(open)?.strip_suffix(close);
    if let Some(items) = inner('{', '}') {
        return Value::set(items.split_whitespace());
    }
    if let Some(parts) = inner('(', ')') {
        let part = |part: &str| {
            let (at, value) = part.split_once(':').expect(part);
            (at.to_owned(), self::value(value))
        };
        return Value::Mixed(parts.split_whitespace().map(part).collect());
    }
    let seconds = text
        .strip_suffix('s')
        .and_then(|number| number.parse().ok());
    match (text.parse(), text.parse(), seconds) {
        (Ok(number), _, _) => Value::Int(number),
        (_, Ok(flag), _) => Value::Bool(flag),
        (_, _, Some(seconds)) => Value::seconds(seconds),
        _ => Value::text(text),
    }
}
