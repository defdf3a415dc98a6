//! Wall time as a plain number.

use std::fmt;

/// Milliseconds since 1970-01-01T00:00:00Z. Always given by a caller; the core has no clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// This time moved by `ms` milliseconds, which may be negative; stays in range.
    #[must_use]
    pub fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to this; negative if it is later.
    #[must_use]
    pub fn ms_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The time alone, cut to seconds: `03:12:07 UTC`.
    #[must_use]
    pub fn time_of_day(self) -> String {
        let second = self.0.div_euclid(1000).rem_euclid(24 * 60 * 60);
        let (hour, minute) = (second / 3600, second / 60 % 60);
        format!("{hour:02}:{minute:02}:{:02} UTC", second % 60)
    }

    /// The day and the time, for texts that are read later: `2026-11-22 03:12 UTC`.
    #[must_use]
    pub fn day_and_time(self) -> String {
        let text = Self(self.0.div_euclid(1000).saturating_mul(1000)).to_string();
        match (text.get(..10), text.get(11..16)) {
            (Some(day), Some(time)) if text.ends_with('Z') => format!("{day} {time} UTC"),
            _ => text,
        }
    }

    /// The time as somebody reads it at `now`: `03:12 UTC`; with seconds where it is minutes away at
    /// most, with its day where that is not the one of `now`, or nearly.
    #[must_use]
    pub fn clock(self, now: Self) -> String {
        const MINUTES_MS: u64 = 2 * 60 * 1000;
        const HALF_A_DAY_MS: u64 = 12 * 60 * 60 * 1000;
        match now.ms_since(self).unsigned_abs() {
            ..MINUTES_MS => self.time_of_day(),
            MINUTES_MS..=HALF_A_DAY_MS => {
                let time = self.time_of_day();
                format!("{} UTC", time.get(..5).unwrap_or(&time))
            }
            _ => self.day_and_time(),
        }
    }

    /// How far this is from `now`: `in 14 min`, `3 min ago`.
    #[must_use]
    pub fn distance(self, now: Self) -> String {
        match now.ms_since(self) {
            ms @ ..0 => format!("in {}", length_text(ms.saturating_neg())),
            ms => ago(ms),
        }
    }

    /// The time with its distance from `now`: `03:12 UTC, 12 min ago`.
    #[must_use]
    pub fn with_distance(self, now: Self) -> String {
        format!("{}, {}", self.clock(now), self.distance(now))
    }

    /// The end of something, as part of a sentence: `03:12 UTC (in 14 min)`.
    #[must_use]
    pub fn until_text(self, now: Self) -> String {
        format!("{} ({})", self.clock(now), self.distance(now))
    }

    /// Reads RFC 3339 text, or a date alone, which means its beginning in UTC.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let full = if text.len() == 10 {
            format!("{text}T00:00:00Z")
        } else {
            text.to_owned()
        };
        full.parse::<jiff::Timestamp>()
            .ok()
            .map(|time| Self(time.as_millisecond()))
    }
}

/// `12 s ago`, `5 min ago`, `1 h 59 min ago`, `3 d ago`. Clocks differ: the future is now.
#[must_use]
pub fn ago(ms: i64) -> String {
    format!("{} ago", length_text(ms))
}

/// How long something is, as people say it: `12 s`, `14 min`, `1 h 59 min`, `36 h`, `2 d 3 h`. A
/// second unit stands where the first alone would hide much: what has 1 h 59 min left has not 1 h.
fn length_text(ms: i64) -> String {
    const MINUTE: i64 = 60;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    let seconds = (ms / 1000).max(0);
    // Each unit with the next smaller one, and up to which number that one is told.
    let (unit, size, smaller, smaller_size, most) = match seconds {
        0..MINUTE => ("s", 1, "", 1, 0),
        MINUTE..HOUR => ("min", MINUTE, "s", 1, 3),
        HOUR..172_800 => ("h", HOUR, "min", MINUTE, 10),
        _ => ("d", DAY, "h", HOUR, 10),
    };
    let (whole, rest) = (seconds / size, seconds % size / smaller_size);
    match whole < most && rest > 0 {
        true => format!("{whole} {unit} {rest} {smaller}"),
        false => format!("{whole} {unit}"),
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(time) => write!(f, "{time}"),
            Err(_) => write!(f, "{} ms after 1970", self.0),
        }
    }
}

/// A duration as people type it, in milliseconds: a whole number and `s`, `m`, `h` or `d`. None for
/// anything else.
#[must_use]
pub fn span_ms(text: &str) -> Option<i64> {
    let unit = text.chars().last()?;
    let number = text.strip_suffix(unit)?;
    let unit_ms = match unit {
        's' => 1_000,
        'm' => 60_000,
        'h' => 3_600_000,
        'd' => 86_400_000,
        _ => return None,
    };
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let number: u32 = is_number.then(|| number.parse().ok())??;
    i64::from(number).checked_mul(unit_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_forms() {
        assert_eq!(Timestamp::parse("1970-01-02"), Some(Timestamp(86_400_000)));
        assert_eq!(Timestamp(1_500).to_string(), "1970-01-01T00:00:01.5Z");
        assert_eq!(
            Timestamp::parse("1970-01-01T00:00:01.5Z"),
            Some(Timestamp(1_500))
        );
        assert_eq!(Timestamp::parse("soon"), None);
        let noon = Timestamp::parse("2026-11-22T12:00:00.5Z").unwrap();
        for (ms, says) in [
            (0, "12:00:00 UTC, 0 s ago"),
            (119_999, "12:00:00 UTC, 1 min 59 s ago"),
            (179_000, "12:00 UTC, 2 min 59 s ago"),
            (180_999, "12:00 UTC, 3 min ago"),
            (3_599_000, "12:00 UTC, 59 min ago"),
            (-7_200_000, "12:00 UTC, in 2 h"),
            (-7_199_999, "12:00 UTC, in 1 h 59 min"),
            (-3_659_000, "12:00 UTC, in 1 h"),
            (-35_940_000, "12:00 UTC, in 9 h 59 min"),
            (-39_540_000, "12:00 UTC, in 10 h"),
            (-51 * 3_600_000, "2026-11-22 12:00 UTC, in 2 d 3 h"),
            (11 * 24 * 3_600_000 - 1, "2026-11-22 12:00 UTC, 10 d ago"),
            (-20_000, "12:00:00 UTC, in 20 s"),
            (-840_000, "12:00 UTC, in 14 min"),
            (12 * 3_600_000, "12:00 UTC, 12 h ago"),
            (12 * 3_600_000 + 1, "2026-11-22 12:00 UTC, 12 h ago"),
            (72 * 3_600_000, "2026-11-22 12:00 UTC, 3 d ago"),
        ] {
            assert_eq!(noon.with_distance(noon.plus_ms(ms)), says);
        }
        assert_eq!(
            noon.until_text(noon.plus_ms(-840_000)),
            "12:00 UTC (in 14 min)"
        );
        assert_eq!(Timestamp(-1).time_of_day(), "23:59:59 UTC");
        assert_eq!(Timestamp(86_399_999).time_of_day(), "23:59:59 UTC");
    }
}
