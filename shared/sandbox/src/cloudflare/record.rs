//! A DNS record: how its fields are read, completed and shown.

use super::{ErrorEntry, Zone};
use crate::call::Object;
use serde::Serialize;
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const TYPES: &[&str] = &[
    "A",
    "AAAA",
    "CAA",
    "CERT",
    "CNAME",
    "DNSKEY",
    "DS",
    "HTTPS",
    "LOC",
    "MX",
    "NAPTR",
    "NS",
    "OPENPGPKEY",
    "PTR",
    "SMIMEA",
    "SRV",
    "SSHFP",
    "SVCB",
    "TLSA",
    "TXT",
    "URI",
];
/// On a Free zone; paid zones take 500.
const LONGEST_COMMENT: usize = 100;

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Record {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) content: String,
    pub(super) ttl: u32,
    pub(super) proxied: bool,
    pub(super) comment: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) priority: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) data: Option<Value>,
    pub(super) settings: Object,
    pub(super) created_ms: i64,
    pub(super) modified_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) comment_modified_ms: Option<i64>,
}

/// Microseconds and a Z, as the API prints times.
pub(super) fn print_time(ms: i64) -> String {
    let time = jiff::Timestamp::from_millisecond(ms).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    time.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

impl Record {
    pub(super) fn show(&self, id: &str) -> Value {
        let mut shown = json!({
            "id": id,
            "name": self.name,
            "type": self.kind,
            "content": self.content,
            "proxiable": self.is_proxiable(),
            "proxied": self.proxied,
            "ttl": self.ttl,
            "settings": self.settings,
            "meta": {},
            // null when unset, never "" (terraform-provider-cloudflare takes both for the same).
            "comment": self.comment,
            "tags": [],
            "created_on": print_time(self.created_ms),
            "modified_on": print_time(self.modified_ms),
        });
        if let Some(object) = shown.as_object_mut() {
            let mut add = |key: &str, value: Option<Value>| {
                if let Some(value) = value {
                    object.insert(key.to_owned(), value);
                }
            };
            add(
                "comment_modified_on",
                self.comment_modified_ms.map(|ms| json!(print_time(ms))),
            );
            add("priority", self.priority.map(|priority| json!(priority)));
            add("data", self.data.clone());
        }
        shown
    }

    pub(super) fn is_address(&self) -> bool {
        self.kind == "A" || self.kind == "AAAA"
    }

    fn is_proxiable(&self) -> bool {
        match self.content.parse::<IpAddr>() {
            Ok(IpAddr::V4(address)) => {
                self.is_address()
                    && !address.is_private()
                    && !address.is_loopback()
                    && !address.is_link_local()
            }
            Ok(IpAddr::V6(address)) => self.is_address() && !address.is_loopback(),
            Err(_) => self.kind == "CNAME",
        }
    }

    /// Reads a body over `before` (PATCH) or over nothing (POST, PUT).
    pub(super) fn read(
        zone: &Zone,
        body: &Object,
        before: Option<&Self>,
        now_ms: i64,
    ) -> Result<Self, ErrorEntry> {
        let kind = match given(body, "type") {
            Some(value) => value
                .as_str()
                .filter(|kind| TYPES.contains(kind))
                .ok_or_else(|| ErrorEntry::invalid(9004, "DNS record type is invalid."))?
                .to_owned(),
            None => before
                .map(|record| record.kind.clone())
                .ok_or_else(|| ErrorEntry::invalid(9004, "DNS record type is required."))?,
        };
        let name = match given(body, "name") {
            Some(value) => read_name(zone, value)?,
            None => before
                .map(|record| record.name.clone())
                .ok_or_else(|| ErrorEntry::invalid(9000, "DNS name is required."))?,
        };
        let data = given(body, "data")
            .cloned()
            .or_else(|| before?.data.clone());
        let content = match (given(body, "content"), before, &data) {
            (Some(value), _, _) => read_content(zone, &kind, &name, value)?,
            (None, Some(record), _) => read_content(zone, &kind, &name, &json!(record.content))?,
            (None, None, Some(data)) => content_of(data),
            _ => return Err(ErrorEntry::invalid(9005, "Content is required.")),
        };
        let proxied = match given(body, "proxied") {
            Some(value) => value
                .as_bool()
                .ok_or_else(|| ErrorEntry::invalid(9041, "Invalid value for proxied."))?,
            None => before.is_some_and(|record| record.proxied),
        };
        let (comment, comment_modified_ms) = read_comment(body, before, now_ms)?;
        check_tags(body)?;
        let mut record = Self {
            ttl: read_ttl(body, before)?,
            kind,
            name,
            content,
            proxied,
            comment,
            priority: given(body, "priority")
                .and_then(Value::as_u64)
                .or_else(|| before?.priority),
            data,
            settings: match given(body, "settings") {
                Some(Value::Object(settings)) => settings.clone(),
                _ => before
                    .map(|record| record.settings.clone())
                    .unwrap_or_default(),
            },
            created_ms: before.map_or(now_ms, |record| record.created_ms),
            modified_ms: now_ms,
            comment_modified_ms,
        };
        if record.kind == "MX" && record.priority.is_none() {
            return Err(ErrorEntry::invalid(
                9100,
                "DNS record is missing its priority.",
            ));
        }
        if record.proxied && !record.is_proxiable() {
            return Err(ErrorEntry::invalid(
                9004,
                "This record type or address cannot be proxied.",
            ));
        }
        // A proxied record always answers ttl 1 (dnscontrol PR 489, external-dns#1820).
        if record.proxied {
            record.ttl = 1;
        }
        Ok(record)
    }
}

/// Null is as good as nothing.
fn given<'a>(body: &'a Object, key: &str) -> Option<&'a Value> {
    body.get(key).filter(|value| !value.is_null())
}

