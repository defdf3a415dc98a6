//! The commands and flags that can be typed, with their help texts.

mod serve;
mod token;
mod unused;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};
use kedge_core::model::span_ms;

pub(crate) use self::serve::ServeOptions;
pub(crate) use self::token::{NewTokenOptions, TokenCommand};

use crate::hints::quoted;

/// Detects and corrects drift of Kafka topics, Pub/Sub and DNS.
///
/// `preview` is what other tools call plan, `up` is apply, `retire` is destroy.
///
/// Exit codes: 0 clean · 1 error or usage · 2 drifted, pending or not adopted · 3 incomplete or
/// invalid.
#[derive(Debug, Parser)]
#[command(name = "kedge", version)]
pub(crate) struct Args {
    /// The stack. Default: KEDGE_STACK, then `kedge select`, then the git branch.
    #[arg(long, global = true)]
    pub(crate) stack: Option<String>,
    /// The folder with the definitions.
    #[arg(long, global = true, default_value = DEFINITIONS)]
    pub(crate) definitions: PathBuf,
    /// Where state is kept: s3://BUCKET/PREFIX or file://FOLDER. Default: KEDGE_STORE,
    /// KEDGE_BUCKET, `bucket:` in kedge.yaml, then file://.kedge/store.
    #[arg(long, global = true)]
    pub(crate) store: Option<String>,
    /// Use the stored definitions. This is the default where the store is a bucket.
    #[arg(long, global = true)]
    pub(crate) stored: bool,
    /// The output: text for people, or json, junit (XML) or github (annotations) for machines.
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Short for --format json.
    #[arg(long, global = true, conflicts_with = "format")]
    json: bool,
    /// Show requests and bytes per provider, store operations, and the time taken.
    #[arg(long, global = true)]
    pub(crate) stats: bool,
    /// When to use colour. NO_COLOR and TERM=dumb turn it off where this is auto.
    #[arg(long = "color", alias = "colour", global = true, value_enum, default_value_t = Colour::Auto)]
    pub(crate) colour: Colour,
    /// Show lists in full, not only their first 10 names.
    #[arg(long, global = true)]
    pub(crate) full: bool,
    /// What to do.
    #[command(subcommand)]
    pub(crate) verb: Command,
}

impl Args {
    /// Reads the words of a command line. Help is so many columns wide.
    pub(crate) fn read(
        words: impl Iterator<Item = OsString>,
        width: usize,
    ) -> Result<Self, clap::Error> {
        let mut command = unused::hide(Self::command()).term_width(width);
        let matches = command.try_get_matches_from_mut(words)?;
        unused::refuse(&mut command, &matches)?;
        Self::from_arg_matches(&matches)
    }

    /// The form of the output.
    pub(crate) fn format(&self) -> Format {
        if self.json { Format::Json } else { self.format }
    }
}

/// The form of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// One JSON document (docs/json.md).
    Json,
    /// JUnit XML: check, preview and audit.
    Junit,
    /// For GitHub Actions: annotations for check, preview and audit; step outputs for stack.
    Github,
}

impl Format {
    /// Whether a command has this form.
    pub(crate) fn is_of(self, verb: &Command) -> bool {
        match self {
            Self::Text => true,
            Self::Json => !matches!(
                verb,
                Command::Init(_) | Command::Sandbox(_) | Command::Serve(_) | Command::Demo
            ),
            Self::Github if matches!(verb, Command::Stack) => true,
            Self::Junit | Self::Github => {
                matches!(
                    verb,
                    Command::Check(_) | Command::Preview(_) | Command::Audit
                )
            }
        }
    }
}

/// The folder of definitions, if none is named.
const DEFINITIONS: &str = "definitions";

