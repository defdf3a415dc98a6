//! The function that answers HTTP at its URL. It calls no provider.

use std::process::ExitCode;

fn main() -> ExitCode {
    kedge_lambda::start::<kedge_lambda::Http>()
}
