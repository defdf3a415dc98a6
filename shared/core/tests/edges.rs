//! The exact edges of every limit and time in the core: what is the last value on one side, and the first
//! on the other.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "an edge that can't be tried has failed"
)]

mod edges {
    mod policy;
}

use std::collections::{BTreeMap, BTreeSet};

use kedge_core::change::Verb;
use kedge_core::compare::{Cause, CompareInput, Comparison, Verdict, compare};
use kedge_core::definitions::{Bundle, ParseInput, parse};
use kedge_core::live::{FailureCode, Live, LiveWorld, Proof, ReadFailure, ScopeReading};
use kedge_core::model::{
    Allowance, CatchingUp, Declared, FieldName, Fields, Guards, Policy, Recorded, ResourceKey,
    Salt, StackName, Timestamp, Value,
};
use kedge_core::plan::{Authority, Decided, GuardName, Plan, PlanInput, authorise, plan};
use kedge_core::state::{Applying, AutomaticChange, Intent, State};
use kedge_core::stored::grant::Grant;
use kedge_core::stored::run::RunRecord;

const NOW: Timestamp = Timestamp(1_795_348_800_000);
const HOUR_MS: i64 = 60 * 60 * 1000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// Topics of one Kafka service, all alike, and what is said of some of them.
struct World {
    declared: Declared,
    state: State,
    live: LiveWorld,
}

fn key(number: usize) -> ResourceKey {
    ResourceKey::kafka_topic("p", "s", &format!("dev-{number:03}"))
}

impl World {
    /// So many topics that are declared, recorded and live with a retention of an hour.
    fn of(topics: usize) -> Self {
        Self::with(topics, "")
    }

    /// The same with more lines in `kedge.yaml`.
    fn with(topics: usize, project: &str) -> Self {
        let line = |number: usize| {
            format!(
                "  - {{name: \"{{stack}}-{number:03}\", partitions: 1, replication: 2, \
                 retention_ms: 3600000}}\n"
            )
        };
        let files = [
            (
                "kedge.yaml",
                format!("project: t\nareas: {{area: {{}}}}\n{project}"),
            ),
            (
                "stacks/dev.yaml",
                "config:\n  t:aiven_project: p\n  t:kafka_service: s\n".to_owned(),
            ),
            (
                "area/kafka-topics.yaml",
                format!("topics:\n{}", (0..topics).map(line).collect::<String>()),
            ),
        ];
        let files = files.map(|(path, text)| (path.to_owned(), text));
        let stack = StackName::new("dev").unwrap();
        let declared = parse(&ParseInput {
            bundle: &Bundle::new(files.into()).unwrap(),
            stack: &stack,
            overrides: &BTreeMap::new(),
            salt: &Salt([0; 16]),
        });
        let declared = declared.unwrap_or_else(|problems| panic!("{problems:?}"));
        let mut state = State::first(stack, Salt([0; 16]), declared.policy.clone());
        state.variables = Some(BTreeSet::new());
        let mut scope = ScopeReading::default();
        for (key, resource) in &declared.resources {
            let record = Recorded {
                fields: resource.values(),
                ..Recorded::default()
            };
            let live = Live {
                fields: resource.values(),
                ..Live::default()
            };
            state.resources.insert(key.clone(), record);
            scope.set_present(key.clone(), live);
        }
        let live = LiveWorld {
            scopes: [(key(0).scope().clone(), scope)].into(),
        };
        Self {
            declared,
            state,
            live,
        }
    }

    fn scope(&mut self) -> &mut ScopeReading {
        self.live.scopes.get_mut(key(0).scope()).unwrap()
    }

    fn live(&self, number: usize) -> Live {
        let reading = self.live.reading(&key(number)).unwrap();
        reading.present().unwrap().clone()
    }

    /// These are gone.
    #[expect(clippy::disallowed_methods, reason = "this test is the provider")]
    fn lose(&mut self, numbers: std::ops::Range<usize>) {
        for number in numbers {
            let proof = Proof::unlisted_and_not_found();
            self.scope().set_absent(key(number), proof);
        }
    }

    /// Somebody set the retention of these.
    fn drift(&mut self, numbers: std::ops::Range<usize>) {
        for number in numbers {
            self.drift_to(number, 1_000);
        }
    }

