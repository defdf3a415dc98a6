//! `kedge.yaml`: the project's name, bucket, area defaults, policies, branches, guards, ignore rules.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{BucketAddress, FieldName, IgnoreRule, Kind, StackName, Timestamp, field_spec};

use super::context::{Entry, Filled, ParseContext};
use super::entries::{is_map, is_written};
use super::fields::{self, FieldMap};
use super::kafka;
use super::policy::{self, PolicyKeys};
use super::problem::Place;
use super::pubsub;
use super::redact::quoted;
use super::stack;
use super::suggest::with_suggestion;
use super::yaml::{Content, Node};

/// The project's file.
pub(super) const FILE: &str = "kedge.yaml";
/// Its keys.
pub(super) const KEYS: [&str; 9] = [
    "project",
    "bucket",
    "areas",
    "policy",
    "stacks",
    "branches",
    "environments",
    "guards",
    "ignore",
];
/// The keys of an area.
pub(super) const AREA_KEYS: [&str; 3] = ["kafka_topics", "pubsub_topics", "pubsub_subscriptions"];
/// The keys of an ignore rule.
pub(super) const IGNORE_KEYS: [&str; 5] = ["resource", "field", "reason", "owner", "until"];

/// What `kedge.yaml` says.
#[derive(Debug, Default)]
pub(super) struct Project<'a> {
    pub(super) kafka_defaults: BTreeMap<String, FieldMap<'a>>,
    pub(super) pubsub_defaults: BTreeMap<String, pubsub::Defaults<'a>>,
    /// The stack's policy, before its own file.
    pub(super) policy_keys: PolicyKeys,
    pub(super) ignore_rules: Vec<IgnoreRule>,
}

/// The project's name alone: config keys need it before anything else can be read.
pub(super) fn name(context: &mut ParseContext<'_>, root: &Node) -> Option<String> {
    let Content::Map(pairs) = &root.content else {
        return None;
    };
    let value = pairs.iter().find_map(|(key, value)| match &key.content {
        Content::Scalar(text) if text == "project" => Some(value),
        _ => None,
    });
    let Some(value) = value else {
        let place = Place {
            file: FILE,
            pos: root.pos,
        };
        let hint = "add `project: <name>`, the namespace of your config keys";
        context
            .report
            .hinted(place, "this file has no `project`", hint);
        return None;
    };
    let place = Place {
        file: FILE,
        pos: value.pos,
    };
    let Filled::Text(text) = context.text(FILE, "project", value) else {
        return None;
    };
    let fine = !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    if !fine {
        let message = format!("{} can't be the name of a project", quoted(&text));
        context
            .report
            .hinted(place, message, "it has letters, digits, `.`, `_`, `-`");
        return None;
    }
    Some(text.into_owned())
}

/// Reads the rest.
pub(super) fn read<'a>(
    context: &mut ParseContext<'a>,
    root: &Node,
    areas: &BTreeSet<&str>,
) -> Project<'a> {
    let mut project = Project::default();
    let entries = context.entries(FILE, root, "this file");
    // A map of another sort, or one that is misspelt, was reported.
    let is_areas = |entry: &Entry<'_, '_>| entry.key == "areas";
    let has_areas = is_written(root, "areas");
    context.defaults_unknown = !is_map(root) || (has_areas && !entries.iter().any(is_areas));
    // The order of the keys must not matter: the project's policy comes before the stack's.
    for entry in entries.iter().filter(|entry| entry.key == "policy") {
        policy::read(context, FILE, entry.value, &mut project.policy_keys);
    }
    for entry in &entries {
        match entry.key {
            "project" | "policy" => {}
            "bucket" => bucket(context, entry.value),
            "areas" => {
                let before = context.report.count();
                read_areas(context, entry.value, areas, &mut project);
                context.defaults_unknown |= context.report.count() > before;
            }
            "stacks" => stacks(context, entry.value, &mut project.policy_keys),
            "branches" => branches(context, entry.value),
            "environments" => environments(context, entry.value),
            "guards" => policy::guards(context, FILE, entry.value, &mut project.policy_keys.policy),
            "ignore" => {
                for item in context.items(FILE, entry.value, "ignore") {
                    project.ignore_rules.extend(ignore_rule(context, item));
                }
            }
            _ => context.unknown_key(FILE, entry, KEYS),
        }
    }
    project
}

