//! `make bench`: what Kedge costs, printed as tables.
//!
//! It makes all its data itself and asserts nothing: a time is a number, not a test.

mod made;
mod measure;
mod pure;
mod table;

use std::error::Error;
use std::process::ExitCode;

use table::say;

/// Anything that ends the run: it is printed, and nobody tells failures apart.
type Failure = Box<dyn Error>;

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
    say(&format!("{}\n\n", measure::machine()));
    pure::run()
}
