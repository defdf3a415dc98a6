//! Where the S3 API is, and with which key pair.

use std::fmt;

use http::Uri;
use kedge_core::model::SecretText;
use thiserror::Error;

/// A variable is missing or can't be used. Never holds a value.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct S3SettingsError(String);

/// A key pair by the names of its variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PairNames {
    pub(crate) id: &'static str,
    pub(crate) secret: &'static str,
}

/// The first pair that is set counts; ours before what other tools of the machine may use.
const PAIRS: [PairNames; 2] = [
    PairNames {
        id: "R2_ACCESS_KEY_ID",
        secret: "R2_SECRET_ACCESS_KEY",
    },
    PairNames {
        id: "AWS_ACCESS_KEY_ID",
        secret: "AWS_SECRET_ACCESS_KEY",
    },
];
/// The variables of ours that hold something secret, or belong to it.
pub const SECRET_VARIABLES: [&str; 2] = [PAIRS[0].id, PAIRS[0].secret];
const ENDPOINTS: [&str; 2] = ["R2_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"];
const REGION: &str = "AWS_REGION";
/// R2's one region (developers.cloudflare.com/r2/api/s3/api).
const AUTO: &str = "auto";
const R2_HOST: &str = ".r2.cloudflarestorage.com";

/// Where to ask and how to sign.
#[derive(Clone)]
pub struct S3Settings {
    pub(crate) endpoint: String,
    /// Host and port, for messages.
    pub(crate) host: String,
    pub(crate) endpoint_name: &'static str,
    pub(crate) region: String,
    pub(crate) key_id: String,
    pub(crate) secret: SecretText,
    pub(crate) pair: PairNames,
}

impl fmt::Debug for S3Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Settings")
            .field("endpoint", &self.endpoint)
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

impl S3Settings {
    /// Takes `R2_ACCESS_KEY_ID`, `R2_SECRET_ACCESS_KEY` and `R2_ENDPOINT_URL`, or where they are not
    /// set `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_ENDPOINT_URL_S3`. `AWS_REGION`
    /// counts for other servers than R2, whose one region is `auto`. A session token is not taken:
    /// on a Lambda it would be that of the function's role, which R2 refuses.
    ///
    /// # Errors
    /// When a variable is missing or is no address; names it.
    pub fn from_variables<'v>(
        variable: impl Fn(&str) -> Option<&'v str>,
    ) -> Result<Self, S3SettingsError> {
        let (pair, key_id, secret) = key_pair(&variable)?;
        let [first, second] = ENDPOINTS;
        let found = ENDPOINTS
            .iter()
            .find_map(|name| Some((*name, variable(name)?)));
        let Some((endpoint_name, text)) = found else {
            return Err(S3SettingsError(format!(
                "the store is a bucket, and {first} is not set: it is \
                 https://<account-id>{R2_HOST}, or {second} the address of another S3 server"
            )));
        };
        let endpoint = text.trim_end_matches('/');
        let (host, has_path) = host(endpoint_name, endpoint)?;
        // AWS's client appends the bucket as it is to a path that has no final slash.
        let slash = if has_path { "/" } else { "" };
        let region = match variable(REGION) {
            Some(region) if !host.ends_with(R2_HOST) => region,
            _ => AUTO,
        };
        Ok(Self {
            endpoint: format!("{endpoint}{slash}"),
            host,
            endpoint_name,
            region: region.to_owned(),
            key_id: key_id.to_owned(),
            secret: SecretText::new(secret),
            pair,
        })
    }
}

/// The first pair of which something is set. Half a pair is a mistake, and no reason to take another
/// pair, which may belong to another account.
fn key_pair<'v>(
    variable: &impl Fn(&str) -> Option<&'v str>,
) -> Result<(PairNames, &'v str, &'v str), S3SettingsError> {
    for pair in PAIRS {
        match (variable(pair.id), variable(pair.secret)) {
            (Some(id), Some(secret)) => return Ok((pair, id, secret)),
            (None, None) => {}
            (Some(_), None) => return Err(half(pair.id, pair.secret)),
            (None, Some(_)) => return Err(half(pair.secret, pair.id)),
        }
    }
    let [PairNames { id, secret }, _] = PAIRS;
    Err(S3SettingsError(format!(
        "the store is a bucket, and {id} and {secret} are not set: they are the key pair of an R2 \
         API token with Object Read & Write on the bucket"
    )))
}

fn half(there: &str, missing: &str) -> S3SettingsError {
    S3SettingsError(format!(
        "{there} is set and {missing} is not; they are one pair"
    ))
}

