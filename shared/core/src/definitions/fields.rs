//! The fields of a resource, read by the tables in `crate::providers`.

use std::collections::BTreeSet;

use crate::model::{
    ByField, DeclaredField, DeclaredResource, FieldName, FieldSpec, Kind, OnMissing, ResourceKey,
    SecretText, Shape, Value, field_specs,
};

use super::context::{Entry, Filled, ParseContext};
use super::problem::Place;
use super::redact::{bare, quoted};
use super::scalar::{choice, scalar, short_text};
use super::yaml::{Content, Node};

/// A field as it was read.
#[derive(Debug, Clone)]
pub(super) struct Field<'a> {
    pub(super) value: Value,
    pub(super) place: Place<'a>,
    pub(super) is_default: bool,
    pub(super) secret: Option<SecretText>,
}

/// The fields of one resource, or an area's defaults of one kind: every resource begins with a copy
/// of its area's.
pub(super) type FieldMap<'a> = ByField<Field<'a>>;

/// A resource's keys: those of its fields, and the rest.
pub(super) struct Read<'a, 'n, 't> {
    pub(super) fields: FieldMap<'a>,
    /// The entries of `own`.
    own: Vec<Entry<'n, 't>>,
}

impl<'n, 't> Read<'_, 'n, 't> {
    /// The entry of one key of `own`, if it is written.
    pub(super) fn own(&self, key: &str) -> Option<&Entry<'n, 't>> {
        self.own.iter().find(|entry| entry.key == key)
    }
}

/// The names of all fields of a kind.
pub(super) fn names(kind: Kind) -> impl Iterator<Item = &'static str> + Clone {
    field_specs(kind).iter().map(|spec| spec.name)
}

/// Reads a map: keys in `own` are handed back, others are fields of the kind over `defaults`.
pub(super) fn read<'a, 'n, 't>(
    context: &mut ParseContext<'a>,
    file: &'a str,
    node: &'n Node<'t>,
    kind: Kind,
    own: &[&'static str],
    defaults: &FieldMap<'a>,
) -> Read<'a, 'n, 't> {
    let what = kind.entry().in_definitions;
    let entries = context.entries(file, node, format_args!("a {what}"));
    let mut read = Read {
        fields: defaults.clone(),
        own: Vec::new(),
    };
    for entry in entries {
        if own.contains(&entry.key) {
            read.own.push(entry);
        } else if let Some(spec) = field_specs(kind).iter().find(|s| s.name == entry.key) {
            field(context, file, spec, entry, &mut read.fields);
        } else {
            let known: Vec<&str> = own.iter().copied().chain(names(kind)).collect();
            context.unknown_key(file, &entry, known);
        }
    }
    read
}

/// Reads an area's defaults of one kind.
pub(super) fn defaults<'a>(
    context: &mut ParseContext<'a>,
    file: &'a str,
    node: &Node,
    kind: Kind,
) -> FieldMap<'a> {
    context.asked.clear();
    let mut fields = read(context, file, node, kind, &[], &FieldMap::new()).fields;
    let asked = std::mem::take(&mut context.asked);
    context.asked_by_defaults.extend(asked);
    for field in fields.values_mut() {
        field.is_default = true;
    }
    fields
}

fn field<'a>(
    context: &mut ParseContext<'a>,
    file: &'a str,
    spec: &'static FieldSpec,
    entry: Entry<'_, '_>,
    fields: &mut FieldMap<'a>,
) {
    let place = Place {
        file,
        pos: entry.value.pos,
    };
    match spec.shape {
        Shape::TextMap { .. } => text_map(context, file, spec, entry.value, fields),
        Shape::Texts | Shape::Members | Shape::Addresses => {
            if let Some(value) = set(context, file, spec, entry.value) {
                fields.insert(FieldName::known(spec.name), plain(value, place));
            }
        }
        _ => {
            let Filled::Text(text) = context.text(file, spec.name, entry.value) else {
                return;
            };
            let result = scalar(spec, &text, context.salt);
            if let Some((value, secret)) = context.ok(place, result) {
                let field = Field {
                    secret,
                    ..plain(value, place)
                };
                fields.insert(FieldName::known(spec.name), field);
            }
        }
    }
}

