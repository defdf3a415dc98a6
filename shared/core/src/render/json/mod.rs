//! The JSON form, for machines: `docs/json.md` says what each key means.
//!
//! Keys are only ever added within one number of a format.

mod hold;
mod open_run;
mod policy;
mod resource;
mod state_command;

pub use hold::{UnderWay, holds_json};
pub use state_command::{accept_json, state_command_json};

use serde_json::{Map, Value as Json, json};

use super::consent::{Commands, ShortKeys, actor, commands};
use super::view::outside;
use super::{Hints, Traffic};
use crate::change::Edit;
use crate::compare::{Difference, Verdict};
use crate::definitions::Problems;
use crate::hint::Hint;
use crate::model::{FieldName, ResourceKey, Value};
use crate::plan::{DecidedChange, DecidedStep, Finding, LeftReason, Plan};
use crate::report::{ChangeResult, Changed, InvalidBundle, Outcome, Report};
use crate::risk::Risk;

/// What is wrong with a stack: `kedge.report/1`.
#[must_use]
pub fn check_json(report: &Report, traffic: Option<&Traffic>) -> Json {
    Json::Object(report_map("kedge.report/1", report, traffic))
}

/// The plan of a stack: `kedge.plan/1`, which is `kedge.report/1` with `plan` and `commands`.
#[must_use]
pub fn preview_json(report: &Report, traffic: Option<&Traffic>, hints: Hints<'_>) -> Json {
    let mut map = report_map("kedge.plan/1", report, traffic);
    let short = ShortKeys::new(&report.plan);
    let changes = report.decided.changes.iter();
    let changes: Vec<Json> = changes
        .map(|decided| change(&report.plan, &short, decided))
        .collect();
    map.insert(
        "plan".to_owned(),
        json!({ "digest": report.plan.digest, "changes": changes, "records": records(report) }),
    );
    let Commands {
        unattended,
        person,
        named,
        typed,
        overriding,
    } = commands(report);
    let said = |hint: Option<Hint>| hint.as_ref().map(hints);
    map.insert(
        "commands".to_owned(),
        json!({
            "unattended": said(unattended),
            "person": said(person),
            "naming_keys": said(named),
            "typing_the_name": said(typed),
            "overriding_guards": said(overriding),
        }),
    );
    Json::Object(map)
}

/// What a run did: `kedge.changed/1`.
#[must_use]
pub fn changed_json(report: &Report, changed: &Changed, traffic: Option<&Traffic>) -> Json {
    json!({
        "format": "kedge.changed/1",
        "stack": report.declared.stack.as_str(),
        "revision": report.declared.revision,
        "digest": report.plan.digest,
        "run": changed.run,
        "complete": changed.is_complete(),
        "stopped": stopped(changed),
        "run_again": changed.run_again,
        "changes": changed.results.iter().map(carried).collect::<Vec<_>>(),
        "left": left(report),
        "findings": findings(report),
        "guards": guards(report),
        "holds": hold::of_report(report),
        "holds_unread": hold::unread(report),
        "policy_granted": report.decided.policy_granted,
        "report": changed.stopped.as_ref().map(|_| check_json(report, None)),
        "recorded": changed.recorded,
        "forgotten": changed.forgotten,
        "traffic": traffic_json(traffic),
    })
}

/// Why a run stopped before its end: what went wrong, or a hold.
fn stopped(changed: &Changed) -> Option<String> {
    let why = changed.stopped.as_deref().or_else(|| changed.held_by());
    why.map(outside)
}

/// What was not begun on purpose.
fn left(report: &Report) -> Vec<Json> {
    let left = report.decided.left().map(|left| {
        let mut map = named(left.key);
        map.insert("verb".to_owned(), left.verb.as_str().into());
        map.insert("field".to_owned(), name(left.field));
        map.insert("reason".to_owned(), reason(left.reason));
        Json::Object(map)
    });
    left.collect()
}

/// What is wrong with a set: `kedge.problems/1`.
#[must_use]
pub fn problems_json(problems: &Problems) -> Json {
    json!({
        "format": "kedge.problems/1",
        "verdict": "invalid",
        "problems": problems.list.iter().map(problem).collect::<Vec<_>>(),
        "files_read": problems.files_read,
        "left_out": problems.left_out,
    })
}

fn problem(problem: &crate::definitions::Problem) -> Json {
    json!({
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "width": problem.width,
        "message": problem.message,
        "hint": problem.hint,
        "source_line": problem.source_line,
    })
}