impl Args {
    /// The flags that a command must repeat to mean the same definitions and the same store.
    pub(crate) fn flags(&self) -> String {
        let definitions = self.definitions.to_string_lossy();
        let definitions = (definitions != DEFINITIONS).then_some(definitions.as_ref());
        [
            ("--definitions", definitions),
            ("--store", self.store.as_deref()),
        ]
        .into_iter()
        .filter_map(|(flag, value)| Some(format!(" {flag} {}", quoted(value?))))
        .chain(self.stored.then(|| " --stored".to_owned()))
        .collect()
    }
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Colour {
    /// On a terminal, unless NO_COLOR or TERM=dumb is set.
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Is something wrong? Reads and compares, changes nothing.
    Check(CheckOptions),
    /// What would `up` do? Shows the plan, changes nothing.
    #[command(alias = "plan")]
    Preview(PreviewOptions),
    /// Carry out the plan: make the stack what the definitions say.
    #[command(alias = "apply")]
    Up(UpOptions),
    /// Take the lease from a run that crashed or must stop. Shows who holds it, and asks.
    #[command(visible_alias = "cancel")]
    Unlock(UnlockOptions),
    /// Store the local definitions, for automation and for everybody.
    Push(PushOptions),
    /// Store an older revision again, as a new one. State is not rolled back.
    Rollback(RollbackOptions),
    /// List pushes and what runs did, newest first.
    History(HistoryOptions),
    /// Show which stack is selected, why, and which GitHub Environment has its secrets.
    Stack,
    /// Start to manage what exists: record what is live and declared, change nothing.
    Adopt(AdoptOptions),
    /// Show how to edit the definitions so that they declare what is live. Writes nothing.
    Accept(AcceptOptions),
    /// Block every change of the stack, or of some resources, for a time. Without --for: list what
    /// is held.
    Hold(HoldOptions),
    /// End holds.
    Release(ReleaseOptions),
    /// Read the providers and record what is live as declared. Drift stays drift.
    Refresh(RefreshOptions),
    /// Stop managing resources without deleting them.
    Forget(ForgetOptions),
    /// Delete everything that is recorded of the stack, and end it.
    #[command(alias = "destroy")]
    Retire(RetireOptions),
    /// Show everything in the stack's scopes, managed or not.
    Audit,
    /// List the stack's topics, subscriptions and record sets.
    Outputs,
    /// Set up this folder: .env, the stack's file, the selected stack.
    Init(InitOptions),
    /// Choose the stack that commands in this folder are about.
    Select {
        /// The stack.
        stack: String,
    },
    /// Print the JSON Schemas of the definition files.
    Schema {
        /// Write them into this folder instead.
        #[arg(long)]
        write: Option<PathBuf>,
    },
    /// Run automation on this machine: checks by schedule, corrections, uploads, and an HTTP API.
    Serve(ServeOptions),
    /// Make, list and revoke tokens of the HTTP API (docs/http.md).
    Token {
        /// What to do.
        #[command(subcommand)]
        verb: TokenCommand,
    },
    /// Serve the APIs of Aiven, Google and Cloudflare from memory, to try things out.
    Sandbox(SandboxOptions),
    /// Show what kedge does, against a sandbox: deploy, drift, detect, correct.
    Demo,
}

#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct CheckOptions {
    /// Which verdicts exit with 2.
    #[arg(long, value_enum, default_value_t = FailOn::Any)]
    pub(crate) fail_on: FailOn,
}

/// Which verdicts exit with 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
    /// Drifted, pending or not adopted.
    Any,
    /// Drifted only.
    Drift,
}

#[derive(Debug, clap::Args)]
pub(crate) struct PreviewOptions {
    /// Show the plan with these guards overridden: changes, share or creates.
    #[arg(long = "override", value_name = "GUARD")]
    pub(crate) overrides: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct UpOptions {
    /// Agree to all safe and disruptive changes, without being asked.
    #[arg(long, conflicts_with = "unattended")]
    pub(crate) yes: bool,
    /// Agree to this plan only. `kedge preview` shows its digest.
    #[arg(long, value_name = "DIGEST", conflicts_with = "unattended")]
    pub(crate) plan: Option<String>,
    /// Approve destructive changes: resource keys (short forms are fine), or `policy`.
    #[arg(long, value_name = "KEY", num_args = 1.., conflicts_with = "unattended")]
    pub(crate) allow: Vec<String>,
    /// Override a guard: changes, share or creates.
    #[arg(long = "override", value_name = "GUARD", conflicts_with = "unattended")]
    pub(crate) overrides: Vec<String>,
    /// Do what automation does: what the policy allows, and nothing else.
    #[arg(long)]
    pub(crate) unattended: bool,
}

#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct UnlockOptions {
    /// Agree without being asked.
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct PushOptions {
    /// Replace a stored commit that is newer than yours, or on another branch.
    #[arg(long)]
    pub(crate) force: bool,
    /// Remove many resources at once, or all of a file. Same as `Kedge-Withdraw: yes` in the commit
    /// message.
    #[arg(long)]
    pub(crate) withdraw: bool,
    /// Push after a rollback: the revision that it stored, or its first characters (at least 4). Same
    /// as `Kedge-After-Rollback: REVISION` in the commit message.
    #[arg(long, value_name = "REVISION")]
    pub(crate) after_rollback: Option<String>,
    #[command(flatten)]
    pub(crate) wait: WaitOptions,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RollbackOptions {
    /// The revision to store again, or its first characters: at least 4, and enough to mean no other.
    /// `kedge history` lists revisions.
    pub(crate) revision: String,
    #[command(flatten)]
    pub(crate) wait: WaitOptions,
}

#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct WaitOptions {
    /// Wait for the run that follows, and exit with its exit code.
    #[arg(long)]
    pub(crate) wait: bool,
    /// How long to wait at most: 90s, 15m, 1h.
    #[arg(long, value_name = "TIME", default_value = "15m", value_parser = span, requires = "wait")]
    pub(crate) within: i64,
    /// Which verdicts of that run exit with 2.
    #[arg(long, value_enum, default_value_t = FailOn::Any, requires = "wait")]
    pub(crate) fail_on: FailOn,
}

/// A duration, in milliseconds: a whole number and `s`, `m`, `h` or `d`.
fn span(text: &str) -> Result<i64, String> {
    let fail = || format!("`{text}` is not a duration: write 90s, 15m, 2h or 7d");
    span_ms(text).ok_or_else(fail)
}

#[derive(Debug, clap::Args)]
pub(crate) struct HistoryOptions {
    /// Only runs that changed this resource: its key, or a short form.
    #[arg(long, value_name = "KEY")]
    pub(crate) resource: Option<String>,
    /// Only what happened in the last 24h, 7d, …
    #[arg(long, value_name = "TIME", value_parser = span)]
    pub(crate) since: Option<i64>,
    /// At most this many pushes, and this many runs.
    #[arg(
        long,
        value_name = "COUNT",
        default_value_t = 20,
        value_parser = clap::value_parser!(u16).range(1..)
    )]
    pub(crate) most: u16,
}

