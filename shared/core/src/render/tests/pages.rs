//! Whole pages: preview, what was changed, audit, problems; and what holds for all of them.

use super::documents::{changed_json, preview_json, problems_json};
use super::*;
use crate::documents::{self, Surroundings};
use crate::render::{audit_text, changed_text, check_text, preview_text, problems_text};
use crate::report::{ChangeResult, Changed, Outcome};

#[test]
fn preview() {
    insta::assert_snapshot!(preview_text(&eight_changes().report(), &AROUND));
}

#[test]
fn preview_of_nothing() {
    insta::assert_snapshot!(preview_text(&World::in_sync().report(), &AROUND));
}

#[test]
fn preview_of_a_first_deploy() {
    let mut world = World::in_sync();
    world.state = None;
    world.empty();
    insta::assert_snapshot!(preview_text(&world.report(), &AROUND));
}

#[test]
fn preview_of_a_protected_stack() {
    let mut world = eight_changes();
    world.edit("kedge.yaml", "policy: {", "policy: {protected: true, ");
    insta::assert_snapshot!(preview_text(&world.report(), &AROUND));
}

#[test]
fn preview_of_a_replacement() {
    let mut world = World::in_sync();
    world.remove(&mail_topic());
    world.remove(&mail_binding());
    world.set(&mail_sub(), "topic", Value::text("_deleted-topic_"));
    // What nobody declared is lost with it, and a secret in that is not shown.
    world.set(&mail_sub(), "ack_deadline_seconds", Value::Int(77));
    let filter = Value::text("a=\u{1b}[2J https://h.example/?token=abc");
    world.set(&mail_sub(), "filter", filter);
    insta::assert_snapshot!(preview_text(&world.report(), &AROUND));
}

/// A run in which everything that can happen happens.
fn run(report: &Report) -> Changed {
    let reason = "429: the quota is used up".to_owned();
    let fix = Some("ask for a larger one at https://help.example/?ticket=1234".to_owned());
    let outcomes = [
        Outcome::Done,
        Outcome::Failed {
            reason: reason.clone(),
        },
        Outcome::Blocked {
            reason: reason.clone(),
            fix,
        },
        Outcome::Unknown {
            reason: "no answer in time".to_owned(),
        },
        Outcome::NotBegun {
            reason: "dev-a was not made".to_owned(),
        },
    ];
    let approved = report.decided.approved().cloned();
    let carried = approved
        .zip(outcomes)
        .map(|(approved, outcome)| ChangeResult { approved, outcome });
    Changed {
        run: "1-2".to_owned(),
        results: carried.collect(),
        recorded: 2,
        forgotten: 1,
        ..Changed::default()
    }
}

#[test]
fn a_hold_that_stops_a_run_is_said() {
    let report = eight_changes().report_for(&[]);
    let reason = "held by ana@laptop until 2026-09-21 16:13 UTC: see https://h.example/?t=1";
    let mut changed = run(&report);
    for (number, carried) in changed.results.iter_mut().enumerate() {
        carried.outcome = match number {
            0 => Outcome::Done,
            _ => Outcome::Held {
                reason: reason.to_owned(),
            },
        };
    }
    let held = changed.results.len() - 1;
    let text = changed_text(&report, &changed, &AROUND);
    let hidden = "held by ana@laptop until 2026-09-21 16:13 UTC: see https://h.example/?[hidden]";
    for part in [
        "HELD  ",
        &format!(" · {held} held"),
        &format!("\na hold stopped the rest: {hidden}\n").replace(" see ", " see\n  "),
    ] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
    let json = changed_json(&report, &changed, None);
    assert_eq!(
        (&json["complete"], &json["stopped"]),
        (&false.into(), &hidden.into())
    );
    assert_eq!(json["changes"][1]["outcome"], "held");
}

#[test]
fn changed() {
    let report = eight_changes().report_for(&[]);
    let around = RenderOptions {
        stack_origin: "--stack",
        ..AROUND
    };
    insta::assert_snapshot!(changed_text(&report, &run(&report), &around));
}

#[test]
fn changed_by_a_tick() {
    let report = eight_changes().report();
    let approved = report.decided.approved().cloned();
    let carried = approved.map(|approved| ChangeResult {
        approved,
        outcome: Outcome::Done,
    });
    let changed = Changed {
        results: carried.collect(),
        ..Changed::default()
    };
    insta::assert_snapshot!(changed_text(&report, &changed, &AROUND));
}

#[test]
fn a_stack_that_was_started_again_is_not_shown_as_retired() {
    let mut world = World::in_sync();
    world.state.as_mut().unwrap().retired = Some(NOW);
    let report = world.report_for(&[]);
    let mut changed = Changed::default();
    assert!(changed_text(&report, &changed, &AROUND).contains("RETIRED"));
    changed.began_anew = true;
    let text = changed_text(&report, &changed, &AROUND);
    assert!(!text.contains("RETIRED"), "{text}");
    let line = "nothing to change · the retired stack is started again";
    assert!(text.contains(line), "{text}");
    assert!(report.has_something_to_do());
}