/// Checks the endpoint, and gives its host and port, and whether it has a path.
fn host(name: &str, endpoint: &str) -> Result<(String, bool), S3SettingsError> {
    let fail = || {
        S3SettingsError(format!(
            "{name} must be an address like https://<account-id>{R2_HOST}, with no user, query or \
             fragment"
        ))
    };
    let uri: Uri = endpoint.parse().map_err(|_| fail())?;
    let authority = uri.authority().ok_or_else(fail)?;
    let is_plain = matches!(uri.scheme_str(), Some("http" | "https"))
        && !authority.host().is_empty()
        && !endpoint.contains(['@', '?', '#']);
    if !is_plain {
        return Err(fail());
    }
    let has_path = !matches!(uri.path(), "" | "/");
    // Cloudflare's pages show the address of a bucket, too.
    if authority.host().ends_with(R2_HOST) && has_path {
        return Err(S3SettingsError(format!(
            "{name} must end with {R2_HOST}; the bucket is named by the store's address"
        )));
    }
    Ok((authority.to_string(), has_path))
}

#[cfg(test)]
mod tests {
    use super::*;

    const R2: (&str, &str) = ("R2_ENDPOINT_URL", "https://acc.r2.cloudflarestorage.com/");

    fn of(pairs: &[(&'static str, &'static str)]) -> Result<S3Settings, String> {
        let find = |name: &str| pairs.iter().find(|pair| pair.0 == name).map(|pair| pair.1);
        S3Settings::from_variables(find).map_err(|error| error.to_string())
    }

    #[test]
    fn ours_win_over_the_machines() {
        let aws = [
            ("AWS_ACCESS_KEY_ID", "aws"),
            ("AWS_SECRET_ACCESS_KEY", "s3cret"),
            ("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9000/s3/"),
            ("AWS_REGION", "eu-central-1"),
        ];
        let settings = of(&aws).unwrap();
        assert_eq!(settings.key_id, "aws");
        assert_eq!(settings.endpoint, "http://127.0.0.1:9000/s3/");
        assert_eq!(settings.host, "127.0.0.1:9000");
        assert_eq!(settings.region, "eu-central-1");
        let ours = [
            ("R2_ACCESS_KEY_ID", "r2"),
            ("R2_SECRET_ACCESS_KEY", "s3cret"),
            R2,
        ];
        let both: Vec<_> = aws.into_iter().chain(ours).collect();
        let settings = of(&both).unwrap();
        assert_eq!(settings.key_id, "r2");
        assert_eq!(settings.host, "acc.r2.cloudflarestorage.com");
        assert_eq!(settings.endpoint, "https://acc.r2.cloudflarestorage.com");
        assert_eq!(settings.region, "auto", "R2 refuses a Lambda's own region");
        assert!(!format!("{settings:?}").contains("s3cret"));
    }

    #[test]
    fn what_is_missing_is_named() {
        for (pairs, parts) in [
            (&[R2][..], &["R2_ACCESS_KEY_ID", "R2_SECRET_ACCESS_KEY"][..]),
            (
                &[R2, ("R2_ACCESS_KEY_ID", "x")],
                &["R2_ACCESS_KEY_ID is set and R2_SECRET_ACCESS_KEY is not"],
            ),
            (
                &[
                    R2,
                    ("R2_SECRET_ACCESS_KEY", "hunter2"),
                    ("AWS_ACCESS_KEY_ID", "x"),
                    ("AWS_SECRET_ACCESS_KEY", "hunter2"),
                ],
                &["R2_SECRET_ACCESS_KEY is set and R2_ACCESS_KEY_ID is not"],
            ),
            (
                &[R2, ("AWS_SECRET_ACCESS_KEY", "hunter2")],
                &["AWS_SECRET_ACCESS_KEY is set and AWS_ACCESS_KEY_ID is not"],
            ),
            (
                &[
                    ("R2_ACCESS_KEY_ID", "x"),
                    ("R2_SECRET_ACCESS_KEY", "hunter2"),
                ],
                &["R2_ENDPOINT_URL", "<account-id>"],
            ),
        ] {
            let error = of(pairs).unwrap_err();
            assert!(parts.iter().all(|part| error.contains(part)), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn endpoints_that_are_none_are_refused() {
        for bad in [
            "acc.r2.cloudflarestorage.com",
            "ftp://h",
            "https://",
            "https://u:hunter2@h",
            "https://h/?t=hunter2",
            "https://h/#hunter2",
            "https://h h",
            "https://acc.r2.cloudflarestorage.com/bucket",
        ] {
            let pair = [("R2_ACCESS_KEY_ID", "x"), ("R2_SECRET_ACCESS_KEY", "y")];
            let error = of(&[pair[0], pair[1], ("R2_ENDPOINT_URL", bad)]).unwrap_err();
            assert!(error.starts_with("R2_ENDPOINT_URL "), "{bad}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
