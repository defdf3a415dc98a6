//! How one resource stands, in JSON.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::{named, value_json};
use crate::compare::{Difference, FieldDifference, ItemDifference};
use crate::model::{FieldName, Kind, Timestamp, Unit, Value, field_spec};
use crate::render::view::outside;
use crate::report::Report;

/// One resource of a report.
pub(super) fn resource(report: &Report, difference: &Difference) -> Json {
    let Difference {
        key,
        verdict,
        whole,
        fields,
        ignored,
        failure,
        blocked,
        foreign,
        conditions,
        unhealthy,
        shown_by: _,
        notes,
        // Its notes say it.
        ended_rules: _,
    } = difference;
    let fields_json = |fields: &[FieldDifference]| -> Vec<Json> {
        fields.iter().map(|one| field(key.kind(), one)).collect()
    };
    let failure = failure.as_ref().map(|failure| {
        json!({
            "code": failure.code.as_str(),
            "reason": outside(&failure.reason),
            "permission": failure.permission.as_ref().map(|text| outside(text)),
        })
    });
    let window = report.windows.get(key);
    let after = window.and_then(|window| window.after);
    let time = |at: Option<Timestamp>| at.map(|at| at.to_string());
    let mut map = named(key);
    let rest = [
        ("changed_after", time(after).into()),
        (
            "changed_before",
            time(window.map(|window| window.before)).into(),
        ),
        ("verdict", verdict.as_str().into()),
        ("cause", whole.map(crate::compare::Cause::as_str).into()),
        ("missing", difference.is_missing().into()),
        ("fields", fields_json(fields).into()),
        ("ignored", fields_json(ignored).into()),
        ("failure", failure.into()),
        ("blocked", blocked.as_ref().map(|why| outside(why)).into()),
        ("foreign", texts(foreign)),
        ("conditions", conditions_json(conditions)),
        ("unhealthy", texts(unhealthy)),
        ("notes", texts(notes)),
    ];
    map.extend(rest.map(|(name, value): (&str, Json)| (name.to_owned(), value)));
    Json::Object(map)
}

fn texts(texts: &[String]) -> Json {
    texts
        .iter()
        .map(|text| outside(text))
        .collect::<Vec<_>>()
        .into()
}

fn conditions_json(conditions: &BTreeMap<String, String>) -> Json {
    let one = |(member, words): (&String, &String)| json!({ "member": outside(member), "condition": outside(words) });
    conditions.iter().map(one).collect::<Vec<_>>().into()
}

fn field(kind: Kind, difference: &FieldDifference) -> Json {
    let FieldDifference {
        field,
        declared,
        recorded,
        live,
        cause,
        items,
        origin,
        stuck,
    } = difference;
    let value = |value: &Option<Value>| value.as_ref().map(value_json);
    let item = |item: &ItemDifference| {
        json!({
            "item": outside(&item.item),
            "lacking": item.lacking,
            "cause": item.cause.as_str(),
            "condition": item.condition.as_ref().map(|words| outside(words)),
        })
    };
    json!({
        "field": outside(field.as_str()),
        "unit": unit(kind, field),
        "declared": value(declared),
        "recorded": value(recorded),
        "live": value(live),
        "cause": cause.as_str(),
        "items": items.iter().map(item).collect::<Vec<_>>(),
        "origin": origin.as_ref().map(|origin| json!({
            "file": &*origin.file,
            "line": origin.line,
            "default": origin.is_default,
        })),
        "did_not_take": stuck,
    })
}

fn unit(kind: Kind, field: &FieldName) -> Option<&'static str> {
    match field_spec(kind, field)?.unit {
        Unit::Plain => None,
        Unit::Milliseconds => Some("ms"),
        Unit::Bytes => Some("bytes"),
        Unit::Seconds => Some("s"),
    }
}
