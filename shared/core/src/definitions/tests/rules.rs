//! Rules that are better shown by what is accepted.

use crate::model::{
    Allowance, FieldName, Kind, OnMissing, Policy, ResourceKey, Scope, Timestamp, Value,
};

use super::super::{bucket_of, stack_names, stack_of_branch};
use super::*;

const TOPICS: &str = "data/kafka-topics.yaml";
const PUBSUB: &str = "data/pubsub.yaml";

fn good(files: &[(&str, &str)]) -> Declared {
    dev(files).unwrap_or_else(|problems| panic!("{problems}"))
}

fn values(declared: &Declared, kind: Kind, name: &str) -> BTreeMap<String, String> {
    let resource = declared
        .resources
        .values()
        .find(|one| one.key.kind() == kind && one.key.name() == name)
        .unwrap_or_else(|| panic!("{name} in {:?}", declared.resources.keys()));
    let text = |(name, value): (FieldName, Value)| (name.to_string(), value.to_string());
    resource.values().into_iter().map(text).collect()
}

#[test]
fn what_is_required_can_not_be_left_out() {
    let topic = "topics:\n  - {name: \"{stack}-a\", partitions: \"{many?}\", replication: 3}\n";
    let subscription = "topics: []\nsubscriptions:\n  - {name: \"{stack}-s\", topic: \"{of?}\"}\n";
    for (file, text, missing) in [
        (TOPICS, topic, "this topic has no `partitions`"),
        (PUBSUB, subscription, "this subscription has no `topic`"),
    ] {
        let problems = dev(&[(file, text)]).unwrap_err();
        let messages: Vec<_> = problems
            .list
            .iter()
            .map(|one| one.message.as_str())
            .collect();
        assert_eq!(messages, [missing]);
    }
}

#[test]
fn one_value_has_one_normal_form() {
    for (written, field, want) in [
        ("retention_ms: 604800000", "retention_ms", "604800000"),
        ("retention_ms: \"604800000\"", "retention_ms", "604800000"),
        ("retention_ms: 7d", "retention_ms", "604800000"),
        ("retention_bytes: -1", "retention_bytes", "-1"),
        ("max_message_bytes: 25MiB", "max_message_bytes", "26214400"),
        ("preallocate: \"true\"", "preallocate", "true"),
        (
            "min_cleanable_dirty_ratio: 0.50",
            "min_cleanable_dirty_ratio",
            "0.5",
        ),
        (
            "min_cleanable_dirty_ratio: \"0.5\"",
            "min_cleanable_dirty_ratio",
            "0.5",
        ),
        ("description: 12", "description", "12"),
        (
            "description: \"{stack} {aiven_project}\"",
            "description",
            "dev acme-aiven",
        ),
        ("description: \"a { b } {}\"", "description", "a { b } {}"),
        (
            "tags: {team: a, \"cost centre\": 4}",
            "tags.cost centre",
            "4",
        ),
    ] {
        let text = format!(
            "topics:\n  - name: \"{{stack}}-a\"\n    partitions: 1\n    replication: \"3\"\n    {written}\n"
        );
        let declared = good(&[(TOPICS, &text)]);
        let values = values(&declared, Kind::KafkaTopic, "dev-a");
        assert_eq!(
            values.get(field).map(String::as_str),
            Some(want),
            "{written}"
        );
        assert_eq!(values["replication"], "3");
    }
}

