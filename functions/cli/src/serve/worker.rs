//! Works on the messages of the queue, so many side by side.

use std::rc::Rc;
use std::sync::Arc;

use kedge_engine::error_chain;
use kedge_service::queue::Acknowledge;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::home::Home;
use super::queue::{Failed, Message};

/// Works until `stopping` becomes true, and then ends what it began.
pub(super) async fn work(
    home: &Rc<Home>,
    side_by_side: usize,
    mut stopping: watch::Receiver<bool>,
) {
    let permits = Arc::new(Semaphore::new(side_by_side.max(1)));
    let mut running = JoinSet::new();
    loop {
        let next = async {
            let permit = Arc::clone(&permits).acquire_owned().await;
            (home.queue.next().await, permit)
        };
        tokio::select! {
            biased;
            _ = stopping.wait_for(|stops| *stops) => break,
            (message, permit) = next => {
                let home = Rc::clone(home);
                running.spawn_local(async move {
                    one(&home, message).await;
                    drop(permit);
                });
            }
            Some(_) = running.join_next() => {}
        }
    }
    while running.join_next().await.is_some() {}
}

async fn one(home: &Home, message: Message) {
    let service = home.service();
    match service.work(&message.work.encode(), &()).await {
        Ok(Acknowledge::Done | Acknowledge::ComesAgain) => home.queue.done(&message),
        Err(error) => {
            let why = error_chain(&error);
            let lane = message.work.lane();
            match home.queue.failed(message) {
                Failed::Again(after) => {
                    tracing::warn!(
                        lane,
                        "failed, and is tried again in {} s: {why}",
                        after.as_secs()
                    );
                }
                Failed::GivenUp => {
                    tracing::error!(
                        lane,
                        "failed too often; the next tick finds what is left: {why}"
                    );
                }
            }
        }
    }
}
