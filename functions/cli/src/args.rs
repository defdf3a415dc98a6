//! What can be typed.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use kedge_core::render;

/// Detects and corrects drift of Kafka topics, Pub/Sub and DNS.
///
/// Exit codes: 0 clean or settling · 1 error or usage · 2 drifted, pending or not adopted ·
/// 3 incomplete or invalid.
#[derive(Debug, Parser)]
#[command(name = "kedge", version, max_term_width = 100)]
pub(crate) struct Args {
    /// The stack. Without it: KEDGE_STACK, then `kedge select`, then the git branch.
    #[arg(long, global = true)]
    pub(crate) stack: Option<String>,
    /// The folder of definitions.
    #[arg(long, global = true, default_value = DEFINITIONS)]
    pub(crate) definitions: PathBuf,
    /// Where state is kept: s3://BUCKET/PREFIX or file://FOLDER. Without it: KEDGE_STORE,
    /// KEDGE_BUCKET, `bucket:` in kedge.yaml, then file://.kedge/store.
    #[arg(long, global = true)]
    pub(crate) store: Option<String>,
    /// Read the definitions from the store, as is done anyway where it is not a folder.
    #[arg(long, global = true)]
    pub(crate) stored: bool,
    /// How to answer: text for people, json, junit (XML) or github (annotations) for machines.
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// The same as --format json.
    #[arg(long, global = true, conflicts_with = "format")]
    json: bool,
    /// Show requests and bytes per provider, operations of the store, and wall time.
    #[arg(long, global = true)]
    pub(crate) stats: bool,
    /// When to use colour.
    #[arg(long, global = true, value_enum, default_value_t = Colour::Auto)]
    pub(crate) colour: Colour,
    /// What to do.
    #[command(subcommand)]
    pub(crate) verb: Command,
}

impl Args {
    /// How to answer.
    pub(crate) fn format(&self) -> Format {
        if self.json { Format::Json } else { self.format }
    }
}

/// How to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// docs/json.md.
    Json,
    /// JUnit XML: check, preview and audit.
    Junit,
    /// For GitHub Actions: annotations of check, preview and audit; outputs of a step of stack.
    Github,
}

