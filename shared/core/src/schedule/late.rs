//! Which stacks were looked at too long ago (semantics 9.3).
//!
//! When a stack was looked at is in an object of its own, and there are many. So a tick asks only about those
//! that would be late before the next tick, as far as ticks know: a stack is never called in time because
//! nobody looked.

use std::collections::BTreeMap;

use crate::model::{CheckEvery, StackName, Timestamp};
use crate::stored::index::{Entry, Index};
use crate::stored::schedule::{KnownCheck, Schedule};

/// How many times its `check_every` the last check of a stack may be ago, and how much more, in
/// milliseconds: for what waits in the queue.
const INTERVALS_MAX: i64 = 3;
const DELAY_MAX_MS: i64 = 15 * 60 * 1000;
/// How long before it would be late a stack is asked about, in milliseconds: until the next tick, of which
/// there is one every ten minutes at least.
const AHEAD_MS: i64 = 11 * 60 * 1000;

fn known(at: Timestamp, every: CheckEvery) -> KnownCheck {
    let most = every
        .ms()
        .saturating_mul(INTERVALS_MAX)
        .saturating_add(DELAY_MAX_MS);
    KnownCheck {
        at,
        late_at: at.plus_ms(most),
    }
}

fn in_use(index: &Index) -> impl Iterator<Item = (&StackName, &Entry)> {
    index.stacks.iter().filter(|(_, entry)| !entry.retired)
}

/// What is known of the checks of the stacks in use, by what the last tick knew. One that was not in use then
/// has time from now on, however long ago it was looked at.
#[must_use]
pub fn known_checks(
    index: &Index,
    last: Option<&Schedule>,
    now: Timestamp,
) -> BTreeMap<StackName, KnownCheck> {
    let at = |stack: &StackName| {
        let last = last?;
        match last.checks.get(stack) {
            Some(check) => Some(check.at),
            None => (!last.revisions.contains_key(stack)).then_some(now),
        }
    };
    let checks = in_use(index).filter_map(|(stack, entry)| {
        let known = known(at(stack)?, entry.check_every);
        Some((stack.clone(), known))
    });
    checks.collect()
}

/// The stacks to ask about, the most urgent first: those of which nothing is known, and those that are late,
/// or would be before the next tick.
#[must_use]
pub fn to_learn(
    index: &Index,
    checks: &BTreeMap<StackName, KnownCheck>,
    now: Timestamp,
) -> Vec<StackName> {
    let late_at = |stack: &StackName| checks.get(stack).map(|check| check.late_at);
    let is_due = |stack: &&StackName| late_at(stack).is_none_or(|at| at <= now.plus_ms(AHEAD_MS));
    let stacks = in_use(index).map(|(stack, _)| stack);
    let mut stacks: Vec<StackName> = stacks.filter(is_due).cloned().collect();
    stacks.sort_by_key(late_at);
    stacks
}

