//! Keeping secrets out of messages: a source line is shown to people, in logs and in CI.

/// What stands where a secret stood.
pub(super) const HIDDEN: &str = "[hidden]";

/// Words that make a key's name look like that of a secret.
const SECRET_WORDS: [&str; 13] = [
    "secret",
    "token",
    "password",
    "passwd",
    "passphrase",
    "credential",
    "private_key",
    "access_key",
    "apikey",
    "api_key",
    "secure",
    "encryptionsalt",
    "encryptedkey",
];

/// Whether a key's value should not be shown, by the key's name.
pub(super) fn is_secret_name(key: &str) -> bool {
    let key = key.to_lowercase().replace('-', "_");
    SECRET_WORDS.iter().any(|word| key.contains(word))
}

/// A line of a file, without what could be secret in it. `line` counts from 0.
pub(super) fn source_line(text: &str, line: usize) -> Option<String> {
    let lines: Vec<&str> = text.lines().take(line + 1).collect();
    let own = lines.get(line)?;
    if is_below_secret(&lines, line) {
        let indent = own.len() - own.trim_start().len();
        return Some(format!("{}{HIDDEN}", own.get(..indent).unwrap_or_default()));
    }
    let cut = match secret_value(own) {
        Some(from) if !own.get(from..).unwrap_or_default().trim().is_empty() => {
            format!("{} {HIDDEN}", own.get(..from).unwrap_or_default())
        }
        _ => (*own).to_owned(),
    };
    Some(urls(&cut))
}

/// A value for a sentence: short, and without the hidden parts of URLs.
pub(super) fn quoted(value: &str) -> String {
    const CHARS_MAX: usize = 60;
    let clean: String = urls(value)
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if clean.chars().count() <= CHARS_MAX {
        return format!("`{clean}`");
    }
    let head: String = clean.chars().take(CHARS_MAX).collect();
    format!("`{head}…`")
}

/// Hides the beginning of a text where a sentence shows no more than that of it.
pub(super) fn hide_cut(mut sentence: String, hidden: &str) -> String {
    // Fewer characters tell nothing, and are met by chance.
    const CHARS_MIN: usize = 4;
    let cuts: Vec<usize> = sentence.match_indices('…').map(|(at, _)| at).collect();
    for at in cuts.into_iter().rev() {
        let head = sentence.get(..at).unwrap_or_default();
        let ends = hidden.char_indices().skip(CHARS_MIN).map(|(end, _)| end);
        let beginning = ends
            .filter_map(|end| hidden.get(..end))
            .filter(|beginning| head.ends_with(beginning))
            .last();
        if let Some(beginning) = beginning {
            sentence.replace_range(at - beginning.len()..at, HIDDEN);
        }
    }
    sentence
}

/// A key for a sentence: short, without control characters or the hidden parts of URLs.
pub(super) fn bare(key: &str) -> String {
    quoted(key).trim_matches('`').to_owned()
}

/// Where the value of the first secret-looking key of a line begins, right after its colon.
fn secret_value(line: &str) -> Option<usize> {
    line.match_indices(':').find_map(|(at, _)| {
        let head = line.get(..at)?;
        let key = head
            .trim_end_matches(['"', '\''])
            .rsplit(|c: char| !(c.is_alphanumeric() || "_-.".contains(c)))
            .next()?;
        is_secret_name(key).then_some(at + 1)
    })
}

/// Whether a line is part of the value of a secret-looking key further up, by indentation.
fn is_below_secret(lines: &[&str], line: usize) -> bool {
    let Some(own) = lines.get(line) else {
        return false;
    };
    // A list may stand at the indentation of its key, so a dash counts as one deeper.
    let mut depth = indent(own) + usize::from(own.trim_start().starts_with('-'));
    for above in lines.get(..line).unwrap_or_default().iter().rev() {
        if above.trim().is_empty() || indent(above) >= depth {
            continue;
        }
        if secret_value(above).is_some() {
            return true;
        }
        depth = indent(above) + usize::from(above.trim_start().starts_with('-'));
    }
    false
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// Hides user, password, query and fragment of everything that looks like a URL.
pub(crate) fn urls(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| !ends_url(c)) {
        let (gap, tail) = rest.split_at(start);
        let end = tail.find(ends_url).unwrap_or(tail.len());
        let (word, after) = tail.split_at(end);
        out.push_str(gap);
        rest = match sealed(word, after) {
            Some((open, seal, after)) => {
                out.push_str(&url(open));
                out.push_str(&seal);
                after
            }
            None => {
                out.push_str(&url(word));
                after
            }
        };
    }
    out.push_str(rest);
    out
}

/// A URL of which the rest is hidden already, as `https://h/x?[hidden 1f0c93aa]`: its open part, what
/// stands for the rest, and the text behind it. None if the word begins no such URL.
fn sealed<'a>(word: &'a str, after: &'a str) -> Option<(&'a str, String, &'a str)> {
    const DIGITS: usize = 8;
    let open = word.strip_suffix("?[hidden")?;
    let (digits, rest) = after.strip_prefix(' ')?.split_at_checked(DIGITS)?;
    let rest = rest.strip_prefix(']')?;
    let is_seal = digits.bytes().all(|c| c.is_ascii_hexdigit());
    let is_open = !open.contains(['?', '#']);
    (is_seal && is_open).then(|| (open, format!("?[hidden {digits}]"), rest))
}