impl Format {
    /// Whether a verb has an answer in this form.
    pub(crate) fn is_of(self, verb: &Command) -> bool {
        match self {
            Self::Text | Self::Json => true,
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
        .filter_map(|(flag, value)| Some(format!(" {flag} {}", render::quoted(value?))))
        .chain(self.stored.then(|| " --stored".to_owned()))
        .collect()
    }
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Colour {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Is something wrong? Reads, compares, changes nothing.
    Check(CheckOptions),
    /// What would `up` do?
    Preview(PreviewOptions),
    /// Make the stack what the definitions say.
    Up(UpOptions),
    /// Take the lease from a run that is gone, or must stop: shows who holds it, and asks.
    #[command(visible_alias = "cancel")]
    Unlock(UnlockOptions),
    /// Store the local definitions as what the stack should be.
    Push(PushOptions),
    /// Store an older revision again, as a new one. State is never rolled back.
    Rollback(RollbackOptions),
    /// What was pushed, and what runs did about it, newest first.
    History(HistoryOptions),
    /// Which stack is meant, how that is known, and which GitHub Environment has its secrets.
    Stack,
    /// Begin to manage what exists: record what is live and declared, change nothing.
    Adopt(AdoptOptions),
    /// Print the edit of the definitions that makes what is live declared. Writes nothing.
    Accept(AcceptOptions),
    /// Hold the stack or some of its resources: no correction, no deploy, by nobody. Without --for:
    /// list what is held.
    Hold(HoldOptions),
    /// Take holds away.
    Release(ReleaseOptions),
    /// Read again, and record what is as the definitions say. Never takes drift for right.
    Refresh(RefreshOptions),
    /// Stop managing resources without deleting them.
    Forget(ForgetOptions),
    /// Delete everything that is recorded of the stack, and end it.
    Retire(RetireOptions),
    /// Show everything there is in the stack's scopes, managed or not.
    Audit,
    /// Show what the stack consists of: topics, subscriptions, record sets.
    Outputs,
    /// Set up this folder: .env, the stack's file, the selected stack.
    Init(InitOptions),
    /// Select the stack that is meant when none is named.
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
    /// Serve Aiven's, Google's and Cloudflare's APIs from one remembered world, for trying things out.
    Sandbox(SandboxOptions),
    /// Show the main job on a world of its own: deploy, drift, detect, correct.
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
    /// Show the plan in which these guards are overridden: changes, share or creates.
    #[arg(long = "override", value_name = "GUARD")]
    pub(crate) overrides: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct UpOptions {
    /// Agree to the plan, whatever it is: safe and disruptive changes.
    #[arg(long, conflicts_with = "unattended")]
    pub(crate) yes: bool,
    /// Agree to this plan only, as `kedge preview` showed it.
    #[arg(long, value_name = "DIGEST", conflicts_with = "unattended")]
    pub(crate) plan: Option<String>,
    /// Agree to what can't be taken back, by key (a short form will do), or `policy`.
    #[arg(long, value_name = "KEY", num_args = 1.., conflicts_with = "unattended")]
    pub(crate) allow: Vec<String>,
    /// Override a guard: changes, share or creates.
    #[arg(long = "override", value_name = "GUARD", conflicts_with = "unattended")]
    pub(crate) overrides: Vec<String>,
    /// Do what a tick does: what the policy allows, and nothing else.
    #[arg(long)]
    pub(crate) unattended: bool,
}

#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct UnlockOptions {
    /// Don't ask.
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct PushOptions {
    /// Replace a stored commit that is no ancestor of this one.
    #[arg(long)]
    pub(crate) force: bool,
    /// Withdraw many resources at once, or all of a file. `Kedge-Withdraw: yes` in the commit
    /// message says the same.
    #[arg(long)]
    pub(crate) withdraw: bool,
    /// Push after this rollback: the revision it made. `Kedge-After-Rollback: REVISION` in the
    /// commit message says the same.
    #[arg(long, value_name = "REVISION")]
    pub(crate) after_rollback: Option<String>,
    #[command(flatten)]
    pub(crate) wait: WaitOptions,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RollbackOptions {
    /// The revision to bring back, or the beginning of it (`kedge history` lists them).
    pub(crate) revision: String,
    #[command(flatten)]
    pub(crate) wait: WaitOptions,
}

#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct WaitOptions {
    /// Wait for the run that follows, and exit with its code.
    #[arg(long)]
    pub(crate) wait: bool,
    /// How long to wait: 90s, 15m, 1h.
    #[arg(long, value_name = "TIME", default_value = "15m", value_parser = span, requires = "wait")]
    pub(crate) within: i64,
    /// Which verdicts of that run exit with 2.
    #[arg(long, value_enum, default_value_t = FailOn::Any, requires = "wait")]
    pub(crate) fail_on: FailOn,
}

/// A length of time, in milliseconds: a whole number and `s`, `m`, `h` or `d`.
fn span(text: &str) -> Result<i64, String> {
    let fail = || format!("`{text}` is not a length of time: write 90s, 15m, 2h or 7d");
    let unit = text.chars().last().ok_or_else(fail)?;
    let number = text.strip_suffix(unit).unwrap_or_default();
    let unit_ms = match unit {
        's' => 1_000,
        'm' => 60_000,
        'h' => 3_600_000,
        'd' => 86_400_000,
        _ => return Err(fail()),
    };
    let number: u32 = number.parse().map_err(|_| fail())?;
    i64::from(number).checked_mul(unit_ms).ok_or_else(fail)
}

#[derive(Debug, clap::Args)]
pub(crate) struct HistoryOptions {
    /// Only runs that were about this resource, by its key or a short form of it.
    #[arg(long, value_name = "KEY")]
    pub(crate) resource: Option<String>,
    /// Only what happened in this time: 24h, 7d.
    #[arg(long, value_name = "TIME", value_parser = span)]
    pub(crate) since: Option<i64>,
    /// At most so many pushes, and so many runs.
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    pub(crate) most: u16,
}

#[derive(Debug, clap::Args)]
pub(crate) struct AdoptOptions {
    /// The resources, by key (a short form will do). Without any: all.
    #[arg(value_name = "KEY")]
    pub(crate) keys: Vec<String>,
    /// Agree without being asked.
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ForgetOptions {
    /// The resources, by key (a short form will do).
    #[arg(value_name = "KEY", required = true)]
    pub(crate) keys: Vec<String>,
    /// Agree without being asked.
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RefreshOptions {
    /// Say that what is gone all at once is gone indeed. With the digest that was shown, it is not
    /// asked.
    #[arg(long, value_name = "DIGEST", num_args = 0..=1, default_missing_value = "")]
    pub(crate) confirm_absence: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RetireOptions {
    /// The stack's name, typed here instead of on the terminal.
    #[arg(long, value_name = "STACK")]
    pub(crate) confirm: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct HoldOptions {
    /// The resources, by key (a short form will do). Without any: the whole stack.
    #[arg(value_name = "KEY", requires = "length")]
    pub(crate) keys: Vec<String>,
    /// For how long: 30m, 2h, 3d; at most 30d.
    #[arg(long = "for", value_name = "TIME", requires = "reason", value_parser = span)]
    pub(crate) length: Option<i64>,
    /// Why.
    #[arg(long, requires = "length")]
    pub(crate) reason: Option<String>,
    /// Write over a hold.json that can't be read: what was held before is lost.
    #[arg(long, requires = "length")]
    pub(crate) replace: bool,
    /// Do not wait until a run that is under way knows of it.
    #[arg(long, requires = "length")]
    pub(crate) no_wait: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ReleaseOptions {
    /// The resources, by key (a short form will do). Without any: the stack's own hold.
    #[arg(value_name = "KEY")]
    pub(crate) keys: Vec<String>,
    /// Every hold of the stack and of its resources.
    #[arg(long, conflicts_with = "keys")]
    pub(crate) all: bool,
    /// Write an empty list over a hold.json that can't be read: what was held before is lost.
    #[arg(long, conflicts_with_all = ["keys", "all"])]
    pub(crate) replace: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct AcceptOptions {
    /// The resource, by key (a short form will do).
    pub(crate) key: String,
    /// One of its fields. Without it: all that differ.
    pub(crate) field: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct InitOptions {
    /// The stack whose settings a new stack begins with.
    #[arg(long, default_value = "development")]
    pub(crate) like: String,
}

#[derive(Debug, clap::Args)]
pub(crate) struct SandboxOptions {
    /// The port on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    pub(crate) port: u16,
    /// How long each answer takes, in milliseconds.
    #[arg(long, default_value_t = 0)]
    pub(crate) latency_ms: u64,
    /// A random part on top of it, in milliseconds.
    #[arg(long, default_value_t = 0)]
    pub(crate) jitter_ms: u64,
    /// The seed of everything random in it.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// A fault, as JSON; may be given several times (docs/sandbox.md).
    #[arg(long, value_name = "JSON")]
    pub(crate) fault: Vec<String>,
}

#[cfg(test)]
mod workflow;

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

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
        for bad in ["", "s", "7", "-1s", "1.5h", "1w", "15min", "1ß"] {
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
