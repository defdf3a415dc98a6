//! Reading a `.env` file: `KEY=VALUE`, comments, quotes, `export`. Nothing is substituted, and
//! nothing enters the process's environment.

use std::collections::BTreeMap;

/// Reads the text of a `.env` file; the last of equal names counts.
///
/// Unquoted values end at ` #` or the line's end. In single quotes everything stands for itself; in
/// double quotes `\n`, `\r`, `\t`, `\"`, `\\` and `\$` are escapes. Quoted values may span lines.
///
/// # Errors
/// The number of the first line that is none of this, and what is wrong with it. Never its text,
/// which may be a secret.
pub(crate) fn parse(text: &str) -> Result<BTreeMap<String, String>, (usize, &'static str)> {
    let mut found = BTreeMap::new();
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut line = 1;
    while !rest.is_empty() {
        let (entry, after) = entry(rest).map_err(|problem| (line, problem))?;
        found.extend(entry);
        let taken = rest.len() - after.len();
        line += rest.get(..taken).unwrap_or(rest).matches('\n').count();
        rest = after;
    }
    Ok(found)
}

type Entry = Option<(String, String)>;

/// Reads one entry (or an empty or comment line) with its line's end; gives what comes after.
fn entry(text: &str) -> Result<(Entry, &str), &'static str> {
    let (line, after) = text.split_once('\n').unwrap_or((text, ""));
    let head = line.trim_start();
    if head.trim().is_empty() || head.starts_with('#') {
        return Ok((None, after));
    }
    let (name, _) = line.split_once('=').ok_or("it has no `=`")?;
    let value = text.get(name.len() + 1..).unwrap_or("");
    let name = name.trim();
    let name = match name.strip_prefix("export") {
        Some(rest) if rest.starts_with([' ', '\t']) => rest.trim_start(),
        _ => name,
    };
    if !is_name(name) {
        return Err("what is before `=` is not a name");
    }
    let value = value.trim_start_matches([' ', '\t']);
    let (value, after) = match value.chars().next() {
        Some('\'') => single_quoted(value)?,
        Some('"') => double_quoted(value)?,
        _ => unquoted(value),
    };
    Ok((Some((name.to_owned(), value)), after))
}

fn is_name(text: &str) -> bool {
    !text.starts_with(|c: char| c.is_ascii_digit())
        && !text.is_empty()
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn unquoted(text: &str) -> (String, &str) {
    let (line, after) = text.split_once('\n').unwrap_or((text, ""));
    let comment = line.match_indices('#').map(|(at, _)| at).find(|at| {
        *at == 0
            || line
                .get(..*at)
                .is_some_and(|head| head.ends_with([' ', '\t']))
    });
    let value = comment.and_then(|at| line.get(..at)).unwrap_or(line);
    (value.trim().to_owned(), after)
}

fn single_quoted(text: &str) -> Result<(String, &str), &'static str> {
    let inside = text.strip_prefix('\'').unwrap_or(text);
    let (value, after) = inside
        .split_once('\'')
        .ok_or("a quote is opened and never closed")?;
    Ok((value.to_owned(), line_end(after)?))
}

fn double_quoted(text: &str) -> Result<(String, &str), &'static str> {
    let inside = text.strip_prefix('"').unwrap_or(text);
    let mut value = String::new();
    let mut chars = inside.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => return Ok((value, line_end(chars.as_str())?)),
            '\\' => match chars.next() {
                Some('n') => value.push('\n'),
                Some('r') => value.push('\r'),
                Some('t') => value.push('\t'),
                Some(same @ ('"' | '\\' | '$')) => value.push(same),
                Some(other) => value.extend(['\\', other]),
                None => break,
            },
            _ => value.push(c),
        }
    }
    Err("a quote is opened and never closed")
}

/// After a closing quote only a comment may follow.
fn line_end(text: &str) -> Result<&str, &'static str> {
    let (line, after) = text.split_once('\n').unwrap_or((text, ""));
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        Ok(after)
    } else {
        Err("something follows the closing quote")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values() {
        for (text, value) in [
            ("A=1", "1"),
            ("A=", ""),
            ("  export A = b c  # why\n", "b c"),
            ("exported=1\nA=x", "x"),
            ("A=https://h/#frag", "https://h/#frag"),
            ("A=#", ""),
            ("A=a=b==", "a=b=="),
            ("A='it # is' # so", "it # is"),
            ("A='a\\n$B'", "a\\n$B"),
            ("A=\"a\\n\\\"b\\\" \\$C \\d\"", "a\n\"b\" $C \\d"),
            ("A='{\n \"k\": 1\n}'\nB=2", "{\n \"k\": 1\n}"),
            ("A=1\r\n# c\r\n\r\nB=2\r\n", "1"),
            ("\u{feff}A=1\nA=2", "2"),
        ] {
            let found = parse(text).unwrap();
            assert_eq!(found.get("A").map(String::as_str), Some(value), "{text}");
        }
        assert_eq!(parse("\n# nothing\n   \n"), Ok(BTreeMap::new()));
    }

    #[test]
    fn malformed_lines_are_named_by_number_only() {
        for (text, line) in [
            ("hunter2", 1),
            ("A=1\n\nhunter2\n", 3),
            ("A='x\ny'\nhunter2", 3),
            ("=hunter2", 1),
            ("A B=hunter2", 1),
            ("1A=hunter2", 1),
            ("A='hunter2", 1),
            ("A=\"hunter2\\", 1),
            ("A='x' hunter2", 1),
        ] {
            let (at, problem) = parse(text).unwrap_err();
            assert_eq!(at, line, "{text}");
            assert!(!problem.contains("hunter2"));
        }
    }
}
