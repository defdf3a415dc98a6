//! What is wrong with a text that is not YAML, as its writer sees it. The parser names what it met,
//! often a line later than what was forgotten.
//!
//! Hints never repeat the text, which may be a secret.

use super::entries::BEGINS_ITEM;
use super::yaml::Pos;

/// A likelier place, what is wrong there, and a way out.
pub(super) struct Slip {
    pub(super) pos: Pos,
    pub(super) message: &'static str,
    pub(super) hint: String,
}

/// How many lines above the place that the parser names are looked at.
const LINES_ABOVE: usize = 3;

/// How many lines a text below `|` or `>` is taken to have at most.
const TEXT_LINES_MAX: usize = 200;

/// The slip that most likely made a text unreadable at a place; none if it is none of those that
/// are common.
pub(super) fn slip(text: &str, at: Pos) -> Option<Slip> {
    let last = (at.line as usize).max(1);
    let lines: Vec<(usize, &str)> = (1..).zip(text.lines()).take(last).collect();
    let near = |(number, line): (usize, &'_ str)| -> Option<Slip> {
        let before = lines.get(..number - 1).unwrap_or_default();
        let number = u32::try_from(number)
            .ok()
            .filter(|_| !is_text(before, line))?;
        in_line(number, line)
    };
    let above = lines.iter().rev().take(1 + LINES_ABOVE).copied();
    conflict(text)
        .or_else(|| above.clone().find_map(near))
        .or_else(|| no_colon(&lines))
        .or_else(|| {
            let (_, line) = lines.last().filter(|(number, _)| *number == last)?;
            let hint = indented_wrong(&lines, line)?;
            Some(Slip {
                pos: Pos {
                    line: at.line,
                    column: column_of(line, line.trim_start()),
                    width: 1,
                },
                message: "the indentation does not fit the lines above",
                hint,
            })
        })
}

/// Whether a line is one of a text below `|` or `>`, where anything may stand.
fn is_text(before: &[(usize, &str)], line: &str) -> bool {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let is_above = |above: &&str| !above.trim().is_empty() && indent(above) < indent(line);
    let mut near = before
        .iter()
        .rev()
        .map(|(_, above)| *above)
        .take(TEXT_LINES_MAX);
    let above = near.find(is_above);
    let mark = above.and_then(|above| above.split_whitespace().next_back());
    mark.is_some_and(|mark| mark.starts_with(['|', '>']) && mark.len() <= 3)
}

/// The marks of a merge that nobody finished.
fn conflict(text: &str) -> Option<Slip> {
    let marks = ["<<<<<<< ", ">>>>>>> "];
    let is_mark = |line: &str| marks.iter().any(|mark| line.starts_with(mark));
    let (number, line) = (1..).zip(text.lines()).find(|(_, line)| is_mark(line))?;
    Some(Slip {
        pos: Pos {
            line: number,
            column: 1,
            width: u32::try_from(line.chars().count()).unwrap_or(1),
        },
        message: "a merge conflict",
        hint: "keep one side, and remove the lines of `<<<<<<<`, `=======` and `>>>>>>>`"
            .to_owned(),
    })
}

/// A line of one word above the last, which was meant to be a key.
fn no_colon(lines: &[(usize, &str)]) -> Option<Slip> {
    let is_said = |line: &str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    let mut said = lines.iter().rev().filter(|(_, line)| is_said(line));
    let (_, below) = said.next()?;
    let (number, line) = said.next()?;
    let word = line.trim();
    let indent = |line: &str| line.len() - line.trim_start().len();
    (is_key(word, "") && indent(line) <= indent(below)).then(|| Slip {
        pos: Pos {
            line: u32::try_from(*number).unwrap_or(u32::MAX),
            column: column_of(line, line.trim_start()),
            width: u32::try_from(word.chars().count()).unwrap_or(1),
        },
        message: "a line without a colon",
        hint: "put a colon behind this".to_owned(),
    })
}

/// A slip that one line shows by itself.
fn in_line(number: u32, line: &str) -> Option<Slip> {
    let rest = line.trim_start();
    let slip = |at: &str, width: usize, message, hint: &str| {
        Some(Slip {
            pos: Pos {
                line: number,
                column: column_of(line, at),
                width: u32::try_from(width).unwrap_or(1).max(1),
            },
            message,
            hint: hint.to_owned(),
        })
    };
    let indent = line.get(..line.len() - rest.len()).unwrap_or_default();
    if let Some(at) = indent.find(|c| c != ' ').and_then(|at| line.get(at..)) {
        let message = match at.starts_with('\t') {
            true => "a tab in the indentation",
            false => "a character in the indentation that only looks like a space",
        };
        return slip(at, 1, message, "write spaces instead");
    }
    if rest.starts_with('#') {
        return None;
    }
    let dashed = rest.strip_prefix('-').unwrap_or_default();
    if dashed.starts_with(|c: char| c.is_ascii_alphabetic()) && dashed.contains(':') {
        let hint = "put a space after this dash";
        return slip(rest, 1, "no space after the dash", hint);
    }
    let item = rest.strip_prefix("- ").unwrap_or(rest).trim_start();
    let is_item = item.len() < rest.len();
    let spaced = item.split_once(": ").filter(|(key, _)| is_key(key, ":-"));
    let tight = item.split_once(':').filter(|(key, _)| is_key(key, ""));
    if let Some((key, value)) = tight.filter(|_| spaced.is_none()) {
        let no_space = "put a space before this";
        if lacks_space(key, value, is_item) {
            return slip(value, 1, "no space after the colon", no_space);
        }
        if value.starts_with(|c: char| c.is_whitespace() && !c.is_ascii()) {
            let message = "a character behind the colon that only looks like a space";
            return slip(value, 1, message, "write a space instead");
        }
    }
    let value = match spaced {
        Some((_, value)) => value.trim_start(),
        None if is_item || item.starts_with('{') => item,
        None => return None,
    };
    let whole = value.split(" #").next().unwrap_or_default().trim_end();
    let (message, hint) = in_value(whole)?;
    slip(value, whole.chars().count(), message, hint)
}