#[test]
fn an_areas_defaults_hold_for_its_own_files_and_below() {
    let declared = good(&[
        (
            "kedge.yaml",
            "areas:\n  data:\n    kafka_topics: {partitions: 2, replication: 3, tags: {team: a, cost: b}}\nproject: acme\n",
        ),
        (
            "data/deep/er/kafka-topics.yaml",
            "topics:\n  - name: \"{stack}-a\"\n    tags: {team: c}\n    on_missing: recreate\n",
        ),
        (
            "other/kafka-topics.yaml",
            "topics:\n  - {name: \"{stack}-b\", partitions: 1, replication: 1}\n",
        ),
    ]);
    let a = values(&declared, Kind::KafkaTopic, "dev-a");
    assert_eq!(
        (
            a["partitions"].as_str(),
            a["tags.team"].as_str(),
            a["tags.cost"].as_str()
        ),
        ("2", "c", "b")
    );
    assert!(!values(&declared, Kind::KafkaTopic, "dev-b").contains_key("tags.team"));
    let key = ResourceKey::kafka_topic("acme-aiven", "kafka-acme", "dev-a");
    let resource = &declared.resources[&key];
    assert_eq!(resource.on_missing, Some(OnMissing::Recreate));
    assert_eq!(
        resource
            .fields
            .get(&FieldName::known("partitions"))
            .unwrap()
            .origin
            .to_string(),
        "kedge.yaml:3 (default)"
    );
    assert_eq!(
        resource
            .fields
            .get(&FieldName::known("tags.team"))
            .unwrap()
            .origin
            .to_string(),
        "data/deep/er/kafka-topics.yaml:3"
    );
    assert_eq!(resource.origin.line, 2);
}

#[test]
fn optional_placeholders_take_the_whole_key_away() {
    let text = "topics:
  - name: \"{stack}-mail\"
subscriptions:
  - name: \"{stack}-mail-sub\"
    topic: \"projects/acme-google/topics/dev-mail\"
    push_endpoint: \"{hook?}\"
    push_audience: me
";
    let sub = |config: &str| {
        let declared = good(&[("stacks/dev.yaml", config), (PUBSUB, text)]);
        values(&declared, Kind::PubsubSubscription, "dev-mail-sub")
    };
    let pulled = sub(STACK);
    assert_eq!(
        (pulled["push_endpoint"].as_str(), pulled["topic"].as_str()),
        ("pull", "dev-mail")
    );
    assert!(!pulled.contains_key("push_audience"));
    let pushed = sub(&format!(
        "{STACK}  acme:hook: https://h.example/x?t=hunter2\n"
    ));
    assert!(pushed["push_endpoint"].starts_with("https://h.example/x?[hidden "));
    assert_eq!(pushed["push_audience"], "me");
}

