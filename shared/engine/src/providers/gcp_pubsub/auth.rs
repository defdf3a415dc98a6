//! Google's token: a JWT that we sign ourselves with the service account's key and send as it is
//! (AIP-4111; its example audience is exactly Pub/Sub's). No exchange, so no extra round trip.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kedge_core::live::{FailureCode, ReadFailure};
use kedge_core::model::{SecretText, Timestamp};
use serde::{Deserialize, Serialize};

use crate::ports::{ProviderName, ReadPorts};
use crate::session::Context;
use crate::tokens::GOOGLE_TOKEN_LIFETIME_S;

/// The secret that holds the text of the key file.
const SECRET: &str = super::PUBSUB.credential.variable;
/// The audience of Pub/Sub (AIP-4111). With an audience there must be no scope.
const AUDIENCE: &str = "https://pubsub.googleapis.com/";
/// An `iat` in the future is refused, so it lies this much in the past
/// (googleapis/google-cloud-rust: 10 s).
const CLOCK_SKEW_S: i64 = 10;

/// What goes into `Authorization`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// Nothing: an emulator.
    NotWanted,
    /// A token made for this call: if it is refused, another would be too.
    Fresh(SecretText),
    /// A token made earlier: it may have been taken back since.
    Cached(SecretText),
}

impl Token {
    /// The text to send.
    pub(super) fn text(&self) -> Option<&SecretText> {
        match self {
            Self::NotWanted => None,
            Self::Fresh(text) | Self::Cached(text) => Some(text),
        }
    }
}

/// The token of the credential that is set now, made if none is kept of it.
pub(super) async fn token<P: ReadPorts>(cx: Context<'_, P>) -> Result<Token, ReadFailure> {
    if !cx.session.endpoints.is_authenticated(ProviderName::Pubsub) {
        return Ok(Token::NotWanted);
    }
    let credential = credential(cx)?;
    let kept = || cx.session.google_tokens.good(&credential, cx.ports.now());
    if let Some(text) = kept() {
        return Ok(Token::Cached(text));
    }
    let _alone = cx.session.google_tokens.make_alone().await;
    match kept() {
        // A call beside this one was quicker.
        Some(text) => Ok(Token::Fresh(text)),
        None => make(cx, credential).await.map(Token::Fresh),
    }
}

/// Another token than the one that was refused.
pub(super) async fn renewed<P: ReadPorts>(
    cx: Context<'_, P>,
    refused: &SecretText,
) -> Result<Token, ReadFailure> {
    refuse(cx, refused);
    Ok(match token(cx).await? {
        Token::Cached(text) => Token::Fresh(text),
        other => other,
    })
}

/// Notes that Google refused a token, so that no run uses it again.
pub(super) fn refuse<P: ReadPorts>(cx: Context<'_, P>, refused: &SecretText) {
    cx.session.google_tokens.refuse(refused);
}

fn credential<P: ReadPorts>(cx: Context<'_, P>) -> Result<SecretText, ReadFailure> {
    cx.ports.secret(SECRET).ok_or_else(|| {
        let reason =
            format!("{SECRET} is not set: it must hold the JSON of a service account's key");
        failure(FailureCode::NoCredentials, reason)
    })
}

async fn make<P: ReadPorts>(
    cx: Context<'_, P>,
    credential: SecretText,
) -> Result<SecretText, ReadFailure> {
    let unusable = |reason: String| failure(FailureCode::Unauthenticated, reason);
    let key = Key::parse(&credential).map_err(unusable)?;
    let made_at = cx.ports.now();
    let message = key.message(made_at).map_err(unusable)?;
    let signature = cx
        .ports
        .sign_rs256(&key.private_key, message.as_bytes())
        .await
        .map_err(|error| unusable(format!("{SECRET}: its private_key can't be used: {error}")))?;
    let token = SecretText::new(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)));
    let tokens = &cx.session.google_tokens;
    tokens.keep(credential, token.clone(), made_at);
    Ok(token)
}

fn failure(code: FailureCode, reason: String) -> ReadFailure {
    ReadFailure {
        reason,
        permission: None,
        code,
    }
}

/// What is used of a key file (AIP-4112).
struct Key {
    client_email: String,
    private_key_id: String,
    private_key: SecretText,
}

