//! `tokens/<id>.json`: who may call the HTTP API.
//!
//! Of the token itself only a hash is kept, so that whoever reads the store can't use it. It is random and
//! long, so that a plain SHA-256 is enough: nothing can be guessed.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::bounded::Time;
use super::format::{Format, Stored, read, write};
use super::{EncodeError, StoredError};
use crate::model::{StackName, Timestamp, is_hex};

const OBJECT: &str = "API token";

/// What a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TokenScope {
    /// See stacks, runs and history.
    Read,
    /// Check and preview.
    Check,
    /// Change what is live.
    Apply,
    /// Hold and release.
    Hold,
}

impl TokenScope {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Read, Self::Check, Self::Apply, Self::Hold];

    /// The word in commands and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Check => "check",
            Self::Apply => "apply",
            Self::Hold => "hold",
        }
    }

    /// By its word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == word)
    }
}

/// Which stacks a token is for: a name in which `*` stands for any text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackPattern(String);

impl StackPattern {
    /// A pattern; none where no stack can have such a name.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let with_letters = text.replace('*', "a");
        let is_name = StackName::new(&with_letters).is_ok();
        is_name.then(|| Self(text.to_owned()))
    }

    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it fits a stack.
    #[must_use]
    pub fn fits(&self, stack: &StackName) -> bool {
        let mut parts = self.0.split('*');
        let Some(mut rest) = parts
            .next()
            .and_then(|first| stack.as_str().strip_prefix(first))
        else {
            return false;
        };
        let mut parts = parts.peekable();
        if parts.peek().is_none() {
            return rest.is_empty();
        }
        while let Some(part) = parts.next() {
            // The last part must be at the end, each other one as early as it can be.
            let after = match parts.peek() {
                None => return rest.ends_with(part),
                Some(_) => rest.split_once(part).map(|(_, after)| after),
            };
            let Some(after) = after else {
                return false;
            };
            rest = after;
        }
        true
    }
}

/// A token, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Which: the part of the token that is no secret.
    pub id: String,
    /// Whose it is. History names it as the actor; several may have one name while one replaces another.
    pub name: String,
    /// SHA-256 of the secret part, as hexadecimal digits.
    pub hash: String,
    /// What it may do.
    pub scopes: BTreeSet<TokenScope>,
    /// For which stacks.
    pub stacks: StackPattern,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// When somebody ended it, if somebody did.
    pub revoked_at: Option<Timestamp>,
    /// The hour in which it was used last.
    pub last_used_at: Option<Timestamp>,
}

/// Why a token is not to be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenEnd {
    /// Its time is over.
    Expired,
    /// Somebody ended it.
    Revoked,
}

impl Token {
    /// The longest that a token lasts: a year, in milliseconds. Whoever has one that never ends forgets it.
    pub const LASTS_MAX_MS: i64 = 366 * 24 * 60 * 60 * 1000;
    /// How exactly the last use is kept: an hour, in milliseconds, so that a busy token is not a busy object.
    pub const USE_KEPT_TO_MS: i64 = 60 * 60 * 1000;
    /// The number of characters of a hash.
    pub const HASH_CHARS: usize = 64;

    /// Why it must not be used at this time, if so.
    #[must_use]
    pub fn ended(&self, now: Timestamp) -> Option<TokenEnd> {
        if self.revoked_at.is_some() {
            return Some(TokenEnd::Revoked);
        }
        (now >= self.expires_at).then_some(TokenEnd::Expired)
    }

    /// Whether it may do this.
    #[must_use]
    pub fn may(&self, scope: TokenScope, stack: &StackName) -> bool {
        self.scopes.contains(&scope) && self.stacks.fits(stack)
    }

    /// The same token, used at this time; none where that is known already.
    #[must_use]
    pub fn used(&self, now: Timestamp) -> Option<Self> {
        let hour = Timestamp(now.0 - now.0.rem_euclid(Self::USE_KEPT_TO_MS));
        (self.last_used_at < Some(hour)).then(|| Self {
            last_used_at: Some(hour),
            ..self.clone()
        })
    }

    /// Writes it as JSON.
    ///
    /// # Errors
    /// When it could not be read back.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let Self {
            id,
            name,
            hash,
            scopes,
            stacks,
            created_by,
            created_at,
            expires_at,
            revoked_at,
            last_used_at,
        } = self;
        write(&StoredToken {
            format: StoredToken::FORMAT.written,
            id: id.clone(),
            name: name.clone(),
            hash: hash.clone(),
            scopes: scopes.iter().map(|one| one.as_str().to_owned()).collect(),
            stacks: stacks.as_str().to_owned(),
            created_by: created_by.clone(),
            created_at_ms: (*created_at).into(),
            expires_at_ms: (*expires_at).into(),
            revoked_at_ms: revoked_at.map(Into::into),
            last_used_at_ms: last_used_at.map(Into::into),
        })
    }

    /// Reads the token with this id back.
    ///
    /// # Errors
    /// When it is damaged, newer than this program, or another one.
    pub fn decode(bytes: &[u8], id: &str) -> Result<Self, StoredError> {
        let stored: StoredToken = read(bytes)?;
        if stored.id != id {
            return Err(invalid(format!("it is token `{}`", stored.id)));
        }
        if stored.hash.len() != Self::HASH_CHARS || !is_hex(&stored.hash) {
            return Err(invalid("its hash".to_owned()));
        }
        let scopes = stored.scopes.iter().map(|word| {
            TokenScope::parse(word).ok_or_else(|| invalid(format!("`{word}` as a scope")))
        });
        let stacks = StackPattern::new(&stored.stacks);
        Ok(Self {
            scopes: scopes.collect::<Result<_, _>>()?,
            stacks: stacks.ok_or_else(|| invalid(format!("`{}` as stacks", stored.stacks)))?,
            id: stored.id,
            name: stored.name,
            hash: stored.hash,
            created_by: stored.created_by,
            created_at: stored.created_at_ms.into(),
            expires_at: stored.expires_at_ms.into(),
            revoked_at: stored.revoked_at_ms.map(Into::into),
            last_used_at: stored.last_used_at_ms.map(Into::into),
        })
    }
}

