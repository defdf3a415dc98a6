//! Hashes of texts, as hexadecimal digits.

use sha2::{Digest, Sha256};

/// How many digits digests and fingerprints have.
const SHORT_CHARS: usize = 16;

/// SHA-256 of a text: 64 digits.
#[must_use]
pub fn sha256(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

/// The first 16 of these digits: digests and fingerprints.
pub(crate) fn short_hash(text: &str) -> String {
    let mut digits = sha256(text);
    digits.truncate(SHORT_CHARS);
    digits
}

/// Whether a text has nothing but hexadecimal digits in lower case, as hashes here are written. An empty one
/// has nothing else.
#[must_use]
pub fn is_hex(text: &str) -> bool {
    text.bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_digits_in_lower_case() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(sha256(""), empty);
        assert_eq!(short_hash(""), empty[..16]);
        assert!(is_hex(empty));
        for other in ["e3B0", "e3g0", "e3 0", "0x", "é", "\u{661}"] {
            assert!(!is_hex(other), "{other}");
        }
    }
}