fn read_areas<'a>(
    context: &mut ParseContext<'a>,
    node: &Node,
    areas: &BTreeSet<&str>,
    project: &mut Project<'a>,
) {
    for area in context.entries(FILE, node, "`areas`") {
        if !areas.contains(area.key) {
            let place = Place {
                file: FILE,
                pos: area.key_pos,
            };
            let message = format!("no definition file is in an area {}", quoted(area.key));
            let message = with_suggestion(message, area.key, areas.iter().copied());
            let hint =
                "rename or remove it: an area is the first folder of a definition file's path";
            context.report.hinted(place, message, hint);
        }
        let mut pubsub = pubsub::Defaults::default();
        for entry in context.entries(FILE, area.value, "an area") {
            let value = entry.value;
            match entry.key {
                "kafka_topics" => {
                    let mut found = fields::defaults(context, FILE, value, Kind::KafkaTopic);
                    kafka::check_defaults(context, &mut found);
                    project.kafka_defaults.insert(area.key.to_owned(), found);
                }
                "pubsub_topics" => {
                    pubsub.topics = fields::defaults(context, FILE, value, Kind::PubsubTopic);
                }
                "pubsub_subscriptions" => {
                    let kind = Kind::PubsubSubscription;
                    pubsub.subscriptions = fields::defaults(context, FILE, value, kind);
                }
                _ => context.unknown_key(FILE, &entry, AREA_KEYS),
            }
        }
        project.pubsub_defaults.insert(area.key.to_owned(), pubsub);
    }
}

/// Policies per stack. All are checked; the one of the stack in hand counts.
fn stacks(context: &mut ParseContext<'_>, node: &Node, keys: &mut PolicyKeys) {
    let base = keys.clone();
    for entry in context.entries(FILE, node, "`stacks`") {
        known_stack(
            context,
            entry.key,
            Place {
                file: FILE,
                pos: entry.key_pos,
            },
        );
        let mut own = base.clone();
        policy::read(context, FILE, entry.value, &mut own);
        if entry.key == context.stack.as_str() {
            // Guards stand elsewhere in the file, and may have been read before.
            own.policy.guards = keys.policy.guards.clone();
            *keys = own;
        }
    }
}

/// Checks the bucket, which whoever opens the store has taken by then (`bucket_of`).
fn bucket(context: &mut ParseContext<'_>, node: &Node) {
    if let Filled::Text(text) = context.text(FILE, "bucket", node)
        && let Err(error) = text.parse::<BucketAddress>()
    {
        let place = Place {
            file: FILE,
            pos: node.pos,
        };
        let hint = "write `bucket: <name>` or `bucket: <name>/<prefix>`";
        context.report.hinted(place, error.to_string(), hint);
    }
}

fn branches(context: &mut ParseContext<'_>, node: &Node) {
    for entry in context.entries(FILE, node, "`branches`") {
        if let Filled::Text(text) = context.text(FILE, entry.key, entry.value) {
            known_stack(
                context,
                &text,
                Place {
                    file: FILE,
                    pos: entry.value.pos,
                },
            );
        }
    }
}

/// Which GitHub Environment holds a stack's secrets; the workflow asks for it.
fn environments(context: &mut ParseContext<'_>, node: &Node) {
    for entry in context.entries(FILE, node, "`environments`") {
        let pos = entry.key_pos;
        known_stack(context, entry.key, Place { file: FILE, pos });
        filled(context, &entry);
    }
}

