//! Tokens of the HTTP API: making, listing and ending them, and finding out whose one is.
//!
//! A token is `kdg_<id>_<secret>`. The id finds the stored object, the secret proves that somebody has it;
//! only its hash is kept. What a token may do is decided by whoever asks.

use std::collections::BTreeSet;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use kedge_core::model::{SecretText, Timestamp, is_hex, sha256};
use kedge_core::stored::token::{StackPattern, Token, TokenEnd, TokenScope};
use kedge_core::stored::{EncodeError, StoredError};
use kedge_engine::ports::{Condition, ETag, PutOutcome, Random, Store, StoreError};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq as _;
use thiserror::Error;

/// What the keys of all tokens begin with.
const TOKENS: &str = "tokens/";
/// What every token begins with, so that it is recognised where it should not be.
const PREFIX: &str = "kdg";
/// The hexadecimal digits of an id: 64 bits.
const ID_CHARS: usize = 16;
/// The hexadecimal digits of a secret: 256 bits.
const SECRET_CHARS: usize = 64;
/// The longest name, in bytes.
const NAME_BYTES_MAX: usize = 64;
/// How many tokens are read at once.
const READ_AT_ONCE: usize = 8;

/// A token could not be made, listed or revoked.
#[derive(Debug, Error)]
pub enum TokenError {
    /// The store failed.
    #[error("the store could not be read or written")]
    Store(#[from] StoreError),
    /// It can't be read.
    #[error(transparent)]
    Stored(#[from] StoredError),
    /// It could not be read back, and is not written.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// Nothing may be changed by this invocation.
    #[error("this is read-only: nothing may be changed from here")]
    ReadOnly,
    /// The name has characters that are not fit for history.
    #[error("a token's name has 1 to 64 letters, digits or punctuation marks, and no spaces")]
    Name,
    /// It would be for nothing.
    #[error("a token needs a scope")]
    NoScope,
    /// It would last no time, or too long.
    #[error("a token lasts at least a second and at most 366d")]
    Length,
    /// There is no such token.
    #[error("there is no token of this id")]
    Unknown,
    /// Somebody else writes it all the time, or has the same id.
    #[error("the token was changed meanwhile; nothing was written")]
    Contended,
}

/// A token that is to be made.
#[derive(Debug, Clone)]
pub struct TokenRequest<'a> {
    /// Whose it will be.
    pub name: &'a str,
    /// What it may do.
    pub scopes: BTreeSet<TokenScope>,
    /// For which stacks.
    pub stacks: StackPattern,
    /// How long, in milliseconds.
    pub lasts_ms: i64,
    /// Who makes it.
    pub created_by: &'a str,
}

/// Makes a token. Its text is given back this once; only the hash of its secret is kept. Another one of the
/// same name stays valid beside it, so that one can replace the other.
///
/// # Errors
/// When the request makes no sense, or the token can't be written.
pub async fn issue<R: Random, S: Store>(
    random: &R,
    store: &S,
    request: &TokenRequest<'_>,
    now: Timestamp,
) -> Result<(Token, SecretText), TokenError> {
    let TokenRequest {
        name,
        scopes,
        stacks,
        lasts_ms,
        created_by,
    } = request;
    if name.is_empty()
        || name.len() > NAME_BYTES_MAX
        || !name.bytes().all(|byte| byte.is_ascii_graphic())
    {
        return Err(TokenError::Name);
    }
    if scopes.is_empty() {
        return Err(TokenError::NoScope);
    }
    if !(1_000..=Token::LASTS_MAX_MS).contains(lasts_ms) {
        return Err(TokenError::Length);
    }
    let id = format!("{:016x}", random.next_u64());
    let secret: String = (0..4)
        .map(|_| format!("{:016x}", random.next_u64()))
        .collect();
    let token = Token {
        hash: sha256(&secret),
        name: (*name).to_owned(),
        scopes: scopes.clone(),
        stacks: stacks.clone(),
        created_by: (*created_by).to_owned(),
        created_at: now,
        expires_at: now.plus_ms(*lasts_ms),
        revoked_at: None,
        last_used_at: None,
        id,
    };
    write(store, &token, Condition::Absent).await?;
    let text = SecretText::new(format!("{PREFIX}_{}_{secret}", token.id));
    Ok((token, text))
}

/// All tokens, the oldest first, and the keys of those that can't be read.
///
/// # Errors
/// When the store can't say.
pub async fn list<S: Store>(store: &S) -> Result<(Vec<Token>, Vec<String>), StoreError> {
    let keys = store.list(TOKENS).await?;
    let reads: Vec<_> = keys
        .into_iter()
        .map(|key| async move {
            let object = store.get(&key).await?;
            let id = key.strip_prefix(TOKENS).unwrap_or(&key);
            let id = id.strip_suffix(".json").unwrap_or(id);
            let token = object.and_then(|object| Token::decode(&object.bytes, id).ok());
            Ok::<_, StoreError>(token.ok_or(key))
        })
        .collect();
    let reads = stream::iter(reads).buffered(READ_AT_ONCE);
    let (mut tokens, mut unread) = (Vec::new(), Vec::new());
    for read in reads.try_collect::<Vec<_>>().await? {
        match read {
            Ok(token) => tokens.push(token),
            Err(key) => unread.push(key),
        }
    }
    tokens.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
    Ok((tokens, unread))
}

/// Ends a token. One that was ended before stays as it was.
///
/// # Errors
/// When there is no such token, or it can't be read or written.
pub async fn revoke<S: Store>(store: &S, id: &str, now: Timestamp) -> Result<Token, TokenError> {
    // A request that uses it may note that between our read and our write.
    for _ in 0..3 {
        let found = match is_id(id) {
            true => store.get(&key_of(id)).await?,
            false => None,
        };
        let object = found.ok_or(TokenError::Unknown)?;
        let token = Token::decode(&object.bytes, id)?;
        if token.revoked_at.is_some() {
            return Ok(token);
        }
        let revoked = Token {
            revoked_at: Some(now),
            ..token
        };
        match write(store, &revoked, Condition::Is(object.etag)).await {
            Err(TokenError::Contended) => {}
            written => return written.map(|()| revoked),
        }
    }
    Err(TokenError::Contended)
}

async fn write<S: Store>(store: &S, token: &Token, condition: Condition) -> Result<(), TokenError> {
    let bytes = Bytes::from(token.encode()?);
    match store.put(&key_of(&token.id), bytes, condition).await? {
        PutOutcome::Written(_) => Ok(()),
        PutOutcome::Conflict => Err(TokenError::Contended),
    }
}

/// A token as somebody presents it. It is a secret: there is no way to print it.
#[derive(Clone)]
pub(crate) struct Presented {
    id: String,
    secret: SecretText,
}

/// A token must not be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TokenRefused {
    /// Nobody has such a token.
    Unknown,
    /// It is one, and ended.
    Ended(TokenEnd),
    /// The store could not say.
    Store(StoreError),
}

