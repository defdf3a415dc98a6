//! What is said of bad files, as people see it.

use super::*;

/// All that is said of a set, with a line between cases.
fn said(result: Result<Declared, Problems>) -> String {
    match result {
        Ok(_) => "nothing is wrong".to_owned(),
        Err(problems) => problems.to_string(),
    }
}

const TOPICS: &str = "data/kafka-topics.yaml";
const PUBSUB: &str = "data/pubsub.yaml";

/// What is said of one text of one file.
fn of(file: &str, text: &str) -> String {
    said(dev(&[(file, text)]))
}

/// What is said of each of these texts of one file.
fn each<const N: usize>(file: &str, texts: [&str; N]) -> String {
    texts.map(|text| of(file, text)).join("\n\n")
}

/// A topic list of one topic with these lines.
fn topic(lines: &str) -> String {
    let mut text =
        "topics:\n  - name: \"{stack}-a\"\n    partitions: 1\n    replication: 3\n".to_owned();
    for line in lines.lines() {
        text.push_str(&format!("    {line}\n"));
    }
    text
}

fn node(lines: &str) -> String {
    let mut text = format!(
        "{STACK}  acme:cloudflare_zone_id: c1a57e4a000000000000000000000001\n  acme:nodes:\n"
    );
    for line in lines.lines() {
        text.push_str(&format!("    {line}\n"));
    }
    text
}

macro_rules! said {
    ($($name:ident: $said:expr,)*) => {
        $(
            #[test]
            fn $name() {
                insta::assert_snapshot!($said);
            }
        )*
    };
}

