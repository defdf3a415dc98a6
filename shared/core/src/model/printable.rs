//! Texts that somebody else wrote, fit to be shown on one line.

/// Control characters, line breaks among them, and those that turn the direction of writing, made
/// visible: whoever names a run, a reason or a branch can't write lines of a page.
#[must_use]
pub fn printable(text: &str) -> String {
    let is_bad = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    text.chars()
        .map(|c| if is_bad(c) { '\u{fffd}' } else { c })
        .collect()
}
