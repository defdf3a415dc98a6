//! Names that no stack has, variables that are not set here, and stored objects that can't be read.

use std::fs;

use super::{Desk, expect, fits};

const DRIFT: &str =
    r#"{"do":"set_topic_config","topic":"steve1-runtime","config":{"retention_ms":3600000}}"#;

fn standing() -> Desk {
    let desk = Desk::new();
    expect(&desk.kedge("up --yes --stack steve1"), 0, &["changes made"]);
    desk
}

#[test]
fn a_name_that_no_stack_has_is_refused_with_those_that_have_one() {
    let desk = Desk::new();
    for words in [
        "hold",
        "hold --for 2h --reason x",
        "release",
        "unlock",
        "history",
    ] {
        let refused = desk.kedge(&format!("{words} --stack steve2"));
        let says = ["there is no stack `steve2`, did you mean `steve1`?", "prod"];
        expect(&refused, 1, &says);
    }
    let stacks = desk.folder.path().join(".kedge/store/stacks");
    assert!(!stacks.join("steve2").exists());
    // One that is only stored is one.
    fs::create_dir_all(stacks.join("old/runs")).unwrap();
    fs::write(
        stacks.join("old/hold.json"),
        "{\"format\": 1, \"holds\": []}",
    )
    .unwrap();
    expect(
        &desk.kedge("hold --stack old"),
        0,
        &["nothing in old is held"],
    );
    expect(
        &desk.kedge("history --stack old"),
        0,
        &["no pushes and no runs"],
    );
}

#[test]
fn a_new_stack_whose_name_overlaps_another_is_not_begun() {
    let desk = Desk::new();
    let refused = desk.kedge("init --stack steve1-a");
    expect(&refused, 1, &["`steve1-a` and `steve1` overlap"]);
    for file in [
        ".env",
        "definitions/stacks/steve1-a.yaml",
        ".kedge/selected",
    ] {
        assert!(!desk.folder.path().join(file).exists(), "{file}");
    }
    expect(
        &desk.kedge("init --stack steve12"),
        0,
        &["selected steve12"],
    );
    expect(&desk.kedge("init --stack steve1"), 0, &["selected steve1"]);
}

#[test]
fn damaged_holds_hold_everything_until_they_are_replaced() {
    let desk = standing();
    desk.person(DRIFT);
    let kedge = |words: &str| desk.kedge(&format!("{words} --stack steve1"));
    let hold = ".kedge/store/stacks/steve1/hold.json";
    desk.write(hold, "{");
    let says = [
        "DRIFT",
        "everything is held",
        "next: find out what was held, then hold it again: kedge hold --replace",
    ];
    expect(&kedge("check"), 2, &says);
    let json = fits("report", &kedge("check --json"));
    assert!(json["holds_unread"].as_str().unwrap().contains("hold.json"));
    expect(
        &kedge("up --yes"),
        2,
        &[
            "WAITING",
            "everything is held",
            "next: find out what was held",
        ],
    );
    for words in [
        "hold",
        "hold --for 2h --reason x",
        "release",
        "release --all",
    ] {
        expect(
            &kedge(words),
            1,
            &["everything is held", "--replace", "damaged"],
        );
    }
    let placed = kedge("hold --for 2h --reason upgrade --replace");
    expect(&placed, 0, &["all of steve1", "upgrade"]);
    expect(&kedge("check"), 2, &["HELD", "upgrade"]);
    desk.write(hold, "{\"format\": 2}");
    expect(&kedge("release --replace"), 1, &["newer kedge"]);
    desk.write(hold, "{");
    expect(
        &kedge("release --replace"),
        0,
        &["nothing in steve1 is held"],
    );
    expect(
        &kedge("release --replace"),
        0,
        &["nothing in steve1 is held"],
    );
    expect(&kedge("up --yes"), 0, &["done"]);
    expect(&kedge("check"), 0, &["CLEAN"]);
}

