//! Keys that nothing reads: says what was meant, or where the key belongs.

use crate::model::Kind;

use super::context::{Entry, ParseContext};
use super::fields;
use super::policy;
use super::problem::Place;
use super::redact::bare;
use super::stack::CONFIG_KEYS;
use super::suggest::nearest;
use super::yaml::{Content, Node};

/// What only `kedge.yaml` says.
const KEDGE: [&str; 8] = [
    "project",
    "bucket",
    "areas",
    "stacks",
    "branches",
    "environments",
    "guards",
    "ignore",
];
/// What the definition files of an area hold.
const LISTS: [&str; 3] = ["topics", "subscriptions", "bindings"];

/// Where an unknown key belongs, told by the keys that are known where it stands; none if it belongs
/// nowhere.
pub(super) fn belongs(key: &str, known: &[&str]) -> Option<&'static str> {
    let is_among = |list: &[&str]| list.contains(&key);
    let knows = |word: &str| known.contains(&word);
    if knows("areas") || knows("encryptionsalt") {
        if is_among(&policy::KEYS) {
            return Some("it belongs under `policy:`");
        }
        if is_among(&LISTS) {
            return Some("it belongs in <area>/kafka-topics.yaml or <area>/pubsub.yaml");
        }
    }
    if knows("areas") {
        return match () {
            () if is_among(&policy::GUARDS) => Some("it belongs under `guards:`"),
            () if key == "config" || is_among(&CONFIG_KEYS) => {
                Some("it belongs in stacks/<stack>.yaml, under `config:`")
            }
            () => None,
        };
    }
    if knows("encryptionsalt") {
        return match () {
            () if is_among(&CONFIG_KEYS) || key.contains(':') => Some("it belongs under `config:`"),
            () if is_among(&KEDGE) => Some("it belongs in kedge.yaml"),
            () => None,
        };
    }
    if knows("topics") && (key == "policy" || is_among(&KEDGE)) {
        return Some("it belongs in kedge.yaml");
    }
    if knows("topics") && (key == "config" || is_among(&CONFIG_KEYS)) {
        return Some("it belongs in stacks/<stack>.yaml, under `config:`");
    }
    let has = |kind: Kind| fields::names(kind).any(|name| name == key);
    if knows("kafka_topics") {
        return has(Kind::KafkaTopic).then_some("it belongs under `kafka_topics:`");
    }
    if known == ["topics"] && is_among(&LISTS) {
        return Some("it belongs in pubsub.yaml");
    }
    let is_pubsub = knows("message_retention") || knows("push_endpoint");
    if is_pubsub && has(Kind::KafkaTopic) {
        return Some("Kafka topics belong in kafka-topics.yaml; these are Pub/Sub's");
    }
    if is_pubsub && has(Kind::PubsubSubscription) {
        return Some("it belongs to an item of `subscriptions:`");
    }
    (knows("partitions") && (has(Kind::PubsubTopic) || has(Kind::PubsubSubscription)))
        .then_some("Pub/Sub's topics and subscriptions belong in pubsub.yaml; these are Kafka's")
}

/// A known key that stands one level too deep, below a key that nothing reads.
fn wrapped<'w>(key: &str, value: &Node, known: &[&'w str]) -> Option<&'w str> {
    let Content::Map(pairs) = &value.content else {
        return None;
    };
    // Elsewhere a map of names may be meant.
    let is_file = known.contains(&"topics") || known.contains(&"encryptionsalt");
    if !is_file && !["config", "configs", "settings"].contains(&key) {
        return None;
    }
    pairs.iter().find_map(|(inner, _)| match &inner.content {
        Content::Scalar(inner) => {
            let ours = inner.replace('.', "_");
            known.iter().find(|word| **word == ours).copied()
        }
        _ => None,
    })
}

/// Characters that are copied along with text and that nobody sees.
const INVISIBLE: [char; 4] = ['\u{A0}', '\u{200B}', '\u{2060}', '\u{FEFF}'];

impl ParseContext<'_> {
    /// Reports a key that nothing reads.
    pub(super) fn unknown_key<'w>(
        &mut self,
        file: &str,
        entry: &Entry<'_, '_>,
        known: impl IntoIterator<Item = &'w str>,
    ) {
        const LISTED: usize = 8;
        let place = Place {
            file,
            pos: entry.key_pos,
        };
        let known: Vec<&str> = known.into_iter().collect();
        let message = format!("unknown key `{}`", bare(entry.key));
        if let Some(inner) = wrapped(entry.key, entry.value, &known) {
            let hint = format!("remove this line, and begin `{inner}` in its column");
            self.report.hinted(place, message, hint);
        } else if let Some(hint) = belongs(entry.key, &known) {
            self.report.hinted(place, message, hint);
        } else if entry.key.contains(INVISIBLE) {
            let hint = "delete it and type it again: it has an invisible character";
            self.report.hinted(place, message, hint);
        } else if let Some(word) = nearest(entry.key, known.iter().copied()) {
            let message = format!("{message}, did you mean `{word}`?");
            self.report.add(place, message);
        } else {
            let mut list: Vec<&str> = known.iter().copied().take(LISTED).collect();
            if known.len() > LISTED {
                list.push("…");
            }
            let hint = match list.as_slice() {
                [only] => format!("remove it: only `{only}` is read here"),
                _ => format!("remove it, or write a known one: {}", list.join(", ")),
            };
            self.report.hinted(place, message, hint);
        }
    }
}
