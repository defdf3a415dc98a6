//! Bodies, read strictly: one JSON object, no key that is not known, and bounds on all that is kept.

use ::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use kedge_core::model::is_hex;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Routed;
use super::problem::{Problem, ProblemKind};
use super::query::header;
use super::routes::BodyOf;

/// The most keys that one request names: as many changes as the guards let a plan have, and some more.
const KEYS_MAX: usize = 200;
/// The longest key, in characters: that of a Pub/Sub binding has under 1,000.
const KEY_CHARS_MAX: usize = 1_024;
/// The longest reason of a hold, in characters.
const REASON_CHARS_MAX: usize = 500;
/// How long a hold lasts: a second to 30 days, in any unit.
#[cfg(test)]
const HOLD_LENGTH: &str = "^0*(\
    ([1-9]|[12][0-9]|30)d|\
    ([1-9][0-9]?|[1-6][0-9]{2}|7[01][0-9]|720)h|\
    ([1-9][0-9]{0,3}|[1-3][0-9]{4}|4[0-2][0-9]{3}|43[01][0-9]{2}|43200)m|\
    ([1-9][0-9]{0,5}|1[0-9]{6}|2[0-4][0-9]{5}|25[0-8][0-9]{4}|259[01][0-9]{3}|2592000)s\
    )$";
/// Any character but white space, of which each language of patterns has an idea of its own.
#[cfg(test)]
const VISIBLE: &str = "[^\\u0009-\\u000d\\u0020\\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]";

/// Nothing is said of a check or a preview.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct AskBody {}

/// What somebody agrees to.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct UpBody {
    /// The digest of the plan, as a preview shows it. If the plan is another one by then, nothing is
    /// changed.
    #[cfg_attr(test, schemars(regex(pattern = "^[0-9a-f]{16,64}$")))]
    pub(super) digest: String,
    /// Destructive changes that are approved: keys of resources (short forms are fine), or `policy`.
    #[serde(default)]
    #[cfg_attr(test, schemars(length(max = 200), inner(length(min = 1, max = 1024))))]
    pub(super) allow: Vec<String>,
}

/// What is held, for how long and why.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct HoldBody {
    /// For how long: `30m`, `2h`, `3d`; at most `30d`.
    #[serde(rename = "for")]
    #[cfg_attr(test, schemars(regex(pattern = HOLD_LENGTH)))]
    pub(super) length: String,
    /// The reason, for everybody who is blocked by it.
    #[cfg_attr(test, schemars(length(min = 1, max = 500), regex(pattern = VISIBLE)))]
    pub(super) reason: String,
    /// The resources, by key (short forms are fine). None: the whole stack.
    #[serde(default)]
    #[cfg_attr(test, schemars(length(max = 200), inner(length(min = 1, max = 1024))))]
    pub(super) keys: Vec<String>,
}

/// What is released.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct ReleaseBody {
    /// The resources, by key (short forms are fine). None: the hold of the whole stack.
    #[serde(default)]
    #[cfg_attr(test, schemars(length(max = 200), inner(length(min = 1, max = 1024))))]
    pub(super) keys: Vec<String>,
}

/// An object that was uploaded.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct UploadEventBody {
    /// Its key: `upload/<stack>/PATH`.
    #[cfg_attr(test, schemars(length(min = 1, max = 1024)))]
    pub(super) key: String,
    /// Its version.
    #[cfg_attr(test, schemars(length(min = 1, max = 256)))]
    pub(super) etag: String,
}

/// Refuses a body where the route takes none, and one that is not JSON.
pub(super) fn is_expected(routed: &Routed<'_>) -> Result<(), Problem> {
    if routed.body.is_empty() {
        return Ok(());
    }
    if routed.route.body == BodyOf::Nothing {
        return Err(invalid("this request takes no body"));
    }
    let headers = &routed.head.headers;
    let not_json = |why: &str| Err(Problem::new(ProblemKind::NotJson, why));
    match header(headers, &CONTENT_TYPE)? {
        Some(kind) if is_json(kind) => {}
        _ => return not_json("send `Content-Type: application/json`"),
    }
    match header(headers, &CONTENT_ENCODING)? {
        None => Ok(()),
        Some(coding) if coding.eq_ignore_ascii_case("identity") => Ok(()),
        Some(_) => not_json("send it without a `Content-Encoding`"),
    }
}

/// `application/json`, in UTF-8.
fn is_json(kind: &str) -> bool {
    let mut parts = kind.split(';').map(str::trim);
    let is_json = parts
        .next()
        .is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"));
    is_json
        && parts.all(|parameter| {
            parameter
                .replace('"', "")
                .eq_ignore_ascii_case("charset=utf-8")
        })
}

/// Reads a body. An empty one is `{}`.
pub(super) fn read<T: DeserializeOwned>(routed: &Routed<'_>) -> Result<T, Problem> {
    let bytes: &[u8] = match routed.body.is_empty() {
        true => b"{}",
        false => routed.body,
    };
    // What is written as a list would be taken for the values of an object, by their places.
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(invalid("it must be a JSON object"));
    }
    serde_json::from_slice(bytes).map_err(|error| invalid(&error.to_string()))
}

/// Refuses a list of keys that is too long.
pub(super) fn bounded(name: &str, keys: &[String]) -> Result<(), Problem> {
    let is_fine = |key: &String| (1..=KEY_CHARS_MAX).contains(&key.chars().count());
    match keys.len() <= KEYS_MAX && keys.iter().all(is_fine) {
        true => Ok(()),
        false => Err(invalid(&format!(
            "`{name}` has at most {KEYS_MAX} keys of 1 to {KEY_CHARS_MAX} characters"
        ))),
    }
}

impl UpBody {
    /// Reads and checks it.
    pub(super) fn read(routed: &Routed<'_>) -> Result<Self, Problem> {
        let body: Self = read(routed)?;
        if !(16..=64).contains(&body.digest.len()) || !is_hex(&body.digest) {
            return Err(invalid(
                "`digest` is that of a preview: 16 to 64 hexadecimal digits",
            ));
        }
        bounded("allow", &body.allow)?;
        Ok(body)
    }
}

impl HoldBody {
    /// Reads and checks it.
    pub(super) fn read(routed: &Routed<'_>) -> Result<Self, Problem> {
        let body: Self = read(routed)?;
        if !(1..=REASON_CHARS_MAX).contains(&body.reason.chars().count()) {
            return Err(invalid(&format!(
                "`reason` has 1 to {REASON_CHARS_MAX} characters"
            )));
        }
        bounded("keys", &body.keys)?;
        Ok(body)
    }
}

/// The body can't be used.
pub(super) fn invalid(why: &str) -> Problem {
    Problem::new(ProblemKind::InvalidBody, why)
}