    fn drift_to(&mut self, number: usize, retention_ms: i64) {
        let mut live = self.live(number);
        let name = FieldName::known("retention_ms");
        live.fields.insert(name, Value::Int(retention_ms));
        self.scope().set_present(key(number), live);
    }

    fn diff(&self, now: Timestamp) -> Comparison {
        compare(CompareInput {
            declared: &self.declared,
            state: Some(&self.state),
            live: &self.live,
            now,
        })
    }

    fn verdict(&self, number: usize, now: Timestamp) -> (Verdict, Option<Cause>) {
        let comparison = self.diff(now);
        let one = &comparison.differences[&key(number)];
        (one.verdict, one.whole)
    }

    fn plan(&self) -> Plan {
        plan(PlanInput {
            declared: &self.declared,
            state: Some(&self.state),
            live: &self.live,
            comparison: &self.diff(NOW),
            overrides: &BTreeSet::new(),
            holds: &[],
            holds_unread: None,
        })
    }

    fn guards(&self) -> Vec<GuardName> {
        let tripped = self.plan().tripped;
        tripped.into_iter().map(|trip| trip.guard).collect()
    }

    /// What automation may do of the plan, given what it did before and since when drift is known.
    fn decide(
        &self,
        automatic: &[AutomaticChange],
        first_seen: &BTreeMap<ResourceKey, (String, Timestamp)>,
    ) -> Decided {
        authorise(
            &self.plan(),
            Authority::Policy {
                first_seen,
                automatic,
                now: NOW,
            },
        )
    }
}

/// A write of ours before which these fields were live; none: the resource was not.
fn catching_up(before: Option<Fields>, until: Timestamp) -> CatchingUp {
    let made = before.is_none();
    let fields = before.into_iter().flatten();
    let fields = fields.map(|(name, value)| (name, vec![Some(value)]));
    CatchingUp {
        made,
        before: fields.collect(),
        until,
        retried: false,
    }
}

/// A change that was begun now, where nothing was.
fn intent(verb: Verb, to: Fields) -> Intent {
    Intent {
        verb,
        at: NOW,
        shown_by: NOW,
        from: None,
        to,
        automatic: None,
        begun_by: None,
        earlier: None,
    }
}

const MISSING: (Verdict, Option<Cause>) = (Verdict::Drifted, Some(Cause::Missing));
const DOUBTED: (Verdict, Option<Cause>) = (Verdict::Unknown, None);

// --- too much gone at once (semantics 3.2)

#[test]
fn so_many_may_be_missing() {
    for (recorded, missing, is_believed) in [
        // A share of 30 %, and no more, once there are 10.
        (9, 9, true),
        (10, 3, true),
        (10, 4, false),
        (20, 6, true),
        (20, 7, false),
        // 20, and no more, however small a share.
        (100, 20, true),
        (100, 21, false),
    ] {
        let mut world = World::of(recorded);
        world.lose(0..missing);
        let expected = if is_believed { MISSING } else { DOUBTED };
        assert_eq!(world.verdict(0, NOW), expected, "{missing} of {recorded}");
        let unread = world.diff(NOW).unread_scopes;
        assert_eq!(unread.is_empty(), is_believed, "{missing} of {recorded}");
    }
}

#[test]
fn what_could_not_be_proven_to_be_gone_counts_as_missing() {
    for (unproven, is_believed) in [(1, true), (2, false)] {
        let mut world = World::of(10);
        world.lose(0..2);
        for number in 2..2 + unproven {
            world.lose(number..number + 1);
            let failure = ReadFailure {
                reason: "more than are looked up one by one".to_owned(),
                permission: None,
                code: FailureCode::MassAbsence,
            };
            world.scope().set_unknown(key(number), failure);
        }
        let expected = if is_believed { MISSING } else { DOUBTED };
        assert_eq!(world.verdict(0, NOW), expected);
        assert_eq!(world.verdict(2, NOW), DOUBTED);
    }
}

