//! The verbs besides `check` and `up`, as a person or a script types them.

use std::fs;
use std::process::Stdio;

use super::common::Answer;
use super::{Desk, expect, fits, leave_lease};

const DRIFT: &str =
    r#"{"do":"set_topic_config","topic":"steve1-runtime","config":{"retention_ms":3600000}}"#;

fn standing() -> Desk {
    let desk = Desk::new();
    expect(&desk.kedge("up --yes --stack steve1"), 0, &["changes made"]);
    desk
}

#[test]
fn an_existing_environment_is_adopted() {
    let desk = standing();
    fs::remove_dir_all(desk.folder.path().join(".kedge/store")).unwrap();
    desk.person(DRIFT);
    let world = desk.world();
    expect(
        &desk.kedge("check --stack steve1"),
        2,
        &["NOT ADOPTED", "kedge adopt"],
    );
    expect(
        &desk.kedge("adopt --stack steve1"),
        1,
        &["no terminal: pass --yes"],
    );
    expect(
        &desk.kedge("refresh --stack steve1"),
        1,
        &["nothing is recorded", "kedge adopt"],
    );
    expect(
        &desk.kedge("adopt nothing-like-it --yes --stack steve1"),
        1,
        &["`nothing-like-it` is not declared"],
    );
    let adopted = desk.kedge("adopt --yes --json --stack steve1");
    let adopted = fits("state-command", &adopted);
    assert_eq!(
        (&adopted["dry_run"], &adopted["traffic"]["writes"]),
        (&false.into(), &0.into())
    );
    expect(
        &desk.kedge("check --stack steve1"),
        2,
        &["PENDING", "retention_ms", "decide which value is right"],
    );
    expect(
        &desk.kedge("up --unattended --stack steve1"),
        2,
        &["WAITING"],
    );
    assert_eq!(desk.world(), world);
    expect(
        &desk.kedge("adopt --yes --stack steve1"),
        0,
        &["there is nothing to adopt", "next: kedge preview"],
    );
    let accept = desk.kedge("accept steve1-runtime --stack steve1");
    let place = "definitions/data_plane/kafka-topics.yaml:";
    expect(
        &accept,
        0,
        &[
            place,
            "retention_ms: 3600000",
            "Every stack reads these files",
            "Nothing was written",
        ],
    );
    fits(
        "accept",
        &desk.kedge("accept steve1-runtime retention_ms --json --stack steve1"),
    );
    expect(
        &desk.kedge("accept steve1-runtime partitions --stack steve1"),
        1,
        &["these differ: retention_ms"],
    );
    expect(&desk.kedge("up --yes --stack steve1"), 0, &["done"]);
    expect(&desk.kedge("check --stack steve1"), 0, &["CLEAN"]);
}

#[test]
fn a_hold_is_placed_listed_and_released() {
    let desk = standing();
    desk.person(DRIFT);
    let kedge = |words: &str| desk.kedge(&format!("{words} --stack steve1"));
    expect(&kedge("hold"), 0, &["nothing in steve1 is held"]);
    for bad in [
        "hold --for 2h",
        "hold steve1-runtime",
        "hold --for soon --reason x",
        "hold --for 31d --reason x",
        "hold nothing-like-it --for 2h --reason x",
        "release",
        "release steve1-runtime",
    ] {
        assert_eq!(kedge(bad).code, 1, "{bad}");
    }
    let placed = fits(
        "holds",
        &kedge("hold steve1-runtime --for 2h --reason upgrade --json"),
    );
    assert_eq!(placed["holds"][0]["reason"], "upgrade");
    expect(
        &kedge("check"),
        2,
        &[
            "HELD",
            "upgrade",
            "1 held",
            "next: wait until the hold ends at ",
        ],
    );
    fits("report", &kedge("check --json"));
    expect(
        &kedge("up --yes"),
        2,
        &["WAITING", "· by ", "next: wait until the hold ends at "],
    );
    expect(&kedge("hold --for 2h --reason all"), 0, &["all of steve1"]);
    let shorter = ["you hold the whole stack until ", "release it first"];
    expect(&kedge("hold --for 1s --reason typo"), 1, &shorter);
    let parts = ["released all of steve1", "steve1-runtime: held by"];
    expect(&kedge("release"), 0, &parts);
    let released = fits("holds", &kedge("release --all --json"));
    assert_eq!(released["released"][0]["reason"], "upgrade");
    expect(&kedge("hold"), 0, &["nothing in steve1 is held"]);
    expect(&kedge("up --yes"), 0, &["done"]);
    expect(&kedge("check"), 0, &["CLEAN"]);
}

