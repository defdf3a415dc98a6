//! Secrets that are fetched at run time, so that no configuration of a function holds one.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::{join, join_all};
use kedge_core::model::SecretText;
use kedge_native::NativeHttp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use crate::call::{Caller, Place};
use crate::failure::Failure;
use crate::service::Service;
use crate::settings::{AwsSettings, AwsSettingsError};
use crate::source::Source;

/// How many parameters one call takes (docs.aws.amazon.com/systems-manager, GetParameters).
const PARAMETERS_MAX: usize = 10;
const GET_PARAMETERS: &str = "GetParameters";
const GET_SECRET_VALUE: &str = "GetSecretValue";

/// One secret could not be fetched. Says which variable names it, where it is, and what to do; never holds
/// a secret.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{variable} names {arn}: {why}")]
pub struct SecretProblem {
    variable: String,
    arn: String,
    why: String,
}

/// What came of fetching. What needs a secret that could not be fetched suffers alone.
#[derive(Debug, Default)]
pub struct Fetched {
    /// The secrets by the names of their variables (`AIVEN_TOKEN`), without line breaks at their ends.
    pub secrets: BTreeMap<String, SecretText>,
    /// What could not be fetched: one for each secret.
    pub problems: Vec<SecretProblem>,
}

/// Where secrets are.
#[derive(Debug)]
pub struct AwsSecrets {
    caller: Caller,
    wanted: Vec<Wanted>,
}

/// A secret that a variable names.
#[derive(Debug)]
struct Wanted {
    name: String,
    variable: String,
    source: Source,
    /// The key of a JSON object whose value is the secret; none: all of the text is.
    key: Option<String>,
}

