//! `--json`: each command prints one document, whatever comes of it.

use std::collections::BTreeSet;
use std::fs;

use super::common::{expect, fits};
use super::desk::Desk;

const PROJECT: &str =
    "project: t\npolicy: {correct: safe, deploy: disruptive, correct_after: 0s}\n";
const STACK: &str =
    "config:\n  t:aiven_project: clustera-creators\n  t:kafka_service: kafka-clustera\n";
const TOPICS: usize = 12;

/// A stack of many topics, in a folder of its own.
fn many() -> Desk {
    let mut desk = Desk::new();
    fs::remove_dir_all(desk.folder.path().join("definitions")).unwrap();
    for folder in ["stacks", "area"] {
        fs::create_dir_all(desk.folder.path().join("definitions").join(folder)).unwrap();
    }
    desk.write("definitions/kedge.yaml", PROJECT);
    desk.write("definitions/stacks/dev.yaml", STACK);
    let topic =
        |number| format!("  - {{name: \"{{stack}}-t{number}\", partitions: 1, replication: 2}}\n");
    let topics: String = (0..TOPICS).map(topic).collect();
    desk.variables
        .insert("KEDGE_STACK".to_owned(), "dev".to_owned());
    desk.write(
        "definitions/area/kafka-topics.yaml",
        &format!("topics:\n{topics}"),
    );
    desk
}

/// What the commands of a test answer.
struct Commands {
    desk: Desk,
    given: BTreeSet<String>,
}

impl Commands {
    /// The one document of a command, which has this format and exit code.
    #[track_caller]
    fn one(&mut self, words: &str, format: &str, code: i32) -> serde_json::Value {
        let (command, _) = words.split_once(' ').unwrap_or((words, ""));
        self.given.insert(command.to_owned());
        let answer = self.desk.kedge(&format!("{words} --json"));
        let all = serde_json::Deserializer::from_str(&answer.out).into_iter::<serde_json::Value>();
        assert_eq!(all.count(), 1, "{words}: {}\n{}", answer.out, answer.err);
        expect(&answer, code, &[]);
        let json = fits(format, &answer);
        assert_eq!(json["format"], format!("kedge.{format}/1"), "{words}");
        json
    }
}

fn tokens(kedge: &mut Commands) {
    kedge.one("token list", "tokens", 0);
    let new = "token new --name ci --scope read --stacks dev";
    let token = kedge.one(new, "token", 0)["token"]["id"].clone();
    let revoke = format!("token revoke {}", token.as_str().unwrap());
    let revoked = kedge.one(&revoke, "tokens", 0);
    assert_eq!(revoked["tokens"][0]["status"], "revoked");
    kedge.one("token revoke 0000000000000000", "error", 1);
}

#[test]
fn each_command_prints_one_document() {
    let desk = many();
    let help = desk.kedge("--help").out;
    let commands = help.split_once("Commands:\n").unwrap().1;
    let commands = commands.lines().take_while(|line| line.starts_with("  "));
    let names = commands.filter(|line| !line.starts_with("   "));
    let mut names: BTreeSet<String> = names
        .map(|line| line.split_whitespace().next().unwrap().to_owned())
        .collect();
    names.remove("help");
    let mut kedge = Commands {
        desk,
        given: BTreeSet::new(),
    };
    for text_only in ["init", "demo", "sandbox --port 0", "serve --sandbox"] {
        kedge.one(text_only, "error", 1);
    }
    let schemas = kedge.one("schema", "schemas", 0);
    assert_eq!(schemas["schemas"].as_array().unwrap().len(), 4);
    assert_eq!(
        kedge.one("select dev", "stack", 0)["origin"],
        "kedge select"
    );
    kedge.one("stack", "stack", 0);
    let revision = kedge.one("push", "push", 0)["revision"].clone();
    kedge.one("push --wait --within 1s", "error", 1);
    for (words, format, code) in [
        ("up --unattended", "changed", 0),
        ("push --wait", "push", 0),
        ("up", "error", 1),
        ("up --yes", "changed", 0),
        ("check", "report", 0),
        ("preview", "report", 0),
        ("audit", "report", 0),
        ("outputs", "outputs", 0),
        ("history", "history", 0),
        ("adopt", "state-command", 0),
        ("refresh", "state-command", 0),
        ("hold", "holds", 0),
        ("hold --for 2h --reason replay", "holds", 0),
        ("release", "holds", 0),
        ("release", "error", 1),
        ("unlock", "unlocked", 0),
        ("accept dev-t0", "error", 1),
        ("rollback 0123456789ab", "error", 1),
    ] {
        kedge.one(words, format, code);
    }
    let back = format!("rollback {}", revision.as_str().unwrap());
    kedge.one(&back, "push", 0);
    kedge.one("forget dev-t0", "error", 1);
    kedge.one("forget dev-t0 --yes", "state-command", 0);
    for number in 0..TOPICS {
        let deed = format!(r#"{{"do":"delete_topic","topic":"dev-t{number}"}}"#);
        kedge.desk.person(&deed);
    }
    let absent = kedge.one("refresh --confirm-absence", "state-command", 1);
    let digest = absent["absence"].as_str().unwrap();
    let confirm = format!("refresh --confirm-absence {digest}");
    let confirmed = kedge.one(&confirm, "state-command", 0);
    assert_eq!(
        (&absent["dry_run"], &confirmed["dry_run"]),
        (&true.into(), &false.into())
    );
    tokens(&mut kedge);
    kedge.one("retire", "error", 1);
    kedge.one("retire --confirm dev", "state-command", 0);
    kedge.one("retire --confirm dev", "state-command", 0);
    assert_eq!(kedge.given, names);
}
