//! When to ask again.

use crate::failure::Failure;

/// How often one operation is tried in all.
const TRIES_MAX: u32 = 5;
/// How often it is tried when no answer comes: each costs a request's whole time limit.
const UNHEARD_MAX: u32 = 2;
/// The longest pause that we choose, and the longest that a server may ask for.
const PAUSE_MS_MAX: u64 = 4_000;
const ASKED_MS_MAX: u64 = 10_000;

/// Tries of one operation. They end after some seconds of pauses; beyond them the caller's own
/// repetition, the next run, is the better judge.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tries {
    failed: u32,
    unheard: u32,
}

impl Tries {
    /// Takes note of a failure that may pass, and tells how long to wait before the next try; none
    /// when it is to be the last. `first_ms` is the longest first pause; it doubles. Half of each
    /// pause is random, so that those who were refused together do not come back together.
    pub(crate) fn pause_ms(
        &mut self,
        failure: &Failure,
        first_ms: u64,
        random: u64,
    ) -> Option<u64> {
        self.failed += 1;
        if matches!(failure, Failure::Unheard(_)) {
            self.unheard += 1;
        }
        if self.failed >= TRIES_MAX || self.unheard >= UNHEARD_MAX {
            return None;
        }
        let doubled = first_ms.saturating_mul(1 << (self.failed - 1));
        let half = doubled.min(PAUSE_MS_MAX) / 2;
        let asked = failure.retry_after_ms().unwrap_or(0).min(ASKED_MS_MAX);
        Some(half.max(asked) + random % (half + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pauses(failure: &Failure, first_ms: u64, random: u64) -> Vec<u64> {
        let mut tries = Tries::default();
        std::iter::from_fn(|| tries.pause_ms(failure, first_ms, random)).collect()
    }

    #[test]
    fn pauses_double_and_end() {
        let unsent = Failure::NotSent(String::new());
        assert_eq!(pauses(&unsent, 400, 0), [200, 400, 800, 1_600]);
        assert_eq!(pauses(&unsent, 4_000, 0), [2_000, 2_000, 2_000, 2_000]);
        assert_eq!(pauses(&unsent, 400, u64::MAX).len(), 4);
        assert_eq!(pauses(&unsent, 0, 7), [0, 0, 0, 0]);
        let unheard = Failure::Unheard(String::new());
        assert_eq!(pauses(&unheard, 400, 100), [300]);
    }

    #[test]
    fn a_second_between_two_writes_of_a_key_is_waited_out() {
        const R2_MS: u64 = 1_000;
        let busy = Failure::Answered {
            status: 429,
            code: None,
            retry_after_ms: None,
        };
        let first_ms = crate::S3Options::default().pause_ms;
        // The shortest pauses, and a try to spare.
        let pauses = pauses(&busy, first_ms, 0);
        let all_but_the_last = pauses.len() - 1;
        let waited: u64 = pauses.iter().take(all_but_the_last).sum();
        assert!(waited > R2_MS, "{pauses:?}");
    }

    #[test]
    fn a_wait_that_is_asked_for_is_kept_within_reason() {
        let busy = |retry_after_ms| Failure::Answered {
            status: 429,
            code: None,
            retry_after_ms,
        };
        assert_eq!(pauses(&busy(Some(3_000)), 400, 0)[0], 3_000);
        assert_eq!(pauses(&busy(Some(3_600_000)), 400, 0)[0], 10_000);
        assert_eq!(pauses(&busy(Some(1)), 400, 0)[0], 200);
    }
}
