//! What holds of every plan: equal worlds differ in nothing, nothing that can't be taken back is
//! approved without consent, and the digest moves with what it covers and with nothing else.
#![expect(
    clippy::unwrap_used,
    reason = "a property that can't be tried has failed"
)]

use std::collections::{BTreeMap, BTreeSet};

use kedge_core::change::{Applied, Verb};
use kedge_core::compare::{CompareInput, Comparison, Verdict, compare};
use kedge_core::live::{Live, LiveWorld, Proof, ScopeReading};
use kedge_core::model::{
    Allowance, ByField, CatchingUp, Declared, DeclaredField, DeclaredResource, FieldName, Fields,
    Origin, Policy, Recorded, ResourceKey, Salt, SealedUrl, StackConfig, StackName, Timestamp,
    Value,
};
use kedge_core::plan::{Authority, Plan, PlanInput, authorise, plan};
use kedge_core::record;
use kedge_core::risk::Risk;
use kedge_core::state::{Applying, AutomaticChange, BegunBy, Intent, State, decode, encode};
use kedge_core::stored::TIME_MS_MAX;
use kedge_core::stored::run::RunRecord;
use proptest::prelude::*;

const NOW: Timestamp = Timestamp(1_000_000);

/// Declared, recorded and live of each resource.
type Worlds = BTreeMap<u8, [Option<Fields>; 3]>;

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        (1..4_i64).prop_map(Value::Int),
        Just(Value::Int(-1)),
        prop_oneof!["delete", "compact"].prop_map(Value::text),
    ]
}

fn some_fields() -> impl Strategy<Value = Fields> {
    let names = [
        "retention_ms",
        "partitions",
        "max_message_bytes",
        "cleanup_policy",
    ];
    let name = prop::sample::select(names.to_vec()).prop_map(FieldName::known);
    prop::collection::btree_map(name, value(), 0..4).prop_map(|map| map.into_iter().collect())
}

fn worlds() -> impl Strategy<Value = Worlds> {
    let cell = || prop::option::weighted(0.8, some_fields());
    prop::collection::btree_map(0..8_u8, [cell(), cell(), cell()], 0..6)
}

fn policy() -> impl Strategy<Value = Policy> {
    let allowance = || {
        prop::sample::select(vec![
            Allowance::None,
            Allowance::Safe,
            Allowance::Disruptive,
        ])
    };
    (allowance(), allowance(), any::<bool>(), any::<bool>()).prop_map(
        |(correct, deploy, protected, prune)| Policy {
            correct,
            deploy,
            correct_after_ms: 0,
            protected,
            prune,
            ..Policy::default()
        },
    )
}

/// Sets of members and of addresses, with what a record set has besides.
fn worlds_of_sets() -> impl Strategy<Value = Worlds> {
    let items =
        || prop::collection::btree_set(prop::sample::select(vec!["a", "b", "c", "d"]), 1..4);
    let members = move || {
        let of = |items| Fields::from_iter([(FieldName::known("members"), Value::set(items))]);
        prop::option::weighted(0.8, items().prop_map(of))
    };
    let record_set = move || {
        let of = |(items, ttl, proxied)| {
            Fields::from_iter([
                (FieldName::known("addresses"), Value::set(items)),
                (FieldName::known("ttl"), Value::Int(ttl)),
                (FieldName::known("proxied"), Value::Bool(proxied)),
            ])
        };
        prop::option::weighted(0.8, (items(), 300..303_i64, any::<bool>()).prop_map(of))
    };
    let bindings = prop::collection::btree_map(BINDINGS, [members(), members(), members()], 0..4);
    let nodes =
        prop::collection::btree_map(NODES, [record_set(), record_set(), record_set()], 0..4);
    (bindings, nodes).prop_map(|(bindings, nodes)| bindings.into_iter().chain(nodes).collect())
}

/// The numbers that mean bindings and record sets; others mean Kafka topics.
const BINDINGS: std::ops::Range<u8> = 20..24;
const NODES: std::ops::Range<u8> = 30..34;

