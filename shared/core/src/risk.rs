//! What a change risks (semantics 6.1), from the table of fields.

use crate::model::{FieldName, FieldSpec, Kind, RiskRule, Shape, Value, field_spec};

/// How bad a change can be. Ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Risk {
    /// It can be taken back and disturbs nobody.
    Safe,
    /// It can be taken back, but is felt.
    Disruptive,
    /// It can't be taken back.
    Destructive,
}

impl Risk {
    /// The word in plans, JSON and messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Safe => "safe",
            Self::Disruptive => "disruptive",
            Self::Destructive => "destructive",
        }
    }
}

/// What setting a field would mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It is done in place.
    InPlace {
        /// How bad it can be.
        risk: Risk,
        /// What to know about it; empty if nothing.
        says: &'static str,
    },
    /// The resource must be deleted and made again.
    Replace {
        /// Why, and what is lost.
        says: &'static str,
    },
    /// The provider can't.
    Impossible {
        /// Why.
        says: &'static str,
    },
}

/// More partitions move the keys of a compacted topic, so that old values are never compacted away.
const COMPACTED: &str =
    "the topic is compacted: keys move to other partitions and stale values stay for ever";

/// What setting `field` from its live value to `to` means. `cleanup_policy` is the topic's live one.
#[must_use]
pub fn effect_of_setting(
    kind: Kind,
    field: &FieldName,
    live: Option<&Value>,
    to: &Value,
    cleanup_policy: Option<&Value>,
) -> Effect {
    let Some(spec) = field_spec(kind, field) else {
        return Effect::InPlace {
            risk: Risk::Safe,
            says: "",
        };
    };
    let rule = match direction(kind, spec, live, to) {
        Direction::Up => spec.raised,
        Direction::Down => spec.lowered,
        Direction::Neither => worse(spec.raised, spec.lowered),
    };
    let is_compacted = cleanup_policy
        .and_then(Value::as_text)
        .is_some_and(|policy| policy.contains("compact"));
    match rule {
        RiskRule::Safe => Effect::InPlace {
            risk: Risk::Safe,
            says: "",
        },
        RiskRule::SafeBut(says) => Effect::InPlace {
            risk: Risk::Safe,
            says,
        },
        RiskRule::Disruptive(_) if spec.name == "partitions" && is_compacted => Effect::InPlace {
            risk: Risk::Destructive,
            says: COMPACTED,
        },
        RiskRule::Disruptive(says) => Effect::InPlace {
            risk: Risk::Disruptive,
            says,
        },
        RiskRule::Destructive(says) => Effect::InPlace {
            risk: Risk::Destructive,
            says,
        },
        RiskRule::Impossible(says) => Effect::Impossible { says },
        RiskRule::Replace(says) => Effect::Replace { says },
    }
}

enum Direction {
    Up,
    Down,
    Neither,
}

fn direction(kind: Kind, spec: &FieldSpec, live: Option<&Value>, to: &Value) -> Direction {
    match (live.and_then(|live| rank(spec, live)), rank(spec, to)) {
        (Some(live), Some(to)) if to > live => Direction::Up,
        (Some(live), Some(to)) if to < live => Direction::Down,
        (None, Some(_)) if live.is_none() && is_least_when_absent(kind, spec) => Direction::Up,
        _ => Direction::Neither,
    }
}

/// Whether no value at all is the least there is: a flag that is not set, and a Pub/Sub topic that
/// retains nothing (v1 discovery, `Topic.messageRetentionDuration`).
fn is_least_when_absent(kind: Kind, spec: &FieldSpec) -> bool {
    matches!(spec.shape, Shape::Bool)
        || (kind == Kind::PubsubTopic && spec.name == "message_retention")
}

/// The value on a line from least to most; none where there is no such line. Negative numbers of
/// retention mean "no limit" or "as the topic's", which is the most.
fn rank(spec: &FieldSpec, value: &Value) -> Option<i64> {
    match value {
        Value::Int(number)
            if *number < 0 && matches!(spec.shape, Shape::Int { min, .. } if min < 0) =>
        {
            Some(i64::MAX)
        }
        Value::Int(number) | Value::Ratio(number) | Value::Duration(number) => Some(*number),
        Value::Bool(flag) => Some(i64::from(*flag)),
        Value::Text(text) if text == "never" => Some(i64::MAX),
        _ => None,
    }
}

fn worse(a: RiskRule, b: RiskRule) -> RiskRule {
    let weight = |rule: &RiskRule| match rule {
        RiskRule::Safe => 0,
        RiskRule::SafeBut(_) => 1,
        RiskRule::Disruptive(_) => 2,
        RiskRule::Destructive(_) => 3,
        RiskRule::Replace(_) => 4,
        RiskRule::Impossible(_) => 5,
    };
    if weight(&a) >= weight(&b) { a } else { b }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn risk(kind: Kind, field: &'static str, live: Value, to: Value) -> String {
        match effect_of_setting(kind, &FieldName::known(field), Some(&live), &to, None) {
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
        let effect = |kind| match effect_of_setting(kind, &name, None, &to, None) {
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
        let (one, two) = (Value::Int(1), Value::Int(2));
        let effect = effect_of_setting(Kind::KafkaTopic, &name, Some(&one), &two, Some(&policy));
        assert!(matches!(
            effect,
            Effect::InPlace {
                risk: Risk::Destructive,
                ..
            }
        ));
    }
}
