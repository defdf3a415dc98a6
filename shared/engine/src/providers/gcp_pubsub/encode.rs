//! Declared values and edits as Pub/Sub's JSON. Pure.
//!
//! A PATCH replaces each field of its mask whole (t-k/fireemu, recorded), so a field that is a
//! message (`labels`, `pushConfig`, …) begins as it is live and gets the edits on top.

use std::collections::{BTreeMap, BTreeSet};

use kedge_core::change::{Change, Edit};
use kedge_core::model::{ByField, FieldName, SecretText, Value};

use super::normalize::{full_topic, member_id};
use super::{normalize, wire};

/// Why a change can't be put into a request. A sentence without a final stop.
pub(super) type Unfit = String;

/// A patch's fields, and the mask that names them.
#[derive(Debug, PartialEq)]
pub(super) struct Patch<T> {
    pub(super) body: T,
    pub(super) mask: String,
}

/// The field of a topic that an edit of ours belongs to.
fn topic_path(field: &FieldName) -> Option<&'static str> {
    match field.as_str() {
        "message_retention" => Some("messageRetentionDuration"),
        "kms_key_name" => Some("kmsKeyName"),
        "allowed_persistence_regions" => Some("messageStoragePolicy"),
        _ => field.entry_of("labels").map(|_| "labels"),
    }
}

/// The field of a subscription that an edit of ours belongs to; none if it can't be changed in
/// place (t-k/fireemu: topic, filter and ordering are 400 `is not mutable`).
fn subscription_path(field: &FieldName) -> Option<&'static str> {
    match field.as_str() {
        "push_endpoint" | "push_service_account" | "push_audience" => Some("pushConfig"),
        "ack_deadline_seconds" => Some("ackDeadlineSeconds"),
        "retain_acked_messages" => Some("retainAckedMessages"),
        "message_retention" => Some("messageRetentionDuration"),
        "expiration" => Some("expirationPolicy"),
        "dead_letter_topic" | "max_delivery_attempts" => Some("deadLetterPolicy"),
        "minimum_backoff" | "maximum_backoff" => Some("retryPolicy"),
        "enable_exactly_once_delivery" => Some("enableExactlyOnceDelivery"),
        _ => field.entry_of("labels").map(|_| "labels"),
    }
}

/// Whether the edits touch a field that must be read before it is written back whole.
pub(super) fn needs_live(edits: &[Edit]) -> bool {
    let whole = [
        "labels",
        "messageStoragePolicy",
        "pushConfig",
        "deadLetterPolicy",
        "retryPolicy",
    ];
    edits.iter().any(|edit| {
        let paths = [topic_path(edit.field()), subscription_path(edit.field())];
        paths
            .into_iter()
            .flatten()
            .any(|path| whole.contains(&path))
    })
}

/// The paths that edits touch, each once: a path named twice is a 400 (t-k/fireemu).
fn paths(
    edits: &[Edit],
    path: fn(&FieldName) -> Option<&'static str>,
) -> Result<BTreeSet<&'static str>, Unfit> {
    let of = |edit: &Edit| {
        path(edit.field()).ok_or_else(|| format!("{} can't be changed in place", edit.field()))
    };
    let paths: BTreeSet<_> = edits.iter().map(of).collect::<Result<_, _>>()?;
    if paths.is_empty() {
        return Err("there is nothing to change".to_owned());
    }
    Ok(paths)
}

fn mask(paths: &BTreeSet<&'static str>) -> String {
    paths.iter().copied().collect::<Vec<_>>().join(",")
}

/// A whole topic, for its creation.
pub(super) fn new_topic(change: &Change) -> Result<wire::Topic, Unfit> {
    let mut body = wire::Topic::default();
    for (field, to) in &change.declared {
        let edit = set(field, to);
        edit_topic(&mut body, &edit)?;
    }
    Ok(body)
}

