//! YAML text to a tree of nodes with positions: the only file that knows the YAML library.
//!
//! The tree is loose on purpose. Types, unknown keys and duplicate keys are judged by our own pass,
//! which reports every problem of a file; the library would stop at the first. It is made from the
//! parser's events, not by the library's deserialiser, which takes longer to hand over the same
//! nodes. So the limits on depth, nodes and aliases are ours.

use std::borrow::Cow;
use std::collections::BTreeMap;

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, Span, Tag, options};

use super::syntax::{Slip, slip};

mod words;

/// Levels of nesting; our deepest file needs 6.
const DEPTH_MAX: usize = 32;
/// Nodes in one file, aliases expanded.
const NODES_MAX: usize = 1_000_000;
/// Aliases (`*name`) in one file, and anchors (`&name`).
const ALIASES_MAX: usize = 1_000;
/// Nodes that all aliases of a file together may copy.
const ALIAS_NODES_MAX: usize = 50_000;
/// Bytes of scalars that they may copy: as many as a file may have.
const ALIAS_BYTES_MAX: usize = super::Bundle::FILE_BYTES_MAX;

/// Bytes of scalars that anchors may keep.
const ANCHOR_BYTES_MAX: usize = 2 * ALIAS_BYTES_MAX;

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

    fn of(span: &Span) -> Self {
        Self {
            line: at_least_one(span.start.line()),
            column: at_least_one(span.start.col() + 1),
            width: at_least_one(span.len()),
        }
    }
}

/// One node of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node<'t> {
    pub(super) pos: Pos,
    pub(super) content: Content<'t>,
}

/// What a node holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content<'t> {
    /// Nothing, `~` or `null`.
    Null,
    /// Any scalar, as text; `"10"` and `10` are the same.
    Scalar(Cow<'t, str>),
    /// A list.
    List(Vec<Node<'t>>),
    /// A map in the order of the text, duplicates kept.
    Map(Vec<(Node<'t>, Node<'t>)>),
}

/// A text is not YAML.
#[derive(Debug)]
pub(super) struct YamlError {
    pub(super) pos: Pos,
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

impl YamlError {
    fn new(pos: Pos, message: &str, hint: &str) -> Self {
        Self {
            pos,
            message: message.to_owned(),
            hint: Some(hint.to_owned()).filter(|hint| !hint.is_empty()),
        }
    }
}

/// Reads one document. A text without any is nothing.
pub(super) fn read(text: &str) -> Result<Node<'_>, YamlError> {
    if let Some(error) = forbidden_character(text) {
        return Err(error);
    }
    let options = options! {
        flow_nesting_limit: DEPTH_MAX,
        block_nesting_limit: DEPTH_MAX,
    };
    let mut tree = Tree::default();
    let mut documents = 0;
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| explain(&error, text))?;
        if matches!(event, Event::DocumentStart(..)) {
            documents += 1;
            if documents > 1 {
                let hint = "remove this line, and put what follows under the keys above it";
                let message = "several YAML documents in one file";
                return Err(YamlError::new(Pos::of(&span), message, hint));
            }
            continue;
        }
        tree.take(event, &span)?;
    }
    Ok(tree.root.unwrap_or(Node {
        pos: Pos::START,
        content: Content::Null,
    }))
}

/// Control characters: YAML forbids them, but the library takes some and refuses others without a
/// place. And what stands for bytes that are no UTF-8: nobody wrote it.
fn forbidden_character(text: &str) -> Option<YamlError> {
    // Whole files have none, which bytes tell faster; 0xC2 begins U+0080 to U+009F, and more, and
    // 0xEF begins U+FFFD.
    let suspect = |byte: u8| {
        (byte < b' ' && byte != b'\n' && byte != b'\r' && byte != b'\t')
            || byte == 0x7F
            || byte == 0xC2
            || byte == 0xEF
    };
    // Without a way out of the inner loop it is done many bytes at a time.
    let any = |bytes: &[u8]| bytes.iter().fold(false, |any, byte| any | suspect(*byte));
    if !text.as_bytes().chunks(1_024).any(any) {
        return None;
    }
    let mut column = 1;
    let mut line = 1;
    for c in text.chars() {
        let pos = Pos {
            line,
            column,
            width: 1,
        };
        if c == char::REPLACEMENT_CHARACTER {
            let hint = "save the file as UTF-8, and write this character again";
            return Some(YamlError::new(pos, "a character that is not UTF-8", hint));
        }
        if c.is_control() && !matches!(c, '\n' | '\r' | '\t') {
            let message = format!(
                "an invisible character (U+{:04X}) in the file",
                u32::from(c)
            );
            return Some(YamlError::new(pos, &message, "remove it"));
        }
        (line, column) = match c {
            '\n' => (line + 1, 1),
            _ => (line, column + 1),
        };
    }
    None
}