fn ends_url(c: char) -> bool {
    c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '<' | '>')
}

fn url(word: &str) -> String {
    let authority = word.find("//").map(|at| at + 2);
    // `{name?}` is a placeholder; a query has something that can be taken for one.
    let query = word.match_indices(['?', '#']).map(|(at, _)| at).find(|at| {
        let tail = word.get(*at..).unwrap_or_default();
        let in_url = authority.is_some_and(|from| *at >= from) && !tail.starts_with("?}");
        in_url || tail.contains('=')
    });
    let open = query.map_or(word, |at| word.get(..at).unwrap_or(word));
    let shown = match authority.zip(open.rfind('@')) {
        Some((from, at)) if at >= from => format!(
            "{}{HIDDEN}{}",
            open.get(..from).unwrap_or_default(),
            open.get(at..).unwrap_or_default()
        ),
        _ => open.to_owned(),
    };
    match query.and_then(|at| word.get(at..=at)) {
        Some(mark) => format!("{shown}{mark}{HIDDEN}"),
        None => shown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_off_is_hidden_too() {
        for (sentence, want) in [
            ("`a` can't be `x-hunt…`", "`a` can't be `x-[hidden]…`"),
            ("`a` can't be `hun…`", "`a` can't be `hun…`"),
            ("`hunt` is `é…`, `hunter…`", "`hunt` is `é…`, `[hidden]…`"),
        ] {
            assert_eq!(hide_cut(sentence.to_owned(), "hunter2"), want);
        }
    }

    #[test]
    fn lines() {
        for (line, shown) in [
            (
                "a: https://u:p@h.example/x?t=1 # c",
                "a: https://[hidden]@h.example/x?[hidden] # c",
            ),
            ("a: \"https://h/x?t=1\"", "a: \"https://h/x?[hidden]\""),
            ("a: https://h/x#frag", "a: https://h/x#[hidden]"),
            ("a: h.example/x?token=1", "a: h.example/x?[hidden]"),
            ("a: https://u:p/q@h/x", "a: https://[hidden]@h/x"),
            ("  slack_token: abc", "  slack_token: [hidden]"),
            (
                "  \"ns:slack-token\": abc",
                "  \"ns:slack-token\": [hidden]",
            ),
            ("  {a: 1, password: b}", "  {a: 1, password: [hidden]"),
            ("  p:key: {secure: v1:abc}", "  p:key: {secure: [hidden]"),
            (
                "push_endpoint: \"{gmail_webhook_endpoint?}\"",
                "push_endpoint: \"{gmail_webhook_endpoint?}\"",
            ),
            (
                "push_endpoint: https://{host?}/x",
                "push_endpoint: https://{host?}/x",
            ),
            (
                "m: serviceAccount:a@b.example",
                "m: serviceAccount:a@b.example",
            ),
            ("retention_ms: 1", "retention_ms: 1"),
            ("a_token:", "a_token:"),
        ] {
            assert_eq!(source_line(line, 0).as_deref(), Some(shown), "{line}");
        }
    }

    #[test]
    fn what_is_hidden_already_stays_as_it_is() {
        for (text, shown) in [
            (
                "e https://h/x?[hidden 1f0c93aa] → https://h/y?[hidden 00000000]",
                "e https://h/x?[hidden 1f0c93aa] → https://h/y?[hidden 00000000]",
            ),
            ("https://h/x?[hidden]", "https://h/x?[hidden]"),
            // Only what a seal looks like, and nothing that stands before it.
            (
                "https://u:p@h/x?[hidden 1f0c93aa]",
                "https://[hidden]@h/x?[hidden 1f0c93aa]",
            ),
            (
                "https://h/x?t=1?[hidden 1f0c93aa]",
                "https://h/x?[hidden] 1f0c93aa]",
            ),
            (
                "https://h/x?[hidden hunter22]",
                "https://h/x?[hidden] hunter22]",
            ),
        ] {
            assert_eq!(urls(text), shown);
            assert_eq!(urls(shown), shown, "twice");
        }
    }

    #[test]
    fn lines_below_a_secret_key() {
        let text = "a:\n  tokens:\n  - abc\n  b: c\n  password: |\n\n    def\n  d: e\n";
        let shown: Vec<_> = (0..8).filter_map(|n| source_line(text, n)).collect();
        let want = [
            "a:",
            "  tokens:",
            "  [hidden]",
            "  b: c",
            "  password: [hidden]",
            "[hidden]",
            "    [hidden]",
            "  d: e",
        ];
        // The empty line within the block hides nothing worth showing.
        assert_eq!(shown[..5], want[..5]);
        assert_eq!(shown[6..], want[6..]);
    }
}
