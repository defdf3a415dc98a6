//! Ids of runs, and of what somebody asked for or consented to: the time in milliseconds, a dash, and digits
//! that tell two of one moment apart. So keys that end with them are in the order of time.

use super::Timestamp;

/// How many milliseconds the ids of one prefix are of: nearly three hours. Of the 13 digits of a time that
/// leaves six.
const PREFIX_MS: i64 = 10_000_000;

/// The time that an id begins with; 1970 where it is none.
#[must_use]
pub fn id_time(id: &str) -> Timestamp {
    let time = id.split('-').next().unwrap_or_default();
    Timestamp(time.parse().unwrap_or_default())
}

/// What the ids of a span of time begin with, for lists of keys. Each prefix is also that of other ids, within
/// three hours.
pub fn id_prefixes(since: Timestamp, until: Timestamp) -> impl Iterator<Item = String> {
    let number = |time: Timestamp| time.0.max(0) / PREFIX_MS;
    (number(since)..=number(until)).map(|number| format!("{number:06}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ids_of_a_time_have_its_prefixes() {
        let noon = Timestamp(1_795_348_800_000);
        let of = |before_ms: i64, after_ms: i64| {
            let prefixes = id_prefixes(noon.plus_ms(-before_ms), noon.plus_ms(after_ms));
            prefixes.collect::<Vec<_>>()
        };
        assert_eq!(of(0, 0), ["179534"]);
        assert_eq!(of(3_600_000, 900_000), ["179534"]);
        // Where one ends and the next begins.
        assert_eq!(of(0, 1_200_000), ["179534", "179535"]);
        assert_eq!(of(0, 1_199_999), ["179534"]);
        assert_eq!(of(24 * 3_600_000, 0).len(), 9);
        assert_eq!(of(0, -1).len(), 1);
        assert_eq!(of(0, -1_000_000_000).len(), 0);
        let early = id_prefixes(Timestamp(-5), Timestamp(5));
        assert_eq!(early.collect::<Vec<_>>(), ["000000"]);
    }

    #[test]
    fn an_id_says_its_time() {
        assert_eq!(
            id_time("1795348800000-0badcafe"),
            Timestamp(1_795_348_800_000)
        );
        for other in ["", "-", "x-1", "by-key/1"] {
            assert_eq!(id_time(other), Timestamp(0), "{other}");
        }
    }
}
