//! Lists of zones and records: filters, order, pages.

use super::{Cloudflare, ErrorEntry, Record, Zone, success};
use crate::call::{Answer, Call};
use serde_json::{Value, json};
use std::cmp::Ordering;

const LARGEST_PAGE: usize = 5_000_000;

pub(super) fn zone(id: &str, zone: &Zone) -> Value {
    json!({
        "id": id,
        "name": zone.name,
        "status": "active",
        "paused": false,
        "type": "full",
        "development_mode": 0,
        "name_servers": ["ada.ns.cloudflare.com", "bob.ns.cloudflare.com"],
        "original_name_servers": [],
        "original_registrar": null,
        "original_dnshost": null,
        "created_on": "2025-01-01T00:00:00.000000Z",
        "modified_on": "2025-01-01T00:00:00.000000Z",
        "activated_on": "2025-01-01T00:00:00.000000Z",
        "account": {"id": "acc00000000000000000000000000001", "name": "Clustera"},
        "owner": {"id": "acc00000000000000000000000000001", "name": "Clustera", "type": "user"},
        "meta": {"step": 2, "custom_certificate_quota": 0, "page_rule_quota": 3, "phishing_detected": false},
        "plan": {"id": "0feeeeeeeeeeeeeeeeeeeeeeeeeeeeee", "name": "Free Website", "legacy_id": "free", "price": 0, "currency": "USD", "is_subscribed": false},
        "permissions": ["#dns_records:edit", "#dns_records:read", "#zone:read"],
    })
}

pub(super) fn zones(cloudflare: &Cloudflare, call: &Call) -> Result<Answer, ErrorEntry> {
    let wanted = call.query("name").map(str::to_lowercase);
    let status = call.query("status").is_none_or(|status| status == "active");
    let zones: Vec<Value> = cloudflare
        .zones
        .iter()
        .filter(|(_, found)| status && wanted.as_ref().is_none_or(|name| *name == found.name))
        .map(|(id, found)| zone(id, found))
        .collect();
    paged(&zones, page_of(call, 20, 5, 50)?)
}

/// Page and size, both checked.
fn page_of(
    call: &Call,
    usual: usize,
    least: usize,
    most: usize,
) -> Result<(usize, usize), ErrorEntry> {
    let read = |name: &str, usual: usize| match call.query(name) {
        None => Some(usual),
        Some(text) => text.parse::<usize>().ok(),
    };
    let page = read("page", 1).filter(|page| *page >= 1);
    let size = read("per_page", usual).filter(|size| (least..=most).contains(size));
    page.zip(size)
        .ok_or_else(|| ErrorEntry::invalid(9207, "page or per_page is out of bounds."))
}

/// A page beyond the end is empty: the Python client counts up until it sees one.
fn paged(all: &[Value], (page, size): (usize, usize)) -> Result<Answer, ErrorEntry> {
    let items: Vec<&Value> = all
        .iter()
        .skip((page - 1).saturating_mul(size))
        .take(size)
        .collect();
    let info = json!({
        "page": page,
        "per_page": size,
        "count": items.len(),
        "total_count": all.len(),
        "total_pages": all.len().div_ceil(size),
    });
    let mut answer = success(json!(items));
    if let crate::call::Content::Json(Value::Object(body)) = &mut answer.content {
        body.insert("result_info".to_owned(), info);
    }
    Ok(answer)
}

pub(super) fn records(zone: &Zone, call: &Call) -> Result<Answer, ErrorEntry> {
    let page = page_of(call, 100, 1, LARGEST_PAGE)?;
    let any = match call.query("match").unwrap_or("all") {
        "all" => false,
        "any" => true,
        _ => return Err(ErrorEntry::invalid(9207, "match must be any or all.")),
    };
    let mut found: Vec<(&String, &Record)> = Vec::new();
    for (id, record) in &zone.records {
        if fits(record, call, any)? {
            found.push((id, record));
        }
    }
    let order = call.query("order").unwrap_or("type");
    let descending = call.query("direction") == Some("desc");
    found.sort_by(|a, b| {
        let by = compare(order, a.1, b.1);
        let by = if descending { by.reverse() } else { by };
        by.then_with(|| (&a.1.name, &a.1.content, a.0).cmp(&(&b.1.name, &b.1.content, b.0)))
    });
    let shown: Vec<Value> = found
        .into_iter()
        .map(|(id, record)| record.show(id))
        .collect();
    paged(&shown, page)
}

fn compare(order: &str, a: &Record, b: &Record) -> Ordering {
    match order {
        "name" => a.name.cmp(&b.name),
        "content" => a.content.cmp(&b.content),
        "ttl" => a.ttl.cmp(&b.ttl),
        "proxied" => a.proxied.cmp(&b.proxied),
        _ => a.kind.cmp(&b.kind),
    }
}

/// All filters, or any with `match=any`. A filter nobody knows is left alone, as the API does.
fn fits(record: &Record, call: &Call, any: bool) -> Result<bool, ErrorEntry> {
    let mut verdicts = Vec::new();
    for (key, value) in &call.query {
        let (field, how) = key.split_once('.').unwrap_or((key, "exact"));
        let verdict = match field {
            "type" => record.kind.eq_ignore_ascii_case(value),
            "proxied" => match value.as_str() {
                "true" => record.proxied,
                "false" => !record.proxied,
                _ => return Err(ErrorEntry::invalid(9207, "proxied must be true or false.")),
            },
            "name" => text_fits(&record.name, how, value.trim_end_matches('.')),
            "content" => text_fits(&record.content, how, value),
            "comment" => match (how, &record.comment) {
                ("present", comment) => comment.is_some(),
                ("absent", comment) => comment.is_none(),
                (_, Some(comment)) => text_fits(comment, how, value),
                (_, None) => false,
            },
            // No tags on a Free zone.
            "tag" => how == "absent",
            _ => continue,
        };
        verdicts.push(verdict);
    }
    Ok(verdicts.is_empty()
        || if any {
            verdicts.contains(&true)
        } else {
            !verdicts.contains(&false)
        })
}

fn text_fits(text: &str, how: &str, wanted: &str) -> bool {
    let (text, wanted) = (text.to_lowercase(), wanted.to_lowercase());
    match how {
        "contains" => text.contains(&wanted),
        "startswith" => text.starts_with(&wanted),
        "endswith" => text.ends_with(&wanted),
        _ => text == wanted,
    }
}