fn too_deep(pos: Pos) -> YamlError {
    let message = format!("more than {DEPTH_MAX} lists and maps inside each other");
    let hint = "close each `[` and `{`, or indent less: definitions need 6 levels";
    YamlError::new(pos, &message, hint)
}

fn too_many(pos: Pos, what: &str) -> YamlError {
    let message = format!("too many {what} in one file");
    let hint = "write values out instead of `&anchors` and `*aliases`, or split the file";
    YamlError::new(pos, &message, hint)
}

/// The parser's error in our words, or the slip that most likely led to it.
fn explain(error: &ScanError, text: &str) -> YamlError {
    let at = error.marker();
    let pos = Pos {
        line: at_least_one(at.line()),
        column: at_least_one(at.col() + 1),
        width: 1,
    };
    match error.kind() {
        ErrorKind::RecursionLimitExceeded => too_deep(pos),
        ErrorKind::UnknownAnchor => {
            let word = word_at(text, pos);
            let (message, hint) = match word.starts_with("*.") {
                true => (
                    "a value that begins with `*` needs quotes",
                    "put the whole value in quotes",
                ),
                false => (
                    "an `*alias` without its `&anchor`",
                    "a text that begins with `*` needs quotes; else write out what it stands for",
                ),
            };
            let width = at_least_one(word.chars().count());
            YamlError::new(Pos { width, ..pos }, message, hint)
        }
        kind => {
            let slip = slip(text, pos).filter(|_| !words::is_exact(kind));
            if let Some(Slip { pos, message, hint }) = slip {
                return YamlError::new(pos, message, &hint);
            }
            let (message, hint) = words::in_words(kind);
            YamlError::new(pos, &message, &hint)
        }
    }
}

/// The text from a place to the end of its word.
fn word_at(text: &str, pos: Pos) -> String {
    let line = text.lines().nth(pos.line as usize - 1).unwrap_or_default();
    let word = line.chars().skip(pos.column as usize - 1);
    let ends = |c: &char| c.is_whitespace() || matches!(c, ',' | ']' | '}');
    word.take_while(|c| !ends(c)).collect()
}

fn at_least_one(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX).max(1)
}

/// A list or map whose end has not come yet.
struct Open<'t> {
    pos: Pos,
    anchor: usize,
    nodes: Nodes<'t>,
}

/// What an open list or map holds so far.
enum Nodes<'t> {
    List(Vec<Node<'t>>),
    /// The pairs, and the key that waits for its value.
    Map(Vec<(Node<'t>, Node<'t>)>, Option<Node<'t>>),
}

/// The tree as far as the events go.
#[derive(Default)]
struct Tree<'t> {
    root: Option<Node<'t>>,
    open: Vec<Open<'t>>,
    /// Anchored nodes that are whole. The parser gives them numbers from 1.
    anchors: BTreeMap<usize, Anchored<'t>>,
    nodes: usize,
    aliases: usize,
    /// What all anchors keep, and what all aliases copied.
    anchor_cost: Cost,
    alias_cost: Cost,
}

/// An anchored node, with what copying it costs.
struct Anchored<'t> {
    node: Node<'t>,
    cost: Cost,
}

/// How big a node is, all beneath it included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Cost {
    nodes: usize,
    bytes: usize,
    depth: usize,
}

impl Cost {
    fn of(node: &Node<'_>) -> Self {
        let own = Self {
            nodes: 1,
            ..Self::default()
        };
        let beneath = |cost: Self, node: &Node<'_>| {
            let of = Self::of(node);
            Self {
                nodes: cost.nodes + of.nodes,
                bytes: cost.bytes + of.bytes,
                depth: cost.depth.max(of.depth + 1),
            }
        };
        match &node.content {
            Content::Null => own,
            Content::Scalar(text) => Self {
                bytes: text.len(),
                ..own
            },
            Content::List(items) => items.iter().fold(own.level(), beneath),
            Content::Map(pairs) => pairs.iter().fold(own.level(), |cost, (key, value)| {
                beneath(beneath(cost, key), value)
            }),
        }
    }

    /// A list or map is one level deep, however empty.
    fn level(self) -> Self {
        Self { depth: 1, ..self }
    }
}

impl<'t> Tree<'t> {
    fn take(&mut self, event: Event<'t>, span: &Span) -> Result<(), YamlError> {
        let pos = Pos::of(span);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let content = scalar(text, style, tag.as_deref(), pos)?;
                self.place(Node { pos, content }, anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                expect_tag(tag.as_deref(), "seq", pos)?;
                self.begin(pos, anchor, Nodes::List(Vec::new()))
            }
            Event::MappingStart(_, anchor, tag) => {
                expect_tag(tag.as_deref(), "map", pos)?;
                self.begin(pos, anchor, Nodes::Map(Vec::new(), None))
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(anchor) => self.alias(pos, anchor),
            // Comments, and the beginnings and ends of the stream and of its documents.
            _ => Ok(()),
        }
    }

