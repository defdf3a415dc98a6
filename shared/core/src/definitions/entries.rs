//! Walks a tree of YAML: the keys of maps and the items of lists. Reports a node of the wrong sort, such
//! as a text where a list belongs.

use std::collections::BTreeMap;
use std::fmt::Display;

use super::context::{ParseContext, first_key};
use super::problem::Place;
use super::suggest::nearest;
use super::yaml::{Content, Node, Pos};

/// One key of a map with its value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'n, 't> {
    pub(super) key: &'n str,
    pub(super) key_pos: Pos,
    pub(super) value: &'n Node<'t>,
}

impl ParseContext<'_> {
    /// The keys of a map, once each; reports what is not a map, not a key, or written twice.
    pub(super) fn entries<'n, 't>(
        &mut self,
        file: &str,
        node: &'n Node<'t>,
        what: impl Display,
    ) -> Vec<Entry<'n, 't>> {
        let Content::Map(pairs) = &node.content else {
            self.not_a_map(file, node, &what.to_string());
            return Vec::new();
        };
        let mut rest = BTreeMap::new();
        let mut is_next_item = false;
        let mut entries = Vec::with_capacity(pairs.len());
        for (key, value) in pairs {
            let place = Place { file, pos: key.pos };
            let Content::Scalar(name) = &key.content else {
                let hint = "write a word, or put the whole key in quotes";
                self.report.hinted(place, "a key must be a word", hint);
                continue;
            };
            if name == "<<" {
                let hint = "write the keys out, or use the area's defaults in kedge.yaml";
                self.report
                    .hinted(place, "merge keys (`<<`) are not supported", hint);
                continue;
            }
            if let Some(earlier) = earlier(&entries, &rest, name) {
                // Behind a `- ` that was forgotten, all keys come again.
                if !is_next_item {
                    self.duplicate(place, name, earlier);
                }
                is_next_item |= BEGINS_ITEM.contains(&name.as_ref());
                continue;
            }
            if entries.len() >= FEW {
                rest.insert(name.as_ref(), key.pos);
            }
            entries.push(Entry {
                key: name,
                key_pos: key.pos,
                value,
            });
        }
        entries
    }

    fn duplicate(&mut self, place: Place<'_>, key: &str, earlier: Pos) {
        let line = earlier.line;
        let hint = match BEGINS_ITEM.contains(&key) {
            true => {
                format!("the first is on line {line}; begin a new item with `- `, or remove one")
            }
            false => format!("the first is on line {line}; remove one"),
        };
        let message = format!("duplicate key `{}`", super::redact::bare(key));
        self.report.hinted(place, message, hint);
    }

    fn not_a_map(&mut self, file: &str, node: &Node, what: &str) {
        let place = Place {
            file,
            pos: node.pos,
        };
        let first = first_key(file);
        let first = first.split_once(' ').map_or(first, |(key, _)| key);
        let item = match what {
            "this file" | "a policy" | "an area" => None,
            "a binding" => Some("topic"),
            "an ignore rule" => Some("resource"),
            _ => Some("name").filter(|_| what.starts_with("a ")),
        };
        let hint = match (&node.content, item) {
            (Content::Null, _) => {
                let hint = "write `key: value` lines below it, or remove it";
                return self.report.hinted(place, format!("{what} is empty"), hint);
            }
            (Content::Scalar(text), _) if text.contains(':') => {
                "put a space after the colon".to_owned()
            }
            (Content::Scalar(_), Some(item)) => {
                format!("write `- {item}: …`, and its other keys below")
            }
            (Content::List(_), _) if what == "this file" => {
                format!("write `{first}` above the list, in the first column")
            }
            (Content::List(_), _) => "write `key: value` lines, without `[ ]` or `- `".to_owned(),
            (_, _) if what == "this file" => format!("begin with a key, such as `{first}`"),
            _ => "write `key: value` lines below it".to_owned(),
        };
        let message = format!("{what} must be a map of keys and values");
        self.report.hinted(place, message, hint);
    }

    /// The items of a list; reports a node that is not a list.
    pub(super) fn items<'n, 't>(
        &mut self,
        file: &str,
        node: &'n Node<'t>,
        what: &str,
    ) -> &'n [Node<'t>] {
        let is_whole = WHOLE_LISTS.contains(&what);
        let (pos, hint) = match &node.content {
            Content::List(items) => return items,
            Content::Null => {
                let hint = match is_whole {
                    true => format!("write `{what}: []` if there are none"),
                    false => "write each item on its own line after `- `".to_owned(),
                };
                let place = Place {
                    file,
                    pos: node.pos,
                };
                self.report
                    .hinted(place, format!("`{what}` has no value"), hint);
                return &[];
            }
            Content::Scalar(_) => {
                let hint = "write it in `[ ]`, or each item on its own line after `- `";
                (node.pos, hint)
            }
            Content::Map(pairs) => {
                let pos = pairs.first().map_or(node.pos, |(key, _)| key.pos);
                let is_map = |(_, value): &(_, Node)| matches!(value.content, Content::Map(_));
                let is_named = NAMED_LISTS.contains(&what) && !pairs.is_empty();
                match is_named && pairs.iter().all(is_map) {
                    true => (pos, "write each as `- name: …`, and its other keys below"),
                    false => (pos, "begin each item with `- `"),
                }
            }
        };
        let place = Place { file, pos };
        self.report
            .hinted(place, format!("`{what}` must be a list"), hint);
        &[]
    }

    /// Reports what stands in the place of one value.
    pub(super) fn not_one_value(&mut self, file: &str, node: &Node, what: &str, hint: &str) {
        let mut place = Place {
            file,
            pos: node.pos,
        };
        let secure = |key: &Node| matches!(&key.content, Content::Scalar(key) if key == "secure");
        let (message, hint) = match &node.content {
            Content::Null => {
                let hint = format!("write a value, or {hint}");
                self.report
                    .hinted(place, format!("{what} has no value"), hint);
                return;
            }
            Content::Map(pairs) => match pairs.as_slice() {
                // `key: {word}` without quotes is a map to YAML.
                [(key, value)] if value.content == Content::Null && self.is_brace(place) => {
                    let end = key.pos.column.saturating_add(key.pos.width);
                    place.pos.width = end.saturating_sub(node.pos.column).saturating_add(1);
                    (
                        "a value that begins with `{` needs quotes".to_owned(),
                        "put the whole value in quotes",
                    )
                }
                [(key, _)] if secure(key) => (
                    format!("{what} is encrypted by Pulumi, and nothing here can decrypt it"),
                    "write the value itself",
                ),
                _ if what.starts_with("an item") => (
                    format!("{what} must be one value, not a map"),
                    "write one value, without a space behind a colon",
                ),
                _ => (
                    format!("{what} must be one value, not a map"),
                    "write one value behind the colon",
                ),
            },
            _ => (
                format!("{what} must be one value, not a list"),
                "write one value, without `[ ]` or `- `",
            ),
        };
        self.report.hinted(place, message, hint);
    }

    fn is_brace(&self, place: Place<'_>) -> bool {
        self.char_at(place) == Some('{')
    }
}

