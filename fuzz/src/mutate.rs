//! Changes that keep some of the form: of bytes, of lines, of JSON.

use kedge_sandbox::SplitMix64;
use serde_json::{Map, Value, json};

/// The largest text a mutation grows to.
const BYTES_MAX: usize = 200_000;

/// An index below `bound`; 0 when there is nothing.
pub(crate) fn below(random: &mut SplitMix64, bound: usize) -> usize {
    usize::try_from(random.below(bound as u64)).unwrap_or(0)
}

/// One of them; none if there are none.
pub(crate) fn pick<'a, T>(random: &mut SplitMix64, all: &'a [T]) -> Option<&'a T> {
    all.get(below(random, all.len()))
}

/// Whether something happens that happens once in so many times.
pub(crate) fn one_in(random: &mut SplitMix64, times: u64) -> bool {
    random.below(times) == 0
}

/// What breaks readers of YAML, numbers, names and times.
const TOKENS: &[&str] = &[
    "",
    "null",
    "~",
    "true",
    "yes",
    "0",
    "-1",
    "1e308",
    "-0",
    "0x1f",
    "1_000",
    "9007199254740993",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551616",
    "0.1",
    ".nan",
    ".inf",
    "7d",
    "99999999999999d",
    "-5m",
    "25MiB",
    "9999999TiB",
    "{stack}",
    "{stack}-",
    "{nope}",
    "{a?}",
    "{",
    "}",
    "{{",
    "{stack",
    "&a",
    "*a",
    "<<: *a",
    "!!binary x",
    "!t",
    "|",
    ">-",
    "- ",
    "-",
    ": ",
    ":",
    "?",
    "#",
    "---\n",
    "...\n",
    "%YAML 1.2\n",
    "\t",
    "\u{0}",
    "\u{85}",
    "\u{feff}",
    "\u{202e}",
    "\u{1b}[2J",
    "é",
    "😀",
    "[",
    "]",
    "[[[[[[[[",
    "{a: {b: {c: {}}}}",
    "\"",
    "'",
    "\\",
    "secure: v1:abc",
    "https://u:p@h/?k=v#f",
    "https://",
    "http://[::1",
    "2026-12-31",
    "+275760-09-13",
    "10.0.0.1",
    "::ffff:1.2.3.4",
    "2001:db8::1",
    "a.b_c",
    "_schemas",
    "__consumer_offsets",
    "..",
    "projects/p/topics/t",
    "roles/pubsub.publisher",
    "serviceAccount:a@b",
    "name",
    "topics",
];

/// Some changes to bytes.
pub(crate) fn bytes(random: &mut SplitMix64, bytes: &mut Vec<u8>) {
    let at = below(random, bytes.len() + 1);
    let length = below(random, 24).min(bytes.len() - at);
    match random.below(8) {
        0 => bytes.truncate(at),
        1 => drop(bytes.drain(at..at + length)),
        2 => {
            let copy: Vec<u8> = bytes.iter().skip(at).take(length).copied().collect();
            insert(bytes, below(random, bytes.len() + 1), &copy);
        }
        3 | 4 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
        }
        5 => {
            let byte = random.next_u64().to_le_bytes()[0];
            insert(bytes, at, &[byte]);
        }
        _ => {
            let token = pick(random, TOKENS).copied().unwrap_or_default();
            insert(bytes, at, token.as_bytes());
        }
    }
}

fn insert(bytes: &mut Vec<u8>, at: usize, more: &[u8]) {
    if bytes.len() + more.len() <= BYTES_MAX {
        let rest = bytes.split_off(at.min(bytes.len()));
        bytes.extend_from_slice(more);
        bytes.extend(rest);
    }
}

/// Some change to the lines of a YAML text; `other` is a text to take pieces from.
pub(crate) fn lines(random: &mut SplitMix64, text: &str, other: &str) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    if lines.len() > 5_000 {
        return text.to_owned();
    }
    let at = below(random, lines.len());
    let line = lines.get(at).cloned().unwrap_or_default();
    match random.below(10) {
        0 if !lines.is_empty() => drop(lines.remove(at)),
        1 => lines.insert(at, line),
        2 => {
            let to = below(random, lines.len());
            if to < lines.len() {
                lines.swap(at, to);
            }
        }
        3 => replace(&mut lines, at, format!("  {line}")),
        4 => replace(&mut lines, at, line.chars().skip(1).collect()),
        5 => replace(&mut lines, at, line.replacen("- ", "", 1)),
        6 => {
            let others: Vec<&str> = other.lines().collect();
            let from = below(random, others.len());
            let many = 1 + below(random, 6);
            let taken = others.iter().skip(from).take(many);
            lines.splice(at..at, taken.map(|line| (*line).to_owned()));
        }
        // The value, or the key.
        7 | 8 => {
            let token = pick(random, TOKENS).copied().unwrap_or_default();
            let changed = match line.split_once(": ") {
                Some((key, _)) => format!("{key}: {token}"),
                None => format!("{line} {token}"),
            };
            replace(&mut lines, at, changed);
        }
        _ => {
            let token = pick(random, TOKENS).copied().unwrap_or_default();
            let changed = match line.split_once(':') {
                Some((key, value)) => {
                    let indent: String = key.chars().take_while(|c| " -".contains(*c)).collect();
                    format!("{indent}{token}:{value}")
                }
                None => token.to_owned(),
            };
            replace(&mut lines, at, changed);
        }
    }
    lines.join("\n") + "\n"
}

