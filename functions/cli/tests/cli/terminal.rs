//! What is asked in a terminal, how wide it is, and what the answers come to.

use super::desk::Desk;
use super::screen::fits_in;
use super::{expect, leave_lease};

const STACK: &str = "--stack development";
const SAFE: &str = r#"{"do":"set_topic_config","topic":"development-runtime","config":{"max_message_bytes":1000}}"#;
/// The correction lowers it again.
const DESTRUCTIVE: &str = r#"{"do":"set_topic_config","topic":"development-runtime","config":{"retention_ms":99999999999}}"#;

fn standing() -> Desk {
    let mut desk = Desk::new();
    expect(&desk.kedge(&format!("up --yes {STACK}")), 0, &["done"]);
    desk.variables.insert("COLUMNS".to_owned(), "80".to_owned());
    desk
}

#[test]
fn who_cancels_leaves_what_there_is() {
    let desk = standing();
    desk.person(SAFE);
    let before = desk.world();
    for typed in ["no\n", "development\n", "\n"] {
        let no = desk.in_terminal(&format!("up {STACK}"), typed);
        expect(&no, 2, &["Type `yes` to do it", "nothing was changed"]);
        assert!(!no.err.contains("the rest"), "{}", no.err);
    }
    for (words, code) in [
        ("retire", 2),
        ("forget development-runtime", 2),
        ("adopt", 0),
    ] {
        let no = desk.in_terminal(&format!("{words} {STACK}"), "no\n");
        expect(&no, code, &[]);
    }
    assert_eq!(desk.world(), before);
    let yes = desk.in_terminal(&format!("up {STACK}"), "yes\n");
    expect(&yes, 0, &["done"]);
    let clean = desk.in_terminal(&format!("up {STACK}"), "");
    expect(&clean, 0, &["CLEAN"]);
    // Nothing is wrong with it, and all of it is left.
    let kept = desk.in_terminal(&format!("retire {STACK}"), "no\n");
    expect(
        &kept,
        2,
        &[
            "Type `development` to delete all of it",
            "nothing was changed",
        ],
    );
    expect(&desk.kedge(&format!("check {STACK}")), 0, &["CLEAN"]);
}

#[test]
fn the_rest_is_offered_only_where_there_is_one() {
    let desk = standing();
    desk.person(DESTRUCTIVE);
    for typed in ["yes\n", "no\n"] {
        let only = desk.in_terminal(&format!("up {STACK}"), typed);
        expect(&only, 2, &["This cannot be undone.", "nothing was changed"]);
        assert!(!only.err.contains("`yes`"), "{}", only.err);
        fits_in(&only.err, 80);
    }
    let name = desk.in_terminal(&format!("up {STACK}"), "development\n");
    expect(&name, 0, &["done"]);
    desk.person(&DESTRUCTIVE.replace("runtime", "cerebras"));
    desk.person(&SAFE.replace("runtime", "raw-records"));
    let rest = desk.in_terminal(&format!("up {STACK}"), "yes\n");
    expect(&rest, 2, &["Some of this cannot be undone.", "done"]);
    let words: Vec<&str> = rest.err.split_whitespace().collect();
    assert!(words.join(" ").contains("`yes` to do the rest"));
    fits_in(&rest.err, 80);
}

/// The name would cover more than the key that was named.
#[test]
fn a_typed_name_covers_nothing_where_only_yes_was_asked_for() {
    let desk = standing();
    desk.person(DESTRUCTIVE);
    desk.person(&DESTRUCTIVE.replace("runtime", "cerebras"));
    let before = desk.world();
    let up = format!("up {STACK} --allow development-runtime");
    let name = desk.in_terminal(&up, "development\n");
    expect(&name, 2, &["Type `yes` to do it", "nothing was changed"]);
    assert_eq!(desk.world(), before);
    let yes = desk.in_terminal(&up, "yes\n");
    expect(&yes, 2, &["1 of 1 changes made"]);
}

#[test]
fn no_question_is_wider_than_the_screen() {
    let mut desk = standing();
    desk.variables
        .insert("KEDGE_LEASE_SECONDS".to_owned(), "2".to_owned());
    for columns in [80, 40] {
        desk.variables
            .insert("COLUMNS".to_owned(), columns.to_string());
        desk.person(DESTRUCTIVE);
        for words in ["up", "retire", "forget development-runtime"] {
            let answer = desk.in_terminal(&format!("{words} {STACK}"), "no\n");
            fits_in(&answer.err, columns);
            fits_in(&answer.out, columns);
        }
        leave_lease(&desk, "development");
        let unlock = desk.in_terminal(&format!("unlock {STACK}"), "no\n");
        expect(&unlock, 0, &["ana@laptop", "Type", "nothing was changed"]);
        fits_in(&unlock.err, columns);
        // The command that it names can be pasted whole.
        let (_, hold) = unlock.err.split_once("kedge hold").unwrap();
        let command: Vec<&str> = hold
            .split("\n")
            .take_while(|line| !line.is_empty())
            .collect();
        let joined = command.join("\n").replace(" \\\n", " ");
        let line = joined.lines().next().unwrap();
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(
            words.join(" "),
            format!("{STACK} --for 1h --reason WHY"),
            "{}",
            unlock.err
        );
        for words in ["stack", "check --stats", "unlock --yes"] {
            let answer = desk.kedge(&format!("{words} {STACK}"));
            fits_in(&answer.out, columns);
            fits_in(&answer.err, columns);
        }
    }
}

#[test]
fn an_answer_for_a_machine_asks_nothing_in_a_terminal() {
    let desk = standing();
    desk.person(SAFE);
    for words in ["up", "forget development-runtime", "retire"] {
        let refused = desk.in_terminal(&format!("{words} --json {STACK}"), "");
        expect(
            &refused,
            1,
            &["an answer for a machine asks nothing: pass --"],
        );
        assert!(!refused.out.contains("no terminal"), "{}", refused.out);
    }
}

#[test]
fn a_stack_that_is_being_changed_is_not_asked_about() {
    let mut desk = standing();
    desk.variables
        .insert("KEDGE_LEASE_SECONDS".to_owned(), "2".to_owned());
    desk.person(SAFE);
    leave_lease(&desk, "development");
    let busy = desk.in_terminal(&format!("up {STACK}"), "yes\n");
    let text = format!("{}{}", busy.out, busy.err);
    assert_eq!(text.matches("next:").count(), 1, "{text}");
}
