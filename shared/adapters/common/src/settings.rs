//! What variables say to Kedge. Which variables the providers have is in their entries
//! ([`kedge_core::providers`]); where variables come from is the platform's matter.

use std::collections::BTreeMap;
use std::fmt;
use std::io;

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use kedge_core::model::SecretText;
use kedge_core::providers::ProviderName;
use kedge_engine::ports::Secrets;
use kedge_engine::{Endpoints, LeaseTimes};
use kedge_service::HeldSettings;
use thiserror::Error;

/// A variable, or where it stands, can't be used. Never holds a value.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct SettingsError(pub String);

/// Variables by name. An empty value counts as unset, as it does in CI systems. `Debug` shows names only.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Settings(BTreeMap<String, String>);

const KEDGE_READ_ONLY: &str = "KEDGE_READ_ONLY";
const KEDGE_LEASE_SECONDS: &str = "KEDGE_LEASE_SECONDS";
const CONFIG_PREFIX: &str = "KEDGE_CONFIG_";
/// The key by which a relay signs events of uploads.
pub const KEDGE_RELAY_KEY: &str = "KEDGE_RELAY_KEY";

impl Settings {
    /// These variables. Of several with one name the last one that is set counts.
    #[must_use]
    pub fn of(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let variables = variables.into_iter();
        Self(variables.filter(|(_, value)| !is_blank(value)).collect())
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

    /// How leases are kept: `KEDGE_LEASE_SECONDS` scales all their times, for tests. All who share a
    /// store must use the same.
    ///
    /// # Errors
    /// When it is not a whole number of seconds from 1 to 3600.
    pub fn lease_times(&self) -> Result<LeaseTimes, SettingsError> {
        let Some(text) = self.get(KEDGE_LEASE_SECONDS) else {
            return Ok(LeaseTimes::default());
        };
        match text.parse::<u32>() {
            Ok(seconds @ 1..=3600) => Ok(LeaseTimes::of_seconds(seconds)),
            _ => Err(SettingsError(format!(
                "{KEDGE_LEASE_SECONDS} must be a whole number of seconds from 1 to 3600"
            ))),
        }
    }

    /// The credentials of all providers. `GOOGLE_CREDENTIALS` is JSON, JSON in base64, or the path of a
    /// file with JSON, which `read_file` reads. What is none of these is reported beside the
    /// credentials, since only what needs it suffers. The message names the variable and never its
    /// value, which may be a key in another form. The value stays the credential, so that a provider
    /// refuses it as unusable and does not call it missing.
    #[must_use]
    pub fn secrets(
        &self,
        read_file: impl Fn(&str) -> io::Result<String>,
    ) -> (HeldSecrets, Option<SettingsError>) {
        let mut secrets = BTreeMap::new();
        let mut problem = None;
        for provider in ProviderName::ALL {
            let credential = &provider.entry().credential;
            let name = credential.variable;
            let Some(value) = self.get(name) else {
                continue;
            };
            let text = match credential.may_be_a_file {
                true => key_text(value, &read_file),
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
        (HeldSecrets(secrets), problem)
    }
}

/// The JSON of a key that is given as it is, in base64, or by the path of its file.
fn key_text(value: &str, read_file: impl Fn(&str) -> io::Result<String>) -> io::Result<String> {
    match is_object(value) {
        true => Ok(value.to_owned()),
        false => decoded(value).map_or_else(|| read_file(value), Ok),
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
pub struct HeldSecrets(BTreeMap<&'static str, SecretText>);

impl Secrets for HeldSecrets {
    fn secret(&self, name: &str) -> Option<SecretText> {
        self.0.get(name).cloned()
    }
}

fn is_blank(text: &str) -> bool {
    text.trim().is_empty()
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        let pairs = pairs.iter();
        Settings::of(pairs.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    /// Where there are no files.
    fn no_file(_: &str) -> io::Result<String> {
        Err(ErrorKind::NotFound.into())
    }

    #[test]
    fn what_is_empty_is_unset_and_the_last_one_counts() {
        let pairs = [
            ("A", "1"),
            ("B", " "),
            ("A", " 2 "),
            ("A", ""),
            ("C", "\t\n"),
        ];
        let settings = settings(&pairs);
        let found = ["A", "B", "C", "D"].map(|name| settings.get(name));
        assert_eq!(found, [Some("2"), None, None, None]);
        assert_eq!(format!("{settings:?}"), r#"{"A"}"#);
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
    fn one_number_scales_all_times() {
        let times = |text: &str| settings(&[("KEDGE_LEASE_SECONDS", text)]).lease_times();
        assert_eq!(settings(&[]).lease_times(), Ok(LeaseTimes::default()));
        assert_eq!(times("60"), Ok(LeaseTimes::default()));
        assert_eq!(times("2"), Ok(LeaseTimes::of_seconds(2)));
        for bad in ["0", "3601", "-1", "1.5", "x"] {
            assert!(times(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn google_credentials_are_text_or_the_path_of_a_file() {
        let read = |path: &str| match path {
            "key.json" => Ok("{\"from\":\"file\"}".to_owned()),
            _ => no_file(path),
        };
        let google = |value: &str| {
            let pairs = [("GOOGLE_CREDENTIALS", value), ("AIVEN_TOKEN", "t\n")];
            settings(&pairs).secrets(read).0
        };
        let reveal = |secrets: &HeldSecrets, name: &str| {
            secrets
                .secret(name)
                .map(|secret| secret.reveal().to_owned())
        };
        let inline = google(" {\"from\":\"text\"}");
        let text = reveal(&inline, "GOOGLE_CREDENTIALS").unwrap();
        assert_eq!(text, "{\"from\":\"text\"}");
        // As a secret that was put there from a file has it.
        assert_eq!(reveal(&inline, "AIVEN_TOKEN").unwrap(), "t");
        assert_eq!(reveal(&inline, "CLOUDFLARE_API_TOKEN"), None);
        let text = reveal(&google("key.json"), "GOOGLE_CREDENTIALS").unwrap();
        assert_eq!(text, "{\"from\":\"file\"}");
    }

    #[test]
    fn a_key_in_base64_is_decoded() {
        let key = "{\"type\":\"service_account\",\"private_key\":\"\u{e4}?>\"}";
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
            let (secrets, problem) = set.secrets(no_file);
            assert_eq!(problem, None);
            let secret = secrets.secret("GOOGLE_CREDENTIALS").unwrap();
            assert_eq!(secret.reveal().trim(), key);
        }
    }

    #[test]
    fn a_credential_that_can_not_be_used_is_named_and_never_shown() {
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
            let (secrets, problem) = settings(&pairs).secrets(no_file);
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