/// What is known of a stack's check once it was asked about. One that was never looked at counts from when a
/// tick saw it first.
#[must_use]
pub fn learnt(
    before: Option<KnownCheck>,
    last_check: Option<Timestamp>,
    every: CheckEvery,
    now: Timestamp,
) -> KnownCheck {
    let before = before.map(|check| check.at);
    known(last_check.max(before).unwrap_or(now), every)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;
    const NOW: Timestamp = Timestamp(1_795_348_800_000);

    fn name(text: &str) -> StackName {
        StackName::new(text).unwrap()
    }

    fn index(stacks: &[(&str, i64)]) -> Index {
        let entry = |minutes: i64| Entry {
            revision: "e3b0c44298fc".to_owned(),
            record_sets: std::collections::BTreeSet::new(),
            retired: false,
            check_every: CheckEvery::of_ms(minutes * MINUTE).unwrap(),
            reads: BTreeMap::new(),
        };
        let stacks = stacks.iter();
        Index {
            stacks: stacks
                .map(|(stack, minutes)| (name(stack), entry(*minutes)))
                .collect(),
        }
    }

    fn minutes(after: i64) -> Timestamp {
        NOW.plus_ms(after * MINUTE)
    }

    /// A tick that saw these revisions and knew of these checks, in minutes.
    fn last(seen: &[&str], checked: &[(&str, i64)]) -> Schedule {
        let every = CheckEvery::of_ms(15 * MINUTE).unwrap();
        let check = |(stack, at): &(&str, i64)| (name(stack), known(minutes(*at), every));
        Schedule {
            revisions: seen.iter().map(|one| (name(one), String::new())).collect(),
            checks: checked.iter().map(check).collect(),
            ..Schedule::default()
        }
    }

    #[test]
    fn three_intervals_and_a_quarter_of_an_hour_later_it_is_late() {
        for (every, late) in [(5, 30), (15, 60), (24 * 60, 3 * 24 * 60 + 15)] {
            let every = CheckEvery::of_ms(every * MINUTE).unwrap();
            let expected = KnownCheck {
                at: NOW,
                late_at: minutes(late),
            };
            assert_eq!(known(NOW, every), expected);
        }
    }

    #[test]
    fn what_a_tick_knows_it_keeps_by_the_interval_that_counts_now() {
        let index = index(&[("a", 15), ("b", 5), ("c", 15), ("d", 15)]);
        let last = last(
            &["a", "b", "c", "gone"],
            &[("a", -7), ("b", -7), ("gone", -7)],
        );
        let checks = known_checks(&index, Some(&last), NOW);
        let late: Vec<_> = checks
            .iter()
            .map(|(stack, check)| (stack.as_str(), check.late_at))
            .collect();
        // `c` was there and nothing is known of it; `d` is new.
        let expected = [("a", minutes(53)), ("b", minutes(23)), ("d", minutes(60))];
        assert_eq!(late, expected);
        // Where nothing is known, nothing is taken for granted.
        assert_eq!(known_checks(&index, None, NOW), BTreeMap::new());
    }

    #[test]
    fn a_retired_stack_is_late_no_more_and_one_that_begins_anew_has_time() {
        let mut index = index(&[("a", 15)]);
        let last = last(&["a"], &[("a", -900)]);
        index.stacks.get_mut(&name("a")).unwrap().retired = true;
        assert_eq!(known_checks(&index, Some(&last), NOW), BTreeMap::new());
        assert_eq!(to_learn(&index, &BTreeMap::new(), NOW), []);
        index.stacks.get_mut(&name("a")).unwrap().retired = false;
        let checks = known_checks(&index, Some(&Schedule::default()), NOW);
        assert_eq!(checks[&name("a")].late_at, minutes(60));
    }

    #[test]
    fn only_what_would_be_late_is_asked_about_the_most_urgent_first() {
        let index = index(&[("a", 15), ("b", 15), ("c", 15), ("d", 15), ("e", 15)]);
        let seen = ["a", "b", "c", "d", "e"];
        let last = last(&seen, &[("a", -48), ("b", -49), ("c", -200), ("d", 0)]);
        let checks = known_checks(&index, Some(&last), NOW);
        let asked = to_learn(&index, &checks, NOW);
        assert_eq!(asked, ["e", "c", "b"].map(name));
    }

    #[test]
    fn what_is_learnt_never_goes_back() {
        let every = CheckEvery::of_ms(15 * MINUTE).unwrap();
        let before = known(minutes(-50), every);
        for (known_before, last_check, at) in [
            (None, None, 0),
            (None, Some(minutes(-90)), -90),
            (Some(before), None, -50),
            (Some(before), Some(minutes(-90)), -50),
            (Some(before), Some(minutes(-1)), -1),
        ] {
            let learnt = learnt(known_before, last_check, every, NOW);
            assert_eq!(learnt, known(minutes(at), every));
        }
    }
}