fn key(number: u8) -> ResourceKey {
    let name = format!("dev-{number}");
    match number {
        n if BINDINGS.contains(&n) => {
            ResourceKey::pubsub_binding("p", &name, "roles/pubsub.publisher")
        }
        n if NODES.contains(&n) => {
            ResourceKey::dns_record_set("z", &format!("{name}.example"), "A")
        }
        _ => ResourceKey::kafka_topic("p", "s", &name),
    }
}

fn declared(worlds: &Worlds, policy: &Policy) -> Declared {
    let origin = || Origin {
        file: "f.yaml".into(),
        line: 1,
        is_default: false,
    };
    let field = |(name, value): (&FieldName, &Value)| {
        (
            name.clone(),
            DeclaredField {
                value: value.clone(),
                origin: origin(),
            },
        )
    };
    let resource = |(number, [fields, _, _]): (&u8, &[Option<Fields>; 3])| {
        let fields = fields.as_ref()?.iter().map(field).collect();
        let resource = DeclaredResource {
            key: key(*number),
            fields,
            secrets: ByField::new(),
            config_keys: BTreeSet::new(),
            origin: origin(),
            exclusive: number % 2 == 0,
            authoritative: number % 2 == 0,
            on_missing: None,
        };
        Some((key(*number), resource))
    };
    Declared {
        stack: StackName::new("dev").unwrap(),
        revision: String::new(),
        files_read: 1,
        config: StackConfig::default(),
        policy: policy.clone(),
        check_every: kedge_core::model::CheckEvery::default(),
        resources: worlds.iter().filter_map(resource).collect(),
        ignore_rules: Vec::new(),
        unused: Vec::new(),
        config_keys: BTreeSet::new(),
        variables: BTreeSet::new(),
    }
}

fn state(worlds: &Worlds, policy: &Policy) -> State {
    let mut state = State::first(
        StackName::new("dev").unwrap(),
        Salt([1; 16]),
        policy.clone(),
    );
    for (number, [_, recorded, _]) in worlds {
        if let Some(fields) = recorded.clone() {
            let record = Recorded {
                fields,
                ..Recorded::default()
            };
            state.resources.insert(key(*number), record);
        }
    }
    state
}

#[expect(clippy::disallowed_methods, reason = "this test is the provider")]
const UNLISTED: Proof = Proof::unlisted_and_not_found();

fn live_of(fields: Fields) -> Live {
    Live {
        fields,
        ..Live::default()
    }
}

fn live(worlds: &Worlds) -> LiveWorld {
    let mut world = LiveWorld {
        scopes: BTreeMap::from([(key(0).scope().clone(), ScopeReading::default())]),
    };
    for (number, [_, _, live]) in worlds {
        let key = key(*number);
        let scope = world.scopes.entry(key.scope().clone()).or_default();
        match live.clone() {
            Some(fields) => scope.set_present(key, live_of(fields)),
            None => scope.set_absent(key, UNLISTED),
        }
    }
    world
}

fn planned_of(
    declared: &Declared,
    state: &State,
    live: &LiveWorld,
    now: Timestamp,
) -> (Comparison, Plan) {
    let state = Some(state);
    let comparison = compare(CompareInput {
        declared,
        state,
        live,
        now,
    });
    let overrides = BTreeSet::new();
    let made = plan(PlanInput {
        declared,
        state,
        live,
        comparison: &comparison,
        overrides: &overrides,
        holds: &[],
        holds_unread: None,
    });
    (comparison, made)
}

fn planned(worlds: &Worlds, policy: &Policy) -> (Comparison, Plan) {
    planned_of(
        &declared(worlds, policy),
        &state(worlds, policy),
        &live(worlds),
        NOW,
    )
}

fn automation() -> Authority<'static> {
    static NONE: BTreeMap<ResourceKey, (String, Timestamp)> = BTreeMap::new();
    Authority::Policy {
        first_seen: &NONE,
        automatic: &[],
        now: NOW,
    }
}