fn report_map(format: &str, report: &Report, traffic: Option<&Traffic>) -> Map<String, Json> {
    let comparison = &report.comparison;
    let resources = comparison
        .differences
        .values()
        .filter(|one| says_something(one));
    let unread: Vec<String> = comparison
        .unread_scopes
        .iter()
        .map(ToString::to_string)
        .collect();
    let unused = report.declared.unused.iter().map(|key| outside(key));
    let change = &report.plan.policy_change;
    let body = json!({
        "format": format,
        "stack": report.declared.stack.as_str(),
        "revision": report.declared.revision,
        "verdict": report.verdict().as_str(),
        "exit_code": report.verdict().exit_code(false),
        "invalid": report.invalid.as_ref().map(invalid),
        "unverified": report.unverified.as_deref().map(outside),
        "open_run": report.open_run.as_ref().map(open_run::of),
        "has_state": comparison.has_state,
        "read_at": report.read_at.to_string(),
        "last_good_read_at": report.last_good_read_at.map(|at| at.to_string()),
        "policy": policy::of(&report.plan.policy),
        "policy_change": { "tightened": change.tightened, "loosened": change.loosened },
        "variables": policy::variables(report),
        "counts": counts(report),
        "resources": resources.map(|one| resource::resource(report, one)).collect::<Vec<_>>(),
        "findings": findings(report),
        "guards": guards(report),
        "holds": hold::of_report(report),
        "holds_unread": hold::unread(report),
        "unmanaged": comparison.unmanaged.iter().map(|key| Json::Object(named(key))).collect::<Vec<_>>(),
        "unread_scopes": unread,
        "unused_keys": unused.collect::<Vec<_>>(),
        "traffic": traffic_json(traffic),
    });
    match body {
        Json::Object(map) => map,
        _ => Map::new(),
    }
}

fn invalid(set: &InvalidBundle) -> Json {
    let problems = set.problems.iter().flat_map(|problems| &problems.list);
    json!({
        "reason": outside(&set.reason),
        "problems": problems.map(problem).collect::<Vec<_>>(),
    })
}

/// Whether there is more to tell of a resource than that it is in sync.
fn says_something(difference: &Difference) -> bool {
    difference.verdict != Verdict::InSync
        || difference.blocked.is_some()
        || !difference.foreign.is_empty()
        || !difference.conditions.is_empty()
        || !difference.notes.is_empty()
}

fn counts(report: &Report) -> Json {
    let count = |verdict| report.count(&[verdict]);
    json!({
        "declared": report.declared.resources.len(),
        "compared": report.comparison.differences.len(),
        "in_sync": count(Verdict::InSync),
        "drifted": count(Verdict::Drifted),
        "drifted_and_pending": count(Verdict::DriftedAndPending),
        "pending": count(Verdict::Pending),
        "not_adopted": count(Verdict::NotAdopted),
        "orphan": count(Verdict::Orphan),
        "unknown": count(Verdict::Unknown),
        "settling": count(Verdict::CatchingUp),
        "ignored": count(Verdict::Ignored),
        "unmanaged": report.comparison.unmanaged.len(),
    })
}

/// The names of a resource.
fn named(key: &ResourceKey) -> Map<String, Json> {
    let pairs = [
        ("key", outside(&key.to_string())),
        ("kind", key.kind().as_str().to_owned()),
        ("provider", key.scope().provider().as_str().to_owned()),
        ("name", outside(key.name())),
    ];
    pairs
        .into_iter()
        .map(|(name, text)| (name.to_owned(), text.into()))
        .collect()
}

fn value_json(value: &Value) -> Json {
    match value {
        Value::Int(number) => (*number).into(),
        Value::Bool(flag) => (*flag).into(),
        Value::Text(text) => outside(text).into(),
        Value::Set(set) => set
            .iter()
            .map(|item| outside(item))
            .collect::<Vec<_>>()
            .into(),
        Value::Mixed(parts) => {
            let parts = parts
                .iter()
                .map(|(at, value)| (outside(at), value_json(value)));
            Json::Object(parts.collect())
        }
        // As text: a share as a decimal fraction, a length of time in seconds (`600.5s`), a URL
        // without its hidden part.
        Value::Ratio(_) | Value::Duration(_) | Value::Url(_) => value.to_string().into(),
    }
}

fn name(field: Option<&FieldName>) -> Json {
    field.map(|field| outside(field.as_str())).into()
}

fn reason(reason: &LeftReason) -> Json {
    json!({ "code": reason.code(), "text": outside(&reason.to_string()) })
}

