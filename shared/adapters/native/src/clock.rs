//! The system's clock.

use std::cell::Cell;
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime};

use kedge_core::model::Timestamp;
use kedge_engine::ports::Clock;

/// From when on all clocks of this process count: what is remembered in one clock's time is compared with
/// another's, where ports are made anew for new credentials.
static BEGAN: OnceLock<Instant> = OnceLock::new();

/// Wall time of this machine; waiting by tokio's timer.
#[derive(Debug)]
pub struct SystemClock {
    began: Instant,
    /// How far this clock is ahead of the machine's, in milliseconds. Only the demo moves it, to
    /// tell of a day in seconds.
    pub ahead_ms: Cell<i64>,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self {
            began: *BEGAN.get_or_init(instant),
            ahead_ms: Cell::default(),
        }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        system_time().plus_ms(self.ahead_ms.get())
    }

    fn monotonic_ms(&self) -> i64 {
        let passed = instant().saturating_duration_since(self.began);
        i64::try_from(passed.as_millis()).unwrap_or(i64::MAX)
    }

    async fn sleep_ms(&self, ms: u64) {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
}

/// This machine's time: the clock port's, and that of a folder's files.
#[expect(
    clippy::disallowed_methods,
    reason = "nothing else asks the system for the time"
)]
pub(crate) fn system_time() -> Timestamp {
    timestamp(SystemTime::now())
}

#[expect(
    clippy::disallowed_methods,
    reason = "nothing else asks the system for the time that passes"
)]
fn instant() -> Instant {
    Instant::now()
}

/// A system time as the core's number.
pub(crate) fn timestamp(time: SystemTime) -> Timestamp {
    let ms = |span: Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
    Timestamp(match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => ms(after),
        Err(before) => -ms(before.duration()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_on_both_sides_of_1970() {
        let epoch = SystemTime::UNIX_EPOCH;
        assert_eq!(timestamp(epoch + Duration::from_millis(1_500)).0, 1_500);
        assert_eq!(timestamp(epoch - Duration::from_millis(1_500)).0, -1_500);
    }

    #[test]
    fn all_clocks_count_from_the_same_time() {
        let before = SystemClock::default();
        assert_eq!(SystemClock::default().began, before.began);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn sleeping_takes_time() {
        let clock = SystemClock::default();
        let (before, passed) = (clock.now(), clock.monotonic_ms());
        clock.sleep_ms(5).await;
        assert!(clock.now().ms_since(before) >= 4);
        assert!(clock.monotonic_ms() - passed >= 4);
        assert!(before.0 > 1_700_000_000_000);
        clock.ahead_ms.set(3_600_000);
        assert!(clock.now().ms_since(before) >= 3_600_000);
    }
}
