//! The worlds that the matrix runs in, and how worlds are compared.

use kedge_sandbox::Deed;
use kedge_tests::stack::{GMAIL, LEAVER, PUBLISHER, Stack};
use serde_json::{Map, Value, json};

pub(super) fn deed(stack: &Stack, deed: Value) {
    match serde_json::from_value::<Deed>(deed) {
        Ok(deed) => stack.act(&deed),
        Err(error) => panic!("{error}"),
    }
}

fn pruning() -> Stack {
    let mut stack = Stack::new();
    let policy = "correct: safe, deploy: disruptive, correct_after: 0, on_missing: recreate";
    stack.policy(&format!("{policy}, prune: true"));
    stack
}

pub(super) fn standing(stack: Stack) -> Stack {
    let stack = stack.with_small();
    stack.unattended();
    stack.wait_minutes(10);
    stack
}

/// A stack of each provider with something to create, delete, replace and correct in each, so that a
/// check makes every request that it can make.
pub(super) fn troubled() -> Stack {
    let mut stack = standing(pruning());
    stack.topics(&[
        ("a", "retention_ms: 3600000"),
        ("b", "partitions: 2"),
        ("new", ""),
    ]);
    deed(&stack, json!({"do": "delete_topic", "topic": "dev-b"}));
    deed(
        &stack,
        json!({"do": "delete_subscription", "subscription": "dev-mail-sub"}),
    );
    deed(
        &stack,
        json!({"do": "remove_record", "name": "n1.clustera.io"}),
    );
    others(&stack);
    stack
}

/// A stack of which nothing is live yet.
pub(super) fn new_stack() -> Stack {
    let stack = Stack::small();
    others(&stack);
    stack
}

/// Somebody's: a list that is empty has nothing in it to be of the wrong type.
pub(super) fn others(stack: &Stack) {
    deed(stack, json!({"do": "create_topic", "topic": "other"}));
    deed(
        stack,
        json!({"do": "create_pubsub_topic", "topic": "other"}),
    );
    deed(
        stack,
        json!({"do": "create_subscription", "subscription": "other", "topic": "other"}),
    );
    deed(
        stack,
        json!({"do": "add_record", "record": {"type": "A", "name": "other", "content": "192.0.2.9"}}),
    );
}

/// A run of apply: how its world is made, and what the person allows.
pub(super) struct Scenario {
    pub(super) name: &'static str,
    pub(super) world: fn() -> Stack,
    pub(super) allow: &'static [&'static str],
}

pub(super) const SCENARIOS: [Scenario; 6] = [
    Scenario {
        name: "creating",
        world: Stack::small,
        allow: &[],
    },
    Scenario {
        name: "updating",
        world: updating,
        allow: &[],
    },
    Scenario {
        name: "deleting",
        world: deleting,
        allow: &[
            "dev-b-dlq",
            "dev-mail-sub",
            "dev-mail/roles/pubsub.publisher",
            "pubsub-topic/dev-mail",
            "n1.clustera.io",
        ],
    },
    Scenario {
        name: "replacing",
        world: replacing,
        allow: &["dev-mail-sub"],
    },
    Scenario {
        name: "recreating",
        world: recreating,
        allow: &["dev-mail-sub"],
    },
    Scenario {
        name: "withdrawing",
        world: withdrawing,
        allow: WITHDRAWN,
    },
];

