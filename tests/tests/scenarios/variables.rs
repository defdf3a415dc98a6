//! Config values of the environment: a machine that has not those of the last `up` changes nothing of
//! what comes from them (semantics 4.6).

use kedge_core::plan::MovedVariable;
use kedge_core::record::Answer;
use kedge_core::report::StackVerdict;
use kedge_engine::StateCommand;
use kedge_tests::pushed::{commit, notices};
use kedge_tests::stack::{Stack, describe, left_reasons, results, topic, verdict};
use serde_json::json;

use super::composites::cut_off;
use super::{deed, set_config};

const HOOK: &str = "hook";
const KEEP: &str = "keep";
const NODES: &str = "nodes";
const POLICY: &str = "correct: disruptive, deploy: disruptive, correct_after: 0";

/// A stack of which a push endpoint and a topic's retention come from the environment of the person
/// who deployed it.
fn deployed() -> Stack {
    let mut stack = Stack::new();
    stack.policy(POLICY);
    stack.topics(&[
        ("a", "retention_ms: \"{keep?}\""),
        ("b", "retention_ms: 3600000"),
    ]);
    stack.mail("push_endpoint: \"{hook?}\"");
    let hook = "https://hooks.example/mail?token=push-s3cret".to_owned();
    stack.variables.insert(HOOK.to_owned(), hook);
    stack
        .variables
        .insert(KEEP.to_owned(), "7200000".to_owned());
    stack.person(&[]);
    stack.wait_minutes(10);
    stack.assert_settled();
    stack
}

/// The same stack on a machine without these variables.
fn without(stack: &Stack, variables: &[&str]) -> Stack {
    let mut other = stack.beside();
    for variable in variables {
        assert!(other.variables.remove(*variable).is_some());
    }
    other
}

fn moved(stack: &Stack) -> Vec<(String, bool)> {
    let moved = stack.check().plan.variables.into_iter();
    let pair = |MovedVariable { key, was_set }| (key, was_set);
    moved.map(pair).collect()
}

#[test]
fn a_missing_variable_withdraws_nothing() {
    let stack = deployed();
    let other = without(&stack, &[HOOK, KEEP]);
    let both = [(HOOK.to_owned(), true), (KEEP.to_owned(), true)];
    assert_eq!(moved(&other), both);
    // The rest goes on.
    set_config(&stack, "dev-b", json!({"retention_ms": 1000}));
    let (report, changed) = other.unattended();
    assert_eq!(
        results(&changed),
        ["update dev-b done"],
        "{}",
        describe(&report)
    );
    assert_eq!(left_reasons(&report, "dev-mail-sub"), ["variable"]);
    let reason = report.decided.left().next().unwrap().reason.to_string();
    let says = "KEDGE_CONFIG_HOOK was set at the last deploy and is not set here";
    assert!(reason.contains(says), "{reason}");
    other.wait_minutes(10);
    other.assert_idle_unattended();
    assert_eq!(other.check().verdict(), StackVerdict::Pending);
    // Where it is set nothing differs, and what is recorded of it is whole.
    stack.assert_settled();
    assert!(stack.state_text().contains("7200000"));
}

#[test]
fn a_resource_that_is_gone_is_not_made_by_half_of_its_definition() {
    let stack = deployed();
    let other = without(&stack, &[HOOK]);
    deed(
        &stack,
        json!({"do": "delete_subscription", "subscription": "dev-mail-sub"}),
    );
    stack.wait_minutes(10);
    let (report, changed) = other.unattended();
    assert_eq!(changed.results, [], "{}", describe(&report));
    assert_eq!(left_reasons(&report, "dev-mail-sub"), ["variable"]);
    stack.person(&[]);
    stack.wait_minutes(10);
    stack.assert_settled();
}

#[test]
fn a_persons_up_decides_and_is_remembered() {
    let stack = deployed();
    let other = without(&stack, &[HOOK, KEEP]);
    let (report, changed) = other.person(&[]);
    assert_eq!(
        results(&changed),
        ["update dev-mail-sub done"],
        "{}",
        describe(&report)
    );
    other.wait_minutes(10);
    other.assert_settled();
    assert_eq!(moved(&other), []);
    // A field that is no longer declared is left as it is live.
    assert!(!stack.state_text().contains("7200000"));
    // Now the first machine has more than the last `up`.
    assert_eq!(
        moved(&stack),
        [(HOOK.to_owned(), false), (KEEP.to_owned(), false)]
    );
    let (report, changed) = stack.unattended();
    assert_eq!(changed.results, [], "{}", describe(&report));
    assert_eq!(left_reasons(&report, "dev-mail-sub"), ["variable"]);
    stack.person(&[]);
    stack.wait_minutes(10);
    stack.assert_settled();
    assert_eq!(moved(&stack), []);
}