fn invalid(why: String) -> StoredError {
    StoredError::InvalidValue {
        object: OBJECT,
        why,
    }
}

impl Stored for StoredToken {
    const FORMAT: Format = Format {
        object: OBJECT,
        written: 1,
        read: 1,
        bytes_max: 16 * 1024,
        smaller: "give it a shorter name",
    };
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoredToken {
    format: u32,
    id: String,
    name: String,
    hash: String,
    scopes: Vec<String>,
    stacks: String,
    created_by: String,
    created_at_ms: Time,
    expires_at_ms: Time,
    revoked_at_ms: Option<Time>,
    last_used_at_ms: Option<Time>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = include_str!("samples/token.json");
    const NOW: Timestamp = Timestamp(1_795_348_800_000);

    fn token() -> Token {
        Token {
            id: "k3x9q2m7".to_owned(),
            name: "ci".to_owned(),
            hash: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".to_owned(),
            scopes: [TokenScope::Read, TokenScope::Check].into(),
            stacks: StackPattern::new("prod-*").unwrap(),
            created_by: "ana@laptop".to_owned(),
            created_at: NOW,
            expires_at: NOW.plus_ms(90 * 24 * 60 * 60 * 1000),
            revoked_at: None,
            last_used_at: None,
        }
    }

    #[test]
    fn the_sample_is_read_and_written_alike() {
        assert_eq!(
            Token::decode(SAMPLE.as_bytes(), "k3x9q2m7").unwrap(),
            token()
        );
        let text = String::from_utf8(token().encode().unwrap()).unwrap();
        assert_eq!(text, SAMPLE);
    }

    #[test]
    fn what_can_not_be_used_is_refused() {
        let refused = |text: &str| {
            Token::decode(text.as_bytes(), "k3x9q2m7")
                .unwrap_err()
                .to_string()
        };
        let cases = [
            (SAMPLE.replace("\"read\"", "\"reed\""), "`reed` as a scope"),
            (SAMPLE.replace("prod-*", "Prod-*"), "`Prod-*` as stacks"),
            (SAMPLE.replace("9f86", "9F86"), "its hash"),
            (SAMPLE.replace("9f86", ""), "its hash"),
            (SAMPLE.replace("k3x9q2m7", "other"), "it is token `other`"),
        ];
        for (text, expected) in cases {
            let why = refused(&text);
            assert!(why.contains(expected), "{expected}: {why}");
        }
    }

    #[test]
    fn patterns() {
        for (pattern, fits, fits_not) in [
            ("prod", &["prod"][..], &["prod-1", "pro", "xprod"][..]),
            ("*", &["prod", "a"], &[]),
            ("prod-*", &["prod-1", "prod-1-2"], &["prod", "xprod-1"]),
            ("*-eu", &["a-eu", "b-eu-eu"], &["eu", "a-eu-1"]),
            (
                "a*b*c",
                &["abc", "axbxc", "abcbc", "abbcc"],
                &["ab", "acb", "xabc", "abcd"],
            ),
        ] {
            let pattern = StackPattern::new(pattern).unwrap();
            let fit = |name: &&&str| pattern.fits(&StackName::new(name).unwrap());
            assert_eq!(fits.iter().filter(fit).count(), fits.len(), "{pattern:?}");
            assert_eq!(fits_not.iter().filter(fit).count(), 0, "{pattern:?}");
        }
        for bad in ["", "A*", "a/*", "../*", "a b"] {
            assert_eq!(StackPattern::new(bad), None, "{bad}");
        }
    }

    #[test]
    fn it_ends_by_itself_or_by_somebody() {
        let one = token();
        let last = Timestamp(one.expires_at.0 - 1);
        assert_eq!(one.ended(last), None);
        assert_eq!(one.ended(one.expires_at), Some(TokenEnd::Expired));
        let revoked = Token {
            revoked_at: Some(NOW),
            ..token()
        };
        assert_eq!(revoked.ended(NOW), Some(TokenEnd::Revoked));
    }

    #[test]
    fn it_may_do_what_it_is_for_and_no_more() {
        let (ours, other) = (
            StackName::new("prod-1").unwrap(),
            StackName::new("dev").unwrap(),
        );
        assert!(token().may(TokenScope::Check, &ours));
        assert!(!token().may(TokenScope::Check, &other));
        assert!(!token().may(TokenScope::Apply, &ours));
    }

    #[test]
    fn its_use_is_written_once_an_hour() {
        let first = token().used(NOW.plus_ms(5)).unwrap();
        assert_eq!(first.last_used_at, Some(NOW));
        assert_eq!(first.used(NOW.plus_ms(Token::USE_KEPT_TO_MS - 1)), None);
        let next = first.used(NOW.plus_ms(Token::USE_KEPT_TO_MS)).unwrap();
        assert_eq!(next.last_used_at, Some(NOW.plus_ms(Token::USE_KEPT_TO_MS)));
        assert_eq!(next.used(NOW), None, "an earlier clock says nothing");
    }
}
