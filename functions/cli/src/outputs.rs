//! `kedge outputs`: what the stack consists of, for whoever uses it.

use kedge_core::documents::{self, full_name};
use kedge_core::render::plain_text;
use kedge_engine::CheckRequest;

use crate::args::{Args, Format};
use crate::error::CliError;
use crate::screen;
use crate::verbs::Invocation;

/// Prints the names that other programs need. Reads the world, so that what is not there is said.
pub(crate) async fn outputs(args: &Args) -> Result<u8, CliError> {
    let run = Invocation::new(args)?;
    let report = run.check(CheckRequest::default()).await?;
    if args.format() == Format::Json {
        screen::document(&documents::outputs(&report))?;
        return Ok(0);
    }
    let mut text = format!("{}\n", run.headline(&report));
    if let Some(invalid) = &report.invalid {
        let reason = plain_text(&invalid.reason);
        text.push_str(&format!(
            "INVALID: {reason}; these are the outputs of the last good revision\n"
        ));
    }
    for resource in report.declared.resources.values() {
        let key = &resource.key;
        let there = if report.is_live(key) {
            ""
        } else {
            "   (does not exist now)"
        };
        let label = key.kind().label();
        text.push_str(&format!("{label:<13} {}{there}\n", full_name(resource)));
    }
    screen::out_lines(&text)?;
    Ok(0)
}
