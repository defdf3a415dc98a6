//! YAML text to a tree of nodes with positions: the only file that knows the YAML library.
//!
//! The tree is loose on purpose. Types, unknown keys and duplicate keys are judged by our own pass,
//! which reports every problem of a file; the library would stop at the first.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{DuplicateKeyPolicy, MergeKeyPolicy, NonFiniteFloatPolicy};
use serde_saphyr::{Error, Spanned};

use super::syntax::{Slip, slip};

/// Levels of nesting; our deepest file needs 6.
const DEPTH_MAX: usize = 32;
/// Nodes in one file, aliases expanded.
const NODES_MAX: usize = 1_000_000;
/// Aliases (`*name`) in one file, and nodes that all of them together may copy.
const ALIASES_MAX: usize = 1_000;
const ALIAS_NODES_MAX: usize = 50_000;

/// A place in a text. Lines and columns count from 1, columns and widths in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Pos {
    pub(super) line: u32,
    pub(super) column: u32,
    pub(super) width: u32,
}

impl Pos {
    /// The beginning of a text, for what has no better place.
    pub(super) const START: Self = Self {
        line: 1,
        column: 1,
        width: 1,
    };
}

/// One node of a file.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) pos: Pos,
    pub(super) content: Content,
}

/// What a node holds.
#[derive(Debug, Clone)]
pub(super) enum Content {
    /// Nothing, `~` or `null`.
    Null,
    /// Any scalar, as text; `"10"` and `10` are the same.
    Scalar(String),
    /// A list.
    List(Vec<Node>),
    /// A map in the order of the text, duplicates kept.
    Map(Vec<(Node, Node)>),
}

/// A text is not YAML.
#[derive(Debug)]
pub(super) struct YamlError {
    pub(super) pos: Pos,
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

/// Reads one document.
pub(super) fn read(text: &str) -> Result<Node, YamlError> {
    if let Some(error) = forbidden_character(text) {
        return Err(error);
    }
    let raw: Spanned<Raw> = serde_saphyr::from_str_with_options(text, options())
        .map_err(|error| explain(&error, text))?;
    Ok(node(raw, text))
}

/// Control characters: YAML forbids them, but the library takes some and refuses others without a
/// place.
fn forbidden_character(text: &str) -> Option<YamlError> {
    let mut column = 1;
    let mut line = 1;
    for c in text.chars() {
        let allowed = matches!(c, '\n' | '\r' | '\t') || !c.is_control();
        if !allowed {
            let pos = Pos {
                line,
                column,
                width: 1,
            };
            return Some(YamlError {
                pos,
                message: format!("control character U+{:04X} in the file", u32::from(c)),
                hint: Some("remove it".to_owned()),
            });
        }
        (line, column) = match c {
            '\n' => (line + 1, 1),
            _ => (line, column + 1),
        };
    }
    None
}

fn options() -> serde_saphyr::Options {
    let budget = serde_saphyr::budget! {
        max_depth: DEPTH_MAX,
        flow_nesting_limit: DEPTH_MAX,
        max_nodes: NODES_MAX,
        max_events: 2 * NODES_MAX,
        max_aliases: ALIASES_MAX,
        max_anchors: ALIASES_MAX,
        max_documents: 2,
        max_merge_keys: 0,
    };
    let alias_limits = serde_saphyr::alias_limits! {
        max_total_replayed_events: ALIAS_NODES_MAX,
        max_replay_stack_depth: DEPTH_MAX,
    };
    serde_saphyr::options! {
        budget: budget,
        alias_limits: alias_limits,
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        merge_keys: MergeKeyPolicy::AsOrdinary,
        non_finite_float_policy: NonFiniteFloatPolicy::AsString,
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        with_snippet: false,
    }
}

const TOO_MUCH: (&str, &str) = (
    "nested too deep, or too many nodes or aliases",
    "definitions need neither deep nesting nor many `*aliases`",
);

/// The library's error in our words. Its text may hold the file's, so only known sentences pass.
fn explain(error: &Error, text: &str) -> YamlError {
    let pos = error.location().map_or(Pos::START, |location| Pos {
        line: at_least_one(location.line()),
        column: at_least_one(location.column()),
        width: 1,
    });
    let (message, hint) = match inner(error) {
        Error::MultipleDocuments { .. } => (
            "several YAML documents in one file",
            "remove the `---` line, or split the file",
        ),
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. }
        | Error::AliasReplayCounterOverflow { .. } => TOO_MUCH,
        Error::UnknownAnchor { .. } => (
            "an `*alias` without its `&anchor`",
            "write out what it stands for; a text that begins with `*` needs quotes",
        ),
        Error::ExternalMessage { msg, .. } if msg.contains("recursion limit") => TOO_MUCH,
        _ => ("this is not YAML", ""),
    };
    let found = hint.is_empty().then(|| slip(text, pos)).flatten();
    if let Some(Slip { pos, message, hint }) = found {
        return YamlError {
            pos,
            message: message.to_owned(),
            hint: Some(hint),
        };
    }
    let hint = if hint.is_empty() {
        reason(error)
    } else {
        Some(hint.to_owned())
    };
    YamlError {
        pos,
        message: message.to_owned(),
        hint,
    }
}

/// The error itself, without what the library wraps around one inside an expanded alias.
fn inner(error: &Error) -> &Error {
    match error.without_snippet() {
        Error::AliasError { error, .. } => inner(error),
        other => other,
    }
}

/// The parser's own sentence (`did not find expected key`), which names syntax and no content.
fn reason(error: &Error) -> Option<String> {
    match inner(error) {
        Error::ExternalMessage { msg, .. } => msg.lines().next().map(str::to_owned),
        _ => None,
    }
}

