//! The policy in force and the variables of the environment, in JSON.

use serde_json::{Value as Json, json};

use crate::model::Policy;
use crate::plan::MovedVariable;
use crate::report::Report;

pub(super) fn of(policy: &Policy) -> Json {
    let Policy {
        correct,
        deploy,
        correct_after_ms,
        on_missing,
        protected,
        prune,
        guards,
    } = policy;
    json!({
        "correct": correct.as_str(),
        "deploy": deploy.as_str(),
        "correct_after_ms": correct_after_ms,
        "on_missing": on_missing.map(crate::model::OnMissing::as_str),
        "protected": protected,
        "prune": prune,
        "guards": {
            "changes_max": guards.changes_max,
            "share_percent_max": guards.share_percent_max,
            "creates_max": guards.creates_max,
            "daily_automatic_max": guards.daily_automatic_max,
        },
    })
}

/// Variables of the environment that moved.
pub(super) fn variables(report: &Report) -> Vec<Json> {
    let one =
        |variable: &MovedVariable| json!({ "name": variable.name(), "was_set": variable.was_set });
    report.plan.variables.iter().map(one).collect()
}
