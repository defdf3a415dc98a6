//! Accepting what is live: the edit of the definitions that makes it declared (semantics 7.2).
//!
//! Nothing is written here or anywhere by it: a person makes the edit, and whoever reviews the
//! definitions sees it.

use crate::compare::{Difference, FieldDifference, Verdict};
use crate::model::{
    Declared, DeclaredResource, FieldName, Kind, Origin, ResourceKey, StackName, Value, field_spec,
};
use crate::plan;
use crate::report::Report;

/// What is done at a place in a definition file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doing {
    /// The value that stands there is replaced by this line.
    Replace(String),
    /// This line is added to the resource that is declared there: what it has is a default.
    Add(String),
    /// What stands there of this name is removed.
    Remove(String),
    /// Items are added to and removed from the list there.
    Items {
        /// The key of the list.
        list: String,
        /// Items as they are written.
        add: Vec<String>,
        /// Items as they are written.
        remove: Vec<String>,
    },
    /// The whole resource that is declared there is removed.
    RemoveResource,
}

/// One edit of a definition file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acceptance {
    /// The field, if not the whole resource.
    pub field: Option<FieldName>,
    /// Where.
    pub origin: Origin,
    /// What is done there.
    pub doing: Doing,
}

/// The edits that accept a resource, or one field of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Accepted {
    /// The edits, by field.
    pub edits: Vec<Acceptance>,
    /// What no edit can accept, and why: one sentence without a final stop.
    pub cannot: Vec<(Option<FieldName>, String)>,
    /// Whether a file of these edits is read for other stacks too.
    pub is_shared: bool,
}

/// Why it can't be accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AcceptError {
    /// It is neither declared nor recorded.
    #[error("`{0}` is neither declared nor recorded")]
    Unknown(ResourceKey),
    /// It is as it is declared.
    #[error("{} is live as declared: there is nothing to accept", .0.name())]
    InSync(ResourceKey),
    /// It could not be read.
    #[error("{} could not be read: {reason}", .key.name())]
    Unread {
        /// Which resource.
        key: ResourceKey,
        /// Why.
        reason: String,
    },
    /// The named field does not differ.
    #[error("`{field}` of {} is live as declared; these differ: {differing}", .key.name())]
    NoSuchField {
        /// Of which resource.
        key: ResourceKey,
        /// The field that was named.
        field: FieldName,
        /// The fields that differ.
        differing: String,
    },
}

/// The edits that would make what is live of a resource declared, or of one field of it.
///
/// # Errors
/// When nothing differs, it could not be read, or the named field does not differ.
pub fn accept(
    report: &Report,
    key: &ResourceKey,
    field: Option<&FieldName>,
) -> Result<Accepted, AcceptError> {
    let difference = report.comparison.differences.get(key);
    let difference = difference.ok_or_else(|| AcceptError::Unknown(key.clone()))?;
    match (difference.verdict, &difference.failure) {
        (_, Some(failure)) => {
            return Err(AcceptError::Unread {
                key: key.clone(),
                reason: failure.reason.clone(),
            });
        }
        (Verdict::InSync | Verdict::CatchingUp, None) => {
            return Err(AcceptError::InSync(key.clone()));
        }
        _ => {}
    }
    let mut accepted = Accepted::default();
    match report.declared.resources.get(key) {
        None => accepted.refuse(
            None,
            "it is no longer declared: declare it again, or forget it",
        ),
        // What stands in its way is somebody else's, or is none of kedge's: it is no value to declare.
        // What was made twice without effect may still be given up.
        Some(_) if let Some(why) = blocked(difference) => accepted.refuse(None, why),
        Some(resource) if difference.whole.is_some() => accepted.absence(report, resource),
        Some(resource) => {
            for one in fields(difference, field)? {
                accepted.field(resource, one);
            }
            if !difference.unhealthy.is_empty() {
                let why =
                    "it does not work, and only the provider can repair that: no definition can";
                accepted.refuse(None, why);
            }
        }
    }
    let own = own_file(&report.declared.stack);
    accepted.is_shared = accepted.edits.iter().any(|edit| *edit.origin.file != *own);
    Ok(accepted)
}

/// What stands in the way of a resource that is not simply gone.
fn blocked(difference: &Difference) -> Option<&str> {
    let why = difference.blocked.as_deref();
    why.filter(|_| !difference.is_missing())
}

/// The file that is read for one stack alone.
fn own_file(stack: &StackName) -> String {
    format!("stacks/{stack}.yaml")
}

/// What differs and is meant.
fn fields<'a>(
    difference: &'a Difference,
    field: Option<&FieldName>,
) -> Result<Vec<&'a FieldDifference>, AcceptError> {
    let all = || difference.fields.iter().chain(&difference.ignored);
    let Some(name) = field else {
        return Ok(all().collect());
    };
    let found: Vec<_> = all().filter(|one| one.field == *name).collect();
    if found.is_empty() {
        let names: Vec<&str> = all().map(|one| one.field.as_str()).collect();
        return Err(AcceptError::NoSuchField {
            key: difference.key.clone(),
            field: name.clone(),
            differing: names.join(", "),
        });
    }
    Ok(found)
}

impl Accepted {
    fn refuse(&mut self, field: Option<&FieldName>, why: &str) {
        self.cannot.push((field.cloned(), why.to_owned()));
    }

    fn edit(&mut self, field: Option<&FieldName>, origin: &Origin, doing: Doing) {
        self.edits.push(Acceptance {
            field: field.cloned(),
            origin: origin.clone(),
            doing,
        });
    }

