//! What a schedule has to do at a moment: which stacks to check, and which to apply.
//!
//! A platform ticks when it likes, twice or not at all. So a tick compares the slots of time that it is in
//! with those of the last tick: what was missed is made up for once, and the same tick again finds nothing.
//! Which checks are late is in `late`.

mod late;

pub use late::{known_checks, learnt, to_learn};

use crate::model::{StackName, Timestamp, short_hash};
use crate::stored::index::{Entry, Index};
use crate::stored::schedule::Schedule;

/// What is due.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Due {
    /// Stacks of which another revision is stored than at the last tick: to apply, as far as their policies
    /// allow. An apply is a check too.
    pub applies: Vec<StackName>,
    /// Stacks whose turn it is.
    pub checks: Vec<StackName>,
    /// What to keep once both are on their way.
    pub next: Schedule,
}

/// What is due at `now`, given what the last tick left; none: every stack is.
#[must_use]
pub fn due(index: &Index, last: Option<&Schedule>, now: Timestamp) -> Due {
    let mut due = Due {
        next: Schedule {
            ticked_at: now,
            ..Schedule::default()
        },
        ..Due::default()
    };
    for (stack, entry) in &index.stacks {
        if entry.retired {
            continue;
        }
        let revisions = &mut due.next.revisions;
        revisions.insert(stack.clone(), entry.revision.clone());
        let is_known = |last: &Schedule| last.revisions.get(stack) == Some(&entry.revision);
        if last.is_some_and(|last| !is_known(last)) {
            due.applies.push(stack.clone());
        } else if last.is_none_or(|last| is_turn(stack, entry, last.ticked_at, now)) {
            due.checks.push(stack.clone());
        }
    }
    due
}

/// Whether a slot of this stack began between two moments.
fn is_turn(stack: &StackName, entry: &Entry, last: Timestamp, now: Timestamp) -> bool {
    let every = entry.check_every.ms();
    let slot = |at: Timestamp| (at.0 - phase(stack, entry, every)).div_euclid(every);
    slot(last) != slot(now)
}

/// When within its time a stack has its turn: stacks that share a scope have it together, so that they are
/// checked as a group, and others are spread over the time.
fn phase(stack: &StackName, entry: &Entry, every: i64) -> i64 {
    let shared = entry.reads.keys().next();
    let hash = short_hash(shared.map_or(stack.as_str(), String::as_str));
    // 60 bits of it are a positive number.
    let number = hash
        .get(..15)
        .and_then(|hex| i64::from_str_radix(hex, 16).ok());
    number.unwrap_or_default().rem_euclid(every)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::CheckEvery;
    use crate::stored::index::ScopeReads;

    const MINUTE: i64 = 60_000;

    fn name(text: &str) -> StackName {
        StackName::new(text).unwrap()
    }

    fn entry(every_minutes: i64, scope: &str) -> Entry {
        Entry {
            revision: "e3b0c44298fc".to_owned(),
            record_sets: std::collections::BTreeSet::new(),
            retired: false,
            check_every: CheckEvery::of_ms(every_minutes * MINUTE).unwrap(),
            reads: [(scope.to_owned(), ScopeReads::default())].into(),
        }
    }

    fn index(stacks: &[(&str, Entry)]) -> Index {
        let stacks = stacks.iter().cloned();
        Index {
            stacks: stacks.map(|(stack, entry)| (name(stack), entry)).collect(),
        }
    }

    fn names(stacks: &[StackName]) -> Vec<&str> {
        stacks.iter().map(StackName::as_str).collect()
    }

    /// How often each is checked by ticks at these minutes.
    fn checks(index: &Index, ticks: impl IntoIterator<Item = i64>) -> Vec<(i64, Vec<StackName>)> {
        let mut last = None;
        let mut found = Vec::new();
        for minute in ticks {
            let now = Timestamp(1_795_348_800_000 + minute * MINUTE);
            let due = due(index, last.as_ref(), now);
            assert_eq!(due.applies, []);
            found.push((minute, due.checks));
            last = Some(due.next);
        }
        found
    }

    #[test]
    fn the_first_tick_checks_all_and_the_same_tick_again_none() {
        let index = index(&[("a", entry(15, "x")), ("b", entry(60, "y"))]);
        let found = checks(&index, [0, 0]);
        assert_eq!(names(&found[0].1), ["a", "b"]);
        assert_eq!(found[1].1, []);
    }

    #[test]
    fn each_stack_is_checked_as_often_as_it_asks_whatever_the_tick() {
        let index = index(&[
            ("a", entry(15, "x")),
            ("b", entry(60, "y")),
            ("c", entry(5, "z")),
        ]);
        for every in [1, 5, 4] {
            let found = checks(&index, (0..=240).step_by(every));
            let count = |stack| {
                let is_in = |(_, checks): &&(i64, Vec<StackName>)| checks.contains(&name(stack));
                found.iter().skip(1).filter(is_in).count()
            };
            assert_eq!(count("a"), 16, "each {every}");
            assert_eq!(count("b"), 4, "each {every}");
            assert_eq!(count("c"), 48, "each {every}");
        }
    }

    #[test]
    fn what_was_missed_is_made_up_for_once() {
        let index = index(&[("a", entry(15, "x")), ("b", entry(60, "y"))]);
        let found = checks(&index, [0, 24 * 60, 24 * 60 + 1]);
        assert_eq!(names(&found[1].1), ["a", "b"]);
        assert!(found[2].1.len() < 2);
    }

    #[test]
    fn stacks_of_one_scope_have_their_turn_together_and_others_are_spread() {
        let scopes: Vec<_> = (0..30).map(|number| format!("aiven/p/{number}")).collect();
        let stacks: Vec<_> = (0..90).map(|number| format!("s{number}")).collect();
        let entries: Vec<_> = stacks
            .iter()
            .enumerate()
            .map(|(number, stack)| (stack.as_str(), entry(15, &scopes[number % 30])))
            .collect();
        let found = checks(&index(&entries), (0..=15).step_by(5));
        for (minute, checks) in &found[1..] {
            assert!(
                (1..90).contains(&checks.len()),
                "{minute}: {}",
                checks.len()
            );
            for (number, scope) in scopes.iter().enumerate() {
                let of_scope = [number, number + 30, number + 60];
                let here = of_scope.map(|one| checks.contains(&name(&stacks[one])));
                assert!(here == [true; 3] || here == [false; 3], "{scope} {here:?}");
            }
        }
    }

    #[test]
    fn another_revision_is_applied_at_once_and_a_retired_stack_left_alone() {
        let mut index = index(&[("a", entry(15, "x")), ("b", entry(60, "y"))]);
        let now = Timestamp(1_795_348_800_000);
        let last = due(&index, None, now).next;
        index.stacks.get_mut(&name("a")).unwrap().revision = "0123456789ab".to_owned();
        index.stacks.get_mut(&name("b")).unwrap().retired = true;
        let found = due(&index, Some(&last), now);
        assert_eq!(names(&found.applies), ["a"]);
        assert_eq!(found.checks, []);
        let again = due(&index, Some(&found.next), now);
        assert_eq!((again.applies, again.checks), (vec![], vec![]));
        // One that is pushed for the first time is applied too.
        index.stacks.insert(name("c"), entry(15, "z"));
        assert_eq!(names(&due(&index, Some(&found.next), now).applies), ["c"]);
    }
}