/// Lower case, without the last dot, completed with the zone; `@` is the zone itself.
pub(super) fn complete_name(zone: &str, name: &str) -> String {
    let name = name.trim_end_matches('.').to_lowercase();
    if name == "@" || name == zone {
        zone.to_owned()
    } else if name.ends_with(&format!(".{zone}")) {
        name
    } else {
        format!("{name}.{zone}")
    }
}

fn read_name(zone: &Zone, value: &Value) -> Result<String, ErrorEntry> {
    let name = value
        .as_str()
        .filter(|name| !name.is_empty())
        .map(|name| complete_name(&zone.name, name))
        .ok_or_else(|| ErrorEntry::invalid(9000, "DNS name is invalid."))?;
    let good = |label: &str| {
        (1..=63).contains(&label.len())
            && (label == "*"
                || label
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_'))
    };
    if name.len() > 255 || !name.split('.').all(good) {
        return Err(ErrorEntry::invalid(9000, "DNS name is invalid."));
    }
    Ok(name)
}

fn read_content(zone: &Zone, kind: &str, name: &str, value: &Value) -> Result<String, ErrorEntry> {
    let text = value
        .as_str()
        .filter(|text| !text.is_empty() && text.len() <= 4096)
        .ok_or_else(|| ErrorEntry::invalid(9005, "Content for this record is invalid."))?;
    match kind {
        "A" => text
            .parse::<Ipv4Addr>()
            .map(|address| address.to_string())
            .map_err(|_| {
                ErrorEntry::invalid(9005, "Content for A record must be a valid IPv4 address.")
            }),
        // Comes back in compressed form (a belief, as is the lower case of names).
        "AAAA" => text
            .parse::<Ipv6Addr>()
            .map(|address| address.to_string())
            .map_err(|_| {
                ErrorEntry::invalid(
                    9005,
                    "Content for AAAA record must be a valid IPv6 address.",
                )
            }),
        "CNAME" => {
            let target = match text {
                "@" => zone.name.clone(),
                _ => text.trim_end_matches('.').to_lowercase(),
            };
            if target == name {
                return Err(ErrorEntry::invalid(
                    9039,
                    "A CNAME record cannot reference itself.",
                ));
            }
            Ok(target)
        }
        "MX" | "NS" | "PTR" => Ok(text.trim_end_matches('.').to_lowercase()),
        _ => Ok(text.to_owned()),
    }
}

/// Records given by `data` get a content made of its values.
fn content_of(data: &Value) -> String {
    let parts: Vec<String> = data
        .as_object()
        .into_iter()
        .flat_map(Object::values)
        .map(|value| {
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned)
        })
        .collect();
    parts.join(" ")
}

/// 1 is automatic; else a minute to a day. Clients in typed languages send it as a float.
fn read_ttl(body: &Object, before: Option<&Record>) -> Result<u32, ErrorEntry> {
    let Some(value) = given(body, "ttl") else {
        return Ok(before.map_or(1, |record| record.ttl));
    };
    let number = value.as_u64().or_else(|| {
        let text = value.as_f64()?.to_string();
        text.parse().ok()
    });
    number
        .and_then(|ttl| u32::try_from(ttl).ok())
        .filter(|ttl| *ttl == 1 || (60..=86_400).contains(ttl))
        .ok_or_else(|| {
            ErrorEntry::invalid(
                9021,
                "Invalid TTL. Must be between 60 and 86400 seconds, or 1 for Automatic.",
            )
        })
}

type Comment = (Option<String>, Option<i64>);

fn read_comment(
    body: &Object,
    before: Option<&Record>,
    now_ms: i64,
) -> Result<Comment, ErrorEntry> {
    let kept = before.map(|record| (record.comment.clone(), record.comment_modified_ms));
    let Some(value) = body.get("comment") else {
        return Ok(kept.unwrap_or_default());
    };
    let text = match value {
        Value::Null => "",
        Value::String(text) => text.as_str(),
        _ => return Err(ErrorEntry::invalid(9313, "The comment is invalid.")),
    };
    if text.chars().count() > LONGEST_COMMENT || text.contains(['\n', '\r']) {
        return Err(ErrorEntry::invalid(
            9313,
            "The comment exceeds 100 characters or holds a line break.",
        ));
    }
    let comment = (!text.is_empty()).then(|| text.to_owned());
    match kept {
        Some(kept) if kept.0 == comment => Ok(kept),
        _ => Ok((comment.clone(), comment.map(|_| now_ms))),
    }
}

/// Free zones have no tags.
fn check_tags(body: &Object) -> Result<(), ErrorEntry> {
    match given(body, "tags") {
        None => Ok(()),
        Some(Value::Array(tags)) if tags.is_empty() => Ok(()),
        Some(_) => Err(ErrorEntry::invalid(
            9300,
            "DNS record tags exceed the quota of 0.",
        )),
    }
}