    /// It is not there: it is no longer declared.
    fn absence(&mut self, report: &Report, resource: &DeclaredResource) {
        let others = on_it(&report.declared, &resource.key);
        if !others.is_empty() {
            let why = format!(
                "{} declared on it, so it can't be removed first; accept those first",
                others.join(", ")
            );
            return self.refuse(None, &why);
        }
        let name = FieldName::known("addresses");
        let addresses = resource.fields.get(&name);
        // A node declares a set of each family, of which the other may be there.
        let is_beside = |other: &DeclaredResource| {
            let difference = report.comparison.differences.get(&other.key);
            other.key != resource.key
                && other.origin == resource.origin
                && difference.is_none_or(|one| one.whole.is_none())
        };
        match addresses {
            Some(field) if report.declared.resources.values().any(is_beside) => {
                let addresses = field.value.as_set().into_iter().flatten();
                let doing = Doing::Items {
                    list: "ips".to_owned(),
                    add: Vec::new(),
                    remove: addresses.cloned().collect(),
                };
                self.edit(Some(&name), &field.origin, doing);
            }
            _ => self.edit(None, &resource.origin, Doing::RemoveResource),
        }
    }

    fn field(&mut self, resource: &DeclaredResource, difference: &FieldDifference) {
        let name = &difference.field;
        let origin = difference.origin.as_ref().unwrap_or(&resource.origin);
        if !difference.items.is_empty() {
            // No definition is of an empty set: where nothing is left of it, all of it goes.
            match is_emptied(difference) {
                true => self.edit(None, &resource.origin, Doing::RemoveResource),
                false => {
                    let doing = items(resource.key.kind(), difference);
                    self.edit(Some(name), origin, doing);
                }
            }
            return;
        }
        let Some(live) = &difference.live else {
            match origin.is_default {
                true => self.refuse(
                    Some(name),
                    "it is not set live, and an area default declares it",
                ),
                false => self.edit(Some(name), origin, Doing::Remove(written_name(name))),
            }
            return;
        };
        let value = match yaml(live) {
            Ok(value) => value,
            Err(why) => return self.refuse(Some(name), why),
        };
        let line = match name.as_str().split_once('.') {
            // An entry of a map stands under the map's own key.
            Some((map, entry)) if origin.is_default => {
                format!("{map}: {{{}: {value}}}", quoted(entry))
            }
            Some((_, entry)) => format!("{}: {value}", quoted(entry)),
            None => format!("{name}: {value}"),
        };
        match origin.is_default {
            // A default holds for others too, so what differs is said of the resource alone.
            true => self.edit(Some(name), &resource.origin, Doing::Add(line)),
            false => self.edit(Some(name), origin, Doing::Replace(line)),
        }
    }
}

fn written_name(name: &FieldName) -> String {
    let name = name.as_str();
    name.split_once('.')
        .map_or(name, |(_, entry)| entry)
        .to_owned()
}

/// What is declared on a topic: subscriptions and bindings that a set without it may not have.
fn on_it(declared: &Declared, topic: &ResourceKey) -> Vec<String> {
    let keys = declared.resources.keys();
    keys.filter(|key| plan::needs(declared, key).contains(topic))
        .map(ResourceKey::labelled)
        .collect()
}

/// Whether every declared item is gone, and there is none to declare instead.
fn is_emptied(difference: &FieldDifference) -> bool {
    let declared = difference.declared.as_ref().and_then(Value::as_set);
    let lacking = difference.items.iter().filter(|item| item.lacking).count();
    lacking == difference.items.len() && declared.is_some_and(|set| set.len() == lacking)
}

/// What is live and not declared is added, what is declared and not live removed.
fn items(kind: Kind, difference: &FieldDifference) -> Doing {
    let of = |lacking: bool| {
        let items = difference
            .items
            .iter()
            .filter(move |item| item.lacking == lacking);
        items.map(|item| item.item.clone()).collect()
    };
    let list = field_spec(kind, &difference.field)
        .and_then(|spec| spec.written_as)
        .map_or_else(|| difference.field.to_string(), str::to_owned);
    Doing::Items {
        list,
        add: of(false),
        remove: of(true),
    }
}

/// A value as a definition writes it.
fn yaml(value: &Value) -> Result<String, &'static str> {
    match value {
        Value::Int(_) | Value::Bool(_) | Value::Ratio(_) | Value::Duration(_) => {
            Ok(value.to_string())
        }
        Value::Text(text) => text_yaml(text),
        Value::Set(set) => {
            let items: Result<Vec<String>, _> = set.iter().map(|item| text_yaml(item)).collect();
            Ok(format!("[{}]", items?.join(", ")))
        }
        Value::Url(url) if url.sealed.is_some() => {
            Err("part of the live URL is hidden here; the provider's console shows it")
        }
        Value::Url(url) => text_yaml(&url.shown),
        Value::Mixed(_) => Err("its records disagree, so there is no single value to declare"),
    }
}

fn text_yaml(text: &str) -> Result<String, &'static str> {
    match text {
        "_deleted-topic_" => Err("its topic was deleted, which no definition can declare"),
        "_detached_" => Err("it is detached from its topic, which no definition can declare"),
        text if text.contains(['{', '}']) => {
            Err("it has braces, which are placeholders in a definition")
        }
        text => Ok(quoted(text)),
    }
}

/// A word as it is, anything else in double quotes as both JSON and YAML read them.
fn quoted(text: &str) -> String {
    let is_word = text.chars().all(|c| c.is_ascii_lowercase() || c == '_')
        && !matches!(
            text,
            "" | "true" | "false" | "yes" | "no" | "on" | "off" | "null" | "y" | "n"
        );
    match is_word {
        true => text.to_owned(),
        false => serde_json::Value::from(text).to_string(),
    }
}
