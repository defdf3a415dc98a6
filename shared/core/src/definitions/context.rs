//! What every reader of a file needs: the report, the stack, its config values, and texts with
//! their placeholders filled in. The steps of walking a tree are in `entries` and `misplaced`.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use crate::model::{Origin, Salt, StackName};

pub(super) use super::entries::Entry;
use super::problem::{Place, ProblemCollector};
use super::scalar::Fault;
use super::suggest::nearest;
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
pub(super) enum Filled<'n> {
    /// The text.
    Text(Cow<'n, str>),
    /// An optional placeholder without a value: the key counts as not written.
    Absent,
    /// A problem was reported.
    Bad,
}

/// What every reader needs.
pub(super) struct ParseContext<'a> {
    pub(super) report: ProblemCollector<'a>,
    pub(super) stack: &'a StackName,
    pub(super) known_stacks: Vec<StackName>,
    pub(super) salt: &'a Salt,
    /// The project's name, which is the namespace of our config keys; none if it could not be read.
    pub(super) project: Option<String>,
    /// Config values by key, lower case and without namespace.
    pub(super) config: BTreeMap<String, ConfigValue<'a>>,
    /// Config keys that something asked for.
    pub(super) used: BTreeSet<String>,
    /// Config keys that placeholders named since the last resource was made.
    pub(super) asked: BTreeSet<String>,
    /// Those that areas' defaults named: they reach every resource.
    pub(super) asked_by_defaults: BTreeSet<String>,
    /// The path of the file that was last asked for, as origins hold it.
    pub(super) own_path: Option<(&'a str, Arc<str>)>,
    /// The same of the file of the last default, which is another.
    pub(super) default_path: Option<(&'a str, Arc<str>)>,
    /// Whether the stack's config could not be read, so that what is missing in it is unknown.
    pub(super) config_unknown: bool,
    /// Whether the areas' defaults could not all be read, so that what is missing in a resource is unknown.
    pub(super) defaults_unknown: bool,
    /// Whether a file could not be read, so that what it would have used is unknown.
    pub(super) incomplete: bool,
}

impl<'a> ParseContext<'a> {
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
                let (message, hint) = empty(file, text);
                self.report.hinted(place, message, hint);
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

    /// The text of a scalar with its placeholders filled in.
    pub(super) fn text<'n>(&mut self, file: &str, name: &str, node: &'n Node) -> Filled<'n> {
        match &node.content {
            Content::Scalar(text) => {
                let pos = node.pos;
                self.fill(Place { file, pos }, text)
            }
            _ => {
                let hint = "leave the key out";
                self.not_one_value(file, node, &format!("`{name}`"), hint);
                Filled::Bad
            }
        }
    }

    /// The text of a list's item.
    pub(super) fn item_text<'n>(&mut self, file: &str, list: &str, node: &'n Node) -> Filled<'n> {
        match &node.content {
            Content::Scalar(text) => {
                let pos = node.pos;
                self.fill(Place { file, pos }, text)
            }
            _ => {
                let what = format!("an item of `{list}`");
                self.not_one_value(file, node, &what, "remove it");
                Filled::Bad
            }
        }
    }

    /// Fills `{stack}`, `{config_key}` and `{config_key?}` in.
    pub(super) fn fill<'n>(&mut self, place: Place<'_>, raw: &'n str) -> Filled<'n> {
        if !raw.contains('{') {
            return Filled::Text(Cow::Borrowed(raw));
        }
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
            _ => Filled::Text(Cow::Owned(out)),
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
        if !matches!(self.char_at(place), Some('"' | '\'')) {
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

    /// The character at a place.
    pub(super) fn char_at(&self, place: Place<'_>) -> Option<char> {
        let text = self.report.text(place.file)?;
        let line = text.lines().nth(place.pos.line as usize - 1)?;
        line.chars().nth(place.pos.column as usize - 1)
    }

    fn placeholder_value(&mut self, place: Place<'_>, before: &str, name: &str) -> Filled<'a> {
        let (key, optional) = match name.strip_suffix('?') {
            Some(key) => (key, true),
            None => (name, false),
        };
        if key == "stack" {
            return Filled::Text(Cow::Borrowed(self.stack.as_str()));
        }
        let lower = key.to_lowercase();
        let filled = self.config_text(&lower);
        self.asked.insert(lower);
        match filled {
            Filled::Absent if !optional => {
                if !self.is_unknown(key) {
                    // Finding the column reads the file again, which only a problem is worth.
                    let at = self.inside(place, before, name);
                    self.undefined(at, key);
                }
                Filled::Bad
            }
            filled => filled,
        }
    }

    /// Whether a config key that is not there may be in a file that could not be read, or be one of ours
    /// whose namespace is not known.
    fn is_unknown(&self, key: &str) -> bool {
        let is_ours = || {
            let ours = super::stack::CONFIG_KEYS;
            ours.iter().any(|ours| key.eq_ignore_ascii_case(ours))
        };
        self.config_unknown || (self.project.is_none() && !is_ours())
    }

    /// A config value as text, marked as used. Reports one that is encrypted, once.
    pub(super) fn config_text(&mut self, key: &str) -> Filled<'static> {
        let first_use = self.used.insert(key.to_owned());
        let Some(value) = self.config.get(key).cloned() else {
            return Filled::Absent;
        };
        match value.content {
            // Pulumi keeps `""` for what was set to nothing.
            ConfigContent::Text(text) if text.is_empty() => Filled::Absent,
            ConfigContent::Text(text) => Filled::Text(Cow::Owned(text)),
            ConfigContent::Encrypted => {
                if let Some(place) = value.key_place.filter(|_| first_use) {
                    self.encrypted(place, key);
                }
                Filled::Bad
            }
            ConfigContent::Tree(_) => {
                if let Some(place) = value.place.filter(|_| first_use) {
                    let message = format!("`{key}` must be one value, not a list or map");
                    let hint = "write one value behind the colon";
                    self.report.hinted(place, message, hint);
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
            format!("set the environment variable {}", variable(key)),
        );
    }

    fn undefined(&mut self, place: Place<'_>, key: &str) {
        let words = self.config.keys().map(String::as_str).chain(["stack"]);
        let message = format!("nothing defines `{{{key}}}`");
        if let Some(word) = nearest(key, words).map(str::to_owned) {
            self.report
                .add(place, format!("{message}, did you mean `{{{word}}}`?"));
            // One of the two is misspelt, which is said once.
            if !super::stack::CONFIG_KEYS.contains(&word.as_str()) {
                self.used.insert(word);
            }
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
        let last = match is_default {
            true => &mut self.default_path,
            false => &mut self.own_path,
        };
        let (_, file) = match last.take() {
            Some(same) if std::ptr::eq(same.0, place.file) => last.insert(same),
            _ => last.insert((place.file, Arc::from(place.file))),
        };
        Origin {
            file: Arc::clone(file),
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

/// What is said of a file that declares nothing, which never means that there should be nothing.
fn empty(file: &str, text: &str) -> (&'static str, String) {
    let mut lines = text.lines().map(|line| line.trim_start_matches(BOM).trim());
    let message = match lines.clone().all(str::is_empty) {
        true => "the file is empty",
        false if lines.all(|line| line.is_empty() || line.starts_with('#')) => {
            "the file has only comments"
        }
        false => "the file has no keys",
    };
    let first = first_key(file);
    let hint = match first {
        TOPICS => format!("write `{first}` if there are none, or remove the file"),
        STACK => {
            "write `config:` and the stack's settings, `config: {}` if there are none".to_owned()
        }
        _ => format!("write `{first}`"),
    };
    (message, hint)
}

/// How a stack's file says that it has no settings.
const STACK: &str = "config: {}";
/// How a file of an area says that there are no topics.
const TOPICS: &str = "topics: []";

/// The byte-order mark, which may stand at the beginning of a file.
const BOM: char = '\u{FEFF}';

/// How a file can begin that declares nothing else.
pub(super) fn first_key(file: &str) -> &'static str {
    match file {
        super::project::FILE => "project: <name>",
        _ if super::stack::file_stem(file).is_some() => STACK,
        _ => TOPICS,
    }
}

/// The environment variable that gives a config value.
#[must_use]
pub fn variable(key: &str) -> String {
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