/// The patch of a topic: `live` where [`needs_live`].
pub(super) fn topic_patch(change: &Change, live: wire::Topic) -> Result<Patch<wire::Topic>, Unfit> {
    let paths = paths(&change.edits, topic_path)?;
    let mut body = wire::Topic::default();
    if paths.contains("labels") {
        body.labels = live.labels;
    }
    if paths.contains("messageStoragePolicy") {
        body.message_storage_policy = live.message_storage_policy;
    }
    for edit in &change.edits {
        edit_topic(&mut body, edit)?;
    }
    let mask = mask(&paths);
    Ok(Patch { body, mask })
}

fn edit_topic(body: &mut wire::Topic, edit: &Edit) -> Result<(), Unfit> {
    let field = edit.field();
    if field.as_str() == "allowed_persistence_regions" {
        let policy = body.message_storage_policy.get_or_insert_default();
        let regions = policy.allowed_persistence_regions.get_or_insert_default();
        let mut set: BTreeSet<String> = regions.drain(..).collect();
        match edit {
            Edit::Set { to, .. } => set = to.as_set().ok_or_else(|| unfit(field))?.clone(),
            Edit::Add { item, .. } => drop(set.insert(item.clone())),
            Edit::Remove { item, .. } => drop(set.remove(item)),
        }
        *regions = set.into_iter().collect();
        return Ok(());
    }
    let to = value(edit)?;
    match field.as_str() {
        "message_retention" => body.message_retention_duration = Some(duration(field, to)?),
        "kms_key_name" => body.kms_key_name = Some(text(field, to)?),
        _ => label(&mut body.labels, field, to)?,
    }
    Ok(())
}

/// A whole subscription, for its creation.
pub(super) fn new_subscription(
    project: &str,
    change: &Change,
) -> Result<wire::Subscription, Unfit> {
    let mut body = wire::Subscription::default();
    let mut edits = Vec::new();
    for (field, to) in &change.declared {
        match field.as_str() {
            "topic" => body.topic = Some(full_topic(project, &text(field, to)?)),
            // An empty filter is no filter.
            "filter" => body.filter = Some(text(field, to)?).filter(|text| !text.is_empty()),
            "enable_message_ordering" => body.enable_message_ordering = Some(flag(field, to)?),
            _ => edits.push(set(field, to)),
        }
    }
    if body.topic.is_none() {
        return Err("its definition names no topic".to_owned());
    }
    edit_subscription(project, &mut body, &edits, &change.secrets)?;
    Ok(body)
}

/// The patch of a subscription: `live` where [`needs_live`].
pub(super) fn subscription_patch(
    project: &str,
    change: &Change,
    live: wire::Subscription,
) -> Result<Patch<wire::Subscription>, Unfit> {
    let mut paths = paths(&change.edits, subscription_path)?;
    let mut body = wire::Subscription::default();
    if paths.contains("labels") {
        body.labels = live.labels;
    }
    if paths.contains("pushConfig") {
        body.push_config = live.push_config;
    }
    if paths.contains("deadLetterPolicy") {
        body.dead_letter_policy = live.dead_letter_policy;
    }
    if paths.contains("retryPolicy") {
        body.retry_policy = live.retry_policy;
    }
    edit_subscription(project, &mut body, &change.edits, &change.secrets)?;
    if change
        .edits
        .iter()
        .any(|edit| edit.field().as_str() == ENDPOINT)
    {
        // A subscription has one way of delivery. An export goes when it is in the mask and not
        // in the body.
        let exports = [
            ("bigqueryConfig", live.bigquery_config),
            ("cloudStorageConfig", live.cloud_storage_config),
            ("bigtableConfig", live.bigtable_config),
        ];
        paths.extend(
            exports
                .iter()
                .filter(|(_, live)| live.is_some())
                .map(|(path, _)| *path),
        );
    }
    let mask = mask(&paths);
    Ok(Patch { body, mask })
}

const ENDPOINT: &str = "push_endpoint";

