//! What to do next, as a command or as the flags of one: the only file that spells them.
//!
//! Core and engine give a [`Hint`]; Slack and HTTP say it in another way.

use kedge_core::hint::Hint;

/// What every command must repeat to mean the same stack, definitions and store.
#[derive(Debug, Clone)]
pub(crate) struct CommandLine {
    /// The stack.
    pub(crate) stack: Option<String>,
    /// Whether the stack is named even where this folder knows it.
    pub(crate) names_stack: bool,
    /// The flags that come after it: ` --store file://…`.
    pub(crate) flags: String,
    /// Whether nothing may be changed from here.
    pub(crate) read_only: bool,
}

/// What shows lists whole.
pub(crate) const FULL: &str = "--full";

impl CommandLine {
    /// A hint in words for a shell.
    pub(crate) fn words(&self, hint: &Hint) -> String {
        match hint {
            Hint::Check => self.command("check", ""),
            Hint::Preview => self.command("preview", ""),
            Hint::Up {
                plan,
                allow,
                overrides,
            } => {
                let plan = plan.iter().map(|digest| format!(" --plan {digest}"));
                let guards = overrides.iter();
                let guards = guards.map(|guard| format!(" --override {guard}"));
                let options: String = plan.chain(guards).collect();
                self.change("up", &format!("{options}{}", allowed(allow)))
            }
            Hint::Unattended => self.change("up", " --unattended"),
            Hint::Adopt => self.may_change(self.command("adopt", "")),
            Hint::Retire => self.change("retire", ""),
            Hint::Accept { key } => {
                let key = quoted(key);
                self.command(&format!("accept {key}"), "")
            }
            Hint::Push { after_rollback } => {
                let after = after_rollback.iter();
                let after: String = after
                    .map(|revision| format!(" --after-rollback {revision}"))
                    .collect();
                // It stores the local files, wherever definitions are read from.
                let line = Self {
                    flags: self.flags.replace(" --stored", ""),
                    ..self.clone()
                };
                self.may_change(line.command(&format!("push{after}"), ""))
            }
            Hint::Unlock => self.may_change(self.command("unlock", "")),
            Hint::ReplaceHolds => {
                self.may_change(self.command("hold --replace --for 2h --reason WHY", ""))
            }
            Hint::ConfirmAbsence { digest } => {
                let digest = digest.iter().map(|digest| format!(" {digest}"));
                let digest: String = digest.collect();
                self.change("refresh", &format!(" --confirm-absence{digest}"))
            }
            Hint::History => self.command("history", ""),
            Hint::Allow { keys } if keys.is_empty() => "--allow KEY".to_owned(),
            Hint::Allow { keys } => allowed(keys).trim_start().to_owned(),
            Hint::Force => "--force".to_owned(),
            Hint::Withdraw => {
                "--withdraw, or `Kedge-Withdraw: yes` in the commit message".to_owned()
            }
            Hint::AfterRollback { revision } => format!(
                "--after-rollback {revision}, or `Kedge-After-Rollback: {revision}` in the commit \
                 message"
            ),
            Hint::Full => FULL.to_owned(),
            Hint::RunAgain => "run the command again when the other run is done".to_owned(),
        }
    }

    /// Blocks changes of the stack for a while.
    pub(crate) fn hold(&self) -> String {
        self.change("hold", " --for 1h --reason WHY")
    }

    /// A command for this stack; the stack is named where this folder does not know it.
    fn command(&self, verb: &str, options: &str) -> String {
        self.with_stack(verb, options, self.names_stack)
    }

    /// A command that changes the stack: it names it, so that it can be pasted anywhere.
    fn change(&self, verb: &str, options: &str) -> String {
        self.may_change(self.with_stack(verb, options, true))
    }

    fn with_stack(&self, verb: &str, options: &str, names_stack: bool) -> String {
        let stack = self.stack.as_ref().filter(|_| names_stack);
        let stack = stack.map(|stack| format!(" --stack {}", quoted(stack)));
        let stack = stack.unwrap_or_default();
        format!("kedge {verb}{stack}{}{options}", self.flags)
    }

    fn may_change(&self, command: String) -> String {
        match self.read_only {
            true => format!("{command} (elsewhere: KEDGE_READ_ONLY is set here)"),
            false => command,
        }
    }
}

fn allowed(keys: &[String]) -> String {
    let keys = keys.iter().map(|key| format!(" --allow {}", quoted(key)));
    keys.collect()
}