#[test]
fn a_damaged_lease_is_replaced_by_unlock() {
    let mut desk = standing();
    desk.variables
        .insert("KEDGE_LEASE_SECONDS".to_owned(), "1".to_owned());
    desk.person(DRIFT);
    let kedge = |words: &str| desk.kedge(&format!("{words} --stack steve1"));
    let lease = ".kedge/store/stacks/steve1/lease.json";
    desk.write(lease, "{");
    expect(
        &kedge("up --yes"),
        1,
        &["can't be read", "next: kedge unlock"],
    );
    expect(&kedge("unlock"), 1, &["lease.json is damaged", "--yes"]);
    desk.write(lease, "{\"format\": 2}");
    expect(&kedge("unlock --yes"), 1, &["newer kedge"]);
    desk.write(lease, "{");
    let unlocked = fits("unlocked", &kedge("unlock --yes --json"));
    assert!(unlocked["from"].is_null());
    assert!(unlocked["damaged"].as_str().unwrap().contains("lease.json"));
    expect(&kedge("unlock"), 0, &["is not locked"]);
    expect(&kedge("up --yes"), 0, &["done"]);
    expect(&kedge("check"), 0, &["CLEAN"]);
}

#[test]
fn a_busy_stack_has_one_next_step_and_its_holder_writes_no_line() {
    let mut desk = standing();
    desk.variables.insert("COLUMNS".to_owned(), "60".to_owned());
    desk.person(DRIFT);
    let lease = serde_json::json!({
        "format": 1, "stack": "steve1", "epoch": 99, "run": "1-2\nnext: x", "renewed": 1,
        "actor": "eve\nnext: kedge retire --confirm steve1", "nonce": "00c0ffee00c0ffee",
        "lease_ms": 60_000, "since_ms": null, "released": false,
    });
    desk.write(".kedge/store/stacks/steve1/lease.json", &lease.to_string());
    for (words, next) in [("unlock --stack steve1", 0), ("up --yes --stack steve1", 1)] {
        let answer = desk.kedge(words);
        assert_eq!(answer.code, 1, "{words}");
        let all = format!("{}{}", answer.out, answer.err);
        let begin = |start: &str| all.lines().filter(|line| line.contains(start)).count();
        let steps = all
            .lines()
            .filter(|line| line.starts_with("next:") || line.contains("· next:"));
        assert_eq!(steps.count(), next, "{words}: {all}");
        assert!(
            !all.lines()
                .any(|line| line.starts_with("next: kedge retire")),
            "{all}"
        );
        assert!(begin("eve\u{fffd}next") > 0, "{words}: {all}");
        assert!(
            all.lines().all(|line| line.chars().count() <= 60),
            "{words}: {all}"
        );
    }
}

#[test]
fn what_is_no_page_fits_the_screen_too() {
    let mut desk = standing();
    desk.variables.insert("COLUMNS".to_owned(), "40".to_owned());
    for words in [
        "stack --stack steve1",
        "check --stack steve1 --stats",
        "history --stack steve1",
    ] {
        let answer = desk.kedge(words);
        assert_eq!(answer.code, 0, "{words}");
        // A word that no line can hold is whole.
        let is_fine = |line: &str| line.chars().count() <= 40 || !line.trim().contains(' ');
        assert!(answer.out.lines().all(is_fine), "{words}: {}", answer.out);
    }
}

#[test]
fn a_variable_that_a_person_had_is_missed_elsewhere() {
    let mut desk = Desk::new();
    let name = "KEDGE_CONFIG_GMAIL_WEBHOOK_ENDPOINT".to_owned();
    let value = "https://hooks.example/gmail".to_owned();
    desk.variables.insert(name.clone(), value);
    expect(&desk.kedge("up --yes --stack steve1"), 0, &["changes made"]);
    desk.variables.remove(&name);
    let world = desk.world();
    let says = [
        "VARIABLE",
        "KEDGE_CONFIG_GMAIL_WEBHOOK_ENDPOINT was set at the last deploy",
    ];
    expect(&desk.kedge("check --stack steve1"), 2, &says);
    let report = fits("report", &desk.kedge("check --stack steve1 --json"));
    assert_eq!(report["variables"][0]["was_set"], true);
    expect(
        &desk.kedge("up --unattended --stack steve1"),
        2,
        &["WAITING", says[1]],
    );
    assert_eq!(desk.world(), world);
    expect(
        &desk.kedge("up --yes --stack steve1"),
        0,
        &["push_endpoint"],
    );
    let check = desk.kedge("check --stack steve1");
    expect(&check, 0, &["CLEAN"]);
    assert!(!check.out.contains("VARIABLE"), "{}", check.out);
}
