//! A mistake in `kedge.yaml`, on which all other files depend, is said first, and what only follows from it is
//! not said.

use super::*;

/// What is missing in this topic could be a default of its area. The last line is a mistake of its own.
const TOPICS: (&str, &str) = (
    "data/kafka-topics.yaml",
    "topics:\n  - name: \"{stack}-a\"\n    local_retention_ms: 1h\n    description: \"in {region}\"\n    labels: x\n",
);

const NO_REGION: &str = "nothing defines `{region}`";
const OWN: &str = "unknown key `labels`";
/// What follows from having no defaults.
const MISSING: [&str; 3] = [
    "`local_retention_ms` needs a `retention_ms`",
    "this topic has no `partitions`",
    "this topic has no `replication`",
];

fn sorted(mut messages: Vec<String>) -> Vec<String> {
    messages.sort();
    messages
}

#[test]
fn what_follows_from_a_bad_kedge_yaml_is_left_out() {
    // Its own problem, and whether the project's name is known in spite of it.
    for (kedge, cause, has_name) in [
        ("project: [\n", "a `[` without its `]`", false),
        ("", "the file is empty", false),
        (
            "- project: acme\n",
            "this file must be a map of keys and values",
            false,
        ),
        (
            "areas:\n  data: {kafka_topics: {partitions: 1}}\n",
            "this file has no `project`",
            false,
        ),
        (
            "project: acme\naeras:\n  data: {kafka_topics: {partitions: 1}}\n",
            "unknown key `aeras`, did you mean `areas`?",
            true,
        ),
        (
            "project: acme\nareas:\n  data: {kafka_topics: {partitions: 0}}\n",
            "`partitions` can't be `0`",
            true,
        ),
        (
            "project: acme\nareas:\n  dat: {kafka_topics: {partitions: 1}}\n",
            "no definition file is in an area `dat`, did you mean `data`?",
            true,
        ),
    ] {
        let said = messages(dev(&[("kedge.yaml", kedge), TOPICS]));
        assert_eq!(said[0], cause, "{kedge}: the cause comes first");
        // A file without its name has defaults all the same.
        let is_read = kedge.starts_with("areas");
        let mut expected = vec![OWN.to_owned()];
        expected.extend(has_name.then(|| NO_REGION.to_owned()));
        if is_read {
            let of_defaults = MISSING.iter().filter(|text| !text.contains("partitions"));
            expected.extend(of_defaults.map(|text| (*text).to_owned()));
        }
        assert_eq!(sorted(said[1..].to_vec()), sorted(expected), "{kedge}");
    }
}

#[test]
fn what_does_not_follow_from_it_is_said_beside_it() {
    // A mistake elsewhere in it hides nothing.
    let kedge = "project: acme\npolcy: {}\n";
    let said = messages(dev(&[("kedge.yaml", kedge), TOPICS]));
    assert_eq!(said[0], "unknown key `polcy`, did you mean `policy`?");
    let all = MISSING.iter().chain([&OWN, &NO_REGION]);
    let all = all.map(|text| (*text).to_owned()).collect();
    assert_eq!(sorted(said[1..].to_vec()), sorted(all));
    // Our own settings are known by their names: what is missing of them is missing.
    let stack = "config:\n  acme:aiven_project: x\n";
    let said = messages(dev(&[
        ("kedge.yaml", "project: [\n"),
        ("stacks/dev.yaml", stack),
        TOPICS,
    ]));
    let expected = [
        "a `[` without its `]`",
        OWN,
        "`kafka_service` is not configured",
    ];
    assert_eq!(said, expected);
}
