//! What the environment says, read once. Which variables the providers have is in their entries
//! ([`kedge_core::providers`]).

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use kedge_core::model::SecretText;
use kedge_core::providers::ProviderName;
use kedge_engine::Endpoints;
use kedge_engine::ports::Secrets;
use kedge_service::HeldSettings;
use thiserror::Error;

use crate::dotenv;

/// A variable or the `.env` file can't be used. Never holds a value.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct SettingsError(String);

impl SettingsError {
    pub(crate) fn new(text: String) -> Self {
        Self(text)
    }
}

/// Variables by name: those of the process, and of a `.env` file where the process has none.
/// An empty value counts as unset, as it does in CI systems. `Debug` shows names only.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Settings(BTreeMap<String, String>);

const KEDGE_READ_ONLY: &str = "KEDGE_READ_ONLY";
const CONFIG_PREFIX: &str = "KEDGE_CONFIG_";
/// The key by which a relay signs events of uploads.
pub const KEDGE_RELAY_KEY: &str = "KEDGE_RELAY_KEY";

impl Settings {
    /// Reads the process's environment and, if there is one, `.env` in `folder`. The process wins;
    /// nothing of `.env` enters the process's environment.
    ///
    /// # Errors
    /// When `.env` can't be read; names the line, never its text.
    pub fn load(folder: &Path) -> Result<Self, SettingsError> {
        Self::merge(process_variables(), folder)
    }

    /// These variables alone, where there is no `.env`.
    #[must_use]
    pub fn of(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let variables = variables.into_iter();
        Self(variables.filter(|(_, value)| !is_blank(value)).collect())
    }

    /// The same with another environment, for tests.
    ///
    /// # Errors
    /// As [`Settings::load`].
    pub fn merge(
        process: impl IntoIterator<Item = (String, String)>,
        folder: &Path,
    ) -> Result<Self, SettingsError> {
        let path = folder.join(".env");
        let mut settings = match fs::read_to_string(&path) {
            Ok(text) => dotenv::parse(&text).map_err(|(line, problem)| {
                SettingsError(format!("{}:{line}: {problem}", path.display()))
            })?,
            Err(error) if error.kind() == ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => {
                let text = format!("could not read {}: {error}", path.display());
                return Err(SettingsError(text));
            }
        };
        settings.extend(process.into_iter().filter(|(_, value)| !is_blank(value)));
        settings.retain(|_, value| !is_blank(value));
        Ok(Self(settings))
    }

