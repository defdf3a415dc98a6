//! JSON documents: each fits its schema, and what is written about them in `docs` is true.

mod examples;
mod examples_of_http;
mod judge;
mod reference;
mod schemas;

use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use super::command;

use crate::definitions::Problems;
use crate::documents::{self, Surroundings};
use crate::render::Traffic;
use crate::report::{Changed, Report};

fn json(document: &impl serde::Serialize) -> Json {
    serde_json::to_value(document).unwrap()
}

fn around(traffic: Option<&Traffic>) -> Surroundings<'static> {
    Surroundings {
        traffic: traffic.copied(),
        ..Surroundings::default()
    }
}

pub(super) fn check_json(report: &Report, traffic: Option<&Traffic>) -> Json {
    json(&documents::check(report, &around(traffic)))
}

pub(super) fn preview_json(report: &Report, traffic: Option<&Traffic>) -> Json {
    json(&documents::preview(
        report,
        &around(traffic),
        Some(&command),
    ))
}

pub(super) fn changed_json(report: &Report, changed: &Changed, traffic: Option<&Traffic>) -> Json {
    json(&documents::changed(report, changed, &around(traffic)))
}

pub(super) fn problems_json(problems: &Problems) -> Json {
    json(&documents::problems(problems))
}

pub(super) fn state_command_json(report: &Report, changed: Option<&Changed>) -> Json {
    let command = documents::CommandName::Adopt;
    json(&documents::state_command(
        report,
        command,
        changed,
        &around(None),
    ))
}

pub(super) fn to_json(document: &impl serde::Serialize) -> Json {
    json(document)
}

/// It fits the schema of that name in `docs/schema`.
#[track_caller]
pub(super) fn fits(name: &str, json: &Json) {
    let text = std::fs::read_to_string(docs().join(format!("schema/{name}.json"))).unwrap();
    let schema = serde_json::from_str(&text).unwrap();
    assert_eq!(wrong(&schema, json), Vec::<String>::new(), "{json:#}");
    assert_eq!(json["format"], format!("kedge.{name}/1"));
}

/// What is wrong with JSON by a schema.
fn wrong(schema: &Json, json: &Json) -> Vec<String> {
    let options = jsonschema::draft202012::options().should_validate_formats(true);
    let judge = options.build(&judge::strict(schema)).unwrap();
    let errors = judge.iter_errors(json);
    errors
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

/// A file that is made from the types says what it should. `make documents` writes it.
#[track_caller]
fn is_written(path: &Path, text: &str) {
    if std::env::var_os("KEDGE_WRITE_DOCUMENTS").is_some() {
        std::fs::write(path, text).unwrap();
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    let path = path.display();
    assert!(found == text, "{path} is out of date: run `make documents`");
}