    fn begin(&mut self, pos: Pos, anchor: usize, nodes: Nodes<'t>) -> Result<(), YamlError> {
        if self.open.len() >= DEPTH_MAX {
            return Err(too_deep(pos));
        }
        self.open.push(Open { pos, anchor, nodes });
        Ok(())
    }

    fn end(&mut self) -> Result<(), YamlError> {
        let Some(Open { pos, anchor, nodes }) = self.open.pop() else {
            return Ok(());
        };
        let content = match nodes {
            Nodes::List(items) => Content::List(items),
            Nodes::Map(pairs, _) => Content::Map(pairs),
        };
        self.place(Node { pos, content }, anchor)
    }

    /// Puts a whole node where it belongs.
    fn place(&mut self, node: Node<'t>, anchor: usize) -> Result<(), YamlError> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            return Err(too_many(node.pos, "keys and values"));
        }
        if anchor > 0 {
            self.keep(&node, anchor)?;
        }
        match self.open.last_mut().map(|open| &mut open.nodes) {
            None => self.root = Some(node),
            Some(Nodes::List(items)) => items.push(node),
            Some(Nodes::Map(pairs, key)) => match key.take() {
                None => *key = Some(node),
                Some(key) => pairs.push((key, node)),
            },
        }
        Ok(())
    }

    /// Keeps an anchored node for its aliases. Anchors within anchors are kept many times over.
    fn keep(&mut self, node: &Node<'t>, anchor: usize) -> Result<(), YamlError> {
        let (cost, sum) = (Cost::of(node), &mut self.anchor_cost);
        sum.nodes += cost.nodes;
        sum.bytes += cost.bytes;
        if anchor > ALIASES_MAX || sum.nodes > NODES_MAX || sum.bytes > ANCHOR_BYTES_MAX {
            return Err(too_many(node.pos, "`&anchors`"));
        }
        let node = node.clone();
        self.anchors.insert(anchor, Anchored { node, cost });
        Ok(())
    }

    /// Puts a copy of an anchored node in the place of its alias. All of it stands there.
    fn alias(&mut self, pos: Pos, anchor: usize) -> Result<(), YamlError> {
        let Some(anchored) = self.anchors.get(&anchor) else {
            let hint = "it would never end; write the value out";
            let message = "an `*alias` inside its own `&anchor`";
            return Err(YamlError::new(pos, message, hint));
        };
        let (cost, sum) = (anchored.cost, &mut self.alias_cost);
        sum.nodes += cost.nodes;
        sum.bytes += cost.bytes;
        self.aliases += 1;
        self.nodes += cost.nodes - 1;
        if self.open.len() + cost.depth > DEPTH_MAX {
            return Err(too_deep(pos));
        }
        if self.aliases > ALIASES_MAX || sum.nodes > ALIAS_NODES_MAX || sum.bytes > ALIAS_BYTES_MAX
        {
            return Err(too_many(pos, "`*aliases`"));
        }
        let mut node = anchored.node.clone();
        stand_at(&mut node, pos);
        self.place(node, 0)
    }
}

/// Moves a node and all beneath it to one place.
fn stand_at(node: &mut Node<'_>, pos: Pos) {
    node.pos = pos;
    match &mut node.content {
        Content::Null | Content::Scalar(_) => {}
        Content::List(items) => items.iter_mut().for_each(|item| stand_at(item, pos)),
        Content::Map(pairs) => {
            for (key, value) in pairs {
                stand_at(key, pos);
                stand_at(value, pos);
            }
        }
    }
}

/// A scalar by YAML 1.2's core schema: only plain ones can be null or a truth value; `yes` is a
/// text.
fn scalar<'t>(
    text: Cow<'t, str>,
    style: ScalarStyle,
    tag: Option<&Tag>,
    pos: Pos,
) -> Result<Content<'t>, YamlError> {
    expect_tag(tag, "str", pos)?;
    if style != ScalarStyle::Plain || tag.is_some() {
        return Ok(Content::Scalar(text));
    }
    Ok(match text.as_ref() {
        "" | "~" | "null" | "Null" | "NULL" => Content::Null,
        "True" | "TRUE" => Content::Scalar(Cow::Borrowed("true")),
        "False" | "FALSE" => Content::Scalar(Cow::Borrowed("false")),
        _ => Content::Scalar(text),
    })
}

/// Refuses tags but the one that says what the node is anyway.
fn expect_tag(tag: Option<&Tag>, own: &str, pos: Pos) -> Result<(), YamlError> {
    match tag {
        Some(tag) if !(tag.is_yaml_core_schema() && tag.suffix() == own) => {
            let hint = "remove it; a text that begins with `!` needs quotes";
            Err(YamlError::new(
                pos,
                "tags (`!name`) are not supported",
                hint,
            ))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
