//! The real `kedge` against the real sandbox, as two processes that talk over sockets.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail the test they help"
)]

#[path = "cli/bucket.rs"]
mod bucket;
mod common;
#[path = "cli/damaged.rs"]
mod damaged;
#[path = "cli/desk.rs"]
mod desk;
#[path = "cli/hints.rs"]
mod hints;
#[path = "cli/json.rs"]
mod json;
#[path = "cli/logs.rs"]
mod logs;
#[path = "cli/read_only.rs"]
mod read_only;
#[path = "cli/screen.rs"]
mod screen;
#[path = "cli/secrets.rs"]
mod secrets;
#[path = "cli/stores.rs"]
mod stores;
#[cfg(unix)]
#[path = "cli/terminal.rs"]
mod terminal;
#[path = "cli/tokens.rs"]
mod tokens;
#[path = "cli/verbs.rs"]
mod verbs;

use std::fs;
use std::path::Path;
use std::process::Command;

use self::common::{expect, fits};
use self::desk::{Desk, TOKENS};

#[test]
fn usage_errors_do_not_read_as_drift() {
    let desk = Desk::new();
    for arguments in [
        "",
        "chekc",
        "check --nonsense",
        "up --unattended --yes",
        "check --fail-on x",
    ] {
        expect(&desk.kedge(arguments), 1, &["--help"]);
    }
    expect(&desk.kedge("--help"), 0, &["Exit codes"]);
    expect(&desk.kedge("--version"), 0, &["kedge "]);
    expect(&desk.kedge("check"), 1, &["no stack is chosen", "steve1"]);
    expect(&desk.kedge("check --stack nowhere"), 3, &["nowhere"]);
    expect(&desk.kedge("check --stack Bad_Name"), 1, &["lower-case"]);
    expect(
        &desk.kedge("check --stack steve1 --store state"),
        1,
        &["file://", "s3://"],
    );
    expect(
        &desk.kedge("check --stack steve1 --store file://missing"),
        1,
        &["missing"],
    );
    expect(
        &desk.kedge("check --stack steve1 --definitions nowhere"),
        1,
        &["nowhere"],
    );
}

#[test]
fn json_is_answered_even_when_nothing_could_be_done() {
    let desk = Desk::new();
    for (arguments, code) in [
        ("check --json --nonsense", 1),
        ("check --format json --nonsense", 1),
        ("check --format=json --nonsense", 1),
        ("check --json", 1),
        ("up --json --stack steve1", 1),
        ("up --json --stack steve1 --plan 0123", 1),
        ("check --json --stack nowhere", 3),
    ] {
        let answer = desk.kedge(arguments);
        assert_eq!(answer.code, code, "{arguments}");
        let json: serde_json::Value = serde_json::from_str(&answer.out).unwrap();
        let format = json["format"].as_str().unwrap();
        let expected = ["kedge.error/1", "kedge.problems/1"][usize::from(code == 3)];
        assert_eq!(format, expected, "{arguments}");
        if code == 1 {
            let error = json["error"].as_str().unwrap();
            // It is said once: a log has both streams.
            assert_eq!((error.is_empty(), &*answer.err), (false, ""), "{arguments}");
        }
    }
}

#[test]
fn the_next_command_means_the_same_store() {
    let desk = Desk::new();
    let store = desk.folder.path().join("store");
    fs::create_dir(&store).unwrap();
    let flag = format!("--store file://{}", store.display());
    let next = format!("next: kedge preview --stack steve1 {flag}");
    expect(
        &desk.kedge(&format!("check --stack steve1 {flag}")),
        2,
        &[&next],
    );
    let preview = desk.kedge(&format!("preview --stack steve1 {flag}"));
    let (_, up) = preview.out.rsplit_once("next: kedge ").unwrap();
    assert!(up.contains(" --plan ") && up.contains(&flag), "{up}");
    expect(&desk.kedge(up.trim()), 0, &["changes made"]);
}

#[test]
fn what_is_no_file_or_too_large_is_not_read() {
    let desk = Desk::new();
    let topics = desk
        .folder
        .path()
        .join("definitions/data_plane/kafka-topics.yaml");
    fs::remove_file(&topics).unwrap();
    let made = Command::new("mkfifo").arg(&topics).status().unwrap();
    assert!(made.success());
    expect(&desk.kedge("check --stack steve1"), 1, &["is not a file"]);
    fs::remove_file(&topics).unwrap();
    fs::create_dir(&topics).unwrap();
    expect(&desk.kedge("check --stack steve1"), 1, &["is not a file"]);
    fs::remove_dir(&topics).unwrap();
    let large = fs::File::create(&topics).unwrap();
    large.set_len(1 << 40).unwrap();
    expect(
        &desk.kedge("check --stack steve1"),
        3,
        &["data_plane/kafka-topics.yaml is 1048576 MiB; at most 2 MiB are allowed"],
    );
}

