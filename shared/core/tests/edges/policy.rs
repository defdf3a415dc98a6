//! The edges of what automation may do, and of what ends by itself: announcements, limits of a day, ignore
//! rules, holds, the heartbeat; and each part of a policy in force.

use std::collections::BTreeMap;

use kedge_core::compare::Verdict;
use kedge_core::model::{Allowance, Guards, Policy};
use kedge_core::plan::{GuardName, LeftReason, policy_in_force};
use kedge_core::state::{AutomaticChange, Watch};
use kedge_core::stored::hold::{Hold, Holds};

use crate::{DAY_MS, NOW, World, key};

// --- what automation may do again (semantics 6.2, 6.7)

const SAFE: &str = "policy: {correct: safe, deploy: safe, correct_after: 0}\n";

fn made(number: usize, fingerprint: &str, ago_ms: i64, first_create: bool) -> AutomaticChange {
    AutomaticChange {
        at: NOW.plus_ms(-ago_ms),
        key: key(number),
        fingerprint: fingerprint.to_owned(),
        first_create,
    }
}

#[test]
fn so_many_automatic_changes_are_made_in_a_day() {
    let mut world = World::with(50, SAFE);
    world.drift(0..2);
    let none = BTreeMap::new();
    for (before, ago_ms, first_create, expected) in [
        (0, 0, false, 2),
        (98, 0, false, 2),
        (99, 0, false, 0),
        (99, DAY_MS - 1, false, 0),
        (99, DAY_MS, false, 2),
        (99, 0, true, 2),
    ] {
        let before: Vec<_> = (0..before)
            .map(|_| made(40, "other", ago_ms, first_create))
            .collect();
        let decided = world.decide(&before, &none);
        assert_eq!(
            decided.approved().count(),
            expected,
            "{} {ago_ms}",
            before.len()
        );
        let refused: Vec<_> = decided.refused.iter().map(|trip| trip.guard).collect();
        let daily = [GuardName::DailyAutomatic];
        assert_eq!(refused, &daily[..usize::from(expected == 0)]);
    }
    // First-time creates are none of the two either.
    world.drift_to(0, 3_600_000);
    world.lose(1..2);
    world.state.resources.remove(&key(1));
    let before: Vec<_> = (0..100).map(|_| made(40, "other", 0, false)).collect();
    let decided = world.decide(&before, &none);
    assert!(decided.refused.is_empty() && decided.approved().next().unwrap().first_create);
}

#[test]
fn the_third_time_in_a_day_is_left() {
    let mut world = World::with(2, SAFE);
    world.drift(0..1);
    let none = BTreeMap::new();
    let fingerprint = world
        .decide(&[], &none)
        .approved()
        .next()
        .unwrap()
        .fingerprint
        .clone();
    let with_others = format!("x+{fingerprint}+y");
    for (before, is_left) in [
        (vec![made(0, &fingerprint, 0, false)], false),
        (
            vec![
                made(0, &fingerprint, 0, false),
                made(0, &with_others, DAY_MS - 1, false),
            ],
            true,
        ),
        (
            vec![
                made(0, &fingerprint, 0, false),
                made(0, &fingerprint, DAY_MS, false),
            ],
            false,
        ),
        // Of another resource, or another correction of this one.
        (
            vec![
                made(0, &fingerprint, 0, false),
                made(1, &fingerprint, 0, false),
            ],
            false,
        ),
        (
            vec![made(0, &fingerprint, 0, false), made(0, "other", 0, false)],
            false,
        ),
    ] {
        let decided = world.decide(&before, &none);
        assert_eq!(!decided.approves_any(), is_left, "{before:?}");
        let flaps = |reason: &LeftReason| *reason == LeftReason::Flapping;
        assert_eq!(decided.left().any(|left| flaps(left.reason)), is_left);
    }
}

