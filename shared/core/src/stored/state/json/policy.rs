//! The stored JSON of the policy in force.

use serde::{Deserialize, Serialize};

use super::{DecodeError, invalid_value};
use crate::model::{Allowance, Guards, OnMissing, Policy};
use crate::stored::bounded::Span;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredPolicy {
    correct: String,
    deploy: String,
    correct_after_ms: Span,
    on_missing: Option<String>,
    protected: bool,
    prune: bool,
    changes_max: u32,
    share_percent_max: u32,
    creates_max: u32,
    daily_automatic_max: u32,
}

pub(super) fn store_policy(policy: &Policy) -> StoredPolicy {
    let Policy {
        correct,
        deploy,
        correct_after_ms,
        on_missing,
        protected,
        prune,
        guards,
    } = policy;
    let Guards {
        changes_max,
        share_percent_max,
        creates_max,
        daily_automatic_max,
    } = guards;
    StoredPolicy {
        correct: correct.as_str().to_owned(),
        deploy: deploy.as_str().to_owned(),
        correct_after_ms: Span(*correct_after_ms),
        on_missing: on_missing.map(|rule| rule.as_str().to_owned()),
        protected: *protected,
        prune: *prune,
        changes_max: *changes_max,
        share_percent_max: *share_percent_max,
        creates_max: *creates_max,
        daily_automatic_max: *daily_automatic_max,
    }
}

pub(super) fn load_policy(stored: StoredPolicy) -> Result<Policy, DecodeError> {
    let allowance = |text: &str| match text {
        "none" => Ok(Allowance::None),
        "safe" => Ok(Allowance::Safe),
        "disruptive" => Ok(Allowance::Disruptive),
        other => Err(invalid_value("policy", other)),
    };
    let on_missing = match stored.on_missing.as_deref() {
        None => None,
        Some("alert") => Some(OnMissing::Alert),
        Some("recreate") => Some(OnMissing::Recreate),
        Some(other) => return Err(invalid_value("policy", other)),
    };
    Ok(Policy {
        correct: allowance(&stored.correct)?,
        deploy: allowance(&stored.deploy)?,
        correct_after_ms: stored.correct_after_ms.0,
        on_missing,
        protected: stored.protected,
        prune: stored.prune,
        guards: Guards {
            changes_max: stored.changes_max,
            share_percent_max: stored.share_percent_max,
            creates_max: stored.creates_max,
            daily_automatic_max: stored.daily_automatic_max,
        },
    })
}
