//! `kedge.token/1` and `kedge.tokens/1`: who may call the HTTP API.

use serde::Serialize;

use super::parts::{Text, Time};
use super::words::{TokenScope, TokenStatus};
use crate::model::{SecretText, Timestamp};
use crate::stored::token::{self, TokenEnd};

format_name!(NewToken: NewTokenFormat => "kedge.token/1");
format_name!(Tokens: TokensFormat => "kedge.tokens/1");

/// A new token: `kedge token new`. It is shown this once.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NewToken {
    /// The name and number of this format.
    pub format: NewTokenFormat,
    /// What is kept of it.
    pub token: Token,
    /// The token itself, for `Authorization: Bearer`. Only its hash is kept.
    pub secret: String,
}

/// The tokens: `kedge token list`. Of `kedge token revoke`: the one that was revoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Tokens {
    /// The name and number of this format.
    pub format: TokensFormat,
    /// The tokens, the oldest first.
    pub tokens: Vec<Token>,
    /// Tokens that can't be read, by their keys in the store. Nobody can use them.
    pub unread: Vec<Text>,
}

/// What is kept of a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Token {
    /// Its id: the part of the token that is no secret.
    pub id: Text,
    /// Whose it is; history names it as the actor.
    pub name: Text,
    /// What it may do.
    pub scopes: Vec<TokenScope>,
    /// For which stacks: a name in which `*` stands for any text.
    pub stacks: Text,
    /// Whether it can be used.
    pub status: TokenStatus,
    /// Who made it.
    pub created_by: Text,
    /// When it was made.
    pub created_at: Time,
    /// When it ends by itself.
    pub expires_at: Time,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Time>,
    /// The hour in which it was last used, if it was.
    pub last_used_at: Option<Time>,
}

impl Token {
    /// What is shown of a token at this time.
    #[must_use]
    pub fn new(token: &token::Token, now: Timestamp) -> Self {
        let token::Token {
            id,
            name,
            hash: _,
            scopes,
            stacks,
            created_by,
            created_at,
            expires_at,
            revoked_at,
            last_used_at,
        } = token;
        Self {
            id: Text::new(id),
            name: Text::new(name),
            scopes: scopes.iter().map(Into::into).collect(),
            stacks: Text::new(stacks.as_str()),
            status: match token.ended(now) {
                None => TokenStatus::Valid,
                Some(TokenEnd::Expired) => TokenStatus::Expired,
                Some(TokenEnd::Revoked) => TokenStatus::Revoked,
            },
            created_by: Text::new(created_by),
            created_at: (*created_at).into(),
            expires_at: (*expires_at).into(),
            revoked_at: revoked_at.map(Into::into),
            last_used_at: last_used_at.map(Into::into),
        }
    }
}

/// A new token, with its secret: the one document that shows one.
#[must_use]
pub fn new_token(token: &token::Token, secret: &SecretText, now: Timestamp) -> NewToken {
    NewToken {
        format: NewTokenFormat::V1,
        token: Token::new(token, now),
        secret: secret.reveal().to_owned(),
    }
}

/// Tokens, the oldest first.
#[must_use]
pub fn tokens(tokens: &[token::Token], unread: &[String], now: Timestamp) -> Tokens {
    Tokens {
        format: TokensFormat::V1,
        tokens: tokens.iter().map(|one| Token::new(one, now)).collect(),
        unread: Text::all(unread),
    }
}
