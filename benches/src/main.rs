//! `make bench`: what Kedge costs, printed as tables.
//!
//! It makes all its data itself, starts `kedge sandbox` and `kedge check` as anybody would, and
//! asserts nothing: a time is a number, not a test.

mod beside;
mod made;
mod measure;
mod pure;
mod repeated;
mod sandbox;
mod table;
mod ticks;
mod whole;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use table::say;

/// Anything that ends the run: it is printed, and nobody tells failures apart.
type Failure = Box<dyn Error>;

/// What was asked for.
struct Asked {
    /// The release build of `kedge`.
    kedge: PathBuf,
    /// The folder of a Python environment with octoDNS and avn.
    venv: Option<PathBuf>,
    /// The parts to run; empty: all.
    parts: Vec<String>,
}

const USAGE: &str = "kedge-bench [--kedge PROGRAM] [--venv FOLDER] [core|check|ticks|beside]...";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {error}\n"));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<(), Failure> {
    // The measuring of one size is a process of its own, so that its peak memory is its own.
    if let [word, rest @ ..] = arguments
        && word == pure::CHILD
    {
        return pure::child(rest);
    }
    let asked = read(arguments)?;
    let wants = |part: &str| asked.parts.is_empty() || asked.parts.iter().any(|one| one == part);
    say(&format!("{}\n\n", measure::machine()));
    if wants("core") {
        pure::run()?;
        repeated::run()?;
    }
    if wants("check") {
        whole::run(&asked.kedge)?;
    }
    if wants("ticks") {
        ticks::run()?;
    }
    if wants("beside") {
        beside::run(&asked.kedge, asked.venv.as_deref())?;
    }
    Ok(())
}

fn read(arguments: &[String]) -> Result<Asked, Failure> {
    let mut asked = Asked {
        kedge: PathBuf::from("target/release/kedge"),
        venv: None,
        parts: Vec::new(),
    };
    let mut rest = arguments.iter();
    while let Some(word) = rest.next() {
        let mut value = || rest.next().map(PathBuf::from).ok_or(USAGE);
        match word.as_str() {
            "--kedge" => asked.kedge = value()?,
            "--venv" => asked.venv = Some(value()?),
            "core" | "check" | "ticks" | "beside" => asked.parts.push(word.clone()),
            _ => return Err(USAGE.into()),
        }
    }
    asked.kedge = std::fs::canonicalize(&asked.kedge)
        .map_err(|error| format!("{}: {error}", asked.kedge.display()))?;
    Ok(asked)
}
