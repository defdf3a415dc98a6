//! `kedge token`: who may call the HTTP API.

use std::collections::BTreeSet;

use kedge_core::documents::{self, TokenStatus, Word as _};
use kedge_core::model::Timestamp;
use kedge_core::render::plain_text;
use kedge_core::stored::token::Token;
use kedge_engine::ports::{Clock as _, StoreError};
use kedge_native::{SystemClock, SystemRandom};
use kedge_service::tokens::{self, TokenError, TokenRequest};

use crate::args::{Args, Format, NewTokenOptions, TokenCommand};
use crate::error::CliError;
use crate::screen;
use crate::setup::OpenStore;

/// `kedge token`.
pub(crate) async fn token(args: &Args, verb: &TokenCommand) -> Result<u8, CliError> {
    let opened = OpenStore::of(args)?;
    let now = SystemClock::default().now();
    let is_json = args.format() == Format::Json;
    match verb {
        TokenCommand::New(options) => new(&opened, options, is_json, now).await,
        TokenCommand::List => list(&opened, is_json, now).await,
        TokenCommand::Revoke { id } => revoke(&opened, id, is_json, now).await,
    }
}

/// Makes one. Standard output has the token alone, so that a script can take it from there.
async fn new(
    opened: &OpenStore,
    options: &NewTokenOptions,
    is_json: bool,
    now: Timestamp,
) -> Result<u8, CliError> {
    may_change(opened)?;
    let NewTokenOptions {
        name,
        scope,
        stacks,
        expires,
    } = options;
    let request = TokenRequest {
        name,
        scopes: scope.iter().copied().collect::<BTreeSet<_>>(),
        stacks: stacks.clone(),
        lasts_ms: *expires,
        created_by: &opened.actor,
    };
    let issued = tokens::issue(&SystemRandom::new(), &opened.store, &request, now).await;
    let (token, secret) = issued?;
    if is_json {
        screen::document(&documents::new_token(&token, &secret, now))?;
        return Ok(0);
    }
    screen::err_lines(&format!(
        "{}\nThe token is printed this once. `kedge token revoke {}` ends it.\n",
        line(&token, now),
        token.id
    ))?;
    screen::out(&format!("{}\n", secret.reveal()))?;
    Ok(0)
}

async fn list(opened: &OpenStore, is_json: bool, now: Timestamp) -> Result<u8, CliError> {
    let found: Result<_, StoreError> = tokens::list(&opened.store).await;
    let (tokens, unread) = found.map_err(TokenError::Store)?;
    if is_json {
        screen::document(&documents::tokens(&tokens, &unread, now))?;
        return Ok(0);
    }
    let mut text: String = tokens
        .iter()
        .map(|token| format!("{}\n", line(token, now)))
        .collect();
    for key in &unread {
        text.push_str(&format!("can't be read: {}\n", plain_text(key)));
    }
    if text.is_empty() {
        text.push_str("no tokens yet\n");
    }
    screen::out_lines(&text)?;
    Ok(0)
}

async fn revoke(
    opened: &OpenStore,
    id: &str,
    is_json: bool,
    now: Timestamp,
) -> Result<u8, CliError> {
    may_change(opened)?;
    let token = tokens::revoke(&opened.store, id, now).await?;
    if is_json {
        let tokens = std::slice::from_ref(&token);
        screen::document(&documents::tokens(tokens, &[], now))?;
    } else {
        screen::out_lines(&format!("{}\n", line(&token, now)))?;
    }
    Ok(0)
}

fn may_change(opened: &OpenStore) -> Result<(), TokenError> {
    match opened.read_only {
        true => Err(TokenError::ReadOnly),
        false => Ok(()),
    }
}

/// `9c2f4a6b8d0e1f35  ci · read, check · prod-* · until 2027-02-20 08:00 UTC · never used`.
fn line(token: &Token, now: Timestamp) -> String {
    let scopes: Vec<&str> = token.scopes.iter().map(|scope| scope.as_str()).collect();
    let end = match (documents::Token::new(token, now).status, token.revoked_at) {
        (TokenStatus::Revoked, Some(at)) => format!("revoked {}", at.day_and_time()),
        (TokenStatus::Valid, _) => format!("until {}", token.expires_at.day_and_time()),
        (status, _) => format!("{} {}", status.as_str(), token.expires_at.day_and_time()),
    };
    let used = match token.last_used_at {
        None => "never used".to_owned(),
        Some(at) => format!("last used in the hour from {}", at.day_and_time()),
    };
    format!(
        "{}  {} · {} · {} · {end} · {used}",
        token.id,
        plain_text(&token.name),
        scopes.join(", "),
        token.stacks.as_str()
    )
}
