//! Names of resources: the stack's namespace, each provider's rules, and who has a name already.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::context::{Entry, Filled, ParseContext};
use super::entries::{is_map, is_written};
use super::problem::Place;
use super::redact::quoted;
use super::yaml::{Content, Node, Pos};

/// A name and where it is written.
#[derive(Debug, Clone)]
pub(super) struct Name<'a> {
    /// Shared by the resource's key and by who has which name.
    pub(super) text: Arc<str>,
    pub(super) place: Place<'a>,
}

/// Reads a resource's `name` and checks that it is in the stack's namespace (semantics 2.1).
pub(super) fn read<'a>(
    context: &mut ParseContext<'a>,
    file: &'a str,
    node: &Node,
    entry: Option<&Entry<'_, '_>>,
    what: &str,
) -> Option<Name<'a>> {
    let Some(entry) = entry else {
        // A map that is none was reported already.
        if is_map(node) && !is_written(node, "name") {
            let place = Place {
                file,
                pos: node.pos,
            };
            context.report.hinted(
                place,
                format!("this {what} has no `name`"),
                "add `name: \"{stack}-…\"`",
            );
        }
        return None;
    };
    let place = Place {
        file,
        pos: entry.value.pos,
    };
    let text = match context.text(file, "name", entry.value) {
        Filled::Text(text) => text,
        Filled::Absent => {
            context.report.hinted(
                place,
                "a name can't be left out",
                "remove the `?` of its placeholder",
            );
            return None;
        }
        Filled::Bad => return None,
    };
    let own = text.strip_prefix(context.stack.as_str());
    if !own.is_some_and(|rest| rest.starts_with('-')) {
        match &entry.value.content {
            Content::Scalar(raw) => outside(context, place, &text, raw),
            _ => outside(context, place, &text, ""),
        }
        return None;
    }
    Some(Name {
        text: Arc::from(text),
        place,
    })
}

/// How a `{stack}` is written where placeholders look otherwise.
const OTHER_PLACEHOLDERS: [&str; 8] = [
    "${stack}",
    "{{stack}}",
    "{{ stack }}",
    "{ stack }",
    "$stack",
    "<stack>",
    "%stack%",
    "[stack]",
];

/// What follows the stack in a name that was meant to begin with it: behind another sort of
/// placeholder, within quotes that YAML takes for letters, or with no dash between.
fn behind_stack<'n>(stack: &str, name: &'n str, raw: &'n str) -> Option<&'n str> {
    let quotes = ['\u{201C}', '\u{201D}', '\u{201E}', '\u{2018}', '\u{2019}'];
    let bare = raw.trim_matches(quotes);
    let other = OTHER_PLACEHOLDERS
        .iter()
        .find_map(|placeholder| bare.strip_prefix(placeholder))
        .or_else(|| bare.strip_prefix("{stack}").filter(|_| bare != raw));
    let rest = other.or_else(|| name.strip_prefix(stack))?;
    Some(rest.trim_start_matches(['-', '_', '.']))
}

/// Reports a name that is not in the stack's namespace.
fn outside(context: &mut ParseContext<'_>, place: Place<'_>, name: &str, raw: &str) {
    let stack = context.stack;
    let prefix = stack.prefix();
    let other = context
        .known_stacks
        .iter()
        .find(|other| *other != stack && name.starts_with(&other.prefix()));
    let (message, own, width) = match other {
        Some(other) => {
            let own = name.strip_prefix(&other.prefix()).unwrap_or(name);
            (
                "name belongs to another stack",
                own,
                Some(other.prefix().len()),
            )
        }
        None => {
            let own = behind_stack(stack.as_str(), name, raw).unwrap_or(name);
            ("name is outside the stack's namespace", own, None)
        }
    };
    let own = match own {
        "" => "…".to_owned(),
        own => super::redact::bare(own),
    };
    let hint = format!("names in stack {stack} begin with \"{prefix}\"; write \"{{stack}}-{own}\"");
    let mut at = context.literal(place);
    if let Some(width) = width.and_then(|width| u32::try_from(width).ok()) {
        at.pos = Pos { width, ..at.pos };
    }
    context.report.hinted(at, message, hint);
}

/// Who has each name, to name both places of a second one.
#[derive(Debug, Default)]
pub(super) struct UsedNames<'a> {
    /// Names in rising order, as most lists have them, which spares searching and sorting.
    rising: Vec<(Arc<str>, Place<'a>)>,
    /// Names that came below one before them.
    rest: BTreeMap<Arc<str>, Place<'a>>,
}

impl<'a> UsedNames<'a> {
    /// Takes a name; says who has it already.
    pub(super) fn take(&mut self, name: &Arc<str>, place: Place<'a>) -> Option<Place<'a>> {
        let is_above = self.rising.last().is_none_or(|(last, _)| last < name);
        let earlier = match is_above {
            true => self.rest.get(name).copied(),
            false => self.get(name),
        };
        match (earlier, is_above) {
            (Some(_), _) => return earlier,
            (None, true) => self.rising.push((Arc::clone(name), place)),
            (None, false) => {
                self.rest.insert(Arc::clone(name), place);
            }
        }
        None
    }

    /// Where a name was taken.
    fn get(&self, name: &str) -> Option<Place<'a>> {
        if let Some(place) = self.rest.get(name) {
            return Some(*place);
        }
        let own = |(own, _): &(Arc<str>, Place<'a>)| (**own).cmp(name);
        let at = self.rising.binary_search_by(own).ok()?;
        self.rising.get(at).map(|(_, place)| *place)
    }

    /// Whether a name is taken.
    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// All names.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let rising = self.rising.iter().map(|(name, _)| name);
        rising.chain(self.rest.keys()).map(|name| &**name)
    }
}

