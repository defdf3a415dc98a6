//! Cloudflare DNS v4: zones and DNS records.

mod list;
mod record;
#[cfg(test)]
mod tests;
mod write;

pub(crate) use record::Record;

use crate::call::{Answer, Call, html_page};
use crate::random::SplitMix64;
use http::Method;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Requests per account in one window (Cloudflare docs: API limits, 2026).
const WINDOW_REQUESTS: u32 = 1200;
const WINDOW_MS: i64 = 300_000;

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Cloudflare {
    pub(crate) zones: BTreeMap<String, Zone>,
    #[serde(skip)]
    random: SplitMix64,
    #[serde(skip)]
    window: Window,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Zone {
    pub(crate) name: String,
    /// By id.
    pub(crate) records: BTreeMap<String, Record>,
}

/// How much of the account's budget is used; told in headers, enforced only by a 429 fault.
#[derive(Debug, Clone, Default)]
struct Window {
    began_ms: i64,
    used: u32,
}

/// Why a write is refused.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ErrorEntry {
    status: u16,
    code: u32,
    message: String,
    /// A finer reason under a general code.
    chain: Option<(u32, String)>,
}

impl ErrorEntry {
    fn new(status: u16, code: u32, message: &str) -> Self {
        Self {
            status,
            code,
            message: message.to_owned(),
            chain: None,
        }
    }

    fn chained(status: u16, code: u32, message: &str, inner: u32, reason: &str) -> Self {
        Self {
            chain: Some((inner, reason.to_owned())),
            ..Self::new(status, code, message)
        }
    }

    fn invalid(inner: u32, reason: &str) -> Self {
        Self::chained(400, 1004, "DNS Validation Error", inner, reason)
    }

    fn answer(&self) -> Answer {
        let mut error = json!({"code": self.code, "message": self.message});
        if let (Some((code, message)), Some(object)) = (&self.chain, error.as_object_mut()) {
            let chain = json!([{"code": code, "message": message}]);
            object.insert("error_chain".to_owned(), chain);
        }
        Answer::json(
            self.status,
            json!({"result": null, "success": false, "errors": [error], "messages": []}),
        )
    }
}

impl std::fmt::Display for ErrorEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.code, self.message)?;
        match &self.chain {
            Some((code, message)) => write!(f, ": {code} {message}"),
            None => Ok(()),
        }
    }
}

/// The usual body for a status that a fault asks for. Codes vary in the wild; the status is what counts.
pub(crate) fn failure(status: u16, message: Option<&str>, code: Option<&str>) -> Answer {
    let (usual, text) = match status {
        401 => (10_000, "Authentication error"),
        403 => (9109, "Invalid access token"),
        404 => (81_044, "Record does not exist."),
        429 => (
            10_100,
            "Rate limit reached. Please wait and consider throttling your request speed",
        ),
        // The edge in front of the API answers these, in HTML.
        502..=504 if message.is_none() && code.is_none() => {
            return html_page(status, "api.cloudflare.com");
        }
        400..=499 => (1004, "DNS Validation Error"),
        _ => (10_001, "Internal error"),
    };
    let code = code.and_then(|code| code.parse().ok()).unwrap_or(usual);
    ErrorEntry::new(status, code, message.unwrap_or(text)).answer()
}

fn success(result: Value) -> Answer {
    Answer::json(
        200,
        json!({"result": result, "success": true, "errors": [], "messages": []}),
    )
}

pub(crate) fn is_write(call: &Call) -> bool {
    call.method != Method::GET
}

impl Cloudflare {
    pub(crate) fn new(zones: &[(String, String)], seed: u64) -> Self {
        let zone = |name: &String| Zone {
            name: name.to_lowercase(),
            records: BTreeMap::new(),
        };
        Self {
            zones: zones
                .iter()
                .map(|(id, name)| (id.clone(), zone(name)))
                .collect(),
            random: SplitMix64::new(seed ^ 0xC10D_F1A2_C10D_F1A2),
            window: Window::default(),
        }
    }

    /// A zone by id or by name, for a person who edits it.
    pub(crate) fn zone_named(
        &mut self,
        wanted: Option<&str>,
    ) -> Option<(&mut Zone, &mut SplitMix64)> {
        let random = &mut self.random;
        self.zones
            .iter_mut()
            .find(|(id, zone)| {
                wanted.is_none_or(|wanted| wanted == id.as_str() || wanted == zone.name)
            })
            .map(|(_, zone)| (zone, random))
    }
}

pub(crate) fn answer(cloudflare: &mut Cloudflare, call: &Call, now_ms: i64) -> Answer {
    let window = &mut cloudflare.window;
    let began_ms = now_ms - now_ms.rem_euclid(WINDOW_MS);
    if window.began_ms != began_ms {
        *window = Window { began_ms, used: 0 };
    }
    window.used = window.used.saturating_add(1);
    let left = WINDOW_REQUESTS.saturating_sub(window.used);
    let reset_s = (began_ms + WINDOW_MS - now_ms) / 1000;
    route(cloudflare, call, now_ms)
        .unwrap_or_else(|problem| problem.answer())
        .with("ratelimit", format!("\"default\";r={left};t={reset_s}"))
        .with(
            "ratelimit-policy",
            format!("\"burst\";q={WINDOW_REQUESTS};w={}", WINDOW_MS / 1000),
        )
}

