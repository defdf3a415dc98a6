//! Texts that must never be shown, and URLs of which a part must not.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use thiserror::Error;
use url::Url;

/// A text that is never printed: `Debug` and `Display` show `[secret]`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SecretText(String);

impl SecretText {
    /// Takes a secret.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself, for the one place that sends it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl fmt::Display for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// The random key of a stack's URL hashes, made with its first state and kept in it.
#[derive(Clone, PartialEq, Eq)]
pub struct Salt(pub [u8; 16]);

impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[salt]")
    }
}

/// A text is not a URL. Reads on after "because".
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("it is not an absolute URL")]
pub struct UrlError;

/// A URL fit to be stored, compared and shown: scheme, host, port and path in clear; user,
/// password, query and fragment only as a keyed hash (semantics 5.5).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SealedUrl {
    /// Scheme, host, port and path, as the URL standard writes them.
    pub shown: String,
    /// HMAC-SHA-256 (hexadecimal) of what is not shown; none when there is nothing to hide.
    pub sealed: Option<String>,
}

impl SealedUrl {
    /// Splits a URL and seals what must not be shown. Equal URLs under one salt are equal here.
    ///
    /// # Errors
    /// When the text is not an absolute URL with a host. The error does not repeat the text.
    pub fn seal(text: &str, salt: &Salt) -> Result<Self, UrlError> {
        let url = Url::parse(text).map_err(|_| UrlError)?;
        if !url.has_host() {
            return Err(UrlError);
        }
        let hidden = [
            url.username(),
            url.password().unwrap_or_default(),
            url.query().unwrap_or_default(),
            url.fragment().unwrap_or_default(),
        ];
        let mut open = url.clone();
        // These setters fail only for URLs without a host, which were refused above.
        let _ = open.set_username("");
        let _ = open.set_password(None);
        open.set_query(None);
        open.set_fragment(None);
        let sealed = hidden
            .iter()
            .any(|part| !part.is_empty())
            .then(|| keyed_hash(salt, &hidden));
        Ok(Self {
            shown: open.into(),
            sealed,
        })
    }
}

/// HMAC-SHA-256 over parts, each preceded by its length so that no two lists of parts collide.
fn keyed_hash(salt: &Salt, parts: &[&str]) -> String {
    let mut mac = match Hmac::<Sha256>::new_from_slice(&salt.0) {
        Ok(mac) => mac,
        // HMAC takes keys of any length; the error type exists for other algorithms.
        Err(_) => return String::new(),
    };
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part.as_bytes());
    }
    hex::encode(mac.finalize().into_bytes())
}

impl fmt::Display for SealedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.sealed {
            None => f.write_str(&self.shown),
            // Eight digits tell two hidden parts apart and give nothing away.
            Some(hash) => write!(
                f,
                "{}?[hidden {}]",
                self.shown,
                hash.get(..8).unwrap_or(hash)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT: Salt = Salt([7; 16]);

    #[test]
    fn query_and_password_are_never_shown() {
        let url = SealedUrl::seal(
            "https://user:pa55word@h.example/p?token=t0ps3cret#frag",
            &SALT,
        )
        .unwrap();
        let text = format!("{url} {url:?}");
        for secret in ["pa55word", "t0ps3cret", "user", "frag"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
        assert_eq!(url.shown, "https://h.example/p");
    }

    #[test]
    fn equality_is_that_of_the_url() {
        let seal = |text| SealedUrl::seal(text, &SALT).unwrap();
        assert_eq!(
            seal("https://H.example:443/p?a=1"),
            seal("https://h.example/p?a=1")
        );
        assert_ne!(
            seal("https://h.example/p?a=1"),
            seal("https://h.example/p?a=2")
        );
        assert_ne!(seal("https://h.example/p"), seal("https://h.example/p?a=2"));
        assert_ne!(
            seal("https://a:b@h.example/"),
            seal("https://ab:@h.example/")
        );
        let other = SealedUrl::seal("https://h.example/p?a=1", &Salt([8; 16])).unwrap();
        assert_ne!(seal("https://h.example/p?a=1"), other);
    }

    #[test]
    fn secrets_do_not_print() {
        assert_eq!(
            format!("{0} {0:?}", SecretText::new("hunter2")),
            "[secret] [secret]"
        );
        assert!(SealedUrl::seal("nonsense", &SALT).is_err());
    }
}