fn at_least_one(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX).max(1)
}

fn node(raw: Spanned<Raw>, text: &str) -> Node {
    let at = raw.referenced;
    let pos = Pos {
        line: at_least_one(at.line()),
        column: at_least_one(at.column()),
        width: at_least_one(at.span().len()),
    };
    let content = match raw.value {
        Raw::Null => Content::Null,
        Raw::Text(text) => Content::Scalar(text),
        Raw::Number => Content::Scalar(slice(text, &raw.defined)),
        Raw::List(items) => Content::List(items.into_iter().map(|item| node(item, text)).collect()),
        Raw::Map(entries) => Content::Map(
            entries
                .into_iter()
                .map(|(key, value)| (node(key, text), node(value, text)))
                .collect(),
        ),
    };
    Node { pos, content }
}

/// A number as it was written: the library would hand over a binary fraction.
fn slice(text: &str, at: &serde_saphyr::Location) -> String {
    let span = at.span();
    let start = span.byte_offset().and_then(|n| usize::try_from(n).ok());
    let length = span.byte_len().and_then(|n| usize::try_from(n).ok());
    let range = start.zip(length).map(|(start, len)| start..start + len);
    let written = range.and_then(|range| text.get(range));
    written.unwrap_or_default().trim().to_owned()
}

/// What the library hands over, before positions are taken out.
enum Raw {
    Null,
    Text(String),
    /// A fraction or a huge number; its text is read from the source.
    Number,
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<Raw>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML node")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Raw, E> {
        Ok(Raw::Text(flag.to_string()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Raw, E> {
        Ok(Raw::Text(number.to_string()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Raw, E> {
        Ok(Raw::Text(number.to_string()))
    }

    fn visit_i128<E>(self, _: i128) -> Result<Raw, E> {
        Ok(Raw::Number)
    }

    fn visit_u128<E>(self, _: u128) -> Result<Raw, E> {
        Ok(Raw::Number)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Raw, E> {
        Ok(Raw::Number)
    }

    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Raw, E> {
        Ok(Raw::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Raw::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Raw::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> (u32, u32, String) {
        let error = read(text).unwrap_err();
        (error.pos.line, error.pos.column, error.message)
    }

    fn scalar_of<'n>(node: &'n Node, key: &str) -> &'n str {
        let Content::Map(pairs) = &node.content else {
            panic!("a map");
        };
        let value = pairs
            .iter()
            .find(|(k, _)| matches!(&k.content, Content::Scalar(text) if text == key));
        match value.map(|(_, value)| &value.content) {
            Some(Content::Scalar(text)) => text,
            other => panic!("{key}: {other:?}"),
        }
    }

    #[test]
    fn scalars_keep_their_text() {
        let text = "a: 010\nb: 1_0\nc: 0.50\nd: yes\ne: True\nf: \"10\"\ng: 99999999999999999999999\nh: 2026-01-01\ni: .nan\n";
        let node = read(text).unwrap();
        for (key, want) in [
            ("a", "010"),
            ("b", "1_0"),
            ("c", "0.50"),
            ("d", "yes"),
            ("e", "true"),
            ("f", "10"),
            ("g", "99999999999999999999999"),
            ("h", "2026-01-01"),
            ("i", ".nan"),
        ] {
            assert_eq!(scalar_of(&node, key), want, "{key}");
        }
    }

    #[test]
    fn duplicates_are_kept_with_their_places() {
        let node = read("a: 1\nb:\n  - {c: d}\na: 2\n").unwrap();
        let Content::Map(pairs) = &node.content else {
            panic!("a map");
        };
        let lines: Vec<u32> = pairs.iter().map(|(key, _)| key.pos.line).collect();
        assert_eq!(lines, [1, 2, 4]);
    }

    #[test]
    fn an_aliased_value_stands_where_it_is_used() {
        let node = read("a: &x [1, 2]\nb: *x\n").unwrap();
        let Content::Map(pairs) = &node.content else {
            panic!("a map");
        };
        assert_eq!(pairs[1].1.pos.line, 2);
    }

    #[test]
    fn what_is_not_yaml_is_one_error_with_a_place() {
        let bomb = {
            let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
            for n in 1..9 {
                let list = vec![format!("*a{}", n - 1); 10].join(", ");
                text.push_str(&format!("a{n}: &a{n} [{list}]\n"));
            }
            text
        };
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        let too_much = "nested too deep, or too many nodes or aliases";
        for (text, line, message) in [
            ("a:\n\tb: 1\n", 2, "a tab in the indentation"),
            ("a: 1\n---\nb: 2\n", 3, "several YAML documents in one file"),
            ("a: *x\n", 1, "an `*alias` without its `&anchor`"),
            (
                "a: 1\nb: \u{0}\n",
                2,
                "control character U+0000 in the file",
            ),
            ("a: \"x\n", 1, "this is not YAML"),
            (&bomb, 5, too_much),
            (&deep, 1, too_much),
        ] {
            let (at, _, said) = error(text);
            assert_eq!(
                (at, said.as_str()),
                (line, message),
                "{}",
                &text[..text.len().min(40)]
            );
        }
    }

    #[test]
    fn an_error_never_repeats_a_value() {
        for text in [
            "a: !!int hunter2\n",
            "a: !!bool hunter2\n",
            "a: *hunter2\n",
            "a: !!float hunter2\n",
        ] {
            let error = read(text).unwrap_err();
            assert!(!format!("{error:?}").contains("hunter2"), "{text}");
        }
    }
}