#[test]
fn a_drift_is_announced_for_so_long() {
    let mut world = World::with(1, "policy: {correct: safe, deploy: none}\n");
    world.drift(0..1);
    let fingerprint = world.plan().changes[0].drift_fingerprint.clone();
    let after_ms = 15 * 60_000;
    for (known, until) in [
        (None, Some(NOW.plus_ms(after_ms))),
        (Some(("other", after_ms)), Some(NOW.plus_ms(after_ms))),
        (Some((&*fingerprint, after_ms - 1)), Some(NOW.plus_ms(1))),
        (Some((&*fingerprint, after_ms)), None),
    ] {
        let known = known.map(|(text, ago_ms)| (text.to_owned(), NOW.plus_ms(-ago_ms)));
        let seen = known.into_iter().map(|known| (key(0), known)).collect();
        let decided = world.decide(&[], &seen);
        let reasons: Vec<_> = decided.left().map(|left| left.reason.clone()).collect();
        let expected = until.map(|until| LeftReason::Announced { until });
        assert_eq!(reasons, Vec::from_iter(expected));
        assert_eq!(decided.approved().count(), usize::from(until.is_none()));
    }
}

#[test]
fn automatic_changes_are_kept_for_a_day() {
    let mut world = World::of(1);
    world.state.automatic = vec![made(0, "a", DAY_MS, false), made(0, "b", DAY_MS - 1, false)];
    world.state.trim_automatic(NOW);
    assert_eq!(world.state.automatic, [made(0, "b", DAY_MS - 1, false)]);
}

// --- rules, holds, memory

#[test]
fn an_ignore_rule_ends_on_time_and_says_so_a_day_before() {
    let rule =
        "ignore: [{resource: \"{stack}-000\", reason: replay, owner: ana, until: 2026-11-23}]\n";
    let mut world = World::with(1, rule);
    world.drift(0..1);
    let ends = world.declared.ignore_rules[0].until;
    for (before_ms, verdict, note) in [
        (DAY_MS, Verdict::Ignored, "until 2026"),
        (DAY_MS - 1, Verdict::Ignored, "; ends within a day"),
        (1, Verdict::Ignored, "; ends within a day"),
        (0, Verdict::Drifted, "an ignore rule ended on"),
    ] {
        let comparison = world.diff(ends.plus_ms(-before_ms));
        let one = &comparison.differences[&key(0)];
        assert_eq!(one.verdict, verdict, "{before_ms}");
        let [said] = one.notes.as_slice() else {
            panic!("{:?}", one.notes);
        };
        assert!(said.contains(note), "{said}");
        assert_eq!(said.ends_with("; ends within a day"), note.starts_with(';'));
    }
}

#[test]
fn a_hold_ends_on_time_and_is_kept_for_a_week() {
    let hold = |key, until| Hold {
        key,
        reason: "broker upgrade".to_owned(),
        who: "ana".to_owned(),
        until,
        set_at: NOW,
    };
    let (one, whole) = (hold(Some(key(0)), NOW), hold(None, NOW));
    for (hold, of_other) in [(&one, false), (&whole, true)] {
        assert!(hold.blocks(&key(0), NOW.plus_ms(-1)));
        assert!(!hold.blocks(&key(0), NOW));
        assert_eq!(hold.blocks(&key(1), NOW.plus_ms(-1)), of_other);
    }
    let mut holds = Holds::default();
    holds.set(one).unwrap();
    holds.trim(NOW.plus_ms(7 * DAY_MS - 1));
    assert_eq!(holds.list().len(), 1);
    holds.trim(NOW.plus_ms(7 * DAY_MS));
    assert_eq!(holds.list(), []);
}

