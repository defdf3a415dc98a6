//! Cloudflare DNS: A and AAAA records, seen as record sets.

use super::{
    Credential, Deletion, Endpoint, KindEntry, Naming, Permissions, Provider, ProviderName,
};
use crate::model::{
    FieldSpec, ItemRules, Kind, Meaning, ResourceKey, RiskRule, Shape, Special, Spelling, Unit,
    field, special_row as row,
};

/// Cloudflare.
pub(super) static CLOUDFLARE: Provider = Provider {
    name: ProviderName::Cloudflare,
    word: "cloudflare",
    title: "Cloudflare",
    about: "Cloudflare DNS.",
    scope: "DNS zone",
    kinds: &[Kind::DnsRecordSet],
    credential: Credential {
        variable: "CLOUDFLARE_API_TOKEN",
        may_be_a_file: false,
    },
    endpoint: Endpoint {
        variable: "CLOUDFLARE_BASE_URL",
        default: "https://api.cloudflare.com/client/v4",
        path: "/client/v4",
        is_emulator: false,
    },
    permissions: Permissions {
        read: &["Zone → DNS → Read"],
        write: &["Zone → DNS → Edit"],
    },
    // The API reads its own database; a minute covers the caches between.
    catching_up_ms: 60_000,
};

/// Record sets.
pub(super) static RECORD_SET: KindEntry = KindEntry {
    provider: ProviderName::Cloudflare,
    word: "dns-record-set",
    label: "record set",
    about: "All addresses of one DNS name and type.",
    in_definitions: "record set",
    fields: FIELDS,
    naming: Naming::SharedByName,
    settings: &["cloudflare_zone_id", "nodes"],
    created_again: "",
    is_additive: false,
    hangs_on: None,
    parse: |zone, rest| {
        let (fqdn, kind) = super::two_parts(rest)?;
        Some(ResourceKey::dns_record_set(zone, fqdn, kind))
    },
    needs: super::needs_nothing,
    lost,
    siblings: other_family,
    full_name: |key, items| format!("{} {} {items}", key.name_head(), key.name_tail()),
};

/// The record set of the same name with addresses of the other family.
fn other_family(key: &ResourceKey) -> Vec<ResourceKey> {
    let families = ["A", "AAAA"].into_iter();
    families
        .map(|family| key.named(format!("{}/{family}", key.name_head())))
        .filter(|other| other != key)
        .collect()
}

fn lost(deletion: &Deletion<'_>) -> String {
    let lost = format!(
        "the name no longer resolves to {}",
        deletion.going.join(", ")
    );
    match deletion.staying.join(", ").as_str() {
        "" => lost,
        others => format!("{lost}; it still resolves to {others}, which kedge does not manage"),
    }
}

const AUTOMATIC: &[Special] = &[row(
    Spelling::Number(1),
    Meaning::Automatic,
    "Cloudflare OpenAPI, dns-records_ttl: 1 is automatic",
)];

/// Seconds of `ttl`: 1 is automatic, else 60 to 86400 (Cloudflare OpenAPI `dns-records_ttl`).
const FIELDS: &[FieldSpec] = &[
    field(
        "addresses",
        Shape::Addresses,
        Unit::Plain,
        "The set's IP addresses.",
    )
    .written_as("ips")
    .items(ItemRules {
        swapped_in: RiskRule::Disruptive("traffic moves to it from the removed address"),
        // Somebody may have taken the address of a dead node out of the way of its traffic.
        restored: RiskRule::Disruptive(
            "somebody removed it, perhaps because its node is down; traffic will go to it again",
        ),
        removed: RiskRule::Disruptive("traffic to the removed address stops"),
        foreign_removed: RiskRule::Destructive("an address that kedge never recorded is removed"),
        foreign_only_if_exclusive: true,
    }),
    field(
        "ttl",
        Shape::Int {
            min: 1,
            max: 86_400,
        },
        Unit::Seconds,
        "Time to live; 1 is automatic.",
    )
    .special(AUTOMATIC)
    // While a record is proxied its ttl is Cloudflare's, and comparing it would be drift for ever
    // (semantics 2.2).
    .unused_while("proxied"),
    field(
        "proxied",
        Shape::Bool,
        Unit::Plain,
        "Send traffic through Cloudflare.",
    )
    .both(RiskRule::Disruptive(
        "traffic takes another path, and clients see other addresses",
    )),
];
