//! Lines, colours and widths: a page breaks every line that is too wide for the screen.

use crate::model::printable;
use crate::render::Screen;

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

/// How much further in a broken line goes on.
const HANG: usize = 2;

/// A page that grows line by line.
pub(super) struct Page {
    text: String,
    screen: Screen,
}

impl Page {
    pub(super) fn new(screen: Screen) -> Self {
        Self {
            text: String::new(),
            screen,
        }
    }

    /// How wide a line may be.
    pub(super) fn width(&self) -> usize {
        self.screen.width.max(Screen::WIDTH_MIN)
    }

    /// What is left of the width behind an indent.
    pub(super) fn room(&self, indent: usize) -> usize {
        self.width().saturating_sub(indent).max(20)
    }

    /// How many names of a list are shown.
    pub(super) fn most(&self) -> usize {
        self.screen.most()
    }

    pub(super) fn line(&mut self, text: &str) {
        self.spans(&[(Tone::Plain, text)]);
    }

    /// A line; one that is too wide goes on further in.
    pub(super) fn spans(&mut self, spans: &[(Tone, &str)]) {
        let first = spans.iter().map(|(_, text)| *text).collect::<String>();
        let lead = columns(&first) - columns(first.trim_start_matches(' '));
        self.hanging(spans, lead + HANG);
    }

    /// A line; one that is too wide goes on behind so many spaces.
    pub(super) fn hanging(&mut self, spans: &[(Tone, &str)], indent: usize) {
        for line in broken(spans, self.width(), indent) {
            self.put(&line);
        }
    }

    /// A line that is not broken: of a file, with a mark under its place.
    pub(super) fn whole(&mut self, text: &str) {
        self.put(&[(Tone::Plain, printable(text))]);
    }

    /// A command, behind what is said of it where both fit. One that is too wide goes on in the next
    /// line as a shell reads it.
    pub(super) fn command(&mut self, before: &[(Tone, &str)], command: &str) {
        let said: String = before.iter().map(|(_, text)| *text).collect();
        if columns(&said) + columns(command) <= self.width() {
            let spans: Vec<(Tone, &str)> = before
                .iter()
                .copied()
                .chain([(Tone::Plain, command)])
                .collect();
            self.spans(&spans);
            return;
        }
        if !said.is_empty() {
            self.spans(before);
        }
        let mut lines = shell_lines(command, self.room(HANG + 2))
            .into_iter()
            .peekable();
        let mut pad = HANG;
        while let Some(line) = lines.next() {
            let end = if lines.peek().is_some() { " \\" } else { "" };
            self.whole(&format!("{}{line}{end}", " ".repeat(pad)));
            pad = HANG + 2;
        }
    }

