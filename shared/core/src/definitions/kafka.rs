//! `<area>/**/kafka-topics.yaml`.

use std::sync::Arc;

use crate::model::{DeclaredResource, FieldName, Kind, ResourceKey};

use super::context::ParseContext;
use super::entries::{is_left_out, is_map, is_written};
use super::fields::{self, Field, FieldMap};
use super::naming::{self, UsedNames};
use super::problem::Place;
use super::redact::quoted;
use super::units;
use super::yaml::Node;

/// The keys of a topic that are no fields.
pub(super) const OWN: [&str; 2] = ["name", "on_missing"];

/// Reads the topics of all files, one file after the other.
#[derive(Default)]
pub(super) struct KafkaReader<'a> {
    used: UsedNames<'a>,
    /// Names with `.` as `_`: Kafka's metrics can't tell those two apart.
    metric_names: UsedNames<'a>,
    /// Where the first topic is declared.
    pub(super) first: Option<Place<'a>>,
}

impl<'a> KafkaReader<'a> {
    /// Reads one file.
    pub(super) fn file(
        &mut self,
        context: &mut ParseContext<'a>,
        file: &'a str,
        root: &Node,
        defaults: &FieldMap<'a>,
        (project, service): (&str, &str),
    ) -> Vec<DeclaredResource> {
        let mut found = Vec::new();
        let nameless = ResourceKey::kafka_topic(project, service, "");
        let entries = context.entries(file, root, "this file");
        for entry in &entries {
            if entry.key != "topics" {
                context.unknown_key(file, entry, ["topics"]);
                continue;
            }
            for item in context.items(file, entry.value, "topics") {
                found.extend(self.topic(context, file, item, defaults, &nameless));
            }
        }
        // With a key that was reported, `topics` may be what it was meant to be.
        if entries.is_empty() && !is_written(root, "topics") && is_map(root) {
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
        context: &mut ParseContext<'a>,
        file: &'a str,
        node: &Node,
        defaults: &FieldMap<'a>,
        nameless: &ResourceKey,
    ) -> Option<DeclaredResource> {
        let read = fields::read(context, file, node, Kind::KafkaTopic, &OWN, defaults);
        let on_missing = fields::on_missing(context, file, read.own("on_missing"));
        let name = naming::read(context, file, node, read.own("name"), "topic");
        check(context, &read.fields, true);
        for required in ["partitions", "replication"] {
            if !read.fields.contains_key(&FieldName::known(required))
                && !context.defaults_unknown
                && is_map(node)
                && (!is_written(node, required) || is_left_out(node, required))
            {
                let pos = read.own("name").map_or(node.pos, |own| own.value.pos);
                context.report.hinted(
                    Place { file, pos },
                    format!("this topic has no `{required}`"),
                    format!("add `{required}:` here or to the area's defaults in kedge.yaml"),
                );
            }
        }
        let name = name?;
        self.first.get_or_insert(name.place);
        if let Some(why) = naming::kafka_fault(&name.text) {
            let message = format!("{} can't be the name of a topic", quoted(&name.text));
            context.report.hinted(name.place, message, why);
            return None;
        }
        if !naming::claim(context, &mut self.used, &name, "topic") {
            return None;
        }
        // Two names can only meet where one of these is in them.
        if name.text.contains(['.', '_'])
            && let Some(other) = self
                .metric_names
                .take(&Arc::from(name.text.replace('.', "_")), name.place)
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
        let key = nameless.named(name.text);
        let mut resource = fields::resource(context, key, name.place, read.fields);
        resource.on_missing = on_missing;
        Some(resource)
    }
}

/// Checks what fields say together. Of a topic only pairs with a value of its own count; those of
/// two defaults are reported once, where the defaults are.
pub(super) fn check(context: &mut ParseContext<'_>, fields: &FieldMap<'_>, is_topic: bool) {
    check_replicas(context, fields, is_topic);
    check_local(context, fields, is_topic);
}

/// Checks an area's defaults, and takes those away that contradict each other: a topic with a value
/// of its own would be reported for what the defaults did.
pub(super) fn check_defaults(context: &mut ParseContext<'_>, fields: &mut FieldMap<'_>) {
    if check_replicas(context, fields, false) {
        fields.remove(&FieldName::known("min_insync_replicas"));
    }
    check_local(context, fields, false);
}

/// A whole number among fields.
fn int<'f, 'a>(fields: &'f FieldMap<'a>, name: &'static str) -> Option<(i64, &'f Field<'a>)> {
    let field = fields.get(&FieldName::known(name))?;
    Some((field.value.as_int()?, field))
}

/// Whether a pair is to be reported here.
fn counts(a: &Field<'_>, b: &Field<'_>, is_topic: bool) -> bool {
    !is_topic || !a.is_default || !b.is_default
}

/// Where a pair is reported, and what to do there: at the first, unless only the second is the
/// topic's own.
fn hint<'a>(
    (low, a): (&str, &Field<'a>),
    (high, b): (&str, &Field<'a>),
    is_topic: bool,
) -> (Place<'a>, String) {
    if a.is_default && is_topic {
        (b.place, format!("raise it, or lower `{low}` ({})", a.place))
    } else {
        (
            a.place,
            format!("lower it, or raise `{high}` ({})", b.place),
        )
    }
}

/// Whether more copies are asked for than there are.
fn check_replicas(context: &mut ParseContext<'_>, fields: &FieldMap<'_>, is_topic: bool) -> bool {
    let (low, high) = ("min_insync_replicas", "replication");
    let (Some((min, a)), Some((copies, b))) = (int(fields, low), int(fields, high)) else {
        return false;
    };
    if min <= copies || !counts(a, b, is_topic) {
        return false;
    }
    let (place, hint) = hint((low, a), (high, b), is_topic);
    let message = format!("`{low}` {min} is more than `{high}` {copies}");
    let hint = format!("{hint}: no write with acks=all would ever succeed");
    context.report.hinted(place, message, hint);
    true
}

fn check_local(context: &mut ParseContext<'_>, fields: &FieldMap<'_>, is_topic: bool) {
    for (local, whole) in [
        ("local_retention_ms", "retention_ms"),
        ("local_retention_bytes", "retention_bytes"),
    ] {
        let Some((value, a)) = int(fields, local).filter(|(value, _)| *value != -2) else {
            continue;
        };
        match int(fields, whole) {
            None if is_topic && context.defaults_unknown => {}
            None if is_topic || !a.is_default => {
                let message = format!("`{local}` needs a `{whole}`");
                let hint = format!("add `{whole}`, or write -2, which means the same limit");
                context.report.hinted(a.place, message, hint);
            }
            Some((limit, b))
                if limit != -1 && (value == -1 || value > limit) && counts(a, b, is_topic) =>
            {
                let (place, hint) = hint((local, a), (whole, b), is_topic);
                let shown = |number: i64| match whole {
                    "retention_ms" => units::shown_ms(number),
                    _ => number.to_string(),
                };
                let message = match value {
                    -1 => format!(
                        "`{local}` has no limit (-1), and `{whole}` has: {}",
                        shown(limit)
                    ),
                    _ => format!(
                        "`{local}` {} is more than `{whole}` {}",
                        shown(value),
                        shown(limit)
                    ),
                };
                context.report.hinted(place, message, hint);
            }
            _ => {}
        }
    }
}
