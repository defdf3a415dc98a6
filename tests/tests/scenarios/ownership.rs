//! A DNS name that another stack declares or records is left to it (semantics 2.3).

use kedge_core::compare::Verdict;
use kedge_core::plan::FindingKind;
use kedge_core::report::{Report, StackVerdict};
use kedge_engine::StateCommand;
use kedge_tests::pushed::commit;
use kedge_tests::stack::{NODE, Stack, describe, person, results, stack_name, verdict};
use serde_json::json;

use super::deed;

const OTHERS: &str = "name: n1, ips: [192.0.2.9], domain: N1.clustera.io";
const OWN: &str = "name: n2, ips: [192.0.2.8], domain: n2.clustera.io";

/// Two stacks of one set and one store: `dev`, and `cap` with these nodes.
fn two(dev: &[&str], cap: &[&str]) -> [Stack; 2] {
    let mut first = Stack::new();
    first.topics(&[]);
    let mut second = first.clone();
    second.name = stack_name("cap");
    first.nodes(dev);
    second.nodes(cap);
    same_set([first, second])
}

/// Each with the other's file as it is now.
fn same_set([mut first, mut second]: [Stack; 2]) -> [Stack; 2] {
    let before = [first.clone(), second.clone()];
    for (to, from) in [&mut second, &mut first].into_iter().zip(before) {
        let file = format!("stacks/{}.yaml", from.name);
        to.files.insert(file.clone(), from.files[&file].clone());
    }
    [first, second]
}

/// A person adds a record of `n1.clustera.io`, as a definition would have it.
fn add_record(stack: &Stack, address: &str) {
    let record = json!({
        "type": "A", "name": "n1.clustera.io", "content": address, "ttl": 300, "proxied": false,
    });
    deed(stack, json!({"do": "add_record", "record": record}));
}

/// Why the stack may not touch `n1.clustera.io`.
fn blocked(report: &Report) -> Vec<&str> {
    let findings = report.plan.findings.iter();
    findings
        .filter(|one| one.kind == FindingKind::Blocked && one.key.answers_to("n1.clustera.io"))
        .map(|one| one.message.as_str())
        .collect()
}

/// Nobody changes `n1.clustera.io` for `cap`.
fn assert_left(cap: &Stack, why: &str) {
    let n1 = |stack: &Stack| {
        let world = stack.ports.sandbox.world();
        let text = world["cloudflare"].to_string();
        ["192.0.2.1\"", "192.0.2.2\"", "192.0.2.9\""].map(|address| text.contains(address))
    };
    let before = n1(cap);
    for (report, changed) in [cap.unattended(), cap.person(&[])] {
        assert_eq!(blocked(&report), [why], "{}", describe(&report));
        assert!(!results(&changed).concat().contains("n1.clustera.io"));
        assert_ne!(report.verdict(), StackVerdict::Clean);
    }
    assert_eq!(n1(cap), before);
    assert!(!cap.state_text().contains("n1.clustera.io\""), "recorded");
    cap.assert_idle();
}

#[test]
fn what_a_stack_records_stays_its_own_whoever_else_declares_it() {
    let [mut dev, mut cap] = two(&[NODE], &[]);
    // They were there before, and no mark on them says whose they are.
    for address in ["192.0.2.1", "192.0.2.2"] {
        add_record(&dev, address);
    }
    assert_eq!(dev.person(&[]).1.recorded, 1);
    cap.nodes(&[OTHERS, OWN]);
    [dev, cap] = same_set([dev, cap]);
    let (_, changed) = cap.person(&[]);
    assert_eq!(results(&changed), ["create n2.clustera.io/A done"]);
    assert_left(&cap, "stack `dev` records this name");
    dev.assert_settled();
    // Withdrawn and still recorded it is not free; forgotten it is.
    dev.nodes(&[]);
    [dev, cap] = same_set([dev, cap]);
    dev.unattended();
    assert_left(&cap, "stack `dev` records this name");
    dev.command(&StateCommand::Forget {
        names: vec!["n1.clustera.io".to_owned()],
    });
    deed(
        &dev,
        json!({"do": "remove_record", "name": "n1.clustera.io"}),
    );
    cap.person(&[]);
    cap.wait_minutes(10);
    cap.assert_settled();
    dev.assert_settled();
}

#[test]
fn what_two_declare_and_none_records_is_nobodys_yet() {
    for is_live in [false, true] {
        let [mut dev, mut cap] = two(&[NODE], &[OTHERS]);
        if is_live {
            // Live as `cap` declares it: it is not recorded in silence either.
            add_record(&dev, "192.0.2.9");
        }
        for (stack, other) in [(&dev, "cap"), (&cap, "dev")] {
            let (report, _) = stack.person(&[]);
            let why = format!("stack `{other}` declares this name too");
            assert_eq!(blocked(&report), [why]);
        }
        assert_left(&cap, "stack `dev` declares this name too");
        assert_eq!(
            verdict(&cap.check(), "n1.clustera.io"),
            [Verdict::Pending, Verdict::NotAdopted][usize::from(is_live)]
        );
        dev.nodes(&[]);
        [dev, cap] = same_set([dev, cap]);
        cap.person(&[]);
        cap.wait_minutes(10);
        cap.assert_settled();
        dev.assert_settled();
    }
}

#[test]
fn a_retired_stack_has_no_names() {
    let [dev, cap] = two(&[NODE], &[OTHERS]);
    let alone = {
        let mut alone = dev.clone();
        alone.files.remove("stacks/cap.yaml");
        alone
    };
    alone.person(&[]);
    alone.wait_minutes(10);
    dev.command(&StateCommand::Retire {
        expected_digest: None,
    });
    cap.person(&[]);
    cap.wait_minutes(10);
    cap.assert_settled();
    dev.assert_idle_unattended();
}

#[test]
fn what_can_not_be_found_out_counts_as_anothers() {
    let [_, cap] = two(&[NODE], &[OTHERS, OWN]);
    // A state that is damaged, and a registry that a newer program wrote.
    for (key, text, why) in [
        (
            "stacks/dev/state.json",
            "{",
            "whether stack `dev` records this name is not known",
        ),
        (
            "stacks/index.json",
            "{\"format\": 99}",
            "which stack has this name is not known",
        ),
    ] {
        let cap = cap.fork();
        cap.put_object(key, text);
        let report = cap.check();
        let said = blocked(&report);
        assert!(said[0].starts_with(why), "{said:?}");
        assert_eq!(cap.unattended().1.results, []);
        cap.assert_idle();
    }
}

#[test]
fn the_registry_is_asked_where_definitions_are_stored() {
    let [mut dev, mut cap] = two(&[NODE], &[OTHERS]);
    // Sets of their own, as two clones have them.
    dev.files.remove("stacks/cap.yaml");
    cap.files.remove("stacks/dev.yaml");
    dev.push(&commit(1));
    assert_left(&cap, "stack `dev` has this name in stacks/index.json");
    dev.up_stored(&person(&[])).unwrap();
    dev.assert_pushed(&commit(1));
}

#[test]
fn what_a_stack_of_another_set_records_in_the_same_store_is_its_own() {
    let [dev, cap] = two(&[NODE], &[OTHERS]);
    for address in ["192.0.2.1", "192.0.2.2"] {
        add_record(&dev, address);
    }
    let [mut dev, mut cap] = [dev, cap];
    dev.files.remove("stacks/cap.yaml");
    cap.files.remove("stacks/dev.yaml");
    assert_eq!(dev.person(&[]).1.recorded, 1);
    assert_left(&cap, "stack `dev` records this name");
    dev.assert_settled();
}
