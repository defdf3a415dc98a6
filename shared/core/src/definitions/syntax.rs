//! What is wrong with a text that is not YAML, as its writer sees it: the parser names what it met,
//! often a line later, and not what was forgotten. Hints never repeat the text: it may be a secret.

use super::yaml::Pos;

/// A likelier place, what is wrong there, and a way out.
pub(super) struct Slip {
    pub(super) pos: Pos,
    pub(super) message: &'static str,
    pub(super) hint: String,
}

/// How many lines above the place that the parser names are looked at.
const LINES_ABOVE: usize = 3;

/// The slip that most likely made a text unreadable at a place; none if it is none of those that
/// are common.
pub(super) fn slip(text: &str, at: Pos) -> Option<Slip> {
    let last = (at.line as usize).max(1);
    let near = |(number, line): (usize, &'_ str)| -> Option<Slip> {
        let number = u32::try_from(number).ok()?;
        in_line(number, line)
    };
    let lines: Vec<(usize, &str)> = (1..).zip(text.lines()).take(last).collect();
    let above = lines.iter().rev().take(1 + LINES_ABOVE).copied();
    above.clone().find_map(near).or_else(|| {
        let (_, line) = lines.last().filter(|(number, _)| *number == last)?;
        let column = indented_wrong(&lines, line)?;
        Some(Slip {
            pos: Pos {
                line: at.line,
                column: column_of(line, line.trim_start()),
                width: 1,
            },
            message: "the indentation does not fit the lines above",
            hint: format!(
                "the other keys of this item begin in column {column}; begin a new item with `- `"
            ),
        })
    })
}

/// A slip that one line shows by itself.
fn in_line(number: u32, line: &str) -> Option<Slip> {
    let rest = line.trim_start();
    let slip = |at: &str, message, hint: String| {
        Some(Slip {
            pos: Pos {
                line: number,
                column: column_of(line, at),
                width: 1,
            },
            message,
            hint,
        })
    };
    let indent = line.get(..line.len() - rest.len()).unwrap_or_default();
    if let Some(tab) = indent.find('\t').and_then(|at| line.get(at..)) {
        return slip(
            tab,
            "a tab in the indentation",
            "indent with spaces".to_owned(),
        );
    }
    if rest.starts_with('#') {
        return None;
    }
    let dashed = rest.strip_prefix('-').unwrap_or_default();
    if dashed.starts_with(|c: char| c.is_ascii_alphabetic()) && dashed.contains(':') {
        let hint = "write `- ` before each item".to_owned();
        return slip(rest, "no space after the dash", hint);
    }
    let item = rest.strip_prefix("- ").unwrap_or(rest).trim_start();
    let (key, value) = item.split_once(':')?;
    let is_key = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !is_key {
        return None;
    }
    let value_text = value.trim_start();
    if value.starts_with(['"', '\'']) {
        let hint = "write `key: value`".to_owned();
        return slip(value, "no space after the colon", hint);
    }
    let word = value_text
        .strip_prefix('{')
        .and_then(|rest| rest.split_once('}'));
    if let Some((word, tail)) = word {
        let is_placeholder = word
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_?".contains(c));
        let tail = tail.split(" #").next().unwrap_or_default().trim_end();
        if is_placeholder && !tail.is_empty() {
            let hint = "write `\"{stack}-…\"`".to_owned();
            return slip(
                value_text,
                "a value that begins with `{` needs quotes",
                hint,
            );
        }
    }
    let is_plain = !value_text.starts_with(['"', '\'', '[', '{', '|', '>', '&', '*', '!']);
    if is_plain && value_text.contains(": ") {
        let hint = "write `key: \"…\"`".to_owned();
        return slip(value_text, "a value with `: ` in it needs quotes", hint);
    }
    None
}

/// The column in which the keys of the item above begin, if a line begins in another, and not where
/// a new item could.
fn indented_wrong(lines: &[(usize, &str)], line: &str) -> Option<usize> {
    let own = line.len() - line.trim_start().len();
    let (dash, keys) = lines.iter().rev().skip(1).find_map(|(_, above)| {
        let rest = above.trim_start();
        let item = rest.strip_prefix("- ")?.trim_start();
        Some((above.len() - rest.len(), above.len() - item.len()))
    })?;
    let is_key = line.contains(':') && !line.trim_start().starts_with('-');
    (is_key && own != keys && own >= dash).then_some(keys + 1)
}

/// The column of a part of a line, from 1.
fn column_of(line: &str, part: &str) -> u32 {
    let before = line.len() - part.len();
    let chars = line.get(..before).unwrap_or_default().chars().count();
    u32::try_from(chars + 1).unwrap_or(u32::MAX)
}