/// What is wrong with a value, or with a key that stands where values do, and a way out.
fn in_value(whole: &str) -> Option<(&'static str, &'static str)> {
    let hint = "put the whole value in quotes";
    if let Some(inner) = whole.strip_prefix('{') {
        return match inner.split_once('}') {
            Some((word, tail)) if is_key(word, "?") && tail.ends_with(':') => Some((
                "a key that begins with `{` needs quotes",
                "put `\"` before it, and before the colon",
            )),
            Some((word, tail)) if is_key(word, "?") && !tail.is_empty() => {
                Some(("a value that begins with `{` needs quotes", hint))
            }
            None if is_key(inner, "-") => Some((
                "a `{` without its `}`",
                "add the `}`, and put the whole value in quotes",
            )),
            _ => None,
        };
    }
    if whole.starts_with("- ") && whole.contains(':') {
        let hint = "begin each item on a line of its own, below the key";
        return Some(("a `- ` in the wrong place", hint));
    }
    let is_plain = !whole.starts_with(['"', '\'', '[', '|', '>', '&', '*', '!']);
    (is_plain && whole.contains(": ")).then_some(("a value with `: ` in it needs quotes", hint))
}

/// Whether a text could be a key of ours; in stack files they have a namespace.
fn is_key(text: &str, more: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || more.contains(c);
    !text.is_empty() && text.chars().all(is_part)
}

/// Whether what follows a key's colon should have a space before it. Many texts have colons, so
/// without a quote or brace there it must look like nothing else.
fn lacks_space(key: &str, value: &str, is_item: bool) -> bool {
    if value.starts_with(['"', '\'', '{']) {
        return true;
    }
    let names = ["name", "topic", "resource"].contains(&key);
    let begins = value.starts_with(|c: char| c.is_ascii_alphanumeric());
    begins && !value.contains(':') && (names || !is_item)
}

/// A way out for a line that does not begin where it should: as far in as the key above it, if that
/// is deeper in the item than the item's own keys, else as far as those. None if it begins there,
/// or where a new item could.
fn indented_wrong(lines: &[(usize, &str)], line: &str) -> Option<String> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let own = indent(line);
    let rest = line.trim_start();
    let key = rest
        .split_once(':')
        .map(|(key, _)| key)
        .filter(|_| !rest.starts_with('-'))?;
    let above = || lines.iter().rev().skip(1).map(|(_, above)| *above);
    let (_, before) = (lines.iter().enumerate().rev().skip(1).take(TEXT_LINES_MAX))
        .map(|(at, (_, above))| (lines.get(..at).unwrap_or_default(), *above))
        .find(|(before, above)| !above.trim().is_empty() && !is_text(before, above))?;
    let item = above().find_map(|above| {
        let rest = above.trim_start();
        let item = rest.strip_prefix("- ")?.trim_start();
        Some((above.len() - rest.len(), above.len() - item.len()))
    });
    let spaces = |wanted: usize| {
        let spaces = match wanted {
            0 => "no spaces".to_owned(),
            1 => "1 space".to_owned(),
            more => format!("{more} spaces"),
        };
        format!("write {spaces} before it, as before the keys beside it")
    };
    let Some((dash, keys)) = item else {
        // A key whose value stands on its line can have nothing below it.
        let is_whole = before.contains(": ") && is_key(key, ":-");
        return (is_whole && own > indent(before)).then(|| spaces(indent(before)));
    };
    if own == dash && BEGINS_ITEM.contains(&key) {
        return Some("a new item begins with `- `: put it before this".to_owned());
    }
    let beside = Some(indent(before)).filter(|beside| *beside > keys && own > keys);
    let wanted = beside.unwrap_or(keys);
    (own != wanted && own >= dash)
        .then(|| format!("{}; a new item begins with `- `", spaces(wanted)))
}

/// The column of a part of a line, from 1.
fn column_of(line: &str, part: &str) -> u32 {
    let before = line.len() - part.len();
    let chars = line.get(..before).unwrap_or_default().chars().count();
    u32::try_from(chars + 1).unwrap_or(u32::MAX)
}