    /// The value of a variable, without blanks around it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.trim())
    }

    /// `KEDGE_CONFIG_<NAME>` variables: stack settings that replace those of the stack's file
    /// (semantics 4.2). Names are in lower case.
    #[must_use]
    pub fn config_overrides(&self) -> BTreeMap<String, String> {
        self.0
            .iter()
            .filter_map(|(name, value)| {
                let name = name.strip_prefix(CONFIG_PREFIX)?;
                Some((name.to_ascii_lowercase(), value.trim().to_owned()))
            })
            .filter(|(name, _)| !name.is_empty())
            .collect()
    }

    /// `KEDGE_READ_ONLY`: whether this process may only read (semantics 9.7).
    ///
    /// # Errors
    /// When it is set to something that is neither yes nor no: who sets it must be able to rely on it.
    pub fn read_only(&self) -> Result<bool, SettingsError> {
        match self.get(KEDGE_READ_ONLY) {
            None => Ok(false),
            Some(text) => match text.to_ascii_lowercase().as_str() {
                "1" | "true" | "yes" | "on" => Ok(true),
                "0" | "false" | "no" | "off" => Ok(false),
                _ => Err(SettingsError(format!(
                    "{KEDGE_READ_ONLY} must be 1 or 0, true or false"
                ))),
            },
        }
    }

    /// `KEDGE_<PROVIDER>_REQUESTS_PER_MINUTE`: what a provider's account allows, where it is known. Checks
    /// of many stacks are spread over time by it.
    ///
    /// # Errors
    /// When one is not a whole number from 1 on.
    pub fn requests_per_minute(&self) -> Result<BTreeMap<ProviderName, u64>, SettingsError> {
        let mut found = BTreeMap::new();
        for provider in ProviderName::ALL {
            let word = provider.as_str().to_ascii_uppercase();
            let name = format!("KEDGE_{word}_REQUESTS_PER_MINUTE");
            let Some(text) = self.get(&name) else {
                continue;
            };
            match text.parse::<u32>() {
                Ok(number @ 1..) => found.insert(provider, number.into()),
                _ => {
                    return Err(SettingsError(format!(
                        "{name} must be a whole number from 1 on"
                    )));
                }
            };
        }
        Ok(found)
    }

    /// Where the providers are.
    ///
    /// # Errors
    /// When a variable is not an http or https address; names it, not its value.
    pub fn endpoints(&self) -> Result<Endpoints, SettingsError> {
        Endpoints::of_variables(|name| self.get(name))
            .map_err(|error| SettingsError(error.to_string()))
    }

    /// What a service is told by all of these.
    ///
    /// # Errors
    /// When one can't be used; names it, not its value.
    pub fn of_service(&self) -> Result<HeldSettings, SettingsError> {
        Ok(HeldSettings {
            overrides: self.config_overrides(),
            endpoints: self.endpoints()?,
            lease: self.lease_times()?,
            read_only: self.read_only()?,
            requests_per_minute: self.requests_per_minute()?,
            relay_key: self.get(KEDGE_RELAY_KEY).map(SecretText::new),
        })
    }

    /// The credentials of all providers. `GOOGLE_CREDENTIALS` is JSON, JSON in base64, or the path of a
    /// file with JSON; a relative path begins at `folder`. What is none of these is reported beside the
    /// credentials, since only what needs it suffers. The message names the variable and never its
    /// value, which may be a key in another form. The value stays the credential, so that a provider
    /// refuses it as unusable and does not call it missing.
    #[must_use]
    pub fn secrets(&self, folder: &Path) -> (NativeSecrets, Option<SettingsError>) {
        let mut secrets = BTreeMap::new();
        let mut problem = None;
        for provider in ProviderName::ALL {
            let credential = &provider.entry().credential;
            let name = credential.variable;
            let Some(value) = self.get(name) else {
                continue;
            };
            let text = match credential.may_be_a_file {
                true => key_text(value, folder),
                false => Ok(value.to_owned()),
            };
            let text = text.unwrap_or_else(|error| {
                problem = Some(SettingsError(format!(
                    "{name} can't be used; it must be the JSON of a key (it begins with a brace), \
                     that JSON in base64, or the path of a file that has it (as a path: {error})"
                )));
                value.to_owned()
            });
            secrets.insert(name, SecretText::new(text));
        }
        (NativeSecrets(secrets), problem)
    }
}

/// The variables of the process.
pub fn process_variables() -> impl Iterator<Item = (String, String)> {
    // A value that is not Unicode is set and unusable, so it is not passed over.
    std::env::vars_os().filter_map(|(name, value)| {
        let value = value.to_string_lossy().into_owned();
        Some((name.into_string().ok()?, value))
    })
}

/// The JSON of a key that is given as it is, in base64, or by the path of its file.
fn key_text(value: &str, folder: &Path) -> io::Result<String> {
    match is_object(value) {
        true => Ok(value.to_owned()),
        false => decoded(value).map_or_else(|| fs::read_to_string(folder.join(value)), Ok),
    }
}

/// JSON in base64, with or without padding and line breaks. What does not decode to a JSON object is no
/// base64 of a key: it may be a path.
fn decoded(value: &str) -> Option<String> {
    let config =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let text: String = value.split_whitespace().collect();
    [STANDARD, URL_SAFE].iter().find_map(|alphabet| {
        let bytes = GeneralPurpose::new(alphabet, config).decode(&text).ok()?;
        String::from_utf8(bytes).ok().filter(|text| is_object(text))
    })
}

