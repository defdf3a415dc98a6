//! A cron trigger's turn.

use kedge_engine::{DueScope, error_chain};
use worker::{Env, ScheduleContext, ScheduledEvent, event};

use crate::home::Home;

/// Ticks. Cloudflare takes whatever happens here for a success, so a failure is told as an error, and `/healthz`
/// says that no tick came.
#[event(scheduled)]
async fn scheduled(_: ScheduledEvent, env: Env, _: ScheduleContext) {
    let ticked = match Home::of(&env) {
        Ok(home) => {
            let service = home.service(Home::WORK_MS);
            // Boxed: with the engine below it it is deeper than the compiler follows.
            let ticked = Box::pin(service.tick(DueScope::Due)).await;
            ticked.map_err(|error| error_chain(&error))
        }
        Err(error) => Err(error_chain(&error)),
    };
    match ticked {
        Ok(ticked) => tracing::info!(
            target: "kedge",
            stacks = ticked.stacks,
            checks = ticked.checks,
            groups = ticked.groups,
            applies = ticked.applies,
            uploads = ticked.uploads,
            requests = ticked.requests,
            "ticked"
        ),
        Err(why) => tracing::error!(
            target: "kedge",
            "automation could not look for work; its next look makes up for it: {why}"
        ),
    }
}