/// A text that was fetched, or why it was not.
type Text<'s> = (&'s Source, Result<String, String>);

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct GetParameters<'a> {
    names: &'a [&'a str],
    with_decryption: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Parameters {
    parameters: Vec<Parameter>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Parameter {
    #[serde(rename = "ARN")]
    arn: String,
    /// The version or label that was asked for, with its colon.
    #[serde(default)]
    selector: String,
    value: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct GetSecretValue<'a> {
    secret_id: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SecretValue {
    secret_string: Option<String>,
    /// Only an answer of Secrets Manager has it.
    #[expect(dead_code, reason = "that it is there says whose answer it is")]
    name: String,
}

impl AwsSecrets {
    /// Takes, for each of these names (`AIVEN_TOKEN`, `R2_SECRET_ACCESS_KEY`) that has no variable of its own,
    /// the variable `<NAME>_ARN`, which says where the secret is: a parameter of SSM
    /// (`arn:aws:ssm:…:parameter/…`) or a secret of Secrets Manager (`arn:aws:secretsmanager:…:secret:…`). Of a
    /// text that is JSON, `#key` at the end of the ARN takes the value of one key. A name that has neither
    /// variable is left out.
    ///
    /// # Errors
    /// When a variable holds no such ARN; names it.
    pub fn from_variables<'n, 'v>(
        settings: &AwsSettings,
        http: &NativeHttp,
        names: impl IntoIterator<Item = &'n str>,
        variable: impl Fn(&str) -> Option<&'v str>,
    ) -> Result<Self, AwsSettingsError> {
        let get = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let mut wanted = Vec::new();
        for name in names {
            let variable = format!("{name}_ARN");
            if let (None, Some(text)) = (get(name), get(&variable)) {
                wanted.push(Wanted::of(settings, name, variable, text.trim())?);
            }
        }
        Ok(Self {
            caller: Caller::new(settings, http.clone()),
            wanted,
        })
    }

    /// Whether there is nothing to fetch.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.wanted.is_empty()
    }

    /// Fetches all of them at once: parameters by tens, secrets one by one.
    pub async fn fetch(&self) -> Fetched {
        let texts = self.texts().await;
        let mut fetched = Fetched::default();
        for wanted in &self.wanted {
            let text = texts.get(&wanted.source).cloned();
            let text = text.unwrap_or_else(|| Err("it was not asked for".to_owned()));
            match text.and_then(|text| wanted.secret_of(&text)) {
                Ok(secret) => {
                    fetched.secrets.insert(wanted.name.clone(), secret);
                }
                Err(why) => fetched.problems.push(SecretProblem {
                    variable: wanted.variable.clone(),
                    arn: wanted.source.arn.clone(),
                    why,
                }),
            }
        }
        fetched
    }

    /// Each text once, however many secrets are in it.
    async fn texts(&self) -> BTreeMap<&Source, Result<String, String>> {
        let sources: BTreeSet<&Source> = self.wanted.iter().map(|wanted| &wanted.source).collect();
        let mut parameters: BTreeMap<&Place, Vec<&Source>> = BTreeMap::new();
        let mut secrets = Vec::new();
        for source in sources {
            match source.place.service {
                Service::SecretsManager => secrets.push(self.secret(source)),
                _ => parameters.entry(&source.place).or_default().push(source),
            }
        }
        let tens = parameters.iter().flat_map(|(place, sources)| {
            let tens = sources.chunks(PARAMETERS_MAX);
            tens.map(|ten| self.parameters(place, ten))
        });
        let (parameters, secrets) = join(join_all(tens), join_all(secrets)).await;
        parameters.into_iter().flatten().chain(secrets).collect()
    }

    /// Fetches parameters of one place. One that may not be read must not take the others along.
    async fn parameters<'s>(&self, place: &Place, sources: &[&'s Source]) -> Vec<Text<'s>> {
        let failed = |sources: &[&'s Source], failure: &Failure| {
            let why = failure.describe(place, GET_PARAMETERS);
            let sources = sources.iter().copied();
            sources.map(|source| (source, Err(why.clone()))).collect()
        };
        match self.get_parameters(place, sources).await {
            Ok(texts) => texts,
            Err(failure) if failure.is_denied() && sources.len() > 1 => {
                let alone = sources.chunks(1).map(async |source| {
                    let texts = self.get_parameters(place, source).await;
                    texts.unwrap_or_else(|failure| failed(source, &failure))
                });
                join_all(alone).await.into_iter().flatten().collect()
            }
            Err(failure) => failed(sources, &failure),
        }
    }

    async fn get_parameters<'s>(
        &self,
        place: &Place,
        sources: &[&'s Source],
    ) -> Result<Vec<Text<'s>>, Failure> {
        let names: Vec<&str> = sources.iter().map(|source| source.arn.as_str()).collect();
        let body = GetParameters {
            names: &names,
            with_decryption: true,
        };
        let found: Parameters = self.caller.call(place, GET_PARAMETERS, &body).await?;
        let value = |arn: &str| {
            let is_it = |found: &&Parameter| {
                arn.strip_prefix(found.arn.as_str()) == Some(found.selector.as_str())
            };
            let found = found.parameters.iter().find(is_it);
            let found = found.map(|found| found.value.clone());
            found.ok_or_else(|| "there is no such parameter".to_owned())
        };
        let texts = sources.iter().map(|source| (*source, value(&source.arn)));
        Ok(texts.collect())
    }

    async fn secret<'s>(&self, source: &'s Source) -> Text<'s> {
        let Source { place, arn } = source;
        let body = GetSecretValue { secret_id: arn };
        let found: Result<SecretValue, _> = self.caller.call(place, GET_SECRET_VALUE, &body).await;
        let text = match found {
            Ok(found) => found
                .secret_string
                .ok_or_else(|| "it is no text, but bytes".to_owned()),
            Err(failure) => Err(failure.describe(place, GET_SECRET_VALUE)),
        };
        (source, text)
    }
}

impl Wanted {
    fn of(
        settings: &AwsSettings,
        name: &str,
        variable: String,
        text: &str,
    ) -> Result<Self, AwsSettingsError> {
        let (arn, key) = match text.split_once('#') {
            Some((arn, key)) => (arn, Some(key.to_owned())),
            None => (text, None),
        };
        Ok(Self {
            name: name.to_owned(),
            source: Source::of(settings, &variable, arn)?,
            variable,
            key,
        })
    }

    /// The secret in a text.
    fn secret_of(&self, text: &str) -> Result<SecretText, String> {
        let of_key;
        let secret = match &self.key {
            None => text,
            Some(key) => {
                let object: BTreeMap<String, Value> = serde_json::from_str(text)
                    .map_err(|_| format!("it is no JSON object, so it has no key `{key}`"))?;
                match object.get(key) {
                    Some(Value::String(value)) => of_key = value.clone(),
                    Some(_) => return Err(format!("its key `{key}` holds no text")),
                    None => return Err(format!("it has no key `{key}`")),
                }
                &of_key
            }
        };
        match secret.trim_end_matches(['\r', '\n']) {
            "" => Err("it is empty".to_owned()),
            secret => Ok(SecretText::new(secret)),
        }
    }
}
