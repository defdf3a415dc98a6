//! The workflow that users copy says nothing that kedge does not take.

use std::collections::BTreeSet;

use clap::Parser as _;
use granit_parser::{Event, Parser};
use serde_json::{Map, Value};

use super::Args;

const WORKFLOW: &str = include_str!("../../../../docs/github/kedge.yml");
const PAGE: &str = include_str!("../../../../docs/github.md");

fn workflow() -> Value {
    let mut events = Parser::new_from_str(WORKFLOW).map(|event| event.unwrap().0);
    let root = events.find(|event| matches!(event, Event::MappingStart(..)));
    node(root.unwrap(), &mut events)
}

/// A node of the workflow, which has neither anchors nor tags; each scalar is a text.
fn node<'t>(first: Event<'t>, rest: &mut impl Iterator<Item = Event<'t>>) -> Value {
    match first {
        Event::Scalar(text, ..) => Value::String(text.into_owned()),
        Event::SequenceStart(..) => {
            let mut items = Vec::new();
            while let Some(event) = rest.next().filter(|event| *event != Event::SequenceEnd) {
                items.push(node(event, rest));
            }
            Value::Array(items)
        }
        Event::MappingStart(..) => {
            let mut map = Map::new();
            while let Some(Event::Scalar(key, ..)) = rest.next() {
                let value = rest.next().unwrap();
                let value = node(value, rest);
                assert!(map.insert(key.into_owned(), value).is_none());
            }
            Value::Object(map)
        }
        other => panic!("the workflow has a {other:?}"),
    }
}

/// Every script of every step, by job.
fn scripts() -> Vec<(String, String)> {
    let workflow = workflow();
    let jobs = workflow["jobs"].as_object().unwrap();
    let mut found = Vec::new();
    for (name, job) in jobs {
        for step in job["steps"].as_array().unwrap() {
            if let Some(script) = step["run"].as_str() {
                found.push((name.clone(), script.replace("\\\n", " ")));
            }
        }
    }
    found
}

/// The words of each command of a script that begins with `kedge`, as a shell would pass them.
fn commands(script: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for line in script
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
    {
        let words: Vec<&str> = line.split_whitespace().collect();
        let is_end = |word: &str| {
            word.starts_with(['>', '|', ';', '&']) || word.starts_with("2>") || word == "]"
        };
        for (at, word) in words.iter().enumerate() {
            let begins = at == 0 || is_end(words[at - 1]) || words[at - 1] == "then";
            if *word == "kedge" && begins {
                let own = words[at..].iter().take_while(|word| !is_end(word));
                let plain = |word: &&str| word.replace("\"$DIGEST\"", "0123456789abcdef");
                found.push(own.map(plain).collect());
            }
        }
    }
    found
}

#[test]
fn every_command_of_the_workflow_is_one() {
    let mut verbs = BTreeSet::new();
    for (job, script) in scripts() {
        for words in commands(&script) {
            assert!(!words.iter().any(|word| word.contains('$')), "{words:?}");
            let parsed = Args::try_parse_from(&words);
            assert!(parsed.is_ok(), "{words:?}: {}", parsed.unwrap_err());
            verbs.insert(format!("{job}: {}", words[1]));
        }
    }
    let expected = [
        "preview: preview",
        "push: preview",
        "push: push",
        "push: up",
        "stack: stack",
        "up: up",
    ];
    assert_eq!(
        verbs.iter().map(String::as_str).collect::<Vec<_>>(),
        expected
    );
    // As many as a plain look finds, so that none is passed over.
    let named = WORKFLOW.matches("kedge push").count() + WORKFLOW.matches("kedge up").count();
    let found: usize = scripts()
        .iter()
        .flat_map(|(_, script)| commands(script))
        .filter(|words| matches!(words[1].as_str(), "push" | "up"))
        .count();
    assert_eq!(found, named);
}

/// Every name that follows `prefix.` in the workflow.
fn names(prefix: &str) -> BTreeSet<&'static str> {
    let parts = WORKFLOW.split(prefix).skip(1);
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    parts
        .map(|rest| rest.split(|c| !is_name(c)).next().unwrap())
        .collect()
}

#[test]
fn its_secrets_and_variables_are_those_that_are_told() {
    let secrets = [
        "AIVEN_TOKEN",
        "CLOUDFLARE_API_TOKEN",
        "GCP_CREDENTIALS",
        "GCP_SERVICE_ACCOUNT_KEY",
        "R2_ACCESS_KEY_ID",
        "R2_ENDPOINT_URL",
        "R2_SECRET_ACCESS_KEY",
    ];
    assert_eq!(names("secrets."), secrets.into());
    let variables = ["KEDGE_BUCKET", "KEDGE_FUNCTIONS", "KEDGE_REPOSITORY"];
    assert_eq!(names("vars."), variables.into());
    for name in secrets.into_iter().chain(variables) {
        assert!(PAGE.contains(&format!("`{name}`")), "{name}");
    }
}

#[test]
fn what_a_job_takes_from_another_is_there() {
    let workflow = workflow();
    for job in ["stack", "push"] {
        let outputs = workflow["jobs"][job]["outputs"].as_object().unwrap();
        for name in names(&format!("needs.{job}.outputs.")) {
            assert!(outputs.contains_key(name), "{job} {name}");
        }
    }
    // Pull requests only read, and only a reviewer's environment carries a plan out.
    let jobs = &workflow["jobs"];
    let preview = jobs["preview"]["steps"].as_array().unwrap();
    for step in preview {
        let script = step["run"].as_str().unwrap_or_default();
        if !commands(script).is_empty() {
            assert_eq!(step["env"]["KEDGE_READ_ONLY"], "1", "{script}");
        }
    }
    let environment = |job: &str| jobs[job]["environment"].as_str().unwrap().to_owned();
    assert!(environment("preview").contains("preview_environment"));
    assert!(environment("push").contains("push_environment"));
    assert!(environment("up").contains("outputs.environment"));
    assert_eq!(workflow["permissions"]["contents"], "read");
}