/// Whether a key is written there, even with a bad value or a misspelt name, both of which were
/// reported. A merge key, which was reported too, could have brought it.
pub(super) fn is_written(node: &Node, key: &str) -> bool {
    let Content::Map(pairs) = &node.content else {
        return false;
    };
    let texts = pairs.iter().filter_map(|(name, _)| match &name.content {
        Content::Scalar(text) => Some(text.as_ref()),
        _ => None,
    });
    // As it should be is how most keys are, and that is told fastest.
    texts.clone().any(|text| text == key)
        || texts
            .into_iter()
            .any(|text| text == "<<" || nearest(text, [key]).is_some())
}

/// Whether a key has no value because its optional placeholder has none: then it counts as not
/// written.
pub(super) fn is_left_out(node: &Node, key: &str) -> bool {
    use Content::{Map, Scalar};
    matches!(&node.content, Map(pairs) if pairs.iter().any(|(name, value)| {
        matches!((&name.content, &value.content), (Scalar(name), Scalar(text))
            if name == key && text.contains("?}"))
    }))
}

/// Whether a node is a map; if not, that was reported.
pub(super) fn is_map(node: &Node) -> bool {
    matches!(node.content, Content::Map(_))
}

/// The keys that items of lists begin with.
pub(super) const BEGINS_ITEM: [&str; 3] = ["name", "topic", "resource"];

/// The lists of what has a name.
const NAMED_LISTS: [&str; 3] = ["topics", "subscriptions", "nodes"];
/// The lists whose absence must be said.
const WHOLE_LISTS: [&str; 5] = ["topics", "subscriptions", "bindings", "nodes", "ignore"];

/// Up to so many keys are looked through, which takes no more than a search.
const FEW: usize = 8;

/// Where a key was taken before: among the first few, or among the rest.
fn earlier(entries: &[Entry<'_, '_>], rest: &BTreeMap<&str, Pos>, key: &str) -> Option<Pos> {
    let mut few = entries.iter().take(FEW);
    let found = few.find(|entry| entry.key == key);
    found
        .map(|entry| entry.key_pos)
        .or_else(|| rest.get(key).copied())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definitions::{fields, nodes, project, pubsub};
    use crate::model::Kind;

    /// A key that is there would hide that another one is missing.
    #[test]
    fn no_key_is_taken_for_another_that_is_required() {
        let lists: [(&[&str], Vec<&str>); 5] = [
            (
                &["name", "partitions", "replication"],
                fields::names(Kind::KafkaTopic)
                    .chain(["name", "on_missing"])
                    .collect(),
            ),
            (
                &["name", "topic"],
                fields::names(Kind::PubsubSubscription)
                    .chain(pubsub::OWN)
                    .collect(),
            ),
            (
                &["topic", "role", "members"],
                fields::names(Kind::PubsubBinding)
                    .chain(pubsub::BINDING_OWN)
                    .collect(),
            ),
            (&["name", "ips", "domain"], nodes::KEYS.to_vec()),
            (
                &["resource", "reason", "owner", "until"],
                project::IGNORE_KEYS.to_vec(),
            ),
        ];
        for (required, known) in lists {
            for (required, known) in required
                .iter()
                .flat_map(|r| known.iter().map(move |k| (r, k)))
            {
                let near = nearest(known, [*required]).is_some();
                assert_eq!(near, known == required, "{known} and {required}");
            }
        }
    }
}
