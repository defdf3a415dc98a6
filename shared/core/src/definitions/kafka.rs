//! `<area>/**/kafka-topics.yaml`.

use crate::model::{DeclaredResource, FieldName, Kind, ResourceKey};

use super::context::Context;
use super::fields::{self, FieldMap};
use super::naming::{self, Taken};
use super::problem::Place;
use super::redact::quoted;
use super::yaml::{Content, Node};

/// The keys of a topic that are no fields.
pub(super) const OWN: [&str; 2] = ["name", "on_missing"];

/// Reads the topics of all files, one file after the other.
#[derive(Default)]
pub(super) struct KafkaReader<'a> {
    taken: Taken<'a>,
    /// Names with `.` as `_`: Kafka's metrics can't tell those two apart.
    metric_names: Taken<'a>,
    /// Where the first topic is declared.
    pub(super) first: Option<Place<'a>>,
}

impl<'a> KafkaReader<'a> {
    /// Reads one file.
    pub(super) fn file(
        &mut self,
        context: &mut Context<'a>,
        file: &'a str,
        root: &Node,
        defaults: &FieldMap<'a>,
        scope: (&str, &str),
    ) -> Vec<DeclaredResource> {
        let mut found = Vec::new();
        let mut has_topics = false;
        for entry in context.entries(file, root, "this file") {
            if entry.key != "topics" {
                context.unknown_key(file, &entry, ["topics"]);
                continue;
            }
            has_topics = true;
            for item in context.items(file, entry.value, "topics") {
                found.extend(self.topic(context, file, item, defaults, scope));
            }
        }
        if !has_topics && matches!(root.content, Content::Map(_)) {
            let place = Place {
                file,
                pos: root.pos,
            };
            context.report.hinted(
                place,
                "this file has no `topics`",
                "write `topics:` in the first column, `topics: []` if there are none",
            );
        }
        found
    }

    fn topic(
        &mut self,
        context: &mut Context<'a>,
        file: &'a str,
        node: &Node,
        defaults: &FieldMap<'a>,
        (project, service): (&str, &str),
    ) -> Option<DeclaredResource> {
        let read = fields::read(context, file, node, Kind::KafkaTopic, &OWN, defaults);
        let on_missing = fields::on_missing(context, file, read.own.get("on_missing"));
        let name = naming::read(context, file, node, read.own.get("name"), "topic");
        check(context, &read.fields, true);
        let name = name?;
        self.first.get_or_insert(name.place);
        if let Some(why) = naming::kafka_fault(&name.text) {
            let message = format!("{} can't be the name of a topic", quoted(&name.text));
            context.report.hinted(name.place, message, why);
            return None;
        }
        if !naming::claim(context, &mut self.taken, &name, "topic") {
            return None;
        }
        // Two names can only meet where one of these is in them.
        if name.text.contains(['.', '_'])
            && let Some(other) = self
                .metric_names
                .take(&name.text.replace('.', "_"), name.place)
        {
            let message = format!(
                "{} differs from another topic only in `.` and `_`",
                quoted(&name.text)
            );
            context.report.hinted(
                name.place,
                message,
                format!("Kafka takes them for one; rename it, or the other at {other}"),
            );
        }
        for required in ["partitions", "replication"] {
            if !read.fields.contains_key(&FieldName::known(required)) && !is_written(node, required)
            {
                let message = format!("topic {} has no `{required}`", quoted(&name.text));
                context.report.hinted(
                    name.place,
                    message,
                    format!("add `{required}:` here or to the area's defaults in kedge.yaml"),
                );
            }
        }
        let key = ResourceKey::kafka_topic(project, service, &name.text);
        let mut resource = fields::resource(context, key, name.place, read.fields);
        resource.on_missing = on_missing;
        Some(resource)
    }
}

/// Whether a key stands there, however bad its value (which was reported).
pub(super) fn is_written(node: &Node, key: &str) -> bool {
    use Content::{Map, Scalar};
    matches!(&node.content, Map(pairs) if pairs.iter().any(|(name, _)| {
        matches!(&name.content, Scalar(text) if text == key)
    }))
}

/// Checks what fields say together. Of a topic only pairs with a value of its own count; those of
/// two defaults are reported once, where the defaults are.
pub(super) fn check(context: &mut Context<'_>, fields: &FieldMap<'_>, is_topic: bool) {
    let get = |name: &'static str| {
        fields
            .get(&FieldName::known(name))
            .and_then(|field| Some((field.value.as_int()?, field)))
    };
    let counts = |a: bool, b: bool| !is_topic || !a || !b;
    if let (Some((min, a)), Some((copies, b))) = (get("min_insync_replicas"), get("replication"))
        && min > copies
        && counts(a.is_default, b.is_default)
    {
        let place = if a.is_default && is_topic {
            b.place
        } else {
            a.place
        };
        let message = format!("`min_insync_replicas` {min} is more than `replication` {copies}");
        let other = match place == a.place {
            true => format!("raise `replication` ({})", b.place),
            false => format!("lower `min_insync_replicas` ({})", a.place),
        };
        let hint = format!("no write with acks=all would ever succeed; change it, or {other}");
        context.report.hinted(place, message, hint);
    }
    for (local, whole) in [
        ("local_retention_ms", "retention_ms"),
        ("local_retention_bytes", "retention_bytes"),
    ] {
        let Some((value, a)) = get(local).filter(|(value, _)| *value != -2) else {
            continue;
        };
        match get(whole) {
            None if is_topic || !a.is_default => {
                let hint = format!("add `{whole}`, or write -2 for the same");
                context
                    .report
                    .hinted(a.place, format!("`{local}` without `{whole}`"), hint);
            }
            Some((limit, b))
                if limit != -1
                    && (value == -1 || value > limit)
                    && counts(a.is_default, b.is_default) =>
            {
                let place = if a.is_default && is_topic {
                    b.place
                } else {
                    a.place
                };
                let message = format!("`{local}` {value} is more than `{whole}` {limit}");
                let hint = format!(
                    "what is kept locally is a part of the whole; lower it, or raise `{whole}`"
                );
                context.report.hinted(place, message, hint);
            }
            _ => {}
        }
    }
}
