//! The parser's errors in plain words. The parser says what it looked for (`did not find expected key`);
//! these say what was forgotten and what to write.
//!
//! None repeats the text, which may be a secret.

use granit_parser::ErrorKind;

/// Whether an error says itself what was forgotten, and where: no likelier slip needs to be looked
/// for.
pub(super) fn is_exact(kind: &ErrorKind) -> bool {
    use ErrorKind as Kind;
    matches!(
        kind,
        Kind::UnclosedQuotedScalar
            | Kind::UnclosedFlowCollection { .. }
            | Kind::MismatchedFlowCollectionEnd { .. }
    )
}

/// What is wrong, and a way out.
pub(super) fn in_words(kind: &ErrorKind) -> (String, String) {
    match kind {
        ErrorKind::UnclosedFlowCollection { open } => {
            let close = if *open == '[' { ']' } else { '}' };
            let also = match open {
                '{' => "; a value that begins with `{` needs quotes",
                _ => "",
            };
            (
                format!("a `{open}` without its `{close}`"),
                format!("add the `{close}`{also}"),
            )
        }
        ErrorKind::MismatchedFlowCollectionEnd { open, close } => (
            format!("a `{open}` that is closed by `{close}`"),
            "write two brackets of one kind".to_owned(),
        ),
        _ => {
            let (message, hint) = fixed(kind);
            (message.to_owned(), hint.to_owned())
        }
    }
}

fn fixed(kind: &ErrorKind) -> (&'static str, &'static str) {
    use ErrorKind as Kind;
    match kind {
        Kind::ExpectedBlockMappingKey
        | Kind::ExpectedBlockSequenceEntry
        | Kind::InvalidIndentation
        | Kind::InvalidFlowScalarIndent
        | Kind::InvalidBlockScalarIndent => (
            "the indentation does not fit the lines above",
            "begin the line in the column of the lines that it stands beside",
        ),
        Kind::BlockSequenceEntryNotAllowed | Kind::BlockEntryInFlowCollection => (
            "a `- ` in the wrong place",
            "begin each item on a line of its own, in the column of the other `- `",
        ),
        Kind::MappingValueNotAllowed
        | Kind::MappingKeyNotAllowed
        | Kind::InvalidColonPlacement
        | Kind::FlowMappingValueAdjacentCollection => (
            "a `:` in the wrong place",
            "write one `key: value` a line, in the column of the keys beside it; a value with `: ` \
             in it needs quotes",
        ),
        Kind::SimpleKeyExpected | Kind::InvalidSimpleKey => {
            ("a line without a colon", "write `key: value`")
        }
        Kind::UnexpectedCharacter { .. } | Kind::MissingAnchorOrAliasName => (
            "a value can't begin with this character",
            "put the whole value in quotes",
        ),
        Kind::CommentNotSeparated => (
            "no space before the `#`",
            "put a space before it, or the whole value in quotes",
        ),
        Kind::TabNotAllowed
        | Kind::TabInBlockIndentation
        | Kind::TabInIndentation
        | Kind::TabAtBlockScalarStart
        | Kind::TabInPlainScalar => ("a tab", "write spaces instead"),
        Kind::BomInsideDocument => (
            "an invisible character (U+FEFF) in the file",
            "delete the line and type it again",
        ),
        Kind::UndeclaredTagHandle | Kind::MissingTagUri | Kind::InvalidTagTerminator => (
            "tags (`!name`) are not supported",
            "remove it; a text that begins with `!` needs quotes",
        ),
        _ => in_quotes_or_brackets(kind),
    }
}

fn in_quotes_or_brackets(kind: &ErrorKind) -> (&'static str, &'static str) {
    use ErrorKind as Kind;
    match kind {
        Kind::UnclosedQuotedScalar
        | Kind::DocumentIndicatorInQuotedScalar
        | Kind::InvalidQuotedScalarIndent => (
            "a quote that is not closed",
            "write the same quote at the end of its value",
        ),
        Kind::InvalidTrailingSingleQuotedScalar | Kind::InvalidTrailingDoubleQuotedScalar => (
            "text behind a closing quote",
            "put the whole value in quotes of the other kind; or a quote further up is not closed",
        ),
        Kind::UnknownQuotedScalarEscape
        | Kind::InvalidQuotedScalarHexEscape
        | Kind::InvalidUnicodeEscape => (
            "a lone `\\` in double quotes",
            "write `\\\\`, or put the value in single quotes",
        ),
        Kind::ExpectedFlowMappingSeparator => (
            "a `,` or `}` is missing before this",
            "write `, ` between the entries of `{ }`; a value that begins with `{` needs quotes",
        ),
        Kind::ExpectedFlowSequenceSeparator => (
            "a `,` or `]` is missing before this",
            "write `, ` between the items of `[ ]`",
        ),
        Kind::MisplacedFlowCollectionEnd => (
            "a closing bracket without its opening one",
            "remove it, or put the whole value in quotes",
        ),
        _ => (
            "this is not YAML",
            "compare it with the lines above: indentation, colons, quotes",
        ),
    }
}