/// A provider that forgets a resource makes it unknown, and its scope unread: nothing is created there.
#[test]
fn what_no_answer_was_entered_for_is_unknown() {
    let mut world = World::of(2);
    let mut scope = ScopeReading::default();
    scope.set_present(key(1), world.live(1));
    *world.scope() = scope;
    assert_eq!(world.verdict(0, NOW), DOUBTED);
    assert_eq!(world.verdict(1, NOW), (Verdict::InSync, None));
    let comparison = world.diff(NOW);
    assert_eq!(comparison.unread_scopes, [key(0).scope().clone()]);
    let difference = &comparison.differences[&key(0)];
    assert_eq!(
        difference.failure.as_ref().unwrap().code,
        FailureCode::Inconsistent
    );
    assert!(!comparison.records.contains_key(&key(0)));
}

#[test]
fn what_could_not_be_read_is_not_missing() {
    let mut world = World::of(10);
    world.lose(0..10);
    for number in 3..10 {
        let failure = ReadFailure {
            reason: "503".to_owned(),
            permission: None,
            code: FailureCode::ProviderError,
        };
        world.scope().set_unknown(key(number), failure);
    }
    assert_eq!(world.verdict(0, NOW), MISSING);
}

#[test]
fn what_we_made_a_moment_ago_is_not_missing_yet() {
    for (until_ms, is_believed) in [(1, true), (0, false)] {
        let mut world = World::of(10);
        world.lose(0..4);
        let record = world.state.resources.get_mut(&key(3)).unwrap();
        record.catching_up = Some(catching_up(None, NOW.plus_ms(until_ms)));
        let expected = if is_believed { MISSING } else { DOUBTED };
        assert_eq!(world.verdict(0, NOW), expected, "{until_ms}");
    }
}

#[test]
fn what_a_run_that_broke_off_made_is_one_more_that_is_there() {
    for (begun, expected) in [(false, MISSING), (true, DOUBTED)] {
        let mut world = World::of(10);
        // Nine are recorded, and the tenth is there since a run began to make it.
        let made = world.state.resources.remove(&key(9)).unwrap();
        world.lose(0..4);
        let intents = [(key(9), intent(Verb::Create, made.fields))].into();
        world.state.applying = begun.then_some(Applying {
            run: RunRecord::default(),
            in_history: false,
            intents,
        });
        assert_eq!(world.verdict(0, NOW), expected, "{begun}");
    }
}

#[test]
fn a_confirmed_absence_counts_for_a_day_and_for_itself() {
    for (ago_ms, expected) in [(DAY_MS - 1, MISSING), (DAY_MS, DOUBTED)] {
        let mut world = World::of(20);
        world.lose(0..10);
        let confirmed = (0..10).map(|number| (key(number), NOW.plus_ms(-ago_ms)));
        world.state.absent = confirmed.collect();
        assert_eq!(world.verdict(0, NOW), expected, "{ago_ms}");
    }
    // The rest is judged without them: four of the other ten are more than 30 %.
    let mut world = World::of(20);
    world.lose(0..14);
    world.state.absent = (0..10).map(|number| (key(number), NOW)).collect();
    assert_eq!(world.verdict(0, NOW), MISSING);
    assert_eq!(world.verdict(13, NOW), DOUBTED);
}

// --- our own writes (semantics 3.6)

#[test]
fn how_long_a_write_of_ours_settles() {
    let catching_up = catching_up(None, NOW);
    for (ms, lasts, is_blamed) in [
        (-10 * 60_000 - 1, false, false),
        (-10 * 60_000, true, false),
        (-1, true, false),
        (0, false, true),
        (HOUR_MS - 1, false, true),
        (HOUR_MS, false, false),
    ] {
        let now = NOW.plus_ms(ms);
        assert_eq!(catching_up.lasts(now), lasts, "{ms}");
        assert_eq!(catching_up.is_blamed(now), is_blamed, "{ms}");
    }
}

#[test]
fn how_long_a_change_that_nobody_heard_of_may_show_later() {
    let begun = intent(Verb::Create, Fields::new());
    for (ms, may_show) in [
        (-25 * 60_000 - 1, false),
        (-25 * 60_000, true),
        (-1, true),
        (0, false),
    ] {
        assert_eq!(begun.may_show_later(NOW.plus_ms(ms)), may_show, "{ms}");
    }
}

