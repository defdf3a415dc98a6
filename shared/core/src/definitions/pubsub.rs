//! `<area>/**/pubsub.yaml`: topics, subscriptions, and who holds a role on a topic.

use std::sync::Arc;

use crate::model::{DeclaredResource, FieldName, Kind, ResourceKey, Value};

use super::context::{Entry, Filled, ParseContext};
use super::entries::{is_left_out, is_map, is_written};
use super::fields::{self, Field, FieldMap};
use super::iam;
use super::naming::{self, Name, UsedNames};
use super::problem::Place;
use super::redact::quoted;
use super::scalar::{PULL, boolean};
use super::suggest::with_suggestion;
use super::yaml::Node;

/// The keys of a file.
pub(super) const SECTIONS: [&str; 3] = ["topics", "subscriptions", "bindings"];
/// The keys of topics, subscriptions and bindings that are no fields.
pub(super) const OWN: [&str; 2] = ["name", "on_missing"];
/// The keys of a binding that are no fields.
pub(super) const BINDING_OWN: [&str; 3] = ["topic", "role", "authoritative"];

/// An area's defaults.
#[derive(Debug, Clone, Default)]
pub(super) struct Defaults<'a> {
    pub(super) topics: FieldMap<'a>,
    pub(super) subscriptions: FieldMap<'a>,
}

/// Where a topic is referred to.
struct Reference<'a> {
    topic: String,
    place: Place<'a>,
}

/// Reads all files, one after the other; then [`PubsubReader::finish`] checks what they say of each
/// other, since a subscription may stand in another file than its topic.
#[derive(Default)]
pub(super) struct PubsubReader<'a> {
    topics: UsedNames<'a>,
    subscriptions: UsedNames<'a>,
    bindings: UsedNames<'a>,
    references: Vec<Reference<'a>>,
    /// Where the first resource is declared.
    pub(super) first: Option<Place<'a>>,
}

impl<'a> PubsubReader<'a> {
    /// Reads one file.
    pub(super) fn file(
        &mut self,
        context: &mut ParseContext<'a>,
        file: &'a str,
        root: &Node,
        defaults: &Defaults<'a>,
        project: &str,
    ) -> Vec<DeclaredResource> {
        let mut found = Vec::new();
        for entry in context.entries(file, root, "this file") {
            if !SECTIONS.contains(&entry.key) {
                context.unknown_key(file, &entry, SECTIONS);
                continue;
            }
            for item in context.items(file, entry.value, entry.key) {
                let place = Place {
                    file,
                    pos: item.pos,
                };
                self.first.get_or_insert(place);
                found.extend(match entry.key {
                    "topics" => self.topic(context, file, item, &defaults.topics, project),
                    "subscriptions" => {
                        self.subscription(context, file, item, &defaults.subscriptions, project)
                    }
                    _ => self.binding(context, file, item, project),
                });
            }
        }
        found
    }

    fn topic(
        &mut self,
        context: &mut ParseContext<'a>,
        file: &'a str,
        node: &Node,
        defaults: &FieldMap<'a>,
        project: &str,
    ) -> Option<DeclaredResource> {
        let read = fields::read(context, file, node, Kind::PubsubTopic, &OWN, defaults);
        let on_missing = fields::on_missing(context, file, read.own("on_missing"));
        let name = id(context, file, node, read.own("name"), "Pub/Sub topic")?;
        if !naming::claim(context, &mut self.topics, &name, "Pub/Sub topic") {
            return None;
        }
        let key = ResourceKey::pubsub_topic(project, &name.text);
        let mut resource = fields::resource(context, key, name.place, read.fields);
        resource.on_missing = on_missing;
        Some(resource)
    }

    fn subscription(
        &mut self,
        context: &mut ParseContext<'a>,
        file: &'a str,
        node: &Node,
        defaults: &FieldMap<'a>,
        project: &str,
    ) -> Option<DeclaredResource> {
        let kind = Kind::PubsubSubscription;
        let mut read = fields::read(context, file, node, kind, &OWN, defaults);
        let on_missing = fields::on_missing(context, file, read.own("on_missing"));
        let name = id(context, file, node, read.own("name"), "subscription");
        for reference in ["topic", "dead_letter_topic"] {
            self.refer(context, &mut read.fields, reference, project);
        }
        check_subscription(context, &read.fields);
        let has_topic = read.fields.contains_key(&FieldName::known("topic"));
        let is_left_out = !has_topic && is_left_out(node, "topic");
        if is_map(node) && (!is_written(node, "topic") || is_left_out) {
            let pos = read.own("name").map_or(node.pos, |own| own.value.pos);
            let hint = "add `topic: \"{stack}-…\"`";
            context.report.hinted(
                Place { file, pos },
                "this subscription has no `topic`",
                hint,
            );
        }
        let name = name?;
        if !naming::claim(context, &mut self.subscriptions, &name, "subscription") {
            return None;
        }
        let endpoint = FieldName::known("push_endpoint");
        if !read.fields.contains_key(&endpoint) {
            // They belong to an endpoint that this stack doesn't have.
            read.fields
                .remove(&FieldName::known("push_service_account"));
            read.fields.remove(&FieldName::known("push_audience"));
        }
        // Nothing written means pull, so that an endpoint set by hand is drift.
        if !read.fields.contains_key(&endpoint) {
            let pull = Field {
                value: Value::word(PULL),
                place: name.place,
                is_default: false,
                secret: None,
            };
            read.fields.insert(endpoint, pull);
        }
        let key = ResourceKey::pubsub_subscription(project, &name.text);
        let mut resource = fields::resource(context, key, name.place, read.fields);
        resource.on_missing = on_missing;
        Some(resource)
    }