fn authenticate(call: &Call) -> Result<(), ErrorEntry> {
    let Some(header) = call.authorization.as_deref() else {
        return Err(ErrorEntry::new(401, 10_000, "Authentication error"));
    };
    let token = header
        .strip_prefix("Bearer ")
        .map(str::trim)
        .unwrap_or_default();
    let legal = |c: char| c.is_ascii_graphic();
    if token.is_empty() || !token.chars().all(legal) {
        // favonia/cloudflare-ddns: live probe of 2026-06-30.
        return Err(ErrorEntry::chained(
            400,
            6003,
            "Invalid request headers",
            6111,
            "Invalid format for Authorization header",
        ));
    }
    Ok(())
}

fn route(cloudflare: &mut Cloudflare, call: &Call, now_ms: i64) -> Result<Answer, ErrorEntry> {
    authenticate(call)?;
    let segments = call.segments();
    let rest = segments.get(2..).unwrap_or_default();
    let method = call.method.as_str();
    match (method, rest) {
        ("GET", ["zones"]) => return list::zones(cloudflare, call),
        ("GET", ["user"]) => {
            return Ok(success(json!({
                "id": "7c5dae5552338874e5053f2534d2767a", "email": "sandbox@kedge.invalid",
                "first_name": null, "last_name": null, "username": "sandbox", "telephone": null,
                "country": null, "zipcode": null, "two_factor_authentication_enabled": false,
                "has_pro_zones": false, "has_business_zones": false, "has_enterprise_zones": false,
                "suspended": false, "organizations": [],
            })));
        }
        ("GET", ["user", "tokens", "verify"]) => {
            return Ok(success(
                json!({"id": "5a4db0e5a4db0e5a4db0e5a4db0e5a4d", "status": "active"}),
            ));
        }
        _ => {}
    }
    let (id, rest) = match rest {
        ["zones", id, rest @ ..] => (*id, rest),
        _ => return Err(no_route(call)),
    };
    let Some(zone) = cloudflare.zones.get_mut(id) else {
        return Err(no_route(call));
    };
    let random = &mut cloudflare.random;
    match (method, rest) {
        ("GET", []) => Ok(success(list::zone(id, zone))),
        ("GET", ["dns_records"]) => list::records(zone, call),
        // Page rules: octoDNS asks for them unless told not to.
        ("GET", ["pagerules"]) => Ok(success(json!([]))),
        ("GET", ["dns_records", "usage"]) => Ok(success(
            json!({"record_usage": zone.records.len(), "record_quota": 200}),
        )),
        ("GET", ["dns_records", id]) => match zone.records.get(*id) {
            Some(record) => Ok(success(record.show(id))),
            None => Err(write::gone()),
        },
        ("POST", ["dns_records"]) => write::create(zone, &body(call)?, random, now_ms).map(success),
        ("POST", ["dns_records", "batch"]) => {
            write::batch(zone, &body(call)?, random, now_ms).map(success)
        }
        ("PUT", ["dns_records", id]) => {
            write::overwrite(zone, id, &body(call)?, now_ms).map(success)
        }
        ("PATCH", ["dns_records", id]) => write::patch(zone, id, &body(call)?, now_ms).map(success),
        // Only the id comes back.
        ("DELETE", ["dns_records", id]) => {
            write::delete(zone, id).map(|_| success(json!({"id": id})))
        }
        _ => Err(no_route(call)),
    }
}

/// Also for a zone id that is none of ours.
fn no_route(call: &Call) -> ErrorEntry {
    let message = format!(
        "Could not route to {}, perhaps your object identifier is invalid?",
        call.path
    );
    ErrorEntry::new(404, 7003, &message)
}

fn body(call: &Call) -> Result<crate::call::Object, ErrorEntry> {
    call.object()
        .map_err(|reason| ErrorEntry::new(400, 9207, &format!("Request body is invalid: {reason}")))
}

pub(crate) use write::{create, delete, patch};

impl Zone {
    /// Ids of the records that a person means, in the order the zone keeps them.
    pub(crate) fn find(
        &self,
        name: &str,
        kind: Option<&str>,
        content: Option<&str>,
    ) -> Vec<String> {
        let name = record::complete_name(&self.name, name);
        self.records
            .iter()
            .filter(|(_, record)| {
                record.name == name
                    && kind.is_none_or(|kind| record.kind == kind)
                    && content.is_none_or(|content| record.content == content)
            })
            .map(|(id, _)| id.clone())
            .collect()
    }

    /// Ttl and proxied of the addresses a name already has, for one more beside them.
    pub(crate) fn like(&self, name: &str) -> Option<(u32, bool)> {
        let name = record::complete_name(&self.name, name);
        self.records
            .values()
            .find(|record| record.name == name && record.is_address())
            .map(|record| (record.ttl, record.proxied))
    }
}