#[test]
fn a_folder_of_definitions_is_never_passed_over() {
    let desk = Desk::new();
    let definitions = desk.folder.path().join("definitions");
    let deep = definitions.join("data_plane/1/2/3/4/5/6/7/8");
    fs::create_dir_all(&deep).unwrap();
    let said = desk.kedge("check --stack steve1");
    expect(
        &said,
        1,
        &["data_plane/1/2/3/4/5/6/7/8 lies in more than 8"],
    );
    fs::remove_dir(deep).unwrap();
    let (slack, elsewhere) = ("integrations/integration-slack", "slack");
    let elsewhere = desk.folder.path().join(elsewhere);
    fs::rename(definitions.join(slack), &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, definitions.join(slack)).unwrap();
    let said = desk.kedge("check --stack steve1");
    expect(&said, 1, &[&format!("{slack} is a link to a folder")]);
    fs::remove_file(definitions.join(slack)).unwrap();
    // What is hidden is no definition: an editor's folder, git's.
    std::os::unix::fs::symlink(&elsewhere, definitions.join(".slack")).unwrap();
    expect(&desk.kedge("check --stack steve1"), 2, &[]);
}

/// The lease of a run that went away without a word, on a stack.
fn leave_lease(desk: &Desk, stack: &str) {
    let text = include_str!("../../../shared/core/src/stored/samples/lease.json");
    let folder = desk
        .folder
        .path()
        .join(format!(".kedge/store/stacks/{stack}"));
    fs::create_dir_all(&folder).unwrap();
    let text = text
        .replace("\"dev\"", &format!("\"{stack}\""))
        .replace("60000", "2000");
    fs::write(folder.join("lease.json"), text).unwrap();
}

#[test]
fn a_held_lease_is_said_and_can_be_taken() {
    let mut desk = Desk::new();
    desk.variables
        .insert("KEDGE_LEASE_SECONDS".to_owned(), "2".to_owned());
    let stack = "--stack development";
    expect(
        &desk.kedge(&format!("unlock {stack}")),
        0,
        &["is not locked"],
    );
    leave_lease(&desk, "development");
    let held = desk.kedge(&format!("up {stack} --yes"));
    let says = [
        "stack `development` is being changed by ana@laptop (run 1795348800000-0badcafe) since",
        "so it is still working",
        "next: run the command again when the other run is done",
        // What it saw comes first.
        "NOT ADOPTED",
        "error: nothing was changed",
    ];
    expect(&held, 1, &says);
    leave_lease(&desk, "development");
    let json = fits("error", &desk.kedge(&format!("up {stack} --yes --json")));
    assert_eq!(json["error"], "nothing was changed");
    assert!(
        json["because"][0]
            .as_str()
            .unwrap()
            .contains("being changed by ana@laptop")
    );
    assert_eq!(json["report"]["format"], "kedge.report/1");
    assert_eq!(json["report"]["verdict"], "not-adopted");
    leave_lease(&desk, "development");
    expect(
        &desk.kedge(&format!("unlock {stack}")),
        1,
        &["ana@laptop", "--yes"],
    );
    let unlocked = desk.kedge(&format!("unlock {stack} --yes --json"));
    assert_eq!(unlocked.code, 0, "{}", unlocked.err);
    let json = fits("unlocked", &unlocked);
    assert_eq!(json["from"]["actor"], "ana@laptop");
    assert_eq!(json["from"]["status"], "working");
    expect(&desk.kedge(&format!("up {stack} --yes")), 0, &["done"]);
    let again = fits(
        "unlocked",
        &desk.kedge(&format!("cancel {stack} --yes --json")),
    );
    assert_eq!(again["from"], serde_json::Value::Null);
    expect(&desk.kedge(&format!("check {stack}")), 0, &["CLEAN"]);
    desk.variables
        .insert("KEDGE_LEASE_SECONDS".to_owned(), "soon".to_owned());
    expect(
        &desk.kedge(&format!("up {stack} --yes")),
        1,
        &["KEDGE_LEASE_SECONDS"],
    );
}

