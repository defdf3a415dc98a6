//! What a zone's other records and the zone itself mean for its record sets: why one can't be created, and
//! states that no field covers. Pure.

use std::collections::{BTreeMap, BTreeSet};

use kedge_core::live::{FailureCode, ReadFailure};
use kedge_core::model::ResourceKey;

use super::super::words::words;
use super::error::failure;
use super::normalize::{canonical_name, is_address};
use super::wire::{Loose, WireRecord, WireZone};

/// What else a zone's list shows of its names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Names {
    /// Where each name with a CNAME leads.
    aliases: BTreeMap<String, String>,
    /// The name servers of each name with NS records, where it is surely not the zone's own.
    delegated: BTreeMap<String, BTreeSet<String>>,
    /// The name servers of the one name that may be the zone's own.
    apex: BTreeMap<String, BTreeSet<String>>,
    /// What each record set has set that no field covers.
    settings: BTreeMap<ResourceKey, BTreeSet<String>>,
}

/// What is known of the zone itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ZoneRead {
    /// What Cloudflare says.
    Known(ZoneFacts),
    /// The token may not read it. A name outside it shows in the answer to its creation.
    Refused,
    /// It could not be read now, and why.
    Failed(ReadFailure),
}

/// A zone's name and states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ZoneFacts {
    name: String,
    notes: Vec<String>,
}

impl ZoneRead {
    /// What matters of a zone.
    pub(super) fn of(zone: &WireZone) -> Self {
        let Some(name) = zone.name.text() else {
            let reason = "the answer does not say what the zone is called";
            return Self::Failed(failure(FailureCode::StrangeAnswer, reason));
        };
        // Names of records are Punycode; a name in another form can't be compared with them.
        if !name.is_ascii() {
            return Self::Refused;
        }
        let name = canonical_name(name);
        let mut notes = Vec::new();
        if let Some(status) = zone.status.text().filter(|status| *status != "active") {
            let status = words(status);
            notes.push(format!(
                "Cloudflare says that zone {name} is `{status}`, not `active`"
            ));
        }
        if zone.paused == Loose::Flag(true) {
            notes.push(format!(
                "Cloudflare says that zone {name} is paused: it proxies nothing"
            ));
        }
        Self::Known(ZoneFacts { name, notes })
    }
}

/// Whether a name is the zone's own or below it.
fn is_inside(name: &str, zone: &str) -> bool {
    let above = name.strip_suffix(zone);
    above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
}

impl Names {
    /// Sorts what the list of a whole zone shows.
    pub(super) fn of<'a>(zone_id: &str, records: impl IntoIterator<Item = &'a WireRecord>) -> Self {
        let (mut found, mut all) = (Self::default(), BTreeSet::new());
        let mut servers: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for record in records {
            let (Some(kind), Some(name)) = (record.kind.text(), record.name.text()) else {
                continue;
            };
            let name = canonical_name(name);
            let content = || canonical_name(record.content.text().unwrap_or_default());
            match kind {
                "CNAME" => drop(found.aliases.insert(name.clone(), content())),
                "NS" => drop(servers.entry(name.clone()).or_default().insert(content())),
                _ if is_address(kind) => found.add_settings(zone_id, kind, &name, record),
                _ => {}
            }
            all.insert(name);
        }
        // Everything is below the zone's own name, so a name beside which another stands is not it.
        let is_below_another = |name: &String| all.iter().any(|other| !is_inside(other, name));
        let (delegated, apex) = servers
            .into_iter()
            .partition(|(name, _)| is_below_another(name));
        Self {
            delegated,
            apex,
            ..found
        }
    }

    fn add_settings(&mut self, zone_id: &str, kind: &str, name: &str, record: &WireRecord) {
        let address = words(record.content.text().unwrap_or_default());
        let mut notes = BTreeSet::new();
        for (setting, family) in [("ipv4_only", "IPv4"), ("ipv6_only", "IPv6")] {
            if record.has_setting(setting) {
                notes.insert(format!(
                    "`{setting}` is set on {address}: through the proxy the name has {family} addresses only"
                ));
            }
        }
        if record.private_routing == Loose::Flag(true) {
            notes.insert(format!(
                "`private_routing` is set on {address}: its traffic goes through a private network"
            ));
        }
        if !notes.is_empty() {
            let key = ResourceKey::dns_record_set(zone_id, name, kind);
            self.settings.entry(key).or_default().extend(notes);
        }
    }

    /// Why a record set that is not there can't be made; none if nothing is known to be in its way.
    pub(super) fn obstacle(&self, key: &ResourceKey, zone: &ZoneRead) -> Option<String> {
        let name = key.name_head();
        let own = match zone {
            ZoneRead::Known(zone) if !is_inside(name, &zone.name) => {
                return Some(outside(name, &zone.name));
            }
            ZoneRead::Known(zone) => Some(zone.name.as_str()),
            ZoneRead::Refused | ZoneRead::Failed(_) => None,
        };
        if let Some(target) = self.aliases.get(name) {
            let target = words(target);
            return Some(format!(
                "{name} is a CNAME to {target}, and such a name can't have addresses; \
                 remove the CNAME, or the name from the definitions"
            ));
        }
        let surely = self.delegated.get(name);
        let servers = surely.or_else(|| {
            self.apex
                .get(name)
                .filter(|_| own.is_some_and(|own| own != name))
        });
        if let Some(servers) = servers {
            let servers = listed(servers);
            return Some(format!(
                "NS records delegate {name} to {servers}, and a delegated name can't have addresses; \
                 remove the NS records, or the name from the definitions"
            ));
        }
        None
    }

    /// What else there is to say of a record set, there or not.
    pub(super) fn notes(&self, key: &ResourceKey) -> Vec<String> {
        let name = key.name_head();
        let mut notes: Vec<String> = self
            .settings
            .get(key)
            .into_iter()
            .flatten()
            .cloned()
            .collect();
        let above = name
            .match_indices('.')
            .filter_map(|(at, _)| name.get(at + 1..));
        for (above, servers) in above.filter_map(|above| self.delegated.get_key_value(above)) {
            // Its addresses are glue: Cloudflare gives them along with the delegation.
            if !servers.contains(name) {
                let servers = listed(servers);
                notes.push(format!(
                    "NS records delegate {above} to {servers}, so Cloudflare does not answer for {name}"
                ));
            }
        }
        notes
    }
}

/// What the zone itself adds to what is said of a record set.
pub(super) fn notes_of_zone(zone: &ZoneRead) -> &[String] {
    match zone {
        ZoneRead::Known(zone) => &zone.notes,
        ZoneRead::Refused | ZoneRead::Failed(_) => &[],
    }
}

/// A name outside its zone, which Cloudflare completes with the zone (dnscontrol sends labels so).
fn outside(name: &str, zone: &str) -> String {
    format!(
        "it cannot be created: {name} is outside zone {zone}, and Cloudflare would create {name}.{zone} instead; \
         correct `domain`, or `cloudflare_zone_id`"
    )
}

fn listed(servers: &BTreeSet<String>) -> String {
    const SHOWN: usize = 4;
    let shown: Vec<String> = servers.iter().take(SHOWN).map(|one| words(one)).collect();
    shown.join(", ")
}

#[cfg(test)]
mod tests;