#[test]
fn a_check_says_that_it_lives_every_quarter_of_an_hour() {
    let watch = |at: Option<i64>| Watch {
        last_good_read_at: at.map(|ms| NOW.plus_ms(ms)),
        ..Watch::default()
    };
    let quarter_ms = 15 * 60_000;
    for (then, now, is_news) in [
        (Some(0), Some(quarter_ms - 1), false),
        (Some(0), Some(quarter_ms), true),
        (None, Some(0), true),
        (Some(0), None, true),
        (None, None, false),
    ] {
        assert_eq!(
            watch(now).is_news_after(&watch(then)),
            is_news,
            "{then:?} {now:?}"
        );
    }
}

#[test]
fn each_kind_of_memory_is_news() {
    let before = Watch::default();
    let key = || key(0);
    for after in [
        Watch {
            first_seen: [(key(), (String::new(), NOW))].into(),
            ..before.clone()
        },
        Watch {
            confirmed_writes: [(key(), NOW)].into(),
            ..before.clone()
        },
        Watch {
            returned: [(key(), NOW)].into(),
            ..before.clone()
        },
        Watch {
            holds: [(Some(key()), NOW)].into(),
            ..before.clone()
        },
    ] {
        assert!(after.is_news_after(&before), "{after:?}");
        assert!(before.is_news_after(&after), "{after:?}");
        assert!(!after.is_news_after(&after), "{after:?}");
        assert_eq!(Watch::decode(&after.encode().unwrap()).unwrap(), after);
    }
}

// --- the policy in force (semantics 4.4)

#[test]
#[expect(clippy::too_many_lines, reason = "a table: one row a setting")]
fn every_part_of_a_policy_may_become_stricter_at_once_and_looser_only_with_consent() {
    let guards = Guards {
        changes_max: 10,
        share_percent_max: 10,
        creates_max: 10,
        daily_automatic_max: 10,
    };
    let strict = Policy {
        correct: Allowance::Safe,
        deploy: Allowance::Safe,
        correct_after_ms: 90_000,
        prune: false,
        protected: true,
        guards: guards.clone(),
        ..Policy::default()
    };
    let more = |change: &dyn Fn(&mut Guards)| {
        let mut guards = guards.clone();
        change(&mut guards);
        Policy {
            guards,
            ..strict.clone()
        }
    };
    for (loose, said, back) in [
        (
            Policy {
                correct: Allowance::Disruptive,
                ..strict.clone()
            },
            "correct safe → disruptive",
            "correct disruptive → safe",
        ),
        (
            Policy {
                deploy: Allowance::Disruptive,
                ..strict.clone()
            },
            "deploy safe → disruptive",
            "deploy disruptive → safe",
        ),
        (
            Policy {
                correct_after_ms: 60_000,
                ..strict.clone()
            },
            "correct_after 90000ms → 1m",
            "correct_after 1m → 90000ms",
        ),
        (
            Policy {
                protected: false,
                ..strict.clone()
            },
            "protected true → false",
            "protected false → true",
        ),
        (
            Policy {
                prune: true,
                ..strict.clone()
            },
            "prune false → true",
            "prune true → false",
        ),
        (
            more(&|guards| guards.changes_max = 11),
            "changes_max 10 → 11",
            "changes_max 11 → 10",
        ),
        (
            more(&|guards| guards.share_percent_max = 11),
            "share_percent_max 10 → 11",
            "share_percent_max 11 → 10",
        ),
        (
            more(&|guards| guards.creates_max = 11),
            "creates_max 10 → 11",
            "creates_max 11 → 10",
        ),
        (
            more(&|guards| guards.daily_automatic_max = 11),
            "daily_automatic_max 10 → 11",
            "daily_automatic_max 11 → 10",
        ),
    ] {
        let (policy, change) = policy_in_force(Some(&strict), &loose);
        assert_eq!(
            (policy, change.loosened, change.tightened.len()),
            (strict.clone(), vec![said.to_owned()], 0)
        );
        let (policy, change) = policy_in_force(Some(&loose), &strict);
        assert_eq!(
            (policy, change.tightened, change.loosened.len()),
            (strict.clone(), vec![back.to_owned()], 0)
        );
    }
}