#[test]
fn what_a_person_could_not_do_is_not_remembered_as_agreed_to() {
    let stack = deployed();
    let other = without(&stack, &[HOOK]);
    stack.hold(None, 60);
    let (_, changed) = other.person(&[]);
    assert_eq!(changed.results, []);
    stack.release(None);
    let (report, changed) = other.unattended();
    assert_eq!(changed.results, [], "{}", describe(&report));
    assert_eq!(left_reasons(&report, "dev-mail-sub"), ["variable"]);
    stack.assert_settled();
}

#[test]
fn a_stack_that_begins_by_itself_knows_its_variables() {
    let mut stack = Stack::new();
    stack.policy(POLICY);
    stack.topics(&[("a", "retention_ms: \"{keep?}\"")]);
    stack
        .variables
        .insert(KEEP.to_owned(), "7200000".to_owned());
    stack.unattended();
    stack.wait_minutes(10);
    stack.assert_settled();
    assert_eq!(moved(&stack), []);
    assert_eq!(moved(&without(&stack, &[KEEP])), [(KEEP.to_owned(), true)]);
    // A state from before they were kept holds nothing back.
    let key = "stacks/dev/state.json";
    let mut json: serde_json::Value = serde_json::from_str(&stack.state_text()).unwrap();
    assert_eq!(json["variables"], json!([KEEP]));
    drop(json.as_object_mut().unwrap().remove("variables"));
    stack.ports.store.set(key, json.to_string());
    assert_eq!(moved(&without(&stack, &[KEEP])), []);
    // An edit is deployed by itself, and a person's next `up` keeps them.
    stack.topics(&[("a", "retention_ms: \"{keep?}\", partitions: 3")]);
    let (_, changed) = stack.unattended();
    assert_eq!(results(&changed), ["update dev-a done"]);
    stack.wait_minutes(10);
    stack.person(&[]);
    assert_eq!(moved(&without(&stack, &[KEEP])), [(KEEP.to_owned(), true)]);
    stack.assert_settled();
}

#[test]
fn an_edit_with_a_new_variable_waits_for_one_up() {
    let mut stack = deployed();
    stack.topics(&[
        ("a", "retention_ms: \"{keep?}\""),
        ("b", "retention_ms: \"{more?}\""),
    ]);
    stack
        .variables
        .insert("more".to_owned(), "7200001".to_owned());
    let (report, changed) = stack.unattended();
    assert_eq!(changed.results, [], "{}", describe(&report));
    assert_eq!(left_reasons(&report, "dev-b"), ["variable"]);
    assert_eq!(
        verdict(&report, "dev-b"),
        kedge_core::compare::Verdict::Pending
    );
    let (_, changed) = stack.person(&[]);
    assert_eq!(results(&changed), ["update dev-b done"]);
    assert_eq!(changed.results[0].approved.change.key, topic("b"));
    stack.wait_minutes(10);
    stack.assert_settled();
}

#[test]
fn a_value_is_no_part_of_the_pushed_set() {
    let stack = deployed();
    let report = stack.push(&commit(1));
    assert_eq!(notices(&report), ["variables-used"]);
    let said = report.notices[0].to_string();
    assert!(
        said.contains("KEDGE_CONFIG_HOOK, KEDGE_CONFIG_KEEP"),
        "{said}"
    );
    for key in stack.ports.store.keys() {
        assert!(!stack.ports.store.text(&key).contains("s3cret"), "{key}");
    }
    stack.assert_stored(&commit(1));
    stack.assert_settled();
}

const N1: &str = "{name: n1, ips: [192.0.2.1], domain: n1.clustera.io, exclusive: true}";
const A_OF_N1: &str = "n1.clustera.io/A";

/// A stack with a node of the environment, or of its file.
fn with_node(is_of_environment: bool) -> Stack {
    let mut stack = Stack::new();
    stack.policy(POLICY);
    stack.topics(&[("b", "retention_ms: 3600000")]);
    if is_of_environment {
        stack.variables.insert(NODES.to_owned(), format!("[{N1}]"));
    } else {
        stack.config(&format!("  test:nodes: [{N1}]\n"));
    }
    stack
}

/// Somebody points the node elsewhere.
fn point_elsewhere(stack: &Stack) {
    deed(
        stack,
        json!({"do": "add_address", "name": "n1.clustera.io", "address": "192.0.2.66"}),
    );
    deed(
        stack,
        json!({"do": "remove_record", "name": "n1.clustera.io", "content": "192.0.2.1"}),
    );
}

