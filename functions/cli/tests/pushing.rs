//! `kedge push`, `rollback` and what reads stored definitions, as processes, with real git.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail the test they help"
)]

mod common;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use self::common::{Answer, KEDGE, Sandbox, expect, fits};

const PROJECT: &str = "project: t\npolicy: {correct: safe, deploy: disruptive, correct_after: 0}\n\
                     branches: {main: prod}\nstacks: {prod: {protected: true}}\n";
const STACK: &str =
    "config:\n  t:aiven_project: clustera-creators\n  t:kafka_service: kafka-clustera\n";

/// A repository with a small set of definitions, a folder as store, and a sandbox.
struct Desk {
    folder: TempDir,
    sandbox: Sandbox,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let desk = Self {
            folder,
            sandbox: Sandbox::start(),
        };
        desk.write("definitions/kedge.yaml", PROJECT);
        desk.write("definitions/stacks/prod.yaml", STACK);
        desk.write("definitions/stacks/dev.yaml", STACK);
        desk.topics(&["a", "b", "c"]);
        desk.git(&["init", "--quiet", "--initial-branch=dev"]);
        desk.commit("first");
        desk
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn topics(&self, names: &[&str]) {
        let topic = |name: &&str| {
            format!("  - {{name: \"{{stack}}-{name}\", partitions: 1, replication: 2}}\n")
        };
        let text = format!("topics:\n{}", names.iter().map(topic).collect::<String>());
        self.write("definitions/area/kafka-topics.yaml", &text);
    }

    fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .current_dir(self.folder.path())
            .args(["-c", "user.name=ana", "-c", "user.email=ana@example.com"])
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?} {output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Commits everything; the commit's id.
    fn commit(&self, message: &str) -> String {
        self.git(&["add", "definitions"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    fn command(&self, arguments: &str, variables: &[(&str, &str)]) -> Command {
        let mut command = Command::new(KEDGE);
        command
            .args(arguments.split_whitespace())
            .current_dir(self.folder.path())
            .env_clear()
            .env("COLUMNS", "1000")
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("USER", "ana")
            .env("AIVEN_WEB_URL", format!("http://{}", self.sandbox.address))
            .env("AIVEN_TOKEN", "aiven-s3cret-token")
            .envs(variables.iter().copied())
            .stdin(Stdio::null());
        command
    }

    fn with(&self, arguments: &str, variables: &[(&str, &str)]) -> Answer {
        Answer::of(self.command(arguments, variables).output().unwrap())
    }

    fn kedge(&self, arguments: &str) -> Answer {
        self.with(arguments, &[])
    }

    fn object(&self, key: &str) -> std::path::PathBuf {
        self.folder.path().join(".kedge/store").join(key)
    }
}

#[test]
fn a_push_says_what_it_stored_and_where_from() {
    let desk = Desk::new();
    let pushed = desk.kedge("push");
    expect(
        &pushed,
        0,
        &[
            "dev (from branch dev) · revision ",
            " dev, ana@",
            "stored · 3 resources",
        ],
    );
    let again = fits("push", &desk.kedge("push --json"));
    assert_eq!(again["outcome"], "unchanged");
    assert_eq!(again["commit"], desk.git(&["rev-parse", "HEAD"]));
    expect(
        &desk.with("push", &[("KEDGE_READ_ONLY", "1")]),
        1,
        &["KEDGE_READ_ONLY"],
    );
    // What is stored counts where it is asked for, and says so.
    desk.topics(&["a", "b"]);
    expect(
        &desk.kedge("check --stored"),
        2,
        &[
            "· revision ",
            " dev, ana@",
            "3 to create",
            "preview --stored",
        ],
    );
    expect(
        &desk.kedge("check"),
        2,
        &["definitions (local files)", "2 to create"],
    );
    expect(&desk.kedge("up --stored --yes"), 0, &["dev-c"]);
    expect(&desk.kedge("check --stored"), 0, &["CLEAN"]);
    let outputs = desk.kedge("outputs --stored");
    expect(&outputs, 0, &["dev-c"]);
    let edited = fits("push", &desk.kedge("push --json --withdraw"));
    assert_eq!(
        (&edited["edited"], &edited["outcome"]),
        (&true.into(), &"stored".into())
    );
    assert_eq!(edited["notices"][0]["code"], "removed");
}

#[test]
fn what_git_says_is_heeded() {
    let desk = Desk::new();
    let first = desk.git(&["rev-parse", "HEAD"]);
    desk.topics(&["a", "b", "c", "d"]);
    desk.commit("second");
    expect(&desk.kedge("push"), 0, &["stored · 4 resources"]);
    // The same run of CI as before, started once more.
    desk.git(&["checkout", "--quiet", "--detach", &first]);
    expect(
        &desk.kedge("push --stack dev"),
        1,
        &["is newer than yours, or on another branch", "--force"],
    );
    let json = fits("error", &desk.kedge("push --stack dev --json"));
    assert!(
        json["because"][0]
            .as_str()
            .unwrap()
            .contains("newer than yours")
    );
    desk.git(&["checkout", "--quiet", "dev"]);
    desk.topics(&["z"]);
    desk.commit("lost");
    expect(
        &desk.kedge("push"),
        1,
        &["this removes 4 of 4 resources", "--withdraw"],
    );
    desk.commit("meant\n\nKedge-Withdraw: yes");
    expect(
        &desk.kedge("push"),
        0,
        &["stored", "note: removed from the definitions"],
    );
    // Without a repository it is said what was not checked.
    fs::remove_dir_all(desk.folder.path().join(".git")).unwrap();
    desk.topics(&["z", "y"]);
    expect(
        &desk.kedge("push --stack dev"),
        0,
        &[
            "note: whether this push is the newest was not checked",
            "not in a git repository",
        ],
    );
    expect(
        &desk.with("push --stack dev", &[("PATH", "")]),
        0,
        &["nothing to store"],
    );
}

#[test]
fn a_rollback_holds_until_the_push_that_names_it() {
    let desk = Desk::new();
    let first = fits("push", &desk.kedge("push --json"));
    let first = first["revision"].as_str().unwrap();
    desk.topics(&["a", "b", "c", "d"]);
    desk.commit("second");
    desk.kedge("push");
    let back = desk.kedge(&format!("rollback {first}"));
    expect(
        &back,
        0,
        &["rollback to", "stored · 3 resources", "--after-rollback"],
    );
    let check = desk.kedge("check --stored --json");
    let revision = fits("report", &check)["revision"]
        .as_str()
        .unwrap()
        .to_owned();
    desk.topics(&["a", "b", "c", "e"]);
    desk.commit("third");
    expect(
        &desk.kedge("push"),
        1,
        &[" rolled the stack back to ", &revision],
    );
    desk.commit(&format!("mended\n\nKedge-After-Rollback: {revision}"));
    expect(&desk.kedge("push"), 0, &["stored · 4 resources"]);
    expect(&desk.kedge("rollback 0123456789ab"), 1, &["no revision"]);
    expect(&desk.kedge("push"), 0, &["nothing to store"]);
}

#[test]
fn stored_definitions_that_can_not_be_used_are_invalid() {
    let desk = Desk::new();
    expect(&desk.kedge("check --stored"), 3, &["nothing was pushed"]);
    desk.kedge("push");
    desk.kedge("up --stored --yes");
    let set = desk.object("stacks/dev/definitions.json");
    let text = fs::read_to_string(&set).unwrap();
    fs::write(&set, &text[..text.len() / 2]).unwrap();
    let check = desk.kedge("check --stored");
    expect(
        &check,
        3,
        &[
            "the last good definitions",
            "INVALID",
            "is damaged",
            "next: kedge push\n",
        ],
    );
    let json = fits("report", &desk.kedge("check --stored --json"));
    assert_eq!(json["verdict"], "invalid");
    assert!(json["definitions"].as_str().unwrap().contains("ana@"));
    expect(&desk.kedge("up --stored --yes"), 3, &["nothing is changed"]);
    expect(
        &desk.kedge("push"),
        0,
        &["note: ", "did not finish is done"],
    );
    expect(&desk.kedge("check --stored"), 0, &["CLEAN"]);
}

#[test]
fn a_push_waits_for_the_run_that_follows() {
    let desk = Desk::new();
    let late = desk.kedge("push --wait --within 1s");
    expect(&late, 1, &["no run of it started", "kedge up"]);
    desk.topics(&["a", "b", "c", "d"]);
    let mut pushing = desk
        .command("push --wait --within 10m --json", &[])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(pushing.stderr.take().unwrap()).lines();
    let waiting = lines.next().unwrap().unwrap();
    assert!(
        waiting.starts_with("waiting for a run of revision "),
        "{waiting}"
    );
    expect(
        &desk.kedge("up --stored --unattended"),
        0,
        &["4 changes made"],
    );
    let told = lines.next().unwrap().unwrap();
    assert!(told.contains("4 of 4 changes done"), "{told}");
    let pushed = fits("push", &Answer::of(pushing.wait_with_output().unwrap()));
    assert_eq!(pushed["run"]["trigger"], "unattended");
    assert_eq!(pushed["run"]["changes"].as_array().unwrap().len(), 4);
    // Of what automation has nothing to do about, nobody waits for a run.
    desk.write("definitions/kedge.yaml", &format!("# as before\n{PROJECT}"));
    expect(
        &desk.kedge("push --wait"),
        0,
        &["automation has nothing to do (CLEAN)"],
    );
    expect(&desk.kedge("push --within 3m"), 1, &["--wait"]);

    let history = desk.kedge("history");
    expect(
        &history,
        0,
        &[
            "push ",
            " · dev ",
            "and edits",
            "4 of 4 changes done",
            "done create topic dev-",
        ],
    );
    let json = fits("history", &desk.kedge("history --json"));
    assert_eq!(json["pushes"].as_array().unwrap().len(), 3);
    assert_eq!(json["runs"][0]["revision"], json["pushes"][1]["revision"]);
    let of_one = fits(
        "history",
        &desk.kedge("history --resource dev-d --since 1h --json"),
    );
    assert_eq!(
        (of_one["runs"].as_array().unwrap().len(), &of_one["pushes"]),
        (1, &serde_json::json!([]))
    );
    let none = desk.kedge("history --resource dev-z");
    expect(&none, 0, &["no pushes and no runs yet"]);
}

#[test]
fn which_stack_a_branch_means() {
    let desk = Desk::new();
    let actions = [
        ("GITHUB_ACTIONS", "true"),
        ("GITHUB_REF_TYPE", "branch"),
        ("GITHUB_REF_NAME", "main"),
    ];
    expect(
        &desk.with("stack --format github", &actions),
        0,
        &[
            "stack=prod\nprotected=true\nenvironment=development\npush_environment=development-push\n",
        ],
    );
    let pull = [("GITHUB_ACTIONS", "true"), ("GITHUB_BASE_REF", "dev")];
    let json = fits("stack", &desk.with("stack --json", &pull));
    assert_eq!(
        (&json["stack"], &json["protected"]),
        (&"dev".into(), &false.into())
    );
    let other = [("GITHUB_ACTIONS", "true"), ("GITHUB_BASE_REF", "topic")];
    let none = desk.with("stack --format github", &other);
    expect(&none, 0, &["deploys to no stack"]);
    assert_eq!(none.out, "stack=\nprotected=false\n");
    expect(&desk.with("check", &other), 1, &["deploys to no stack"]);
    expect(
        &desk.kedge("stack"),
        0,
        &["dev (from branch dev) · environment development"],
    );
    expect(&desk.kedge("stack --stack nowhere"), 1, &["nowhere"]);
}