#[test]
fn nothing_changed() {
    let report = World::in_sync().report_for(&[]);
    insta::assert_snapshot!(changed_text(&report, &Changed::default(), &AROUND));
}

#[test]
fn audit() {
    let mut world = eight_changes();
    world.put(&node("old.example.com"), crate::model::Fields::new());
    world.put(
        &ResourceKey::pubsub_topic("acme-google", "dev-x"),
        crate::model::Fields::new(),
    );
    world.edit(
        "stacks/dev.yaml",
        "config:\n",
        "encryptionsalt: v1:abc\nconfig:\n  other:key: 1\n",
    );
    insta::assert_snapshot!(audit_text(&world.report(), &AROUND));
}

#[test]
fn problems() {
    let mut world = World::in_sync();
    world.edit(
        "data_plane/kafka-topics.yaml",
        "max_message_bytes",
        "max_mesage_bytes",
    );
    world.edit(
        "data_plane/kafka-topics.yaml",
        "\"{stack}-b\"",
        "\"prod-b\"",
    );
    let problems = world.declared().unwrap_err();
    insta::assert_snapshot!(problems_text(&problems, SCREEN, &command));
    let json = problems_json(&problems);
    assert_eq!(json["format"], "kedge.problems/1");
    assert_eq!(json["problems"].as_array().unwrap().len(), 2);
}

#[test]
fn with_times_and_coloured() {
    let around = RenderOptions {
        screen: Screen {
            colour: true,
            ..SCREEN
        },
        times: true,
        traffic: Some(Traffic {
            reads: 1,
            writes: 0,
            wall_ms: Some(1_449),
        }),
        ..AROUND
    };
    let report = eight_changes().report();
    let text = check_text(&report, &around);
    assert!(
        text.contains("changed between 14:08 and 14:13 UTC, 0 s ago"),
        "{text}"
    );
    assert!(
        text.contains("1 read, 0 writes, 1.4 s · \u{1b}[1;31mDRIFTED\u{1b}[0m"),
        "{text}"
    );
    let plain = check_text(
        &report,
        &RenderOptions {
            screen: SCREEN,
            ..around
        },
    );
    let stripped: String = text
        .split('\u{1b}')
        .enumerate()
        .map(|(n, part)| {
            if n == 0 {
                part
            } else {
                part.split_once('m').unwrap().1
            }
        })
        .collect();
    assert_eq!(stripped, plain);
}

/// Many of a sort: lists that end, in every kind of page.
fn many() -> World {
    let mut world = World::in_sync();
    let topics: String = (0..40)
        .map(|number| format!("  - name: \"{{stack}}-many-{number:02}\"\n"))
        .collect();
    world.edit(
        "data_plane/kafka-topics.yaml",
        "topics:\n",
        &format!("topics:\n{topics}"),
    );
    let mut world = World::of(world.files);
    for number in 0..25 {
        let key = topic(&format!("dev-many-{number:02}"));
        world.set(&key, "retention_ms", Value::Int(3_600_000));
        let stray = topic(&format!("dev-other-{number:02}"));
        world.put(&stray, crate::model::Fields::new());
    }
    world.edit(
        "kedge.yaml",
        "policy: {",
        "guards: {share_percent_max: 100}\npolicy: {",
    );
    world
}

/// Every page of these worlds, on a screen.
fn pages(screen: Screen) -> Vec<String> {
    let mut held = eight_changes();
    held.holds.set(hold(None, 60)).unwrap();
    held.holds.set(hold(Some(topic("dev-a")), -60)).unwrap();
    let mut new = World::in_sync();
    new.state = None;
    let mut unread = eight_changes();
    unread.fail(
        Kind::PubsubTopic,
        "403: needs pubsub.topics.list on the project",
    );
    let around = RenderOptions { screen, ..AROUND };
    let mut pages = Vec::new();
    for world in [eight_changes(), many(), held, new, unread, World::in_sync()] {
        let report = world.report();
        let changed = run(&report);
        pages.extend([
            check_text(&report, &around),
            preview_text(&report, &around),
            changed_text(&report, &changed, &around),
            audit_text(&report, &around),
        ]);
    }
    pages
}

#[test]
fn no_line_is_wider_than_the_screen() {
    for width in [40, 60, 80, 100, 132] {
        let pages = pages(Screen { width, ..SCREEN });
        for text in &pages {
            assert!(text.ends_with('\n') && !text.ends_with("\n\n"), "{text:?}");
            for line in text.lines() {
                assert_eq!(line, line.trim_end());
                // A word that is too wide stands alone, behind what says what it is.
                let words = line.split_whitespace().filter(|word| *word != "\\");
                let is_word = words.count() <= 3 && line.chars().count() > width;
                assert!(
                    is_word || line.chars().count() <= width,
                    "{width}: {line}\n{text}"
                );
            }
        }
    }
}

