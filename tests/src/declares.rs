//! What a stack of a scenario declares: its definition files, in the words of the sandbox's default world.

use crate::stack::Stack;

/// The Aiven project of the sandbox's default world.
pub const AIVEN_PROJECT: &str = "clustera-creators";
/// Its Kafka service.
pub const KAFKA_SERVICE: &str = "kafka-clustera";
/// Its Google project.
pub const GCP_PROJECT: &str = "clustera-control-plane";
/// Its DNS zone.
pub const ZONE: &str = "c1a57e4a000000000000000000000001";
/// Gmail's service account.
pub const GMAIL: &str = "serviceAccount:gmail-api-push@system.gserviceaccount.com";

/// Somebody who is to lose it.
pub const LEAVER: &str = "user:leaver@example.com";

/// The role it needs.
pub const PUBLISHER: &str = "roles/pubsub.publisher";

/// The node of [`Stack::small`].
pub const NODE: &str = "name: n1, ips: [192.0.2.1, 192.0.2.2], domain: n1.clustera.io";

impl Stack {
    /// Writes a definition file.
    pub fn file(&mut self, path: &str, text: impl Into<String>) {
        self.files.insert(path.to_owned(), text.into());
    }

    /// Says the policy, as the inside of a YAML map.
    pub fn policy(&mut self, policy: &str) {
        self.project(policy, "{}", "[]");
    }

    /// Says policy, guards and ignore rules, as YAML.
    pub fn project(&mut self, policy: &str, guards: &str, ignore: &str) {
        let text = format!(
            "project: test\npolicy: {{{policy}}}\nguards: {guards}\nignore: {ignore}\n\
             areas: {{area: {{kafka_topics: {{partitions: 1, replication: 2}}}}}}\n"
        );
        self.file("kedge.yaml", text);
    }

    /// Says the stack's config besides projects, service and zone: lines of YAML.
    pub fn config(&mut self, more: &str) {
        let text = format!(
            "config:\n  test:aiven_project: {AIVEN_PROJECT}\n  test:kafka_service: {KAFKA_SERVICE}\n  \
             test:gcp_project: {GCP_PROJECT}\n  test:cloudflare_zone_id: {ZONE}\n{more}"
        );
        self.file(&format!("stacks/{}.yaml", self.name), text);
    }

    /// Declares Kafka topics, each as the inside of a YAML map after its name: `("a", "partitions: 3")`.
    pub fn topics(&mut self, topics: &[(&str, &str)]) {
        let lines: Vec<String> = topics.iter().map(|topic| topic_line(*topic)).collect();
        self.file("area/kafka-topics.yaml", listed("topics", &lines));
    }

    /// Declares so many Kafka topics, `t000` and on.
    pub fn many_topics(&mut self, count: usize, fields: &str) {
        let name = |number| format!("t{number:03}");
        let lines: Vec<String> = (0..count)
            .map(|number| topic_line((&name(number), fields)))
            .collect();
        self.file("area/kafka-topics.yaml", listed("topics", &lines));
    }

    /// Declares what Gmail needs of Pub/Sub: a topic `mail`, a publisher, and a subscription with
    /// these further fields.
    pub fn mail(&mut self, subscription: &str) {
        self.mail_for(&[GMAIL], subscription);
    }

    /// The same with these members of the publisher's role.
    pub fn mail_for(&mut self, members: &[&str], subscription: &str) {
        let text = format!(
            "topics: [{{name: \"{{stack}}-mail\"}}]\n\
             subscriptions: [{{name: \"{{stack}}-mail-sub\", topic: \"{{stack}}-mail\"{}}}]\n\
             bindings: [{{topic: \"{{stack}}-mail\", role: {PUBLISHER}, members: {members:?}}}]\n",
            after_comma(subscription)
        );
        self.file("area/pubsub.yaml", text);
    }

    /// Declares DNS nodes, each as the inside of a YAML map.
    pub fn nodes(&mut self, nodes: &[&str]) {
        let lines: Vec<String> = nodes
            .iter()
            .map(|node| format!("    - {{{node}}}\n"))
            .collect();
        let nodes = if lines.is_empty() { " []\n" } else { "\n" };
        self.config(&format!("  test:nodes:{nodes}{}", lines.concat()));
    }

    /// Something of each provider: topics `a`, `b` and `b-dlq`, Gmail's Pub/Sub with a secret in its
    /// push endpoint, and a node with two addresses.
    #[must_use]
    pub fn small() -> Self {
        Self::new().with_small()
    }

    /// The same on this stack.
    #[must_use]
    pub fn with_small(mut self) -> Self {
        self.topics(&[
            ("a", "retention_ms: 3600000"),
            ("b", "partitions: 2"),
            ("b-dlq", ""),
        ]);
        self.mail("push_endpoint: \"https://hooks.example/mail?token=push-s3cret\"");
        self.nodes(&[NODE]);
        self
    }
}

fn topic_line((name, fields): (&str, &str)) -> String {
    format!(
        "  - {{name: \"{{stack}}-{name}\"{}}}\n",
        after_comma(fields)
    )
}

fn after_comma(fields: &str) -> String {
    if fields.is_empty() {
        String::new()
    } else {
        format!(", {fields}")
    }
}

fn listed(name: &str, lines: &[String]) -> String {
    if lines.is_empty() {
        format!("{name}: []\n")
    } else {
        format!("{name}:\n{}", lines.concat())
    }
}