    fn binding(
        &mut self,
        context: &mut ParseContext<'a>,
        file: &'a str,
        node: &Node,
        project: &str,
    ) -> Option<DeclaredResource> {
        let kind = Kind::PubsubBinding;
        let read = fields::read(context, file, node, kind, &BINDING_OWN, &FieldMap::new());
        let authoritative = read.own("authoritative").and_then(|entry| {
            let Filled::Text(text) = context.text(file, "authoritative", entry.value) else {
                return None;
            };
            let place = Place {
                file,
                pos: entry.value.pos,
            };
            context.ok(place, boolean("authoritative", &text))
        });
        let topic = self.binding_word(context, file, node, read.own("topic"), "topic");
        let role = self.binding_word(context, file, node, read.own("role"), "role");
        if is_map(node) && !is_written(node, "members") {
            let place = Place {
                file,
                pos: node.pos,
            };
            context.report.hinted(
                place,
                "this binding has no `members`",
                "add `members: [\"serviceAccount:…\"]`",
            );
        }
        let topic = topic.map(|topic| (self.bound_topic(&topic, project), topic));
        let role = role.filter(|role| iam::role(context, role));
        let (((owner, topic_id), topic), role) = (topic?, role?);
        let key = ResourceKey::pubsub_binding(&owner, &topic_id, &role.text);
        let claimed = Name {
            text: key.to_string().into(),
            place: topic.place,
        };
        if let Some(earlier) = self.bindings.take(&claimed.text, claimed.place) {
            let message = format!(
                "duplicate binding of {} on {}",
                quoted(&role.text),
                quoted(&topic_id)
            );
            context.report.hinted(
                topic.place,
                message,
                format!("the first is at {earlier}; put the members together"),
            );
            return None;
        }
        let mut resource = fields::resource(context, key, topic.place, read.fields);
        resource.authoritative = authoritative.unwrap_or(false);
        Some(resource)
    }

    /// The project and id of a binding's topic; remembers to check that one of ours is declared.
    fn bound_topic(&mut self, topic: &Name<'a>, project: &str) -> (String, String) {
        if let Some((owner, id)) = naming::full_topic(&topic.text) {
            return (owner.to_owned(), id.to_owned());
        }
        self.references.push(Reference {
            topic: topic.text.to_string(),
            place: topic.place,
        });
        (project.to_owned(), topic.text.to_string())
    }

    fn binding_word(
        &self,
        context: &mut ParseContext<'a>,
        file: &'a str,
        node: &Node,
        entry: Option<&Entry<'_, '_>>,
        word: &str,
    ) -> Option<Name<'a>> {
        let Some(entry) = entry else {
            let place = Place {
                file,
                pos: node.pos,
            };
            if is_map(node) && !is_written(node, word) {
                let hint = match word {
                    "topic" => "add `topic: \"{stack}-…\"`",
                    _ => "add `role:`, such as `roles/pubsub.publisher`",
                };
                context
                    .report
                    .hinted(place, format!("this binding has no `{word}`"), hint);
            }
            return None;
        };
        match context.text(file, word, entry.value) {
            Filled::Text(text) => Some(Name {
                text: Arc::from(text),
                place: Place {
                    file,
                    pos: entry.value.pos,
                },
            }),
            Filled::Absent | Filled::Bad => None,
        }
    }

    /// Brings a topic's name to the short form where it is one of this project, and remembers to
    /// check that a short one is declared.
    fn refer(
        &mut self,
        context: &mut ParseContext<'a>,
        fields: &mut FieldMap<'a>,
        name: &'static str,
        project: &str,
    ) {
        let Some(field) = fields.get_mut(&FieldName::known(name)) else {
            return;
        };
        let text = field.value.as_text().unwrap_or_default().to_owned();
        match naming::full_topic(&text) {
            Some((owner, id)) if owner == project => field.value = Value::text(id),
            Some(_) => {}
            None if text.contains('/') => {
                let message = format!("`{name}` can't be {}", quoted(&text));
                let hint = "write a declared topic's name, or `projects/<project>/topics/<id>`";
                context.report.hinted(field.place, message, hint);
            }
            None => self.references.push(Reference {
                topic: text,
                place: field.place,
            }),
        }
    }

    /// Reports references to topics that no file declares.
    pub(super) fn finish(self, context: &mut ParseContext<'a>) {
        // With a file unread, what it declares is not known.
        if context.incomplete {
            return;
        }
        for reference in self
            .references
            .iter()
            .filter(|r| !self.topics.has(&r.topic))
        {
            let message = format!("no file declares the topic {}", quoted(&reference.topic));
            let message = with_suggestion(message, &reference.topic, self.topics.names());
            let hint = "add it under `topics:`, or write `projects/<project>/topics/<id>` for one that \
                        others own";
            context.report.hinted(reference.place, message, hint);
        }
    }
}

