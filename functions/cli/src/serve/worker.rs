//! Works on the messages of the queue, so many side by side.

use std::rc::Rc;
use std::sync::Arc;

use kedge_engine::error_chain;
use kedge_service::queue::Acknowledge;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::home::Home;
use super::queue::{Failed, LocalQueue, Message};

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

/// A message that is worked on. Dropped without an end, as after a panic, it has failed.
struct Taken<'a> {
    queue: &'a LocalQueue,
    message: Option<Message>,
}

impl Taken<'_> {
    fn done(mut self) {
        if let Some(message) = self.message.take() {
            self.queue.done(&message);
        }
    }

    fn failed(&mut self, why: &str) {
        let Some(message) = self.message.take() else {
            return;
        };
        let lane = message.lane.clone();
        match self.queue.failed(message) {
            Failed::Again(after) => {
                tracing::warn!(lane, "failed, retrying in {} s: {why}", after.as_secs());
            }
            Failed::GivenUp => {
                tracing::error!(
                    lane,
                    "failed too often; automation finds what is left with the next check: {why}"
                );
            }
        }
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.failed("the work ended without an answer");
    }
}

async fn one(home: &Home, message: Message) {
    let text = message.work.encode();
    let mut taken = Taken {
        queue: &home.queue,
        message: Some(message),
    };
    match home.service().work(&text, &()).await {
        Ok(Acknowledge::Done | Acknowledge::ComesAgain) => taken.done(),
        Err(error) => taken.failed(&error_chain(&error)),
    }
}

#[cfg(test)]
mod tests {
    use kedge_core::model::StackName;
    use kedge_service::queue::Queue as _;
    use kedge_service::work::Work;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn work_that_ends_without_an_answer_comes_again() {
        let queue = LocalQueue::default();
        let work = Work::Apply {
            stack: StackName::new("a").unwrap(),
            because: "x".to_owned(),
        };
        queue.send(&work).await.unwrap();
        let message = Some(queue.next().await);
        assert_eq!(queue.len(), 0);
        drop(Taken {
            queue: &queue,
            message,
        });
        let message = Some(queue.next().await);
        let taken = Taken {
            queue: &queue,
            message,
        };
        taken.done();
        assert_eq!(queue.len(), 0);
    }
}