/// Reports a stack without a file: a policy under a misspelt name would protect nothing.
fn known_stack(context: &mut ParseContext<'_>, name: &str, place: Place<'_>) {
    let known: Vec<&str> = context.known_stacks.iter().map(StackName::as_str).collect();
    if known.contains(&name) {
        return;
    }
    let message = format!("there is no stack {}", quoted(name));
    let message = with_suggestion(message, name, known.iter().copied());
    context
        .report
        .hinted(place, message, stack::known(&known, name));
}

fn ignore_rule(context: &mut ParseContext<'_>, node: &Node) -> Option<IgnoreRule> {
    let place = Place {
        file: FILE,
        pos: node.pos,
    };
    let mut texts: BTreeMap<&str, (String, Place<'_>)> = BTreeMap::new();
    for entry in context.entries(FILE, node, "an ignore rule") {
        if !IGNORE_KEYS.contains(&entry.key) {
            context.unknown_key(FILE, &entry, IGNORE_KEYS);
            continue;
        }
        if let Some(text) = filled(context, &entry) {
            let pos = entry.value.pos;
            texts.insert(entry.key, (text, Place { file: FILE, pos }));
        }
    }
    let mut take = |key: &'static str| {
        if is_map(node) && !is_written(node, key) {
            let message = format!("this ignore rule has no `{key}`");
            let hint = format!("add `{key}: {}`", example(key));
            context.report.hinted(place, message, hint);
        }
        texts.remove(key)
    };
    let (resource, reason, owner, until) = (
        take("resource"),
        take("reason"),
        take("owner"),
        take("until"),
    );
    let field = texts
        .remove("field")
        .and_then(|(name, at)| field_name(context, name, at));
    let (until, at) = until?;
    let Some(end) = Timestamp::parse(&until) else {
        let message = format!("`until` can't be {}", quoted(&until));
        context.report.hinted(
            at,
            message,
            "write a date or a time before the year 9999: 2026-12-31, 2026-12-31T18:00:00Z",
        );
        return None;
    };
    Some(IgnoreRule {
        resource: resource?.0,
        field,
        reason: reason?.0,
        owner: owner?.0,
        until: end,
        origin: context.origin(place, false),
    })
}

/// What could stand behind a key of an ignore rule, or of another map of texts.
fn example(key: &str) -> &'static str {
    match key {
        "resource" => "\"{stack}-…\"",
        "field" => "retention_ms",
        "reason" => "<why it is overlooked>",
        "owner" => "<who answers for it>",
        "until" => "2026-12-31",
        _ => "<its name>",
    }
}

fn filled(context: &mut ParseContext<'_>, entry: &Entry<'_, '_>) -> Option<String> {
    let place = Place {
        file: FILE,
        pos: entry.value.pos,
    };
    match context.text(FILE, entry.key, entry.value) {
        Filled::Text(text) if text.trim().is_empty() => {
            let hint = format!("write `{}: {}`", entry.key, example(entry.key));
            context
                .report
                .hinted(place, format!("`{}` is empty", entry.key), hint);
            None
        }
        Filled::Text(text) => Some(text.into_owned()),
        Filled::Absent | Filled::Bad => None,
    }
}

/// A field that some kind has; an entry of a map counts.
fn field_name(context: &mut ParseContext<'_>, name: String, place: Place<'_>) -> Option<FieldName> {
    let field = FieldName::new(name.clone());
    if Kind::ALL
        .iter()
        .any(|kind| field_spec(*kind, &field).is_some())
    {
        return Some(field);
    }
    let known: Vec<&str> = Kind::ALL
        .iter()
        .flat_map(|kind| fields::names(*kind))
        .collect();
    let message = with_suggestion(
        format!("no resource has a field {}", quoted(&name)),
        &name,
        known,
    );
    context.report.hinted(
        place,
        message,
        "leave `field` out to ignore the whole resource",
    );
    None
}
