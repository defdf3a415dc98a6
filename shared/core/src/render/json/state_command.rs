//! Verbs besides `up`, in JSON.

use serde_json::{Value as Json, json};

use super::{carried, findings, hold, left, named, stopped, traffic_json};
use crate::accept::{Accepted, Doing};
use crate::model::ResourceKey;
use crate::record::{Answer, CommandOutcome};
use crate::render::Traffic;
use crate::render::view::outside;
use crate::report::{Changed, Report};

/// What `adopt`, `forget`, `refresh` or `retire` comes to, and what it did: `kedge.state-command/1`.
#[must_use]
pub fn state_command_json(
    report: &Report,
    verb: &str,
    changed: Option<&Changed>,
    traffic: Option<&Traffic>,
) -> Json {
    let recording = report.command.as_ref().map(|command| &command.recording);
    let foreseen = recording.map_or((0, 0), |one| (one.recorded(), one.forgotten()));
    let (recorded, forgotten) = changed.map_or(foreseen, |one| (one.recorded, one.forgotten));
    let carried = changed.map(|changed| changed.results.iter().map(carried).collect::<Vec<_>>());
    let absence = match report.command.as_ref().map(|command| &command.answer) {
        Some(Answer::Absent(absence)) if !absence.keys.is_empty() => Some(&absence.digest),
        _ => None,
    };
    json!({
        "format": "kedge.state-command/1",
        "stack": report.declared.stack.as_str(),
        "revision": report.declared.revision,
        "verb": verb,
        "done": changed.is_some(),
        "complete": changed.is_some_and(Changed::is_complete),
        "stopped": changed.and_then(stopped),
        "run": changed.map(|changed| changed.run.as_str()),
        "digest": report.plan.digest,
        "verdict": report.verdict().as_str(),
        "absence": absence,
        "resources": report.command.as_ref().map(resources).unwrap_or_default(),
        "recorded": recorded,
        "forgotten": forgotten,
        "changes": carried.unwrap_or_default(),
        "left": left(report),
        "findings": findings(report),
        "holds": hold::of_report(report),
        "holds_unread": hold::unread(report),
        "traffic": traffic_json(traffic),
    })
}

/// What becomes of each resource that the verb is about.
fn resources(command: &CommandOutcome) -> Vec<Json> {
    let one = |key: &ResourceKey, what: &str, why: Option<&str>| {
        let mut map = named(key);
        map.insert("what".to_owned(), what.into());
        map.insert("why".to_owned(), why.map(outside).into());
        Json::Object(map)
    };
    match &command.answer {
        Answer::Refreshed | Answer::Retired { .. } => Vec::new(),
        Answer::Adopted(adoption) => {
            let equal = adoption.equal.iter().map(|key| one(key, "adopted", None));
            let pending = adoption.pending.iter().map(|key| one(key, "pending", None));
            let left = adoption.left.iter();
            let left = left.map(|left| one(&left.key, "left", Some(&left.why)));
            equal.chain(pending).chain(left).collect()
        }
        Answer::Forgotten(means) => means
            .iter()
            .map(|(key, meaning)| one(key, meaning.as_str(), Some(meaning.describe())))
            .collect(),
        Answer::Absent(absence) => {
            let what = match command.recording.absent.is_empty() {
                true => "absent",
                false => "missing",
            };
            let keys = absence.keys.iter();
            keys.map(|key| one(key, what, None)).collect()
        }
    }
}

/// The edits that accept what is live: `kedge.accept/1`.
#[must_use]
pub fn accept_json(key: &ResourceKey, accepted: &Accepted) -> Json {
    let edit = |edit: &crate::accept::Acceptance| {
        let (doing, line, list, add, remove) = match &edit.doing {
            Doing::Replace(line) => ("replace", Some(line), None, None, None),
            Doing::Add(line) => ("add", Some(line), None, None, None),
            Doing::Remove(name) => ("remove", Some(name), None, None, None),
            Doing::RemoveResource => ("remove-resource", None, None, None, None),
            Doing::Items { list, add, remove } => {
                ("items", None, Some(list), Some(add), Some(remove))
            }
        };
        json!({
            "field": edit.field.as_ref().map(|field| outside(field.as_str())),
            "file": &*edit.origin.file,
            "line": edit.origin.line,
            "doing": doing,
            "text": line.map(|line| outside(line)),
            "list": list,
            "add": add,
            "remove": remove,
        })
    };
    let cannot = accepted.cannot.iter().map(
        |(field, why)| json!({ "field": field.as_ref().map(|field| field.as_str()), "why": why }),
    );
    let mut map = named(key);
    map.insert("format".to_owned(), "kedge.accept/1".into());
    let edits: Vec<Json> = accepted.edits.iter().map(edit).collect();
    map.insert("edits".to_owned(), edits.into());
    map.insert("cannot".to_owned(), cannot.collect::<Vec<_>>().into());
    map.insert("every_stack".to_owned(), accepted.is_shared.into());
    Json::Object(map)
}
