//! A runner that stands still for a time: stopped, swapped out, or asleep with its lid closed.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

use crate::executor::Sleep;
use crate::ports::SimPorts;

/// Where and how long a runner stands still.
#[derive(Debug, Clone, Copy)]
pub struct Paused {
    /// After this port call had its effect (from 1).
    pub call: u64,
    /// For so many milliseconds.
    pub ms: u64,
    /// Whether its monotonic clock stands still too, as in a machine that sleeps.
    pub asleep: bool,
}

/// Drives a run of the runner with these ports, with a pause. What it sent before is under way
/// meanwhile and lands when it goes on.
pub async fn paused<T>(ports: &SimPorts, pause: Paused, run: impl Future<Output = T>) -> T {
    let mut run = pin!(run);
    let mut sleep: Option<Sleep> = None;
    let mut is_over = false;
    poll_fn(|cx| {
        if let Some(waiting) = &mut sleep {
            if Pin::new(waiting).poll(cx).is_pending() {
                return Poll::Pending;
            }
            sleep = None;
            if pause.asleep {
                let ms = i64::try_from(pause.ms).unwrap_or(i64::MAX);
                let behind = &ports.monotonic_behind_ms;
                behind.set(behind.get() + ms);
            }
        }
        if let Poll::Ready(value) = run.as_mut().poll(cx) {
            return Poll::Ready(value);
        }
        if !is_over && ports.calls.get() >= pause.call {
            is_over = true;
            let mut waiting = ports.executor.sleep(pause.ms);
            let _ = Pin::new(&mut waiting).poll(cx);
            sleep = Some(waiting);
        }
        Poll::Pending
    })
    .await
}
