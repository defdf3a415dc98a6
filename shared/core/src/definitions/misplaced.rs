//! Where a key belongs that stands in the wrong place.

/// What a policy says of a stack.
const POLICY: [&str; 6] = [
    "correct",
    "deploy",
    "correct_after",
    "on_missing",
    "protected",
    "prune",
];
/// The limits of plans.
const GUARDS: [&str; 4] = [
    "changes_max",
    "share_percent_max",
    "creates_max",
    "daily_automatic_max",
];
/// What a stack's `config` says.
const CONFIG: [&str; 5] = [
    "aiven_project",
    "kafka_service",
    "gcp_project",
    "cloudflare_zone_id",
    "nodes",
];
/// What the definition files of an area hold.
const LISTS: [&str; 3] = ["topics", "subscriptions", "bindings"];

/// Where an unknown key belongs, told by the keys that are known where it stands; none if it belongs
/// nowhere.
pub(super) fn belongs(key: &str, known: &[&str]) -> Option<&'static str> {
    let is_among = |list: &[&str]| list.contains(&key);
    let knows = |word: &str| known.contains(&word);
    if knows("areas") || knows("encryptionsalt") {
        if is_among(&POLICY) {
            return Some("it belongs under `policy:`");
        }
        if is_among(&LISTS) {
            return Some("it belongs in <area>/kafka-topics.yaml or <area>/pubsub.yaml");
        }
    }
    if knows("areas") {
        return match () {
            () if is_among(&GUARDS) => Some("it belongs under `guards:`"),
            () if key == "config" || is_among(&CONFIG) => {
                Some("it belongs in stacks/<stack>.yaml, under `config:`")
            }
            () => None,
        };
    }
    if knows("encryptionsalt") {
        return match () {
            () if is_among(&CONFIG) || key.contains(':') => Some("it belongs under `config:`"),
            () if is_among(&[
                "project",
                "areas",
                "stacks",
                "branches",
                "environments",
                "guards",
                "ignore",
            ]) =>
            {
                Some("it belongs in kedge.yaml")
            }
            () => None,
        };
    }
    if knows("kafka_topics") {
        let is_kafka = is_among(&[
            "partitions",
            "replication",
            "retention_ms",
            "cleanup_policy",
        ]);
        return is_kafka.then_some("it belongs under `kafka_topics:`");
    }
    if known == ["topics"] && is_among(&LISTS) {
        return Some("it belongs in pubsub.yaml");
    }
    let is_kafka = is_among(&["partitions", "replication", "retention_ms"]);
    (knows("message_retention") && is_kafka)
        .then_some("Kafka topics belong in kafka-topics.yaml; these are Pub/Sub's")
}
