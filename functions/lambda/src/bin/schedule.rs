//! The function that looks for what is due, and sends it to the queue.

use std::process::ExitCode;

fn main() -> ExitCode {
    kedge_lambda::start::<kedge_lambda::Schedule>()
}