fn updating() -> Stack {
    let mut stack = standing(Stack::new());
    let config = json!({"retention_ms": 1000});
    deed(
        &stack,
        json!({"do": "set_topic_config", "topic": "dev-a", "config": config}),
    );
    stack.topics(&[
        ("a", "retention_ms: 3600000"),
        ("b", "partitions: 4"),
        ("b-dlq", "description: what b refused"),
    ]);
    let text = format!(
        "topics: [{{name: \"{{stack}}-mail\", labels: {{team: x}}}}]\n\
         subscriptions: [{{name: \"{{stack}}-mail-sub\", topic: \"{{stack}}-mail\", labels: {{team: x}}, \
         push_endpoint: \"https://hooks.example/other?token=other-s3cret\"}}]\n\
         bindings: [{{topic: \"{{stack}}-mail\", role: {PUBLISHER}, members: [\"{GMAIL}\", \"user:ana@example.com\"]}}]\n"
    );
    stack.file("area/pubsub.yaml", text);
    stack.nodes(&["name: n1, ips: [192.0.2.1, 192.0.2.3], domain: n1.clustera.io"]);
    stack
}

fn deleting() -> Stack {
    let mut stack = standing(pruning());
    stack.topics(&[("a", "retention_ms: 3600000"), ("b", "partitions: 2")]);
    stack.files.remove("area/pubsub.yaml");
    stack.nodes(&[]);
    stack
}

fn replacing() -> Stack {
    let mut stack = standing(Stack::new());
    stack.mail("filter: 'attributes.x = \"1\"'");
    stack
}

/// What takes a person's word to withdraw in [`withdrawing`].
pub(super) const WITHDRAWN: &[&str] = &["dev-mail/roles/pubsub.publisher"];

/// A member and an address are to be taken away, and nothing else is to be done.
pub(super) fn withdrawing() -> Stack {
    let mut stack = Stack::small();
    stack.mail_for(&[GMAIL, LEAVER], "");
    stack.unattended();
    stack.wait_minutes(10);
    stack.mail("");
    stack.nodes(&["name: n1, ips: [192.0.2.1], domain: n1.clustera.io"]);
    stack
}

fn recreating() -> Stack {
    let stack = standing(Stack::new());
    deed(&stack, json!({"do": "delete_topic", "topic": "dev-a"}));
    deed(
        &stack,
        json!({"do": "delete_pubsub_topic", "topic": "dev-mail"}),
    );
    deed(
        &stack,
        json!({"do": "remove_record", "name": "n1.clustera.io"}),
    );
    stack
}

/// The world without what two runs never share: ids, times and etags.
pub(super) fn comparable(world: &Value) -> Value {
    let is_own = |key: &str| key.ends_with("_ms") || key == "etag";
    match world {
        Value::Object(object) => object
            .iter()
            .filter(|(key, _)| !is_own(key))
            .map(|(key, value)| match (key.as_str(), value) {
                ("records", Value::Object(records)) => (key.clone(), sorted(records)),
                _ => (key.clone(), comparable(value)),
            })
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(items) => items.iter().map(comparable).collect(),
        other => other.clone(),
    }
}

fn sorted(records: &Map<String, Value>) -> Value {
    let mut texts: Vec<String> = records
        .values()
        .map(|record| comparable(record).to_string())
        .collect();
    texts.sort_unstable();
    texts.into()
}

/// What there is in the world: the names of everything, whatever it looks like.
pub(super) fn names(world: &Value) -> Vec<String> {
    let mut names = Vec::new();
    for (_, project) in world["aiven"]["projects"].as_object().into_iter().flatten() {
        for (_, service) in project.as_object().into_iter().flatten() {
            let topics = service["topics"].as_object().into_iter().flatten();
            names.extend(topics.map(|(name, _)| format!("aiven {name}")));
        }
    }
    for kind in ["topics", "subscriptions"] {
        let found = world["pubsub"][kind].as_object().into_iter().flatten();
        for (name, resource) in found {
            names.push(format!("pubsub {name} {}", comparable(&resource["policy"])));
        }
    }
    for (_, zone) in world["cloudflare"]["zones"]
        .as_object()
        .into_iter()
        .flatten()
    {
        let records = zone["records"].as_object().into_iter().flatten();
        names.extend(
            records.map(|(_, one)| format!("cloudflare {} {}", one["name"], one["content"])),
        );
    }
    names
}
