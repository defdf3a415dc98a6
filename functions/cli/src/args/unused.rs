//! Options of all commands for which some commands have no use: these hide them in their help, and refuse
//! what would mean something else than it says.

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Command};

/// The commands, and the options that they have no use for.
const UNUSED: [(&str, &[&str]); 2] = [
    (
        "serve",
        &[
            "stack", "stored", "format", "json", "stats", "colour", "full",
        ],
    ),
    ("token", &["stack", "stored", "stats", "colour", "full"]),
];
/// Those that change nothing where there is nothing for them to change: somebody may always pass them.
const HARMLESS: [&str; 1] = ["colour"];
/// Those of which each command says itself which it has.
const FORMATS: [&str; 2] = ["format", "json"];

/// Hides these options in the help of these commands and of the commands below them.
pub(super) fn hide(command: Command) -> Command {
    UNUSED
        .into_iter()
        .fold(command, |command, (name, options)| {
            let unused = command
                .get_arguments()
                .filter(|option| options.contains(&option.get_id().as_str()));
            let hidden: Vec<_> = unused.map(|option| option.clone().hide(true)).collect();
            // A command that has an option itself does not get it from above.
            command.mut_subcommand(name, |below| below.args(hidden))
        })
}

/// Refuses a command with an option that it has no use for.
pub(super) fn refuse(command: &mut Command, matches: &ArgMatches) -> Result<(), clap::Error> {
    let Some(name) = matches.subcommand_name() else {
        return Ok(());
    };
    let unused = UNUSED.into_iter().find(|(of, _)| *of == name);
    let (_, options) = unused.unwrap_or_default();
    let is_refused = |option: &&&str| {
        let is_typed = matches.value_source(option) == Some(ValueSource::CommandLine);
        is_typed && !HARMLESS.contains(option) && !FORMATS.contains(option)
    };
    match options.iter().find(is_refused) {
        None => Ok(()),
        Some(option) => {
            let why = format!("`kedge {name}` has no use for --{option}; leave it out");
            Err(command.error(ErrorKind::ArgumentConflict, why))
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::super::Args;
    use super::*;

    const ALL: [&str; 9] = [
        "--stack",
        "--definitions",
        "--store",
        "--stored",
        "--format",
        "--json",
        "--stats",
        "--color",
        "--full",
    ];

    fn read(words: &str) -> Result<Args, clap::Error> {
        Args::read(words.split_whitespace().map(Into::into), 80)
    }

    /// The options for all commands that the help of this one has.
    fn shown(words: &str) -> Vec<&'static str> {
        let help = read(words).unwrap_err().to_string();
        let is_option = |word: &&str| word.starts_with("--");
        let options: Vec<&str> = help.split_whitespace().filter(is_option).collect();
        let is_there = |name: &&str| options.iter().any(|one| one.trim_matches(',') == *name);
        ALL.into_iter().filter(is_there).collect()
    }

    #[test]
    fn help_has_the_options_that_are_of_use() {
        assert_eq!(shown("kedge check --help"), ALL);
        for words in ["kedge serve --help", "kedge serve -h", "kedge help serve"] {
            assert_eq!(shown(words), ["--definitions", "--store"], "{words}");
        }
        for verb in ["", "new", "list", "revoke"] {
            let expected = ["--definitions", "--store", "--format", "--json"];
            assert_eq!(shown(&format!("kedge token {verb} --help")), expected);
        }
    }

    #[test]
    fn what_is_of_no_use_is_refused_wherever_it_stands() {
        for (words, part) in [
            ("kedge serve --stack prod", "serve` has no use for --stack"),
            ("kedge --stack=prod serve", "serve` has no use for --stack"),
            ("kedge serve --stored", "--stored"),
            ("kedge serve --full", "--full"),
            (
                "kedge token list --stack prod",
                "token` has no use for --stack",
            ),
            ("kedge token --stats list", "--stats"),
        ] {
            let error = read(words).unwrap_err().to_string();
            assert!(error.contains(part), "{words}: {error}");
        }
        for words in [
            "kedge serve --color never --store file://x --definitions x",
            "kedge token list --json --store file://x",
            "kedge --color always token list",
            "kedge check --stack prod --stored --stats --full",
        ] {
            assert!(read(words).is_ok(), "{words}");
        }
    }

    #[test]
    fn each_of_these_is_a_command_and_an_option() {
        let command = Args::command();
        for (name, options) in UNUSED {
            assert!(command.find_subcommand(name).is_some(), "{name}");
            for option in options {
                let mut all = command.get_arguments();
                assert!(all.any(|one| one.get_id() == option), "{option}");
            }
        }
        hide(command).debug_assert();
    }
}
