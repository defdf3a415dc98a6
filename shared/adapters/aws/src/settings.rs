//! Which region, which credentials, and where the services are.

use std::collections::BTreeMap;
use std::fmt;

use http::Uri;
use kedge_core::model::SecretText;
use thiserror::Error;

use crate::service::Service;

/// A variable is missing or can't be used. Never holds a value.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct AwsSettingsError(pub(crate) String);

const REGION: &str = "AWS_REGION";
const KEY_ID: &str = "AWS_ACCESS_KEY_ID";
const SECRET: &str = "AWS_SECRET_ACCESS_KEY";
const SESSION_TOKEN: &str = "AWS_SESSION_TOKEN";
/// Replaces the address of every service that has no variable of its own.
const ENDPOINT: &str = "AWS_ENDPOINT_URL";
/// The longest pause before the first repetition, in milliseconds; it doubles.
const PAUSE_MS: u64 = 500;

/// How AWS's services are called.
#[derive(Clone)]
pub struct AwsSettings {
    pub(crate) region: String,
    pub(crate) key_id: String,
    pub(crate) secret: SecretText,
    pub(crate) session_token: Option<SecretText>,
    /// Addresses that replace AWS's own, without a final slash.
    endpoints: BTreeMap<Service, String>,
    pub(crate) pause_ms: u64,
}

impl fmt::Debug for AwsSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsSettings")
            .field("region", &self.region)
            .field("endpoints", &self.endpoints)
            .finish_non_exhaustive()
    }
}

impl AwsSettings {
    /// Takes `AWS_REGION`, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`, which
    /// Lambda sets to the credentials of the function's role. For emulators also `AWS_ENDPOINT_URL_SQS`,
    /// `AWS_ENDPOINT_URL_SSM` and `AWS_ENDPOINT_URL_SECRETS_MANAGER`, or `AWS_ENDPOINT_URL` for all of them.
    ///
    /// # Errors
    /// When a variable is missing, or is no region or address; names it.
    pub fn from_variables<'v>(
        variable: impl Fn(&str) -> Option<&'v str>,
    ) -> Result<Self, AwsSettingsError> {
        let variable = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let needed = |name: &str| {
            variable(name).ok_or_else(|| {
                AwsSettingsError(format!("{name} is not set; Lambda sets it for a function"))
            })
        };
        let region = needed(REGION)?;
        if !is_label(region) {
            let text = format!("{REGION} must be a region like eu-central-1");
            return Err(AwsSettingsError(text));
        }
        let mut endpoints = BTreeMap::new();
        for service in Service::ALL {
            let names = [service.endpoint_name(), ENDPOINT];
            let found = names
                .into_iter()
                .find_map(|name| Some((name, variable(name)?)));
            if let Some((name, text)) = found {
                endpoints.insert(service, address(name, text)?);
            }
        }
        Ok(Self {
            region: region.to_owned(),
            key_id: needed(KEY_ID)?.to_owned(),
            secret: SecretText::new(needed(SECRET)?),
            session_token: variable(SESSION_TOKEN).map(SecretText::new),
            endpoints,
            pause_ms: PAUSE_MS,
        })
    }

    /// The address that replaces a service's own.
    pub(crate) fn endpoint(&self, service: Service) -> Option<&str> {
        self.endpoints.get(&service).map(String::as_str)
    }

    /// Whether a text holds a part of the credentials.
    pub(crate) fn is_told_by(&self, text: &str) -> bool {
        let secrets = [Some(&self.secret), self.session_token.as_ref()];
        let mut secrets = secrets.into_iter().flatten();
        secrets.any(|secret| text.contains(secret.reveal()))
    }
}

/// Whether a text may stand between two dots of a host name.
pub(crate) fn is_label(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !text.is_empty() && text.chars().all(is_plain)
}

/// An address without its final slash.
pub(crate) fn address(name: &str, text: &str) -> Result<String, AwsSettingsError> {
    let text = text.trim_end_matches('/');
    let uri = text.parse::<Uri>().ok();
    let is_plain = uri.is_some_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.host().is_some_and(|host| !host.is_empty())
            && !text.contains(['@', '?', '#'])
    });
    match is_plain {
        true => Ok(text.to_owned()),
        false => Err(AwsSettingsError(format!(
            "{name} must be an http or https address, with no user, query or fragment"
        ))),
    }
}

/// Scheme, host and port of an address that was checked.
pub(crate) fn origin(address: &str) -> &str {
    let begins = address.find("://").map_or(0, |at| at + 3);
    let host = address.get(begins..).unwrap_or_default();
    let ends = host.find('/').map_or(address.len(), |at| begins + at);
    address.get(..ends).unwrap_or(address)
}
