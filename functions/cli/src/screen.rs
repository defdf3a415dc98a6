//! The one place that prints.

use std::io::{self, IsTerminal as _, Write as _};

use crate::args::Colour;
use crate::error::CliError;

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

/// Prints what is not the answer: errors, questions, progress.
pub(crate) fn err(text: &str) -> Result<(), CliError> {
    io::stderr()
        .lock()
        .write_all(text.as_bytes())
        .map_err(CliError::Print)
}

/// Whether answers are coloured.
pub(crate) fn stdout_colour(colour: Colour) -> bool {
    wants(colour, io::stdout().is_terminal())
}

/// Whether errors are coloured.
pub(crate) fn stderr_colour(colour: Colour) -> bool {
    wants(colour, io::stderr().is_terminal())
}

fn wants(colour: Colour, is_terminal: bool) -> bool {
    match colour {
        Colour::Always => true,
        Colour::Never => false,
        // https://no-color.org: any value but an empty one.
        Colour::Auto => {
            is_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        }
    }
}

/// Whether a person can be asked.
pub(crate) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks on the terminal and reads one line.
pub(crate) fn ask(question: &str) -> Result<String, CliError> {
    err(question)?;
    let mut line = String::new();
    io::stdin().read_line(&mut line).map_err(CliError::Print)?;
    Ok(line.trim().to_owned())
}