impl Key {
    /// Reads a key file. The errors say what is wrong and repeat nothing of it.
    fn parse(text: &SecretText) -> Result<Self, String> {
        #[derive(Deserialize, Default)]
        #[serde(default)]
        struct KeyFile {
            r#type: Option<String>,
            client_email: Option<String>,
            private_key_id: Option<String>,
            private_key: Option<String>,
        }
        let file: KeyFile = serde_json::from_str(text.reveal())
            .map_err(|_| format!("{SECRET} does not hold the JSON of a service account's key"))?;
        match file.r#type.as_deref() {
            Some("service_account") => {}
            Some(
                known @ ("authorized_user" | "external_account" | "impersonated_service_account"),
            ) => {
                return Err(format!(
                    "{SECRET} is of type {known}; it must be a service_account key"
                ));
            }
            Some(_) => return Err(format!("{SECRET} is of another type than service_account")),
            None => {
                return Err(format!(
                    "{SECRET} has no `type`; it must be a service_account key"
                ));
            }
        }
        let needed = |field: Option<String>, name: &str| {
            field
                .filter(|text| !text.is_empty())
                .ok_or_else(|| format!("{SECRET} has no `{name}`"))
        };
        Ok(Self {
            client_email: needed(file.client_email, "client_email")?,
            private_key_id: needed(file.private_key_id, "private_key_id")?,
            private_key: SecretText::new(needed(file.private_key, "private_key")?),
        })
    }

    /// What is signed: header and claims, in unpadded base64url.
    fn message(&self, now: Timestamp) -> Result<String, String> {
        #[derive(Serialize)]
        struct Header<'a> {
            alg: &'a str,
            typ: &'a str,
            kid: &'a str,
        }
        #[derive(Serialize)]
        struct Claims<'a> {
            iss: &'a str,
            sub: &'a str,
            aud: &'a str,
            iat: i64,
            exp: i64,
        }
        let header = Header {
            alg: "RS256",
            typ: "JWT",
            kid: &self.private_key_id,
        };
        let iat = now.0.div_euclid(1000).saturating_sub(CLOCK_SKEW_S);
        let claims = Claims {
            iss: &self.client_email,
            sub: &self.client_email,
            aud: AUDIENCE,
            iat,
            exp: iat.saturating_add(GOOGLE_TOKEN_LIFETIME_S),
        };
        Ok(format!("{}.{}", segment(&header)?, segment(&claims)?))
    }
}

fn segment(part: &impl Serialize) -> Result<String, String> {
    serde_json::to_vec(part)
        .map(|bytes| URL_SAFE_NO_PAD.encode(bytes))
        .map_err(|_| format!("{SECRET} can't be written into a token"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = r#"{"type":"service_account","project_id":"p","private_key_id":"k1",
        "private_key":"-----BEGIN PRIVATE KEY-----\nMIIt0ps3cret\n-----END PRIVATE KEY-----\n",
        "client_email":"kedge@p.iam.gserviceaccount.com","extra":[1]}"#;

    #[test]
    fn the_signed_part_is_as_google_wants_it() {
        let key = Key::parse(&SecretText::new(KEY)).ok().unwrap();
        let message = key.message(Timestamp(1_700_000_000_999)).unwrap();
        let decoded: Vec<String> = message
            .split('.')
            .map(|part| String::from_utf8(URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap())
            .collect();
        assert_eq!(
            decoded,
            [
                r#"{"alg":"RS256","typ":"JWT","kid":"k1"}"#,
                r#"{"iss":"kedge@p.iam.gserviceaccount.com","sub":"kedge@p.iam.gserviceaccount.com","aud":"https://pubsub.googleapis.com/","iat":1699999990,"exp":1700003590}"#,
            ]
        );
    }

    #[test]
    fn a_bad_key_is_described_and_not_repeated() {
        let without = |from: &str, to: &str| KEY.replace(from, to);
        for (text, wanted) in [
            ("/home/me/t0ps3cret.json".to_owned(), "hold the JSON"),
            ("\"t0ps3cret\"".to_owned(), "hold the JSON"),
            (without("client_email", "x"), "no `client_email`"),
            (without("private_key_id", "x"), "no `private_key_id`"),
            (without("\"private_key\"", "\"x\""), "no `private_key`"),
            (
                without("\"service_account\"", "\"t0ps3cret\""),
                "another type",
            ),
            (
                without("\"service_account\"", "\"authorized_user\""),
                "authorized_user",
            ),
            (without("\"type\"", "\"typ\""), "no `type`"),
            (without("\"k1\"", "17"), "hold the JSON"),
        ] {
            let error = Key::parse(&SecretText::new(&*text)).err().unwrap();
            assert!(error.contains(wanted), "{error}");
            assert!(!error.contains("t0ps3cret"), "{error}");
        }
    }
}