fn name_typed() -> Authority<'static> {
    static NONE: BTreeSet<ResourceKey> = BTreeSet::new();
    Authority::Person {
        allowed: &NONE,
        policy_allowed: true,
        name_typed: true,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases / 2))]

    #[test]
    fn equal_worlds_differ_in_nothing(worlds in worlds(), policy in policy()) {
        let equal = worlds
            .into_iter()
            .map(|(number, [declared, _, _])| (number, [declared.clone(), declared.clone(), declared]))
            .collect();
        let (comparison, made) = planned(&equal, &policy);
        prop_assert!(comparison.differences.values().all(|one| one.verdict == Verdict::InSync));
        prop_assert!(comparison.records.is_empty() && comparison.unmanaged.is_empty());
        prop_assert!(made.changes.is_empty() && made.findings.is_empty());
    }

    #[test]
    fn nothing_destructive_is_approved_without_consent(worlds in worlds(), policy in policy()) {
        let (_, made) = planned(&worlds, &policy);
        let none = BTreeMap::new();
        let tick = Authority::Policy { first_seen: &none, automatic: &[], now: NOW };
        let nobody = BTreeSet::new();
        let person = |allowed| Authority::Person { allowed, policy_allowed: true, name_typed: false };
        for authority in [tick, person(&nobody)] {
            let decided = authorise(&made, authority);
            prop_assert!(decided.approved().all(|one| one.risk < Risk::Destructive));
            prop_assert!(decided.approved().all(|one| one.change.verb != Verb::Delete));
        }
        // One key covers that key; on a protected stack it covers nothing.
        let destructive = made.changes.iter().find(|one| one.risk() == Risk::Destructive);
        if let Some(one) = destructive {
            let allowed = BTreeSet::from([one.change.key.clone()]);
            let decided = authorise(&made, person(&allowed));
            let approved = decided.approved().filter(|one| one.risk == Risk::Destructive);
            let keys: Vec<_> = approved.map(|one| &one.change.key).collect();
            let expected = if policy.protected || !made.tripped.is_empty() { vec![] } else { vec![&one.change.key] };
            prop_assert_eq!(keys, expected);
        }
    }

    #[test]
    fn each_step_of_the_plan_keeps_its_decision(worlds in worlds(), more in worlds_of_sets(), policy in policy()) {
        let worlds = worlds.into_iter().chain(more).collect();
        let (_, made) = planned(&worlds, &policy);
        for decided in [authorise(&made, automation()), authorise(&made, name_typed())] {
            prop_assert!(decided.changes.iter().map(|change| &change.planned).eq(&made.changes));
            for change in &decided.changes {
                prop_assert!(change.steps.iter().map(|one| &one.step).eq(&change.planned.steps));
                let approved = change.steps.iter().filter(|one| one.decision.left().is_none());
                let edits: Vec<_> = approved.clone().filter_map(|one| one.step.edit.clone()).collect();
                prop_assert_eq!(change.approved.is_some(), approved.count() > 0);
                prop_assert_eq!(change.approved.as_ref().map_or(vec![], |own| own.change.edits.clone()), edits);
            }
            let steps = decided.changes.iter().flat_map(|change| &change.steps);
            prop_assert_eq!(decided.left().count(), steps.filter(|one| one.decision.left().is_some()).count());
        }
    }

    #[test]
    fn what_is_recorded_is_what_the_intent_said(worlds in worlds(), more in worlds_of_sets(), policy in policy()) {
        let worlds = worlds.into_iter().chain(more).collect();
        let (_, made) = planned(&worlds, &policy);
        for decided in [authorise(&made, automation()), authorise(&made, name_typed())] {
            for approved in decided.approved() {
                let key = &approved.change.key;
                let intent = record::intent(approved, None, true, NOW, NOW.plus_ms(1));
                let mut state = state(&worlds, &policy);
                let mut intents = BTreeMap::new();
                record::begin(&mut intents, approved, intent.clone());
                state.applying = Some(Applying { run: RunRecord::default(), in_history: false, intents });
                record::done(&mut state, approved, &Applied::default(), NOW);
                let record = state.resources.get(key);
                prop_assert_eq!(record.is_none(), intent.verb == Verb::Delete);
                let recorded = |name| record.and_then(|record| record.fields.get(name));
                for (name, to) in &intent.to {
                    prop_assert_eq!(recorded(name), Some(to), "{} {}", key, name);
                }
            }
        }
    }

    #[test]
    fn the_digest_covers_what_it_says_and_nothing_else(worlds in worlds(), other in some_fields(), policy in policy()) {
        let (_, made) = planned(&worlds, &policy);
        let mut state = state(&worlds, &policy);
        let (declared, mut live) = (declared(&worlds, &policy), live(&worlds));
        state.serial += 7;
        state.nonce = "other".to_owned();
        let scope = live.scopes.values_mut().next().unwrap();
        let foreign = ResourceKey::kafka_topic("p", "s", "dev-foreign");
        scope.set_present(foreign, live_of(other));
        let (_, again) = planned_of(&declared, &state, &live, NOW.plus_ms(999));
        prop_assert_eq!(&again.digest, &made.digest);
        prop_assert!(again.summary.moved_since(&made.summary).is_empty());

        let mut stricter = declared.clone();
        stricter.policy.guards.changes_max = 99;
        prop_assert_ne!(planned_of(&stricter, &state, &live, NOW).1.digest, made.digest.clone());
        for one in &made.changes {
            let key = &one.change.key;
            let mut moved = live.clone();
            let scope = moved.scopes.values_mut().next().unwrap();
            let name = declared.resources.get(key).and_then(|one| one.fields.keys().next());
            let Some((live, name)) = scope.reading(key).present().zip(name) else { continue };
            let mut live = live.clone();
            live.fields.insert(name.clone(), Value::Int(77));
            scope.set_present(key.clone(), live);
            let (_, plan) = planned_of(&declared, &state, &moved, NOW);
            prop_assert_ne!(&plan.digest, &made.digest);
            prop_assert_eq!(plan.summary.moved_since(&made.summary), vec![key.to_string()]);
        }
    }

    #[test]
    fn a_state_survives_storage(worlds in worlds(), policy in policy(), at in 0..=TIME_MS_MAX, retried in any::<bool>(), text in "[a-z0-9]{1,12}") {
        let mut state = state(&worlds, &policy);
        let url = format!("https://u:{text}@h.example/p?{text}#{text}");
        let url = SealedUrl::seal(&url, &state.salt).unwrap();
        for (key, record) in &mut state.resources {
            let values = |(name, value): (&FieldName, &Value)| (name.clone(), vec![None, Some(value.clone())]);
            let before = record.fields.iter().map(values).collect();
            record.catching_up = Some(CatchingUp { made: retried, before, until: Timestamp(at), retried });
            record.pending_adoption = record.fields.clone();
            record.fields.insert(FieldName::known("push_endpoint"), Value::url(url.clone()));
            record.fields.insert(FieldName::new(text.clone()), Value::set([text.clone()]));
            let change = AutomaticChange { at: Timestamp(at), key: key.clone(), fingerprint: text.clone(), first_create: retried };
            state.automatic.push(change);
        }
        let intents = state.resources.iter().map(|(key, record)| {
            let verb = if retried { Verb::Replace } else { Verb::Delete };
            let automatic = state.automatic.first().cloned();
            let begun_by = retried.then(|| BegunBy { run: "1-2".to_owned(), actor: "ana@laptop".to_owned() });
            let intent = Intent { verb, begun_by, at: Timestamp(at), shown_by: Timestamp(at), from: None, to: record.fields.clone(), automatic, earlier: None };
            (key.clone(), intent.clone().after(intent))
        });
        let run = RunRecord { id: text, ..RunRecord::default() };
        state.applying = Some(Applying { run, in_history: retried, intents: intents.collect() });
        let bytes = encode(&state).unwrap();
        prop_assert_eq!(decode(&bytes, &state.stack).unwrap(), state);
    }

    #[test]
    fn a_state_with_a_time_that_is_none_is_not_written(worlds in worlds(), policy in policy(), at in any::<i64>()) {
        let mut state = state(&worlds, &policy);
        state.retired = Some(Timestamp(at));
        let is_time = (0..=TIME_MS_MAX).contains(&at);
        prop_assert_eq!(encode(&state).is_ok(), is_time);
    }
}
