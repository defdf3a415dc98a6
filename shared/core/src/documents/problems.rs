//! `kedge.problems/1`: what is wrong with definitions.

use serde::Serialize;

use super::parts::{Text, count};
use super::words::StackVerdict;
use crate::definitions;

format_name!(Problems: ProblemsFormat => "kedge.problems/1");

/// What is wrong with the definitions: any command that can't use them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Problems {
    /// The name and number of this format.
    pub format: ProblemsFormat,
    /// Always `invalid`.
    pub verdict: StackVerdict,
    /// The problems, by file, line and column; at most 1000.
    pub problems: Vec<Problem>,
    /// How many files were read.
    pub files_read: u64,
    /// How many more problems there are.
    pub left_out: u64,
}

/// A problem in a definition file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Problem {
    /// The file; it may be one that is missing.
    pub file: Text,
    /// The line, from 1.
    #[cfg_attr(test, schemars(range(min = 1)))]
    pub line: u32,
    /// The column in characters, from 1.
    #[cfg_attr(test, schemars(range(min = 1)))]
    pub column: u32,
    /// How many characters it spans.
    #[cfg_attr(test, schemars(range(min = 1)))]
    pub width: u32,
    /// What is wrong.
    pub message: Text,
    /// What to do about it.
    pub hint: Option<Text>,
    /// The line itself, with secrets hidden; `null` for a file that is missing.
    pub source_line: Option<Text>,
}

/// The problems of a set of definitions.
pub(super) fn list(problems: &definitions::Problems) -> Vec<Problem> {
    let one = |problem: &definitions::Problem| Problem {
        file: Text::new(&problem.file),
        line: problem.line,
        column: problem.column,
        width: problem.width,
        message: Text::new(&problem.message),
        hint: problem.hint.as_deref().map(Text::new),
        source_line: problem.source_line.as_deref().map(Text::new),
    };
    problems.list.iter().map(one).collect()
}

/// What is wrong with the definitions.
#[must_use]
pub fn problems(problems: &definitions::Problems) -> Problems {
    Problems {
        format: ProblemsFormat::V1,
        verdict: StackVerdict::Invalid,
        problems: list(problems),
        files_read: count(problems.files_read),
        left_out: count(problems.left_out),
    }
}