#[test]
fn topics_of_others_are_named_in_full() {
    let declared = good(&[(
        PUBSUB,
        "subscriptions:
  - {name: \"{stack}-sub\", topic: projects/other/topics/news, expiration: never}
bindings:
  - topic: projects/other/topics/news
    role: roles/pubsub.viewer
    members: [\"user:Ana@Example.com\"]
    authoritative: true
",
    )]);
    let sub = values(&declared, Kind::PubsubSubscription, "dev-sub");
    assert_eq!(
        (sub["topic"].as_str(), sub["expiration"].as_str()),
        ("projects/other/topics/news", "never")
    );
    let key = ResourceKey::pubsub_binding("other", "news", "roles/pubsub.viewer");
    let binding = &declared.resources[&key];
    assert!(binding.authoritative);
    assert_eq!(
        binding
            .fields
            .get(&FieldName::known("members"))
            .unwrap()
            .value,
        Value::set(["user:ana@example.com"])
    );
    assert_eq!(
        key.scope(),
        &Scope::GcpProject {
            project: "other".to_owned()
        }
    );
}

#[test]
fn overrides_win_and_stand_in_for_what_is_encrypted() {
    let config = "config:
  acme:aiven_project: {secure: v1:abc}
  acme:kafka_service: from-the-file
  acme:unneeded: {secure: v1:abc}
  gcp:project: acme-google
  gcp:region: us-central1
  aws:region: x
encryptionsalt: v1:abc
";
    let topics = "topics:\n  - {name: \"{stack}-a\", partitions: 1, replication: 1}\n";
    let files = set(&[
        ("kedge.yaml", KEDGE),
        ("stacks/dev.yaml", config),
        (TOPICS, topics),
    ]);
    let overrides = [
        ("aiven_project", "mine"),
        ("kafka_service", "also-mine"),
        ("other", "x"),
    ];
    let declared = parse_with(&files, "dev", &overrides).unwrap();
    assert_eq!(declared.config.aiven_project.as_deref(), Some("mine"));
    assert_eq!(declared.config.kafka_service.as_deref(), Some("also-mine"));
    assert_eq!(declared.config.gcp_project, None);
    assert_eq!(
        declared.unused,
        [
            "environment KEDGE_CONFIG_OTHER",
            "stacks/dev.yaml:4 acme:unneeded",
            "stacks/dev.yaml:5 gcp:project",
            "stacks/dev.yaml:6 gcp:region",
            "stacks/dev.yaml:7 aws:region",
            "stacks/dev.yaml:8 encryptionsalt",
        ]
    );
}

#[test]
fn nodes_may_come_from_the_environment() {
    let files = set(&[("kedge.yaml", KEDGE), ("stacks/dev.yaml", STACK)]);
    let nodes = "[{name: 1, ips: [10.0.0.1], domain: 1.acme.example, proxied: false, ttl: 1}]";
    let zone = ("cloudflare_zone_id", "c1a57e4a000000000000000000000001");
    let declared = parse_with(&files, "dev", &[("nodes", nodes), zone]).unwrap();
    let bundle = values(&declared, Kind::DnsRecordSet, "1.acme.example/A");
    assert_eq!(
        (bundle["addresses"].as_str(), bundle["ttl"].as_str()),
        ("{10.0.0.1}", "1")
    );
    let problems = parse_with(&files, "dev", &[("nodes", "x")]).unwrap_err();
    assert_eq!(
        problems.to_string(),
        "error: `nodes` must be a list      KEDGE_CONFIG_NODES\n  write it in `[ ]`, or each item on its own line after `- `\n1 error, 2 files read."
    );
}

#[test]
fn a_proxied_node_declares_no_ttl() {
    let config = format!("{STACK}  acme:cloudflare_zone_id: c1a57e4a000000000000000000000001
  acme:nodes:
    - {{name: a, ips: [203.0.113.1], domain: a.acme.example, proxied: true, ttl: 300, exclusive: true}}
");
    let declared = good(&[("stacks/dev.yaml", &config)]);
    let bundle = values(&declared, Kind::DnsRecordSet, "a.acme.example/A");
    assert!(!bundle.contains_key("ttl"));
    assert_eq!(bundle["proxied"], "true");
    assert!(declared.resources.values().all(|one| one.exclusive));
}

#[test]
fn policies_are_laid_over_each_other() {
    let kedge = "project: acme
stacks:
  dev: {deploy: none, prune: true}
policy: {correct: safe, deploy: disruptive, correct_after: 0, on_missing: recreate}
guards: {changes_max: 5}
";
    let own = format!("{STACK}policy:\n  correct: disruptive\n  protected: true\n");
    let policy = good(&[("kedge.yaml", kedge), ("stacks/dev.yaml", &own)]).policy;
    assert_eq!(
        policy,
        Policy {
            correct: Allowance::Disruptive,
            deploy: Allowance::None,
            correct_after_ms: 0,
            on_missing: Some(OnMissing::Recreate),
            protected: true,
            prune: true,
            guards: crate::model::Guards {
                changes_max: 5,
                ..Default::default()
            },
        }
    );
    assert_eq!(good(&[]).policy, Policy::default());
}

#[test]
fn the_nearest_check_every_counts() {
    let every = |kedge: &str, own: &str| {
        let (kedge, own) = (format!("project: acme\n{kedge}"), format!("{STACK}{own}"));
        let minutes = good(&[("kedge.yaml", &kedge), ("stacks/dev.yaml", &own)])
            .check_every
            .ms();
        minutes / 60_000
    };
    assert_eq!(every("", ""), 15);
    let project = "policy: {check_every: 1h}\n";
    assert_eq!(every(project, ""), 60);
    let stacks = format!("{project}stacks: {{dev: {{check_every: 5m}}}}\n");
    assert_eq!(every(&stacks, ""), 5);
    assert_eq!(every(&stacks, "policy: {check_every: 1d}\n"), 24 * 60);
}

#[test]
fn ignore_rules() {
    let kedge = "project: acme
ignore:
  - {resource: \"{stack}-a\", field: tags.team, reason: r, owner: o, until: 1970-01-02}
";
    let rules = good(&[("kedge.yaml", kedge)]).ignore_rules;
    assert_eq!(rules.len(), 1);
    assert_eq!(rules[0].resource, "dev-a");
    assert_eq!(rules[0].field, Some(FieldName::known("tags.team")));
    assert_eq!(rules[0].until, Timestamp(86_400_000));
    assert_eq!(rules[0].origin.to_string(), "kedge.yaml:3");
}

#[test]
fn another_stacks_mistake_stops_that_stack_only() {
    good(&[("stacks/prod.yaml", "config: [\n")]);
}

#[test]
fn the_bucket_is_found_or_refused() {
    let of = |line: &str| {
        let files = [("kedge.yaml".to_owned(), format!("project: acme\n{line}\n"))];
        bucket_of(&Bundle::new(files.into()).unwrap())
    };
    assert_eq!(of(""), Ok(None));
    let found = of("bucket: clustera-kedge/prod").unwrap().unwrap();
    assert_eq!(found.to_string(), "s3://clustera-kedge/prod");
    for wrong in ["bucket: Not A Bucket", "bucket:", "bucket: []", "bucket: 7"] {
        assert!(of(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn stacks_and_branches() {
    let files = set(&[
        (
            "kedge.yaml",
            "project: acme\nbranches: {main: prod, gone: nowhere}\n",
        ),
        ("stacks/prod.yaml", STACK),
        ("stacks/dev.yaml", STACK),
        ("stacks/Bad.yaml", STACK),
    ]);
    assert_eq!(stack_names(&files), [stack("dev"), stack("prod")]);
    for (branch, want) in [
        ("main", Some("prod")),
        ("dev", Some("dev")),
        ("gone", None),
        ("x", None),
    ] {
        assert_eq!(stack_of_branch(&files, branch), want.map(stack), "{branch}");
    }
    assert_eq!(stack_of_branch(&set(&[("kedge.yaml", "[")]), "main"), None);
}

#[test]
fn problems_are_sorted_and_counted() {
    let problems = dev(&[
        ("b/kafka-topics.yaml", "topics: x\n"),
        ("a/kafka-topics.yaml", "topics:\n  - 1\n  - 2\n"),
    ]);
    let places: Vec<_> = problems
        .unwrap_err()
        .list
        .into_iter()
        .map(|p| (p.file, p.line, p.column))
        .collect();
    assert!(places.is_sorted(), "{places:?}");
    assert_eq!(places.len(), 3);
    let many: String = (0..1_500)
        .map(|n| format!("  - {{name: x{n}, partitions: 1, replication: 1}}\n"))
        .collect();
    let problems = dev(&[(TOPICS, &format!("topics:\n{many}"))]).unwrap_err();
    assert_eq!(problems.list.len(), Problems::MAX);
    assert!(
        problems
            .to_string()
            .ends_with("… and 500 more\n1500 errors, 3 files read.")
    );
}

/// A step that read the whole file for each topic would take minutes here.
#[test]
fn ten_thousand_topics_are_read_in_one_go() {
    let many: String = (0..10_000)
        .map(|n| format!("  - name: \"{{stack}}-{n}\"\n    partitions: 1\n    replication: 3\n"))
        .collect();
    let declared = good(&[(TOPICS, &format!("topics:\n{many}"))]);
    assert_eq!(declared.resources.len(), 10_000);
}

#[test]
fn a_problem_of_a_placeholder_points_at_it() {
    let text = "topics:\n  - {name: \"{stack}-{nope}\", partitions: 1, replication: 1}\n";
    let result = dev(&[(TOPICS, text)]);
    let problem = &result.as_ref().unwrap_err().list[0];
    assert_eq!((problem.line, problem.column, problem.width), (2, 21, 6));
    assert_eq!(messages(result), ["nothing defines `{nope}`"]);
}
