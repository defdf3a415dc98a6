//! Logs are on standard error, only where `RUST_LOG` asks for them, and have no secret in them.

use serde_json::Value;

use super::desk::Desk;
use super::expect;

fn desk(variables: &[(&str, &str)]) -> Desk {
    let mut desk = Desk::new();
    for (name, value) in variables {
        desk.variables
            .insert((*name).to_owned(), (*value).to_owned());
    }
    desk
}

#[test]
fn logs_come_beside_the_answer_and_only_where_they_are_wanted() {
    let mut desk = desk(&[]);
    let quiet = desk.kedge("check --json --stack steve1");
    expect(&quiet, 2, &[]);
    assert!(!quiet.err.contains("run ended"), "{}", quiet.err);
    desk.variables
        .insert("RUST_LOG".to_owned(), "info".to_owned());
    let told = desk.kedge("check --json --stack steve1");
    expect(&told, 2, &[]);
    let answer = |text: &str| serde_json::from_str::<Value>(text).unwrap()["verdict"].clone();
    assert_eq!(answer(&told.out), answer(&quiet.out));
    let lines: Vec<&str> = told
        .err
        .lines()
        .filter(|line| line.contains("run.id="))
        .collect();
    let [line] = lines.as_slice() else {
        panic!("{}", told.err);
    };
    for part in [
        " INFO kedge: run ended",
        "stack.name=steve1",
        "verb=check",
        "verdict=not-adopted",
    ] {
        assert!(line.contains(part), "{line}");
    }
}

#[test]
fn every_line_in_json_has_the_run_and_none_a_secret() {
    let desk = desk(&[("RUST_LOG", "trace"), ("KEDGE_LOG_FORMAT", "json")]);
    let answer = desk.kedge("up --yes --stack steve1");
    expect(&answer, 0, &[]);
    let lines = answer.err.lines().filter(|line| line.starts_with('{'));
    let lines: Vec<Value> = lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let id = |line: &Value| {
        let of_span = &line["spans"][0]["run.id"];
        let id = line["run.id"].as_str().or(of_span.as_str());
        id.unwrap_or_else(|| panic!("{line}")).to_owned()
    };
    let saying = |message: &str| {
        lines
            .iter()
            .filter(|line| line["message"] == message)
            .count()
    };
    let mut runs: Vec<String> = lines.iter().map(id).collect();
    runs.sort();
    runs.dedup();
    assert_eq!((runs.len(), saying("run ended")), (1, 1));
    let sent: u64 = lines
        .iter()
        .filter(|line| line["message"] == "run ended")
        .map(|line| line["reads"].as_u64().unwrap() + line["writes"].as_u64().unwrap())
        .sum();
    assert!(sent > 10, "{sent}");
    assert_eq!(saying("answered") as u64, sent);
    let ours = |line: &Value| line["target"].as_str().unwrap().starts_with("kedge");
    assert!(lines.iter().all(ours));
    assert!(!answer.err.contains("s3cret"), "{}", answer.err);
    assert!(!answer.err.contains("127.0.0.1"), "{}", answer.err);
}

#[test]
fn a_filter_that_can_not_be_read_is_said() {
    let filter = desk(&[("RUST_LOG", "kedge=loud")]).kedge("check --stack steve1");
    expect(
        &filter,
        1,
        &[
            "logs can't be kept",
            "RUST_LOG can't be used",
            "info, debug, trace",
        ],
    );
    let format = desk(&[("KEDGE_LOG_FORMAT", "xml")]).kedge("check --stack steve1");
    expect(&format, 1, &["KEDGE_LOG_FORMAT must be human or json"]);
}
