//! Each rule of semantics 6.1, and each pair of special values.

use super::*;

fn risk(kind: Kind, field: &'static str, live: Value, to: Value) -> String {
    match effect_of_setting(
        kind,
        &FieldName::known(field),
        Some(&live),
        &to,
        OtherFields::default(),
    ) {
        Effect::InPlace { risk, .. } => risk.as_str().to_owned(),
        Effect::Replace { .. } => "replace".to_owned(),
        Effect::Impossible { .. } => "impossible".to_owned(),
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table: one row a rule")]
fn the_rules_of_6_1() {
    use Kind::{DnsRecordSet, KafkaTopic, PubsubSubscription, PubsubTopic};
    use Value::{Bool, Int};
    let text = |word: &str| Value::text(word);
    let rows = [
        (KafkaTopic, "retention_ms", Int(1), Int(2), "safe"),
        (KafkaTopic, "retention_ms", Int(2), Int(1), "destructive"),
        (KafkaTopic, "retention_ms", Int(-1), Int(1), "destructive"),
        (KafkaTopic, "retention_ms", Int(1), Int(-1), "safe"),
        (
            KafkaTopic,
            "retention_bytes",
            Int(-1),
            Int(1),
            "destructive",
        ),
        (
            KafkaTopic,
            "local_retention_ms",
            Int(-2),
            Int(1),
            "destructive",
        ),
        (KafkaTopic, "local_retention_bytes", Int(1), Int(-2), "safe"),
        (
            KafkaTopic,
            "cleanup_policy",
            text("delete"),
            text("compact"),
            "destructive",
        ),
        (KafkaTopic, "partitions", Int(1), Int(2), "disruptive"),
        (KafkaTopic, "partitions", Int(2), Int(1), "impossible"),
        (KafkaTopic, "replication", Int(2), Int(3), "disruptive"),
        (KafkaTopic, "replication", Int(3), Int(2), "disruptive"),
        (
            KafkaTopic,
            "min_insync_replicas",
            Int(1),
            Int(2),
            "disruptive",
        ),
        (KafkaTopic, "min_insync_replicas", Int(2), Int(1), "safe"),
        (
            KafkaTopic,
            "max_message_bytes",
            Int(2),
            Int(1),
            "disruptive",
        ),
        (KafkaTopic, "max_message_bytes", Int(1), Int(2), "safe"),
        (
            KafkaTopic,
            "compression_type",
            text("gzip"),
            text("snappy"),
            "safe",
        ),
        (
            KafkaTopic,
            "remote_storage_enable",
            Bool(true),
            Bool(false),
            "impossible",
        ),
        (
            PubsubTopic,
            "message_retention",
            Value::seconds(2),
            Value::seconds(1),
            "destructive",
        ),
        (
            PubsubSubscription,
            "expiration",
            text("never"),
            Value::seconds(1),
            "destructive",
        ),
        (
            PubsubSubscription,
            "expiration",
            Value::seconds(1),
            text("never"),
            "safe",
        ),
        (
            PubsubSubscription,
            "push_endpoint",
            text("pull"),
            text("x"),
            "disruptive",
        ),
        (
            PubsubSubscription,
            "ack_deadline_seconds",
            Int(10),
            Int(20),
            "disruptive",
        ),
        (
            PubsubSubscription,
            "retain_acked_messages",
            Bool(true),
            Bool(false),
            "destructive",
        ),
        (PubsubSubscription, "topic", text("a"), text("b"), "replace"),
        (
            PubsubSubscription,
            "filter",
            text("a"),
            text("b"),
            "replace",
        ),
        (DnsRecordSet, "ttl", Int(60), Int(300), "safe"),
        (
            DnsRecordSet,
            "proxied",
            Bool(true),
            Bool(false),
            "disruptive",
        ),
    ];
    for (kind, field, live, to, expected) in rows {
        let name = format!("{field} {live} → {to}");
        assert_eq!(risk(kind, field, live, to), expected, "{name}");
    }
}

#[test]
fn special_values_of_record_sets() {
    use Value::{Bool, Int};
    let mixed = |parts: [Value; 2]| {
        let names = ["192.0.2.1", "192.0.2.2"].map(str::to_owned);
        Value::Mixed(names.into_iter().zip(parts).collect())
    };
    // Automatic, which Cloudflare serves as 300 s today; the least and most that a zone takes; what
    // only Enterprise zones take; records that disagree.
    let ttls = [
        Int(1),
        Int(30),
        Int(60),
        Int(300),
        Int(86_400),
        mixed([Int(1), Int(300)]),
    ];
    for live in &ttls {
        for to in ttls.iter().take(5).filter(|to| *to != live) {
            let found = risk(Kind::DnsRecordSet, "ttl", live.clone(), to.clone());
            assert_eq!(found, "safe", "{live} → {to}");
        }
    }
    let flags = [Bool(true), Bool(false), mixed([Bool(true), Bool(false)])];
    for live in &flags {
        for to in flags.iter().take(2).filter(|to| *to != live) {
            let found = risk(Kind::DnsRecordSet, "proxied", live.clone(), to.clone());
            assert_eq!(found, "disruptive", "{live} → {to}");
        }
    }
}

#[test]
fn a_first_value() {
    let name = FieldName::known("message_retention");
    let to = Value::seconds(600);
    let effect = |kind| match effect_of_setting(kind, &name, None, &to, OtherFields::default()) {
        Effect::InPlace { risk, .. } => risk,
        other => panic!("{other:?}"),
    };
    // A topic without one retains nothing; a subscription always shows one.
    assert_eq!(effect(Kind::PubsubTopic), Risk::Safe);
    assert_eq!(effect(Kind::PubsubSubscription), Risk::Destructive);
}

#[test]
fn partitions_of_a_compacted_topic() {
    let policy = Value::text("compact,delete");
    let name = FieldName::known("partitions");
    let others = OtherFields {
        worse: Some(&policy),
        ..OtherFields::default()
    };
    let (one, two) = (Value::Int(1), Value::Int(2));
    let effect = effect_of_setting(Kind::KafkaTopic, &name, Some(&one), &two, others);
    assert!(matches!(
        effect,
        Effect::InPlace {
            risk: Risk::Destructive,
            one_way: true,
            ..
        }
    ));
}

#[test]
fn what_cannot_be_undone() {
    let one_way = |field, live: Option<Value>, to: Value| {
        let name = FieldName::known(field);
        let others = OtherFields::default();
        match effect_of_setting(Kind::KafkaTopic, &name, live.as_ref(), &to, others) {
            Effect::InPlace { one_way, .. } => Some(one_way),
            _ => None,
        }
    };
    let (on, off) = (Value::Bool(true), Value::Bool(false));
    for (field, live, to, expected) in [
        ("partitions", Some(Value::Int(1)), Value::Int(2), Some(true)),
        ("partitions", Some(Value::Int(2)), Value::Int(1), None),
        ("diskless_enable", Some(off.clone()), on.clone(), Some(true)),
        ("diskless_enable", None, on.clone(), Some(true)),
        ("diskless_enable", None, off.clone(), Some(false)),
        ("remote_storage_enable", None, on.clone(), Some(true)),
        ("preallocate", None, on, Some(false)),
        (
            "replication",
            Some(Value::Int(1)),
            Value::Int(2),
            Some(false),
        ),
    ] {
        assert_eq!(
            one_way(field, live.clone(), to.clone()),
            expected,
            "{field} {live:?} {to}"
        );
    }
}

/// Local retention, by what the whole one is live and is to be.
#[test]
fn local_retention_beside_the_whole_one() {
    const DAY: i64 = 86_400_000;
    let risk = |[live, to]: [i64; 2], [whole, then]: [i64; 2]| {
        let name = FieldName::known("local_retention_ms");
        let [live, to, whole, then] = [live, to, whole, then].map(Value::Int);
        let others = OtherFields {
            followed: Some(&whole),
            followed_then: Some(&then),
            ..OtherFields::default()
        };
        match effect_of_setting(Kind::KafkaTopic, &name, Some(&live), &to, others) {
            Effect::InPlace { risk, .. } => risk,
            other => panic!("{other:?}"),
        }
    };
    use Risk::{Destructive, Safe};
    for (change, whole, expected) in [
        // As the whole, which stays 7 days.
        ([-2, 7 * DAY], [7 * DAY, 7 * DAY], Safe),
        ([-2, 9 * DAY], [7 * DAY, 7 * DAY], Safe),
        ([-2, -1], [7 * DAY, 7 * DAY], Safe),
        ([-2, DAY], [7 * DAY, 7 * DAY], Destructive),
        ([-2, 0], [7 * DAY, 7 * DAY], Destructive),
        ([7 * DAY, -2], [7 * DAY, 7 * DAY], Safe),
        ([DAY, -2], [7 * DAY, 7 * DAY], Safe),
        // The whole has no limit.
        ([-2, -1], [-1, -1], Safe),
        ([-1, -2], [-1, -1], Safe),
        ([-2, i64::MAX], [-1, -1], Safe),
        ([-2, DAY], [-1, -1], Destructive),
        ([-1, DAY], [-1, -1], Destructive),
        ([i64::MAX, i64::MAX - 1], [-1, -1], Destructive),
        ([DAY, -1], [-1, -1], Safe),
        // The whole changes too.
        ([-2, 7 * DAY], [7 * DAY, 14 * DAY], Safe),
        ([-2, 7 * DAY], [14 * DAY, 7 * DAY], Destructive),
        ([-2, 2 * DAY], [DAY, 7 * DAY], Safe),
        ([2 * DAY, -2], [7 * DAY, DAY], Destructive),
        ([2 * DAY, -2], [7 * DAY, 3 * DAY], Safe),
    ] {
        assert_eq!(risk(change, whole), expected, "{change:?} {whole:?}");
    }
}

/// Each field's special values and ordinary ones, from least to most, in steps of what means the same.
const LINES: &[(&str, &[&[i64]])] = &[
    (
        "retention_ms",
        &[&[0], &[1], &[604_800_000], &[i64::MAX - 1], &[-1, i64::MAX]],
    ),
    (
        "retention_bytes",
        &[&[0], &[1], &[1 << 30], &[i64::MAX - 1], &[-1, i64::MAX]],
    ),
    (
        "local_retention_ms",
        &[
            &[0],
            &[1],
            &[604_800_000],
            &[i64::MAX - 1],
            &[-2, -1, i64::MAX],
        ],
    ),
    (
        "local_retention_bytes",
        &[&[0], &[1], &[1 << 30], &[i64::MAX - 1], &[-2, -1, i64::MAX]],
    ),
];

#[test]
fn lowering_a_retention_is_destructive_and_nothing_else_is() {
    use Kind::KafkaTopic;
    for &(field, line) in LINES {
        for (at, from) in line.iter().enumerate() {
            for (then, to) in line.iter().enumerate() {
                for (live, to) in from.iter().flat_map(|a| to.iter().map(move |b| (*a, *b))) {
                    let expected = if then < at { "destructive" } else { "safe" };
                    let risk = risk(KafkaTopic, field, Value::Int(live), Value::Int(to));
                    assert_eq!(risk, expected, "{field} {live} → {to}");
                }
            }
        }
        // No row says what these mean, so the worse is assumed.
        for strange in [-3, i64::MIN] {
            for (live, to) in [(strange, 1), (1, strange), (strange, -1)] {
                let risk = risk(KafkaTopic, field, Value::Int(live), Value::Int(to));
                assert_eq!(risk, "destructive", "{field} {live} → {to}");
            }
        }
    }
}

#[test]
fn every_pair_of_special_values_has_a_risk() {
    use Kind::KafkaTopic;
    let policies = [
        "delete",
        "compact",
        "compact,delete",
        "delete,compact",
        "compact_and_delete",
    ];
    let codecs = ["producer", "uncompressed", "none", "gzip"];
    for (field, words, differing) in [
        ("cleanup_policy", &policies[..], "destructive"),
        ("compression_type", &codecs[..], "safe"),
    ] {
        let spec = field_spec(KafkaTopic, &FieldName::known(field)).unwrap();
        for (live, to) in words.iter().flat_map(|a| words.iter().map(move |b| (a, b))) {
            let [live, to] = [live, to].map(|word| spec.canonical(Value::text(*word)));
            let expected = if live == to { "safe" } else { differing };
            assert_eq!(
                risk(KafkaTopic, field, live.clone(), to.clone()),
                expected,
                "{live} → {to}"
            );
        }
    }
    for spec in crate::model::field_specs(KafkaTopic) {
        let numbers = spec
            .special
            .iter()
            .filter_map(|special| match special.spelling {
                crate::model::Spelling::Number(number) => Some(number),
                _ => None,
            });
        let is_in_a_line = LINES.iter().any(|(field, _)| *field == spec.name);
        for number in numbers.filter(|_| !is_in_a_line) {
            for (live, to) in [(number, 1), (1, number), (number, number)] {
                let risk = risk(KafkaTopic, spec.name, Value::Int(live), Value::Int(to));
                assert_eq!(risk, "safe", "{} {live} → {to}", spec.name);
            }
        }
    }
}
