//! What is wrong with definitions, for people: all problems at once, each with its place and a hint.

use std::fmt;

use super::bundle::Bundle;
use super::redact;
use super::yaml::Pos;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file's path in its bundle; it may be one that is missing.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
    /// How many characters it spans on its line, at least 1.
    pub width: u32,
    /// What is wrong, in one sentence without a final stop.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The line itself, secrets replaced; none for a file that is not there.
    pub source_line: Option<String>,
}

/// The most characters of a source line that are shown.
const SHOWN_MAX: usize = 120;

impl Problem {
    /// The part of the source line around the column, and where in it the carets go.
    fn window(&self) -> Option<(String, usize, usize)> {
        let chars: Vec<char> = self
            .source_line
            .as_ref()?
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        let column = (self.column.max(1) as usize - 1).min(chars.len());
        let first = if column + SHOWN_MAX / 2 <= SHOWN_MAX {
            0
        } else {
            column - SHOWN_MAX / 2
        };
        let last = (first + SHOWN_MAX).min(chars.len());
        // What is cut off on either side is marked.
        let cut = |at: usize| (at == first && first > 0) || (at + 1 == last && last < chars.len());
        let shown: String = (chars.iter().enumerate().take(last).skip(first))
            .map(|(at, c)| if cut(at) { '…' } else { *c })
            .collect();
        let at = column - first;
        let room = shown.chars().count().saturating_sub(at).max(1);
        Some((shown, at, (self.width.max(1) as usize).min(room)))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}      {}", self.message, self.file)?;
        let Some((shown, at, width)) = self.window() else {
            return match &self.hint {
                Some(hint) => write!(f, "\n  {hint}"),
                None => Ok(()),
            };
        };
        write!(f, ":{}:{}", self.line, self.column)?;
        let number = self.line.to_string();
        write!(f, "\n  {number} | {}", shown.trim_end())?;
        let margin = " ".repeat(number.len());
        write!(f, "\n  {margin} | {}{}", " ".repeat(at), "^".repeat(width))?;
        match &self.hint {
            Some(hint) => write!(f, " {hint}"),
            None => Ok(()),
        }
    }
}

/// Everything that is wrong with definitions, by file, line and column; that of `kedge.yaml` first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems {
    /// The problems, never none.
    pub list: Vec<Problem>,
    /// How many files were read.
    pub files_read: usize,
    /// How many more there were beyond [`Problems::MAX`].
    pub left_out: usize,
}

impl Problems {
    /// The most problems that are kept: nobody reads more, and 10,000 topics with one bad default
    /// must not fill the memory.
    pub const MAX: usize = 1_000;
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.list {
            writeln!(f, "{problem}")?;
        }
        let errors = self.list.len() + self.left_out;
        if self.left_out > 0 {
            writeln!(f, "… and {} more", self.left_out)?;
        }
        write!(
            f,
            "{}, {} read.",
            count(errors, "error"),
            count(self.files_read, "file")
        )
    }
}

impl std::error::Error for Problems {}

/// `1 file`, `2 files`.
pub(super) fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// A place in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place<'a> {
    pub(super) file: &'a str,
    pub(super) pos: Pos,
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.pos.line)
    }
}

/// Collects problems.
pub(super) struct ProblemCollector<'a> {
    bundle: &'a Bundle,
    list: Vec<Problem>,
    left_out: usize,
    /// Texts that no message may hold.
    hidden: Vec<String>,
}

impl<'a> ProblemCollector<'a> {
    pub(super) fn new(bundle: &'a Bundle) -> Self {
        Self {
            bundle,
            list: Vec::new(),
            left_out: 0,
            hidden: Vec::new(),
        }
    }

    /// Keeps a text out of all messages to come. Too short a one would tear words apart.
    pub(super) fn hide(&mut self, text: &str) {
        const CHARS_MIN: usize = 4;
        if text.chars().count() >= CHARS_MIN {
            self.hidden.push(text.to_owned());
        }
    }

    fn clean(&self, text: String) -> String {
        let hide = |text: String, hidden: &String| {
            redact::hide_cut(text.replace(hidden, redact::HIDDEN), hidden)
        };
        self.hidden.iter().fold(text, hide)
    }

    /// Adds a problem that explains itself.
    pub(super) fn add(&mut self, place: Place<'_>, message: impl Into<String>) {
        self.push(place, message.into(), None);
    }

