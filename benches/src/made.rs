//! The data: definitions of any size, in the manner of `definitions/`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The stack that everything is measured on.
pub(crate) const STACK: &str = "bench";
/// The sandbox's own names.
pub(crate) const ZONE: &str = "clustera.io";
const ZONE_ID: &str = "c1a57e4a000000000000000000000001";

/// The topics of one file: 2 MiB hold some 20,000.
const TOPICS_PER_FILE: usize = 20_000;

const KEDGE: &str = "\
project: acme
policy:
  correct: safe
  deploy: disruptive
  correct_after: 15m
guards: {changes_max: 100000, creates_max: 100000, share_percent_max: 100, daily_automatic_max: 100000}
";

/// The area of the topics; a set of nodes alone has none.
const AREA: &str = "\
areas:
  data_plane:
    kafka_topics:
      partitions: 1
      replication: 3
      retention_ms: \"604800000\"
      max_message_bytes: 25MiB
      compression_type: snappy
";

/// How much of each kind.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Amounts {
    /// Kafka topics.
    pub(crate) topics: usize,
    /// Record sets of one address each.
    pub(crate) records: usize,
    /// Pub/Sub topics.
    pub(crate) pubsub_topics: usize,
    /// Subscriptions.
    pub(crate) subscriptions: usize,
    /// Role bindings.
    pub(crate) bindings: usize,
}

impl Amounts {
    /// So many resources: of ten, eight are topics and one is a record set.
    pub(crate) fn mixed(total: usize) -> Self {
        let (records, pubsub_topics, subscriptions) = (total / 10, total / 20, total / 25);
        let bindings = total / 100;
        Self {
            topics: total - records - pubsub_topics - subscriptions - bindings,
            records,
            pubsub_topics,
            subscriptions,
            bindings,
        }
    }

    /// So many topics, so many records, a tenth of it subscriptions.
    pub(crate) fn check(each: usize) -> Self {
        Self {
            topics: each,
            records: each,
            pubsub_topics: each.div_ceil(100),
            subscriptions: each / 10,
            bindings: 1,
        }
    }

    /// Topics alone.
    pub(crate) fn topics(topics: usize) -> Self {
        Self {
            topics,
            records: 0,
            pubsub_topics: 0,
            subscriptions: 0,
            bindings: 0,
        }
    }

    /// Records alone.
    pub(crate) fn records(records: usize) -> Self {
        Self {
            records,
            ..Self::topics(0)
        }
    }
}

/// The name of a topic.
pub(crate) fn topic(number: usize) -> String {
    format!("events-{number:06}")
}

/// The partitions of a topic.
pub(crate) fn partitions(number: usize) -> usize {
    if number.is_multiple_of(4) {
        1
    } else {
        3 + number % 10
    }
}

/// The retention of a topic, where it is not the default.
pub(crate) fn retention_ms(number: usize) -> Option<u64> {
    number.is_multiple_of(5).then_some(3_600_000)
}

/// The domain name of a node.
pub(crate) fn domain(number: usize) -> String {
    format!("{number}.{ZONE}")
}

/// The address of a node.
pub(crate) fn address(number: usize) -> String {
    format!("198.51.{}.{}", number / 250 % 250, number % 250 + 1)
}

/// The member of a binding.
pub(crate) fn member(number: usize) -> String {
    format!("serviceAccount:push@mail-{number}.iam.gserviceaccount.com")
}

/// The files of one stack.
pub(crate) fn definitions(amounts: Amounts) -> BTreeMap<String, String> {
    let area = if amounts.topics > 0 { AREA } else { "" };
    let mut files = BTreeMap::from([
        ("kedge.yaml".to_owned(), format!("{KEDGE}{area}")),
        (format!("stacks/{STACK}.yaml"), stack_file(amounts)),
    ]);
    let numbers: Vec<usize> = (0..amounts.topics).collect();
    for (part, numbers) in numbers.chunks(TOPICS_PER_FILE).enumerate() {
        let path = format!("data_plane/{part}/kafka-topics.yaml");
        files.insert(path, topics_file(numbers));
    }
    if amounts.pubsub_topics > 0 {
        files.insert("data_plane/pubsub.yaml".to_owned(), pubsub_file(amounts));
    }
    files
}

fn stack_file(amounts: Amounts) -> String {
    let mut text = format!(
        "config:\n  acme:aiven_project: clustera-creators\n  acme:kafka_service: kafka-clustera\n  \
         acme:gcp_project: clustera-control-plane\n  acme:cloudflare_zone_id: {ZONE_ID}\n  \
         acme:nodes:\n"
    );
    for number in 0..amounts.records {
        let (domain, address) = (domain(number), address(number));
        // Writing to a String does not fail.
        let _ = write!(
            text,
            "    - name: \"{number}\"\n      ips: [\"{address}\"]\n      domain: \"{domain}\"\n"
        );
    }
    if amounts.records == 0 {
        text = text.replace("  acme:nodes:\n", "  acme:nodes: []\n");
    }
    text
}

fn topics_file(numbers: &[usize]) -> String {
    let mut text = "# Made by the benchmark.\ntopics:\n".to_owned();
    for number in numbers.iter().copied() {
        if number.is_multiple_of(8) {
            let _ = writeln!(text, "\n  # What comes in on the {number}th road.");
        }
        let _ = writeln!(text, "  - name: \"{{stack}}-{}\"", topic(number));
        if partitions(number) > 1 {
            let _ = writeln!(text, "    partitions: {}", partitions(number));
        }
        if let Some(retention_ms) = retention_ms(number) {
            let _ = writeln!(text, "    retention_ms: \"{retention_ms}\"");
        }
    }
    text
}

fn pubsub_file(amounts: Amounts) -> String {
    let mut text = "topics:\n".to_owned();
    for number in 0..amounts.pubsub_topics {
        let _ = writeln!(text, "  - name: \"{{stack}}-mail-{number}\"");
    }
    text.push_str("subscriptions:\n");
    for number in 0..amounts.subscriptions {
        let _ = write!(
            text,
            "  - name: \"{{stack}}-mail-{number}-sub\"\n    topic: \"{{stack}}-mail-{}\"\n    \
             ack_deadline_seconds: 60\n",
            number % amounts.pubsub_topics
        );
    }
    if amounts.subscriptions == 0 {
        text = text.replace("subscriptions:\n", "");
    }
    if amounts.bindings > 0 {
        text.push_str("bindings:\n");
    }
    for number in 0..amounts.bindings {
        let _ = write!(
            text,
            "  - topic: \"{{stack}}-mail-{number}\"\n    role: roles/pubsub.publisher\n    \
             members: [\"{}\"]\n",
            member(number)
        );
    }
    text
}
