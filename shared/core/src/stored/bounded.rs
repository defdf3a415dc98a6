//! Numbers of stored objects, checked against their bounds when they are read and written.
//!
//! A time before 1970 or after 9999, a count above 2^53 - 1, or a lease of more than an hour is damage.
//! So no sum or difference overflows, and a counter can always rise by one.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use crate::model::Timestamp;

/// The highest count: of holders, runs, writes, renewals, requests. JSON numbers are exact up to here,
/// and one a millisecond takes 285,000 years to reach it.
pub const COUNT_MAX: u64 = (1 << 53) - 1;

/// The latest time: the end of the year 9999.
pub const TIME_MS_MAX: i64 = 253_402_300_799_999;

/// How often something happened, or the number of one of many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Count(pub(crate) u64);

/// A time in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Time(pub(crate) i64);

/// How long something lasts, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Span(pub(crate) i64);

impl Count {
    fn problem(self) -> Option<String> {
        (self.0 > COUNT_MAX).then(|| format!("{} is too large for a count", self.0))
    }
}

impl Time {
    fn problem(self) -> Option<String> {
        let is_fine = (0..=TIME_MS_MAX).contains(&self.0);
        (!is_fine).then(|| format!("{} is not a time", self.0))
    }
}

impl Span {
    fn problem(self) -> Option<String> {
        (self.0 < 0).then(|| format!("{} ms is not a duration", self.0))
    }
}

impl From<Timestamp> for Time {
    fn from(time: Timestamp) -> Self {
        Self(time.0)
    }
}

impl From<Time> for Timestamp {
    fn from(time: Time) -> Self {
        Self(time.0)
    }
}

macro_rules! bounded {
    ($name:ident, $number:ty) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self.problem() {
                    None => self.0.serialize(serializer),
                    Some(problem) => Err(ser::Error::custom(problem)),
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let read = Self(<$number>::deserialize(deserializer)?);
                match read.problem() {
                    None => Ok(read),
                    Some(problem) => Err(de::Error::custom(problem)),
                }
            }
        }
    };
}

bounded!(Count, u64);
bounded!(Time, i64);
bounded!(Span, i64);

/// `#[serde(with = "bounded::count")]`, for objects that are stored as they are.
pub(crate) mod count {
    use super::{Count, Deserialize as _, Deserializer, Serialize as _, Serializer};

    pub(crate) fn serialize<S: Serializer>(number: &u64, to: S) -> Result<S::Ok, S::Error> {
        Count(*number).serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
        Count::deserialize(from).map(|count| count.0)
    }
}

/// The same of a count that may be missing.
pub(crate) mod maybe_count {
    use super::{Count, Deserialize as _, Deserializer, Serialize as _, Serializer};

    pub(crate) fn serialize<S: Serializer>(number: &Option<u64>, to: S) -> Result<S::Ok, S::Error> {
        number.map(Count).serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
        let count = Option::<Count>::deserialize(from)?;
        Ok(count.map(|count| count.0))
    }
}

/// The same of a time.
pub(crate) mod time {
    use super::{Deserialize as _, Deserializer, Serialize as _, Serializer, Time};

    pub(crate) fn serialize<S: Serializer>(number: &i64, to: S) -> Result<S::Ok, S::Error> {
        Time(*number).serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
        Time::deserialize(from).map(|time| time.0)
    }
}
