//! What every reader of a file needs: the report, the stack, its config values, and the small
//! steps of walking a tree.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::rc::Rc;
use std::sync::Arc;

use crate::model::{Origin, Salt, StackName};

use super::misplaced::belongs;
use super::problem::{Place, Report};
use super::scalar::Fault;
use super::suggest::{nearest, with_suggestion};
use super::yaml::{self, Content, Node, Pos};

/// A stack's config value.
#[derive(Debug, Clone)]
pub(super) struct ConfigValue<'a> {
    pub(super) content: ConfigContent<'a>,
    /// Where it is written; none for an environment variable.
    pub(super) place: Option<Place<'a>>,
    /// Where its key is written.
    pub(super) key_place: Option<Place<'a>>,
    /// The key as it is written, with its namespace.
    pub(super) written: String,
}

/// What a config value holds.
#[derive(Debug, Clone)]
pub(super) enum ConfigContent<'a> {
    /// A scalar.
    Text(String),
    /// `{secure: …}`, which only Pulumi can read.
    Encrypted,
    /// A list or a map.
    Tree(Rc<Node<'a>>),
}

/// What filling a text came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Filled {
    /// The text.
    Text(String),
    /// An optional placeholder without a value: the key counts as not written.
    Absent,
    /// A problem was reported.
    Bad,
}

/// One key of a map with its value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'n, 't> {
    pub(super) key: &'n str,
    pub(super) key_pos: Pos,
    pub(super) value: &'n Node<'t>,
}

/// What every reader needs.
pub(super) struct Context<'a> {
    pub(super) report: Report<'a>,
    pub(super) stack: &'a StackName,
    pub(super) known_stacks: Vec<StackName>,
    pub(super) salt: &'a Salt,
    /// The project's name, which is the namespace of our config keys; none if it could not be read.
    pub(super) project: Option<String>,
    /// Config values by key, lower case and without namespace.
    pub(super) config: BTreeMap<String, ConfigValue<'a>>,
    /// Config keys that something asked for.
    pub(super) used: BTreeSet<String>,
    /// The paths of files as origins hold them.
    pub(super) paths: BTreeMap<&'a str, Arc<str>>,
    /// Whether the stack's config could not be read, so that what is missing in it is unknown.
    pub(super) config_unknown: bool,
    /// Whether a file could not be read, so that what it would have used is unknown.
    pub(super) incomplete: bool,
}

