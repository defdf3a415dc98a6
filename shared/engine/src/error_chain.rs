//! An error with all its causes.

use std::error::Error;

/// An error with its causes in one line, for places that keep only a text.
#[must_use]
pub fn error_chain(error: &dyn Error) -> String {
    let chain = std::iter::once(error.to_string()).chain(error_causes(error));
    chain.collect::<Vec<_>>().join(": ")
}

/// What an error was caused by, the nearest first, down to the root.
#[must_use]
pub fn error_causes(error: &dyn Error) -> Vec<String> {
    let mut causes = Vec::new();
    let mut cause = error.source();
    while let Some(next) = cause {
        causes.push(next.to_string());
        cause = next.source();
    }
    causes
}
