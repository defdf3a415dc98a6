//! `kedge.run/1` and `kedge.runs/1`: a run that somebody asked for, or that changed something.

use serde::Serialize;
use serde_json::value::RawValue;

use super::history::HistoryRun;
use super::parts::{Text, Time};
use super::words::{RequestName, RunStatus};
use crate::model::{StackName, Timestamp};
use crate::stored::run::RunRecord;
use crate::stored::run_request::{Answer, RunRequest};

format_name!(Run: RunFormat => "kedge.run/1");
format_name!(Runs: RunsFormat => "kedge.runs/1");

/// A run: one that was asked for over HTTP, with its answer, or one that is in history.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Run {
    /// The name and number of this format.
    pub format: RunFormat,
    /// Its id.
    pub id: Text,
    /// The stack.
    pub stack: Text,
    /// How it stands. A run that was not asked for over HTTP is `done`.
    pub status: RunStatus,
    /// What was asked for, if it was asked for over HTTP.
    pub asked: Option<RequestName>,
    /// When it was asked for, or began.
    pub asked_at: Time,
    /// Who asked: the name of a token, or who ran it.
    pub actor: Text,
    /// When the answer was there, or it ended.
    pub answered_at: Option<Time>,
    /// The answer: what the command of this name prints with `--json`.
    #[cfg_attr(test, schemars(with = "Option<AnswerDocument>"))]
    pub document: Option<Box<RawValue>>,
    /// The record of a run that was not asked for over HTTP.
    pub record: Option<HistoryRun>,
}

/// The documents that answer a request.
#[cfg(test)]
#[derive(schemars::JsonSchema)]
#[schemars(inline, untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum AnswerDocument {
    Report(Box<super::Report>),
    Changed(Box<super::Changed>),
    Problems(super::Problems),
    History(super::History),
    Error(super::Error),
}

/// What runs did to a stack, newest first: `GET /v1/stacks/{stack}/runs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Runs {
    /// The name and number of this format.
    pub format: RunsFormat,
    /// The stack.
    pub stack: Text,
    /// The runs that changed something, or began to.
    pub runs: Vec<HistoryRun>,
    /// Records that can't be read: their keys in the store, or the id of a run that a newer Kedge wrote.
    pub unread: Vec<Text>,
    /// Whether there is more than `most`.
    pub more: bool,
}

/// A run that was asked for, with its answer if it has one.
///
/// # Errors
/// When the kept answer is not JSON.
pub fn asked_run(
    request: &RunRequest,
    answer: Option<&Answer>,
    now: Timestamp,
) -> Result<Run, serde_json::Error> {
    let status = match answer {
        Some(answer) => answer.outcome.into(),
        None if request.has_expired(now) => RunStatus::Expired,
        None => RunStatus::Queued,
    };
    Ok(Run {
        format: RunFormat::V1,
        id: Text::new(&request.id),
        stack: Text::of(&request.stack),
        status,
        asked: Some((&request.asked).into()),
        asked_at: request.at.into(),
        actor: Text::new(&request.actor),
        answered_at: answer.map(|answer| answer.at.into()),
        document: answer.map(nested).transpose()?,
        record: None,
    })
}

/// The document of an answer, with its lines as far in as they belong here: it was kept as a text of its own.
/// A text in JSON has no line break, so each of them is between two tokens.
fn nested(answer: &Answer) -> Result<Box<RawValue>, serde_json::Error> {
    RawValue::from_string(answer.document.trim().replace('\n', "\n  "))
}

/// A run that is in history; none if its record has a word that this program does not know.
#[must_use]
pub fn recorded_run(record: &RunRecord) -> Option<Run> {
    Some(Run {
        format: RunFormat::V1,
        id: Text::new(&record.id),
        stack: Text::new(&record.stack),
        status: RunStatus::Done,
        asked: None,
        asked_at: Timestamp(record.at_ms).into(),
        actor: Text::new(&record.actor),
        answered_at: Some(Timestamp(record.ended_ms).into()),
        document: None,
        record: Some(HistoryRun::of(record)?),
    })
}

/// What runs did, newest first. `unread` are keys of records that can't be read.
#[must_use]
pub fn runs(stack: &StackName, records: &[RunRecord], unread: &[String], more: bool) -> Runs {
    let history = super::history(stack, Vec::new(), records, unread, more);
    Runs {
        format: RunsFormat::V1,
        stack: history.stack,
        runs: history.runs,
        unread: history.unread,
        more,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documents::json_text;
    use crate::stored::run_request::{AnswerOutcome, RequestedRun};

    #[test]
    fn the_document_of_an_answer_is_as_far_in_as_the_rest() {
        let request = RunRequest {
            id: "1795348800000-0badcafe".to_owned(),
            stack: StackName::new("dev").unwrap(),
            actor: "ci".to_owned(),
            at: Timestamp(1_795_348_800_000),
            asked: RequestedRun::Check,
        };
        let answer = Answer {
            at: Timestamp(1_795_348_801_000),
            outcome: AnswerOutcome::Done,
            document: "{\n  \"because\": [\n    \"a\\nb  c\"\n  ]\n}\n".to_owned(),
        };
        let run = asked_run(&request, Some(&answer), request.at).unwrap();
        let text = json_text(&run).unwrap();
        let expected = r#"
  "document": {
    "because": [
      "a\nb  c"
    ]
  },
  "record": null
}
"#;
        assert!(text.ends_with(expected), "{text}");
    }
}
