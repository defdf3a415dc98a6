//! Cloudflare's JSON. No other file knows it.
//!
//! Reading is lenient in form (unknown fields, null, numbers as texts) and never guesses: a field
//! of an unexpected type stays visible as such, and `normalize` refuses it.

use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::super::object;
use super::super::words::{of_other_body, words};

/// A scalar as it came, or what stood in its place.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) enum Loose {
    /// No such key, or null.
    #[default]
    Missing,
    /// `true` or `false`.
    Flag(bool),
    /// A whole number; also one written as a text or with `.0`.
    Number(i64),
    /// Any other text.
    Text(String),
    /// A list, an object, a fraction.
    Strange,
}

impl Loose {
    /// The number, if it is one or a text of one.
    pub(super) fn number(&self) -> Option<i64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// The text, if it is one and not empty.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) if !text.is_empty() => Some(text),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for Loose {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LooseVisitor)
    }
}

struct LooseVisitor;

impl<'de> Visitor<'de> for LooseVisitor {
    type Value = Loose;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_unit<E>(self) -> Result<Loose, E> {
        Ok(Loose::Missing)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Loose, E> {
        Ok(Loose::Flag(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Loose, E> {
        Ok(Loose::Number(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Loose, E> {
        Ok(i64::try_from(number).map_or(Loose::Strange, Loose::Number))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Loose, E> {
        // The schema says `number`, so 300.0 is a whole number in another form. Its text decides,
        // since casts round.
        let text = format!("{number}");
        Ok(text.parse().map_or(Loose::Strange, Loose::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Loose, E> {
        Ok(Loose::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Loose, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Loose::Strange)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Loose, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Loose::Strange)
    }
}

/// One record of a list.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
pub(super) struct WireRecord {
    pub(super) id: Loose,
    #[serde(rename = "type")]
    pub(super) kind: Loose,
    pub(super) name: Loose,
    pub(super) content: Loose,
    pub(super) ttl: Loose,
    pub(super) proxied: Loose,
    pub(super) comment: Loose,
    /// As it came: `{}`, null or left out where nothing is set.
    pub(super) settings: serde_json::Value,
    pub(super) private_routing: Loose,
}

impl WireRecord {
    /// Whether a flag of `settings` is on.
    pub(super) fn has_setting(&self, name: &str) -> bool {
        self.settings.get(name) == Some(&serde_json::Value::Bool(true))
    }
}

/// What is read of a zone itself.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
pub(super) struct WireZone {
    pub(super) name: Loose,
    pub(super) status: Loose,
    pub(super) paused: Loose,
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Page {
    pub(super) records: Vec<WireRecord>,
    /// How many records the whole list has, as the server says.
    pub(super) total_count: usize,
    /// How many records a full page has, as the server says; 0 if it doesn't.
    pub(super) per_page: usize,
}

#[derive(Deserialize)]
struct ListTwin {
    #[serde(default)]
    success: Loose,
    #[serde(default, deserialize_with = "object::list_option")]
    result: Option<Vec<WireRecord>>,
    #[serde(default, deserialize_with = "object::option")]
    result_info: Option<InfoTwin>,
}

#[derive(Deserialize)]
struct ZoneTwin {
    #[serde(default)]
    success: Loose,
    #[serde(default, deserialize_with = "object::option")]
    result: Option<WireZone>,
}

/// Reads a zone.
///
/// # Errors
/// What is wrong with the answer, without a part of it.
pub(super) fn zone(body: &[u8]) -> Result<WireZone, &'static str> {
    let twin: ZoneTwin = object::read(body).map_err(|error| shape_problem(&error))?;
    match (twin.success, twin.result) {
        (Loose::Flag(true), Some(zone)) => Ok(zone),
        (Loose::Flag(true), None) => Err("the answer has no zone"),
        _ => Err("the answer does not say that it succeeded"),
    }
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct InfoTwin {
    total_count: Loose,
    per_page: Loose,
}

/// Reads a page of records.
///
/// # Errors
/// What is wrong with the answer, without a part of it.
pub(super) fn page(body: &[u8]) -> Result<Page, &'static str> {
    let twin: ListTwin = object::read(body).map_err(|error| shape_problem(&error))?;
    if twin.success != Loose::Flag(true) {
        return Err("the answer does not say that it succeeded");
    }
    let records = twin.result.ok_or("the answer has no list")?;
    let info = twin.result_info.unwrap_or_default();
    let size = |loose: &Loose| {
        loose
            .number()
            .and_then(|number| usize::try_from(number).ok())
    };
    let total_count =
        size(&info.total_count).ok_or("the answer does not say how many records there are")?;
    Ok(Page {
        records,
        total_count,
        per_page: size(&info.per_page).unwrap_or(0),
    })
}

fn shape_problem(error: &serde_json::Error) -> &'static str {
    match error.classify() {
        serde_json::error::Category::Eof => "the answer was cut off",
        serde_json::error::Category::Data => {
            "the answer does not have the form that Cloudflare documents"
        }
        _ => "the answer is not JSON",
    }
}

/// One entry of `errors`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CloudflareProblem {
    pub(super) code: i64,
    /// Cloudflare's own [`words`]; may be empty.
    pub(super) message: String,
}

#[derive(Deserialize)]
struct OutcomeTwin {
    #[serde(default)]
    success: Loose,
    errors: Option<Vec<ProblemTwin>>,
}

#[derive(Deserialize)]
struct ProblemTwin {
    #[serde(default)]
    code: Loose,
    #[serde(default)]
    message: Loose,
    error_chain: Option<Vec<ProblemTwin>>,
}

/// The problems an answer names, a problem's chain after it; none when the body is something else
/// (429 comes with `{}` (octodns-cloudflare tests), a gateway's 5xx with HTML). A plain text of the
/// edge's is a problem without a code.
pub(super) fn problems(body: &[u8]) -> Vec<CloudflareProblem> {
    let mut found = Vec::new();
    match object::read::<OutcomeTwin>(body) {
        Ok(twin) => collect(twin.errors.unwrap_or_default(), &mut found),
        Err(_) => found.push(CloudflareProblem {
            code: 0,
            message: of_other_body(body),
        }),
    }
    found.retain(|problem| problem.code != 0 || !problem.message.is_empty());
    found
}

fn collect(twins: Vec<ProblemTwin>, found: &mut Vec<CloudflareProblem>) {
    for twin in twins {
        found.push(CloudflareProblem {
            code: twin.code.number().unwrap_or(0),
            message: words(twin.message.text().unwrap_or_default()),
        });
        collect(twin.error_chain.unwrap_or_default(), found);
    }
}

/// Whether a write's answer says in so many words that it was done.
pub(super) fn is_success(body: &[u8]) -> bool {
    object::read(body).is_ok_and(|twin: OutcomeTwin| twin.success == Loose::Flag(true))
}

#[derive(Deserialize)]
struct BatchTwin {
    #[serde(default, deserialize_with = "object::option")]
    result: Option<MadeTwin>,
}

#[derive(Deserialize)]
struct MadeTwin {
    #[serde(default, deserialize_with = "object::list_option")]
    posts: Option<Vec<WireRecord>>,
}

/// The records that a batch created, as its answer shows them; none where it doesn't.
pub(super) fn created(body: &[u8]) -> Vec<WireRecord> {
    let twin: Option<BatchTwin> = object::read(body).ok();
    let made = twin.and_then(|twin| twin.result?.posts);
    made.unwrap_or_default()
}

/// The body of a batch. Cloudflare carries it out in this order, in one transaction (Cloudflare
/// OpenAPI, `dns_records/batch`).
#[derive(Debug, Serialize)]
pub(super) struct WireBatch<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) deletes: Vec<WireDelete<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) patches: Vec<WirePatch<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) posts: Vec<WirePost<'a>>,
}

/// A record to delete.
#[derive(Debug, Serialize)]
pub(super) struct WireDelete<'a> {
    pub(super) id: &'a str,
}

/// Fields of a record to change; the others stay.
#[derive(Debug, Serialize)]
pub(super) struct WirePatch<'a> {
    pub(super) id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ttl: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) proxied: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) comment: Option<&'a str>,
}

/// A record to create.
#[derive(Debug, Serialize)]
pub(super) struct WirePost<'a> {
    #[serde(rename = "type")]
    pub(super) kind: &'a str,
    pub(super) name: &'a str,
    pub(super) content: &'a str,
    pub(super) ttl: i64,
    pub(super) proxied: bool,
    pub(super) comment: &'a str,
}

#[cfg(test)]
mod tests;
