//! Errors, printed once, here.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use kedge_core::accept::AcceptError;
use kedge_core::definitions::BundleError;
use kedge_core::documents::{self, Failed};
use kedge_core::hint::Hint;
use kedge_core::model::BucketAddressError;
use kedge_core::push::Refusal;
use kedge_core::render;
use kedge_engine::ports::StoreError;
use kedge_engine::{HoldError, LeaseError, PushError, RunError, StateStoreError, error_causes};
use kedge_native::logs::LogsError;
use kedge_native::{HttpBuildError, SettingsError};
use kedge_s3::S3SettingsError;
use kedge_sandbox::TlsError;
use kedge_service::tokens::TokenError;
use thiserror::Error;

use crate::args::{Args, Format};
use crate::hints::CommandLine;
use crate::{definitions, screen, setup};

/// A command could not be carried out. The cause is printed after it.
#[derive(Debug, Error)]
pub(crate) enum CliError {
    #[error("could not start")]
    Runtime(#[source] io::Error),
    #[error("could not find the current folder")]
    CurrentFolder(#[source] io::Error),
    #[error("a setting can't be used")]
    Settings(#[from] SettingsError),
    #[error("logs can't be kept")]
    Logs(#[from] LogsError),
    #[error("could not read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("could not write {}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("could not write to the terminal")]
    Print(#[source] io::Error),
    #[error("the definitions can't be read")]
    Set(#[from] BundleError),
    #[error(transparent)]
    Run(#[from] RunError),
    #[error(transparent)]
    Lease(#[from] LeaseError),
    #[error(transparent)]
    Push(#[from] PushError),
    #[error(
        "revision {revision} is stored, but no run of it started within {seconds} s: automation is \
         not deployed, or it failed"
    )]
    NothingRan { revision: String, seconds: i64 },
    #[error("revision {revision} is stored, but the run that follows could not be watched")]
    NotFollowed {
        revision: String,
        source: Box<CliError>,
    },
    #[error(transparent)]
    Hold(#[from] HoldError),
    #[error("the hold is set, but a run that has not seen it may still be working")]
    HoldStands(#[source] LeaseError),
    #[error(transparent)]
    Memory(#[from] StateStoreError),
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error(transparent)]
    Accept(#[from] AcceptError),
    #[error("the store can't be opened")]
    Store(#[source] StoreError),
    #[error("the store can't be opened")]
    Bucket(#[from] BucketAddressError),
    #[error("the store can't be opened")]
    S3(#[from] S3SettingsError),
    #[error("could not set up HTTP")]
    Http(#[from] HttpBuildError),
    #[error("could not encode JSON")]
    Json(#[from] serde_json::Error),
    #[error("the sandbox could not listen on 127.0.0.1:{port}")]
    Listen { port: u16, source: io::Error },
    #[error("could not listen on {at}")]
    ListenAt { at: SocketAddr, source: io::Error },
    #[error("the sandbox can't speak TLS")]
    SandboxTls(#[from] TlsError),
    #[error("the sandbox's certificate could not be written")]
    SandboxCertificate(#[source] io::Error),
    #[error("the server stopped")]
    Serve(#[source] io::Error),
    /// Another run works; nobody is asked to agree to a plan that it changes.
    #[error("nothing was changed: {0}")]
    BeingChanged(String),
    /// What was typed, or is missing, makes no sense; the text says what to do.
    #[error("{0}")]
    Usage(String),
    /// The demo did not go as its text says.
    #[error("the demo went wrong: {0}")]
    Demo(String),
}

impl CliError {
    /// What a person can do about it.
    pub(crate) fn hint(&self) -> Option<Hint> {
        match self {
            Self::Run(error) => error.hint(),
            Self::Lease(error) => error.hint(),
            Self::Push(error) => error.hint(),
            Self::Hold(error) => error.hint(),
            Self::Memory(error) => error.hint(),
            Self::NothingRan { .. } => Some(Hint::up()),
            Self::NotFollowed { .. } => Some(Hint::History),
            Self::BeingChanged(_) => Some(Hint::RunAgain),
            _ => None,
        }
    }
}

/// Prints an error with its causes and gives the exit code: 3 for definitions that can't be used,
/// else 1 (semantics 9.5). It is printed once: as the answer for a machine, or for
/// people.
pub(crate) fn print(error: &CliError, args: &Args) -> ExitCode {
    let line = CommandLine {
        stack: args.stack.clone(),
        names_stack: args.stack.is_some(),
        flags: args.flags(),
        read_only: setup::is_read_only(),
    };
    if let CliError::Run(RunError::Definitions(problems))
    | CliError::Push(PushError::Definitions(problems)) = error
    {
        let root = || definitions::in_repository(&args.definitions);
        // A report for machines is the answer and goes where answers go.
        let _ = match args.format() {
            Format::Text => {
                let screen = screen::of_stderr(args);
                let hints = |hint: &Hint| line.words(hint);
                screen::err(&render::problems_text(problems, screen, &hints))
            }
            Format::Json => screen::document(&documents::problems(problems)),
            Format::Junit => screen::out(&render::problems_junit(problems)),
            Format::Github => screen::out(&render::problems_github(problems, &root())),
        };
        return ExitCode::from(3);
    }
    let causes = reasons(error, &line);
    let code = match error {
        CliError::Set(_) | CliError::Run(RunError::NoBundle { .. }) => 3,
        _ => 1,
    };
    match args.format() {
        Format::Json => print_json(error, None, code, &line),
        Format::Github => {
            let _ = screen::out(&render::error_github(&error.to_string(), &causes));
        }
        // A report that could not be made is no report.
        Format::Text | Format::Junit => print_text(error, &line, args),
    }
    ExitCode::from(code)
}

/// Prints an error for people: what happened, why, and what to do next.
pub(crate) fn print_text(error: &CliError, line: &CommandLine, args: &Args) {
    let causes = reasons(error, line);
    let next = error.hint().map(|hint| line.words(&hint));
    let screen = screen::of_stderr(args);
    let text = render::error_text(&error.to_string(), &causes, next.as_deref(), screen);
    let _ = screen::err(&text);
}

/// What an error was caused by, and each refusal of a push with what to do about it.
fn reasons(error: &CliError, line: &CommandLine) -> Vec<String> {
    let mut reasons = error_causes(error);
    if is_read_only(error) {
        reasons.push("KEDGE_READ_ONLY is set".to_owned());
    }
    let text = |one: &Refusal| match one.hint() {
        None => format!("{one}; {}", one.fix()),
        Some(hint) => format!("{one}; {}: {}", one.fix(), line.words(&hint)),
    };
    reasons.extend(refusals(error).iter().map(text));
    reasons
}

/// Why a push was refused.
fn refusals(error: &CliError) -> &[Refusal] {
    match error {
        CliError::Push(
            PushError::Refused(refusals) | PushError::TakenMeanwhile { refusals, .. },
        ) => refusals,
        _ => &[],
    }
}

/// Whether it is the mode that refuses.
fn is_read_only(error: &CliError) -> bool {
    matches!(
        error,
        CliError::Run(RunError::ReadOnly)
            | CliError::Push(PushError::ReadOnly)
            | CliError::Hold(HoldError::ReadOnly)
            | CliError::Token(TokenError::ReadOnly)
            | CliError::Lease(LeaseError::ReadOnly { .. })
    )
}

/// An error as an answer in JSON, so that standard output has one whenever `--json` is given, with
/// what was seen before (`kedge.report/1`), if anything was.
pub(crate) fn print_json(
    error: &CliError,
    report: Option<documents::Report>,
    exit_code: u8,
    line: &CommandLine,
) {
    let next = error.hint().map(|hint| line.words(&hint));
    let failed = Failed {
        error: &error.to_string(),
        because: &reasons(error, line),
        refusals: refusals(error),
        next: next.as_deref(),
        exit_code,
    };
    let _ = screen::document(&documents::error(failed, report, &|hint| line.words(hint)));
}

/// The same of what was typed.
pub(crate) fn print_usage_json(error: &str, exit_code: u8) {
    let failed = Failed {
        error,
        because: &[],
        refusals: &[],
        next: None,
        exit_code,
    };
    let _ = screen::document(&documents::error(failed, None, &|_| String::new()));
}