/// Carries out edits, the endpoint's last: `pull` takes the whole push configuration away.
fn edit_subscription(
    project: &str,
    body: &mut wire::Subscription,
    edits: &[Edit],
    secrets: &ByField<SecretText>,
) -> Result<(), Unfit> {
    let (endpoint, others): (Vec<_>, Vec<_>) = edits
        .iter()
        .partition(|edit| edit.field().as_str() == ENDPOINT);
    for edit in others {
        edit_field(project, body, edit.field(), value(edit)?)?;
    }
    for edit in endpoint {
        let field = edit.field();
        let config = body.push_config.get_or_insert_default();
        match value(edit)? {
            Value::Text(word) if word == "pull" => *config = wire::PushConfig::default(),
            Value::Url(_) => {
                let url = secrets.get(field).ok_or_else(|| {
                    "the hidden part of its push endpoint is not known here".to_owned()
                })?;
                config.push_endpoint = Some(url.clone());
            }
            _ => return Err(unfit(field)),
        }
    }
    Ok(())
}

fn edit_field(
    project: &str,
    body: &mut wire::Subscription,
    field: &FieldName,
    to: &Value,
) -> Result<(), Unfit> {
    match field.as_str() {
        "push_service_account" => oidc(body).service_account_email = Some(text(field, to)?),
        "push_audience" => oidc(body).audience = Some(text(field, to)?),
        "ack_deadline_seconds" => body.ack_deadline_seconds = Some(int(field, to)?),
        "retain_acked_messages" => body.retain_acked_messages = Some(flag(field, to)?),
        "message_retention" => body.message_retention_duration = Some(duration(field, to)?),
        "enable_exactly_once_delivery" => {
            body.enable_exactly_once_delivery = Some(flag(field, to)?);
        }
        "expiration" => {
            let ttl = match to {
                Value::Text(word) if word == "never" => None,
                other => Some(duration(field, other)?),
            };
            body.expiration_policy = Some(wire::ExpirationPolicy { ttl });
        }
        "dead_letter_topic" => {
            let policy = body.dead_letter_policy.get_or_insert_default();
            policy.dead_letter_topic = Some(full_topic(project, &text(field, to)?));
        }
        "max_delivery_attempts" => {
            let policy = body.dead_letter_policy.get_or_insert_default();
            policy.max_delivery_attempts = Some(int(field, to)?);
        }
        "minimum_backoff" => {
            let policy = body.retry_policy.get_or_insert_default();
            policy.minimum_backoff = Some(duration(field, to)?);
        }
        "maximum_backoff" => {
            let policy = body.retry_policy.get_or_insert_default();
            policy.maximum_backoff = Some(duration(field, to)?);
        }
        _ => label(&mut body.labels, field, to)?,
    }
    Ok(())
}

fn oidc(body: &mut wire::Subscription) -> &mut wire::OidcToken {
    let config = body.push_config.get_or_insert_default();
    config.oidc_token.get_or_insert_default()
}

/// Members that a change adds to a role and takes from it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Members {
    pub(super) add: BTreeSet<String>,
    pub(super) remove: BTreeSet<String>,
}

impl Members {
    /// A member to be added who holds the role already, under a condition only, and that condition: a
    /// person narrowed it since the plan was made (semantics 2.4).
    pub(super) fn narrowed(
        &self,
        policy: &wire::IamPolicy,
        role: &str,
    ) -> Option<(String, String)> {
        let live = normalize::members(policy, role, Some(&self.add))?;
        let members = live.fields.get(&FieldName::known("members"))?.as_set()?;
        let is_narrowed =
            |(member, _): &(String, String)| self.add.contains(member) && !members.contains(member);
        live.conditions.into_iter().find(is_narrowed)
    }