#[derive(Debug, clap::Args)]
pub(crate) struct AdoptOptions {
    /// The resources, by key (short forms are fine). Default: all.
    #[arg(value_name = "KEY")]
    pub(crate) keys: Vec<String>,
    /// Agree without being asked.
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ForgetOptions {
    /// The resources, by key (short forms are fine).
    #[arg(value_name = "KEY", required = true)]
    pub(crate) keys: Vec<String>,
    /// Agree without being asked.
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RefreshOptions {
    /// Confirm that resources that disappeared all at once are really gone. With the digest that was
    /// shown, nothing is asked.
    #[arg(long, value_name = "DIGEST", num_args = 0..=1, default_missing_value = "")]
    pub(crate) confirm_absence: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RetireOptions {
    /// The stack's name, instead of typing it in the terminal.
    #[arg(long, value_name = "STACK")]
    pub(crate) confirm: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct HoldOptions {
    /// The resources, by key (short forms are fine). Default: the whole stack.
    #[arg(value_name = "KEY", requires = "length")]
    pub(crate) keys: Vec<String>,
    /// For how long: 30m, 2h, 3d; at most 30d.
    #[arg(long = "for", value_name = "TIME", requires = "reason", value_parser = span)]
    pub(crate) length: Option<i64>,
    /// The reason, for everybody who is blocked by it.
    #[arg(long, requires = "length")]
    pub(crate) reason: Option<String>,
    /// Replace a hold.json that can't be read. What was held before is lost.
    #[arg(long, requires = "length")]
    pub(crate) replace: bool,
    /// Do not wait until a run that is working knows of the hold.
    #[arg(long, requires = "length")]
    pub(crate) no_wait: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ReleaseOptions {
    /// The resources, by key (short forms are fine). Default: the hold of the whole stack.
    #[arg(value_name = "KEY")]
    pub(crate) keys: Vec<String>,
    /// End all holds of the stack and its resources.
    #[arg(long, conflicts_with = "keys")]
    pub(crate) all: bool,
    /// Replace a hold.json that can't be read with an empty list. What was held before is lost.
    #[arg(long, conflicts_with_all = ["keys", "all"])]
    pub(crate) replace: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct AcceptOptions {
    /// The resource, by key (short forms are fine).
    pub(crate) key: String,
    /// One of its fields. Default: all that differ.
    pub(crate) field: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct InitOptions {
    /// The stack whose settings a new stack starts with.
    #[arg(long, default_value = "development")]
    pub(crate) like: String,
}

#[derive(Debug, clap::Args)]
pub(crate) struct SandboxOptions {
    /// The port on 127.0.0.1. 0 uses a free one.
    #[arg(long, default_value_t = 0)]
    pub(crate) port: u16,
    /// How long each answer takes, in milliseconds.
    #[arg(long, default_value_t = 0)]
    pub(crate) latency_ms: u64,
    /// Random extra time per answer, in milliseconds.
    #[arg(long, default_value_t = 0)]
    pub(crate) jitter_ms: u64,
    /// The seed of everything random.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// A fault, as JSON. May be repeated (docs/sandbox.md).
    #[arg(long, value_name = "JSON")]
    pub(crate) fault: Vec<String>,
    /// Also speak TLS, for clients that take https only. Prints the path of the certificate that they must trust.
    #[arg(long)]
    pub(crate) tls: bool,
}

#[cfg(test)]
mod workflow;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn lengths_of_time() {
        for (text, ms) in [("90s", 90_000), ("15m", 900_000), ("2h", 7_200_000)] {
            assert_eq!(span(text), Ok(ms));
        }
        assert_eq!(span("7d"), Ok(7 * 86_400_000));
        for bad in ["", "s", "7", "-1s", "1.5h", "1w", "15min", "1ß", "+1h"] {
            assert!(span(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn consent_and_unattended_exclude_each_other() {
        for consent in ["--yes", "--plan=x", "--allow=x", "--override=share"] {
            assert!(Args::try_parse_from(["kedge", "up", "--unattended", consent]).is_err());
        }
    }
}