fn plain(value: Value, place: Place<'_>) -> Field<'_> {
    Field {
        value,
        place,
        is_default: false,
        secret: None,
    }
}

/// A list of texts as a set; reports what is empty or written twice.
fn set(context: &mut ParseContext<'_>, file: &str, spec: &FieldSpec, node: &Node) -> Option<Value> {
    let items = context.items(file, node, spec.name);
    if items.is_empty() && matches!(node.content, Content::List(_)) {
        let place = Place {
            file,
            pos: node.pos,
        };
        let message = format!("`{}` is empty", spec.name);
        let hint = match spec.shape {
            Shape::Members => "add a member, or remove the binding",
            _ => "add an item, or leave the key out to leave it alone",
        };
        context.report.hinted(place, message, hint);
    }
    let mut texts = BTreeSet::new();
    for item in items {
        let Filled::Text(text) = context.item_text(file, spec.name, item) else {
            continue;
        };
        let place = Place {
            file,
            pos: item.pos,
        };
        let checked = match spec.shape {
            Shape::Members => super::iam::member(&text),
            _ => short_text(spec.name, &text, 255),
        };
        let Some(text) = context.ok(place, checked) else {
            continue;
        };
        if !texts.insert(text) {
            let message = format!("duplicate item of `{}`", spec.name);
            context.report.hinted(place, message, "remove one");
        }
    }
    (!texts.is_empty()).then_some(Value::Set(texts))
}

/// A map of texts: each entry is a field of its own, so that an area's entries stay.
fn text_map<'a>(
    context: &mut ParseContext<'a>,
    file: &'a str,
    spec: &'static FieldSpec,
    node: &Node,
    fields: &mut FieldMap<'a>,
) {
    let Shape::TextMap {
        key_chars_max,
        value_chars_max,
        entries_max,
    } = spec.shape
    else {
        return;
    };
    let entries = context.entries(file, node, format_args!("`{}`", spec.name));
    let mut taken = 0;
    for entry in &entries {
        let key_place = Place {
            file,
            pos: entry.key_pos,
        };
        let fault = |key: &str| key_fault(spec.name, key, key_chars_max);
        if let Some(why) = fault(entry.key) {
            let why = in_lower_case(entry.key, why, fault);
            let message = format!("`{}` can't have a key {}", spec.name, quoted(entry.key));
            context.report.hinted(key_place, message, why);
            continue;
        }
        let name = format!("{}.{}", spec.name, entry.key);
        let Filled::Text(text) = context.text(file, &name, entry.value) else {
            continue;
        };
        let place = Place {
            file,
            pos: entry.value.pos,
        };
        if let Some(why) = value_fault(spec.name, &text, value_chars_max) {
            let fault = |text: &str| value_fault(spec.name, text, value_chars_max);
            let (shown, why) = if super::redact::is_secret_name(entry.key) {
                ("its value".to_owned(), why)
            } else {
                (quoted(&text), in_lower_case(&text, why, fault))
            };
            let message = format!("`{}` can't be {shown}", bare(&name));
            context.report.hinted(place, message, why);
            continue;
        }
        taken += 1;
        // A list in order takes no more than are allowed well.
        if taken <= entries_max + 1 {
            fields.insert(FieldName::new(name), plain(Value::text(text), place));
        }
    }
    let own = fields.keys().filter(|n| n.entry_of(spec.name).is_some());
    let total = own.count() + taken.saturating_sub(entries_max + 1);
    if total > entries_max {
        let place = Place {
            file,
            pos: node.pos,
        };
        let message = format!("`{}` has {total} entries", spec.name);
        context.report.hinted(
            place,
            message,
            format!("remove some: it may have {entries_max}, defaults included"),
        );
    }
}

/// A way out that begins with the text in lower case, if nothing else is wrong with it.
fn in_lower_case(text: &str, why: String, fault: impl Fn(&str) -> Option<String>) -> String {
    let lower = text.to_lowercase();
    match fault(&lower) {
        None => format!("write {}: {why}", quoted(&lower)),
        Some(_) => why,
    }
}

/// Pub/Sub labels have a syntax; Aiven tags only lengths.
fn key_fault(map: &str, key: &str, chars_max: usize) -> Option<String> {
    let chars = key.chars().count();
    if chars == 0 || chars > chars_max {
        return Some(format!("a key has 1 to {chars_max} characters"));
    }
    if key.chars().any(char::is_control) {
        return Some("a key has no control characters".to_owned());
    }
    let begins_well = key
        .chars()
        .next()
        .is_some_and(|c| c.is_alphabetic() && !c.is_uppercase());
    (map == "labels" && !(begins_well && key.chars().all(is_label_char))).then(|| {
        let rule = "begins with a lower-case letter and has lower-case letters, digits, `_`, `-`";
        format!("a label key {rule}")
    })
}

fn value_fault(map: &str, value: &str, chars_max: usize) -> Option<String> {
    if value.chars().count() > chars_max {
        return Some(format!("a value has at most {chars_max} characters"));
    }
    if value.chars().any(char::is_control) {
        return Some("a value has no control characters".to_owned());
    }
    (map == "labels" && !value.chars().all(is_label_char))
        .then(|| "a label value has lower-case letters, digits, `_`, `-`".to_owned())
}

fn is_label_char(c: char) -> bool {
    (c.is_alphanumeric() && !c.is_uppercase()) || matches!(c, '_' | '-')
}

/// The resource's own `on_missing`.
pub(super) fn on_missing(
    context: &mut ParseContext<'_>,
    file: &str,
    entry: Option<&Entry<'_, '_>>,
) -> Option<OnMissing> {
    let entry = entry?;
    let Filled::Text(text) = context.text(file, "on_missing", entry.value) else {
        return None;
    };
    let place = Place {
        file,
        pos: entry.value.pos,
    };
    let word = context.ok(place, choice("on_missing", &text, &ON_MISSING))?;
    Some(match word {
        "recreate" => OnMissing::Recreate,
        _ => OnMissing::Alert,
    })
}

/// The words of `on_missing`.
pub(super) const ON_MISSING: [&str; 2] = ["alert", "recreate"];

/// A declared resource from what was read.
pub(super) fn resource<'a>(
    context: &mut ParseContext<'a>,
    key: ResourceKey,
    place: Place<'a>,
    fields: FieldMap<'a>,
) -> DeclaredResource {
    let mut secrets = ByField::new();
    let origin = context.origin(place, false);
    let fields = fields.map(|name, field| {
        if let Some(secret) = field.secret {
            secrets.insert(name.clone(), secret);
        }
        DeclaredField {
            value: field.value,
            origin: context.origin(field.place, field.is_default),
        }
    });
    let mut config_keys = std::mem::take(&mut context.asked);
    config_keys.extend(context.asked_by_defaults.iter().cloned());
    DeclaredResource {
        key,
        fields,
        secrets,
        config_keys,
        origin,
        exclusive: false,
        authoritative: false,
        on_missing: None,
    }
}