    /// Carries them out on a policy and touches nothing else in it; whether anything changed.
    pub(super) fn apply(&self, policy: &mut wire::IamPolicy, role: &str) -> bool {
        let bindings = policy.bindings.get_or_insert_default();
        let mut missing: BTreeSet<&String> = self.add.iter().collect();
        let mut changed = false;
        for binding in bindings
            .iter_mut()
            .filter(|one| normalize::is_ours(one, role))
        {
            let members = binding.members.get_or_insert_default();
            let before = members.len();
            members.retain(|member| !self.remove.contains(&member_id(member)));
            changed |= members.len() != before;
            for member in members.iter() {
                missing.remove(&member_id(member));
            }
        }
        if !missing.is_empty() {
            changed = true;
            let ours = bindings
                .iter()
                .position(|one| normalize::is_ours(one, role));
            let ours = ours.and_then(|at| bindings.get_mut(at));
            let added = missing.into_iter().cloned();
            match ours {
                Some(binding) => binding.members.get_or_insert_default().extend(added),
                None => bindings.push(wire::Binding {
                    role: role.to_owned(),
                    members: Some(added.collect()),
                    ..wire::Binding::default()
                }),
            }
        }
        if changed {
            // A binding needs at least one member (v1 discovery, `IamPolicy`).
            bindings.retain(|one| {
                !normalize::is_ours(one, role)
                    || one.members.as_ref().is_some_and(|m| !m.is_empty())
            });
            if bindings.iter().any(|one| one.condition.is_some()) {
                // A policy with conditions must be written as version 3 (v1 discovery, `IamPolicy`).
                policy.version = Some(3);
            }
        }
        changed
    }
}

/// The members that a change of a binding is about.
pub(super) fn members(change: &Change) -> Result<Members, Unfit> {
    use kedge_core::change::Verb;
    let field = FieldName::known("members");
    let all = |fields: &kedge_core::model::Fields| {
        let set = fields.get(&field).and_then(Value::as_set);
        let set = set.ok_or_else(|| "it has no members".to_owned())?;
        Ok::<_, Unfit>(set.iter().map(|member| member_id(member)).collect())
    };
    let mut members = Members::default();
    match change.verb {
        Verb::Create => members.add = all(&change.declared)?,
        Verb::Delete => members.remove = all(&change.recorded)?,
        Verb::Replace => return Err("a binding is never replaced".to_owned()),
        Verb::Update => {
            for edit in &change.edits {
                match edit {
                    Edit::Add { field: of, item } if *of == field => {
                        members.add.insert(member_id(item));
                    }
                    Edit::Remove { field: of, item } if *of == field => {
                        members.remove.insert(member_id(item));
                    }
                    // Setting the set would take away members that nobody named.
                    _ => return Err("a binding is changed member by member".to_owned()),
                }
            }
        }
    }
    Ok(members)
}

fn set(field: &FieldName, to: &Value) -> Edit {
    Edit::Set {
        field: field.clone(),
        to: to.clone(),
    }
}

fn value(edit: &Edit) -> Result<&Value, Unfit> {
    match edit {
        Edit::Set { to, .. } => Ok(to),
        Edit::Add { field, .. } | Edit::Remove { field, .. } => Err(unfit(field)),
    }
}

fn unfit(field: &FieldName) -> Unfit {
    format!("{field} can't take this value")
}

fn text(field: &FieldName, value: &Value) -> Result<String, Unfit> {
    let text = value.as_text().ok_or_else(|| unfit(field))?;
    Ok(text.to_owned())
}

fn int(field: &FieldName, value: &Value) -> Result<i64, Unfit> {
    value.as_int().ok_or_else(|| unfit(field))
}

fn flag(field: &FieldName, value: &Value) -> Result<bool, Unfit> {
    value.as_bool().ok_or_else(|| unfit(field))
}

fn duration(field: &FieldName, value: &Value) -> Result<String, Unfit> {
    match value {
        Value::Duration(nanos) => Ok(wire::format_duration(*nanos)),
        _ => Err(unfit(field)),
    }
}

fn label(
    labels: &mut Option<BTreeMap<String, String>>,
    field: &FieldName,
    to: &Value,
) -> Result<(), Unfit> {
    let key = field
        .entry_of("labels")
        .ok_or_else(|| format!("{field} is not a field that can be written"))?;
    let labels = labels.get_or_insert_default();
    labels.insert(key.to_owned(), text(field, to)?);
    Ok(())
}

#[cfg(test)]
#[path = "encode_tests.rs"]
mod tests;
