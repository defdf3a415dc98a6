//! A short hash of a text, for digests and fingerprints.

use sha2::{Digest, Sha256};

/// The first 16 hexadecimal digits of SHA-256: digests and fingerprints.
pub(crate) fn short_hash(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