    fn put(&mut self, spans: &[(Tone, String)]) {
        let mut line = String::new();
        for (tone, text) in spans {
            match tone.code() {
                code if self.screen.colour && !code.is_empty() && !text.trim().is_empty() => {
                    line.push_str(&format!("\u{1b}[{code}m{text}\u{1b}[0m"));
                }
                _ => line.push_str(text),
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

/// A line as lines of at most `width` columns, broken between words; the later ones behind `indent`
/// spaces. What stands in backticks is one word where a line can hold it; a longer one is broken as a
/// shell reads it.
fn broken(spans: &[(Tone, &str)], width: usize, indent: usize) -> Vec<Vec<(Tone, String)>> {
    // A deep indent would leave no room for words.
    let indent = indent.min(width / 2);
    let mut lines: Vec<Vec<(Tone, String)>> = vec![Vec::new()];
    let (mut used, mut has_words) = (0, false);
    for (tone, text) in spans {
        let text = printable(text);
        for piece in words(&text, width.saturating_sub(indent)) {
            let word = columns(piece.trim_end_matches(' '));
            if has_words && word > 0 && used + word > width {
                trim_end(lines.last_mut());
                lines.push(vec![(Tone::Plain, " ".repeat(indent))]);
                (used, has_words) = (indent, false);
            }
            has_words |= word > 0;
            used += columns(&piece);
            let Some(line) = lines.last_mut() else {
                continue;
            };
            match line.last_mut() {
                Some((last, end)) if last == tone => end.push_str(&piece),
                _ => line.push((*tone, piece)),
            }
        }
    }
    trim_end(lines.last_mut());
    lines
}

/// The words of a text with the spaces behind them.
fn words(text: &str, room: usize) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut is_open = false;
    for piece in text.split_inclusive(' ') {
        match words.last_mut().filter(|_| is_open) {
            Some(command) => command.push_str(piece),
            None => words.push(piece.to_owned()),
        }
        is_open ^= piece.matches('`').count() % 2 == 1;
    }
    let parts = words.into_iter().flat_map(|word| {
        let is_command = word.contains('`') && word.trim_end().contains(' ');
        match is_command && columns(word.trim_end()) > room {
            true => command_parts(&word, room),
            false => vec![word],
        }
    });
    parts.collect()
}

/// A command in backticks that no line can hold, as parts that each end a line with a `\\`. A quote
/// that is no command is broken between its words.
fn command_parts(word: &str, room: usize) -> Vec<String> {
    if !word.contains(" --") {
        return word.split_inclusive(' ').map(str::to_owned).collect();
    }
    let mut lines = shell_lines(word.trim_end(), room);
    let last = lines.pop().map(|last| format!("{last} "));
    // Filled up, so that nothing stands behind the backslash.
    let full = |line: String| format!("{:room$}", format!("{line} \\"));
    lines.into_iter().map(full).chain(last).collect()
}

/// Takes the spaces off the end of a line.
fn trim_end(line: Option<&mut Vec<(Tone, String)>>) {
    let Some(line) = line else {
        return;
    };
    while let Some((_, text)) = line.last_mut() {
        text.truncate(text.trim_end_matches(' ').len());
        if !text.is_empty() {
            break;
        }
        line.pop();
    }
}

/// A command as lines of at most `room` columns, broken before a flag.
fn shell_lines(command: &str, room: usize) -> Vec<String> {
    let parts = command.split(" --").enumerate();
    let parts: Vec<String> = parts
        .map(|(number, part)| match number {
            0 => part.to_owned(),
            _ => format!("--{part}"),
        })
        .collect();
    flow(&parts, " ", room.saturating_sub(2))
}

/// Columns of a text, one per character: names and numbers have no wide ones.
pub(super) fn columns(text: &str) -> usize {
    text.chars().count()
}

/// Puts parts on lines of at most `width` columns, joined by `separator`; a part is never broken.
pub(super) fn flow(parts: &[String], separator: &str, width: usize) -> Vec<String> {
    flow_hanging(parts, separator, width, width)
}

/// The same where the lines after the first have another width.
fn flow_hanging(parts: &[String], separator: &str, first: usize, rest: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let comma = usize::from(separator == ", ");
    for (number, part) in parts.iter().enumerate() {
        let width = if lines.len() < 2 { first } else { rest };
        // A list that goes on shows its comma, which needs its column.
        let behind = if number + 1 < parts.len() { comma } else { 0 };
        let more = columns(separator) + columns(part) + behind;
        match lines.last_mut() {
            Some(line) if columns(line) + more <= width => {
                line.push_str(separator);
                line.push_str(part);
            }
            Some(line) => {
                // A dot between sentences needs none.
                if comma > 0 {
                    line.push(',');
                }
                lines.push(part.clone());
            }
            None => lines.push(part.clone()),
        }
    }
    lines
}

/// Puts sentences on lines as [`flow`] does; what does not fit on the first goes on further in.
pub(super) fn sentences_on(parts: &[String], width: usize) -> Vec<String> {
    let room = width.saturating_sub(HANG).max(20);
    let mut lines: Vec<String> = Vec::new();
    for line in flow_hanging(parts, " · ", width, room) {
        let is_first = lines.is_empty();
        let own = if is_first { width } else { room };
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let broken = match columns(&line) <= own {
            true => vec![line],
            false => flow_hanging(&words, " ", own, room.saturating_sub(HANG).max(20)),
        };
        lines.extend(broken.into_iter().enumerate().map(|(number, text)| {
            // A sentence that goes on stands further in than the next one.
            let pad = match (is_first, number) {
                (true, 0) => 0,
                (true, _) | (false, 0) => HANG,
                (false, _) => 2 * HANG,
            };
            format!("{}{text}", " ".repeat(pad))
        }));
    }
    lines
}

/// `1 change`, `2 changes`.
pub(super) fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(width: usize) -> Page {
        Page::new(Screen {
            colour: false,
            width,
            full: false,
        })
    }

    #[test]
    fn a_line_is_broken_between_words_and_goes_on_further_in() {
        let mut page = page(40);
        page.line("  aaaa bbbb cccc dddd eeee ffff gggg hhhh iiii jjjj");
        let word = "w".repeat(50);
        page.line(&format!("a {word} b"));
        let expected =
            format!("  aaaa bbbb cccc dddd eeee ffff gggg\n    hhhh iiii jjjj\na\n  {word}\n  b\n");
        assert_eq!(page.finish(), expected);
    }

    #[test]
    fn a_command_in_a_sentence_is_one_word_or_broken_as_a_shell_reads_it() {
        let mut page = page(40);
        page.line("To let it end cleanly, hold the stack: `kedge hold --for 1h`, then wait.");
        page.line("Do `kedge up --stack development --plan 0123456789abcdef --allow a` now.");
        page.line("It is `one two three four five six seven eight nine` here.");
        let expected = "To let it end cleanly, hold the stack:
  `kedge hold --for 1h`, then wait.
Do `kedge up --stack development \\
  --plan 0123456789abcdef --allow a`
  now.
It is `one two three four five six seven
  eight nine` here.
";
        assert_eq!(page.finish(), expected);
    }

    #[test]
    fn a_list_is_wrapped_once() {
        for width in 20..60 {
            let parts: Vec<String> = (1..30).map(|n| format!("field_{n} {}", n * 37)).collect();
            for line in flow(&parts, ", ", width) {
                assert!(columns(&line) <= width, "{width}: {line}");
            }
        }
    }

    #[test]
    fn a_command_that_is_broken_is_still_one_command() {
        let mut page = page(40);
        page.command(&[(Tone::Plain, "next: ")], "kedge preview");
        let command = "kedge up --stack development --plan 0123456789abcdef --allow a b";
        page.command(&[(Tone::Plain, "next: ")], command);
        let text = page.finish();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines,
            [
                "next: kedge preview",
                "next:",
                "  kedge up --stack development \\",
                "    --plan 0123456789abcdef \\",
                "    --allow a b",
            ]
        );
        let joined = lines[2..].join("\n").replace(" \\\n   ", "");
        assert_eq!(joined.trim(), command);
    }
}
