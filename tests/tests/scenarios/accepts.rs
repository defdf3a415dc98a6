//! What `accept` says is done by hand, and then the stack is as it is declared.

use kedge_core::accept::{AcceptError, Accepted, Doing, accept};
use kedge_core::model::ResourceKey;
use kedge_core::report::StackVerdict;
use kedge_tests::stack::{
    AIVEN_PROJECT, GCP_PROJECT, GMAIL, KAFKA_SERVICE, PUBLISHER, Stack, ZONE, describe,
};
use serde_json::{Value, json};

use super::deed;

const PUBSUB: &str = "area/pubsub.yaml";
const STACK: &str = "stacks/dev.yaml";
const ANA: &str = "user:ana@example.com";
const SIX: &str = "2001:db8::1";

/// A topic with two publishers and a node with addresses of both families, in block style, as people
/// write them.
fn standing() -> Stack {
    let mut stack = Stack::new();
    stack.policy("correct: none, deploy: none");
    stack.file(
        PUBSUB,
        format!(
            "topics:\n  - name: \"{{stack}}-mail\"\nbindings:\n  - topic: \"{{stack}}-mail\"\n    \
             role: roles/pubsub.viewer\n    members:\n      - \"{ANA}\"\n  - topic: \
             \"{{stack}}-mail\"\n    role: {PUBLISHER}\n    members:\n      - \"{GMAIL}\"\n      \
             - \"{ANA}\"\n"
        ),
    );
    stack.file(
        STACK,
        format!(
            "config:\n  test:aiven_project: {AIVEN_PROJECT}\n  test:kafka_service: {KAFKA_SERVICE}\n  \
             test:gcp_project: {GCP_PROJECT}\n  test:cloudflare_zone_id: {ZONE}\n  test:nodes:\n    \
             - name: n1\n      ips:\n        - \"192.0.2.1\"\n        - \"192.0.2.2\"\n        - \
             \"{SIX}\"\n      domain: n1.clustera.io\n    - name: n2\n      ips:\n        - \
             \"192.0.2.9\"\n      domain: n2.clustera.io\n"
        ),
    );
    stack.person(&[]);
    stack.wait_minutes(10);
    stack.assert_settled();
    stack
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// Makes the edits as a person who reads them would.
fn make(stack: &mut Stack, accepted: &Accepted) {
    assert_eq!(accepted.cannot, []);
    for edit in &accepted.edits {
        let text = stack.files.get_mut(&*edit.origin.file).unwrap();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let at = usize::try_from(edit.origin.line).unwrap() - 1;
        match &edit.doing {
            Doing::Items { list, add, remove } => {
                // The place of a list is that of its key or of its first item.
                let key = format!("{list}:");
                let at = (0..=at).rev().find(|line| lines[*line].trim() == key);
                let at = at.unwrap();
                let pad = " ".repeat(indent(&lines[at + 1]));
                for item in remove {
                    let line = lines.iter().skip(at).position(|line| line.contains(item));
                    lines.remove(at + line.unwrap());
                }
                let items = add.iter().map(|item| format!("{pad}- \"{item}\""));
                lines.splice(at + 1..=at, items);
            }
            Doing::RemoveResource => {
                let begins = |line: &usize| {
                    let is_own = *line == at || indent(&lines[*line]) < indent(&lines[at]);
                    is_own && lines[*line].trim().starts_with("- ")
                };
                let first = (0..=at).rev().find(begins).unwrap();
                let depth = indent(&lines[first]);
                let mut after = lines.iter().skip(first + 1);
                let more = after.position(|line| indent(line) <= depth);
                let end = more.map_or(lines.len(), |more| first + 1 + more);
                lines.drain(first..end);
                // A list without an item is written so.
                let is_last = lines
                    .get(first)
                    .is_none_or(|line| !line.trim().starts_with("- "));
                if let Some(key) = lines
                    .get_mut(first - 1)
                    .filter(|line| is_last && line.ends_with(':'))
                {
                    key.push_str(" []");
                }
            }
            other => panic!("{other:?}"),
        }
        *text = lines.join("\n") + "\n";
    }
}

fn binding(role: &str) -> ResourceKey {
    ResourceKey::pubsub_binding(GCP_PROJECT, "dev-mail", role)
}

fn records(domain: &str, family: &str) -> ResourceKey {
    ResourceKey::dns_record_set(ZONE, domain, family)
}

fn lose_member(role: &str, member: &str) -> Value {
    json!({"do": "remove_iam_member", "topic": "dev-mail", "role": role, "member": member})
}

fn lose_record(name: &str, content: &str) -> Value {
    json!({"do": "remove_record", "name": name, "content": content})
}

/// What somebody did, what it is accepted of, and whether all of that goes.
type Case = (&'static str, Vec<Value>, ResourceKey, bool);

fn cases() -> [Case; 8] {
    let gain = json!({"do": "add_address", "name": "n1.clustera.io", "address": "192.0.2.66"});
    let (viewer, publisher) = ("roles/pubsub.viewer", PUBLISHER);
    let (n1, n2) = ("n1.clustera.io", "n2.clustera.io");
    [
        (
            "a member is gone",
            vec![lose_member(publisher, ANA)],
            binding(publisher),
            false,
        ),
        (
            "the only member is gone",
            vec![lose_member(viewer, ANA)],
            binding(viewer),
            true,
        ),
        (
            "others have the role instead",
            vec![
                json!({"do": "add_iam_member", "topic": "dev-mail", "role": viewer, "member": "user:ben@example.com"}),
                lose_member(viewer, ANA),
            ],
            binding(viewer),
            true,
        ),
        (
            "both members are gone",
            vec![lose_member(publisher, ANA), lose_member(publisher, GMAIL)],
            binding(publisher),
            true,
        ),
        (
            "an address is gone",
            vec![lose_record(n1, "192.0.2.1")],
            records(n1, "A"),
            false,
        ),
        (
            "an address is new",
            vec![lose_record(n1, "192.0.2.1"), gain],
            records(n1, "A"),
            false,
        ),
        (
            "one family is gone",
            vec![lose_record(n1, SIX)],
            records(n1, "AAAA"),
            false,
        ),
        (
            "the node is gone",
            vec![lose_record(n2, "192.0.2.9")],
            records(n2, "A"),
            true,
        ),
    ]
}

#[test]
fn edits_of_bindings_and_record_sets_make_the_stack_clean() {
    let whole = |accepted: &Accepted| {
        let mut edits = accepted.edits.iter();
        edits.all(|edit| edit.doing == Doing::RemoveResource)
    };
    for (name, deeds, key, is_whole) in cases() {
        let mut stack = standing();
        deeds.into_iter().for_each(|one| deed(&stack, one));
        let report = stack.check();
        assert_eq!(report.verdict(), StackVerdict::Drifted, "{name}");
        let accepted = accept(&report, &key, None).unwrap();
        assert_eq!(
            (accepted.edits.len(), whole(&accepted)),
            (1, is_whole),
            "{name}"
        );
        make(&mut stack, &accepted);
        let report = stack.check();
        assert_eq!(
            report.verdict(),
            StackVerdict::Clean,
            "{name}: {}",
            describe(&report)
        );
        let again = accept(&report, &key, None);
        let is_done = matches!(again, Err(AcceptError::InSync(_)))
            || again.is_ok_and(|accepted| accepted.edits.is_empty())
            || !report.declared.resources.contains_key(&key);
        assert!(is_done, "{name}");
        stack.person(&[]);
        stack.wait_minutes(10);
        stack.assert_settled();
    }
}

#[test]
fn a_node_of_which_both_families_are_gone_goes_whole() {
    let mut stack = standing();
    for address in ["192.0.2.1", "192.0.2.2", SIX] {
        deed(&stack, lose_record("n1.clustera.io", address));
    }
    let accepted = accept(&stack.check(), &records("n1.clustera.io", "A"), None).unwrap();
    assert_eq!(accepted.edits[0].doing, Doing::RemoveResource);
    make(&mut stack, &accepted);
    stack.person(&[]);
    stack.assert_settled();
}

#[test]
fn a_topic_that_is_gone_can_not_leave_what_is_declared_on_it() {
    let mut stack = standing();
    deed(
        &stack,
        json!({"do": "delete_pubsub_topic", "topic": "dev-mail"}),
    );
    let topic = ResourceKey::pubsub_topic(GCP_PROJECT, "dev-mail");
    let report = stack.check();
    let accepted = accept(&report, &topic, None).unwrap();
    assert_eq!(accepted.edits, []);
    assert!(
        accepted.cannot[0].1.contains("accept those first"),
        "{accepted:?}"
    );
    // From below, so that no line moves before it is edited.
    for role in [PUBLISHER, "roles/pubsub.viewer"] {
        let accepted = accept(&stack.check(), &binding(role), None).unwrap();
        make(&mut stack, &accepted);
    }
    let accepted = accept(&stack.check(), &topic, None).unwrap();
    make(&mut stack, &accepted);
    assert_eq!(stack.files[PUBSUB], "topics: []\nbindings: []\n");
    stack.person(&[]);
    stack.assert_settled();
}