/// Reads a name and checks it as a Pub/Sub id.
fn id<'a>(
    context: &mut ParseContext<'a>,
    file: &'a str,
    node: &Node,
    entry: Option<&Entry<'_, '_>>,
    what: &str,
) -> Option<Name<'a>> {
    let name = naming::read(context, file, node, entry, what)?;
    if let Some(why) = naming::pubsub_fault(&name.text) {
        let message = format!("{} can't be the id of a {what}", quoted(&name.text));
        context.report.hinted(name.place, message, why);
        return None;
    }
    Some(name)
}

/// What a retry policy without a minimum gets, in nanoseconds (v1 discovery, `RetryPolicy`).
const DEFAULT_MINIMUM_BACKOFF: i64 = 10_000_000_000;

/// Checks what a subscription's fields say together.
fn check_subscription(context: &mut ParseContext<'_>, fields: &FieldMap<'_>) {
    let get = |name: &'static str| fields.get(&FieldName::known(name));
    let nanos = |field: &Field<'_>| match field.value {
        Value::Duration(nanos) => Some(nanos),
        _ => None,
    };
    if let (Some(least), Some(most)) = (get("minimum_backoff"), get("maximum_backoff"))
        && nanos(least) > nanos(most)
    {
        let hint = format!("lower it, or raise `maximum_backoff` ({})", most.place);
        let message = "`minimum_backoff` is more than `maximum_backoff`";
        context.report.hinted(least.place, message, hint);
    }
    if let (None, Some(most)) = (get("minimum_backoff"), get("maximum_backoff"))
        && nanos(most) < Some(DEFAULT_MINIMUM_BACKOFF)
    {
        context.report.hinted(
            most.place,
            "`maximum_backoff` is less than `minimum_backoff`, which is 10s where it is not written",
            "write `10s` or more, or add a lower `minimum_backoff`",
        );
    }
    if let (Some(attempts), None) = (get("max_delivery_attempts"), get("dead_letter_topic")) {
        let hint = "add it, or remove this line: without one, delivery is tried for ever";
        context.report.hinted(
            attempts.place,
            "`max_delivery_attempts` needs a `dead_letter_topic`",
            hint,
        );
    }
    if let Some(audience) = get("push_audience")
        && let Some((what, hint)) = audience.value.as_text().and_then(hides)
    {
        let message = format!("`push_audience` has {what}, and an audience is not kept secret");
        context.report.hinted(audience.place, message, hint);
    }
    let pull = get("push_endpoint").is_none_or(|field| field.value.as_text() == Some(PULL));
    for name in ["push_service_account", "push_audience"] {
        // An optional endpoint may be absent in this stack and present in another.
        if let Some(field) =
            get(name).filter(|field| pull && get("push_endpoint").is_some() && !field.is_default)
        {
            let message = format!("`{name}` has no use on a subscription that is pulled");
            let hint = "remove it, or write an `https://` URL as `push_endpoint`";
            context.report.hinted(field.place, message, hint);
        }
    }
}

/// What a URL holds that could be secret, and how to write it without.
fn hides(url: &str) -> Option<(&'static str, &'static str)> {
    url.contains("://")
        .then(|| url.find(['?', '#', '@']).and_then(|at| url.get(at..)))?
        .and_then(|rest| rest.chars().next())
        .map(|first| match first {
            '?' => ("a query", "end it before the `?`"),
            '#' => ("a fragment", "end it before the `#`"),
            _ => (
                "a user",
                "leave out what stands between `//` and `@`, and the `@`",
            ),
        })
}
