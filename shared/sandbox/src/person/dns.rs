//! Deeds on DNS records.

use super::{Deed, PersonResult};
use crate::call::Object;
use crate::cloudflare::{self, Zone};
use crate::random::SplitMix64;
use crate::world::World;
use serde_json::json;
use std::net::Ipv6Addr;

pub(super) fn act(world: &mut World, deed: &Deed, now_ms: i64) -> PersonResult {
    let wanted = match deed {
        Deed::AddRecord { zone, .. }
        | Deed::AddAddress { zone, .. }
        | Deed::PatchRecord { zone, .. }
        | Deed::RemoveRecord { zone, .. } => zone.as_deref(),
        _ => return None,
    };
    let Some((zone, random)) = world.cloudflare.zone_named(wanted) else {
        return Some(Err(format!("no zone {}", wanted.unwrap_or("at all"))));
    };
    // All or nothing, though a deed may touch several records.
    let mut trial = zone.clone();
    let done = change(&mut trial, random, deed, now_ms);
    if done.is_ok() {
        *zone = trial;
    }
    Some(done)
}

fn change(
    zone: &mut Zone,
    random: &mut SplitMix64,
    deed: &Deed,
    now_ms: i64,
) -> Result<(), String> {
    match deed {
        Deed::AddRecord { record, .. } => add(zone, record, random, now_ms),
        Deed::AddAddress { name, address, .. } => {
            let kind = if address.parse::<Ipv6Addr>().is_ok() {
                "AAAA"
            } else {
                "A"
            };
            let (ttl, proxied) = zone.like(name).unwrap_or((1, false));
            let record = json!({"type": kind, "name": name, "content": address, "ttl": ttl, "proxied": proxied});
            add(
                zone,
                record.as_object().unwrap_or(&Object::new()),
                random,
                now_ms,
            )
        }
        Deed::PatchRecord {
            name,
            kind,
            content,
            set,
            ..
        } => {
            let ids = found(zone, name, kind.as_deref(), content.as_deref())?;
            ids.iter().try_for_each(|id| {
                cloudflare::patch(zone, id, set, now_ms)
                    .map(|_| ())
                    .map_err(|problem| problem.to_string())
            })
        }
        Deed::RemoveRecord {
            name,
            kind,
            content,
            ..
        } => {
            let ids = found(zone, name, kind.as_deref(), content.as_deref())?;
            ids.iter().try_for_each(|id| {
                cloudflare::delete(zone, id)
                    .map(|_| ())
                    .map_err(|problem| problem.to_string())
            })
        }
        _ => Err("not a deed on a zone".to_owned()),
    }
}

fn add(
    zone: &mut Zone,
    record: &Object,
    random: &mut SplitMix64,
    now_ms: i64,
) -> Result<(), String> {
    cloudflare::create(zone, record, random, now_ms)
        .map(|_| ())
        .map_err(|problem| problem.to_string())
}

fn found(
    zone: &Zone,
    name: &str,
    kind: Option<&str>,
    content: Option<&str>,
) -> Result<Vec<String>, String> {
    let ids = zone.find(name, kind, content);
    if ids.is_empty() {
        return Err(format!("no such record of {name}"));
    }
    Ok(ids)
}
