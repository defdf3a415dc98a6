//! JavaScript's clock.

use std::time::Duration;

use kedge_core::model::Timestamp;
use kedge_engine::ports::Clock;
use worker::{Date, Delay};

/// The longest that `setTimeout` waits, in milliseconds: beyond a signed 32-bit number it fires at once
/// (developer.mozilla.org, "Maximum delay value").
const DELAY_MS_MAX: u64 = i32::MAX as u64;

/// The runtime's wall time, and its timers. Workers stop it between two answers from outside
/// (developers.cloudflare.com/workers/reference/security-model), and nobody sets it, so it is both of our clocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct JsClock;

impl Clock for JsClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.monotonic_ms())
    }

    fn monotonic_ms(&self) -> i64 {
        i64::try_from(Date::now().as_millis()).unwrap_or_default()
    }

    async fn sleep_ms(&self, ms: u64) {
        Delay::from(Duration::from_millis(ms.min(DELAY_MS_MAX))).await;
    }
}
