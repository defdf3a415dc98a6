//! What a command says to do next: one thing, which is not refused, and means the same definitions.

use super::bucket::Bucket;
use super::common::Answer;
use super::desk::Desk;
use super::{expect, leave_lease};

const STACK: &str = "--stack steve1";
const DEFINITIONS: &str = "stacks/steve1/definitions.json";
const TOPICS: &str = "definitions/data_plane/kafka-topics.yaml";

/// A stack that was pushed to a bucket and deployed.
fn pushed() -> (Desk, Bucket) {
    let mut desk = Desk::new();
    let bucket = Bucket::of(&mut desk);
    expect(&desk.kedge(&format!("push {STACK}")), 0, &["stored"]);
    expect(&desk.kedge(&format!("up --yes {STACK}")), 0, &["done"]);
    (desk, bucket)
}

/// Edits the local files, so that they are not what is stored.
fn edit(desk: &Desk) {
    let path = desk.folder.path().join(TOPICS);
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(path, format!("# edited\n{text}")).unwrap();
}

/// What it says to do next; once.
#[track_caller]
fn next(answer: &Answer) -> String {
    let text = format!("{}{}", answer.out, answer.err);
    let said: Vec<&str> = text.split("next: ").skip(1).collect();
    assert_eq!(said.len(), 1, "{text}");
    said[0].lines().next().unwrap().to_owned()
}

#[test]
fn the_first_use_of_a_bucket_says_to_push() {
    let mut desk = Desk::new();
    let bucket = Bucket::of(&mut desk);
    let push = format!("kedge push {STACK}");
    for words in ["check", "up --yes", "up --unattended", "audit", "outputs"] {
        let answer = desk.kedge(&format!("{words} {STACK}"));
        expect(&answer, 3, &["nothing was pushed for stack `steve1` yet"]);
        assert_eq!(next(&answer), push, "{words}");
    }
    let preview = desk.kedge(&format!("preview {STACK}"));
    expect(&preview, 2, &["local files; nothing is stored"]);
    assert_eq!(next(&preview), push);
    // What can't be read at all, and has no revision before it, is replaced in the same way.
    bucket.put(DEFINITIONS, "{");
    for words in ["check", "up --yes"] {
        let answer = desk.kedge(&format!("{words} {STACK}"));
        expect(&answer, 3, &["definitions.json can't be used"]);
        assert_eq!(next(&answer), push, "{words}");
    }
    bucket.put(DEFINITIONS, "{\"format\": 99}");
    let newer = desk.kedge(&format!("check {STACK}"));
    expect(&newer, 3, &["newer"]);
    assert!(!newer.err.contains("next:"), "{}", newer.err);
}

#[test]
fn stored_definitions_that_can_not_be_used_are_pushed_again_as_they_are() {
    let (desk, bucket) = pushed();
    let push = format!("kedge push {STACK}");
    let stored = bucket.text(DEFINITIONS);
    for case in ["cut", "deleted"] {
        match case {
            "cut" => bucket.put(DEFINITIONS, &stored[..stored.len() / 2]),
            _ => bucket.delete(DEFINITIONS),
        }
        for words in ["check", "audit", "up --yes"] {
            let answer = desk.kedge(&format!("{words} {STACK}"));
            expect(&answer, 3, &["definitions.json"]);
            // The local files are right: nothing is to be corrected before.
            assert_eq!(next(&answer), push, "{case} {words}");
        }
        // A preview of local files does not hide it.
        let preview = desk.kedge(&format!("preview {STACK}"));
        let says = [
            "INVALID",
            "the stored ones can't be used",
            "definitions.json",
        ];
        expect(&preview, 3, &says);
        assert!(!preview.out.contains("as stored"), "{}", preview.out);
        assert!(!preview.out.contains("last good definitions"));
        assert_eq!(next(&preview), push, "{case}");
        // Neither does what others read.
        let outputs = desk.kedge(&format!("outputs {STACK}"));
        let says = [
            "INVALID",
            "the last good definitions, revision ",
            "steve1-runtime",
        ];
        expect(&outputs, 0, &says);
        expect(&desk.kedge(&format!("push {STACK}")), 0, &["stored"]);
        expect(&desk.kedge(&format!("check {STACK}")), 0, &["CLEAN"]);
    }
    bucket.put(DEFINITIONS, "{\"format\": 99}");
    for words in ["check", "preview"] {
        let answer = desk.kedge(&format!("{words} {STACK}"));
        expect(&answer, 3, &["INVALID", "newer", "upgrade kedge"]);
    }
}

