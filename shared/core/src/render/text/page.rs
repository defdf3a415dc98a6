//! Lines, colours and widths.

use crate::render::view::printable;

/// Lines are broken beyond this many columns, where they can be.
pub(super) const WIDTH: usize = 100;

/// How a piece of a line is meant; a colour where colours are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Strong,
    Good,
    Warn,
    Bad,
    Faint,
}

impl Tone {
    fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Strong => "1",
            Self::Good => "32",
            Self::Warn => "1;33",
            Self::Bad => "1;31",
            Self::Faint => "2",
        }
    }
}

/// A page that grows line by line.
pub(super) struct Page {
    text: String,
    colour: bool,
}

impl Page {
    pub(super) fn new(colour: bool) -> Self {
        Self {
            text: String::new(),
            colour,
        }
    }

    pub(super) fn line(&mut self, text: &str) {
        self.spans(&[(Tone::Plain, text)]);
    }

    pub(super) fn spans(&mut self, spans: &[(Tone, &str)]) {
        let mut line = String::new();
        for (tone, text) in spans {
            let text = printable(text);
            match tone.code() {
                code if self.colour && !code.is_empty() => {
                    line.push_str(&format!("\u{1b}[{code}m{text}\u{1b}[0m"));
                }
                _ => line.push_str(&text),
            }
        }
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    pub(super) fn gap(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
    }

    /// The page, ended by one newline.
    pub(super) fn finish(self) -> String {
        format!("{}\n", self.text.trim_end_matches('\n'))
    }
}

/// Columns of a text, one per character: names and numbers have no wide ones.
pub(super) fn columns(text: &str) -> usize {
    text.chars().count()
}

/// Puts parts on lines of at most `width` columns, joined by `separator`; a part is never broken.
pub(super) fn flow(parts: &[String], separator: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for part in parts {
        match lines.last_mut() {
            Some(line) if columns(line) + columns(separator) + columns(part) <= width => {
                line.push_str(separator);
                line.push_str(part);
            }
            Some(line) => {
                // A list that goes on shows its comma; a dot between sentences needs none.
                if separator == ", " {
                    line.push(',');
                }
                lines.push(part.clone());
            }
            None => lines.push(part.clone()),
        }
    }
    lines
}

/// Puts sentences on lines as [`flow`] does; one that is too long goes on further in.
pub(super) fn sentences_on(parts: &[String], width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in flow(parts, " · ", width) {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let room = width.saturating_sub(2).max(20);
        let broken = if columns(&line) <= width {
            vec![line]
        } else {
            flow(&words, " ", room)
        };
        let is_first = lines.is_empty();
        lines.extend(broken.into_iter().enumerate().map(|(number, text)| {
            match is_first && number == 0 {
                true => text,
                false => format!("  {text}"),
            }
        }));
    }
    lines
}

/// `1 change`, `2 changes`.
pub(super) fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}