#[test]
fn so_many_attempts_and_old_values_are_remembered() {
    let begun = |number: i64| Intent {
        at: NOW.plus_ms(number),
        ..intent(Verb::Create, Fields::new())
    };
    let last = (1..6).fold(begun(0), |earlier, number| begun(number).after(earlier));
    let at: Vec<i64> = last.attempts().map(|one| one.at.ms_since(NOW)).collect();
    assert_eq!(at, [5, 4, 3, 2]);
    let mut catching_up = catching_up(None, NOW);
    let name = FieldName::known("retention_ms");
    for number in (0..10).chain([9]) {
        catching_up.may_show(&name, Some(&Value::Int(number)));
    }
    let shows = |number: i64| catching_up.is_from_before(&name, Some(&Value::Int(number)));
    let shown: Vec<i64> = (0..12).filter(|number| shows(*number)).collect();
    assert_eq!(shown, [2, 3, 4, 5, 6, 7, 8, 9]);
}

#[test]
fn an_old_value_after_our_write_settles_then_did_not_take_and_then_is_drift() {
    for (ms, expected) in [
        (-1, (Verdict::CatchingUp, 0)),
        (0, (Verdict::Drifted, 1)),
        (HOUR_MS - 1, (Verdict::Drifted, 1)),
        (HOUR_MS, (Verdict::Drifted, 0)),
    ] {
        let mut world = World::of(1);
        world.drift(0..1);
        let before = world.live(0).fields;
        let record = world.state.resources.get_mut(&key(0)).unwrap();
        record.catching_up = Some(catching_up(Some(before), NOW));
        let comparison = world.diff(NOW.plus_ms(ms));
        let one = &comparison.differences[&key(0)];
        assert_eq!((one.verdict, one.notes.len()), expected, "{ms}");
    }
}

#[test]
fn a_consent_to_a_replacement_lasts_an_hour_either_way() {
    let fields = Fields::new();
    let intent = intent(Verb::Replace, fields.clone());
    for (ms, holds) in [
        (0, true),
        (HOUR_MS - 1, true),
        (HOUR_MS, false),
        (1 - HOUR_MS, true),
        (-HOUR_MS, false),
    ] {
        let now = NOW.plus_ms(ms);
        assert_eq!(intent.is_replacement_by(&fields, now), holds, "{ms}");
    }
    assert_eq!(Grant::LASTS_MS, HOUR_MS);
}

// --- guards (semantics 6.7)

#[test]
fn so_many_changes_may_be_made_at_once() {
    for (changes, expected) in [(100, vec![]), (101, vec![GuardName::Changes])] {
        let mut world = World::of(350);
        world.drift(0..changes);
        assert_eq!(world.guards(), expected, "{changes}");
    }
}

#[test]
fn so_large_a_share_of_a_kind_may_change() {
    for (recorded, changes, expected) in [
        (9, 9, vec![]),
        (10, 3, vec![]),
        (10, 4, vec![GuardName::Share]),
        (11, 3, vec![]),
        (11, 4, vec![GuardName::Share]),
    ] {
        let mut world = World::of(recorded);
        world.drift(0..changes);
        assert_eq!(world.guards(), expected, "{changes} of {recorded}");
    }
}

#[test]
fn so_many_may_be_made_for_the_first_time() {
    for (creates, expected) in [(500, vec![]), (501, vec![GuardName::Creates])] {
        let mut world = World::of(creates);
        world.lose(0..creates);
        world.state.resources.clear();
        assert_eq!(world.guards(), expected, "{creates}");
    }
    // They count for no other guard.
    let mut world = World::of(130);
    for number in 10..130 {
        world.lose(number..number + 1);
        world.state.resources.remove(&key(number));
    }
    world.drift(0..3);
    assert_eq!(world.guards(), []);
}

#[test]
fn the_limits_are_those_of_the_docs() {
    let guards = Guards::default();
    assert_eq!(
        [
            guards.changes_max,
            guards.share_percent_max,
            guards.creates_max,
            guards.daily_automatic_max,
        ],
        [100, 30, 500, 100]
    );
    let policy = Policy::default();
    assert_eq!(
        (policy.correct, policy.deploy),
        (Allowance::None, Allowance::None)
    );
    assert_eq!(policy.correct_after_ms, 15 * 60_000);
}