fn is_object(text: &str) -> bool {
    text.trim_start().starts_with('{')
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Credentials by name.
#[derive(Debug, Clone, Default)]
pub struct NativeSecrets(BTreeMap<&'static str, SecretText>);

impl Secrets for NativeSecrets {
    fn secret(&self, name: &str) -> Option<SecretText> {
        self.0.get(name).cloned()
    }
}

fn is_blank(text: &str) -> bool {
    text.trim().is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        let empty = tempfile::tempdir().unwrap();
        let pairs = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Settings::merge(pairs, empty.path()).unwrap()
    }

    #[test]
    fn the_process_wins_over_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let text = "AIVEN_TOKEN=file\nCLOUDFLARE_API_TOKEN=file\nAIVEN_WEB_URL=\n";
        fs::write(folder.path().join(".env"), text).unwrap();
        let process = [
            ("AIVEN_TOKEN".to_owned(), "process".to_owned()),
            ("CLOUDFLARE_API_TOKEN".to_owned(), " ".to_owned()),
        ];
        let settings = Settings::merge(process, folder.path()).unwrap();
        assert_eq!(settings.get("AIVEN_TOKEN"), Some("process"));
        assert_eq!(settings.get("CLOUDFLARE_API_TOKEN"), Some("file"));
        assert_eq!(settings.get("AIVEN_WEB_URL"), None);
        assert!(!format!("{settings:?}").contains("process"));
    }

    #[test]
    fn a_bad_file_is_named_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(".env"), "A=1\nhunter2\n").unwrap();
        let error = Settings::merge([], folder.path()).unwrap_err().to_string();
        assert!(
            error.contains(".env:2: ") && !error.contains("hunter2"),
            "{error}"
        );
    }

    #[test]
    fn the_real_environment_is_read() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Settings::load(folder.path()).unwrap().get("PATH").is_some());
    }

    #[test]
    fn rates_come_from_the_variables() {
        let name = "KEDGE_AIVEN_REQUESTS_PER_MINUTE";
        let found = settings(&[(name, "300")]).requests_per_minute().unwrap();
        assert_eq!(found, [(ProviderName::Aiven, 300)].into());
        for bad in ["0", "-1", "1.5", "many"] {
            let error = settings(&[(name, bad)]).requests_per_minute().unwrap_err();
            assert!(error.to_string().starts_with(name), "{error}");
        }
    }

    #[test]
    fn addresses_come_from_the_variables() {
        assert_eq!(settings(&[]).endpoints().unwrap(), Endpoints::default());
        for provider in ProviderName::ALL {
            let variable = provider.entry().endpoint.variable;
            let replaced = settings(&[(variable, "http://127.0.0.1:8080/")]);
            let base = replaced.endpoints().unwrap().base(provider).to_owned();
            assert_eq!(base, "http://127.0.0.1:8080");
            let error = settings(&[(variable, "ftp://hunter2")]).endpoints();
            let text = error.unwrap_err().to_string();
            assert!(
                text.starts_with(variable) && !text.contains("hunter2"),
                "{text}"
            );
        }
    }

    #[test]
    fn read_only_is_yes_no_or_an_error() {
        for (value, meant) in [("1", true), ("TRUE", true), ("0", false), ("", false)] {
            let read_only = settings(&[("KEDGE_READ_ONLY", value)]).read_only();
            assert_eq!(read_only, Ok(meant), "{value}");
        }
        assert!(
            settings(&[("KEDGE_READ_ONLY", "maybe")])
                .read_only()
                .is_err()
        );
    }

    #[test]
    fn config_overrides_are_in_lower_case() {
        let overrides = settings(&[
            ("KEDGE_CONFIG_CLOUDFLARE_ZONE_ID", "z"),
            ("KEDGE_CONFIG_", "x"),
            ("KEDGE_STACK", "dev"),
        ])
        .config_overrides();
        let wanted = BTreeMap::from([("cloudflare_zone_id".to_owned(), "z".to_owned())]);
        assert_eq!(overrides, wanted);
    }

    #[test]
    fn google_credentials_are_text_or_a_path() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("key.json"), "{\"from\":\"file\"}").unwrap();
        let google = |value: &str| {
            settings(&[("GOOGLE_CREDENTIALS", value), ("AIVEN_TOKEN", "t\n")])
                .secrets(folder.path())
        };
        let reveal = |secrets: &NativeSecrets, name: &str| {
            secrets
                .secret(name)
                .map(|secret| secret.reveal().to_owned())
        };
        let inline = google(" {\"from\":\"text\"}").0;
        assert_eq!(
            reveal(&inline, "GOOGLE_CREDENTIALS").unwrap(),
            "{\"from\":\"text\"}"
        );
        assert_eq!(reveal(&inline, "AIVEN_TOKEN").unwrap(), "t");
        assert_eq!(reveal(&inline, "CLOUDFLARE_API_TOKEN"), None);
        let absolute = folder.path().join("key.json");
        for path in ["key.json", "./key.json", absolute.to_str().unwrap()] {
            let secrets = google(path).0;
            assert_eq!(
                reveal(&secrets, "GOOGLE_CREDENTIALS").unwrap(),
                "{\"from\":\"file\"}"
            );
        }
    }

    #[test]
    fn a_key_in_base64_is_decoded() {
        let key = "{\"type\":\"service_account\",\"private_key\":\"\u{e4}?>\"}";
        let folder = tempfile::tempdir().unwrap();
        let standard = base64::engine::general_purpose::STANDARD.encode(key);
        let url_safe = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(key);
        assert_ne!(standard.trim_end_matches('='), url_safe);
        let (first, rest) = standard.split_at(20);
        for value in [
            standard.clone(),
            format!("{first}\n{rest}\n"),
            url_safe,
            base64::engine::general_purpose::STANDARD.encode(format!("\n{key}")),
        ] {
            let set = settings(&[("GOOGLE_CREDENTIALS", &value)]);
            let (secrets, problem) = set.secrets(folder.path());
            assert_eq!(problem, None);
            let secret = secrets.secret("GOOGLE_CREDENTIALS").unwrap();
            assert_eq!(secret.reveal().trim(), key);
        }
    }

    #[test]
    fn a_credential_that_can_not_be_used_is_named_and_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let key = "{\"private_key\":\"hunter2\"}";
        let half = &base64::engine::general_purpose::STANDARD.encode(key)[..21];
        let long = format!("hunter2{}", "x".repeat(5_000));
        for value in [
            "hunter2.json",
            "keys/hunter2",
            half,
            "'{\"private_key\":\"hunter2\"}'",
            "-----BEGIN PRIVATE KEY-----\nhunter2",
            "hunter2\0",
            &long,
            ".",
        ] {
            let pairs = [("GOOGLE_CREDENTIALS", value), ("AIVEN_TOKEN", "t")];
            let (secrets, problem) = settings(&pairs).secrets(folder.path());
            let problem = problem.unwrap().to_string();
            assert!(problem.starts_with("GOOGLE_CREDENTIALS can't"), "{problem}");
            let shown = [problem, format!("{secrets:?} {:?}", settings(&pairs))];
            for text in &shown {
                assert!(!text.contains("hunter2") && !text.contains(half), "{text}");
            }
            assert_eq!(secrets.secret("AIVEN_TOKEN").unwrap().reveal(), "t");
            // It is set, so nobody is told that it is not.
            assert!(secrets.secret("GOOGLE_CREDENTIALS").is_some());
        }
    }
}
