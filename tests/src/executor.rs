//! A single-threaded executor whose clock is a number.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// Virtual time ends here: a run that gets this far waits for something that never comes.
const VIRTUAL_MS_MAX: i64 = 48 * 60 * 60 * 1000;

/// The run ended in a simulated crash: its future was dropped where it stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crashed;

/// Virtual time, its timers, and the seed that orders what happens at the same moment.
#[derive(Debug)]
pub struct Executor {
    now_ms: Cell<i64>,
    random: Cell<u64>,
    timers: RefCell<BTreeMap<(i64, u64, u64), Timer>>,
    timers_made: Cell<u64>,
    crashed: Cell<bool>,
}

impl Executor {
    /// An executor at a given wall time.
    #[must_use]
    pub fn new(seed: u64, start_ms: i64) -> Rc<Self> {
        Rc::new(Self {
            now_ms: Cell::new(start_ms),
            random: Cell::new(seed),
            timers: RefCell::default(),
            timers_made: Cell::new(0),
            crashed: Cell::new(false),
        })
    }

    /// Virtual wall time, in milliseconds since 1970.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.now_ms.get()
    }

    /// Moves the clock forward while nothing runs.
    pub fn advance_ms(&self, ms: i64) {
        self.now_ms.set(self.now_ms.get() + ms);
    }

    /// The next number of the seeded sequence (splitmix64).
    pub fn next_u64(&self) -> u64 {
        let state = self.random.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.random.set(state);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A future that is ready `ms` milliseconds from now. Those ready at the same moment wake in
    /// seeded order.
    #[must_use]
    pub fn sleep(self: &Rc<Self>, ms: u64) -> Sleep {
        let at_ms = self
            .now_ms
            .get()
            .saturating_add(i64::try_from(ms).unwrap_or(i64::MAX));
        let number = self.timers_made.get();
        self.timers_made.set(number + 1);
        let key = (at_ms, self.next_u64(), number);
        Sleep {
            executor: Rc::clone(self),
            key,
            fired: Rc::default(),
        }
    }

    /// Ends the run that is under way, as a killed process would: the caller waits for ever.
    pub fn crash(&self) {
        self.crashed.set(true);
    }

    /// Drives one future to its end.
    ///
    /// # Errors
    /// [`Crashed`] when something called [`Executor::crash`].
    ///
    /// # Panics
    /// When nothing can ever happen again, or virtual time runs past two days.
    #[expect(
        clippy::panic,
        reason = "a run that waits for ever has failed its test"
    )]
    pub fn run<T>(self: &Rc<Self>, future: impl Future<Output = T>) -> Result<T, Crashed> {
        self.crashed.set(false);
        self.timers.borrow_mut().clear();
        let woken = Arc::new(Flag(AtomicBool::new(true)));
        let waker = Waker::from(Arc::clone(&woken));
        let mut context = Context::from_waker(&waker);
        let mut future = pin!(future);
        let began_ms = self.now_ms();
        loop {
            if woken.0.swap(false, Ordering::Relaxed) {
                if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
                    return Ok(value);
                }
                if self.crashed.get() {
                    return Err(Crashed);
                }
                continue;
            }
            let next = self.timers.borrow_mut().pop_first();
            let Some(((at_ms, _, _), timer)) = next else {
                panic!("deadlock: the run waits and no timer is set");
            };
            assert!(
                at_ms - began_ms < VIRTUAL_MS_MAX,
                "virtual time ran past two days"
            );
            self.now_ms.set(self.now_ms.get().max(at_ms));
            timer.fired.set(true);
            timer.waker.wake();
        }
    }
}

#[derive(Debug)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[derive(Debug)]
struct Timer {
    waker: Waker,
    fired: Rc<Cell<bool>>,
}

/// See [`Executor::sleep`].
#[derive(Debug)]
pub struct Sleep {
    executor: Rc<Executor>,
    key: (i64, u64, u64),
    fired: Rc<Cell<bool>>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        // Only its own timer ends a sleep, one at a time, so that the seed decides who goes first.
        if self.fired.get() {
            return Poll::Ready(());
        }
        let timer = Timer {
            waker: context.waker().clone(),
            fired: Rc::clone(&self.fired),
        };
        self.executor.timers.borrow_mut().insert(self.key, timer);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.executor.timers.borrow_mut().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_jumps_to_the_next_timer() {
        let executor = Executor::new(1, 1_000);
        let ended = executor.run(async {
            executor.sleep(3_600_000).await;
            executor.now_ms()
        });
        assert_eq!(ended, Ok(3_601_000));
    }

    #[test]
    fn a_crash_drops_the_future() {
        let executor = Executor::new(1, 0);
        let ended: Result<(), _> = executor.run(async {
            executor.sleep(5).await;
            executor.crash();
            std::future::pending().await
        });
        assert_eq!(ended, Err(Crashed));
    }

    #[test]
    fn one_seed_one_order() {
        let order = |seed| {
            let executor = Executor::new(seed, 0);
            let mut sleeps: Vec<_> = (0..5).map(|_| Some(executor.sleep(7))).collect();
            let mut seen = Vec::new();
            let ended = executor.run(std::future::poll_fn(|cx| {
                for (number, slot) in sleeps.iter_mut().enumerate() {
                    let ready = |sleep: &mut Sleep| Pin::new(sleep).poll(cx).is_ready();
                    if slot.as_mut().is_some_and(ready) {
                        *slot = None;
                        seen.push(number);
                    }
                }
                if seen.len() == 5 {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            }));
            assert_eq!(ended, Ok(()));
            seen
        };
        assert_eq!(order(3), order(3));
        assert!(
            (0..20).any(|seed| order(seed) != order(3)),
            "the seed decides nothing"
        );
    }
}
