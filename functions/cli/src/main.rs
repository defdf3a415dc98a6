//! `kedge`: the command line.
//!
//! It finds out which stack, definitions, store and credentials are meant, calls the engine and shows
//! what comes back; it decides nothing itself. The way through it: `args` → `setup` → `verbs` (or
//! `demo`, `sandbox`). Commands that people are told to run are spelled in `hints`.

mod accept;
mod args;
mod confirm;
mod definitions;
mod demo;
mod error;
mod git;
mod hints;
mod history;
mod hold;
mod init;
mod outputs;
mod progress;
mod push;
mod sandbox;
mod screen;
mod serve;
mod setup;
mod shown_plan;
mod source;
mod stack;
mod state_command;
mod store;
mod token;
mod unlock;
mod verbs;

use std::ffi::OsString;
use std::future::ready;
use std::pin::Pin;
use std::process::ExitCode;

use crate::args::{Args, Command, Format};
use crate::error::CliError;

fn main() -> ExitCode {
    kedge_native::install_tls();
    let args = match Args::read(std::env::args_os(), screen::width()) {
        Ok(args) => args,
        Err(error) => {
            // The parser's own code for a usage error is 2, which would read as drift.
            let code = u8::from(error.use_stderr());
            if error.use_stderr() && wants_json(std::env::args_os().skip(1)) {
                error::print_usage_json(&usage_text(&error), code);
            } else {
                let _ = error.print();
            }
            return ExitCode::from(code);
        }
    };
    let _logs = match setup::logs(&args) {
        Ok(logs) => logs,
        Err(error) => return error::print(&error, &args),
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

/// Whether arguments that can't be parsed ask for JSON.
fn wants_json(arguments: impl Iterator<Item = OsString>) -> bool {
    let mut follows_format = false;
    for argument in arguments {
        let is_json = argument == "--json" || argument == "--format=json";
        if is_json || (follows_format && argument == "json") {
            return true;
        }
        follows_format = argument == "--format";
    }
    false
}

/// What a usage error says, in one line: its first paragraph, which may be a list.
fn usage_text(error: &clap::Error) -> String {
    let text = error.to_string();
    let lines = text.lines().take_while(|line| !line.trim().is_empty());
    let words: Vec<&str> = lines.map(str::trim).collect();
    words.join(" ").trim_start_matches("error: ").to_owned()
}

async fn dispatch(args: &Args) -> Result<u8, CliError> {
    if !args.format().is_of(&args.verb) {
        return Err(CliError::Usage(
            match args.format() {
                Format::Json => "init, serve, sandbox and demo have no JSON, only text",
                _ => {
                    "only check, preview and audit have this --format; the other commands have text \
                     and json"
                }
            }
            .to_owned(),
        ));
    }
    // Boxed: together they are deeper than the compiler follows.
    let run: Pin<Box<dyn Future<Output = Result<u8, CliError>>>> = match &args.verb {
        Command::Check(options) => Box::pin(verbs::check(args, options)),
        Command::Preview(options) => Box::pin(verbs::preview(args, options)),
        Command::Up(options) => Box::pin(verbs::up(args, options)),
        Command::Unlock(options) => Box::pin(unlock::unlock(args, options)),
        Command::Adopt(options) => Box::pin(state_command::adopt(args, options)),
        Command::Accept(options) => Box::pin(accept::accept(args, options)),
        Command::Hold(options) => Box::pin(hold::hold(args, options)),
        Command::Release(options) => Box::pin(hold::release(args, options)),
        Command::Refresh(options) => Box::pin(state_command::refresh(args, options)),
        Command::Forget(options) => Box::pin(state_command::forget(args, options)),
        Command::Retire(options) => Box::pin(state_command::retire(args, options)),
        Command::Audit => Box::pin(verbs::audit(args)),
        Command::Push(options) => Box::pin(push::push(args, options)),
        Command::Rollback(options) => Box::pin(push::rollback(args, options)),
        Command::History(options) => Box::pin(history::history(args, options)),
        Command::Stack => Box::pin(ready(stack::show(args))),
        Command::Outputs => Box::pin(outputs::outputs(args)),
        Command::Init(options) => Box::pin(ready(init::init(args, options))),
        Command::Select { stack } => Box::pin(ready(stack::select(args, stack))),
        Command::Schema { write } => Box::pin(ready(definitions::schema(args, write.as_deref()))),
        Command::Serve(options) => Box::pin(serve::run(args, options)),
        Command::Token { verb } => Box::pin(token::token(args, verb)),
        Command::Sandbox(options) => Box::pin(sandbox::serve(options)),
        Command::Demo => Box::pin(demo::run(args)),
    };
    run.await
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn a_usage_error_names_what_is_missing() {
        let text = |words: &str| {
            let words = words.split_whitespace();
            usage_text(&Args::command().try_get_matches_from(words).unwrap_err())
        };
        for (words, part) in [
            ("kedge rollback", "<REVISION>"),
            ("kedge select", "<STACK>"),
            ("kedge forget", "<KEY>"),
            ("kedge accept", "<KEY>"),
            ("kedge hold --for 2h", "--reason"),
            ("kedge check --fail-on x", "any, drift"),
            ("kedge up --unattended --yes", "--yes"),
            ("kedge history --most 0", "--most"),
            ("kedge chekc", "chekc"),
        ] {
            let text = text(words);
            assert!(
                text.contains(part) && !text.contains('\n'),
                "{words}: {text}"
            );
            assert!(!text.contains("Usage"), "{words}: {text}");
        }
    }
}
