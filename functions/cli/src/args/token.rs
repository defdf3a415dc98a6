//! What can be typed after `kedge token`.

use clap::Subcommand;
use kedge_core::stored::token::{StackPattern, TokenScope};

use super::span;

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token, and print it this once.
    New(NewTokenOptions),
    /// List tokens: whose they are, what they may do, until when, and when they were last used.
    List,
    /// End a token, now and for ever.
    Revoke {
        /// The id of the token: the second part of it.
        id: String,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct NewTokenOptions {
    /// Whose it is: history names it as the actor. Several tokens may have one name.
    #[arg(long)]
    pub(crate) name: String,
    /// What it may do: read, check, apply, hold.
    #[arg(long, value_name = "SCOPE", value_delimiter = ',', required = true, value_parser = scope)]
    pub(crate) scope: Vec<TokenScope>,
    /// For which stacks: a name, in which * stands for any text.
    #[arg(long, value_name = "PATTERN", value_parser = pattern)]
    pub(crate) stacks: StackPattern,
    /// How long it lasts: 12h, 90d; at most 366d.
    #[arg(long, value_name = "TIME", default_value = "90d", value_parser = span)]
    pub(crate) expires: i64,
}

fn scope(word: &str) -> Result<TokenScope, String> {
    let unknown = || format!("`{word}` is not a scope: write read, check, apply or hold");
    TokenScope::parse(word).ok_or_else(unknown)
}

fn pattern(text: &str) -> Result<StackPattern, String> {
    let unfit = || format!("no stack can have a name like `{text}`: write dev, prod-* or *");
    StackPattern::new(text).ok_or_else(unfit)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::super::{Args, Command};
    use super::*;

    fn new(words: &str) -> Result<NewTokenOptions, String> {
        let words = format!("kedge token new {words}");
        let args = Args::try_parse_from(words.split_whitespace());
        match args.map_err(|error| error.to_string())?.verb {
            Command::Token {
                verb: TokenCommand::New(options),
            } => Ok(options),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_token_says_whose_it_is_and_for_what() {
        let options = new("--name ci --scope read,check --scope hold --stacks prod-*").unwrap();
        let scopes = [TokenScope::Read, TokenScope::Check, TokenScope::Hold];
        assert_eq!(options.scope, scopes);
        assert_eq!(options.stacks.as_str(), "prod-*");
        assert_eq!(options.expires, 90 * 86_400_000);
        for (words, part) in [
            ("--name ci --scope read", "--stacks"),
            ("--name ci --stacks *", "--scope"),
            ("--scope read --stacks *", "--name"),
            ("--name ci --scope all --stacks *", "`all` is not a scope"),
            ("--name ci --scope read --stacks Prod", "a name like `Prod`"),
        ] {
            let error = new(words).unwrap_err();
            assert!(error.contains(part), "{words}: {error}");
        }
    }
}
