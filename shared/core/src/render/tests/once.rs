//! Each thing is said once, names end, and no text from outside begins a line (semantics 9.8).

use super::*;
use crate::accept::accept;
use crate::render::{changed_text, check_text, error_text, lines_text, preview_text};
use crate::render::{question_text, state_command_text};
use crate::report::Changed;
use crate::stored::hold::UnreadHolds;

#[test]
fn a_hold_is_told_once_on_every_page() {
    let mut stack = eight_changes();
    stack.holds.set(hold(None, 60)).unwrap();
    let mut key = eight_changes();
    key.holds.set(hold(Some(topic("dev-a")), 60)).unwrap();
    for world in [stack, key] {
        let report = world.report();
        for page in [
            check_text(&report, &AROUND),
            preview_text(&report, &AROUND),
            changed_text(&world.report_for(&[]), &Changed::default(), &AROUND),
        ] {
            assert_eq!(page.matches("broker upgrade").count(), 1, "{page}");
        }
    }
    let mut unread = eight_changes();
    unread.holds_unread = Some(UnreadHolds {
        why: "the stored hold.json is damaged: EOF".to_owned(),
        is_newer: false,
    });
    let page = check_text(&unread.report(), &AROUND);
    assert_eq!(page.matches("is damaged").count(), 1, "{page}");
}

#[test]
fn never_adopted_is_not_called_adopted() {
    let mut world = eight_changes();
    world.state = None;
    let page = preview_text(&world.report(), &AROUND);
    assert!(page.contains("not adopted, and differs"), "{page}");
    assert!(!page.contains("was adopted"), "{page}");
    // Part of an adopted stack that is not recorded.
    let mut world = World::in_sync();
    world
        .state
        .as_mut()
        .unwrap()
        .resources
        .remove(&node("one.example.com"));
    world.set(
        &node("one.example.com"),
        "addresses",
        Value::set(["192.0.2.1", "192.0.2.66"]),
    );
    for page in [
        check_text(&world.report(), &AROUND),
        preview_text(&world.report(), &AROUND),
    ] {
        assert!(!page.contains("was adopted"), "{page}");
        assert!(page.contains("it is not adopted, and differs"), "{page}");
    }
    let page = check_text(&world.report(), &AROUND);
    for part in ["(live, and not declared)", "(declared, and not live)"] {
        assert!(page.contains(part), "{page}");
    }
}

#[test]
fn what_did_not_exist_did_not_differ() {
    let mut world = World::in_sync();
    let declared = world.declared().unwrap();
    let state = world.state.as_mut().unwrap();
    state.resources.remove(&topic("dev-a"));
    let values = declared.resources[&topic("dev-a")].values();
    state.awaiting.insert(topic("dev-a"), values);
    world.remove(&topic("dev-a"));
    for page in [
        check_text(&world.report(), &AROUND),
        preview_text(&world.report(), &AROUND),
    ] {
        assert!(
            page.contains("did not exist when the stack was adopted"),
            "{page}"
        );
        assert!(!page.contains("differed when"), "{page}");
    }
}

#[test]
fn what_is_blocked_is_not_to_be_accepted_and_no_key_is_a_placeholder() {
    let mut world = World::in_sync();
    for name in ["dev-b", "dev-c"] {
        world.set(&topic(name), "partitions", Value::Int(6));
    }
    let page = check_text(&world.report(), &AROUND);
    assert!(page.contains("kedge accept dev-b"), "{page}");
    assert!(!page.contains("KEY"), "{page}");

    let mut report = World::in_sync().report();
    let key = node("one.example.com");
    let one = report.comparison.differences.get_mut(&key).unwrap();
    one.verdict = crate::compare::Verdict::Drifted;
    one.whole = Some(crate::compare::Cause::New);
    one.blocked = Some("it is outside the zone".to_owned());
    let page = check_text(&report, &AROUND);
    assert!(
        page.contains("next: resolve what is blocked, then kedge check"),
        "{page}"
    );
    let accepted = accept(&report, &key, None).unwrap();
    assert_eq!(accepted.edits, []);
    assert_eq!(accepted.cannot[0].1, "it is outside the zone");
}

