//! A schedule's turn. What the event says is not believed.

use kedge_engine::{DueScope, error_chain};
use serde::de::IgnoredAny;

use crate::deadline::Deadline;
use crate::home::Home;
use crate::metrics::TICKED;
use crate::start::{Failure, Function};

/// Looks for what is due, and sends it to the queue.
#[derive(Debug)]
pub struct Schedule;

impl Function for Schedule {
    const TIMEOUT_MS: i64 = 60_000;
    type Event = IgnoredAny;
    type Answer = ();

    async fn on(home: &Home, _: IgnoredAny, deadline: Deadline) -> Result<(), Failure> {
        let failed = |why| Failure {
            kind: "TickFailed",
            why: format!(
                "automation could not look for work; its next look makes up for it: {why}"
            ),
        };
        let ticked = home.do_work(async |wired| {
            let service = wired.service(&home.queue, deadline.limits(home.now()));
            service.tick(DueScope::Due).await
        });
        let ticked = ticked.await.map_err(|error| failed(error_chain(&error)))?;
        let ticked = ticked.map_err(|error| failed(error_chain(&error)))?;
        tracing::info!(
            target: "kedge",
            stacks = ticked.stacks,
            checks = ticked.checks,
            groups = ticked.groups,
            applies = ticked.applies,
            uploads = ticked.uploads,
            requests = ticked.requests,
            "{TICKED}"
        );
        Ok(())
    }
}