    /// Adds a problem with a hint.
    pub(super) fn hinted(
        &mut self,
        place: Place<'_>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.push(place, message.into(), Some(hint.into()));
    }

    fn push(&mut self, place: Place<'_>, message: String, hint: Option<String>) {
        if self.list.len() >= Problems::MAX {
            self.left_out += 1;
            return;
        }
        let (pos, source_line) = match self.bundle.text(place.file) {
            Some(text) => {
                let pos = within(text, place.pos);
                (pos, redact::source_line(text, pos.line as usize - 1))
            }
            None => (Pos::START, None),
        };
        let shown = self.clean(message.clone());
        // A hint may hold the text in another form.
        let hint = match shown == message {
            true => hint.map(|hint| self.clean(hint)),
            false => Some("change the value where it is configured".to_owned()),
        };
        self.list.push(Problem {
            file: place.file.to_owned(),
            line: pos.line,
            column: pos.column,
            width: pos.width,
            message: shown,
            hint,
            // An empty file has no line, but its name and place still stand.
            source_line: source_line
                .or_else(|| self.bundle.text(place.file).map(|_| String::new())),
        });
    }

    /// How many problems there are so far.
    pub(super) fn count(&self) -> usize {
        self.list.len() + self.left_out
    }

    /// The text of a file.
    pub(super) fn text(&self, file: &str) -> Option<&'a str> {
        self.bundle.text(file)
    }

    /// The problems in order, if there are any: those of `kedge.yaml` first, on which all other files depend.
    pub(super) fn finish(mut self, files_read: usize) -> Option<Problems> {
        self.list
            .sort_by(|one, other| in_order(one).cmp(&in_order(other)));
        self.list.dedup();
        if self.list.is_empty() {
            return None;
        }
        Some(Problems {
            list: self.list,
            files_read,
            left_out: self.left_out,
        })
    }
}

fn in_order(problem: &Problem) -> (bool, &Problem) {
    (problem.file != super::project::FILE, problem)
}

/// A place brought inside its text: the parser points behind the end for what is cut off.
fn within(text: &str, pos: Pos) -> Pos {
    let last = u32::try_from(text.lines().count())
        .unwrap_or(u32::MAX)
        .max(1);
    let line = pos.line.clamp(1, last);
    let own = text.lines().nth(line as usize - 1).unwrap_or_default();
    let length = u32::try_from(own.chars().count()).unwrap_or(u32::MAX - 1);
    let column = if pos.line > last {
        length + 1
    } else {
        pos.column.clamp(1, length + 1)
    };
    Pos {
        line,
        column,
        width: pos.width.clamp(1, (length + 1 - column).max(1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(column: u32, source: &str) -> Problem {
        Problem {
            file: "a.yaml".to_owned(),
            line: 4,
            column,
            width: 3,
            message: "it is bad".to_owned(),
            hint: Some("make it good".to_owned()),
            source_line: Some(source.to_owned()),
        }
    }

    #[test]
    fn carets_stand_under_what_is_meant() {
        assert_eq!(
            problem(6, "  é: abc").to_string(),
            "error: it is bad      a.yaml:4:6\n  4 |   é: abc\n    |      ^^^ make it good"
        );
        let far = problem(500, &format!("{}abc", "x".repeat(499))).to_string();
        let lines: Vec<&str> = far.lines().collect();
        assert!(lines[1].ends_with("xabc") && lines[1].len() < 130, "{far}");
        assert!(lines[1].contains("| …x"), "{far}");
        let column = |line: &str, part| line.find(part).map(|at| line[..at].chars().count());
        assert_eq!(column(lines[1], "abc"), column(lines[2], "^^^"));
    }

    #[test]
    fn places_stay_in_the_text() {
        let at = |line, column| {
            let place = within(
                "ab\n\nc",
                Pos {
                    line,
                    column,
                    width: 9,
                },
            );
            (place.line, place.column, place.width)
        };
        assert_eq!(at(0, 0), (1, 1, 2));
        assert_eq!(at(1, 2), (1, 2, 1));
        assert_eq!(at(2, 5), (2, 1, 1));
        assert_eq!(at(9, 1), (3, 2, 1));
    }

    #[test]
    fn counts() {
        assert_eq!(count(1, "error"), "1 error");
        assert_eq!(count(0, "file"), "0 files");
    }
}