said! {
    five_faults_in_one_file: of(TOPICS, "topics:
  - name: \"prod-a\"
    partitions: 0
    replication: 2
    retention_msec: 1
  - name: \"{stack}-b\"
    partitions: 1
    partitions: 2
    replication: 2
    min_insync_replicas: 3
"),
    design_sample: said(parse_with(&set(&[
        ("kedge.yaml", "project: acme\nareas:\n  integrations:\n    kafka_topics: {replication: 2}\n"),
        ("stacks/juan1.yaml", STACK),
        ("stacks/prod.yaml", STACK),
        ("integrations/integration-circle/kafka-topics.yaml", "# Circle

topics:
  - name: \"prod-integrations-worker-circle\"
    partitions: 1
    retention_msec: 259200000
"),
    ]), "juan1", &[])),
    tab: of(TOPICS, "topics:\n\t- name: x\n"),
    several_documents: of(TOPICS, "topics: []\n---\ntopics: []\n"),
    empty_file: of(TOPICS, "# nothing\n"),
    nul: of(TOPICS, "topics:\n  - name: \"a\u{0}b\"\n"),
    alias_without_anchor: of(TOPICS, "topics: *all\n"),
    deep: of(TOPICS, &"[".repeat(5_000)),
    not_a_list: of(TOPICS, "topics:\n  name: a\n"),
    no_value: of(TOPICS, "topics:\n"),
    other_root: of(TOPICS, "- name: a\n"),
    unreadable_files_hide_no_other: said(dev(&[
        ("a/kafka-topics.yaml", "topics: [\n"),
        ("b/kafka-topics.yaml", &topic("partitons: 1")),
    ])),
    unknown_key_without_neighbour: of(TOPICS, &topic("colour: red")),
    outside_the_namespace: of(TOPICS, &topic("").replace("{stack}-a", "a")),
    no_name: of(TOPICS, "topics:\n  - partitions: 1\n    replication: 1\n"),
    internal_name: of(TOPICS, &topic("").replace("{stack}-a", "{stack}-a/b")),
    duplicate_topics: said(dev(&[
        ("a/kafka-topics.yaml", &topic("")),
        ("b/kafka-topics.yaml", &topic("")),
    ])),
    dot_and_underscore: of(TOPICS, "topics:
  - {name: \"{stack}-a.b\", partitions: 1, replication: 1}
  - {name: \"{stack}-a_b\", partitions: 1, replication: 1}
"),
    units: of(TOPICS, &topic("retention_ms: 7 days\nretention_bytes: 25MB\nsegment_ms: 1s\ncleanup_policy: compacted\nmin_cleanable_dirty_ratio: 2\npreallocate: yes")),
    local_retention: of(TOPICS, &topic("retention_ms: 1d\nlocal_retention_ms: 2d\nlocal_retention_bytes: 5")),
    nothing_defines_it: of(TOPICS, &topic("description: \"of {gcp_projct} in {region}\"")),
    no_partitions: of(TOPICS, "topics:\n  - name: \"{stack}-a\"\n"),
    merge_key: of(TOPICS, "topics:\n  - <<: {partitions: 1}\n    name: \"{stack}-a\"\n    replication: 1\n    partitions: 1\n"),
    default_of_an_area: said(dev(&[
        ("kedge.yaml", "project: acme\nareas:\n  data:\n    kafka_topics:\n      partitions: 0\n      min_insync_replicas: 4\n      replication: 3\n  dta: {}\n"),
        (TOPICS, &topic("")),
        ("data/more/kafka-topics.yaml", &topic("").replace("-a", "-b")),
    ])),
    subscriptions: of(PUBSUB, "topics:
  - name: \"{stack}-mail\"
    labels: {Team: a, team: B}
subscriptions:
  - name: \"{stack}-mail-sub\"
    topic: \"{stack}-mial\"
    push_endpoint: \"http://user:hunter2@h.example/p?token=t0ps3cret\"
    ack_deadline_seconds: 5
    message_retention: 600
    max_delivery_attempts: 5
  - name: \"{stack}-x\"
    dead_letter_topic: projects/p/x
"),
    backoffs: of(PUBSUB, "topics:
  - name: \"{stack}-mail\"
subscriptions:
  - name: \"{stack}-crossed\"
    topic: \"{stack}-mail\"
    minimum_backoff: 60s
    maximum_backoff: 10s
  - name: \"{stack}-below-the-default\"
    topic: \"{stack}-mail\"
    maximum_backoff: 9s
  - name: \"{stack}-good\"
    topic: \"{stack}-mail\"
    maximum_backoff: 10s
"),
    bindings: of(PUBSUB, "bindings:
  - topic: \"{stack}-mail\"
    role: publisher
    members: [gmail-api-push@system.gserviceaccount.com]
  - topic: \"{stack}-mail\"
    role: roles/pubsub.publisher
"),
    nodes: of("stacks/dev.yaml", &node("- name: 1
  ips: [\"203.0.113.300\", 10.0.0.1, \"2001:db8::1\", \"2001:DB8:0::1\"]
  domain: clustera
  proxied: true
- name: 1
  ips: []
  domain: 2.clustera.io
  ttl: 30
- name: 3
  ips: [203.0.113.1]
  domain: 2.Clustera.io.
  ip: x")),
    no_zone: of("stacks/dev.yaml", &node("- {name: 1, ips: [203.0.113.1], domain: 1.clustera.io}").replace("acme:cloudflare_zone_id: c1a57e4a000000000000000000000001", "acme:cloudflare_zone_id: \"\"")),
    bad_zone: of("stacks/dev.yaml", &node("- {name: 1, ips: [203.0.113.1], domain: 1.clustera.io}").replace("c1a57e4a000000000000000000000001", "your-zone-id")),
    no_aiven_project: said(dev(&[("stacks/dev.yaml", "config:\n  acme:kafka_service: x\n"), (TOPICS, &topic(""))])),
    secure: said(dev(&[("stacks/dev.yaml", "config:\n  acme:kafka_service:\n    secure: v1:abc\n  acme:aiven_project: x\n"), (TOPICS, &topic(""))])),
    config_key_of_nobody: of("stacks/dev.yaml", &format!("{STACK}  acme:kafka_servce: x\n  acme:slack_token: hunter2\n  region: x\n")),
    no_such_stack: said(parse_with(&set(&[("kedge.yaml", KEDGE), ("stacks/prod.yaml", STACK), (TOPICS, &topic("description: \"{other}\""))]), "prd", &[])),
    overlapping_stacks: said(dev(&[("stacks/dev-1.yaml", STACK)])),
    stray_files: said(dev(&[
        ("Pulumi.dev.yaml", STACK),
        ("kedge.yml", KEDGE),
        ("stacks/x.yml", STACK),
        ("stacks/Bad.yaml", STACK),
        ("data/kafka-topic.yaml", "x"),
        ("data/other.yaml", "x"),
    ])),
    no_kedge_yaml: said(parse_with(&set(&[("stacks/dev.yaml", STACK), (TOPICS, &topic(""))]), "dev", &[])),
    kedge_yaml: of("kedge.yaml", "project: acme
polcy: {}
policy:
  correct: sometimes
  correct_after: 15
  deploy: destructive
stacks:
  dv: {protected: true}
branches:
  main: prod
guards:
  share_percent_max: 101
  changes: 1
"),
    bucket: of("kedge.yaml", "project: acme
bucket: \"My Bucket\"
"),
    ignore_rules: of("kedge.yaml", "project: acme
ignore:
  - resource: \"{stack}-a\"
    field: retention_msec
    reason: because
    owner: \"\"
    until: soon
  - resource: \"{stack}-b\"
"),
    protection_stays: said(dev(&[
        ("kedge.yaml", "project: acme\nstacks:\n  dev: {protected: true}\n"),
        ("stacks/dev.yaml", &format!("{STACK}policy:\n  protected: false\n")),
    ])),
    audience_that_hides_something: of(PUBSUB, "topics:
  - name: \"{stack}-mail\"
subscriptions:
  - name: \"{stack}-mail-sub\"
    topic: \"{stack}-mail\"
    push_endpoint: https://h.example/x
    push_audience: https://h.example/x?token=hunter2
"),
    placeholder_without_quotes: of(TOPICS, "topics:\n  - name: {stack}-a\n    partitions: 1\n    replication: 3\n"),
    placeholder_alone_without_quotes: of(TOPICS, &topic("description: {aiven_project}")),
    dash_without_space: of(TOPICS, "topics:\n  -name: \"{stack}-a\"\n   partitions: 1\n"),
    colon_without_space: of(TOPICS, "topics:\n  - name:\"{stack}-a\"\n    partitions: 1\n"),
    colon_in_a_text: of(TOPICS, &topic("description: mail: inbound")),
    second_dash_missing: of(TOPICS, "topics:
  - name: \"{stack}-a\"
    partitions: 1
    replication: 3
    name: \"{stack}-b\"
    partitions: 1
    replication: 3
"),
    indented_too_little: of(TOPICS, "topics:\n  - name: \"{stack}-a\"\n   partitions: 1\n    replication: 3\n"),
    indented_too_far: of(TOPICS, "topics:\n  - name: \"{stack}-a\"\n      partitions: 1\n    replication: 3\n"),
    indented_as_the_list: of(TOPICS, "topics:\n  - name: \"{stack}-a\"\n  partitions: 1\n  replication: 3\n"),
    tab_after_spaces: of(TOPICS, "topics:\n  - name: \"{stack}-a\"\n  \tpartitions: 1\n"),
    topics_under_the_area: of(TOPICS, "data:\n  topics:\n    - name: \"{stack}-a\"\n"),
    topics_by_name: of(TOPICS, "topics:\n  \"{stack}-a\":\n    partitions: 1\n    replication: 3\n"),
    topics_as_names: of(TOPICS, "topics:\n  - \"{stack}-a\"\n  - \"{stack}-b\"\n"),
    topics_in_the_stack_file: of("stacks/dev.yaml", &format!("{STACK}topics:\n  - name: x\n")),
    topics_of_the_other_provider: said(dev(&[
        (TOPICS, "topics:\n  - name: \"{stack}-a\"\n    partitions: 1\n    replication: 3\nsubscriptions: []\n"),
        (PUBSUB, "topics:\n  - name: \"{stack}-mail\"\n    partitions: 1\n"),
    ])),
    list_for_a_map: said(dev(&[
        ("kedge.yaml", "project: acme\nareas:\n  - data\npolicy: [safe]\nstacks: dev\n"),
        ("stacks/dev.yaml", "config:\n  - acme:aiven_project: x\n"),
        (TOPICS, &topic("tags: [a, b]\nretention_ms: [1]\npartitions_max: {}")),
    ])),
    quoted_booleans: said(dev(&[
        ("kedge.yaml", "project: acme\npolicy:\n  prune: \"yes\"\n"),
        ("stacks/dev.yaml", &node("- {name: 1, ips: [203.0.113.1], domain: 1.clustera.io, proxied: \"on\", exclusive: 1}")),
        (TOPICS, &topic("preallocate: \"True\"")),
    ])),
    numbers: of(TOPICS, "topics:
  - {name: \"{stack}-a\", partitions: three, replication: 1.5}
  - {name: \"{stack}-b\", partitions: 10 000, replication: -1}
  - {name: \"{stack}-c\", partitions: 99999999999999999999, replication: \"\"}
"),
    settings_outside_config: of("stacks/dev.yaml", "aiven_project: x\nacme:kafka_service: y\n"),
    settings_of_another_project: said(dev(&[("stacks/dev.yaml", "config:\n  other:aiven_project: x\n  other:kafka_service: y\n"), (TOPICS, &topic(""))])),
    policy_at_the_root: of("kedge.yaml", "project: acme\ncorrect: safe\nprotected: true\n"),
    area_defaults_without_kind: of("kedge.yaml", "project: acme\nareas:\n  data:\n    partitions: 3\n"),
    node_without_zone: of("stacks/dev.yaml", &format!("{STACK}  acme:nodes:\n    - {{name: 1, ips: [203.0.113.1], domain: 1.clustera.io}}\n")),
    nodes_in_other_forms: of("stacks/dev.yaml", &node("- {name: 1, ips: 203.0.113.1, domain: 1.clustera.io}\n- {name: 2, ips: [\"https://203.0.113.1\", 203.0.113.1:443, 203.0.113.0/24], domain: \"https://2.clustera.io/\"}\n- {name: 3, domain: 3.clustera.io}")),
    secure_inside_nodes: of("stacks/dev.yaml", &node("- name: 1\n  ips:\n    - secure: v1:abc\n  domain: 1.clustera.io")),
    unclosed_quote: of(TOPICS, "topics:\n  - name: \"{stack}-a\n    partitions: 1\n"),
    name_of_another_stack_in_many_files: said(parse_with(&set(&[
        ("kedge.yaml", KEDGE),
        ("stacks/dev.yaml", STACK),
        ("stacks/prod.yaml", STACK),
        (TOPICS, &topic("").replace("{stack}-a", "prod-a")),
        (PUBSUB, "topics:\n  - name: prod-mail\n"),
    ]), "dev", &[])),
    secrets_in_lines: of(TOPICS, &topic("api_token: hunter2\ndescrption: https://h.example/?key=hunter2\ntags: {password: [hunter2]}")),
}

// What editors, other tools and other people's files bring along.
said! {
    not_utf8: of(TOPICS, &topic("description: Gr\u{FFFD}\u{FFFD}e")),
    spaces_that_are_none: each(TOPICS, [
        &topic("").replace("    partitions", "\u{A0}\u{A0}\u{A0}\u{A0}partitions"),
        &topic("").replace("partitions: 1", "partitions:\u{A0}1"),
        &topic("").replace("partitions", "\u{200B}partitions"),
    ]),
    lines_that_end_in_cr_lf: of(TOPICS, &format!("\u{FEFF}{}", topic("retenton_ms: 1d").replace('\n', "\r\n"))),
    byte_order_mark_further_down: of(TOPICS, &topic("").replace("partitions", "\u{FEFF}partitions")),
    merge_conflict: of(TOPICS, &format!("<<<<<<< HEAD\n{}=======\n{}>>>>>>> other\n", topic(""), topic(""))),
    stack_file_with_comments_only: said(dev(&[("stacks/dev.yaml", "# nothing\n"), (TOPICS, &topic(""))])),
    empty_files: said(dev(&[("kedge.yaml", ""), ("stacks/dev.yaml", "---\n"), (PUBSUB, "\u{FEFF}\n")])),
    files_outside_areas: said(dev(&[("kafka-topics.yaml", &topic("")), ("stacks/dev/pubsub.yaml", "topics: []\n"), ("stacks/dev/x.yaml", "x")])),
    keys_of_other_files: said(dev(&[
        ("kedge.yaml", "project: acme\nconfig:\n  acme:aiven_project: x\n"),
        (TOPICS, &format!("policy:\n  correct: safe\naiven_project: x\nx-base: &base {{}}\n{}", topic("labels: {a: b}"))),
        (PUBSUB, "topics:\n  - name: \"{stack}-mail\"\n    push_endpoint: pull\n    compression_type: snappy\n"),
    ])),
    words_of_kafka: of(TOPICS, "topics:
  - name: \"{stack}-a\"
    num_partitions: 1
    replication_factor: 3
    retention.ms: 1000
    cleanupPolicy: compact
    config:
      min.insync.replicas: 2
"),
}

// What is forgotten while writing.
said! {
    names_that_miss_the_stack: each(TOPICS, ["${stack}-a", "{{ stack }}-a", "{stack}_a", "{stack}"]
        .map(|name| topic("").replace("{stack}-a", name))
        .each_ref()
        .map(String::as_str)),
    curly_quotes: of(TOPICS, &topic("").replace("\"{stack}-a\"", "\u{201C}{stack}-a\u{201D}")),
    faults_behind_a_bad_name: said(dev(&[
        (TOPICS, "topics:\n  - name: prod-a\n    partitions: x\n"),
        (PUBSUB, "subscriptions:\n  - name: prod-b\n"),
    ])),
    merge_key_with_required_keys: of(TOPICS, "topics:
  - &base
    name: \"{stack}-a\"
    partitions: 1
    replication: 1
  - <<: *base
    name: \"{stack}-b\"
"),
    misspelt_required_keys: of(TOPICS, "topics:\n  - Name: \"{stack}-a\"\n    partition: 1\n    replicaton: 1\n"),
    misspelt_topics: of(TOPICS, &topic("").replace("topics", "topcis")),
    settings_without_namespace: said(dev(&[("stacks/dev.yaml", &STACK.replace("acme:", "")), (TOPICS, &topic(""))])),
    settings_outside_config_with_topics: said(dev(&[("stacks/dev.yaml", "aiven_project: x\nacme:kafka_service: y\n"), (TOPICS, &topic(""))])),
    misspelt_settings: said(dev(&[("stacks/dev.yaml", &STACK.replace("service", "servce")), (TOPICS, &topic(""))])),
    misspelt_config: said(dev(&[("stacks/dev.yaml", &STACK.replace("config", "confg")), (TOPICS, &topic(""))])),
    misspelt_setting_of_a_placeholder: said(dev(&[
        ("stacks/dev.yaml", &format!("{STACK}  acme:regoin: x\n")),
        (TOPICS, &topic("description: \"{region}\"")),
    ])),
    no_space_or_colon: each(TOPICS, [
        &topic("").replace("partitions: 1", "partitions:1"),
        &topic("").replace("name: \"{stack}-a\"", "name:{stack}-a"),
        &topic("").replace("partitions: 1", "partitions 1"),
        &topic("").replace("topics:", "topics"),
        "topics:\n  - name:x\n",
        "topics: - name: \"{stack}-a\"\n",
    ]),
    quotes_and_brackets: each(TOPICS, [
        &topic("description: 'it's'"),
        &topic("description: \"C:\\path\""),
        &topic("description: @team"),
        &topic("description: \"a\"# b"),
        &topic("description: [a, b}"),
        &topic("tags: {a: b"),
        &topic("").replace("\"{stack}-a\"", "{stack"),
        &topic("").replace("\"{stack}-a\"", "\"{stack}-a"),
        "topics:\n  - {stack}-a\n",
        "topics:\n  {stack}-a:\n    partitions: 1\n",
    ]),
    wildcard_without_quotes: of("stacks/dev.yaml", &node("- {name: 1, ips: [203.0.113.1], domain: *.clustera.io}")),
    indented_below_a_text: of(TOPICS, &topic("description: |\n  see: this: that\n tags: {}")),
    tag: of(TOPICS, &topic("description: !important")),
    indented_in_a_map: of(PUBSUB, "topics:\n  - name: \"{stack}-m\"\n    labels:\n      a: x\n       b: y\n"),
    indented_without_a_list: each("stacks/dev.yaml", [
        "config:\n  acme:aiven_project: x\n   acme:kafka_service: y\n",
        "config:\n  acme:aiven_project: x\n policy:\n  correct: safe\n",
    ]),
    dash_missing_before_a_name: of(TOPICS, &format!("{}  name: \"{{stack}}-b\"\n", topic(""))),
    check_every: each("kedge.yaml", [
        "project: acme\npolicy:\n  check_every: 15\n",
        "project: acme\npolicy:\n  check_every: 4m\n",
        "project: acme\npolicy:\n  check_every: 25h\n",
        "project: acme\ncheck_every: 5m\n",
    ]),
    units_of_time: said(dev(&[
        ("kedge.yaml", "project: acme\npolicy:\n  correct_after: 15 minutes\n"),
        (PUBSUB, "topics:
  - name: \"{stack}-mail\"
subscriptions:
  - name: \"{stack}-mail-sub\"
    topic: \"{stack}-mail\"
    message_retention: 1 week
    ack_deadline_seconds: 1m
    expiration: none
"),
        (TOPICS, &topic("retention_ms: 36 hours\nsegment_ms: 1.5h\nretention_bytes: 1G\nlocal_retention_bytes: 010")),
    ])),
    items_of_other_sorts: said(dev(&[
        ("kedge.yaml", "project: acme\npolicy:\nignore:\n  - resource: \"{stack}-a\"\n    reason: \"\"\n"),
        (TOPICS, "topics:\n  -\n"),
        (PUBSUB, "bindings:\n  - role: pubsub.viewer\n    members: []\n  - topic: projects/p/topics/abc\n    role: owner\n    members:\n      - user: a@b.example\n"),
    ])),
    pulled_with_an_audience: of(PUBSUB, "topics:
  - name: \"{stack}-mail\"
subscriptions:
  - name: \"{stack}-mail-sub\"
    topic: \"{stack}-mail\"
    push_endpoint: pull
    push_audience: x
"),
}

#[test]
fn no_snapshot_above_shows_a_secret() {
    for text in [
        of(TOPICS, &topic("api_token: hunter2")),
        of(
            PUBSUB,
            "subscriptions:\n  - {name: x, push_endpoint: \"http://u:hunter2@h/?hunter2\"}\n",
        ),
        of(
            "stacks/dev.yaml",
            "config:\n  acme:password:\n    - hunter2\n   - x\n",
        ),
        of(
            "stacks/dev.yaml",
            "config:\n  acme:password: |\n    hunter2\n   hunter2: x\n",
        ),
        of(
            "stacks/dev.yaml",
            &format!("{STACK}  acme:password: hunter2\nx: y\n"),
        ),
        said(dev(&[
            (
                "stacks/dev.yaml",
                &format!("{STACK}  acme:db_password: hunter2\n"),
            ),
            (
                TOPICS,
                &topic("retention_ms: \"{db_password}\"\ncleanup_policy: \"x{db_password}\""),
            ),
        ])),
        said(parse_with(
            &set(&[
                ("kedge.yaml", KEDGE),
                (
                    "stacks/dev.yaml",
                    &format!("{STACK}  acme:x: {{secure: v1:a}}\n"),
                ),
                (TOPICS, &topic("retention_ms: \"{x}\"")),
            ]),
            "dev",
            &[("x", "hunter2")],
        )),
        of("stacks/dev.yaml", "encryptionsalt: \"hunter2\nconfig: {}\n"),
    ] {
        assert!(!text.contains("hunter2"), "{text}");
        assert!(text.starts_with("error: "), "{text}");
    }
}

/// A value may be shown cut off, or in the form in which it would be right.
#[test]
fn no_part_of_a_secret_is_shown() {
    for (secret, field) in [
        (
            "Hunter2-Hunter2".to_owned(),
            "labels: {team: \"{db_password}\"}",
        ),
        (
            "0077777777".to_owned(),
            "message_retention: \"{db_password}\"",
        ),
        (
            "77777777 days".to_owned(),
            "message_retention: \"{db_password}\"",
        ),
        ("7".repeat(200), "message_retention: \"x{db_password}\""),
    ] {
        let stack = format!("{STACK}  acme:db_password: \"{secret}\"\n");
        let text = format!("topics:\n  - name: \"{{stack}}-a\"\n    {field}\n");
        let said = said(dev(&[("stacks/dev.yaml", &stack), (PUBSUB, &text)]));
        assert!(said.starts_with("error: "), "{said}");
        let lower = said.to_lowercase();
        assert!(
            !lower.contains("hunter2") && !lower.contains("7777"),
            "{said}"
        );
    }
}