/// A token that may be used, as it is stored.
#[derive(Debug, Clone)]
pub(crate) struct Verified {
    pub(crate) token: Token,
    etag: ETag,
}

impl Presented {
    /// Reads `kdg_<id>_<secret>`; none where it has another form.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('_');
        let (prefix, id, secret) = (parts.next()?, parts.next()?, parts.next()?);
        let is_fine = prefix == PREFIX
            && parts.next().is_none()
            && is_id(id)
            && secret.len() == SECRET_CHARS
            && is_hex(secret);
        is_fine.then(|| Self {
            id: id.to_owned(),
            secret: SecretText::new(secret),
        })
    }

    /// What tells one presented token from another where none may be kept: the hash of all of it.
    pub(crate) fn fingerprint(&self) -> [u8; 32] {
        let Self { id, secret } = self;
        Sha256::digest(format!("{id}_{}", secret.reveal()).as_bytes()).into()
    }

    /// Finds out whose it is. A known id and an unknown one take the same way: a hash is made and compared
    /// in constant time for both. Why a token has ended is told only to who has its secret.
    pub(crate) async fn verify<S: Store>(
        &self,
        store: &S,
        now: Timestamp,
    ) -> Result<Verified, TokenRefused> {
        let object = store.get(&key_of(&self.id)).await;
        let object = object.map_err(TokenRefused::Store)?;
        // One that can't be read is nobody's.
        let found = object.and_then(|object| {
            let token = Token::decode(&object.bytes, &self.id).ok()?;
            Some((token, object.etag))
        });
        let nobodys = "0".repeat(Token::HASH_CHARS);
        let expected = found.as_ref().map_or(&nobodys, |(token, _)| &token.hash);
        let given = sha256(self.secret.reveal());
        let is_its: bool = given.as_bytes().ct_eq(expected.as_bytes()).into();
        let (token, etag) = found.filter(|_| is_its).ok_or(TokenRefused::Unknown)?;
        match token.ended(now) {
            Some(end) => Err(TokenRefused::Ended(end)),
            None => Ok(Verified { token, etag }),
        }
    }
}

impl Verified {
    /// Notes that it was used, to the hour. That it can't be noted is nobody's concern: the next use notes
    /// it.
    pub(crate) async fn note_use<S: Store>(&self, store: &S, now: Timestamp) {
        if let Some(used) = self.token.used(now) {
            // Conditional, so that it never brings a token back that was revoked meanwhile.
            let _ = write(store, &used, Condition::Is(self.etag.clone())).await;
        }
    }
}

fn key_of(id: &str) -> String {
    format!("{TOKENS}{id}.json")
}

/// An id is part of a key; nothing but what ids are made of leads anywhere.
fn is_id(text: &str) -> bool {
    text.len() == ID_CHARS && is_hex(text)
}

#[cfg(test)]
mod tests;
