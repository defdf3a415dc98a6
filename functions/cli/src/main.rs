//! `kedge`: the engine on a person's machine.
//!
//! Holds no logic of its own: it finds out which stack, definitions, store and credentials are
//! meant, calls the engine, and shows what comes back. The way through it: `args` → `setup` →
//! `verbs` (or `demo`, `sandbox`).

mod accept;
mod args;
mod asked;
mod confirm;
mod definitions;
mod demo;
mod error;
mod git;
mod history;
mod hold;
mod init;
mod outputs;
mod progress;
mod push;
mod sandbox;
mod screen;
mod seen;
mod setup;
mod source;
mod stack;
mod store;
mod unlock;
mod verbs;

use std::process::ExitCode;

use clap::Parser as _;

use crate::args::{Args, Verb};
use crate::error::CliError;

fn main() -> ExitCode {
    kedge_native::install_tls();
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            // The parser's own code for a usage error is 2, which would read as drift.
            let code = u8::from(error.use_stderr());
            if error.use_stderr() && std::env::args_os().any(|argument| argument == "--json") {
                let text = error.to_string();
                let line = text.lines().next().unwrap_or_default();
                error::print_usage_json(line.trim_start_matches("error: "), code);
            }
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(source) => return error::print(&CliError::Runtime(source), &args),
    };
    match runtime.block_on(dispatch(&args)) {
        Ok(code) => ExitCode::from(code),
        Err(error) => error::print(&error, &args),
    }
}

async fn dispatch(args: &Args) -> Result<u8, CliError> {
    if !args.format().is_of(&args.verb) {
        return Err(CliError::Usage(
            "check, preview and audit answer in this --format; the others in text and json"
                .to_owned(),
        ));
    }
    match &args.verb {
        Verb::Check(options) => verbs::check(args, options).await,
        Verb::Preview(options) => verbs::preview(args, options).await,
        Verb::Up(options) => verbs::up(args, options).await,
        Verb::Unlock(options) => unlock::unlock(args, options).await,
        Verb::Adopt(options) => asked::adopt(args, options).await,
        Verb::Accept(options) => accept::accept(args, options).await,
        Verb::Hold(options) => hold::hold(args, options).await,
        Verb::Release(options) => hold::release(args, options).await,
        Verb::Refresh(options) => asked::refresh(args, options).await,
        Verb::Forget(options) => asked::forget(args, options).await,
        Verb::Retire(options) => asked::retire(args, options).await,
        Verb::Audit => verbs::audit(args).await,
        Verb::Push(options) => push::push(args, options).await,
        Verb::Rollback(options) => push::rollback(args, options).await,
        Verb::History(options) => history::history(args, options).await,
        Verb::Stack => stack::show(args),
        Verb::Outputs => outputs::outputs(args).await,
        Verb::Init(options) => init::init(args, options),
        Verb::Select { stack } => stack::select(args, stack),
        Verb::Schema { write } => definitions::schema(write.as_deref()),
        Verb::Sandbox(options) => sandbox::serve(options).await,
        Verb::Demo => demo::run().await,
    }
}