#[test]
fn a_hold_says_which_run_is_under_way_and_waits_for_it() {
    let mut desk = Desk::new();
    desk.variables
        .insert("KEDGE_LEASE_SECONDS".to_owned(), "2".to_owned());
    let hold = "hold --stack development --for 2h --reason stop";
    expect(&desk.kedge(hold), 0, &["all of development"]);
    let alone = fits("holds", &desk.kedge(&format!("{hold} --json")));
    assert_eq!(alone["current_run"], serde_json::Value::Null);
    leave_lease(&desk, "development");
    let parts = [
        "all of development",
        "is being changed by ana@laptop (run 1795348800000-0badcafe) since",
        "starts no blocked change later than 1 s from now",
        "Waiting until it knows",
        "knows of the hold",
    ];
    expect(&desk.kedge(hold), 0, &parts);
    leave_lease(&desk, "development");
    let waited = fits("holds", &desk.kedge(&format!("{hold} --json")));
    let run = &waited["current_run"];
    assert_eq!(
        (&run["actor"], &run["ended"]),
        (&"ana@laptop".into(), &false.into())
    );
    assert_eq!(run["may_begin_changes_for_s"], 0);
    leave_lease(&desk, "development");
    let unwaited = fits("holds", &desk.kedge(&format!("{hold} --json --no-wait")));
    assert_eq!(unwaited["current_run"]["may_begin_changes_for_s"], 1);
    // What was not renewed in time reads the holds before it goes on.
    let lease = desk
        .folder
        .path()
        .join(".kedge/store/stacks/development/lease.json");
    let file = fs::File::options().write(true).open(&lease).unwrap();
    file.set_modified(std::time::UNIX_EPOCH).unwrap();
    let dead = fits("holds", &desk.kedge(&format!("{hold} --json")));
    assert_eq!(dead["current_run"], serde_json::Value::Null);
    fs::write(&lease, "{").unwrap();
    let unread = desk.kedge(hold);
    expect(
        &unread,
        1,
        &["all of development", "the hold is set", "lease"],
    );
}

#[test]
fn a_stack_is_refreshed_forgotten_and_retired() {
    let desk = standing();
    let kedge = |words: &str| desk.kedge(&format!("{words} --stack steve1"));
    expect(
        &kedge("refresh"),
        0,
        &["drift stays drift", "done: 0 recorded"],
    );
    fits("state-command", &kedge("refresh --json"));
    expect(
        &kedge("refresh --confirm-absence"),
        0,
        &["nothing to confirm"],
    );
    expect(
        &kedge("refresh --confirm-absence 0123456789abcdef"),
        1,
        &[
            "the missing resources are not those you saw",
            "next: kedge refresh",
        ],
    );
    expect(&kedge("forget"), 1, &["--help"]);
    expect(&kedge("forget steve1-runtime"), 1, &["--yes"]);
    expect(
        &kedge("forget steve1-runtime --yes"),
        0,
        &["still declared", "1 forgotten"],
    );
    expect(&kedge("retire"), 1, &["--confirm steve1"]);
    expect(&kedge("retire --confirm prod"), 1, &["not the name"]);
    let world = desk.world();
    assert!(world.contains("steve1-cerebras") || world.contains("steve1-"));
    let retired = fits("state-command", &kedge("retire --confirm steve1 --json"));
    assert_eq!(retired["complete"], true);
    expect(
        &kedge("retire --confirm steve1"),
        0,
        &["nothing is left to delete"],
    );
    expect(&kedge("check"), 2, &["RETIRED"]);
    expect(&kedge("up --unattended"), 2, &["the stack is retired"]);
    expect(&kedge("up --yes"), 0, &["done"]);
    expect(&kedge("check"), 0, &["CLEAN"]);
    let mut read_only = desk;
    read_only
        .variables
        .insert("KEDGE_READ_ONLY".to_owned(), "1".to_owned());
    for words in [
        "adopt --yes",
        "forget steve1-runtime --yes",
        "refresh",
        "retire --confirm steve1",
        "hold --for 2h --reason x",
        "release",
    ] {
        let refused = read_only.kedge(&format!("{words} --stack steve1"));
        expect(&refused, 1, &["KEDGE_READ_ONLY"]);
    }
    let listed = read_only.kedge("hold --stack steve1");
    expect(&listed, 0, &["nothing in steve1 is held"]);
}

