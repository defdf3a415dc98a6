//! `kedge.health/1` and `kedge.version/1`: how the service does. They name no stack, so anybody may ask.

use serde::Serialize;

use super::parts::{Text, Time};
use super::words::{HealthProblem, HealthStatus};
use crate::model::Timestamp;

format_name!(Health: HealthFormat => "kedge.health/1");
format_name!(Version: VersionFormat => "kedge.version/1");

/// Whether automation runs, and checks every stack in time: `GET /healthz`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Health {
    /// The name and number of this format.
    pub format: HealthFormat,
    /// Whether all is well.
    pub status: HealthStatus,
    /// Why it is not.
    pub problems: Vec<HealthProblem>,
    /// When this was looked up. The answer is kept for half a minute.
    pub looked_at: Time,
    /// When the schedule last started automation; `null` if it never did, or that could not be read.
    pub last_tick_at: Option<Time>,
    /// How many stacks were in use then; `null` if that is not known.
    pub stacks: Option<u64>,
    /// How many of them were last checked too long ago: more than three times their `check_every`, and 15
    /// minutes. The schedule finds that out.
    pub late_stacks: Option<u64>,
}

/// Which program answers: `GET /version`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Version {
    /// The name and number of this format.
    pub format: VersionFormat,
    /// The version of Kedge.
    pub version: Text,
}

impl Health {
    /// How the service does; healthy where there is no problem.
    #[must_use]
    pub fn new(
        problems: Vec<HealthProblem>,
        looked_at: Timestamp,
        last_tick_at: Option<Timestamp>,
        stacks: Option<u64>,
        late_stacks: Option<u64>,
    ) -> Self {
        Self {
            format: HealthFormat::V1,
            status: match problems.is_empty() {
                true => HealthStatus::Healthy,
                false => HealthStatus::Unhealthy,
            },
            problems,
            looked_at: looked_at.into(),
            last_tick_at: last_tick_at.map(Into::into),
            stacks,
            late_stacks,
        }
    }
}

/// Which program answers.
#[must_use]
pub fn version(version: &str) -> Version {
    Version {
        format: VersionFormat::V1,
        version: Text::new(version),
    }
}
