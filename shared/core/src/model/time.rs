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

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(time) => write!(f, "{time}"),
            Err(_) => write!(f, "{} ms after 1970", self.0),
        }
    }
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
        assert_eq!(Timestamp(-1).time_of_day(), "23:59:59 UTC");
        assert_eq!(Timestamp(86_399_999).time_of_day(), "23:59:59 UTC");
    }
}
