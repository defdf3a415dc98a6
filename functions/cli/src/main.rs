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
mod unlock;
mod verbs;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _};

use crate::args::{Args, Command, Format};
use crate::error::CliError;

fn main() -> ExitCode {
    kedge_native::install_tls();
    let command = Args::command().term_width(screen::width());
    let matches = command.try_get_matches();
    let args = match matches.and_then(|matches| Args::from_arg_matches(&matches)) {
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
    match &args.verb {
        Command::Check(options) => verbs::check(args, options).await,
        Command::Preview(options) => verbs::preview(args, options).await,
        Command::Up(options) => verbs::up(args, options).await,
        Command::Unlock(options) => unlock::unlock(args, options).await,
        Command::Adopt(options) => state_command::adopt(args, options).await,
        Command::Accept(options) => accept::accept(args, options).await,
        Command::Hold(options) => hold::hold(args, options).await,
        Command::Release(options) => hold::release(args, options).await,
        Command::Refresh(options) => state_command::refresh(args, options).await,
        Command::Forget(options) => state_command::forget(args, options).await,
        Command::Retire(options) => state_command::retire(args, options).await,
        Command::Audit => verbs::audit(args).await,
        Command::Push(options) => push::push(args, options).await,
        Command::Rollback(options) => push::rollback(args, options).await,
        Command::History(options) => history::history(args, options).await,
        Command::Stack => stack::show(args),
        Command::Outputs => outputs::outputs(args).await,
        Command::Init(options) => init::init(args, options),
        Command::Select { stack } => stack::select(args, stack),
        Command::Schema { write } => definitions::schema(args, write.as_deref()),
        Command::Serve(options) => serve::run(args, options).await,
        Command::Sandbox(options) => sandbox::serve(options).await,
        Command::Demo => demo::run(args).await,
    }
}

#[cfg(test)]
mod tests {
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
