//! Whether a change may be begun now: the lease was renewed a moment ago, by two clocks.

use std::cell::{Cell, RefCell};

use kedge_core::model::Timestamp;

use super::LeaseTimes;
use crate::ports::Clock;

/// A moment by both clocks of the runner.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    wall: Timestamp,
    monotonic_ms: i64,
}

impl Moment {
    pub(super) fn now(clock: &impl Clock) -> Self {
        Self {
            wall: clock.now(),
            monotonic_ms: clock.monotonic_ms(),
        }
    }

    /// How long ago it was, by the clock that says more: the wall clock may be set back, and the
    /// monotonic one stands still while a machine sleeps.
    pub(super) fn age_ms(self, clock: &impl Clock) -> i64 {
        let by_wall = clock.now().ms_since(self.wall);
        by_wall.max(self.monotonic_age_ms(clock))
    }

    pub(super) fn monotonic_age_ms(self, clock: &impl Clock) -> i64 {
        clock.monotonic_ms().saturating_sub(self.monotonic_ms)
    }
}

/// What every attempt to change something asks before it is sent.
#[derive(Debug)]
pub(crate) struct Permit {
    times: LeaseTimes,
    /// When the last renewal that was acknowledged began.
    renewed: Cell<Moment>,
    /// Why nothing more may be begun, ever.
    ended: RefCell<Option<String>>,
}

/// Whether something may be begun.
#[derive(Debug, Clone, PartialEq, Eq)]
enum PermitState {
    Fresh,
    /// Not now: the lease was not renewed in time. It may be still.
    Stale(String),
    Ended(String),
}

impl Permit {
    pub(super) fn new(times: LeaseTimes, renewed: Moment) -> Self {
        Self {
            times,
            renewed: Cell::new(renewed),
            ended: RefCell::default(),
        }
    }

    /// A renewal that began at this moment was acknowledged.
    pub(super) fn renewed(&self, began: Moment) {
        self.renewed.set(began);
    }

    /// How long ago the last acknowledged renewal began.
    pub(super) fn age_ms(&self, clock: &impl Clock) -> i64 {
        self.renewed.get().age_ms(clock)
    }

    /// Whether the lease must have run out, had none of its renewals been made since the last that
    /// counts: then nobody waits for another.
    pub(super) fn has_run_out(&self, clock: &impl Clock) -> bool {
        self.has_ended() || self.renewed.get().monotonic_age_ms(clock) >= self.times.lease_ms
    }

    /// Nothing more is begun, for this reason. The first reason counts.
    pub(crate) fn end(&self, reason: &str) {
        let mut ended = self.ended.borrow_mut();
        ended.get_or_insert_with(|| reason.to_owned());
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended.borrow().is_some()
    }

    fn state(&self, clock: &impl Clock) -> PermitState {
        if let Some(reason) = &*self.ended.borrow() {
            return PermitState::Ended(reason.clone());
        }
        let age_ms = self.age_ms(clock);
        if age_ms < self.times.fresh_ms {
            return PermitState::Fresh;
        }
        let seconds = age_ms / 1000;
        PermitState::Stale(format!(
            "the lease was last renewed {seconds} s ago, too long ago to start a change"
        ))
    }

    /// Whether an attempt may be sent at this moment; else why not.
    pub(crate) fn check(&self, clock: &impl Clock) -> Result<(), String> {
        match self.state(clock) {
            PermitState::Fresh => Ok(()),
            PermitState::Stale(reason) | PermitState::Ended(reason) => Err(reason),
        }
    }

    /// Waits until a change may be begun: a lease that was not renewed in time is renewed beside, if
    /// it can be. Gives up when the lease must have run out, and at this time.
    pub(super) async fn wait(&self, clock: &impl Clock, until_ms: i64) -> Result<(), String> {
        loop {
            let reason = match self.state(clock) {
                PermitState::Fresh => return Ok(()),
                PermitState::Ended(reason) => return Err(reason),
                PermitState::Stale(reason) => reason,
            };
            let has_run_out = self.renewed.get().monotonic_age_ms(clock) >= self.times.lease_ms;
            if has_run_out || clock.monotonic_ms() >= until_ms {
                return Err(reason);
            }
            clock.sleep_ms(self.times.slice_ms()).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::Future as _;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    #[derive(Default)]
    struct Clocks {
        wall: Cell<i64>,
        monotonic: Cell<i64>,
    }

    impl Clock for Clocks {
        fn now(&self) -> Timestamp {
            Timestamp(self.wall.get())
        }

        fn monotonic_ms(&self) -> i64 {
            self.monotonic.get()
        }

        async fn sleep_ms(&self, ms: u64) {
            let ms = i64::try_from(ms).unwrap();
            self.wall.set(self.wall.get() + ms);
            self.monotonic.set(self.monotonic.get() + ms);
        }
    }

    const UNTIL_MS: i64 = 3_600_000;

    fn waited(permit: &Permit, clocks: &Clocks) -> Result<(), String> {
        let mut waiting = pin!(permit.wait(clocks, UNTIL_MS));
        match waiting
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
        {
            Poll::Ready(result) => result,
            Poll::Pending => panic!("this clock never waits"),
        }
    }

    #[test]
    fn both_clocks_must_say_that_it_is_fresh() {
        for (wall, monotonic, fresh) in [
            (29_999, 29_999, true),
            (30_000, 29_999, false),
            (29_999, 30_000, false),
            // Somebody set the clock back; the other one knows.
            (-3_600_000, 29_999, true),
            (-3_600_000, 30_000, false),
            // The machine slept; the wall clock knows.
            (30_000, 5, false),
            (3_600_000, 5, false),
        ] {
            let clocks = Clocks::default();
            let permit = Permit::new(LeaseTimes::default(), Moment::now(&clocks));
            clocks.wall.set(wall);
            clocks.monotonic.set(monotonic);
            let checked = permit.check(&clocks);
            assert_eq!(checked.is_ok(), fresh, "{wall} {monotonic}");
            permit.renewed(Moment::now(&clocks));
            assert_eq!(permit.check(&clocks), Ok(()));
            permit.end("the stack is held");
            permit.end("another reason");
            let reason = Err("the stack is held".to_owned());
            assert_eq!(permit.check(&clocks), reason);
            assert_eq!(waited(&permit, &clocks), reason);
        }
    }

    #[test]
    fn waiting_ends_with_the_lease() {
        let clocks = Clocks::default();
        let permit = Permit::new(LeaseTimes::default(), Moment::now(&clocks));
        assert_eq!(waited(&permit, &clocks), Ok(()));
        clocks.monotonic.set(30_000);
        let reason = waited(&permit, &clocks).unwrap_err();
        assert!(reason.contains("last renewed 60 s ago"), "{reason}");
        assert_eq!(clocks.monotonic.get(), 60_000);
    }
}
