//! The one place that prints: answers on standard output, everything else on standard error.

use std::io::{self, IsTerminal as _, Write as _};

use kedge_core::documents::{self, Document};
use kedge_core::render::{self, Screen};

use crate::args::{Args, Colour};
use crate::error::CliError;

/// The widest screen that is believed.
const WIDTH_MAX: usize = 10_000;

/// Prints an answer.
pub(crate) fn out(text: &str) -> Result<(), CliError> {
    let mut stdout = io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        // Whoever reads has read enough (`kedge audit | head`).
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(CliError::Print),
    }
}

/// Prints a document to standard output.
pub(crate) fn document(document: &impl Document) -> Result<(), CliError> {
    out(&documents::json_text(document)?)
}

/// Prints what is not the answer: errors, questions, progress.
pub(crate) fn err(text: &str) -> Result<(), CliError> {
    io::stderr()
        .lock()
        .write_all(text.as_bytes())
        .map_err(CliError::Print)
}

/// Sentences, broken to the width of the screen.
pub(crate) fn lines(text: &str) -> String {
    render::lines_text(text, plain())
}

/// Prints an answer in sentences.
pub(crate) fn out_lines(text: &str) -> Result<(), CliError> {
    out(&lines(text))
}

/// Rows under their heads, the first column for names and the others for numbers. Where they are too
/// wide each row is a sentence.
pub(crate) fn table<const N: usize>(
    heads: [&str; N],
    rows: &[[String; N]],
    width: usize,
) -> String {
    let column = |at: usize| {
        let cells = rows.iter().map(|row| row[at].chars().count());
        cells.chain([heads[at].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..N).map(column).collect();
    let line = |cells: [&str; N]| {
        let cells = cells.iter().zip(&widths).enumerate();
        let padded = cells.map(|(at, (cell, width))| match at {
            0 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        padded.collect::<Vec<_>>().join("  ") + "\n"
    };
    if widths.iter().sum::<usize>() + 2 * N.saturating_sub(1) <= width {
        let rows = rows
            .iter()
            .map(|row| line(row.each_ref().map(String::as_str)));
        return [line(heads)].into_iter().chain(rows).collect();
    }
    let sentence = |row: &[String; N]| {
        let numbers = row.iter().zip(heads).skip(1);
        let numbers: Vec<String> = numbers
            .map(|(cell, head)| format!("{cell} {head}"))
            .collect();
        format!("{}: {}\n", row[0], numbers.join(", "))
    };
    let screen = Screen { width, ..plain() };
    render::lines_text(&rows.iter().map(sentence).collect::<String>(), screen)
}

/// The same for what is not the answer.
pub(crate) fn err_lines(text: &str) -> Result<(), CliError> {
    err(&lines(text))
}

/// A command behind what is said of it; it can be pasted whole, however it is broken.
pub(crate) fn err_command(before: &str, command: &str) -> Result<(), CliError> {
    err(&render::command_text(before, command, plain()))
}

/// What sentences and questions are made for.
fn plain() -> Screen {
    Screen {
        colour: false,
        width: width(),
        full: false,
    }
}

/// What answers are made for.
pub(crate) fn of_stdout(args: &Args) -> Screen {
    Screen {
        colour: wants_colour(args.colour, io::stdout().is_terminal(), variable),
        width: width(),
        full: args.full,
    }
}

/// What errors are made for.
pub(crate) fn of_stderr(args: &Args) -> Screen {
    Screen {
        colour: wants_colour(args.colour, io::stderr().is_terminal(), variable),
        ..of_stdout(args)
    }
}

/// How wide lines may be: `COLUMNS`, the terminal's width, or 80.
pub(crate) fn width() -> usize {
    let terminal = io::stdout()
        .is_terminal()
        .then(terminal_size::terminal_size);
    let terminal = terminal.flatten().map(|(width, _)| usize::from(width.0));
    width_of(variable("COLUMNS").as_deref(), terminal)
}

fn width_of(columns: Option<&str>, terminal: Option<usize>) -> usize {
    let columns = columns.and_then(|text| text.parse().ok());
    columns
        .or(terminal)
        .filter(|width| (1..=WIDTH_MAX).contains(width))
        .unwrap_or(Screen::WIDTH)
}

fn wants_colour(
    colour: Colour,
    is_terminal: bool,
    variable: impl Fn(&str) -> Option<String>,
) -> bool {
    match colour {
        Colour::Always => true,
        Colour::Never => false,
        // https://no-color.org: any value but an empty one.
        Colour::Auto => {
            is_terminal
                && variable("NO_COLOR").is_none_or(|value| value.is_empty())
                && variable("TERM").as_deref() != Some("dumb")
        }
    }
}

fn variable(name: &str) -> Option<String> {
    let value = std::env::var_os(name)?;
    Some(value.to_string_lossy().into_owned())
}

/// Whether a line on standard error can be written over.
pub(crate) fn can_animate() -> bool {
    io::stderr().is_terminal() && variable("TERM").as_deref() != Some("dumb")
}

/// Whether a person can be asked.
pub(crate) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks on the terminal; whoever asks reads the answer.
pub(crate) fn question(text: &str) -> Result<(), CliError> {
    err(&render::question_text(text, plain()))
}

/// Asks on the terminal and reads one line.
pub(crate) fn ask(question: &str) -> Result<String, CliError> {
    self::question(question)?;
    let mut line = String::new();
    io::stdin().read_line(&mut line).map_err(CliError::Print)?;
    Ok(line.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_that_is_too_wide_is_sentences() {
        let row = ["aiven", "12", "3400"].map(str::to_owned);
        let of = |width| {
            table(
                ["provider", "reads", "bytes received"],
                std::slice::from_ref(&row),
                width,
            )
        };
        let wide = "provider  reads  bytes received\naiven        12            3400\n";
        assert_eq!(of(31), wide);
        assert_eq!(of(30), "aiven: 12 reads, 3400 bytes received\n");
    }

    #[test]
    fn the_width_is_columns_then_the_terminals_then_80() {
        for (columns, terminal, expected) in [
            (None, None, 80),
            (None, Some(132), 132),
            (Some("60"), Some(132), 60),
            (Some("60"), None, 60),
            (Some("wide"), Some(132), 132),
            (Some("0"), None, 80),
            (Some("99999999999"), None, 80),
        ] {
            assert_eq!(width_of(columns, terminal), expected, "{columns:?}");
        }
    }

    #[test]
    fn colour_is_for_terminals_that_want_it() {
        let with = |name: &'static str, value: &'static str| {
            move |asked: &str| (asked == name).then(|| value.to_owned())
        };
        let none = with("", "");
        assert!(wants_colour(Colour::Auto, true, none));
        assert!(!wants_colour(Colour::Auto, false, none));
        assert!(!wants_colour(Colour::Auto, true, with("NO_COLOR", "1")));
        assert!(wants_colour(Colour::Auto, true, with("NO_COLOR", "")));
        assert!(!wants_colour(Colour::Auto, true, with("TERM", "dumb")));
        assert!(wants_colour(Colour::Auto, true, with("TERM", "xterm")));
        assert!(wants_colour(Colour::Always, false, with("NO_COLOR", "1")));
        assert!(!wants_colour(Colour::Never, true, none));
    }
}
