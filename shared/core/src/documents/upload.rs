//! `kedge.upload/1`: what came of an object that somebody put at `upload/`.

use serde::Serialize;

use super::error::{RefusalReason, refusals};
use super::parts::{Text, Time, count};
use super::push::PushNotice;
use super::words::UploadOutcome;
use crate::definitions::{self, Problems};
use crate::model::{StackName, Timestamp};
use crate::push::{Notice, Refusal};
use crate::render::Hints;
use crate::stored::bundle::Uploaded;

format_name!(Upload: UploadFormat => "kedge.upload/1");

/// What came of an object that somebody put at `upload/<stack>/PATH`: the object
/// `upload/<stack>/PATH.<etag8>.result.json` of the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Upload {
    /// The name and number of this format.
    pub format: UploadFormat,
    /// The stack.
    pub stack: Text,
    /// What was put there, without `upload/<stack>/`.
    pub path: Text,
    /// Its version.
    pub etag: Text,
    /// When it was taken over.
    pub at: Time,
    /// What came of it.
    pub outcome: UploadOutcome,
    /// The revision of its definitions; `null` if they are not stored.
    pub revision: Option<Text>,
    /// How many resources they declare; `null` if they are not stored.
    pub resources: Option<u64>,
    /// Remarks.
    pub notices: Vec<PushNotice>,
    /// Why it can't be used; at most 1000.
    pub problems: Vec<UploadProblem>,
    /// How many more problems there are.
    pub left_out: u64,
    /// Why it was refused: each reason.
    pub refusals: Vec<RefusalReason>,
}

/// Why an upload can't be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct UploadProblem {
    /// The definition file; `null` if it is about the whole.
    pub file: Option<Text>,
    /// The line, from 1.
    pub line: Option<u32>,
    /// The column in characters, from 1.
    pub column: Option<u32>,
    /// What is wrong.
    pub message: Text,
    /// What to do about it.
    pub hint: Option<Text>,
}

impl UploadProblem {
    /// A problem of the whole, or of a file where no line is meant.
    #[must_use]
    pub fn new(file: Option<&str>, message: &str) -> Self {
        Self {
            file: file.map(Text::new),
            line: None,
            column: None,
            message: Text::new(message),
            hint: None,
        }
    }

    /// The same at a place in its file: line and column.
    #[must_use]
    pub fn at(self, (line, column): (u32, u32)) -> Self {
        Self {
            line: Some(line),
            column: Some(column),
            ..self
        }
    }
}

impl From<&definitions::Problem> for UploadProblem {
    fn from(problem: &definitions::Problem) -> Self {
        Self {
            hint: problem.hint.as_deref().map(Text::new),
            ..Self::new(Some(&problem.file), &problem.message).at((problem.line, problem.column))
        }
    }
}

/// An object that somebody put at `upload/`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct UploadedObject {
    /// Its key in the store.
    pub key: Text,
    /// Its version.
    pub etag: Text,
}

impl From<&Uploaded> for UploadedObject {
    fn from(uploaded: &Uploaded) -> Self {
        Self {
            key: Text::new(&uploaded.key),
            etag: Text::new(&uploaded.etag),
        }
    }
}

/// The object that an answer is about, and when it was taken over.
#[derive(Debug, Clone, Copy)]
pub struct UploadOf<'a> {
    /// The stack.
    pub stack: &'a StackName,
    /// What was put there, without `upload/<stack>/`.
    pub path: &'a str,
    /// Its version.
    pub etag: &'a str,
    /// When it was taken over.
    pub at: Timestamp,
}

/// What came of an upload, as whoever took it over knows it.
#[derive(Debug, Clone, Copy)]
pub enum UploadAnswer<'a> {
    /// Its definitions are stored.
    Stored {
        /// Whether they were before.
        unchanged: bool,
        /// Their revision.
        revision: &'a str,
        /// How many resources they declare.
        resources: usize,
        /// What to know about it.
        notices: &'a [Notice],
    },
    /// Rules refuse it.
    Refused(&'a [Refusal]),
    /// Its definitions have problems.
    Problems(&'a Problems),
    /// It is not a bundle of definitions.
    Unusable(&'a UploadProblem),
}

/// What came of an upload. `hints` says how a refusal is mended.
#[must_use]
pub fn upload(of: UploadOf<'_>, answer: UploadAnswer<'_>, hints: Hints<'_>) -> Upload {
    let nothing = Upload {
        format: UploadFormat::V1,
        stack: Text::of(of.stack),
        path: Text::new(of.path),
        etag: Text::new(of.etag),
        at: of.at.into(),
        outcome: UploadOutcome::Invalid,
        revision: None,
        resources: None,
        notices: Vec::new(),
        problems: Vec::new(),
        left_out: 0,
        refusals: Vec::new(),
    };
    match answer {
        UploadAnswer::Stored {
            unchanged,
            revision,
            resources,
            notices,
        } => Upload {
            outcome: match unchanged {
                true => UploadOutcome::Unchanged,
                false => UploadOutcome::Stored,
            },
            revision: Some(Text::new(revision)),
            resources: Some(count(resources)),
            notices: notices.iter().map(Into::into).collect(),
            ..nothing
        },
        UploadAnswer::Refused(reasons) => Upload {
            outcome: UploadOutcome::Refused,
            refusals: refusals(reasons, hints),
            ..nothing
        },
        UploadAnswer::Problems(problems) => Upload {
            problems: problems.list.iter().map(Into::into).collect(),
            left_out: count(problems.left_out),
            ..nothing
        },
        UploadAnswer::Unusable(problem) => Upload {
            problems: vec![problem.clone()],
            ..nothing
        },
    }
}
