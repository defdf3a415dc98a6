//! A provider's own words, made fit to show: one line of limited length, without secrets.
//!
//! Our credentials are hidden before, in `retry.rs`. The hidden parts of URLs go here (semantics 5.5),
//! because a refusal may repeat the push endpoint that it refuses.

use kedge_core::render::plain_text;

/// The longest text of a provider's that is passed on, in characters.
pub(super) const CHARS_MAX: usize = 300;

/// What a provider says, as a part of a sentence: without line breaks, control characters, secrets in
/// URLs and a final stop. Empty if there is nothing to say.
pub(super) fn words(text: &str) -> String {
    let spaced: String = text
        .chars()
        .map(|c| if is_invisible(c) { ' ' } else { c })
        .collect();
    let line = spaced.split_whitespace().collect::<Vec<_>>().join(" ");
    // Hidden before it is cut, so that no cut leaves a secret without what marks it as one.
    let line = plain_text(&line);
    let Some((end, _)) = line.char_indices().nth(CHARS_MAX) else {
        return line.trim_end_matches('.').to_owned();
    };
    format!("{}…", line.get(..end).unwrap_or_default().trim_end())
}

/// What an answer says that is not in the provider's own form: plain text, as gateways send. Empty for
/// JSON and for pages of HTML, which say nothing to a reader.
pub(super) fn of_other_body(body: &[u8]) -> String {
    match std::str::from_utf8(body).map(str::trim) {
        Ok(text) if !text.starts_with(['{', '[', '"', '<']) => words(text),
        _ => String::new(),
    }
}

/// Control characters, and those that are not seen or turn the direction of writing.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_without_secrets() {
        for (said, shown) in [
            ("", ""),
            (" \n\t", ""),
            ("It is so.", "It is so"),
            ("two\r\nlines\u{1b}[31m\u{202e}x", "two lines [31m x"),
            (
                "bad endpoint \"https://u:pa55@h.example/p?token=s3cret\".",
                "bad endpoint \"https://[hidden]@h.example/p?[hidden]\"",
            ),
            (
                "https://a.example/x#s3cret,https://b:s3cret@c.example",
                "https://a.example/x#[hidden]",
            ),
        ] {
            assert_eq!(words(said), shown);
        }
    }

    #[test]
    fn long_words_are_cut_after_secrets_are_hidden() {
        let whole = "é".repeat(CHARS_MAX);
        assert_eq!(words(&whole), whole);
        assert_eq!(words(&format!("{whole}é")), format!("{whole}…"));
        for before in CHARS_MAX - 40..CHARS_MAX {
            let said = format!("{} https://user:pa55@h.example/", "a".repeat(before));
            let shown = words(&said);
            assert!(!shown.contains("pa55"), "{shown}");
            assert!(shown.chars().count() <= CHARS_MAX + 1, "{shown}");
        }
    }

    #[test]
    fn other_bodies() {
        for (body, shown) in [
            (&b"error code: 1015\n"[..], "error code: 1015"),
            (b"<html>x</html>", ""),
            (b" {}", ""),
            (b"[1]", ""),
            (b"", ""),
            (b"\xff\xfe", ""),
        ] {
            assert_eq!(of_other_body(body), shown);
        }
    }
}
