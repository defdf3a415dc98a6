//! When an invocation ends, and what that leaves to do.

use std::time::Duration;

use kedge_core::model::Timestamp;
use kedge_engine::Budget;
use kedge_service::Limits;

/// No deadline of Lambda was before 2020. Emulators send numbers that are none.
const FIRST: Timestamp = Timestamp(1_577_836_800_000);
/// What is kept back of the time, in milliseconds, to hide what failed and to answer. What the engine keeps
/// back to write state and give the lease back is its own matter.
const RESERVE_MS: i64 = 2_000;
/// What is kept back of it to answer a request, in milliseconds.
const ANSWER_MS: i64 = 500;
/// With less than this left no further message is begun, in milliseconds: it could read nothing.
const WORTH_BEGINNING_MS: i64 = kedge_engine::LAST_REQUEST_BEFORE_DEADLINE_MS + RESERVE_MS + 5_000;

/// When Lambda ends an invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline(Timestamp);

impl Deadline {
    /// As the context of an invocation says it, in milliseconds since 1970. Where it says none, the function
    /// has this long from now on.
    pub(crate) fn of(context_ms: u64, now: Timestamp, timeout_ms: i64) -> Self {
        let said = i64::try_from(context_ms).map(Timestamp).unwrap_or(FIRST);
        match said > FIRST {
            true => Self(said),
            false => Self(now.plus_ms(timeout_ms)),
        }
    }

    /// What work that begins now may use.
    pub(crate) fn limits(self, now: Timestamp) -> Limits {
        Limits {
            ms: (self.0.ms_since(now) - RESERVE_MS).max(0),
            requests: None,
            connections: Budget::CONNECTIONS,
        }
    }

    /// How long a request may take that begins now.
    pub(crate) fn answers_within(self, now: Timestamp) -> Duration {
        let left_ms = self.0.ms_since(now) - ANSWER_MS;
        Duration::from_millis(u64::try_from(left_ms).unwrap_or_default())
    }

    /// Whether further work is worth beginning.
    pub(crate) fn allows_another(self, now: Timestamp) -> bool {
        self.0.ms_since(now) >= WORTH_BEGINNING_MS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_796_000_000_000);

    #[test]
    fn what_a_deadline_leaves() {
        for (context_ms, left_ms) in [
            (1_796_000_060_000, 58_000),
            // It is over, or as good as over.
            (1_796_000_001_999, 0),
            (1_795_999_999_999, 0),
            // No deadline: that of cargo-lambda's emulator, none at all, and no number of ours.
            (600_000, 298_000),
            (0, 298_000),
            (1_577_836_800_000, 298_000),
            (u64::MAX, 298_000),
            (1_577_836_800_001, 0),
        ] {
            let limits = Deadline::of(context_ms, NOW, 300_000).limits(NOW);
            assert_eq!(limits.ms, left_ms, "{context_ms}");
            assert_eq!(
                (limits.requests, limits.connections),
                (None, Budget::CONNECTIONS)
            );
        }
    }

    #[test]
    fn a_request_is_answered_before_the_end() {
        for (context_ms, left_ms) in [
            (1_796_000_030_000, 29_500),
            (1_796_000_000_499, 0),
            (1_795_999_000_000, 0),
        ] {
            let within = Deadline::of(context_ms, NOW, 30_000).answers_within(NOW);
            assert_eq!(within, Duration::from_millis(left_ms), "{context_ms}");
        }
    }

    #[test]
    fn what_is_worth_beginning() {
        // The engine sends its last request 22.5 s before the end.
        let deadline = Deadline::of(1_796_000_060_000, NOW, 300_000);
        for (now_ms, expected) in [(0, true), (30_500, true), (30_501, false), (70_000, false)] {
            assert_eq!(deadline.allows_another(NOW.plus_ms(now_ms)), expected);
        }
    }
}
