//! The schedule of `kedge serve`.

use std::time::Duration;

use kedge_engine::{DueScope, error_chain};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use super::home::Home;

/// Ticks until `stopping` becomes true. The first tick sends everything, since a process that starts does
/// not know what the one before it lost. Where people only try it, each tick does: nobody waits a quarter of
/// an hour to see it work.
pub(super) async fn tick(home: &Home, every: Duration, mut stopping: watch::Receiver<bool>) {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut scope = DueScope::All;
    let later = match home.is_trial {
        true => DueScope::All,
        false => DueScope::Due,
    };
    loop {
        tokio::select! {
            biased;
            _ = stopping.wait_for(|stops| *stops) => return,
            _ = ticks.tick() => {}
        }
        home.reload();
        match home.service().tick(scope).await {
            Ok(ticked) => {
                if ticked.stacks == 0 && scope == DueScope::All {
                    tracing::warn!(
                        "there is no stack to look after; kedge push --stack NAME stores one"
                    );
                }
                scope = later;
                tracing::debug!(
                    stacks = ticked.stacks,
                    checks = ticked.checks,
                    groups = ticked.groups,
                    applies = ticked.applies,
                    uploads = ticked.uploads,
                    requests = ticked.requests,
                    waiting = home.queue.len(),
                    "ticked"
                );
            }
            Err(error) => {
                tracing::error!(
                    "automation could not look for work; its next look makes up for it: {}",
                    error_chain(&error)
                );
            }
        }
    }
}