#[test]
fn an_error_says_stored_where_the_local_files_differ() {
    let (desk, _bucket) = pushed();
    desk.person(
        r#"{"do":"set_topic_config","topic":"steve1-runtime","config":{"retention_ms":3600000}}"#,
    );
    let preview = format!("kedge preview {STACK}");
    let stale = format!("up --plan 0123456789abcdef {STACK}");
    for words in [&stale, &format!("up --yes --allow nothing-like-it {STACK}")] {
        let answer = desk.kedge(words);
        expect(&answer, 1, &["error: nothing was changed"]);
        assert_eq!(next(&answer), preview, "{words}");
    }
    edit(&desk);
    let differs = format!("{preview} --stored");
    for words in [&stale, &format!("up --yes --allow nothing-like-it {STACK}")] {
        let answer = desk.kedge(words);
        expect(&answer, 1, &["error: nothing was changed"]);
        assert_eq!(next(&answer), differs, "{words}");
    }
    // The hint is taken as it stands.
    let words = differs.trim_start_matches("kedge ");
    expect(&desk.kedge(words), 2, &["retention_ms"]);
    let outputs = desk.kedge(&format!("outputs {STACK}"));
    expect(
        &outputs,
        0,
        &["steve1 (from --stack) · revision ", "steve1-runtime"],
    );
}

#[test]
fn a_stack_that_is_being_changed_is_said_once_with_what_to_do() {
    let mut desk = Desk::new();
    desk.variables
        .insert("KEDGE_LEASE_SECONDS".to_owned(), "2".to_owned());
    for (words, says) in [
        (
            "up --yes",
            "run the command again when the other run is done",
        ),
        ("up --yes --json", ""),
    ] {
        leave_lease(&desk, "development");
        let busy = desk.kedge(&format!("{words} --stack development"));
        expect(&busy, 1, &["being changed by ana@laptop"]);
        if !says.is_empty() {
            assert_eq!(next(&busy), says);
        }
    }
}

#[test]
fn a_confirmed_absence_says_what_is_next_last() {
    let desk = Desk::new();
    expect(&desk.kedge(&format!("up --yes {STACK}")), 0, &["done"]);
    let world: serde_json::Value = serde_json::from_str(&desk.world()).unwrap();
    let text = world.to_string();
    let topics: std::collections::BTreeSet<&str> = text
        .split('"')
        .filter(|word| word.starts_with("steve1-") && !word.contains('/'))
        .collect();
    for topic in topics {
        let deed = format!(r#"{{"do":"delete_topic","topic":"{topic}"}}"#);
        let _ = desk.request("POST", "/_sandbox/person", &deed);
    }
    let shown = desk.kedge(&format!("refresh --confirm-absence {STACK}"));
    let (_, digest) = shown.err.rsplit_once("--confirm-absence ").unwrap();
    // Digests are written in lower case, and read in either.
    let digest = digest.split_whitespace().next().unwrap().to_uppercase();
    let confirmed = desk.kedge(&format!("refresh --confirm-absence {digest} {STACK}"));
    expect(&confirmed, 0, &["confirmed to be gone", "done: "]);
    // What is next comes last, where there is something to do.
    let (before, _) = confirmed.out.rsplit_once("done: ").unwrap();
    assert!(!before.contains("next:"), "{}", confirmed.out);
}

#[test]
fn an_upper_case_digest_and_a_count_of_none() {
    let desk = Desk::new();
    let json = desk.kedge(&format!("preview --json {STACK}"));
    let json: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    let digest = json["plan"]["digest"].as_str().unwrap().to_uppercase();
    expect(
        &desk.kedge(&format!("up --plan {digest} {STACK}")),
        0,
        &["done"],
    );
    let none = desk.kedge(&format!("history --most 0 {STACK}"));
    expect(&none, 1, &["--most"]);
    let outputs = desk.kedge(&format!("outputs {STACK}"));
    expect(&outputs, 0, &["definitions (local files), revision "]);
}