#[test]
fn who_does_not_know_what_is_declared_never_says_clean() {
    let settled = |stack: Stack| {
        stack.person(&[]);
        stack.wait_minutes(10);
        stack.assert_settled();
        stack
    };
    let of_environment = settled(with_node(true));
    point_elsewhere(&of_environment);
    let other = without(&of_environment, &[NODES]);
    let of_file = settled(with_node(false));
    point_elsewhere(&of_file);
    let mut stray = of_file.beside();
    stray.variables.insert(NODES.to_owned(), "[]".to_owned());
    let kept = deployed();
    set_config(&kept, "dev-a", json!({"retention_ms": 1000}));
    let forgetful = without(&kept, &[KEEP]);
    for (stack, other, allow) in [
        (of_environment, other, &[A_OF_N1][..]),
        (of_file, stray, &[A_OF_N1]),
        (kept, forgetful, &[]),
    ] {
        let report = other.check();
        assert_eq!(
            report.verdict(),
            StackVerdict::Pending,
            "{}",
            describe(&report)
        );
        assert_eq!(report.verdict().exit_code(false), 2);
        let (report, changed) = other.unattended();
        assert_eq!(changed.results, [], "{}", describe(&report));
        assert_eq!(report.exit_code_after(&changed), 2);
        other.assert_idle_unattended();
        // A person's `up` decides: then all is declared that is known there, and that is clean.
        let decided = other.fork();
        let (report, changed) = decided.person(&[]);
        assert_eq!(report.exit_code_after(&changed), 0, "{}", describe(&report));
        decided.wait_minutes(10);
        decided.assert_settled();
        // Where the variables are as they were, it is drift like any other.
        assert_eq!(stack.check().verdict(), StackVerdict::Drifted);
        stack.person(allow);
        stack.wait_minutes(10);
        stack.assert_settled();
    }
}

#[test]
fn what_waits_since_adoption_waits_on_after_a_tick_without_the_variable() {
    let stack = with_node(true);
    deed(
        &stack,
        json!({"do": "create_topic", "topic": "dev-b", "partitions": 1, "replication": 2,
            "config": {"retention_ms": 3_600_000}}),
    );
    stack.command(&StateCommand::Adopt { names: Vec::new() });
    assert_eq!(
        left_reasons(&stack.unattended().0, A_OF_N1),
        ["needs-person"]
    );
    let adopted = stack.state_text();
    // The names are those of the adoption.
    assert!(adopted.contains("\"variables\""), "{adopted}");
    let other = without(&stack, &[NODES]);
    set_config(&stack, "dev-b", json!({"retention_ms": 1000}));
    let (report, changed) = other.unattended();
    assert_eq!(
        results(&changed),
        ["update dev-b done"],
        "{}",
        describe(&report)
    );
    stack.wait_minutes(10);
    let (report, changed) = stack.unattended();
    assert_eq!(changed.results, [], "{}", describe(&report));
    assert_eq!(left_reasons(&report, A_OF_N1), ["needs-person"]);
    let (_, changed) = stack.person(&[]);
    assert_eq!(changed.done(), 1);
    stack.wait_minutes(10);
    stack.assert_settled();
}

#[test]
fn a_replacement_that_was_cut_off_is_finished_where_the_variable_is_set() {
    let mut stack = deployed();
    stack.mail("push_endpoint: \"{hook?}\", filter: 'attributes.x = \"1\"'");
    let stack = cut_off(&stack);
    let other = without(&stack, &[HOOK]);
    set_config(&stack, "dev-b", json!({"retention_ms": 1000}));
    let (report, changed) = other.unattended();
    assert_eq!(
        results(&changed),
        ["update dev-b done"],
        "{}",
        describe(&report)
    );
    other.assert_idle_unattended();
    let (_, changed) = stack.unattended();
    assert_eq!(results(&changed), ["create dev-mail-sub done"]);
    stack.wait_minutes(10);
    stack.assert_settled();
}

#[test]
fn adopting_leaves_what_is_not_known_here() {
    let mut stack = deployed();
    let hour = json!({"retention_ms": 3_600_000});
    deed(
        &stack,
        json!({"do": "create_topic", "topic": "dev-c", "partitions": 1, "replication": 2, "config": hour}),
    );
    stack.topics(&[
        ("a", "retention_ms: \"{keep?}\""),
        ("b", "retention_ms: 3600000"),
        ("c", "retention_ms: \"{keep?}\""),
    ]);
    let other = without(&stack, &[KEEP]);
    for names in [vec!["dev-c".to_owned()], Vec::new()] {
        let (report, _) = other.command(&StateCommand::Adopt { names });
        let Some(Answer::Adopted(adoption)) = report.command.map(|asked| asked.answer) else {
            panic!("it was asked to adopt")
        };
        assert_eq!((adoption.equal, adoption.pending), (vec![], vec![]));
        let why: Vec<_> = adoption.left.iter().map(|left| &left.why).collect();
        assert!(
            why[0].contains("KEDGE_CONFIG_KEEP was set at the last deploy"),
            "{why:?}"
        );
    }
    // Where it is known, what differs waits for a person.
    stack.command(&StateCommand::Adopt {
        names: vec!["dev-c".to_owned()],
    });
    let (report, changed) = stack.unattended();
    assert_eq!(changed.results, [], "{}", describe(&report));
    assert_eq!(left_reasons(&report, "dev-c"), ["needs-person"]);
    stack.person(&["dev-c"]);
    stack.wait_minutes(10);
    stack.assert_settled();
}
