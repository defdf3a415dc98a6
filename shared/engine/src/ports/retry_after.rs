//! The one reader of `Retry-After`, for providers and stores.
//!
//! What else a provider says about waiting is read in its `error.rs`. How long a run waits is decided in
//! `retry.rs`.

/// How long an answer asks to wait, in milliseconds: `Retry-After` in seconds or as a date (RFC 9110,
/// section 10.2.3). `header` gives the first value of a header by its name, in lower case.
///
/// A date counts from the answer's own `Date`, so that a wrong clock here does no harm; without one it
/// says nothing. No time, or one that has passed, says nothing either: the usual pause is better than to
/// ask again at once.
#[must_use]
pub fn retry_after_ms<'h>(header: impl Fn(&'static str) -> Option<&'h str>) -> Option<u64> {
    let after = header("retry-after")?.trim();
    let seconds = match seconds(after) {
        Some(seconds) => seconds,
        None => {
            let until = httpdate::parse_http_date(after).ok()?;
            let from = httpdate::parse_http_date(header("date")?.trim()).ok()?;
            until.duration_since(from).ok()?.as_secs()
        }
    };
    (seconds > 0).then(|| seconds.saturating_mul(1_000))
}

/// Digits alone; more than a number can hold is for ever.
fn seconds(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: &str = "Sun, 22 Nov 2026 12:00:00 GMT";

    fn read(after: &'static str, date: Option<&'static str>) -> Option<u64> {
        retry_after_ms(|name| match name {
            "retry-after" => Some(after),
            "date" => date,
            other => panic!("{other}"),
        })
    }

    #[test]
    fn seconds_and_each_form_of_a_date_are_read() {
        for (after, wanted) in [
            ("3", Some(3_000)),
            (" 007\t", Some(7_000)),
            ("3600", Some(3_600_000)),
            ("Sun, 22 Nov 2026 12:00:05 GMT", Some(5_000)),
            ("Mon, 23 Nov 2026 12:00:00 GMT", Some(86_400_000)),
            ("Sunday, 22-Nov-26 12:00:05 GMT", Some(5_000)),
            ("Sun Nov 22 12:00:05 2026", Some(5_000)),
            // Longer than a number can hold.
            ("18446744073709551615", Some(u64::MAX)),
            ("99999999999999999999999", Some(u64::MAX)),
        ] {
            assert_eq!(read(after, Some(NOON)), wanted, "{after}");
        }
    }

    #[test]
    fn what_says_no_time_is_no_hint() {
        for after in [
            "",
            "0",
            "000",
            "soon",
            "-1",
            "+3",
            "3.5",
            "3s",
            "1, 2",
            "٣",
            NOON,
            "Sun, 22 Nov 2026 11:00:00 GMT",
            "Sun, 22 Nov 2026 12:00:05",
            "Sun, 31 Feb 2027 12:00:05 GMT",
            "2026-11-22T12:00:05Z",
        ] {
            assert_eq!(read(after, Some(NOON)), None, "{after}");
        }
        let later = "Sun, 22 Nov 2026 12:00:05 GMT";
        assert_eq!(read(later, None), None);
        assert_eq!(read(later, Some("today")), None);
        assert_eq!(retry_after_ms(|_| None), None);
    }
}
