//! The text of a definition file.

use thiserror::Error;

/// Bytes that are not text in UTF-8, and where the first of them is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not UTF-8 from line {line}, column {column} on")]
pub struct NotText {
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
}

/// The text of a file. A byte order mark stays in it, as it does where a folder is pushed.
///
/// # Errors
/// When it is not UTF-8.
pub(super) fn text(bytes: Vec<u8>) -> Result<String, NotText> {
    String::from_utf8(bytes).map_err(|error| {
        let valid_up_to = error.utf8_error().valid_up_to();
        let before = error.as_bytes().get(..valid_up_to).unwrap_or_default();
        let before = String::from_utf8_lossy(before);
        let last = before.rsplit('\n').next().unwrap_or_default();
        let number = |count: usize| u32::try_from(count + 1).unwrap_or(u32::MAX);
        NotText {
            line: number(before.matches('\n').count()),
            column: number(last.chars().count()),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_what_is_no_text_is_named() {
        type Found = Result<&'static str, (u32, u32)>;
        let cases: [(&[u8], Found); 6] = [
            (b"", Ok("")),
            (b"\xef\xbb\xbfa: b\n", Ok("\u{feff}a: b\n")),
            (b"\xff\xfea\0", Err((1, 1))),
            (b"a: b\nc: Gr\xfc\xdfe\n", Err((2, 6))),
            ("ü: \n".as_bytes(), Ok("ü: \n")),
            (b"\xc3\xbc: \xc3", Err((1, 4))),
        ];
        for (bytes, expected) in cases {
            let found = text(bytes.to_vec()).map_err(|at| (at.line, at.column));
            assert_eq!(found, expected.map(str::to_owned), "{bytes:?}");
        }
    }
}