#[test]
fn a_stack_from_nothing_to_clean_to_drifted_and_back() {
    let desk = Desk::new();
    let stack = "--stack development";
    expect(&desk.kedge(&format!("check {stack}")), 2, &["NOT ADOPTED"]);
    let preview = desk.kedge(&format!("preview {stack} --json"));
    let json: serde_json::Value = serde_json::from_str(&preview.out).unwrap();
    let digest = json["plan"]["digest"].as_str().unwrap().to_owned();
    expect(&desk.kedge(&format!("up {stack}")), 1, &["--plan DIGEST"]);
    expect(
        &desk.kedge(&format!("up {stack} --plan {digest}")),
        0,
        &["done"],
    );
    expect(&desk.kedge(&format!("up {stack} --yes")), 0, &[]);
    let check = desk.kedge(&format!("check {stack} --stats"));
    expect(&check, 0, &["CLEAN", "bytes", "wall time"]);
    let row = |name: &str| {
        let line = check
            .out
            .lines()
            .find(|line| line.starts_with(name))
            .unwrap();
        line.split_whitespace()
            .skip(1)
            .take(2)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        (row("aiven"), row("pubsub")),
        (vec!["2".into(), "0".into()], vec!["3".into(), "0".into()])
    );
    assert_eq!(row("cloudflare"), ["1", "0"]);

    desk.person(r#"{"do":"set_topic_config","topic":"development-runtime","config":{"max_message_bytes":1000}}"#);
    let drifted = desk.kedge(&format!("check {stack} --fail-on drift"));
    expect(
        &drifted,
        2,
        &[
            "DRIFT",
            "max_message_bytes",
            "declared 26214400",
            "live 1000",
        ],
    );
    expect(
        &desk.kedge(&format!("up {stack} --plan {digest}")),
        1,
        &["the plan is out of date", "next: kedge preview"],
    );
    expect(&desk.kedge(&format!("up {stack} --yes")), 0, &["done"]);
    expect(&desk.kedge(&format!("check {stack}")), 0, &["CLEAN"]);
    let before = desk.world();
    expect(&desk.kedge(&format!("up {stack} --unattended")), 0, &[]);
    assert_eq!(desk.world(), before);
}

#[test]
fn incomplete_invalid_and_read_only() {
    let mut desk = Desk::new();
    let stack = "--stack testing";
    desk.variables
        .insert("KEDGE_READ_ONLY".to_owned(), "1".to_owned());
    expect(
        &desk.kedge(&format!("up {stack} --yes")),
        1,
        &["KEDGE_READ_ONLY"],
    );
    expect(&desk.kedge(&format!("check {stack}")), 2, &["NOT ADOPTED"]);
    desk.variables.remove("KEDGE_READ_ONLY");
    desk.variables.remove("CLOUDFLARE_API_TOKEN");
    let answer = desk.kedge(&format!("check {stack}"));
    expect(&answer, 3, &["INCOMPLETE", "CLOUDFLARE_API_TOKEN"]);
    // .env stands in for the environment, and enters no other program's.
    desk.write(".env", &format!("CLOUDFLARE_API_TOKEN={}\n", TOKENS[1]));
    expect(&desk.kedge(&format!("check {stack}")), 2, &["NOT ADOPTED"]);
    desk.write(
        "definitions/data_plane/kafka-topics.yaml",
        "topics:\n  - name: \"{stack}-x\"\n    partitons: 1\n",
    );
    expect(
        &desk.kedge(&format!("check {stack}")),
        3,
        &[
            "partitons",
            "did you mean",
            "kafka-topics.yaml:3:5",
            "next: correct the definitions, then kedge check",
        ],
    );
    let json = desk.kedge(&format!("check {stack} --json"));
    expect(&json, 3, &["partitons"]);
    serde_json::from_str::<serde_json::Value>(&json.out).unwrap();
    assert!(!desk.world().contains("testing-"));
}

#[test]
fn init_and_select() {
    let mut desk = Desk::new();
    let answer = desk.kedge("init --stack juan1");
    expect(
        &answer,
        0,
        &["wrote .env", "stacks/juan1.yaml", "selected juan1"],
    );
    // An emulator wants none; Google does.
    assert!(!answer.out.contains("GOOGLE_CREDENTIALS"), "{}", answer.out);
    desk.variables.remove("PUBSUB_EMULATOR_HOST");
    expect(
        &desk.kedge("init --stack juan1"),
        0,
        &["GOOGLE_CREDENTIALS is not set"],
    );
    desk.variables
        .insert("PUBSUB_EMULATOR_HOST".to_owned(), desk.address().to_owned());
    expect(&desk.kedge("preview"), 2, &["juan1 (from kedge select)"]);
    expect(&desk.kedge("up --yes"), 0, &["juan1"]);
    let outputs = desk.kedge("outputs");
    expect(
        &outputs,
        0,
        &["juan1-runtime", "topics/juan1-integration-gmail-webhook"],
    );
    assert!(!outputs.out.contains("does not exist"));
    expect(
        &desk.kedge("init --stack juan1"),
        0,
        &[".env exists already, unchanged"],
    );
    expect(&desk.kedge("select prod"), 0, &["selected prod"]);
    expect(&desk.kedge("select nowhere"), 1, &["nowhere", "juan1"]);
    desk.person(r#"{"do":"create_topic","topic":"juan1-scratch"}"#);
    expect(&desk.kedge("audit --stack juan1"), 0, &["juan1-scratch"]);
    // A protected stack takes consent to a plan that was seen.
    expect(
        &desk.kedge("up --yes"),
        1,
        &["protected", "next: kedge preview"],
    );
    expect(&desk.kedge("schema"), 0, &["json-schema.org"]);
}

#[test]
fn the_demo_tells_the_same_story_each_time() {
    let mut desk = Desk::new();
    desk.variables.remove("COLUMNS");
    let (first, second) = (desk.kedge("demo"), desk.kedge("demo"));
    expect(&first, 0, &["demo-scratch", "Done:"]);
    assert_eq!(first.out, second.out);
    // What the README shows of it is so, line by line and in this order.
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let readme = fs::read_to_string(readme).unwrap();
    let shown = readme
        .split("```text\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    let mut lines = first.out.lines();
    for line in shown.lines().filter(|line| !matches!(*line, "" | "...")) {
        assert!(
            lines.any(|told| told == line),
            "the demo does not print (here): {line}"
        );
    }
}

#[test]
fn what_machines_read() {
    let desk = Desk::new();
    let kedge = |words: &str| desk.kedge(&format!("{words} --stack development"));
    fits("report", &kedge("check --json --stats"));
    fits("report", &kedge("preview --format json"));
    let changed = fits("changed", &kedge("up --yes --json --stats"));
    assert!(changed["complete"] == true && changed["changes"][0].is_object());
    fits("report", &kedge("audit --json"));
    let outputs = fits("outputs", &kedge("outputs --json"));
    assert_eq!(outputs["resources"][0]["live"], true);
    expect(
        &kedge("check --format junit"),
        0,
        &["failures=\"0\"", "<testcase "],
    );
    let clean = kedge("check --format github");
    assert_eq!((clean.code, clean.out.as_str()), (0, ""));

    desk.person(r#"{"do":"set_topic_config","topic":"development-runtime","config":{"max_message_bytes":1000}}"#);
    expect(
        &kedge("check --format junit"),
        2,
        &["failures=\"1\"", "live 1000"],
    );
    let warning = "::warning file=definitions/data_plane/kafka-topics.yaml,line=";
    fs::create_dir(desk.folder.path().join(".git")).unwrap();
    expect(
        &kedge("check --format github"),
        2,
        &[warning, "development-runtime"],
    );
    fits("report", &kedge("preview --json"));

    for words in [
        "up --yes --format junit",
        "outputs --format github",
        "check --json --format text",
    ] {
        expect(&kedge(words), 1, &["--format"]);
    }
    desk.write(
        "definitions/data_plane/kafka-topics.yaml",
        "topics:\n  - name: \"{stack}-x\"\n    partitons: 1\n",
    );
    let error = "::error file=definitions/data_plane/kafka-topics.yaml,line=3,col=5";
    expect(&kedge("check --format github"), 3, &[error, "partitons"]);
    expect(
        &kedge("check --format junit"),
        3,
        &["errors=\"1\"", "partitons"],
    );
    fits("problems", &kedge("check --json"));
    fits("error", &desk.kedge("check --json --stack Bad_Name"));
    let error = desk.kedge("check --format github --stack Bad_Name");
    expect(&error, 1, &["::error title=kedge::"]);
}

#[test]
fn the_words_of_other_tools_are_understood() {
    let desk = Desk::new();
    expect(&desk.kedge("plan --stack development"), 2, &["plan "]);
    expect(
        &desk.kedge("apply --stack development"),
        1,
        &["no terminal"],
    );
    expect(
        &desk.kedge("destroy --stack development --confirm other"),
        1,
        &["is not the name of the stack"],
    );
}