/// A word for a shell.
pub(crate) fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@+".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::{Path, PathBuf};

    use clap::{CommandFactory as _, Parser as _};

    use super::*;
    use crate::args::Args;

    fn line() -> CommandLine {
        CommandLine {
            stack: Some("dev".to_owned()),
            names_stack: true,
            flags: " --store file:///tmp/x".to_owned(),
            read_only: false,
        }
    }

    #[test]
    fn every_command_is_one_that_is_taken() {
        let text = |text: &str| text.to_owned();
        let hints = [
            Hint::Check,
            Hint::Preview,
            Hint::up(),
            Hint::Up {
                plan: Some(text("0123456789abcdef")),
                allow: vec![text("dev-a"), text("it's")],
                overrides: vec!["share"],
            },
            Hint::Unattended,
            Hint::Adopt,
            Hint::Retire,
            Hint::Accept { key: text("dev-a") },
            Hint::Push {
                after_rollback: Some(text("3f9a1c2b7d10")),
            },
            Hint::Unlock,
            Hint::ReplaceHolds,
            Hint::ConfirmAbsence { digest: None },
            Hint::ConfirmAbsence {
                digest: Some(text("0123456789abcdef")),
            },
            Hint::History,
        ];
        for hint in hints {
            let command = line().words(&hint);
            let words = command.split(' ').map(|word| word.trim_matches('\''));
            let parsed = Args::try_parse_from(words);
            assert!(parsed.is_ok(), "{command}: {:?}", parsed.err());
        }
    }

    #[test]
    fn where_nothing_may_be_changed_a_change_is_said_to_be_done_elsewhere() {
        let line = CommandLine {
            read_only: true,
            ..line()
        };
        assert!(line.words(&Hint::up()).contains("KEDGE_READ_ONLY"));
        assert!(!line.words(&Hint::Preview).contains("KEDGE_READ_ONLY"));
    }

    /// Rust files below a folder, without those that hold tests alone.
    fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && name != "tests" {
                sources(&path, found);
            } else if name.ends_with(".rs") && name != "tests.rs" {
                found.push(path);
            }
        }
    }

    /// The string literals of a file, before its tests; a literal that goes on in the next line is
    /// one.
    fn literals(source: &str) -> Vec<String> {
        let code = source.split("\n#[cfg(test)]\nmod").next().unwrap();
        let mut literals = Vec::new();
        let mut rest = code;
        while let Some(at) = rest.find(['"', '/', '\'']) {
            let tail = &rest[at..];
            rest = if tail.starts_with("//") {
                tail.split_once('\n').map_or("", |(_, rest)| rest)
            } else if tail.starts_with("'\"'") || tail.starts_with("'\\\"'") {
                tail.split_once("\"'").map_or("", |(_, rest)| rest)
            } else if let Some(mut text) = tail.strip_prefix('"') {
                let mut literal = String::new();
                while let Some(end) = text.find(['"', '\\']) {
                    literal.push_str(&text[..end]);
                    if text[end..].starts_with('"') {
                        text = &text[end + 1..];
                        break;
                    }
                    let escaped = &text[end + 1..];
                    text = match escaped.starts_with('\n') {
                        true => escaped.trim_start(),
                        false => &escaped[escaped.chars().next().map_or(0, char::len_utf8)..],
                    };
                }
                literals.push(literal);
                text
            } else {
                &tail[1..]
            };
        }
        literals
    }

    #[test]
    fn literals_are_found() {
        let source = "// \"no\"\nlet a = \"one \\\"two\\\" \\\n   three\"; let c = '\"'; f(\"four\");\n\
                      #[cfg(test)]\nmod tests { \"five\" }";
        assert_eq!(literals(source), ["one two three", "four"]);
    }

    #[test]
    fn core_and_engine_spell_no_command() {
        let command = Args::command();
        let verbs: BTreeSet<String> = command
            .get_subcommands()
            .flat_map(|verb| verb.get_all_aliases().chain([verb.get_name()]))
            .map(|verb| format!("kedge {verb}"))
            .collect();
        let all = command.get_subcommands().chain([&command]);
        let flags: BTreeSet<String> = all
            .flat_map(clap::Command::get_arguments)
            .filter_map(|argument| argument.get_long())
            .map(|long| format!("--{long}"))
            .collect();
        assert!(verbs.contains("kedge up") && flags.contains("--allow"));
        let has = |text: &str, word: &String| {
            text.match_indices(word.as_str()).any(|(at, _)| {
                let next = text[at + word.len()..].chars().next();
                !next.is_some_and(|c| c.is_alphanumeric() || c == '-' || c == '_')
            })
        };
        let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
        let mut files = Vec::new();
        for part in ["core/src", "engine/src"] {
            sources(&shared.join(part), &mut files);
        }
        assert!(files.len() > 100);
        let mut wrong = Vec::new();
        for file in files {
            for literal in literals(&fs::read_to_string(&file).unwrap()) {
                if verbs.iter().chain(&flags).any(|word| has(&literal, word)) {
                    wrong.push(format!("{}: {literal}", file.display()));
                }
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}