impl<'a> Context<'a> {
    /// The tree of a file; reports why it has none.
    pub(super) fn read(&mut self, file: &'a str) -> Option<Node<'a>> {
        let text = self.report.text(file)?;
        match yaml::read(text) {
            Ok(Node {
                content: Content::Null,
                ..
            }) => {
                self.incomplete = true;
                let place = Place {
                    file,
                    pos: Pos::START,
                };
                self.report.hinted(
                    place,
                    "the file is empty",
                    "an empty file never means \"nothing\": write its key with `[]`, or remove the file",
                );
                None
            }
            Ok(node) => Some(node),
            Err(error) => {
                self.incomplete = true;
                let place = Place {
                    file,
                    pos: error.pos,
                };
                match error.hint {
                    Some(hint) => self.report.hinted(place, error.message, hint),
                    None => self.report.add(place, error.message),
                }
                None
            }
        }
    }

    /// The keys of a map, once each; reports what is not a map, not a key, or written twice.
    pub(super) fn entries<'n, 't>(
        &mut self,
        file: &str,
        node: &'n Node<'t>,
        what: impl Display,
    ) -> Vec<Entry<'n, 't>> {
        let Content::Map(pairs) = &node.content else {
            let place = Place {
                file,
                pos: node.pos,
            };
            let message = format!("{what} must be a map of keys and values");
            let what = what.to_string();
            let hint = match (&node.content, what.as_str()) {
                (Content::Scalar(_), "a topic") => "write `- name: …`, and its other keys below",
                (Content::List(_), "this file") => "begin with a key, such as `topics:`",
                (Content::List(_), _) => "write `key: value` lines, without `- `",
                _ => "write `key: value` lines",
            };
            self.report.hinted(place, message, hint);
            return Vec::new();
        };
        let mut first = FirstPlaces::default();
        let mut entries = Vec::with_capacity(pairs.len());
        for (key, value) in pairs {
            let place = Place { file, pos: key.pos };
            let Content::Scalar(name) = &key.content else {
                self.report.add(place, "a key must be a word");
                continue;
            };
            if name == "<<" {
                let hint = "write the keys out, or use the area's defaults in kedge.yaml";
                self.report
                    .hinted(place, "merge keys (`<<`) are not supported", hint);
                continue;
            }
            if let Some(earlier) = first.take(name, key.pos) {
                let line = earlier.line;
                let hint = match name.as_ref() {
                    "name" => format!("the first is on line {line}; begin the next item with `- `"),
                    _ => format!("the first is on line {line}; remove one"),
                };
                self.report
                    .hinted(place, format!("duplicate key `{name}`"), hint);
                continue;
            }
            entries.push(Entry {
                key: name,
                key_pos: key.pos,
                value,
            });
        }
        entries
    }

    /// The items of a list; reports what is none.
    pub(super) fn items<'n, 't>(
        &mut self,
        file: &str,
        node: &'n Node<'t>,
        what: &str,
    ) -> &'n [Node<'t>] {
        let place = Place {
            file,
            pos: node.pos,
        };
        match &node.content {
            Content::List(items) => items,
            Content::Null => {
                let hint = format!("write `{what}: []` if there are none");
                self.report
                    .hinted(place, format!("`{what}` has no value"), hint);
                &[]
            }
            Content::Scalar(_) => {
                let hint = "write it as `[…]`, or each item on its own line after `- `";
                self.report
                    .hinted(place, format!("`{what}` must be a list"), hint);
                &[]
            }
            Content::Map(_) => {
                let hint = "begin each item with `- `";
                self.report
                    .hinted(place, format!("`{what}` must be a list"), hint);
                &[]
            }
        }
    }

