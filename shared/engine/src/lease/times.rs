//! How long a lease lasts and how often it is renewed.

/// How long a lease lasts and how it is kept. All who share a store use the same.
///
/// Its times are parts of one length, because other proportions would let two runs start changes at once.
/// So a shell can't set them one by one:
///
/// ```compile_fail
/// let mut times = kedge_engine::LeaseTimes::default();
/// times.fresh_ms = i64::MAX;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseTimes {
    /// How long it lasts after each write, in milliseconds.
    pub(crate) lease_ms: i64,
    /// How often it is renewed.
    pub(crate) renew_ms: i64,
    /// How long after its end it may be taken over.
    pub(crate) grace_ms: i64,
    /// How long after the beginning of the last acknowledged renewal a change may be begun.
    pub(crate) fresh_ms: i64,
    /// A renewal that began less than this ago is "right before": R2 takes one write a second per
    /// key.
    pub(crate) moment_ms: i64,
}

impl Default for LeaseTimes {
    fn default() -> Self {
        Self::of_seconds(60)
    }
}

impl LeaseTimes {
    /// All times for a lease that lasts so many seconds (at least one): renewed after a quarter,
    /// good for beginning a change for half, taken over half a lease after its end.
    #[must_use]
    pub fn of_seconds(seconds: u32) -> Self {
        let lease_ms = i64::from(seconds.max(1)) * 1000;
        Self {
            lease_ms,
            renew_ms: lease_ms / 4,
            grace_ms: lease_ms / 2,
            fresh_ms: lease_ms / 2,
            moment_ms: lease_ms / 60,
        }
    }

    /// How long after its last renewal a run may still begin changes, in milliseconds.
    #[must_use]
    pub fn begins_for_ms(&self) -> i64 {
        self.fresh_ms
    }

    /// How often it is looked whether a renewal is due.
    pub(crate) fn slice_ms(&self) -> u64 {
        u64::try_from(self.renew_ms / 5).unwrap_or_default().max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_parts_of_a_lease() {
        for (seconds, lease, renew, half, moment, slice) in [
            (60, 60_000, 15_000, 30_000, 1_000, 3_000),
            (4, 4_000, 1_000, 2_000, 66, 200),
            // The shortest there is.
            (1, 1_000, 250, 500, 16, 50),
            (0, 1_000, 250, 500, 16, 50),
        ] {
            let times = LeaseTimes::of_seconds(seconds);
            assert_eq!(times.lease_ms, lease);
            assert_eq!(times.renew_ms, renew);
            assert_eq!((times.grace_ms, times.fresh_ms), (half, half));
            assert_eq!(times.moment_ms, moment);
            assert_eq!(times.slice_ms(), slice);
        }
        assert_eq!(LeaseTimes::default(), LeaseTimes::of_seconds(60));
    }
}
