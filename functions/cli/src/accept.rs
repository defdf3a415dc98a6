//! `accept`: how to edit the definitions so that they declare what is live.

use kedge_core::accept;
use kedge_core::documents;
use kedge_core::hint::Hint;
use kedge_core::model::FieldName;
use kedge_core::record;
use kedge_core::render;
use kedge_engine::CheckRequest;

use crate::args::{AcceptOptions, Args, Format};
use crate::error::CliError;
use crate::verbs::Invocation;
use crate::{definitions, screen};

/// `kedge accept`. Looks and prints; writes nothing.
pub(crate) async fn accept(args: &Args, options: &AcceptOptions) -> Result<u8, CliError> {
    let run = Invocation::new(args)?;
    let report = run.check(CheckRequest::default()).await?;
    let keys = report.comparison.differences.keys();
    let names = std::slice::from_ref(&options.key);
    let found = record::resolve(names, keys, record::UNKNOWN_NAME).map_err(CliError::Usage)?;
    let field = options.field.as_ref().map(FieldName::new);
    for key in &found {
        let accepted = accept::accept(&report, key, field.as_ref())?;
        let text = match args.format() {
            Format::Json => documents::json_text(&documents::accept(key, &accepted))?,
            _ => {
                let root = definitions::in_repository(&args.definitions);
                let (screen, line) = (
                    screen::of_stdout(args),
                    run.line(run.is_stored_elsewhere(&report)),
                );
                let counts = run.setup.chosen_store.is_remote() || args.stored;
                let stored = report.stored.as_ref().filter(|_| counts);
                let then = stored.map_or(Hint::Check, |stored| stored.next_push());
                let hints = &|hint: &_| line.words(hint);
                render::accept_text(key, &accepted, &root, &then, screen, hints)
            }
        };
        screen::out(&text)?;
    }
    Ok(0)
}