    /// Reports a key that nothing reads.
    pub(super) fn unknown_key<'w>(
        &mut self,
        file: &str,
        entry: &Entry<'_, '_>,
        known: impl IntoIterator<Item = &'w str>,
    ) {
        let place = Place {
            file,
            pos: entry.key_pos,
        };
        let known: Vec<&str> = known.into_iter().collect();
        let message = format!("unknown key `{}`", super::redact::bare(entry.key));
        if let Some(hint) = belongs(entry.key, &known) {
            self.report.hinted(place, message, hint);
            return;
        }
        match nearest(entry.key, known.iter().copied()) {
            Some(word) => self
                .report
                .add(place, format!("{message}, did you mean `{word}`?")),
            None => {
                const LISTED: usize = 8;
                let mut list: Vec<&str> = known.iter().copied().take(LISTED).collect();
                if known.len() > LISTED {
                    list.push("…");
                }
                let hint = format!("known: {}", list.join(", "));
                self.report.hinted(place, message, hint);
            }
        }
    }

    /// The text of a scalar with its placeholders filled in.
    pub(super) fn text(&mut self, file: &str, name: &str, node: &Node) -> Filled {
        let place = Place {
            file,
            pos: node.pos,
        };
        match &node.content {
            Content::Scalar(text) => self.fill(place, text),
            Content::Null => {
                let hint = "write a value, or leave the key out";
                self.report
                    .hinted(place, format!("`{name}` has no value"), hint);
                Filled::Bad
            }
            Content::List(_) | Content::Map(_) => {
                let (sort, hint) = not_one_value(node);
                let message = format!("`{name}` must be one value, not {sort}");
                self.report.hinted(place, message, hint);
                Filled::Bad
            }
        }
    }

    /// Fills `{stack}`, `{config_key}` and `{config_key?}` in.
    pub(super) fn fill(&mut self, place: Place<'_>, raw: &str) -> Filled {
        let mut out = String::with_capacity(raw.len() + self.stack.as_str().len());
        let mut rest = raw;
        let mut absent = false;
        let mut bad = false;
        while let Some(open) = rest.find('{') {
            let (head, tail) = rest.split_at(open);
            out.push_str(head);
            let Some((name, after)) = placeholder(tail) else {
                out.push('{');
                rest = tail.get(1..).unwrap_or_default();
                continue;
            };
            let before = raw.get(..raw.len() - tail.len()).unwrap_or_default();
            match self.placeholder_value(place, before, name) {
                Filled::Text(value) => out.push_str(&value),
                Filled::Absent => absent = true,
                Filled::Bad => bad = true,
            }
            rest = after;
        }
        out.push_str(rest);
        match (bad, absent) {
            (true, _) => Filled::Bad,
            (_, true) => Filled::Absent,
            _ => Filled::Text(out),
        }
    }

    /// The place of a `{name}` within a scalar, given the text before it.
    fn inside<'p>(&self, place: Place<'p>, before: &str, name: &str) -> Place<'p> {
        let start = self.literal(place);
        let shift = u32::try_from(before.chars().count()).unwrap_or_default();
        let width = u32::try_from(name.chars().count()).unwrap_or_default();
        Place {
            pos: Pos {
                column: start.pos.column.saturating_add(shift),
                width: width.saturating_add(2),
                ..start.pos
            },
            ..place
        }
    }

    /// The place of a scalar's text, without its quote.
    pub(super) fn literal<'p>(&self, place: Place<'p>) -> Place<'p> {
        let line = self.report.text(place.file).and_then(|text| {
            let index = place.pos.line as usize - 1;
            text.lines().nth(index)
        });
        let first = line.and_then(|line| line.chars().nth(place.pos.column as usize - 1));
        if !matches!(first, Some('"' | '\'')) {
            return place;
        }
        Place {
            pos: Pos {
                column: place.pos.column + 1,
                width: place.pos.width.saturating_sub(2).max(1),
                ..place.pos
            },
            ..place
        }
    }

    fn placeholder_value(&mut self, place: Place<'_>, before: &str, name: &str) -> Filled {
        let (key, optional) = match name.strip_suffix('?') {
            Some(key) => (key, true),
            None => (name, false),
        };
        if key == "stack" {
            return Filled::Text(self.stack.as_str().to_owned());
        }
        let lower = key.to_lowercase();
        match self.config_text(&lower) {
            Filled::Absent if !optional => {
                if !self.config_unknown {
                    // Finding the column reads the file again, which only a problem is worth.
                    let at = self.inside(place, before, name);
                    self.undefined(at, key);
                }
                Filled::Bad
            }
            filled => filled,
        }
    }

    /// A config value as text, marked as used. Reports one that is encrypted, once.
    pub(super) fn config_text(&mut self, key: &str) -> Filled {
        let first_use = self.used.insert(key.to_owned());
        let Some(value) = self.config.get(key).cloned() else {
            return Filled::Absent;
        };
        match value.content {
            // Pulumi keeps `""` for what was set to nothing.
            ConfigContent::Text(text) if text.is_empty() => Filled::Absent,
            ConfigContent::Text(text) => Filled::Text(text),
            ConfigContent::Encrypted => {
                if let Some(place) = value.key_place.filter(|_| first_use) {
                    self.encrypted(place, key);
                }
                Filled::Bad
            }
            ConfigContent::Tree(_) => {
                if let Some(place) = value.place.filter(|_| first_use) {
                    self.report.add(
                        place,
                        format!("`{key}` must be one value, not a list or map"),
                    );
                }
                Filled::Bad
            }
        }
    }

    /// Reports a value that only Pulumi can read.
    pub(super) fn encrypted(&mut self, place: Place<'_>, key: &str) {
        self.report.hinted(
            place,
            format!("`{key}` is encrypted by Pulumi, and nothing here can decrypt it"),
            format!("set the variable {}", variable(key)),
        );
    }

    fn undefined(&mut self, place: Place<'_>, key: &str) {
        let known: Vec<String> = self.config.keys().cloned().collect();
        let words = known.iter().map(String::as_str).chain(["stack"]);
        let message = with_suggestion(format!("nothing defines `{{{key}}}`"), key, words);
        if message.ends_with('?') {
            self.report.add(place, message);
            return;
        }
        let key_text = self.config_key(key);
        let hint = format!(
            "add `{key_text}` to `config:` in {}, set {}, or write `{{{key}?}}` if the key may be left out",
            stack_file(self.stack),
            variable(key)
        );
        self.report.hinted(place, message, hint);
    }

    /// A config key with our namespace.
    pub(super) fn config_key(&self, key: &str) -> String {
        match &self.project {
            Some(project) => format!("{project}:{key}"),
            None => format!("<project>:{key}"),
        }
    }

    /// A place as it is kept.
    pub(super) fn origin(&mut self, place: Place<'a>, is_default: bool) -> Origin {
        let path = self.paths.entry(place.file);
        Origin {
            file: Arc::clone(path.or_insert_with(|| Arc::from(place.file))),
            line: place.pos.line,
            is_default,
        }
    }

    /// Reports why a text is not a value.
    pub(super) fn fault(&mut self, place: Place<'_>, fault: Fault) {
        self.report.hinted(place, fault.message, fault.hint);
    }

    /// The value, or none with the fault reported.
    pub(super) fn ok<T>(&mut self, place: Place<'_>, result: Result<T, Fault>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(fault) => {
                self.fault(place, fault);
                None
            }
        }
    }
}

