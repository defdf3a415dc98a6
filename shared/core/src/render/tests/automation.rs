//! What pages say of automation is what automation decides, whoever asked (semantics 4.1, 6.3, 6.7).

use super::*;
use crate::plan::LeftReason;
use crate::render::{check_text, github_annotations, junit_xml, preview_text};

/// A drift that is destructive to correct: an address that kedge never recorded.
fn destructive() -> World {
    let mut world = World::in_sync();
    let three = Value::set(["192.0.2.1", "192.0.2.2", "192.0.2.66"]);
    world.set(&node("one.example.com"), "addresses", three);
    world
}

fn protected(mut world: World) -> World {
    world.state.as_mut().unwrap().policy.protected = true;
    world.edit("kedge.yaml", "policy: {", "policy: {protected: true, ");
    world
}

/// Every page that says what a check of this report found.
fn pages(report: &Report) -> [String; 3] {
    [
        check_text(report, &AROUND),
        junit_xml(report),
        github_annotations(report, "definitions"),
    ]
}

#[test]
fn a_person_who_may_correct_is_not_automation() {
    // As `up --yes --allow` leaves it where another run has the lease.
    let report = destructive().report_for(&["one.example.com"]);
    assert!(report.decided.approves_any());
    for page in pages(&report) {
        assert!(!page.contains("on its next run"), "{page}");
        assert!(page.contains("a person must approve it"), "{page}");
    }
    let page = check_text(&report, &AROUND);
    assert!(
        page.contains("approve with `--allow one.example.com`"),
        "{page}"
    );
}

#[test]
fn automation_waits_and_passes_no_guard_whatever_a_person_may_do() {
    let mut world = eight_changes();
    world.state.as_mut().unwrap().policy.correct_after_ms = 900_000;
    world.edit("kedge.yaml", "correct_after: 0s", "correct_after: 15m");
    let page = check_text(&world.report_for(&[]), &AROUND);
    assert!(page.contains("automation waits until"), "{page}");
    assert!(!page.contains("on its next run"), "{page}");

    let mut world = blocks::many(12);
    for n in 0..6 {
        let key = topic(&format!("dev-many-{n:03}"));
        world.set(&key, "retention_ms", Value::Int(3_600_000));
    }
    world.overrides = [GuardName::Share].into();
    let report = world.report_for(&[]);
    assert!(report.decided.approves_any() && report.decided.refused.is_empty());
    let page = check_text(&report, &AROUND);
    for part in ["GUARD", "WAITING: the guard `share` refuses the whole plan"] {
        assert!(page.contains(part), "{page}");
    }
    assert!(!page.contains("on its next run"), "{page}");
}

#[test]
fn nothing_is_done_by_definitions_that_can_not_be_used() {
    let mut report = eight_changes().report();
    report.invalid = Some(crate::report::InvalidBundle {
        reason: "the stored definitions are damaged".to_owned(),
        problems: None,
        beside: false,
    });
    for decided in [&mut report.automation, &mut report.decided] {
        decided.leave_all(&LeftReason::InvalidDefinitions);
    }
    assert!(!report.decided.approves_any());
    for page in pages(&report)
        .into_iter()
        .chain([preview_text(&report, &AROUND)])
    {
        assert!(
            page.contains("WAITING: the stored definitions can"),
            "{page}"
        );
        assert!(!page.contains("on its next run"), "{page}");
        assert!(!page.contains("automation waits until"), "{page}");
        assert!(!page.contains("kedge up"), "{page}");
    }
}

#[test]
fn what_is_not_pushed_is_not_done_by_automation_before() {
    let mut report = eight_changes().report();
    report.push_first = Some(Hint::Push {
        after_rollback: None,
    });
    let page = check_text(&report, &AROUND);
    assert!(page.contains("once these files are pushed"), "{page}");
    assert!(
        !page.contains("automation fixes this on its next run\n"),
        "{page}"
    );
}

#[test]
fn a_protected_stack_is_never_told_to_name_a_key() {
    let stays = protected(destructive());
    // It is protected until a person agrees that it is not.
    let mut loosened = destructive();
    loosened.state.as_mut().unwrap().policy.protected = true;
    for world in [stays, loosened] {
        for report in [world.report(), world.report_for(&[])] {
            for page in pages(&report)
                .into_iter()
                .chain([preview_text(&report, &AROUND)])
            {
                assert!(!page.contains("--allow"), "{page}");
                assert!(page.contains("type the stack"), "{page}");
            }
        }
    }
}

/// Twelve topics, half of which drifted, and their `share` overridden.
fn overridden() -> World {
    let mut world = blocks::many(12);
    for n in 0..6 {
        let key = topic(&format!("dev-many-{n:03}"));
        world.set(&key, "retention_ms", Value::Int(3_600_000));
    }
    world.overrides = [GuardName::Share].into();
    world
}

#[test]
fn the_command_of_a_plan_past_a_guard_overrides_it_too() {
    let page = preview_text(&overridden().report(), &AROUND);
    let commands: Vec<&str> = page
        .lines()
        .filter(|line| line.contains("kedge up"))
        .collect();
    assert!(!commands.is_empty(), "{page}");
    for command in &commands {
        assert!(command.contains("--override share"), "{page}");
        assert!(command.contains("--plan"), "{page}");
    }
    // One more guard in the way: both are named.
    let mut world = overridden();
    world.state.as_mut().unwrap().policy.guards.changes_max = 2;
    world.edit(
        "kedge.yaml",
        "policy: {",
        "guards: {changes_max: 2}\npolicy: {",
    );
    let page = preview_text(&world.report(), &AROUND);
    let both = ["--override share", "--override changes"];
    assert!(both.iter().all(|guard| page.contains(guard)), "{page}");
}

#[test]
fn past_a_guard_of_a_protected_stack_there_is_no_plan_to_name() {
    let page = preview_text(&protected(overridden()).report(), &AROUND);
    assert!(page.contains("type its name in a terminal"), "{page}");
    for line in page.lines().filter(|line| line.contains("kedge up")) {
        assert!(
            line.contains("kedge up --stack dev --override share"),
            "{page}"
        );
    }
    assert!(!page.contains("--plan"), "{page}");
}

#[test]
fn what_a_plan_is_out_of_date_by_is_named_and_is_not_the_policy() {
    let with = overridden();
    let mut without = overridden();
    without.overrides.clear();
    let (with, without) = (with.report().plan.summary, without.report().plan.summary);
    assert_ne!(with.digest, without.digest);
    assert_eq!(without.moved_since(&with), ["overridden guards"]);
}
