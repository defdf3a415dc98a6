//! `/healthz`: whether automation runs, and checks every stack in time (semantics 9.3).

use ::http::StatusCode;
use kedge_core::documents::{Health, HealthProblem, HealthStatus};
use kedge_core::model::Timestamp;
use kedge_engine::ports::{Clock, Random, Store};
use kedge_engine::{Engine, ScheduleError, Standing};

use super::answer::Reply;
use super::problem::Problem;
use crate::queue::Queue;
use crate::service::Service;

/// How long ago the last tick may be, in milliseconds: schedules tick every 5 minutes.
const TICK_AGE_MAX_MS: i64 = 15 * 60 * 1000;
/// How many times its `check_every` the last check of a stack may be ago, and how much more, in
/// milliseconds: for what waits in the queue.
const CHECK_INTERVALS_MAX: i64 = 3;
const CHECK_DELAY_MAX_MS: i64 = 15 * 60 * 1000;

/// How the stacks stand, counted.
struct Counted {
    stacks: u64,
    late: u64,
}

impl<P: Clock + Random, S: Store, Q: Queue> Service<'_, P, S, Q> {
    pub(super) async fn health(&self) -> Result<Reply, Problem> {
        let now_ms = self.ports.monotonic_ms();
        let instance = self.settings.instance;
        let health = match instance.health(now_ms) {
            Some(health) => health,
            None => {
                let health = self.look_at_health().await?;
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

    async fn look_at_health(&self) -> Result<Health, Problem> {
        let budget = self.http_budget()?;
        let engine = self.http_engine(&budget, "", None);
        let now = self.ports.now();
        let mut problems = Vec::new();
        let last_tick = engine.last_tick().await;
        match &last_tick {
            Ok(None) => problems.push(HealthProblem::NoTick),
            Ok(Some(at)) if now.ms_since(*at) > TICK_AGE_MAX_MS => {
                problems.push(HealthProblem::LateTick);
            }
            Ok(Some(_)) | Err(_) => {}
        }
        let counted = count(&engine, now).await;
        if counted.as_ref().is_ok_and(|counted| counted.late > 0) {
            problems.push(HealthProblem::LateChecks);
        }
        if last_tick.is_err() || counted.is_err() {
            problems.push(HealthProblem::Unreadable);
        }
        let last_tick_at = last_tick.ok().flatten();
        let stacks = counted.as_ref().ok().map(|counted| counted.stacks);
        let late = counted.as_ref().ok().map(|counted| counted.late);
        Ok(Health::new(problems, now, last_tick_at, stacks, late))
    }
}

/// Counts the stacks in use, and those that were looked at too long ago.
async fn count<P: Clock + Random, S: Store>(
    engine: &Engine<'_, P, S>,
    now: Timestamp,
) -> Result<Counted, ScheduleError> {
    let standings = engine.standings(None, usize::MAX, &|_| true).await?;
    let mut counted = Counted { stacks: 0, late: 0 };
    for standing in standings.iter().filter(|one| !one.entry.retired) {
        counted.stacks += 1;
        counted.late += u64::from(is_late(engine, standing, now).await?);
    }
    Ok(counted)
}

/// Whether a stack was looked at too long ago. One that never was counts from its last push.
async fn is_late<P: Clock + Random, S: Store>(
    engine: &Engine<'_, P, S>,
    standing: &Standing,
    now: Timestamp,
) -> Result<bool, ScheduleError> {
    let since = match standing.last_check {
        Some((at, _)) => Some(at),
        None => {
            let read = engine.stored(&standing.stack).await?;
            read.stored.map(|stored| stored.pushed.at)
        }
    };
    let every = standing.entry.check_every.ms();
    let most = every
        .saturating_mul(CHECK_INTERVALS_MAX)
        .saturating_add(CHECK_DELAY_MAX_MS);
    // Without definitions that can be read there is nothing by which it could be in time.
    Ok(since.is_none_or(|since| now.ms_since(since) > most))
}
