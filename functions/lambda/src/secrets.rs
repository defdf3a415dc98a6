//! The secrets that were fetched, and when to fetch them again.

use std::collections::BTreeMap;

use kedge_core::model::{SecretText, Timestamp};

/// How long fetched secrets count, in milliseconds: a new one is used after this time without a restart.
const KEPT_MS: i64 = 10 * 60 * 1000;
/// The shortest time between two attempts to fetch, in milliseconds. A credential that is refused for good
/// must not cost a request for each event.
const AGAIN_AFTER_MS: i64 = 60 * 1000;

/// Secrets by the names of their variables.
#[derive(Debug, Default)]
pub(crate) struct SecretsCache {
    secrets: BTreeMap<String, SecretText>,
    /// When they were fetched last, and whether all of them came.
    fetched: Option<(Timestamp, bool)>,
}

impl SecretsCache {
    /// The secrets, however old.
    pub(crate) fn secrets(&self) -> &BTreeMap<String, SecretText> {
        &self.secrets
    }

    /// Whether they must be fetched before the next event.
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        match self.fetched {
            None => true,
            Some((at, true)) => is_over(at, now, KEPT_MS),
            Some((at, false)) => is_over(at, now, AGAIN_AFTER_MS),
        }
    }

    /// Whether they may be fetched because one was refused.
    pub(crate) fn may_be_stale(&self, now: Timestamp) -> bool {
        self.fetched
            .is_none_or(|(at, _)| is_over(at, now, AGAIN_AFTER_MS))
    }

    /// Notes that nothing came in time. What there is counts for another minute; where nothing ever came, the
    /// next event asks again.
    pub(crate) fn miss(&mut self, now: Timestamp) {
        self.fetched = self.fetched.map(|_| (now, false));
    }

    /// Takes what was fetched; whether it is whole says if all of them came. One that did not come keeps its
    /// last value. Says whether anything is another than before.
    pub(crate) fn take(
        &mut self,
        fetched: BTreeMap<String, SecretText>,
        is_whole: bool,
        now: Timestamp,
    ) -> bool {
        self.fetched = Some((now, is_whole));
        let mut is_changed = false;
        for (name, secret) in fetched {
            is_changed |= self.secrets.get(&name) != Some(&secret);
            self.secrets.insert(name, secret);
        }
        is_changed
    }
}

/// Whether a time is over, or not known to be: after a clock was set back.
fn is_over(since: Timestamp, now: Timestamp, lasts_ms: i64) -> bool {
    !(0..lasts_ms).contains(&now.ms_since(since))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_796_000_000_000);

    fn of(pairs: &[(&str, &str)]) -> BTreeMap<String, SecretText> {
        let pairs = pairs.iter();
        pairs
            .map(|(name, text)| ((*name).to_owned(), SecretText::new(*text)))
            .collect()
    }

    #[test]
    fn secrets_are_fetched_every_ten_minutes_and_sooner_where_one_is_missing_or_refused() {
        let mut cache = SecretsCache::default();
        assert!(cache.is_due(NOW) && cache.may_be_stale(NOW));
        for (is_whole, after_ms, is_due, may_be_stale) in [
            (true, 0, false, false),
            (true, 59_999, false, false),
            (true, 60_000, false, true),
            (true, 599_999, false, true),
            (true, 600_000, true, true),
            (false, 59_999, false, false),
            (false, 60_000, true, true),
            // The clock was set back.
            (true, -1, true, true),
        ] {
            cache.take(of(&[]), is_whole, NOW);
            let now = NOW.plus_ms(after_ms);
            let found = (cache.is_due(now), cache.may_be_stale(now));
            assert_eq!(found, (is_due, may_be_stale), "{is_whole} {after_ms}");
        }
    }

    #[test]
    fn what_comes_too_late_is_asked_for_again_and_what_there_is_stays() {
        let mut cache = SecretsCache::default();
        cache.miss(NOW);
        assert!(cache.is_due(NOW), "there is nothing to work with");
        cache.take(of(&[("A", "1")]), true, NOW);
        let later = NOW.plus_ms(KEPT_MS);
        assert!(cache.is_due(later));
        cache.miss(later);
        assert!(!cache.is_due(later) && !cache.may_be_stale(later));
        assert!(cache.is_due(later.plus_ms(AGAIN_AFTER_MS)));
        assert_eq!(cache.secrets(), &of(&[("A", "1")]));
    }

    #[test]
    fn what_does_not_come_keeps_its_last_value() {
        let mut cache = SecretsCache::default();
        assert!(cache.take(of(&[("A", "1"), ("B", "1")]), true, NOW));
        assert!(!cache.take(of(&[("A", "1"), ("B", "1")]), true, NOW));
        assert!(!cache.take(of(&[("A", "1")]), false, NOW));
        assert!(cache.take(of(&[("A", "2")]), false, NOW));
        assert_eq!(cache.secrets(), &of(&[("A", "2"), ("B", "1")]));
    }
}