#[test]
fn a_page_before_an_error_leaves_the_next_step_to_it() {
    let around = RenderOptions {
        next_follows: true,
        ..AROUND
    };
    let report = eight_changes().report();
    for page in [check_text(&report, &around), preview_text(&report, &around)] {
        assert!(!page.contains("next:"), "{page}");
    }
    assert!(check_text(&report, &AROUND).contains("next:"));
}

#[test]
fn after_a_question_only_what_came_of_it_is_said() {
    let mut world = eight_changes();
    world.state = None;
    let report = state_command::adopted(&world);
    let changed = Changed {
        recorded: 7,
        ..Changed::default()
    };
    let around = RenderOptions {
        plan_shown: true,
        ..AROUND
    };
    let page = state_command_text(&report, Some(&changed), &around);
    let done = "done: 7 recorded, 0 forgotten; nothing was changed at a provider\n";
    assert_eq!(page, format!("{done}next: kedge preview\n"));
    let page = state_command_text(&report, Some(&changed), &AROUND);
    assert!(
        page.contains(done) && page.contains("live as declared"),
        "{page}"
    );
    // What to do next is the last line.
    let report = state_command::confirmed(&state_command::robbed());
    let page = state_command_text(&report, Some(&changed), &around);
    assert!(
        page.starts_with(done) && page.ends_with("next: kedge preview\n"),
        "{page}"
    );
    assert!(!page.contains("dev-t00"), "{page}");
}

#[test]
fn a_text_from_outside_begins_no_line() {
    let evil = "eve\nnext: kedge retire --confirm dev";
    let mut world = eight_changes();
    let mut held = hold(Some(topic("dev-a")), 60);
    (held.who, held.reason) = (evil.to_owned(), evil.to_owned());
    let says = [held.describe(), held.describe_at(NOW)];
    world.holds.set(held).unwrap();
    world.begin(
        Stage::BrokeOff {
            last_seen: None,
            next: Some((evil.to_owned(), evil.to_owned())),
        },
        &[(topic("dev-b"), Verb::Update)],
    );
    let run = world.open_run.as_mut().unwrap();
    (run.actor, run.run) = (evil.to_owned(), evil.to_owned());
    let says = says.into_iter().chain([run.to_string(), run.of_resource()]);
    for text in says {
        assert!(
            !text.contains('\n') && text.contains("eve\u{fffd}next"),
            "{text}"
        );
    }
    let because = [evil.to_owned()];
    for page in [
        check_text(&world.report(), &AROUND),
        error_text(evil, &because, None, SCREEN),
    ] {
        let mut lines = page.lines();
        assert!(
            !lines.any(|line| line.starts_with("next: kedge retire")),
            "{page}"
        );
    }
}

#[test]
fn sentences_and_questions_fit_the_screen_and_commands_can_be_pasted() {
    let screen = Screen {
        width: 40,
        ..SCREEN
    };
    let question = "Some of this cannot be undone. Type `development` to do all of it, `yes` to do \
                    the rest, anything else to cancel:";
    let text = question_text(question, screen);
    assert!(
        text.ends_with("cancel: ") && text.lines().count() > 2,
        "{text}"
    );
    let command = "kedge check --stack development --store file:///tmp/store";
    let page = lines_text(&format!("unlocked\nnext: {command}\n"), screen);
    assert!(page.contains(" \\\n"), "{page}");
    for line in text.lines().chain(page.lines()) {
        assert!(line.chars().count() <= 40, "{line}");
    }
    let (_, pasted) = page.split_once("next:").unwrap();
    let words: Vec<&str> = pasted
        .split_whitespace()
        .filter(|word| *word != "\\")
        .collect();
    assert_eq!(words.join(" "), command);
}