/// As it is printed, in the order of the types.
#[test]
fn lists_end_at_ten_names_unless_they_are_wanted_in_full() {
    let full = Screen {
        full: true,
        ..SCREEN
    };
    let of = |screen| {
        let around = RenderOptions { screen, ..AROUND };
        let report = many().report();
        [
            check_text(&report, &around),
            preview_text(&report, &around),
            audit_text(&report, &around),
        ]
    };
    for text in of(SCREEN) {
        assert!(text.contains("dev-many-09"), "{text}");
        assert!(!text.contains("dev-many-10"), "{text}");
        assert!(text.contains("and 15 more (--full)"), "{text}");
    }
    for text in of(full) {
        assert!(
            text.contains("dev-many-24") && !text.contains(" more ("),
            "{text}"
        );
    }
}

#[test]
fn each_page_that_is_not_clean_says_what_to_do_next() {
    for text in pages(SCREEN) {
        let is_clean = text.contains("· CLEAN") || text.contains("nothing to change");
        assert!(is_clean || text.contains("next: "), "{text}");
    }
}

#[test]
fn nobody_is_told_to_lift_a_hold() {
    let mut world = eight_changes();
    world.holds.set(hold(None, 120)).unwrap();
    for text in [
        check_text(&world.report(), &AROUND),
        preview_text(&world.report(), &AROUND),
    ] {
        let next = "next: wait until the hold ends at 16:13 UTC (in 2 h), or ask ana@laptop";
        assert!(text.contains(next), "{text}");
        assert!(!text.contains("release"), "{text}");
    }
}

#[test]
fn what_the_plan_said_is_not_repeated_after_it() {
    let report = eight_changes().report_for(&[]);
    let around = RenderOptions {
        plan_shown: true,
        ..AROUND
    };
    let after = changed_text(&report, &run(&report), &around);
    assert!(!after.contains("definitions (local files)"), "{after}");
    assert!(!after.contains("Kafka cannot reduce"), "{after}");
    assert!(after.contains("changes made"), "{after}");
    let alone = changed_text(&report, &run(&report), &AROUND);
    assert!(alone.contains("Kafka cannot reduce"), "{alone}");
}

#[test]
fn json() {
    let text = |document: &documents::Report| documents::json_text(document).unwrap();
    let around = Surroundings {
        traffic: AROUND.traffic,
        ..Surroundings::default()
    };
    let report = eight_changes().report();
    insta::assert_snapshot!("json_check", text(&documents::check(&report, &around)));
    let preview = documents::preview(&report, &around, Some(&command));
    let parts = (preview.commands, preview.plan);
    insta::assert_snapshot!(
        "json_preview",
        serde_json::to_string_pretty(&parts).unwrap()
    );
    let report = eight_changes().report_for(&[]);
    let changed = documents::changed(&report, &run(&report), &Surroundings::default());
    insta::assert_snapshot!("json_changed", documents::json_text(&changed).unwrap());
}

#[test]
fn short_keys_are_taken_by_allow() {
    let mut world = eight_changes();
    world.remove(&mail_topic());
    world.edit(
        "stacks/dev.yaml",
        "ips: [192.0.2.1, 192.0.2.2]",
        "ips: [192.0.2.1, 192.0.2.2, \"2001:db8::1\"]",
    );
    let report = world.report();
    let short_keys = crate::render::consent::ShortKeys::new(&report.plan);
    let mut shorts = Vec::new();
    for planned in &report.plan.changes {
        let short = short_keys.of(&planned.change.key);
        let (found, policy) = resolve_allowed(&report.plan, std::slice::from_ref(&short)).unwrap();
        assert_eq!(found.iter().collect::<Vec<_>>(), [&planned.change.key]);
        assert!(!policy);
        shorts.push(short);
    }
    for expected in [
        "dev-a",
        "pubsub-topic/dev-mail",
        "dev-mail/roles/pubsub.publisher",
        "one.example.com/A",
        "two.example.com",
    ] {
        assert!(
            shorts.iter().any(|short| short == expected),
            "{expected} in {shorts:?}"
        );
    }
}

/// The keys that are shown for destructive changes approve everything there is to approve.
#[test]
fn what_is_allowed_is_all_that_is_left() {
    let mut replaced = World::in_sync();
    replaced.remove(&mail_topic());
    replaced.remove(&mail_binding());
    replaced.set(&mail_sub(), "topic", Value::text("_deleted-topic_"));
    for world in [eight_changes(), replaced] {
        let report = world.report();
        let json = preview_json(&report, None);
        let command = json["commands"]["person_approving_key"].as_str().unwrap();
        let allow: Vec<&str> = command.split(" --allow ").skip(1).collect();
        let report = world.report_for(&allow);
        assert!(
            !allow.is_empty() && !report.decided.leaves_any(),
            "{command}: {:?}",
            report.decided.left().collect::<Vec<_>>()
        );
    }
}