fn findings(report: &Report) -> Vec<Json> {
    let one = |finding: &Finding| {
        let mut map = named(&finding.key);
        map.insert("field".to_owned(), name(finding.field.as_ref()));
        map.insert("finding".to_owned(), finding.kind.as_str().into());
        map.insert("message".to_owned(), outside(&finding.message).into());
        Json::Object(map)
    };
    report.plan.findings.iter().map(one).collect()
}

fn guards(report: &Report) -> Vec<Json> {
    let refused = report.decided.refused.iter();
    refused
        .map(|trip| json!({ "guard": trip.guard.as_str(), "message": trip.message }))
        .collect()
}

fn records(report: &Report) -> Json {
    let records = report.records();
    let forgotten = records.values().filter(|record| record.is_none()).count();
    json!({ "recorded": records.len() - forgotten, "forgotten": forgotten })
}

fn change(plan: &Plan, short: &ShortKeys, decided: &DecidedChange) -> Json {
    let planned = &decided.planned;
    let needs_key = planned.risk() == Risk::Destructive && !plan.policy.protected;
    let of = |decided: &DecidedStep| {
        let one = &decided.step;
        let mut map = edit(one.edit.as_ref());
        let rest: [(&str, Json); 6] = [
            ("cause", one.cause.as_str().into()),
            ("risk", one.risk.as_str().into()),
            ("says", outside(&one.impact).into()),
            ("replaces", one.replaces.into()),
            ("who", actor(plan, decided).as_str().into()),
            ("left_by_tick", decided.decision.left().map(reason).into()),
        ];
        map.extend(rest.map(|(name, value)| (name.to_owned(), value)));
        Json::Object(map)
    };
    let keys = |keys: &[ResourceKey]| -> Vec<String> {
        keys.iter().map(|key| outside(&key.to_string())).collect()
    };
    let mut map = named(&planned.change.key);
    let rest: [(&str, Json); 6] = [
        ("verb", planned.change.verb.as_str().into()),
        ("risk", planned.risk().as_str().into()),
        (
            "allow",
            needs_key.then(|| short.of(&planned.change.key)).into(),
        ),
        ("needs", keys(&planned.needs).into()),
        (
            "all_or_none_with",
            planned
                .composite
                .as_ref()
                .map(|key| outside(&key.to_string()))
                .into(),
        ),
        (
            "steps",
            decided.steps.iter().map(of).collect::<Vec<_>>().into(),
        ),
    ];
    map.extend(rest.map(|(name, value)| (name.to_owned(), value)));
    Json::Object(map)
}

/// `action` is `set`, `add`, `remove`, or `whole` where all of the resource is made or deleted.
fn edit(edit: Option<&Edit>) -> Map<String, Json> {
    let (action, to, item) = match edit {
        None => ("whole", Json::Null, Json::Null),
        Some(Edit::Set { to, .. }) => ("set", value_json(to), Json::Null),
        Some(Edit::Add { item, .. }) => ("add", Json::Null, outside(item).into()),
        Some(Edit::Remove { item, .. }) => ("remove", Json::Null, outside(item).into()),
    };
    let pairs = [
        ("action", action.into()),
        ("field", name(edit.map(Edit::field))),
        ("to", to),
        ("item", item),
    ];
    pairs
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn carried(carried: &ChangeResult) -> Json {
    let ChangeResult { approved, outcome } = carried;
    let fix = match outcome {
        Outcome::Blocked { fix, .. } => fix.as_ref().map(|fix| outside(fix)),
        _ => None,
    };
    let edits = approved.change.edits.iter();
    let mut map = named(&approved.change.key);
    let rest: [(&str, Json); 7] = [
        ("verb", approved.change.verb.as_str().into()),
        (
            "edits",
            edits
                .map(|one| Json::Object(edit(Some(one))))
                .collect::<Vec<_>>()
                .into(),
        ),
        ("cause", approved.cause.as_str().into()),
        ("risk", approved.risk.as_str().into()),
        ("outcome", outcome.as_str().into()),
        ("reason", outcome.reason().map(outside).into()),
        ("fix", fix.into()),
    ];
    map.extend(rest.map(|(name, value)| (name.to_owned(), value)));
    Json::Object(map)
}

fn traffic_json(traffic: Option<&Traffic>) -> Json {
    traffic
        .map(
            |Traffic {
                 reads,
                 writes,
                 wall_ms,
             }| { json!({ "reads": reads, "writes": writes, "wall_ms": wall_ms }) },
        )
        .into()
}
