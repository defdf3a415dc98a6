//! Where the providers' APIs are: each provider's own address, or what a variable says instead.
//!
//! The names of the variables and the default addresses are in the providers' entries
//! ([`kedge_core::providers`]). The variables come in as a lookup; nothing here reads an environment.

use std::collections::BTreeMap;

use http::Uri;
use kedge_core::providers::ProviderName;
use thiserror::Error;

/// A variable does not hold the address of an API. Never repeats its value, which may hold a secret.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{variable} must be an address like https://host or http://host:port/path, with no user, query or fragment"
)]
pub struct EndpointError {
    /// The variable.
    pub variable: &'static str,
}

/// An address that replaces a provider's own.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Replacement {
    base: String,
    /// Whether it is called without credentials.
    is_emulator: bool,
}

/// Where the providers' APIs are. The default is their own addresses.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Endpoints(BTreeMap<ProviderName, Replacement>);

impl Endpoints {
    /// The providers' own addresses, less those that a variable replaces.
    ///
    /// # Errors
    /// When a variable is not an http or https address.
    pub fn of_variables<'v>(get: impl Fn(&str) -> Option<&'v str>) -> Result<Self, EndpointError> {
        let mut endpoints = Self::default();
        for provider in ProviderName::ALL {
            let endpoint = &provider.entry().endpoint;
            let Some(text) = get(endpoint.variable) else {
                continue;
            };
            // Google's clients write it as host:port, some tools as a URL.
            let full = match endpoint.is_emulator && !text.contains("://") {
                true => format!("http://{text}"),
                false => text.to_owned(),
            };
            let base = base(&full).ok_or(EndpointError {
                variable: endpoint.variable,
            })?;
            endpoints.replace(provider, base, endpoint.is_emulator);
        }
        Ok(endpoints)
    }

    /// Replaces a provider's address, which has no final slash.
    pub fn replace(&mut self, provider: ProviderName, base: String, is_emulator: bool) {
        let replacement = Replacement { base, is_emulator };
        self.0.insert(provider, replacement);
    }

    /// A provider's address, without a final slash.
    #[must_use]
    pub fn base(&self, provider: ProviderName) -> &str {
        let own = provider.entry().endpoint.default;
        self.0.get(&provider).map_or(own, |other| &other.base)
    }

    /// Whether a provider wants credentials; an emulator does not.
    #[must_use]
    pub fn is_authenticated(&self, provider: ProviderName) -> bool {
        self.0.get(&provider).is_none_or(|other| !other.is_emulator)
    }
}

/// The address of an API without final slashes; none if it is not one.
fn base(text: &str) -> Option<String> {
    let text = text.trim_end_matches('/');
    let uri: Uri = text.parse().ok()?;
    let is_plain = matches!(uri.scheme_str(), Some("http" | "https"))
        && uri.host().is_some_and(|host| !host.is_empty())
        && !text.contains(['@', '?', '#']);
    is_plain.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&str, &'static str)]) -> Result<Endpoints, EndpointError> {
        Endpoints::of_variables(|name| {
            let found = pairs.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| *value)
        })
    }

    #[test]
    fn each_variable_replaces_its_providers_address() {
        assert_eq!(of(&[]), Ok(Endpoints::default()));
        for provider in ProviderName::ALL {
            let endpoint = &provider.entry().endpoint;
            let replaced = of(&[(endpoint.variable, "http://127.0.0.1:8080/x//")]).unwrap();
            for other in ProviderName::ALL {
                let own = other.entry().endpoint.default;
                let is_it = other == provider;
                let expected = if is_it {
                    "http://127.0.0.1:8080/x"
                } else {
                    own
                };
                assert_eq!(replaced.base(other), expected, "{other:?}");
                let is_authenticated = !(is_it && endpoint.is_emulator);
                assert_eq!(
                    replaced.is_authenticated(other),
                    is_authenticated,
                    "{other:?}"
                );
            }
        }
    }

    #[test]
    fn an_emulator_is_a_host_and_a_port() {
        for (text, base) in [
            ("localhost:8085", "http://localhost:8085"),
            ("http://[::1]:8085/", "http://[::1]:8085"),
        ] {
            let endpoints = of(&[("PUBSUB_EMULATOR_HOST", text)]).unwrap();
            assert_eq!(endpoints.base(ProviderName::Pubsub), base);
        }
    }

    #[test]
    fn other_texts_are_refused_and_not_repeated() {
        for bad in [
            "api.aiven.io",
            "ftp://h",
            "https://",
            "https://u:hunter2@h",
            "https://h/?t=hunter2",
            "https://h/#hunter2",
            "https://h h",
            "file:///etc",
        ] {
            let text = of(&[("AIVEN_WEB_URL", bad)]).unwrap_err().to_string();
            assert!(
                text.starts_with("AIVEN_WEB_URL ") && !text.contains("hunter2"),
                "{bad}"
            );
        }
    }
}
