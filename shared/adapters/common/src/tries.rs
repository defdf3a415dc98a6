//! When to ask again.

/// How often one operation is tried in all.
const TRIES_MAX: u32 = 5;
/// How often it is tried when no answer comes: each costs a request's whole time limit.
const UNHEARD_MAX: u32 = 2;
/// The longest pause that we choose, and the longest that a server may ask for.
const PAUSE_MS_MAX: u64 = 4_000;
const ASKED_MS_MAX: u64 = 10_000;

/// What counts of a try that failed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Failed {
    /// Whether the server did not get the request, or said no; else nobody knows.
    pub was_heard: bool,
    /// How long the server asks to wait, in milliseconds.
    pub retry_after_ms: Option<u64>,
}

/// Tries of one operation. They end after some seconds of pauses; beyond them the caller's own
/// repetition, the next run, is the better judge.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tries {
    failed: u32,
    unheard: u32,
}

impl Tries {
    /// Takes note of a failure that may pass, and tells how long to wait before the next try; none
    /// when it is to be the last. `first_ms` is the longest first pause; it doubles. Half of each
    /// pause is random, so that those who were refused together do not come back together.
    pub fn pause_ms(&mut self, failed: &Failed, first_ms: u64, random: u64) -> Option<u64> {
        self.failed += 1;
        if !failed.was_heard {
            self.unheard += 1;
        }
        if self.failed >= TRIES_MAX || self.unheard >= UNHEARD_MAX {
            return None;
        }
        let doubled = first_ms.saturating_mul(1 << (self.failed - 1));
        let half = doubled.min(PAUSE_MS_MAX) / 2;
        let asked = failed.retry_after_ms.unwrap_or(0).min(ASKED_MS_MAX);
        Some(half.max(asked) + random % (half + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pauses(failed: &Failed, first_ms: u64, random: u64) -> Vec<u64> {
        let mut tries = Tries::default();
        std::iter::from_fn(|| tries.pause_ms(failed, first_ms, random)).collect()
    }

    fn refused(retry_after_ms: Option<u64>) -> Failed {
        Failed {
            was_heard: true,
            retry_after_ms,
        }
    }

    #[test]
    fn pauses_double_and_end() {
        let refused = refused(None);
        assert_eq!(pauses(&refused, 400, 0), [200, 400, 800, 1_600]);
        assert_eq!(pauses(&refused, 4_000, 0), [2_000, 2_000, 2_000, 2_000]);
        assert_eq!(pauses(&refused, 400, u64::MAX).len(), 4);
        assert_eq!(pauses(&refused, 0, 7), [0, 0, 0, 0]);
        let unheard = Failed::default();
        assert_eq!(pauses(&unheard, 400, 100), [300]);
    }

    #[test]
    fn a_wait_that_is_asked_for_is_kept_within_reason() {
        let first = |ms| pauses(&refused(Some(ms)), 400, 0)[0];
        assert_eq!(first(3_000), 3_000);
        assert_eq!(first(3_600_000), 10_000);
        assert_eq!(first(1), 200);
    }
}