#[test]
fn a_retirement_that_stops_half_way_answers_as_retire_and_says_why() {
    let desk = standing();
    let slow =
        r#"{"match":{"provider":"aiven","write":true},"effect":{"kind":"latency","ms":300}}"#;
    desk.request("POST", "/_sandbox/faults", slow);
    let running = desk
        .command("retire --confirm steve1 --json --stack steve1")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let state = desk
        .folder
        .path()
        .join(".kedge/store/stacks/steve1/state.json");
    let has_begun = || fs::read_to_string(&state).is_ok_and(|text| text.contains("retired_ms"));
    while !has_begun() {
        std::thread::yield_now();
    }
    fs::remove_file(&state).unwrap();
    let stopped = Answer::of(running.wait_with_output().unwrap());
    expect(&stopped, 1, &["somebody deleted state.json"]);
    let json = fits("state-command", &stopped);
    assert_eq!(
        (&json["dry_run"], &json["complete"]),
        (&false.into(), &false.into())
    );
    let why = json["stopped"].as_str().unwrap();
    assert!(why.contains("somebody deleted state.json"), "{why}");
    assert!(!json["changes"].as_array().unwrap().is_empty());
    let again = desk.kedge("retire --confirm steve1 --stack steve1");
    expect(&again, 1, &["has no state.json", "restored"]);
}

#[test]
fn nobody_is_asked_to_retire_what_is_held() {
    let desk = standing();
    let kedge = |words: &str| desk.kedge(&format!("{words} --stack steve1"));
    expect(
        &kedge("hold --for 2h --reason replay"),
        0,
        &["all of steve1"],
    );
    let parts = [
        "nothing of it can be deleted now",
        "the stack is held",
        "replay",
        "next: wait until the hold ends at ",
    ];
    expect(&kedge("retire"), 2, &parts);
    expect(&kedge("retire --confirm steve1"), 2, &parts);
    expect(&kedge("release"), 0, &[]);
    expect(&kedge("check"), 0, &["CLEAN"]);
}

#[test]
fn a_long_wait_is_said() {
    let desk = standing();
    let busy = r#"{"match":{"provider":"aiven"},"effect":{"kind":"status","code":429,"retry_after_s":2},"times":1}"#;
    desk.request("POST", "/_sandbox/faults", busy);
    let check = desk.kedge("check --stack steve1");
    let says = "aiven answered 429, too many requests: retrying in 2 s";
    expect(&check, 0, &["CLEAN", says]);
    assert!(check.err.contains(says));
    desk.request("POST", "/_sandbox/faults", busy);
    let quiet = desk.kedge("check --json --stack steve1");
    assert_eq!((quiet.code, quiet.err.as_str()), (0, ""));
}

#[test]
fn where_nothing_could_be_read_the_exit_code_says_so() {
    let desk = standing();
    let kedge = |words: &str| desk.kedge(&format!("{words} --stack steve1"));
    let state = desk
        .folder
        .path()
        .join(".kedge/store/stacks/steve1/state.json");
    let before = fs::read(&state).unwrap();
    let refuses = r#"{"match":{"write":false},"effect":{"kind":"status","code":403}}"#;
    desk.request("POST", "/_sandbox/faults", refuses);
    let readable = "next: fix why UNKNOWN could not be read, then kedge";
    for (words, again) in [
        ("adopt --yes", "adopt"),
        ("refresh", "check"),
        ("refresh --confirm-absence", "check"),
    ] {
        let next = format!("{readable} {again}");
        expect(&kedge(words), 3, &["UNKNOWN", &next]);
    }
    let retire = format!("{readable} retire");
    let parts = ["nothing of it can be deleted now", "UNKNOWN", &retire];
    expect(&kedge("retire --confirm steve1"), 3, &parts);
    desk.request("DELETE", "/_sandbox/faults", "");
    assert_eq!(fs::read(&state).unwrap(), before);
    expect(&kedge("check"), 0, &["CLEAN"]);
}
