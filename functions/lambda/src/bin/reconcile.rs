//! The function that works on messages of the queue: the only one that calls providers.

use std::process::ExitCode;

fn main() -> ExitCode {
    kedge_lambda::start::<kedge_lambda::Reconcile>()
}