/// Where each key of a map was written first.
#[derive(Default)]
struct FirstPlaces<'n> {
    few: Vec<(&'n str, Pos)>,
    many: BTreeMap<&'n str, Pos>,
}

impl<'n> FirstPlaces<'n> {
    /// Up to so many keys are looked through, which takes no more than a search.
    const FEW: usize = 8;

    /// Takes a key; says where it was before.
    fn take(&mut self, key: &'n str, pos: Pos) -> Option<Pos> {
        let few = self.few.iter().find(|(own, _)| *own == key);
        let found = few
            .map(|(_, pos)| *pos)
            .or_else(|| self.many.get(key).copied());
        if found.is_none() && self.few.len() < Self::FEW {
            self.few.push((key, pos));
        } else if found.is_none() {
            self.many.insert(key, pos);
        }
        found
    }
}

/// The environment variable that gives a config value.
pub(super) fn variable(key: &str) -> String {
    format!("KEDGE_CONFIG_{}", key.to_uppercase())
}

/// A stack's own file.
pub(super) fn stack_file(stack: &StackName) -> String {
    format!("stacks/{stack}.yaml")
}

/// The name in a text that begins with `{name}`, and what follows. Other braces are text.
fn placeholder(text: &str) -> Option<(&str, &str)> {
    let (name, after) = text.strip_prefix('{')?.split_once('}')?;
    let key = name.strip_suffix('?').unwrap_or(name);
    let is_name = !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || "_-".contains(c));
    is_name.then_some((name, after))
}

/// What stands in the place of one value, and a way out.
fn not_one_value(node: &Node) -> (&'static str, &'static str) {
    match &node.content {
        Content::Map(pairs) => match pairs.as_slice() {
            // `key: {word}` without quotes is a map to YAML.
            [
                (
                    _,
                    Node {
                        content: Content::Null,
                        ..
                    },
                ),
            ] => ("a map", "a value that begins with `{` needs quotes"),
            [(key, _)] if matches!(&key.content, Content::Scalar(word) if word == "secure") => (
                "a map",
                "Pulumi encrypted it, and nothing here can decrypt it: write the value",
            ),
            _ => ("a map", "write one value behind the colon"),
        },
        _ => ("a list", "write one value, without `[ ]` or `- `"),
    }
}
