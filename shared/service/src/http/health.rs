//! `/healthz`: whether automation runs, and checks every stack in time (semantics 9.3).
//!
//! It reads what the last tick left and nothing else, since anybody may ask, and a function has no memory of
//! who asked before.

use ::http::StatusCode;
use kedge_core::documents::{Health, HealthProblem, HealthStatus};
use kedge_engine::ports::{Clock, Random, Store};

use super::answer::Reply;
use super::problem::Problem;
use crate::queue::Queue;
use crate::service::Service;

/// How long ago the last tick may be, in milliseconds: schedules tick every 5 minutes.
const TICK_AGE_MAX_MS: i64 = 15 * 60 * 1000;

impl<P: Clock + Random, S: Store, Q: Queue> Service<'_, P, S, Q> {
    pub(super) async fn health(&self) -> Result<Reply, Problem> {
        let now_ms = self.ports.monotonic_ms();
        let instance = self.settings.instance;
        let health = match instance.health(now_ms) {
            Some(health) => health,
            None => {
                let _looking = instance.look();
                let health = self.find_health().await?;
                instance.keep_health(&health, now_ms);
                health
            }
        };
        let status = match health.status {
            HealthStatus::Healthy => StatusCode::OK,
            HealthStatus::Unhealthy => StatusCode::SERVICE_UNAVAILABLE,
        };
        Ok(Reply::json(&health)?.with_status(status))
    }

    async fn find_health(&self) -> Result<Health, Problem> {
        let budget = self.http_budget()?;
        let engine = self.http_engine(&budget, "", None);
        let now = self.ports.now();
        let last = engine.last_tick().await;
        let mut problems = Vec::new();
        match &last {
            Err(_) => problems.push(HealthProblem::Unreadable),
            Ok(None) => problems.push(HealthProblem::NoTick),
            Ok(Some(last)) => {
                if now.ms_since(last.at) > TICK_AGE_MAX_MS {
                    problems.push(HealthProblem::LateTick);
                }
                if last.late_stacks > 0 {
                    problems.push(HealthProblem::LateChecks);
                }
            }
        }
        let last = last.ok().flatten();
        Ok(Health::new(
            problems,
            now,
            last.map(|last| last.at),
            last.map(|last| last.stacks),
            last.map(|last| last.late_stacks),
        ))
    }
}
