//! A run whose changes have no known end, in JSON.

use serde_json::{Value as Json, json};

use crate::compare::{OpenRun, Stage};
use crate::render::view::outside;

/// `stage` tells which of the other keys there are.
pub(super) fn of(run: &OpenRun) -> Json {
    let (since, last_seen, next) = match &run.stage {
        Stage::Working { since } => (Some(*since), None, None),
        Stage::BrokeOff { last_seen, next } => (None, *last_seen, next.as_ref()),
        Stage::OutcomeUnknown | Stage::Unread { .. } => (None, None, None),
    };
    let next = next.map(|(actor, run)| json!({ "actor": outside(actor), "run": outside(run) }));
    let keys = run.keys.iter().map(|key| outside(&key.to_string()));
    json!({
        "run": outside(&run.run),
        "actor": outside(&run.actor),
        "stage": run.stage.as_str(),
        "since": since.map(|at| at.to_string()),
        "last_seen": last_seen.map(|at| at.to_string()),
        "next": next,
        "read_at": run.read_at.to_string(),
        "keys": keys.collect::<Vec<_>>(),
        "text": outside(&run.to_string()),
    })
}