/// Takes a name or reports that something else has it.
pub(super) fn claim<'a>(
    context: &mut ParseContext<'_>,
    taken: &mut UsedNames<'a>,
    name: &Name<'a>,
    what: &str,
) -> bool {
    match taken.take(&name.text, name.place) {
        None => true,
        Some(earlier) => {
            let message = format!("duplicate {what} {}", quoted(&name.text));
            let hint = format!("the first is at {earlier}; remove or rename one");
            context.report.hinted(name.place, message, hint);
            false
        }
    }
}

/// Why a text can't be a Kafka topic's name (Kafka's own rule; facts of Aiven, section 4).
pub(super) fn kafka_fault(name: &str) -> Option<String> {
    let is_char = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if name.is_empty() || name.len() > 249 {
        return Some(format!(
            "shorten it: it has {} characters and may have 249",
            name.chars().count()
        ));
    }
    if let Some(bad) = name.chars().find(|c| !is_char(*c)) {
        return Some(format!(
            "remove {}: a topic name has only letters a-z and A-Z, digits, `.`, `_`, `-`",
            shown(bad)
        ));
    }
    if name == "." || name == ".." || name.starts_with("__") || name == "_schemas" {
        return Some("that name is Kafka's own".to_owned());
    }
    None
}

/// Why a text can't be a Pub/Sub id (v1 discovery, `Topic.name`).
pub(super) fn pubsub_fault(id: &str) -> Option<String> {
    let is_char = |c: char| c.is_ascii_alphanumeric() || "-_.~+%".contains(c);
    let chars = id.chars().count();
    if !(3..=255).contains(&chars) {
        return Some(format!("it has {chars} characters and must have 3 to 255"));
    }
    if !id.starts_with(|c: char| c.is_ascii_alphabetic()) || id.starts_with("goog") {
        return Some("an id begins with a letter, and not with `goog`".to_owned());
    }
    id.chars().find(|c| !is_char(*c)).map(|bad| {
        format!(
            "remove {}: an id has only letters a-z and A-Z, digits and `-_.~+%`",
            shown(bad)
        )
    })
}

/// A character for a sentence.
fn shown(c: char) -> String {
    match c {
        ' ' => "the space".to_owned(),
        c if c.is_control() || c.is_whitespace() => format!("U+{:04X}", u32::from(c)),
        c => format!("the `{c}`"),
    }
}

/// Splits `projects/<project>/topics/<id>`.
pub(super) fn full_topic(text: &str) -> Option<(&str, &str)> {
    let (project, id) = text.strip_prefix("projects/")?.split_once("/topics/")?;
    let fine = !project.is_empty() && !project.contains('/') && pubsub_fault(id).is_none();
    fine.then_some((project, id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_taken_once_in_any_order() {
        let mut taken = UsedNames::default();
        let at = |line| Place {
            file: "f",
            pos: Pos { line, ..Pos::START },
        };
        for (line, name) in (1..).zip(["b", "d", "a", "c", "e"]) {
            assert_eq!(taken.take(&Arc::from(name), at(line)), None, "{name}");
            assert!(taken.has(name) && !taken.has("f"));
        }
        for (line, name) in (1..).zip(["b", "d", "a", "c", "e"]) {
            let earlier = taken.take(&Arc::from(name), at(9));
            assert_eq!(earlier, Some(at(line)), "{name}");
        }
        assert_eq!(taken.names().collect::<String>(), "bdeac");
    }

    #[test]
    fn kafka_names() {
        for good in ["dev-a", "dev-a.b_c-D9", &"a".repeat(249)] {
            assert_eq!(kafka_fault(good), None, "{good}");
        }
        for bad in [
            "",
            ".",
            "..",
            "__consumer_offsets",
            "_schemas",
            "a/b",
            "a b",
            "é",
            &"a".repeat(250),
        ] {
            assert!(kafka_fault(bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn pubsub_ids() {
        for good in ["abc", "a-_.~+%9", &"a".repeat(255)] {
            assert_eq!(pubsub_fault(good), None, "{good}");
        }
        for bad in ["", "ab", "1abc", "googabc", "a/b", "a:b", &"a".repeat(256)] {
            assert!(pubsub_fault(bad).is_some(), "{bad}");
        }
        assert_eq!(full_topic("projects/p/topics/abc"), Some(("p", "abc")));
        for bad in [
            "abc",
            "projects/p/topics/",
            "projects//topics/abc",
            "projects/p/subscriptions/abc",
        ] {
            assert_eq!(full_topic(bad), None, "{bad}");
        }
    }
}