fn replace(lines: &mut [String], at: usize, with: String) {
    if let Some(line) = lines.get_mut(at) {
        *line = with;
    }
}

/// Some change to one place of a JSON value; `other` is a value to take pieces from.
pub(crate) fn json(random: &mut SplitMix64, value: &mut Value, other: &Value) {
    let mut places = below(random, count(value));
    let piece = nth(other, &mut below(random, count(other))).cloned();
    if let Some(place) = nth_mut(value, &mut places) {
        change(random, place, piece.unwrap_or(Value::Null));
    }
}

fn count(value: &Value) -> usize {
    1 + children(value).map(count).sum::<usize>()
}

fn children(value: &Value) -> Box<dyn Iterator<Item = &Value> + '_> {
    match value {
        Value::Array(list) => Box::new(list.iter()),
        Value::Object(map) => Box::new(map.values()),
        _ => Box::new(std::iter::empty()),
    }
}

fn nth<'a>(value: &'a Value, left: &mut usize) -> Option<&'a Value> {
    if *left == 0 {
        return Some(value);
    }
    *left -= 1;
    children(value).find_map(|child| nth(child, left))
}

fn nth_mut<'a>(value: &'a mut Value, left: &mut usize) -> Option<&'a mut Value> {
    if *left == 0 {
        return Some(value);
    }
    *left -= 1;
    match value {
        Value::Array(list) => list.iter_mut().find_map(|child| nth_mut(child, left)),
        Value::Object(map) => map.values_mut().find_map(|child| nth_mut(child, left)),
        _ => None,
    }
}

fn change(random: &mut SplitMix64, place: &mut Value, piece: Value) {
    match place {
        Value::Object(map) if !one_in(random, 4) => change_map(random, map, piece),
        Value::Array(list) if !one_in(random, 4) => {
            let at = below(random, list.len());
            match random.below(5) {
                0 => list.clear(),
                1 if !list.is_empty() => drop(list.remove(at)),
                2 if !list.is_empty() => list.extend(list.get(at).cloned()),
                3 => list.push(piece),
                _ => list.reverse(),
            }
        }
        _ => *place = leaf(random, place, piece),
    }
}

fn change_map(random: &mut SplitMix64, map: &mut Map<String, Value>, piece: Value) {
    let keys: Vec<String> = map.keys().cloned().collect();
    let Some(key) = pick(random, &keys).cloned() else {
        map.insert("name".to_owned(), piece);
        return;
    };
    match random.below(5) {
        0 => drop(map.remove(&key)),
        1 => {
            let value = map.remove(&key).unwrap_or_default();
            map.insert(word(random), value);
        }
        2 => drop(map.insert(key, piece)),
        3 => drop(map.insert(word(random), piece)),
        _ => {
            let other = pick(random, &keys)
                .and_then(|other| map.get(other))
                .cloned();
            map.insert(key, other.unwrap_or_default());
        }
    }
}

fn word(random: &mut SplitMix64) -> String {
    pick(random, TOKENS).copied().unwrap_or_default().to_owned()
}

fn leaf(random: &mut SplitMix64, place: &Value, piece: Value) -> Value {
    match (random.below(12), place) {
        (0, _) => Value::Null,
        (1, _) => true.into(),
        (2, _) => json!(i64::MAX),
        (3, _) => json!(i64::MIN),
        (4, _) => json!(u64::MAX),
        (5, _) => json!(1e308),
        (6, _) => json!([place]),
        (7, _) => json!({ "value": place }),
        (8, Value::Number(number)) => number.to_string().into(),
        (8, Value::String(text)) => text.parse::<i64>().map_or(Value::Null, Value::from),
        (9, Value::String(text)) => format!("{text}{}", word(random)).into(),
        (9, Value::Number(number)) => json!(number.as_f64().map(|number| number + 0.5)),
        (10, Value::String(text)) => text.chars().rev().collect::<String>().into(),
        (11, _) => word(random).into(),
        _ => piece,
    }
}
